"""The tables of the local prompt's commands for objects."""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.object_commands import COMPARISONS
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["OBJECT_COMMANDS"]

_ALL = "__AllParameterSets"
_INPUT = parameter("InputObject", "object", {_ALL: "v"}, help="The objects.")


def _table(
    name: str, synopsis: str, alias: str, example: tuple[str, str], *parameters: Parameter
) -> CommandTable:
    return CommandTable(
        name=name,
        property_of=property_or_absent,
        class_name=f"Microsoft.PowerShell.Commands.{name.replace('-', '')}Command",
        synopsis=synopsis,
        aliases=tuple(alias.split()),
        parameters=(*parameters, _INPUT, *common_parameters()),
        examples=(example,),
    )


def _switches(help: str, *names: str) -> tuple[Parameter, ...]:
    return tuple(parameter(name, "switch", help=help.format(name.casefold())) for name in names)


_SELECT = _table(
    "Select-Object",
    "Selects objects, or properties of objects.",
    "select",
    ("Get-PSSession | Select-Object Name, State -First 3", "Two properties of three sessions."),
    parameter("Property", "string[]", {_ALL: "0"}, help="Properties to keep, with wildcards."),
    parameter("ExcludeProperty", "string[]", help="Properties to leave out."),
    parameter("ExpandProperty", "string", help="The property to give instead of the object."),
    parameter("First", "int", limits=(0, 2**31 - 1), help="How many from the beginning."),
    parameter("Last", "int", limits=(0, 2**31 - 1), help="How many from the end."),
    parameter("Skip", "int", limits=(0, 2**31 - 1), help="How many to skip at the beginning."),
    parameter("SkipLast", "int", limits=(0, 2**31 - 1), help="How many to skip at the end."),
    parameter("Index", "int[]", help="The 0-based places of the objects to keep."),
    parameter("Unique", "switch", help="Each object once."),
)
_WHERE = _table(
    "Where-Object",
    "Selects the objects whose property has a value.",
    "where ?",
    ("Get-PSSession | Where-Object State -eq Opened", "The open sessions."),
    parameter("Property", "string", {_ALL: "0!"}, help="The property to compare."),
    parameter("Value", "object", {_ALL: "1"}, help="The value to compare it with."),
    *_switches("Compare with the operator -{}.", *COMPARISONS),
)
_SORT = _table(
    "Sort-Object",
    "Sorts objects.",
    "sort",
    ("Get-PSSession | Sort-Object Name -Descending", "Sessions from Z to A."),
    parameter("Property", "string[]", {_ALL: "0"}, help="The properties to sort by."),
    parameter("Descending", "switch", help="The greatest first."),
    parameter("Unique", "switch", help="Each value once."),
    parameter("CaseSensitive", "switch", help="Tell upper from lower case."),
    parameter("Top", "int", limits=(1, 2**31 - 1), help="How many from the beginning."),
    parameter("Bottom", "int", limits=(1, 2**31 - 1), help="How many from the end."),
)
_MEASURE = _table(
    "Measure-Object",
    "Counts objects, and measures their values.",
    "measure",
    ("Get-PSSession | Measure-Object", "The number of sessions."),
    parameter("Property", "string[]", {_ALL: "0"}, help="The properties to measure."),
    *_switches("Measure the {}.", "Sum", "Average", "Maximum", "Minimum", "StandardDeviation"),
    *_switches("Measure all of these.", "AllStats"),
    *_switches("Count each {} of text.", "Line", "Word", "Character"),
)
_FOR_EACH = _table(
    "ForEach-Object",
    "Gives a property of each object.",
    "foreach %",
    ("Get-PSSession | ForEach-Object Name", "The names of the sessions."),
    parameter("MemberName", "string", {_ALL: "0!"}, help="The property, with wildcards."),
)

OBJECT_COMMANDS = (_SELECT, _WHERE, _SORT, _MEASURE, _FOR_EACH)
