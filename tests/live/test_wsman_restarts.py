"""Our client with servers that end in each phase of a session, and start again.

Each request is read at a proxy; the server is ended before one of them arrives, or while it is
waiting, and is back before the client can ask again.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from psremoting import PSRemotingError, PSSession, Result, SessionOption
from tests.live.restarting import SERVERS, OurServer, PluginServer
from tests.wsman.http_proxy import Exchange, Fate, HttpProxy, proxying

TIME_LIMIT = 300
LIMIT = 60.0
PHASES = ["Create", "between", "Command", "waiting Receive", "Send", "Delete"]
AT_ONCE = 3
"""Servers at one time: most of the time they and the client wait."""
SIGNALS = [signal.SIGTERM, signal.SIGKILL]


class Restarter:
    """Ends the server at its phase, once."""

    def __init__(
        self, server: OurServer | PluginServer, phase: str, number: signal.Signals
    ) -> None:
        self._restart = partial(server.restart, number)
        self._phase = phase
        self.done = False

    def now(self) -> None:
        self.done = True
        self._restart()

    def decide(self, exchange: Exchange) -> Fate:
        if exchange.operation == self._phase and not self.done:
            self.now()
        return Fate.PASS


async def use(
    server: OurServer | PluginServer, phase: str, number: signal.Signals
) -> tuple[list[Any], Restarter, HttpProxy]:
    """Open, run two commands, close; return what the user got: results and errors."""
    got: list[Any] = []
    restarter = Restarter(server, phase, number)
    options = SessionOption(max_connection_retries=1, close_timeout=10)

    async def later() -> None:
        await trio.sleep(0.3)
        restarter.now()

    with trio.fail_after(LIMIT):
        async with proxying(server.port) as proxy:
            proxy.decide = restarter.decide
            try:
                async with PSSession.connect(server.target(proxy.port), options=options) as session:
                    if phase == "between":
                        restarter.now()
                    async with trio.open_nursery() as nursery:
                        if phase == "waiting Receive":
                            nursery.start_soon(later)
                        got.append(await session.run(server.command))
                    got.append(await session.run(server.takes_input, input=range(2000)))
            except PSRemotingError as error:
                got.append(error)
    return got, restarter, proxy


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_ends_in_any_phase_is_an_error_and_no_hang(
    kind: str, number: signal.Signals, tmp_path: Path
) -> None:
    """No output is lost without an error, none comes twice, and a new session works at once."""
    servers = [SERVERS[kind](tmp_path) for _ in PHASES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [
            pool.submit(_one_phase, server, phase, number)
            for server, phase in zip(servers, PHASES, strict=True)
        ]:
            done.result()


def _one_phase(server: OurServer | PluginServer, phase: str, number: signal.Signals) -> None:
    server.begin()
    try:
        trio.run(_check, server, phase, number)
    finally:
        server.end(signal.SIGTERM)


async def _check(server: OurServer | PluginServer, phase: str, number: signal.Signals) -> None:
    got, restarter, proxy = await use(server, phase, number)
    assert restarter.done, (phase, proxy.operations())
    wanted = [list(server.result), [2 * n for n in range(2000)]]
    failures = [each for each in got if not isinstance(each, Result) or each.error is not None]
    for result, expected in zip(got, wanted, strict=False):
        if isinstance(result, Result) and result.error is None:
            assert result.output == expected, phase
        elif isinstance(result, Result):
            assert result.output == expected[: len(result.output)], phase
    if phase != "Delete":
        assert failures, (phase, got)
    for each in failures:
        error = each.error if isinstance(each, Result) else each
        assert isinstance(error, PSRemotingError), phase
        assert str(error).strip(), phase
    async with PSSession.connect(server.target(server.port)) as session:
        assert (await session.run(server.command, check=True)).output == list(server.result)


async def gone_after_restart(server: OurServer | PluginServer) -> PSRemotingError:
    # Enough retries for the time without a server.
    options = SessionOption(max_connection_retries=7)
    async with PSSession.connect(server.target(server.port), options=options) as session:
        await session.run(server.command, check=True)
        await trio.to_thread.run_sync(server.restart, signal.SIGKILL)
        result = await session.run(server.command)
        assert isinstance(result.error, PSRemotingError)
        with trio.fail_after(20):
            await session.ended()
        assert session.state == "Broken"
        return result.error


ERRORS = {
    "ours": ("the request contained invalid selectors for the resource",),
    "plugin": ("A general error occurred", "The requested object cannot be found"),
}
"""WinRM's text for 2150858843; OMI has given either of two for a shell that it does not know."""


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_session_is_unknown_to_a_server_that_was_started_again(
    kind: str, tmp_path: Path
) -> None:
    server = SERVERS[kind](tmp_path)
    await trio.to_thread.run_sync(server.begin)
    try:
        with trio.fail_after(LIMIT):
            error = await gone_after_restart(server)
    finally:
        await trio.to_thread.run_sync(server.end, signal.SIGTERM)
    assert any(text in str(error) for text in ERRORS[kind])
    assert error.error_id == "JobFailure"
