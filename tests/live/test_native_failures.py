"""Failures of the native client: text, FullyQualifiedErrorId and category are those that it gives
for the same fault of the plugin's server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoint.served_wsman import serving
from tests.endpoint.test_wsman_clients import _has_gssapi
from tests.live.kdc import Kdc
from tests.live.native_rows import parameters
from tests.live.wsman_peers import NativeClient, WSManServer

TIME_LIMIT = 400

WAYS = ["negotiate", "https", "kerberos"]
CASES = ["wrong password", "unknown user", "closed port", "unknown configuration"]
COMMANDS = ["New-PSSession", "Invoke-Command", "Enter-PSSession"]

SCRIPT = r"""
function Show-Failure($name, $command, $b) {
    "== $command, $name"
    if ($command -eq 'Invoke-Command') { $b.ScriptBlock = { 1 } }
    try { $null = & $command @b -ErrorAction Stop; 'no error' }
    catch {
        $_.FullyQualifiedErrorId; "$($_.CategoryInfo)"; $_.Exception.GetType().Name
        $_.Exception.ErrorCode; "$_"
    }
}
foreach ($command in 'New-PSSession', 'Invoke-Command', 'Enter-PSSession') {
    $b = $a.Clone()
    $b.Credential = [pscredential]::new($a.Credential.UserName,
        (ConvertTo-SecureString wrong -AsPlainText -Force))
    Show-Failure 'wrong password' $command $b
    $b = $a.Clone()
    $b.Credential = [pscredential]::new($a.Credential.UserName.Replace('wsuser', 'nobody1'),
        $a.Credential.Password)
    Show-Failure 'unknown user' $command $b
    $b = $a.Clone(); $b.Port = 1
    Show-Failure 'closed port' $command $b
    if ($ours) {
        $b = $a.Clone(); $b.ConfigurationName = 'Nope'
        Show-Failure 'unknown configuration' $command $b
    }
}
"""


@pytest.fixture(scope="module")
def ours(kdc: Kdc | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSManServer]:
    folder: Path = tmp_path_factory.mktemp("failures")
    keytab = str(kdc.keytab) if kdc is not None and _has_gssapi() else ""
    environment = {"KRB5_CONFIG": str(kdc.config)} if kdc is not None else {}
    functions = ("--functions", "tests.endpoint.test_wsman_clients:COMMANDS")
    with serving(folder, *functions, keytab=keytab, environment=environment) as endpoint:
        yield WSManServer(endpoint.http, endpoint.https, kdc if keytab else None)


@pytest.fixture(scope="module")
def failures(
    ours: WSManServer, wsman_server: WSManServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, list[str]]]]:
    """The failures at the plugin and at ours, by way; see `found`."""
    return {}


def found(
    known: dict[str, list[dict[str, list[str]]]],
    way: str,
    plugin: WSManServer,
    ours: WSManServer,
    home: Path,
) -> list[dict[str, list[str]]]:
    if way == "kerberos" and (plugin.kdc is None or ours.kdc is None):
        pytest.skip("no Kerberos here")
    if way not in known:
        known[way] = []
        for server in (plugin, ours):
            head = f"$a = {parameters(server, way)}\n$ours = ${server is ours}\n"
            # The client crashes at its end now and then, when the output is complete.
            _, text = NativeClient(home, server).run_once(head + SCRIPT, timeout=150)
            parts = re.split(r"^== (.*)\n", text, flags=re.MULTILINE)
            known[way].append(
                {
                    name: each.split("\n")
                    for name, each in zip(parts[1::2], parts[2::2], strict=True)
                }
            )
    return known[way]


@pytest.mark.parametrize("case", CASES[:3])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_is_told_as_at_the_plugin(
    failures: dict[str, list[dict[str, list[str]]]],
    way: str,
    command: str,
    case: str,
    wsman_server: WSManServer,
    ours: WSManServer,
    tmp_path: Path,
) -> None:
    there, here = found(failures, way, wsman_server, ours, tmp_path)
    name = f"{command}, {case}"
    assert len(here[name]) >= 5
    assert here[name][:5] == there[name][:5]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_configuration_is_an_unknown_resource(
    failures: dict[str, list[dict[str, list[str]]]],
    way: str,
    command: str,
    wsman_server: WSManServer,
    ours: WSManServer,
    tmp_path: Path,
) -> None:
    """The plugin's server takes every name; the client has this text for the subcode, Windows'
    client shows the fault's own, which names the configuration."""
    lines = found(failures, way, wsman_server, ours, tmp_path)[1][
        f"{command}, unknown configuration"
    ]
    assert "ERROR_WSMAN_DESTINATION_UNREACHABLE: The WS-Management service" in lines[4]
    assert (
        lines[0]
        == {
            "New-PSSession": "1,PSSessionOpenFailed",
            "Invoke-Command": "1,PSSessionStateBroken",
            "Enter-PSSession": "CreateRemoteRunspaceFailed",
        }[command]
    )
