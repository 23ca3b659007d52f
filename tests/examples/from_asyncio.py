"""Sessions in a program that runs asyncio: in a thread, or in trio as a guest of its loop.

python tests/examples/from_asyncio.py
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from psremoting import PSSession, sync


def count(target: str, last: int) -> list[int]:
    """Run a command with blocking calls; call it in a thread."""
    with sync.connect(target) as session:
        return list(session.invoke(f"Get-Number {last}"))


async def in_trio(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Run ``work`` in trio, in asyncio's own thread. Cancelling the task cancels the work."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    scope = trio.CancelScope()

    async def guest() -> Any:
        with scope:
            return await work(*arguments)

    trio.lowlevel.start_guest_run(
        guest,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=ended.set_result,
        host_uses_signal_set_wakeup_fd=True,
    )
    try:
        outcome = await asyncio.shield(ended)
    except asyncio.CancelledError:
        scope.cancel()
        await ended
        raise
    return outcome.unwrap()


async def count_in_trio(target: str, last: int) -> list[int]:
    async with PSSession.connect(target) as session:
        return [value async for value in await session.invoke(f"Get-Number {last}")]


async def main() -> None:
    print(await asyncio.to_thread(count, "local", 3))
    print(await in_trio(count_in_trio, "local", 3))


if __name__ == "__main__":
    asyncio.run(main())
