"""Handling of Ctrl+C: stop the running command, and offer to close a session that hangs."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from psremoting import errors
from psremoting.shell.reading import EndOfInput, Interrupted

if TYPE_CHECKING:
    from psremoting.client.invocation import Invocation
    from psremoting.shell.reading import Reader
    from psremoting.shell.screen import Screen

__all__ = ["Foreground"]

T = TypeVar("T")
_HANGS = "The command has not stopped yet. Close the session? [y/N]: "


class Foreground:
    """The commands that the user waits for: a line, and what runs in the debugger meanwhile."""

    def __init__(self, screen: Screen, reader: Reader) -> None:
        self.hung = False
        """The user closed the session because a command did not stop."""
        self._screen = screen
        self._reader = reader
        self._waiting: list[trio.MemorySendChannel[None]] = []

    def interrupt(self) -> None:
        """React to Ctrl+C: it goes to a reader, or else to the newest command."""
        if not self._reader.interrupt() and self._waiting:
            self._waiting[-1].send_nowait(None)

    async def wait(
        self,
        invocation: Invocation,
        result: Callable[[], Awaitable[T]],
        *,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> T | None:
        """Wait for ``result`` of a command; None if the user gave up. Ctrl+C stops the command.

        ``meanwhile`` runs for the same time.
        """
        send, receive = trio.open_memory_channel[None](math.inf)
        self._waiting.append(send)
        found: T | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_on_interrupt, invocation, receive, nursery)
                if meanwhile is not None:
                    nursery.start_soon(meanwhile)
                found = await result()
                nursery.cancel_scope.cancel()
        finally:
            self._waiting.remove(send)
        return found

    async def _stop_on_interrupt(
        self,
        invocation: Invocation,
        interrupts: trio.MemoryReceiveChannel[None],
        nursery: trio.Nursery,
    ) -> None:
        await interrupts.receive()
        nursery.start_soon(self._stop, invocation)
        while True:
            await interrupts.receive()
            if await self._wants_to_close():
                self.hung = True
                nursery.cancel_scope.cancel()

    async def _stop(self, invocation: Invocation) -> None:
        try:
            await invocation.stop()
        except errors.CancelTimeout as error:
            self._screen.error(str(error))

    async def _wants_to_close(self) -> bool:
        self._screen.start_line()
        try:
            answer = await self._reader.read_line(_HANGS)
        except Interrupted:
            return False
        except EndOfInput:
            return True
        return answer.strip().casefold() in ("y", "yes")
