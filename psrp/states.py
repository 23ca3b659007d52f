"""The legal order of events: the states of a pool and of its pipelines, and every change of them.

A pool and each of its pipelines are state machines. A transition is selected by a trigger: sender
and kind, where the kind is the class of an event or, if one value inside the event decides, the
class and that value: ``(RunspacePoolStateMessage, RunspaceState.OPENED)``. A change without a
message is an `Incident`, which has no sender. The tables do not depend on the side that we play.
Two peers that hold the same tables and have processed the same messages agree on the state
whenever nothing is in transit between them.

Steps of the transport are triggers too. The client's `ClosePipeline` requests, the server's
`ClosePipeline` confirms; the same applies to stop, connect, disconnect, reconnect and the close of
the pool.

Messages cross on the wire: the client may close a pipeline while the server reports its end.
So a state in which one side waits keeps the rows of messages that the other side may already have
sent. A trigger without a row is not legal. The effect of an illegal message depends on the side
(`psrp.pool`): our own caller gets a LocalProtocolError, a peer's message has the effect that it
has on real peers.

The pool's states between BEFORE_OPEN and OPENED have one step for every required message, because
a client sends INIT_RUNSPACEPOOL before the server has answered
(spec-notes/opening.md#init-is-early).

Only this module changes states: `transition` checks a move and `Transition.apply` makes it.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from psrp import events as e
from psrp.events import InvocationState as Invocation
from psrp.events import RunspaceState as Runspace
from psrp.sansio import Side, UnexpectedMessage

__all__ = [
    "BUSY",
    "OPENERS",
    "PIPELINE",
    "PIPELINE_SENDERS",
    "POOL",
    "REFUSED",
    "Incident",
    "PipelinePhase",
    "PoolState",
    "StateMachine",
    "Transition",
    "Trigger",
    "TriggerKind",
    "legal",
    "next_state",
    "pipeline_machine",
    "pool_machine",
    "transition",
    "trigger_kind",
]

C = Side.CLIENT
S = Side.SERVER

State = TypeVar("State", bound=Enum)


class PoolState(Enum):
    """The state of a runspace pool. [MS-PSRP] 3.1.1.2.1 and 3.2.1.2.1 (opening in steps)."""

    BEFORE_OPEN = "before open"
    NEGOTIATION_SENT = "negotiation sent"
    NEGOTIATION_SUCCEEDED = "negotiation succeeded"
    INIT_SENT = "init sent"
    OPENING = "opening"
    CONNECT_SENT = "connect sent"
    CONNECTING = "connecting"
    OPENED = "opened"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    RECONNECTING = "reconnecting"
    CLOSING = "closing"
    CLOSED = "closed"
    BROKEN = "broken"

    __hash__ = object.__hash__


class PipelinePhase(Enum):
    """The state of a pipeline. [MS-PSRP] 3.1.1.2.2 and 3.2.1.2.2, with input and close states."""

    NOT_STARTED = "not started"
    READING = "running, input open"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    ABANDONED = "closing before its end"
    CLOSING = "closing"
    CLOSED = "closed"

    __hash__ = object.__hash__


class Incident(Enum):
    """A change of state that no message and no step of the transport announces."""

    TRANSPORT_LOST = "the transport failed"
    RULE_BROKEN = "the peer broke a rule that ends the conversation"
    POOL_GONE = "the pool of a pipeline is closed or broken"
    CLIENT_REPLACED = "another client has connected"
    ACT_REFUSED = "the server refused to disconnect or to reconnect"

    __hash__ = object.__hash__


TriggerKind: TypeAlias = type[e.Event] | tuple[type[e.Event], object] | Incident
Trigger: TypeAlias = tuple[Side | None, TriggerKind]
Table: TypeAlias = dict[State, dict[Trigger, State]]

REFUSED = "refused"
"""Marks a capability that one side cannot accept: `(SessionCapability, REFUSED)`."""


def _stay(state: State, sender: Side, *kinds: TriggerKind) -> dict[Trigger, State]:
    return {(sender, kind): state for kind in kinds}


_RECORDS: tuple[TriggerKind, ...] = (
    e.ErrorRecordMessage,
    e.DebugRecordMessage,
    e.VerboseRecordMessage,
    e.WarningRecordMessage,
    e.ProgressRecordMessage,
    e.InformationRecordMessage,
)

#: Messages that a server may send to an open pool at any time. Exchange endpoints send records
#: without a pipeline.
_POOL_MESSAGES: tuple[TriggerKind, ...] = (
    e.ApplicationPrivateData,
    e.RunspacePoolInitData,
    e.RunspacePoolHostCall,
    e.RunspaceAvailability,
    e.UserEvent,
    e.PublicKeyRequest,
    e.EncryptedSessionKey,
    (e.RunspacePoolStateMessage, Runspace.OPENED),
    *_RECORDS,
)

_POOL_REQUESTS: tuple[TriggerKind, ...] = (
    e.SetMinRunspaces,
    e.SetMaxRunspaces,
    e.GetAvailableRunspaces,
    e.ResetRunspaceState,
    e.RunspacePoolHostResponse,
    e.PublicKey,
    e.CreatePipeline,
    e.GetCommandMetadata,
    e.ConnectPipeline,
)

#: The end of a pool in any state. [MS-PSRP] 3.2.5.4.3
_POOL_END: dict[Trigger, PoolState] = {
    (None, Incident.TRANSPORT_LOST): PoolState.BROKEN,
    (None, Incident.RULE_BROKEN): PoolState.BROKEN,
    (C, e.ClosePool): PoolState.CLOSING,
    (S, (e.RunspacePoolStateMessage, Runspace.CLOSING)): PoolState.CLOSING,
    (S, (e.RunspacePoolStateMessage, Runspace.CLOSED)): PoolState.CLOSED,
    (S, (e.RunspacePoolStateMessage, Runspace.BROKEN)): PoolState.BROKEN,
}

_NEGOTIATION_FAILS: dict[Trigger, PoolState] = {
    (S, (e.SessionCapability, REFUSED)): PoolState.BROKEN,
}

POOL: Table[PoolState] = {
    PoolState.BEFORE_OPEN: {
        (C, e.SessionCapability): PoolState.NEGOTIATION_SENT,
        (C, e.ClosePool): PoolState.CLOSING,
        (None, Incident.TRANSPORT_LOST): PoolState.BROKEN,
        (None, Incident.RULE_BROKEN): PoolState.BROKEN,
    },
    PoolState.NEGOTIATION_SENT: {
        (C, e.InitRunspacePool): PoolState.INIT_SENT,
        (C, e.ConnectRunspacePool): PoolState.CONNECT_SENT,
        (S, e.SessionCapability): PoolState.NEGOTIATION_SUCCEEDED,
        **_NEGOTIATION_FAILS,
        **_POOL_END,
    },
    PoolState.NEGOTIATION_SUCCEEDED: {
        (C, e.InitRunspacePool): PoolState.OPENING,
        (C, e.ConnectRunspacePool): PoolState.CONNECTING,
        **_POOL_END,
    },
    PoolState.INIT_SENT: {
        (S, e.SessionCapability): PoolState.OPENING,
        **_NEGOTIATION_FAILS,
        **_POOL_END,
    },
    PoolState.CONNECT_SENT: {
        (S, e.SessionCapability): PoolState.CONNECTING,
        **_NEGOTIATION_FAILS,
        **_POOL_END,
    },
    PoolState.OPENING: {
        # A startup script may call the host and read or write secure strings.
        **_stay(PoolState.OPENING, S, *_POOL_MESSAGES),
        **_stay(PoolState.OPENING, C, e.RunspacePoolHostResponse, e.PublicKey),
        (S, (e.RunspacePoolStateMessage, Runspace.OPENED)): PoolState.OPENED,
        **_POOL_END,
    },
    PoolState.CONNECTING: {
        (S, e.ApplicationPrivateData): PoolState.CONNECTING,
        # [MS-PSRP] 3.1.5.4.29: this, not RUNSPACEPOOL_STATE, opens a connected pool.
        (S, e.RunspacePoolInitData): PoolState.OPENED,
        **_POOL_END,
    },
    PoolState.OPENED: {
        **_stay(PoolState.OPENED, S, *_POOL_MESSAGES),
        **_stay(PoolState.OPENED, C, *_POOL_REQUESTS),
        (C, e.Disconnect): PoolState.DISCONNECTING,
        # The connection is lost and the server keeps the pool: WS-Man after a network failure.
        (S, e.Disconnect): PoolState.DISCONNECTED,
        **_POOL_END,
    },
    PoolState.DISCONNECTING: {
        **_stay(PoolState.DISCONNECTING, S, *_POOL_MESSAGES),
        (S, e.Disconnect): PoolState.DISCONNECTED,
        (None, Incident.ACT_REFUSED): PoolState.OPENED,
        **_POOL_END,
    },
    PoolState.DISCONNECTED: {
        # The server continues to run its pipelines; its messages wait for a client.
        **_stay(PoolState.DISCONNECTED, S, *_POOL_MESSAGES),
        (C, e.Reconnect): PoolState.RECONNECTING,
        # Another client connects: [MS-PSRP] 3.1.4.10
        (C, e.SessionCapability): PoolState.NEGOTIATION_SENT,
        **_POOL_END,
    },
    PoolState.RECONNECTING: {
        **_stay(PoolState.RECONNECTING, S, *_POOL_MESSAGES),
        (S, e.Reconnect): PoolState.OPENED,
        (None, Incident.ACT_REFUSED): PoolState.DISCONNECTED,
        **_POOL_END,
    },
    PoolState.CLOSING: {
        **_stay(PoolState.CLOSING, S, *_POOL_MESSAGES, e.SessionCapability),
        **_POOL_END,
        (S, e.ClosePool): PoolState.CLOSED,
    },
    PoolState.CLOSED: {
        (None, Incident.RULE_BROKEN): PoolState.BROKEN,
        (C, e.ClosePool): PoolState.CLOSED,
        (S, e.ClosePool): PoolState.CLOSED,
        (S, (e.RunspacePoolStateMessage, Runspace.CLOSED)): PoolState.CLOSED,
    },
    PoolState.BROKEN: {
        (C, e.ClosePool): PoolState.BROKEN,
        (S, e.ClosePool): PoolState.BROKEN,
    },
}


#: Messages that a server may send for a pipeline that has not ended.
_PIPELINE_MESSAGES: tuple[TriggerKind, ...] = (
    e.PipelineOutput,
    e.PipelineHostCall,
    # No real server sends it; a real client accepts it.
    (e.PipelineStateMessage, Invocation.RUNNING),
    *_RECORDS,
)


#: Events that end a pipeline without a PIPELINE_STATE of its own.
_PIPELINE_LOST: dict[Trigger, PipelinePhase] = {
    (None, Incident.RULE_BROKEN): PipelinePhase.ENDED,
    (None, Incident.POOL_GONE): PipelinePhase.ENDED,
    (None, Incident.TRANSPORT_LOST): PipelinePhase.ENDED,
}


def _end(state: PipelinePhase) -> dict[Trigger, PipelinePhase]:
    """Return the rows of the one terminal PIPELINE_STATE. [MS-PSRP] 3.2.5.4.21"""
    return {
        (S, (e.PipelineStateMessage, Invocation.STOPPED)): state,
        (S, (e.PipelineStateMessage, Invocation.COMPLETED)): state,
        (S, (e.PipelineStateMessage, Invocation.FAILED)): state,
    }


PIPELINE: Table[PipelinePhase] = {
    PipelinePhase.NOT_STARTED: {
        (C, (e.CreatePipeline, False)): PipelinePhase.READING,
        (C, (e.CreatePipeline, True)): PipelinePhase.RUNNING,
        (C, e.GetCommandMetadata): PipelinePhase.RUNNING,
        (C, e.ConnectPipeline): PipelinePhase.RUNNING,
        # The client abandons a pipeline that was never created.
        (C, e.ClosePipeline): PipelinePhase.CLOSING,
    },
    PipelinePhase.READING: {
        **_stay(PipelinePhase.READING, S, *_PIPELINE_MESSAGES),
        **_stay(PipelinePhase.READING, C, e.PipelineInput, e.PipelineHostResponse),
        (C, e.EndOfPipelineInput): PipelinePhase.RUNNING,
        # A new client cannot continue the input of the old one: the server ends it.
        (C, e.ConnectPipeline): PipelinePhase.RUNNING,
        (None, Incident.CLIENT_REPLACED): PipelinePhase.RUNNING,
        (C, e.StopPipeline): PipelinePhase.STOPPING,
        (C, e.StopPowerShell): PipelinePhase.STOPPING,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
        **_PIPELINE_LOST,
    },
    PipelinePhase.RUNNING: {
        **_stay(PipelinePhase.RUNNING, S, *_PIPELINE_MESSAGES, e.ConnectPipeline),
        **_stay(PipelinePhase.RUNNING, C, e.PipelineHostResponse, e.ConnectPipeline),
        (C, e.StopPipeline): PipelinePhase.STOPPING,
        (C, e.StopPowerShell): PipelinePhase.STOPPING,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
        **_PIPELINE_LOST,
    },
    PipelinePhase.STOPPING: {
        **_stay(PipelinePhase.STOPPING, S, *_PIPELINE_MESSAGES),
        **_stay(PipelinePhase.STOPPING, C, e.PipelineHostResponse, e.StopPipeline),
        # The confirmation of the signal also ends it, because PIPELINE_STATE may be lost.
        (S, e.StopPipeline): PipelinePhase.ENDED,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
        **_PIPELINE_LOST,
    },
    PipelinePhase.ENDED: {
        (S, e.StopPipeline): PipelinePhase.ENDED,
        (S, e.ConnectPipeline): PipelinePhase.ENDED,
        (C, e.StopPipeline): PipelinePhase.ENDED,
        (C, e.StopPowerShell): PipelinePhase.ENDED,
        (C, e.ConnectPipeline): PipelinePhase.ENDED,
        (C, e.ClosePipeline): PipelinePhase.CLOSING,
    },
    PipelinePhase.ABANDONED: {
        **_stay(PipelinePhase.ABANDONED, S, *_PIPELINE_MESSAGES, e.StopPipeline),
        (S, e.ClosePipeline): PipelinePhase.CLOSED,
        **_end(PipelinePhase.CLOSING),
    },
    PipelinePhase.CLOSING: {
        (S, e.StopPipeline): PipelinePhase.CLOSING,
        (S, e.ClosePipeline): PipelinePhase.CLOSED,
    },
    PipelinePhase.CLOSED: {},
}

#: The states of the pool in which each side may send for an existing pipeline. The server's
#: running pipelines may report their end after the pool's own.
PIPELINE_SENDERS: dict[Side, frozenset[PoolState]] = {
    C: frozenset({PoolState.OPENED}),
    S: frozenset(
        {
            PoolState.OPENED,
            PoolState.DISCONNECTING,
            PoolState.DISCONNECTED,
            PoolState.NEGOTIATION_SENT,
            PoolState.NEGOTIATION_SUCCEEDED,
            PoolState.CONNECTING,
            PoolState.RECONNECTING,
            PoolState.CLOSING,
            PoolState.CLOSED,
        }
    ),
}

#: Events that create a pipeline, or the client's side of an existing one.
OPENERS: frozenset[type[e.Event]] = frozenset(
    {e.CreatePipeline, e.GetCommandMetadata, e.ConnectPipeline}
)

#: The phases in which a pipeline occupies a runspace.
BUSY = frozenset(
    {
        PipelinePhase.READING,
        PipelinePhase.RUNNING,
        PipelinePhase.STOPPING,
        PipelinePhase.ABANDONED,
    }
)

#: The attribute of an event that selects the row, besides its class.
_DECIDING_ATTRIBUTES: dict[type[e.Event], str] = {
    e.RunspacePoolStateMessage: "state",
    e.PipelineStateMessage: "state",
}


class StateMachine(Generic[State]):
    """The state of one pool or one pipeline, with the table that it follows."""

    __slots__ = ("_table", "state")

    def __init__(self, table: Table[State], state: State) -> None:
        self._table = table
        self.state = state

    def __repr__(self) -> str:
        return f"<StateMachine {self.state.value}>"

    def incident(self, incident: Incident) -> bool:
        """Change the state without a message; return False if nothing changes."""
        after = self._table[self.state].get((None, incident))
        if after is None:
            return False
        self.state = after
        return True


def pool_machine() -> StateMachine[PoolState]:
    """Return the machine of a new pool."""
    return StateMachine(POOL, PoolState.BEFORE_OPEN)


def pipeline_machine() -> StateMachine[PipelinePhase]:
    """Return the machine of a pipeline for which nothing was sent yet."""
    return StateMachine(PIPELINE, PipelinePhase.NOT_STARTED)


class Transition(NamedTuple):
    """A legal move of a pool and, for an event of a pipeline, of that pipeline."""

    pool: StateMachine[PoolState]
    pool_state: PoolState
    pipeline: StateMachine[PipelinePhase] | None
    phase: PipelinePhase | None

    def apply(self) -> None:
        """Make the move."""
        self.pool.state = self.pool_state
        if self.pipeline is not None and self.phase is not None:
            self.pipeline.state = self.phase


def transition(
    pool: StateMachine[PoolState],
    pipeline: StateMachine[PipelinePhase] | None,
    sender: Side,
    event: e.Event,
    *,
    late: bool = False,
    refused: bool = False,
) -> Transition:
    """Return the move that ``event`` of ``sender`` makes, without making it.

    ``pipeline`` is the machine of the pipeline that the event names, None for an event of the
    pool. ``late`` is for a received event, which may have been sent before the pool's state
    changed. ``refused`` marks a SESSION_CAPABILITY that one side cannot accept. Raises
    UnexpectedMessage, which lists the legal triggers.
    """
    name = type(event).__name__
    before = pool.state
    after: PoolState | None = before
    if pipeline is None or (type(event) in OPENERS and sender is Side.CLIENT):
        kind = (type(event), REFUSED) if refused else trigger_kind(event, POOL)
        after = next_state(POOL, before, (sender, kind))
    elif not late and before not in PIPELINE_SENDERS[sender]:
        after = None
    if after is None:
        raise UnexpectedMessage(name, f"the pool is {before.value}", legal(POOL, before, sender))
    if pipeline is None:
        return Transition(pool, after, None, None)
    phase = next_state(PIPELINE, pipeline.state, (sender, trigger_kind(event, PIPELINE)))
    if phase is None:
        expected = legal(PIPELINE, pipeline.state, sender)
        raise UnexpectedMessage(name, f"the pipeline is {pipeline.state.value}", expected)
    return Transition(pool, after, pipeline, phase)


def trigger_kind(event: e.Event, table: Table[State]) -> TriggerKind:
    """Return the kind of an event: its class, or its class and a deciding value."""
    kind = type(event)
    if kind is e.CreatePipeline and table is PIPELINE:
        return kind, event.no_input  # type: ignore[attr-defined]
    attribute = _DECIDING_ATTRIBUTES.get(kind)
    return kind if attribute is None else (kind, getattr(event, attribute))


def next_state(table: Table[State], state: State, trigger: Trigger) -> State | None:
    """Return the state after ``trigger``, or None if it is not legal."""
    return table[state].get(trigger)


def legal(table: Table[State], state: State, side: Side) -> tuple[str, ...]:
    """Return the names of the events that ``side`` may send in ``state``, for an error message."""
    return tuple(_name(kind) for sender, kind in table[state] if sender is side)


def _name(kind: TriggerKind) -> str:
    if isinstance(kind, tuple):
        event, value = kind
        return f"{event.__name__}({getattr(value, 'name', value)})"
    return kind.name if isinstance(kind, Incident) else kind.__name__
