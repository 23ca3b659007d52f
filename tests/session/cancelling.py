"""Cancellation at the n-th await, counted over all tasks of the program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

__all__ = ["cancelled_at"]


class _AtStep(trio.abc.Instrument):
    """Cancels a scope when tasks have begun to wait for the n-th time."""

    def __init__(self, number: int, scope: trio.CancelScope) -> None:
        self._left, self._scope = number, scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if not self._left:
            self._scope.cancel()


async def cancelled_at(number: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Run ``work`` and cancel it at the ``number``-th await; return False if it ended before."""
    with trio.CancelScope() as scope:
        instrument = _AtStep(number, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(instrument)
        return False
    return True
