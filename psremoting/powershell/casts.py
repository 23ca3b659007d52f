"""Conversion of one value to one scalar type, with PowerShell's error texts.

A maker takes the value, the type's name and whether the value came over the wire. The rules and
their odd corners are those of recorded answers: tests/powershell/test_conversion.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from psremoting.powershell.clocks import parse_datetime, parse_timespan
from psremoting.powershell.dotnet_names import base_type, type_name_of
from psremoting.powershell.enum_names import ENUMS
from psremoting.powershell.numerals import parse_number, read_decimal
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    Dictionary,
    Enumerable,
    Int16,
    Int64,
    List,
    PSObject,
    Queue,
    SByte,
    ScriptBlock,
    Single,
    Stack,
    TimeSpan,
    UInt16,
    UInt32,
    UInt64,
    Uri,
    Version,
)
from psrp.properties import unwrap

__all__ = [
    "FINAL",
    "INVALID_CAST",
    "SCALARS",
    "SEQUENCES",
    "ConversionError",
    "ValidationError",
    "failed",
    "fall_back",
    "invalid_cast",
    "is_empty_table",
    "is_text",
    "no_property",
    "out_of_range",
    "plain_text",
    "refuse",
    "to_boolean",
]

Maker = Callable[[Any, str, bool], Any]

FINAL = "ConvertToFinalInvalidCastException"
INVALID_CAST = "InvalidCastIConvertible"
SEQUENCES = (List, Enumerable, Stack, Queue)


class ValidationError(ValueError):
    """A value of the right type that a parameter does not allow, with PowerShell's text."""


class ConversionError(ValueError):
    """A failed conversion of a value to a type. ``error_id`` is that of a failed cast."""

    def __init__(self, message: str, error_id: str = FINAL) -> None:
        super().__init__(message)
        self.message = message
        self.error_id = error_id


# -- errors


def refuse(value: Any, type_name: str, received: bool) -> NoReturn:
    """Raise the error for a value that no conversion applies to."""
    if value is None:
        raise ConversionError(f'Cannot convert null to type "{type_name}".', "nullToTypeCast")
    raise ConversionError(
        f'Cannot convert the "{plain_text(value, received)}" value of type '
        f'"{type_name_of(value, received=received)}" to type "{type_name}".'
    )


def plain_text(value: Any, received: bool) -> str:
    """Return the ``ToString`` of a value: a collection gives the name of its type."""
    inner = unwrap(value)
    if isinstance(inner, SEQUENCES) or type(inner) in (list, tuple, bytes):
        return type_name_of(inner, received=received)
    if isinstance(inner, (int, float, Decimal)):
        return to_text(inner)
    return to_text(value, received=received)


def failed(
    text: str, type_name: str, why: str, error_id: str = "InvalidCastParseTargetInvocation"
) -> NoReturn:
    raise ConversionError(
        f'Cannot convert value "{text}" to type "{type_name}". Error: "{why}"', error_id
    )


# -- numbers

_RANGES: dict[str, tuple[type[int], int, int, str]] = {
    "System.SByte": (SByte, -(2**7), 2**7 - 1, "a signed byte"),
    "System.Byte": (Byte, 0, 2**8 - 1, "an unsigned byte"),
    "System.Int16": (Int16, -(2**15), 2**15 - 1, "an Int16"),
    "System.UInt16": (UInt16, 0, 2**16 - 1, "a UInt16"),
    "System.Int32": (int, -(2**31), 2**31 - 1, "an Int32"),
    "System.UInt32": (UInt32, 0, 2**32 - 1, "a UInt32"),
    "System.Int64": (Int64, -(2**63), 2**63 - 1, "an Int64"),
    "System.UInt64": (UInt64, 0, 2**64 - 1, "a UInt64"),
}
_NUMBERS = (int, float, Decimal)
_NARROW = re.compile(r"[+-]?(?:[0-9]+|0x[0-9a-f]+)", re.IGNORECASE | re.ASCII)


def _number_in(value: Any, type_name: str, received: bool) -> int | float | Decimal:
    """Return the number in a value; text is parsed, null is 0."""
    inner = unwrap(value)
    if inner is None and not isinstance(value, PSObject):
        return 0
    if isinstance(inner, _NUMBERS):
        return inner
    if type(inner) is Char:
        return ord(inner)
    if is_text(inner):
        text = str.__str__(inner)
        if not text.strip():
            return 0
        words = type_name in ("System.Double", "System.Single")
        try:
            return parse_number(
                text, finite_words=words, unsigned=type_name in ("System.UInt32", "System.UInt64")
            )
        except ValueError:
            _bad_number(text, type_name)
        except ArithmeticError:
            failed(text, type_name, out_of_range(type_name), "InvalidCastFromStringToInteger")
    if isinstance(inner, (DateTime, datetime)):
        short = type_name.rpartition(".")[2]
        text = to_text(value, received=received)
        failed(text, type_name, f"Invalid cast from 'DateTime' to '{short}'.")
    refuse(value, type_name, received)


def _bad_number(text: str, type_name: str) -> NoReturn:
    why = f"The input string '{text.strip()}' was not in a correct format."
    failed(text, type_name, why, "InvalidCastFromStringToInteger")


def out_of_range(type_name: str) -> str:
    return f"Value was either too large or too small for {_RANGES[type_name][3]}."


def is_text(value: Any) -> bool:
    return isinstance(value, str) and type(value) in (str, ScriptBlock)


def _integer(value: Any, type_name: str, received: bool) -> int:
    kind, least, most, words = _RANGES[type_name]
    number = _number_in(value, type_name, received)
    finite = not isinstance(number, float) or abs(number) < float("inf")
    whole = round(number) if finite else 0
    if finite and least <= whole <= most:
        return kind(whole)
    inner = unwrap(value)
    narrow = type_name in ("System.Byte", "System.SByte")
    if narrow and is_text(inner) and not _NARROW.fullmatch(inner.strip()):
        # Out of range, and in a form that only PowerShell reads: .NET's own message is given.
        _bad_number(str.__str__(inner), type_name)
    text = to_text(inner, received=received)
    if isinstance(inner, float):
        if type_name in ("System.Int64", "System.UInt64"):
            failed(text, type_name, "Arithmetic operation resulted in an overflow.")
        if not (finite and -(2**31) <= whole < 2**31) and most < 2**31:
            words = "an Int32"
    failed(text, type_name, f"Value was either too large or too small for {words}.")


def _double(value: Any, type_name: str, received: bool) -> float:
    number = float(_number_in(value, type_name, received))
    return Single(number) if type_name == "System.Single" else number


def _decimal(value: Any, type_name: str, received: bool) -> Decimal:
    inner = unwrap(value)
    holds_no_number = inner is None or isinstance(inner, (PSObject, Dictionary))
    if holds_no_number and value is not None:
        return _read(value, type_name, received, read=read_decimal, null=Decimal(0))  # type: ignore[no-any-return]
    number = _number_in(value, type_name, received)
    try:
        if isinstance(number, Decimal):
            return number
        if isinstance(number, int):
            return read_decimal(int.__repr__(number))
        # .NET keeps 15 digits of a Double and 7 of a Single.
        digits = 7 if isinstance(number, Single) else 15
        if not abs(number) < 1e29:
            raise ValueError
        return _normal(read_decimal(f"{number:.{digits}g}"))
    except (ValueError, ArithmeticError):
        text = to_text(inner, received=received)
        failed(text, type_name, "Value was either too large or too small for a Decimal.")


def _normal(value: Decimal) -> Decimal:
    """Remove trailing zeros, and the sign of zero."""
    made = value.normalize()
    exponent = made.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        made = made.quantize(Decimal(1))
    return made if made else Decimal(0)


_ONLY_BOOLEANS = (
    "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0."
)


def to_boolean(value: Any, type_name: str, received: bool) -> bool:
    """Convert an argument to a Boolean; unlike a cast, this refuses text."""
    inner = unwrap(value)
    if isinstance(inner, _NUMBERS):
        return bool(inner)
    if (switch := _switch_in(value)) is not None:
        return switch
    name = "" if value is None else base_type(value, received=received)
    raise ConversionError(f'Cannot convert value "{name}" to type "{type_name}". {_ONLY_BOOLEANS}')


def _switch(value: Any, type_name: str, received: bool) -> bool:
    inner = unwrap(value)
    if isinstance(inner, bool):
        return inner
    if (switch := _switch_in(value)) is not None:
        return switch
    if value is None:
        return False
    if isinstance(inner, _NUMBERS):
        refuse(inner, type_name, received)
    return to_boolean(value, type_name, received)


def _switch_in(value: Any) -> bool | None:
    if isinstance(value, PSObject) and value.type_names[:1] == (
        "System.Management.Automation.SwitchParameter",
    ):
        return bool(value.get("IsPresent"))
    return None


# -- text


def _string(value: Any, type_name: str, received: bool) -> str:
    if isinstance(unwrap(value), bytes):
        raise ConversionError("Cannot convert value to type System.String.")
    return to_text(value, received=received)


def _char(value: Any, type_name: str, received: bool) -> Char:
    inner = unwrap(value)
    if value is None:
        return Char(0)
    if isinstance(inner, (bool, float, Decimal)):
        return _char_from_convertible(value, type_name, received)
    if isinstance(inner, int):
        if 0 <= inner < 2**16:
            return Char(int(inner))
        text = to_text(inner, received=received)
        failed(text, type_name, "Value was either too large or too small for a character.")
    if isinstance(inner, Char):
        return inner
    if is_text(inner):
        if len(inner) == 1 and inner <= "\uffff":
            return Char(str.__str__(inner))
        failed(inner, type_name, "String must be exactly one character long.")
    if isinstance(inner, (DateTime, datetime)):
        return _char_from_convertible(value, type_name, received)
    refuse(value, type_name, received)


def _char_from_convertible(value: Any, type_name: str, received: bool) -> NoReturn:
    name = base_type(value, received=received).rpartition(".")[2]
    text = to_text(unwrap(value), received=received)
    failed(text, type_name, f"Invalid cast from '{name}' to 'Char'.")


# -- values that are read from their text


def is_empty_table(value: Any) -> bool:
    if isinstance(value, Dictionary):
        return not len(value)
    custom = "System.Management.Automation.PSCustomObject"
    return isinstance(value, PSObject) and value.type_names[:1] == (custom,) and not len(value)


def _read(
    value: Any, type_name: str, received: bool, *, read: Callable[[str], Any], null: Any = None
) -> Any:
    """Convert through the type's own reader of text, as PowerShell does for most structs."""
    inner = unwrap(value)
    if value is None:
        refuse(value, type_name, received)
    if is_empty_table(value):
        return null
    if is_text(inner) or (isinstance(inner, _NUMBERS) and not isinstance(inner, bool)):
        text = to_text(value, received=received)
        try:
            return read(text)
        except (ValueError, ArithmeticError) as error:
            failed(text, type_name, str(error), "InvalidCastParseTargetInvocation")
    if isinstance(inner, (Dictionary, dict)):
        no_property(inner, type_name)
    fall_back(value, type_name, received)


def _nested_refusal(value: Any, type_name: str, received: bool) -> NoReturn:
    if not type_name_of(value, received=received).startswith("Deserialized."):
        refuse(value, type_name, received)
    try:
        refuse(value, type_name, received)
    except ConversionError as error:
        failed(to_text(value, received=received), type_name, error.message)


def invalid_cast(value: Any, type_name: str, received: bool) -> NoReturn:
    name = base_type(value, received=received)
    text = to_text(value, received=received)
    failed(text, type_name, f"Invalid cast from '{name}' to '{type_name}'.", INVALID_CAST)


def fall_back(value: Any, type_name: str, received: bool) -> NoReturn:
    """Raise the error of a type that text cannot be converted to."""
    inner = unwrap(value)
    if isinstance(inner, (bool, Char, DateTime, datetime)):
        invalid_cast(value, type_name, received)
    if isinstance(value, PSObject) and (inner is None or isinstance(inner, PSObject)):
        _nested_refusal(value, type_name, received)
    refuse(value, type_name, received)


def no_property(value: Any, type_name: str) -> NoReturn:
    first = next(iter(value), "")
    settable = "There is no settable property available."
    if type_name in ENUMS:
        settable = "The settable properties are: [value__ <System.Int32>]."
    raise ConversionError(
        f"Cannot create object of type \"{type_name}\". The property '{to_text(first)}' was not "
        f"found for the '{type_name}' object. {settable}",
        "ObjectCreationError",
    )


def _whole(value: Any) -> int | None:
    """Return the ticks of an integer of up to 63 bits; None for another value."""
    inner = unwrap(value)
    if type(inner) is Char:
        return ord(inner)
    if isinstance(inner, int) and not isinstance(inner, bool) and inner < 2**63:
        return int(inner)
    return None


def _datetime(value: Any, type_name: str, received: bool) -> DateTime:
    inner = unwrap(value)
    if isinstance(inner, DateTime):
        return inner
    if isinstance(inner, datetime):
        return DateTime.from_datetime(inner)
    ticks = _whole(value)
    if ticks is not None:
        try:
            return DateTime(ticks)
        except ValueError:
            why = (
                "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks. "
                "(Parameter 'ticks')"
            )
            failed(to_text(value, received=received), type_name, why)
    if isinstance(inner, bool):
        text = to_text(value, received=received)
        failed(text, type_name, "Invalid cast from 'Boolean' to 'DateTime'.")
    return _read(value, type_name, received, read=parse_datetime, null=DateTime(0))  # type: ignore[no-any-return]


def _timespan(value: Any, type_name: str, received: bool) -> TimeSpan:
    inner = unwrap(value)
    if isinstance(inner, TimeSpan):
        return inner
    if isinstance(inner, timedelta):
        return TimeSpan.from_timedelta(inner)
    ticks = _whole(value)
    if ticks is not None:
        return TimeSpan(ticks)
    return _read(value, type_name, received, read=parse_timespan, null=TimeSpan(0))  # type: ignore[no-any-return]


def _guid(value: Any, type_name: str, received: bool) -> UUID:
    inner = unwrap(value)
    if isinstance(inner, UUID):
        return inner
    if isinstance(inner, bytes):
        if len(inner) == 16:
            return UUID(bytes_le=inner)
        why = "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')"
        failed("System.Byte[]", type_name, why)
    return _read(value, type_name, received, read=_read_guid, null=UUID(int=0))  # type: ignore[no-any-return]


def _read_guid(text: str) -> UUID:
    bare = text.strip()
    if bare[:1] + bare[-1:] in ("{}", "()"):
        bare = bare[1:-1]
    try:
        if len(bare) == 36 and all(bare[at] == "-" for at in (8, 13, 18, 23)):
            return UUID(bare)
        if len(bare) == 32 and bare.isalnum():
            return UUID(bare)
    except ValueError:
        pass
    if "-" in bare and len(bare) >= 32:
        raise ValueError(
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        )
    raise ValueError("Unrecognized Guid format.")


def _version(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or isinstance(inner, Version):
        return inner
    return _read(value, type_name, received, read=_read_version, null=Version("0.0"))


def _read_version(text: str) -> Version:
    parts = text.split(".")
    if not 2 <= len(parts) <= 4:
        raise ValueError("Version string portion was too short or too long. (Parameter 'input')")
    for part in parts:
        if part.startswith("-") and part[1:].isdecimal():
            raise ValueError(
                f"input ('{part}') must be a non-negative value. (Parameter 'input')\n"
                f"Actual value was {part}."
            )
        if not part.strip().isascii() or not part.strip().lstrip("+").isdecimal():
            raise ValueError(f"The input string '{part}' was not in a correct format.")
    return Version(".".join(str(int(part)) for part in parts))


def _uri(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or isinstance(inner, Uri):
        return inner
    if isinstance(inner, (bool, Char, DateTime, datetime)):
        invalid_cast(value, type_name, received)
    if is_text(inner) or isinstance(inner, _NUMBERS):
        try:
            return Uri(to_text(value, received=received))
        except ValueError as error:
            failed(to_text(value, received=received), type_name, str(error))
    refuse(value, type_name, received)


SCALARS: dict[str, Maker] = {
    **dict.fromkeys(_RANGES, _integer),
    "System.Boolean": to_boolean,
    "System.Char": _char,
    "System.DateTime": _datetime,
    "System.Decimal": _decimal,
    "System.Double": _double,
    "System.Guid": _guid,
    "System.Management.Automation.SwitchParameter": _switch,
    "System.Single": _double,
    "System.String": _string,
    "System.TimeSpan": _timespan,
    "System.Uri": _uri,
    "System.Version": _version,
}
"""The makers by .NET type name."""
