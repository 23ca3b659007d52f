"""The handshake messages of TLS that an observer reads. [RFC 5246] 7.4, [RFC 8446] 4"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psremoting.capture.network.tls_suites import TLS_1_2

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClientHello", "HandshakeReader", "ServerHello", "read_certificate_key",
           "read_client_hello", "read_server_hello"]  # fmt: skip

_SERVER_NAME, _MAC_LAST, _EXTENDED_MASTER, _TICKET, _EARLY_DATA, _VERSIONS = 0, 22, 23, 35, 42, 43
MAX_MESSAGE = 1 << 18
"""Bytes of one handshake message: certificate chains have a few KiB."""
HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random value of a HelloRetryRequest. [RFC 8446] 4.1.3"""


class _Cursor:
    """Reader of fields with lengths. Raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ValueError("a field of the handshake is cut")
        found = self._data[self._at : end]
        self._at = end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Return the bytes after their length of ``size`` bytes."""
        return self.take(self.number(size))

    @property
    def left(self) -> int:
        return len(self._data) - self._at


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """The values of a ClientHello that keys depend on, and the server's name."""

    random: bytes
    session: bytes
    ticket: bytes
    server_name: str
    early_data: bool = False
    """True if data of TLS 1.3 follows before the answer (0-RTT)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello:
    """The values of a ServerHello that keys depend on."""

    version: int
    random: bytes
    session: bytes
    suite: int
    mac_last: bool
    extended_master: bool


def _extensions(cursor: _Cursor) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    if cursor.left < 2:
        return found
    inner = _Cursor(cursor.vector(2))
    while inner.left:
        kind = inner.number(2)
        found[kind] = inner.vector(2)
    return found


def read_client_hello(body: bytes) -> ClientHello:
    """Return the fields of a ClientHello. Raises ValueError."""
    cursor = _Cursor(body)
    cursor.take(2)
    random, session = cursor.take(32), cursor.vector(1)
    cursor.vector(2)
    cursor.vector(1)
    extensions = _extensions(cursor)
    name = ""
    if len(listed := extensions.get(_SERVER_NAME, b"")) > 5:
        name = listed[5:].decode("latin-1")
    return ClientHello(
        random=random,
        session=session,
        ticket=extensions.get(_TICKET, b""),
        server_name=name,
        early_data=_EARLY_DATA in extensions,
    )


def read_server_hello(body: bytes) -> ServerHello:
    """Return the fields of a ServerHello. Raises ValueError."""
    cursor = _Cursor(body)
    version, random, session = cursor.number(2), cursor.take(32), cursor.vector(1)
    suite = cursor.number(2)
    if cursor.number(1):
        raise ValueError("compression of TLS is not supported")
    extensions = _extensions(cursor)
    if version == TLS_1_2 and len(chosen := extensions.get(_VERSIONS, b"")) == 2:
        version = int.from_bytes(chosen, "big")
    return ServerHello(
        version=version,
        random=random,
        session=session,
        suite=suite,
        mac_last=_MAC_LAST in extensions,
        extended_master=_EXTENDED_MASTER in extensions,
    )


def read_certificate_key(body: bytes) -> bytes:
    """Return the public key of the first certificate, in DER. Raises ValueError."""
    first = _Cursor(_Cursor(body).vector(3)).vector(3)
    try:
        key = x509.load_der_x509_certificate(first).public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class HandshakeReader:
    """Joiner of the handshake messages of one direction."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.broken = False
        """True if bytes of the handshake are missing."""

    def receive(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the type and the whole bytes of each complete message."""
        self._buffer += data
        while len(self._buffer) >= 4:
            size = 4 + int.from_bytes(self._buffer[1:4], "big")
            if size > MAX_MESSAGE:
                self.lose()
                return
            if len(self._buffer) < size:
                return
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield message[0], message

    def lose(self) -> None:
        """Drop an unfinished message; the next record begins a new one."""
        self._buffer.clear()
        self.broken = True
