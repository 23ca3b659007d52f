"""Host calls reach the host in order and are answered once; unsafe ones are refused."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from psremoting.client.hosts import HostRefusal, TableHost
from psremoting.session import PSSession
from psrp import events as e
from psrp.host import VOID_CALL_ID, ChoiceDescription, HostInfo, HostMethodId, Rectangle
from tests.session.servers import FakeServer, fake_server

M = HostMethodId


def asking(*calls: tuple[int, int, tuple[Any, ...]]) -> Any:
    """Make host calls and write the answers to the output."""

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        id = event.pipeline_id
        for call_id, method, arguments in calls:
            server.say(
                e.PipelineHostCall(
                    pipeline_id=id, call_id=call_id, method=method, arguments=arguments
                )
            )
            await server.flush()
            if call_id != VOID_CALL_ID:
                await server.answered.wait()
                server.answered = trio.Event()
                answer = server.answers[-1]
                error = answer.error
                await server.output(id, answer.result if error is None else error.message)

    return engine


async def test_writes_come_in_order_and_questions_are_answered() -> None:
    """Statement D38."""
    written: list[str] = []

    async def write_line(text: str) -> None:
        await trio.sleep(0)
        written.append(text)

    async def read_line() -> str:
        return f"after {len(written)}"

    async def choose(caption: str, message: str, choices: Any, default: int) -> int:
        assert choices[1] == ChoiceDescription("&No", "stay")
        return default

    host = TableHost(
        {M.WriteLine2: write_line, M.ReadLine: read_line, M.PromptForChoice: choose},
        info=HostInfo.full(),
    )
    choices = (ChoiceDescription("&Yes", "go"), ChoiceDescription("&No", "stay"))
    engine = asking(
        (VOID_CALL_ID, M.WriteLine2, ("one",)),
        (VOID_CALL_ID, M.WriteLine2, ("two",)),
        (1, M.ReadLine, ()),
        (2, M.PromptForChoice, ("c", "m", choices, 1)),
        (VOID_CALL_ID, M.WriteLine2, ("three",)),
    )
    async with (
        fake_server(engine) as (carrier, server),
        PSSession.connect(carrier, host=host) as session,
    ):
        assert (await session.run("go")).output == ["after 2", 1]
        assert written == ["one", "two", "three"]
        assert [answer.call_id for answer in server.answers] == [1, 2]


async def test_a_method_that_the_host_has_not_is_an_error_over_there() -> None:
    engine = asking((1, M.ReadLine, ()), (2, M.GetBufferContents, (Rectangle(0, 0, 1, 1),)))
    async with (
        fake_server(engine) as (carrier, _),
        PSSession.connect(carrier, host=TableHost(info=HostInfo.full())) as session,
    ):
        first, second = (await session.run("go")).output
    assert first == "Remote host method ReadLine is not implemented."
    assert "LAB" in second


async def test_a_request_for_a_secret_is_announced_first() -> None:
    """Statement D42."""
    warned: list[str] = []

    async def warn(text: str) -> None:
        warned.append(text)

    async def refuse() -> str:
        assert warned
        raise HostRefusal("nobody is here")

    host = TableHost({M.WriteWarningLine: warn, M.ReadLineAsSecureString: refuse})
    async with (
        fake_server(asking((1, M.ReadLineAsSecureString, ()))) as (carrier, _),
        PSSession.connect(carrier, host=host) as session,
    ):
        assert (await session.run("go")).output == ["nobody is here"]
    assert "LAB" in warned[0]


async def test_an_answer_of_a_wrong_kind_becomes_an_error_over_there() -> None:
    async def seven() -> int:
        return 7

    host = TableHost({M.ReadLine: seven})
    async with (
        fake_server(asking((1, M.ReadLine, ()))) as (carrier, _),
        PSSession.connect(carrier, host=host) as session,
    ):
        (text,) = (await session.run("go")).output
    assert "int" in text


async def test_a_stop_withdraws_the_question() -> None:
    withdrawn = trio.Event()
    asked = trio.Event()

    async def read_line() -> str:
        asked.set()
        try:
            await trio.sleep_forever()
        finally:
            withdrawn.set()
        raise AssertionError("it sleeps for ever")

    host = TableHost({M.ReadLine: read_line})
    async with (
        fake_server(asking((1, M.ReadLine, ()))) as (carrier, server),
        PSSession.connect(carrier, host=host) as session,
    ):
        invocation = await session.invoke("go")
        await asked.wait()
        await invocation.stop()
        assert withdrawn.is_set()
        assert server.answers == []


@pytest.mark.parametrize("code", [0, 3])
async def test_exit_is_told_to_the_host_and_kept(code: int) -> None:
    engine = asking((VOID_CALL_ID, M.SetShouldExit, (code,)))
    async with fake_server(engine) as (carrier, _), PSSession.connect(carrier) as session:
        assert (await session.run("exit")).exit_code == code
        assert session.exit_code == code


async def test_a_command_may_have_a_host_of_its_own() -> None:
    async def read_line() -> str:
        return "mine"

    host = TableHost({M.ReadLine: read_line}, info=HostInfo.full())
    async with (
        fake_server(asking((1, M.ReadLine, ()))) as (carrier, server),
        PSSession.connect(carrier) as session,
    ):
        assert (await session.run("go", host=host)).output == ["mine"]
    (created,) = [event for event in server.seen if isinstance(event, e.CreatePipeline)]
    assert created.host_info == HostInfo.full()
