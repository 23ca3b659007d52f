"""Child processes that use their stdio: none is left over in any case."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from psrp.sansio import LocalProtocolError
from sshsub.trio_process import CommandNotFound, ProcessWire, find_program, open_process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these children are Unix programs")

PYTHON = sys.executable
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"


def gone(pid: int) -> bool:
    """Return whether the process has ended and was reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def receive_all(wire: ProcessWire) -> bytes:
    data = b""
    while more := await wire.receive_some():
        data += more
    return data


async def test_bytes_go_through_and_the_end_is_known() -> None:
    data = os.urandom(300_000)
    async with open_process(["cat"]) as wire, trio.open_nursery() as nursery:

        async def send() -> None:
            await wire.send_all(data)
            await wire.send_eof()

        nursery.start_soon(send)
        assert await receive_all(wire) == data
        ending = await wire.wait()
    assert (ending.exit_code, ending.error_text) == (0, "")
    assert wire.ended == ending
    assert gone(wire.pid)


async def test_stderr_comes_line_by_line_and_is_kept() -> None:
    lines: list[str] = []
    script = "printf 'one\\r\\ntw\\303\\266\\nno end' >&2; exit 7"
    async with open_process(["sh", "-c", script], on_stderr=lines.append) as wire:
        assert await receive_all(wire) == b""
        ending = await wire.wait()
    assert lines == ["one", "twö", "no end"]
    assert ending.exit_code == 7
    assert ending.error_text.endswith("no end")


async def test_a_flood_on_stderr_is_bounded_and_holds_nothing_up() -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo done"
    lines: list[str] = []
    async with open_process(["sh", "-c", script], on_stderr=lines.append) as wire:
        assert await receive_all(wire) == b"done\n"
        ending = await wire.wait()
    assert sum(map(len, lines)) == 3_000_000
    assert max(map(len, lines)) <= 8192
    assert len(ending.error_text) <= 65536


async def test_a_callback_that_raises_harms_nobody() -> None:
    def refuse(line: str) -> None:
        raise ValueError(line)

    async with open_process(["sh", "-c", "echo a >&2; echo b"], on_stderr=refuse) as wire:
        assert await receive_all(wire) == b"b\n"


async def test_a_missing_program_is_a_clear_error() -> None:
    with pytest.raises(CommandNotFound, match="no-such-program") as caught:
        async with open_process(["no-such-program"]):
            pytest.fail("it runs")
    assert caught.value.error_id == "CommandNotFoundException"
    with pytest.raises(LocalProtocolError):
        async with open_process([]):
            pytest.fail("it runs")


def test_programs_are_never_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh-of-this-test"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", "/usr/bin"]))
    with pytest.raises(CommandNotFound):
        find_program("ssh-of-this-test")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("ssh-of-this-test") == str(program)
    assert find_program("./ssh-of-this-test") == str(program)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_cancelled_anywhere_nothing_is_left(stubborn: bool) -> None:
    alive = DEAF if stubborn else "import time; print('up', flush=True)"
    script = f"{alive}; time.sleep(60)"
    with trio.CancelScope() as scope:
        async with open_process([PYTHON, "-c", script]) as wire:
            assert (await wire.receive_some()).startswith(b"up")
            scope.cancel()
            await wire.receive_some()
    assert scope.cancelled_caught
    assert gone(wire.pid)
    assert wire.ended is not None
    assert wire.ended.exit_code == (-signal.SIGKILL if stubborn else -signal.SIGTERM)


async def test_cancelled_while_writing_nothing_is_left() -> None:
    with trio.CancelScope() as scope:
        async with open_process(["sleep", "60"]) as wire, trio.open_nursery() as nursery:
            nursery.start_soon(wire.send_all, b"x" * 1_000_000)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert gone(wire.pid)


async def test_an_error_in_the_block_comes_out_as_it_is_and_nothing_is_left() -> None:
    with pytest.raises(KeyError):
        async with open_process(["sleep", "60"]) as wire:
            raise KeyError
    assert gone(wire.pid)


async def test_the_end_of_the_block_is_the_end_of_its_input() -> None:
    async with open_process(["cat"]) as wire:
        await wire.send_all(b"x")
        assert await wire.receive_some() == b"x"
    assert wire.ended is not None
    assert wire.ended.exit_code == 0


async def test_who_does_not_end_with_its_input_is_ended() -> None:
    async with open_process(["sleep", "60"], patience=0.05) as wire:
        pass
    assert gone(wire.pid)
    await wire.aclose()


async def test_writing_to_a_dead_child_is_a_broken_stream() -> None:
    async with open_process(["true"]) as wire:
        await wire.wait()
        with pytest.raises(trio.BrokenResourceError):
            await wire.send_all(b"x" * 100_000)


async def test_a_grandchild_that_holds_stderr_open_holds_nothing_up() -> None:
    async with open_process(["sh", "-c", "sleep 5 & echo $!"]) as wire:
        grandchild = int(await wire.receive_some())
        await wire.wait()
    assert gone(wire.pid)
    os.kill(grandchild, signal.SIGKILL)


async def test_ctrl_c_is_ours_alone() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    async with open_process([PYTHON, "-c", script]) as wire:
        assert await receive_all(wire) == b"alive\n"


async def test_the_exit_code_of_a_killed_server_is_known() -> None:
    async with open_process(["sleep", "60"]) as wire:
        os.kill(wire.pid, signal.SIGKILL)
        assert await receive_all(wire) == b""
        assert (await wire.wait()).exit_code == -signal.SIGKILL
