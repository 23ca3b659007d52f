"""One machine driven along the tables, with hand-written messages of its peer."""

from __future__ import annotations

from collections import deque
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa

from psrp import events as e
from psrp.clixml import DateTime
from psrp.commands import script
from psrp.fragments import split
from psrp.host import HostInfo, HostMethodId
from psrp.keys import write_public_key, write_session_key
from psrp.messages import encode
from psrp.pool import Pool
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord
from psrp.rules import RULES
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side
from psrp.states import REFUSED, Incident, PipelinePhase, PoolState, Table, TriggerKind

__all__ = ["EVENTS", "PIPELINE_ID", "Machine", "event_of", "path_to"]

RPID = UUID("11111111-2222-3333-4444-555555555555")
PIPELINE_ID = UUID("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
SESSION_KEY = bytes(32)
C, S = Side.CLIENT, Side.SERVER
_NOTE = InformationalRecord(message="n")
_CALL = {"call_id": 1, "method": HostMethodId.ReadLine}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _records(target: UUID | None) -> list[e.Event]:
    return [
        e.ErrorRecordMessage(pipeline_id=target, record=ErrorRecord.create("bad")),
        e.DebugRecordMessage(pipeline_id=target, record=_NOTE),
        e.VerboseRecordMessage(pipeline_id=target, record=_NOTE),
        e.WarningRecordMessage(pipeline_id=target, record=_NOTE),
        e.ProgressRecordMessage(pipeline_id=target, record=ProgressRecord(activity="a")),
        e.InformationRecordMessage(
            pipeline_id=target, record=InformationRecord(message_data=1, time_generated=DateTime(0))
        ),
    ]


@cache
def events(target: UUID = PIPELINE_ID) -> dict[TriggerKind, e.Event]:
    """Return one event for every kind of trigger."""
    public = private_key().public_key()
    plain: list[e.Event] = [
        e.SessionCapability(protocol_version="2.3"),
        e.InitRunspacePool(host_info=HostInfo.null()),
        e.ConnectRunspacePool(),
        e.PublicKey(key=write_public_key(public)),
        e.EncryptedSessionKey(key=write_session_key(public, SESSION_KEY)),
        e.PublicKeyRequest(),
        e.SetMinRunspaces(count=1, call_id=1),
        e.SetMaxRunspaces(count=1, call_id=1),
        e.GetAvailableRunspaces(call_id=1),
        e.ResetRunspaceState(call_id=1),
        e.RunspaceAvailability(call_id=1, answer=True),
        e.UserEvent(event_id=1, source_id="s", time_generated=DateTime(0), runspace_id=RPID),
        e.ApplicationPrivateData(data={"a": 1}),
        e.RunspacePoolInitData(min_runspaces=1, max_runspaces=1),
        e.RunspacePoolHostCall(**_CALL),
        e.RunspacePoolHostResponse(**_CALL, result="x"),
        e.GetCommandMetadata(pipeline_id=target, names=("*",)),
        e.PipelineInput(pipeline_id=target, data=1),
        e.EndOfPipelineInput(pipeline_id=target),
        e.PipelineOutput(pipeline_id=target, data=1),
        e.PipelineHostCall(pipeline_id=target, **_CALL),
        e.PipelineHostResponse(pipeline_id=target, **_CALL, result="x"),
        e.StopPowerShell(pipeline_id=target),
        e.StopPipeline(pipeline_id=target),
        e.ClosePipeline(pipeline_id=target),
        e.ConnectPipeline(pipeline_id=target),
        e.ClosePool(),
        e.Disconnect(),
        e.Reconnect(),
    ]
    found: dict[TriggerKind, e.Event] = {type(event): event for event in plain}
    found[e.SessionCapability, REFUSED] = e.SessionCapability(protocol_version="9.9")
    for state in e.RunspaceState:
        found[e.RunspacePoolStateMessage, state] = e.RunspacePoolStateMessage(state=state)
    for end in e.InvocationState:
        found[e.PipelineStateMessage, end] = e.PipelineStateMessage(pipeline_id=target, state=end)
    for no_input in (False, True):
        found[e.CreatePipeline, no_input] = e.CreatePipeline(
            pipeline_id=target, powershell=script("1"), host_info=HostInfo.null(), no_input=no_input
        )
    found[e.CreatePipeline] = found[e.CreatePipeline, True]
    return found


EVENTS = events()


def event_of(what: TriggerKind, *, pool: bool = False) -> e.Event:
    """Return the event for a trigger; the records of a pool have no pipeline id."""
    kind = what[0] if isinstance(what, tuple) else what
    for record in _records(None if pool else PIPELINE_ID):
        if type(record) is kind:
            return record
    return EVENTS[what]


def path_to(
    table: Table[Any], start: Any, goal: Any, avoid: set[TriggerKind]
) -> list[tuple[Side, TriggerKind]]:
    """Return the shortest path of triggers from one state to another, without those in
    ``avoid``."""
    ways: dict[Any, list[tuple[Side, TriggerKind]]] = {start: []}
    waiting = deque([start])
    while waiting and goal not in ways:
        state = waiting.popleft()
        for trigger, after in table[state].items():
            if after not in ways and trigger[0] is not None and trigger[1] not in avoid:
                ways[after] = [*ways[state], trigger]
                waiting.append(after)
    return ways[goal]


class Machine:
    """A pool of one side, and the hand-written messages of its peer."""

    def __init__(self, side: Side) -> None:
        key = {"private_key": private_key} if side is C else {"session_key": SESSION_KEY}
        self.pool = Pool(side, id=RPID if side is C else None, **key)
        self.side = side
        self._ids = count(1)
        self.events: list[e.Event] = []

    @property
    def pipeline(self) -> PipelinePhase:
        return self.pool.pipelines.get(PIPELINE_ID, PipelinePhase.CLOSED)

    def take(self, side: Side, event: e.Event) -> None:
        """Apply an event of one side; the machine's events are added to ``events``."""
        if side is self.side:
            self.pool.send(event)
        elif (rule := RULES.get(type(event))) is not None and rule.act is not None:
            target = getattr(event, "pipeline_id", None)
            self.pool.receive_act(rule.act, target)
        else:
            target = getattr(event, "pipeline_id", None)
            message = encode(event, RPID, sender=side)
            for piece in split(next(self._ids), message, 32768):
                self.pool.receive_data(piece, target)
        while (found := self.pool.next_event()) is not None:
            self.events.append(found)

    def follow(self, path: list[tuple[Side, TriggerKind]], *, pool: bool) -> bool:
        """Follow a path; return False if this side cannot, because it answers automatically."""
        for side, what in path:
            if side is S and self.side is S and what in _SAID_BY_ITSELF:
                continue
            try:
                self.take(side, event_of(what, pool=pool))
            except (LocalProtocolError, RemoteProtocolError):
                return False
        return True

    def incident(self, incident: Incident, *, pool: bool) -> bool:
        """Apply an incident to the pool or the pipeline; return False if nothing changes."""
        if pool:
            return self.pool._context.machine.incident(incident)
        found = self.pool._channels.pipelines[PIPELINE_ID].pipeline
        return found is not None and found.incident(incident)

    def open(self) -> None:
        for side, what in _OPENING[self.side]:
            self.take(side, EVENTS[what])
        assert self.pool.state is PoolState.OPENED


_SAID_BY_ITSELF = (e.SessionCapability, e.RunspacePoolInitData)
_OPENED: TriggerKind = (e.RunspacePoolStateMessage, e.RunspaceState.OPENED)
_FIRST: list[tuple[Side, TriggerKind]] = [(C, e.SessionCapability), (C, e.InitRunspacePool)]
_OPENING = {
    C: [*_FIRST, (S, e.SessionCapability), (S, _OPENED)],
    S: [*_FIRST, (S, _OPENED)],
}
