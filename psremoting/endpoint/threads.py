"""Commands that are plain functions run in a thread.

A stop does not kill a thread. The command is reported as stopped at once, and `CommandStopped` ends
the function the next time that it writes, reads input or asks the host; a function that does none
of these runs until it returns. A long-running plain function should write regularly, or be an
``async def``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from psremoting.endpoint.outputs import as_clixml, unroll

if TYPE_CHECKING:
    from psremoting.endpoint.interfaces import RunningCommand

__all__ = ["CommandStopped", "ThreadSide"]

T = TypeVar("T")
_FULL = 1024
"""Limit of queued objects at which the function waits for the event loop."""
_AT_FIRST = 0.002
"""Seconds after the start before which output is not sent object by object."""


class CommandStopped(BaseException):
    """Ends a function in a thread after its command was stopped. Do not catch it."""


class ThreadSide:
    """Bridge from a function in a thread to the event loop.

    Its output goes through a queue that `pump` empties: a fast function does not wait for the
    loop at each object, and objects of a slow one are sent at once.
    """

    def __init__(self, stage: RunningCommand) -> None:
        self._stage = stage
        self._queue: deque[Any] = deque()
        self._token = trio.lowlevel.current_trio_token()
        self._filled = trio.Event()
        self._told = True
        self._turn = trio.Lock()
        self._asking: set[trio.CancelScope] = set()

    # -- in the event loop

    async def pump(self) -> None:
        """Forward output, forever."""
        # A function that returns soon needs no call of the loop but that of its end.
        await trio.sleep(_AT_FIRST)
        while True:
            self._told = False
            await self.drain()
            await self._filled.wait()
            self._filled = trio.Event()

    async def drain(self) -> None:
        """Forward all output so far."""
        async with self._turn:
            while self._queue:
                count = len(self._queue)
                await self._stage.put_all([self._queue.popleft() for _ in range(count)])

    def end(self) -> None:
        """End the calls that the thread waits for: the command is over."""
        for scope in self._asking:
            scope.cancel()

    async def _guarded(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        # This is a system task; cancelling the command does not reach it.
        if self._stage.over:
            raise CommandStopped
        with trio.CancelScope() as scope:
            self._asking.add(scope)
            try:
                await self.drain()
                return await function(*arguments)
            finally:
                self._asking.remove(scope)
        raise CommandStopped

    # -- in the thread

    def ask(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run ``function`` in the event loop, after the output so far."""
        if self._stage.over:
            raise CommandStopped
        try:
            return trio.from_thread.run(self._guarded, function, *arguments, trio_token=self._token)
        except (trio.Cancelled, trio.RunFinishedError):
            raise CommandStopped from None

    def put(self, value: Any) -> None:
        if self._stage.over:
            raise CommandStopped
        self._queue.append(as_clixml(value))
        if len(self._queue) >= _FULL:
            self.ask(_nothing)
        elif not self._told:
            self._told = True
            try:
                self._token.run_sync_soon(self._filled_set)
            except trio.RunFinishedError:
                raise CommandStopped from None

    def _filled_set(self) -> None:
        self._filled.set()

    def put_result(self, result: Any) -> None:
        """Write a result to the output, one object per item of a collection."""
        for item in unroll(result):
            self.put(item)

    def input(self) -> Iterator[Any]:
        """Yield the pipeline's objects; those that are waiting are fetched together."""
        while batch := self.ask(self._stage.next_batch):
            yield from batch


async def _nothing() -> None:
    await trio.lowlevel.checkpoint()
