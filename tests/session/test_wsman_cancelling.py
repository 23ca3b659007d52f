"""Work over WS-Man that is cancelled at each await: the session can be used afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from psremoting import PSSession, WSManTarget, sessions_on
from psrp.clixml import Credential
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint, serving
from tests.session.cancelling import cancelled_at

pytestmark = pytest.mark.xdist_group("wsman-cancelling")
COMMANDS = "tests.endpoint.test_wsman_clients:COMMANDS"
LIMIT = 120.0


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--functions", COMMANDS, "--allow-unencrypted") as made:
        yield made


def target(endpoint: Endpoint, authentication: str = "basic") -> WSManTarget:
    return WSManTarget(
        computer_name="127.0.0.1", port=endpoint.http, credential=Credential(USER, PASSWORD),
        authentication=authentication, allow_unencrypted=True,
    )  # fmt: skip


async def a_command(session: PSSession) -> None:
    result = await session.call("Get-Length", "abcd")
    assert result.output == [4]


async def large_output(session: PSSession) -> None:
    result = await session.call("Get-Text", 300_000)
    assert result.output == ["x" * 300_000]


async def a_large_argument(session: PSSession) -> None:
    result = await session.call("Get-Length", "x" * 600_000)
    assert result.output == [600_000]


async def two_commands(session: PSSession) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(a_command, session)
        nursery.start_soon(large_output, session)


async def a_stop(session: PSSession) -> None:
    async with await session.invoke("Wait-A 60") as invocation:
        assert await anext(aiter(invocation)) == "a"
        await invocation.stop()


WORK = [a_command, large_output, a_large_argument, two_commands, a_stop]


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
async def test_a_command_that_is_cancelled_at_any_await_leaves_the_session_usable(
    endpoint: Endpoint, work: object
) -> None:
    """Nothing of it is left at the server either."""
    number = 0
    with trio.fail_after(LIMIT):
        async with PSSession.connect(target(endpoint), max_runspaces=2) as session:
            await a_command(session)
            going = True
            while going:
                number += 1
                going = await cancelled_at(number, lambda: work(session))  # type: ignore[operator]
                assert session.state == "Opened"
                await a_command(session)
            while await session.commands():
                await trio.sleep(0.05)
    assert number > 5


@pytest.mark.parametrize("authentication", ["basic", "ntlm"])
async def test_a_session_that_is_cancelled_at_any_await_leaves_no_shell(
    endpoint: Endpoint, authentication: str
) -> None:
    """While it opens, during its command, and while it closes."""
    place = target(endpoint, authentication)
    before = {each.id for each in await sessions_on(place)}
    number = 0

    async def whole() -> None:
        async with PSSession.connect(place) as session:
            await a_command(session)

    with trio.fail_after(LIMIT):
        going = True
        while going:
            number += 1
            going = await cancelled_at(number, whole)
        while {each.id for each in await sessions_on(place)} - before:
            await trio.sleep(0.05)
    assert number > 20
