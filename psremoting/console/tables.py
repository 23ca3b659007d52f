"""All commands of the local prompt, by name and alias."""

from __future__ import annotations

from psremoting.console.configuration_file_tables import CONFIGURATION_FILE_COMMANDS
from psremoting.console.configuration_tables import CONFIGURATION_COMMANDS
from psremoting.console.copy_tables import COPY_ITEM
from psremoting.console.credential_tables import GET_CREDENTIAL
from psremoting.console.job_tables import JOB_COMMANDS
from psremoting.console.object_tables import OBJECT_COMMANDS
from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.remoting_tables import REMOTING_COMMANDS
from psremoting.console.session_tables import (
    ENTER,
    EXIT,
    GET,
    NEW,
    REMOVE,
    TARGET_SET,
    common_parameters,
)
from psremoting.console.wsman_tables import CONNECT, DISCONNECT, NEW_OPTION, RECEIVE
from psremoting.powershell.parameters import CommandTable

__all__ = [
    "CLEAR_HOST",
    "COMMANDS",
    "ENTER",
    "EXIT",
    "FORMAT_LIST",
    "FORMAT_TABLE",
    "GET",
    "GET_COMMAND",
    "GET_HELP",
    "INVOKE",
    "NEW",
    "REMOVE",
    "TARGET_SET",
    "WRITE_OUTPUT",
    "find_command",
]

_HOSTS = ("SSHHost", "FilePathSSHHost")
_SESSIONS = ("Session", "FilePathRunspace")
_COMPUTERS = ("ComputerName", "FilePathComputerName")
_URIS = ("Uri", "FilePathUri")
_HASHES = ("SSHHostHashParam", "FilePathSSHHostHash")
_VM_IDS = ("VMId", "FilePathVMId")
_VM_NAMES = ("VMName", "FilePathVMName")
_CONTAINERS = ("ContainerId", "FilePathContainerId")
_TARGETS = (TARGET_SET, "FilePathTarget")
_WSMAN = (*_COMPUTERS, *_URIS)
_VMS = (*_VM_IDS, *_VM_NAMES)
_BLOCKS = (
    "Session", "ComputerName", "Uri", "VMId", "VMName", "ContainerId", "SSHHost",
    "SSHHostHashParam", TARGET_SET,
)  # fmt: skip
_FILES = tuple(
    each[1]
    for each in (
        _SESSIONS, _COMPUTERS, _URIS, _VM_IDS, _VM_NAMES, _CONTAINERS, _HOSTS, _HASHES, _TARGETS
    )
)  # fmt: skip
_THROTTLED = (*_SESSIONS, *_WSMAN, *_VMS, *_CONTAINERS, *_TARGETS)
_REMOTE = (*_BLOCKS, *_FILES)

INVOKE = CommandTable(
    name="Invoke-Command",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.InvokeCommandCommand",
    synopsis="Runs a script on other computers, or in open sessions.",
    description="The script block runs in the session. $using:name refers to a variable of this "
    "prompt, and $input the pipeline input. Several computers run it at the same time; each "
    "output object contains the name of its computer.",
    default_set="InProcess",
    aliases=("icm",),
    parameters=(
        parameter(
            "ScriptBlock", "scriptblock",
            {"InProcess": "0!"} | dict.fromkeys(_BLOCKS, "1!"), alias="Command",
            help="The script, in braces.",
        ),
        parameter(
            "FilePath", "string", dict.fromkeys(_FILES, "1!"), alias="PSPath",
            help="A local file with the script.",
        ),
        parameter(
            "Session", "pssession[]", dict.fromkeys(_SESSIONS, "0"), help="Open sessions.",
        ),
        parameter(
            "HostName", "string[]", dict.fromkeys(_HOSTS, "!"),
            help="Computers to connect to over SSH: [user@]host[:port].",
        ),
        parameter("UserName", "string", _HOSTS, help="The user to log in as."),
        parameter(
            "KeyFilePath", "string", _HOSTS, alias="IdentityFilePath", help="A private key.",
        ),
        parameter(
            "Subsystem", "string", _HOSTS, may_be_empty=True, help="The subsystem of sshd.",
        ),
        parameter(
            "ConnectingTimeout", "int", _HOSTS,
            help="Time limit for the connection in milliseconds.",
        ),
        parameter("SSHTransport", "switch", _HOSTS, values="true", help="Use SSH."),
        parameter("Options", "hashtable", _HOSTS, help="Options for ssh -o, by name."),
        parameter(
            "SSHConnection", "hashtable[]", dict.fromkeys(_HASHES, "!"),
            help="One hashtable per computer.",
        ),
        parameter(
            "ArgumentList", "object[]", alias="Args", help="Arguments of the script.",
        ),
        parameter(
            "InputObject", "object", {"__AllParameterSets": "v"}, help="The pipeline input.",
        ),
        parameter(
            "HideComputerName", "switch", _REMOTE, alias="HCN",
            help="Do not show the computer names of the objects.",
        ),
        parameter(
            "ThrottleLimit", "int", _THROTTLED, help="Computers at a time (default: 32).",
        ),
        parameter(
            "NoNewScope", "switch", ("InProcess",),
            help="Keep the variables that the script sets.",
        ),
        parameter("AsJob", "switch", _REMOTE, help="Run in the background: see Receive-Job."),
        parameter(
            "JobName", "string", _REMOTE,
            help="Run in the background as a job with this name.",
        ),
        parameter(
            "InDisconnectedSession", "switch", _WSMAN, alias="Disconnected",
            help="Disconnect while the script runs, and return the sessions; WS-Man only.",
        ),
        parameter(
            "SessionName", "string[]", _COMPUTERS,
            help="Names for the sessions of -InDisconnectedSession, in the order of the computers.",
        ),
        parameter(
            "ComputerName", "string[]", dict.fromkeys(_COMPUTERS, "0"), alias="Cn",
            help="Computers to connect to over WS-Man.",
        ),
        parameter(
            "ConnectionUri", "uri[]", dict.fromkeys(_URIS, "0"), alias="URI CU",
            help="URIs of listeners.",
        ),
        parameter(
            "Credential", "credential", dict.fromkeys(_WSMAN, "n") | dict.fromkeys(_VMS, "!n"),
            help="The user.",
        ),
        parameter("Port", "int", (*_COMPUTERS, "SSHHost"), limits=(1, 65535), help="The port."),
        parameter("UseSSL", "switch", _COMPUTERS, help="Connect over HTTPS."),
        parameter(
            "ConfigurationName", "string",
            dict.fromkeys((*_WSMAN, *_CONTAINERS, *_VMS), "n"), may_be_empty=True,
            help="The session configuration.",
        ),
        parameter(
            "ApplicationName", "string", dict.fromkeys(_COMPUTERS, "n"), may_be_empty=True,
            help="The path in the URI of the listener.",
        ),
        parameter("AllowRedirection", "switch", _URIS, help="Follow redirections."),
        parameter("SessionOption", "sessionoption", _WSMAN, help="Time-outs and limits."),
        parameter("Authentication", "authentication", _WSMAN, help="The mechanism."),
        parameter("CertificateThumbprint", "string", ("ComputerName", "Uri"), help="A thumbprint."),
        parameter(
            "EnableNetworkAccess", "switch", _WSMAN,
            help="In a session on this computer: log on interactively, which an endpoint allows "
            "after Disable-PSRemoting, too. Otherwise without effect.",
        ),
        parameter(
            "VMId", "guid[]", dict.fromkeys(_VM_IDS, "0!n"), alias="VMGuid",
            help="Virtual machines.",
        ),
        parameter(
            "VMName", "string[]", dict.fromkeys(_VM_NAMES, "!n"), help="Virtual machines.",
        ),
        parameter(
            "ContainerId", "string[]", dict.fromkeys(_CONTAINERS, "!n"), help="Containers.",
        ),
        parameter(
            "RunAsAdministrator", "switch", _CONTAINERS,
            help="Run as administrator in the container.",
        ),
        parameter(
            "Target", "string[]", dict.fromkeys(_TARGETS, "!"), common=True,
            help="psremoting addresses: local, unix:PATH, pid:NUMBER, process:COMMAND.",
        ),
        *common_parameters(),
    ),
    examples=(
        (
            "Invoke-Command -Session $s -ScriptBlock { Get-Process }",
            "Run a script in an open session.",
        ),
        (
            "Invoke-Command -HostName web1,web2 -UserName admin { hostname }",
            "Run a script on two machines, in a new session each.",
        ),
        (
            "Invoke-Command -Session $s { param($n) 1..$n } -ArgumentList 3",
            "Pass arguments to the script.",
        ),
    ),
)  # fmt: skip

GET_HELP = CommandTable(
    name="Get-Help",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.GetHelpCommand",
    synopsis="Shows the help of a command.",
    default_set="AllUsersView",
    aliases=("help", "man"),
    parameters=(
        parameter("Name", "string", {"__AllParameterSets": "0n"}, help="The command."),
        parameter(
            "Full", "switch", ("AllUsersView",), help="Show the full help, with all parameters."
        ),
        parameter("Examples", "switch", {"Examples": "!"}, help="Show only the examples."),
        parameter(
            "Parameter",
            "string",
            {"Parameters": "!"},
            help="Show the parameters with this name, with wildcards.",
        ),
        *common_parameters(),
    ),
    examples=(
        ("Get-Help Enter-PSSession", "Show the help of Enter-PSSession."),
        ("Get-Help Enter-PSSession -Parameter Host*", "Show the help of some parameters."),
    ),
)

GET_COMMAND = CommandTable(
    name="Get-Command",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.GetCommandCommand",
    synopsis="Lists the commands of the local prompt.",
    aliases=("gcm",),
    parameters=(
        parameter("Name", "string[]", {"__AllParameterSets": "0vn"}, help="Names, with wildcards."),
        *common_parameters(),
    ),
    examples=(("Get-Command *-PSSession", "List the commands for sessions."),),
)

FORMAT_TABLE = CommandTable(
    name="Format-Table",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.FormatTableCommand",
    synopsis="Shows objects as a table.",
    aliases=("ft",),
    parameters=(
        parameter("Property", "property[]", {"__AllParameterSets": "0"}, help="The columns."),
        parameter(
            "AutoSize", "switch", help="Columns as wide as their contents, which is the default."
        ),
        parameter("Wrap", "switch", help="Continue long values on the next line."),
        parameter("InputObject", "object", {"__AllParameterSets": "v"}, help="The objects."),
        *common_parameters(),
    ),
    examples=(("Get-PSSession | Format-Table Id, Name, State", "Show three columns."),),
)

FORMAT_LIST = CommandTable(
    name="Format-List",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.FormatListCommand",
    synopsis="Shows objects as lists of their properties.",
    aliases=("fl",),
    parameters=(
        parameter("Property", "property[]", {"__AllParameterSets": "0"}, help="The properties."),
        parameter("InputObject", "object", {"__AllParameterSets": "v"}, help="The objects."),
        *common_parameters(),
    ),
    examples=(("Get-PSSession | Format-List *", "Show all properties."),),
)

WRITE_OUTPUT = CommandTable(
    name="Write-Output",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.WriteOutputCommand",
    synopsis="Writes objects to the pipeline.",
    aliases=("echo", "write"),
    parameters=(
        parameter("InputObject", "object", {"__AllParameterSets": "0!v"}, help="The objects."),
        *common_parameters(),
    ),
    examples=(("Write-Output 'done'", "Write a string."),),
)

CLEAR_HOST = CommandTable(
    name="Clear-Host",
    property_of=property_or_absent,
    class_name="Clear-Host",
    synopsis="Clears the screen.",
    aliases=("clear", "cls"),
    parameters=common_parameters(),
    examples=(("Clear-Host", "Clear the screen."),),
)

COMMANDS: tuple[CommandTable, ...] = (
    ENTER, EXIT, NEW, GET, REMOVE, INVOKE, DISCONNECT, CONNECT, RECEIVE, NEW_OPTION, GET_HELP,
    GET_COMMAND, FORMAT_TABLE, FORMAT_LIST, WRITE_OUTPUT, CLEAR_HOST, *OBJECT_COMMANDS,
    *JOB_COMMANDS, *CONFIGURATION_COMMANDS, *CONFIGURATION_FILE_COMMANDS, *REMOTING_COMMANDS,
    COPY_ITEM, GET_CREDENTIAL,
)  # fmt: skip

_BY_NAME = {name.casefold(): table for table in COMMANDS for name in (table.name, *table.aliases)}


def find_command(name: str) -> CommandTable | None:
    """Return the command with this name or alias, ignoring case."""
    return _BY_NAME.get(name.casefold())
