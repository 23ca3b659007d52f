"""The server of a recording as an engine: `psremoting.endpoint` serves it over any carrier.

A pipeline of the client is paired with the recorded one that means the same, else with the next
one of the recording. In each conversation the recorded messages of the server are sent up to the
place where the server waited for the client. Ids are those of the client, keys are exchanged anew.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import trio

from psremoting.replay.comparing import CLOSES, Deviation, difference, name_of, shown
from psremoting.replay.script import Conversation, Script, Step
from psrp import events as e
from psrp.channels import ANY_TARGET, AnyTarget
from psrp.pool import Pool
from psrp.records import ErrorRecord
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from psremoting.endpoint.engine import Link
    from psremoting.replay.comparing import IgnoreRules
    from psrp.sansio import Outgoing, TransportAct

__all__ = ["ReplayEngine", "ReplaySession"]

_ENDS = (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED, e.RunspaceState.BROKEN)
_STOPPED = "The pipeline has been stopped."
_ECHOED = (e.ConnectPipeline, e.Disconnect, e.Reconnect)
_UNASKED = (e.UserEvent, e.RunspacePoolHostCall)
"""Messages of the pool that a server sends because of a pipeline."""


class ReplayEngine:
    """Engine that answers clients as the servers of the recorded sessions did.

    Each client gets the next session of the recording; after the last one comes the first again.
    ``fast`` leaves out the recorded waits; ``report`` is called with each deviation of a client as
    soon as it is known.
    """

    def __init__(
        self,
        scripts: Script | Sequence[Script],
        *,
        ignore: IgnoreRules,
        fast: bool = False,
        report: Callable[[Deviation], None] = lambda deviation: None,
    ) -> None:
        self.scripts = (scripts,) if isinstance(scripts, Script) else tuple(scripts)
        if not self.scripts:
            raise ValueError("expected at least one session")
        self.ignore = ignore
        self.fast = fast
        self.matched = 0
        """Number of messages of clients that were as recorded."""
        self.deviations: list[Deviation] = []
        self.over = trio.Event()
        """Set when each session of the recording was played once."""
        self._report = report
        self._begun = self._ended = 0

    def open(self, link: Link) -> ReplaySession:
        return ReplaySession(self, link)

    def next_session(self) -> int:
        """Return the number of the session for the next client."""
        self._begun += 1
        return (self._begun - 1) % len(self.scripts)

    def session_over(self) -> None:
        """Note that a client has gone."""
        self._ended += 1
        if self._ended >= len(self.scripts):
            self.over.set()

    def deviates(self, deviation: Deviation, session: int) -> None:
        """Take a deviation of the client of a session."""
        if len(self.scripts) > 1:
            deviation = replace(deviation, session=session)
        self.deviations.append(deviation)
        self._report(deviation)


@dataclass(slots=True)
class _Inbox:
    """Messages of the client for one conversation."""

    number: int | None
    target: UUID | None
    conversation: Conversation
    events: deque[e.Event] = field(default_factory=deque)
    arrived: trio.Event = field(default_factory=trio.Event)
    at: int = 0
    """Index of the next step."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    calls: dict[int, int] = field(default_factory=dict)
    """Recorded ids of calls of the client to live ones."""

    def put(self, event: e.Event) -> None:
        self.events.append(event)
        self.arrived.set()

    async def take(self) -> e.Event:
        while not self.events:
            self.arrived = trio.Event()
            await self.arrived.wait()
        return self.events.popleft()


class ReplaySession:
    """One client. It is a `psremoting.endpoint.engine.Session`."""

    def __init__(self, engine: ReplayEngine, link: Link) -> None:
        self._engine = engine
        self._link = link
        self._inboxes: dict[UUID, _Inbox] = {}
        self._to_start: list[_Inbox] = []
        self._begun = 0
        self._changed = trio.Event()
        self._over = self._opened = self._assigned = False
        self._assign(0)

    def _assign(self, number: int) -> None:
        """Play a session of the recording."""
        self._number = number
        self._script = script = self._engine.scripts[number]
        self._pool = Pool(
            Side.SERVER,
            session_key=lambda: os.urandom(32),
            version=script.version(Side.SERVER),
        )
        self._unused = dict(enumerate(script.pipelines))
        self._pool_inbox = _Inbox(None, None, script.pool)

    # -- the carrier's side

    def receive(self, item: Outgoing) -> None:
        if item.data:
            if not self._assigned:
                # A carrier opens a session for a second Close, too: that one takes none.
                self._assigned = True
                self._assign(self._engine.next_session())
                self._to_start.append(self._pool_inbox)
            try:
                self._pool.receive_data(item.data, item.target, item.stream)
            except RemoteProtocolError as error:
                self._link.report(f"Remote transport error: {error}")
        if item.act is not None:
            self._receive_act(item.act, item.target)
        while (event := self._pool.next_event()) is not None:
            self._take(event)
        self._changed.set()

    def _receive_act(self, act: TransportAct, target: UUID | None) -> None:
        self._pool.receive_act(act, target)

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        return self._pool.data_to_send(room, target)

    def pending(self, target: UUID | None) -> int:
        return self._pool.pending(target)

    def takes_more(self, target: UUID | None) -> bool:
        return True

    def client_gone(self) -> None:
        self._end()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        async with trio.open_nursery() as nursery:
            while not self._over:
                for inbox in self._to_start:
                    nursery.start_soon(self._play, inbox)
                self._to_start.clear()
                self._changed = trio.Event()
                await self._changed.wait()
            nursery.cancel_scope.cancel()

    # -- messages of the client

    def _take(self, event: e.Event) -> None:
        target: UUID | None = getattr(event, "pipeline_id", None)
        match event:
            case e.Ignored() | e.SessionCapability() | e.PublicKey():
                return
            case e.Fault():
                self._link.report(f"Remote transport error: {event.error}")
            case e.CreatePipeline() | e.GetCommandMetadata():
                self._begin(event)
            case e.ClosePool():
                self._close()
            case e.ClosePipeline():
                self._close_pipeline(event.pipeline_id)
            case _ if isinstance(event, _ECHOED):
                self._say(event)
            case e.ConnectRunspacePool():
                self._connected()
            case _ if target is None:
                self._opened = True
                self._pool_inbox.put(event)
            case _ if target in self._inboxes:
                self._inboxes[target].put(event)
            case e.StopPipeline():
                self._say(event)

    def _begin(self, event: e.CreatePipeline | e.GetCommandMetadata) -> None:
        number = self._pair(event)
        target = event.pipeline_id
        if number is None:
            self._deviation("extra", None, event, got=event)
            text = "The recording has no further pipeline."
            record = ErrorRecord.create(text, error_id="NotRecorded")
            state = e.InvocationState.FAILED
            self._say(e.PipelineStateMessage(pipeline_id=target, state=state, error=record))
            return
        conversation = self._unused.pop(number)
        self._compare(number, conversation.steps[0], event)
        inbox = self._inboxes[target] = _Inbox(number, target, conversation, at=1)
        self._begun = max(self._begun, number + 1)
        self._to_start.append(inbox)

    def _pair(self, event: e.Event) -> int | None:
        """Return the number of the recorded pipeline that means the same, else the next one."""
        alike = [n for n, each in self._unused.items() if type(each.begin) is type(event)]
        ignore = self._engine.ignore
        for number in alike:
            begin = self._unused[number].begin
            if begin is not None and difference(begin, event, ignore) is None:
                return number
        for number in alike:
            if _command(self._unused[number].begin) == _command(event):
                return number
        return next(iter(alike), None)

    def _close_pipeline(self, target: UUID) -> None:
        inbox = self._inboxes.pop(target, None)
        if inbox is not None:
            inbox.scope.cancel()
            self._missing(inbox)
        self._say(e.ClosePipeline(pipeline_id=target))

    def _connected(self) -> None:
        for step in self._script.pool.by(Side.SERVER):
            if isinstance(step.event, e.ApplicationPrivateData):
                self._say(step.event)
        self._say(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def _close(self) -> None:
        for state in (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED):
            self._say(e.RunspacePoolStateMessage(state=state))
        self._say(e.ClosePool())
        self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self._changed.set()
        if not self._opened:
            return  # a second Close, for which the carrier opens a session
        for inbox in (self._pool_inbox, *self._inboxes.values()):
            self._missing(inbox)
        for number, conversation in self._unused.items():
            step = conversation.steps[0]
            self._deviation("missing", number, step.event, step=step)
        self._engine.session_over()

    def _missing(self, inbox: _Inbox) -> None:
        """Report the recorded messages of the client that did not come."""
        steps = inbox.conversation.steps[inbox.at :]
        for step in steps:
            if step.sender is Side.CLIENT and not isinstance(step.event, CLOSES):
                self._deviation("missing", inbox.number, step.event, step=step)
        inbox.at = len(inbox.conversation.steps)

    # -- messages of the server

    async def _play(self, inbox: _Inbox) -> None:
        before: Step | None = inbox.conversation.steps[inbox.at - 1] if inbox.at else None
        with inbox.scope:
            while inbox.at < len(inbox.conversation.steps):
                step = inbox.conversation.steps[inbox.at]
                if step.sender is Side.SERVER:
                    await self._wait(inbox, before, step)
                    inbox.at += 1
                    self._answer(inbox, step.event)
                elif isinstance(step.event, CLOSES):
                    inbox.at += 1
                else:
                    await self._expect(inbox, step)
                before = step
            await self._surplus(inbox)

    async def _wait(self, inbox: _Inbox, before: Step | None, step: Step) -> None:
        if inbox.number is None and isinstance(step.event, _UNASKED):
            needed = self._begun_before(step)
            while self._begun < needed:
                await self._changed_again()
        if self._engine.fast or before is None or before.time is None or step.time is None:
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep(max(0.0, step.time - before.time))

    def _begun_before(self, wanted: Step) -> int:
        """Return the number of pipelines that began before a step."""
        begun = 0
        for number, step in self._script.order:
            if step is wanted:
                break
            if number is not None:
                begun = max(begun, number + 1)
        return begun

    async def _changed_again(self) -> None:
        event = self._changed
        if event.is_set():
            await trio.lowlevel.checkpoint()
        else:
            await event.wait()

    async def _expect(self, inbox: _Inbox, step: Step) -> None:
        """Take the next message of the client for ``step``, or for a later one of its type."""
        event = await inbox.take()
        if type(event) is type(step.event):
            inbox.at += 1
            self._compare(inbox.number, step, event)
            self._note_call(inbox, step.event, event)
            if isinstance(event, e.StopPipeline):
                self._say(event)
            return
        later = inbox.conversation.steps[inbox.at :]
        if any(type(each.event) is type(event) and each.sender is Side.CLIENT for each in later):
            self._deviation("missing", inbox.number, step.event, step=step)
            inbox.events.appendleft(event)
            inbox.at += 1
            return
        self._deviation("extra", inbox.number, event, got=event)
        self._refuse(inbox, event)

    async def _surplus(self, inbox: _Inbox) -> None:
        while True:
            event = await inbox.take()
            if not isinstance(event, e.StopPipeline):
                self._deviation("extra", inbox.number, event, got=event)
            self._refuse(inbox, event)

    def _refuse(self, inbox: _Inbox, event: e.Event) -> None:
        """Answer a message that the recording does not have, if its sender waits for an answer."""
        if isinstance(event, e.StopPipeline):
            record = ErrorRecord.create(_STOPPED, error_id="PipelineStopped")
            state = e.InvocationState.STOPPED
            self._say(
                e.PipelineStateMessage(pipeline_id=event.pipeline_id, state=state, error=record)
            )
            self._say(event)
            inbox.at = len(inbox.conversation.steps)
        elif isinstance(event, e.SetMaxRunspaces | e.SetMinRunspaces | e.ResetRunspaceState):
            self._say(e.RunspaceAvailability(call_id=event.call_id, answer=True))
        elif isinstance(event, e.GetAvailableRunspaces):
            self._say(e.RunspaceAvailability(call_id=event.call_id, answer=1))

    def _note_call(self, inbox: _Inbox, recorded: e.Event, live: e.Event) -> None:
        if inbox.number is None and hasattr(recorded, "call_id"):
            inbox.calls[recorded.call_id] = live.call_id  # type: ignore[attr-defined]

    def _answer(self, inbox: _Inbox, event: Any) -> None:
        if isinstance(event, e.RunspacePoolStateMessage) and event.state in _ENDS:
            return
        if inbox.target is not None:
            event = replace(event, pipeline_id=inbox.target)
        elif isinstance(event, e.RunspaceAvailability):
            event = replace(event, call_id=inbox.calls.get(event.call_id, event.call_id))
        self._say(event)

    def _say(self, event: e.Event) -> None:
        try:
            self._pool.send(event)
        except LocalProtocolError as error:
            self._link.report(f"cannot send {name_of(event)}: {error}")
        self._link.wake()

    # -- deviations

    def _compare(self, number: int | None, step: Step, event: e.Event) -> None:
        places = difference(step.event, event, self._engine.ignore)
        if places is None:
            self._engine.matched += 1
        else:
            self._deviation("different", number, event, step=step, got=event, places=places)

    def _deviation(
        self,
        kind: str,
        number: int | None,
        event: e.Event,
        *,
        step: Step | None = None,
        got: e.Event | None = None,
        places: tuple[str, ...] = (),
    ) -> None:
        self._engine.deviates(
            Deviation(
                kind=kind,
                pipeline=number,
                sender=Side.CLIENT,
                type=name_of(event),
                recorded=shown(step.event) if step is not None else "",
                got=shown(got) if got is not None else "",
                line=step.line if step is not None else 0,
                places=places,
            ),
            self._number,
        )


def _command(event: e.Event | None) -> str:
    if isinstance(event, e.CreatePipeline):
        return str(event.powershell).strip()
    return ",".join(event.names or ()) if isinstance(event, e.GetCommandMetadata) else ""
