"""Measures of work that do not depend on a busy machine: calls, and processor time of one thread.

Processor time is needed where the work is inside one call, as in a regular expression. It is only
compared with itself: sixteen times the input must cost about sixteen times as much, where a
quadratic reader costs 256 times as much.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ["calls", "grows_linearly"]

SMALL, FACTOR = 2000, 16
ALLOWED = 4
"""Tolerated deviation from linear growth; quadratic growth is a factor of 16."""
NOISE = 5_000_000
"""Nanoseconds below the precision of a measurement."""


def calls(work: Callable[[], object]) -> int:
    """Return the number of calls, of Python and of C functions, that ``work`` makes."""
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _processor_time(work: Callable[[], object]) -> int:
    def once() -> int:
        begin = time.thread_time_ns()
        work()
        return time.thread_time_ns() - begin

    return min(once() for _ in range(3))


def grows_linearly(work: Callable[[int], Callable[[], object]]) -> bool:
    """Return whether ``work(n)`` costs processor time in proportion to n."""
    small = _processor_time(work(SMALL))
    large = _processor_time(work(SMALL * FACTOR))
    return large < ALLOWED * FACTOR * small + NOISE
