"""The life cycle of pools and pipelines: queues, stops, closes, backpressure, lost clients."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.testing

from psremoting.endpoint import Context, FunctionsEngine, Input, SyncContext
from psremoting.endpoint.driver import serve_stream
from psrp import events as e
from psrp.commands import command
from psrp.fragments import split
from psrp.host import HostInfo
from psrp.sansio import Outgoing
from sshsub.events import EXIT_CODE, ActReceived, DataReceived
from tests.endpoint.clients import POOL_ID, Client, connected


class Gate:
    """Commands that wait for the test."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.open = trio.Event()
        self.entered = trio.Event()
        self.cleaned = 0

    async def wait(self, name: str = "") -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered.set()
        try:
            await self.open.wait()
            return name
        finally:
            self.running -= 1
            self.cleaned += 1


async def numbers(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


async def endless() -> AsyncIterator[str]:
    while True:
        yield "x" * 1000


def endless_in_thread(context: SyncContext) -> Iterator[str]:
    while True:
        yield "x" * 1000


OTHER_ID = UUID(int=5)
ENDLESS: dict[str, Any] = {"Get-Endless": endless, "Get-ThreadEndless": endless_in_thread}


@pytest.mark.parametrize("runspaces", [1, 3])
async def test_no_more_pipelines_run_than_there_are_runspaces(runspaces: int) -> None:
    gate = Gate()
    async with connected(FunctionsEngine({"Wait-Gate": gate.wait}), runspaces=runspaces) as client:
        results = [client.start(command("Wait-Gate", str(n))) for n in range(6)]
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert gate.running == runspaces
        gate.open.set()
        for result in results:
            await result.done.wait()
    assert [result.output for result in results] == [[str(n)] for n in range(6)]
    assert gate.most == runspaces


async def test_a_nested_pipeline_overtakes_the_one_that_runs() -> None:
    gate = Gate()
    commands: dict[str, Any] = {"Wait-Gate": gate.wait, "Get-Count": numbers}
    async with connected(FunctionsEngine(commands)) as client:
        slow = client.start(command("Wait-Gate"))
        await gate.entered.wait()
        waiting = client.start(command("Get-Count", 1))
        nested = await client.invoke(command("Get-Count", 2), nested=True)
        assert (nested.output, waiting.events, slow.events) == ([0, 1], [], [])
        gate.open.set()
        await waiting.done.wait()


async def test_the_pool_grows_when_the_client_asks_for_it() -> None:
    gate = Gate()
    async with connected(FunctionsEngine({"Wait-Gate": gate.wait}), runspaces=1) as client:
        for _ in range(2):
            client.start(command("Wait-Gate"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert gate.running == 1
        client.send(e.SetMaxRunspaces(count=2, call_id=client.pool.new_call_id()))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert gate.running == 2
        gate.open.set()


@pytest.mark.parametrize("close", [False, True])
async def test_a_stop_or_a_close_cancels_the_command_and_is_confirmed(close: bool) -> None:
    """Statement J99."""
    gate = Gate()
    async with connected(FunctionsEngine({"Wait-Gate": gate.wait})) as client:
        result = client.start(command("Wait-Gate"))
        await gate.entered.wait()
        kind = e.ClosePipeline if close else e.StopPipeline
        client.send(kind(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
        assert result.end.error.fully_qualified_error_id == "PipelineStopped"
        order = [type(event) for event in result.events]
        expected = [e.PipelineStateMessage, e.StopPipeline, e.ClosePipeline]
        assert order == ([expected[0], expected[2]] if close else expected)
        assert gate.cleaned == 1
        assert (await client.invoke("'alive'")).output == ["alive"]


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_stop_reaches_a_command_that_never_ends_by_itself(name: str) -> None:
    async with connected(FunctionsEngine(ENDLESS)) as client:
        result = client.start(command(name))
        while not result.output:
            await trio.sleep(0.001)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"


async def test_a_thread_that_hears_nothing_is_left_alone_and_ended_at_its_next_word() -> None:
    release, ended = threading.Event(), threading.Event()
    entered = threading.Event()

    def deaf(context: SyncContext) -> None:
        entered.set()
        release.wait(20)
        try:
            context.write_warning("too late")
        finally:
            ended.set()

    async with connected(FunctionsEngine({"Wait-Deaf": deaf})) as client:
        result = client.start(command("Wait-Deaf"))
        assert await trio.to_thread.run_sync(entered.wait, 10)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
        release.set()
        assert await trio.to_thread.run_sync(ended.wait, 10)
        assert not result.of(e.WarningRecordMessage)


async def test_a_command_that_ignores_its_stop_is_reported_as_stopped_after_a_grace() -> None:
    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.3)

    async with connected(FunctionsEngine({"Wait-Stubborn": stubborn}, grace=0.01)) as client:
        result = client.start(command("Wait-Stubborn"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"


async def test_a_stop_while_the_host_is_asked_drops_the_late_answer() -> None:
    async def ask(context: Context) -> str:
        return await context.ask("Name")

    async with connected(FunctionsEngine({"Show-Question": ask})) as client:
        result = client.start(command("Show-Question"))
        while not result.of(e.PipelineHostCall):
            await trio.sleep(0.001)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
        assert (await client.invoke("1")).output == [1]


async def test_unfetched_output_blocks_its_command() -> None:
    made = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield bytes(10_000)

    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, FunctionsEngine({"Get-Much": much}))
        client = Client(ours)
        nursery.start_soon(_read_a_little, client)
        await client.open()
        client.start(command("Get-Much"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        stalled = made
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert 0 < stalled == made < 400
        nursery.cancel_scope.cancel()


async def _read_a_little(client: Client) -> None:
    """Run the client until the command's output arrives, then stop reading."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client._write)
        while not any(result.output for result in client.results.values()):
            client.link.receive_data(bytes(await client.stream.receive_some()))
            while (event := client.link.next_event()) is not None:
                if isinstance(event, DataReceived):
                    client.pool.receive_data(event.data, event.target)
                elif isinstance(event, ActReceived):
                    client.pool.receive_act(event.act, event.target)
                client._events()
            client._wake.set()
        await trio.sleep_forever()


async def test_input_that_no_command_takes_holds_its_client_up() -> None:
    gate = Gate()

    async def slow(input: Input) -> int:
        await gate.wait()
        return sum([len(item) async for item in input])

    async with connected(FunctionsEngine({"Measure-Slow": slow})) as client:
        result = client.start(command("Measure-Slow"), no_input=False)
        for _ in range(400):
            client.send(e.PipelineInput(pipeline_id=result.id, data=bytes(10_000)))
        client.send(e.EndOfPipelineInput(pipeline_id=result.id))
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert client.link.pending > 2_000_000
        gate.open.set()
        await result.done.wait()
        assert result.output == [4_000_000]


async def test_a_command_that_takes_enough_ends_those_before_it() -> None:
    async with connected(FunctionsEngine({**ENDLESS, "Get-Count": numbers})) as client:
        for name in ENDLESS:
            result = await client.invoke(f"{name} | Select-Object -First 2")
            assert (result.state, len(result.output), result.errors) == ("COMPLETED", 2, [])


async def test_closing_the_pool_stops_and_reports_running_commands() -> None:
    """Statement J100."""
    gate = Gate()
    async with connected(FunctionsEngine({"Wait-Gate": gate.wait})) as client:
        running = client.start(command("Wait-Gate"))
        queued = client.start(command("Wait-Gate"))
        await gate.entered.wait()
        await client.close()
        states = [event.state.name for event in client.pool_events[-3:-1]]  # type: ignore[attr-defined]
        assert states == ["CLOSING", "CLOSED"]
        assert isinstance(client.pool_events[-1], e.ClosePool)
        assert gate.cleaned == 1
        assert {running.state, queued.state} <= {"STOPPED", "FAILED"}


async def test_a_second_session_follows_the_first_on_the_same_stream() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, theirs, FunctionsEngine({}))
            for _ in range(3):
                client = Client(ours)
                scope = trio.CancelScope()
                nursery.start_soon(client.run_in, scope)
                await client.open()
                assert (await client.invoke("1")).output == [1]
                await client.close()
                scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
            await ours.aclose()


@pytest.mark.parametrize("hard", [False, True])
async def test_when_the_client_is_gone_nothing_is_left_running(hard: bool) -> None:
    gate = Gate()
    ours, theirs = trio.testing.memory_stream_pair()
    codes: list[int] = []

    async def serve() -> None:
        codes.append(await serve_stream(theirs, FunctionsEngine({"Wait-Gate": gate.wait})))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            client = Client(ours)
            scope = trio.CancelScope()
            nursery.start_soon(client.run_in, scope)
            await client.open()
            client.start(command("Wait-Gate"))
            await gate.entered.wait()
            if hard:
                scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
                await ours.aclose()
            else:
                await ours.send_eof()
                await client.ended.wait()
    assert (codes, gate.cleaned) == ([EXIT_CODE], 1)


async def test_the_server_can_be_cancelled_at_any_time() -> None:
    gate = Gate()
    with trio.CancelScope() as scope:
        async with connected(FunctionsEngine({"Wait-Gate": gate.wait})) as client:
            client.start(command("Wait-Gate"))
            await gate.entered.wait()
            scope.cancel()
            await trio.sleep_forever()
    assert gate.cleaned == 1


async def test_a_message_that_cannot_be_used_is_reported_and_the_session_lives() -> None:
    """Statement J102."""
    async with connected(FunctionsEngine({})) as client:
        result = client.start("1")
        message = b"\x02\0\0\0" + (0x21006).to_bytes(4, "little")
        message += POOL_ID.bytes_le + OTHER_ID.bytes_le + b"<not xml"
        for fragment in split(99, message, 32768):
            client.link.send(Outgoing(target=None, data=fragment))
        client._wake.set()
        await result.done.wait()
        assert result.output == [1]
        while not client.reports:
            await trio.sleep(0.001)
    assert client.reports[0].startswith("Remote transport error:")


async def test_many_objects_share_packets() -> None:
    async with connected(FunctionsEngine({"Get-Count": numbers})) as client:
        result = await client.invoke(command("Get-Count", 5000))
        assert result.output == list(range(5000))


async def test_a_reset_is_answered_and_a_pool_of_many_refuses_it() -> None:
    for runspaces, answer in ((1, True), (2, False)):
        async with connected(FunctionsEngine({}), runspaces=runspaces) as client:
            client.send(e.ResetRunspaceState(call_id=client.pool.new_call_id()))
            while not isinstance(client.pool_events[-1], e.RunspaceAvailability):
                await trio.sleep(0.001)
            assert client.pool_events[-1].answer is answer


async def test_the_host_of_the_pool_serves_its_pipelines() -> None:
    async def shown(context: Context) -> bool:
        return context.has_host

    engine = FunctionsEngine({"Test-Host": shown})
    for host in (HostInfo.full(), HostInfo.null(use_runspace_host=False)):
        async with connected(engine, host=host) as client:
            result = await client.invoke(command("Test-Host"))
            assert result.output == [not host.is_host_null]
