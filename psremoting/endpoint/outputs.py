"""From what a Python function gives to the objects that a client gets.

PowerShell's pipeline takes collections apart: what is a list, tuple, set, range or iterator
becomes one object per item. Text, bytes, tables and objects stay whole.
"""

from __future__ import annotations

import enum
from collections import deque
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
from psrp.host_kinds import CREDENTIAL
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
_SEVERAL = (list, tuple, set, frozenset, range, deque, Iterator)


def unroll(value: Any) -> Iterable[Any]:
    """The objects that a result puts into the pipeline; none for None."""
    if value is None:
        return ()
    if isinstance(value, _SEVERAL) and not hasattr(value, "_fields"):
        return value
    return (value,)


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
    if kind is dict or isinstance(value, Mapping):
        return Dictionary(
            [(as_clixml(key, depth + 1), as_clixml(item, depth + 1)) for key, item in value.items()]
        )
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
        return _object(kind, dict(zip(names, value, strict=False)), depth)
    if isinstance(value, _SEVERAL):
        return List([as_clixml(item, depth + 1) for item in value])
    for base, convert in _CONVERTERS:
        if isinstance(value, base):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        members = {each.name: getattr(value, each.name) for each in fields(value)}
        return _object(kind, members, depth)
    return _any_object(value, depth)


def _enum(value: enum.Enum, depth: int) -> Any:
    if isinstance(value.value, int) and -(2**31) <= value.value < 2**31:
        return enum_object(type(value).__qualname__, int(value.value), value.name)
    return as_clixml(value.value, depth + 1)


def _object(kind: type, members: Mapping[str, Any], depth: int) -> PSObject:
    types = (
        kind.__qualname__,
        "System.Management.Automation.PSCustomObject",
        "System.Object",
    )
    notes = {name: as_clixml(item, depth + 1) for name, item in members.items()}
    return PSObject(types, extended=notes)


def _any_object(value: Any, depth: int) -> Any:
    try:
        members = vars(value)
    except TypeError:
        members = {}
    shown = {name: item for name, item in members.items() if not name.startswith("_")}
    if not shown:
        return str(value)
    made = _object(type(value), shown, depth)
    if "__str__" in {name for base in type(value).__mro__[:-1] for name in vars(base)}:
        made.to_string = str(value)
    return made


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
