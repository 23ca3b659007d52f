"""A recorded session, sealed anew: by NTLM, CredSSP or TLS, all of them real implementations."""

from __future__ import annotations

import datetime
import json
import os
import ssl
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from psrp.sansio import Side
from tests.recordings import FIXTURES
from wsman.accounts import Accounts, LogonGuard, new_account
from wsman.auth import Authentication, Credential
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.auth_server import Accepted, Challenge, ServerAuthenticator, ServerAuthOptions
from wsman.http import SOAP

RECORDING = FIXTURES / "wsman-live" / "managed-options.jsonl"
PASSWORD = "correct horse"
USER = "carol"
Turn = tuple[int, bool, bytes]
"""Number of the connection, from the client, bytes."""


@dataclass(frozen=True)
class Envelope:
    connection: int
    from_client: bool
    start: str
    soap: str


@cache
def envelopes(recording: Path = RECORDING) -> tuple[Envelope, ...]:
    """Return the envelopes of a recorded session."""
    rows = [json.loads(row) for row in recording.read_text().splitlines()]
    return tuple(
        Envelope(row["connection"], row["from"] == "client", row["start"], row["soap"])
        for row in rows
        if row["soap"]
    )


def http(start: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    listed = [*headers, ("Content-Length", str(len(body)))]
    lines = [start, "Host: server.lab", *(f"{name}: {value}" for name, value in listed)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def plain_turns(recording: Path = RECORDING) -> list[Turn]:
    """Return the session as plain HTTP."""
    kind = (("Content-Type", SOAP),)
    return [
        (each.connection, each.from_client, http(_start(each), kind, each.soap.encode()))
        for each in envelopes(recording)
    ]


def _start(each: Envelope) -> str:
    return each.start if len(each.start.split()) > 2 else f"{each.start} -"


# -- sealed by an authentication


class _Sealed:
    """Both ends of one connection."""

    def __init__(
        self, kind: Authentication, credssp: Any, credential: Credential, kerberos: bool
    ) -> None:
        accounts = Accounts()
        name = credential.user_name.partition("\\")[2] or credential.user_name
        secret = credential.password if not kerberos else PASSWORD
        accounts.add(new_account(name.title(), secret, salt=b"s" * 16, ntlm=True))
        self.client = ClientAuthenticator(
            AuthOptions(
                authentication=kind,
                credential=credential,
                host="localhost" if kerberos else "127.0.0.1",
                port=5985,
                secure=False,
            ),
            channel_binding=None,
            random=os.urandom,
        )
        self.server = ServerAuthenticator(
            ServerAuthOptions(accounts=accounts, credssp=credssp, kerberos=kerberos),
            LogonGuard(),
            secure=False,
            random=os.urandom,
            wall_time=lambda: 1_700_000_000.0,
        )

    def legs(self) -> Iterable[tuple[bool, bytes]]:
        leg = self.client.first()
        while True:
            yield True, http("POST /wsman HTTP/1.1", leg.headers)
            result = self.server.receive(dict(leg.headers).get("Authorization"), 0.0)
            assert isinstance(result, Accepted | Challenge)
            status = "200 OK" if isinstance(result, Accepted) else "401 Unauthorized"
            yield False, http(f"HTTP/1.1 {status}", result.headers)
            following = self.client.receive(int(status[:3]), result.headers)
            if following is None:
                return
            leg = following


CAROL = Credential(user_name=USER, password=PASSWORD)


def sealed_turns(
    kind: Authentication,
    credssp: Any = None,
    credential: Credential = CAROL,
    *,
    kerberos: bool = False,
    recording: Path = RECORDING,
    again: int = 0,
) -> list[Turn]:
    """Return the session with each connection authenticated and its envelopes sealed.

    With ``again`` each connection authenticates anew before every request of that number.
    """
    connections: dict[int, _Sealed] = {}
    requests: Counter[int] = Counter()
    turns: list[Turn] = []
    for each in envelopes(recording):
        number = each.connection
        requests[number] += each.from_client
        if number not in connections or (
            again and each.from_client and not requests[number] % again
        ):
            connections[number] = _Sealed(kind, credssp, credential, kerberos)
            turns += [(number, *leg) for leg in connections[number].legs()]
        end = connections[number].client if each.from_client else connections[number].server
        content_type, body = end.seal(SOAP, each.soap.encode())
        headers = (("Content-Type", content_type),)
        turns.append((number, each.from_client, http(_start(each), headers, body)))
    return turns


# -- sealed by TLS


@dataclass(frozen=True)
class Identity:
    key: Any
    path: Path


def identity(folder: Path, kind: str) -> Identity:
    """Return a new key with its certificate, in one PEM file."""
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server.lab")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{kind}.pem"
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(data + certificate.public_bytes(Encoding.PEM))
    return Identity(key, path)


@dataclass
class Tls:
    """Real connections of TLS in memory. ``session`` of the last one can be resumed."""

    identity: Identity
    key_log: Path
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str = ""
    options: int = 0
    resume: bool = False
    session: Any = None
    reused: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(self.identity.path)
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname = False
        self._client.verify_mode = ssl.CERT_NONE
        for context in (self._server, self._client):
            context.minimum_version = context.maximum_version = self.version
            context.options |= self.options
            if self.ciphers:
                context.set_ciphers(self.ciphers)
        self._client.keylog_filename = str(self.key_log)

    def seal(self, turns: Iterable[Turn]) -> list[Turn]:
        """Return the same turns inside TLS, with the handshakes."""
        connections: dict[int, _TlsConnection] = {}
        made: list[Turn] = []
        for number, from_client, data in turns:
            if number not in connections:
                session = self.session if self.resume else None
                connections[number] = _TlsConnection(self._client, self._server, session)
                made += [(number, *each) for each in connections[number].greet()]
                self.reused.append(bool(connections[number].client.session_reused))
            made += [(number, *each) for each in connections[number].send(from_client, data)]
            self.session = connections[number].client.session
        return made


class _TlsConnection:
    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext, session: Any) -> None:
        self._in = {side: ssl.MemoryBIO() for side in Side}
        self._out = {side: ssl.MemoryBIO() for side in Side}
        self.client = client.wrap_bio(
            self._in[Side.CLIENT], self._out[Side.CLIENT], server_hostname="server.lab",
            session=session,
        )  # fmt: skip
        self._server = server.wrap_bio(
            self._in[Side.SERVER], self._out[Side.SERVER], server_side=True
        )

    def _moved(self) -> Iterable[tuple[bool, bytes]]:
        for side in Side:
            if data := self._out[side].read():
                self._in[side.peer].write(data)
                yield side is Side.CLIENT, data

    def greet(self) -> Iterable[tuple[bool, bytes]]:
        waiting = [self.client, self._server]
        while waiting:
            for each in list(waiting):
                try:
                    each.do_handshake()
                    waiting.remove(each)
                except ssl.SSLWantReadError:
                    pass
                yield from self._moved()

    def send(self, from_client: bool, data: bytes) -> Iterable[tuple[bool, bytes]]:
        one, other = self.client, self._server
        if not from_client:
            one, other = other, one
        for start in range(0, len(data), 65536):
            one.write(data[start : start + 65536])
            yield from self._moved()
            left = len(data[start : start + 65536])
            while left:
                left -= len(other.read(left))
