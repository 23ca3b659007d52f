"""Several recordings in one timeline, by time."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from psremoting.capture.detect import Form, detect
from psremoting.capture.source import CaptureError, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psremoting.capture.entries import Entry

__all__ = ["has_events", "merged"]


def has_events(files: Sequence[str]) -> bool:
    """Return True if one of several files is a Windows event log, which is merged by time."""
    return len(files) > 1 and any(_is_event_log(file) for file in files)


def _is_event_log(file: str) -> bool:
    if file == "-":
        return False
    try:
        source = Source.open(file)
    except CaptureError:
        return False
    try:
        return detect(source) in (Form.EVENTS, Form.EVTX)
    except CaptureError:
        return False
    finally:
        source.close()


def merged(
    recordings: Sequence[Iterator[Entry]],
) -> Iterator[tuple[int, Entry | CaptureError]]:
    """Yield the entries of all recordings by time, each with the number of its recording.

    An entry without time has that of the one before it in its recording. Summaries, and the error
    of a recording that cannot be read to its end, come after all other entries.
    """
    waiting: list[tuple[float, int, Entry]] = []
    last = [0.0] * len(recordings)
    ends: list[tuple[int, Entry | CaptureError]] = []

    def advance(index: int) -> None:
        try:
            while (entry := next(recordings[index], None)) is not None:
                if entry.type == "summary":
                    ends.append((index, entry))
                    continue
                last[index] = max(last[index], entry.carrier.get("time") or 0.0)
                heappush(waiting, (last[index], index, entry))
                return
        except CaptureError as error:
            ends.append((index, error))

    for index in range(len(recordings)):
        advance(index)
    number = 0
    while waiting:
        _, index, entry = heappop(waiting)
        number += 1
        entry.n = number
        yield index, entry
        advance(index)
    yield from ends
