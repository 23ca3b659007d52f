"""The bodies of the messages of pipelines, and of all host calls; see `psrp.bodies`.
[MS-PSRP] 2.2.2.10, 2.2.2.14-2.2.2.28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psrp import events as e
from psrp.bodies import (
    Pid,
    ProtocolVersion,
    apartment,
    need_pid,
    read_apartment,
    read_error,
    write_state,
)
from psrp.clixml import Int64, List, PSObject
from psrp.commands import read_powershell, write_powershell
from psrp.enums import COMMAND_TYPES, INVOCATION_STATES, REMOTE_STREAM_OPTIONS
from psrp.host import read_host_info, write_host_info
from psrp.host_methods import (
    HOST_METHODS,
    HostMethodId,
    read_arguments,
    read_result,
    write_arguments,
    write_result,
)
from psrp.properties import (
    Properties,
    bag,
    enum_object,
    enum_text,
    int64,
    text_list,
    unwrap,
)
from psrp.records import ErrorRecord
from psrp.sansio import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

_STREAMS = "System.Management.Automation.RemoteStreamOptions"
_COMMANDS = "System.Management.Automation.CommandTypes"
_METHOD = "System.Management.Automation.Remoting.RemoteHostMethodId"
_NESTED_SINCE = (2, 2)


# -- what brings a pipeline into being


def write_create(event: e.CreatePipeline, version: ProtocolVersion) -> PSObject:
    options = event.remote_stream_options
    shown = enum_text(options, REMOTE_STREAM_OPTIONS, flags=True)
    return bag(
        {
            "PowerShell": write_powershell(event.powershell, version),
            "NoInput": event.no_input,
            "ApartmentState": apartment(event.apartment_state),
            "RemoteStreamOptions": enum_object(_STREAMS, options, shown),
            "AddToHistory": event.add_to_history,
            "HostInfo": write_host_info(event.host_info),
            "IsNested": event.is_nested,
        }
    )


def read_create(pid: Pid, message: str, value: Any, version: ProtocolVersion) -> e.CreatePipeline:
    source = Properties(message, value)
    nested = source.take if version >= _NESTED_SINCE else source.find
    return e.CreatePipeline(
        pipeline_id=need_pid(pid, message),
        powershell=read_powershell(source.child("PowerShell").object, message),
        no_input=source.take("NoInput", bool),
        apartment_state=read_apartment(source),
        remote_stream_options=source.enum("RemoteStreamOptions", REMOTE_STREAM_OPTIONS),
        add_to_history=source.take("AddToHistory", bool),
        host_info=read_host_info(source.child("HostInfo").object, message),
        is_nested=nested("IsNested", bool) or False,
    )


def write_get_command(event: e.GetCommandMetadata, version: ProtocolVersion) -> PSObject:
    types = event.command_types
    modules = event.fully_qualified_modules
    return bag(
        {
            "Name": None if event.names is None else text_list(event.names),
            "CommandType": enum_object(
                _COMMANDS, types, enum_text(types, COMMAND_TYPES, flags=True)
            ),
            "Namespace": None if event.namespaces is None else text_list(event.namespaces),
            "FullyQualifiedModule": List(modules) if isinstance(modules, tuple) else modules,
            "ArgumentList": None if event.arguments is None else List(event.arguments),
        }
    )


def read_get_command(pid: Pid, message: str, value: Any) -> e.GetCommandMetadata:
    source = Properties(message, value)
    arguments = source.take_or_nil("ArgumentList", list)
    return e.GetCommandMetadata(
        pipeline_id=need_pid(pid, message),
        names=_texts(source, "Name"),
        command_types=source.enum("CommandType", COMMAND_TYPES),
        namespaces=_texts(source, "Namespace"),
        arguments=None if arguments is None else tuple(arguments),
        fully_qualified_modules=source.object.get("FullyQualifiedModule"),
    )


def _texts(source: Properties, name: str) -> tuple[str, ...] | None:
    if unwrap(source.any(name)) == "":
        # What old clients send for no namespace.
        return ()
    items = source.take_or_nil(name, list)
    if items is None:
        return None
    plain = tuple(unwrap(item) for item in items)
    if not all(isinstance(item, str) for item in plain):
        raise source.wrong(name, str)
    return plain


def write_pipeline_state(event: e.PipelineStateMessage, version: ProtocolVersion) -> PSObject:
    return write_state("PipelineState", event.state, event.error)


def read_pipeline_state(pid: Pid, message: str, value: Any) -> e.PipelineStateMessage:
    source = Properties(message, value)
    number = source.enum("PipelineState", INVOCATION_STATES)
    if number not in INVOCATION_STATES:
        raise MessageError(message, f"there is no state {number}", "PipelineState")
    return e.PipelineStateMessage(
        pipeline_id=need_pid(pid, message),
        state=e.InvocationState(number),
        error=read_error(source),
    )


# -- values


def write_data(event: e.PipelineInput | e.PipelineOutput, version: ProtocolVersion) -> Any:
    return event.data


def read_input(pid: Pid, message: str, value: Any) -> e.PipelineInput:
    return e.PipelineInput(pipeline_id=need_pid(pid, message), data=value)


def read_output(pid: Pid, message: str, value: Any) -> e.PipelineOutput:
    return e.PipelineOutput(pipeline_id=need_pid(pid, message), data=value)


def write_nothing(event: e.Event, version: ProtocolVersion) -> None:
    return None


def read_end(pid: Pid, message: str, value: Any) -> e.EndOfPipelineInput:
    return e.EndOfPipelineInput(pipeline_id=need_pid(pid, message))


def read_stop(pid: Pid, message: str, value: Any) -> e.StopPowerShell:
    return e.StopPowerShell(pipeline_id=need_pid(pid, message))


# -- records


def write_record(event: Any, version: ProtocolVersion) -> PSObject:
    return event.record.to_object()  # type: ignore[no-any-return]


def write_informational(kind: str, event: Any, version: ProtocolVersion) -> PSObject:
    return event.record.to_object(kind)  # type: ignore[no-any-return]


def read_record(
    event: Callable[..., e.Event],
    record: Callable[[Any, str], Any],
    pid: Pid,
    message: str,
    value: Any,
) -> e.Event:
    return event(pipeline_id=pid, record=record(value, message))


# -- host calls


def _write_method(number: int) -> PSObject:
    return enum_object(_METHOD, number, enum_text(number, HOST_METHODS))


def write_call(event: Any, version: ProtocolVersion) -> PSObject:
    return bag(
        {
            "ci": int64("ci", event.call_id),
            "mi": _write_method(event.method),
            "mp": write_arguments(event.method, event.arguments),
        }
    )


def _call(source: Properties) -> dict[str, Any]:
    number = source.enum("mi", HOST_METHODS)
    method = HostMethodId(number) if number in HOST_METHODS else number
    return {"call_id": int(source.take("ci", Int64)), "method": method}


def read_pool_call(pid: Pid, message: str, value: Any) -> e.RunspacePoolHostCall:
    source = Properties(message, value)
    call = _call(source)
    arguments = read_arguments(call["method"], source.items("mp"))
    return e.RunspacePoolHostCall(arguments=arguments, **call)


def read_call(pid: Pid, message: str, value: Any) -> e.PipelineHostCall:
    source = Properties(message, value)
    call = _call(source)
    arguments = read_arguments(call["method"], source.items("mp"))
    return e.PipelineHostCall(pipeline_id=need_pid(pid, message), arguments=arguments, **call)


def write_response(event: Any, version: ProtocolVersion) -> PSObject:
    members: dict[str, Any] = {}
    result = write_result(event.method, event.result)
    if result is not None:
        members["mr"] = result
    if event.error is not None:
        members["me"] = event.error.to_object(bare=True)
    members["ci"] = int64("ci", event.call_id)
    members["mi"] = _write_method(event.method)
    return bag(members)


def _response(source: Properties) -> dict[str, Any]:
    call = _call(source)
    result, error = source.object.get("mr"), source.object.get("me")
    if error is not None:
        call["error"] = ErrorRecord.from_object(error, source.message)
    if result is not None:
        call["result"] = read_result(call["method"], result)
    return call


def read_pool_response(pid: Pid, message: str, value: Any) -> e.RunspacePoolHostResponse:
    return e.RunspacePoolHostResponse(**_response(Properties(message, value)))


def read_response(pid: Pid, message: str, value: Any) -> e.PipelineHostResponse:
    answer = _response(Properties(message, value))
    return e.PipelineHostResponse(pipeline_id=need_pid(pid, message), **answer)
