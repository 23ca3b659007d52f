"""Metadata of commands and their parameters: names, types, parameter sets, validation.

The binder, help and completion read it. A function with one signature is the case of one set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from psrp.clixml import PSObject

__all__ = [
    "ABSENT",
    "ALL_SETS",
    "SWITCH",
    "CommandTable",
    "Parameter",
    "Role",
    "role_of",
    "roles_of",
]

ALL_SETS = "__AllParameterSets"
"""PowerShell's name for a parameter that every set has."""
ABSENT: Any = object()
"""Returned for a property that an object does not have."""
SWITCH = "System.Management.Automation.SwitchParameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The use of a parameter in one set."""

    mandatory: bool = False
    position: int | None = None
    by_value: bool = False
    """Accepts pipeline objects."""
    by_name: bool = False
    """Accepts a property of pipeline objects with its name or an alias."""
    remaining: bool = False
    """Accepts all remaining arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of one command."""

    name: str
    type: str = "System.Object"
    """The full name of its .NET type, with ``[]`` for an array."""
    aliases: tuple[str, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=lambda: {ALL_SETS: Role()})
    """By set; `ALL_SETS` alone if every set has it."""
    convert: Callable[[Any], Any] | None = None
    """Makes the value from an argument in place of `psremoting.powershell.conversion.convert`.
    Raises ConversionError or BindingError."""
    fits: Callable[[Any], bool] | None = None
    """True if an argument has the type already; by default its .NET type decides."""
    limits: tuple[int, int] | None = None
    """The least and the greatest value."""
    values: tuple[str, ...] = ()
    """The values of a ValidateSet."""
    not_empty: bool = False
    """True if null, an empty string and an empty array are refused."""
    not_null: bool = False
    """True if null is refused."""
    may_be_empty: bool = False
    """True if a mandatory parameter also accepts null and empty values."""
    common: bool = False
    """True for a parameter of every command; abbreviations prefer other parameters."""
    secret: bool = False
    """True if its value must not appear in errors."""
    help: str = ""
    key: str = ""
    """The name by which the command's code knows it; empty for its own name."""
    default: Any = None
    """The value without an argument, for help."""

    @property
    def switch(self) -> bool:
        return self.type == SWITCH

    @property
    def many(self) -> bool:
        return self.type.endswith("[]")

    @property
    def element(self) -> str:
        """The type of one value."""
        return self.type.removesuffix("[]")

    @property
    def mandatory(self) -> bool:
        """True if any set requires it."""
        return any(role.mandatory for role in self.roles.values())

    @property
    def in_all_sets(self) -> bool:
        return ALL_SETS in self.roles

    @property
    def only_role(self) -> Role:
        """The role in every set, or in the first set that has it."""
        return self.roles.get(ALL_SETS) or next(iter(self.roles.values()))

    def role(self, set_name: str) -> Role | None:
        """Return its role in a set; None if it is not in the set."""
        return self.roles.get(set_name) or self.roles.get(ALL_SETS)


_ROLE = re.compile(r"(\d*)(!?)(v?)(n?)")


def role_of(text: str) -> Role:
    """Read ``0!vn``: position, mandatory, from the pipeline by value and by property name."""
    found = _ROLE.fullmatch(text)
    assert found is not None, text
    position, mandatory, by_value, by_name = found.groups()
    return Role(
        mandatory=bool(mandatory),
        position=int(position) if position else None,
        by_value=bool(by_value),
        by_name=bool(by_name),
    )


def roles_of(sets: Mapping[str, str] | Iterable[str] = ()) -> Mapping[str, Role]:
    """Return roles by set from texts such as ``0!vn``; names alone are optional and named."""
    roles = dict(sets) if isinstance(sets, Mapping) else dict.fromkeys(sets, "")
    return MappingProxyType(
        {name: role_of(text) for name, text in (roles or {ALL_SETS: ""}).items()}
    )


def _property_of(value: Any, name: str) -> Any:
    """Return a property of an object, without regard to case, or `ABSENT`."""
    return value.get(name, ABSENT) if isinstance(value, PSObject) else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTable:
    """One command, for the binder, help and completion."""

    name: str
    class_name: str = ""
    """The suffix of error ids in FullyQualifiedErrorId; the name of a function."""
    synopsis: str = ""
    description: str = ""
    default_set: str | None = None
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    """Command lines with their purposes."""
    is_function: bool = False
    """Conversion is an argument transformation, with the error id of one."""
    received: bool = False
    """True if its arguments came over the wire."""
    property_of: Callable[[Any, str], Any] = _property_of
    """Function that finds a property of a pipeline object."""

    @property
    def sets(self) -> tuple[str, ...]:
        """All parameter sets, in the order in which they are first named."""
        ordered = [name for each in self.parameters for name in each.roles if name != ALL_SETS]
        return tuple(dict.fromkeys(ordered)) or (ALL_SETS,)

    def find(self, name: str) -> Parameter | None:
        """Return the parameter with exactly this name or alias."""
        wanted = name.casefold()
        for each in self.parameters:
            if wanted in (own.casefold() for own in (each.name, *each.aliases)):
                return each
        return None

    def beginning(self, name: str) -> list[Parameter]:
        """Return the parameters with a name or an alias that begins so."""
        begin = name.casefold()
        return [
            each
            for each in self.parameters
            if any(own.casefold().startswith(begin) for own in (each.name, *each.aliases))
        ]
