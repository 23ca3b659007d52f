"""The keys of a session configuration file (.pssc), and the checks of their values.

The keys, the checks and the texts are those of Test-PSSessionConfigurationFile in PowerShell 7.6.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, Int64, List, ScriptBlock
from psrp.frozen import dataclass

__all__ = [
    "CONFIGURATION_KEYS",
    "ENUMERATIONS",
    "ROLE_KEYS",
    "SERVER_KEYS",
    "Fault",
    "enumeration_value",
    "faults",
    "hashtables",
    "role_entry_fault",
    "role_key_fault",
    "strings",
    "strings_or_hashtables",
]

_ABSOLUTE = ("TypesToProcess", "FormatsToProcess", "ScriptsToProcess")
_EXTENSIONS = {
    "TypesToProcess": (".ps1xml",),
    "FormatsToProcess": (".ps1xml",),
    "ScriptsToProcess": (".ps1", ".psm1"),
}
ENUMERATIONS: dict[str, tuple[str, dict[str, int]]] = {
    "SessionType": (
        "System.Management.Automation.Remoting.SessionType",
        {"Empty": 0, "RestrictedRemoteServer": 1, "Default": 2},
    ),
    "LanguageMode": (
        "System.Management.Automation.PSLanguageMode",
        {"FullLanguage": 0, "RestrictedLanguage": 1, "NoLanguage": 2, "ConstrainedLanguage": 3},
    ),
    "ExecutionPolicy": (
        "Microsoft.PowerShell.ExecutionPolicy",
        {
            "Unrestricted": 0, "RemoteSigned": 1, "AllSigned": 2, "Restricted": 3, "Default": 3,
            "Bypass": 4, "Undefined": 5,
        },
    ),
}  # fmt: skip
"""Key to the .NET type of its value and the members of that type."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file: the text of PowerShell, the hashtable and the key that it is about."""

    text: str
    table: Any
    key: str


Check = Callable[[str, Any], "Fault | str | None"]
"""Returns None, or the first fault of a value, with ``{file}`` in place of the file's name."""


def strings(value: Any) -> list[str] | None:
    """Return the texts of an array or of a single value; None for null."""
    if value is None:
        return None
    return [to_text(each) for each in value] if isinstance(value, List) else [to_text(value)]


def hashtables(value: Any) -> list[Dictionary] | None:
    """Return the hashtables of an array or a single one; None if there is anything else."""
    items = value if isinstance(value, List) else [value]
    found = [each for each in items if isinstance(each, Dictionary)]
    return found if len(found) == len(items) else None


def strings_or_hashtables(value: Any) -> list[Any] | None:
    """Return texts and hashtables, or None if there is anything else."""
    items = list(value) if isinstance(value, List) else [value]
    return items if all(_is_text(each) or isinstance(each, Dictionary) for each in items) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, ScriptBlock)


def enumeration_value(key: str, value: Any) -> str | None:
    """Return the name of the member that ``value`` means, or None: any case, or a number."""
    members = ENUMERATIONS[key][1]
    text = to_text(value).strip()
    for name, number in members.items():
        if text.casefold() == name.casefold() or text == str(number):
            return name
    return None


def role_entry_fault(role: Any) -> str:
    """Return PowerShell's text for an entry of RoleDefinitions that is no hashtable."""
    return (
        f"Could not convert the value of the '{role}' role entry to a hashtable. The 'Roles' entry "
        "must be a hashtable with group names for keys, where the value associated with each key "
        "is another hashtable of session configuration properties for that role."
    )


def role_key_fault(key: str) -> str:
    """Return PowerShell's text for a key that a role cannot have."""
    return (
        f"Invalid role capability key: {key}. Make sure the role capability name is spelled "
        "correctly and is a valid session configuration property."
    )


def _kind(name: str) -> str:
    return (
        f"The member '{{key}}' must be {name}. Change the member to the correct type in the file "
        "{file}."
    )


def _must_be(name: str, fits: Callable[[Any], bool]) -> Check:
    text = _kind(name)
    return lambda key, value: None if fits(value) else text.replace("{key}", key)


def _enumeration(key: str, value: Any) -> str | None:
    if _is_text(value) and enumeration_value(key, value) is not None:
        return None
    type_name, members = ENUMERATIONS[key]
    return (
        f"The member '{key}' must be a valid enumeration type \"{type_name}\". Valid enumeration "
        f'values are "{",".join(members)}". Change the member to the correct type in the file '
        "{file}."
    )


def _definitions(required: tuple[str, ...], optional: tuple[str, ...]) -> Check:
    wrong_type = _kind("a hashtable array")

    def check(key: str, value: Any) -> Fault | str | None:
        tables = hashtables(value)
        if tables is None:
            return wrong_type.replace("{key}", key)
        for table in tables:
            for name in required:
                if name not in table:
                    return (
                        f"The member '{key}' must contain the required key '{name}'. Add the "
                        "require key to the file {file}."
                    )
            if "ScriptBlock" in required and not isinstance(table["ScriptBlock"], ScriptBlock):
                return Fault(
                    f"The key 'ScriptBlock' in the member '{key}' must be a script block. Change "
                    "the key to the correct type in the file {file}.",
                    table,
                    "ScriptBlock",
                )
            for name in map(to_text, table):
                if name.casefold() not in {each.casefold() for each in required + optional}:
                    return Fault(
                        f"The key '{name}' in the member '{key}' is not valid. Change the key in "
                        "the file {file}.",
                        table,
                        name,
                    )
        return None

    return check


_STRING = _must_be("a string", _is_text)
_STRINGS = _must_be("a string array", lambda value: value is not None)
_TABLE = _must_be("a hashtable", lambda value: isinstance(value, Dictionary))
_BOOLEAN = _must_be("a boolean", lambda value: isinstance(value, bool))
_INTEGER = _must_be(
    "an integer",
    lambda value: type(value) in (int, Int64) and -(2**63) <= value < 2**63,
)
_STRINGS_OR_TABLES = _must_be(
    "an array consisting of either string or hashtable elements",
    lambda value: value is not None and strings_or_hashtables(value) is not None,
)

CONFIGURATION_KEYS: dict[str, Check] = {
    "AliasDefinitions": _definitions(("Name", "Value"), ("Description", "Options")),
    "AssembliesToLoad": _STRINGS,
    "Author": _STRING,
    "CompanyName": _STRING,
    "Copyright": _STRING,
    "Description": _STRING,
    "EnforceInputParameterValidation": _BOOLEAN,
    "EnvironmentVariables": _TABLE,
    "ExecutionPolicy": _enumeration,
    "FormatsToProcess": _STRINGS,
    "FunctionDefinitions": _definitions(("Name", "ScriptBlock"), ("Options",)),
    "GroupManagedServiceAccount": _STRING,
    "GUID": _STRING,
    "LanguageMode": _enumeration,
    "ModulesToImport": _STRINGS_OR_TABLES,
    "MountUserDrive": _BOOLEAN,
    "PowerShellVersion": _STRING,
    "RequiredGroups": _TABLE,
    "RoleCapabilities": _STRINGS,
    "RoleCapabilityFiles": _STRINGS,
    "RoleDefinitions": _TABLE,
    "RunAsVirtualAccount": _BOOLEAN,
    "RunAsVirtualAccountGroups": _STRINGS,
    "SchemaVersion": _STRING,
    "ScriptsToProcess": _STRINGS,
    "SessionType": _enumeration,
    "TranscriptDirectory": _STRING,
    "TypesToProcess": _STRINGS,
    "UserDriveMaximumSize": _INTEGER,
    "VariableDefinitions": _definitions(("Name", "Value"), ()),
    "VisibleAliases": _STRINGS,
    "VisibleCmdlets": _STRINGS,
    "VisibleExternalCommands": _STRINGS,
    "VisibleFunctions": _STRINGS,
    "VisibleProviders": _STRINGS,
}
"""Every key of a .pssc file and the check of its value."""

ROLE_KEYS = frozenset(
    {
        "RoleCapabilities", "RoleCapabilityFiles", "ModulesToImport", "VisibleAliases",
        "VisibleCmdlets", "VisibleFunctions", "VisibleExternalCommands", "VisibleProviders",
        "ScriptsToProcess", "AliasDefinitions", "FunctionDefinitions", "VariableDefinitions",
        "EnvironmentVariables", "TypesToProcess", "FormatsToProcess", "AssembliesToLoad",
    }
)  # fmt: skip
"""The keys of one role in RoleDefinitions."""

SERVER_KEYS = frozenset(CONFIGURATION_KEYS) - {
    "EnforceInputParameterValidation", "ExecutionPolicy", "GroupManagedServiceAccount",
    "PowerShellVersion", "RequiredGroups", "RoleCapabilities", "RoleCapabilityFiles",
    "RoleDefinitions", "RunAsVirtualAccount", "RunAsVirtualAccountGroups",
}  # fmt: skip
"""The keys that ``pwsh -ConfigurationFile`` accepts on Linux and macOS."""

_BY_FOLDED = {each.casefold(): each for each in CONFIGURATION_KEYS}


def faults(table: Dictionary) -> Iterator[Fault]:
    """Yield the faults of a .pssc file in the order of its keys, then those of the whole file.

    ``{file}`` in a text stands for the name of the file.
    """
    for given, value in table.items():
        key = to_text(given)
        name = _BY_FOLDED.get(key.casefold())
        if name is None:
            text = (
                f"The member '{key}' is not a valid key. Please change the member to a valid key "
                "in the file {file}."
            )
            yield Fault(text, table, key)
            continue
        found = CONFIGURATION_KEYS[name](name, value)
        if isinstance(found, str):
            found = Fault(found.replace(f"'{name}'", f"'{key}'", 1), table, key)
        if found is not None:
            yield found
    if "SchemaVersion" not in table:
        yield Fault(
            "The member 'SchemaVersion' is not present in the configuration file. This member must "
            "exist and be assigned a version number of the form 'n.n.n.n'. Please add the missing "
            "member to the file {file}.",
            table,
            "SchemaVersion",
        )
    yield from _path_faults(table)


def _path_faults(table: Dictionary) -> Iterator[Fault]:
    for key in _ABSOLUTE:
        for path in strings(table.get(key)) or ():
            if not (path.startswith("/") or ":" in path):
                yield Fault(
                    f"The member '{key}' is not an absolute path {path}. Change the member to an "
                    "absolute path in the file {file}.",
                    table,
                    key,
                )
    for key, extensions in _EXTENSIONS.items():
        for path in strings(table.get(key)) or ():
            extension = posixpath.splitext(path)[1]
            if extension.casefold() not in extensions:
                yield Fault(
                    f"The key '{key}' contains an extension {extension} that is not valid. Specify "
                    f"an extension from the following list: {{{', '.join(extensions)}}}.",
                    table,
                    key,
                )
