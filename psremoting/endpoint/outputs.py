"""From what a Python function gives to the objects that a client gets.

PowerShell's pipeline takes collections apart: whatever Python iterates becomes one object per
item. Text, bytes, tables, data classes and named tuples stay whole.
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
from psrp.sansio import LocalProtocolError

__all__ = ["as_clixml", "unroll"]

_MAX_DEPTH = 24

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
"""What a pipeline leaves as it is, though it can be iterated."""


def unroll(value: Any) -> Iterable[Any]:
    """The objects that a result puts into the pipeline; none for None."""
    if value is None:
        return ()
    if type(value) in _SINGLE:
        return (value,)
    items = _items(value)
    return (value,) if items is None else items


def _items(value: Any) -> Iterable[Any] | None:
    """What a collection holds; None for what is one object."""
    if isinstance(value, (list, Iterator)):
        return value
    if isinstance(value, _WHOLE) or hasattr(value, "_fields") or is_dataclass(value):
        return None
    if callable(plain := getattr(value, "tolist", None)):
        # Arrays of numbers, and the numbers in them, have no other way in common.
        made = plain()
        return made if isinstance(made, list) else None
    return value if isinstance(value, Iterable) and not _is_table(value) else None


def _is_table(value: Any) -> bool:
    """A row of a database has names for what is in it, and is no Mapping."""
    kind = type(value)
    return issubclass(kind, Mapping) or (hasattr(kind, "keys") and hasattr(kind, "__getitem__"))


def as_clixml(value: Any, depth: int = 0) -> Any:
    """``value`` in the types that CLIXML knows. Raises LocalProtocolError when it nests too deep.

    Data classes and named tuples become objects with their fields, other objects with their
    public attributes; an enum keeps its name.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if depth > _MAX_DEPTH:
        raise LocalProtocolError(f"a value nests more than {_MAX_DEPTH} deep")
    if isinstance(value, enum.Enum):
        return _enum(value, depth)
    if kind is dict or _is_table(value):
        return Dictionary(
            [
                (as_clixml(name, depth + 1), as_clixml(value[name], depth + 1))
                for name in value.keys()  # noqa: SIM118 - a row iterates over its values
            ]
        )
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
        return _object(kind, dict(zip(names, value, strict=False)), depth)
    if (items := _items(value)) is not None:
        return List([as_clixml(item, depth + 1) for item in items])
    for base, convert in _CONVERTERS:
        if isinstance(value, base):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        members = {each.name: getattr(value, each.name) for each in fields(value)}
        return _object(kind, members, depth)
    if callable(plain := getattr(value, "tolist", None)) and type(made := plain()) is not kind:
        return as_clixml(made, depth + 1)
    return _any_object(value, depth)


def _enum(value: enum.Enum, depth: int) -> Any:
    if isinstance(value.value, int) and -(2**31) <= value.value < 2**31:
        return enum_object(type(value).__qualname__, int(value.value), value.name)
    return as_clixml(value.value, depth + 1) if isinstance(value, str) else value.name


def _object(kind: type, members: Mapping[str, Any], depth: int) -> PSObject:
    types = (
        kind.__qualname__,
        "System.Management.Automation.PSCustomObject",
        "System.Object",
    )
    notes = {name: as_clixml(item, depth + 1) for name, item in members.items()}
    return PSObject(types, extended=notes)


def _any_object(value: Any, depth: int) -> Any:
    kind: Any = type(value)
    members = {name: item for name, item in _attributes(value) if not name.startswith("_")}
    has_text = kind.__str__ is not object.__str__
    if not members or isinstance(value, type):
        # The text that every object has tells where in memory it lies.
        return str(value) if has_text or kind.__repr__ is not object.__repr__ else kind.__qualname__
    made = _object(kind, members, depth)
    if has_text:
        made.to_string = str(value)
    return made


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
