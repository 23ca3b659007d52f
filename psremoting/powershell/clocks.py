"""Dates and time spans: parsed and written as in .NET's invariant culture."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache

from psrp.clixml import DateTime, DateTimeKind, TimeSpan

__all__ = ["clock_text", "parse_datetime", "parse_timespan", "span_text"]


_LONGEST = 100
_SECOND = 10**7
_DAY = 24 * 3600 * _SECOND
_SPAN = (
    r"(?P<minus>-)?(?:(?P<alone>\d{1,8})|"
    r"(?:(?P<days>\d{1,8})(?:\.|:(?=\d+:\d+:)))?(?P<hours>\d{1,8}):(?P<minutes>\d{1,8})"
    r"(?::(?P<seconds>\d{1,8})(?:\.(?P<parts>\d{1,7}))?)?)"
)
_SPAN_LIKE = r"-?\d+(?:[:.]\d+)*"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORD = re.compile(r"[A-Za-z]+")
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<seconds>\d{1,2})(?:\.(?P<parts>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AP]M))?(?:\s*(?P<zone>Z|GMT|[+-]\d{2}:?\d{2}))?"
)
_DATES = (
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
    r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4}|\d{2})",
    r"(?P<month>\d{1,2})[-/.,](?P<day>\d{1,2})",
    r"(?P<month>\d{1,2})[-/.,](?P<year>\d{3,4})",
    r"(?:(?P<weekday>[A-Za-z]+),?\s+)?(?P<name>[A-Za-z]+)\.?\s+(?P<day>\d{1,2})"
    r"(?:,?\s+(?P<year>\d{4}))?",
    r"(?:(?P<weekday>[A-Za-z]+),?\s+)?(?P<day>\d{1,2})[\s-](?P<name>[A-Za-z]+)[\s,-]+"
    r"(?P<year>\d{4})",
)
_FLAGS = re.ASCII | re.IGNORECASE


@cache
def _moments() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of dates; they are compiled when the first text is read."""
    return tuple(re.compile(rf"{each}(?:(?:T|\s)\s*{_CLOCK})?", _FLAGS) for each in _DATES)


@cache
def _time() -> re.Pattern[str]:
    return re.compile(_CLOCK, _FLAGS)


def parse_datetime(text: str, *, today: date | None = None) -> DateTime:
    """Read a date, a time or both; a time alone is today's, a zone leads to UTC.

    The month comes before the day unless the year is first. ``today`` defaults to the day on the
    machine's own clock. Raises ValueError with .NET's words.
    """
    bare = text.strip()
    if bare and len(bare) <= _LONGEST:
        for pattern in _moments():
            found = pattern.fullmatch(bare)
            if found is not None:
                return _moment(text, found, _date_of(text, found, today))
        found = _time().fullmatch(bare)
        if found is not None:
            return _moment(text, found, today or date.today())
        _refuse_word(text)
    raise _not_recognized(text)


def _not_recognized(text: str) -> ValueError:
    return ValueError(f"String '{text[:_LONGEST]}' was not recognized as a valid DateTime.")


def _refuse_word(text: str) -> None:
    """Raise ValueError for an unknown word, with its offset."""
    found = _WORD.search(text)
    if found is None or _known_word(found[0].casefold()):
        return
    # Words are recognized only where a token of a date may begin.
    before = text[: found.start()]
    if before.strip(" 0123456789"):
        return
    if before[:1].isspace():
        return
    at = found.start()
    raise ValueError(
        f"The string '{text[:_LONGEST]}' was not recognized as a valid DateTime. There is an "
        f"unknown word starting at index '{at}'."
    )


def _known_word(word: str) -> bool:
    names = (*_MONTHS, *_LONG, *_DAYS, *(each[:3] for each in _DAYS), "am", "pm", "gmt", "z")
    return word in names


def _date_of(text: str, found: re.Match[str], today: date | None) -> date:
    parts = found.groupdict()
    year = int(parts.get("year") or (today or date.today()).year)
    if len(parts.get("year") or "") == 2:
        year += 2000 if year < 50 else 1900
    if parts.get("name"):
        name = parts["name"].casefold()
        if name not in _MONTHS and name not in _LONG:
            _refuse_word(text)
            raise _not_recognized(text)
        month = (_MONTHS.index(name) if name in _MONTHS else _LONG.index(name)) + 1
    else:
        month = int(parts["month"])
    try:
        return date(year, month, int(parts.get("day") or 1))
    except ValueError:
        raise _not_recognized(text) from None


def _moment(text: str, found: re.Match[str], day: date) -> DateTime:
    ticks = (day.toordinal() - 1) * _DAY
    if found["hour"] is None:
        return DateTime(ticks)
    hour, minute = _hour(int(found["hour"]), found["half"]), int(found["minute"])
    second = int(found["seconds"] or 0)
    if not (0 <= hour < 24 and minute < 60 and second < 60):
        raise ValueError(
            f"The DateTime represented by the string '{text[:_LONGEST]}' is not supported in "
            "calendar 'System.Globalization.GregorianCalendar'."
        )
    ticks += ((hour * 60 + minute) * 60 + second) * _SECOND
    ticks += int((found["parts"] or "").ljust(7, "0")[:7])
    zone = found["zone"]
    if zone is None:
        return DateTime(ticks)
    return _in_local_time(ticks - _offset(zone) * 60 * _SECOND)


def _in_local_time(utc_ticks: int) -> DateTime:
    """Return a moment on this machine's clock, as .NET's Parse does."""
    moment = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_ticks // 10)
    away = moment.astimezone().utcoffset() or timedelta()
    minutes = int(away.total_seconds()) // 60
    return DateTime(utc_ticks + minutes * 60 * _SECOND, DateTimeKind.LOCAL, minutes)


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        return -1
    return hour % 12 + (12 if half.upper() == "PM" else 0)


def _offset(zone: str) -> int:
    """Return the minutes east of UTC."""
    if zone.upper() in ("Z", "GMT"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes


def parse_timespan(text: str) -> TimeSpan:
    """Read ``[-][d.]hh:mm[:ss[.fffffff]]``; a number alone is days. Raises ValueError."""
    bare = text.strip()
    found = re.fullmatch(_SPAN, bare, re.ASCII) if len(bare) <= _LONGEST else None
    if found is None:
        if re.fullmatch(_SPAN_LIKE, bare[:_LONGEST], re.ASCII) and "." not in bare:
            raise _out_of_range(text)
        raise ValueError(f"String '{text[:_LONGEST]}' was not recognized as a valid TimeSpan.")
    hours, minutes, seconds = (int(found[name] or 0) for name in ("hours", "minutes", "seconds"))
    days = int(found["alone"] or found["days"] or 0)
    if hours > 23 or minutes > 59 or seconds > 59 or days > 10675199:
        raise _out_of_range(text)
    ticks = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    ticks = ticks * _SECOND + int((found["parts"] or "").ljust(7, "0"))
    return TimeSpan(-ticks if found["minus"] else ticks)


def _out_of_range(text: str) -> ValueError:
    return ValueError(
        f"The TimeSpan string '{text[:_LONGEST]}' could not be parsed because at least one of the "
        "numeric components is out of range or contains too many digits."
    )


def clock_text(value: DateTime) -> str:
    """Return a date as the invariant culture writes it: ``01/02/2024 03:04:05``."""
    days, rest = divmod(value.ticks, _DAY)
    date = datetime.fromordinal(days + 1)
    seconds = rest // _SECOND
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{date.month:02d}/{date.day:02d}/{date.year:04d} {clock}"


def span_text(value: TimeSpan) -> str:
    """Return a time span as ``[-][d.]hh:mm:ss[.fffffff]``."""
    days, rest = divmod(abs(value.ticks), _DAY)
    seconds, fraction = divmod(rest, _SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if days:
        text = f"{days}.{text}"
    if fraction:
        text += f".{fraction:07d}"
    return f"-{text}" if value.ticks < 0 else text
