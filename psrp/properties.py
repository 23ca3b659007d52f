"""Protocol objects are bags of named properties; here they are read and written strictly.

Names are compared without regard to case, but a value has to have exactly the element that
PowerShell's own decoder wants: an I64 where an I32 belongs is an error there, and so here.
Enums alone are read leniently: an enum object, any integer, or the name as a string.
(``EncodeAndDecode.cs``, ConvertPropertyValueTo.)
"""

from __future__ import annotations

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

__all__ = [
    "ARRAY_LIST",
    "Labels",
    "Properties",
    "bag",
    "enum_number",
    "enum_object",
    "enum_text",
    "int32",
    "int64",
    "text_list",
    "uint32",
    "unwrap",
]

T = TypeVar("T")
Labels = dict[int, str]
"""The names of an enum's numbers, as PowerShell spells them."""

ARRAY_LIST = ("System.Collections.ArrayList", "System.Object")

_MISSING: Any = object()
_MAX_WRAPS = 100
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
    """The primitive or container inside an object that only decorates one."""
    depth = 0
    while type(value) is PSObject and value.value is not None:
        if depth == _MAX_WRAPS:
            # An object can be its own value: then there is nothing inside it.
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
    """Reads one protocol object; every fault is a MessageError that names the property."""

    __slots__ = ("message", "object")

    def __init__(self, message: str, value: Any) -> None:
        if type(value) is not PSObject:
            raise MessageError(message, "the body is not an object with properties")
        self.message = message
        self.object = value

    def any(self, name: str) -> Any:
        """A property that has to be there, of any type, Nil included."""
        value = self.object.get(name, _MISSING)
        if value is _MISSING:
            raise MessageError(self.message, "a mandatory property is missing", name)
        return value

    def take(self, name: str, kind: type[T]) -> T:
        """A property that has to be there and not Nil."""
        value = unwrap(self.any(name))
        if _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def take_or_nil(self, name: str, kind: type[T]) -> T | None:
        """A property that has to be there; Nil is None."""
        value = unwrap(self.any(name))
        if value is None or _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def find(self, name: str, kind: type[T]) -> T | None:
        """A property that may be absent or Nil."""
        value = unwrap(self.object.get(name))
        if value is None or _is(value, kind):
            return value  # type: ignore[no-any-return]
        raise self.wrong(name, kind)

    def enum(self, name: str, labels: Labels) -> int:
        """The number of an enum; the caller's table serves a value sent as text."""
        return self._number(name, self.any(name), labels)

    def find_enum(self, name: str, labels: Labels) -> int | None:
        value = self.object.get(name, _MISSING)
        return None if value is _MISSING else self._number(name, value, labels)

    def _number(self, name: str, value: Any, labels: Labels) -> int:
        number = enum_number(value, labels)
        if number is None or not -(2**31) <= number < 2**31:
            raise MessageError(self.message, "neither a number nor a name of this enum", name)
        return number

    def child(self, name: str) -> Properties:
        """An object inside this one."""
        value = self.any(name)
        if type(value) is not PSObject:
            raise MessageError(self.message, "not an object with properties", name)
        return Properties(self.message, value)

    def items(self, name: str) -> list[Any]:
        return self.take(name, list)

    def wrong(self, name: str, kind: type) -> MessageError:
        element = _ELEMENTS.get(kind, kind.__name__)
        return MessageError(self.message, f"the value is not of the element {element}", name)


def bag(members: Mapping[str, Any]) -> PSObject:
    """An object without types whose properties are notes: the shape of nearly every body."""
    return PSObject(extended=members)


def enum_object(type_name: str, value: int, text: str) -> PSObject:
    """An enum as PowerShell writes it: types, name, number."""
    return PSObject((type_name, *_ENUM), to_string=text, value=int32("enum", value))


def enum_text(value: int, labels: Labels, *, flags: bool = False) -> str:
    """What .NET shows for a number of an enum: its name, its flags' names, or the number."""
    if value in labels:
        return labels[value]
    names: list[str] = []
    rest = value
    if flags:
        for number in sorted(labels, reverse=True):
            if number > 0 and rest & number == number:
                names.append(labels[number])
                rest &= ~number
    return ", ".join(reversed(names)) if names and rest == 0 else str(int(value))


def enum_number(value: Any, labels: Labels) -> int | None:
    """The number that an enum object, an integer of any width or a name stands for."""
    value = unwrap(value)
    if value is None:
        return 0
    if isinstance(value, (int, SizedInt)):
        return int(value)
    if not isinstance(value, str):
        return None
    numbers = {name.casefold(): number for number, name in labels.items()}
    total = 0
    for part in value.split(","):
        text = part.strip().casefold()
        if text in numbers:
            total |= numbers[text]
        elif text.lstrip("+-").isdecimal() and text.isascii() and len(text) < 20:
            total |= int(text)
        else:
            return None
    return total


def int32(name: str, value: int) -> int:
    """``value`` for an I32 element, or LocalProtocolError."""
    if not -(2**31) <= value < 2**31:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into 32 bits")
    return int(value)


def int64(name: str, value: int) -> Int64:
    """``value`` for an I64 element, or LocalProtocolError."""
    if not -(2**63) <= value < 2**63:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into 64 bits")
    return Int64(value)


def uint32(name: str, value: int) -> UInt32:
    """``value`` for a U32 element, or LocalProtocolError."""
    if not 0 <= value < 2**32:
        raise LocalProtocolError(f"{name}: {int(value)} does not fit into an unsigned 32 bits")
    return UInt32(value)


def text_list(items: list[str] | tuple[str, ...]) -> List:
    """A System.String[]."""
    return List(items, ("System.String[]", "System.Array", "System.Object"))
