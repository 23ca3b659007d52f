"""PSPrimitiveDictionary: the values of application arguments and private data.
[MS-PSRP] 2.2.3.18, ``serialization.cs``.

Keys are strings, values a fixed set of primitive types, dictionaries of the same kind, and
arrays of all of these. Int16 is not allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    Dictionary,
    Int64,
    List,
    ProgressRecord,
    SByte,
    Single,
    TimeSpan,
    UInt16,
    UInt32,
    UInt64,
    Uri,
    Version,
    XmlDocument,
)
from psrp.sansio import LocalProtocolError

__all__ = ["PRIMITIVE_DICTIONARY", "primitive_dictionary"]

PRIMITIVE_DICTIONARY = (
    "System.Management.Automation.PSPrimitiveDictionary",
    "System.Collections.Hashtable",
    "System.Object",
)

_MAX_DEPTH = 40
_ALLOWED = frozenset(
    {
        bool,
        Byte,
        bytes,
        Char,
        datetime,
        DateTime,
        Decimal,
        float,
        int,
        Int64,
        ProgressRecord,
        SByte,
        Single,
        str,
        timedelta,
        TimeSpan,
        type(None),
        UInt16,
        UInt32,
        UInt64,
        Uri,
        UUID,
        Version,
        XmlDocument,
    }
)


def primitive_dictionary(values: Mapping[str, Any] | Dictionary) -> Dictionary:
    """Return ``values`` as a PSPrimitiveDictionary, including every mapping inside.

    A PSPrimitiveDictionary is returned unchanged. Raises LocalProtocolError for a key that is not
    a string and for a value of a type that is not allowed.
    """
    return _dictionary(values, 0)


def _dictionary(values: Mapping[Any, Any] | Dictionary, depth: int) -> Dictionary:
    if isinstance(values, Dictionary) and values.type_names == PRIMITIVE_DICTIONARY:
        return values
    if depth > _MAX_DEPTH:
        raise LocalProtocolError(f"a primitive dictionary nests at most {_MAX_DEPTH} deep")
    made = Dictionary(type_names=PRIMITIVE_DICTIONARY)
    for key, value in values.items():
        if not isinstance(key, str):
            kind = type(key).__name__
            raise LocalProtocolError(f"primitive dictionary: expected a string as key, got {kind}")
        made.add(key, _value(value, depth))
    return made


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, (Mapping, Dictionary)):
        return _dictionary(value, depth + 1)
    if isinstance(value, (list, tuple)):
        if depth > _MAX_DEPTH:
            raise LocalProtocolError(f"a primitive dictionary nests at most {_MAX_DEPTH} deep")
        names = value.type_names if isinstance(value, List) else None
        return List([_value(item, depth + 1) for item in value], names)
    if type(value) is int and not -(2**63) <= value < 2**64:
        raise LocalProtocolError("an integer of a primitive dictionary has at most 64 bits")
    if type(value) not in _ALLOWED:
        kind = type(value).__name__
        raise LocalProtocolError(f"cannot send {kind} in a primitive dictionary")
    return value
