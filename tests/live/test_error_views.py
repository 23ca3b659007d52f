"""Errors of remote scripts in the views of the real client. spec-notes/formatting.md#error-views"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from psremoting import PSRemotingError
from psremoting.powershell.error_view import error_lines
from psrp.records import ErrorRecord
from tests.live.comparing import Comparison
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
    "function Get-W { [CmdletBinding()]param([Parameter(Mandatory)][string]$p) $p }; Get-W -p ''",
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
    "Write-Error 'bad' -TargetObject 5 -RecommendedAction 'do this'",
    "function Get-X { Write-Error 'inner' -Category InvalidData }; Get-X",
    'Write-Error "two`nlines"',
    'Write-Error "`t`n"',
    'Write-Error "  x  `n  y  "',
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

VIEWS = ("NormalView", "ConciseView", "DetailedView", "CategoryView")

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
        timeout=250,
    )
    return [json.loads(line) for line in answer.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def records(clients: Clients) -> list[ErrorRecord]:
    return [_record(clients, script) for script in SCRIPTS]


@pytest.fixture(scope="module")
def shown(clients: Clients, real: PowerShell) -> list[dict[str, str | None]]:
    """Each record in all views of the real client."""
    return _rows(clients, real, SCRIPTS, *VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_an_error_is_the_real_clients(
    shown: list[dict[str, str | None]], records: list[ErrorRecord], view: str
) -> None:
    comparison = Comparison()
    for script, row, record in zip(SCRIPTS, shown, records, strict=True):
        if row[view] is None:
            continue
        lines = error_lines(record, view.removesuffix("View").lower(), computer="COMPUTER")
        comparison.add(script, _comparable(row[view]), _comparable("\n".join([*lines, ""])))
    assert comparison.equal >= 40
    comparison.check([])


def _comparable(text: str) -> str:
    """Return a view without the computer's name and without the frames of a .NET stack trace,
    which depend on what the runtime has inlined."""
    text = re.sub(r"(\+ PSComputerName        : ).*", r"\1COMPUTER", text)
    text = re.sub(r"(OriginInfo            : ).*", r"\1COMPUTER", text)
    return re.sub(r"\n +at (?!.*: line \d).*", "", text).rstrip("\n")
