"""Errors of remote scripts in the views of the real client. spec-notes/formatting.md#error-views"""

from __future__ import annotations

import json
from typing import Any

import pytest

from psremoting import PSRemotingError
from psremoting.powershell.error_view import error_lines
from psrp.records import ErrorRecord
from tests.live.peers import Clients
from tests.live.powershell import PowerShell, quoted

TIME_LIMIT = 300

SCRIPTS = (
    "Write-Error 'bad'",
    "Get-Item /nope",
    "nosuchcommand",
    "1/0",
    "Write-Error 'bad' -Category InvalidData -ErrorId My -TargetObject 5",
    "Write-Error -Message m -RecommendedAction 'do this'",
    "[int]'x'",
    "$null.Foo()",
    "Get-Date -Nope",
    '"a`nb" | Write-Error',
    "function Get-X { Write-Error 'inner' }; Get-X",
    "function Get-Z { [CmdletBinding()]param([ValidateSet('a','b')]$p) }; Get-Z -p c",
    "function Get-W { [CmdletBinding()]param([Parameter(Mandatory)]$p) $p }; Get-W -p ''",
    "throw [System.IO.FileNotFoundException]'not here'",
    "& { Write-Error -Exception ([System.IO.IOException]'io') }",
    "Get-Process -Name nosuchprocess",
    "Get-ChildItem /nope",
    "Stop-Process -Id 999999",
    "[System.IO.File]::ReadAllText('/nope')",
    "New-Object NoSuchType",
    "Invoke-Expression '1 +'",
    "Invoke-Expression 'if ('",
    "[scriptblock]::Create('if (')",
    "$x = @{}; $x.a.b.c()",
    "Write-Error ('long ' * 60)",
    "Write-Error 'm' -CategoryActivity act -CategoryReason r -CategoryTargetName t "
    "-CategoryTargetType tt",
    "Write-Error -Message 'm' -TargetObject ('t' * 100)",
    "Write-Error -Message 'm' -CategoryActivity ('a' * 60) -CategoryReason ('r' * 41)",
    "/bin/sh -c 'echo err >&2'",
    "function Get-T { [CmdletBinding()]param() $PSCmdlet.ThrowTerminatingError("
    "[System.Management.Automation.ErrorRecord]::new([Exception]'t','Id','ObjectNotFound','x')) };"
    " Get-T",
    "function Get-V { [CmdletBinding()]param() $e = "
    "[System.Management.Automation.ErrorRecord]::new([Exception]'t','Id','ObjectNotFound','x'); "
    "$e.ErrorDetails = [System.Management.Automation.ErrorDetails]::new('details'); "
    "$e.ErrorDetails.RecommendedAction = 'act'; $PSCmdlet.WriteError($e) }; Get-V",
    "Get-Content /",
    "Remove-Item /nope",
    "Set-Location /nope",
    "'abc' -match '['",
    "[datetime]'nonsense'",
    "Select-String -Pattern '[' -Path /etc/hosts",
    "ConvertFrom-Json '{'",
    "Get-Variable nope",
    "& { Write-Error 'in block' }",
    "Write-Error ' '",
    "Write-Error 'unicode é 日本'",
    "Get-Item ('/' + 'p' * 60)",
    "Get-Item -LiteralPath ''",
    "Set-Variable -Name PID -Value 1",
    "$PID = 1",
    "[Math]::Round('x')",
    "Write-Error \"tab`tin it\"",
    "'x' | ForEach-Object { Get-Item $_$_ }",
)  # fmt: skip

#: Views in which a row differs, and the reason; see spec-notes/formatting.md#error-views.
ACCEPTED: dict[str, str] = {
    "Write-Error ' '": "a message of spaces is the category in one of the real views",
}
DETAILED = (
    "Write-Error 'bad'",
    "Write-Error 'bad' -TargetObject 5 -RecommendedAction 'do this'",
    "function Get-X { Write-Error 'inner' -Category InvalidData }; Get-X",
    'Write-Error "two`nlines"',
)

_ASK = r"""
function global:Show-LiveErrors($session, [string]$json, [string[]]$views) {
    $PSStyle.OutputRendering = 'PlainText'
    foreach ($text in ConvertFrom-Json $json) {
        $found = $null
        try {
            $null = Invoke-Command -Session $session -ScriptBlock ([scriptblock]::Create($text)) `
                -ErrorVariable found -ErrorAction SilentlyContinue
        } catch { }
        $record = @($found | Where-Object {
            $_ -is [System.Management.Automation.Runspaces.RemotingErrorRecord] })[0]
        $row = [ordered]@{}
        foreach ($view in $views) {
            $global:ErrorView = $view
            $row[$view] = if ($record) { $record | Out-String -Width 120 } else { $null }
        }
        $row | ConvertTo-Json -Compress
    }
}
"""


def _record(clients: Clients, script: str) -> ErrorRecord:
    result = clients.ours("stdio").invoke(script).result()
    if result.streams.error:
        return result.streams.error[0]
    assert isinstance(result.error, PSRemotingError)
    return result.error.to_record()


def _rows(clients: Clients, real: PowerShell, scripts: tuple[str, ...], *views: str) -> list[Any]:
    real.run(_ASK)
    listed = ", ".join(quoted(view) for view in views)
    answer = real.run(
        f"Show-LiveErrors {clients.theirs('stdio')} {quoted(json.dumps(scripts))} @({listed})",
        timeout=200,
    )
    return [json.loads(line) for line in answer.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def rows(clients: Clients, real: PowerShell) -> list[Any]:
    return _rows(clients, real, SCRIPTS, "NormalView", "ConciseView", "CategoryView")


@pytest.mark.parametrize("view", ["NormalView", "ConciseView", "CategoryView"])
def test_a_view_of_an_error_is_the_real_clients(
    clients: Clients, rows: list[Any], view: str
) -> None:
    computer = clients.ours("stdio").computer
    differences = []
    for script, row in zip(SCRIPTS, rows, strict=True):
        if row[view] is None or script in ACCEPTED:
            continue
        lines = error_lines(
            _record(clients, script), view.removesuffix("View").lower(), computer="COMPUTER"
        )
        theirs = _without_computer(row[view].split("\n")[:-1])
        if lines != theirs:
            differences.append((script, lines, theirs))
    assert not differences, (computer, differences[:3])


def test_the_detailed_view_of_an_error_is_the_real_clients(
    clients: Clients, real: PowerShell
) -> None:
    rows = _rows(clients, real, DETAILED, "DetailedView")
    for script, row in zip(DETAILED, rows, strict=True):
        lines = error_lines(_record(clients, script), "detailed", computer="COMPUTER")
        theirs = [
            "OriginInfo            : COMPUTER" if line.startswith("OriginInfo ") else line
            for line in row["DetailedView"].rstrip("\n").split("\n")
        ]
        assert lines[-1] == ""
        assert lines[:-1] == theirs, script


def _without_computer(lines: list[str]) -> list[str]:
    mark = "+ PSComputerName        : "
    return [f"{mark}COMPUTER" if line.startswith(mark) else line for line in lines]
