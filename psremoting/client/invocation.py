"""A remote command: its output, its streams and its end.

Output and records are queued in the order in which they arrived. Iteration yields the output and
stores the records in `Invocation.streams`; `Invocation.merged` yields both, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import trio

from psremoting.client.streams import Record, StreamKind, Streams
from psremoting.errors import CancelTimeout, PipelineFailed, PipelineStopped, RemoteErrors
from psrp.events import InvocationState

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from psremoting.options import SessionOption
    from psrp.records import ErrorRecord

__all__ = ["CommandOwner", "Invocation", "Merged", "OnRecord", "Result"]

OnRecord = Callable[[StreamKind, Record], None]

_OUTPUT = StreamKind.OUTPUT
_YIELD_EVERY = 64
"""Number of objects after which other tasks are scheduled."""


class CommandOwner(Protocol):
    """The interface of a session for an invocation."""

    computer: str
    options: SessionOption

    def stop_command(self, invocation: Invocation) -> None:
        """Ask the server to stop a running command."""

    def close_command(self, invocation: Invocation) -> None:
        """Abandon a command, if it has not ended."""

    def fail(self, invocation: Invocation, error: Exception) -> None:
        """End a command with an error of this side, and close it at the server."""

    async def wait_for(self, event: trio.Event) -> None:
        """Wait for an event that only the server can cause."""

    def output_taken(self, command: UUID) -> None:
        """Note that some output of ``command`` was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A command that has ended, with its output and records."""

    output: list[Any]
    streams: Streams
    state: InvocationState
    error: Exception | None = None
    """The reason of a failure; None if it completed, or if the caller stopped it."""
    exit_code: int | None = None
    """The code of a remote ``exit``, if the server reported one to the host."""

    @property
    def errors(self) -> list[ErrorRecord]:
        """The error records: those of the error stream, then that of a terminating error."""
        record = getattr(self.error, "record", None)
        return [*self.streams.error, *([record] if record is not None else [])]

    @property
    def had_errors(self) -> bool:
        """True if the command wrote an error record or did not complete."""
        return bool(self.streams.error) or self.error is not None

    def raise_for_errors(self) -> None:
        """Raise `Result.error`, or RemoteErrors if the command wrote error records."""
        if self.error is not None:
            raise self.error
        if self.streams.error:
            raise RemoteErrors(self.streams.error)


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

    The iteration ends when the command has ended. It raises `PipelineFailed` for a terminating
    error and `PSRemotingTransportError` if the session broke, after all output was yielded. As a
    context manager it closes the command at the end of the block, if it still runs.
    """

    def __init__(self, owner: CommandOwner, id: UUID, on_record: OnRecord | None) -> None:
        self.id = id
        self._owner = owner
        self.state = InvocationState.RUNNING
        self.error: Exception | None = None
        self.exit_code: int | None = None
        self.script_reason = ""
        """The reason why a text was sent as a script; empty for commands."""
        self.streams = Streams()
        self._on_record = on_record
        self._items: deque[tuple[StreamKind, Any]] = deque()
        self._more = trio.Event()
        self._ended = trio.Event()
        self._has_ended = False
        self._stop_wanted = False
        self._yielded = 0

    def __repr__(self) -> str:
        return f"<Invocation {self.id}, {self.state.name}>"

    @property
    def ended(self) -> bool:
        return self._has_ended

    @property
    def unread(self) -> int:
        """The number of received objects and records that were not read yet."""
        return len(self._items)

    # -- for the caller

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            kind, item = await self._next()
            if kind is _OUTPUT:
                return item
            self.streams.add(kind, item)

    def merged(self) -> Merged:
        """Iterate over output and records in order of arrival, as pairs of stream and item.

        Raises as the iteration over the output does. Records are not kept in `streams`.
        """
        return Merged(self._next)

    async def batch(self) -> list[Any]:
        """Return all output that has arrived, at least one object; [] at the end.

        Raises as the iteration does."""
        while await self._wait_for_items():
            taken = self._take_output()
            if taken:
                return taken
        self._raise_for_end()
        return []

    async def output(self) -> list[Any]:
        """Wait for the end and return all output. Raises as the iteration does."""
        await self.wait()
        taken = self._take_output()
        self._raise_for_end()
        return taken

    async def wait(self) -> InvocationState:
        """Wait for the end and return the state. Raises nothing and keeps the output."""
        await self._owner.wait_for(self._ended)
        return self.state

    async def result(self) -> Result:
        """Wait for the end and return output and records; a failure is in `Result.error`."""
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

        Raises CancelTimeout after ``SessionOption.cancel_timeout``; the command is closed then.
        """
        if self.ended:
            return
        self._stop_wanted = True
        self._owner.stop_command(self)
        limit = self._owner.options.cancel_timeout
        with trio.move_on_after(limit):
            await self._owner.wait_for(self._ended)
            return
        self.close()
        raise CancelTimeout(
            f"The command did not stop within {limit:g} seconds.", computer=self._owner.computer
        )

    def close(self) -> None:
        """Close the command without waiting; the server ends it, and nothing more arrives."""
        self._owner.close_command(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- for the session; nothing here waits

    def add(self, kind: StreamKind, item: Any) -> None:
        if self._has_ended:
            return
        if kind is not _OUTPUT and self._on_record is not None:
            try:
                self._on_record(kind, item)
            except Exception as error:
                # The session's reader must continue: only this command fails.
                self._on_record = None
                self._owner.fail(self, error)
            return
        self._items.append((kind, item))
        if not self._more.is_set():
            self._more.set()

    def end(self, state: InvocationState, error: Exception | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self.state = state
        self.error = error
        self._ended.set()
        self._more.set()

    def end_with_state(self, state: InvocationState, record: ErrorRecord | None) -> None:
        """End in the state of the server's PIPELINE_STATE."""
        error: Exception | None = None
        computer = self._owner.computer
        if state is InvocationState.STOPPED and not self._stop_wanted:
            error = PipelineStopped(record, computer)
        elif state is InvocationState.FAILED and record is not None:
            error = PipelineFailed(record, computer, hint=self._hint(record))
        self.end(state, error)

    # -- inside

    def _hint(self, record: ErrorRecord) -> str:
        refused = record.fully_qualified_error_id == "ScriptsNotAllowed"
        if not (refused and self.script_reason):
            return ""
        reason = " ".join(self.script_reason.split()).rstrip(".")
        return f"Cannot send the text as commands: {reason}."

    async def _next(self) -> tuple[StreamKind, Any]:
        if not self._items and not await self._wait_for_items():
            self._raise_for_end()
            raise StopAsyncIteration
        self._yielded += 1
        if self._yielded % _YIELD_EVERY == 0:
            await trio.lowlevel.checkpoint()
        item = self._items.popleft()
        self._owner.output_taken(self.id)
        return item

    async def _wait_for_items(self) -> bool:
        """Wait for output or records; False at the end."""
        while not self._items:
            if self.ended:
                await trio.lowlevel.checkpoint()
                return False
            self._more = trio.Event()
            await self._owner.wait_for(self._more)
        return True

    def _take_output(self) -> list[Any]:
        output = []
        for kind, item in self._items:
            if kind is _OUTPUT:
                output.append(item)
            else:
                self.streams.add(kind, item)
        self._items.clear()
        self._owner.output_taken(self.id)
        return output

    def _raise_for_end(self) -> None:
        if self.error is not None:
            raise self.error
