# table: the parameters of the commands for session configurations, one row for each.
"""The commands for session configurations, and New-PSTransportOption.

Parameters that PowerShell does not have say so in their help.
"""

from __future__ import annotations

from psremoting.console.confirmation import confirming_parameters
from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["CONFIGURATION_COMMANDS", "store_parameter"]

_CLASS = "Microsoft.PowerShell.Commands."
_FORCE = "Do not ask, and replace what is there."
_NO_RESTART = "No effect: a running server takes up changes without a restart."


def store_parameter() -> Parameter:
    return parameter(
        "Store", "string", common=True,
        help="The store of the endpoint (default: PSRP_STORE, or the store of this system or "
        "user). PowerShell does not have this parameter.",
    )  # fmt: skip


def _more() -> tuple[Parameter, ...]:
    return (store_parameter(), *confirming_parameters(), *common_parameters())


def _settings() -> tuple[Parameter, ...]:  # table
    return (
        parameter(
            "AccessMode", "string", values="Disabled Local Remote",
            help="Disabled: nobody may connect. Local: only from this computer, with "
            "-EnableNetworkAccess. Remote: also over the network.",
        ),
        parameter(
            "SecurityDescriptorSddl", "string",
            help="The permission to connect, in SDDL (GX or GA).",
        ),
        parameter(
            "ShowSecurityDescriptorUI", "switch", alias="UI",
            help="Refused: a dialog box of Windows. Use -SecurityDescriptorSddl.",
        ),
        parameter(
            "StartupScript", "string", may_be_empty=True,
            help="A .ps1 file that runs when a session opens.",
        ),
        parameter(
            "PSVersion", "string", alias="PowerShellVersion",
            help="The version of PowerShell for the sessions; it is shown only.",
        ),
        parameter(
            "MaximumReceivedDataSizePerCommandMB", "double",
            help="Limit of the data that a client may send to one command, in MiB.",
        ),
        parameter(
            "MaximumReceivedObjectSizeMB", "double",
            help="Limit of one object that a client may send, in MiB.",
        ),
        parameter(
            "ThreadOptions", "string", values="Default UseNewThread ReuseThread UseCurrentThread",
            help="No effect.",
        ),
        parameter(
            "ModulesToImport", "string[]", may_be_empty=True,
            help="Modules that sessions import when they open.",
        ),
        parameter(
            "SessionType", "string", values="Empty RestrictedRemoteServer Default",
            help="The commands of a session: all, none, or those that remoting needs.",
        ),
        parameter(
            "Path", "string", alias="FilePath", help="A session configuration file (.pssc).",
        ),
        parameter(
            "RunAsCredential", "credential",
            help="The local user that sessions run as; the server has to run as root.",
        ),
        parameter(
            "TransportOption", "transportoption", help="Quotas from New-PSTransportOption.",
        ),
        parameter(
            "Functions", "string",
            help="Serve these Python functions, MODULE:NAME. PowerShell does not have this "
            "parameter.",
        ),
        parameter(
            "Process", "string",
            help="Start this program for each session (default: pwsh -s -NoLogo -NoProfile). "
            "PowerShell does not have this parameter.",
        ),
        parameter(
            "Environment", "hashtable",
            help="Variables for the program of a session. PowerShell does not have this parameter.",
        ),
        parameter(
            "WorkingDirectory", "string", may_be_empty=True,
            help="The directory in which sessions start. PowerShell does not have this parameter.",
        ),
        parameter(
            "CopyFolder", "string", may_be_empty=True,
            help="The folder in which clients may read and write files (default: none). "
            "PowerShell does not have this parameter.",
        ),
        parameter(
            "AllowLongerNames", "switch",
            help="Also serve clients that ask for a name that begins with this one. PowerShell "
            "does not have this parameter.",
        ),
        parameter("Force", "switch", help=_FORCE),
        parameter("NoServiceRestart", "switch", help=_NO_RESTART),
        *_more(),
    )  # fmt: skip


def _name(type: str, role: str, help: str) -> Parameter:
    return parameter("Name", type, {"__AllParameterSets": role}, help=help)


REGISTER = CommandTable(
    name="Register-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "RegisterPSSessionConfigurationCommand",
    synopsis="Adds a session configuration to this computer's endpoint.",
    parameters=(_name("string", "0!n", "The name of the new configuration."), *_settings()),
    examples=(
        (
            "Register-PSSessionConfiguration -Name Tools -Functions mytools.remote:commands -Force",
            "Serve Python functions.",
        ),
        (
            "Register-PSSessionConfiguration -Name Help -Path ./Help.pssc -AccessMode Local",
            "Serve a restricted PowerShell to this computer alone.",
        ),
    ),
)
UNREGISTER = CommandTable(
    name="Unregister-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "UnregisterPSSessionConfigurationCommand",
    synopsis="Removes session configurations; running sessions stay.",
    parameters=(
        _name("string", "0!n", "The name, with wildcards."),
        parameter("Force", "switch", help=_FORCE),
        parameter("NoServiceRestart", "switch", help=_NO_RESTART),
        *_more(),
    ),
    examples=(("Unregister-PSSessionConfiguration -Name Tools -Force", "Remove one."),),
)
GET = CommandTable(
    name="Get-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "GetPSSessionConfigurationCommand",
    synopsis="Lists the session configurations of this computer's endpoint.",
    parameters=(
        _name("string[]", "0", "Names, with wildcards."),
        parameter("Force", "switch", help="No effect."),
        *_more(),
    ),
    examples=(
        (
            "Get-PSSessionConfiguration | Format-Table -Property Name, Permission -Auto",
            "Show who may connect.",
        ),
    ),
)
SET = CommandTable(
    name="Set-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "SetPSSessionConfigurationCommand",
    synopsis="Changes a session configuration; only what is given changes.",
    parameters=(_name("string", "0!n", "The name of the configuration."), *_settings()),
    examples=(
        (
            "Set-PSSessionConfiguration -Name Microsoft.PowerShell -AccessMode Remote -Force",
            "Allow connections over the network.",
        ),
    ),
)
ENABLE = CommandTable(
    name="Enable-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "EnablePSSessionConfigurationCommand",
    synopsis="Enables session configurations.",
    parameters=(
        _name("string[]", "0vn", "Names, with wildcards (default: all)."),
        parameter("Force", "switch", help=_FORCE),
        parameter("SecurityDescriptorSddl", "string", help="A new descriptor, in SDDL."),
        parameter("SkipNetworkProfileCheck", "switch", help="No effect."),
        parameter("NoServiceRestart", "switch", help=_NO_RESTART),
        *_more(),
    ),
    examples=(("Enable-PSSessionConfiguration -Name Tools", "Enable one."),),
)
DISABLE = CommandTable(
    name="Disable-PSSessionConfiguration",
    property_of=property_or_absent,
    class_name=_CLASS + "DisablePSSessionConfigurationCommand",
    synopsis="Denies everybody the use of session configurations; running sessions stay.",
    parameters=(
        _name("string[]", "0vn", "Names, with wildcards (default: all)."),
        parameter("Force", "switch", help=_FORCE),
        parameter("NoServiceRestart", "switch", help=_NO_RESTART),
        *_more(),
    ),
    examples=(("Disable-PSSessionConfiguration -Name Tools", "Disable one."),),
)

_SECONDS = (60, 2_147_483)
_ANY = (1, 2_147_483_647)
NEW_TRANSPORT_OPTION = CommandTable(
    name="New-PSTransportOption",
    property_of=property_or_absent,
    class_name=_CLASS + "NewPSTransportOptionCommand",
    synopsis="Makes the quotas of a session configuration.",
    parameters=(
        parameter(
            "MaxIdleTimeoutSec", "int", limits=_SECONDS,
            help="The longest idle time-out that a client may ask for.",
        ),
        parameter(
            "ProcessIdleTimeoutSec", "int", limits=(0, 1_209_600), help="No effect.",
        ),
        parameter("MaxSessions", "int", limits=_ANY, help="Sessions at the same time."),
        parameter(
            "MaxConcurrentCommandsPerSession", "int", limits=_ANY,
            help="Commands of one session at the same time.",
        ),
        parameter("MaxSessionsPerUser", "int", limits=_ANY, help="Sessions of one user."),
        parameter(
            "MaxMemoryPerSessionMB", "int", limits=(5, 2_147_483_647),
            help="The memory of the program of a session, in MiB.",
        ),
        parameter(
            "MaxProcessesPerSession", "int", limits=_ANY, help="Processes of a session's user.",
        ),
        parameter(
            "MaxConcurrentUsers", "int", limits=(1, 100), help="Users at the same time.",
        ),
        parameter(
            "IdleTimeoutSec", "int", limits=_SECONDS,
            help="The idle time-out of a client that asks for none.",
        ),
        parameter(
            "OutputBufferingMode", "string", values="None Drop Block",
            help="What happens to output while a session is disconnected.",
        ),
        *common_parameters(),
    ),
    examples=(
        (
            "$t = New-PSTransportOption -MaxSessionsPerUser 2\n"
            "Set-PSSessionConfiguration -Name Tools -TransportOption $t",
            "Limit the sessions of each user.",
        ),
    ),
)  # fmt: skip

CONFIGURATION_COMMANDS: tuple[CommandTable, ...] = (
    REGISTER, UNREGISTER, GET, SET, ENABLE, DISABLE, NEW_TRANSPORT_OPTION,
)  # fmt: skip
