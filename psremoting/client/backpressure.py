"""Whether anybody wants what comes next, so that a slow reader of output slows the server down.

Output waits in memory until it is taken. When too much waits, the carrier stops reading: but
everything comes through one pipe, acknowledgements and other commands' output too. So it only
stops while nobody waits for anything. That cannot lock up, and one slow reader costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

__all__ = ["Demand"]


class Demand:
    """``too_much`` tells whether more is waiting than should be."""

    def __init__(self, too_much: Callable[[], bool]) -> None:
        self._too_much = too_much
        self._waiting = 0
        self._resume: trio.Event | None = None

    async def until(self, event: trio.Event) -> None:
        """Wait for something that the server will say."""
        self._waiting += 1
        self._go_on()
        try:
            await event.wait()
        finally:
            self._waiting -= 1

    async def wanted(self) -> None:
        """Wait, before more is read, until somebody waits for it or enough was taken."""
        while not self._waiting and self._too_much():
            self._resume = trio.Event()
            await self._resume.wait()

    def taken(self) -> None:
        """Some of what waited was taken."""
        if self._resume is not None and not self._too_much():
            self._go_on()

    def _go_on(self) -> None:
        if self._resume is not None:
            self._resume.set()
            self._resume = None
