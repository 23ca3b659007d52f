"""DateTime and TimeSpan in ticks of 100 ns, and their text in CLIXML. [MS-PSRP] 2.2.5.1.4-5

The lexical forms are those of XML Schema's dateTime and duration, as far as .NET's XmlConvert
accepts them: missing parts of a date are filled in, years and months of a duration count as 365
and 30 days. A time alone means "today" to .NET; here it is an error, because there is no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import Any, NoReturn, Self

__all__ = ["DateTime", "DateTimeKind", "TimeSpan", "parse_datetime", "parse_timespan"]

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNIX_EPOCH = 719_162 * DAY
"""The ticks of 1970-01-01."""
MAX_DATETIME = 3652059 * DAY - 1
_MIN = datetime.min
_from_days = date.fromordinal


class DateTimeKind(Enum):
    """The reference of the clock time of a `DateTime`."""

    UNSPECIFIED = "Unspecified"
    UTC = "Utc"
    LOCAL = "Local"


class _Frozen:
    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")


class DateTime(_Frozen):
    """System.DateTime, element DT.

    ticks: 100 ns since 0001-01-01T00:00 of the clock time as written, in its own zone.
    kind: UTC, a local clock, or unspecified.
    offset: minutes east of UTC; only for LOCAL, otherwise 0.
    """

    __slots__ = ("kind", "offset", "ticks")

    ticks: int
    kind: DateTimeKind
    offset: int

    def __init__(
        self, ticks: int, kind: DateTimeKind = DateTimeKind.UNSPECIFIED, offset: int = 0
    ) -> None:
        if not 0 <= ticks <= MAX_DATETIME:
            raise ValueError("ticks of a DateTime run from year 1 to year 9999")
        if offset and kind is not DateTimeKind.LOCAL:
            raise ValueError("only a local DateTime has an offset")
        if not -6000 < offset < 6000:
            raise ValueError("the offset is out of range")
        _set_ticks(self, ticks)
        _set_kind(self, kind)
        _set_offset(self, offset)

    @classmethod
    def from_datetime(cls, value: datetime) -> Self:
        """Return a DateTime: naive is UNSPECIFIED, `datetime.UTC` UTC, any other zone LOCAL."""
        since = value.replace(tzinfo=None) - _MIN
        ticks = (since.days * 86400 + since.seconds) * SECOND + since.microseconds * 10
        if value.tzinfo is UTC:
            return cls(ticks, DateTimeKind.UTC)
        away = value.utcoffset()
        if away is None:
            return cls(ticks)
        minutes, rest = divmod(away, timedelta(minutes=1))
        if rest:
            raise ValueError("an offset of odd seconds cannot be written")
        return cls(ticks, DateTimeKind.LOCAL, minutes)

    def to_datetime(self) -> datetime:
        """Return a datetime; the seventh digit of the second is cut off.

        Raises ValueError for an offset of a day or more, which Python has no zone for.
        """
        value = _MIN + timedelta(microseconds=self.ticks // 10)
        if self.kind is DateTimeKind.UTC:
            return value.replace(tzinfo=UTC)
        if self.kind is DateTimeKind.LOCAL:
            return value.replace(tzinfo=timezone(timedelta(minutes=self.offset)))
        return value

    @property
    def utc_ticks(self) -> int:
        """Ticks of the same moment in UTC; for UNSPECIFIED simply `ticks`."""
        return self.ticks - self.offset * MINUTE

    def __str__(self) -> str:
        seconds, fraction = divmod(self.ticks, SECOND)
        days, seconds = divmod(seconds, 86400)
        minutes, second = divmod(seconds, 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
        text = f"{_from_days(days + 1).isoformat()}T{clock}"
        if fraction:
            text += f".{fraction:07d}".rstrip("0")
        if self.kind is DateTimeKind.UTC:
            return text + "Z"
        if self.kind is DateTimeKind.LOCAL:
            hours, minutes = divmod(abs(self.offset), 60)
            text += f"{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}"
        return text

    def __repr__(self) -> str:
        return f"DateTime({str(self)!r}, {self.kind.name})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DateTime):
            return NotImplemented
        return (self.ticks, self.kind, self.offset) == (other.ticks, other.kind, other.offset)

    def __hash__(self) -> int:
        return hash((self.ticks, self.kind, self.offset))

    def __reduce__(self) -> tuple[Any, ...]:
        return DateTime, (self.ticks, self.kind, self.offset)


class TimeSpan(_Frozen):
    """System.TimeSpan, element TS: a signed 64-bit number of ticks of 100 ns."""

    __slots__ = ("ticks",)

    ticks: int

    def __init__(self, ticks: int) -> None:
        if not -(2**63) <= ticks < 2**63:
            raise ValueError("ticks of a TimeSpan are a signed 64-bit number")
        _set_span(self, ticks)

    @classmethod
    def from_timedelta(cls, value: timedelta) -> Self:
        """Return the exact TimeSpan. Raises ValueError beyond about 29,000 years."""
        seconds = value.days * 86400 + value.seconds
        return cls(seconds * SECOND + value.microseconds * 10)

    def to_timedelta(self) -> timedelta:
        """Return a timedelta; the last digit is rounded towards zero."""
        if self.ticks < 0:
            return -timedelta(microseconds=-self.ticks // 10)
        return timedelta(microseconds=self.ticks // 10)

    def __str__(self) -> str:
        days, rest = divmod(abs(self.ticks), DAY)
        hours, rest = divmod(rest, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        seconds, fraction = divmod(rest, SECOND)
        clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        if fraction:
            clock += f"{seconds}.{fraction:07d}".rstrip("0") + "S"
        elif seconds or not (clock or days):
            clock += f"{seconds}S"
        sign = "-P" if self.ticks < 0 else "P"
        return sign + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")

    def __repr__(self) -> str:
        return f"TimeSpan({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.ticks == other.ticks if isinstance(other, TimeSpan) else NotImplemented

    def __lt__(self, other: TimeSpan) -> bool:
        return self.ticks < other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def __reduce__(self) -> tuple[Any, ...]:
        return TimeSpan, (self.ticks,)


_Setter = Callable[[Any, Any], None]
_set_ticks: _Setter = DateTime.__dict__["ticks"].__set__
_set_kind: _Setter = DateTime.__dict__["kind"].__set__
_set_offset: _Setter = DateTime.__dict__["offset"].__set__
_set_span: _Setter = TimeSpan.__dict__["ticks"].__set__

_CLOCK_END = re.compile(r"(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-5][0-9])?")
# Compiled on first use, because together they take 1% of a server's start-up time.
_DATE = r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?(Z|[+-][0-9]{2}:[0-5][0-9])?"
_DURATION = (
    r"(-)?P(?!\Z)(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)D)?"
    r"(?:T(?!\Z)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:\.([0-9]*))?S)?)?"
)


def parse_datetime(text: str) -> DateTime:
    """Read a dateTime or a date, possibly cut after month or year. ValueError otherwise.

    An eighth digit of the second and those after it are rounded.
    """
    clock, rest = text[:19], text[19:]
    if clock[4:17:3] != "--T::" or len(clock) != 19:
        text = text.strip(" \t\r\n")
        clock, rest = text[:19], text[19:]
        if clock[4:17:3] != "--T::" or len(clock) != 19:
            match = re.fullmatch(_DATE, text)
            if match is None:
                raise ValueError("not a date and time")
            year, month, day, zone = match.groups()
            clock, rest = f"{year}-{month or '01'}-{day or '01'}T00:00:00", zone or ""
    since = datetime.fromisoformat(clock) - _MIN
    ticks = (since.days * 86400 + since.seconds) * SECOND
    if rest and rest != "Z":
        return _with_fraction(ticks, rest)
    moment: DateTime = DateTime.__new__(DateTime)
    _set_ticks(moment, ticks)
    _set_kind(moment, DateTimeKind.UTC if rest else DateTimeKind.UNSPECIFIED)
    _set_offset(moment, 0)
    return moment


def _with_fraction(ticks: int, rest: str) -> DateTime:
    match = _CLOCK_END.fullmatch(rest.rstrip(" \t\r\n"))
    if match is None:
        raise ValueError("not a date and time")
    digits, zone = match.groups()
    if digits:
        ticks += int(digits[:7].ljust(7, "0")) + (digits[7:8] >= "5")
    if zone is None or zone == "Z":
        return DateTime(ticks, DateTimeKind.UTC if zone else DateTimeKind.UNSPECIFIED)
    offset = int(zone[1:3]) * 60 + int(zone[4:])
    return DateTime(ticks, DateTimeKind.LOCAL, -offset if zone[0] == "-" else offset)


def parse_timespan(text: str) -> TimeSpan:
    """Read a duration. ValueError for anything else, weeks and a bare ``P`` included.

    An eighth digit of the second and those after it are cut off.
    """
    match = re.fullmatch(_DURATION, text.strip(" \t\r\n"))
    if match is None:
        raise ValueError("not a duration")
    sign, *parts, digits = match.groups()
    if any(part and len(part) > 30 for part in parts):
        raise ValueError("the duration is out of range")
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in parts)
    ticks = ((years * 365 + months * 30 + days) * 24 + hours) * HOUR
    ticks += minutes * MINUTE + seconds * SECOND + int((digits or "")[:7].ljust(7, "0"))
    return TimeSpan(-ticks if sign else ticks)
