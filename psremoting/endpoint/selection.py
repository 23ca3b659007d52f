"""Select-Object and Measure-Object, which clients need to ask about commands."""

from __future__ import annotations

import fnmatch
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from psremoting.endpoint.context import Context
from psremoting.endpoint.failures import CommandError
from psremoting.endpoint.parameters import Input, Param
from psrp.clixml import Dictionary, PSObject, dumps
from psrp.properties import unwrap
from psrp.records import ErrorCategory
from psrp.sansio import LocalProtocolError

__all__ = ["measure_object", "select_object"]

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
    return {}


def member(value: Any, name: str) -> tuple[bool, Any]:
    """Whether an object has a property, found without regard to case, and its value."""
    known = members(value)
    if name in known:
        return True, known[name]
    for each, item in known.items():
        if each.casefold() == name.casefold():
            return True, item
    return False, None


async def select_object(
    context: Context,
    input: Input,
    property: Annotated[list[str], Param(help="Properties to keep, with wildcards.")] = [],  # noqa: B006
    *,
    exclude_property: Annotated[list[str], Param(help="Properties to leave out.")] = [],  # noqa: B006
    expand_property: Annotated[str, Param(help="The property to give instead of the object.")] = "",
    first: Annotated[int, Param(help="How many from the beginning.")] = -1,
    last: Annotated[int, Param(help="How many from the end.")] = -1,
    skip: Annotated[int, Param(help="How many to leave out at the beginning.")] = 0,
    skip_last: Annotated[int, Param(help="How many to leave out at the end.")] = 0,
    unique: Annotated[bool, Param(help="Each object once.")] = False,
    wait: bool = False,
) -> None:
    """Selects objects, or properties of objects."""
    if first == 0 and last < 0:
        return
    seen: set[bytes] = set()
    tail: deque[Any] = deque()
    given = 0
    at = -1
    async for item in input:
        at += 1
        if at < skip and last < 0:
            continue
        if last >= 0 or skip_last > 0:
            tail.append(item)
            if len(tail) <= (last + skip if last >= 0 else skip_last):
                continue
            item = tail.popleft()
            if last >= 0:
                continue
        if await _give(context, item, property, exclude_property, expand_property, seen, unique):
            given += 1
        if 0 <= first <= given and last < 0:
            return
    for item in list(tail)[: max(0, len(tail) - skip)] if last >= 0 else ():
        await _give(context, item, property, exclude_property, expand_property, seen, unique)


async def _give(
    context: Context,
    item: Any,
    names: list[str],
    exclude: list[str],
    expand: str,
    seen: set[bytes],
    unique: bool,
) -> bool:
    made = _selected(item, names, exclude) if names or exclude else item
    if unique:
        key = _key(made)
        if key in seen:
            return False
        seen.add(key)
    if not expand:
        await context.write(made)
        return True
    found, value = member(item, expand)
    if not found:
        await context.write_error(
            CommandError(
                f'Property "{expand}" cannot be found.',
                error_id="ExpandPropertyNotFound",
                category=ErrorCategory.InvalidArgument,
                exception_type="System.Management.Automation.PSArgumentException",
            )
        )
        return True
    for each in value if isinstance(value, list) else [value]:
        await context.write(each)
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
    whole: bool = True
    least: Any = None
    most: Any = None

    def add(self, value: Any, numeric: bool) -> None:
        self.count += 1
        if numeric:
            number = float(value)
            self.whole = self.whole and isinstance(value, int)
            self.sum += number
            self.squares += number * number
        if self.least is None or _less(value, self.least):
            self.least = value
        if self.most is None or _less(self.most, value):
            self.most = value


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
    sum: Annotated[bool, Param(help="Add the values up.")] = False,
    average: Annotated[bool, Param(help="The mean of the values.")] = False,
    maximum: Annotated[bool, Param(help="The largest value.")] = False,
    minimum: Annotated[bool, Param(help="The smallest value.")] = False,
    standard_deviation: Annotated[bool, Param(help="How far the values scatter.")] = False,
    all_stats: Annotated[bool, Param(help="All of these.")] = False,
) -> None:
    """Counts objects, and measures their values."""
    numeric = sum or average or standard_deviation or all_stats
    tallies = {name: _Tally() for name in property or [""]}
    async for item in input:
        for name, tally in tallies.items():
            found, value = member(item, name) if name else (True, item)
            value = unwrap(value)
            if not found or value is None:
                continue
            if numeric and not isinstance(value, (int, float)):
                await context.write_error(_not_numeric(value))
                continue
            tally.add(value, numeric)
    for name, tally in tallies.items():
        if name and not tally.count:
            await context.write_error(_no_property(name))
            continue
        shown = {
            "Average": average, "Sum": sum, "Maximum": maximum, "Minimum": minimum,
            "StandardDeviation": standard_deviation,
        }  # fmt: skip
        await context.write(_measured(name, tally, {k for k, v in shown.items() if v or all_stats}))


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
    kind = "Microsoft.PowerShell.Commands."
    return PSObject(
        (kind + "GenericMeasureInfo", kind + "MeasureInfo", "System.Object"),
        {
            "Count": count,
            **{key: value if key in shown else None for key, value in values.items()},
            "Property": name or None,
        },
        to_string=kind + "GenericMeasureInfo",
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
