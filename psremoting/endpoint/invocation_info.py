"""Where in a pipeline and in a script a record came from: InvocationInfo.

An error always carries the member ``InvocationInfo``; where the client asked for it
(RemoteStreamOptions), errors, warnings, verbose and debug records have the same facts once more
as members of their own. A command that the client sent as such has no place in a text; one of a
script has. [MS-PSRP] 2.2.3.15, ``InvocationInfo.cs``, ``Position.cs``
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psrp.clixml import Dictionary, Int64, List, PSObject
from psrp.enums import CommandTypes
from psrp.properties import enum_object, write_enum
from psrp.records import ErrorRecord, InformationalRecord

if TYPE_CHECKING:
    from psremoting.endpoint.interfaces import PlacedCommand
    from psremoting.powershell.syntax import Place

__all__ = ["located", "position_message", "running"]

_SMA = "System.Management.Automation."
_CORE = "System.Private.CoreLib, Version=10.0.0.0, Culture=neutral, PublicKeyToken=7cec85d7bea7798e"
_TABLE = (
    f"System.Collections.Generic.Dictionary`2[[System.String, {_CORE}],[System.Object, {_CORE}]]"
)
_ARGUMENTS = (f"System.Collections.Generic.List`1[[System.Object, {_CORE}]]", "System.Object")
_INTS = ("System.Int32[]", "System.Array", "System.Object")
_ERRORS_TOO = 1
"""The bit of RemoteStreamOptions."""
_TOLD = 4096
"""Characters on either side of a place up to which a record tells it."""
_WIDTH, _BEFORE, _AFTER = 69, 12, 8
"""Of a longer line, a position message shows this much, and at least so much around the place."""


def located(stage: PlacedCommand, record: ErrorRecord, argument: int | None) -> ErrorRecord:
    """The record of an error of ``stage`` with the place of it, or of one of its arguments."""
    place = _told(stage)
    if place is not None and argument is not None and argument < len(place.arguments):
        place = place.argument(argument)
    record = replace(record, invocation=_invocation(stage, place))
    if place is not None and record.script_stack_trace is None:
        trace = f"at <ScriptBlock>, <No file>: line {place.line_number}"
        record = replace(record, script_stack_trace=trace)
    if not stage.pipeline.adds_invocation(_ERRORS_TOO):
        return record
    # An error has a copy of the facts, which knows less than the command that still runs.
    members = _members(stage, place, origin=1, length=0, position=0, steps=())
    return replace(record, invocation_info=members, pipeline_iteration_info=_steps(stage))


def running(stage: PlacedCommand, record: InformationalRecord) -> InformationalRecord:
    """A warning, verbose or debug record with what is known about the command that runs."""
    members = _members(
        stage,
        _told(stage),
        origin=0,
        length=stage.length,
        position=stage.at + 1,
        steps=_steps(stage),
    )
    return replace(record, invocation_info=members, pipeline_iteration_info=_steps(stage))


def _told(stage: PlacedCommand) -> Place | None:
    """The place of a command, unless it would make a record of the text's size each time."""
    place = stage.place
    return place if place is not None and place.is_short(_TOLD) else None


def _steps(stage: PlacedCommand) -> tuple[int, ...]:
    """How many objects each command of the statement is at, from 1 on; of those behind this one
    nothing is known."""
    return (0, *(1,) * stage.at, max(stage.objects, 1), *(0,) * (stage.length - stage.at - 1))


def _called(stage: PlacedCommand) -> str:
    """The name under which it was called."""
    return stage.name if stage.command is None else stage.command.text


def _texts(place: Place | None) -> dict[str, Any]:
    return {
        "ScriptLineNumber": 0 if place is None else place.line_number,
        "OffsetInLine": 0 if place is None else place.column,
        "Line": "" if place is None else place.line,
        "Statement": "" if place is None else place.statement,
        "PositionMessage": "" if place is None else position_message(place),
    }


def _invocation(stage: PlacedCommand, place: Place | None) -> PSObject:
    texts = _texts(place)
    return PSObject(
        (_SMA + "InvocationInfo", "System.Object"),
        {
            "MyCommand": None if stage.found is None else stage.found.name,
            "BoundParameters": Dictionary((), (_TABLE, "System.Object")),
            "UnboundArguments": List((), _ARGUMENTS),
            "ScriptLineNumber": texts["ScriptLineNumber"],
            "OffsetInLine": texts["OffsetInLine"],
            "HistoryId": Int64(stage.pipeline.history_id),
            "ScriptName": "",
            "Line": texts["Line"],
            "Statement": texts["Statement"],
            "PositionMessage": texts["PositionMessage"],
            "PSScriptRoot": "",
            "PSCommandPath": None,
            "InvocationName": _called(stage),
            "PipelineLength": 0,
            "PipelinePosition": 0,
            "ExpectingInput": False,
            "CommandOrigin": "Internal",
            "DisplayScriptPosition": None,
        },
        to_string=_SMA + "InvocationInfo",
    )


def _members(
    stage: PlacedCommand,
    place: Place | None,
    *,
    origin: int,
    length: int,
    position: int,
    steps: tuple[int, ...],
) -> dict[str, Any]:
    own = () if origin else (_SMA + "PSBoundParametersDictionary",)
    facts = {
        "BoundParameters": Dictionary((), (*own, _TABLE, "System.Object")),
        "CommandOrigin": enum_object(
            _SMA + "CommandOrigin", origin, ("Runspace", "Internal")[origin]
        ),
        "ExpectingInput": not origin and stage.at > 0,
        "InvocationName": _called(stage),
        **_texts(place),
        "HistoryId": Int64(stage.pipeline.history_id),
        "PipelineIterationInfo": List(steps, _INTS),
        "PipelineLength": length,
        "PipelinePosition": position,
        "UnboundArguments": List((), _ARGUMENTS),
    }
    del facts["Statement"]
    made = {f"InvocationInfo_{name}": value for name, value in facts.items()}
    if stage.found is not None:
        kind = stage.found.command_type
        visible = enum_object(_SMA + "SessionStateEntryVisibility", 0, "Public")
        made |= {
            "CommandInfo_CommandType": write_enum(CommandTypes, kind),
            "CommandInfo_Definition": stage.found.syntax,
            "CommandInfo_Name": stage.found.name,
            "CommandInfo_Visibility": visible,
        }
    return made


def position_message(place: Place) -> str:
    """``At line:1 char:3``, the line, and what is meant underlined."""
    head = f"At line:{place.line_number} char:{place.column}\n+ "
    line = place.line.rstrip()
    before = place.before
    length = min(place.end - place.start, len(line) - before)
    if not line:
        return head
    if "\t" in line:
        parts = (line[:before], line[before : before + length], line[before + length :])
        first, meant, rest = (part.replace("\t", "    ") for part in parts)
        line, before, length = first + meant + rest, len(first), len(meant)
    shown, before, length = _cut(line, before, length)
    return f"{head}{shown}\n+ {' ' * before}{'~' * max(length, 1)}"


def _cut(line: str, before: int, length: int) -> tuple[str, int, int]:
    """What is shown of a line that may be too long."""
    if len(line) <= _WIDTH:
        return line, before, length
    after = len(line) - length - before
    left, right = min(before, _BEFORE), min(after, _AFTER)
    room = _WIDTH - left - length - right
    if room <= 0:
        length = min(length, _WIDTH - left)
        more_follows = True
    else:
        taken = min(before - left, room)
        left, room = left + taken, room - taken
        right += min(after - right, room)
        more_follows = right < after
    more_before = left < before
    start = before - left
    shown = line[start : start + _WIDTH]
    shown = ("… " if more_before else "") + shown + (" …" if more_follows else "")
    return shown, left + 2 * more_before, min(length, _WIDTH - left)
