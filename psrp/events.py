"""The PSRP messages, one class each, for both sides: the event that one peer passes to `send()`
is the event that the other gets from `next_event()`.

The second group contains the steps that PSRP leaves to its transport (stop, close, disconnect ...).
They are events too, because they move the state machines. The last group is never sent: it
reports irregularities to the caller (`UnknownMessage`, `Ignored`, `Fault`).
"""

from __future__ import annotations

from dataclasses import field
from typing import Any
from uuid import UUID

from psrp.clixml import DateTime, Dictionary
from psrp.commands import PowerShell
from psrp.enums import ApartmentState, InvocationState, RunspaceState, ThreadOptions
from psrp.frozen import dataclass
from psrp.host import HostInfo
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord
from psrp.sansio import RemoteProtocolError
from psrp.versions import PS_VERSION, SERIALIZATION_VERSION

__all__ = [
    "ApartmentState",
    "ApplicationPrivateData",
    "ClosePipeline",
    "ClosePool",
    "ConnectPipeline",
    "ConnectRunspacePool",
    "CreatePipeline",
    "DebugRecordMessage",
    "Disconnect",
    "EncryptedSessionKey",
    "EndOfPipelineInput",
    "ErrorRecordMessage",
    "Event",
    "Fault",
    "GetAvailableRunspaces",
    "GetCommandMetadata",
    "Ignored",
    "InformationRecordMessage",
    "InitRunspacePool",
    "InvocationState",
    "PipelineEvent",
    "PipelineHostCall",
    "PipelineHostResponse",
    "PipelineInput",
    "PipelineOutput",
    "PipelineStateMessage",
    "ProgressRecordMessage",
    "PublicKey",
    "PublicKeyRequest",
    "Reconnect",
    "ResetRunspaceState",
    "RunspaceAvailability",
    "RunspacePoolHostCall",
    "RunspacePoolHostResponse",
    "RunspacePoolInitData",
    "RunspacePoolStateMessage",
    "RunspaceState",
    "SessionCapability",
    "SetMaxRunspaces",
    "SetMinRunspaces",
    "StopPipeline",
    "StopPowerShell",
    "ThreadOptions",
    "UnknownMessage",
    "UserEvent",
    "VerboseRecordMessage",
    "WarningRecordMessage",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events. Events are equal if their class and fields are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEvent(Event):
    """An event of one pipeline."""

    pipeline_id: UUID


# -- session and pool messages


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCapability(Event):
    """SESSION_CAPABILITY, [MS-PSRP] 2.2.2.1."""

    protocol_version: str
    """As announced, ``2.3``; compared as text: ``2.3.0.0`` is another version."""
    ps_version: str = PS_VERSION
    serialization_version: str = SERIALIZATION_VERSION
    time_zone: bytes | None = None
    """An opaque .NET BinaryFormatter blob of old clients; never unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRunspacePool(Event):
    """INIT_RUNSPACEPOOL, [MS-PSRP] 2.2.2.2."""

    min_runspaces: int = 1
    max_runspaces: int = 1
    thread_options: int = ThreadOptions.DEFAULT
    apartment_state: int = ApartmentState.UNKNOWN
    application_arguments: Dictionary | dict[str, Any] | None = None
    host_info: HostInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey(Event):
    """PUBLIC_KEY, [MS-PSRP] 2.2.2.3: base64 of a CAPI PUBLICKEYBLOB."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedSessionKey(Event):
    """ENCRYPTED_SESSION_KEY, [MS-PSRP] 2.2.2.4: base64 of a CAPI SIMPLEBLOB."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyRequest(Event):
    """PUBLIC_KEY_REQUEST, [MS-PSRP] 2.2.2.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRunspacePool(Event):
    """CONNECT_RUNSPACEPOOL, [MS-PSRP] 2.2.2.29; without counts the body is an empty string."""

    min_runspaces: int | None = None
    max_runspaces: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMaxRunspaces(Event):
    """SET_MAX_RUNSPACES, [MS-PSRP] 2.2.2.6."""

    count: int
    call_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMinRunspaces(Event):
    """SET_MIN_RUNSPACES, [MS-PSRP] 2.2.2.7."""

    count: int
    call_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunspaceAvailability(Event):
    """RUNSPACE_AVAILABILITY, [MS-PSRP] 2.2.2.8: the answer to SET_MIN, SET_MAX, GET and RESET.

    The ``call_id`` alone identifies the request that it answers.
    """

    call_id: int
    answer: int | bool
    """The number of free runspaces (for a query), or whether the change was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunspacePoolStateMessage(Event):
    """RUNSPACEPOOL_STATE, [MS-PSRP] 2.2.2.9."""

    state: RunspaceState
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAvailableRunspaces(Event):
    """GET_AVAILABLE_RUNSPACES, [MS-PSRP] 2.2.2.11."""

    call_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent(Event):
    """USER_EVENT, [MS-PSRP] 2.2.2.12."""

    event_id: int
    source_id: str
    time_generated: DateTime | None = None
    sender: Any = None
    arguments: Any = None
    message_data: Any = None
    computer: str | None = None
    runspace_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPrivateData(Event):
    """APPLICATION_PRIVATE_DATA, [MS-PSRP] 2.2.2.13."""

    data: Dictionary | dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunspacePoolInitData(Event):
    """RUNSPACEPOOL_INIT_DATA, [MS-PSRP] 2.2.2.30. PowerShell swaps the two numbers on the
    wire; here the smaller one is always the minimum."""

    min_runspaces: int
    max_runspaces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRunspaceState(Event):
    """RESET_RUNSPACE_STATE, [MS-PSRP] 2.2.2.31; from protocol 2.3 on."""

    call_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunspacePoolHostCall(Event):
    """RUNSPACEPOOL_HOST_CALL, [MS-PSRP] 2.2.2.15."""

    call_id: int
    """-100 for a void method, which must not be answered."""
    method: int
    """A HostMethodId; an unknown number is kept as a plain int."""
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunspacePoolHostResponse(Event):
    """RUNSPACEPOOL_HOST_RESPONSE, [MS-PSRP] 2.2.2.16."""

    call_id: int
    method: int
    result: Any = None
    error: ErrorRecord | None = None


# -- pipeline messages


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePipeline(PipelineEvent):
    """CREATE_PIPELINE, [MS-PSRP] 2.2.2.10."""

    powershell: PowerShell
    no_input: bool = True
    apartment_state: int = ApartmentState.UNKNOWN
    remote_stream_options: int = 0
    add_to_history: bool = False
    host_info: HostInfo
    is_nested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCommandMetadata(PipelineEvent):
    """GET_COMMAND_METADATA, [MS-PSRP] 2.2.2.14. None means a Nil member."""

    names: tuple[str, ...] | None = None
    command_types: int = 271
    """CommandTypes bits; the default is Alias, Function, Filter, Cmdlet, Configuration."""
    namespaces: tuple[str, ...] | None = None
    arguments: tuple[Any, ...] | None = None
    fully_qualified_modules: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineInput(PipelineEvent):
    """PIPELINE_INPUT, [MS-PSRP] 2.2.2.17."""

    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfPipelineInput(PipelineEvent):
    """END_OF_PIPELINE_INPUT, [MS-PSRP] 2.2.2.18."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOutput(PipelineEvent):
    """PIPELINE_OUTPUT, [MS-PSRP] 2.2.2.19."""

    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecordMessage(Event):
    """ERROR_RECORD, [MS-PSRP] 2.2.2.20. Some endpoints send records to the pool: no pipeline."""

    pipeline_id: UUID | None
    record: ErrorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugRecordMessage(Event):
    """DEBUG_RECORD, [MS-PSRP] 2.2.2.22."""

    pipeline_id: UUID | None
    record: InformationalRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class VerboseRecordMessage(Event):
    """VERBOSE_RECORD, [MS-PSRP] 2.2.2.23."""

    pipeline_id: UUID | None
    record: InformationalRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRecordMessage(Event):
    """WARNING_RECORD, [MS-PSRP] 2.2.2.24."""

    pipeline_id: UUID | None
    record: InformationalRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRecordMessage(Event):
    """PROGRESS_RECORD, [MS-PSRP] 2.2.2.25."""

    pipeline_id: UUID | None
    record: ProgressRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationRecordMessage(Event):
    """INFORMATION_RECORD, [MS-PSRP] 2.2.2.26."""

    pipeline_id: UUID | None
    record: InformationRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStateMessage(PipelineEvent):
    """PIPELINE_STATE, [MS-PSRP] 2.2.2.21."""

    state: InvocationState
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineHostCall(PipelineEvent):
    """PIPELINE_HOST_CALL, [MS-PSRP] 2.2.2.27."""

    call_id: int
    method: int
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineHostResponse(PipelineEvent):
    """PIPELINE_HOST_RESPONSE, [MS-PSRP] 2.2.2.28."""

    call_id: int
    method: int
    result: Any = None
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPowerShell(PipelineEvent):
    """Message 0x00041012: a stop inside the protocol. Clients use StopPipeline instead."""


# -- steps of the transport


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPipeline(PipelineEvent):
    """The client requests a stop; from the server: the pipeline was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePipeline(PipelineEvent):
    """The client closes the pipeline; from the server: it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPipeline(PipelineEvent):
    """A new client connects to a running pipeline; from the server: done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePool(Event):
    """The client closes the pool; from the server: it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect(Event):
    """The client disconnects and the pool continues; from the server: done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect(Event):
    """The client that disconnected reconnects; from the server: done."""


# -- reports to the caller


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMessage(Event):
    """A message of an unknown type; the conversation continues."""

    message_type: int
    pipeline_id: UUID | None = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored(Event):
    """A valid message that real peers drop: for a pipeline that is gone, for the other side ..."""

    message_type: int
    pipeline_id: UUID | None = None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """The peer broke a rule; one message or one pipeline is lost, the pool continues."""

    pipeline_id: UUID | None = None
    error: RemoteProtocolError
    answered: bool = False
    """True if messages of the protocol have informed the peer; the carrier reports nothing."""
