"""The commands of a session as it describes them: parameters, positions, allowed values.

``Get-Command -ShowCommandInfo`` gives all of it at once, on endpoints without language, too.
``Get-Help`` adds texts. spec-notes/constrained-endpoints.md#remote-commands-as-functions
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from psrp.clixml import PSObject
from psrp.commands import Command, Parameter, PowerShell, command
from psrp.frozen import dataclass
from psrp.properties import unwrap

if TYPE_CHECKING:
    from psremoting.client.invocation import Result

__all__ = [
    "COMMON",
    "CommandDescription",
    "HelpText",
    "ParameterDescription",
    "Runner",
    "describe",
    "help_texts",
    "read_description",
]

_COMMON_TEXT = """
    Verbose Debug ErrorAction WarningAction InformationAction ProgressAction ErrorVariable
    WarningVariable InformationVariable OutVariable OutBuffer PipelineVariable WhatIf Confirm
"""
COMMON = tuple(_COMMON_TEXT.split())
"""The parameters that most commands have in common; descriptions leave them out."""
_COMMON = frozenset(name.casefold() for name in COMMON)
_SWITCH = "System.Management.Automation.SwitchParameter"
_NULLABLE = re.compile(r"^System\.Nullable`1\[\[([^,\]]+).*\Z", re.DOTALL)
_HELP_AT_ONCE = 40


class Runner(Protocol):
    """`PSSession.run`."""

    def __call__(self, what: Command | PowerShell, **more: Any) -> Awaitable[Result]:
        """Run a command, wait for its end and return output and records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDescription:
    """One parameter, in the default set of the command if that has it."""

    name: str
    type: str = "System.Object"
    """The full name of its .NET type."""
    mandatory: bool = False
    position: int | None = None
    by_value: bool = False
    """Accepts pipeline objects."""
    many: bool = False
    """An array."""
    values: tuple[str, ...] = ()
    """The only allowed values: of a ValidateSet, or of an enum; empty for any."""

    @property
    def switch(self) -> bool:
        return self.type == _SWITCH


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDescription:
    """One command, with its parameters in order of position, then of declaration."""

    name: str
    kind: str = "Function"
    syntax: str = ""
    parameters: tuple[ParameterDescription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpText:
    """The help of a command: its synopsis, and the texts of parameters by folded name."""

    synopsis: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


async def describe(run: Runner, patterns: Sequence[str] = ("*",)) -> list[CommandDescription]:
    """Return the commands that match ``patterns``. Raises PSRemotingError if there is none, or if
    the endpoint has no Get-Command."""
    asked = Command(
        "Get-Command",
        parameters=(Parameter("Name", list(patterns)), Parameter("ShowCommandInfo", True)),
    )
    result = await run(asked)
    found = [each for value in result.output if (each := read_description(value)) is not None]
    if not found:
        result.raise_for_errors()
    return list({each.name.casefold(): each for each in found}.values())


def read_description(value: Any) -> CommandDescription | None:
    """Return the command of an object of ``Get-Command -ShowCommandInfo``; None for another."""
    if not isinstance(value, PSObject):
        return None
    name = unwrap(value.get("Name"))
    sets = [each for each in _items(value.get("ParameterSets")) if isinstance(each, PSObject)]
    if not isinstance(name, str) or not name or value.get("ParameterSets") is None:
        return None
    sets.sort(key=lambda each: unwrap(each.get("IsDefault")) is not True)
    kind = value.get("CommandType")
    definition = unwrap(value.get("Definition"))
    # The definition of a function is its body.
    text = definition.strip() if isinstance(definition, str) else ""
    return CommandDescription(
        name=name,
        kind=(kind.to_string if isinstance(kind, PSObject) else None) or str(unwrap(kind)),
        syntax=text if text.casefold().startswith(name.casefold() + " ") else "",
        parameters=_parameters(sets),
    )


def _parameters(sets: list[PSObject]) -> tuple[ParameterDescription, ...]:
    """Return the parameters of all sets. One of another set than the first is optional, and has no
    position that the first set uses."""
    found: dict[str, ParameterDescription] = {}
    taken: set[int] = set()
    for at, each in enumerate(sets):
        more = [_parameter(item) for item in _items(each.get("Parameters"))]
        for parameter in more:
            if parameter is None or parameter.name.casefold() in _COMMON:
                continue
            if at and parameter.position in taken:
                parameter = replace(parameter, position=None)
            if at:
                parameter = replace(parameter, mandatory=False)
            found.setdefault(parameter.name.casefold(), parameter)
        taken |= {each.position for each in found.values() if each.position is not None}
    last = len(found)
    return tuple(
        sorted(found.values(), key=lambda each: last if each.position is None else each.position)
    )


def _parameter(item: Any) -> ParameterDescription | None:
    if not isinstance(item, PSObject):
        return None
    name, position = unwrap(item.get("Name")), unwrap(item.get("Position"))
    if not isinstance(name, str) or not name:
        return None
    kind = item.get("ParameterType")
    of_type = kind.get if isinstance(kind, PSObject) else lambda _: None
    values = _texts(item.get("ValidParamSetValues")) or _texts(of_type("EnumValues"))
    full_name = unwrap(of_type("FullName"))
    if isinstance(full_name, str):
        full_name = _NULLABLE.sub(r"\1", full_name)
    return ParameterDescription(
        name=name,
        type=full_name if isinstance(full_name, str) else "System.Object",
        mandatory=unwrap(item.get("IsMandatory")) is True,
        position=position if isinstance(position, int) and position >= 0 else None,
        by_value=unwrap(item.get("ValueFromPipeline")) is True,
        many=unwrap(of_type("IsArray")) is True,
        values=values,
    )


def _items(value: Any) -> list[Any]:
    plain = unwrap(value)
    if isinstance(plain, list):
        return list(plain)
    return [] if value is None else [value]


def _texts(value: Any) -> tuple[str, ...]:
    texts = (each.to_string if isinstance(each, PSObject) else each for each in _items(value))
    return tuple(each for each in texts if isinstance(each, str))


# -- help


async def help_texts(run: Runner, names: Iterable[str]) -> dict[str, HelpText]:
    """Return the help of commands by folded name; nothing for those without, and an empty
    dictionary if the endpoint has no Get-Help."""
    found: dict[str, HelpText] = {}
    rest = list(names)
    while rest:
        now, rest = rest[:_HELP_AT_ONCE], rest[_HELP_AT_ONCE:]
        statements = tuple((command("Get-Help", Name=name),) for name in now)
        result = await run(PowerShell(statements=statements))
        for value in result.output:
            if isinstance(value, PSObject) and isinstance(name := unwrap(value.get("Name")), str):
                found.setdefault(name.casefold(), _help(value))
        if result.error is not None:
            break
    return found


def _help(value: PSObject) -> HelpText:
    synopsis = unwrap(value.get("Synopsis"))
    described = value.get("parameters")
    items = _items(described.get("parameter")) if isinstance(described, PSObject) else []
    pairs = [
        (name.casefold(), text)
        for item in items
        if isinstance(item, PSObject)
        and isinstance(name := unwrap(item.get("name")), str)
        and (text := _paragraphs(item.get("description")))
    ]
    text = synopsis if isinstance(synopsis, str) else ""
    return HelpText(synopsis=" ".join(text.split()), parameters=tuple(pairs))


def _paragraphs(value: Any) -> str:
    parts = (each.get("Text") for each in _items(value) if isinstance(each, PSObject))
    return " ".join(" ".join(part.split()) for part in parts if isinstance(part, str))
