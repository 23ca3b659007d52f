"""A proxy in front of an HTTP server that records requests and may refuse, cut or delay them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import trio

__all__ = ["Exchange", "Fate", "HttpProxy", "proxying"]

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ACTION = re.compile(rb"Action[^>]*>[^<]*/([A-Za-z]+)<")
_COMMAND = re.compile(rb'CommandId="([0-9A-Fa-f-]{36})"')
_ENDED = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Fate(Enum):
    """What the proxy does with a request."""

    PASS = "pass"
    REFUSE = "refuse"
    """Close the connection instead of forwarding the request."""
    CUT = "cut"
    """Forward the request, and close the connection instead of forwarding the answer."""
    HALF = "half"
    """Forward half of the answer, and close the connection."""
    LATE = "late"
    """Hold the answer back for some time."""


@dataclass
class Exchange:
    """One HTTP request."""

    connection: int
    operation: str
    """``Create``, ``Receive`` ...; empty without a body, ``sealed`` if it cannot be read."""
    command: str
    answered: bool = False


@dataclass
class HttpProxy:
    """The proxy and its record."""

    port: int
    exchanges: list[Exchange] = field(default_factory=list)
    decide: Callable[[Exchange], Fate] = lambda _: Fate.PASS
    connections: int = 0
    overlapping: list[Exchange] = field(default_factory=list)
    """Receives that were made while another of the same target was unanswered."""
    delay: float = 1.0
    """Seconds by which a late answer is held back."""
    _open: set[trio.CancelScope] = field(default_factory=set)

    def cut(self) -> None:
        """Cut every connection."""
        for scope in self._open:
            scope.cancel()

    def operations(self) -> list[str]:
        return [each.operation for each in self.exchanges]

    def _new(self, connection: int, body: bytes) -> Exchange:
        found = _ACTION.search(body)
        operation = found[1].decode() if found else "sealed" if body else ""
        command = _COMMAND.search(body)
        made = Exchange(connection, operation, command[1].decode() if command else "")
        if operation == "Receive":
            same = [
                e for e in self.exchanges if (e.operation, e.command) == ("Receive", made.command)
            ]
            if any(not each.answered for each in same):
                self.overlapping.append(made)
        self.exchanges.append(made)
        return made

    async def serve(self, stream: trio.SocketStream, server_port: int) -> None:
        self.connections += 1
        number = self.connections
        try:
            server = await trio.open_tcp_stream("127.0.0.1", server_port)
        except OSError:
            await stream.aclose()
            return
        with trio.CancelScope() as scope:
            self._open.add(scope)
            await self._relay(number, stream, server)
        self._open.discard(scope)

    async def _relay(
        self, number: int, stream: trio.SocketStream, server: trio.SocketStream
    ) -> None:
        async with stream, server:
            client, upstream = _Messages(stream), _Messages(server)
            try:
                while (request := await client.next()) is not None:
                    exchange = self._new(number, request.partition(b"\r\n\r\n")[2])
                    fate = self.decide(exchange)
                    if fate is Fate.REFUSE:
                        exchange.answered = True
                        return
                    await server.send_all(request)
                    answer = await self._answer(upstream, client)
                    exchange.answered = True
                    if answer is None or fate is Fate.CUT:
                        return
                    if fate is Fate.LATE:
                        await trio.sleep(self.delay)
                    await stream.send_all(
                        answer[: len(answer) // 2] if fate is Fate.HALF else answer
                    )
                    if fate is Fate.HALF:
                        return
            except _ENDED:
                return

    async def _answer(self, upstream: _Messages, client: _Messages) -> bytes | None:
        """Return the answer; None if either side closes its connection before."""
        answer: bytes | None = None

        async def watch() -> None:
            await client.fill()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            answer = await upstream.next()
            nursery.cancel_scope.cancel()
        return answer


class _Messages:
    """Whole HTTP messages of one direction of a connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._data = b""

    async def fill(self) -> bool:
        """Read more; return False at the end. A request is not pipelined: only the end comes."""
        received = await self._stream.receive_some(1 << 16)
        self._data += received
        return bool(received)

    async def next(self) -> bytes | None:
        """Return the next message, or None at the end."""
        while True:
            head, found, _ = self._data.partition(b"\r\n\r\n")
            if found:
                length = _LENGTH.search(head)
                size = len(head) + 4 + (int(length[1]) if length else 0)
                if len(self._data) >= size:
                    message, self._data = self._data[:size], self._data[size:]
                    return message
            if not await self.fill():
                return None


@asynccontextmanager
async def proxying(server_port: int) -> AsyncIterator[HttpProxy]:
    """Run a proxy in front of a port of this machine."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy = HttpProxy(listener.socket.getsockname()[1])

        async def handle(stream: trio.SocketStream) -> None:
            await proxy.serve(stream, server_port)

        nursery.start_soon(trio.serve_listeners, handle, [listener])
        try:
            yield proxy
        finally:
            nursery.cancel_scope.cancel()
