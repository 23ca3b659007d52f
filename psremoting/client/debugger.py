"""A remote script that has stopped in the debugger: what is told about it, and what is answered.

The stop is a forwarded event. While it lasts, lines run as nested pipelines, in which the other
side knows the debugger's own commands (``s``, ``v``, ``o``, ``c``, ``q``, ``l``, ``k``, ``h``);
one that ends the stop is answered with a DebuggerCommandResults that has a resume action, which
is then set. ``remoterunspace.cs``, RemoteDebugger; spec-notes/interactive.md
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID

from psrp import events as e
from psrp.clixml import PSObject
from psrp.commands import Command, Parameter, PipelineResultTypes, PowerShell
from psrp.host import HostInfo
from psrp.properties import enum_object, unwrap

__all__ = [
    "DEBUG_PROMPT",
    "Results",
    "ResumeAction",
    "Stop",
    "action_pipeline",
    "debugger_pipeline",
    "read_results",
    "read_stop",
]

DEBUG_PROMPT = "[DBG]: PS>> "
_STOP_EVENT = "PSInternalRemoteDebuggerStopEvent"
_RESULTS = "System.Management.Automation.DebuggerCommandResults"
_ACTION = "System.Management.Automation.DebuggerResumeAction"


class ResumeAction(IntEnum):
    """How a script that has stopped goes on."""

    Continue = 0
    StepInto = 1
    StepOut = 2
    StepOver = 3
    Stop = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why and where a script has stopped, in words."""

    breakpoints: tuple[str, ...] = ()
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the debugger did with a line; no ``action`` keeps the script stopped."""

    action: ResumeAction | None = None


def read_stop(event: e.UserEvent) -> Stop | None:
    """The stop that ``event`` tells of; None for any other event."""
    if event.source_id != _STOP_EVENT:
        return None
    arguments = unwrap(event.arguments)
    told = arguments[0] if isinstance(arguments, list) and arguments else None
    if type(told) is not PSObject:
        return Stop()
    points = unwrap(told.get("Breakpoints"))
    return Stop(
        breakpoints=tuple(_words(each) for each in points) if isinstance(points, list) else (),
        position=_position(told),
    )


def _words(value: Any) -> str:
    if type(value) is PSObject:
        return value.to_string or ""
    return value if isinstance(value, str) else ""


def _position(told: PSObject) -> str:
    for name in ("SerializedInvocationInfo", "InvocationInfo"):
        place = told.get(name)
        if type(place) is not PSObject:
            continue
        for member in ("InvocationInfo_PositionMessage", "PositionMessage"):
            text = unwrap(place.get(member))
            if isinstance(text, str):
                return text
    return ""


def debugger_pipeline(id: UUID, text: str, *, is_script: bool = True) -> e.CreatePipeline:
    """Gives a line to the debugger; a command by name with ``is_script`` false."""
    command = Command(
        text,
        is_script=is_script,
        merge_my_result=PipelineResultTypes.ALL,
        merge_to_result=PipelineResultTypes.OUTPUT,
        merge_error=PipelineResultTypes.OUTPUT,
        merge_warning=PipelineResultTypes.OUTPUT,
        merge_verbose=PipelineResultTypes.OUTPUT,
        merge_debug=PipelineResultTypes.OUTPUT,
        merge_information=PipelineResultTypes.OUTPUT,
    )
    return _nested(id, command)


def action_pipeline(id: UUID, action: ResumeAction) -> e.CreatePipeline:
    """Ends the stop: the script goes on as ``action`` says."""
    value = enum_object(_ACTION, action.value, action.name)
    return _nested(
        id, Command("__Set-PSDebuggerAction", parameters=(Parameter("ResumeAction", value),))
    )


def _nested(id: UUID, command: Command) -> e.CreatePipeline:
    return e.CreatePipeline(
        pipeline_id=id,
        powershell=PowerShell(statements=((command,),), is_nested=True),
        host_info=HostInfo.null(),
        remote_stream_options=15,
        is_nested=True,
    )


def read_results(value: Any) -> Results | None:
    """What the debugger says of a line; None for what the line itself put out."""
    if type(value) is not PSObject:
        return None
    if not any(name.removeprefix("Deserialized.") == _RESULTS for name in value.type_names):
        return None
    action = unwrap(value.get("ResumeAction"))
    known = isinstance(action, int) and action in list(ResumeAction)
    return Results(action=ResumeAction(action) if known else None)
