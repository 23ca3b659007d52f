"""Sessions of the library with a real server: the debugger, exit, commands by name."""

from __future__ import annotations

import pytest

from psremoting import PSSession, RemoteErrors
from psremoting.errors import PipelineFailed
from tests.live.peers import Hosts


@pytest.mark.parametrize("like_powershell", [False, True])
async def test_a_script_that_stops_in_the_debugger_is_continued(
    hosts: Hosts, like_powershell: bool
) -> None:
    """A server stops only if the client has set the debug mode, as PowerShell's client does."""
    notices: list[str] = []
    target = hosts.peer("stdio", "powershell").target
    async with PSSession.connect(
        target, on_notice=notices.append, like_powershell=like_powershell
    ) as session:
        result = await session.run("$a = 1; Wait-Debugger; $a + 1", check=True, timeout=60)
        assert result.output == [2]
    assert any("was continued" in line for line in notices) is like_powershell


async def test_exit_closes_the_session(hosts: Hosts) -> None:
    async with PSSession.connect(hosts.peer("stdio", "powershell").target) as session:
        result = await session.run("'before'; exit 3")
        assert (result.output, result.exit_code) == (["before"], 3)
        await session.ended()
        assert session.state == "Closed"
        assert session.exit_code == 3


async def test_a_command_is_called_by_its_name(hosts: Hosts) -> None:
    async with PSSession.connect(hosts.peer("stdio", "powershell").target) as session:
        result = await session.call("Join-Path", "/a", ChildPath="b")
        assert result.output == ["/a/b"]
        failed = await session.call("Get-Item", "/nope")
        assert failed.had_errors
        assert failed.errors[0].fully_qualified_error_id.startswith("PathNotFound,")
        with pytest.raises(RemoteErrors, match="/nope"):
            failed.raise_for_errors()
        with pytest.raises(PipelineFailed, match="boom"):
            await session.run("throw 'boom'", check=True)


async def test_a_command_that_ends_at_once_frees_its_runspace(hosts: Hosts) -> None:
    async with PSSession.connect(hosts.peer("stdio", "powershell").target) as session:
        for number in range(20):
            stopped = await session.invoke("Start-Sleep 60")
            stopped.close()
            result = await session.run(f"{number}", timeout=60)
            assert result.output == [number], result
