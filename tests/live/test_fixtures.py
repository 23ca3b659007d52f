"""Tests of the fixtures: each client reaches each server over each carrier."""

from __future__ import annotations

import pytest

from tests.live.peers import Clients
from tests.live.powershell import PeerFailed, PowerShell


def test_both_clients_reach_the_real_server(clients: Clients, carrier: str) -> None:
    ours = clients.ours(carrier).run("1..3; $PSVersionTable.PSEdition")
    theirs = clients.real.json(
        f"Invoke-Command {clients.theirs(carrier)} {{ 1..3; $PSVersionTable.PSEdition }}"
    )
    assert ours.output == [1, 2, 3, "Core"]
    assert [item.get("value", item) if isinstance(item, dict) else item for item in theirs] == [
        1,
        2,
        3,
        "Core",
    ]


def test_both_clients_reach_our_server(clients: Clients, carrier: str) -> None:
    ours = clients.ours(carrier, "demo").run("Get-Endpoint")
    name = clients.real.run(
        f"{clients.pipeline(carrier, 'demo')}.AddCommand('Get-Endpoint').Invoke().Language"
    )
    assert ours.output[0]["Language"] == "Python"
    assert name == "Python"


def test_the_restricted_server_has_no_language(clients: Clients, restricted: str) -> None:
    result = clients.ours("stdio", restricted).run("1 + 1")
    assert "ScriptsNotAllowed" in str(getattr(result.error, "error_id", result.error))


def test_a_process_that_hangs_is_replaced(real: PowerShell) -> None:
    with pytest.raises(PeerFailed, match="no answer within"):
        real.run("Start-Sleep 100", timeout=0.5)
    assert real.run("1 + 1") == "2"


def test_a_failed_command_is_an_error_with_its_id(real: PowerShell) -> None:
    with pytest.raises(PeerFailed, match="boom"):
        real.run("throw 'boom'")
