"""Numbers and the escapes of strings, as PowerShell's tokenizer reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from typing import Any

from psremoting.powershell.parse_errors import ParseError
from psrp.clixml import Byte, Int16, Int64, SByte, UInt16, UInt32, UInt64
from psrp.clixml.values import PSObject

__all__ = ["BIG_INTEGER", "DASH", "DASHES", "NUMBER", "big_integer", "escape", "number_value"]

DASHES = "-\u2013\u2014\u2015"
DASH = r"\-\u2013-\u2015"
"""The dashes within a character class."""
NUMBER = re.compile(
    rf"(?P<sign>[+{DASH}])?"
    r"(?:0x(?P<hex>[0-9a-f]*)|0b(?P<binary>[01]+)"
    r"|(?P<digits>[0-9]+(?!\.\.)(?P<real>(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)|[0-9]+(?=\.\.)"
    r"|\.[0-9]+(?:e[+-]?[0-9]+)?))"
    r"(?P<suffix>u[lsy]?|[lsynd])?(?P<factor>[kmgtp]b)?",
    re.IGNORECASE,
)
"""A number at the beginning of a token; what follows it decides whether it is one."""

_FACTORS = {"": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_MOST_DIGITS = 4000
"""Beyond this length a number is not converted; it is out of range for any but BigInteger."""
_MAX_DECIMAL = 2**96 - 1
_DECIMAL = Context(prec=29, rounding=ROUND_HALF_EVEN, traps=[])
_TYPES: dict[str, Callable[[int], Any]] = {
    "l": Int64, "s": Int16, "y": SByte, "ul": UInt64, "us": UInt16, "uy": Byte,
}  # fmt: skip
_SIGNED_WIDTHS = {"y": (8,), "s": (16,), "l": (64,), "": (32, 64), "n": tuple(range(32, 8193, 32))}
BIG_INTEGER = ("System.Numerics.BigInteger", "System.ValueType", "System.Object")


def big_integer(value: int) -> Any:
    """Return a System.Numerics.BigInteger; ints within 64 bits are wrapped in an object."""
    if not -(2**63) <= value < 2**64:
        return value
    adapted = {
        "IsPowerOfTwo": value > 0 and not value & (value - 1),
        "IsZero": value == 0,
        "IsOne": value == 1,
        "IsEven": value % 2 == 0,
        "Sign": (value > 0) - (value < 0),
    }
    return PSObject(BIG_INTEGER, adapted, to_string=str(value))


def number_value(found: re.Match[str]) -> Any:
    """Return the value of a match of `NUMBER` in its .NET type, or None if it is out of range."""
    if len(found[0]) > _MOST_DIGITS:
        return None
    sign = -1 if found["sign"] and found["sign"] != "+" else 1
    suffix = (found["suffix"] or "").casefold()
    factor = _FACTORS[(found["factor"] or "").casefold()]
    radix_digits = found["hex"] if found["hex"] is not None else found["binary"]
    if radix_digits is not None:
        if suffix != "n" and len(radix_digits) > (16 if found["hex"] is not None else 64):
            return None
        whole = _from_radix(radix_digits, 16 if found["hex"] is not None else 2, suffix)
        significant = radix_digits.lstrip("0")
        wide = not suffix and len(significant) > (8 if found["hex"] is not None else 32)
        return _typed(sign * whole * factor, "l" if wide else suffix)
    digits = found["digits"]
    if suffix == "d":
        return _decimal(Decimal(digits), sign * factor)
    if digits.isdecimal():
        return _typed(sign * int(digits) * factor, suffix)
    value = sign * float(digits) * factor
    if not suffix:
        return value
    if value in (float("inf"), float("-inf")):
        return None
    return _typed(round(value), suffix)


def _from_radix(digits: str, radix: int, suffix: str) -> int:
    """Return a hexadecimal or binary number, in two's complement if it fills its width."""
    value = int(digits or "0", radix)
    bits = len(digits) * (4 if radix == 16 else 1)
    if bits in _SIGNED_WIDTHS.get(suffix, ()) and value >> (bits - 1):
        value -= 1 << bits
    return value


def _typed(value: int, suffix: str) -> Any:
    try:
        if not suffix:
            return _smallest(value)
        if suffix == "u":
            return UInt32(value) if value < 2**32 else UInt64(value)
        if suffix == "n":
            return big_integer(value)
        if suffix == "d":
            return _decimal(Decimal(value), 1)
        return _TYPES[suffix](value)
    except ValueError:
        return None


def _smallest(value: int) -> Any:
    """Int32, Int64, Decimal or Double: the first that holds the value."""
    if -(2**63) <= value < 2**63:
        return value
    if abs(value) <= _MAX_DECIMAL:
        return Decimal(value)
    surplus = max(0, value.bit_length() - 53)
    try:
        return float(value >> surplus << surplus if value >= 0 else -(-value >> surplus << surplus))
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _decimal(value: Decimal, factor: int) -> Decimal | None:
    context = _DECIMAL.copy()
    made = context.multiply(value, Decimal(factor))
    exponent = made.as_tuple().exponent
    if not isinstance(exponent, int) or abs(made) > _MAX_DECIMAL:
        return None
    if exponent > 0:
        made = made.quantize(Decimal(1))
    elif exponent < -28:
        made = made.quantize(Decimal(1).scaleb(-28), context=context)
    if context.flags[Inexact] and len(made.as_tuple().digits) > 28:
        made = Context(prec=28).plus(made)
    return made


# -- escapes

_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f"} | {
    "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_UNICODE = re.compile(r"u\{([0-9a-fA-F]+)\}")


def escape(text: str, at: int) -> tuple[str, int]:
    """Return the character after the backtick before ``at``, and the offset after it.

    Raises ParseError for a wrong ```u{...}``.
    """
    mark = text[at : at + 1]
    if mark != "u":
        if text.startswith("\r\n", at):
            return "\r\n", at + 2
        return _ESCAPES.get(mark, mark), at + 1
    found = _UNICODE.match(text, at)
    if found is None:
        raise ParseError(
            "The Unicode escape sequence is not valid. A valid sequence is `u{ followed by one to "
            "six hex digits and a closing '}'.",
            "InvalidUnicodeEscapeSequence",
            offset=at + 2,
        )
    if len(found[1]) > 6:
        raise ParseError(
            "The Unicode escape sequence contains more than the maximum of six hex digits between "
            "braces.",
            "TooManyDigitsInUnicodeEscapeSequence",
            offset=at + 8,
        )
    code = int(found[1], 16)
    if code > 0x10FFFF:
        raise ParseError(
            "The Unicode escape sequence value is out of range. The maximum value is 0x10FFFF.",
            "InvalidUnicodeEscapeSequenceValue",
            offset=at + 2,
        )
    return chr(code), found.end()
