"""What follows of itself: the checks before a message goes out, the book-keeping behind it, and
the answers that only the machine can know.

Tables by event class, so that `psrp.pool` stays one mechanism. A function of RECEIVED returns
the event to show, or None where its answer says it all. What the real server answers to odd
clients is in `outofproc/probes`; spec-notes/server-answers.md lists each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from psrp import events as e
from psrp.host_methods import VOID_CALL_ID
from psrp.messages import MessageType, type_of
from psrp.sansio import (
    LocalProtocolError,
    MessageError,
    Side,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import POOL, REFUSED, PipelinePhase, PoolState
from psrp.versions import client_accepts, number, server_answer

if TYPE_CHECKING:
    from psrp.lines import Line
    from psrp.pool import Pool

__all__ = [
    "ACTS",
    "BEFORE",
    "BIRTH_TYPES",
    "CHECKS",
    "PUBLIC_KEY_TYPE",
    "RECEIVED",
    "SENT",
    "received_act",
    "server_unexpected",
    "shut",
]

Check: TypeAlias = "Callable[[Pool, Line, Any], None]"
React: TypeAlias = "Callable[[Pool, Line, Any], e.Event | None]"

_RESET_SINCE = (2, 3)
_CONNECT_SINCE = (2, 2)

PUBLIC_KEY_TYPE = MessageType.PUBLIC_KEY.to_bytes(4, "little")

#: The messages that bring a pipeline into being at a server.
BIRTH_TYPES = frozenset({MessageType.CREATE_PIPELINE, MessageType.GET_COMMAND_METADATA})

#: Events that are steps of the carrier.
ACTS: dict[type[e.Event], TransportAct] = {
    e.StopPipeline: TransportAct.STOP_PIPELINE,
    e.ClosePipeline: TransportAct.CLOSE_PIPELINE,
    e.ConnectPipeline: TransportAct.CONNECT,
    e.ClosePool: TransportAct.CLOSE_POOL,
    e.Disconnect: TransportAct.DISCONNECT,
    e.Reconnect: TransportAct.RECONNECT,
}

_BY_ACT = {act: kind for kind, act in ACTS.items()}
_OF_PIPELINES = {
    TransportAct.CREATE_PIPELINE,
    TransportAct.STOP_PIPELINE,
    TransportAct.CLOSE_PIPELINE,
}


def received_act(act: TransportAct, target: UUID | None) -> e.Event | None:
    """The event for a step that the carrier reports; None where the messages say it all."""
    if (act in _OF_PIPELINES) is (target is None) and act is not TransportAct.CONNECT:
        raise LocalProtocolError(f"{act.value}: a target that does not fit")
    kind = _BY_ACT.get(act)
    if kind is None or (act is TransportAct.CONNECT and target is None):
        return None
    return kind() if target is None else kind(pipeline_id=target)  # type: ignore[call-arg]


# -- before a message of ours goes out


def _may_connect(pool: Pool, line: Line, event: e.ConnectRunspacePool) -> None:
    if number(pool.own_version) < _CONNECT_SINCE:
        raise LocalProtocolError(f"connecting needs 2.2; our version is {pool.own_version}")


def _may_leave(pool: Pool, line: Line, event: e.Disconnect) -> None:
    if pool.exchange.version < _CONNECT_SINCE:
        raise LocalProtocolError(f"disconnecting needs 2.2; negotiated is {pool.version}")


def _announces_own(pool: Pool, line: Line, event: e.SessionCapability) -> None:
    if pool.side is Side.CLIENT and event.protocol_version != pool.own_version:
        raise LocalProtocolError(
            f"the pool speaks {pool.own_version} and cannot announce {event.protocol_version}"
        )


def _sane_counts(pool: Pool, line: Line, event: e.InitRunspacePool) -> None:
    if not 1 <= event.min_runspaces <= event.max_runspaces:
        raise LocalProtocolError(
            f"{event.min_runspaces}..{event.max_runspaces} runspaces: at least 1, and min <= max"
        )


def _answers_open_call(pool: Pool, line: Line, event: Any) -> None:
    if event.call_id not in line.calls:
        raise LocalProtocolError(f"no host call {event.call_id} waits for an answer")


def _fresh_call(pool: Pool, line: Line, event: Any) -> None:
    if event.call_id != VOID_CALL_ID and event.call_id in line.calls:
        raise LocalProtocolError(f"host call {event.call_id} is open already")


def _fresh_question(pool: Pool, line: Line, event: Any) -> None:
    if event.call_id in pool.questions:
        raise LocalProtocolError(f"question {event.call_id} is open already")


def _may_reset(pool: Pool, line: Line, event: e.ResetRunspaceState) -> None:
    if pool.exchange.version < _RESET_SINCE:
        raise LocalProtocolError(f"RESET_RUNSPACE_STATE needs 2.3; negotiated is {pool.version}")
    _fresh_question(pool, line, event)


CHECKS: dict[type[e.Event], Check] = {
    e.SessionCapability: _announces_own,
    e.InitRunspacePool: _sane_counts,
    e.ConnectRunspacePool: _may_connect,
    e.Disconnect: _may_leave,
    e.SetMinRunspaces: _fresh_question,
    e.SetMaxRunspaces: _fresh_question,
    e.GetAvailableRunspaces: _fresh_question,
    e.ResetRunspaceState: _may_reset,
    e.RunspacePoolHostCall: _fresh_call,
    e.PipelineHostCall: _fresh_call,
    e.RunspacePoolHostResponse: _answers_open_call,
    e.PipelineHostResponse: _answers_open_call,
}


# -- behind a message of ours


def _remember_question(pool: Pool, line: Line, event: Any) -> None:
    pool.questions[event.call_id] = event


def _remember_call(pool: Pool, line: Line, event: Any) -> None:
    if event.call_id != VOID_CALL_ID:
        line.calls[event.call_id] = event.method


def _forget_call(pool: Pool, line: Line, event: Any) -> None:
    line.calls.pop(event.call_id, None)


def _forget_calls_at_end(pool: Pool, line: Line, event: e.PipelineStateMessage) -> None:
    if event.state is not e.InvocationState.RUNNING:
        line.calls.clear()


def _own_counts(pool: Pool, line: Line, event: Any) -> None:
    if event.min_runspaces is not None:
        pool.min_runspaces = event.min_runspaces
    if event.max_runspaces is not None:
        pool.max_runspaces = event.max_runspaces


def _connects(pool: Pool, line: Line, event: e.ConnectRunspacePool) -> None:
    line.birth = TransportAct.CONNECT
    line.listen_anew(pool.max_message)
    _own_counts(pool, line, event)


def _private_data_sent(pool: Pool, line: Line, event: e.ApplicationPrivateData) -> None:
    pool.application_private_data = event.data


def _pipeline_closed(pool: Pool, line: Line, event: e.ClosePipeline) -> None:
    if line.state is PipelinePhase.CLOSED:
        pool.targets.forget(line)


def _left(pool: Pool, line: Line, event: e.Disconnect) -> None:
    if pool.side is Side.SERVER:
        pool.targets.hold(True)


def _back(pool: Pool, line: Line, event: e.Reconnect) -> None:
    if pool.side is Side.SERVER:
        pool.targets.hold(False)


def _key_asked(pool: Pool, line: Line, event: e.Event) -> None:
    pool.exchange.asked = True


SENT: dict[type[e.Event], Check] = {
    e.InitRunspacePool: _own_counts,
    e.ConnectRunspacePool: _connects,
    e.ApplicationPrivateData: _private_data_sent,
    e.SetMinRunspaces: _remember_question,
    e.SetMaxRunspaces: _remember_question,
    e.GetAvailableRunspaces: _remember_question,
    e.ResetRunspaceState: _remember_question,
    e.RunspacePoolHostCall: _remember_call,
    e.PipelineHostCall: _remember_call,
    e.RunspacePoolHostResponse: _forget_call,
    e.PipelineHostResponse: _forget_call,
    e.PipelineStateMessage: _forget_calls_at_end,
    e.ClosePipeline: _pipeline_closed,
    e.Disconnect: _left,
    e.Reconnect: _back,
    e.PublicKey: _key_asked,
    e.PublicKeyRequest: _key_asked,
}


# -- before a message of the peer turns the automata: what it says is no good at all


def _counts_of_init(pool: Pool, line: Line, event: e.InitRunspacePool) -> None:
    if event.max_runspaces < 1 or event.min_runspaces < 1:
        raise MessageError("INIT_RUNSPACEPOOL", "a pool has at least one runspace", "MinRunspaces")
    if event.min_runspaces > event.max_runspaces:
        raise MessageError("INIT_RUNSPACEPOOL", "more runspaces than the maximum", "MinRunspaces")


def _judge_server(pool: Pool, line: Line, event: e.SessionCapability) -> None:
    if pool.side is Side.CLIENT and (reason := client_accepts(event, pool.own_version)):
        raise MessageError("SESSION_CAPABILITY", reason)


def _counts_of_connect(pool: Pool, line: Line, event: e.ConnectRunspacePool) -> None:
    # PowerShell refuses only when both differ.
    if (
        event.min_runspaces not in (None, pool.min_runspaces)
        and event.max_runspaces not in (None, pool.max_runspaces)
    ):  # fmt: skip
        raise MessageError("CONNECT_RUNSPACEPOOL", "another size than the pool's", "MinRunspaces")


BEFORE: dict[type[e.Event], Check] = {
    e.SessionCapability: _judge_server,
    e.InitRunspacePool: _counts_of_init,
    e.ConnectRunspacePool: _counts_of_connect,
}


# -- behind a message of the peer


def _capability(pool: Pool, line: Line, event: e.SessionCapability) -> e.Event:
    if pool.side is Side.CLIENT:
        pool.negotiated(event.protocol_version)
        return event
    connecting = pool.version is not None
    answer, refused = server_answer(event, pool.own_version, connecting=connecting)
    if connecting:
        pool.exchange.start_anew()
        pool.targets.take_over()
    pool.negotiated(answer.protocol_version)
    pool.say(answer, new_pool=not connecting)
    what = (e.SessionCapability, REFUSED) if refused else e.SessionCapability
    pool.state = POOL[pool.state][Side.SERVER, what]
    if refused:
        error = MessageError("SESSION_CAPABILITY", refused, "protocolversion")
        pool.tell(e.Fault(error=error, answered=True))
    return event


def _init(pool: Pool, line: Line, event: e.InitRunspacePool) -> e.Event:
    pool.min_runspaces = event.min_runspaces
    pool.max_runspaces = event.max_runspaces
    pool.application_arguments = event.application_arguments
    return event


def _connect(pool: Pool, line: Line, event: e.ConnectRunspacePool) -> e.Event:
    pool.say(
        e.RunspacePoolInitData(min_runspaces=pool.min_runspaces, max_runspaces=pool.max_runspaces)
    )
    pool.state = POOL[pool.state][Side.SERVER, e.RunspacePoolInitData]
    pool.targets.resume()
    for other in pool.targets.pipelines.values():
        # A new client can bring no more input to what runs.
        if other.state is PipelinePhase.READING and other.id is not None:
            other.state = PipelinePhase.RUNNING
            pool.tell(e.EndOfPipelineInput(pipeline_id=other.id))
    return event


def _init_data(pool: Pool, line: Line, event: e.RunspacePoolInitData) -> e.Event:
    _own_counts(pool, line, event)
    return event


def _connect_pipeline(pool: Pool, line: Line, event: e.ConnectPipeline) -> e.Event:
    if pool.side is Side.SERVER:
        line.held = False
        pool.targets.turn(line)
    return event


def _private_data(pool: Pool, line: Line, event: e.ApplicationPrivateData) -> e.Event:
    pool.application_private_data = event.data
    return event


def _pool_state(pool: Pool, line: Line, event: e.RunspacePoolStateMessage) -> e.Event:
    if pool.state is PoolState.BROKEN:
        pool.fail_pipelines(event.error)
    return event


def _public_key(pool: Pool, line: Line, event: e.PublicKey) -> e.Event:
    pool.say(e.EncryptedSessionKey(key=pool.exchange.accept_public_key(event.key)))
    pool.key_has_come()
    return event


def _public_key_request(pool: Pool, line: Line, event: e.PublicKeyRequest) -> e.Event:
    if pool.exchange.possible:
        pool.exchange.asked = True
        pool.say(e.PublicKey(key=pool.exchange.public_key()))
    return event


def _session_key(pool: Pool, line: Line, event: e.EncryptedSessionKey) -> e.Event:
    pool.exchange.accept_session_key(event.key)
    pool.key_has_come()
    return event


def _set_limit(pool: Pool, line: Line, event: Any) -> e.Event | None:
    """SET_MIN and SET_MAX: true for a legal value, the present one too."""
    low, high = pool.min_runspaces, pool.max_runspaces
    if isinstance(event, e.SetMinRunspaces):
        low = event.count
    else:
        high = event.count
    legal = 1 <= low <= high
    pool.say(e.RunspaceAvailability(call_id=event.call_id, answer=legal))
    if not legal:
        return _ignored(event, f"{low}..{high} runspaces")
    pool.min_runspaces, pool.max_runspaces = low, high
    return event  # type: ignore[no-any-return]


def _available(pool: Pool, line: Line, event: e.GetAvailableRunspaces) -> e.Event:
    free = max(0, pool.max_runspaces - pool.targets.running)
    pool.say(e.RunspaceAvailability(call_id=event.call_id, answer=free))
    return event


def _reset(pool: Pool, line: Line, event: e.ResetRunspaceState) -> e.Event:
    """Only a pool of one can be reset; how it is done is the engine's, so that it answers."""
    if pool.max_runspaces == 1:
        return event
    pool.say(e.RunspaceAvailability(call_id=event.call_id, answer=False))
    return _ignored(event, "only a pool of one runspace can be reset")


def _availability(pool: Pool, line: Line, event: e.RunspaceAvailability) -> e.Event:
    question = pool.questions.pop(event.call_id, None)
    if question is None:
        return _ignored(event, f"no question {event.call_id} is open")
    if event.answer is True and isinstance(question, e.SetMaxRunspaces):
        pool.max_runspaces = question.count
    if event.answer is True and isinstance(question, e.SetMinRunspaces):
        pool.min_runspaces = question.count
    return event


def _born(pool: Pool, line: Line, event: e.CreatePipeline) -> e.Event:
    if event.is_nested and pool.max_runspaces > 1:
        event = replace(event, is_nested=False)
    line.nested = event.is_nested
    return event


def _host_call(pool: Pool, line: Line, event: Any) -> e.Event:
    _remember_call(pool, line, event)
    return event  # type: ignore[no-any-return]


def _host_response(pool: Pool, line: Line, event: Any) -> e.Event:
    if line.calls.pop(event.call_id, None) is None:
        return _ignored(event, f"no host call {event.call_id} waits for an answer")
    return event  # type: ignore[no-any-return]


def _ended(pool: Pool, line: Line, event: e.PipelineStateMessage) -> e.Event:
    _forget_calls_at_end(pool, line, event)
    return event


def _stopped(pool: Pool, line: Line, event: e.Event) -> e.Event:
    line.calls.clear()
    return event


def _closed(pool: Pool, line: Line, event: e.ClosePipeline) -> e.Event:
    line.calls.clear()
    _pipeline_closed(pool, line, event)
    return event


RECEIVED: dict[type[e.Event], React] = {
    e.SessionCapability: _capability,
    e.InitRunspacePool: _init,
    e.ConnectRunspacePool: _connect,
    e.RunspacePoolInitData: _init_data,
    e.ConnectPipeline: _connect_pipeline,
    e.ApplicationPrivateData: _private_data,
    e.RunspacePoolStateMessage: _pool_state,
    e.PublicKey: _public_key,
    e.PublicKeyRequest: _public_key_request,
    e.EncryptedSessionKey: _session_key,
    e.SetMinRunspaces: _set_limit,
    e.SetMaxRunspaces: _set_limit,
    e.GetAvailableRunspaces: _available,
    e.ResetRunspaceState: _reset,
    e.RunspaceAvailability: _availability,
    e.CreatePipeline: _born,
    e.RunspacePoolHostCall: _host_call,
    e.PipelineHostCall: _host_call,
    e.RunspacePoolHostResponse: _host_response,
    e.PipelineHostResponse: _host_response,
    e.PipelineStateMessage: _ended,
    e.StopPipeline: _stopped,
    e.StopPowerShell: _stopped,
    e.ClosePipeline: _closed,
}


def _ignored(event: e.Event, reason: str) -> e.Ignored:
    return e.Ignored(
        message_type=type_of(event),
        pipeline_id=getattr(event, "pipeline_id", None),
        reason=reason,
    )


# -- a server's answer to a good message at the wrong time


def shut(pool: Pool) -> None:
    """Close the pool from the server: RUNSPACEPOOL_STATE Closing, then Closed.

    Before the client has told its version there is nobody to tell.
    """
    if pool.state is PoolState.BEFORE_OPEN:
        pool.state = PoolState.BROKEN
        return
    for state in (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED):
        pool.say(e.RunspacePoolStateMessage(state=state))
        pool.state = POOL[pool.state][Side.SERVER, (e.RunspacePoolStateMessage, state)]


def server_unexpected(pool: Pool, event: e.Event, error: UnexpectedMessage) -> e.Event:
    """What a misplaced message costs a server's pool. [ref] outofproc/probes"""
    if isinstance(event, e.SessionCapability) and pool.state is not PoolState.NEGOTIATION_SENT:
        shut(pool)
    elif isinstance(event, e.InitRunspacePool) and pool.state is PoolState.BEFORE_OPEN:
        pool.state = PoolState.BROKEN
    return e.Fault(error=error, answered=pool.state is PoolState.CLOSED)
