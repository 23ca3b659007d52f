"""Measure-Object: counts, sums and extremes of objects, or lines, words and characters of text."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psremoting.powershell.member_access import find_property
from psremoting.powershell.numerals import parse_number
from psremoting.powershell.object_commands import ObjectError
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import PSObject
from psrp.properties import unwrap
from psrp.records import ErrorCategory

__all__ = ["Measurement"]

_KIND = "Microsoft.PowerShell.Commands."
_NUMERIC = ("Average", "Sum", "StandardDeviation", "AllStats")
_TEXT = ("Line", "Word", "Character")


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


class Measurement:
    """Measure-Object. ``wanted`` has the names of the switches that are set, such as ``Sum``."""

    def __init__(self, names: Sequence[str] = (), wanted: Collection[str] = ()) -> None:
        self.errors: list[ObjectError] = []
        """The errors so far; the caller removes them."""
        self._wanted = frozenset(wanted)
        self._numeric = bool(self._wanted.intersection(_NUMERIC))
        self._text = bool(self._wanted.intersection(_TEXT))
        self._tallies = {name: _Tally() for name in names or [""]}

    def feed(self, item: Any) -> None:
        """Take one object."""
        for name, tally in self._tallies.items():
            found, value = find_property(item, name) if name else (True, item)
            value = unwrap(value)
            if not found or value is None:
                continue
            number = _number(value) if self._numeric else None
            if self._text:
                tally.add_text(to_text(value))
            elif self._numeric and number is None:
                self.errors.append(_not_numeric(value))
            else:
                tally.add(value, number)

    def finish(self) -> list[PSObject]:
        """Return the results, one for each property."""
        made = []
        for name, tally in self._tallies.items():
            if name and not tally.count:
                self.errors.append(_no_property(name))
            else:
                made.append(
                    self._counted(name, tally) if self._text else self._measured(name, tally)
                )
        return made

    def _shown(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return ``values`` with None for those that were not requested."""
        everything = "AllStats" in self._wanted
        return {
            name: value if everything or name.removesuffix("s") in self._wanted else None
            for name, value in values.items()
        }

    def _counted(self, name: str, tally: _Tally) -> PSObject:
        values = {"Lines": tally.lines, "Words": tally.words, "Characters": tally.characters}
        return PSObject(
            (f"{_KIND}TextMeasureInfo", f"{_KIND}MeasureInfo", "System.Object"),
            {**self._shown(values), "Property": name or None},
            to_string=f"{_KIND}TextMeasureInfo",
        )

    def _measured(self, name: str, tally: _Tally) -> PSObject:
        count = tally.count
        deviation = None
        if count > 1:
            variance = (tally.squares - tally.sum * tally.sum / count) / (count - 1)
            deviation = math.sqrt(max(variance, 0.0))
        values = {
            "Average": tally.sum / count if count else None,
            "Sum": tally.sum if count else None,
            "Maximum": _as_double(tally.most),
            "Minimum": _as_double(tally.least),
            "StandardDeviation": deviation,
        }
        return PSObject(
            (f"{_KIND}GenericMeasureInfo", f"{_KIND}MeasureInfo", "System.Object"),
            {"Count": count, **self._shown(values), "Property": name or None},
            to_string=f"{_KIND}GenericMeasureInfo",
        )


def _less(one: Any, other: Any) -> bool:
    try:
        return bool(one < other)
    except TypeError:
        return str(one) < str(other)


def _number(value: Any) -> float | None:
    """Return the value as a number, as is a text that has one; else None."""
    if type(value) is not str and not isinstance(value, int | float | Decimal):
        return None
    try:
        return float(parse_number(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None


def _as_double(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number else value


def _not_numeric(value: Any) -> ObjectError:
    return ObjectError(
        f'Input object "{to_text(value)}" is not numeric.',
        "NonNumericInputObject",
        ErrorCategory.InvalidType,
        "PSInvalidOperationException",
        value if isinstance(value, str) else None,
    )


def _no_property(name: str) -> ObjectError:
    return ObjectError(
        f'The property "{name}" cannot be found in the input for any objects.',
        "GenericMeasurePropertyNotFound",
        ErrorCategory.InvalidArgument,
        "PSArgumentException",
    )
