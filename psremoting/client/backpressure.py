"""Backpressure from a slow reader of output to the server.

Output waits in memory until it is read. A carrier that asks for each command's output separately
(WS-Man) simply does not ask for more of a command with too much of it. A carrier with one byte
stream must also deliver acknowledgements and the output of other commands, so it stops reading
only while no caller waits for anything. That cannot deadlock, and a slow reader costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import trio

__all__ = ["Backpressure"]


class Backpressure:
    """Delay of reading by a carrier.

    ``too_much`` returns True if a command has too much unread output; for None, if any
    command has.
    """

    def __init__(self, too_much: Callable[[UUID | None], bool]) -> None:
        self._too_much = too_much
        self._waiting = 0
        self._resume: trio.Event | None = None
        self._resume_command: dict[UUID, trio.Event] = {}

    async def wait_for(self, event: trio.Event) -> None:
        """Wait for an event that only the server can cause; reading goes on meanwhile."""
        self._waiting += 1
        self._resume_reading()
        try:
            await event.wait()
        finally:
            self._waiting -= 1

    async def wait_for_any_reader(self) -> None:
        """Wait until a caller waits for the server, or no command has too much unread output."""
        while not self._waiting and self._too_much(None):
            self._resume = trio.Event()
            await self._resume.wait()

    async def wait_for_reader(self, command: UUID) -> None:
        """Wait until ``command`` has less unread output."""
        while self._too_much(command):
            self._resume_command[command] = resume = trio.Event()
            await resume.wait()

    def output_taken(self, command: UUID) -> None:
        """Note that some output of ``command`` was read or dropped."""
        if self._resume is not None and not self._too_much(None):
            self._resume_reading()
        if self._resume_command and not self._too_much(command):
            resume = self._resume_command.pop(command, None)
            if resume is not None:
                resume.set()

    def _resume_reading(self) -> None:
        if self._resume is not None:
            self._resume.set()
            self._resume = None
