"""Progress records as lines below what is written. [MS-PSRP] 2.2.2.25"""

from __future__ import annotations

from collections.abc import Iterator

from psremoting.powershell.cells import cut, width_of
from psremoting.powershell.sanitizer import one_line
from psrp.enums import ProgressType
from psrp.records import ProgressRecord

__all__ = ["ProgressArea", "progress_line"]

_MAX_LINES = 5
_MAX_ACTIVITIES = 100
"""Maximum number of stored activities; the oldest are dropped."""
_MAX_TEXT = 500
"""Maximum number of used characters of each text."""
_MAX_WIDTH = 120
"""PowerShell's $PSStyle.Progress.MaxWidth."""
_MAX_DEPTH = 10


def _text(text: str | None) -> str:
    return " ".join(one_line((text or "")[:_MAX_TEXT]).split())


def progress_line(
    record: ProgressRecord, width: int, label: str = "", *, depth: int = 0, styled: bool = False
) -> str:
    """Return a line of at most ``width`` cells for ``record``, as PowerShell's minimal view.

    ``label`` names its computer; ``depth`` counts the activities above it. ``styled`` shows the
    part that is done in reverse video, otherwise it is a number.
    """
    most = min(width, _MAX_WIDTH - 1)
    if most < 2:
        return ""
    indent = "  " * min(depth, _MAX_DEPTH)
    activity = _text(f"[{label}] {record.activity}" if label else record.activity)
    half = (most + 1) // 2
    if width_of(activity) > half:
        activity = cut(activity, half + 1)
    room = most - width_of(activity) - len(indent) - 4
    if room < 1:
        return cut(indent + activity, most)
    percent = record.percent_complete if 0 <= record.percent_complete <= 100 else -1
    rest = f"{record.seconds_remaining}s" if record.seconds_remaining >= 0 else ""
    if not styled and percent >= 0:
        rest = f"{percent}% {rest}".rstrip()
    if width_of(rest) > room:
        rest = ""
    status = cut(_text(record.status), max(0, room - len(rest) - bool(rest)))
    inside = status + " " * (room - width_of(status) - len(rest)) + rest
    if not styled:
        return f"{indent}{activity} [{inside}]"
    # As in PowerShell, the last cell is done a little early.
    done = min(room, percent * (room + 1) // 100) if percent >= 0 else room
    head, tail = _parted(inside, done)
    return f"{indent}\x1b[33;1m{activity} [\x1b[7m{head}\x1b[0m\x1b[33;1m{tail}]\x1b[0m"


def _parted(text: str, cells: int) -> tuple[str, str]:
    """Split a text after so many cells."""
    at = width = 0
    while at < len(text) and width < cells:
        width += width_of(text[at])
        at += 1
    return text[:at], text[at:]


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

    def draw(self, width: int, *, styled: bool = False) -> str:
        """Return the lines; the cursor has to be at the start of a line."""
        entries = list(self._tree())[-_MAX_LINES:]
        self._shown = len(entries)
        return "\n".join(
            progress_line(
                record,
                width - 1,
                source if isinstance(source, str) else "",
                depth=depth,
                styled=styled,
            )
            for source, record, depth in entries
        )

    def _tree(self) -> Iterator[tuple[int | str, ProgressRecord, int]]:
        """Yield the activities, each followed by those below it, with their depth."""
        below: dict[tuple[int | str, int], list[tuple[int | str, int]]] = {}
        tops = []
        for source, activity in self._records:
            parent = source, self._records[source, activity].parent_activity_id
            if parent in self._records and parent[1] != activity:
                below.setdefault(parent, []).append((source, activity))
            else:
                tops.append((source, activity))
        # Activities that name each other as parents are tops, too.
        seen: set[tuple[int | str, int]] = set()
        for top in [*tops, *self._records]:
            pending = [(top, 0)]
            while pending:
                key, depth = pending.pop()
                if key in seen:
                    continue
                seen.add(key)
                yield key[0], self._records[key], depth
                pending += [(each, depth + 1) for each in reversed(below.get(key, []))]
