"""How a command's parameters are declared: names, types, sets, and what a value must be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["ALL_SETS", "CommandTable", "Parameter", "Role", "parameter"]

ALL_SETS = "__AllParameterSets"
"""PowerShell's name for a parameter that every set has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a parameter is in one set."""

    mandatory: bool = False
    position: int | None = None
    by_value: bool = False
    """Takes objects of the pipeline."""
    by_name: bool = False
    """Takes a property, of its own name or an alias, of objects of the pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of one command."""

    name: str
    type: str
    """A key of `psremoting.console.coercion.TYPES`, with ``[]`` behind it for several."""
    aliases: tuple[str, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    """By set; `ALL_SETS` alone where every set has it."""
    limits: tuple[int, int] | None = None
    values: tuple[str, ...] = ()
    may_be_empty: bool = False
    common: bool = False
    """None of the command's own in PowerShell: an abbreviation means those first."""
    help: str = ""

    @property
    def switch(self) -> bool:
        return self.type == "switch"

    @property
    def many(self) -> bool:
        return self.type.endswith("[]")

    @property
    def element(self) -> str:
        return self.type.removesuffix("[]")

    @property
    def mandatory(self) -> bool:
        """Whether any set cannot do without it."""
        return any(role.mandatory for role in self.roles.values())

    def role(self, set_name: str) -> Role | None:
        """What it is in that set; None where the set does not have it."""
        return self.roles.get(set_name) or self.roles.get(ALL_SETS)

    @property
    def in_all_sets(self) -> bool:
        return ALL_SETS in self.roles


_ROLE = re.compile(r"(\d*)(!?)(v?)(n?)")


def _role(text: str) -> Role:
    """``0!vn``: position, mandatory, from the pipeline by value and by property name."""
    found = _ROLE.fullmatch(text)
    assert found is not None, text
    position, mandatory, by_value, by_name = found.groups()
    return Role(
        mandatory=bool(mandatory),
        position=int(position) if position else None,
        by_value=bool(by_value),
        by_name=bool(by_name),
    )


def parameter(
    name: str,
    type: str,
    sets: Mapping[str, str] | Iterable[str] = (),
    *,
    alias: str = "",
    limits: tuple[int, int] | None = None,
    values: str = "",
    may_be_empty: bool = False,
    common: bool = False,
    help: str = "",
) -> Parameter:
    """A parameter as a row of a table. ``sets`` maps a set to a role such as ``0!vn``; names
    alone are sets where it is optional and named; nothing at all is every set."""
    roles = dict(sets) if isinstance(sets, Mapping) else dict.fromkeys(sets, "")
    return Parameter(
        name=name,
        type=type,
        aliases=tuple(alias.split()),
        roles=MappingProxyType({n: _role(t) for n, t in (roles or {ALL_SETS: ""}).items()}),
        limits=limits,
        values=tuple(values.split()),
        may_be_empty=may_be_empty,
        common=common,
        help=help,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTable:
    """One command: what binder, help and completion know of it."""

    name: str
    class_name: str
    """What stands in FullyQualifiedErrorId behind the id of an error."""
    synopsis: str
    description: str = ""
    default_set: str | None = None
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    """Command lines, and what each is for."""

    @property
    def sets(self) -> tuple[str, ...]:
        """All parameter sets, in the order in which they are first named."""
        names = {name for each in self.parameters for name in each.roles if name != ALL_SETS}
        ordered = [name for each in self.parameters for name in each.roles if name in names]
        return tuple(dict.fromkeys(ordered)) or (ALL_SETS,)

    def find(self, name: str) -> Parameter | None:
        """The parameter with exactly this name or alias."""
        wanted = name.casefold()
        for each in self.parameters:
            if wanted in (own.casefold() for own in (each.name, *each.aliases)):
                return each
        return None

    def beginning(self, name: str) -> list[Parameter]:
        """Those that have a name or an alias which begins so."""
        begin = name.casefold()
        return [
            each
            for each in self.parameters
            if any(own.casefold().startswith(begin) for own in (each.name, *each.aliases))
        ]
