"""Every rule about what may follow what lives in this file.

A pool and each of its pipelines are automata. They turn on triggers: (who sent it, what it
was), where "what" is the class of an event or, when one value inside the event decides, the
class and that value: ``(RunspacePoolStateMessage, RunspaceState.OPENED)``. The tables do not know
which side we play. Two peers that hold the same tables and have seen the same messages agree
on the state whenever nothing is under way between them.

Steps of the carrier are triggers too. The client's `ClosePipeline` asks, the server's
`ClosePipeline` says that it is done; the same for stop, connect, disconnect, reconnect and the
close of the pool.

Messages cross on the wire: the client may close a pipeline while the server reports its end.
So a state in which one side waits keeps the rows of what the other may still have sent.
What stands in no row is not legal. What then happens is not the same for both sides and is
told in `psrp.pool`: our own caller gets a LocalProtocolError, a peer's message costs what it
costs at real peers.

The pool's states between BEFORE_OPEN and OPENED are one step for every message that must have
been seen, because a client sends INIT_RUNSPACEPOOL before the server has answered
(spec-notes/opening.md#init-is-early).
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias, TypeVar

from psrp import events as e
from psrp.events import InvocationState as Invocation
from psrp.events import RunspaceState as Runspace
from psrp.sansio import Side, UnexpectedMessage

__all__ = [
    "BIRTHS",
    "PIPELINE",
    "POOL",
    "REFUSED",
    "SPEAKS",
    "PipelinePhase",
    "PoolState",
    "Trigger",
    "annotate",
    "follow",
    "legal",
    "next_states",
]

C = Side.CLIENT
S = Side.SERVER

What: TypeAlias = type[e.Event] | tuple[type[e.Event], object]
Trigger: TypeAlias = tuple[Side, What]
State = TypeVar("State", bound=Enum)
Table: TypeAlias = dict[State, dict[Trigger, State]]


class PoolState(Enum):
    """Where a runspace pool is. [MS-PSRP] 3.1.1.2.1 and 3.2.1.2.1, with the opening told apart."""

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
    """Where a pipeline is. [MS-PSRP] 3.1.1.2.2 and 3.2.1.2.2, with input and close told apart."""

    NOT_STARTED = "not started"
    READING = "running, input open"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    ABANDONED = "closing before its end"
    CLOSING = "closing"
    CLOSED = "closed"

    __hash__ = object.__hash__


REFUSED = "refused"
"""A capability that one side cannot accept: `(SessionCapability, REFUSED)`."""


def _stay(state: State, sender: Side, *whats: What) -> dict[Trigger, State]:
    return {(sender, what): state for what in whats}


_RECORDS: tuple[What, ...] = (
    e.ErrorRecordMessage,
    e.DebugRecordMessage,
    e.VerboseRecordMessage,
    e.WarningRecordMessage,
    e.ProgressRecordMessage,
    e.InformationRecordMessage,
)

#: What a server may say about an open pool at any time. Records without a pipeline are sent by
#: Exchange endpoints.
_POOL_TALK: tuple[What, ...] = (
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

_POOL_REQUESTS: tuple[What, ...] = (
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

#: The end of a pool, whatever it was doing. [MS-PSRP] 3.2.5.4.3
_POOL_END: dict[Trigger, PoolState] = {
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
        **_stay(PoolState.OPENING, S, *_POOL_TALK),
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
        **_stay(PoolState.OPENED, S, *_POOL_TALK),
        **_stay(PoolState.OPENED, C, *_POOL_REQUESTS),
        (C, e.Disconnect): PoolState.DISCONNECTING,
        **_POOL_END,
    },
    PoolState.DISCONNECTING: {
        **_stay(PoolState.DISCONNECTING, S, *_POOL_TALK),
        (S, e.Disconnect): PoolState.DISCONNECTED,
        **_POOL_END,
    },
    PoolState.DISCONNECTED: {
        # The server works on; what it says waits for a client.
        **_stay(PoolState.DISCONNECTED, S, *_POOL_TALK),
        (C, e.Reconnect): PoolState.RECONNECTING,
        # Another client takes over: [MS-PSRP] 3.1.4.10
        (C, e.SessionCapability): PoolState.NEGOTIATION_SENT,
        **_POOL_END,
    },
    PoolState.RECONNECTING: {
        **_stay(PoolState.RECONNECTING, S, *_POOL_TALK),
        (S, e.Reconnect): PoolState.OPENED,
        **_POOL_END,
    },
    PoolState.CLOSING: {
        **_stay(PoolState.CLOSING, S, *_POOL_TALK, e.SessionCapability),
        **_POOL_END,
        (S, e.ClosePool): PoolState.CLOSED,
    },
    PoolState.CLOSED: {
        (C, e.ClosePool): PoolState.CLOSED,
        (S, e.ClosePool): PoolState.CLOSED,
        (S, (e.RunspacePoolStateMessage, Runspace.CLOSED)): PoolState.CLOSED,
    },
    PoolState.BROKEN: {
        (C, e.ClosePool): PoolState.BROKEN,
        (S, e.ClosePool): PoolState.BROKEN,
    },
}


#: What a server may say about a pipeline that has not ended.
_PIPELINE_TALK: tuple[What, ...] = (
    e.PipelineOutput,
    e.PipelineHostCall,
    # No real server sends it, a real client takes it.
    (e.PipelineStateMessage, Invocation.RUNNING),
    *_RECORDS,
)


def _end(state: PipelinePhase) -> dict[Trigger, PipelinePhase]:
    """[MS-PSRP] 3.2.5.4.21: the one terminal state."""
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
        # A pipeline that never came into being is given up.
        (C, e.ClosePipeline): PipelinePhase.CLOSING,
    },
    PipelinePhase.READING: {
        **_stay(PipelinePhase.READING, S, *_PIPELINE_TALK),
        **_stay(PipelinePhase.READING, C, e.PipelineInput, e.PipelineHostResponse),
        (C, e.EndOfPipelineInput): PipelinePhase.RUNNING,
        # A new client can bring no more input: the server ends it.
        (C, e.ConnectPipeline): PipelinePhase.RUNNING,
        (C, e.StopPipeline): PipelinePhase.STOPPING,
        (C, e.StopPowerShell): PipelinePhase.STOPPING,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
    },
    PipelinePhase.RUNNING: {
        **_stay(PipelinePhase.RUNNING, S, *_PIPELINE_TALK, e.ConnectPipeline),
        **_stay(PipelinePhase.RUNNING, C, e.PipelineHostResponse, e.ConnectPipeline),
        (C, e.StopPipeline): PipelinePhase.STOPPING,
        (C, e.StopPowerShell): PipelinePhase.STOPPING,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
    },
    PipelinePhase.STOPPING: {
        **_stay(PipelinePhase.STOPPING, S, *_PIPELINE_TALK),
        **_stay(PipelinePhase.STOPPING, C, e.PipelineHostResponse, e.StopPipeline),
        # The signal's answer says it too, and PIPELINE_STATE may be lost.
        (S, e.StopPipeline): PipelinePhase.ENDED,
        (C, e.ClosePipeline): PipelinePhase.ABANDONED,
        **_end(PipelinePhase.ENDED),
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
        **_stay(PipelinePhase.ABANDONED, S, *_PIPELINE_TALK, e.StopPipeline),
        (S, e.ClosePipeline): PipelinePhase.CLOSED,
        **_end(PipelinePhase.CLOSING),
    },
    PipelinePhase.CLOSING: {
        (S, e.StopPipeline): PipelinePhase.CLOSING,
        (S, e.ClosePipeline): PipelinePhase.CLOSED,
    },
    PipelinePhase.CLOSED: {},
}

#: In which states of the pool each side may speak for a pipeline that exists. The server's
#: running pipelines may report their end behind the pool's own.
SPEAKS: dict[Side, frozenset[PoolState]] = {
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

#: What may bring a pipeline into being.
BIRTHS: frozenset[type[e.Event]] = frozenset(
    {e.CreatePipeline, e.GetCommandMetadata, e.ConnectPipeline}
)

#: Which attribute of an event decides beside its class.
_DECIDES: dict[type[e.Event], str] = {
    e.RunspacePoolStateMessage: "state",
    e.PipelineStateMessage: "state",
}


def annotate(event: e.Event, table: Table[State]) -> What:
    """What an event is in the given table: its class, or its class with the deciding value."""
    kind = type(event)
    if kind is e.CreatePipeline and table is PIPELINE:
        return kind, event.no_input  # type: ignore[attr-defined]
    decides = _DECIDES.get(kind)
    return kind if decides is None else (kind, getattr(event, decides))


def follow(table: Table[State], state: State, trigger: Trigger) -> State | None:
    """The state that ``trigger`` leads to, or None where it is not legal."""
    return table[state].get(trigger)


def next_states(
    pool: PoolState,
    pipeline: PipelinePhase | None,
    sender: Side,
    event: e.Event,
    *,
    late: bool = False,
) -> tuple[PoolState, PipelinePhase | None]:
    """Where ``event`` of ``sender`` leads a pool, and the pipeline that it is about (or None).

    ``late`` is for what the other side said: it may have left before the pool's state changed.
    Raises UnexpectedMessage, which tells what would have been legal.
    """
    name = type(event).__name__
    next_pool: PoolState | None = pool
    if pipeline is None or (type(event) in BIRTHS and sender is Side.CLIENT):
        next_pool = follow(POOL, pool, (sender, annotate(event, POOL)))
    elif not late and pool not in SPEAKS[sender]:
        next_pool = None
    if next_pool is None:
        raise UnexpectedMessage(name, f"the pool is {pool.value}", legal(POOL, pool, sender))
    if pipeline is None:
        return next_pool, None
    next_pipeline = follow(PIPELINE, pipeline, (sender, annotate(event, PIPELINE)))
    if next_pipeline is None:
        words = legal(PIPELINE, pipeline, sender)
        raise UnexpectedMessage(name, f"the pipeline is {pipeline.value}", words)
    return next_pool, next_pipeline


def legal(table: Table[State], state: State, side: Side) -> tuple[str, ...]:
    """What ``side`` may send in ``state``, in the words of an error message."""
    return tuple(_words(what) for sender, what in table[state] if sender is side)


def _words(what: What) -> str:
    if isinstance(what, tuple):
        kind, value = what
        return f"{kind.__name__}({getattr(value, 'name', value)})"
    return what.__name__
