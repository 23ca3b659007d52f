"""The runspaces of a pool: who asks first gets one first.

A turn is asked for when a message comes, not when the task of its pipeline first runs: trio
starts tasks in no certain order.
"""

from __future__ import annotations

from collections import deque

import trio

__all__ = ["Runspaces", "Turn"]


class Turn:
    """A place in the queue, or a runspace."""

    __slots__ = ("_granted", "has_runspace")

    def __init__(self) -> None:
        self.has_runspace = False
        self._granted: trio.Event | None = None

    async def wait(self) -> None:
        """Until there is a runspace."""
        if not self.has_runspace:
            self._granted = trio.Event()
            await self._granted.wait()

    def grant(self) -> None:
        self.has_runspace = True
        if self._granted is not None:
            self._granted.set()


class Runspaces:
    """``total`` pipelines may run at once."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._waiting: deque[Turn] = deque()

    def ask(self) -> Turn:
        """A turn; every one is to be given back."""
        turn = Turn()
        self._waiting.append(turn)
        self._grant()
        return turn

    def give_back(self, turn: Turn) -> None:
        """It is not needed any more, whether its runspace ever came or not."""
        if turn.has_runspace:
            self._taken -= 1
            self._grant()
        else:
            self._waiting.remove(turn)

    def resize(self, total: int) -> None:
        """Who has a runspace keeps it, also where there are fewer now."""
        self._total = total
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._taken < self._total:
            self._taken += 1
            self._waiting.popleft().grant()
