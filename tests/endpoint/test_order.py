"""Output and host calls of a typed line are sent in the order in which the commands make them.

trio runs its tasks in any order; each test is repeated with the random numbers of its scheduler
set to many seeds, so that a wrong order shows.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.lowlevel

from psremoting.endpoint import Context, FunctionsEngine, SyncContext
from psremoting.endpoint.demo import DEMO
from psrp import events as e
from psrp.commands import Command, PowerShell, command
from tests.endpoint.clients import connected

SEEDS = range(25)


async def asking(context: Context) -> AsyncIterator[str]:
    yield "one"
    yield "two"
    yield await context.read_line()
    await context.write_warning("careful")
    yield "four"


def asking_in_thread(context: SyncContext) -> Iterator[str]:
    yield "one"
    yield "two"
    yield context.read_line()
    context.write_warning("careful")
    yield "four"


async def failing() -> AsyncIterator[str]:
    for number in range(5):
        yield f"line {number}"
    raise ValueError("no more")


COMMANDS: dict[str, Any] = {
    **DEMO,
    "Get-Asked": asking,
    "Get-AskedInThread": asking_in_thread,
    "Get-Failed": failing,
}


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(trio._core._run, "_r", random.Random(request.param))
    return int(request.param)


async def shown(*commands: Command) -> list[str]:
    """Run commands in a pipeline that ends with Out-Default; return the host calls in order."""
    async with connected(FunctionsEngine(COMMANDS)) as client:
        client.answer = lambda call: "three"
        parts = (*commands, replace(command("Out-Default"), merge_previous_results=3))
        result = await client.invoke(PowerShell.of(*parts))
    lines = []
    for event in result.of(e.PipelineHostCall):
        lines.append(str(event.arguments[-1]) if event.arguments else "?")
    return lines


@pytest.mark.parametrize("name", ["Get-Asked", "Get-AskedInThread"])
async def test_a_question_comes_after_the_output_before_it(name: str, seed: int) -> None:
    expected = ["one", "two", "?", "three", "careful", "four"]
    assert await shown(command(name)) == expected
    upper = command("ConvertTo-Upper")
    assert await shown(command(name), upper) == [
        line.upper() if line != "careful" else line for line in expected
    ]


async def test_every_stream_is_shown_in_the_order_of_the_function(seed: int) -> None:
    lines = await shown(command("Show-Streams", Verbose=True))
    kept = [line for line in lines if "ProgressRecord" not in line]
    assert kept[:4] == ["output", "verbose", "warning", "host"]


async def test_what_was_put_out_before_a_failure_is_shown(seed: int) -> None:
    assert await shown(command("Get-Failed")) == [f"line {number}" for number in range(5)]
