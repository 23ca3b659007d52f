"""The process engine: clients are forwarded to another out-of-process server.

    ProcessEngine(["pwsh", "-s", "-NoLogo"])

Each session has a child of its own. Fragments pass as they are, in both directions; only the
packets around them are new, so a client of any carrier reaches a server that speaks on stdio.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import trio

from psremoting.endpoint.shadow_pool import ShadowPool
from psrp.channels import ANY_TARGET, AnyTarget
from psrp.sansio import LocalProtocolError, Outgoing, RemoteProtocolError, Side, TransportAct
from sshsub.events import ActReceived, DataReceived, PeerError
from sshsub.subsystem import Subsystem
from sshsub.trio_packet_loop import TrioPacketLoop
from sshsub.trio_process import open_process

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Link
    from sshsub.events import Event
    from sshsub.trio_process import ProcessWire

__all__ = ["ProcessEngine", "ProcessSession"]

_UNSENT = 256 << 10
"""Limit of queued bytes in each direction at which the sender waits."""
_OF_THE_CARRIER = (TransportAct.DISCONNECT, TransportAct.RECONNECT, TransportAct.CONNECT)
_COMPLAINT = "Remote transport error:"


class ProcessEngine:
    """Engine that starts ``argv`` for each client, with ``cwd`` and ``env``."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        patience: float = 2.0,
        reconnects: bool = False,
    ) -> None:
        if not argv:
            raise LocalProtocolError("an empty command line")
        self.argv = tuple(argv)
        self.cwd = cwd
        self.env = env
        self.patience = patience
        """Seconds for a child to end before it is killed."""
        self.reconnects = reconnects
        """True if the carrier allows clients to disconnect and other clients to connect."""

    def open(self, link: Link) -> ProcessSession:
        return ProcessSession(self, link)


class ProcessSession:
    """One client and its child. It is an `psremoting.endpoint.engine.Session`."""

    def __init__(self, engine: ProcessEngine, link: Link) -> None:
        self._engine = engine
        self._link = link
        self._machine = Subsystem(Side.CLIENT)
        self._out: dict[UUID | None, deque[Outgoing]] = {}
        self._turns: deque[UUID | None] = deque()
        self._out_size = 0
        self._pipelines: set[UUID] = set()
        self._loop: TrioPacketLoop | None = None
        self._room = trio.Event()
        self._gone = trio.Event()
        self._failed = False
        self._closed = False
        self._shadow: ShadowPool | None = None

    # -- the carrier's side

    def receive(self, item: Outgoing) -> None:
        if self._failed:
            self._answer_for_the_dead(item)
            return
        if item.act in _OF_THE_CARRIER:
            self._change_client(item)
            return
        act = item.act
        if act is None or act is TransportAct.CREATE_PIPELINE:
            act = None
            if item.target is not None and item.target not in self._pipelines:
                self._pipelines.add(item.target)
                act = TransportAct.CREATE_PIPELINE
        try:
            self._machine.send(
                Outgoing(target=item.target, stream=item.stream, data=item.data, act=act)
            )
        except LocalProtocolError as error:
            self._link.report(f"{_COMPLAINT} {error}")
            self._answer_for_the_dead(item)
        if item.target is None and item.data and self._engine.reconnects:
            self._shown.from_client(item.data)
        if self._loop is not None:
            self._loop.wake()

    @property
    def _shown(self) -> ShadowPool:
        if self._shadow is None:
            self._shadow = ShadowPool()
        return self._shadow

    def _change_client(self, item: Outgoing) -> None:
        """Answer a step of the carrier in place of the child, which supports only one client."""
        assert item.act is not None
        if item.act is not TransportAct.CONNECT:
            self._shown.act(item.act)
        elif item.target is None:
            answers = self._shown.connect(item.data)
            if not answers:
                self._link.act_failed(item.act, None, "The pool cannot be connected to.")
            for data in reversed(answers):
                self._put_first(Outgoing(data=data))

    def _put_first(self, out: Outgoing) -> None:
        self._out.setdefault(out.target, deque()).appendleft(out)
        self._turns.appendleft(out.target)
        self._out_size += len(out.data)

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        if isinstance(target, AnyTarget):
            if not self._turns:
                return None
            target = self._turns.popleft()
        elif target in self._out:
            self._turns.remove(target)
        else:
            return None
        queue = self._out[target]
        out = queue.popleft()
        if len(out.data) > room:
            rest = Outgoing(target=out.target, stream=out.stream, data=out.data[room:])
            out = Outgoing(target=out.target, stream=out.stream, data=out.data[:room])
            queue.appendleft(rest)
            self._turns.appendleft(target)
        if not queue:
            del self._out[target]
        self._out_size -= len(out.data)
        if self._out_size < _UNSENT:
            self._room.set()
        return out

    def pending(self, target: UUID | None) -> int:
        return sum(len(out.data) for out in self._out.get(target, ()))

    def takes_more(self, target: UUID | None) -> bool:
        return self._failed or self._machine.pending < _UNSENT

    def client_gone(self) -> None:
        self._gone.set()

    # -- the child's side

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        try:
            async with (
                open_process(
                    self._engine.argv,
                    on_stderr=self._show,
                    cwd=self._engine.cwd,
                    env=self._environment(),
                    patience=self._engine.patience,
                ) as wire,
                trio.open_nursery() as nursery,
            ):
                self._loop = loop = TrioPacketLoop(self._machine, wire, taken=self._link.wake)
                nursery.start_soon(loop.write)
                nursery.start_soon(self._wait_for_client, wire, nursery.cancel_scope)
                await self._read(loop)
                nursery.cancel_scope.cancel()
        except (LocalProtocolError, OSError) as error:
            self._fail(f"The server process could not be started: {error}")

    def _environment(self) -> Mapping[str, str] | None:
        """Return the child's environment: the engine's, and the description of the client."""
        described = self._link.sender.environment()
        if not described:
            return self._engine.env
        own = os.environ if self._engine.env is None else self._engine.env
        return {**own, **described}

    async def _wait_for_client(self, wire: ProcessWire, scope: trio.CancelScope) -> None:
        await self._gone.wait()
        self._machine.send_end()
        await wire.send_eof()
        await trio.sleep(self._engine.patience)
        scope.cancel()

    def _show(self, line: str) -> None:
        """Report or print a line of stderr; ``pwsh -s`` writes its diagnostics there."""
        if self._gone.is_set():
            # Its message about the end of input is part of a normal exit.
            return
        if line.startswith(_COMPLAINT):
            self._link.report(line)
        else:
            print(line, file=sys.stderr)

    async def _ready(self) -> None:
        while self._out_size >= _UNSENT:
            self._room = trio.Event()
            await self._room.wait()

    def _received(self) -> bool:
        """Process the child's packets; return False once it has closed the session."""
        while (event := self._machine.next_event()) is not None:
            if self._take(event):
                self._closed = True
                return False
        if self._loop is not None:
            self._loop.wake()
        return True

    async def _read(self, loop: TrioPacketLoop) -> None:
        """Forward the child's output until its stream ends or it has closed the session."""
        try:
            await loop.read(self._received, ready=self._ready)
        except RemoteProtocolError as error:
            loop.error = error
        if loop.error is not None:
            self._fail(f"The server process broke off: {loop.error}")
        elif not self._closed:
            self._fail("The server process has ended")

    def _take(self, event: Event) -> bool:
        """Process one event; return True if the session is over."""
        if isinstance(event, DataReceived):
            if event.target is None and self._engine.reconnects:
                self._shown.from_process(event.data)
            self._put(Outgoing(target=event.target, stream=event.stream, data=event.data))
        elif isinstance(event, ActReceived):
            if event.target is not None and event.act is TransportAct.CLOSE_PIPELINE:
                self._pipelines.discard(event.target)
            if event.act is not TransportAct.CREATE_PIPELINE:
                self._put(Outgoing(target=event.target, act=event.act))
            return event.act is TransportAct.CLOSE_POOL
        elif isinstance(event, PeerError):
            self._link.report(event.text)
        return False

    def _put(self, out: Outgoing) -> None:
        self._out.setdefault(out.target, deque()).append(out)
        self._turns.append(out.target)
        self._out_size += len(out.data)
        self._link.wake()

    def _fail(self, why: str) -> None:
        """End the session after the child has failed."""
        self._failed = True
        if not self._gone.is_set():
            self._link.fail(why)

    def _answer_for_the_dead(self, item: Outgoing) -> None:
        if item.act is not None and item.act is not TransportAct.CREATE_PIPELINE:
            self._put(Outgoing(target=item.target, act=item.act))
