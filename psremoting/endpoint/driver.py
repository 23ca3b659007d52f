"""Serve an engine over out-of-process packet lines: stdio, a socket, or a test's stream.

Three tasks run a `psremoting.endpoint.outofproc_server.OutOfProcServer`: reader and writer are
those of `sshsub.trio_packet_loop`, and a third one processes what was read. While the writer cannot
write, the reader does not read.
"""

from __future__ import annotations

import sys
from functools import partial

import trio

from psremoting.endpoint.engine import Engine, Session
from psremoting.endpoint.outofproc_server import OutOfProcServer, Step
from sshsub.events import EXIT_CODE
from sshsub.packet_loop import ByteStream
from sshsub.trio_packet_loop import TrioPacketLoop
from sshsub.trio_stream import StreamWire, Wire

__all__ = ["serve_outofproc", "serve_stream", "serve_wire"]

_HOLD = 1 << 20
"""Limit of queued packet bytes at which the driver stops reading from the client."""
_LAST_WORDS = 5.0
"""Seconds to write the remaining packets after the client has disconnected."""


async def serve_stream(stream: trio.abc.HalfCloseableStream, engine: Engine) -> int:
    """Serve one client on a trio stream until it ends; see `serve_wire`. Closes the stream."""
    wire = StreamWire(stream)
    try:
        return await serve_wire(wire, engine)
    finally:
        with trio.CancelScope(shield=True):
            await wire.aclose()


async def serve_wire(
    wire: Wire,
    engine: Engine,
    *,
    error_prefix: str | None = "__NamedPipeError__:",
    first_answer_delay: float = 0.0,
) -> int:
    """Serve one client until its stream ends; return the exit code for a server process.

    Nothing that the engine started for the client is left running. ``error_prefix`` precedes
    error lines among the packets; with None they go to stderr. ``first_answer_delay`` is the
    least time in seconds between the client's first bytes and our first ones.
    """
    server = OutOfProcServer(engine, error_prefix=error_prefix)
    stream = _DelayedStream(wire, first_answer_delay) if first_answer_delay else wire
    return await _Server(stream, server).serve(over=False)


async def serve_outofproc(wire: Wire, server: OutOfProcServer, *, over: bool = False) -> int:
    """Serve a client whose opening may have been answered already; ``over`` if it has ended."""
    return await _Server(wire, server).serve(over)


class _DelayedStream:
    """A byte stream that waits once, before its first bytes are sent."""

    def __init__(self, wire: Wire, seconds: float) -> None:
        self._seconds = seconds
        self._wire = wire
        self.receive_some = wire.receive_some

    async def send_all(self, data: bytes) -> None:
        if self._seconds:
            await trio.sleep(self._seconds)
            self._seconds = 0.0
        await self._wire.send_all(data)


class _Server:
    """The tasks that serve one client."""

    def __init__(self, wire: ByteStream, server: OutOfProcServer) -> None:
        self._server = server
        self._loop = TrioPacketLoop(server, wire)
        self._serving = trio.CancelScope()
        self._session_scope = trio.CancelScope()
        self._session_done = trio.Event()
        self._arrived = trio.Event()
        self._nursery: trio.Nursery
        server.wake_driver = self._loop.wake
        server.go_on = self._received
        server.show_errors = sys.stderr.write
        server.end = self._serving.cancel

    # -- life

    async def serve(self, over: bool) -> int:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._loop.write)
            with self._serving:
                if self._server.session is not None:
                    await self._start(self._server.session)
                if not over:
                    nursery.start_soon(partial(self._loop.read, self._received, ready=self._ready))
                    await self._react()
            with trio.move_on_after(_LAST_WORDS):
                await self._end()
            nursery.cancel_scope.cancel()
        return EXIT_CODE

    async def _react(self) -> None:
        """Process what the client sent until the stream has ended."""
        while (step := self._server.advance()) is not Step.OVER:
            if step is Step.SESSION and self._server.session is not None:
                await self._start(self._server.session)
            elif step is Step.MORE:
                self._loop.wake()
                await self._arrived.wait()
                self._arrived = trio.Event()

    async def _start(self, session: Session) -> None:
        """Start a new session; the previous one was closed."""
        self._session_scope.cancel()
        await self._nursery.start(self._run, session)

    async def _run(
        self, session: Session, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        self._session_done = done = trio.Event()
        with trio.CancelScope() as self._session_scope:
            await session.run(task_status=task_status)
        done.set()
        self._loop.wake()

    async def _end(self) -> None:
        """End the session, and write the remaining packets."""
        if self._server.session is not None:
            self._server.session.client_gone()
            await self._session_done.wait()
            await self._loop.until_written()
        if self._server.reason:
            self._server.report(self._server.reason)
        await self._loop.until_written()

    # -- in and out

    async def _ready(self) -> None:
        while self._server.pending > _HOLD:
            await self._loop.until_written()

    def _received(self) -> bool:
        self._arrived.set()
        return True
