"""The operators of PowerShell on values: arithmetic, comparison, strings, arrays.

Results are bounded in size. What depends on .NET's culture or regular expressions beyond the
common part raises Unsupported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, DecimalException
from typing import Any
from uuid import UUID

from psremoting.powershell.conversion import ConversionError, convert, is_of_type, to_text
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.text_operators import format_text, replace, split, text_matches
from psremoting.powershell.wildcards import wildcard
from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    Dictionary,
    Int16,
    Int64,
    List,
    PSObject,
    SByte,
    TimeSpan,
    UInt16,
    UInt32,
    UInt64,
    Version,
)
from psrp.properties import unwrap

__all__ = ["MAX_ITEMS", "STRINGS", "binary", "index", "items_of", "order", "truth", "unary"]

MAX_ITEMS = 100_000
"""Maximum length of an array or string made by an operator, in items or characters."""

STRINGS = ("System.String[]", "System.Array", "System.Object")
"""The types of an array of strings."""
_SMALL = (Byte, SByte, Int16, UInt16)


def truth(value: Any) -> bool:
    """Return the value as a condition."""
    value = unwrap(value)
    if isinstance(value, list):
        return truth(value[0]) if len(value) == 1 else bool(value)
    if isinstance(value, Dictionary | PSObject | UUID | DateTime | TimeSpan):
        return True
    if isinstance(value, Char):
        return value.code != 0
    return bool(value)


def items_of(value: Any) -> list[Any]:
    """Return the items of an array, or the value alone."""
    return list(value) if isinstance(value, list) else [value]


def _bounded(count: int) -> None:
    if count > MAX_ITEMS:
        raise Unsupported(f"a value of more than {MAX_ITEMS} items or characters")


# -- numbers


def _number(value: Any) -> Any:
    """Return an operand of arithmetic as a number."""
    value = unwrap(value)
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Char):
        return value.code
    if isinstance(value, str) and type(value) is str:
        return _number_from(value)
    if isinstance(value, int | float | Decimal):
        return value
    raise EvaluationError(
        f"Method invocation failed because [{type_name_of(value)}] does not contain a method for "
        "this operator.",
        "MethodNotFound",
    )


def _number_from(text: str) -> Any:
    stripped = text.strip()
    if not stripped:
        return 0
    if re.fullmatch(r"[+-]?\d{1,25}", stripped, re.ASCII):
        value = int(stripped)
        return value if -(2**63) <= value < 2**63 else Decimal(value)
    try:
        return convert(stripped, "System.Double")
    except ConversionError:
        raise EvaluationError(
            f'Cannot convert value "{text}" to type "System.Int32". Error: "The input string '
            f"'{text}' was not in a correct format.\"",
            "InvalidCastFromStringToInteger",
        ) from None


def _kind(value: Any) -> str:
    if isinstance(value, float):
        return "double"
    if isinstance(value, Decimal):
        return "decimal"
    if isinstance(value, UInt64):
        return "uint64"
    if isinstance(value, UInt32):
        return "uint32"
    if isinstance(value, Int64) or not -(2**31) <= value < 2**31:
        return "int64" if -(2**63) <= value < 2**63 else "big"
    return "int32"


_RANK = {"int32": 0, "uint32": 1, "int64": 2, "uint64": 3, "double": 4, "decimal": 5, "big": 6}
_LIMITS: dict[str, tuple[int, int, Callable[[int], Any]]] = {
    "int32": (-(2**31), 2**31 - 1, int),
    "uint32": (0, 2**32 - 1, UInt32),
    "int64": (-(2**63), 2**63 - 1, Int64),
    "uint64": (0, 2**64 - 1, UInt64),
}


def _common_kind(left: Any, right: Any) -> str:
    kinds = {_kind(left), _kind(right)}
    kind = max(kinds, key=_RANK.__getitem__)
    if kind == "uint32" and (left < 0 or right < 0):
        return "int64"
    if kind == "uint64" and (left < 0 or right < 0):
        return "decimal"
    return kind


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    if operator != "+" and (isinstance(left, bool) or isinstance(right, bool)):
        raise Unsupported("arithmetic with booleans")
    left, right = _number(left), _number(right)
    kind = _common_kind(left, right)
    if kind == "big":
        raise Unsupported("arithmetic with big integers")
    if kind == "double":
        return _double(operator, float(left), float(right))
    if kind == "decimal":
        return _decimal(operator, left, right)
    if operator in "/%" and right == 0:
        raise EvaluationError("Attempted to divide by zero.")
    least, most, make = _LIMITS[kind]
    if operator == "/":
        if left % right:
            return left / right
        value = left // right
    elif operator == "%":
        value = _remainder(left, right)
    else:
        value = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[operator](left, right)
    return make(value) if least <= value <= most else float(value)


def _remainder(left: int, right: int) -> int:
    value = abs(left) % abs(right)
    return -value if left < 0 else value


def _double(operator: str, left: float, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        if operator == "%" or left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    if operator == "/":
        return left / right
    return math.fmod(left, right) if math.isfinite(left) else math.nan


def _decimal(operator: str, left: Any, right: Any) -> Decimal:
    if operator in "/%" and right == 0:
        raise EvaluationError("Attempted to divide by zero.")
    try:
        first, second = convert(left, "System.Decimal"), convert(right, "System.Decimal")
        if operator in "/%":
            raise Unsupported("division of decimal numbers")
        value = {"+": Decimal.__add__, "-": Decimal.__sub__, "*": Decimal.__mul__}[operator](
            first, second
        )
        made: Decimal = convert(value, "System.Decimal")
    except (ConversionError, DecimalException) as error:
        raise EvaluationError(str(error)) from None
    return made


# -- addition and multiplication of other values


def _add(left: Any, right: Any) -> Any:
    left, right = unwrap(left), unwrap(right)
    if left is None:
        return right
    if isinstance(left, list):
        added = items_of(right)
        _bounded(len(left) + len(added))
        return List([*left, *added])
    if isinstance(left, Dictionary):
        return _merged(left, right)
    if isinstance(left, str):
        text = str(left) + to_text(right)
        _bounded(len(text))
        return text
    if isinstance(left, DateTime | TimeSpan):
        return _moved(left, right, 1)
    if isinstance(right, list | Dictionary) or not isinstance(left, bool | int | float | Decimal):
        raise Unsupported("an addition of these types")
    return _arithmetic("+", left, right)


def _merged(left: Dictionary, right: Any) -> Dictionary:
    if not isinstance(right, Dictionary):
        raise EvaluationError(
            "A hash table can only be added to another hash table.",
            "AddHashTableToNonHashTable",
        )
    made = Dictionary(left.items(), left.type_names)
    for key, value in right.items():
        if key in made:
            raise EvaluationError(
                f"Item has already been added. Key in dictionary: '{to_text(key)}'  Key being "
                f"added: '{to_text(key)}'",
                "System.ArgumentException",
            )
        made.add(key, value)
    return made


def _moved(left: Any, right: Any, sign: int) -> Any:
    if isinstance(left, DateTime) and isinstance(right, DateTime) and sign < 0:
        return TimeSpan(left.ticks - right.ticks)
    if not isinstance(right, TimeSpan):
        raise Unsupported("arithmetic with dates")
    ticks = left.ticks + sign * right.ticks
    try:
        if isinstance(left, DateTime):
            return DateTime(ticks, left.kind, left.offset)
        return TimeSpan(ticks)
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def _subtract(left: Any, right: Any) -> Any:
    left = unwrap(left)
    if isinstance(left, DateTime | TimeSpan):
        return _moved(left, unwrap(right), -1)
    return _arithmetic("-", left, right)


def _multiply(left: Any, right: Any) -> Any:
    left = unwrap(left)
    if isinstance(left, list) or (isinstance(left, str) and not isinstance(left, Char)):
        times = _arithmetic("+", 0, right)
        if isinstance(times, float) or times < 0:
            times = round(times)
        if times < 0:
            raise EvaluationError("Specified argument was out of the range of valid values.")
        _bounded(len(left) * times)
        return str(left) * times if isinstance(left, str) else List(list(left) * times)
    return _arithmetic("*", left, right)


# -- comparison


def _equal(left: Any, right: Any, cased: bool) -> bool:
    left, right = unwrap(left), unwrap(right)
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and type(left) is not Version:
        if isinstance(left, Char) and not isinstance(right, str):
            return bool(left.code == right)
        return _folded(to_text(left), cased) == _folded(to_text(right), cased)
    if isinstance(left, bool):
        return left == truth(right)
    if isinstance(left, int | float | Decimal):
        try:
            return bool(left == _number(right))
        except EvaluationError:
            return False
    if isinstance(left, DateTime | TimeSpan | UUID | Version):
        try:
            return bool(left == convert(right, type_name_of(left)))
        except ConversionError:
            return False
    if isinstance(left, Dictionary | list | PSObject):
        return left is right
    raise Unsupported("a comparison of these types")


def _folded(text: str, cased: bool) -> str:
    return text if cased else text.casefold()


def order(left: Any, right: Any, cased: bool) -> int:
    """Return a negative number, 0 or a positive one. Raises EvaluationError if not ordered."""
    left, right = unwrap(left), unwrap(right)
    if left is None or right is None:
        if left is right:
            return 0
        return -1 if left is None and not _negative(right) else 1
    if isinstance(left, str) and not isinstance(left, Version):
        return _text_order(to_text(left), to_text(right), cased)
    if isinstance(left, DateTime | TimeSpan):
        try:
            other = convert(right, type_name_of(left))
        except ConversionError as error:
            raise EvaluationError(error.message, "ComparisonFailure") from None
        return int(left.ticks > other.ticks) - int(left.ticks < other.ticks)
    one, other = _number(left), _number(right)
    return int(one > other) - int(one < other)


def _negative(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and value < 0


def _text_order(left: str, right: str, cased: bool) -> int:
    """Compare two strings in the invariant culture, as far as letters and digits decide."""
    for text in (left, right):
        if not re.fullmatch(r"[A-Za-z0-9]*", text):
            raise Unsupported("an order of strings that a culture decides")
    one, other = left.casefold(), right.casefold()
    if one != other:
        return -1 if one < other else 1
    if not cased or left == right:
        return 0
    # Lower case comes first.
    return -1 if left.swapcase() < right.swapcase() else 1


def _contains(items: Any, value: Any, cased: bool) -> bool:
    return any(_equal(each, value, cased) for each in items_of(items))


_ORDERS: dict[str, Callable[[int], bool]] = {
    "lt": lambda order: order < 0,
    "le": lambda order: order <= 0,
    "gt": lambda order: order > 0,
    "ge": lambda order: order >= 0,
}


def _compare(name: str, left: Any, right: Any, cased: bool) -> Any:
    """Return the result of a comparison; for an array, the items that match."""
    test = _test(name, right, cased)
    left = unwrap(left) if isinstance(left, PSObject) else left
    if isinstance(left, list):
        return List([each for each in left if test(each)])
    return test(left)


def _test(name: str, right: Any, cased: bool) -> Callable[[Any], bool]:
    if name in _ORDERS:
        return lambda left: _ORDERS[name](order(left, right, cased))
    if name in ("like", "notlike"):
        matcher = wildcard(to_text(right), case_sensitive=cased)
        return lambda left: matcher(to_text(left)) == (name == "like")
    if name in ("match", "notmatch"):
        pattern = to_text(right)
        return lambda left: text_matches(to_text(left), pattern, cased) == (name == "match")
    return lambda left: _equal(left, right, cased) == (name == "eq")


# -- the operators


def _range(left: Any, right: Any) -> List:
    ends = [unwrap(left), unwrap(right)]
    if all(isinstance(each, str) and len(each) == 1 and not each.isdecimal() for each in ends):
        first, last = (ord(each) for each in ends)
        make: Callable[[int], Any] = Char
    else:
        try:
            first, last = (convert(_number(each), "System.Int32") for each in ends)
        except ConversionError as error:
            raise EvaluationError(error.message, error.error_id) from None
        make = int
    _bounded(abs(last - first) + 1)
    step = 1 if last >= first else -1
    return List([make(each) for each in range(first, last + step, step)])


def _bits(operator: str, left: Any, right: Any) -> Any:
    left, right = _number(left), _number(right)
    if isinstance(left, float | Decimal):
        left = round(left)
    if isinstance(right, float | Decimal):
        right = round(right)
    kind = _common_kind(left, right) if operator not in ("shl", "shr") else _kind(left)
    if kind not in _LIMITS:
        raise Unsupported("bits of numbers this large")
    _, _, make = _LIMITS[kind]
    width = 32 if kind.endswith("32") else 64
    if operator in ("shl", "shr"):
        shift = int(right) & (width - 1)
        value = left << shift if operator == "shl" else left >> shift
    else:
        functions = {"band": int.__and__, "bor": int.__or__, "bxor": int.__xor__}
        value = functions[operator](int(left), int(right))
    value &= (1 << width) - 1
    if not kind.startswith("u") and value >> (width - 1):
        value -= 1 << width
    return make(value)


def _join(items: Any, separator: Any) -> str:
    texts = [to_text(each) for each in items_of(items)]
    _bounded(sum(map(len, texts)) + len(texts))
    return to_text(separator).join(texts)


def _is(left: Any, right: Any) -> bool:
    from psremoting.powershell.type_names import full_type_name

    name = full_type_name(right) if isinstance(right, str) else None
    if name is None:
        raise Unsupported(f"the type [{to_text(right)}]")
    if name == "System.Management.Automation.PSObject":
        return isinstance(left, PSObject)
    return left is not None and is_of_type(unwrap(left), name)


def binary(operator: str, left: Any, right: Any) -> Any:  # table
    """Return the value of ``left operator right`` for any operator that evaluates both sides.

    Raises EvaluationError and Unsupported.
    """
    name = operator.removeprefix("-") if len(operator) > 1 else operator
    cased = name.startswith("c") and name[1:] in _CASED
    name = name[1:] if cased else name
    match name:
        case "+":
            return _add(left, right)
        case "-":
            return _subtract(left, right)
        case "*":
            return _multiply(left, right)
        case "/" | "%":
            return _arithmetic(name, left, right)
        case "..":
            return _range(left, right)
        case "f":
            return format_text(to_text(left), items_of(right))
        case "join":
            return _join(left, right)
        case "xor":
            return truth(left) != truth(right)
        case "band" | "bor" | "bxor" | "shl" | "shr":
            return _bits(name, left, right)
        case "contains" | "notcontains":
            return _contains(left, right, cased) == (name == "contains")
        case "in" | "notin":
            return _contains(right, left, cased) == (name == "in")
        case "replace":
            return _each(left, lambda text: replace(text, items_of(right), cased))
        case "split":
            texts = [to_text(each) for each in items_of(left)]
            parts = [part for text in texts for part in split(text, items_of(right), cased)]
            return List(parts, STRINGS)
        case "is" | "isnot":
            return _is(left, right) == (name == "is")
        case _ if name in _CASED:
            return _compare(name, left, right, cased)
    raise Unsupported(f"the operator {operator}")


_CASED_TEXT = """
    eq ne ge gt lt le like notlike match notmatch replace contains notcontains in notin split
"""
_CASED = frozenset(_CASED_TEXT.split())


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return List([change(to_text(each)) for each in value])
    return change(to_text(value))


def unary(operator: str, value: Any) -> Any:
    """Return the value of a unary operator. Raises EvaluationError and Unsupported."""
    match operator:
        case "!" | "-not":
            return not truth(value)
        case "-":
            return _arithmetic("-", 0, value)
        case "+":
            return _arithmetic("+", 0, value)
        case "-join":
            return _join(value, "")
        case "-split" | "-csplit":
            texts = (to_text(each) for each in items_of(value))
            return List([part for text in texts for part in text.split()], STRINGS)
        case "-bnot":
            number = _number(value)
            if isinstance(number, float | Decimal):
                number = round(number)
            if isinstance(number, UInt32 | UInt64):
                return type(number)(type(number).MAX - number)
            return Int64(~number) if _kind(number) == "int64" else ~number
    raise Unsupported(f"the operator {operator.removeprefix('post')}")


# -- indexes


def index(target: Any, at: Any) -> Any:
    """Return ``target[at]``; None if there is no such item. Raises EvaluationError."""
    given, target = target, unwrap(target)
    if target is None:
        raise EvaluationError("Cannot index into a null array.", "NullArray")
    if isinstance(target, Dictionary):
        if isinstance(at, list):
            return List([target.get(each) for each in at])
        if isinstance(at, int) and "OrderedDictionary" in target.type_names[0]:
            values = list(target.values())
            return values[at] if -len(values) <= at < len(values) else None
        return target.get(unwrap(at))
    if not isinstance(target, list | str):
        return _item_of_scalar(given, at)
    items: Iterable[Any] = list(target) if isinstance(target, str) else target
    if isinstance(target, str):
        units = target.encode("utf-16-le", "surrogatepass")
        items = [Char(units[n] | units[n + 1] << 8) for n in range(0, len(units), 2)]
    if isinstance(at, list):
        found = (_item(list(items), each) for each in at)
        return List([each for each in found if each is not None])
    return _item(list(items), at)


def _item_of_scalar(value: Any, at: Any) -> Any:
    """Return the value itself as its first and last item, and None for any other."""
    try:
        number = None if isinstance(at, list) else convert(at, "System.Int32")
    except ConversionError:
        return None
    return value if number in (0, -1) else None


def _item(items: list[Any], at: Any) -> Any:
    try:
        number = convert(at, "System.Int32")
    except ConversionError as error:
        raise EvaluationError(error.message, error.error_id) from None
    return items[number] if -len(items) <= number < len(items) else None
