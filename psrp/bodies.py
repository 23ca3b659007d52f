# table: the body of every message
"""The bodies of the messages: one table of fields for each, or a pair of functions.

Members are written in the order in which PowerShell writes them; ``EncodeAndDecode.cs``,
[MS-PSRP] 2.2.2. `psrp.fields` explains the tables. Writing raises LocalProtocolError, reading
MessageError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psrp import events as e
from psrp.clixml import Int64, PSObject
from psrp.commands import read_powershell, write_powershell
from psrp.enums import (
    ApartmentState,
    CommandTypes,
    InvocationState,
    RemoteStreamOptions,
    RunspaceState,
    ThreadOptions,
)
from psrp.fields import (
    ANYTHING,
    BOOLEAN,
    CALL_ID,
    ERROR,
    GUID,
    INT32,
    OPTIONAL_BYTES,
    OPTIONAL_INT32,
    PRIMITIVES,
    TEXT,
    TEXT_OR_EMPTY,
    TEXT_OR_NIL,
    TEXTS,
    TIME,
    VALUES,
    VERSION,
    Body,
    Codec,
    FieldType,
    enum,
    known_enum,
    pipeline_of,
)
from psrp.host import read_host_info, write_host_info
from psrp.host_methods import (
    HostMethodId,
    read_arguments,
    read_result,
    write_arguments,
    write_result,
)
from psrp.properties import Properties, bag, int32, int64, unwrap, write_enum
from psrp.records import ErrorRecord
from psrp.versions import NESTED_REQUIRED_SINCE, ProtocolVersion

__all__ = [
    "APPLICATION_PRIVATE_DATA",
    "CONNECT_RUNSPACEPOOL",
    "CREATE_PIPELINE",
    "ENCRYPTED_SESSION_KEY",
    "GET_COMMAND_METADATA",
    "INIT_RUNSPACEPOOL",
    "PIPELINE_STATE",
    "PUBLIC_KEY",
    "PUBLIC_KEY_REQUEST",
    "RUNSPACEPOOL_INIT_DATA",
    "RUNSPACEPOOL_STATE",
    "RUNSPACE_AVAILABILITY",
    "SESSION_CAPABILITY",
    "SET_MAX_RUNSPACES",
    "SET_MIN_RUNSPACES",
    "USER_EVENT",
    "data_body",
    "empty_body",
    "host_call",
    "host_response",
    "record_body",
    "request",
]


# -- types of properties that occur in one or two messages only

HOST_INFO = FieldType(
    lambda name, value, _: write_host_info(value),
    lambda source, name, _: read_host_info(source.child(name).object, source.message),
)
POWERSHELL = FieldType(
    lambda name, value, version: write_powershell(value, version),
    lambda source, name, _: read_powershell(source.child(name).object, source.message),
)


def _read_nested(source: Properties, name: str, version: ProtocolVersion) -> bool:
    read = source.take if version >= NESTED_REQUIRED_SINCE else source.find
    return bool(read(name, bool))


NESTED = FieldType(BOOLEAN.write, _read_nested)


def _write_answer(name: str, value: int | bool, version: ProtocolVersion) -> int | bool:
    return value if isinstance(value, bool) else int32(name, value)


def _read_answer(source: Properties, name: str, version: ProtocolVersion) -> int | bool:
    answer = unwrap(source.any(name))
    # The specification requires an I64; no real server sends one.
    if type(answer) is Int64:
        answer = int(answer)
    if type(answer) is not int and type(answer) is not bool:
        raise source.wrong(name, int)
    return answer


ANSWER = FieldType(_write_answer, _read_answer)
OPTIONAL_ANYTHING = FieldType(ANYTHING.write, lambda source, name, _: source.object.get(name))


# -- session and pool

SESSION_CAPABILITY = Body(
    e.SessionCapability,
    ("protocolversion", "protocol_version", VERSION),
    ("PSVersion", "ps_version", VERSION),
    ("SerializationVersion", "serialization_version", VERSION),
    ("TimeZone", "time_zone", OPTIONAL_BYTES),
)
INIT_RUNSPACEPOOL = Body(
    e.InitRunspacePool,
    ("MinRunspaces", "min_runspaces", INT32),
    ("MaxRunspaces", "max_runspaces", INT32),
    ("PSThreadOptions", "thread_options", enum(ThreadOptions)),
    ("ApartmentState", "apartment_state", enum(ApartmentState)),
    ("ApplicationArguments", "application_arguments", PRIMITIVES),
    ("HostInfo", "host_info", HOST_INFO),
)
PUBLIC_KEY = Body(e.PublicKey, ("PublicKey", "key", TEXT))
ENCRYPTED_SESSION_KEY = Body(e.EncryptedSessionKey, ("EncryptedSessionKey", "key", TEXT))
PUBLIC_KEY_REQUEST = Codec(lambda event, _: "", lambda *_: e.PublicKeyRequest())
CONNECT_RUNSPACEPOOL = Body(
    e.ConnectRunspacePool,
    ("MinRunspaces", "min_runspaces", OPTIONAL_INT32),
    ("MaxRunspaces", "max_runspaces", OPTIONAL_INT32),
    or_empty=True,
)
SET_MAX_RUNSPACES = Body(
    e.SetMaxRunspaces, ("MaxRunspaces", "count", INT32), ("ci", "call_id", CALL_ID)
)
SET_MIN_RUNSPACES = Body(
    e.SetMinRunspaces, ("MinRunspaces", "count", INT32), ("ci", "call_id", CALL_ID)
)
RUNSPACE_AVAILABILITY = Body(
    e.RunspaceAvailability,
    ("SetMinMaxRunspacesResponse", "answer", ANSWER),
    ("ci", "call_id", CALL_ID),
)
RUNSPACEPOOL_STATE = Body(
    e.RunspacePoolStateMessage,
    ("RunspaceState", "state", known_enum(RunspaceState)),
    ("ExceptionAsErrorRecord", "error", ERROR),
)
USER_EVENT = Body(
    e.UserEvent,
    ("PSEventArgs.EventIdentifier", "event_id", INT32),
    ("PSEventArgs.SourceIdentifier", "source_id", TEXT_OR_EMPTY),
    ("PSEventArgs.TimeGenerated", "time_generated", TIME),
    ("PSEventArgs.Sender", "sender", ANYTHING),
    ("PSEventArgs.SourceArgs", "arguments", ANYTHING),
    ("PSEventArgs.MessageData", "message_data", ANYTHING),
    ("PSEventArgs.ComputerName", "computer", TEXT_OR_NIL),
    ("PSEventArgs.RunspaceId", "runspace_id", GUID),
)
APPLICATION_PRIVATE_DATA = Body(
    e.ApplicationPrivateData, ("ApplicationPrivateData", "data", PRIMITIVES)
)


def request(event: type[e.Event]) -> Codec:
    """Return the body of a request that has only a call id."""
    return Body(event, ("ci", "call_id", CALL_ID))


_INIT_DATA = Body(
    e.RunspacePoolInitData,
    ("MinRunspaces", "min_runspaces", INT32),
    ("MaxRunspaces", "max_runspaces", INT32),
)


def _read_init_data(
    pid: UUID | None, message: str, value: Any, version: ProtocolVersion
) -> e.RunspacePoolInitData:
    found = _INIT_DATA.read(pid, message, value, version)
    assert isinstance(found, e.RunspacePoolInitData)
    # PowerShell writes the maximum under the minimum's name, and vice versa.
    low, high = sorted((found.min_runspaces, found.max_runspaces))
    return e.RunspacePoolInitData(min_runspaces=low, max_runspaces=high)


RUNSPACEPOOL_INIT_DATA = Codec(_INIT_DATA.write, _read_init_data)


# -- pipelines

CREATE_PIPELINE = Body(
    e.CreatePipeline,
    ("PowerShell", "powershell", POWERSHELL),
    ("NoInput", "no_input", BOOLEAN),
    ("ApartmentState", "apartment_state", enum(ApartmentState)),
    ("RemoteStreamOptions", "remote_stream_options", enum(RemoteStreamOptions)),
    ("AddToHistory", "add_to_history", BOOLEAN),
    ("HostInfo", "host_info", HOST_INFO),
    ("IsNested", "is_nested", NESTED),
)
GET_COMMAND_METADATA = Body(
    e.GetCommandMetadata,
    ("Name", "names", TEXTS),
    ("CommandType", "command_types", enum(CommandTypes)),
    ("Namespace", "namespaces", TEXTS),
    ("FullyQualifiedModule", "fully_qualified_modules", OPTIONAL_ANYTHING),
    ("ArgumentList", "arguments", VALUES),
)
PIPELINE_STATE = Body(
    e.PipelineStateMessage,
    ("PipelineState", "state", known_enum(InvocationState)),
    ("ExceptionAsErrorRecord", "error", ERROR),
)


def data_body(event: Callable[..., e.Event]) -> Codec:
    """Return the body of PIPELINE_INPUT and PIPELINE_OUTPUT: the value itself."""
    return Codec(
        lambda value, _: value.data,
        lambda pid, message, value, _: event(pipeline_id=pipeline_of(pid, message), data=value),
    )


def empty_body(event: Callable[..., e.Event]) -> Codec:
    """Return the empty body of a pipeline's message."""
    return Codec(
        lambda value, _: None,
        lambda pid, message, value, _: event(pipeline_id=pipeline_of(pid, message)),
    )


def record_body(event: Callable[..., e.Event], record: Any, stream: str = "") -> Codec:
    """Return the body of a record; some endpoints send them to the pool, without a pipeline.

    ``stream`` distinguishes the records of one class: Debug, Verbose, Warning.
    """
    name = (stream,) if stream else ()
    return Codec(
        lambda value, _: value.record.to_object(*name),
        lambda pid, message, value, _: event(
            pipeline_id=pid, record=record.from_object(value, message)
        ),
    )


# -- host calls


def _target(event: type[e.Event], pid: UUID | None, message: str) -> dict[str, Any]:
    if not issubclass(event, e.PipelineEvent):
        return {}
    return {"pipeline_id": pipeline_of(pid, message)}


def _read_call(source: Properties) -> dict[str, Any]:
    method = source.enum("mi", HostMethodId)
    return {"call_id": int(source.take("ci", Int64)), "method": method}


def _write_call(event: Any, version: ProtocolVersion) -> PSObject:
    return bag(
        {
            "ci": int64("ci", event.call_id),
            "mi": write_enum(HostMethodId, event.method),
            "mp": write_arguments(event.method, event.arguments),
        }
    )


def host_call(event: type[Any]) -> Codec:
    """Return the body of a host call; the method determines the types of its arguments."""

    def read(pid: UUID | None, message: str, value: Any, version: ProtocolVersion) -> e.Event:
        source = Properties(message, value)
        call = _read_call(source) | _target(event, pid, message)
        call["arguments"] = read_arguments(call["method"], source.items("mp"))
        made: e.Event = event(**call)
        return made

    return Codec(_write_call, read)


def _write_response(event: Any, version: ProtocolVersion) -> PSObject:
    members: dict[str, Any] = {}
    result = write_result(event.method, event.result)
    if result is not None:
        members["mr"] = result
    if event.error is not None:
        members["me"] = event.error.to_object(bare=True)
    members["ci"] = int64("ci", event.call_id)
    members["mi"] = write_enum(HostMethodId, event.method)
    return bag(members)


def host_response(event: type[Any]) -> Codec:
    """Return the body of a host call's answer; the method determines the type of its result."""

    def read(pid: UUID | None, message: str, value: Any, version: ProtocolVersion) -> e.Event:
        source = Properties(message, value)
        call = _read_call(source) | _target(event, pid, message)
        result, error = source.object.get("mr"), source.object.get("me")
        if error is not None:
            call["error"] = ErrorRecord.from_object(error, message)
        if result is not None:
            call["result"] = read_result(call["method"], result)
        made: e.Event = event(**call)
        return made

    return Codec(_write_response, read)
