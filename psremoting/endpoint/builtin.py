"""The built-in commands of an endpoint with functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psremoting.endpoint.interactive_commands as interactive_commands
from psremoting.endpoint.catalog import Catalog, EndpointCommand
from psremoting.endpoint.command_help import get_help
from psremoting.endpoint.discovery import get_command
from psremoting.endpoint.selection import measure_object, select_object

__all__ = ["BUILT_IN"]

_SHOWN: dict[str, Callable[..., Any]] = {
    "Clear-Host": interactive_commands.clear_host,
    "Exit-PSSession": interactive_commands.exit_pssession,
    "Get-Command": get_command,
    "Get-FormatData": interactive_commands.get_format_data,
    "Get-Help": get_help,
    "Measure-Object": measure_object,
    "Out-Default": interactive_commands.out_default,
    "Select-Object": select_object,
}
_HIDDEN: dict[str, Callable[..., Any]] = {
    "prompt": interactive_commands.prompt,
    "TabExpansion2": interactive_commands.tab_expansion,
    "__Set-PSDebugMode": interactive_commands.set_debug_mode,
    "__Set-PSUnhandledBreakpointMode": interactive_commands.set_unhandled_breakpoint_mode,
}

BUILT_IN = Catalog(
    [
        *(EndpointCommand.of(name, each, built_in=True) for name, each in _SHOWN.items()),
        *(
            EndpointCommand.of(name, each, built_in=True, hidden=True)
            for name, each in _HIDDEN.items()
        ),
    ],
    aliases={
        "clear": "Clear-Host",
        "cls": "Clear-Host",
        "exsn": "Exit-PSSession",
        "gcm": "Get-Command",
        "measure": "Measure-Object",
        "select": "Select-Object",
    },
)
"""Real clients refuse to enter an endpoint without Out-Default and Exit-PSSession.

Names and aliases are those of PowerShell's restricted remote session
(``InitialSessionState.cs``), and those that clients call on their own."""
