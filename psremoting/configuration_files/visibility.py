"""The commands, parameters and values that a configuration shows.

The rules are those of PowerShell's session configurations: spec-notes/configuration-files.md
"""

from __future__ import annotations

from typing import Any

from psremoting.configuration_files.file_keys import (
    enumeration_value,
    hashtables,
    strings,
    strings_or_hashtables,
)
from psremoting.configuration_files.file_reading import ConfigurationFileError
from psremoting.powershell.string_conversion import to_text
from psremoting.powershell.wildcards import matches
from psrp.clixml import Dictionary, ScriptBlock
from psrp.frozen import dataclass

__all__ = ["Restriction", "Visibility", "visibility_of"]

_VISIBLE = (
    "VisibleCmdlets", "VisibleFunctions", "VisibleAliases", "VisibleProviders",
    "VisibleExternalCommands",
)  # fmt: skip
_CORE_MODULE = "microsoft.powershell.core"


@dataclass(frozen=True, slots=True)
class Restriction:
    """The values that one parameter takes; both empty if it takes any."""

    parameter: str
    values: tuple[str, ...] = ()
    """The ValidateSet."""
    pattern: str = ""
    """The ValidatePattern, a regular expression of .NET that ignores case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """The commands, parameters and values that a user of a configuration can call."""

    session_type: str
    """``Default``, ``RestrictedRemoteServer`` or ``Empty``."""
    limited: bool
    """True if only named commands are visible in a session of type Default."""
    commands: tuple[str, ...]
    """Names with wildcards, of VisibleCmdlets and VisibleFunctions."""
    restricted: tuple[tuple[str, tuple[Restriction, ...]], ...]
    """Commands with the only parameters that they have."""
    functions: tuple[tuple[str, str], ...]
    """The names and the script texts of FunctionDefinitions."""
    functions_shown: bool
    """True if defined functions are visible without being named."""
    aliases: tuple[tuple[str, str], ...]
    """The visible aliases of AliasDefinitions and their commands."""
    alias_names: tuple[str, ...] | None
    """Names with wildcards, of VisibleAliases; None without that key."""
    programs: tuple[str, ...]
    """Names with wildcards, of VisibleExternalCommands."""
    modules: tuple[str, ...]
    """Names of ModulesToImport."""

    def restriction_of(self, name: str) -> tuple[Restriction, ...] | None:
        """Return the parameters of a restricted command, or None if it has all of its own."""
        folded = name.casefold()
        for command, parameters in self.restricted:
            if command.casefold() == folded:
                return parameters
        return None

    def restricted_name(self, name: str) -> str:
        """Return the name of a restricted command as the file spells it."""
        folded = name.casefold()
        return next((each for each, _ in self.restricted if each.casefold() == folded), name)

    def shows(self, name: str, *, defined: bool = False) -> bool:
        """Return True if a command that is not one of the built-in ones is visible.

        ``defined``: the file defines it by FunctionDefinitions.
        """
        if self.restriction_of(name) is not None:
            return True
        if any(matches(each.rpartition("\\")[2], name) for each in self.commands):
            return True
        if defined:
            return self.functions_shown
        return self.session_type == "Default" and not self.limited

    def shows_built_in(self, name: str) -> bool:
        """Return True if one of the commands that remoting needs is visible."""
        if self.session_type == "RestrictedRemoteServer":
            return True
        core = any(each.casefold() == _CORE_MODULE for each in self.modules)
        if self.session_type == "Empty" and not core:
            return False
        return self.shows(name)

    def shows_alias(self, name: str) -> bool:
        """Return True if a predefined alias is visible."""
        if self.session_type == "Empty":
            return False
        if self.session_type == "RestrictedRemoteServer":
            return True
        named = any(matches(each, name) for each in self.alias_names or ())
        return named or not self.limited


def visibility_of(table: Dictionary) -> Visibility:
    """Return what the keys of a file show, after `roles.with_roles`. Raises
    ConfigurationFileError with PowerShell's text for values that it refuses."""
    session_type = "Default"
    given = table.get("SessionType")
    if given is not None and to_text(given):
        found = enumeration_value("SessionType", given)
        if found is None:
            raise ConfigurationFileError(f"Requested value '{to_text(given)}' was not found.")
        session_type = found
    commands: list[str] = []
    restricted: dict[str, dict[str, _Limits]] = {}
    for key in ("VisibleCmdlets", "VisibleFunctions"):
        if key not in table:
            continue
        own: dict[str, dict[str, _Limits]] = {}
        for item in _items_of(table, key):
            if isinstance(item, Dictionary):
                _restrict(own, item)
            elif item:
                commands.append(item)
        known = {each.casefold() for each in restricted}
        for name in own:
            if name.casefold() in known:
                raise ConfigurationFileError(
                    f"An item with the same key has already been added. Key: {name}"
                )
        restricted |= own
    applied = {key: bool(strings(table.get(key))) for key in _VISIBLE}
    names = tuple(strings(table["VisibleAliases"]) or ()) if applied["VisibleAliases"] else None
    return Visibility(
        session_type=session_type,
        limited=any(applied.values()),
        commands=tuple(commands),
        restricted=tuple(
            (name, tuple(each.made() for each in parameters.values()))
            for name, parameters in restricted.items()
        ),
        functions=_functions(table),
        functions_shown=not applied["VisibleFunctions"],
        aliases=_aliases(table, names),
        alias_names=names,
        programs=tuple(strings(table.get("VisibleExternalCommands")) or ()),
        modules=_modules(table),
    )


def _items_of(table: Dictionary, key: str) -> list[Any]:
    items = None if table[key] is None else strings_or_hashtables(table[key])
    if items is None:
        raise ConfigurationFileError(
            f"The member '{key}' must be an array consisting of either string or hashtable "
            "elements.",
            error_id=f"Invalid{key}KeyEntries",
        )
    return items


class _Limits:
    """The restrictions of one parameter, of all hashtables that name it."""

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter
        self.values: list[str] = []
        self.patterns: list[str] = []

    def add(self, key: str, value: Any) -> None:
        into = {"ValidateSet": self.values, "ValidatePattern": self.patterns}.get(key)
        if into is None:
            raise ConfigurationFileError(
                f"The parameter '{self.parameter}' of a visible command has the key '{key}'. "
                "Expected 'Name', 'ValidateSet' or 'ValidatePattern'."
            )
        known = {each.casefold() for each in into}
        into += [each for each in strings(value) or () if each and each.casefold() not in known]

    def made(self) -> Restriction:
        pattern = f"^({'|'.join(self.patterns)})$" if self.patterns else ""
        return Restriction(self.parameter, tuple(self.values), pattern)


def _restrict(restricted: dict[str, dict[str, _Limits]], given: Dictionary) -> None:
    name = given.get("Name")
    parameters = hashtables(given["Parameters"]) if "Parameters" in given else None
    if parameters is not None and not all("Name" in each for each in parameters):
        parameters = None
    if not isinstance(name, str) or isinstance(name, ScriptBlock) or parameters is None:
        shown = name if isinstance(name, str) and name else to_text(next(iter(given), ""))
        raise ConfigurationFileError(
            f"Could not parse visible command definition for '{shown}'. The visible command "
            "definition must be a hashtable with the keys of 'Name' and 'Parameters'. The value of "
            "the 'Parameters' key must be a collection of hashtables with the keys 'Name', and "
            "optionally either 'ValidateSet' or 'ValidatePattern'.",
            error_id="InvalidVisibleCommandKeyEntries",
        )
    known = next((each for each in restricted if each.casefold() == name.casefold()), name)
    own = restricted.setdefault(known, {})
    for each in parameters:
        parameter = to_text(each["Name"])
        limits = own.setdefault(parameter.casefold(), _Limits(parameter))
        for key, value in each.items():
            if to_text(key).casefold() != "name":
                limits.add(_KEYS.get(to_text(key).casefold(), to_text(key)), value)


_KEYS = {"validateset": "ValidateSet", "validatepattern": "ValidatePattern"}


def _functions(table: Dictionary) -> tuple[tuple[str, str], ...]:
    return tuple(
        (to_text(each.get("Name")), str(each["ScriptBlock"]))
        for each in hashtables(table.get("FunctionDefinitions")) or ()
        if to_text(each.get("Name")) and each.get("ScriptBlock")
    )


def _aliases(table: Dictionary, names: tuple[str, ...] | None) -> tuple[tuple[str, str], ...]:
    """Return the defined aliases that are visible; the last definition of a name counts."""
    found = {
        to_text(each.get("Name")).casefold(): (to_text(each.get("Name")), to_text(each["Value"]))
        for each in hashtables(table.get("AliasDefinitions")) or ()
        if to_text(each.get("Name")) and to_text(each.get("Value"))
    }
    return tuple(
        (name, value)
        for name, value in found.values()
        if names is None or any(matches(each, name) for each in names)
    )


def _modules(table: Dictionary) -> tuple[str, ...]:
    value = table.get("ModulesToImport")
    if value is None:
        return ()
    items = _items_of(table, "ModulesToImport")
    return tuple(
        to_text(each.get("ModuleName")) if isinstance(each, Dictionary) else each for each in items
    )
