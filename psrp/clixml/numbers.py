"""Numbers of a fixed width, and the UTF-16 code unit. [MS-PSRP] 2.2.5.1

A plain `int` is written in the width that PowerShell prefers (I32, then I64, then U64); these
types fix the width. They extend `int` and `float`, and arithmetic returns a plain `int`.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar, Self

__all__ = [
    "Byte",
    "Char",
    "Int16",
    "Int64",
    "SByte",
    "Single",
    "SizedInt",
    "UInt16",
    "UInt32",
    "UInt64",
]


class SizedInt(int):
    """Base of the integers of fixed width. Out of range: ValueError."""

    __slots__ = ()

    MIN: ClassVar[int] = 0
    MAX: ClassVar[int] = 0

    def __new__(cls, value: Any = 0) -> Self:
        number = int.__new__(cls, value)
        if not cls.MIN <= number <= cls.MAX:
            raise ValueError(f"{int(number)} does not fit {cls.__name__}")
        return number

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    __str__ = int.__repr__


class SByte(SizedInt):
    """System.SByte, element SB."""

    __slots__ = ()
    MIN, MAX = -(2**7), 2**7 - 1


class Byte(SizedInt):
    """System.Byte, element By."""

    __slots__ = ()
    MIN, MAX = 0, 2**8 - 1


class Int16(SizedInt):
    """System.Int16, element I16."""

    __slots__ = ()
    MIN, MAX = -(2**15), 2**15 - 1


class UInt16(SizedInt):
    """System.UInt16, element U16."""

    __slots__ = ()
    MIN, MAX = 0, 2**16 - 1


class UInt32(SizedInt):
    """System.UInt32, element U32."""

    __slots__ = ()
    MIN, MAX = 0, 2**32 - 1


class Int64(SizedInt):
    """System.Int64, element I64. A plain `int` beyond 32 bits is written the same way."""

    __slots__ = ()
    MIN, MAX = -(2**63), 2**63 - 1


class UInt64(SizedInt):
    """System.UInt64, element U64."""

    __slots__ = ()
    MIN, MAX = 0, 2**64 - 1


class Single(float):
    """System.Single, element Sg: a float that is exact in 32 bits.

    Other values are rounded to the nearest such number; values too large become infinite.
    """

    __slots__ = ()

    def __new__(cls, value: Any = 0.0) -> Self:
        wide = float(value)
        try:
            narrow = struct.unpack("<f", struct.pack("<f", wide))[0]
        except OverflowError:
            narrow = float("inf") if wide > 0 else float("-inf")
        return float.__new__(cls, narrow)

    def __repr__(self) -> str:
        return f"Single({float(self)!r})"

    __str__ = float.__repr__


class Char(str):
    """System.Char, element C: exactly one UTF-16 code unit, possibly half a surrogate pair.

    ``Char(97)`` and ``Char("a")`` are the same; anything else raises ValueError.
    """

    __slots__ = ()

    def __new__(cls, value: int | str = "\0") -> Self:
        text = value if isinstance(value, str) else chr(value) if 0 <= value < 0x10000 else ""
        if len(text) != 1 or text > "\uffff":
            raise ValueError("a Char is exactly one UTF-16 code unit")
        return str.__new__(cls, text)

    @property
    def code(self) -> int:
        """The code unit as a number."""
        return ord(self)

    def __repr__(self) -> str:
        return f"Char({str.__repr__(self)})"

    def __str__(self) -> str:
        return str.__str__(self)
