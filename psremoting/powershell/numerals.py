"""Numbers as .NET writes and reads them in its invariant culture."""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from math import isinf, isnan

from psrp.clixml import Byte, Int16, Int64, SByte, Single, UInt16, UInt32, UInt64

__all__ = ["double_text", "number_text", "parse_number", "read_decimal"]

_LONGEST = 400
"""Characters of the longest text that is read as a number."""
_LITERAL = re.compile(
    r"(?P<sign>[+-]?)(?:0x(?P<hex>[0-9a-f]+)|0b(?P<bits>[01]+)|"
    r"(?P<digits>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?))"
    r"(?P<suffix>u?[lsy]|[und])?(?P<factor>[kmgtp]b)?",
    re.IGNORECASE | re.ASCII,
)
_INVARIANT = re.compile(
    r"(?P<sign>[+-]?)(?P<digits>(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)",
    re.IGNORECASE | re.ASCII,
)
_FACTORS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_SIZED = {"l": Int64, "s": Int16, "y": SByte, "ul": UInt64, "us": UInt16, "uy": Byte}
_NOT_FINITE = {
    "nan": float("nan"),
    "-nan": float("nan"),
    "infinity": float("inf"),
    "+infinity": float("inf"),
    "-infinity": float("-inf"),
    "∞": float("inf"),
    "-∞": float("-inf"),
}
_WIDEST_DECIMAL = 2**96 - 1


def number_text(value: float | Decimal) -> str:
    """Return the text of a number as ``[string]`` gives it: ``1E+22``, ``0.1``, ``1.50``."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return double_text(value)
    return int.__repr__(value)


def double_text(value: float) -> str:
    """Return the shortest digits that give back a Double (or a `Single`), as .NET writes them."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = _shortest_single(value) if isinstance(value, Single) else float.__repr__(value)
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    scale = len(text) + exponent - 1
    minus = "-" if sign else ""
    # Single has 7 digits before it changes to an exponent, Double 15.
    most = 7 if isinstance(value, Single) else 15
    if text == "0":
        return f"{minus}0"
    if -5 <= scale < most:
        if exponent >= 0:
            return f"{minus}{text}{'0' * exponent}"
        if scale >= 0:
            return f"{minus}{text[: scale + 1]}.{text[scale + 1 :]}"
        return f"{minus}0.{'0' * (-scale - 1)}{text}"
    fraction = f".{text[1:]}" if text[1:] else ""
    return f"{minus}{text[0]}{fraction}E{'-' if scale < 0 else '+'}{abs(scale):02d}"


def _shortest_single(value: float) -> str:
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return text
    return repr(value)


def parse_number(
    text: str, *, finite_words: bool = False, unsigned: bool = False
) -> int | float | Decimal:
    """Read a number as PowerShell converts a string: ``5``, ``0x1F``, ``1kb``, ``5d``, ``1,234``.

    A hexadecimal number with its highest bit set is negative unless ``unsigned``, as in .NET.
    ``finite_words`` allows ``NaN`` and ``Infinity``. Raises ValueError for anything else.
    """
    stripped = text.strip()
    if len(stripped) > _LONGEST:
        raise ValueError("a text of this length is not read as a number")
    folded = stripped.casefold()
    if finite_words and folded in _NOT_FINITE:
        return _NOT_FINITE[folded]
    found = _LITERAL.fullmatch(stripped)
    if found is not None:
        return _literal(found, unsigned)
    found = _INVARIANT.fullmatch(stripped)
    if found is None:
        raise ValueError("not a number")
    return _plain(found["sign"], found["digits"].replace(",", ""))


def _literal(found: re.Match[str], unsigned: bool) -> int | float | Decimal:
    suffix, factor = (found["suffix"] or "").casefold(), (found["factor"] or "").casefold()
    minus = found["sign"] == "-"
    if suffix == "d":
        if found["digits"] is None:
            raise ValueError("not a decimal number")
        value: int | float | Decimal = read_decimal(found["digits"]) * _FACTORS.get(factor, 1)
        return -value if minus else value
    if found["hex"] is not None:
        value = _signed(int(found["hex"], 16), len(found["hex"]) * 4, unsigned)
    elif found["bits"] is not None:
        value = _signed(int(found["bits"], 2), len(found["bits"]), unsigned)
    else:
        value = _plain("", found["digits"])
    value = value * _FACTORS.get(factor, 1)
    if suffix in _SIZED:
        value = _SIZED[suffix](round(value))
    elif suffix == "u":
        value = (UInt32 if value < 2**32 else UInt64)(round(value))
    elif suffix == "n":
        value = round(value)
    return -value if minus else value


def _signed(value: int, bits: int, unsigned: bool) -> int:
    """Return ``value`` in two's complement where its digits fill 32 or 64 bits exactly."""
    for width in () if unsigned else (32, 64):
        if bits == width and value >= 1 << (width - 1):
            return value - (1 << width)
    return value


def _plain(sign: str, digits: str) -> int | float:
    folded = digits.casefold()
    if folded.isdecimal():
        return -int(folded) if sign == "-" else int(folded)
    value = float(folded)
    return -value if sign == "-" else value


def read_decimal(text: str) -> Decimal:
    """Read digits as System.Decimal does: 96 bits, 28 places. Raises ValueError."""
    made = Decimal(text)
    if abs(made) > _WIDEST_DECIMAL:
        raise ValueError("out of range for Decimal")
    exponent = made.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        made = made.quantize(Decimal(1))
    return made
