# table: the parameters of the commands for sessions, one row for each.
"""The commands for sessions, declared as PowerShell 7 declares them.

The flags of a role are those of `psremoting.console.parameter_types.parameter`: position, ``!`` for
mandatory, ``v`` from the pipeline by value, ``n`` by property name.
"""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["ENTER", "EXIT", "GET", "NEW", "REMOVE", "TARGET_SET", "common_parameters"]

TARGET_SET = "Target"
"""A parameter set of this program: any target of `psremoting.targets`."""
_PORTS = (1, 65535)
_CN, _URI, _SSH, _HASH = "ComputerName", "Uri", "SSHHost", "SSHHostHashParam"
_VMS = ("VMId", "VMName")
_WSMAN = (_CN, _URI)


def common_parameters() -> tuple[Parameter, ...]:
    """Return the parameters that every command has."""
    actions = "SilentlyContinue Stop Continue Ignore"
    return (
        parameter(
            "ErrorAction", "string", alias="ea", values=actions, common=True,
            help="The reaction to an error: Continue (default), Stop, SilentlyContinue or Ignore.",
        ),
        parameter(
            "ErrorVariable", "string", alias="ev", common=True,
            help="Store the errors of this command in this variable.",
        ),
        parameter(
            "OutVariable", "string", alias="ov", common=True,
            help="Also store the output of this command in this variable.",
        ),
    )  # fmt: skip


def _ssh(hosts: str, host_role: str, sets: tuple[str, ...] = (_SSH,)) -> tuple[Parameter, ...]:
    return (
        parameter(
            "HostName", hosts, dict.fromkeys(sets, host_role),
            help="The computer to connect to over SSH: [user@]host[:port].",
        ),
        parameter(
            "UserName", "string", sets,
            help="The user to log in as, if the host name has none.",
        ),
        parameter(
            "KeyFilePath", "string", sets, alias="IdentityFilePath",
            help="A file with the private key for ssh.",
        ),
        parameter(
            "Subsystem", "string", dict.fromkeys(sets, "n"), may_be_empty=True,
            help="The subsystem of sshd (default: powershell).",
        ),
        parameter(
            "ConnectingTimeout", "int", sets,
            help="Time limit for the connection in milliseconds (default: none).",
        ),
        parameter(
            "SSHTransport", "switch", sets, values="true",
            help="Use SSH (implied by -HostName).",
        ),
        parameter(
            "Options", "hashtable", sets,
            help="Options for ssh -o, by name. Host supplies a missing host name.",
        ),
    )  # fmt: skip


def _wsman(computers: str, role: str) -> tuple[Parameter, ...]:
    return (
        parameter(
            "ComputerName", computers, {_CN: role}, alias="Cn",
            help="The computer to connect to over WS-Man.",
        ),
        parameter(
            "UseSSL", "switch", (_CN,), help="Connect over HTTPS.",
        ),
        parameter(
            "ApplicationName", "string", {_CN: "n"}, may_be_empty=True,
            help="The path in the URI of the listener (default: wsman).",
        ),
        parameter(
            "AllowRedirection", "switch", (_URI,), help="Follow redirections.",
        ),
        parameter(
            "SessionOption", "sessionoption", _WSMAN,
            help="Time-outs and limits: a hashtable of session options.",
        ),
        parameter(
            "Authentication", "authentication", _WSMAN, help="The authentication mechanism.",
        ),
        parameter(
            "CertificateThumbprint", "string", _WSMAN, may_be_empty=True,
            help="The certificate to log in with.",
        ),
    )  # fmt: skip


def _port(*sets: str) -> Parameter:
    return parameter(
        "Port", "int", sets, limits=_PORTS, help="The port (default: that of the transport)."
    )


def _target(kind: str) -> Parameter:
    return parameter(
        "Target", kind, {TARGET_SET: "!"}, common=True,
        help="A psremoting address: local, unix:PATH, pid:NUMBER, process:COMMAND, or a host as in "
        "-HostName. PowerShell does not have this parameter.",
    )  # fmt: skip


_CREDENTIAL = "The user, such as Domain01\\User01."
_CONFIGURATION = "The session configuration to open."
_RUN_AS = "Run as administrator in the container."

ENTER = CommandTable(
    name="Enter-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.EnterPSSessionCommand",
    synopsis="Starts an interactive session with another computer.",
    description="Commands then run in the session, until exit, Exit-PSSession or Ctrl+D. A "
    "session from New-PSSession stays open afterwards; a session opened by this command is "
    "closed. Without parameters, the command enters psremoting's own endpoint on this "
    "machine.",
    default_set=_CN,
    aliases=("etsn",),
    parameters=(
        *_wsman("string", "0!vn"),
        parameter(
            "Credential", "credential", {_CN: "n", _URI: "n", "VMId": "1!n", "VMName": "1!n"},
            help=_CREDENTIAL,
        ),
        _port(_CN, _SSH),
        parameter(
            "ConfigurationName", "string",
            dict.fromkeys((*_WSMAN, "ContainerId", *_VMS), "n"), may_be_empty=True,
            help=_CONFIGURATION,
        ),
        parameter(
            "EnableNetworkAccess", "switch", _WSMAN,
            help="In a session on this computer: log on interactively, which an endpoint allows "
            "after Disable-PSRemoting, too. Otherwise without effect.",
        ),
        parameter(
            "ConnectionUri", "uri", {_URI: "1n"}, alias="URI CU", help="The URI of the listener.",
        ),
        *_ssh("string", "0!v"),
        parameter(
            "Session", "pssession", {"Session": "0vn"},
            help="An open session. It stays open afterwards.",
        ),
        parameter("Id", "int", {"Id": "0n"}, help="The id of an open session."),
        parameter(
            "InstanceId", "guid", {"InstanceId": "n"}, help="The instance id of an open session.",
        ),
        parameter(
            "Name", "string", {"Name": "n"}, may_be_empty=True,
            help="The name of an open session.",
        ),
        parameter("VMId", "guid", {"VMId": "0!vn"}, alias="VMGuid", help="A virtual machine."),
        parameter("VMName", "string", {"VMName": "0!vn"}, help="A virtual machine, by name."),
        parameter("ContainerId", "string", {"ContainerId": "0!vn"}, help="A container."),
        parameter("RunAsAdministrator", "switch", ("ContainerId",), help=_RUN_AS),
        _target("string"),
        *common_parameters(),
    ),
    examples=(
        ("Enter-PSSession", "Enter the endpoint on this machine."),
        ("Enter-PSSession -HostName UserA@LinuxServer01", "Enter a machine over SSH."),
        (
            "Enter-PSSession -HostName UserA@LinuxServer02:22 -KeyFilePath ~/.ssh/userAKey_rsa",
            "Log in with a key.",
        ),
        (
            "$options = @{ Port = 22; User = 'UserA'; Host = 'LinuxServer02' }\n"
            "Enter-PSSession -KeyFilePath ~/.ssh/userAKey_rsa -Options $options",
            "Set everything with options of ssh.",
        ),
        (
            "$s = New-PSSession -HostName UserA@LinuxServer01\nEnter-PSSession -Session $s",
            "Enter a session that stays open afterwards.",
        ),
    ),
)  # fmt: skip

EXIT = CommandTable(
    name="Exit-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.ExitPSSessionCommand",
    synopsis="Leaves an interactive session.",
    description="Use this command in a session. At the local prompt it has no effect.",
    aliases=("exsn",),
    parameters=common_parameters(),
    examples=(("Exit-PSSession", "Return to the local prompt."),),
)

_SESSION_LIST = "Open sessions."

NEW = CommandTable(
    name="New-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.NewPSSessionCommand",
    synopsis="Opens persistent sessions.",
    description="Several host names open several sessions at once. Enter-PSSession enters "
    "one, Invoke-Command runs a command in it, Remove-PSSession closes it. Without any parameter "
    "it opens psremoting's own endpoint on this machine.",
    default_set=_CN,
    aliases=("nsn",),
    parameters=(
        *_wsman("string[]", "0vn"),
        parameter(
            "Credential", "credential", {_CN: "n", _URI: "n", "VMId": "!n", "VMName": "!n"},
            help=_CREDENTIAL,
        ),
        _port(_CN, _SSH),
        parameter(
            "ConfigurationName", "string",
            dict.fromkeys((*_WSMAN, "ContainerId", *_VMS), "n"), may_be_empty=True,
            help=_CONFIGURATION,
        ),
        parameter(
            "EnableNetworkAccess", "switch", (_CN, "Session", _URI),
            help="In a session on this computer: log on interactively, which an endpoint allows "
            "after Disable-PSRemoting, too. Otherwise without effect.",
        ),
        parameter(
            "ConnectionUri", "uri[]", {_URI: "0!n"}, alias="URI CU",
            help="The URI of the listener.",
        ),
        *_ssh("string[]", "0!"),
        parameter(
            "SSHConnection", "hashtable[]", {_HASH: "!"},
            help="One hashtable per computer: HostName, Port, UserName, KeyFilePath, "
            "Subsystem, ConnectingTimeout, Options.",
        ),
        parameter(
            "Session", "pssession[]", {"Session": "0vn"},
            help="Sessions whose computers to open new sessions to.",
        ),
        parameter("Name", "string[]", help="Names for the sessions, in their order."),
        parameter(
            "ThrottleLimit", "int", (_CN, "Session", _URI, "ContainerId", *_VMS),
            help="The number of sessions to open at a time.",
        ),
        parameter(
            "UseWindowsPowerShell", "switch", {"UseWindowsPowerShellParameterSet": "!"},
            help="Windows PowerShell on this machine.",
        ),
        parameter("VMId", "guid[]", {"VMId": "0!n"}, alias="VMGuid", help="Virtual machines."),
        parameter("VMName", "string[]", {"VMName": "!n"}, help="Virtual machines, by name."),
        parameter("ContainerId", "string[]", {"ContainerId": "!n"}, help="Containers."),
        parameter("RunAsAdministrator", "switch", ("ContainerId",), help=_RUN_AS),
        _target("string[]"),
        *common_parameters(),
    ),
    examples=(
        (
            "$s = New-PSSession -HostName UserA@LinuxServer01",
            "Open a session and keep it in a variable.",
        ),
        (
            "New-PSSession -HostName web1,web2 -UserName admin -Name w1,w2",
            "Open two sessions with names.",
        ),
        (
            "New-PSSession -SSHConnection @{ HostName = 'web1'; UserName = 'admin' }",
            "Open a session with all settings in a hashtable.",
        ),
    ),
)  # fmt: skip

_GET_VM = ("ContainerId", *_VMS)
_GET_BY_ID = ("ContainerIdInstanceId", "VMIdInstanceId", "VMNameInstanceId")
_GET_CN = ("ComputerName", "ComputerInstanceId")
_GET_URI = ("ConnectionUri", "ConnectionUriInstanceId")
_GET_WSMAN = (*_GET_CN, *_GET_URI)
_GET_REMOTE = (*_GET_WSMAN, *_GET_VM, *_GET_BY_ID)

GET = CommandTable(
    name="Get-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.GetPSSessionCommand",
    synopsis="Lists the sessions of this prompt.",
    description="Without parameters, lists all sessions.",
    default_set="Name",
    aliases=("gsn",),
    parameters=(
        parameter(
            "Name", "string[]",
            {"Name": "n", "ComputerName": "", "ConnectionUri": ""}
            | dict.fromkeys(_GET_VM, ""),
            help="Names of sessions, with wildcards.",
        ),
        parameter(
            "InstanceId", "guid[]",
            {"InstanceId": "n"}
            | dict.fromkeys(("ComputerInstanceId", "ConnectionUriInstanceId", *_GET_BY_ID), "!"),
            help="Instance ids of sessions.",
        ),
        parameter("Id", "int[]", {"Id": "0!n"}, help="Their ids."),
        parameter(
            "ComputerName", "string[]", dict.fromkeys(_GET_CN, "0!n"), alias="Cn",
            help="Computers with disconnected sessions.",
        ),
        parameter(
            "ConnectionUri", "uri[]", dict.fromkeys(_GET_URI, "0!n"), alias="URI CU",
            help="Listener URIs of computers with disconnected sessions.",
        ),
        parameter(
            "ApplicationName", "string", dict.fromkeys(_GET_CN, "n"), may_be_empty=True,
            help="The path in the URI of the listener.",
        ),
        parameter(
            "ConfigurationName", "string", dict.fromkeys(_GET_REMOTE, "n"), may_be_empty=True,
            help=_CONFIGURATION,
        ),
        parameter("AllowRedirection", "switch", _GET_URI, help="Follow redirections."),
        parameter("Credential", "credential", _GET_WSMAN, help=_CREDENTIAL),
        parameter("Authentication", "authentication", _GET_WSMAN, help="The mechanism."),
        parameter("CertificateThumbprint", "string", _GET_WSMAN, help="The certificate."),
        _port(*_GET_CN),
        parameter("UseSSL", "switch", _GET_CN, help="Connect over HTTPS."),
        parameter("ThrottleLimit", "int", _GET_WSMAN, help="Computers to ask at a time."),
        parameter(
            "State", "string", _GET_REMOTE, values="All Opened Disconnected Closed Broken",
            help="List only sessions in this state.",
        ),
        parameter("SessionOption", "sessionoption", _GET_WSMAN, help="Time-outs and limits."),
        parameter(
            "ContainerId", "string[]", dict.fromkeys(("ContainerId", _GET_BY_ID[0]), "!n"),
            help="Containers.",
        ),
        parameter(
            "VMId", "guid[]", dict.fromkeys(("VMId", _GET_BY_ID[1]), "!n"), alias="VMGuid",
            help="Virtual machines.",
        ),
        parameter(
            "VMName", "string[]", dict.fromkeys(("VMName", _GET_BY_ID[2]), "!n"),
            help="Virtual machines, by name.",
        ),
        *common_parameters(),
    ),
    examples=(
        ("Get-PSSession", "All sessions."),
        ("Get-PSSession -Name web* | Remove-PSSession", "Close the sessions with matching names."),
    ),
)  # fmt: skip

REMOVE = CommandTable(
    name="Remove-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.RemovePSSessionCommand",
    synopsis="Closes sessions.",
    default_set="Id",
    aliases=("rsn",),
    parameters=(
        parameter("Id", "int[]", {"Id": "0!n"}, help="Their ids."),
        parameter("Session", "pssession[]", {"Session": "0!vn"}, help=_SESSION_LIST),
        parameter("InstanceId", "guid[]", {"InstanceId": "!n"}, help="Instance ids of sessions."),
        parameter("Name", "string[]", {"Name": "!n"}, help="Names of sessions, with wildcards."),
        parameter(
            "ComputerName", "string[]", {"ComputerName": "0!n"}, alias="Cn",
            help="Computers of sessions, with wildcards.",
        ),
        parameter("ContainerId", "string[]", {"ContainerId": "!n"}, help="Containers of sessions."),
        parameter(
            "VMId", "guid[]", {"VMId": "!n"}, alias="VMGuid",
            help="Virtual machines of sessions.",
        ),
        parameter(
            "VMName", "string[]", {"VMName": "!n"},
            help="Virtual machines of sessions, by name.",
        ),
        parameter("WhatIf", "switch", alias="wi", common=True, help="Show what would be closed."),
        *common_parameters(),
    ),
    examples=(
        ("Remove-PSSession -Id 1, 2", "Close two sessions."),
        ("Get-PSSession | Remove-PSSession", "Close all."),
    ),
)  # fmt: skip
