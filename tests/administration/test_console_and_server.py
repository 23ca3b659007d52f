"""The local prompt and the server of one store: the examples of the pages that need both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.administration.running_endpoint import CONFIGURATION, RunningEndpoint, running_endpoint

pytestmark = pytest.mark.xdist_group("administered")

PAGE_ERROR = (
    "New-PSSession : [localhost] Connecting to remote server localhost failed with the following "
    "error message : Access is denied. For more information, see the about_Remote_Troubleshooting "
    "Help topic.",
    "+ CategoryInfo          : OpenError: (System.Management.A…tion.RemoteRunspace:RemoteRunspace) "
    "[New-PSSession], PSRemotingTransportException",
    "+ FullyQualifiedErrorId : AccessDenied,PSSessionOpenFailed",
)
"""As on the page, which shows also the position in the line and breaks lines at 120 columns."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    with running_endpoint(tmp_path_factory.mktemp("console")) as made:
        yield made


def words(text: str) -> str:
    return " ".join(text.split())


def prompt(endpoint: RunningEndpoint, text: str) -> tuple[str, str]:
    done = endpoint.psrp("-c", text)
    return done.stdout, done.stderr


@pytest.fixture(autouse=True)
def configured(endpoint: RunningEndpoint) -> None:
    with endpoint.store as store:
        store.put_configuration(CONFIGURATION)


def test_example_3_a_loopback_session_without_the_switch_fails(endpoint: RunningEndpoint) -> None:
    """Documents: Disable-PSRemoting, example 3."""
    out, errors = prompt(
        endpoint, "Disable-PSRemoting -Force\nNew-PSSession -ComputerName localhost"
    )
    assert "WARNING: Disabling the session configurations does not undo all the changes" in out
    assert "    2. Delete the listener that accepts requests on any IP address." in out
    assert [words(line) for line in errors.splitlines()] == [words(line) for line in PAGE_ERROR]


def test_example_5_a_loopback_session_with_the_switch_opens(endpoint: RunningEndpoint) -> None:
    """Documents: Disable-PSRemoting, example 5. ConfigurationName is that of our default."""
    _, errors = prompt(endpoint, "Disable-PSRemoting -Force\nNew-PSSession -ComputerName localhost")
    assert "AccessDenied,PSSessionOpenFailed" in errors
    out, errors = prompt(endpoint, "New-PSSession -ComputerName localhost -EnableNetworkAccess")
    assert errors == ""
    head, dashes, row = (line for line in out.splitlines() if line)
    assert head.split() == [
        "Id", "Name", "Transport", "ComputerName", "ComputerType", "State", "ConfigurationName",
        "Availability",
    ]  # fmt: skip
    assert set(dashes) <= {" ", "-"}
    assert row.split()[:6] == ["1", "Runspace1", "WSMan", "localhost", "RemoteMachine", "Opened"]
    assert row.split()[-1] == "Available"


def test_example_6_ends_with_a_refused_session(endpoint: RunningEndpoint, tmp_path: Path) -> None:
    """Documents: Disable-PSRemoting, example 6: its last command."""
    (tmp_path / "TestEndpoint.pssc").write_text("@{\nSchemaVersion = '2.0.0.0'\n}\n")
    _, errors = prompt(
        endpoint,
        "$null = Register-PSSessionConfiguration -Name Test "
        f"-FilePath {tmp_path}/TestEndpoint.pssc "
        f"-Functions {CONFIGURATION.source} "
        "-SecurityDescriptorSddl 'D:(A;;GA;;;IU)(A;;GA;;;BA)' -Force\n"
        "New-PSSession -ComputerName localhost -ConfigurationName Test | Remove-PSSession\n"
        "Disable-PSRemoting -Force\n"
        "New-PSSession -ComputerName localhost -ConfigurationName Test",
    )
    assert errors.count("New-PSSession : ") == 1
    assert "Access is denied." in errors
    assert "PSSessionOpenFailed" in errors


def test_reconnecting_is_warned_of_and_works_here(endpoint: RunningEndpoint) -> None:
    out, errors = prompt(
        endpoint,
        "$s = New-PSSession localhost -EnableNetworkAccess -Name mine\n"
        "$null = Disconnect-PSSession $s\n"
        "$null = Connect-PSSession $s\n"
        "Invoke-Command -Session $s { Get-Answer }",
    )
    assert errors == ""
    assert out.splitlines() == [
        "WARNING: PSSession mine was created using the EnableNetworkAccess parameter and can only "
        "be reconnected from the local computer.",
        "42",
    ]


@pytest.mark.parametrize(
    "where", ["localhost -Port 1", "localhost -UseSSL -Port 1", "127.0.0.1 -Port 1"]
)
def test_what_names_a_listener_is_no_loopback_connection(
    endpoint: RunningEndpoint, where: str
) -> None:
    _, errors = prompt(endpoint, f"New-PSSession -ComputerName {where} -EnableNetworkAccess")
    assert "FullyQualifiedErrorId" in errors
    assert "AccessDenied,PSSessionOpenFailed" not in errors


def test_a_dot_is_this_computer(endpoint: RunningEndpoint) -> None:
    out, errors = prompt(endpoint, "Invoke-Command -ComputerName . { Get-Answer }")
    assert (out.split(), errors) == (["42"], "")


def test_the_sessions_at_the_server_have_owner_client_and_times(endpoint: RunningEndpoint) -> None:
    out, errors = prompt(
        endpoint,
        "$null = New-PSSession localhost -Name listed | Disconnect-PSSession\n"
        "Get-PSSession -ComputerName localhost -Name listed | Format-List Name, State, Owner, "
        "ClientIP, ShellRunTime, ShellInactivity, IdleTimeout\n",
    )
    assert errors == ""
    found = dict(re.findall(r"^(\w+) +: (.*)$", out, re.MULTILINE))
    assert found["Name"] == "listed"
    assert found["State"] == "Disconnected"
    assert found["Owner"] != ""
    assert all(found[each].startswith("00:00:") for each in ("ShellRunTime", "ShellInactivity"))
    assert found["IdleTimeout"] == "02:00:00"
