"""The process engine: a client reaches another server through it, and no process is left over."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from psremoting.endpoint.driver import serve_stream
from psremoting.endpoint.process import ProcessEngine
from psrp import events as e
from psrp.clixml import SecureString
from psrp.commands import command
from psrp.host import HostMethodId
from psrp.sansio import LocalProtocolError
from tests.endpoint.clients import Client, connected

ROOT = Path(__file__).resolve().parents[2]
CHILD = (
    sys.executable,
    "-c",
    "import os, sys; open(sys.argv.pop(), 'w').write(str(os.getpid()));"
    "from psremoting.cli.serve import serve; serve()",
    *("--stdio", "--functions", "tests.endpoint.own_commands:COMMANDS"),
)


class Child:
    """The engine, with the process that it started last."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "pid"
        self.engine = ProcessEngine([*CHILD, str(self._file)], cwd=str(ROOT))

    @property
    def pid(self) -> int:
        return int(self._file.read_text())

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


async def test_a_session_passes_through(child: Child) -> None:
    async with connected(child.engine, timeout=60) as client:
        assert client.pool.application_private_data is not None
        result = await client.invoke(command("Get-Count", 2000))
        assert result.output == list(range(2000))
        result = await client.invoke(command("Show-Stream"))
        assert (result.output, result.errors[0].message) == (["output"], "error")
        assert (HostMethodId.WriteWarningLine, "warning") in result.calls
        result = await client.invoke(command("Get-Nothing"))
        assert result.end.error.fully_qualified_error_id == "CommandNotFoundException"
        await client.close()
        assert isinstance(client.pool_events[-1], e.ClosePool)
    assert not child.alive


async def test_secrets_cross_under_the_key_of_the_two_ends(child: Child) -> None:
    def answer(call: e.PipelineHostCall) -> Any:
        return "Ada" if call.method == HostMethodId.ReadLine else SecureString("s3cret")

    async with connected(child.engine, timeout=60) as client:
        client.answer = answer
        result = await client.invoke(command("Read-Answer"))
        assert result.output[0].reveal() == "Ada:s3cret"
    assert not child.alive


async def test_a_stop_passes_through(child: Child) -> None:
    async with connected(child.engine, timeout=60) as client:
        result = client.start(command("Get-Forever"))
        while not result.output:
            await trio.sleep(0.01)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
        assert (await client.invoke("'alive'")).output == ["alive"]
    assert not child.alive


async def test_the_death_of_the_child_is_an_error_and_ends_the_client(child: Child) -> None:
    async with connected(child.engine, timeout=60) as client:
        client.start(command("Wait-Forever"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        os.kill(child.pid, 9)
        await client.ended.wait()
        assert any("has ended" in text for text in client.reports)
    assert not child.alive


async def test_a_missing_program_is_an_error_for_the_client() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, theirs, ProcessEngine(["/no/such/program"]))
            client = Client(ours)
            nursery.start_soon(client.run)
            client.send(e.SessionCapability(protocol_version="2.3"))
            await client.ended.wait()
    assert any("/no/such/program" in text for text in client.reports)


@pytest.mark.parametrize("moment", ["open", "running", "output"])
async def test_cancelled_at_any_moment_it_leaves_no_process(child: Child, moment: str) -> None:
    with trio.CancelScope() as scope:
        async with connected(child.engine, timeout=60) as client:
            if moment != "open":
                name = "Wait-Forever" if moment == "running" else "Get-Forever"
                result = client.start(command(name))
                while moment == "output" and not result.output:
                    await trio.sleep(0.01)
            scope.cancel()
            await trio.sleep_forever()
    assert not child.alive


def test_an_empty_command_line_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        ProcessEngine([])
