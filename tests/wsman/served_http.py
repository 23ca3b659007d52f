"""A service behind the server's driver on loopback, and one connection of a client to it."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import trio

from tests.wsman.served import POWERSHELL, SHELL, VERSION, Endpoint, Work
from wsman import names, operations, soap
from wsman import shell_values as v
from wsman.accounts import Accounts, LogonGuard, new_account
from wsman.auth import Authentication, Credential
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.auth_server import ServerAuthOptions
from wsman.envelopes import Headers
from wsman.http import SOAP, HttpClient, Response
from wsman.service import Service
from wsman.trio_server import Listener, ServerLimits, WSManServer
from wsman.trio_tls import TlsIdentity

PASSWORD = "correct horse"
ACCOUNTS = Accounts(
    new_account(name, PASSWORD, salt=b"s" * 16, ntlm=True) for name in ("carol", "mallory")
)
LIMIT = 20


class Table:
    """A served service, and how to reach it."""

    def __init__(self, service: Service, endpoint: Endpoint, server: WSManServer) -> None:
        self.service = service
        self.endpoint = endpoint
        self.server = server
        self.ports: dict[str, int] = {}
        self.lines: list[str] = []
        self.stop = trio.Event()
        self.streams: list[trio.abc.AsyncResource] = []

    @property
    def work(self) -> Work:
        return self.endpoint.works[-1]


@asynccontextmanager
async def served(
    *, identity: TlsIdentity | None = None, limits: ServerLimits | None = None, **auth: Any
) -> AsyncIterator[Table]:
    endpoint = Endpoint()
    service = Service(endpoint, new_id=uuid4, on_wake=lambda: server.wake())
    values: dict[str, Any] = {"accounts": ACCOUNTS, "allow_unencrypted": True}
    server = WSManServer(
        service,
        ServerAuthOptions(**values | auth),
        limits=limits or ServerLimits(grace=0.1),
        guard=LogonGuard(first=0.01, most=0.02),
        report=lambda text: table.lines.append(text),
    )
    table = Table(service, endpoint, server)
    listeners = [Listener(host="127.0.0.1", port=0)]
    if identity is not None:
        listeners.append(Listener(host="127.0.0.1", port=0, tls=identity))

    def on_listening(url: str) -> None:
        scheme, _, rest = url.partition("://")
        table.ports[scheme] = int(rest.partition(":")[2].partition("/")[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: server.serve(listeners, stop=table.stop, on_listening=on_listening)
        )
        while len(table.ports) < len(listeners):
            await trio.sleep(0.005)
        with trio.fail_after(LIMIT):
            yield table
        table.stop.set()
        for stream in table.streams:
            await trio.aclose_forcefully(stream)


class Client:
    """One connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.http = HttpClient("h")

    @classmethod
    async def connect(cls, table: Table, *, tls: ssl.SSLContext | None = None) -> Client:
        port = table.ports["https" if tls else "http"]
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port)
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_hostname="localhost")
        table.streams.append(stream)
        return cls(stream)

    async def response(self) -> Response:
        while (response := self.http.next_response()) is None:
            self.http.receive_data(bytes(await self.stream.receive_some(65536)))
        return response

    async def post(
        self, body: bytes = b"", *headers: tuple[str, str], target: str = "/wsman",
        method: str = "POST",
    ) -> Response:  # fmt: skip
        await self.stream.send_all(self.http.request(target, headers, body, method=method))
        return await self.response()

    async def ask(
        self, value: object, user: str = "carol", kind: str = SOAP, **headers: Any
    ) -> Response:
        return await self.post(
            envelope(value, **headers), ("Content-Type", kind), ("Authorization", basic(user))
        )


def basic(user: str = "carol", password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def envelope(value: object, *, shell: str = SHELL) -> bytes:
    create = isinstance(value, v.Create)
    headers = Headers(
        to="http://h/wsman",
        reply_to=names.ANONYMOUS,
        message_id=f"uuid:{uuid4()}",
        resource_uri=POWERSHELL,
        max_envelope_size=153_600,
        operation_timeout=20.0,
        options=VERSION if create else (),
        selectors=() if create else ((v.SHELL_SELECTOR, shell),),
    )
    return operations.write(headers, value)


IDENTIFY = (
    f'<s:Envelope xmlns:s="{names.SOAP}" xmlns:i="{names.IDENTITY}"><s:Header/><s:Body>'
    "<i:Identify/></s:Body></s:Envelope>"
).encode()


def read(response: Response) -> Any:
    return operations.read(soap.parse(response.body))


async def authenticated(
    client: Client, kind: Authentication, user: str = "carol"
) -> ClientAuthenticator:
    made = ClientAuthenticator(
        AuthOptions(
            authentication=kind,
            credential=Credential(user_name=user, password=PASSWORD),
            host="127.0.0.1",
            port=1,
            secure=False,
        ),
        random=os.urandom,
    )
    leg = made.first()
    while leg is not None:
        response = await client.post(b"", *leg.headers)
        following = made.receive(response.status, response.headers)
        if following is None:
            return made
        leg = following
    raise AssertionError


def trusting(pem: Path, own: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pem))
    if own is not None:
        context.load_cert_chain(own)
    return context
