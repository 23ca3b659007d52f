"""Commands that are plain functions: they run in a thread and see the same context.

A stop does not kill a thread. The command counts as stopped at once, and the next time that its
function writes, reads input or asks the host, `CommandStopped` ends it there; one that never
does runs on unseen until it returns. So a plain function that may take long should write now and
then, or be an ``async def``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from psremoting.endpoint.outputs import as_clixml, unroll

if TYPE_CHECKING:
    from psremoting.endpoint.context import Context
    from psremoting.endpoint.stages import Stage
    from psrp.clixml import SecureString
    from psrp.host import (
        ChoiceDescription,
        ConsoleColor,
        Credential,
        HostInfo,
        HostMethodId,
        KeyInfo,
    )
    from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["CommandStopped", "SyncContext", "ThreadSide"]

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

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._queue: deque[Any] = deque()
        self._token = trio.lowlevel.current_trio_token()
        self._filled = trio.Event()
        self._told = False
        self._turn = trio.Lock()

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

    async def _guarded(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        # After the stop trio runs this outside of the command's cancel scope.
        if self._stage.over:
            raise CommandStopped
        await self.drain()
        return await function(*arguments)

    # -- in the thread

    def ask(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run ``function`` in the event loop, behind everything that was put so far."""
        if self._stage.over:
            raise CommandStopped
        try:
            return trio.from_thread.run(self._guarded, function, *arguments)
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


class SyncContext:
    """`psremoting.endpoint.context.Context` for a function in a thread; see there."""

    def __init__(self, context: Context, side: ThreadSide) -> None:
        self._context = context
        self._side = side
        self.command = context.command

    @property
    def host(self) -> HostInfo:
        return self._context.host

    @property
    def has_host(self) -> bool:
        return self._context.has_host

    @property
    def verbose(self) -> bool:
        return self._context.verbose

    @property
    def application_arguments(self) -> Any:
        return self._context.application_arguments

    def _named(self, function: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        async def run() -> T:
            return await function(*arguments, **named)

        return self._side.ask(run)

    def write(self, value: Any) -> None:
        self._side.put(value)

    def write_error(
        self,
        error: str | BaseException | ErrorRecord,
        *,
        error_id: str = "",
        category: ErrorCategory | None = None,
        target: Any = None,
    ) -> None:
        named = {} if category is None else {"category": category}
        self._named(self._context.write_error, error, error_id=error_id, target=target, **named)

    def write_warning(self, text: str) -> None:
        self._side.ask(self._context.write_warning, text)

    def write_verbose(self, text: str) -> None:
        self._side.ask(self._context.write_verbose, text)

    def write_debug(self, text: str) -> None:
        self._side.ask(self._context.write_debug, text)

    def write_information(self, data: Any, *tags: str) -> None:
        self._side.ask(self._context.write_information, data, *tags)

    def write_host(
        self,
        text: str = "",
        *,
        foreground: ConsoleColor | None = None,
        background: ConsoleColor | None = None,
        no_newline: bool = False,
    ) -> None:
        self._named(
            self._context.write_host,
            text,
            foreground=foreground,
            background=background,
            no_newline=no_newline,
        )

    def write_progress(self, activity: str, status: str = "Processing", **details: Any) -> None:
        self._named(self._context.write_progress, activity, status, **details)

    def call_host(self, method: HostMethodId, *arguments: Any) -> Any:
        return self._side.ask(self._context.call_host, method, *arguments)

    def ask(self, prompt: str) -> str:
        return self._side.ask(self._context.ask, prompt)

    def ask_secret(self, prompt: str) -> SecureString:
        return self._side.ask(self._context.ask_secret, prompt)

    def read_line(self) -> str:
        return self._side.ask(self._context.read_line)

    def read_secure(self) -> SecureString:
        return self._side.ask(self._context.read_secure)

    def choose(
        self,
        caption: str,
        message: str,
        choices: Sequence[str | ChoiceDescription],
        default: int = 0,
    ) -> int:
        return self._side.ask(self._context.choose, caption, message, choices, default)

    def prompt_credential(
        self, message: str = "Enter your credentials.", **named: Any
    ) -> Credential:
        return self._named(self._context.prompt_credential, message, **named)

    def read_key(self, options: int = 6) -> KeyInfo:
        return self._side.ask(self._context.read_key, options)

    def confirm(self, action: str, target: str) -> bool:
        return self._side.ask(self._context.confirm, action, target)

    def set_window_title(self, title: str) -> None:
        self._side.ask(self._context.set_window_title, title)
