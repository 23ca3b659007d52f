"""The properties of values, by name and without regard to case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from psrp.clixml import (
    DateTime,
    Dictionary,
    Enumerable,
    Int64,
    List,
    PSObject,
    Queue,
    ScriptBlock,
    Stack,
    TimeSpan,
    Uri,
    Version,
)
from psrp.properties import enum_object
from psrp.sansio import LocalProtocolError

__all__ = ["find_property", "properties", "property_of"]

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_DAY_OF_WEEK = "System.DayOfWeek"

_KEYS = ("System.Collections.Hashtable+KeyCollection", "System.Object")
_VALUES = ("System.Collections.Hashtable+ValueCollection", "System.Object")


@singledispatch
def properties(value: Any) -> dict[str, Any]:
    """The properties of a value, in order; empty for a value without any, such as a number.

    Register a function for a class of your own with ``properties.register``.
    """
    return {}


@properties.register
def _(value: PSObject) -> dict[str, Any]:
    found = dict(value.items())
    if value.value is not None:
        return {**properties(value.value), **found}
    return found


@properties.register(Dictionary)
@properties.register(Mapping)
def _(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()}


@properties.register
def _(value: str) -> dict[str, Any]:
    return {"Length": len(value.encode("utf-16-le", "surrogatepass")) // 2}


@properties.register
def _(value: ScriptBlock) -> dict[str, Any]:
    return {}


@properties.register(list)
def _(value: Any) -> dict[str, Any]:
    return {"Length": len(value), "Count": len(value)}


@properties.register
def _(value: bytes) -> dict[str, Any]:
    return {"Length": len(value), "Count": len(value)}


@properties.register
def _(value: Version) -> dict[str, Any]:
    parts = [*value.parts, -1, -1, -1][:4]
    return dict(zip(("Major", "Minor", "Build", "Revision"), parts, strict=True))


@properties.register
def _(value: Uri) -> dict[str, Any]:
    from urllib.parse import urlsplit

    parts = urlsplit(value)
    return {
        "AbsoluteUri": str(value),
        "Host": parts.hostname or "",
        "Scheme": parts.scheme,
        "AbsolutePath": parts.path or "/",
        "Query": f"?{parts.query}" if parts.query else "",
        "OriginalString": str(value),
    }


@properties.register
def _(value: timedelta) -> dict[str, Any]:
    return properties(TimeSpan.from_timedelta(value))


@properties.register
def _(value: TimeSpan) -> dict[str, Any]:
    sign = -1 if value.ticks < 0 else 1
    ticks = abs(value.ticks)
    sizes = {
        "Days": 864 * 10**9, "Hours": 36 * 10**9, "Minutes": 6 * 10**8, "Seconds": 10**7,
        "Milliseconds": 10**4,
    }  # fmt: skip
    found: dict[str, Any] = {"Ticks": Int64(value.ticks)}
    rest = ticks
    for name, size in sizes.items():
        whole, rest = divmod(rest, size)
        found[name] = sign * whole
    return found | {f"Total{name}": value.ticks / size for name, size in sizes.items()}


@properties.register
def _(value: datetime) -> dict[str, Any]:
    return properties(DateTime.from_datetime(value))


@properties.register
def _(value: DateTime) -> dict[str, Any]:
    ticks = value.ticks
    time_of_day = ticks % (864 * 10**9)
    try:
        day = datetime.fromordinal(ticks // (864 * 10**9) + 1)
    except (LocalProtocolError, ValueError, OverflowError):
        return {}
    clock = properties(TimeSpan(time_of_day))
    return {
        "Date": DateTime(ticks - time_of_day, value.kind),
        "Day": day.day,
        "DayOfWeek": enum_object(_DAY_OF_WEEK, day.isoweekday() % 7, _DAYS[day.isoweekday() % 7]),
        "DayOfYear": day.timetuple().tm_yday,
        "Hour": clock["Hours"],
        "Kind": value.kind.value,
        "Millisecond": clock["Milliseconds"],
        "Minute": clock["Minutes"],
        "Month": day.month,
        "Second": clock["Seconds"],
        "Ticks": Int64(ticks),
        "TimeOfDay": TimeSpan(time_of_day),
        "Year": day.year,
    }


def find_property(value: Any, name: str) -> tuple[bool, Any]:
    """Return whether a value has a property, and its value."""
    known = properties(value)
    if name in known:
        return True, known[name]
    folded = name.casefold()
    for each, item in known.items():
        if each.casefold() == folded:
            return True, item
    return False, None


def property_of(value: Any, name: str) -> Any:
    """Return ``value.name``: of a hashtable an entry or a property, of a collection without such
    a property those of its items, and None where there is nothing."""
    found, item = find_property(value, name)
    if found:
        return item
    folded = name.casefold()
    if isinstance(value, Dictionary | Mapping):
        return {
            "count": len(value),
            "keys": Enumerable(value.keys(), _KEYS),
            "values": Enumerable(value.values(), _VALUES),
        }.get(folded)
    if isinstance(value, List | Stack | Queue | Enumerable | list):
        pairs = [find_property(each, name) for each in value]
        items = [item for has, item in pairs if has]
        return items[0] if len(items) == 1 else List(items) if items else None
    if folded in ("count", "length"):
        return 0 if value is None else 1
    return None
