# table: methods, one per row.
"""Methods of .NET values that expressions of the local prompt may call.

A method that is not here is `Unsupported`: it cannot be told whether .NET has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from psremoting.powershell import operators
from psremoting.powershell.conversion import ConversionError, convert, to_text
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.type_names import full_type_name
from psrp.clixml import (
    Char,
    DateTime,
    Dictionary,
    Enumerable,
    List,
    PSObject,
    ScriptBlock,
    TimeSpan,
)
from psrp.properties import unwrap

__all__ = ["call_method", "call_static"]

Method = Callable[..., Any]
_LISTS = (List, Enumerable, list)
_TEXT, _WHOLE, _NUMBER, _ANY = "System.String", "System.Int32", "System.Double", ""
_CHARACTER = "System.Char"
_MOST_TICKS = 3_155_378_976_000_000_000
"""Ticks from year 1 to year 10000: the most that a method adds to a date."""
_TICKS = {
    "AddDays": 864_000_000_000,
    "AddHours": 36_000_000_000,
    "AddMinutes": 600_000_000,
    "AddSeconds": 10_000_000,
    "AddMilliseconds": 10_000,
    "AddTicks": 1,
}


class MethodFailed(EvaluationError):
    """A method that raised an exception of .NET."""

    def __init__(self, name: str, count: int, message: str, kind: str) -> None:
        super().__init__(
            f'Exception calling "{name}" with "{count}" argument(s): "{message}"', kind
        )


class _Raised(Exception):
    """An exception of .NET: its message, and the name of its class."""


def _not_negative(parameter: str, value: int) -> int:
    if value < 0:
        raise _Raised(
            f"{parameter} ('{value}') must be a non-negative value. (Parameter '{parameter}')"
            f"\nActual value was {value}.",
            "ArgumentOutOfRangeException",
        )
    return value


def _start(text: str, at: int) -> int:
    _not_negative("startIndex", at)
    if at > len(text):
        raise _Raised(
            "startIndex cannot be larger than length of string. (Parameter 'startIndex')",
            "ArgumentOutOfRangeException",
        )
    return at


def _substring(text: str, at: int, count: int | None = None, *, parameter: str = "length") -> str:
    _start(text, at)
    if count is not None and at + _not_negative(parameter, count) > len(text):
        raise _Raised(
            "Index and length must refer to a location within the string. (Parameter 'length')",
            "ArgumentOutOfRangeException",
        )
    return text[at:] if count is None else text[at : at + count]


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        raise _Raised(
            "The value cannot be an empty string. (Parameter 'oldValue')", "ArgumentException"
        )
    return text.replace(old, new)


def _split(text: str, separator: str = "", count: int = -1) -> List:
    found = text.split(separator or None, count - 1 if count > 0 else -1)
    return List(found, ("System.String[]", "System.Array", "System.Object"))


def _remove(text: str, at: int, count: int | None = None) -> str:
    gone = _substring(text, at, count, parameter="count")
    return text[:at] + text[at + len(gone) :]


def _padded(side: str) -> Method:
    def padded(text: str, width: int, fill: Char | str = " ") -> str:
        return str(getattr(text, side)(_not_negative("totalWidth", width), str(fill)))

    return padded


def _strip(side: str) -> Method:
    def strip(text: str, *characters: str) -> str:
        return str(getattr(text, side)("".join(characters) or None))

    return strip


#: Name to the types of the parameters, how many of them are needed, and the function.
_OF_TEXT: dict[str, tuple[tuple[str, ...], int, Method]] = {
    "ToUpper": ((), 0, str.upper),
    "ToLower": ((), 0, str.lower),
    "ToUpperInvariant": ((), 0, str.upper),
    "ToLowerInvariant": ((), 0, str.lower),
    "Trim": ((_TEXT, _TEXT, _TEXT, _TEXT), 0, _strip("strip")),
    "TrimStart": ((_TEXT, _TEXT, _TEXT, _TEXT), 0, _strip("lstrip")),
    "TrimEnd": ((_TEXT, _TEXT, _TEXT, _TEXT), 0, _strip("rstrip")),
    "Substring": ((_WHOLE, _WHOLE), 1, _substring),
    "Contains": ((_TEXT,), 1, lambda text, part: part in text),
    "StartsWith": ((_TEXT,), 1, str.startswith),
    "EndsWith": ((_TEXT,), 1, str.endswith),
    "IndexOf": ((_TEXT, _WHOLE), 1, lambda text, part, at=0: text.find(part, _start(text, at))),
    "LastIndexOf": ((_TEXT,), 1, str.rfind),
    "Replace": ((_TEXT, _TEXT), 2, _replace),
    "Split": ((_TEXT, _WHOLE), 0, _split),
    "PadLeft": ((_WHOLE, _CHARACTER), 1, _padded("rjust")),
    "PadRight": ((_WHOLE, _CHARACTER), 1, _padded("ljust")),
    "Insert": ((_WHOLE, _TEXT), 2, lambda t, at, new: t[: _start(t, at)] + new + t[at:]),
    "Remove": ((_WHOLE, _WHOLE), 1, _remove),
    "ToCharArray": ((), 0, lambda text: List(map(Char, text), ("System.Char[]", "System.Array"))),
    "CompareTo": ((_TEXT,), 1, lambda text, other: operators.order(text, other, True)),
}


def _add(table: Dictionary, key: Any, value: Any) -> None:
    if key in table:
        raise _Raised(
            f"Item has already been added. Key in dictionary: '{to_text(key)}'  Key being added: "
            f"'{to_text(key)}'",
            "ArgumentException",
        )
    table[key] = value


def _take(table: Dictionary, key: Any) -> None:
    if key in table:
        del table[key]


def _clear(table: Dictionary) -> None:
    for key in list(table):
        del table[key]


def _entries(table: Dictionary) -> List:
    return List([PSObject.custom(Name=key, Key=key, Value=item) for key, item in table.items()])


_OF_TABLE: dict[str, tuple[tuple[str, ...], int, Method]] = {
    "ContainsKey": ((_ANY,), 1, lambda table, key: key in table),
    "Contains": ((_ANY,), 1, lambda table, key: key in table),
    "ContainsValue": ((_ANY,), 1, lambda table, value: value in list(table.values())),
    "Add": ((_ANY, _ANY), 2, _add),
    "Remove": ((_ANY,), 1, _take),
    "Clear": ((), 0, _clear),
    "GetEnumerator": ((), 0, _entries),
}


def _fixed(*_: Any) -> None:
    raise _Raised("Collection was of a fixed size.", "NotSupportedException")


_OF_LIST: dict[str, tuple[tuple[str, ...], int, Method]] = {
    "Contains": ((_ANY,), 1, lambda items, value: any(value == each for each in items)),
    "IndexOf": ((_ANY,), 1, lambda items, v: next((n for n, x in enumerate(items) if x == v), -1)),
    "Add": ((_ANY,), 1, _fixed),
    "Remove": ((_ANY,), 1, _fixed),
    "Clone": ((), 0, lambda items: List(items, getattr(items, "type_names", ()))),
}


def _moved(date: DateTime, count: float, unit: int) -> DateTime:
    if math.isnan(count):
        return date
    if abs(count) * unit > _MOST_TICKS:
        raise _Raised(
            "Value to add was out of range. (Parameter 'value')", "ArgumentOutOfRangeException"
        )
    try:
        return DateTime(date.ticks + round(count * unit), date.kind, date.offset)
    except ValueError:
        raise _Raised(
            "The added or subtracted value results in an un-representable DateTime."
            " (Parameter 'value')",
            "ArgumentOutOfRangeException",
        ) from None


_OF_DATE: dict[str, tuple[tuple[str, ...], int, Method]] = {
    name: (
        (_NUMBER,),
        1,
        lambda date, count, ticks=ticks: _moved(date, count, ticks),
    )
    for name, ticks in _TICKS.items()
}
_BY_TYPE: tuple[tuple[Any, dict[str, tuple[tuple[str, ...], int, Method]]], ...] = (
    (Dictionary, _OF_TABLE),
    (_LISTS, _OF_LIST),
    (DateTime, _OF_DATE),
    (str, _OF_TEXT),
)


def _type_of(value: Any) -> PSObject:
    full = type_name_of(value)
    name = full.rpartition(".")[2]
    return PSObject(("System.RuntimeType", "System.Type"), {"Name": name, "FullName": full},
                    to_string=full)  # fmt: skip


def _with_format(value: Any, form: str) -> str:
    return str(operators.binary("-f", f"{{0:{form}}}", value))


def call_method(value: Any, name: str, arguments: list[Any]) -> Any:
    """Return ``value.name(arguments)``; of a list without the method, the results of its items.

    Raises EvaluationError and Unsupported.
    """
    if value is None:
        raise EvaluationError(
            "You cannot call a method on a null-valued expression.", "InvokeMethodOnNull"
        )
    folded = name.casefold()
    inner = unwrap(value)
    if type(inner) is ScriptBlock or (type(value) is PSObject and value.value is None):
        inner = value
    if folded == "gettype" and not arguments:
        return _type_of(value)
    if folded == "tostring" and len(arguments) < 2:
        return _with_format(inner, to_text(arguments[0])) if arguments else to_text(value)
    if folded == "equals" and len(arguments) == 1:
        same = type(inner) is type(unwrap(arguments[0]))
        return same and inner == unwrap(arguments[0])
    for kind, methods in _BY_TYPE:
        if isinstance(inner, kind) and type(inner) is not ScriptBlock:
            found = next((each for each in methods if each.casefold() == folded), None)
            if found is not None:
                return _called(found, inner, arguments, methods[found])
            break
    if isinstance(inner, _LISTS):
        return List([call_method(each, name, arguments) for each in inner])
    raise Unsupported(f"the method .{name}() of {type_name_of(value)}")


def _called(
    name: str, value: Any, arguments: list[Any], method: tuple[tuple[str, ...], int, Method]
) -> Any:
    types, needed, function = method
    if not needed <= len(arguments) <= len(types):
        raise EvaluationError(
            f'Cannot find an overload for "{name}" and the argument count: "{len(arguments)}".',
            "MethodCountCouldNotFindBest",
        )
    given = [_argument(name, each, kind) for each, kind in zip(arguments, types, strict=False)]
    try:
        return function(value, *given)
    except _Raised as error:
        message, kind = error.args
        raise MethodFailed(name, len(arguments), message, kind) from None


def _argument(name: str, value: Any, kind: str) -> Any:
    if kind == _ANY:
        return unwrap(value)
    if kind == _TEXT and isinstance(value, _LISTS):
        return "".join(map(to_text, value))
    try:
        return unwrap(convert(value, kind))
    except ConversionError as error:
        raise EvaluationError(
            f'Cannot convert argument, with value: "{to_text(value)}", for "{name}" to type '
            f'"{kind}": "{error.message}"',
            "MethodArgumentConversionInvalidCastArgument",
        ) from None


# -- static methods


def _number(value: Any) -> int | float | Decimal:
    inner = unwrap(value)
    if isinstance(inner, str):
        inner = unwrap(convert(inner, _NUMBER))
    if isinstance(inner, (int, float, Decimal)):
        return inner
    return float(unwrap(convert(value, _NUMBER)))


def _rounded(value: Any, digits: Any = 0) -> float | Decimal:
    number, places = _number(value), unwrap(convert(digits, _WHOLE))
    if isinstance(number, Decimal):
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    if not 0 <= places <= 15:
        raise _Raised(
            "Rounding digits must be between 0 and 15, inclusive. (Parameter 'digits')",
            "ArgumentOutOfRangeException",
        )
    return float(round(float(number), places))


def _whole(change: Callable[[Any], int]) -> Method:
    def changed(value: Any) -> float | Decimal:
        number = _number(value)
        if isinstance(number, float) and not math.isfinite(number):
            return number
        made = change(number)
        return Decimal(made) if isinstance(number, Decimal) else float(made)

    return changed


def _of_float(function: Callable[..., float]) -> Method:
    def called(*values: Any) -> float:
        try:
            return function(*(float(_number(each)) for each in values))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return called


def _span(unit: int) -> Method:
    """Return a function from a number of units of so many ticks to a TimeSpan."""

    def span(value: Any) -> TimeSpan:
        number = _number(value)
        if math.isnan(number):
            raise _Raised(
                "TimeSpan does not accept floating point Not-a-Number values.", "ArgumentException"
            )
        try:
            return TimeSpan(round(number * unit))
        except (ValueError, OverflowError):
            raise _Raised(
                "TimeSpan overflowed because the duration is too long.", "OverflowException"
            ) from None

    return span


def _blank(value: Any) -> bool:
    return value is None or not to_text(value).strip()


#: Type and method in lower case, to the least and greatest number of arguments and the function.
_STATIC: dict[tuple[str, str], tuple[int, int, Method]] = {
    ("math", "max"): (2, 2, lambda a, b: max(_number(a), _number(b))),
    ("math", "min"): (2, 2, lambda a, b: min(_number(a), _number(b))),
    ("math", "abs"): (1, 1, lambda a: abs(_number(a))),
    ("math", "sign"): (1, 1, lambda a: (_number(a) > 0) - (_number(a) < 0)),
    ("math", "floor"): (1, 1, _whole(math.floor)),
    ("math", "ceiling"): (1, 1, _whole(math.ceil)),
    ("math", "truncate"): (1, 1, _whole(math.trunc)),
    ("math", "round"): (1, 2, _rounded),
    ("math", "pow"): (2, 2, _of_float(math.pow)),
    ("math", "sqrt"): (1, 1, _of_float(math.sqrt)),
    ("math", "exp"): (1, 1, _of_float(math.exp)),
    ("math", "log"): (1, 2, _of_float(math.log)),
    ("math", "log10"): (1, 1, _of_float(math.log10)),
    ("string", "join"): (2, 2, lambda by, items: operators.binary("-join", items, to_text(by))),
    ("string", "isnullorempty"): (1, 1, lambda text: text is None or not to_text(text)),
    ("string", "isnullorwhitespace"): (1, 1, _blank),
    ("string", "concat"): (1, 4, lambda *parts: "".join(map(to_text, parts))),
    ("string", "format"): (2, 5, lambda form, *v: operators.binary("-f", form, List(v))),
    ("guid", "parse"): (1, 1, lambda text: convert(text, "System.Guid")),
    ("int32", "parse"): (1, 1, lambda text: convert(text, _WHOLE)),
    ("double", "parse"): (1, 1, lambda text: convert(text, _NUMBER)),
    ("datetime", "parse"): (1, 1, lambda text: convert(text, "System.DateTime")),
    ("timespan", "parse"): (1, 1, lambda text: convert(text, "System.TimeSpan")),
    ("timespan", "fromdays"): (1, 1, _span(864_000_000_000)),
    ("timespan", "fromhours"): (1, 1, _span(36_000_000_000)),
    ("timespan", "fromminutes"): (1, 1, _span(600_000_000)),
    ("timespan", "fromseconds"): (1, 1, _span(10_000_000)),
}


def call_static(type_name: str, name: str, arguments: list[Any]) -> Any:
    """Return ``[type_name]::name(arguments)``. Raises EvaluationError and Unsupported."""
    full = full_type_name(type_name) or type_name
    short = full.rpartition(".")[2].casefold()
    if (short, name.casefold()) not in _STATIC:
        raise Unsupported(f"the method [{type_name}]::{name}()")
    least, most, function = _STATIC[short, name.casefold()]
    if not least <= len(arguments) <= most:
        raise EvaluationError(
            f'Cannot find an overload for "{name}" and the argument count: "{len(arguments)}".',
            "MethodCountCouldNotFindBest",
        )
    try:
        return function(*arguments)
    except ConversionError as error:
        raise EvaluationError(error.message, error.error_id) from None
    except _Raised as error:
        message, kind = error.args
        raise MethodFailed(name, len(arguments), message, kind) from None
