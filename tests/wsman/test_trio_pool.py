"""Idle connections of the client: how long, and how many."""

from __future__ import annotations

import pytest
import trio

from tests.wsman.servers import Served, serve
from tests.wsman.test_trio_client import connections, echo, post
from wsman.http import Request, Response


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP.sys forgets the authentication of an idle connection after two minutes."""
    async with serve(echo) as server:
        made = connections(server)
        await post(made)
        monkeypatch.setattr("wsman.trio_pool.IDLE_SECONDS", 0.0)
        await post(made)
        assert made.opened == 2
        assert len(made._all) == 1
        await made.aclose()


async def test_few_idle_connections_are_kept() -> None:
    release = trio.Event()

    async def answer(request: Request, served: Served) -> Response:
        await release.wait()
        return await echo(request, served)

    async with serve(answer) as server:
        made = connections(server)
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(post, made)
            while made.opened < 12:
                await trio.sleep(0.01)
            release.set()
        assert len(made._idle) == len(made._all) == 8
        await made.aclose()
