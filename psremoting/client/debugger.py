"""The messages about a remote script that has stopped in the debugger.

A stop arrives as a forwarded event. While the script is stopped, lines run as nested pipelines, in
which the server knows the commands of the debugger (``s``, ``v``, ``o``, ``c``, ``q``, ``l``,
``k``, ``h``). A line that ends the stop is answered with a DebuggerCommand that has a resume
action, which the client then sets. ``remoterunspace.cs``, RemoteDebugger;
spec-notes/interactive.md
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
_ANSWERS = (
    "System.Management.Automation.DebuggerCommand",
    "System.Management.Automation.DebuggerCommandResults",
)
_ACTION = "System.Management.Automation.DebuggerResumeAction"


class ResumeAction(IntEnum):
    """The resume action of a stopped script."""

    Continue = 0
    StepInto = 1
    StepOut = 2
    StepOver = 3
    Stop = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The reasons and the position of a stop, as text."""

    breakpoints: tuple[str, ...] = ()
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The debugger's response to a line; without ``action`` the script stays stopped."""

    action: ResumeAction | None = None


def read_stop(event: e.UserEvent) -> Stop | None:
    """Return the stop that ``event`` reports; None for any other event."""
    if event.source_id != _STOP_EVENT:
        return None
    arguments = unwrap(event.arguments)
    details = arguments[0] if isinstance(arguments, list) and arguments else None
    if type(details) is not PSObject:
        return Stop()
    points = unwrap(details.get("Breakpoints"))
    return Stop(
        breakpoints=tuple(_words(each) for each in points) if isinstance(points, list) else (),
        position=_position(details),
    )


def _words(value: Any) -> str:
    if type(value) is PSObject:
        return value.to_string or ""
    return value if isinstance(value, str) else ""


def _position(details: PSObject) -> str:
    for name in ("SerializedInvocationInfo", "InvocationInfo"):
        place = details.get(name)
        if type(place) is not PSObject:
            continue
        for member in ("InvocationInfo_PositionMessage", "PositionMessage"):
            text = unwrap(place.get(member))
            if isinstance(text, str):
                return _underlined_to_the_end(text)
    return ""


def _underlined_to_the_end(position: str) -> str:
    """Return a position message whose underline ends with the line of the script.

    A client knows where the statement begins but not where it ends, and PowerShell's underlines
    the rest of the line. A line that was cut ends with dots, which are not underlined.
    """
    lines = position.splitlines()
    if len(lines) < 3:
        return position
    *before, code, underline = lines
    if not underline.startswith("+ ") or not underline.endswith("~"):
        return position
    start = underline.index("~")
    shown = code.removesuffix(" ...").rstrip()
    length = max(len(shown.removesuffix(" …")) - start, underline.count("~"))
    return "\n".join([*before, code, underline[:start] + "~" * length])


def debugger_pipeline(id: UUID, text: str, *, is_script: bool = True) -> e.CreatePipeline:
    """Return the pipeline for a line of the debugger; for a command if not ``is_script``."""
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
    """Return the pipeline that ends the stop with ``action``."""
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
    """Return the debugger's answer; None if ``value`` is output of the line itself."""
    if type(value) is not PSObject:
        return None
    if not any(name.removeprefix("Deserialized.") in _ANSWERS for name in value.type_names):
        return None
    action = unwrap(value.get("ResumeAction"))
    if isinstance(action, str):
        return Results(action=ResumeAction.__members__.get(action))
    known = isinstance(action, int) and action in list(ResumeAction)
    return Results(action=ResumeAction(action) if known else None)
