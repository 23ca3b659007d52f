"""The rules of each event beyond the order that `psrp.states` defines, one row per event class.

A row of `RULES` has up to four functions, each called with the pool's context, the channel of the
event's target and the event:

* ``check`` runs before sending and raises LocalProtocolError for illegal events;
* ``sent`` runs after sending and updates the pool's data;
* ``accept`` runs on receipt, before any state changes, and raises MessageError;
* ``react`` runs on receipt, after the state has changed. It returns the event to report to the
  caller, or None if sending an answer is all that has to be done.

The answers of the real server to unusual clients are in `outofproc/probes`;
spec-notes/server-answers.md lists each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from uuid import UUID

from psrp import events as e
from psrp import versions
from psrp.channels import Channel
from psrp.host_methods import VOID_CALL_ID
from psrp.messages import MessageType, type_of
from psrp.negotiation import client_refusal, server_answer
from psrp.pool_context import PoolContext
from psrp.sansio import LocalProtocolError, MessageError, TransportAct, UnexpectedMessage
from psrp.states import Incident, PipelinePhase, PoolState

if TYPE_CHECKING:
    from psrp.records import ErrorRecord

__all__ = [
    "OPENER_TYPES",
    "PUBLIC_KEY_TYPE",
    "RULES",
    "Rule",
    "act_failed",
    "close_by_server",
    "event_of_act",
    "server_violation",
]

Check: TypeAlias = Callable[[PoolContext, Channel, Any], None]
React: TypeAlias = Callable[[PoolContext, Channel, Any], "e.Event | None"]


class Rule(NamedTuple):
    """The rules of one event class; see the top of this file."""

    check: Check | None = None
    sent: Check | None = None
    accept: Check | None = None
    react: React | None = None
    act: TransportAct | None = None
    """The transport step of the event; None for a message."""


PUBLIC_KEY_TYPE = MessageType.PUBLIC_KEY.to_bytes(4, "little")

#: The messages that create a pipeline at a server.
OPENER_TYPES = frozenset({MessageType.CREATE_PIPELINE, MessageType.GET_COMMAND_METADATA})

_OF_PIPELINES = (
    TransportAct.CREATE_PIPELINE,
    TransportAct.STOP_PIPELINE,
    TransportAct.CLOSE_PIPELINE,
)


# -- opening and connecting


def _announces_own_version(pool: PoolContext, channel: Channel, event: e.SessionCapability) -> None:
    if not pool.serves and event.protocol_version != pool.own_version:
        raise LocalProtocolError(
            f"cannot announce version {event.protocol_version}: the pool's is {pool.own_version}"
        )


def _accept_server(pool: PoolContext, channel: Channel, event: e.SessionCapability) -> None:
    if not pool.serves and (reason := client_refusal(event, pool.own_version)):
        raise MessageError("SESSION_CAPABILITY", reason)


def _negotiate(pool: PoolContext, channel: Channel, event: e.SessionCapability) -> e.Event:
    if not pool.serves:
        pool.set_version(event.protocol_version)
        return event
    connecting = pool.version is not None
    answer, refusal = server_answer(event, pool.own_version, connecting=connecting)
    if connecting:
        pool.keys.reset()
        pool.channels.switch_client()
    pool.set_version(answer.protocol_version)
    pool.reply(answer, new_pool=not connecting, refused=refusal is not None)
    if refusal is not None:
        error = MessageError("SESSION_CAPABILITY", refusal, "protocolversion")
        pool.show(e.Fault(error=error, answered=True))
    return event


def _check_counts(pool: PoolContext, channel: Channel, event: e.InitRunspacePool) -> None:
    if not 1 <= event.min_runspaces <= event.max_runspaces:
        raise LocalProtocolError(
            f"expected 1 <= min_runspaces <= max_runspaces,"
            f" got {event.min_runspaces} and {event.max_runspaces}"
        )


def _accept_counts(pool: PoolContext, channel: Channel, event: e.InitRunspacePool) -> None:
    if event.max_runspaces < 1 or event.min_runspaces < 1:
        raise MessageError("INIT_RUNSPACEPOOL", "a pool has at least one runspace", "MinRunspaces")
    if event.min_runspaces > event.max_runspaces:
        raise MessageError("INIT_RUNSPACEPOOL", "more runspaces than the maximum", "MinRunspaces")


def _set_counts(pool: PoolContext, channel: Channel, event: Any) -> None:
    if event.min_runspaces is not None:
        pool.min_runspaces = event.min_runspaces
    if event.max_runspaces is not None:
        pool.max_runspaces = event.max_runspaces


def _init(pool: PoolContext, channel: Channel, event: e.InitRunspacePool) -> e.Event:
    _set_counts(pool, channel, event)
    pool.application_arguments = event.application_arguments
    return event


def _check_connect(pool: PoolContext, channel: Channel, event: e.ConnectRunspacePool) -> None:
    if versions.number(pool.own_version) < versions.CONNECT_SINCE:
        raise LocalProtocolError(f"cannot connect: version {pool.own_version} is below 2.2")


def _connect_sent(pool: PoolContext, channel: Channel, event: e.ConnectRunspacePool) -> None:
    channel.opening_act = TransportAct.CONNECT
    pool.channels.restart_pool_input()
    _set_counts(pool, channel, event)


def _accept_pool_size(pool: PoolContext, channel: Channel, event: e.ConnectRunspacePool) -> None:
    # PowerShell refuses only when both differ.
    if (
        event.min_runspaces not in (None, pool.min_runspaces)
        and event.max_runspaces not in (None, pool.max_runspaces)
    ):  # fmt: skip
        raise MessageError("CONNECT_RUNSPACEPOOL", "the pool has another size", "MinRunspaces")


def _connect(pool: PoolContext, channel: Channel, event: e.ConnectRunspacePool) -> e.Event:
    pool.reply(
        e.RunspacePoolInitData(min_runspaces=pool.min_runspaces, max_runspaces=pool.max_runspaces)
    )
    pool.channels.restore_withdrawn()
    for id, other in pool.channels.pipelines.items():
        if other.pipeline is not None and other.pipeline.incident(Incident.CLIENT_REPLACED):
            pool.show(e.EndOfPipelineInput(pipeline_id=id))
    pool.send_parked()
    return event


def _connected(pool: PoolContext, channel: Channel, event: e.RunspacePoolInitData) -> e.Event:
    _set_counts(pool, channel, event)
    return event


def _connect_pipeline(pool: PoolContext, channel: Channel, event: e.ConnectPipeline) -> e.Event:
    if pool.serves:
        channel.on_hold = False
        pool.channels.enqueue(channel)
    return event


def _private_data_sent(
    pool: PoolContext, channel: Channel, event: e.ApplicationPrivateData
) -> None:
    pool.application_private_data = event.data


def _private_data(pool: PoolContext, channel: Channel, event: e.ApplicationPrivateData) -> e.Event:
    pool.application_private_data = event.data
    return event


def _pool_state(pool: PoolContext, channel: Channel, event: e.RunspacePoolStateMessage) -> e.Event:
    if pool.state is PoolState.BROKEN:
        pool.end_pipelines(event.error)
    return event


# -- disconnecting and reconnecting


def _check_disconnect(pool: PoolContext, channel: Channel, event: e.Disconnect) -> None:
    if pool.keys.version < versions.CONNECT_SINCE:
        raise LocalProtocolError(f"cannot disconnect: version {pool.version} is below 2.2")


def _disconnect_sent(pool: PoolContext, channel: Channel, event: e.Disconnect) -> None:
    if pool.serves:
        pool.channels.hold()


def _reconnect_sent(pool: PoolContext, channel: Channel, event: e.Reconnect) -> None:
    if pool.serves:
        pool.channels.release()
        pool.send_parked()


def _reconnected(pool: PoolContext, channel: Channel, event: e.Reconnect) -> e.Event:
    pool.send_parked()
    return event


def _pool_closing(pool: PoolContext, channel: Channel, event: e.ClosePool) -> None:
    pool.discard_parked()


# -- the session key


def _key_requested(pool: PoolContext, channel: Channel, event: e.Event) -> None:
    pool.keys.requested = True


def _public_key(pool: PoolContext, channel: Channel, event: e.PublicKey) -> e.Event:
    pool.queue(e.EncryptedSessionKey(key=pool.keys.accept_public_key(event.key)))
    pool.send_parked()
    return event


def _public_key_request(pool: PoolContext, channel: Channel, event: e.PublicKeyRequest) -> e.Event:
    if pool.keys.possible:
        pool.keys.requested = True
        pool.queue(e.PublicKey(key=pool.keys.public_key()))
    return event


def _session_key(pool: PoolContext, channel: Channel, event: e.EncryptedSessionKey) -> e.Event:
    pool.keys.accept_session_key(event.key)
    pool.send_parked()
    return event


# -- requests about the pool


def _check_request(pool: PoolContext, channel: Channel, event: Any) -> None:
    if event.call_id in pool.open_requests:
        raise LocalProtocolError(f"request {event.call_id} is open already")


def _check_reset(pool: PoolContext, channel: Channel, event: e.ResetRunspaceState) -> None:
    if pool.keys.version < versions.RESET_SINCE:
        raise LocalProtocolError(f"cannot reset: version {pool.version} is below 2.3")
    _check_request(pool, channel, event)


def _request_sent(pool: PoolContext, channel: Channel, event: Any) -> None:
    pool.open_requests[event.call_id] = event


def _set_limit(pool: PoolContext, channel: Channel, event: Any) -> e.Event | None:
    """Answer SET_MIN and SET_MAX: true for a legal value, including the present one."""
    low, high = pool.min_runspaces, pool.max_runspaces
    if isinstance(event, e.SetMinRunspaces):
        low = event.count
    else:
        high = event.count
    legal = 1 <= low <= high
    pool.queue(e.RunspaceAvailability(call_id=event.call_id, answer=legal))
    if not legal:
        return _ignored(event, f"{low}..{high} runspaces")
    pool.min_runspaces, pool.max_runspaces = low, high
    return event  # type: ignore[no-any-return]


def _available(pool: PoolContext, channel: Channel, event: e.GetAvailableRunspaces) -> e.Event:
    free = max(0, pool.max_runspaces - pool.channels.running)
    pool.queue(e.RunspaceAvailability(call_id=event.call_id, answer=free))
    return event


def _reset(pool: PoolContext, channel: Channel, event: e.ResetRunspaceState) -> e.Event:
    """Report the request to the engine, which resets and answers; only a pool of one can reset."""
    if pool.max_runspaces == 1:
        return event
    pool.queue(e.RunspaceAvailability(call_id=event.call_id, answer=False))
    return _ignored(event, "only a pool of one runspace can be reset")


def _availability(pool: PoolContext, channel: Channel, event: e.RunspaceAvailability) -> e.Event:
    request = pool.open_requests.pop(event.call_id, None)
    if request is None:
        return _ignored(event, f"no request {event.call_id} is open")
    if event.answer is True and isinstance(request, e.SetMaxRunspaces):
        pool.max_runspaces = request.count
    if event.answer is True and isinstance(request, e.SetMinRunspaces):
        pool.min_runspaces = request.count
    return event


# -- host calls


def _check_call(pool: PoolContext, channel: Channel, event: Any) -> None:
    if event.call_id != VOID_CALL_ID and event.call_id in channel.host_calls:
        raise LocalProtocolError(f"host call {event.call_id} is open already")


def _call_sent(pool: PoolContext, channel: Channel, event: Any) -> None:
    if event.call_id != VOID_CALL_ID:
        channel.host_calls[event.call_id] = event.method


def _call(pool: PoolContext, channel: Channel, event: Any) -> e.Event:
    _call_sent(pool, channel, event)
    return event  # type: ignore[no-any-return]


def _check_response(pool: PoolContext, channel: Channel, event: Any) -> None:
    if event.call_id not in channel.host_calls:
        raise LocalProtocolError(f"no host call {event.call_id} is open")


def _response_sent(pool: PoolContext, channel: Channel, event: Any) -> None:
    channel.host_calls.pop(event.call_id, None)


def _response(pool: PoolContext, channel: Channel, event: Any) -> e.Event:
    if channel.host_calls.pop(event.call_id, None) is None:
        return _ignored(event, f"no host call {event.call_id} is open")
    return event  # type: ignore[no-any-return]


# -- pipelines


def _created(pool: PoolContext, channel: Channel, event: e.CreatePipeline) -> e.Event:
    if event.is_nested and pool.max_runspaces > 1:
        event = replace(event, is_nested=False)
    channel.is_nested = event.is_nested
    return event


def _state_sent(pool: PoolContext, channel: Channel, event: e.PipelineStateMessage) -> None:
    if event.state is not e.InvocationState.RUNNING:
        channel.host_calls.clear()


def _pipeline_state(pool: PoolContext, channel: Channel, event: e.PipelineStateMessage) -> e.Event:
    _state_sent(pool, channel, event)
    return event


def _stop_sent(pool: PoolContext, channel: Channel, event: e.Event) -> None:
    pool.discard_parked(channel)


def _stopped(pool: PoolContext, channel: Channel, event: e.Event) -> e.Event:
    channel.host_calls.clear()
    return event


def _close_sent(pool: PoolContext, channel: Channel, event: e.ClosePipeline) -> None:
    pool.discard_parked(channel)
    if channel.pipeline is not None and channel.pipeline.state is PipelinePhase.CLOSED:
        pool.channels.forget(channel)


def _closed(pool: PoolContext, channel: Channel, event: e.ClosePipeline) -> e.Event:
    channel.host_calls.clear()
    _close_sent(pool, channel, event)
    return event


RULES: dict[type[e.Event], Rule] = {
    e.SessionCapability: Rule(
        check=_announces_own_version, accept=_accept_server, react=_negotiate
    ),
    e.InitRunspacePool: Rule(
        check=_check_counts, sent=_set_counts, accept=_accept_counts, react=_init
    ),
    e.ConnectRunspacePool: Rule(
        check=_check_connect, sent=_connect_sent, accept=_accept_pool_size, react=_connect
    ),
    e.RunspacePoolInitData: Rule(react=_connected),
    e.ApplicationPrivateData: Rule(sent=_private_data_sent, react=_private_data),
    e.RunspacePoolStateMessage: Rule(react=_pool_state),
    e.PublicKey: Rule(sent=_key_requested, react=_public_key),
    e.PublicKeyRequest: Rule(sent=_key_requested, react=_public_key_request),
    e.EncryptedSessionKey: Rule(react=_session_key),
    e.SetMinRunspaces: Rule(check=_check_request, sent=_request_sent, react=_set_limit),
    e.SetMaxRunspaces: Rule(check=_check_request, sent=_request_sent, react=_set_limit),
    e.GetAvailableRunspaces: Rule(check=_check_request, sent=_request_sent, react=_available),
    e.ResetRunspaceState: Rule(check=_check_reset, sent=_request_sent, react=_reset),
    e.RunspaceAvailability: Rule(react=_availability),
    e.CreatePipeline: Rule(react=_created),
    e.PipelineStateMessage: Rule(sent=_state_sent, react=_pipeline_state),
    e.RunspacePoolHostCall: Rule(check=_check_call, sent=_call_sent, react=_call),
    e.PipelineHostCall: Rule(check=_check_call, sent=_call_sent, react=_call),
    e.RunspacePoolHostResponse: Rule(check=_check_response, sent=_response_sent, react=_response),
    e.PipelineHostResponse: Rule(check=_check_response, sent=_response_sent, react=_response),
    e.StopPowerShell: Rule(react=_stopped),
    e.StopPipeline: Rule(sent=_stop_sent, react=_stopped, act=TransportAct.STOP_PIPELINE),
    e.ClosePipeline: Rule(sent=_close_sent, react=_closed, act=TransportAct.CLOSE_PIPELINE),
    e.ConnectPipeline: Rule(react=_connect_pipeline, act=TransportAct.CONNECT),
    e.ClosePool: Rule(sent=_pool_closing, act=TransportAct.CLOSE_POOL),
    e.Disconnect: Rule(check=_check_disconnect, sent=_disconnect_sent, act=TransportAct.DISCONNECT),
    e.Reconnect: Rule(sent=_reconnect_sent, react=_reconnected, act=TransportAct.RECONNECT),
}
"""Events without a row have no rule except the order in `psrp.states`."""

_BY_ACT = {rule.act: kind for kind, rule in RULES.items() if rule.act is not None}


def _ignored(event: e.Event, reason: str) -> e.Ignored:
    return e.Ignored(
        message_type=type_of(event),
        pipeline_id=getattr(event, "pipeline_id", None),
        reason=reason,
    )


# -- steps of the transport


def event_of_act(act: TransportAct, target: UUID | None) -> e.Event | None:
    """Return the event of a step that the carrier reports, or None if messages describe it.

    Raises LocalProtocolError for a pool's act with a target and vice versa.
    """
    if (act in _OF_PIPELINES) is (target is None) and act is not TransportAct.CONNECT:
        raise LocalProtocolError(f"{act.value}: unexpected target {target}")
    kind = _BY_ACT.get(act)
    if kind is None or (act is TransportAct.CONNECT and target is None):
        return None
    return kind() if target is None else kind(pipeline_id=target)  # type: ignore[call-arg]


def act_failed(
    pool: PoolContext, act: TransportAct, target: UUID | None, error: ErrorRecord | None
) -> e.Event | None:
    """Apply the failure of a step of the transport at a client.

    Returns the confirming event of a step that counts as done: stop and close.
    """
    if target is not None and act in (TransportAct.CREATE_PIPELINE, TransportAct.CONNECT):
        channel = pool.channels.find(target)
        if channel is not None:
            pool.discard_parked(channel)
            channel.discard_outgoing()
            pool.end_pipeline(channel, Incident.TRANSPORT_LOST, target, error)
            pool.channels.forget(channel)
        return None
    if act in (TransportAct.CREATE_POOL, TransportAct.CONNECT):
        pool.break_pool(Incident.TRANSPORT_LOST, error)
        broken = e.RunspaceState.BROKEN
        pool.show(e.RunspacePoolStateMessage(state=broken, error=error))
        return None
    if act in (TransportAct.DISCONNECT, TransportAct.RECONNECT):
        pool.machine.incident(Incident.ACT_REFUSED)
        return None
    return event_of_act(act, target)


# -- a server's answer to a legal message at the wrong time


def close_by_server(pool: PoolContext) -> None:
    """Close the pool from the server: RUNSPACEPOOL_STATE Closing, then Closed.

    Before the client has announced its version, nothing can be sent.
    """
    if pool.state is PoolState.BEFORE_OPEN:
        pool.machine.incident(Incident.RULE_BROKEN)
        return
    for state in (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED):
        pool.reply(e.RunspacePoolStateMessage(state=state))


def server_violation(pool: PoolContext, event: e.Event, error: UnexpectedMessage) -> e.Event:
    """Apply the effect of an out-of-state message on a server's pool. [ref] outofproc/probes"""
    if isinstance(event, e.SessionCapability) and pool.state is not PoolState.NEGOTIATION_SENT:
        close_by_server(pool)
    elif isinstance(event, e.InitRunspacePool) and pool.state is PoolState.BEFORE_OPEN:
        pool.machine.incident(Incident.RULE_BROKEN)
    return e.Fault(error=error, answered=pool.state is PoolState.CLOSED)
