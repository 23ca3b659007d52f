# table: the parameters of Enable- and Disable-PSRemoting, one row for each.
"""Enable-PSRemoting and Disable-PSRemoting. Parameters that PowerShell lacks say so."""

from __future__ import annotations

from psremoting.console.configuration_tables import store_parameter
from psremoting.console.confirmation import confirming_parameters
from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable

__all__ = ["REMOTING_COMMANDS"]

_OURS = "PowerShell does not have this parameter."

ENABLE = CommandTable(
    name="Enable-PSRemoting",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.EnablePSRemotingCommand",
    synopsis="Lets this computer receive PowerShell sessions.",
    description="Creates the store, a listener and the session configurations, installs the "
    "server (systemd or launchd) and allows remote access to every session configuration. Needs "
    "root, or -User for an endpoint of the current user. No firewall is changed.",
    parameters=(
        parameter("Force", "switch", help="Do not ask."),
        parameter("SkipNetworkProfileCheck", "switch", help="No effect."),
        parameter(
            "UseSSL", "switch",
            help=f"Also listen for HTTPS, with a self-signed certificate. {_OURS}",
        ),
        parameter(
            "Address", "string",
            help=f"The IP address to listen at (default: * for every address). {_OURS}",
        ),
        parameter(
            "Port", "int", limits=(1, 65535),
            help=f"The port for HTTP, or with -UseSSL for HTTPS (5985, 5986). {_OURS}",
        ),
        parameter(
            "Account", "string",
            help="Create an account with this name and the password of PSRP_PASSWORD, or ask for "
            f"it. {_OURS}",
        ),
        parameter(
            "Functions", "string",
            help="Serve these Python functions, MODULE:NAME, in place of a PowerShell. " + _OURS,
        ),
        parameter(
            "Subsystem", "switch", help=f"Add the subsystem to sshd's configuration. {_OURS}",
        ),
        parameter("SshdConfig", "string", help=f"The file for -Subsystem. {_OURS}"),
        parameter(
            "User", "switch", help=f"Set up an endpoint of the current user, without root. {_OURS}",
        ),
        parameter("NoService", "switch", help=f"Do not install the server. {_OURS}"),
        parameter(
            "Print", "switch", help=f"Show what would be done, with every file. {_OURS}",
        ),
        store_parameter(),
        *confirming_parameters(),
        *common_parameters(),
    ),
    examples=(
        ("Enable-PSRemoting -Force", "Enable remoting without questions."),
        ("Enable-PSRemoting -UseSSL -Subsystem -Print", "Show what would be done."),
    ),
)  # fmt: skip
DISABLE = CommandTable(
    name="Disable-PSRemoting",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.DisablePSRemotingCommand",
    synopsis="Prevents PowerShell endpoints from receiving remote connections.",
    description="Denies the network access to every session configuration. Running sessions, "
    "listeners and the server stay, and loopback connections with -EnableNetworkAccess are still "
    "possible. Enable-PSRemoting undoes it.",
    parameters=(
        parameter("Force", "switch", help="Do not ask."),
        parameter("User", "switch", help=f"The endpoint of the current user. {_OURS}"),
        store_parameter(),
        *confirming_parameters(),
        *common_parameters(),
    ),
    examples=(("Disable-PSRemoting -Force", "Disable remoting without questions."),),
)
REMOTING_COMMANDS: tuple[CommandTable, ...] = (ENABLE, DISABLE)
