"""Reading and writing of protocol objects, which are bags of named properties.

Names are compared without regard to case, but a value must have exactly the element that
PowerShell's own decoder expects: an I64 in place of an I32 is an error there, and so it is here.
Only enums are read leniently: an enum object, any integer, or the name as a string.
(``EncodeAndDecode.cs``, ConvertPropertyValueTo.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from psrp.clixml import (
    Char,
    DateTime,
    Dictionary,
    Int64,
    List,
    PSObject,
    ScriptBlock,
    SecureString,
    SizedInt,
    UInt32,
    Version,
)
from psrp.sansio import LocalProtocolError, MessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psrp.enums import WireEnum

__all__ = [
    "ARRAY_LIST",
    "Properties",
    "bag",
    "enum_number",
    "enum_object",
    "int32",
    "int64",
    "text_list",
    "uint32",
    "unwrap",
    "write_enum",
]

T = TypeVar("T")
ARRAY_LIST = ("System.Collections.ArrayList", "System.Object")

_MISSING: Any = object()
_MAX_WRAPS = 100
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_ENUM = ("System.Enum", "System.ValueType", "System.Object")
_ELEMENTS: dict[type, str] = {
    bool: "B",
    bytes: "BA",
    Char: "C",
    DateTime: "DT",
    Dictionary: "DCT",
    int: "I32",
    Int64: "I64",
    list: "LST",
    SecureString: "SS",
    str: "S",
    UInt32: "U32",
    Version: "Version",
}


def unwrap(value: Any) -> Any:
    """Return the primitive or container inside an object that only decorates one."""
    depth = 0
    while type(value) is PSObject and value.value is not None:
        if depth == _MAX_WRAPS:
            # An object that is its own value contains nothing.
            return None
        value = value.value
        depth += 1
    return value


def _is(value: Any, kind: type) -> bool:
    if kind is int or kind is bool or kind is Int64 or kind is UInt32:
        return type(value) is kind
    if kind is str:
        return type(value) is str or type(value) is ScriptBlock
    return isinstance(value, kind)


class Properties:
    """A reader of one protocol object; every fault is a MessageError that names the property."""

    __slots__ = ("message", "object")

    def __init__(self, message: str, value: Any) -> None:
        if type(value) is not PSObject:
            raise MessageError(message, "the body is not an object with properties")
        self.message = message
        self.object = value

    def any(self, name: str) -> Any:
        """Return a mandatory property of any type, Nil included."""
        value = self.object.get(name, _MISSING)
        if value is _MISSING:
            raise MessageError(self.message, "a mandatory property is missing", name)
        return value

    def take(self, name: str, kind: type[T]) -> T:
        """Return a mandatory property that must not be Nil."""
        value = unwrap(self.any(name))
        if _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def take_or_nil(self, name: str, kind: type[T]) -> T | None:
        """Return a mandatory property; Nil is None."""
        value = unwrap(self.any(name))
        if value is None or _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def find(self, name: str, kind: type[T]) -> T | None:
        """Return a property that may be absent or Nil."""
        value = unwrap(self.object.get(name))
        if value is None or _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def enum(self, name: str, kind: type[WireEnum]) -> int:
        """Return the number of an enum, as a member of ``kind`` if there is one."""
        return self._number(name, self.any(name), kind)

    def find_enum(self, name: str, kind: type[WireEnum]) -> int | None:
        """Return the number of an enum that may be absent."""
        value = self.object.get(name, _MISSING)
        return None if value is _MISSING else self._number(name, value, kind)

    def _number(self, name: str, value: Any, kind: type[WireEnum]) -> int:
        number = enum_number(value, kind)
        if number is None or not -(2**31) <= number < 2**31:
            raise MessageError(self.message, "neither a number nor a name of this enum", name)
        return kind.known(number)

    def child(self, name: str) -> Properties:
        """Return a reader of an object inside this one."""
        value = self.any(name)
        if type(value) is not PSObject:
            raise MessageError(self.message, "not an object with properties", name)
        return Properties(self.message, value)

    def items(self, name: str) -> list[Any]:
        """Return a mandatory list."""
        return self.take(name, list)

    def wrong(self, name: str, kind: type) -> MessageError:
        """Return the error for a value of another type than ``kind``."""
        element = _ELEMENTS.get(kind, kind.__name__)
        return MessageError(self.message, f"expected an element {element}", name)


def bag(members: Mapping[str, Any]) -> PSObject:
    """Return an object without type names with these notes: the form of nearly every body."""
    return PSObject(extended=members)


def enum_object(type_name: str, value: int, text: str) -> PSObject:
    """Return an enum as PowerShell writes it: types, name, number."""
    return PSObject((type_name, *_ENUM), to_string=text, value=int32("enum", value))


def write_enum(kind: type[WireEnum], number: int) -> PSObject:
    """Return the enum object of a number of ``kind``."""
    return enum_object(kind.type_name, number, kind.text(number))


def enum_number(value: Any, kind: type[WireEnum]) -> int | None:
    """Return the number of an enum object, an integer of any width or names; None for others."""
    value = unwrap(value)
    if value is None:
        return 0
    if isinstance(value, (int, SizedInt)):
        return int(value)
    if not isinstance(value, str):
        return None
    numbers = kind.numbers()
    total = 0
    for part in value.split(","):
        text = part.strip().casefold()
        if text in numbers:
            total |= numbers[text]
        elif _NUMBER.fullmatch(text):
            total |= int(text)
        else:
            return None
    return total


def int32(name: str, value: int) -> int:
    """Return ``value`` for an I32 element. Raises LocalProtocolError."""
    if not -(2**31) <= value < 2**31:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into 32 bits")
    return int(value)


def int64(name: str, value: int) -> Int64:
    """Return ``value`` for an I64 element. Raises LocalProtocolError."""
    if not -(2**63) <= value < 2**63:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into 64 bits")
    return Int64(value)


def uint32(name: str, value: int) -> UInt32:
    """Return ``value`` for a U32 element. Raises LocalProtocolError."""
    if not 0 <= value < 2**32:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into 32 unsigned bits")
    return UInt32(value)


def text_list(items: list[str] | tuple[str, ...]) -> List:
    """Return a System.String[]."""
    return List(items, ("System.String[]", "System.Array", "System.Object"))
