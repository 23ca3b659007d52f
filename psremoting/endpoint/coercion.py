"""From the values that a client sends to what a Python parameter wants.

A remote argument is a CLIXML value or, on a typed command line, a number or text; PowerShell
converts freely between them, and so does this: text to numbers, times, enums, one value to a
list of one. What cannot be converted raises CoercionError with PowerShell's words.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from psrp.clixml import (
    Char,
    Dictionary,
    PSObject,
    SecureString,
    Version,
)
from psrp.host import Credential
from psrp.properties import unwrap
from psrp.sansio import LocalProtocolError

__all__ = [
    "CoercionError",
    "Written",
    "bare_type",
    "choices_of",
    "convert",
    "element_of",
    "is_list",
    "number",
    "type_name",
]


class CoercionError(ValueError):
    """A value does not fit a parameter; the text is PowerShell's."""


@dataclass(frozen=True, slots=True)
class Written:
    """A number with its spelling: a text parameter gets ``007`` as it was typed."""

    value: int | float | Decimal
    text: str


_NAMES: dict[Any, str] = {
    Any: "System.Object",
    bool: "System.Boolean",
    bytes: "System.Byte[]",
    Credential: "System.Management.Automation.PSCredential",
    date: "System.DateTime",
    datetime: "System.DateTime",
    Decimal: "System.Decimal",
    dict: "System.Collections.Hashtable",
    float: "System.Double",
    int: "System.Int64",
    PSObject: "System.Management.Automation.PSObject",
    SecureString: "System.Security.SecureString",
    str: "System.String",
    timedelta: "System.TimeSpan",
    UUID: "System.Guid",
    Version: "System.Version",
}


def bare_type(annotation: Any) -> Any:
    """Without Annotated and without the None of Optional."""
    while get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        if len(rest) == 1:
            return bare_type(rest[0])
    return annotation


def _may_be_none(annotation: Any) -> bool:
    while get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    return type(None) in get_args(annotation)


def is_list(annotation: Any) -> bool:
    """Whether a parameter takes many values."""
    kind = bare_type(annotation)
    origin = get_origin(kind) or kind
    return origin in (list, tuple, set, frozenset, Sequence, Iterable)


def element_of(annotation: Any) -> Any:
    """What a list parameter holds."""
    arguments = [each for each in get_args(bare_type(annotation)) if each is not Ellipsis]
    return arguments[0] if arguments else Any


def type_name(annotation: Any) -> str:
    """The .NET name that a client is shown for a parameter's type."""
    kind = bare_type(annotation)
    if is_list(kind):
        return type_name(element_of(kind)) + "[]"
    if get_origin(kind) is Literal:
        return "System.String"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind.__name__
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "System.String"
    return _NAMES.get(get_origin(kind) or kind, "System.Object")


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal or an Enum, for completion and for the error text."""
    kind = element_of(annotation) if is_list(annotation) else bare_type(annotation)
    kind = bare_type(kind)
    if get_origin(kind) is Literal:
        return tuple(str(each) for each in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(each.name for each in kind)
    return ()


def convert(value: Any, annotation: Any) -> Any:
    """``value`` as the type of an annotation. Raises CoercionError."""
    if value is None and _may_be_none(annotation):
        return None
    kind = bare_type(annotation)
    if isinstance(value, Written):
        value = value.text if kind is str else value.value
    if kind is Any or kind is object or isinstance(kind, str):
        return _unwritten(value) if isinstance(value, list) else value
    if get_origin(kind) in (Union, types.UnionType):
        return _convert_union(value, kind)
    plain = unwrap(value)
    if is_list(kind):
        return _convert_list(plain, kind)
    if plain is None:
        return _from_nothing(kind)
    if get_origin(kind) is Literal:
        return _choose(plain, get_args(kind), str)
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return _enum(plain, origin)
    if origin is PSObject or origin in _PASSED:
        return value if isinstance(value, origin) else _refuse(value, kind)
    maker = _MAKERS.get(origin)
    if maker is None:
        if not (isinstance(origin, type) and issubclass(origin, PurePath)):
            return value
        maker = lambda text: origin(_str(text))  # noqa: E731
    try:
        return maker(plain)
    except (ValueError, TypeError, InvalidOperation, OverflowError, LocalProtocolError) as error:
        raise CoercionError(_words(plain, kind, error)) from None


def _unwritten(items: list[Any]) -> list[Any]:
    if not any(isinstance(item, (Written, list)) for item in items):
        return items
    return [
        item.value if isinstance(item, Written)
        else _unwritten(item) if type(item) is list
        else item
        for item in items
    ]  # fmt: skip


def _convert_union(value: Any, kind: Any) -> Any:
    kinds = [each for each in get_args(kind) if each is not type(None)]
    plain = unwrap(value)
    for each in kinds:
        exact = get_origin(each) or each
        if isinstance(exact, type) and type(plain) is exact:
            return plain
    for each in kinds:
        try:
            return convert(value, each)
        except CoercionError:
            continue
    return _refuse(value, kind)


def _convert_list(plain: Any, kind: Any) -> Any:
    element = element_of(kind)
    if plain is None:
        return []
    several = isinstance(plain, (list, tuple, set, frozenset))
    items = [convert(item, element) for item in (plain if several else [plain])]
    origin = get_origin(kind) or kind
    return origin(items) if origin in (tuple, set, frozenset) else items


_PASSED = (SecureString,)
_SECRETS = (_NAMES[SecureString], _NAMES[Credential])
"""What was meant to be one of these is not repeated in an error."""
_GIVEN: dict[type, str] = {
    **{bool: "System.Boolean", float: "System.Double", int: "System.Int32", str: "System.String"},
    **{Dictionary: "System.Collections.Hashtable", list: "System.Object[]"},
}
"""What the user is told that a value was."""
_EMPTY: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}


def _from_nothing(kind: Any) -> Any:
    """$null becomes what PowerShell makes of it."""
    return _EMPTY.get(kind)


def _refuse(value: Any, kind: Any) -> Any:
    raise CoercionError(_words(unwrap(value), kind, None))


def _words(value: Any, kind: Any, error: Exception | None) -> str:
    name = type_name(kind)
    given = _GIVEN.get(type(value), type(value).__name__)
    if name in _SECRETS:
        return f'Cannot convert the value of type "{given}" to type "{name}".'
    if isinstance(value, str) and not isinstance(value, SecureString):
        text = str(value)[:100]
        if name in ("System.Int64", "System.Double", "System.Decimal"):
            why = f"The input string '{text}' was not in a correct format."
        else:
            why = str(error) if error and str(error) else "Invalid cast."
        return f'Cannot convert value "{text}" to type "{name}". Error: "{why}"'
    shown = f"{value}" if isinstance(value, (int, float)) else given
    return f'Cannot convert the "{shown}" value of type "{given}" to type "{name}".'


# -- the makers


_SUFFIXES = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}


def number(text: str) -> int | float:
    """A number as PowerShell writes it: 12, -0x1F, 0b101, 1.5e3, 64kb. Raises ValueError."""
    folded = text.strip().casefold()
    sign = -1 if folded.startswith("-") else 1
    folded = folded.lstrip("+-") if folded[:1] in ("+", "-") else folded
    factor = 1
    for suffix, its in _SUFFIXES.items():
        if folded.endswith(suffix) and not folded.startswith("0x"):
            folded, factor = folded[:-2], its
    if not folded.isascii() or not (folded[:1].isdigit() or folded[:1] == ".") or "_" in folded:
        raise ValueError("not a number")
    if len(folded) > 400:
        raise ValueError("too many digits")
    if folded.startswith("0x"):
        return sign * int(folded, 16)
    if folded.startswith("0b"):
        return sign * int(folded, 2) * factor
    if folded.isdecimal():
        return sign * int(folded) * factor
    return sign * float(folded) * factor


def _int(value: Any) -> int:
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, str):
        value = number(value)
    whole: int = round(value)
    return whole


def _float(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    known = _NOT_FINITE.get(value.strip().casefold())
    return float(number(value)) if known is None else known


_NOT_FINITE = {each: float(each) for each in ("nan", "infinity", "-infinity")} | {
    "∞": float("inf"), "-∞": float("-inf"),
}  # fmt: skip


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        raise ValueError("Boolean parameters accept only Boolean values and numbers")
    return bool(value)


def _str(value: Any) -> str:
    if isinstance(value, SecureString):
        raise ValueError("a secret does not become text by itself")
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (list, tuple)):
        return " ".join(_str(item) for item in value)
    if isinstance(value, PSObject):
        return value.to_string or (value.type_names[0] if value.type_names else "")
    return str.__str__(value) if isinstance(value, str) else str(value)


def _datetime(value: Any) -> datetime:
    from psremoting.endpoint.times import read_datetime

    return read_datetime(value)


def _timedelta(value: Any) -> timedelta:
    from psremoting.endpoint.times import read_timedelta

    return read_timedelta(value)


def _decimal(value: Any) -> Decimal:
    made = Decimal(str(value).strip())
    if not made.is_finite():
        raise ValueError("Value was either too large or too small for a Decimal.")
    return made


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, list):
        return bytes(int(item) for item in value)
    raise ValueError("not an array of bytes")


def _dict(value: Any) -> dict[Any, Any]:
    if isinstance(value, (Dictionary, PSObject, Mapping)):
        return dict(value.items())
    raise ValueError("not a table of names and values")


def _credential(value: Any) -> Credential:
    if isinstance(value, Credential):
        return value
    if isinstance(value, PSObject):
        name, password = unwrap(value.get("UserName")), unwrap(value.get("Password"))
        if isinstance(name, str) and isinstance(password, SecureString):
            return Credential(str(name), password)
    raise ValueError("not a PSCredential")


def _choose(value: Any, known: Iterable[Any], name: Callable[[Any], str]) -> Any:
    for each in known:
        if each == value or name(each).casefold() == str(value).casefold():
            return each
    raise CoercionError(
        f'The argument "{value}" does not belong to the set "'
        + ",".join(name(each) for each in known)
        + '" specified by the ValidateSet attribute. Supply an argument that is in the set and '
        "then try the command again."
    )


def _enum(value: Any, kind: type[enum.Enum]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        with suppress(ValueError):
            return kind(value)
    for each in kind:
        if each.value == value and type(each.value) is type(value):
            return each
    return _choose(value, tuple(kind), lambda each: str(each.name))


_MAKERS: dict[Any, Callable[[Any], Any]] = {
    bool: _bool,
    bytes: _bytes,
    Char: Char,
    Credential: _credential,
    date: lambda value: _datetime(value).date(),
    datetime: _datetime,
    Decimal: _decimal,
    dict: _dict,
    float: _float,
    int: _int,
    Mapping: _dict,
    str: _str,
    timedelta: _timedelta,
    UUID: lambda value: value if isinstance(value, UUID) else UUID(_str(value)),
    Version: lambda value: Version(_str(value)),
}
