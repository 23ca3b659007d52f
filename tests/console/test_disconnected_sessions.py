"""Commands that leave sessions at a server over WS-Man, at our own endpoint."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from psremoting.session import PSSession
from tests.console.places import Prompt, prompt
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint, serving

CLASS = "Microsoft.PowerShell.Commands.InvokeCommandCommand"
pytestmark = pytest.mark.xdist_group("disconnected-sessions")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with serving(tmp_path_factory.mktemp("wsman"), "--allow-unencrypted") as made:
        yield made


@pytest.fixture
def where(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PSRP_PASSWORD", PASSWORD)
    return f"-Port {endpoint.http} -Credential {USER} -Authentication Negotiate"


@asynccontextmanager
async def real_prompt() -> AsyncIterator[Prompt]:
    async with prompt(PSSession.connect) as run:
        yield run


async def test_a_command_is_started_and_its_session_left_at_each_computer(where: str) -> None:
    async with real_prompt() as run:
        line = f"$s = Invoke-Command -ComputerName 127.0.0.1,localhost {where}"
        names = "-InDisconnectedSession -SessionName first"
        assert await run(f"{line} {names} {{ Get-Number 2000 }}") == ""
        assert await run("$s.State; $s.Name; $s.ComputerName") == (
            "Disconnected\nDisconnected\nfirst\nRunspace2\n127.0.0.1\nlocalhost"
        )
        assert await run(f"(Get-PSSession -ComputerName 127.0.0.1 {where} -Name first).State") == (
            "Disconnected"
        )
        numbers = "\n".join(str(number) for number in range(1, 2001))
        assert await run("Receive-PSSession -Session $s[0]") == numbers
        assert await run("$c = Connect-PSSession -Session $s[1]; $c.State") == "Opened"
        assert await run("Receive-PSSession -Session $c") == numbers
        assert await run("Get-PSSession | Remove-PSSession") == ""
        assert run.error_ids() == []


async def test_a_command_left_at_a_computer_has_its_values_and_its_input(where: str) -> None:
    async with real_prompt() as run:
        line = f"Invoke-Command -ComputerName 127.0.0.1 {where} -Disconnected"
        await run("$n = 3")
        await run(f"$s = {line} {{ Get-Number $using:n }}")
        assert await run("Receive-PSSession -Session $s") == "1\n2\n3"
        await run(f"$s = 'a','b' | {line} {{ $input | ConvertTo-Upper }}")
        assert await run("Receive-PSSession -Session $s") == "A\nB"
        await run("Get-PSSession | Remove-PSSession")
        assert run.error_ids() == []


async def test_a_computer_that_fails_costs_only_its_own_session(
    where: str, endpoint: Endpoint
) -> None:
    async with real_prompt() as run:
        how = where.partition("-Credential")[2]
        url = f"http://127.0.0.1:{endpoint.http}"
        line = f"Invoke-Command -ConnectionUri {url}/other,{url}/wsman -Credential {how}"
        await run(f"$s = {line} -InDisconnectedSession {{ Get-Number 1 }}")
        assert [each.split(",")[-1] for each in run.error_ids()] == ["PSSessionStateBroken"]
        assert await run("$s.State") == "Disconnected"
        assert await run("Receive-PSSession -Session $s") == "1"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-ComputerName h -AsJob -InDisconnectedSession", "both the AsJob and Disconnected"),
        ("-ComputerName h -JobName j -InDisconnectedSession", "both the AsJob and Disconnected"),
        ("-ComputerName h -SessionName s", "can only be used with the Disconnected switch"),
    ],
)
async def test_parameters_that_exclude_each_other_are_refused(line: str, text: str) -> None:
    """Ids and messages are those of PowerShell 7.6."""
    async with prompt() as run:
        assert text in await run(f"Invoke-Command {line} {{ 1 }}")
        assert run.error_ids() == [f"System.InvalidOperationException,{CLASS}"]
        assert run.machines.asked == []


async def test_no_session_is_left_over_ssh() -> None:
    async with prompt() as run:
        await run("Invoke-Command -HostName h -InDisconnectedSession { 1 }")
        assert run.error_ids() == [f"AmbiguousParameterSet,{CLASS}"]
        assert run.machines.asked == []


async def test_a_disconnected_session_is_kept_for_the_time_that_was_asked_for(where: str) -> None:
    async with real_prompt() as run:
        await run(f"$s = New-PSSession -ComputerName 127.0.0.1 {where} -Name kept")
        too_short = await run("Disconnect-PSSession -Session $s -IdleTimeoutSec 59")
        assert "expected an idle time-out of at least 60 seconds, got 59" in too_short
        assert run.error_ids() == [
            "CannotDisconnectSessionWithInvalidIdleTimeout,"
            "Microsoft.PowerShell.Commands.DisconnectPSSessionCommand"
        ]
        assert await run("$s.State") == "Opened"
        line = "$d = Disconnect-PSSession -Session $s -IdleTimeoutSec 90 -OutputBufferingMode"
        assert "Cannot validate argument" in await run(f"{line} Other")
        await run(f"{line} Drop")
        assert await run("$d.State") == "Disconnected"
        await run("Connect-PSSession -Session $d | Remove-PSSession")


async def test_the_variable_of_a_session_still_names_it_after_disconnect_and_connect(
    where: str,
) -> None:
    async with real_prompt() as run:
        await run(f"$s = New-PSSession -ComputerName 127.0.0.1 {where}")
        await run("$null = Disconnect-PSSession $s")
        assert await run("$s.State") == "Disconnected"
        await run("$null = Connect-PSSession $s")
        assert await run("$s.State") == "Opened"
        assert await run("Invoke-Command -Session $s { Get-Number 2 }") == "1\n2"
        await run("$null = Disconnect-PSSession $s; Receive-PSSession $s; Remove-PSSession $s")
        assert await run("Get-PSSession") == ""
        assert run.error_ids() == []


@pytest.mark.parametrize("line", ["Remove-PSSession $n", "Get-PSSession -Id $n"])
async def test_a_null_session_is_refused_with_powershells_id(line: str) -> None:
    """Id and message are those of PowerShell 7.6."""
    async with prompt() as run:
        assert "The argument is null. Provide a valid value" in await run(line)
        assert [each.split(",")[0] for each in run.error_ids()] == [
            "ParameterArgumentValidationError"
        ]


@pytest.mark.parametrize(
    "line", ["New-PSSession -ComputerName h", "Enter-PSSession -ComputerName h",
             "Invoke-Command -ComputerName h { count 1 }"],
)  # fmt: skip
async def test_network_access_is_ignored_at_a_remote_target(line: str) -> None:
    """Documents: the command succeeds, but the parameter is ignored."""
    async with prompt() as run:
        shown = [await run(f"{line}{more}") for more in (" -EnableNetworkAccess", "")]
        # Each session has an id of its own.
        assert re.sub(r"\d+ ", "N ", shown[0]) == re.sub(r"\d+ ", "N ", shown[1])
        assert len(run.machines.asked) == 2
        assert not any(each.interactive for each in run.machines.asked)
