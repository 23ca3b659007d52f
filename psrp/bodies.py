"""The bodies of the session's and the pool's messages: for each event class one function to write
and one to read.

``write_x`` gives the value that is serialized, or None for an empty body. ``read_x`` gets the
pipeline's id, the message's name and the value, None for an empty body. Members stand in the
order in which PowerShell writes them; ``EncodeAndDecode.cs``, [MS-PSRP] 2.2.2.

Writing raises LocalProtocolError, reading MessageError and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from psrp import events as e
from psrp.clixml import DateTime, Dictionary, Int64, List, PSObject, Version
from psrp.dictionaries import primitive_dictionary
from psrp.enums import (
    APARTMENT_STATES,
    RUNSPACE_STATES,
    THREAD_OPTIONS,
)
from psrp.host import read_host_info, write_host_info
from psrp.properties import (
    Properties,
    bag,
    enum_object,
    enum_text,
    int32,
    int64,
    unwrap,
)
from psrp.records import NO_TIME, ErrorRecord
from psrp.sansio import LocalProtocolError, MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

Pid = UUID | None
ProtocolVersion = tuple[int, int]

_APARTMENT = "System.Threading.ApartmentState"
_THREADS = "System.Management.Automation.Runspaces.PSThreadOptions"
_NO_ID = UUID(int=0)


def _version(name: str, text: str) -> Version:
    try:
        return Version(text)
    except ValueError:
        raise LocalProtocolError(f"{name}: two to four numbers with dots between") from None


def apartment(number: int) -> PSObject:
    """The ApartmentState of a pool or a pipeline."""
    return enum_object(_APARTMENT, number, enum_text(number, APARTMENT_STATES))


def read_apartment(source: Properties) -> int:
    """The same, read: an ApartmentState where the number is known."""
    number = source.enum("ApartmentState", APARTMENT_STATES)
    return e.ApartmentState(number) if number in APARTMENT_STATES else number


def need_pid(pid: Pid, message: str) -> UUID:
    """The id of the pipeline that ``message`` is for; MessageError without one."""
    if pid is None:
        raise MessageError(message, "the message names no pipeline", "PID")
    return pid


# -- session and pool


def write_capability(event: e.SessionCapability, version: ProtocolVersion) -> PSObject:
    members: dict[str, Any] = {
        "protocolversion": _version("protocolversion", event.protocol_version),
        "PSVersion": _version("PSVersion", event.ps_version),
        "SerializationVersion": _version("SerializationVersion", event.serialization_version),
    }
    if event.time_zone is not None:
        members["TimeZone"] = event.time_zone
    return bag(members)


def read_capability(pid: Pid, message: str, value: Any) -> e.SessionCapability:
    source = Properties(message, value)
    return e.SessionCapability(
        protocol_version=str(source.take("protocolversion", Version)),
        ps_version=str(source.take("PSVersion", Version)),
        serialization_version=str(source.take("SerializationVersion", Version)),
        time_zone=source.find("TimeZone", bytes),
    )


def write_init(event: e.InitRunspacePool, version: ProtocolVersion) -> PSObject:
    arguments = event.application_arguments
    threads = enum_text(event.thread_options, THREAD_OPTIONS)
    return bag(
        {
            "MinRunspaces": int32("MinRunspaces", event.min_runspaces),
            "MaxRunspaces": int32("MaxRunspaces", event.max_runspaces),
            "PSThreadOptions": enum_object(_THREADS, event.thread_options, threads),
            "ApartmentState": apartment(event.apartment_state),
            "ApplicationArguments": None if arguments is None else primitive_dictionary(arguments),
            "HostInfo": write_host_info(event.host_info),
        }
    )


def read_init(pid: Pid, message: str, value: Any) -> e.InitRunspacePool:
    source = Properties(message, value)
    threads = source.enum("PSThreadOptions", THREAD_OPTIONS)
    return e.InitRunspacePool(
        min_runspaces=source.take("MinRunspaces", int),
        max_runspaces=source.take("MaxRunspaces", int),
        thread_options=e.ThreadOptions(threads) if threads in THREAD_OPTIONS else threads,
        apartment_state=read_apartment(source),
        application_arguments=source.take_or_nil("ApplicationArguments", Dictionary),
        host_info=read_host_info(source.child("HostInfo").object, message),
    )


def write_public_key(event: e.PublicKey, version: ProtocolVersion) -> PSObject:
    return bag({"PublicKey": event.key})


def read_public_key(pid: Pid, message: str, value: Any) -> e.PublicKey:
    return e.PublicKey(key=Properties(message, value).take("PublicKey", str))


def write_session_key(event: e.EncryptedSessionKey, version: ProtocolVersion) -> PSObject:
    return bag({"EncryptedSessionKey": event.key})


def read_session_key(pid: Pid, message: str, value: Any) -> e.EncryptedSessionKey:
    return e.EncryptedSessionKey(key=Properties(message, value).take("EncryptedSessionKey", str))


def write_key_request(event: e.PublicKeyRequest, version: ProtocolVersion) -> str:
    return ""


def read_key_request(pid: Pid, message: str, value: Any) -> e.PublicKeyRequest:
    return e.PublicKeyRequest()


def write_connect(event: e.ConnectRunspacePool, version: ProtocolVersion) -> PSObject | str:
    members: dict[str, Any] = {}
    if event.min_runspaces is not None:
        members["MinRunspaces"] = int32("MinRunspaces", event.min_runspaces)
    if event.max_runspaces is not None:
        members["MaxRunspaces"] = int32("MaxRunspaces", event.max_runspaces)
    return bag(members) if members else ""


def read_connect(pid: Pid, message: str, value: Any) -> e.ConnectRunspacePool:
    if isinstance(value, str):
        return e.ConnectRunspacePool()
    source = Properties(message, value)
    return e.ConnectRunspacePool(
        min_runspaces=source.find("MinRunspaces", int),
        max_runspaces=source.find("MaxRunspaces", int),
    )


def write_set_max(event: e.SetMaxRunspaces, version: ProtocolVersion) -> PSObject:
    count = int32("MaxRunspaces", event.count)
    return bag({"MaxRunspaces": count, "ci": int64("ci", event.call_id)})


def read_set_max(pid: Pid, message: str, value: Any) -> e.SetMaxRunspaces:
    source = Properties(message, value)
    return e.SetMaxRunspaces(count=source.take("MaxRunspaces", int), call_id=_call_id(source))


def write_set_min(event: e.SetMinRunspaces, version: ProtocolVersion) -> PSObject:
    count = int32("MinRunspaces", event.count)
    return bag({"MinRunspaces": count, "ci": int64("ci", event.call_id)})


def read_set_min(pid: Pid, message: str, value: Any) -> e.SetMinRunspaces:
    source = Properties(message, value)
    return e.SetMinRunspaces(count=source.take("MinRunspaces", int), call_id=_call_id(source))


def _call_id(source: Properties) -> int:
    return int(source.take("ci", Int64))


def write_question(
    event: e.GetAvailableRunspaces | e.ResetRunspaceState, version: ProtocolVersion
) -> PSObject:
    return bag({"ci": int64("ci", event.call_id)})


def read_get_available(pid: Pid, message: str, value: Any) -> e.GetAvailableRunspaces:
    return e.GetAvailableRunspaces(call_id=_call_id(Properties(message, value)))


def read_reset(pid: Pid, message: str, value: Any) -> e.ResetRunspaceState:
    return e.ResetRunspaceState(call_id=_call_id(Properties(message, value)))


def write_availability(event: e.RunspaceAvailability, version: ProtocolVersion) -> PSObject:
    answer = event.answer
    count = answer if isinstance(answer, bool) else int32("SetMinMaxRunspacesResponse", answer)
    return bag({"SetMinMaxRunspacesResponse": count, "ci": int64("ci", event.call_id)})


def read_availability(pid: Pid, message: str, value: Any) -> e.RunspaceAvailability:
    source = Properties(message, value)
    name = "SetMinMaxRunspacesResponse"
    answer = unwrap(source.any(name))
    # An I64 is what the text asks for; no real server sends one.
    if type(answer) is Int64:
        answer = int(answer)
    if type(answer) is not int and type(answer) is not bool:
        raise source.wrong(name, int)
    return e.RunspaceAvailability(call_id=_call_id(source), answer=answer)


def write_pool_state(event: e.RunspacePoolStateMessage, version: ProtocolVersion) -> PSObject:
    return write_state("RunspaceState", event.state, event.error)


def read_pool_state(pid: Pid, message: str, value: Any) -> e.RunspacePoolStateMessage:
    source = Properties(message, value)
    number = source.enum("RunspaceState", RUNSPACE_STATES)
    if number not in RUNSPACE_STATES:
        raise MessageError(message, f"there is no state {number}", "RunspaceState")
    return e.RunspacePoolStateMessage(state=e.RunspaceState(number), error=read_error(source))


def write_state(name: str, number: int, error: ErrorRecord | None) -> PSObject:
    """The state of a pool or a pipeline with its reason."""
    members: dict[str, Any] = {name: int32(name, number)}
    if error is not None:
        members["ExceptionAsErrorRecord"] = error.to_object()
    return bag(members)


def read_error(source: Properties, name: str = "ExceptionAsErrorRecord") -> ErrorRecord | None:
    """The reason of a state, when it has one."""
    value = source.object.get(name)
    return None if value is None else ErrorRecord.from_object(value, source.message)


def write_user_event(event: e.UserEvent, version: ProtocolVersion) -> PSObject:
    arguments = event.arguments
    if isinstance(arguments, tuple):
        arguments = List(arguments)
    return bag(
        {
            "PSEventArgs.EventIdentifier": int32("EventIdentifier", event.event_id),
            "PSEventArgs.SourceIdentifier": event.source_id,
            "PSEventArgs.TimeGenerated": event.time_generated or NO_TIME,
            "PSEventArgs.Sender": event.sender,
            "PSEventArgs.SourceArgs": arguments,
            "PSEventArgs.MessageData": event.message_data,
            "PSEventArgs.ComputerName": event.computer,
            "PSEventArgs.RunspaceId": event.runspace_id or _NO_ID,
        }
    )


def read_user_event(pid: Pid, message: str, value: Any) -> e.UserEvent:
    source = Properties(message, value)
    return e.UserEvent(
        event_id=source.take("PSEventArgs.EventIdentifier", int),
        source_id=source.take_or_nil("PSEventArgs.SourceIdentifier", str) or "",
        time_generated=source.take("PSEventArgs.TimeGenerated", DateTime),
        sender=source.any("PSEventArgs.Sender"),
        arguments=source.any("PSEventArgs.SourceArgs"),
        message_data=source.any("PSEventArgs.MessageData"),
        computer=source.take_or_nil("PSEventArgs.ComputerName", str),
        runspace_id=source.take("PSEventArgs.RunspaceId", UUID),
    )


def write_private_data(event: e.ApplicationPrivateData, version: ProtocolVersion) -> PSObject:
    data = event.data
    return bag({"ApplicationPrivateData": None if data is None else primitive_dictionary(data)})


def read_private_data(pid: Pid, message: str, value: Any) -> e.ApplicationPrivateData:
    data = Properties(message, value).take_or_nil("ApplicationPrivateData", Dictionary)
    return e.ApplicationPrivateData(data=data)


def write_init_data(event: e.RunspacePoolInitData, version: ProtocolVersion) -> PSObject:
    return bag(
        {
            "MinRunspaces": int32("MinRunspaces", event.min_runspaces),
            "MaxRunspaces": int32("MaxRunspaces", event.max_runspaces),
        }
    )


def read_init_data(pid: Pid, message: str, value: Any) -> e.RunspacePoolInitData:
    source = Properties(message, value)
    # PowerShell puts the maximum under the minimum's name, and the other way round.
    counts = sorted((source.take("MinRunspaces", int), source.take("MaxRunspaces", int)))
    return e.RunspacePoolInitData(min_runspaces=counts[0], max_runspaces=counts[1])


if TYPE_CHECKING:
    Write = Callable[[Any, ProtocolVersion], Any]
    Read = Callable[[Pid, str, Any], e.Event]
