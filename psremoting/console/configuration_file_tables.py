# table: the parameters of the commands for configuration files, one row for each.
"""New-PSSessionConfigurationFile, Test-PSSessionConfigurationFile, New-PSRoleCapabilityFile."""

from __future__ import annotations

from psremoting.configuration_files.file_keys import ENUMERATIONS
from psremoting.console.confirmation import confirming_parameters
from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["CONFIGURATION_FILE_COMMANDS", "NEW_CONFIGURATION_FILE", "NEW_ROLE_CAPABILITY_FILE"]

_CLASS = "Microsoft.PowerShell.Commands."


def _names(key: str) -> str:
    return " ".join(ENUMERATIONS[key][1])


def _describing() -> tuple[Parameter, ...]:
    return (
        parameter("Guid", "guid", help="The id of the file (default: a new one)."),
        parameter(
            "Author", "string", may_be_empty=True, help="The author (default: the current user)."
        ),
        parameter("Description", "string", may_be_empty=True, help="What the file is for."),
        parameter("CompanyName", "string", may_be_empty=True, help="The company."),
        parameter("Copyright", "string", may_be_empty=True, help="The copyright."),
    )


def _scripts() -> Parameter:
    return parameter(
        "ScriptsToProcess", "string[]", may_be_empty=True,
        help="Scripts of PowerShell that run when a session opens; absolute paths.",
    )  # fmt: skip


def _commands() -> tuple[Parameter, ...]:
    either = "a name with wildcards, or a hashtable with Name and Parameters"
    return (
        parameter(
            "ModulesToImport", "object[]", may_be_empty=True,
            help="Modules to import: names, or hashtables of module specifications.",
        ),
        parameter(
            "VisibleAliases", "string[]", may_be_empty=True, help="Aliases to show, by name."
        ),
        parameter(
            "VisibleCmdlets", "object[]", may_be_empty=True, help=f"Cmdlets to show: {either}.",
        ),
        parameter(
            "VisibleFunctions", "object[]", may_be_empty=True,
            help=f"Functions to show: {either}.",
        ),
        parameter(
            "VisibleExternalCommands", "string[]", may_be_empty=True,
            help="Scripts and programs to show.",
        ),
        parameter("VisibleProviders", "string[]", may_be_empty=True, help="Providers to show."),
    )  # fmt: skip


def _definitions() -> tuple[Parameter, ...]:
    return (
        parameter(
            "AliasDefinitions", "hashtable[]",
            help="Aliases to define: hashtables with Name, Value, Description and Options.",
        ),
        parameter(
            "FunctionDefinitions", "hashtable[]",
            help="Functions to define: hashtables with Name, ScriptBlock and Options.",
        ),
        parameter(
            "VariableDefinitions", "object",
            help="Variables to define: hashtables with Name and Value.",
        ),
        parameter(
            "EnvironmentVariables", "hashtable", help="Environment variables to set, by name.",
        ),
        parameter(
            "TypesToProcess", "string[]", may_be_empty=True,
            help="Type files (.ps1xml) to load; absolute paths.",
        ),
        parameter(
            "FormatsToProcess", "string[]", may_be_empty=True,
            help="Format files (.ps1xml) to load; absolute paths.",
        ),
        parameter(
            "AssembliesToLoad", "string[]", may_be_empty=True, help="Assemblies to load.",
        ),
    )  # fmt: skip


NEW_CONFIGURATION_FILE = CommandTable(
    name="New-PSSessionConfigurationFile",
    property_of=property_or_absent,
    class_name=f"{_CLASS}NewPSSessionConfigurationFileCommand",
    synopsis="Writes a session configuration file.",
    description="The file says which commands, parameters and values a session shows to whom. "
    "Register-PSSessionConfiguration -Path and psrp serve --configuration-file use it, and so does "
    "pwsh -ConfigurationFile.",
    parameters=(
        parameter(
            "Path", "string", {"__AllParameterSets": "0!"}, help="The file to write (.pssc).",
        ),
        parameter("SchemaVersion", "version", help="The version of the schema: 2.0.0.0."),
        *_describing(),
        parameter(
            "SessionType", "string", values=_names("SessionType"),
            help="RestrictedRemoteServer: only what remoting needs and what is named. Empty: only "
            "what is named. Default: everything, until commands are named.",
        ),
        parameter(
            "TranscriptDirectory", "string", may_be_empty=True,
            help="The folder for transcripts of the sessions.",
        ),
        parameter(
            "RunAsVirtualAccount", "switch",
            help="Run sessions as a virtual account of Windows; refused by endpoints here.",
        ),
        parameter(
            "RunAsVirtualAccountGroups", "string[]", may_be_empty=True,
            help="The groups of the virtual account.",
        ),
        parameter(
            "MountUserDrive", "switch",
            help="Give each user a folder for Copy-Item, which sessions see as the drive User:.",
        ),
        parameter(
            "UserDriveMaximumSize", "long", help="The limit of that folder in bytes (50000000).",
        ),
        parameter(
            "GroupManagedServiceAccount", "string", may_be_empty=True,
            help="An account of Windows to run sessions as; refused by endpoints here.",
        ),
        _scripts(),
        parameter(
            "RoleDefinitions", "hashtable",
            help="What users and groups see: a hashtable of hashtables, by user or group.",
        ),
        parameter(
            "RequiredGroups", "hashtable",
            help="The groups that a user has to be in: @{ And = ... } or @{ Or = ... }.",
        ),
        parameter(
            "LanguageMode", "string", values=_names("LanguageMode"),
            help="The language of sessions (default: NoLanguage, for type Default FullLanguage).",
        ),
        parameter(
            "ExecutionPolicy", "string", values=_names("ExecutionPolicy"),
            help="The execution policy of sessions; without effect on Linux and macOS.",
        ),
        parameter("PowerShellVersion", "version", help="The version of PowerShell."),
        *_commands(),
        *_definitions(),
        parameter(
            "Full", "switch", help="Write all keys, as comments where there is no value.",
        ),
        *common_parameters(),
    ),
    examples=(
        (
            "New-PSSessionConfigurationFile -Path tools.pssc -SessionType RestrictedRemoteServer "
            "-VisibleFunctions Get-Load",
            "Show one function, and what remoting needs.",
        ),
        (
            "New-PSSessionConfigurationFile -Path tools.pssc -SessionType RestrictedRemoteServer "
            "-VisibleFunctions @{ Name = 'Restart-Service'; "
            "Parameters = @{ Name = 'Name'; ValidateSet = 'web', 'db' } }",
            "Show one parameter of a function, with two values.",
        ),
        (
            "New-PSSessionConfigurationFile -Path tools.pssc -SessionType RestrictedRemoteServer "
            "-RoleDefinitions @{ operators = @{ VisibleFunctions = 'Restart-Service' } }",
            "Show a function to the members of a group.",
        ),
    ),
)  # fmt: skip

NEW_ROLE_CAPABILITY_FILE = CommandTable(
    name="New-PSRoleCapabilityFile",
    property_of=property_or_absent,
    class_name=f"{_CLASS}NewPSRoleCapabilityFileCommand",
    synopsis="Writes a role capability file.",
    description="RoleDefinitions of a session configuration file name it: by path with "
    "RoleCapabilityFiles, or by name with RoleCapabilities if it is in the folder RoleCapabilities "
    "of a module.",
    parameters=(
        parameter(
            "Path", "string", {"__AllParameterSets": "0!"}, help="The file to write (.psrc).",
        ),
        *_describing(),
        *_commands(),
        _scripts(),
        *_definitions(),
        *common_parameters(),
    ),
    examples=(
        (
            "New-PSRoleCapabilityFile -Path operators.psrc -VisibleFunctions Restart-Service",
            "Write what operators may call.",
        ),
    ),
)  # fmt: skip

TEST_CONFIGURATION_FILE = CommandTable(
    name="Test-PSSessionConfigurationFile",
    property_of=property_or_absent,
    class_name=f"{_CLASS}TestPSSessionConfigurationFileCommand",
    synopsis="Checks the keys and the values of a session configuration file.",
    description="The result is true or false; -Verbose shows the reason, with line and column. "
    "PowerShell has this command on Windows only.",
    parameters=(
        parameter(
            "Path", "string", {"__AllParameterSets": "0!n"}, help="The file (.pssc).",
        ),
        *(each for each in confirming_parameters() if each.name == "Verbose"),
        *common_parameters(),
    ),
    examples=(
        ("Test-PSSessionConfigurationFile -Path tools.pssc -Verbose", "Check a file."),
    ),
)  # fmt: skip

CONFIGURATION_FILE_COMMANDS = (
    NEW_CONFIGURATION_FILE,
    NEW_ROLE_CAPABILITY_FILE,
    TEST_CONFIGURATION_FILE,
)
