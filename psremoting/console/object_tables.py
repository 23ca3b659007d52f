"""The tables of the local prompt's commands for objects."""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.object_commands import COMPARISONS
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["OBJECT_COMMANDS"]

_ALL = "__AllParameterSets"
_BLOCK, _MEMBER = "ScriptBlockSet", "PropertyAndMethodSet"
_INPUT = parameter("InputObject", "object", {_ALL: "v"}, help="The objects.")


def _table(
    name: str,
    synopsis: str,
    alias: str,
    example: tuple[str, str],
    *parameters: Parameter,
    default_set: str | None = None,
) -> CommandTable:
    return CommandTable(
        name=name,
        property_of=property_or_absent,
        class_name=f"Microsoft.PowerShell.Commands.{name.replace('-', '')}Command",
        synopsis=synopsis,
        aliases=tuple(alias.split()),
        parameters=(*parameters, _INPUT, *common_parameters()),
        examples=(example,),
        default_set=default_set,
    )


def _switches(help: str, *names: str) -> tuple[Parameter, ...]:
    return tuple(parameter(name, "switch", help=help.format(name.casefold())) for name in names)


_SELECT = _table(
    "Select-Object",
    "Selects objects, or properties of objects.",
    "select",
    (
        "Get-PSSession | Select-Object Name, State -First 3",
        "Show two properties of three sessions.",
    ),
    parameter(
        "Property",
        "property[]",
        {_ALL: "0"},
        help="Properties to keep: names with wildcards, scripts, or hashtables with the keys Name "
        "and Expression.",
    ),
    parameter("ExcludeProperty", "string[]", help="Properties to exclude."),
    parameter(
        "ExpandProperty", "string", help="Output the value of this property instead of the object."
    ),
    parameter(
        "First",
        "int",
        limits=(0, 2**31 - 1),
        help="The number of objects to output from the beginning.",
    ),
    parameter(
        "Last", "int", limits=(0, 2**31 - 1), help="The number of objects to output from the end."
    ),
    parameter(
        "Skip", "int", limits=(0, 2**31 - 1), help="The number of objects to skip at the beginning."
    ),
    parameter(
        "SkipLast", "int", limits=(0, 2**31 - 1), help="The number of objects to skip at the end."
    ),
    parameter("Index", "int[]", help="The 0-based indexes of the objects to keep."),
    parameter("Unique", "switch", help="Output only one of equal objects."),
)
_WHERE = _table(
    "Where-Object",
    "Selects objects by the value of a property.",
    "where ?",
    ("Get-PSSession | Where-Object State -eq Opened", "List the open sessions."),
    parameter("FilterScript", "scriptblock", {_BLOCK: "0!"}, help="The condition, for object $_."),
    parameter("Property", "string", {"EqualSet": "0!"}, help="The property to compare."),
    parameter("Value", "object", {"EqualSet": "1"}, help="The value to compare it with."),
    *(
        parameter(
            name, "switch", {"EqualSet": ""}, help=f"Compare with the operator -{name.casefold()}."
        )
        for name in COMPARISONS
    ),
    default_set="EqualSet",
)
_SORT = _table(
    "Sort-Object",
    "Sorts objects.",
    "sort",
    ("Get-PSSession | Sort-Object Name -Descending", "Sort sessions by name from Z to A."),
    parameter("Property", "property[]", {_ALL: "0"}, help="The properties to sort by."),
    parameter("Descending", "switch", help="Sort in descending order."),
    parameter("Unique", "switch", help="Output only one of equal objects."),
    parameter("CaseSensitive", "switch", help="Compare strings case-sensitively."),
    parameter(
        "Top",
        "int",
        limits=(1, 2**31 - 1),
        help="The number of objects to output from the beginning.",
    ),
    parameter(
        "Bottom", "int", limits=(1, 2**31 - 1), help="The number of objects to output from the end."
    ),
)
_MEASURE = _table(
    "Measure-Object",
    "Counts objects and measures their values.",
    "measure",
    ("Get-PSSession | Measure-Object", "Count the sessions."),
    parameter("Property", "property[]", {_ALL: "0"}, help="The properties to measure."),
    *_switches("Measure the {}.", "Sum", "Average", "Maximum", "Minimum", "StandardDeviation"),
    *_switches("Measure all of these.", "AllStats"),
    *_switches("Count each {} of text.", "Line", "Word", "Character"),
)
_FOR_EACH = _table(
    "ForEach-Object",
    "Runs a script for each object, or outputs a property of each.",
    "foreach %",
    ("Get-PSSession | ForEach-Object Name", "Get the names of the sessions."),
    parameter("Process", "scriptblock", {_BLOCK: "0!"}, help="The script for object $_."),
    parameter("Begin", "scriptblock", {_BLOCK: ""}, help="The script to run first."),
    parameter("End", "scriptblock", {_BLOCK: ""}, help="The script to run at the end."),
    parameter(
        "MemberName", "string", {_MEMBER: "0!"}, help="The property, with wildcards, or the method."
    ),
    parameter("ArgumentList", "object[]", {_MEMBER: ""}, help="The arguments of the method."),
    default_set=_BLOCK,
)

OBJECT_COMMANDS = (_SELECT, _WHERE, _SORT, _MEASURE, _FOR_EACH)
