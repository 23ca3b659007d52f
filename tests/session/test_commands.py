"""A session with a server in the same process: commands, output, streams, endings."""

from __future__ import annotations

import base64
import re

import pytest
import trio
import trio.testing

from psremoting.client.streams import StreamKind
from psremoting.errors import PipelineFailed, SessionNotOpen
from psremoting.session import PSSession
from psrp import events as e
from psrp.clixml import SecureString
from psrp.commands import command
from tests.session.servers import FakeServer, fake_server


async def test_output_comes_in_order_and_the_session_closes() -> None:
    async with fake_server() as (carrier, server):
        async with PSSession.connect(carrier) as session:
            assert session.state == "Opened"
            invocation = await session.invoke("count 1000")
            assert [value async for value in invocation] == list(range(1000))
            assert invocation.state is e.InvocationState.COMPLETED
        assert session.state == "Closed"
        assert any(isinstance(event, e.ClosePool) for event in server.seen)


async def test_a_terminating_error_is_raised_behind_the_output() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        invocation = await session.invoke("fail it broke")
        assert await anext(invocation) == "before"
        with pytest.raises(PipelineFailed, match="it broke") as caught:
            await anext(invocation)
        assert caught.value.error_id == "Oops,Test"
        assert session.state == "Opened"


async def test_records_keep_their_place_when_merged() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        invocation = await session.invoke("warn mind the gap")
        merged = [(kind, str(item)) async for kind, item in invocation.merged()]
        assert merged == [
            (StreamKind.WARNING, "mind the gap"),
            (StreamKind.OUTPUT, "after the warning"),
        ]


async def test_records_are_collected_beside_the_output() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        result = await session.run("error something")
        assert result.output == ["after the error"]
        assert [str(record) for record in result.streams.error] == ["something"]
        assert result.state is e.InvocationState.COMPLETED
        assert result.error is None


async def test_arguments_and_using_values_reach_the_last_command() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        result = await session.run("arguments", arguments=[1], parameters={"Name": "x"})
        assert result.output == [[None, 1], ["Name", "x"]]
        result = await session.run(command("arguments", Force=True), using={"a": 5})
        (name, flag), (marker, table) = result.output
        assert (name, flag, marker) == ("Force", True, "--%")
        assert table.values() == [5]


async def test_a_secret_travels_sealed_both_ways() -> None:
    """Statement J113."""
    wire: list[bytes] = []

    def keep(data: bytes) -> bytes:
        wire.append(data)
        return data

    async with fake_server(spoil=keep) as (carrier, server), PSSession.connect(carrier) as session:
        result = await session.run("arguments", parameters={"Pin": SecureString("pssst")})
        ((name, secret),) = result.output
        assert (name, secret.reveal()) == ("Pin", "pssst")
        kinds = [type(event) for event in server.seen]
        assert kinds.index(e.PublicKey) < kinds.index(e.CreatePipeline)
    said = b"".join(base64.b64decode(x) for x in re.findall(rb">([^<]+)<", b"".join(wire)))
    assert b"<SS" in said
    assert b"pssst" not in said


async def slowly(count: int) -> object:
    for number in range(count):
        await trio.sleep(0)
        yield number


async def test_input_may_be_a_list_or_come_over_time() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        assert (await session.run("echo", input=range(300))).output == list(range(300))
        assert (await session.run("echo", input=slowly(5))).output == list(range(5))
        assert (await session.run("echo", input=[])).output == []


async def test_an_error_of_the_input_ends_the_command_and_is_told() -> None:
    def broken() -> object:
        yield 1
        raise KeyError("gone")

    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        result = await session.run("echo", input=broken())
        assert isinstance(result.error, KeyError)
        assert (await session.run("count 1")).output == [0]


async def test_stop_ends_the_command_and_not_the_session() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        invocation = await session.invoke("sleep")
        async for _value in invocation:
            await invocation.stop()
        assert invocation.state is e.InvocationState.STOPPED
        assert (await session.run("count 2")).output == [0, 1]


async def test_several_commands_run_side_by_side() -> None:
    async def meet(server: FakeServer, event: e.CreatePipeline) -> None:
        met.append(event.pipeline_id)
        while len(met) < 3:
            await trio.sleep(0.1)
        await server.output(event.pipeline_id, len(met))

    met: list[object] = []
    async with (
        fake_server(meet) as (carrier, _),
        PSSession.connect(carrier, max_runspaces=3) as session,
        trio.open_nursery() as nursery,
    ):
        results = []

        async def one() -> None:
            results.append((await session.run("meet")).output)

        for _ in range(3):
            nursery.start_soon(one)
    assert results == [[3], [3], [3]]


@pytest.mark.parametrize("runspaces", [1, 64])
async def test_of_many_commands_at_once_most_wait_at_the_client(runspaces: int) -> None:
    """They reach the server in the order of their calls, so many at a time that no server's limit
    is reached."""
    most = [0]
    open_now: set[object] = set()
    received: list[int] = []

    async def note(server: FakeServer, event: e.CreatePipeline) -> None:
        open_now.add(event.pipeline_id)
        most[0] = max(most[0], len(open_now))
        received.append(int(event.powershell.statements[0][0].text.split()[1]))
        await trio.testing.wait_all_tasks_blocked()
        open_now.discard(event.pipeline_id)
        await server.output(event.pipeline_id, received[-1])

    results: dict[int, list[object]] = {}
    async with (
        fake_server(note) as (carrier, _),
        PSSession.connect(carrier, max_runspaces=runspaces) as session,
        trio.open_nursery() as nursery,
    ):

        async def one(number: int) -> None:
            results[number] = (await session.run(f"note {number}", as_script=True)).output

        for number in range(400):
            nursery.start_soon(one, number)
    assert len(results) == 400
    assert sorted(received) == list(range(400))
    assert runspaces <= most[0] <= 128 + runspaces


async def test_giving_a_command_up_leaves_the_session_usable() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        async with await session.invoke("sleep") as invocation:
            pass
        assert invocation.ended
        assert (await session.run("count 1")).output == [0]


async def test_a_closed_session_runs_nothing() -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        await session.close()
        with pytest.raises(SessionNotOpen, match="session state is Closed"):
            await session.invoke("count 1")


async def test_objects_are_tagged_with_where_they_came_from() -> None:
    """Statement C36."""
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        (value,) = (await session.run("count 1", tag=True)).output
        assert value.value == 0
        assert value["PSComputerName"] == "lab"
        assert value["RunspaceId"] == session.id


async def test_the_users_own_exception_comes_out_as_it_is() -> None:
    async with fake_server() as (carrier, _):
        with pytest.raises(ZeroDivisionError):
            async with PSSession.connect(carrier) as session:
                raise ZeroDivisionError
        assert session.state == "Closed"


async def test_each_command_that_waits_for_room_goes_on_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two commands wait at a time; one report of the carrier wakes both."""
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        driver, full = session._driver, [True]
        room = carrier.room
        monkeypatch.setattr(carrier, "room", lambda target: 0 if full[0] else room(target))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.wait_for_room, None)
            nursery.start_soon(driver.wait_for_room, None)
            await trio.testing.wait_all_tasks_blocked()
            full[0] = False
            driver.ready_again(None)
        assert (await session.run("count 1")).output == [0]
