"""The members that the formatting shows: those of an object, or those .NET gives its type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psrp.clixml import DateTime, PSObject, TimeSpan, Version

__all__ = [
    "Enumeration",
    "long_date",
    "members_of",
    "members_of_time",
    "type_names_of",
]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TICK = timedelta(microseconds=1)
_MOST_MILLISECONDS = 922_337_203_685_477
_DATE = ("System.DateTime", "System.ValueType", "System.Object")
_SPAN = ("System.TimeSpan", "System.ValueType", "System.Object")
_GUID = ("System.Guid", "System.ValueType", "System.Object")


class Enumeration(str):
    """The name of a value of an enumeration of this process."""

    __slots__ = ()


def _naive(value: DateTime | datetime) -> tuple[datetime, int]:
    """Return the clock time and the ticks of 100 ns since year 1."""
    if isinstance(value, DateTime):
        return datetime.min + timedelta(microseconds=value.ticks // 10), value.ticks
    value = value.replace(tzinfo=None)
    return value, (value - datetime.min) // _TICK * 10


def _kind(value: DateTime | datetime) -> str:
    if isinstance(value, DateTime):
        return value.kind.value
    return "Unspecified" if value.tzinfo is None else "Local"


def long_date(value: DateTime | datetime) -> str:
    """Return ``Tuesday, 02 January 2024 03:04:05``."""
    moment, _ = _naive(value)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04} "
        f"{moment:%H:%M:%S}"
    )


def _moment(value: DateTime | datetime) -> dict[str, Any]:
    moment, ticks = _naive(value)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "Date": midnight,
        "Day": moment.day,
        "DayOfWeek": _DAYS[moment.weekday()],
        "DayOfYear": moment.timetuple().tm_yday,
        "Hour": moment.hour,
        "Kind": _kind(value),
        "Millisecond": moment.microsecond // 1000,
        "Microsecond": moment.microsecond % 1000,
        "Nanosecond": ticks % 10 * 100,
        "Minute": moment.minute,
        "Month": moment.month,
        "Second": moment.second,
        "Ticks": ticks,
        "TimeOfDay": TimeSpan(ticks % 864_000_000_000),
        "Year": moment.year,
        "DateTime": long_date(value),
    }


def _divided(ticks: int, by: int) -> tuple[int, int]:
    """Quotient and rest towards zero, as .NET divides."""
    quotient = -(-ticks // by) if ticks < 0 else ticks // by
    return quotient, ticks - quotient * by


def _span(value: TimeSpan | timedelta) -> dict[str, Any]:
    ticks = value.ticks if isinstance(value, TimeSpan) else value // _TICK * 10
    days, rest = _divided(ticks, 864_000_000_000)
    hours, rest = _divided(rest, 36_000_000_000)
    minutes, rest = _divided(rest, 600_000_000)
    seconds, rest = _divided(rest, 10_000_000)
    milliseconds, rest = _divided(rest, 10_000)
    microseconds, rest = _divided(rest, 10)
    return {
        "Ticks": ticks,
        "Days": days,
        "Hours": hours,
        "Milliseconds": milliseconds,
        "Microseconds": microseconds,
        "Nanoseconds": rest * 100,
        "Minutes": minutes,
        "Seconds": seconds,
        "TotalDays": ticks / 864_000_000_000,
        "TotalHours": ticks / 36_000_000_000,
        "TotalMilliseconds": min(ticks / 10_000, _MOST_MILLISECONDS),
        "TotalMicroseconds": ticks / 10,
        "TotalNanoseconds": float(ticks * 100),
        "TotalMinutes": ticks / 600_000_000,
        "TotalSeconds": ticks / 10_000_000,
    }


def _version(value: Version) -> dict[str, Any]:
    numbers = (*value.parts, -1, -1)[:4]
    names = ("Major", "Minor", "Build", "Revision")
    made: dict[str, Any] = dict(zip(names, numbers, strict=True))
    revision = made["Revision"]
    made["MajorRevision"] = revision >> 16 if revision >= 0 else -1
    made["MinorRevision"] = revision & 0xFFFF if revision >= 0 else -1
    return made


def _object(value: PSObject) -> dict[str, Any]:
    made = dict(value.items())
    if value.value is not None:
        enumeration = any(name.endswith("System.Enum") for name in value.type_names)
        if enumeration:
            made.setdefault("Value", value.to_string or value.value)
        else:
            inner = None if isinstance(value.value, PSObject) else members_of(value.value)
            if inner:
                made = {**inner, **made}
    return made


_MAKERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    PSObject: _object,
    DateTime: _moment,
    datetime: _moment,
    TimeSpan: _span,
    timedelta: _span,
    Version: _version,
    UUID: lambda value: {"Variant": value.bytes[8] >> 4, "Version": value.bytes[6] >> 4,
                         "Guid": str(value)},
}  # fmt: skip
_TYPE_NAMES: dict[type, tuple[str, ...]] = {
    DateTime: _DATE,
    datetime: _DATE,
    TimeSpan: _SPAN,
    timedelta: _SPAN,
    Version: ("System.Version", "System.Object"),
    UUID: _GUID,
}


def members_of(value: Any) -> dict[str, Any] | None:
    """Return the properties of ``value`` in order; None for a value that is shown as text."""
    for kind, make in _MAKERS.items():
        if isinstance(value, kind):
            return make(value)
    return None


def members_of_time(value: Any) -> dict[str, Any]:
    """Return the properties of a date or a span of time; none for anything else."""
    if isinstance(value, (DateTime, datetime, TimeSpan, timedelta)):
        return members_of(value) or {}
    return {}


def type_names_of(value: Any) -> tuple[str, ...]:
    """Return the .NET types of a value that has properties, most derived first."""
    if isinstance(value, PSObject):
        if value.type_names or value.value is None or isinstance(value.value, PSObject):
            return value.type_names
        return type_names_of(value.value)
    for kind, names in _TYPE_NAMES.items():
        if isinstance(value, kind):
            return names
    return tuple(getattr(value, "type_names", ()))
