"""Functions for session configuration files: in PowerShell, and as Python twins."""

from __future__ import annotations

from typing import Any

__all__ = ["COMMANDS", "DEFINITIONS"]

DEFINITIONS = {
    "Get-Zalpha": '[CmdletBinding()] param([string]$Name, [int]$Count) "alpha $Name $Count"',
    "Get-Zbeta": '[CmdletBinding()] param([string[]]$Items, [switch]$Loud) "beta $Items $Loud"',
    "Set-Zgamma": "[CmdletBinding()] param([Parameter(Mandatory)][string]$Path, $Value) "
    '"gamma $Path $Value"',
    "Test-Zdelta": "[CmdletBinding()] param() 'delta'",
}
"""Function name to its body."""


def _alpha(name: str = "", count: int = 0) -> str:
    return f"alpha {name} {count}"


def _beta(items: list[str] = [], *, loud: bool = False) -> str:  # noqa: B006
    return f"beta {' '.join(items)} {loud}"


def _gamma(path: str, value: Any = None) -> str:
    return f"gamma {path} {'' if value is None else value}"


def _delta() -> str:
    return "delta"


COMMANDS = dict(zip(DEFINITIONS, (_alpha, _beta, _gamma, _delta), strict=True))
