"""Our client with the real plugin when requests fail on their way, and when nothing happens."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
import trio

from psremoting import PSRemotingError, PSSession, Result
from tests.live.test_wsman_ways import WAYS, target
from tests.live.wsman_peers import WSManServer
from tests.wsman.http_proxy import Exchange, Fate, HttpProxy, proxying

TIME_LIMIT = 300
TEXT = "x" * 60_000
SCRIPT = "'x' * 60000"
AT_ONCE = 3
"""Conversations at one time: those with a lost answer wait most of the time."""
IDLE_SECONDS = 35.0
"""Longer than the 30 s after which the server answers an empty poll."""


async def converse(server: WSManServer, victim: int, fate: Fate) -> tuple[HttpProxy, str, Any]:
    """Open, run a command, close, with a fate for one request; return what the user gets."""

    def decide(_: Exchange) -> Fate:
        return fate if len(proxy.exchanges) == victim else Fate.PASS

    options = replace(server.options, max_connection_retries=1, open_timeout=20)
    notices: list[str] = []
    outcome: Any = None
    with trio.fail_after(90):
        async with proxying(server.http) as proxy:
            proxy.decide, proxy.delay = decide, 0.3
            place = replace(target(server, "basic"), port=proxy.port)
            try:
                async with PSSession.connect(
                    place, options=options, on_notice=notices.append
                ) as session:
                    outcome = await session.run(SCRIPT)
            except PSRemotingError as error:
                outcome = outcome or error
    return proxy, "\n".join(notices), outcome


@pytest.mark.parametrize("fate", [Fate.REFUSE, Fate.CUT, Fate.HALF, Fate.LATE])
async def test_a_request_that_is_refused_cut_or_late(wsman_server: WSManServer, fate: Fate) -> None:
    """Each in turn: the output comes once, or there is an error; the shell is deleted, or the
    user is told that it stays.

    The server does not repeat an answer that was lost on its way. If it was the pool's, the session
    does not open in time; if it was the command's, its end without a state is the error.
    """
    usual, _, outcome = await converse(wsman_server, 0, fate)
    assert outcome.output == [TEXT]
    found: dict[int, tuple[HttpProxy, str, Any]] = {}
    limit = trio.CapacityLimiter(AT_ONCE)

    async def one(victim: int) -> None:
        async with limit:
            found[victim] = await converse(wsman_server, victim, fate)

    async with trio.open_nursery() as nursery:
        for victim in range(1, len(usual.exchanges) + 1):
            nursery.start_soon(one, victim)
    ends = [check(victim, *each, fate) for victim, each in sorted(found.items())]
    assert any(ends)


def check(victim: int, proxy: HttpProxy, said: str, outcome: Any, fate: Fate) -> bool:
    """Check what the user got; return whether it was the output."""
    if len(proxy.exchanges) < victim:
        # How many answers hold the output depends on the server's speed.
        return False
    failed = proxy.operations()[victim - 1]
    whole = isinstance(outcome, Result) and outcome.error is None
    if whole:
        assert outcome.output == [TEXT], failed
    else:
        error = outcome.error if isinstance(outcome, Result) else outcome
        assert isinstance(error, PSRemotingError), failed
        assert str(error), failed
        assert fate is not Fate.LATE, failed
    deleted = "Delete" in proxy.operations()
    nothing = failed == "Create" and fate is Fate.REFUSE
    assert deleted or nothing or "at the server" in said, (failed, proxy.operations(), said)
    return whole


async def test_a_session_that_is_idle_for_longer_than_a_poll(wsman_server: WSManServer) -> None:
    """With each way to sign in at once: the server answers the poll, and the session goes on."""
    if wsman_server.kdc is not None:
        os.environ["KRB5_CONFIG"] = str(wsman_server.kdc.config)
    used = []

    async def one(way: str) -> None:
        async with PSSession.connect(
            target(wsman_server, way), options=wsman_server.options
        ) as session:
            script = "$script:n++; $n"
            assert (await session.run(script, check=True)).output == [1]
            await trio.sleep(IDLE_SECONDS)
            assert session.state == "Opened"
            assert (await session.run(script, check=True)).output == [2]
            used.append(way)

    try:
        with trio.fail_after(150):
            async with trio.open_nursery() as nursery:
                for way, (_, _, kerberos) in WAYS.items():
                    if not kerberos or wsman_server.kdc is not None:
                        nursery.start_soon(one, way)
    finally:
        os.environ.pop("KRB5_CONFIG", None)
    assert len(used) >= 4
