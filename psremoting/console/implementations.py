"""The function that runs each command. The modules are imported on first use."""

from __future__ import annotations

from importlib import import_module

from psremoting.console.calls import Implementation
from psremoting.powershell.parameters import CommandTable

__all__ = ["implementation"]

_SESSIONS = "psremoting.console.session_commands"
_WSMAN = "psremoting.console.wsman_commands"
_REMOTE = "psremoting.console.remote_commands"
_SHOWING = "psremoting.console.display_commands"
_OBJECTS = "psremoting.console.object_steps"
_JOBS = "psremoting.console.job_commands"
_CONFIGURATIONS = "psremoting.console.configuration_commands"
_FILES = "psremoting.console.configuration_file_commands"
_REMOTING = "psremoting.console.remoting_commands"
_WHERE = {
    "Copy-Item": ("psremoting.console.copy_command", "copy_item"),
    "New-PSSessionConfigurationFile": (_FILES, "new_configuration_file"),
    "Test-PSSessionConfigurationFile": (_FILES, "test_configuration_file"),
    "New-PSRoleCapabilityFile": (_FILES, "new_role_capability_file"),
    **{
        f"{verb}-PSSessionConfiguration": (_CONFIGURATIONS, f"{verb.casefold()}_configuration")
        for verb in ("Register", "Unregister", "Get", "Set", "Enable", "Disable")
    },
    "Enable-PSRemoting": (_REMOTING, "enable_psremoting"),
    "Disable-PSRemoting": (_REMOTING, "disable_psremoting"),
    "New-PSTransportOption": (_CONFIGURATIONS, "new_pstransportoption"),
    **{
        f"{verb}-Job": (_JOBS, f"{verb.casefold()}_job")
        for verb in ("Get", "Receive", "Wait", "Stop", "Remove")
    },
    "Enter-PSSession": (_SESSIONS, "enter_pssession"),
    "Exit-PSSession": (_SESSIONS, "exit_pssession"),
    "New-PSSession": (_SESSIONS, "new_pssession"),
    "Get-PSSession": (_SESSIONS, "get_pssession"),
    "Remove-PSSession": (_SESSIONS, "remove_pssession"),
    "New-PSSessionOption": (_WSMAN, "new_pssessionoption"),
    "Disconnect-PSSession": (_WSMAN, "disconnect_pssession"),
    "Connect-PSSession": (_WSMAN, "connect_pssession"),
    "Receive-PSSession": (_WSMAN, "receive_pssession"),
    "Invoke-Command": (_REMOTE, "invoke_command"),
    "Select-Object": (_OBJECTS, "select_object"),
    "Where-Object": (_OBJECTS, "where_object"),
    "Sort-Object": (_OBJECTS, "sort_object"),
    "Measure-Object": (_OBJECTS, "measure_object"),
    "ForEach-Object": (_OBJECTS, "for_each_object"),
    "Get-Credential": ("psremoting.console.credential_commands", "get_credential"),
    "Get-Help": (_SHOWING, "get_help"),
    "Get-Command": (_SHOWING, "get_command"),
    "Format-Table": (_SHOWING, "format_table"),
    "Format-List": (_SHOWING, "format_list"),
    "Clear-Host": (_SHOWING, "clear_host"),
    "Write-Output": (_SHOWING, "write_output"),
}


def implementation(table: CommandTable) -> Implementation:
    module, name = _WHERE[table.name]
    found: Implementation = getattr(import_module(module), name)
    return found
