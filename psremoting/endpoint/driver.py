"""An engine behind packet lines: over a program's stdio, a socket, or a stream of a test.

Three tasks. The reader feeds the packets' machine. What that makes of it goes to the engine's
session, whose answers are moved into packets before the acknowledgement is. The writer alone
writes, so that nothing is cut by whoever is cancelled; what it cannot write yet holds the reader
up as well.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import trio

from psremoting.endpoint.engine import Engine, Session
from psrp.sansio import Act, Outgoing, RemoteProtocolError, Side
from sshsub.events import EXIT_CODE, ActReceived, DataReceived, Ended
from sshsub.subsystem import PACKET_SIZE, Subsystem
from sshsub.trio_stream import StreamWire, Wire

if TYPE_CHECKING:
    from sshsub.events import Event

__all__ = ["serve_stream", "serve_wire"]

_PULL = 4 * PACKET_SIZE
"""Bytes in packets at which no more is taken from the engine."""
_HOLD = 1 << 20
"""Bytes in packets at which the client is not read."""
_LAST_WORDS = 5.0
"""Seconds for what is left to say when the client is gone."""
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
    wire: Wire, engine: Engine, *, error_prefix: str | None = "__NamedPipeError__:"
) -> int:
    """Serve one client until its stream ends; the exit code for a process that does only this.

    Nothing that the engine started for the client is left running. ``error_prefix`` stands
    before error lines among the packets; with None they go to stderr.
    """
    return await _Server(wire, engine, error_prefix).serve()


class _Server:
    """The machine of the packets, the session of the moment, and what lies between."""

    def __init__(self, wire: Wire, engine: Engine, error_prefix: str | None) -> None:
        self._wire = wire
        self._engine = engine
        self._link = Subsystem(Side.SERVER, error_prefix=error_prefix)
        self._session: Session | None = None
        self._serving = trio.CancelScope()
        self._session_scope = trio.CancelScope()
        self._session_done = trio.Event()
        self._reason = ""
        self._held: list[DataReceived] = []
        self._arrived = trio.Event()
        self._something = trio.Event()
        self._written = trio.Event()
        self._nursery: trio.Nursery

    # -- psremoting.endpoint.engine.Link

    def wake(self) -> None:
        self._something.set()

    def report(self, text: str) -> None:
        self._link.report(text)
        self._something.set()

    def fail(self, text: str) -> None:
        self._reason = text
        self._serving.cancel()

    # -- life

    async def serve(self) -> int:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._write)
            nursery.start_soon(self._read)
            with self._serving:
                await self._react()
            with trio.move_on_after(_LAST_WORDS):
                await self._end()
            nursery.cancel_scope.cancel()
        return EXIT_CODE

    async def _end(self) -> None:
        """The session ends, and its last words go out if somebody takes them."""
        if self._session is not None:
            self._session.client_gone()
            await self._session_done.wait()
            await self._until_written()
        if self._reason:
            self._link.report(self._reason)
        await self._until_written()

    async def _until_written(self) -> None:
        """Wait until all that there is to say is out."""
        if self._written.is_set():
            self._written = trio.Event()
        self._something.set()
        await self._written.wait()

    # -- in

    async def _read(self) -> None:
        data = b" "
        while data:
            while self._link.pending > _HOLD:
                await self._until_written()
            try:
                data = await self._wire.receive_some()
            except _BROKEN:
                data = b""
            self._link.receive_data(data)
            self._arrived.set()

    async def _react(self) -> None:
        """Deal with what the client sent, until nothing more can come."""
        while True:
            try:
                while (event := self._link.next_event()) is not None:
                    if isinstance(event, Ended):
                        self._reason = self._reason or event.reason
                        return
                    await self._take(event)
            except RemoteProtocolError:
                # The machine has put its error line out.
                return
            self._something.set()
            await self._arrived.wait()
            self._arrived = trio.Event()

    async def _take(self, event: Event) -> None:
        if isinstance(event, ActReceived):
            if event.act is Act.CREATE_POOL:
                await self._open()
            elif event.act is not Act.CREATE_PIPELINE and self._session is not None:
                self._session.receive(Outgoing(target=event.target, act=event.act))
                self._pull(None)
        elif isinstance(event, DataReceived) and self._session is not None:
            self._session.receive(
                Outgoing(target=event.target, stream=event.stream, data=event.data)
            )
            self._pull(None)
            self._held.append(event)
            self._acknowledge()

    async def _open(self) -> None:
        """A new session; the one before it was closed."""
        self._session_scope.cancel()
        self._held.clear()
        self._session = self._engine.open(self)
        await self._nursery.start(self._run, self._session)

    async def _run(
        self, session: Session, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        self._session_done = done = trio.Event()
        with trio.CancelScope() as self._session_scope:
            await session.run(task_status=task_status)
        done.set()
        self._something.set()

    def _acknowledge(self) -> None:
        if self._held and self._session is not None:
            session = self._session
            free = [event for event in self._held if session.takes_more(event.target)]
            if free:
                self._held = [event for event in self._held if event not in free]
                for event in free:
                    self._link.acknowledge(event)

    # -- out

    def _pull(self, limit: int | None) -> None:
        """Move what the session has to say into packets."""
        session = self._session
        if session is None:
            return
        while limit is None or self._link.pending < limit:
            out = session.data_to_send(PACKET_SIZE)
            if out is None:
                return
            self._link.send(out)
            if out.act is not None:
                # The answer to a close may let the next packet through.
                self._arrived.set()

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something = trio.Event()
            while True:
                self._pull(_PULL)
                self._acknowledge()
                if errors := self._link.errors_to_send():
                    sys.stderr.write(errors.decode("utf-8", "replace"))
                data = self._link.data_to_send()
                if not data:
                    break
                try:
                    await self._wire.send_all(data)
                except _BROKEN:
                    self._link.send_failed()
            self._written.set()
