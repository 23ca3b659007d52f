"""Conversion of the results of Python functions to objects for the client.

PowerShell's pipeline enumerates collections: every Python iterable becomes one object per item.
Text, bytes, tables, data classes and named tuples stay single objects.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

from psrp.clixml import (
    Char,
    DateTime,
    Dictionary,
    Enumerable,
    Int64,
    List,
    PSObject,
    Queue,
    ScriptBlock,
    SecureString,
    SizedInt,
    Stack,
    TimeSpan,
    Uri,
    Version,
    XmlDocument,
)
from psrp.clixml import ProgressRecord as ProgressValue
from psrp.host import Credential
from psrp.host_types import CREDENTIAL
from psrp.properties import enum_object
from psrp.records import ErrorRecord

__all__ = ["as_clixml", "unroll"]

_MAX_DEPTH = 24
_ORDERED = ("System.Collections.Specialized.OrderedDictionary", "System.Object")

_AS_THEY_ARE = frozenset(
    {
        *(type(None), bool, int, float, str, bytes, Decimal, UUID, datetime, timedelta),
        *(Char, DateTime, Dictionary, Enumerable, Int64, List, PSObject, Queue, ScriptBlock),
        *(SecureString, Stack, TimeSpan, Uri, Version, XmlDocument, ProgressValue),
        *SizedInt.__subclasses__(),
    }
)
_SINGLE = _AS_THEY_ARE - {Enumerable, List, Queue, Stack} | {dict}
_WHOLE = (str, bytes, bytearray, memoryview, Mapping, PSObject, enum.Enum, type)
"""Iterable types that stay one object."""


def unroll(value: Any) -> Iterable[Any]:
    """Return the pipeline objects for a result; none for None."""
    if value is None:
        return ()
    if type(value) in _SINGLE:
        return (value,)
    items = _items(value)
    return (value,) if items is None else items


def _items(value: Any) -> Iterable[Any] | None:
    """Return the items of a collection, None for a single object."""
    if isinstance(value, (list, Iterator)):
        return value
    if isinstance(value, _WHOLE) or hasattr(value, "_fields") or is_dataclass(value):
        return None
    if callable(plain := getattr(value, "tolist", None)):
        # Arrays of numbers, and the numbers in them, have this method in common.
        made = plain()
        return made if isinstance(made, list) else None
    return value if isinstance(value, Iterable) and not _is_table(value) else None


def _is_table(value: Any) -> bool:
    """Return True for a Mapping, and for a database row, which has keys and is none."""
    kind = type(value)
    return issubclass(kind, Mapping) or (hasattr(kind, "keys") and hasattr(kind, "__getitem__"))


def as_clixml(value: Any) -> Any:
    """Return ``value`` in the types that CLIXML knows.

    Data classes and named tuples become objects with their fields, other objects with their
    public attributes; an enum keeps its name, a table its order. What nests deeper than 24
    levels, and a value inside itself, becomes a text, as in PowerShell.
    """
    if type(value) in _AS_THEY_ARE:
        return value
    return _Writer().write(value, 0)


class _Writer:
    """Converts one value. A value that occurs twice is converted once."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._inside: set[int] = set()

    def write(self, value: Any, depth: int) -> Any:
        if type(value) in _AS_THEY_ARE:
            return value
        key = id(value)
        if key in self._made:
            return self._made[key]
        if depth > _MAX_DEPTH or key in self._inside:
            return _shown(value)
        self._inside.add(key)
        try:
            made = self._write(value, depth)
        finally:
            self._inside.remove(key)
        # The value is kept alive, so that its id stays unique.
        self._kept.append(value)
        self._made[key] = made
        return made

    def _write(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, enum.Enum):
            return self._enum(value, depth)
        if kind is dict or _is_table(value):
            pairs = [
                (self.write(name, depth + 1), self.write(value[name], depth + 1))
                for name in value.keys()  # noqa: SIM118 - a row iterates over its values
            ]
            return Dictionary(pairs, _ORDERED)
        if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
            return self._object(kind, dict(zip(names, value, strict=False)), depth)
        if (items := _items(value)) is not None:
            return List([self.write(item, depth + 1) for item in items])
        for base, convert in _CONVERTERS:
            if isinstance(value, base):
                return convert(value)
        if is_dataclass(value) and not isinstance(value, type):
            members = {each.name: getattr(value, each.name) for each in fields(value)}
            return self._object(kind, members, depth)
        if callable(plain := getattr(value, "tolist", None)) and type(made := plain()) is not kind:
            return self.write(made, depth + 1)
        return self._any_object(value, depth)

    def _enum(self, value: enum.Enum, depth: int) -> Any:
        if isinstance(value.value, int) and -(2**31) <= value.value < 2**31:
            return enum_object(type(value).__qualname__, int(value.value), value.name)
        return self.write(value.value, depth + 1) if isinstance(value, str) else value.name

    def _object(self, kind: type, members: Mapping[str, Any], depth: int) -> PSObject:
        types = (
            kind.__qualname__,
            "System.Management.Automation.PSCustomObject",
            "System.Object",
        )
        notes = {name: self.write(item, depth + 1) for name, item in members.items()}
        return PSObject(types, extended=notes)

    def _any_object(self, value: Any, depth: int) -> Any:
        kind: Any = type(value)
        members = {name: item for name, item in _attributes(value) if not name.startswith("_")}
        has_text = kind.__str__ is not object.__str__
        if not members or isinstance(value, type):
            # The default text of an object contains its memory address.
            has_repr = kind.__repr__ is not object.__repr__
            return str(value) if has_text or has_repr else kind.__qualname__
        made = self._object(kind, members, depth)
        if has_text:
            made.to_string = str(value)
        return made


def _shown(value: Any) -> str:
    """Return the text in place of a value that is not written any deeper."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return "System.Object[]"
    if isinstance(value, Mapping):
        return _ORDERED[0]
    return type(value).__qualname__


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    for base in reversed(type(value).__mro__):
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                yield name, getattr(value, name)
    yield from getattr(value, "__dict__", {}).items()


_CONVERTERS: tuple[tuple[type, Any], ...] = (
    (ErrorRecord, lambda value: value.to_object()),
    (Credential, CREDENTIAL.write),
    (PurePath, str),
    (date, lambda value: datetime(value.year, value.month, value.day)),
    (time, lambda value: value.isoformat()),
    (BaseException, str),
    (SizedInt, lambda value: value),
    (int, int),
    (float, float),
    (str, str.__str__),
    (bytearray, bytes),
    (memoryview, bytes),
)
