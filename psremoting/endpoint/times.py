"""Times as people type them, read as .NET reads them in its invariant culture."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from psrp.clixml import DateTime, TimeSpan

__all__ = ["read_datetime", "read_timedelta"]

_SPAN = re.compile(
    r"(?P<minus>-)?(?:(?P<alone>\d{1,8})|"
    r"(?:(?P<days>\d{1,8})(?:\.|:(?=\d+:\d+:)))?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?:\.(?P<parts>\d{1,7}))?)?)",
    re.ASCII,
)
_MOMENT = re.compile(
    r"(?:(?P<date>(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
    r"|(?P<month_first>\d{1,2})[-/.](?P<second>\d{1,2})[-/.](?P<last>\d{4}))(?:[T\s]\s*|\Z))?"
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<seconds>\d{2})(?:\.(?P<parts>\d{1,7}))?)?"
    r"(?:\s*(?P<half>[AP]M))?(?:\s*(?P<zone>Z|[+-]\d{2}:\d{2}))?)?",
    re.ASCII | re.IGNORECASE,
)


def read_datetime(value: Any) -> datetime:
    """Month before day where the year is last; a time alone is today's. Raises ValueError."""
    if isinstance(value, DateTime):
        return value.to_datetime()
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        found = _MOMENT.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"String '{text[:100]}' was not recognized as a valid DateTime.")
    day = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if found["date"]:
        day = datetime(
            int(found["year"] or found["last"]),
            int(found["month"] or found["month_first"]),
            int(found["day"] or found["second"]),
        )
    if found["hour"] is None:
        return day
    return day.replace(
        hour=_hour(int(found["hour"]), found["half"]),
        minute=int(found["minute"]),
        second=int(found["seconds"] or 0),
        microsecond=_microseconds(found["parts"]),
        tzinfo=_zone(found["zone"]),
    )


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} {half} is no time of the day")
    return hour % 12 + (12 if half.upper() == "PM" else 0)


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:]))
    return timezone(-offset if text[0] == "-" else offset)


def _microseconds(parts: str | None) -> int:
    return int((parts or "").ljust(6, "0")[:6])


def read_timedelta(value: Any) -> timedelta:
    """A number alone is seconds, as a text days; else ``[-][d.]hh:mm[:ss[.fffffff]]``.

    Raises ValueError.
    """
    if isinstance(value, TimeSpan):
        return value.to_timedelta()
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).strip()
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"String '{text[:100]}' was not recognized as a valid TimeSpan.")
    hours, minutes, seconds = (int(found[name] or 0) for name in ("hours", "minutes", "seconds"))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError("At least one of the numeric components is out of range or too large.")
    made = timedelta(
        days=int(found["alone"] or found["days"] or 0),
        hours=hours,
        minutes=minutes,
        seconds=seconds,
        microseconds=_microseconds(found["parts"]),
    )
    return -made if found["minus"] else made
