"""Programs as the commands of a winrs shell: input, output, signals, exit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from psremoting.endpoint.programs import ProgramShell
from tests.endpoint.test_wsman_host import Link
from wsman.hosting import Refusal, ShellRequest
from wsman.soap import Option

COMMAND = "C1"


@asynccontextmanager
async def shell(*options: Option, **environment: str) -> AsyncIterator[tuple[ProgramShell, Link]]:
    link = Link()
    made = ProgramShell(
        ShellRequest(
            shell_id="S", owner="carol", resource_uri="cmd", options=options,
            environment=tuple(environment.items()), working_directory="/",
        ),
        link,
    )  # fmt: skip
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made, link
            made.client_gone()


async def until(link: Link, ready: Callable[[], bool]) -> None:
    while not ready():
        await link.woken.wait()
        link.woken = trio.Event()


async def finished(made: ProgramShell, link: Link) -> tuple[dict[str, bytes], int | None]:
    found: dict[str, bytes] = {}

    def ready() -> bool:
        for name, data in made.read(COMMAND, 1 << 20):
            found[name] = found.get(name, b"") + data
        return made.exit_code(COMMAND) is not None

    await until(link, ready)
    return found, made.exit_code(COMMAND)


async def test_a_command_line_is_run_by_a_shell() -> None:
    async with shell(NAME="value") as (made, link):
        made.start(COMMAND, "echo $NAME; pwd; echo no >&2; exit 7", ())
        assert await finished(made, link) == ({"stdout": b"value\n/\n", "stderr": b"no\n"}, 7)


async def test_arguments_without_a_shell_are_words() -> None:
    async with shell(Option(name="WINRS_SKIP_CMD_SHELL", value="TRUE")) as (made, link):
        made.start(COMMAND, "echo", ("$NAME", "a  b"))
        assert await finished(made, link) == ({"stdout": b"$NAME a  b\n"}, 0)


async def test_a_program_that_cannot_be_started_is_an_error() -> None:
    async with shell(Option(name="WINRS_SKIP_CMD_SHELL", value="TRUE")) as (made, link):
        made.start(COMMAND, "/no/such/program", ())
        found, code = await finished(made, link)
        assert b"/no/such/program" in found["stderr"]
        assert code == 1
        for command in ("", "'unbalanced"):
            with pytest.raises(Refusal):
                made.start("C2", command, ())


async def test_input_is_fed_and_ended() -> None:
    async with shell() as (made, link):
        made.start(COMMAND, "wc -c", ())
        made.write(COMMAND, b"x" * 300_000, end=False)
        assert not made.takes_more(COMMAND)
        await until(link, lambda: made.takes_more(COMMAND))
        made.write(COMMAND, b"", end=True)
        found, code = await finished(made, link)
        assert (found["stdout"].strip(), code) == (b"300000", 0)


async def test_unread_output_blocks_the_program() -> None:
    async with shell() as (made, link):
        made.start(COMMAND, "head -c 8000000 /dev/zero; echo end >&2", ())
        program = made._programs[COMMAND]
        await until(link, lambda: program.size >= 1 << 20)
        await trio.sleep(0.1)
        assert program.size < 2 << 20
        found, code = await finished(made, link)
        assert (len(found["stdout"]), found["stderr"], code) == (8_000_000, b"end\n", 0)


async def test_an_interrupt_reaches_everything_that_was_started() -> None:
    async with shell() as (made, link):
        made.start(COMMAND, "trap 'echo caught; exit 9' INT; echo go; sleep 60 & wait", ())
        await until(link, lambda: made._programs[COMMAND].size > 0)
        made.interrupt(COMMAND)
        found, code = await finished(made, link)
        assert (found["stdout"], code) == (b"go\ncaught\n", 9)


async def test_nothing_is_left_of_a_closed_command() -> None:
    async with shell() as (made, link):
        made.start(COMMAND, "echo $$; sleep 600 & sleep 600", ())
        await until(link, lambda: made._programs[COMMAND].size > 0)
        process = made._programs[COMMAND].process
        assert process is not None
        made.close(COMMAND)
    assert process.returncode is not None
