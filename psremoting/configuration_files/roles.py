"""The roles of a configuration: what RoleDefinitions, role capabilities and RequiredGroups mean
for one user.

Values of a role are added to those of the file, as PowerShell adds them: a role can show more, and
never less.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from psremoting.configuration_files.file_keys import (
    ROLE_KEYS,
    hashtables,
    role_entry_fault,
    role_key_fault,
    strings,
)
from psremoting.configuration_files.file_reading import (
    ConfigurationFile,
    ConfigurationFileError,
    read_role_capability_file,
)
from psremoting.powershell.string_conversion import to_text
from psremoting.powershell.wildcards import matches
from psrp.clixml import Dictionary, List

__all__ = [
    "IsMember",
    "check_usable",
    "meets_required_groups",
    "module_folders",
    "with_roles",
]

IsMember = Callable[[str], bool]
"""Returns True if the user has a role: is this user, or is in this group."""
_DESCRIBING = frozenset(
    {"guid", "author", "description", "companyname", "copyright", "schemaversion"}
)
_ROLE_KEYS = frozenset(each.casefold() for each in ROLE_KEYS)
_CAPABILITIES = frozenset({"rolecapabilities", "rolecapabilityfiles"})
_ABOUT_ROLES = _CAPABILITIES | {"roledefinitions", "requiredgroups"}
_MAX_FILES = 1000
"""The most role capability files of one user."""


def module_folders(environment: os._Environ[str] | dict[str, str] = os.environ) -> list[Path]:
    """Return the folders in which role capabilities are looked for: those of PSModulePath, else
    PowerShell's defaults on Linux and macOS."""
    given = environment.get("PSModulePath")
    if given:
        return [Path(each) for each in given.split(os.pathsep) if each]
    home = environment.get("HOME", "")
    own = [Path(home, ".local/share/powershell/Modules")] if home else []
    return [*own, Path("/usr/local/share/powershell/Modules")]


def with_roles(file: ConfigurationFile, is_member: IsMember, folders: Sequence[Path]) -> Dictionary:
    """Return the keys of ``file`` with the values of the user's roles added.

    ``folders`` are those of `module_folders`. The keys about roles are not in the result. Raises
    ConfigurationFileError for a role that is no role, and for a capability that is not found.
    """
    check_usable(file)
    table = Dictionary(file.table.items())
    roles = table.get("RoleDefinitions")
    if roles is not None:
        for role, definition in roles.items():
            if is_member(role):
                _merge(table, definition)
    _merge_capabilities(table, folders, [])
    return Dictionary(_without(table, _ABOUT_ROLES))


def check_usable(file: ConfigurationFile) -> None:
    """Check what PowerShell finds out only when a session opens: the roles, and the environment
    variables of the file and of its roles. Raises ConfigurationFileError."""
    roles = file.get("RoleDefinitions")
    if roles is not None:
        _check_roles(file, roles)
    for table in (file.table, *(roles.values() if roles is not None else ())):
        _check_environment(file, table)


def _check_environment(file: ConfigurationFile, table: Dictionary) -> None:
    for variables in hashtables(table.get("EnvironmentVariables")) or ():
        for name, value in variables.items():
            text, rule = to_text(name), ""
            if not text or "=" in text or "\0" in text:
                rule = "A name must not be empty nor have the character '=' or NUL"
            elif value is None or "\0" in to_text(value):
                rule = "A value must not be $null nor have the character NUL"
            if rule:
                position = file.data.position(variables, name)
                place = "" if position is None else f" ({file.name}, {position})"
                raise ConfigurationFileError(
                    f"The member 'EnvironmentVariables' cannot set '{text}'. {rule}.{place}",
                    position=position,
                )


def _check_roles(file: ConfigurationFile, roles: Any) -> None:
    if not isinstance(roles, Dictionary):
        position = file.position("RoleDefinitions")
        raise ConfigurationFileError(
            f"The member 'RoleDefinitions' must be a hashtable. Change the member to the correct "
            f"type in the file {file.name}.",
            error_id="InvalidRoleDefinitionNotHashtable",
            position=position,
        )
    for role, definition in roles.items():
        position = file.data.position(roles, role)
        place = "" if position is None else f" ({file.name}, {position})"
        if not isinstance(role, str):
            raise ConfigurationFileError(
                f"Invalid role key type: {type(role).__name__}. Role keys must be strings that "
                f"identify a security group.{place}",
                error_id="InvalidRoleKeyType",
                position=position,
            )
        if not isinstance(definition, Dictionary):
            raise ConfigurationFileError(
                role_entry_fault(role) + place,
                error_id="InvalidRoleEntryNotHashtable",
                position=position,
            )
        _check_keys(file, definition, _ROLE_KEYS)


def _check_keys(file: ConfigurationFile, table: Dictionary, allowed: frozenset[str]) -> None:
    for key in table:
        text = to_text(key)
        if text.casefold() in allowed:
            continue
        position = file.data.position(table, key)
        place = "" if position is None else f" ({file.name}, {position})"
        raise ConfigurationFileError(
            role_key_fault(text) + place,
            error_id="InvalidRoleCapabilityKey",
            position=position,
        )


def _merge(table: Dictionary, more: Dictionary) -> None:
    """Add the values of ``more`` to those of ``table``."""
    for key, value in more.items():
        have = table.get(key)
        table[key] = List([*_items(have, key in table), *_items(value, True)])


def _items(value: Any, present: bool) -> list[Any]:
    if not present:
        return []
    return list(value) if isinstance(value, List) else [value]


def _merge_capabilities(table: Dictionary, folders: Sequence[Path], within: list[Path]) -> None:
    """Add the values of the role capability files that ``table`` names; a file may name others."""
    files = [_find(name, folders) for name in strings(table.get("RoleCapabilities")) or () if name]
    files += [Path(each) for each in strings(table.get("RoleCapabilityFiles")) or () if each]
    if len(files) > _MAX_FILES:
        raise ConfigurationFileError(f"expected at most {_MAX_FILES} role capability files")
    for path in files:
        if path in within:
            raise ConfigurationFileError(f"The role capability file {path} names itself.")
        found = read_role_capability_file(path)
        _check_keys(found, found.table, _ROLE_KEYS | _DESCRIBING)
        _check_environment(found, found.table)
        own = Dictionary(_without(found.table, _DESCRIBING))
        _merge_capabilities(own, folders, [*within, path])
        _merge(table, Dictionary(_without(own, _CAPABILITIES)))


def _without(table: Dictionary, keys: frozenset[str]) -> list[tuple[Any, Any]]:
    return [(key, value) for key, value in table.items() if to_text(key).casefold() not in keys]


def _find(name: str, folders: Sequence[Path]) -> Path:
    """Return the file of a role capability, ``NAME`` or ``MODULE\\NAME``."""
    module, _, capability = name.rpartition("\\")
    if "/" not in capability and capability not in ("", ".", ".."):
        for path in _candidates(folders, module or "*", capability):
            return path
    raise ConfigurationFileError(
        f"Could not find the role capability, '{name}'. The role capability must be a file named "
        f"'{name}.psrc' within a 'RoleCapabilities' directory in a module in the current module "
        "path.",
        error_id="CouldNotFindRoleCapability",
    )


def _candidates(folders: Sequence[Path], module: str, capability: str) -> Iterator[Path]:
    for folder in folders:
        try:
            modules = sorted(each for each in folder.iterdir() if each.is_dir())
        except OSError:
            continue
        for each in modules:
            path = each / "RoleCapabilities" / f"{capability}.psrc"
            if matches(module, each.name) and path.is_file():
                yield path


def meets_required_groups(groups: Any, is_member: IsMember) -> bool:
    """Return True if a user meets RequiredGroups: names, and tables with ``And`` or ``Or``.

    Raises ConfigurationFileError for another value.
    """
    if isinstance(groups, str):
        return is_member(groups)
    if isinstance(groups, Dictionary) and len(groups) == 1:
        ((key, values),) = groups.items()
        found = [meets_required_groups(each, is_member) for each in _items(values, True)]
        operator = to_text(key).casefold()
        if operator == "and":
            return all(found)
        if operator == "or":
            return any(found)
    raise ConfigurationFileError(
        "The RequiredGroups hash table must have a single key of And or Or, and names of groups "
        "or such hash tables as its values."
    )
