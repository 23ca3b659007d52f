"""Comparison of values by content; it terminates for values that contain themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["equal", "identical"]

_Parts = Callable[[Any, Any, bool], list[tuple[Any, Any]] | None]


def equal(left: object, right: object) -> bool:
    """Return whether two values have the same content; leaves compare with Python's ``==``."""
    return _compare(left, right, strict=False)


def identical(left: object, right: object) -> bool:
    """Return whether two values are written as the same element.

    Types count (``5`` is not ``Int64(5)``), so do the scale of a Decimal, the sign of a zero
    and the order of a dictionary; NaN is identical to NaN.
    """
    return _compare(left, right, strict=True)


def _compare(left: object, right: object, *, strict: bool) -> bool:
    pending: list[tuple[Any, Any]] = [(left, right)]
    seen: set[tuple[int, int]] = set()
    classes = _Classes()
    while pending:
        a, b = pending.pop()
        if a is b:
            continue
        if strict and type(a) is not type(b):
            return False
        parts = getattr(type(a), "_parts", None) or _PLAIN_PARTS.get(type(a))
        if parts is None:
            if not (_same_leaf(a, b) if strict else bool(a == b)):
                return False
            continue
        if type(a) is type(b):
            if classes.joined(id(a), id(b)):
                continue
        elif (id(a), id(b)) in seen:
            continue
        else:
            seen.add((id(a), id(b)))
        more = parts(a, b, strict)
        if more is None:
            return False
        pending += more
    return True


class _Classes:
    """Containers that are assumed to be equal until a difference is found.

    Two compared containers join one class, and members of one class are not compared again. So the
    work is bounded by the number of containers, not of pairs, even if both values contain
    themselves in different ways.
    """

    __slots__ = ("_parents",)

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def joined(self, a: int, b: int) -> bool:
        """Join the classes of two containers; return True if they were in one class already."""
        a, b = self._root(a), self._root(b)
        if a == b:
            return True
        self._parents[a] = b
        return False

    def _root(self, a: int) -> int:
        parents = self._parents
        while (parent := parents.get(a, a)) != a:
            parents[a] = parents.get(parent, parent)
            a = parent
        return a


def _same_leaf(a: Any, b: Any) -> bool:
    if isinstance(a, float):
        return float.__repr__(a) == float.__repr__(b)
    return bool(a == b) and str(a) == str(b)


def list_parts(a: Any, b: Any, strict: bool) -> list[tuple[Any, Any]] | None:
    """Return the pairs to compare in two sequences, or None if they differ already."""
    if not isinstance(b, (list, tuple)) or len(a) != len(b):
        return None
    return list(zip(a, b, strict=True))


def mapping_parts(a: Any, b: Any, strict: bool) -> list[tuple[Any, Any]] | None:
    """Return the pairs to compare in two plain dicts; order counts only if ``strict``."""
    if not isinstance(b, dict) or len(a) != len(b):
        return None
    if strict and list(a) != list(b):
        return None
    if any(key not in b for key in a):
        return None
    return [(value, b[key]) for key, value in a.items()]


_PLAIN_PARTS: dict[type, _Parts] = {list: list_parts, tuple: list_parts, dict: mapping_parts}
