"""The server's driver: listeners, connections, and the tasks around one service.

A connection reads one request after the other. The cost of a request before its user is known is
bounded: the size of head and body, the time for both, the number of connections, and the time of a
failed log-on. A waiting request occupies its connection; if that ends, the service is notified.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import trio

from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError
from wsman.accounts import LogonGuard
from wsman.auth_server import (
    Accepted,
    Challenge,
    PasswordCheck,
    ServerAuthenticator,
    ServerAuthOptions,
)
from wsman.certificates import client_certificate
from wsman.http import HttpError, HttpLimits, HttpServer, Request, Response
from wsman.local_logon import LocalAuthenticator
from wsman.service import Service
from wsman.service_calls import Answer, Incoming
from wsman.serving import (
    Authenticator,
    Opened,
    Plan,
    open_request,
    plan,
    resource_uri,
    sealed_response,
)
from wsman.taps import MakeTap
from wsman.trio_sending import PromptStream
from wsman.trio_tls import TlsIdentity, verified_chain
from wsman.trio_unix import peer_uid, unix_listener

__all__ = ["Listener", "Logon", "ServerLimits", "WSManServer"]

_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
_RECEIVE = 64 << 10
_AHEAD = 64 << 10
"""Bytes that are read of a client's next request while the current one is unanswered."""
_CHECKS = 2
"""Number of passwords that are checked concurrently."""
_LAST_WORDS = 2.0


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Limits on the resources of clients. Times are seconds."""

    max_connections: int = 300
    """MaxConnections of all listeners; further ones get 503."""
    max_head: int = 64 << 10
    request_time: float = 120.0
    """MaxPacketRetrievalTimeSeconds: from the first byte of a request to the last."""
    idle_time: float = 120.0
    """An open connection without a request."""
    handshake_time: float = 30.0
    """The TLS handshake."""
    write_time: float = 60.0
    """Until a client has read an answer."""
    grace: float = 5.0
    """At shutdown: for connected clients to delete or disconnect their shells."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One address to listen on; HTTPS if it has an identity, a unix socket if it has a path."""

    host: str = ""
    port: int = 0
    tls: TlsIdentity | None = None
    path: str = ""
    descriptor: int = -1
    """The listening unix socket, if the service manager has opened it."""


@dataclass(frozen=True, kw_only=True)
class Logon:
    """A log-on that succeeded or failed, for an audit trail."""

    user: str
    """The account, or the name that was given; may be empty for a failure."""
    address: str
    scheme: str
    succeeded: bool


@dataclass
class _Slot:
    answer: Answer | None = None
    waiting: trio.CancelScope | None = None
    """Cancelled when the answer is there."""


class WSManServer:
    """Serves one service on any number of listeners.

    ``report`` is called with a line, free of secrets, for each event of interest to administrators;
    ``on_logon`` for each log-on; ``user_name`` returns the name of a user id, for unix sockets;
    ``tap`` for each connection, and its result observes the messages in the clear.
    """

    def __init__(
        self,
        service: Service,
        auth: ServerAuthOptions,
        *,
        path: str = "/wsman",
        max_body: int = 512_000,
        limits: ServerLimits | None = None,
        guard: LogonGuard | None = None,
        report: Callable[[str], None] = lambda text: None,
        on_logon: Callable[[Logon], None] = lambda logon: None,
        user_name: Callable[[int], str] = str,
        tap: MakeTap | None = None,
    ) -> None:
        self._on_logon = on_logon
        self._user_name = user_name
        self._nursery: trio.Nursery | None = None
        self._open: dict[Listener, list[trio.CancelScope]] = {}
        self._tap = tap
        self._service = service
        self._auth = auth
        self._path = path
        self._limits = limits or ServerLimits()
        # Sealing adds some hundred bytes to each 16 KiB of an envelope.
        self._http = HttpLimits(max_head=self._limits.max_head, max_body=max_body + (32 << 10))
        self._guard = guard or LogonGuard()
        self._report = report
        self._slots: dict[int, _Slot] = {}
        self._tickets = count(1)
        self._connections = 0
        self._woken = trio.Event()
        self._sleeps_until = math.inf
        self._closing = False
        self._checks = trio.CapacityLimiter(_CHECKS)

    def wake(self) -> None:
        """Wake the driver because `Service.advance` is due; pass it as ``on_wake``."""
        self._woken.set()

    # -- life

    async def serve(
        self,
        listeners: list[Listener],
        *,
        stop: trio.Event | None = None,
        on_listening: Callable[[str], None] = lambda url: None,
    ) -> None:
        """Serve until ``stop`` is set, then shut down. Raises OSError for a bad address."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_timer)
            self._nursery = nursery
            try:
                for each in listeners:
                    for url in await self.open_listener(each):
                        on_listening(url)
                await (trio.Event() if stop is None else stop).wait()
                await self._end()
            finally:
                self._nursery = None
            nursery.cancel_scope.cancel()

    async def open_listener(self, listener: Listener) -> list[str]:
        """Listen at an address while `serve` runs; return its URLs.

        Raises OSError, and LocalProtocolError if the server does not run.
        """
        if self._nursery is None:
            raise LocalProtocolError("cannot open a listener: the server does not run")
        if listener.path:
            opened = [unix_listener(listener.path, listener.descriptor)]
        else:
            opened = await trio.open_tcp_listeners(listener.port, host=listener.host or None)
        if self._nursery is None:
            for each in opened:
                await each.aclose()
            raise LocalProtocolError("cannot open a listener: the server has ended")
        self._open[listener] = [trio.CancelScope() for _ in opened]
        for each, scope in zip(opened, self._open[listener], strict=True):
            self._nursery.start_soon(self._accept, each, listener.tls, self._nursery, scope)
        return [_url(listener, each, self._path) for each in opened]

    def close_listener(self, listener: Listener) -> None:
        """Stop listening at an address; open connections stay."""
        for scope in self._open.pop(listener):
            scope.cancel()

    async def _end(self) -> None:
        """Let connected clients leave, then answer the waiting requests."""
        self._service.draining = True
        self._closing = True
        with trio.move_on_after(self._limits.grace):
            while any(each.state == "Connected" for each in self._service.shells):
                await trio.sleep(0.05)
        self._service.end()
        self._flush()
        with trio.move_on_after(_LAST_WORDS):
            while self._slots:
                await trio.sleep(0.01)

    async def _run_timer(self) -> None:
        while True:
            deadline = self._service.next_deadline()
            self._sleeps_until = math.inf if deadline is None else deadline
            with trio.move_on_at(self._sleeps_until):
                await self._woken.wait()
            self._woken = trio.Event()
            try:
                self._service.advance(trio.current_time())
            except Exception as error:
                self._report(f"a shell failed: {type(error).__name__}: {error}")
            self._flush()

    def _flush(self) -> None:
        """Pass answers to the connections that wait for them."""
        for answer in self._service.take_answers():
            slot = self._slots.get(answer.ticket)
            if slot is None:
                self._service.client_gone(answer.ticket, trio.current_time())
            else:
                slot.answer = answer
                if slot.waiting is not None:
                    slot.waiting.cancel()
        deadline = self._service.next_deadline()
        if deadline is not None and deadline < self._sleeps_until:
            self._woken.set()

    # -- connections

    async def _accept(
        self,
        listener: trio.SocketListener,
        tls: TlsIdentity | None,
        nursery: trio.Nursery,
        scope: trio.CancelScope,
    ) -> None:
        with scope:
            async with listener:
                await self._accept_all(listener, tls, nursery)

    async def _accept_all(
        self, listener: trio.SocketListener, tls: TlsIdentity | None, nursery: trio.Nursery
    ) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                # Out of descriptors, for example: other connections may end meanwhile.
                self._report(f"cannot accept a connection: {error}")
                await trio.sleep(0.1)
                continue
            nursery.start_soon(self._serve_connection, stream, tls)

    async def _serve_connection(self, stream: trio.SocketStream, tls: TlsIdentity | None) -> None:
        self._connections += 1
        try:
            local = stream.socket.family == socket.AF_UNIX
            address = "" if local else str(stream.socket.getpeername()[0])
            connection = await self._opened(stream, tls, address)
            if connection is not None:
                await connection.run()
        except _BROKEN:
            pass
        except RemoteProtocolError as error:
            self._report(f"a connection was ended: {error}")
        except Exception as error:
            # An internal error ends this connection only.
            self._report(f"a connection failed: {type(error).__name__}: {error}")
        finally:
            self._connections -= 1
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await trio.aclose_forcefully(stream)

    async def _opened(
        self, stream: trio.SocketStream, tls: TlsIdentity | None, address: str
    ) -> _Connection | None:
        wire: trio.abc.Stream = PromptStream(stream)
        binding = certificate = None
        if tls is not None:
            context, binding = tls.current()
            secure = trio.SSLStream(wire, context, server_side=True, https_compatible=True)
            with trio.move_on_after(self._limits.handshake_time) as scope:
                await secure.do_handshake()
            if scope.cancelled_caught:
                return None
            certificate = client_certificate(verified_chain(secure._ssl_object))
            wire = secure
        if self._connections > self._limits.max_connections:
            self._report(f"{address}: refused, there are {self._connections} connections")
            with trio.move_on_after(1):
                await wire.send_all(HttpServer().refuse(503))
            return None
        if stream.socket.family == socket.AF_UNIX:
            user = self._user_name(peer_uid(stream.socket))
            return _Connection(self, wire, LocalAuthenticator(user), address)
        auth = ServerAuthenticator(
            self._auth,
            self._guard,
            secure=tls is not None,
            address=address,
            channel_binding=binding,
            certificate=certificate,
            random=os.urandom,
            wall_time=time.time,
        )
        return _Connection(self, wire, auth, address)


class _Connection:
    """One client's connection: a request, its answer, the next request."""

    def __init__(
        self,
        server: WSManServer,
        stream: trio.abc.Stream,
        auth: Authenticator,
        address: str,
    ) -> None:
        self._server = server
        self._limits = server._limits
        self._stream = stream
        self._auth = auth
        self._address = address
        self._http = HttpServer(limits=server._http)
        self._user = ""
        """The user whose log-on was reported."""
        self._tap = server._tap() if server._tap is not None else None

    async def run(self) -> None:
        """Serve requests until the connection ends."""
        while not self._http.closing:
            try:
                request = await self._next_request()
                if request is None:
                    return
                await self._answer(request)
            except LimitExceeded as error:
                self._server._report(f"{self._address}: {error}")
                await self._write(self._http.refuse(413))
            except HttpError as error:
                if error.status:
                    await self._write(self._http.refuse(error.status))

    async def _next_request(self) -> Request | None:
        """Return the next request, or None if the client is gone or too slow."""
        request = self._http.next_request()
        if request is not None:
            return request
        if self._http.idle:
            with trio.move_on_after(self._limits.idle_time) as idle:
                if not await self._read():
                    return None
            if idle.cancelled_caught:
                return None
            if (request := self._http.next_request()) is not None:
                return request
        with trio.move_on_after(self._limits.request_time):
            while (request := self._http.next_request()) is None:
                if waiting := self._http.data_to_send():
                    await self._write(waiting)
                if not await self._read():
                    return None
            return request
        await self._write(self._http.refuse(408))
        return None

    async def _read(self) -> bool:
        data = await self._stream.receive_some(_RECEIVE)
        self._http.receive_data(bytes(data))
        return bool(data)

    async def _write(self, data: bytes) -> None:
        """Write all of it. Raises BrokenResourceError if the client does not take it in time."""
        with trio.move_on_after(self._limits.write_time) as limit:
            await self._stream.send_all(data)
        if limit.cancelled_caught:
            # A part may be out: another answer must not follow it.
            raise trio.BrokenResourceError("the client does not take its answer")

    async def _answer(self, request: Request) -> None:
        made = plan(request, self._server._path)
        if made is Plan.IDENTIFY:
            opened = Opened(data=request.body, sealed=False)
            self._observe_request(request, opened.data)
            await self._ask_service(opened, Accepted(user="", scheme=""))
        elif isinstance(made, Response):
            self._observe_request(request, b"")
            await self._respond(made, made.body)
        else:
            await self._authenticated(request)

    async def _authenticated(self, request: Request) -> None:
        result = await self._authenticate(request)
        if isinstance(result, Challenge):
            if result.failed:
                self._server._report(f"{self._address}: a log-on failed")
                self._logged_on(request, result.user, succeeded=False)
            if result.delay:
                await trio.sleep(result.delay)
            self._observe_request(request, b"")
            await self._respond(Response(status=401, headers=result.headers))
            return
        if result.user != self._user:
            self._user = result.user
            self._logged_on(request, result.user, succeeded=True)
        opened = open_request(request, self._auth, self._server._http.max_body)
        if isinstance(opened, Response):
            headers = opened.headers + result.headers
            self._observe_request(request, b"")
            response = Response(status=opened.status, headers=headers, body=opened.body)
            await self._respond(response, opened.body)
            return
        self._observe_request(request, opened.data)
        await self._ask_service(opened, result, chunked=request.chunked)

    def _logged_on(self, request: Request, user: str, *, succeeded: bool) -> None:
        scheme = (request.header("Authorization") or "").partition(" ")[0][:40]
        self._server._on_logon(
            Logon(user=user, address=self._address, scheme=scheme, succeeded=succeeded)
        )

    async def _authenticate(self, request: Request) -> Challenge | Accepted:
        now = trio.current_time()
        authorization = request.header("Authorization")
        result = self._auth.receive(authorization, now, uri=_resource(request, authorization))
        if not isinstance(result, PasswordCheck):
            return result
        accounts = self._server._auth.accounts
        assert accounts is not None
        account = await trio.to_thread.run_sync(
            accounts.check, result.user_name, result.password, limiter=self._server._checks
        )
        return self._auth.checked(account, trio.current_time())

    async def _ask_service(self, opened: Opened, logon: Accepted, *, chunked: bool = False) -> None:
        server = self._server
        ticket = next(server._tickets)
        slot = server._slots[ticket] = _Slot()
        written = False
        try:
            server._service.receive(
                Incoming(
                    ticket=ticket,
                    user=logon.user,
                    data=opened.data,
                    address=self._address,
                    authentication=logon.mechanism,
                    chunked=chunked,
                    interactive=logon.interactive,
                ),
                trio.current_time(),
            )
            server._flush()
            if slot.answer is None:
                await self._wait(slot)
            if slot.answer is not None:
                response = sealed_response(slot.answer, self._auth, opened, logon.headers)
                await self._respond(response, slot.answer.data)
                written = True
        finally:
            del server._slots[ticket]
            if written:
                server._service.answered(ticket)
                server._flush()
            else:
                server._service.client_gone(ticket, trio.current_time())

    async def _wait(self, slot: _Slot) -> None:
        """Wait for the answer, or until the client is gone."""
        with trio.CancelScope() as slot.waiting:
            ahead = 0
            try:
                while ahead < _AHEAD:
                    data = await self._stream.receive_some(_RECEIVE)
                    self._http.receive_data(bytes(data))
                    if not data:
                        return
                    ahead += len(data)
            except _BROKEN:
                return
            await trio.sleep_forever()

    def _observe_request(self, request: Request, envelope: bytes) -> None:
        if self._tap is not None:
            start = f"{request.method} {request.target} HTTP/1.1"
            self._tap("client", start, request.headers, envelope, len(request.body))

    async def _respond(self, response: Response, envelope: bytes = b"") -> None:
        if self._tap is not None:
            start = f"HTTP/1.1 {response.status} {response.reason}".rstrip()
            self._tap("server", start, response.headers, envelope, len(response.body))
        data = self._http.respond(response, close=self._server._closing)
        await self._write(data)


def _resource(request: Request, authorization: str | None) -> str:
    """Return the resource URI of a request that a certificate authenticates; else empty."""
    if authorization is None or not authorization.lower().startswith("http"):
        return ""
    return resource_uri(request.body)


def _url(listener: Listener, opened: trio.SocketListener, path: str) -> str:
    if listener.path:
        return f"unix:{listener.path}"
    name = opened.socket.getsockname()
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if listener.tls else 'http'}://{host}:{name[1]}{path}"
