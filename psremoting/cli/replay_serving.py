"""The listeners of `psrp replay --as-server`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from psremoting.endpoint.driver import serve_wire
from psremoting.endpoint.wsman_host import DEFAULT_CONFIGURATION
from psremoting.exception_groups import unwrapped
from psremoting.os_errors import os_error_text
from psremoting.replay import ReplayEngine
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine
    from psremoting.replay import Deviation, IgnoreRules, Script
    from sshsub.trio_stream import Wire

__all__ = ["CannotReplay", "serve_replay"]

_FIRST_ANSWER_DELAY = 0.01
"""See psremoting.cli.serve_streams."""


class CannotReplay(Exception):
    """A listener cannot be made."""


def serve_replay(
    scripts: Sequence[Script],
    ignore: IgnoreRules,
    *,
    report: Callable[[Deviation], None],
    unix: str | None,
    http: str | None,
    accounts: str | None,
    keep: bool,
    fast: bool,
) -> ReplayEngine:
    """Serve until each session was played once, or with ``keep`` until a signal.

    Without ``unix`` and ``http`` stdin and stdout are served. Raises CannotReplay.
    """
    engine = ReplayEngine(scripts, ignore=ignore, fast=fast, report=report)
    serve: Callable[[], Awaitable[object]]
    if unix is not None:
        serve = partial(_serve_unix, engine, unix)
    elif http is not None:
        if accounts is None:
            raise CannotReplay("--http needs --accounts FILE (see psrp account)")
        names = {script.configuration for script in scripts}
        serve = partial(_serve_http, engine, http, Path(accounts), names)
    else:
        serve = partial(_serve_stdio, engine)
        keep = True
    try:
        trio.run(_until_over, serve, engine, keep)
    except (LocalProtocolError, OSError, ValueError) as error:
        place = f"cannot listen on {unix or http}" if unix or http else ""
        raise CannotReplay(os_error_text(error, place)) from None
    return engine


async def _until_over(
    serve: Callable[[], Awaitable[object]], engine: ReplayEngine, keep: bool
) -> None:
    with (
        unwrapped(),
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals,
    ):
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                async for _ in signals:
                    break
                nursery.cancel_scope.cancel()

            async def first() -> None:
                await engine.over.wait()
                # The last packets are on their way.
                await trio.sleep(0.2)
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            if not keep:
                nursery.start_soon(first)
            await serve()
            nursery.cancel_scope.cancel()


async def _serve_stdio(engine: Engine) -> None:
    from sshsub.trio_server import serve_stdio

    await serve_stdio(partial(serve_wire, engine=engine, first_answer_delay=_FIRST_ANSWER_DELAY))


async def _serve_unix(engine: Engine, path: str) -> None:
    from sshsub.trio_server import serve_unix

    async def one(wire: Wire) -> None:
        await serve_wire(wire, engine, first_answer_delay=_FIRST_ANSWER_DELAY)

    await serve_unix(path, one, on_error=lambda error: _say(str(error)))


async def _serve_http(engine: Engine, address: str, accounts: Path, names: set[str]) -> None:
    from psremoting.endpoint.wsman_endpoint import EndpointSettings, parse_address, serve_wsman

    settings = EndpointSettings(http=[parse_address(address)], accounts=accounts)
    configurations = dict.fromkeys({DEFAULT_CONFIGURATION, *filter(None, names)}, engine)
    await serve_wsman(
        settings, configurations, on_listening=lambda url: _say(f"listening on {url}"), report=_say
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
