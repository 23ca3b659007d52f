"""Decryption of a recorded TLS connection, versions 1.0 to 1.3, by an observer with secrets.

Both directions are read on their own, and records that need keys wait for the hello of the other
side. A record tells which keys and which number it has by opening: so a change of keys that the
capture lacks, and records that it lacks, cost nothing but themselves. [RFC 5246], [RFC 8446]
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psremoting.capture.network import tls_records as records
from psremoting.capture.network.tls_hellos import (
    HELLO_RETRY,
    ClientHello,
    HandshakeReader,
    ServerHello,
    read_certificate_key,
    read_client_hello,
    read_server_hello,
)
from psremoting.capture.network.tls_keys import expand_label, key_block, master_secret
from psremoting.capture.network.tls_lost_hellos import LABELS, MAX_NUMBERS, find_hellos
from psremoting.capture.network.tls_suites import (
    TLS_1_0,
    TLS_1_3,
    VERSIONS,
    Protection,
    Suite,
    protection_12,
    protection_13,
    suite,
)
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.tls_keys import TlsSecrets
    from psremoting.capture.network.tls_records import Record

__all__ = ["UNKNOWN", "TlsPiece", "TlsSession"]

UNKNOWN = -1
_CLIENT_HELLO, _SERVER_HELLO, _TICKET, _CERTIFICATE = 1, 2, 4, 11
_CLIENT_KEY = 16
_MAX_WAITING = 4 << 20
_MAX_TRANSCRIPT = 1 << 18
_MAX_GUESSES = 4
"""Number of records of a connection for which lost hellos are searched."""
_MAX_TRIALS = 200_000
"""Maximum number of vain attempts at one connection."""
_LEAST_RECORD = 22


@dataclass(frozen=True, slots=True)
class TlsPiece:
    """The contents of a record: application data, or a gap that is sealed or lost."""

    side: Side
    data: bytes = b""
    gap: int = 0
    """Bytes of plain text that are missing before any further data, or UNKNOWN."""
    sealed: int = 0
    """Bytes that stay sealed."""


@dataclass(slots=True)
class _Direction:
    reader: records.RecordReader = field(default_factory=records.RecordReader)
    handshake: HandshakeReader = field(default_factory=HandshakeReader)
    transcript: bytearray = field(default_factory=bytearray)
    keys: Protection | None = None
    following: deque[Protection] = field(default_factory=deque)
    """Keys that come after the current ones."""
    secret: bytes = b""
    """The newest traffic secret of TLS 1.3."""
    number: int = 0
    lost: int = 0
    """Bytes of records that did not open since the last one that did."""
    sealed: bool = False
    """True after a change of cipher: the records are sealed."""
    waiting: list[Record] = field(default_factory=list)
    waiting_bytes: int = 0


class TlsSession:
    """One connection. ``name`` and ``missing`` describe it for people."""

    def __init__(self, secrets: TlsSecrets) -> None:
        self._secrets = secrets
        self._sides = {side: _Direction() for side in Side}
        self._client: ClientHello | None = None
        self._server: ServerHello | None = None
        self._suite: Suite | None = None
        self._master: bytes | None = None
        self._server_key = b""
        self._exchanged = False
        self._derived = False
        self._fits = False
        self._by_server_key = False
        self._trials = 0
        self._guesses = 0
        self._problem = ""
        self.opened = 0
        """Bytes of application data that opened."""
        self.sealed = dict.fromkeys(Side, 0)
        """Bytes of records that stayed sealed."""

    @property
    def version(self) -> str:
        return VERSIONS.get(self._server.version, "TLS") if self._server else "TLS"

    @property
    def suite(self) -> str:
        return self._suite.name if self._suite else ""

    @property
    def origin(self) -> str:
        """The kind of secret that opened the connection; empty if none did."""
        if not self._fits:
            return ""
        return "opened with " + ("a server key" if self._by_server_key else "a key log")

    @property
    def server_name(self) -> str:
        return self._client.server_name if self._client else ""

    @property
    def missing(self) -> str:
        """The reason why records stay sealed, as the secret that is missing."""
        if self._problem:
            return self._problem
        if self._client is None or self._server is None:
            text = self._missing_hellos()
            if self._client is not None and self._client.early_data:
                text += "; a part of it is early data (0-RTT)"
            return text
        if self._fits and self._client.early_data:
            random = self._client.random.hex()
            return f"the key log line of the early data (0-RTT) of the client random {random}"
        if self._suite is None:
            return f"support for the cipher suite 0x{self._server.suite:04x}"
        text = f"the key log line of the client random {self._client.random.hex()}"
        if self._suite.exchange == "RSA":
            text += ", or the private key of the server"
        return text

    def _missing_hellos(self) -> str:
        lost = "ServerHello" if self._client is not None else "ClientHello"
        if self._client is None and self._server is None:
            lost = "beginning"
        text = f"the {lost} of the TLS connection, which the capture lacks"
        if self._secrets:
            text += "; no key given fits without it"
        return text

    # -- input

    def receive(self, side: Side, data: bytes) -> Iterator[TlsPiece]:
        """Take bytes of one side; yield what they hold, in the order of each side."""
        for record in self._sides[side].reader.receive(data):
            yield from self._record(side, record)

    def gap(self, side: Side, size: int) -> Iterator[TlsPiece]:
        """Take a gap of ``size`` bytes in the records of one side."""
        for record in self._sides[side].reader.gap(size):
            yield from self._record(side, record)

    @property
    def held(self) -> int:
        """Bytes of records that wait for keys."""
        return sum(each.waiting_bytes for each in self._sides.values())

    def give_up(self) -> Iterator[TlsPiece]:
        """Stop waiting for keys."""
        for side in Side:
            yield from self._give_up(side)

    def lose(self, side: Side, size: int) -> None:
        """Note that whole records of together ``size`` bytes are missing."""
        self._sides[side].lost += size

    def end(self) -> Iterator[TlsPiece]:
        """End the connection; what waited for keys stays sealed."""
        for side, direction in self._sides.items():
            if not self._ready(side) and self._guess(side, direction.waiting):
                yield from self._drain()
        for side, direction in self._sides.items():
            yield from self._give_up(side)
            if rest := direction.reader.end():
                yield self._stays(side, rest)

    # -- records

    def _record(self, side: Side, record: Record) -> Iterator[TlsPiece]:
        direction = self._sides[side]
        if record.lost:
            direction.lost += record.lost
            direction.handshake.lose()
            yield TlsPiece(side, gap=UNKNOWN)
        if self._server is not None and self._server.version == TLS_1_3:
            plain = direction.keys is None and record.kind == records.HANDSHAKE
            if record.kind in (records.CHANGE_CIPHER_SPEC, records.ALERT):
                return
        else:
            plain = not direction.sealed and record.kind != records.DATA
        if plain:
            yield from self._plain(side, record)
            return
        if direction.waiting or not self._ready(side):
            if not self._hopes() and self._guess(side, [*direction.waiting, record]):
                yield from self._drain()
                if not direction.waiting and self._ready(side):
                    yield from self._sealed(side, record)
                    return
            if not self._hopes():
                yield from self._give_up(side)
                yield self._stays(side, len(record.body))
                return
            direction.waiting.append(record)
            direction.waiting_bytes += len(record.body)
            if direction.waiting_bytes > _MAX_WAITING:
                yield from self._give_up(side)
            return
        yield from self._sealed(side, record)

    def _plain(self, side: Side, record: Record) -> Iterator[TlsPiece]:
        direction = self._sides[side]
        if record.kind == records.CHANGE_CIPHER_SPEC:
            self._change(side)
        elif record.kind == records.HANDSHAKE:
            if record.torn:
                direction.handshake.lose()
            else:
                yield from self._handshake(side, record.body)

    def _change(self, side: Side) -> None:
        direction = self._sides[side]
        direction.sealed = True
        if side is Side.SERVER and self._client is not None and not self._server_key:
            self._master = self._master or self._secrets.resumed(self._client.ticket)
        self._find_keys()
        # Without keys for what follows, the old ones are over nevertheless.
        direction.keys, direction.number, direction.lost = None, 0, 0
        if direction.following:
            direction.keys = direction.following.popleft()

    def _sealed(self, side: Side, record: Record) -> Iterator[TlsPiece]:
        direction = self._sides[side]
        if record.kind == records.CHANGE_CIPHER_SPEC:
            self._change(side)
            return
        found = None if record.torn else self._open(direction, record)
        if found is None:
            exact = direction.keys.exact if direction.keys is not None else None
            # Its number is not counted: the next record is searched from here on.
            direction.lost += len(record.body)
            data = record.kind == records.DATA
            known = record.torn and exact is not None and not record.lost
            yield self._stays(side, len(record.body))
            if data:
                gap = max(0, len(record.body) - (exact or 0)) if known else UNKNOWN
                yield TlsPiece(side, gap=gap)
            return
        kind, plain = found
        if kind == records.DATA:
            self.opened += len(plain)
            if plain:
                yield TlsPiece(side, data=plain)
        elif kind == records.HANDSHAKE and self._version() < TLS_1_3:
            yield from self._handshake(side, plain)

    def _open(self, direction: _Direction, record: Record) -> tuple[int, bytes] | None:
        """Open a record with the current keys or with those after them."""
        count = 1
        if direction.lost:
            count = min(MAX_NUMBERS, direction.lost // _LEAST_RECORD + 2)
        candidates = [(direction.keys, direction.number)] if direction.keys is not None else []
        self._extend(direction)
        candidates += [(keys, 0) for keys in direction.following]
        for place, (keys, number) in enumerate(candidates):
            if self._trials > _MAX_TRIALS:
                self._problem = "an attempt at more keys: too many of them did not fit"
                return None
            assert keys is not None
            opened = keys.open(record.head, record.body, range(number, number + count))
            if opened is None:
                self._trials += count
                continue
            for _ in range(place if direction.keys is not None else place + 1):
                direction.keys = direction.following.popleft()
            direction.number, direction.lost, self._fits = opened[0] + 1, 0, True
            return opened[1], opened[2]
        if not self._problem and not self._fits and not direction.lost:
            self._problem = "a key log line that fits; the one of this connection does not"
        return None

    def _extend(self, direction: _Direction) -> None:
        """Add the keys after the next KeyUpdate. [RFC 8446] 7.2"""
        if self._version() == TLS_1_3 and not direction.following and direction.secret:
            assert self._suite is not None
            digest = self._suite.hash
            size = len(direction.secret)
            direction.secret = expand_label(digest, direction.secret, b"traffic upd", size)
            direction.following.append(self._protect_13(direction.secret))

    def _stays(self, side: Side, size: int) -> TlsPiece:
        self.sealed[side] += size
        return TlsPiece(side, sealed=size)

    def _give_up(self, side: Side) -> Iterator[TlsPiece]:
        direction = self._sides[side]
        waiting, direction.waiting, direction.waiting_bytes = direction.waiting, [], 0
        for record in waiting:
            yield self._stays(side, len(record.body))

    def _drain(self) -> Iterator[TlsPiece]:
        """Open the records that waited for keys."""
        for side, direction in self._sides.items():
            if direction.waiting and self._ready(side):
                waiting, direction.waiting, direction.waiting_bytes = direction.waiting, [], 0
                for record in waiting:
                    yield from self._sealed(side, record)

    # -- keys

    def _guess(self, side: Side, waiting: list[Record]) -> bool:
        """Find hellos that the capture lacks, by a record that opens. Return True if found."""
        known = self._client is not None and self._server is not None
        whole = [record for record in waiting if not record.torn and record.kind == records.DATA]
        if known or not whole or not self._secrets or self._guesses >= _MAX_GUESSES:
            return False
        self._guesses += 1
        found = find_hellos(self._secrets, self._client, self._server, side, whole[0])
        if found is None:
            return False
        self._client, self._server = found
        self._suite = suite(self._server.suite)
        self._find_keys()
        for direction in self._sides.values():
            # How many records came before is not known.
            direction.lost = MAX_NUMBERS * _LEAST_RECORD
        return self._ready(side)

    def _version(self) -> int:
        return self._server.version if self._server is not None else 0

    def _ready(self, side: Side) -> bool:
        direction = self._sides[side]
        return direction.keys is not None or bool(direction.following)

    def _hopes(self) -> bool:
        """Return True if a message that has not come yet could still give keys."""
        if self._problem or not self._secrets or (self._client is None and self._server is None):
            return False
        if self._client is None or self._server is None:
            return not any(each.handshake.broken for each in self._sides.values())
        if self._suite is None or self._version() == TLS_1_3 or self._master is not None:
            return False
        return self._secrets.has_server_keys and not self._exchanged

    def _handshake(self, side: Side, data: bytes) -> Iterator[TlsPiece]:
        direction = self._sides[side]
        for kind, message in direction.handshake.receive(data):
            try:
                self._message(side, kind, message)
            except ValueError as error:
                self._problem = f"support for this handshake ({error})"
            yield from self._drain()

    def _message(self, side: Side, kind: int, message: bytes) -> None:
        body = message[4:]
        if side is Side.CLIENT and kind == _CLIENT_HELLO:
            self._begin(read_client_hello(body))
        direction = self._sides[side]
        if kind and len(direction.transcript) < _MAX_TRANSCRIPT:
            direction.transcript += message
        if side is Side.CLIENT:
            if kind == _CLIENT_KEY:
                self._client_key(body)
        elif kind == _SERVER_HELLO:
            self._hello(read_server_hello(body))
        elif kind == _CERTIFICATE and self._version() < TLS_1_3:
            self._server_key = b"?"
            if self._secrets.has_server_keys:
                self._server_key = read_certificate_key(body)
        elif kind == _TICKET and self._master is not None and len(body) > 6:
            self._secrets.remember(body[6:], self._master)

    def _begin(self, hello: ClientHello) -> None:
        """Take a ClientHello: the first, the second of TLS 1.3, or one of a renegotiation."""
        known, self._client = self._client, hello
        if known is not None and known.random != hello.random and self._version() != TLS_1_3:
            self._server = self._suite = self._master = None
            self._server_key, self._exchanged, self._derived = b"", False, False
            for direction in self._sides.values():
                direction.transcript.clear()
                direction.following.clear()
        self._find_keys()

    def _hello(self, hello: ServerHello) -> None:
        if hello.random == HELLO_RETRY:
            return
        if hello.version not in VERSIONS:
            raise ValueError(f"version 0x{hello.version:04x}")
        self._server, self._suite = hello, suite(hello.suite)
        self._find_keys()

    def _client_key(self, body: bytes) -> None:
        self._exchanged = True
        if self._client is None or self._server is None or self._suite is None:
            return
        if self._master is not None or self._suite.exchange != "RSA":
            return
        sealed = body[2:] if self._version() >= TLS_1_0 else body
        premaster = self._secrets.premaster(sealed, self._client.random)
        if premaster is None:
            return
        if self._server_key and not self._secrets.holds_key_of(self._server_key):
            return
        transcript = None
        if self._server.extended_master:
            if any(each.handshake.broken for each in self._sides.values()):
                self._problem = "bytes of the handshake, which the capture lacks"
                return
            client = bytes(self._sides[Side.CLIENT].transcript)
            first = 4 + int.from_bytes(client[1:4], "big")
            server = bytes(self._sides[Side.SERVER].transcript)
            transcript = client[:first] + server + client[first:]
        self._by_server_key = True
        randoms = self._client.random + self._server.random
        self._master = master_secret(
            self._server.version, self._suite, premaster, randoms, transcript
        )
        self._find_keys()

    def _find_keys(self) -> None:
        """Derive the keys of both directions, if their secret is known and not yet used."""
        client, server = self._client, self._server
        if client is None or server is None or self._suite is None:
            return
        if server.version == TLS_1_3:
            self._find_traffic_keys(client)
            return
        if self._master is None:
            self._master = self._secrets.logged("CLIENT_RANDOM", client.random)
        if self._master is None and client.session == server.session:
            self._master = self._secrets.resumed(client.session)
            self._master = self._master or self._secrets.resumed(client.ticket)
        if self._master is None or self._derived:
            return
        self._derived = True
        self._secrets.remember(server.session, self._master)
        block = key_block(server.version, self._suite, self._master, client.random, server.random)
        for side, direction in self._sides.items():
            direction.following.append(
                protection_12(
                    self._suite,
                    server.version,
                    block,
                    client=side is Side.CLIENT,
                    mac_last=server.mac_last,
                )
            )

    def _find_traffic_keys(self, client: ClientHello) -> None:
        for side, direction in self._sides.items():
            if direction.keys is not None or direction.secret:
                continue
            for label in LABELS[side]:
                secret = self._secrets.logged(label, client.random)
                if secret is not None:
                    direction.secret = secret
                    direction.following.append(self._protect_13(secret))

    def _protect_13(self, secret: bytes) -> Protection:
        assert self._suite is not None
        digest = self._suite.hash
        key = expand_label(digest, secret, b"key", self._suite.key_size)
        return protection_13(self._suite, key, expand_label(digest, secret, b"iv", 12))
