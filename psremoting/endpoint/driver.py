"""Serve an engine over out-of-process packet lines: stdio, a socket, or a test's stream.

Three tasks run a `psremoting.endpoint.outofproc_server.OutOfProcServer`: the reader feeds it, a
second one processes what was read, and only the writer writes, so that a cancellation never cuts a
packet. While the writer cannot write, the reader does not read.
"""

from __future__ import annotations

import sys

import trio

from psremoting.endpoint.engine import Engine, Session
from psremoting.endpoint.outofproc_server import OutOfProcServer, Step
from sshsub.events import EXIT_CODE
from sshsub.subsystem import PACKET_SIZE
from sshsub.trio_stream import StreamWire, Wire

__all__ = ["serve_outofproc", "serve_stream", "serve_wire"]

_PULL = 4 * PACKET_SIZE
"""Limit of queued packet bytes at which the driver takes no more output from the engine."""
_HOLD = 1 << 20
"""Limit of queued packet bytes at which the driver stops reading from the client."""
_LAST_WORDS = 5.0
"""Seconds to write the remaining packets after the client has disconnected."""
_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


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
    return await _Server(wire, server, first_answer_delay).serve(over=False)


async def serve_outofproc(wire: Wire, server: OutOfProcServer, *, over: bool = False) -> int:
    """Serve a client whose opening may have been answered already; ``over`` if it has ended."""
    return await _Server(wire, server, 0.0).serve(over)


class _Server:
    """The tasks that serve one client."""

    def __init__(self, wire: Wire, server: OutOfProcServer, first_answer_delay: float) -> None:
        self._wire = wire
        self._first_answer_delay = first_answer_delay
        self._server = server
        self._serving = trio.CancelScope()
        self._session_scope = trio.CancelScope()
        self._session_done = trio.Event()
        self._arrived = trio.Event()
        self._something = trio.Event()
        self._written = trio.Event()
        self._nursery: trio.Nursery
        server.wake_driver = self._has_something
        server.go_on = self._has_arrived
        server.end = self._serving.cancel

    def _has_something(self) -> None:
        self._something.set()

    def _has_arrived(self) -> None:
        self._arrived.set()

    # -- life

    async def serve(self, over: bool) -> int:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._write)
            with self._serving:
                if self._server.session is not None:
                    await self._start(self._server.session)
                if not over:
                    nursery.start_soon(self._read)
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
                self._something.set()
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
        self._something.set()

    async def _end(self) -> None:
        """End the session, and write the remaining packets."""
        if self._server.session is not None:
            self._server.session.client_gone()
            await self._session_done.wait()
            await self._until_written()
        if self._server.reason:
            self._server.report(self._server.reason)
        await self._until_written()

    # -- in and out

    async def _read(self) -> None:
        data = b" "
        while data:
            while self._server.pending > _HOLD:
                await self._until_written()
            try:
                data = await self._wire.receive_some()
            except _BROKEN:
                data = b""
            self._server.receive_data(data)
            self._arrived.set()

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something = trio.Event()
            while True:
                self._server.pull(_PULL)
                self._server.acknowledge()
                if errors := self._server.errors_to_send():
                    sys.stderr.write(errors.decode("utf-8", "replace"))
                data = self._server.data_to_send()
                if not data:
                    break
                if self._first_answer_delay:
                    await trio.sleep(self._first_answer_delay)
                    self._first_answer_delay = 0.0
                try:
                    await self._wire.send_all(data)
                except _BROKEN:
                    self._server.send_failed()
            self._written.set()

    async def _until_written(self) -> None:
        """Wait until everything is written."""
        if self._written.is_set():
            self._written = trio.Event()
        self._something.set()
        await self._written.wait()
