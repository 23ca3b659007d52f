"""Small scripted HTTP servers: requests are parsed, responses are written by the test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wsman.http import HttpServer, Request, Response

Answer = Callable[[Request, "Served"], Awaitable[Response | bytes | None]]


@dataclass
class Served:
    """One connection of a client, as the server sees it."""

    number: int
    stream: trio.abc.Stream
    requests: int = 0
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Server:
    """A listening server; ``answer`` returns each response, or None to close the connection."""

    port: int
    connections: list[Served] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


@asynccontextmanager
async def serve(answer: Answer, *, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free port of 127.0.0.1 for the duration of the block."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Server(port=listeners[0].socket.getsockname()[1])

        async def handle(stream: trio.SocketStream) -> None:
            served = Served(number=len(server.connections) + 1, stream=stream)
            server.connections.append(served)
            try:
                if context is not None:
                    served.stream = trio.SSLStream(
                        stream, context, server_side=True, https_compatible=True
                    )
                await _converse(served, server, answer)
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                pass
            finally:
                await trio.aclose_forcefully(served.stream)

        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield server
        nursery.cancel_scope.cancel()


async def _converse(served: Served, server: Server, answer: Answer) -> None:
    http = HttpServer()
    while True:
        while (request := http.next_request()) is None:
            data = await served.stream.receive_some(65536)
            if not data:
                return
            http.receive_data(bytes(data))
        server.requests.append(request)
        served.requests += 1
        made = await answer(request, served)
        if made is None:
            return
        if isinstance(made, bytes):
            await served.stream.send_all(made)
            return
        await served.stream.send_all(http.respond(made))
        if http.closing:
            return


# -- certificates


@dataclass(frozen=True)
class Authority:
    """A test certificate authority, and a certificate for 127.0.0.1 and localhost."""

    folder: Path
    ca: Path
    certificate: Path
    key: Path
    der: bytes

    def context(self, *, clients: bool = False) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        if clients:
            made.load_verify_locations(self.ca)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def make_authority(folder: Path, *, names: tuple[str, ...] = ("localhost",)) -> Authority:
    """Create an authority and a certificate; ``names`` are its DNS names; 127.0.0.1 is included if
    ``localhost`` is."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    base = (
        x509.CertificateBuilder()
        .issuer_name(_name("Test CA"))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = (
        base.subject_name(_name("Test CA"))
        .public_key(ca_key.public_key())
        .serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    if "localhost" in names:
        alternatives.append(x509.IPAddress(ip_address("127.0.0.1")))
    leaf = (
        base.subject_name(_name(names[0]))
        .public_key(key.public_key())
        .serial_number(2)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = {
        "ca.pem": ca.public_bytes(pem),
        "server.pem": leaf.public_bytes(pem),
        "server.key": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Authority(
        folder, folder / "ca.pem", folder / "server.pem", folder / "server.key",
        leaf.public_bytes(serialization.Encoding.DER),
    )  # fmt: skip
