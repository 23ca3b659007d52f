"""Progress records as lines that come and go below what is written."""

from __future__ import annotations

import unicodedata

from psrp.enums import ProgressType
from psrp.records import ProgressRecord

__all__ = ["ProgressArea", "progress_line"]

_MAX_LINES = 5
_BAR = 24


def _cells(character: str) -> int:
    """How many cells a terminal gives a character."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _fit(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells."""
    if sum(map(_cells, text)) <= width:
        return text
    taken, room = [], width - 1
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        taken.append(character)
    return "".join(taken) + "…"


def progress_line(record: ProgressRecord, width: int) -> str:
    """One line for ``record``, at most ``width`` cells wide."""
    if width < 2:
        return ""
    parts = [" ".join(record.activity.split())]
    if 0 <= record.percent_complete <= 100:
        filled = record.percent_complete * _BAR // 100
        if width >= 60:
            parts.append(f"[{'#' * filled}{' ' * (_BAR - filled)}]")
        parts.append(f"{record.percent_complete}%")
    if record.status:
        parts.append(" ".join(record.status.split()))
    if record.seconds_remaining >= 0:
        minutes, seconds = divmod(record.seconds_remaining, 60)
        parts.append(f"{minutes:02}:{seconds:02} left")
    if record.current_operation:
        parts.append(" ".join(record.current_operation.split()))
    indent = "" if record.parent_activity_id < 0 else "  "
    line = "".join(each for each in "  ".join(parts) if each.isprintable())
    return _fit(indent + line, width)


class ProgressArea:
    """What is going on, by source and activity, and how many lines of it stand on the screen."""

    def __init__(self) -> None:
        self._records: dict[tuple[int, int], ProgressRecord] = {}
        self._shown = 0

    def update(self, source: int, record: ProgressRecord) -> None:
        key = source, record.activity_id
        if record.type == ProgressType.Completed:
            self._records.pop(key, None)
        else:
            self._records[key] = record

    def forget(self) -> None:
        """Nothing goes on any more."""
        self._records.clear()

    def erase(self) -> str:
        """What takes the lines off the screen; the cursor stands where they began."""
        if not self._shown:
            return ""
        above = "\x1b[1A\r\x1b[K" * (self._shown - 1)
        self._shown = 0
        return "\r\x1b[K" + above

    def draw(self, width: int) -> str:
        """What shows them; the cursor has to stand at the start of a line."""
        records = list(self._records.values())[-_MAX_LINES:]
        self._shown = len(records)
        return "\n".join(progress_line(record, width - 1) for record in records)
