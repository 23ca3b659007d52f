"""Whole messages: an event of every class, with every legal value in its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from psrp import events as e
from psrp.clixml.strategies import brief, values
from psrp.host import METHODS, VOID_CALL_ID, is_void
from psrp.messages import MESSAGES
from psrp.sansio import Side
from psrp.strategies import parts

__all__ = ["CALL_IDS", "host_calls", "host_responses", "messages", "messages_of"]

CALL_IDS = st.integers(1, 2**63 - 1)

_COUNT = st.integers(1, 2**31 - 1)
_ID = st.uuids()
_KEY = st.binary(max_size=40).map(bytes.hex)
_VERSION = st.sampled_from(["2.3", "2.0", "2.1", "2.2", "2.4", "7.6.1", "2.3.0.0"])
_POOL_OR_PIPELINE = st.none() | _ID


@st.composite
def host_calls(draw: DrawFn, /, kind: Callable[..., e.Event], **fields: SearchStrategy[Any]) -> Any:
    """Generate a call of any of the 56 methods; ``fields`` replace drawn values."""
    method = draw(st.sampled_from(sorted(METHODS)))
    drawn = {name: draw(strategy) for name, strategy in fields.items()}
    if is_void(method):
        drawn["call_id"] = VOID_CALL_ID
    else:
        drawn.setdefault("call_id", draw(CALL_IDS))
    return kind(method=method, arguments=draw(parts.host_arguments(method)), **drawn)


@st.composite
def host_responses(
    draw: DrawFn, /, kind: Callable[..., e.Event], **fields: SearchStrategy[Any]
) -> Any:
    """Generate the answer to a call of any method with a result: that result, or an error."""
    drawn = {name: draw(strategy) for name, strategy in fields.items()}
    if "method" not in drawn:
        drawn["method"] = draw(st.sampled_from([m for m in sorted(METHODS) if not is_void(m)]))
    drawn.setdefault("call_id", draw(CALL_IDS))
    if draw(st.booleans()):
        drawn["error"] = draw(parts.error_records(bare=True))
    else:
        drawn["result"] = draw(parts.host_results(drawn["method"]))
    return kind(**drawn)


def _init_pools() -> SearchStrategy[e.InitRunspacePool]:
    return st.builds(
        e.InitRunspacePool,
        min_runspaces=_COUNT,
        max_runspaces=_COUNT,
        thread_options=st.sampled_from(e.ThreadOptions),
        apartment_state=st.sampled_from(e.ApartmentState),
        application_arguments=st.none() | parts.primitive_dictionaries(),
        host_info=parts.host_infos(),
    )


def _create_pipelines() -> SearchStrategy[e.CreatePipeline]:
    return st.builds(
        e.CreatePipeline,
        pipeline_id=_ID,
        powershell=parts.power_shells((2, 3)),
        no_input=st.booleans(),
        apartment_state=st.sampled_from(e.ApartmentState),
        remote_stream_options=st.integers(0, 15),
        add_to_history=st.booleans(),
        host_info=parts.host_infos(),
        is_nested=st.booleans(),
    )


def _get_commands() -> SearchStrategy[e.GetCommandMetadata]:
    texts = st.none() | st.lists(parts.TEXT, max_size=3).map(tuple)
    return st.builds(
        e.GetCommandMetadata,
        pipeline_id=_ID,
        names=texts,
        command_types=st.integers(0, 511),
        namespaces=texts,
        arguments=st.none() | st.lists(parts.SCALAR, max_size=2).map(tuple),
    )


def _user_events() -> SearchStrategy[e.UserEvent]:
    value = values(max_leaves=3)
    return st.builds(
        e.UserEvent,
        event_id=parts.int32(),
        source_id=parts.TEXT,
        time_generated=parts.TIME,
        sender=value,
        arguments=value,
        message_data=value,
        computer=st.none() | parts.TEXT,
        runspace_id=_ID,
    )


def _data(kind: type[e.Event]) -> SearchStrategy[Any]:
    return st.builds(kind, pipeline_id=_ID, data=values())


def _record(kind: type[e.Event], record: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.builds(kind, pipeline_id=_POOL_OR_PIPELINE, record=record)


def _init_data() -> SearchStrategy[e.RunspacePoolInitData]:
    return st.tuples(_COUNT, _COUNT).map(
        lambda counts: e.RunspacePoolInitData(min_runspaces=min(counts), max_runspaces=max(counts))
    )


_ERROR = st.none() | parts.error_records()
_NOTE = parts.informational_records()

_BY_CLASS: dict[type[e.Event], SearchStrategy[Any]] = {
    e.SessionCapability: st.builds(
        e.SessionCapability,
        protocol_version=_VERSION,
        ps_version=_VERSION,
        serialization_version=_VERSION,
        time_zone=st.none() | st.binary(max_size=20),
    ),
    e.InitRunspacePool: _init_pools(),
    e.PublicKey: st.builds(e.PublicKey, key=_KEY),
    e.EncryptedSessionKey: st.builds(e.EncryptedSessionKey, key=_KEY),
    e.PublicKeyRequest: st.builds(e.PublicKeyRequest),
    e.ConnectRunspacePool: st.builds(
        e.ConnectRunspacePool, min_runspaces=st.none() | _COUNT, max_runspaces=st.none() | _COUNT
    ),
    e.SetMaxRunspaces: st.builds(e.SetMaxRunspaces, count=parts.int32(), call_id=CALL_IDS),
    e.SetMinRunspaces: st.builds(e.SetMinRunspaces, count=parts.int32(), call_id=CALL_IDS),
    e.RunspaceAvailability: st.builds(
        e.RunspaceAvailability, call_id=CALL_IDS, answer=st.booleans() | _COUNT
    ),
    e.RunspacePoolStateMessage: st.builds(
        e.RunspacePoolStateMessage, state=st.sampled_from(e.RunspaceState), error=_ERROR
    ),
    e.CreatePipeline: _create_pipelines(),
    e.GetAvailableRunspaces: st.builds(e.GetAvailableRunspaces, call_id=CALL_IDS),
    e.UserEvent: _user_events(),
    e.ApplicationPrivateData: st.builds(
        e.ApplicationPrivateData, data=st.none() | parts.primitive_dictionaries()
    ),
    e.GetCommandMetadata: _get_commands(),
    e.RunspacePoolInitData: _init_data(),
    e.ResetRunspaceState: st.builds(e.ResetRunspaceState, call_id=CALL_IDS),
    e.RunspacePoolHostCall: host_calls(e.RunspacePoolHostCall),
    e.RunspacePoolHostResponse: host_responses(e.RunspacePoolHostResponse),
    e.PipelineInput: _data(e.PipelineInput),
    e.EndOfPipelineInput: st.builds(e.EndOfPipelineInput, pipeline_id=_ID),
    e.PipelineOutput: _data(e.PipelineOutput),
    e.ErrorRecordMessage: _record(e.ErrorRecordMessage, parts.error_records()),
    e.PipelineStateMessage: st.builds(
        e.PipelineStateMessage,
        pipeline_id=_ID,
        state=st.sampled_from(e.InvocationState),
        error=_ERROR,
    ),
    e.DebugRecordMessage: _record(e.DebugRecordMessage, _NOTE),
    e.VerboseRecordMessage: _record(e.VerboseRecordMessage, _NOTE),
    e.WarningRecordMessage: _record(e.WarningRecordMessage, _NOTE),
    e.ProgressRecordMessage: _record(e.ProgressRecordMessage, parts.progress_records()),
    e.InformationRecordMessage: _record(e.InformationRecordMessage, parts.information_records()),
    e.StopPowerShell: st.builds(e.StopPowerShell, pipeline_id=_ID),
    e.PipelineHostCall: host_calls(e.PipelineHostCall, pipeline_id=_ID),
    e.PipelineHostResponse: host_responses(e.PipelineHostResponse, pipeline_id=_ID),
}


def messages_of(kind: type[e.Event]) -> SearchStrategy[Any]:
    """Generate messages of one class. Raises ValueError for an event that is not a message."""
    found = _BY_CLASS.get(kind)
    if found is None:
        raise ValueError(f"{kind.__name__} is not a message")
    return brief(found)


def messages(*, side: Side | None = None) -> SearchStrategy[e.Event]:
    """Generate every message of the protocol, or those that ``side`` sends, as an event.

    `decode` returns an equal event for the output of `psrp.messages.encode`. Contains no
    SecureStrings. Shrinks to a message that has no fields (PUBLIC_KEY_REQUEST), then towards the
    first in the table of `psrp.messages`.
    """
    if side is not None and not isinstance(side, Side):
        raise ValueError(f"side is {side!r}; Side.CLIENT, Side.SERVER or None is meant")
    kinds = [
        known.event
        for known in MESSAGES.values()
        if side is None or known.sender is None or known.sender is side
    ]
    return st.sampled_from(kinds).flatmap(messages_of)
