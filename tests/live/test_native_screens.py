"""Enter-PSSession of the native WS-Man client: the screens at `psrp serve` and at the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.endpoint.served_wsman import serving
from tests.live import powershell, wsman_peers
from tests.live.peers import Hosts
from tests.live.screens import _LOCAL, PROMPT, Pair, Step, _Terminal
from tests.live.test_screens import SCENARIOS
from tests.live.wsman_peers import PASSWORD, USER, WSManServer

TIME_LIMIT = 300


def _entered(hosts: Hosts, name: str, port: int) -> _Terminal:
    """Bring the native client to the prompt of a session, in the root directory."""
    program = wsman_peers.client_program()
    assert program is not None
    environment = powershell.environment(hosts.home)
    terminal = _Terminal(
        [program, "-NoProfile", "-NoLogo"], environment, hosts.folder / f"native-{name}"
    )
    terminal.wait_for(_LOCAL, "its local prompt")
    commands = [
        "Set-PSReadLineOption -PredictionSource None -HistorySaveStyle SaveNothing",
        f"$c = [pscredential]::new('{USER}', (ConvertTo-SecureString '{PASSWORD}' -AsPlainText"
        " -Force))",
    ]
    for command in commands:
        terminal.written = ""
        terminal.child.send(command + "\r")
        size = len(command)
        terminal.wait(
            lambda n=size: len(terminal.written) > n and terminal.is_at(_LOCAL),  # type: ignore[misc]
            "a prompt",
        )
    terminal.child.send(
        f"Enter-PSSession -ComputerName localhost -Port {port} -Authentication Negotiate"
        " -Credential $c\r"
    )
    terminal.wait_for(PROMPT, "the first prompt")
    terminal.written = ""
    terminal.child.send("Set-Location /; Clear-Host\r")
    terminal.wait(lambda: terminal.is_at(r"\[localhost\]: PS />"), "the prompt of the root")
    terminal.clear()
    return terminal


@pytest.fixture(scope="module")
def pair(
    hosts: Hosts, wsman_server: WSManServer, pwsh: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("served")
    with serving(folder, "--process", f"{pwsh} -s -NoLogo -NoProfile") as endpoint:
        terminals: list[_Terminal] = []
        try:
            terminals.append(_entered(hosts, "plugin", wsman_server.http))
            terminals.append(_entered(hosts, "ours", endpoint.http))
            yield Pair(*terminals)
        finally:
            for each in terminals:
                each.kill()


#: Scenarios of the screens over stdio that the same client plays at both servers.
PLAYED = ["values", "records", "errors", "blocks", "interrupting", "questions"]


def steps_of(name: str) -> list[Step]:
    """Return the steps of a scenario. One and the same client draws both screens, so that no
    difference is accepted; it crashes of a command that is not ASCII, so those are left out. So
    are questions about a file, which would be the same file for both servers."""
    found: list[Step] = []
    left_out = False
    for each in SCENARIOS[name]:
        step = each if isinstance(each, Step) else Step(each + "\r")
        left_out = left_out or "file.txt" in step.keys or not step.keys.isascii()
        if not left_out:
            found.append(replace(step, accepted=""))
        elif step.until == PROMPT:
            left_out = False
    return found


def go_to(folder: str) -> Step:
    return Step(f"Set-Location {folder}; Clear-Host\r", accepted="it only prepares the screen")


@pytest.mark.parametrize("name", PLAYED)
def test_a_scenario_looks_as_at_the_plugin(pair: Pair, name: str) -> None:
    pair.play([go_to("/tmp"), *steps_of(name), go_to("/")])


def test_an_entered_session_looks_as_at_the_plugin(pair: Pair) -> None:
    pair.play(
        [
            "",
            "1..3",
            "[pscustomobject]@{ a = 1; b = 'two' }",
            "Write-Warning w",
            "Write-Error e",
            "Get-Item /nope",
            "throw 'boom'",
            "Write-Host h -ForegroundColor Green",
            Step("Read-Host Name\r", r"Name:.*"),
            Step("bob\r"),
            Step("Start-Sleep 60\r", "", shows=r".*Start-Sleep 60", reads=False),
            Step("\x03"),
        ]
    )
