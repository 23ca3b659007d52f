"""Termination of the processes that commands started, when the server process ends."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["descendants", "end_children"]

_PROC = Path("/proc")
_STEP = 0.02


def descendants(pid: int) -> set[int]:
    """Return the processes that descend from ``pid``; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        entries = [each for each in os.listdir(_PROC) if each.isdecimal()]
    except OSError:
        return set()
    for entry in entries:
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may contain anything: the parent id follows the last bracket.
            fields = (
                (_PROC / entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            )
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def end_children(patience: float = 1.0) -> None:
    """End every process that descends from this one: SIGTERM, and SIGKILL after ``patience``
    seconds."""
    left = descendants(os.getpid())
    _signal(left, signal.SIGTERM)
    until = time.monotonic() + patience
    while left and time.monotonic() < until:
        time.sleep(_STEP)
        left = descendants(os.getpid())
    _signal(left, signal.SIGKILL)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)
