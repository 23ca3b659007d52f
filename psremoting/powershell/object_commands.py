"""Select-Object, Where-Object, Sort-Object and ForEach-Object, as steps that take objects.

A step is made of the values of the command's parameters. The local prompt and the endpoint feed it
objects one by one and pass on what it gives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any

from psremoting.errors import PSRemotingError
from psremoting.powershell import operators
from psremoting.powershell.calculated import Calculated
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.member_access import find_property, properties, property_of
from psremoting.powershell.string_conversion import to_text
from psremoting.powershell.wildcards import has_wildcards, matches
from psrp.clixml import Dictionary, PSObject, dumps
from psrp.properties import unwrap
from psrp.records import ErrorCategory
from psrp.sansio import LocalProtocolError

__all__ = ["COMPARISONS", "Filter", "ObjectError", "Selection", "Sorting", "member_values"]

_CUSTOM = "System.Management.Automation.PSCustomObject"
_COMPARISON_TEXT = """
    EQ NE GT LT GE LE Like NotLike Match NotMatch Contains NotContains In NotIn CEQ CNE CGT CLT CGE
    CLE CLike CNotLike CMatch CNotMatch CContains CNotContains CIn CNotIn Is IsNot Not
"""
COMPARISONS = tuple(_COMPARISON_TEXT.split())
"""The switches of Where-Object that name an operator."""


class ObjectError(PSRemotingError):
    """An error of one of these commands; ``target`` is the object concerned."""

    def __init__(
        self, message: str, error_id: str, category: ErrorCategory, kind: str, target: Any = None
    ) -> None:
        super().__init__(message, error_id=error_id, category=category)
        self.exception_type = f"System.Management.Automation.{kind}"
        self.target = target


class Selection:
    """Select-Object. Negative counts mean "not given"."""

    def __init__(
        self,
        names: Sequence[str | Calculated] = (),
        *,
        exclude: Sequence[str] = (),
        expand: str = "",
        first: int = -1,
        last: int = -1,
        skip: int = 0,
        skip_last: int = 0,
        index: Sequence[int] = (),
        skip_index: Sequence[int] = (),
        unique: bool = False,
    ) -> None:
        self.errors: list[ObjectError] = []
        """The errors so far; the caller removes them."""
        self.done = first == 0 and last < 0
        """True if no further object is needed."""
        self._names, self._exclude, self._expand = tuple(names), tuple(exclude), expand
        self._first, self._last, self._skip, self._skip_last = first, last, skip, skip_last
        self._index, self._skip_index = frozenset(index), frozenset(skip_index)
        self._seen: set[bytes] | None = set() if unique else None
        self._tail: deque[tuple[Any, Sequence[Any]]] = deque()
        self._at = -1
        self._given = 0

    def feed(self, item: Any, made: Sequence[Any] = ()) -> list[Any]:
        """Take one object and the values of its calculated properties; return the objects to pass
        on."""
        self._at += 1
        if self._index:
            self.done = self._at >= max(self._index)
            return self._give(item, made) if self._at in self._index else []
        leading = self._at < self._skip and (self._last < 0 or self._first >= 0)
        if leading or self._at in self._skip_index:
            return []
        if self._given < self._first:
            given = self._give(item, made)
            self._given += bool(given)
            self.done = self._given == self._first and self._last < 0
            return given
        if self._last < 0 and self._skip_last <= 0:
            return self._give(item, made)
        return self._hold(item, made)

    def _hold(self, item: Any, made: Sequence[Any]) -> list[Any]:
        self._tail.append((item, made))
        if self._last < 0:
            full = len(self._tail) > self._skip_last
            return self._give(*self._tail.popleft()) if full else []
        if len(self._tail) > self._last + (self._skip if self._first < 0 else 0):
            self._tail.popleft()
        return []

    def finish(self) -> list[Any]:
        """Return the objects that are passed on at the end of the input."""
        if self._last < 0:
            return []
        stop = len(self._tail) - self._skip if self._first < 0 else len(self._tail)
        return [out for each in list(self._tail)[: max(0, stop)] for out in self._give(*each)]

    def _give(self, item: Any, made: Sequence[Any]) -> list[Any]:
        chosen = self._chosen(item, made) if self._names or self._exclude else item
        if self._seen is not None:
            key = _identity(chosen)
            if key in self._seen:
                return []
            self._seen.add(key)
        if not self._expand:
            return [chosen]
        found, value = find_property(item, self._expand)
        if found:
            return operators.items_of(value)
        self.errors.append(
            ObjectError(
                f'Property "{self._expand}" cannot be found.',
                "ExpandPropertyNotFound",
                ErrorCategory.InvalidArgument,
                "PSArgumentException",
                item,
            )
        )
        return []

    def _chosen(self, item: Any, made: Sequence[Any]) -> PSObject:
        known = properties(item)
        kept: dict[str, Any] = {}
        values = iter(made)
        for name in self._names or ("*",):
            if isinstance(name, Calculated):
                kept[name.name] = next(values)
            elif has_wildcards(name):
                for each, value in known.items():
                    if matches(name, each):
                        kept.setdefault(each, value)
            else:
                exact = next((e for e in known if e.casefold() == name.casefold()), name)
                kept.setdefault(exact, property_of(item, name))
        for name in self._exclude:
            for each in [each for each in kept if matches(name, each)]:
                del kept[each]
        first = item.type_names[:1] if isinstance(item, PSObject) else ()
        base = first[0] if first else type_name_of(item)
        return PSObject((f"Selected.{base}", _CUSTOM, "System.Object"), extended=kept)


def _identity(value: Any) -> bytes:
    """Return bytes that are equal for equal values."""
    try:
        return dumps(value)
    except LocalProtocolError:
        return str(id(value)).encode()


class Filter:
    """Where-Object with a property, an operator of `COMPARISONS` (or none) and a value."""

    def __init__(self, name: str, operator: str = "", value: Any = None) -> None:
        self._name = name
        self._operator = operator.casefold()
        self._value = value

    def accepts(self, item: Any) -> bool:
        """Return True if the object passes. Raises EvaluationError and Unsupported."""
        found = property_of(item, self._name)
        if self._operator in ("", "not"):
            return operators.truth(found) != (self._operator == "not")
        return operators.truth(operators.binary(f"-{self._operator}", found, self._value))


class Sorting:
    """Sort-Object by the properties ``names``, or by the objects themselves."""

    def __init__(
        self,
        names: Sequence[str | Calculated] = (),
        *,
        descending: bool = False,
        unique: bool = False,
        case_sensitive: bool = False,
        top: int = -1,
        bottom: int = -1,
    ) -> None:
        self._names = tuple(names)
        self._descending, self._unique, self._cased = descending, unique, case_sensitive
        self._top, self._bottom = top, bottom
        self._items: list[tuple[list[Any], Any]] = []

    def feed(self, item: Any, made: Sequence[Any] = ()) -> None:
        """Take one object and the values of its calculated properties."""
        values = iter(made)
        keys = [
            next(values) if isinstance(name, Calculated) else property_of(item, name)
            for name in self._names
        ] or [item]
        self._items.append((keys, item))

    def finish(self) -> list[Any]:
        """Return all objects in their order."""
        compare: Callable[[Any, Any], int] = self._compare
        found = sorted(self._items, key=cmp_to_key(compare))
        if self._unique:
            pairs = zip([None, *found], found, strict=False)
            found = [each for before, each in pairs if before is None or compare(before, each)]
        items = [item for _, item in found]
        if self._top >= 0:
            return items[: self._top]
        return items[max(0, len(items) - self._bottom) :] if self._bottom >= 0 else items

    def _compare(self, one: tuple[list[Any], Any], other: tuple[list[Any], Any]) -> int:
        for at, (left, right) in enumerate(zip(one[0], other[0], strict=True)):
            order = self._order(left, right)
            if order:
                return -order if self._is_descending(at) else order
        return 0

    def _is_descending(self, at: int) -> bool:
        own = self._names[at] if self._names else None
        if isinstance(own, Calculated) and own.descending is not None:
            return own.descending
        return self._descending

    def _order(self, left: Any, right: Any) -> int:
        try:
            return operators.order(left, right, self._cased)
        except (EvaluationError, Unsupported):
            one, other = (self._text_key(each) for each in (left, right))
            return (one > other) - (one < other)

    def _text_key(self, value: Any) -> tuple[str, str]:
        text = to_text(unwrap(value))
        return text.casefold(), text.swapcase() if self._cased else ""


def member_values(item: Any, name: str) -> list[Any]:
    """ForEach-Object with a member: the value of the property, or of all that a pattern matches.

    Raises ObjectError for a pattern that matches several.
    """
    if item is None:
        return []
    if not has_wildcards(name):
        if isinstance(item, Dictionary):
            return operators.items_of(item.get(name))
        return operators.items_of(property_of(item, name))
    found = [each for each in properties(item) if matches(name, each)]
    if len(found) > 1:
        raise ObjectError(
            f'Input name "{name}" is ambiguous. It can be resolved to multiple matched members. '
            f"Possible matches include: {' '.join(found)}.",
            "AmbiguousPropertyOrMethodName",
            ErrorCategory.InvalidOperation,
            "PSArgumentException",
            item,
        )
    return operators.items_of(properties(item)[found[0]]) if found else []
