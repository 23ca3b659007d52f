"""The text of any value, as PowerShell's conversion to ``[string]`` gives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psremoting.powershell.numerals import number_text
from psrp.clixml import (
    Char,
    DateTime,
    Dictionary,
    Enumerable,
    List,
    PSObject,
    Queue,
    SecureString,
    Single,
    Stack,
    TimeSpan,
    Version,
    XmlDocument,
)
from psrp.host import Credential
from psrp.properties import unwrap

__all__ = ["base_type", "clock_text", "span_text", "to_text", "type_name_of"]

_LONGEST = 1 << 20
"""Characters at which the text of a collection or of an object is cut."""
_SEQUENCES = (List, Enumerable, Stack, Queue)
_CUSTOM = "System.Management.Automation.PSCustomObject"
_DAY, _SECOND = 24 * 3600 * 10**7, 10**7
#: Types that a client rebuilds from their deserialized form.
_REBUILT = frozenset(
    {
        "System.Management.Automation.PSCredential",
        "System.Net.IPAddress",
        "System.Net.Mail.MailAddress",
    }
)
_SWITCH = "System.Management.Automation.SwitchParameter"


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


_NAMES: dict[type, str] = {
    bool: "System.Boolean",
    float: "System.Double",
    str: "System.String",
    bytes: "System.Byte[]",
    Decimal: "System.Decimal",
    datetime: "System.DateTime",
    DateTime: "System.DateTime",
    timedelta: "System.TimeSpan",
    TimeSpan: "System.TimeSpan",
    UUID: "System.Guid",
    Version: "System.Version",
    SecureString: "System.Security.SecureString",
    Credential: "System.Management.Automation.PSCredential",
    XmlDocument: "System.Xml.XmlDocument",
    list: "System.Object[]",
    tuple: "System.Object[]",
    dict: "System.Collections.Hashtable",
}
_SAME_NAME = frozenset(
    {"Byte", "Char", "Int16", "Int64", "SByte", "Single", "UInt16", "UInt32", "UInt64", "Uri"}
)


def type_name_of(value: Any, *, received: bool = False) -> str:
    """Return the .NET type name that PowerShell names for a value in an error."""
    kind = type(value)
    if received and kind in (list, tuple):
        return "System.Collections.ArrayList"
    if kind in _NAMES:
        return _NAMES[kind]
    if kind is int:
        return "System.Int32" if -(2**31) <= value < 2**31 else "System.Int64"
    if kind.__name__ in _SAME_NAME and kind.__module__.startswith("psrp."):
        return f"System.{kind.__name__}"
    if isinstance(value, PSObject):
        return _object_type(value, received)
    if isinstance(value, (List, Enumerable)):
        return "System.Collections.ArrayList" if received else (*value.type_names, "")[0]
    if isinstance(value, (Stack, Queue)):
        return f"System.Collections.{kind.__name__}"
    if isinstance(value, Dictionary):
        return (*value.type_names, "System.Collections.Hashtable")[0]
    if isinstance(value, str):
        # A script block arrives as its text.
        return "System.String" if received else "System.Management.Automation.ScriptBlock"
    if isinstance(value, Mapping):
        return _NAMES[dict]
    return "System.Object"


def _object_type(value: PSObject, received: bool) -> str:
    inner = unwrap(value)
    if inner is not None and not isinstance(inner, PSObject):
        return type_name_of(inner, received=received)
    name = value.type_names[0] if value.type_names else _CUSTOM
    if name in _REBUILT or name == _SWITCH or not received or name.startswith("Deserialized."):
        return name
    return f"Deserialized.{name}"


def base_type(value: Any, *, received: bool = False) -> str:
    """Return the name of the .NET type inside an object; PSCustomObject where there is none."""
    if isinstance(value, PSObject):
        inner = unwrap(value)
        if inner is None or isinstance(inner, PSObject):
            name = type_name_of(value, received=received)
            return name if name in _REBUILT or name == _SWITCH else _CUSTOM
        return type_name_of(inner, received=received)
    return type_name_of(value, received=received)
