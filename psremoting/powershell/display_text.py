"""One value as text, in .NET's spelling with the invariant culture.

`text_of` is the text of a value on its own, `cell_text` the text that a cell of a table or a
line of a list holds, with ``{1, 2}`` for collections. Both take a `Budget`, so that shared values
that expand without end cost bounded work. See spec-notes/formatting.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from psremoting.powershell.clocks import clock_text, span_text
from psremoting.powershell.numerals import number_text
from psrp.clixml import (
    DateTime,
    Dictionary,
    MemberSet,
    ProgressRecord,
    PSObject,
    SecureString,
    Single,
    Stack,
    TimeSpan,
    XmlDocument,
)

__all__ = ["MAX_CHARACTERS", "Budget", "cell_text", "fixed_point", "text_of"]

MAX_CHARACTERS = 1_000_000
"""Maximum length of the text of one collection or object."""
ITEMS_SHOWN = 4
"""PowerShell's $FormatEnumerationLimit."""
_SEQUENCES = (list, tuple, set, frozenset)
_MAPPINGS = (Dictionary, dict)
_ELLIPSIS = "…"


class Budget:
    """The remaining number of characters for the text of one value."""

    __slots__ = ("left",)

    def __init__(self, characters: int = MAX_CHARACTERS) -> None:
        self.left = characters

    def take(self, text: str) -> str:
        """Return ``text``, or its start with an ellipsis when it is longer than what is left."""
        if len(text) > self.left:
            text = text[: max(self.left, 0)] + _ELLIPSIS
        self.left -= len(text)
        return text

    @property
    def spent(self) -> bool:
        return self.left <= 0


def text_of(value: Any) -> str:
    """Return a value that is not a collection as text; of a collection only the name of its type.

    This is the text that ``"$value"`` gives for a scalar. A secret gives its type's name.
    """
    if type(value) is str:
        return value
    if isinstance(value, PSObject):
        return _object_text(value)
    for kind, make in _SCALARS.items():
        if isinstance(value, kind):
            return make(value)
    if isinstance(value, (*_SEQUENCES, *_MAPPINGS)):
        return _type_name(value)
    return str(value)


def cell_text(value: Any, budget: Budget | None = None) -> str:
    """Return a value in a cell: at most four items of a collection in braces."""
    budget = budget or Budget()
    inner = _contents(value)
    if isinstance(inner, Stack):
        inner = inner[: -ITEMS_SHOWN - 2 : -1]
    if isinstance(inner, (bytes, bytearray, memoryview, *_SEQUENCES)):
        return _braces(inner, lambda item: _item(item, budget), budget)
    if isinstance(inner, (*_MAPPINGS, Mapping)):
        return _braces(inner.items(), lambda pair: _pair(pair, budget), budget)
    if type(value) is PSObject and value.to_string is None and value.value is None:
        return budget.take(_members(value, budget)) if len(value) else text_of(value)
    return text_of(value)


def _contents(value: Any) -> Any:
    """Return the collection inside an object, or the value itself."""
    if isinstance(value, PSObject) and isinstance(value.value, (bytes, *_SEQUENCES, *_MAPPINGS)):
        return value.value
    return value


def _braces(items: Iterable[Any], text: Callable[[Any], str], budget: Budget) -> str:
    shown = [text(item) for item in islice(items, ITEMS_SHOWN + 1)]
    if len(shown) > ITEMS_SHOWN:
        return budget.take("{" + ", ".join(shown[:ITEMS_SHOWN]) + _ELLIPSIS + "}")
    return "{" + ", ".join(shown) + "}"


def _item(value: Any, budget: Budget) -> str:
    """Return an item of a collection: a collection in it is joined with spaces."""
    if budget.spent:
        return _ELLIPSIS
    if value is None:
        return "$null"
    inner = _contents(value)
    if isinstance(inner, (bytes, *_SEQUENCES)):
        return _joined(inner, budget)
    return budget.take(_value_inside(value, budget))


def _pair(pair: tuple[Any, Any], budget: Budget) -> str:
    key, item = pair
    inner = _contents(item)
    # A local array shows its type name; a received one is an ArrayList and its items are joined.
    if isinstance(inner, _SEQUENCES) and hasattr(inner, "type_names"):
        shown = _joined(inner, budget)
    else:
        shown = "" if item is None else budget.take(_value_inside(item, budget))
    return f"[{budget.take(text_of(key))}, {shown}]"


def _joined(items: Iterable[Any], budget: Budget) -> str:
    parts: list[str] = []
    for item in items:
        if budget.spent:
            parts.append(_ELLIPSIS)
            break
        parts.append(budget.take(text_of(_contents(item)) + " ")[:-1])
    return " ".join(parts)


def _value_inside(value: Any, budget: Budget) -> str:
    if type(value) is PSObject and value.to_string is None and value.value is None:
        return _members(value, budget)
    return text_of(_contents(value))


def _members(value: PSObject, budget: Budget) -> str:
    """Return ``@{a=1; b=x}``, one level deep."""
    return "@{" + "; ".join(_member_texts(value, budget)) + "}"


def _member_texts(value: PSObject, budget: Budget) -> Iterator[str]:
    for name, item in value.items():
        if budget.spent:
            yield _ELLIPSIS
            return
        custom = type(item) is PSObject and item.to_string is None and item.value is None
        yield budget.take(f"{name}={'' if custom else text_of(_contents(item))}")


def _object_text(value: PSObject) -> str:
    """Return the text that came with the object, else that of its value, else its type's name."""
    seen = 0
    current: Any = value
    while isinstance(current, PSObject):
        if current.to_string is not None:
            return current.to_string
        seen += 1
        if current.value is None or seen > 50:
            return _type_name(current) if not len(current) or seen > 50 else _custom(current)
        current = current.value
    return text_of(current)


def _custom(value: PSObject) -> str:
    return _members(value, Budget())


def _type_name(value: Any) -> str:
    names: tuple[str, ...] = getattr(value, "type_names", ()) or ()
    if isinstance(value, PSObject):
        return names[0] if names else ""
    if isinstance(value, _MAPPINGS):
        return "System.Collections.Hashtable"
    return "System.Collections.ArrayList" if names else "System.Object[]"


# -- numbers, dates and spans


def _integer(value: int) -> str:
    return int.__repr__(value) if value.bit_length() <= 4096 else hex(value)


def _float(value: float) -> str:
    """Return the digits that PowerShell shows; a conversion to ``[string]`` gives all of them."""
    if value != value or value in (float("inf"), float("-inf")):
        return number_text(value)
    return f"{float(value):.{7 if isinstance(value, Single) else 15}G}"


def _decimal(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > 60:
        return str(value)
    return f"{value:f}"


def fixed_point(value: Any) -> str | None:
    """Return a fraction with two digits, as in a generated table; None for other values."""
    if isinstance(value, PSObject):
        value = value.value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return _float(value)
        return f"{float(value):.2f}"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 60:
        return f"{value:.2f}"
    return None


def _timedelta(value: timedelta) -> str:
    return span_text(TimeSpan.from_timedelta(value))


def _datetime(value: datetime) -> str:
    return clock_text(DateTime.from_datetime(value.replace(tzinfo=None)))


_SCALARS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda value: "True" if value else "False",
    XmlDocument: lambda _: "#document",
    str: str.__str__,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    UUID: str,
    DateTime: clock_text,
    datetime: _datetime,
    TimeSpan: span_text,
    timedelta: _timedelta,
    bytes: lambda _: "System.Byte[]",
    bytearray: lambda _: "System.Byte[]",
    memoryview: lambda _: "System.Byte[]",
    SecureString: lambda _: "System.Security.SecureString",
    MemberSet: lambda _: "System.Management.Automation.PSMemberSet",
    ProgressRecord: lambda value: f"parent = {value.parent_activity_id} id = {value.activity_id}",
}
"""Ordered, because a bool is an int in Python. Python enumerations are numbers."""
