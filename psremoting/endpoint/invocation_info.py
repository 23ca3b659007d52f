"""InvocationInfo: the position of a record's command in its pipeline and script.

An error always carries the member ``InvocationInfo``. If the client asked for it
(RemoteStreamOptions), errors, warnings, verbose and debug records repeat the facts as members of
their own. A command of a script has a place in its text; one that was sent as such has none.
[MS-PSRP] 2.2.3.15, ``InvocationInfo.cs``, ``Position.cs``
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
"""Maximum characters on each side of a position; records of longer lines have no position."""
_WIDTH, _BEFORE, _AFTER = 69, 12, 8
"""Characters that a position message shows of a longer line, and at least around the place."""


def located(stage: PlacedCommand, record: ErrorRecord, argument: int | None) -> ErrorRecord:
    """Return an error record with the place of ``stage``, or of one of its arguments."""
    place = _told(stage)
    if place is not None and argument is not None and argument < len(place.arguments):
        place = place.argument(argument)
    record = replace(record, invocation=_invocation(stage, place))
    if place is not None and record.script_stack_trace is None:
        trace = f"at <ScriptBlock>, <No file>: line {place.line_number}"
        record = replace(record, script_stack_trace=trace)
    if not stage.pipeline.adds_invocation(_ERRORS_TOO):
        return record
    # An error has a copy of the facts, with less than those of the running command.
    members = _members(stage, place, origin=1, length=0, position=0, steps=())
    return replace(record, invocation_info=members, pipeline_iteration_info=_steps(stage))


def running(stage: PlacedCommand, record: InformationalRecord) -> InformationalRecord:
    """Return a warning, verbose or debug record with the facts about the running command."""
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
    """Return the place of a command, None in a line that is too long to be repeated."""
    place = stage.place
    return place if place is not None and place.is_short(_TOLD) else None


def _steps(stage: PlacedCommand) -> tuple[int, ...]:
    """Return the 1-based number of the object that each command of the statement processes; 0 for
    the commands that follow."""
    return (0, *(1,) * stage.at, max(stage.objects, 1), *(0,) * (stage.length - stage.at - 1))


def _called(stage: PlacedCommand) -> str:
    """Return the name by which it was called."""
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
    """Return ``At line:1 char:3``, the line, and the place underlined."""
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
    """Return the part of a line that is shown, and the place in it."""
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
