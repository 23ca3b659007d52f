"""Progress records as lines below what is written. [MS-PSRP] 2.2.2.25"""

from __future__ import annotations

from psremoting.powershell.cells import cut
from psremoting.powershell.sanitizer import one_line
from psrp.enums import ProgressType
from psrp.records import ProgressRecord

__all__ = ["ProgressArea", "progress_line"]

_MAX_LINES = 5
_MAX_ACTIVITIES = 100
"""Maximum number of stored activities; the oldest are dropped."""
_MAX_TEXT = 500
"""Maximum number of used characters of each text."""
_BAR = 24


def _text(text: str | None) -> str:
    return " ".join(one_line((text or "")[:_MAX_TEXT]).split())


def progress_line(record: ProgressRecord, width: int, label: str = "") -> str:
    """Return a line of at most ``width`` cells for ``record``; ``label`` names its computer."""
    if width < 2:
        return ""
    parts = [_text(f"[{label}] {record.activity}" if label else record.activity)]
    if 0 <= record.percent_complete <= 100:
        filled = record.percent_complete * _BAR // 100
        if width >= 60:
            parts.append(f"[{'#' * filled}{' ' * (_BAR - filled)}]")
        parts.append(f"{record.percent_complete}%")
    if record.status:
        parts.append(_text(record.status))
    if record.seconds_remaining >= 0:
        minutes, seconds = divmod(record.seconds_remaining, 60)
        parts.append(f"{minutes:02}:{seconds:02} left")
    if record.current_operation:
        parts.append(_text(record.current_operation))
    indent = "" if record.parent_activity_id < 0 else "  "
    return cut(indent + "  ".join(parts), width)


class ProgressArea:
    """The current activities, by source, and the number of lines that they take on the screen.

    A source is a number or a label; a label is shown.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[int | str, int], ProgressRecord] = {}
        self._shown = 0

    def update(self, source: int | str, record: ProgressRecord) -> None:
        """Take a record: begin, change or end its activity."""
        key = source, record.activity_id
        if record.type == ProgressType.Completed:
            self._records.pop(key, None)
            return
        self._records[key] = record
        while len(self._records) > _MAX_ACTIVITIES:
            del self._records[next(iter(self._records))]

    def forget(self) -> None:
        """End all activities."""
        self._records.clear()

    def erase(self) -> str:
        """Return the sequence that removes the lines; the cursor is then where they began."""
        if not self._shown:
            return ""
        above = "\x1b[1A\r\x1b[K" * (self._shown - 1)
        self._shown = 0
        return "\r\x1b[K" + above

    def draw(self, width: int) -> str:
        """Return the lines; the cursor has to be at the start of a line."""
        entries = list(self._records.items())[-_MAX_LINES:]
        self._shown = len(entries)
        return "\n".join(
            progress_line(record, width - 1, source if isinstance(source, str) else "")
            for (source, _), record in entries
        )
