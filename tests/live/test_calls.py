"""Calls of our functions and of equivalent functions on a real server without language, made by the
real client: output, error ids, categories and messages. spec-notes/live.md"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from psremoting import WSManTarget, sync
from psrp.clixml import Credential, dumps
from tests.endpoint import served_wsman
from tests.live.call_functions import TWINS
from tests.live.comparing import Comparison
from tests.live.peers import Clients, Hosts
from tests.live.powershell import quoted
from tests.live.restricted import write_configuration
from tests.live.tables import sections

TABLE = sections("calls")

_CALL = r"""
function global:Get-LiveFailure($r) {
    $c = $r.CategoryInfo
    "$($r.FullyQualifiedErrorId) | $($c.Category) | $($c.Activity) | $($c.Reason) |" +
    " $($c.TargetName) | $($c.TargetType) | $r"
}
# Runs a line as Invoke-Command does in a session without language: as commands.
function global:Invoke-LiveCall([string]$Name, [string]$Line, $Values) {
    try { $p = [scriptblock]::Create($Line).GetPowerShell($true) }
    catch { return "not commands: $($_.Exception.InnerException.Message)" }
    $p.Runspace = (Get-LiveSession $Name).Runspace
    $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
    $failure = ''
    try {
        if ($null -eq $Values) { $p.Invoke($null, $output) }
        else { $p.Invoke($Values, $output) }
    }
    catch {
        $inner = $_.Exception.InnerException
        $failure = if ($inner.ErrorRecord) { Get-LiveFailure $inner.ErrorRecord } else { "$inner" }
    }
    $values = [System.Collections.Generic.List[psobject]]::new($output)
    $document = [System.Management.Automation.PSSerializer]::Serialize($values, 10)
    @(
        # A Python int is sent as the smallest integer of .NET that holds it, from Int32 on.
        $document -replace '<(/?)I64', '<$1I32' -replace '(?s)^.*?</TN>' -replace '\n *'
        if ($failure) { "failed: $failure" }
        $p.Streams.Error | ForEach-Object { "error: $(Get-LiveFailure $_)" }
        $p.Streams.Warning | ForEach-Object { "warning: $_" }
        $p.Streams.Verbose | ForEach-Object { "verbose: $_" }
        $p.Streams.Information | ForEach-Object { "information: $_" }
    ) -join "`n"
}
"""

_SPELLING = "a parameter of any type gets a number without its spelling"
_QUESTION = "the client refuses the question; ours then names what is missing"

ACCEPTED: dict[str, str] = {
    "Get-Thing -OutVariable x": "a real endpoint without language cannot set the variable",
    "Get-Thing -PipelineVariable p": "a real endpoint without language cannot set the variable",
    "Test-TimeSpan 5": "a Python timedelta has microseconds, no ticks",
    "Test-Choice TWO": "the function gets the value that its annotation spells",
    "Test-Anything $null": "a parameter of any type takes None",
    "Test-Anything 1.50": _SPELLING,
    "Test-Anything 1.5d": _SPELLING,
    "@() => Test-Double2": _QUESTION,
    "Test-Complaint | Test-String": _QUESTION,
    "Get-Several | Measure-Object -Sum": "our Measure-Object has -Sum",
    "Get-Several | Select-Object Name": "a small int is Int32, also in the selected type's name",
    "Test-Rest": _QUESTION,
    "Get-Several | Select-Object -First 2": "our Select-Object has -First",
    "Get-Several": "a Python dict keeps its order, so it is an OrderedDictionary",
}


@pytest.fixture(scope="module")
def twins(hosts: Hosts, clients: Clients, pwsh: str) -> None:
    """Both servers: ``restricted-twins`` (real) and ``functions`` (ours)."""
    file = hosts.folder / "twins.pssc"
    write_configuration(clients.real, file, TWINS)
    words = ["-sshs", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)]
    hosts.add("restricted", [pwsh, *words])
    hosts.add_ours("functions", "--functions", "tests.live.call_functions:COMMANDS")


@pytest.mark.usefixtures("twins")
@pytest.mark.parametrize("section", TABLE)
def test_a_call_gives_what_its_twin_gives(clients: Clients, carrier: str, section: str) -> None:
    clients.real.run(_CALL)
    clients.theirs(carrier, "restricted")
    clients.theirs(carrier, "functions")
    comparison = Comparison(ACCEPTED)
    for row in TABLE[section]:
        values, arrow, line = row.rpartition(" => ")
        given = f"@({values})" if arrow else "$null"
        real, ours = (
            clients.real.run(
                f"Invoke-LiveCall {quoted(f'{carrier}/{server}')} {quoted(line)} {given}"
            )
            for server in ("restricted", "functions")
        )
        comparison.add(row, real, ours)
    comparison.check(TABLE[section])


# -- over WS-Man, with our client: the real client for it exists on Windows alone


@pytest.fixture(scope="module")
def over_ws_man(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sync.SyncSession]:
    """Our endpoint with the functions, over WS-Man with NTLM."""
    folder = tmp_path_factory.mktemp("served")
    options = ("--functions", "tests.live.call_functions:COMMANDS")
    with served_wsman.serving(folder, *options) as endpoint:
        target = WSManTarget(
            computer_name="127.0.0.1", port=endpoint.http, authentication="ntlm",
            credential=Credential(served_wsman.USER, served_wsman.PASSWORD),
        )  # fmt: skip
        with sync.connect(target) as session:
            yield session


def _told(session: sync.SyncSession, line: str, given: Any) -> str:
    """Return everything that a call gives, as text."""
    try:
        result = session.run(line, input=given)
    except Exception as error:
        return f"not sent: {type(error).__name__}: {error}"
    lines = [dumps(value).decode("utf-8", "surrogatepass") for value in result.output]
    for error in result.errors:
        # Activity, target and the rest are in the text of the whole record.
        lines.append(f"error: {error!r}")
    for name in ("warning", "verbose", "debug", "information"):
        lines += [f"{name}: {record}" for record in getattr(result.streams, name)]
    return "\n".join([*lines, result.state.name])


@pytest.mark.usefixtures("twins")
@pytest.mark.parametrize("section", TABLE)
def test_a_call_gives_the_same_over_ws_man(
    clients: Clients, over_ws_man: sync.SyncSession, section: str
) -> None:
    """As over stdio, where the test above compares with the twin on the real server."""
    comparison = Comparison()
    for row in TABLE[section]:
        values, arrow, line = row.rpartition(" => ")
        given = None
        if arrow:
            given = clients.ours("stdio").run(f"@({values})", check=True).output
        stdio, other = (
            _told(session, line, given)
            for session in (clients.ours("stdio", "functions"), over_ws_man)
        )
        comparison.add(row, stdio, other)
    comparison.check(TABLE[section])
