"""Sessions over WS-Man whose requests are refused, cut or answered late, through a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from psremoting import (
    PSRemotingError,
    PSSession,
    Result,
    SessionDisconnected,
    SessionOption,
    WSManTarget,
    sessions_on,
)
from psrp.clixml import Credential
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint, serving
from tests.wsman.http_proxy import Exchange, Fate, HttpProxy, proxying

pytestmark = pytest.mark.xdist_group("wsman-losses")
COMMANDS = "tests.endpoint.test_wsman_clients:COMMANDS"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--functions", COMMANDS, "--allow-unencrypted") as made:
        yield made


def target(port: int) -> WSManTarget:
    return WSManTarget(
        computer_name="127.0.0.1", port=port, credential=Credential(USER, PASSWORD),
        authentication="basic", allow_unencrypted=True,
    )  # fmt: skip


@asynccontextmanager
async def connected(
    endpoint: Endpoint, decide: Callable[[Exchange], Fate] | None = None, **more: Any
) -> AsyncIterator[tuple[PSSession, HttpProxy]]:
    options = SessionOption(max_connection_retries=1)
    with trio.fail_after(60):
        async with proxying(endpoint.http) as proxy:
            if decide is not None:
                proxy.decide = decide
            place = target(proxy.port)
            async with PSSession.connect(place, options=options, **more) as session:
                yield session, proxy


def no_polls(exchange: Exchange) -> Fate:
    return Fate.REFUSE if exchange.operation == "Receive" else Fate.PASS


async def test_a_session_whose_connection_is_lost_is_disconnected_at_the_server(
    endpoint: Endpoint,
) -> None:
    """Its command goes on there, and another client connects to both."""
    notices: list[str] = []
    async with connected(endpoint, on_notice=notices.append) as (session, proxy):
        await session.call("Get-Length", "abc")
        proxy.decide = no_polls
        proxy.cut()
        await session.ended()
        assert session.state == "Disconnected"
        assert proxy.operations()[-1] == "Disconnect"
        assert "was disconnected at the server" in notices[-1]
        assert str(session.id) in notices[-1]
    (row,) = [each for each in await sessions_on(target(endpoint.http)) if each.id == session.id]
    assert row.state == "Disconnected"
    with trio.fail_after(30):
        async with PSSession.reconnect(target(endpoint.http), session.id) as again:
            assert (await again.call("Get-Length", "abcd")).output == [4]


async def test_a_session_stays_if_the_server_cannot_be_reached(endpoint: Endpoint) -> None:
    notices: list[str] = []
    async with connected(endpoint, on_notice=notices.append) as (session, proxy):
        await session.call("Get-Length", "abc")
        proxy.decide = lambda _: Fate.REFUSE
        proxy.cut()
        await session.ended()
        assert session.state == "Broken"
        assert "stays at the server until its idle time-out" in notices[-1]
        result = await session.call("Get-Length", "abc")
        assert result.error is not None
        assert "127.0.0.1" in str(result.error)
    assert session.id in [each.id for each in await sessions_on(target(endpoint.http))]


async def test_a_command_that_was_running_is_left_at_the_server(endpoint: Endpoint) -> None:
    async with connected(endpoint) as (session, proxy):
        invocation = await session.invoke("Wait-A 0.5")
        assert await anext(aiter(invocation)) == "a"
        proxy.decide = no_polls
        proxy.cut()
        with pytest.raises(SessionDisconnected):
            await invocation.output()
    with trio.fail_after(30):
        async with PSSession.reconnect(target(endpoint.http), session.id) as again:
            (command,) = await again.commands()
            assert await (await again.attach(command)).output() == ["b"]


async def converse(endpoint: Endpoint, victim: int, fate: Fate) -> tuple[HttpProxy, str, Any]:
    """Open, run a command, close, with a fate for one request; return what the user gets."""

    def decide(_: Exchange) -> Fate:
        return fate if len(proxy.exchanges) == victim else Fate.PASS

    options = SessionOption(max_connection_retries=1)
    outcome: Any = None
    notices: list[str] = []
    with trio.fail_after(60):
        async with proxying(endpoint.http) as proxy:
            proxy.decide, proxy.delay = decide, 0.3
            try:
                async with PSSession.connect(
                    target(proxy.port), options=options, on_notice=notices.append
                ) as session:
                    outcome = await session.call("Get-Text", 60_000)
            except PSRemotingError as error:
                outcome = outcome or error
    return proxy, "\n".join(notices), outcome


@pytest.mark.parametrize("fate", [Fate.REFUSE, Fate.CUT, Fate.HALF, Fate.LATE])
async def test_no_request_that_fails_loses_output_or_leaves_a_shell(
    endpoint: Endpoint, fate: Fate
) -> None:
    """Each request of a conversation in turn: the output comes once, or there is an error."""
    before = {each.id for each in await sessions_on(target(endpoint.http))}
    usual, _, _ = await converse(endpoint, 0, fate)
    ends = {"output": 0, "error": 0}
    for victim in range(1, len(usual.exchanges) + 1):
        proxy, said, outcome = await converse(endpoint, victim, fate)
        if len(proxy.exchanges) < victim:
            # How many answers hold the output depends on the server's speed.
            continue
        failed = proxy.operations()[victim - 1]
        if isinstance(outcome, Result) and outcome.error is None:
            ends["output"] += 1
            assert outcome.output == ["x" * 60_000], failed
        else:
            ends["error"] += 1
            error = outcome.error if isinstance(outcome, Result) else outcome
            assert str(error), failed
            # Nobody knows whether Create and Command have arrived. All other requests are made
            # again, unless a part of the answer has arrived.
            assert failed in ("Create", "Command") or fate in (Fate.CUT, Fate.HALF), failed
            assert fate is not Fate.LATE
        left = [row for row in await sessions_on(target(endpoint.http)) if row.id not in before]
        if "at the server" not in said:
            assert left == [], (failed, outcome)
        for each in left:
            async with PSSession.reconnect(target(endpoint.http), each.id):
                pass
    assert ends["output"] > 1
    assert {each.id for each in await sessions_on(target(endpoint.http))} == before
