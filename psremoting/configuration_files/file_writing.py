# table: the keys of the written files, with their comments and examples.
"""The texts that New-PSSessionConfigurationFile and New-PSRoleCapabilityFile write.

Order, comments and examples are those of PowerShell 7.6, so that the text is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psremoting.configuration_files.file_keys import CONFIGURATION_KEYS as CHECKS
from psremoting.configuration_files.file_keys import (
    ROLE_KEYS,
    hashtables,
    role_entry_fault,
    role_key_fault,
    strings,
    strings_or_hashtables,
)
from psremoting.configuration_files.file_keys import Fault as _Fault
from psremoting.errors import PSRemotingError
from psremoting.powershell.data_language import quoted
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, List, ScriptBlock
from psrp.frozen import dataclass
from psrp.records import ErrorCategory

__all__ = ["FILE_ENCODING", "role_capability_text", "session_configuration_text"]

FILE_ENCODING = "utf-16"
"""The encoding of PowerShell's own files: little-endian, with a byte order mark."""


class _CannotWrite(PSRemotingError):
    category = ErrorCategory.InvalidArgument
    exception_type = "System.Management.Automation.PSArgumentException"

    def __init__(self, message: str, error_id: str = "Argument") -> None:
        super().__init__(message, error_id=error_id)


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    comment: str
    example: str = ""
    """The value that is written as a comment if none is given; may name ``{version}``."""
    default: str = ""
    """The value that is written if none is given; may name ``{author}`` and ``{guid}``."""
    always: bool = False
    """True if the key is written even without a value and without -Full."""


_ITEMS = "'Item1', 'Item2'"
_RESTRICTED = (
    "@{ Name = 'Parameter1'; ValidateSet = 'Item1', 'Item2' }, "
    "@{ Name = 'Parameter2'; ValidatePattern = 'L*' } }"
)
_FOLDER = "C:\\ConfigData\\"
_ROLES = (
    "@{ 'CONTOSO\\SqlAdmins' = @{ RoleCapabilities = 'SqlAdministration' }; 'CONTOSO\\SqlManaged' "
    "= @{ RoleCapabilityFiles = 'C:\\RoleCapability\\SqlManaged.psrc' }; 'CONTOSO\\ServerMonitors' "
    "= @{ VisibleCmdlets = 'Get-Process' } } "
)
_SCRIPTS = _Row(
    "ScriptsToProcess", "Scripts to run when applied to a session",
    f"'{_FOLDER}InitScript1.ps1', '{_FOLDER}InitScript2.ps1'", always=True,
)  # fmt: skip
_GUID = _Row("GUID", "ID used to uniquely identify this document", default="{guid}", always=True)
_AUTHOR = _Row("Author", "Author of this document", default="{author}", always=True)
_DESCRIPTION = _Row(
    "Description", "Description of the functionality provided by these settings", "''", always=True
)
_COMPANY = _Row("CompanyName", "Company associated with this document", default="Unknown")
_COPYRIGHT = _Row(
    "Copyright", "Copyright statement for this document",
    default="(c) {author}. All rights reserved.",
)  # fmt: skip
_COMMANDS = (
    _Row(
        "ModulesToImport", "Modules to import when applied to a session",
        "'MyCustomModule', @{ ModuleName = 'MyCustomModule'; ModuleVersion = '1.0.0.0'; GUID = "
        "'4d30d5f0-cb16-4898-812d-f20a6c596bdf' }",
    ),
    _Row("VisibleAliases", "Aliases to make visible when applied to a session", _ITEMS),
    _Row(
        "VisibleCmdlets", "Cmdlets to make visible when applied to a session",
        f"'Invoke-Cmdlet1', @{{ Name = 'Invoke-Cmdlet2'; Parameters = {_RESTRICTED}",
    ),
    _Row(
        "VisibleFunctions", "Functions to make visible when applied to a session",
        f"'Invoke-Function1', @{{ Name = 'Invoke-Function2'; Parameters = {_RESTRICTED}",
    ),
    _Row(
        "VisibleExternalCommands",
        "External commands (scripts and applications) to make visible when applied to a session",
        _ITEMS,
    ),
    _Row("VisibleProviders", "Providers to make visible when applied to a session", _ITEMS),
)  # fmt: skip
_DEFINITIONS = (
    _Row(
        "AliasDefinitions", "Aliases to be defined when applied to a session",
        "@{ Name = 'Alias1'; Value = 'Invoke-Alias1'}, "
        "@{ Name = 'Alias2'; Value = 'Invoke-Alias2'}",
    ),
    _Row(
        "FunctionDefinitions", "Functions to define when applied to a session",
        "@{ Name = 'MyFunction'; ScriptBlock = { param($MyInput) $MyInput } }",
    ),
    _Row(
        "VariableDefinitions", "Variables to define when applied to a session",
        "@{ Name = 'Variable1'; Value = { 'Dynamic' + 'InitialValue' } }, "
        "@{ Name = 'Variable2'; Value = 'StaticInitialValue' }",
    ),
    _Row(
        "EnvironmentVariables", "Environment variables to define when applied to a session",
        "@{ Variable1 = 'Value1'; Variable2 = 'Value2' }",
    ),
    _Row(
        "TypesToProcess", "Type files (.ps1xml) to load when applied to a session",
        f"'{_FOLDER}MyTypes.ps1xml', '{_FOLDER}OtherTypes.ps1xml'",
    ),
    _Row(
        "FormatsToProcess", "Format files (.ps1xml) to load when applied to a session",
        f"'{_FOLDER}MyFormats.ps1xml', '{_FOLDER}OtherFormats.ps1xml'",
    ),
    _Row(
        "AssembliesToLoad", "Assemblies to load when applied to a session",
        "'System.Web', 'System.OtherAssembly, Version=4.0.0.0, Culture=neutral, "
        "PublicKeyToken=b03f5f7f11d50a3a'",
    ),
)  # fmt: skip
_SESSION_ROWS = (
    _Row(
        "SchemaVersion", "Version number of the schema used for this document",
        default="2.0.0.0", always=True,
    ),
    _GUID, _AUTHOR, _DESCRIPTION, _COMPANY, _COPYRIGHT,
    _Row(
        "SessionType",
        "Session type defaults to apply for this session configuration. Can be "
        "'RestrictedRemoteServer' (recommended), 'Empty', or 'Default'",
        default="Default", always=True,
    ),
    _Row(
        "TranscriptDirectory",
        "Directory to place session transcripts for this session configuration",
        "'C:\\Transcripts\\'", always=True,
    ),
    _Row(
        "RunAsVirtualAccount",
        "Whether to run this session configuration as the machine's (virtual) administrator "
        "account",
        "$true", always=True,
    ),
    _Row(
        "RunAsVirtualAccountGroups",
        "Groups associated with machine's (virtual) administrator account",
        "'Remote Desktop Users', 'Remote Management Users'",
    ),
    _Row(
        "MountUserDrive",
        "Creates a 'User' PSDrive in the session for use with Copy-Item when File System provider "
        "is not visible.",
        "$true",
    ),
    _Row(
        "UserDriveMaximumSize",
        "Optional maximum size in bytes of user drive created with MountUserDrive parameter. "
        "Default maximum size for User drive is 50MB.",
        "50000000",
    ),
    _Row(
        "GroupManagedServiceAccount",
        "Group managed service account name under which the configuration will run",
        "'CONTOSO\\GroupManagedServiceAccount'",
    ),
    _SCRIPTS,
    _Row(
        "RoleDefinitions",
        "User roles (security groups), and the role capabilities that should be applied to them "
        "when applied to a session",
        _ROLES, always=True,
    ),
    _Row(
        "RequiredGroups",
        "Group accounts for which membership is required to use the session.",
        "@{ And = @{ Or = 'CONTOSO\\SmartCard-Logon1', 'CONTOSO\\SmartCard-Logon2' }, "
        "'Administrators' }",
    ),
    _Row(
        "LanguageMode",
        "Language mode to apply when applied to a session. Can be 'NoLanguage' (recommended), "
        "'RestrictedLanguage', 'ConstrainedLanguage', or 'FullLanguage'",
        default="{language}",
    ),
    _Row(
        "ExecutionPolicy", "Execution policy to apply when applied to a session",
        default="Restricted",
    ),
    _Row(
        "PowerShellVersion",
        "Version of the PowerShell engine to use when applied to a session", "'{version}'",
    ),
    *_COMMANDS, *_DEFINITIONS,
)  # fmt: skip
_ROLE_ROWS = (
    _GUID, _AUTHOR, _DESCRIPTION, _COMPANY, _COPYRIGHT, *_COMMANDS, _SCRIPTS, *_DEFINITIONS,
)  # fmt: skip
_BARE = frozenset({"RunAsVirtualAccount", "MountUserDrive", "UserDriveMaximumSize"})
_COMMAND_LISTS = frozenset(
    {"ModulesToImport", "VisibleAliases", "VisibleCmdlets", "VisibleFunctions"}
    | {"VisibleExternalCommands", "VisibleProviders"}
)
_DEFINED = frozenset({"AliasDefinitions", "FunctionDefinitions", "VariableDefinitions"})
_TABLES = frozenset({"RoleDefinitions", "EnvironmentVariables"})


def session_configuration_text(
    values: Mapping[str, Any],
    *,
    author: str,
    guid: str,
    file: str,
    full: bool = False,
    version: str = "7.6",
) -> str:
    """Return the text of a .pssc file with ``values`` by key.

    ``author`` and ``guid`` are the defaults of their keys, ``version`` that of the example of
    PowerShellVersion; ``file`` is its name for errors. With ``full`` all keys are written, as
    comments where they have no value. Raises PSRemotingError for a value that cannot be written.
    """
    restricted = "NoLanguage" if _text_of(values, "SessionType") else "FullLanguage"
    names = {"author": _text_of(values, "Author") or author, "guid": guid, "version": version}
    return _text(_SESSION_ROWS, values, names | {"language": restricted}, file, full=full)


def role_capability_text(values: Mapping[str, Any], *, author: str, guid: str, file: str) -> str:
    """Return the text of a .psrc file with ``values`` by key, otherwise as
    `session_configuration_text`."""
    names = {"author": _text_of(values, "Author") or author, "guid": guid}
    return _text(_ROLE_ROWS, values, names, file, full=True)


def _text_of(values: Mapping[str, Any], key: str) -> str:
    text = to_text(values.get(key))
    return "" if key == "SessionType" and text.casefold() == "default" else text


def _text(
    rows: tuple[_Row, ...],
    values: Mapping[str, Any],
    names: Mapping[str, str],
    file: str,
    *,
    full: bool,
) -> str:
    pieces = ["@{\n\n"]
    for row in rows:
        value = values.get(row.key)
        if row.key not in values and not (full or row.always):
            continue
        text = "" if _is_nothing(value) else _written(row.key, value, file)
        mark = ""
        if not text and row.default:
            text = quoted(row.default.format_map(names))
        elif not text:
            mark, text = "# ", _example(row, names)
        pieces.append(f"# {row.comment}\n{mark}{row.key} = {text}\n\n")
    return "".join((*pieces, "}"))


def _example(row: _Row, names: Mapping[str, str]) -> str:
    return row.example.replace("{version}", names.get("version", ""))


def _is_nothing(value: Any) -> bool:
    """Return True for a value that PowerShell replaces by the default or the example."""
    return (
        value is None
        or value is False
        or value in ("", 0)
        or (isinstance(value, List) and not value)
    )


def _written(key: str, value: Any, file: str) -> str:
    if key in _BARE:
        return "$true" if value is True else to_text(value)
    if key in _TABLES:
        return _role_definitions(value) if key == "RoleDefinitions" else _table(value, 0)
    if key == "RequiredGroups":
        return _required_groups(value)
    if key in _DEFINED:
        return _defined(key, value, file)
    if key in _COMMAND_LISTS:
        items = strings_or_hashtables(value)
        if items is None:
            raise _CannotWrite(
                f"The member '{key}' must be an array consisting of either string or hashtable "
                "elements."
            )
        return _items(items, 0)
    return ", ".join(quoted(each) for each in strings(value) or () if each)


def _defined(key: str, value: Any, file: str) -> str:
    found = CHECKS[key](key, value)
    if found is not None:
        text = found.text if isinstance(found, _Fault) else found
        raise _CannotWrite(text.replace("{file}", file))
    return _items(list(hashtables(value) or ()), 0)


def _role_definitions(value: Any) -> str:
    """Return RoleDefinitions. Raises PSRemotingError for what is not a role."""
    known = {each.casefold() for each in ROLE_KEYS}
    for role, definition in value.items():
        if not isinstance(role, str):
            raise _CannotWrite(
                f"Invalid role key type: {type(role).__name__}. Role keys must be strings that "
                "identify a security group.",
                "InvalidRoleKeyType",
            )
        if not isinstance(definition, Dictionary):
            raise _CannotWrite(role_entry_fault(role), "InvalidRoleEntryNotHashtable")
        for key in map(to_text, definition):
            if key.casefold() not in known:
                raise _CannotWrite(role_key_fault(key), "InvalidRoleCapabilityKey")
    return _table(value, 0)


def _required_groups(value: Any) -> str:
    if not isinstance(value, Dictionary) or len(value) != 1:
        raise _CannotWrite(
            "The RequiredGroups hash table must have a single key of And or Or.", "RequiredGroups"
        )
    ((key, groups),) = value.items()
    written = [
        quoted(each) if isinstance(each, str) else _required_groups(each)
        for each in (groups if isinstance(groups, List) else [groups])
    ]
    return f"@{{ {quoted(key)} = {', '.join(written)} }}"


def _items(values: list[Any], depth: int) -> str:
    if not values:
        return "@()"
    return ", ".join(
        _table(each, depth) if isinstance(each, Dictionary) else quoted(each) for each in values
    )


def _table(table: Any, depth: int) -> str:
    rows = "".join(
        f"\n{' ' * (4 * (depth + 1))}{quoted(key)} = {_entry(table[key], depth + 1)}"
        for key in sorted(table, key=lambda each: (to_text(each).casefold(), to_text(each)))
    )
    return f"@{{{rows} }}"


def _entry(value: Any, depth: int) -> str:
    if isinstance(value, ScriptBlock):
        return f"{{{value}}}"
    if isinstance(value, Dictionary):
        return _table(value, depth)
    if isinstance(value, List):
        return _items(list(value), depth)
    return quoted(value)
