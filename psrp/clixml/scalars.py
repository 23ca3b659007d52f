"""One table of tag, Python type and text, for every value that is a single element.

[MS-PSRP] 2.2.5.1. Reading accepts the same texts as .NET's XmlConvert; writing produces the same
texts as PowerShell.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

from psrp.clixml import base64_text
from psrp.clixml.numbers import (
    Byte,
    Char,
    Int16,
    Int64,
    SByte,
    Single,
    SizedInt,
    UInt16,
    UInt32,
    UInt64,
)
from psrp.clixml.objects import ScriptBlock, Uri, Version, XmlDocument
from psrp.clixml.text import escape, resolve_entities, unescape
from psrp.clixml.times import DateTime, TimeSpan, parse_datetime, parse_timespan

__all__ = [
    "FORMAT",
    "PARSE",
    "SCALARS",
    "TEXTS",
    "TEXT_TYPES",
    "Scalar",
    "format_double",
    "parse_text",
]

_INTEGER = re.compile(r"[ \t\r\n]*([+-]?[0-9]+)[ \t\r\n]*")
# Unambiguous: the fraction needs its point, so that no digits are matched twice.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_FLOAT = re.compile(_DECIMAL.pattern + r"(?:[eE][+-]?[0-9]+)?")
_GUID_BODY = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GUID = re.compile(rf"[0-9a-f]{{32}}|{_GUID_BODY}|\{{{_GUID_BODY}\}}|\({_GUID_BODY}\)", re.I)
_DOCTYPE = re.compile(r"<!DOCTYPE\b")
_SPACE = " \t\r\n"
_NO_SPACE = str.maketrans("", "", _SPACE)
_NOT_FINITE = {"INF": "inf", "-INF": "-inf"}
_NOT_FINITE_ANY_CASE = {"infinity": "inf", "+infinity": "inf", "-infinity": "-inf"}
_NAN = {"nan", "+nan", "-nan"}
_WIDE = Context(prec=200, rounding=ROUND_HALF_EVEN, Emax=10_000, Emin=-10_000)
_BITS = struct.Struct("<Q")
_DECIMAL_MAX = 2**96 - 1


def parse_text(text: str) -> str:
    """Return the string of an element: references, then escapes. ValueError for markup in it."""
    if "_" in text or "&" in text or ">" in text:
        if ">" in text and "]]>" in text:
            raise ValueError("unescaped ']]>'")
        return unescape(resolve_entities(text))
    return text


def _integers(kind: type[int], low: int, high: int) -> Callable[[str], Any]:
    """Return the reader of one width, with a short path for digits that are always in range."""
    new = int.__new__
    safe = len(str(high)) - 1

    def parse(text: str) -> Any:
        if len(text) <= safe and text.isdecimal() and text.isascii():
            return new(kind, int(text))
        return new(kind, _parse_number(text, low, high))

    return parse


def _parse_int32(text: str) -> int:
    if len(text) < 10 and text.isdecimal() and text.isascii():
        return int(text)
    return _parse_number(text, -(2**31), 2**31 - 1)


def _parse_char(text: str) -> Char:
    return Char(_parse_number(text, 0, 0xFFFF))


def _parse_number(text: str, low: int, high: int) -> int:
    match = _INTEGER.fullmatch(text)
    digits = match[1] if match else ""
    if not digits:
        raise ValueError("not an integer")
    if len(digits) > 40:
        digits = digits[0] + digits[1:].lstrip("0")
        if len(digits) > 40:
            raise ValueError("the integer is out of range")
    number = int(digits)
    if not low <= number <= high:
        raise ValueError("the integer is out of range")
    return number


def _parse_bool(text: str) -> bool:
    value = _BOOLEANS.get(text)
    if value is None:
        value = _BOOLEANS.get(text.strip(_SPACE))
        if value is None:
            raise ValueError("not a boolean")
    return value


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _parse_double(text: str) -> float:
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return float(text)
    text = text.strip(_SPACE)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text in _NOT_FINITE:
        return float(_NOT_FINITE[text])
    if text.lower() in _NOT_FINITE_ANY_CASE:
        return float(_NOT_FINITE_ANY_CASE[text.lower()])
    if text.lower() in _NAN:
        return float("nan")
    raise ValueError("not a number")


def _parse_single(text: str) -> Single:
    wide = _parse_double(text)
    (bits,) = _BITS.unpack(struct.pack("<d", wide))
    if not bits & 0xFFFFFFF and wide and math.isfinite(wide):
        # Possibly rounded to halfway between two Singles: then the text decides.
        exact, rounded = Decimal(text.strip(_SPACE)), Decimal(wide)
        if exact != rounded:
            wide = math.nextafter(wide, math.inf if exact > rounded else -math.inf)
    return Single(wide)


def _parse_decimal(text: str) -> Decimal:
    text = text.strip(_SPACE)
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a decimal number")
    whole, _, fraction = text.partition(".")
    # A decimal has at most 29 digits: the first 100 decide the rounding, except for a tie.
    sticky = "1" if fraction[100:].strip("0") else ""
    number = Decimal(whole.lstrip("+") + "." + fraction[:100] + sticky)
    if number.is_zero():
        return Decimal(0).scaleb(-min(len(fraction), 28))
    for scale in range(min(len(fraction), 28), -1, -1):
        if number.adjusted() > 29:
            break
        rounded = number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
        if _coefficient(rounded) <= _DECIMAL_MAX:
            return abs(rounded) if rounded.is_zero() else rounded
    raise ValueError("the decimal number is out of range")


def _coefficient(number: Decimal) -> int:
    return int("".join(map(str, number.as_tuple().digits)))


def format_decimal(number: Decimal) -> str:
    """Return plain digits with the scale kept. ValueError beyond 96 bits or 28 places."""
    _, _, exponent = number.as_tuple()
    if not isinstance(exponent, int) or exponent < -28 or number.adjusted() > 29:
        raise ValueError(f"{number} is out of range for Decimal")
    text = f"{number:f}"
    if int(text.replace(".", "").lstrip("-")) > _DECIMAL_MAX:
        raise ValueError(f"{number} is out of range for Decimal")
    return text.lstrip("-") if number.is_zero() else text


def _parse_guid(text: str) -> UUID:
    digits = text.replace("-", "")
    if text[8:24:5] != "----" or len(text) != 36 or len(digits) != 32 or not digits.isalnum():
        text = text.strip(_SPACE)
        if not _GUID.fullmatch(text):
            raise ValueError("not a GUID")
        digits = text.strip("{}()").replace("-", "")
    elif not digits.isascii():
        raise ValueError("not a GUID")
    guid = UUID.__new__(UUID)
    _set_guid(guid, "int", int(digits, 16))
    _set_guid(guid, "is_safe", _UNKNOWN)
    return guid


_UNKNOWN = SafeUUID.unknown
_set_guid = object.__setattr__
"""Replaces UUID's constructor, which costs more than the rest of an element."""


def _format_guid(guid: UUID) -> str:
    text = "%032x" % guid.int  # noqa: UP031 (half the time of the alternatives)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _format_datetime(moment: datetime) -> str:
    if moment.tzinfo is None:
        text = moment.isoformat()
        return text.rstrip("0") if "." in text else text
    return str(DateTime.from_datetime(moment))


def _parse_bytes(text: str) -> bytes:
    try:
        return base64_text.decode(text)
    except ValueError:
        pass
    try:
        return base64_text.decode(resolve_entities(text).translate(_NO_SPACE))
    except ValueError:
        raise ValueError("not base64") from None


def _parse_xml(text: str) -> XmlDocument:
    document = parse_text(text)
    if _DOCTYPE.search(document):
        raise ValueError("an XML document with a document type is not accepted")
    return XmlDocument(document)


def _parse_version(text: str) -> Version:
    """Read a version as .NET parses the numbers in it: spaces, a plus, leading zeros."""
    parts = parse_text(text).split(".", 5)
    return Version(".".join(str(_parse_number(part, 0, 2**31 - 1)) for part in parts))


def format_double(number: float) -> str:
    """Return the shortest text that reads back as the same number, in .NET's spelling."""
    return _shape(repr(number), 17)


def _format_single(number: float) -> str:
    for digits in range(9):
        text = f"{number:.{digits}e}"
        if float.__eq__(Single(text), number):
            break
    else:
        text = float.__repr__(number)
    return _shape(text, 9)


def _shape(text: str, plain_below: int) -> str:
    """Turn Python's text into .NET's form: ``5``, ``0.0001``, ``1E-05``, ``1.5E+17``."""
    if "e" not in text:
        if text.endswith(".0"):
            return text[:-2]
        return _SPECIAL_DOUBLES.get(text, text)
    mantissa, _, power = text.partition("e")
    exponent = int(power)
    sign = "-" if mantissa[0] == "-" else ""
    digits = mantissa.lstrip("-").replace(".", "").rstrip("0") or "0"
    if digits == "0":
        return sign + "0"
    if -5 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if 0 <= exponent < plain_below:
        whole = digits[: exponent + 1].ljust(exponent + 1, "0")
        rest = digits[exponent + 1 :]
        return f"{sign}{whole}.{rest}" if rest else sign + whole
    if len(digits) > 1:
        digits = f"{digits[0]}.{digits[1:]}"
    return f"{sign}{digits}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


_SPECIAL_DOUBLES = {"inf": "INF", "-inf": "-INF", "nan": "NaN"}


def _format_bytes(data: bytes | bytearray | memoryview) -> str:
    return base64_text.encode(data).decode("ascii")


class Scalar(NamedTuple):
    """One element without children: its tag, its Python type, and its text in both directions."""

    tag: str
    kind: type
    parse: Callable[[str], Any]
    """Reads the element's raw text, references not resolved. Raises ValueError."""
    format: Callable[[Any], str]
    """Returns the escaped text. Raises ValueError for a value that has none."""
    is_text: bool = False
    """.NET reads the element as a string, by name *and* namespace."""


def _text(kind: type[str]) -> Callable[[str], str]:
    return lambda text: kind(parse_text(text))


def _integer(tag: str, kind: type[SizedInt]) -> Scalar:
    return Scalar(tag, kind, _integers(kind, kind.MIN, kind.MAX), int.__repr__)


SCALARS: tuple[Scalar, ...] = (
    Scalar("S", str, parse_text, escape, is_text=True),
    Scalar("B", bool, _parse_bool, lambda value: "true" if value else "false"),
    _integer("I64", Int64),
    Scalar("Db", float, _parse_double, format_double),
    Scalar("DT", DateTime, parse_datetime, str),
    Scalar("G", UUID, _parse_guid, _format_guid),
    Scalar("TS", TimeSpan, parse_timespan, str),
    Scalar("BA", bytes, _parse_bytes, _format_bytes),
    Scalar("D", Decimal, _parse_decimal, format_decimal),
    Scalar("C", Char, _parse_char, lambda value: str(ord(value))),
    _integer("By", Byte),
    _integer("SB", SByte),
    _integer("I16", Int16),
    _integer("U16", UInt16),
    _integer("U32", UInt32),
    _integer("U64", UInt64),
    Scalar("Sg", Single, _parse_single, _format_single),
    Scalar("URI", Uri, _text(Uri), escape, is_text=True),
    Scalar("Version", Version, _parse_version, escape),
    Scalar("SBK", ScriptBlock, _text(ScriptBlock), escape, is_text=True),
    Scalar("XD", XmlDocument, _parse_xml, escape, is_text=True),
)
"""The elements without children; Nil, I32 and SS are handled by reader and writer."""

PARSE: dict[str, Callable[[str], Any]] = {"I32": _parse_int32} | {
    scalar.tag: scalar.parse for scalar in SCALARS
}
"""Tag to the function that reads the element's raw text."""

TEXTS = frozenset({scalar.tag for scalar in SCALARS if scalar.is_text}) | {
    *("SS", "T", "ToString", "AV", "SD"),
}
"""Elements that .NET reads as strings, by name *and* namespace."""

TEXT_TYPES = {
    scalar.kind.__name__: scalar.kind
    for scalar in SCALARS
    if issubclass(scalar.kind, str) and scalar.kind not in (str, Char)
}
"""The types whose values are text with another meaning, by name."""

FORMAT: dict[type, tuple[str, Callable[[Any], str]]] = {
    **{scalar.kind: (scalar.tag, scalar.format) for scalar in SCALARS},
    bytearray: ("BA", _format_bytes),
    memoryview: ("BA", _format_bytes),
    datetime: ("DT", _format_datetime),
    date: ("DT", lambda day: f"{day.isoformat()}T00:00:00"),
    timedelta: ("TS", lambda value: str(TimeSpan.from_timedelta(value))),
}
"""Exact type to its tag and the function that writes its text. The writer handles `None`, `int`
and the containers."""
