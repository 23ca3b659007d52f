"""Values as JSON for people: no types, no references. See spec-notes/clixml-json.md#plain."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

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
)
from psrp.sansio import LocalProtocolError

__all__ = ["CYCLE", "MASK", "MOST", "Number", "PlainItems", "dumps", "plain_json"]

MOST = 5_000_000
"""Maximum number of printed values; shared parts are printed each time they occur."""
_MOST_CHARACTERS = 200_000_000
"""Maximum total length of all texts in characters, for the same reason."""
_MAX_DEPTH = 100

CYCLE = "(contains itself)"
MASK = "********"
"""Replacement text for a secret."""

_CONTROLS = re.compile("[\x7f-\x9f]")
_BIG_INTEGER = "System.Numerics.BigInteger"
_REGEX = "System.Text.RegularExpressions.Regex"
_TAGS = {"pscomputername", "runspaceid", "psshowcomputername"}


class Number(str):
    """A number as its digits, for values that a float cannot represent exactly."""

    __slots__ = ()


def plain_json(value: Any) -> Any:
    """Return ``value`` in the types of JSON, and `Number`.

    Bytes become base64, dates and spans ISO 8601 text with all seven digits, an enumeration and a
    regular expression their text, a secret `MASK`. A primitive with notes is an object with
    ``value``. A part that occurs several times is printed each time. Raises LocalProtocolError
    for what is not a CLIXML value, for nesting deeper than 100 and for more than `MOST` values.
    """
    return _Unfolding().make(value, 0)


class PlainItems:
    """Writes the values of a stream one by one, with `MOST` for the parts that occur again."""

    def __init__(self) -> None:
        self._unfolding = _Unfolding()

    def write(self, value: Any, read: int) -> Any:
        """Return the form of the next value; ``read`` is the size of the text since the last."""
        self._unfolding.allow(read)
        return self._unfolding.make(value, 0)


class _Unfolding:
    def __init__(self) -> None:
        self._count = 0
        self._characters = 0
        self._read = 0
        self._open: set[int] = set()
        """The containers being converted; meeting one of them again is a cycle."""

    def allow(self, size: int) -> None:
        """Allow for the values and texts that occur in a text of this size."""
        self._read += size

    def make(self, value: Any, depth: int) -> Any:
        self._count += 1
        if self._count > MOST + self._read:
            raise LocalProtocolError(f"more than {MOST} values when shared parts are unfolded")
        if depth > _MAX_DEPTH:
            raise LocalProtocolError(f"nested more than {_MAX_DEPTH} deep")
        if isinstance(value, PSObject):
            return self._once(value, lambda: self._object(value, depth))
        if isinstance(value, Dictionary | Mapping):
            return self._once(value, lambda: self._entries(value, depth))
        if isinstance(value, Stack):
            return self._once(value, lambda: self._items(reversed(value), depth))
        if isinstance(value, list | tuple | set | frozenset):
            return self._once(value, lambda: self._items(value, depth))
        return self._leaf(value)

    def _once(self, value: Any, make: Callable[[], Any]) -> Any:
        if id(value) in self._open:
            return CYCLE
        self._open.add(id(value))
        try:
            return make()
        finally:
            self._open.discard(id(value))

    def _items(self, value: Iterable[Any], depth: int) -> list[Any]:
        return [self.make(item, depth + 1) for item in value]

    def _entries(self, value: Any, depth: int) -> Any:
        pairs = list(value.items())
        if isinstance(value, MemberSet):
            return {str.__str__(name): self.make(item, depth + 1) for name, item in pairs}
        keys = [self._key(key, depth) for key, _ in pairs]
        made = {key: self.make(item, depth + 1) for key, (_, item) in zip(keys, pairs, strict=True)}
        if len(made) == len(pairs):
            return made
        return [[self.make(key, depth + 1), self.make(item, depth + 1)] for key, item in pairs]

    def _key(self, key: Any, depth: int) -> str:
        """Return the text of a key, because names in JSON are strings."""
        made = self.make(key, depth + 1)
        return made if type(made) is str else dumps(made)

    def _object(self, value: PSObject, depth: int) -> Any:
        names = {name.removeprefix("Deserialized.") for name in value.type_names}
        if value.to_string is not None:
            if _BIG_INTEGER in names and value.to_string.removeprefix("-").isdecimal():
                return self._noted(Number(value.to_string), value.extended, depth)
            if "System.Enum" in names or _REGEX in names:
                return self._noted(self._text(value.to_string), value.extended, depth)
        if value.value is None:
            if value.to_string is not None and not len(value):
                return self._text(value.to_string)
            return self._members(value, depth)
        made = self.make(value.value, depth + 1)
        if isinstance(value.value, list | tuple | Dictionary | dict | PSObject):
            return made
        return self._noted(made, value, depth)

    def _noted(self, made: Any, notes: Any, depth: int) -> Any:
        """Return ``made`` with the notes of its object, except those of Invoke-Command."""
        names = [name for name in notes if name.casefold() not in _TAGS]
        if not names:
            return made
        return {"value": made, **{name: self.make(notes[name], depth + 1) for name in names}}

    def _members(self, value: PSObject, depth: int) -> dict[str, Any]:
        return {str.__str__(name): self.make(value[name], depth + 1) for name in value}

    def _leaf(self, value: Any) -> Any:
        for kind, convert in _LEAVES.items():
            if isinstance(value, kind):
                made = convert(value)
                return self._text(made) if type(made) is str else made
        raise LocalProtocolError(f"{type(value).__name__} is not a CLIXML value")

    def _text(self, text: str) -> str:
        self._characters += len(text)
        if self._characters > _MOST_CHARACTERS + self._read:
            raise LocalProtocolError("too much text when shared parts are unfolded")
        return text


def _float(value: float) -> Any:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Single):
        shortest = (f"{float(value):.{digits}g}" for digits in range(6, 10))
        text = next((each for each in shortest if Single(each) == value), repr(float(value)))
        return Number(text if any(mark in text for mark in ".e") else f"{text}.0")
    return float(value)


def _decimal(value: Decimal) -> Any:
    return Number(f"{value:f}") if abs(value.adjusted()) < 100 else str(value)


def _progress(value: ProgressRecord) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


_LEAVES: dict[type, Callable[[Any], Any]] = {
    type(None): lambda _: None,
    bool: bool,
    int: int,
    float: _float,
    str: str.__str__,
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    bytearray: lambda value: base64.b64encode(value).decode("ascii"),
    DateTime: str,
    TimeSpan: str,
    datetime: datetime.isoformat,
    timedelta: lambda value: str(TimeSpan.from_timedelta(value)),
    Decimal: _decimal,
    UUID: str,
    SecureString: lambda _: MASK,
    ProgressRecord: _progress,
}


def dumps(value: Any, *, indent: int = 0, compact: bool = False, level: int = 0) -> str:
    """Return a result of `plain_json` as JSON text, on one line or indented by ``indent``.

    ``level`` is the number of containers around the value.
    """
    pieces: list[str] = []
    line_end = "\n" + " " * indent * level if indent else ""
    _write(value, pieces, line_end, " " * indent, compact)
    # A lone surrogate has the same escape in JSON and in Python.
    return "".join(pieces).encode("utf-8", "backslashreplace").decode("utf-8")


def _quoted(value: Any) -> str:
    """Return ``value`` as JSON, with all control characters escaped."""
    return _CONTROLS.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False)
    )


def _write(value: Any, pieces: list[str], line_end: str, step: str, compact: bool) -> None:
    if isinstance(value, Number):
        pieces.append(str.__str__(value))
    elif isinstance(value, dict) and value:
        _block("{}", value.items(), pieces, line_end, step, compact)
    elif isinstance(value, list) and value:
        _block("[]", value, pieces, line_end, step, compact)
    else:
        pieces.append(_quoted(value))


def _block(
    brackets: str, items: Iterable[Any], pieces: list[str], line_end: str, step: str, compact: bool
) -> None:
    inner = line_end + step if line_end else ""
    separator = "," if compact or line_end else ", "
    pieces.append(brackets[0])
    for at, item in enumerate(items):
        pieces.append((separator if at else "") + inner)
        if brackets == "{}":
            name, item = item
            pieces.append(_quoted(name) + (":" if compact else ": "))
        _write(item, pieces, inner, step, compact)
    pieces.append(line_end + brackets[1])
