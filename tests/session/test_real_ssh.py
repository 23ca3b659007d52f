"""Sessions through a real OpenSSH server on loopback, and errors of ssh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from psremoting.errors import PSRemotingTransportError
from psremoting.session import PSSession
from psremoting.targets import SSHTarget
from psrp.commands import Command, command
from tests.recordings import ROOT
from tests.sshsub import sshd

pytestmark = pytest.mark.skipif(sshd.SSHD is None, reason="no sshd on this machine")

ENDED = (
    "The SSH client session has ended with error message: The SSH transport process has "
    "abruptly terminated causing this remote session to break."
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    program = ROOT / "tests" / "session" / "psrpcore_program.py"
    folder = tmp_path_factory.mktemp("sshd")
    with sshd.running(folder, f"{sys.executable} {program}") as running:
        yield running


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    """Run sshd with the endpoint of this package as the subsystem."""
    folder = tmp_path_factory.mktemp("sshd")
    program = folder / "serve.py"
    program.write_text("from psremoting.cli.serve import serve\nserve()\n")
    with sshd.running(folder, f"{sys.executable} {program} --stdio") as running:
        yield running


async def test_our_client_and_our_endpoint_meet_over_a_real_ssh(endpoint: sshd.Server) -> None:
    async with PSSession.connect(target(endpoint)) as session:
        assert session.application_private_data["PSVersionTable"]["PSVersion"]
        names = [item["Name"] for item in (await session.run("Get-Command")).output]
        assert {"Get-Command", "Out-Default", "Exit-PSSession"} <= set(names)
        result = await session.run(command("Get-Command", Name="Out-Default") | measure())
        assert [item["Count"] for item in result.output] == [1]
        failed = await session.run("Get-Nothing")
        told = failed.streams.error or [failed.error]
        assert "Get-Nothing" in str(told[0])
    assert session.state == "Closed"


def measure() -> Command:
    return command("Measure-Object")


def target(server: sshd.Server) -> SSHTarget:
    return SSHTarget(
        host_name=f"{sshd.USER}@127.0.0.1:{server.port}",
        key_file_path=server.key,
        options=server.options,
    )


async def test_commands_run_over_a_real_ssh(server: sshd.Server) -> None:
    async with PSSession.connect(target(server)) as session:
        assert (session.transport, session.computer) == ("SSH", "127.0.0.1")
        assert (await session.run("count 500")).output == list(range(500))
        assert (await session.run("echo", input=range(200))).output == list(range(200))
    assert session.state == "Closed"


async def failure(target: SSHTarget, hint: str = "") -> PSRemotingTransportError:
    with pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(target):
            raise AssertionError("it must not open")
    assert caught.value.error_id == "PSSessionOpenFailed"
    first, _, rest = str(caught.value).partition("\nHint: ")
    assert first.startswith(f"{ENDED} ssh reported: ")
    assert caught.value.notices[-1] in first
    assert hint in rest
    assert bool(hint) is bool(rest)
    return caught.value


async def test_a_refused_key_is_what_ssh_says(server: sshd.Server) -> None:
    error = await failure(
        replace(target(server), key_file_path=str(server.folder / "other")), "refused the log-in"
    )
    assert any("Permission denied" in line for line in error.notices)


async def test_a_wrong_subsystem_is_what_ssh_says(server: sshd.Server) -> None:
    error = await failure(replace(target(server), subsystem="nosuch"), "no such subsystem")
    assert "subsystem request failed on channel 0" in error.notices


async def test_an_unknown_host_is_what_ssh_says(server: sshd.Server) -> None:
    error = await failure(
        replace(target(server), host_name="no-such-host.invalid"), "name of the host"
    )
    assert any("Could not resolve hostname" in line for line in error.notices)


async def test_a_refused_connection_is_what_ssh_says(server: sshd.Server) -> None:
    error = await failure(
        replace(target(server), host_name=f"127.0.0.1:{sshd.free_port()}"), "no ssh server"
    )
    assert any("Connection refused" in line for line in error.notices)


async def test_a_bad_option_is_what_ssh_says(server: sshd.Server) -> None:
    error = await failure(replace(target(server), options={"BadName": "x"}))
    assert any("Bad configuration option" in line for line in error.notices)


async def test_a_key_of_another_host_is_what_ssh_says(server: sshd.Server, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    options = {**server.options, "UserKnownHostsFile": str(tmp_path / "known_hosts")}
    error = await failure(replace(target(server), options=options), "not known")
    assert any("Host key verification failed" in line for line in error.notices)
