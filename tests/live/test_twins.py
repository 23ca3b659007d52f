"""Functions of our endpoint answer as functions of a real endpoint do.

The real client sends each call of `tests.live.twins` to a real endpoint without language and to
ours, and the outcomes are compared.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.peers import Clients, Hosts
from tests.live.powershell import PowerShell, quoted
from tests.live.restricted import write_configuration
from tests.live.twins import ACCEPTED, CALLS, COMMANDS, TWINS

TIME_LIMIT = 240

_OUTCOME = """
function global:Get-TwinOutcome($Session, $Line) {
    $e = $null
    try {
        $out = @(Invoke-Command -Session $Session -ScriptBlock ([scriptblock]::Create($Line)) `
            -ErrorVariable e -ErrorAction SilentlyContinue 2>$null | ForEach-Object { "$_" })
    }
    catch { $e = @($_) }
    @{
        output = $out
        errors = @($e | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } |
            ForEach-Object {
            @{
                id = $_.FullyQualifiedErrorId
                category = "$($_.CategoryInfo.Category)"
                activity = "$($_.CategoryInfo.Activity)"
                reason = "$($_.CategoryInfo.Reason)"
                target = "$($_.CategoryInfo.TargetName)"
                kind = "$($_.CategoryInfo.TargetType)"
                message = $_.Exception.Message
            }
        })
    }
}
"""


def test_each_python_function_has_a_twin() -> None:
    assert COMMANDS.keys() == {*TWINS, "Write-Output"}


@pytest.fixture(scope="module")
def outcomes(clients: Clients, hosts: Hosts, pwsh: str) -> list[tuple[str, Any, Any]]:
    """The call, the outcome at our endpoint, and the one at the real endpoint."""
    file = hosts.folder / "twins.pssc"
    write_configuration(clients.real, file, TWINS)
    hosts.add("twins", [pwsh, "-s", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)])
    hosts.add_ours("our-twins", "--functions", "tests.live.twins:COMMANDS")
    clients.real.prepare(_OUTCOME)
    lines = ", ".join(map(quoted, CALLS))
    found = [
        _ask(clients.real, clients.theirs("stdio", name), lines) for name in ("our-twins", "twins")
    ]
    return [(call, *pair) for call, *pair in zip(CALLS, *found, strict=True)]


def _ask(real: PowerShell, session: str, lines: str) -> list[Any]:
    code = f"foreach ($line in {lines}) {{ Get-TwinOutcome {session} $line }}"
    return real.json(code, timeout=120)


def test_calls_have_the_outcome_of_the_twin(outcomes: list[tuple[str, Any, Any]]) -> None:
    wrong = [
        (call, ours, theirs)
        for call, ours, theirs in outcomes
        if ours != theirs and call not in ACCEPTED
    ]
    assert len(outcomes) >= 200
    assert wrong == []


def test_accepted_differences_still_differ(outcomes: list[tuple[str, Any, Any]]) -> None:
    equal = [call for call, ours, theirs in outcomes if ours == theirs and call in ACCEPTED]
    assert equal == []
