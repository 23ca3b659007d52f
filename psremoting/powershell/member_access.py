"""Access to members: the properties of values by name, without regard to case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from psremoting.powershell.shown_members import members_of
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

__all__ = ["find_property", "properties", "property_of"]

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


_KEYS = ("System.Collections.Hashtable+KeyCollection", "System.Object")
_ORDERED = (
    "System.Collections.Specialized.OrderedDictionary+OrderedDictionaryKeyValueCollection",
    "System.Object",
)
_VALUES = ("System.Collections.Hashtable+ValueCollection", "System.Object")


@singledispatch
def properties(value: Any) -> dict[str, Any]:
    """Return the properties of a value, in order; empty for a value without any, such as a number.

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


@properties.register(DateTime)
@properties.register(datetime)
@properties.register(TimeSpan)
@properties.register(timedelta)
@properties.register(Version)
def _(value: Any) -> dict[str, Any]:
    found = dict(members_of(value) or {})
    if "Ticks" in found:
        found["Ticks"] = Int64(found["Ticks"])
    day = found.get("DayOfWeek")
    if day is not None:
        found["DayOfWeek"] = enum_object("System.DayOfWeek", _DAYS.index(day), day)
    return found


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


_OF_ARRAY = {
    "rank": 1,
    "longlength": None,
    "isreadonly": False,
    "isfixedsize": True,
    "issynchronized": False,
}
"""The properties of an array that it has beside Length and Count, by folded name."""


def _of_table(value: Dictionary | Mapping[Any, Any]) -> dict[str, Any]:
    """Return the properties of a hashtable or an ordered dictionary, by folded name."""
    ordered = isinstance(value, Dictionary) and "OrderedDictionary" in value.type_names[0]
    return {
        "count": len(value),
        "isreadonly": False,
        "isfixedsize": False,
        "issynchronized": False,
        "keys": List(value.keys(), _ORDERED) if ordered else Enumerable(value.keys(), _KEYS),
        "values": (
            List(value.values(), _ORDERED) if ordered else Enumerable(value.values(), _VALUES)
        ),
    }


def property_of(value: Any, name: str) -> Any:
    """Return ``value.name``: of a hashtable an entry or a property, of a collection without such
    a property those of its items, and None where there is nothing."""
    found, item = find_property(value, name)
    if found:
        return item
    folded = name.casefold()
    if isinstance(value, Dictionary | Mapping):
        return _of_table(value).get(folded)
    if isinstance(value, List | Stack | Queue | Enumerable | list):
        pairs = [find_property(each, name) for each in value]
        items = [item for has, item in pairs if has]
        if not items and folded in _OF_ARRAY:
            return Int64(len(value)) if folded == "longlength" else _OF_ARRAY[folded]
        return items[0] if len(items) == 1 else List(items) if items else None
    if folded in ("count", "length"):
        return 0 if value is None else 1
    return None
