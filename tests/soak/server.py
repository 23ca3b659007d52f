"""The server of the soak: functions over a unix socket and over HTTP in one process.

    python -m tests.soak.server FOLDER IDLE

It prints the URL of its HTTP listener and ends by SIGTERM. FOLDER has the accounts; IDLE is the
number of seconds after which a shell without requests ends.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import trio

from psremoting.endpoint import FunctionsEngine
from psremoting.endpoint.driver import serve_wire
from psremoting.endpoint.wsman_endpoint import Address, EndpointSettings, serve_wsman
from psremoting.endpoint.wsman_host import DEFAULT_CONFIGURATION
from sshsub.trio_server import serve_unix
from wsman.service_checks import ServiceLimits
from wsman.trio_server import ServerLimits

__all__ = ["SOCKET"]

SOCKET = "socket"
MANY = 10_000


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def wait() -> None:
    await trio.sleep_forever()


async def main(folder: Path, idle: float) -> None:
    engine = FunctionsEngine({"Get-Soak": numbers, "Wait-Soak": wait})
    settings = EndpointSettings(
        http=(Address(port=0),),
        accounts=folder / "accounts",
        allow_unencrypted=True,
        server_limits=ServerLimits(max_connections=MANY),
        limits=ServiceLimits(
            max_shells_per_user=MANY,
            max_shells=MANY,
            max_operations_per_user=MANY,
            min_idle_timeout=2.0,
            max_idle_timeout=idle,
            idle_timeout=idle,
        ),
    )
    async with trio.open_nursery() as nursery:
        serve = partial(serve_wire, engine=engine)
        await nursery.start(partial(serve_unix, folder / SOCKET, serve))
        await serve_wsman(
            settings,
            {DEFAULT_CONFIGURATION: engine},
            on_listening=lambda url: print(url, flush=True),
            report=lambda text: None,
        )
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), float(sys.argv[2]))
