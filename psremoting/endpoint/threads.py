"""Commands that are plain functions: they run in a thread.

A stop does not kill a thread. The command counts as stopped at once, and the next time that its
function writes, reads input or asks the host, `CommandStopped` ends it there; one that never
does runs on unseen until it returns. So a plain function that may take long should write now and
then, or be an ``async def``.
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
"""Objects that may wait for the event loop before the function waits too."""


class CommandStopped(BaseException):
    """Ends a function in a thread whose command was stopped. Not to be caught."""


class ThreadSide:
    """What a function in a thread reaches the event loop by.

    Its output lies in a queue that `pump` empties, so that a fast function does not wait for
    the loop at each object, and a slow one's objects do not wait for the next.
    """

    def __init__(self, stage: RunningCommand) -> None:
        self._stage = stage
        self._queue: deque[Any] = deque()
        self._token = trio.lowlevel.current_trio_token()
        self._filled = trio.Event()
        self._told = False
        self._turn = trio.Lock()
        self._asking: set[trio.CancelScope] = set()

    # -- in the event loop

    async def pump(self) -> None:
        """Move output on, for ever."""
        while True:
            await self._filled.wait()
            self._filled = trio.Event()
            self._told = False
            await self.drain()

    async def drain(self) -> None:
        """Move on all output that is there."""
        async with self._turn:
            while self._queue:
                count = len(self._queue)
                await self._stage.put_all([self._queue.popleft() for _ in range(count)])

    def end(self) -> None:
        """The command is over: what the thread waits for it will not get."""
        for scope in self._asking:
            scope.cancel()

    async def _guarded(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        # A system task: the stop of the command's own does not reach it.
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
        """Run ``function`` in the event loop, behind everything that was put so far."""
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
        """What a function returned, taken apart as a pipeline does it."""
        for item in unroll(result):
            self.put(item)

    def input(self) -> Iterator[Any]:
        """The pipeline's objects, fetched as many at a time as are there."""
        while batch := self.ask(self._stage.next_batch):
            yield from batch


async def _nothing() -> None:
    await trio.lowlevel.checkpoint()
