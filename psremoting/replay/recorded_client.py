"""The client of a recording, played against a live server over any carrier.

Each recorded message of the client is sent when the server has sent what it had sent by then:
states of pool and pipelines, host calls, and answers to calls. What the live server sends is
collected as a script, to be compared with the recorded one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import trio

from psremoting.client.pipeline_input import new_private_key
from psremoting.client.stream_carrier import StreamCarrier
from psremoting.options import SessionOption
from psremoting.replay.script import BEGINS, Conversation, Script, Step
from psremoting.targets import carrier_for
from psrp import events as e
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side, TransportAct
from psrp.states import PoolState

if TYPE_CHECKING:
    from collections.abc import Callable

    from psremoting import errors
    from psremoting.client.carrier import Carrier
    from psremoting.targets import Target
    from psrp.sansio import Stream

__all__ = ["Played", "play_client"]

_GATES = (
    e.RunspacePoolStateMessage, e.ApplicationPrivateData, e.PipelineStateMessage,
    e.PipelineHostCall, e.RunspacePoolHostCall, e.RunspaceAvailability, e.StopPipeline,
)  # fmt: skip
"""Messages that a client may wait for before it sends the next one."""
_ENDS = (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED, e.RunspaceState.BROKEN)
_OVER = (PoolState.CLOSED, PoolState.BROKEN)
_STOP_WAIT = 2.0
_NOT_SENT = (e.ClosePipeline, e.ClosePool)


@dataclass(slots=True)
class Played:
    """The result: the live session as a script, and notes about what could not be played."""

    script: Script
    notes: list[str] = field(default_factory=list)


async def play_client(
    script: Script,
    target: str | Target | Carrier,
    *,
    options: SessionOption | None = None,
    fast: bool = False,
    patience: float = 30.0,
) -> Played:
    """Play the client of ``script`` and return what was said.

    ``fast`` leaves out the recorded waits. A message of the server that does not come within
    ``patience`` seconds ends the play. Raises PSRemotingError if the session cannot be opened.
    """
    options = options or SessionOption()
    carrier = carrier_for(target, options)
    if isinstance(carrier, StreamCarrier):
        carrier.recorder = options.recorder
    player = _Player(script, carrier, fast, patience)
    try:
        await carrier.open(player.pool.id or uuid4())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carrier.run, player)
            await player.play()
            nursery.cancel_scope.cancel()
    finally:
        await carrier.aclose(gently=player.error is None)
    if player.error is not None and not player.live.order:
        raise player.error
    return Played(player.live, player.notes)


class _Player:
    """The live session. It is a `psremoting.client.carrier.Receiver`."""

    def __init__(self, script: Script, carrier: Carrier, fast: bool, patience: float) -> None:
        self.script = script
        self.live = Script(name=carrier.computer)
        self.notes: list[str] = []
        self.error: errors.PSRemotingTransportError | None = None
        self._carrier = carrier
        self._fast = fast
        self._patience = patience
        self.pool = Pool(
            Side.CLIENT,
            id=uuid4(),
            version=script.version(Side.CLIENT),
            private_key=new_private_key,
        )
        self._targets: dict[int, UUID] = {}
        self._numbers: dict[UUID, int] = {}
        self._seen: Counter[tuple[int | None, type[e.Event]]] = Counter()
        self._calls: dict[int | None, list[int]] = {}
        self._answered: Counter[int | None] = Counter()
        self._news = trio.Event()
        self._lost = False

    # -- playing

    async def play(self) -> None:
        self.pool.send(e.SessionCapability(protocol_version=self.pool.own_version))
        owed: Counter[tuple[int | None, type[e.Event]]] = Counter()
        heard: Counter[tuple[int | None, type[e.Event]]] = Counter()
        before: float | None = None
        for number, step in self.script.order:
            if step.sender is Side.SERVER:
                heard[number, type(step.event)] += 1
                if isinstance(step.event, _GATES) and not _is_end(step.event):
                    owed[number, type(step.event)] += 1
                before = step.time if step.time is not None else before
                continue
            if isinstance(step.event, _NOT_SENT):
                continue
            if not await self._until(partial(self._has, owed)):
                self._missing(owed)
                break
            if isinstance(step.event, e.StopPipeline):
                # The server ran until here; how far it got is no condition.
                await self._until(partial(self._has, heard), _STOP_WAIT)
            if not self._fast and before is not None and step.time is not None:
                await trio.sleep(max(0.0, step.time - before))
            before = step.time if step.time is not None else before
            self._send(number, step.event)
        else:
            if not await self._until(partial(self._has, owed)):
                self._missing(owed)
        await self._close()

    def _has(self, owed: Counter[tuple[int | None, type[e.Event]]]) -> bool:
        return all(self._seen[key] >= count for key, count in owed.items())

    async def _until(self, done: Callable[[], bool], limit: float = math.inf) -> bool:
        with trio.move_on_after(min(limit, self._patience)):
            while not done():
                if self._lost:
                    return False
                self._news = trio.Event()
                await self._news.wait()
            return True
        return False

    def _missing(self, owed: Counter[tuple[int | None, type[e.Event]]]) -> None:
        for (number, kind), count in owed.items():
            if self._seen[number, kind] < count:
                where = "the pool" if number is None else f"pipeline {number + 1}"
                why = "the connection ended" if self._lost else f"after {self._patience:g} s"
                self.notes.append(
                    f"{where}: {kind.__name__} number {count} of the server did not come ({why})"
                )

    def _send(self, number: int | None, event: Any) -> None:
        if number is not None:
            if isinstance(event, BEGINS):
                self._targets[number] = uuid4()
                self._numbers[self._targets[number]] = number
            event = replace(event, pipeline_id=self._targets[number])
        if isinstance(event, e.PipelineHostResponse | e.RunspacePoolHostResponse):
            calls, at = self._calls.get(number, []), self._answered[number]
            self._answered[number] += 1
            if at < len(calls):
                event = replace(event, call_id=calls[at])
        try:
            self.pool.send(event)
        except LocalProtocolError as error:
            self.notes.append(f"{type(event).__name__} cannot be sent: {error}")
            return
        self._note(Side.CLIENT, number, event)
        self._flush()

    async def _close(self) -> None:
        for target in self._targets.values():
            self._try(e.ClosePipeline(pipeline_id=target))
        self._try(e.ClosePool())
        await self._until(lambda: self.pool.state in _OVER, _STOP_WAIT)

    def _try(self, event: e.Event) -> None:
        try:
            self.pool.send(event)
        except LocalProtocolError:
            return
        self._flush()

    def _flush(self) -> None:
        while (room := self._carrier.room(None)) > 0:
            out = self.pool.data_to_send(room)
            if out is None:
                break
            self._carrier.send(out)

    def _note(self, sender: Side, number: int | None, event: e.Event) -> None:
        step = Step(sender=sender, event=event)
        if number is None:
            self.live.pool.steps.append(step)
        else:
            while len(self.live.pipelines) <= number:
                self.live.pipelines.append(Conversation())
            self.live.pipelines[number].steps.append(step)
        self.live.order.append((number, step))

    # -- what the carrier reports

    def received(self, data: bytes, target: UUID | None, stream: Stream) -> None:
        try:
            self.pool.receive_data(data, target, stream)
        except RemoteProtocolError as error:
            self.notes.append(str(error))
        self._take()

    def act_done(self, act: TransportAct, target: UUID | None) -> None:
        self.pool.receive_act(act, target)
        self._take()

    def act_failed(
        self, act: TransportAct, target: UUID | None, error: errors.PSRemotingError
    ) -> None:
        self.notes.append(f"{act.name} failed: {error}")
        self.pool.act_failed(act, target)
        self._take()

    def noticed(self, text: str) -> None:
        self.notes.append(text)

    def ready_again(self, target: UUID | None) -> None:
        self._flush()

    def lost(
        self, error: errors.PSRemotingTransportError | None, *, disconnected: bool = False
    ) -> None:
        self._lost = True
        self.error = error
        if error is not None:
            self.notes.append(str(error))
        self._news.set()

    async def wait_for_reader(self, target: UUID | None) -> None:
        await trio.lowlevel.checkpoint()

    async def wait_for_any_reader(self) -> None:
        await trio.lowlevel.checkpoint()

    def _take(self) -> None:
        while True:
            try:
                event = self.pool.next_event()
            except RemoteProtocolError as error:
                self.notes.append(str(error))
                self._lost = True
                break
            if event is None:
                break
            self._received_event(event)
        self._flush()
        self._news.set()

    def _received_event(self, event: e.Event) -> None:
        target = getattr(event, "pipeline_id", None)
        number = self._numbers.get(target) if target is not None else None
        if isinstance(event, e.Ignored | e.Fault | e.ClosePipeline | e.ClosePool):
            return
        if target is not None and number is None:
            return
        self._seen[number, type(event)] += 1
        if isinstance(event, e.PipelineHostCall | e.RunspacePoolHostCall) and event.call_id != -100:
            self._calls.setdefault(number, []).append(event.call_id)
        if isinstance(event, e.SessionCapability):
            self._carrier.negotiated(event.protocol_version)
        if isinstance(event, (e.SessionCapability, e.PublicKeyRequest, e.EncryptedSessionKey)):
            return
        if not isinstance(event, e.StopPipeline):
            self._note(Side.SERVER, number, event)


def _is_end(event: e.Event) -> bool:
    return isinstance(event, e.RunspacePoolStateMessage) and event.state in _ENDS
