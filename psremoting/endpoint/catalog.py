"""The commands of an endpoint by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import COMMON, Signature, describe
from psremoting.errors import not_recognized
from psremoting.powershell.parameters import CommandTable, Parameter
from psremoting.powershell.wildcards import matches
from psrp.records import ErrorCategory

__all__ = ["Catalog", "EndpointCommand", "command_not_found"]

_FUNCTION, _CMDLET = 2, 8


@dataclass(frozen=True, kw_only=True)
class EndpointCommand:
    """One command: a Python callable under a PowerShell name."""

    name: str
    function: Callable[..., Any]
    signature: Signature
    summary: str = ""
    description: str = ""
    built_in: bool = False
    hidden: bool = False
    """True if Get-Command does not list it."""

    @classmethod
    def of(
        cls,
        name: str,
        function: Callable[..., Any],
        *,
        built_in: bool = False,
        hidden: bool = False,
    ) -> EndpointCommand:
        """Describe a function as a command. Raises TypeError if it cannot be one."""
        if not callable(function):
            raise TypeError(f"{name}: not callable")
        if not name or name != name.strip() or any(mark in name for mark in " \t\n|;'\"`$(){},&<>"):
            raise TypeError(f"{name!r} cannot be the name of a command")
        text = inspect.getdoc(function) or ""
        summary, _, description = text.partition("\n\n")
        return cls(
            name=name,
            function=function,
            signature=describe(function),
            summary=" ".join(summary.split()),
            description=description.strip(),
            built_in=built_in,
            hidden=hidden,
        )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.signature.parameters

    @cached_property
    def table(self) -> CommandTable:
        """The command with its common parameters, for the binder."""
        return CommandTable(
            name=self.name,
            class_name=self.name,
            synopsis=self.summary,
            parameters=(*self.parameters, *COMMON),
            is_function=not self.built_in,
            received=True,
        )

    @cached_property
    def takes_objects(self) -> bool:
        """True if a parameter accepts pipeline objects one by one."""
        roles = [each.only_role for each in self.parameters]
        return any(role.by_value or role.by_name for role in roles)

    @property
    def command_type(self) -> int:
        """The bit of CommandTypes. [MS-PSRP] 2.2.3.19"""
        return _CMDLET if self.built_in else _FUNCTION

    @property
    def source(self) -> str:
        return "psremoting" if self.built_in else ""

    @property
    def syntax(self) -> str:
        """The syntax in one line, as Get-Command -Syntax shows it."""
        words = [self.name]
        for each in self.parameters:
            kind = _short(each)
            named = f"-{each.name}"
            if each.switch:
                words.append(f"[{named}]")
                continue
            if each.only_role.position is not None:
                named = f"[{named}]"
            text = f"{named} <{kind}>"
            words.append(text if each.mandatory else f"[{text}]")
        return " ".join((*words, "[<CommonParameters>]"))


def _short(parameter: Parameter) -> str:
    name = parameter.type.replace("System.Nullable`1[", "Nullable[")
    inner = name.removeprefix("Nullable[")
    short = inner.rpartition(".")[2].lower().replace("int64", "long").replace("boolean", "bool")
    return f"Nullable[{short}" if inner != name else short


class Catalog:
    """Commands by name, compared without case.

    ``aliases`` are other names of commands; a command of the same name hides an alias.
    """

    def __init__(
        self, commands: Iterable[EndpointCommand] = (), aliases: Mapping[str, str] | None = None
    ) -> None:
        self._commands: dict[str, EndpointCommand] = {}
        for command in commands:
            self._commands[command.name.casefold()] = command
        self._aliases = dict(aliases or {})

    @classmethod
    def of(cls, functions: Mapping[str, Callable[..., Any]], *, built_in: bool = False) -> Catalog:
        """Make a catalog of functions by command name.

        Raises TypeError for something that cannot be a command, and for two names that differ
        in case only.
        """
        names: dict[str, str] = {}
        for name in functions:
            other = names.setdefault(str(name).casefold(), name)
            if other != name:
                raise TypeError(f"{other} and {name} are one name to PowerShell")
        return cls(
            EndpointCommand.of(name, function, built_in=built_in)
            for name, function in functions.items()
        )

    def __iter__(self) -> Iterator[EndpointCommand]:
        """Yield the commands in the order of their names, without hidden ones."""
        shown = (each for each in self._commands.values() if not each.hidden)
        return iter(sorted(shown, key=lambda each: each.name.casefold()))

    @property
    def commands(self) -> tuple[EndpointCommand, ...]:
        """All commands, hidden ones too."""
        return tuple(self._commands.values())

    def __len__(self) -> int:
        return len(self._commands)

    def __or__(self, other: Catalog) -> Catalog:
        """Return the commands of both; ``other`` wins for equal names."""
        commands = [*self._commands.values(), *other._commands.values()]
        return Catalog(commands, self._aliases | other._aliases)

    @property
    def aliases(self) -> dict[str, EndpointCommand]:
        """Aliases in lower case, and their commands."""
        found = (
            (alias, self._commands.get(name.casefold())) for alias, name in self._aliases.items()
        )
        return {
            alias: command
            for alias, command in found
            if command is not None and alias not in self._commands
        }

    def dangling_matching(self, pattern: str) -> dict[str, str]:
        """Return the aliases without a visible command that match a wildcard pattern, with the
        names of their commands."""
        known = self.aliases
        return {
            alias: name
            for alias, name in sorted(self._aliases.items())
            if alias not in known and alias not in self._commands and matches(pattern, alias)
        }

    def aliases_matching(self, pattern: str) -> dict[str, EndpointCommand]:
        """Return the aliases that match a wildcard pattern, in the order of their names."""
        known = self.aliases
        return {each: known[each] for each in sorted(known) if matches(pattern, each)}

    def find(self, name: str) -> EndpointCommand | None:
        folded = name.casefold()
        found = self._commands.get(folded)
        if found is None and folded in self._aliases:
            found = self._commands.get(self._aliases[folded].casefold())
        if found is None and "\\" in folded:
            found = self._commands.get(folded.rpartition("\\")[2])
        return found

    def get(self, name: str) -> EndpointCommand:
        """Return a command. Raises CommandError if there is none of this name."""
        found = self.find(name)
        if found is None:
            # An alias may be visible while its command is not.
            raise command_not_found(self._aliases.get(name.casefold(), name))
        return found

    def matching(self, patterns: Iterable[str]) -> list[EndpointCommand]:
        """Return the commands that match one of the wildcard patterns, each once."""
        wanted = tuple(patterns)
        return [each for each in self if any(matches(pattern, each.name) for pattern in wanted)]


def command_not_found(name: str) -> CommandError:
    return CommandError(
        not_recognized(name),
        error_id="CommandNotFoundException",
        category=ErrorCategory.ObjectNotFound,
        exception_type="System.Management.Automation.CommandNotFoundException",
        target=name,
        target_type="String",
        full_id=True,
        activity="",
    )
