"""One remote command while it runs: its output, its streams, its end.

What comes is queued in the order in which it came. Whoever iterates takes the output and finds
the records in `Invocation.streams`; `Invocation.merged` gives both, still in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import trio

from psremoting.client.streams import Record, StreamKind, Streams
from psremoting.errors import CancelTimeout, PipelineFailed, PipelineStopped
from psrp.events import InvocationState

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from psremoting.client.pool_driver import PoolDriver
    from psrp.records import ErrorRecord

__all__ = ["Invocation", "Merged", "OnRecord", "Result"]

OnRecord = Callable[[StreamKind, Record], None]

_OUTPUT = StreamKind.OUTPUT
_YIELD_EVERY = 64
"""How many objects are handed out before other tasks get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A command that has ended: everything that it said."""

    output: list[Any]
    streams: Streams
    state: InvocationState
    error: Exception | None = None
    """Why it did not complete; None when it did, or when it was stopped without a word."""
    exit_code: int | None = None
    """What the remote side's ``exit`` said, where it was told to the host."""


class Merged:
    """The iterator of `Invocation.merged`."""

    def __init__(self, take: Callable[[], Awaitable[tuple[StreamKind, Any]]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[StreamKind, Any]:
        return await self._take()


class Invocation:
    """Made by `PSSession.invoke`. Iterate it once, for its output::

        async for value in await session.invoke("Get-Process"):
            ...

    The iteration ends when the command has. It raises `PipelineFailed` for a terminating error,
    `PSRemotingTransportError` when the session broke; what came before was handed out by then.
    As a context manager it gives the command up at the end of the block, if it still runs.
    """

    def __init__(self, driver: PoolDriver, id: UUID, on_record: OnRecord | None) -> None:
        self.id = id
        self.driver = driver
        self.state = InvocationState.RUNNING
        self.error: Exception | None = None
        self.exit_code: int | None = None
        self.streams = Streams()
        self._on_record = on_record
        self._items: deque[tuple[StreamKind, Any]] = deque()
        self._more = trio.Event()
        self._ended = trio.Event()
        self._over = False
        self._stop_wanted = False
        self._given = 0
        self.heard = False
        """Whether the server has said anything about this command."""

    def __repr__(self) -> str:
        return f"<Invocation {self.id}, {self.state.name}>"

    @property
    def ended(self) -> bool:
        return self._over

    @property
    def waiting(self) -> int:
        """How many objects and records have come and were not taken."""
        return len(self._items)

    # -- for its user

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            kind, item = await self._next()
            if kind is _OUTPUT:
                return item
            self.streams.add(kind, item)

    def merged(self) -> Merged:
        """Output and records in the order in which they came: pairs of stream and item.

        Raises as the iteration over the output does. What goes this way is not kept.
        """
        return Merged(self._next)

    async def batch(self) -> list[Any]:
        """All the output that is there, at least one object; [] at the end. Raises as above."""
        while await self._some():
            taken = self._take_output()
            if taken:
                return taken
        self._raise_for_end()
        return []

    async def output(self) -> list[Any]:
        """All the output, once the command has ended. Raises as the iteration does."""
        await self.wait()
        taken = self._take_output()
        self._raise_for_end()
        return taken

    async def wait(self) -> InvocationState:
        """Wait for the end, and tell how it was; nothing is raised, nothing of the output lost."""
        await self.driver.until(self._ended)
        return self.state

    async def result(self) -> Result:
        """Everything, once the command has ended; `Result.error` instead of an exception."""
        state = await self.wait()
        return Result(
            output=self._take_output(),
            streams=self.streams,
            state=state,
            error=self.error,
            exit_code=self.exit_code,
        )

    async def stop(self) -> None:
        """Stop the command as Ctrl+C does, and wait until it has stopped.

        Raises CancelTimeout after ``SessionOption.cancel_timeout``; it is given up then.
        """
        if self.ended:
            return
        self._stop_wanted = True
        self.driver.stop_pipeline(self)
        limit = self.driver.options.cancel_timeout
        with trio.move_on_after(limit):
            await self.driver.until(self._ended)
            return
        self.close()
        raise CancelTimeout(
            f"The command did not stop within {limit:g} seconds.", computer=self.driver.computer
        )

    def close(self) -> None:
        """Give the command up, without waiting: the server ends it, and nothing more is told."""
        self.driver.close_pipeline(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- for its session; nothing here waits

    def take_in(self, kind: StreamKind, item: Any) -> None:
        if self._over:
            return
        self.heard = True
        if kind is not _OUTPUT and self._on_record is not None:
            try:
                self._on_record(kind, item)
            except Exception as error:
                # The reader of the session must live: the caller's mistake is the caller's.
                self._on_record = None
                self.driver.fail(self, error)
            return
        self._items.append((kind, item))
        if not self._more.is_set():
            self._more.set()

    def end(self, state: InvocationState, error: Exception | None) -> None:
        if self._over:
            return
        self._over = self.heard = True
        self.state = state
        self.error = error
        self._ended.set()
        self._more.set()

    def end_as_told(self, state: InvocationState, record: ErrorRecord | None) -> None:
        """The server's word on how it ended."""
        error: Exception | None = None
        computer = self.driver.computer
        if state is InvocationState.STOPPED and not self._stop_wanted:
            error = PipelineStopped(record, computer)
        elif state is InvocationState.FAILED and record is not None:
            error = PipelineFailed(record, computer)
        self.end(state, error)

    # -- inside

    async def _next(self) -> tuple[StreamKind, Any]:
        if not self._items and not await self._some():
            self._raise_for_end()
            raise StopAsyncIteration
        self._given += 1
        if self._given % _YIELD_EVERY == 0:
            await trio.lowlevel.checkpoint()
        item = self._items.popleft()
        self.driver.taken()
        return item

    async def _some(self) -> bool:
        """Wait until something is there; False at the end."""
        while not self._items:
            if self.ended:
                await trio.lowlevel.checkpoint()
                return False
            self._more = trio.Event()
            await self.driver.until(self._more)
        return True

    def _take_output(self) -> list[Any]:
        output = []
        for kind, item in self._items:
            if kind is _OUTPUT:
                output.append(item)
            else:
                self.streams.add(kind, item)
        self._items.clear()
        self.driver.taken()
        return output

    def _raise_for_end(self) -> None:
        if self.error is not None:
            raise self.error
