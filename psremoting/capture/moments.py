"""Times of the timeline: relative, delta and absolute, and ranges of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

__all__ = ["Clock", "Moment", "TimeRange", "TimeStyle", "is_date", "parse_moment"]

_SINCE_1970 = 10**8
"""Times beyond this are dates; smaller ones are seconds since the recording began."""
_SECONDS = re.compile(r"\d+(?:\.\d+)?s?")
_OF_THE_DAY = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?")


class TimeStyle(Enum):
    """The columns of times; the values are those of ``--time``."""

    RELATIVE = "relative"
    """Seconds since the first line with a time."""
    DELTA = "delta"
    """Seconds since the line before."""
    ABSOLUTE = "absolute"
    """Date and time in the local zone; relative for a recording without dates."""
    UTC = "utc"
    NONE = "none"


def is_date(time: float) -> bool:
    """Return True for seconds since 1970, False for seconds since the recording began."""
    return time > _SINCE_1970


@dataclass(slots=True)
class Clock:
    """The times of one recording, in the order of its lines."""

    style: TimeStyle = TimeStyle.RELATIVE
    _origin: float | None = None
    _before: float | None = None
    _timed: bool | None = None
    """True if the first line has a time; then lines without one keep the column empty."""

    def begin(self, time: float | None) -> None:
        """Count from ``time``, unless a time was given before."""
        if self._origin is None and time is not None:
            self._origin = time if is_date(time) else 0.0

    def column(self, time: float | None) -> str:
        """Return the column of the next line, followed by a space; empty without times."""
        if self.style is TimeStyle.NONE:
            return ""
        if self._timed is None:
            self._timed = time is not None
        if time is None:
            return " " * (self._width + 1) if self._timed else ""
        self.begin(time)
        shown = self._text(time)
        self._before = time
        return f"{shown:>{self._width}} "

    @property
    def _width(self) -> int:
        dated = self.style in (TimeStyle.ABSOLUTE, TimeStyle.UTC)
        return 23 if dated and self._origin else 10

    def _text(self, time: float) -> str:
        if self.style is TimeStyle.DELTA:
            return f"+{max(0.0, time - (time if self._before is None else self._before)):.3f}"
        if self.style is not TimeStyle.RELATIVE and is_date(time):
            zone = UTC if self.style is TimeStyle.UTC else None
            try:
                moment = datetime.fromtimestamp(time, zone)
            except (ValueError, OverflowError, OSError):
                return f"{time:.3f}"
            return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"
        return f"{time - (self._origin or 0.0):.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One end of a range: seconds from the beginning, a date, or a time of the first day."""

    seconds: float | None = None
    date: float | None = None
    of_the_day: str = ""

    def resolve(self, origin: float) -> float:
        """Return the time to compare with; ``origin`` is the first time of the recording."""
        if self.seconds is not None:
            return self.seconds + (origin if is_date(origin) else 0.0)
        if self.date is not None:
            return self.date if is_date(origin) else math.nan
        if not is_date(origin):
            return math.nan
        day = datetime.fromtimestamp(origin).strftime("%Y-%m-%d")
        return datetime.fromisoformat(f"{day} {self.of_the_day}").timestamp()


def parse_moment(text: str) -> Moment:
    """Read ``12.5``, ``2026-11-21T12:00:05`` (local unless it has a zone) or ``12:00:05``.

    Raises ValueError for any other text.
    """
    if _SECONDS.fullmatch(text):
        return Moment(seconds=float(text.removesuffix("s")))
    try:
        if _OF_THE_DAY.fullmatch(text):
            clock = text if len(text.partition(":")[0]) == 2 else f"0{text}"
            datetime.fromisoformat(f"2000-01-01 {clock}")
            return Moment(of_the_day=clock)
        return Moment(date=datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"expected seconds, HH:MM:SS, or a date such as 2026-11-21T12:00:05, got {text!r}"
        ) from None


@dataclass(slots=True)
class TimeRange:
    """A range of one recording. Lines without a time belong to the line before."""

    since: Moment | None = None
    until: Moment | None = None
    _origin: float | None = None
    _last: float | None = None
    _limits: tuple[float, float] = field(default=(-math.inf, math.inf))

    def holds(self, time: float | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if time is not None:
            if self._origin is None:
                self._origin = time
                self._limits = (
                    self.since.resolve(time) if self.since is not None else -math.inf,
                    self.until.resolve(time) if self.until is not None else math.inf,
                )
            self._last = time
        return self._last is not None and self._limits[0] <= self._last <= self._limits[1]
