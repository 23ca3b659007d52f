"""The queue between two commands of a statement.

The writer may run ahead by a few objects. Before it sends anything else (a record, a call of the
client's host) it waits until the reader has processed all of them. PowerShell's commands call
each other, so its clients see output and host calls in the order of the commands' work.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import trio

__all__ = ["Conduit", "NoMoreWanted"]

_MOST = 32
"""Maximum number of objects that the writer may be ahead."""


class NoMoreWanted(Exception):
    """The reader has ended and takes no more objects."""


class Conduit:
    """A queue with one writer and one reader."""

    def __init__(self) -> None:
        self._queue: deque[Any] = deque()
        self._writer_gone = False
        self._reader_gone = False
        self._reader_waits = False
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    async def put(self, value: Any) -> None:
        """Add an object; wait while the queue is full. Raises NoMoreWanted."""
        if self._reader_gone:
            raise NoMoreWanted
        self._queue.append(value)
        self._filled.unpark()
        while len(self._queue) >= _MOST and not self._reader_gone:
            await self._emptied.park()
        if self._reader_gone:
            raise NoMoreWanted

    async def take(self) -> list[Any]:
        """Return the waiting objects, at least one; an empty list at the end."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._queue and not self._writer_gone:
            self._reader_waits = True
            self._idle.unpark_all()
            try:
                await self._filled.park()
            finally:
                self._reader_waits = False
        batch = list(self._queue)
        self._queue.clear()
        self._emptied.unpark_all()
        return batch

    async def settled(self) -> None:
        """Wait until the reader has processed every object, or has ended."""
        while not (self._reader_gone or (self._reader_waits and not self._queue)):
            await self._idle.park()

    def close_writer(self) -> None:
        """End the queue from the writer's side."""
        self._writer_gone = True
        self._filled.unpark_all()

    def close_reader(self) -> None:
        """End the queue from the reader's side."""
        self._reader_gone = True
        self._emptied.unpark_all()
        self._idle.unpark_all()
