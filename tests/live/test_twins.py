"""Functions of our endpoint give the same results as functions of a real endpoint.

The real client sends each call of `tests.live.twins` to a real endpoint without language and to
ours, and the outcomes are compared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.live.peers import Clients, Hosts
from tests.live.powershell import PowerShell, quoted
from tests.live.restricted import write_configuration
from tests.live.twins import ACCEPTED, CALLS, COMMANDS, TWINS
from tests.recordings import ROOT

TIME_LIMIT = 240

#: Lines, and the commands that the real client sent for them: see the README of that folder.
LINES = ROOT.parent / "shared" / "cases" / "constrained-lines.jsonl"
_VARIABLES = "$v = 'vv'; $h = @{ x = 'sp' }; $arr = 1, 2"

_OUTCOME = """
function global:Get-TwinOutcome($Session, $Line) {
    $e = $null
    try {
        $out = @(Invoke-Command -Session $Session -ScriptBlock ([scriptblock]::Create($Line)) `
            -ArgumentList 7, 8 -ErrorVariable e -ErrorAction SilentlyContinue 2>$null |
            ForEach-Object { "$_" })
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
    """Return the call, the outcome at our endpoint, and the one at the real endpoint."""
    return compared(clients, hosts, pwsh, CALLS)


def compared(
    clients: Clients, hosts: Hosts, pwsh: str, calls: Sequence[str]
) -> list[tuple[str, Any, Any]]:
    file = hosts.folder / "twins.pssc"
    write_configuration(clients.real, file, TWINS)
    hosts.add("twins", [pwsh, "-s", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)])
    hosts.add_ours("our-twins", "--functions", "tests.live.twins:COMMANDS")
    clients.real.prepare(_OUTCOME)
    lines = ", ".join(map(quoted, calls))
    found = [
        _ask(clients.real, clients.theirs("stdio", name), lines) for name in ("our-twins", "twins")
    ]
    return [(call, *pair) for call, *pair in zip(calls, *found, strict=True)]


def _ask(real: PowerShell, session: str, lines: str) -> list[Any]:
    code = f"{_VARIABLES}; foreach ($line in {lines}) {{ Get-TwinOutcome {session} $line }}"
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


def test_lines_of_a_constrained_endpoint_have_the_outcome_of_the_twin(
    clients: Clients, hosts: Hosts, pwsh: str
) -> None:
    if not LINES.exists():
        pytest.skip("no ../shared/cases")
    rows = [json.loads(line) for line in LINES.read_text("utf-8").splitlines()]
    lines = [row["line"] for row in rows if row["sent"] == "commands" and _is_of_twins(row)]
    assert len(lines) >= 60
    found = compared(clients, hosts, pwsh, lines)
    assert [each for each in found if each[1] != each[2]] == []


def _is_of_twins(row: dict[str, Any]) -> bool:
    commands = [command for statement in row["statements"] for command in statement]
    return all(command["Cmd"] == "Get-Thing" for command in commands)
