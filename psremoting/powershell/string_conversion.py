"""The text of any value, as PowerShell's conversion to ``[string]`` gives it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psremoting.powershell.clocks import clock_text, span_text
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.numerals import number_text
from psrp.clixml import (
    Char,
    DateTime,
    Enumerable,
    List,
    PSObject,
    Queue,
    Single,
    Stack,
    TimeSpan,
    Version,
    XmlDocument,
)
from psrp.properties import unwrap

__all__ = ["to_text"]

_LONGEST = 1 << 20
"""Characters at which the text of a collection or of an object is cut."""
_SEQUENCES = (List, Enumerable, Stack, Queue)
_CUSTOM = "System.Management.Automation.PSCustomObject"


def to_text(value: Any, *, received: bool = False) -> str:
    """Return ``value`` as ``[string]`` does; several items with blanks between them.

    ``received`` means that the value came over the wire, where every list is an ArrayList.
    Of a very long collection or object at most 2**20 characters are made.
    """
    if isinstance(value, _SEQUENCES) or type(value) in (list, tuple):
        items = reversed(value) if isinstance(value, Stack) else value
        return _joined((_item_text(item, received) for item in items), " ")
    return _item_text(value, received)


def _joined(parts: Iterable[str], between: str) -> str:
    kept: list[str] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part) + len(between)
        if length > _LONGEST:
            break
    return between.join(kept)[:_LONGEST]


def _item_text(value: Any, received: bool = False) -> str:
    """Return what ``ToString`` gives in the invariant culture."""
    if value is None:
        return ""
    if isinstance(value, PSObject):
        return _object_text(value, received)
    maker = _TEXTS.get(type(value))
    if maker is not None:
        return str(maker(value))
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float, Decimal)):
        return number_text(_fewer_digits(value))
    if isinstance(value, datetime):
        return clock_text(DateTime.from_datetime(value))
    if isinstance(value, timedelta):
        return span_text(TimeSpan.from_timedelta(value))
    return type_name_of(value, received=received)


def _fewer_digits(value: int | float | Decimal) -> int | float | Decimal:
    """Round a Double to 15 digits and a Single to 7, as the conversion to a string does."""
    if isinstance(value, Single):
        return Single(f"{value:.7g}")
    return float(f"{value:.15g}") if isinstance(value, float) else value


def _object_text(value: PSObject, received: bool) -> str:
    if value.to_string is not None:
        return value.to_string
    inner = unwrap(value)
    if inner is None:
        return "" if value.value is not None else _members_text(value)
    if inner is not value:
        return _item_text(inner, received)
    return _members_text(value)


def _members_text(value: PSObject) -> str:
    if value.type_names[:1] != (_CUSTOM,) and not value.extended:
        return value.type_names[0] if value.type_names and not value.adapted else ""
    if not value.extended:
        return ""
    # What an object holds is shown one level deep, as PowerShell does.
    inner = _joined((f"{name}={_member_text(item)}" for name, item in value.extended.items()), "; ")
    return f"@{{{inner}}}"


def _member_text(value: Any) -> str:
    if isinstance(value, PSObject) and value.to_string is None and value.value is None:
        return ""
    return to_text(value) if not isinstance(value, _SEQUENCES) else type_name_of(value)


def _boolean(value: bool) -> str:
    return "True" if value else "False"


_TEXTS: dict[type, Any] = {
    bool: _boolean,
    str: str,
    UUID: str,
    Char: str.__str__,
    Version: str.__str__,
    DateTime: clock_text,
    TimeSpan: span_text,
    XmlDocument: lambda _: "System.Xml.XmlDocument",
}
