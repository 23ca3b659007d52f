"""The configuration file of a real endpoint without language, and its functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.live.powershell import PowerShell, quoted

__all__ = ["write_configuration"]

FUNCTIONS: dict[str, str] = {
    "Get-Thing": "param([string]$Name = 'thing', [int]$Count = 1) \"$Name x $Count\"",
    "Write-Failure": "param([string]$Text = 'it failed') Write-Error $Text",
}
"""Function name to its body, ``param()`` included."""


def write_configuration(
    real: PowerShell,
    file: Path,
    functions: Mapping[str, str] = FUNCTIONS,
    *,
    visible: tuple[str, ...] = ("Get-Date", "Get-Random", "Write-Output"),
) -> None:
    """Write a .pssc for ``pwsh -ConfigurationFile`` with New-PSSessionConfigurationFile."""
    definitions = ", ".join(
        f"@{{ Name = {quoted(name)}; ScriptBlock = [scriptblock]::Create({quoted(body)}) }}"
        for name, body in functions.items()
    )
    visible_functions = ", ".join(map(quoted, functions))
    real.run(
        f"New-PSSessionConfigurationFile -Path {quoted(str(file))}"
        " -SessionType RestrictedRemoteServer"
        f" -VisibleCmdlets {', '.join(map(quoted, visible))}"
        f" -VisibleFunctions {visible_functions}"
        f" -FunctionDefinitions {definitions}"
    )
