"""Select-Object and Measure-Object, which clients need to ask about commands."""

from __future__ import annotations

import fnmatch
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.parameters import Input, Param
from psremoting.powershell.numbers import parse_number
from psremoting.powershell.value_members import members_of_time
from psremoting.powershell.value_text import text_of
from psrp.clixml import Dictionary, PSObject, dumps
from psrp.properties import unwrap
from psrp.records import ErrorCategory
from psrp.sansio import LocalProtocolError

__all__ = ["measure_object", "select_object"]

_KIND = "Microsoft.PowerShell.Commands."
_CUSTOM = "System.Management.Automation.PSCustomObject"
_TYPES: dict[type, str] = {
    str: "System.String", int: "System.Int32", float: "System.Double", bool: "System.Boolean",
}  # fmt: skip


def members(value: Any) -> dict[str, Any]:
    """The properties of an object, as far as they can be seen here."""
    if isinstance(value, PSObject):
        return dict(value.items())
    if isinstance(value, (Dictionary, Mapping)):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, (str, list)):
        return {"Length": len(value)}
    return members_of_time(value)


def member(value: Any, name: str) -> tuple[bool, Any]:
    """Whether an object has a property, found without regard to case, and its value."""
    known = members(value)
    if name in known:
        return True, known[name]
    for each, item in known.items():
        if each.casefold() == name.casefold():
            return True, item
    return False, None


async def _one(value: Any) -> AsyncIterator[Any]:
    yield value


def _objects(context: Context, input: Input, one: Any) -> AsyncIterator[Any]:
    """What is given by name, or else by the pipeline."""
    given = "input_object" in context.stage.bound.values
    return _one(one) if given else aiter(input)


async def select_object(
    context: Context,
    input: Input,
    property: Annotated[list[str], Param(help="Properties to keep, with wildcards.")] = [],  # noqa: B006
    *,
    input_object: Annotated[Any, Param(help="An object instead of the pipeline's.")] = None,
    exclude_property: Annotated[list[str], Param(help="Properties to leave out.")] = [],  # noqa: B006
    expand_property: Annotated[str, Param(help="The property to give instead of the object.")] = "",
    first: Annotated[int, Param(help="How many from the beginning.")] = -1,
    last: Annotated[int, Param(help="How many from the end.")] = -1,
    skip: Annotated[int, Param(help="How many to leave out at the beginning.")] = 0,
    skip_last: Annotated[int, Param(help="How many to leave out at the end.")] = 0,
    index: Annotated[list[int], Param(help="Which ones, counted from 0.")] = [],  # noqa: B006
    skip_index: Annotated[list[int], Param(help="Which ones not, counted from 0.")] = [],  # noqa: B006
    unique: Annotated[bool, Param(help="Each object once.")] = False,
    wait: bool = False,
) -> None:
    """Selects objects, or properties of objects."""
    if first == 0 and last < 0:
        return
    give = _Giver(context, property, exclude_property, expand_property, unique)
    tail: deque[Any] = deque()
    given = 0
    at = -1
    async for item in _objects(context, input, input_object):
        at += 1
        if index:
            if at in index:
                await give(item)
            if at >= max(index):
                return
        elif at in skip_index or (at < skip and (last < 0 or first >= 0)):
            continue
        elif given < first:
            given += await give(item)
            if given == first and last < 0:
                return
        elif last >= 0 or skip_last > 0:
            tail.append(item)
            if len(tail) > (max(last, 0) + (skip if first < 0 else 0) if last >= 0 else skip_last):
                item = tail.popleft()
                if last < 0:
                    await give(item)
        else:
            await give(item)
    if last >= 0:
        for item in list(tail)[: len(tail) - skip if first < 0 and skip else None]:
            await give(item)


class _Giver:
    """Writes what is kept of an object."""

    def __init__(
        self, context: Context, names: list[str], exclude: list[str], expand: str, unique: bool
    ) -> None:
        self._context = context
        self._names = names
        self._exclude = exclude
        self._expand = expand
        self._seen: set[bytes] | None = set() if unique else None

    async def __call__(self, item: Any) -> bool:
        """Whether it was one that had not been there yet."""
        some = self._names or self._exclude
        made = _selected(item, self._names, self._exclude) if some else item
        if self._seen is not None:
            key = _key(made)
            if key in self._seen:
                return False
            self._seen.add(key)
        if not self._expand:
            await self._context.write(made)
            return True
        found, value = member(item, self._expand)
        if not found:
            await self._context.write_error(
                CommandError(
                    f'Property "{self._expand}" cannot be found.',
                    error_id="ExpandPropertyNotFound",
                    category=ErrorCategory.InvalidArgument,
                    exception_type="System.Management.Automation.PSArgumentException",
                )
            )
            return True
        for each in value if isinstance(value, list) else [value]:
            await self._context.write(each)
        return True


def _key(value: Any) -> bytes:
    try:
        return dumps(value)
    except LocalProtocolError:
        return str(id(value)).encode()


def _selected(item: Any, names: list[str], exclude: list[str]) -> PSObject:
    known = members(item)
    kept: dict[str, Any] = {}
    for name in names or ["*"]:
        if set(name) & set("*?["):
            for each, value in known.items():
                if fnmatch.fnmatchcase(each.casefold(), name.casefold()):
                    kept.setdefault(each, value)
        else:
            exact = next((each for each in known if each.casefold() == name.casefold()), name)
            kept.setdefault(exact, known.get(exact))
    for name in exclude:
        for each in list(kept):
            if fnmatch.fnmatchcase(each.casefold(), name.casefold()):
                del kept[each]
    first = item.type_names[:1] if isinstance(item, PSObject) else ()
    base = first[0] if first else _TYPES.get(type(item), "System.Object")
    return PSObject((f"Selected.{base}", _CUSTOM, "System.Object"), extended=kept)


# -- Measure-Object


@dataclass(slots=True)
class _Tally:
    count: int = 0
    sum: float = 0.0
    squares: float = 0.0
    least: Any = None
    most: Any = None
    lines: int = 0
    words: int = 0
    characters: int = 0

    def add(self, value: Any, number: float | None) -> None:
        self.count += 1
        if number is not None:
            value = number
            self.sum += number
            self.squares += number * number
        if self.least is None or _less(value, self.least):
            self.least = value
        if self.most is None or _less(self.most, value):
            self.most = value

    def add_text(self, text: str) -> None:
        self.count += 1
        self.lines += text.count("\n") + bool(text)
        self.words += len(text.split())
        self.characters += len(text)


def _less(one: Any, other: Any) -> bool:
    try:
        return bool(one < other)
    except TypeError:
        return str(one) < str(other)


async def measure_object(
    context: Context,
    input: Input,
    property: Annotated[list[str], Param(help="Properties to measure.")] = [],  # noqa: B006
    *,
    input_object: Annotated[Any, Param(help="An object instead of the pipeline's.")] = None,
    sum: Annotated[bool, Param(help="Add the values up.")] = False,
    average: Annotated[bool, Param(help="The mean of the values.")] = False,
    maximum: Annotated[bool, Param(help="The largest value.")] = False,
    minimum: Annotated[bool, Param(help="The smallest value.")] = False,
    standard_deviation: Annotated[bool, Param(help="How far the values scatter.")] = False,
    all_stats: Annotated[bool, Param(help="All of these.")] = False,
    line: Annotated[bool, Param(help="Count lines of text.")] = False,
    word: Annotated[bool, Param(help="Count words.")] = False,
    character: Annotated[bool, Param(help="Count characters.")] = False,
) -> None:
    """Counts objects, and measures their values."""
    numeric = sum or average or standard_deviation or all_stats
    text = line or word or character
    tallies = {name: _Tally() for name in property or [""]}
    async for item in _objects(context, input, input_object):
        for name, tally in tallies.items():
            found, value = member(item, name) if name else (True, item)
            value = unwrap(value)
            if not found or value is None:
                continue
            number = _number(value) if numeric else None
            if text:
                tally.add_text(text_of(value))
            elif numeric and number is None:
                await context.write_error(_not_numeric(value))
            else:
                tally.add(value, number)
    for name, tally in tallies.items():
        if name and not tally.count:
            await context.write_error(_no_property(name))
            continue
        shown = {
            "Average": average, "Sum": sum, "Maximum": maximum, "Minimum": minimum,
            "StandardDeviation": standard_deviation,
            "Lines": line, "Words": word, "Characters": character,
        }  # fmt: skip
        wanted = {key for key, value in shown.items() if value or all_stats}
        await context.write((_counted if text else _measured)(name, tally, wanted))


def _number(value: Any) -> float | None:
    """Text that is a number counts as one."""
    try:
        known = isinstance(value, (int, float, Decimal))
        return (
            float(value if known else parse_number(value)) if known or type(value) is str else None
        )
    except (ValueError, OverflowError):
        return None


def _counted(name: str, tally: _Tally, shown: set[str]) -> PSObject:
    values = {"Lines": tally.lines, "Words": tally.words, "Characters": tally.characters}
    return PSObject(
        (_KIND + "TextMeasureInfo", _KIND + "MeasureInfo", "System.Object"),
        {
            **{key: value if key in shown else None for key, value in values.items()},
            "Property": name or None,
        },
        to_string=_KIND + "TextMeasureInfo",
    )


def _measured(name: str, tally: _Tally, shown: set[str]) -> PSObject:
    count = tally.count
    spread = None
    if count > 1:
        variance = (tally.squares - tally.sum * tally.sum / count) / (count - 1)
        spread = math.sqrt(max(variance, 0.0))
    values = {
        "Average": tally.sum / count if count else None,
        "Sum": tally.sum if count else None,
        "Maximum": _as_double(tally.most),
        "Minimum": _as_double(tally.least),
        "StandardDeviation": spread,
    }
    return PSObject(
        (_KIND + "GenericMeasureInfo", _KIND + "MeasureInfo", "System.Object"),
        {
            "Count": count,
            **{key: value if key in shown else None for key, value in values.items()},
            "Property": name or None,
        },
        to_string=_KIND + "GenericMeasureInfo",
    )


def _as_double(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number else value


def _not_numeric(value: Any) -> CommandError:
    return CommandError(
        f'Input object "{value}" is not numeric.',
        error_id="NonNumericInputObject",
        category=ErrorCategory.InvalidType,
        exception_type="System.Management.Automation.PSInvalidOperationException",
        target=value if isinstance(value, str) else None,
    )


def _no_property(name: str) -> CommandError:
    return CommandError(
        f'The property "{name}" cannot be found in the input for any objects.',
        error_id="GenericMeasurePropertyNotFound",
        category=ErrorCategory.InvalidArgument,
        exception_type="System.Management.Automation.PSArgumentException",
    )
