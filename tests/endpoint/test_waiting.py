"""Pipelines wait for a runspace, and threads for an answer that may never arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from psremoting.endpoint import FunctionsEngine, Input, SyncContext
from psremoting.endpoint.runspaces import Runspaces
from psrp import events as e
from psrp.commands import command
from tests.endpoint.clients import connected


@pytest.mark.parametrize("seed", range(8))
async def test_pipelines_begin_in_the_order_in_which_they_came(seed: int) -> None:
    began: list[str] = []

    async def begin(name: str) -> None:
        began.append(name)

    trio._core._run._r.seed(seed)
    async with connected(FunctionsEngine({"Test-Begin": begin})) as client:
        results = [client.start(command("Test-Begin", str(n))) for n in range(6)]
        for result in results:
            await result.done.wait()
    assert began == [str(n) for n in range(6)]


async def test_who_is_stopped_while_waiting_leaves_the_queue() -> None:
    began: list[str] = []

    async def wait(name: str) -> None:
        began.append(name)
        await trio.sleep_forever()

    async with connected(FunctionsEngine({"Wait-Stop": wait})) as client:
        results = [client.start(command("Wait-Stop", str(n))) for n in range(3)]
        await trio.testing.wait_all_tasks_blocked(0.02)
        for at in (1, 0):
            client.send(e.StopPipeline(pipeline_id=results[at].id))
            await results[at].done.wait()
            assert results[at].state == "STOPPED"
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert began == ["0", "2"]


def test_fewer_runspaces_take_none_away_and_more_let_the_next_begin() -> None:
    runspaces = Runspaces(2)
    turns = [runspaces.ask() for _ in range(4)]
    assert [turn.has_runspace for turn in turns] == [True, True, False, False]
    runspaces.resize(1)
    runspaces.give_back(turns[0])
    assert [turn.has_runspace for turn in turns[1:]] == [True, False, False]
    runspaces.give_back(turns[2])
    runspaces.resize(2)
    assert turns[3].has_runspace


def asks(context: SyncContext) -> str:
    return context.ask("Name")


def reads(input: Input) -> list[Any]:
    return list(input)


def floods(context: SyncContext) -> None:
    while True:
        context.write("x" * 1000)


@pytest.mark.parametrize("end", ["stop", "close", "close the pool", "vanish"])
@pytest.mark.parametrize("function", [asks, reads])
async def test_a_thread_that_waits_ends_with_its_command(
    function: Callable[..., Any], end: str
) -> None:
    began, ended = threading.Event(), threading.Event()

    def wrapped(*, context: SyncContext, input: Input) -> Any:
        began.set()
        try:
            return function(context if function is asks else input)
        finally:
            ended.set()

    engine = FunctionsEngine({"Test-Wait": wrapped})
    async with connected(engine) as client:
        result = client.start(command("Test-Wait"), no_input=False)
        # A command that is stopped before its function began has nothing to end.
        while not began.is_set() or (function is asks and not result.events):
            await trio.sleep(0.001)
        if end == "close the pool":
            await client.close()
        elif end != "vanish":
            kind = e.StopPipeline if end == "stop" else e.ClosePipeline
            client.send(kind(pipeline_id=result.id))
            await result.done.wait()
    assert await trio.to_thread.run_sync(ended.wait, 10)
    while engine.threads.borrowed_tokens:
        await trio.sleep(0.001)


async def test_a_thread_that_waits_for_its_client_to_read_ends_with_its_command() -> None:
    engine = FunctionsEngine({"Get-Flood": floods})
    async with connected(engine) as client:
        result = client.start(command("Get-Flood"))
        while len(result.events) < 2000:
            await trio.sleep(0.001)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
    while engine.threads.borrowed_tokens:
        await trio.sleep(0.001)


async def test_threads_of_a_functions_own_may_use_its_context() -> None:
    def spread(context: SyncContext) -> None:
        def work(number: int) -> None:
            context.write(number)
            context.write_warning(str(number))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async with connected(FunctionsEngine({"Test-Spread": spread})) as client:
        result = await client.invoke("Test-Spread")
    assert sorted(result.output) == [0, 1, 2, 3]
    warnings = [each.record.message for each in result.of(e.WarningRecordMessage)]
    assert sorted(warnings) == ["0", "1", "2", "3"]
