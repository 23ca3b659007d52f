"""Allocation of the runspaces of a pool in request order.

A pipeline requests its turn when its message arrives, not when its task first runs: trio starts
tasks in no defined order.
"""

from __future__ import annotations

from collections import deque

import trio

__all__ = ["Runspaces", "Turn"]


class Turn:
    """A queued request for a runspace."""

    __slots__ = ("_granted", "has_runspace")

    def __init__(self) -> None:
        self.has_runspace = False
        self._granted: trio.Event | None = None

    async def wait(self) -> None:
        """Wait for a runspace."""
        if not self.has_runspace:
            self._granted = trio.Event()
            await self._granted.wait()

    def grant(self) -> None:
        self.has_runspace = True
        if self._granted is not None:
            self._granted.set()


class Runspaces:
    """Runspaces for ``total`` pipelines at once."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._waiting: deque[Turn] = deque()

    def ask(self) -> Turn:
        """Return a turn; each must be given back."""
        turn = Turn()
        self._waiting.append(turn)
        self._grant()
        return turn

    def give_back(self, turn: Turn) -> None:
        """Give back a turn, with or without its runspace."""
        if turn.has_runspace:
            self._taken -= 1
            self._grant()
        else:
            self._waiting.remove(turn)

    def resize(self, total: int) -> None:
        """Change the number of runspaces; a pipeline keeps the one that it has."""
        self._total = total
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._taken < self._total:
            self._taken += 1
            self._waiting.popleft().grant()
