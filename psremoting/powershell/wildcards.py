"""PowerShell's wildcard patterns: ``*``, ``?``, ``[a-c]``, and ````` before a literal character.

A set is never negated: ``[!g]`` matches ``!`` and ``g``. Held to the real patterns by
tests/powershell/test_wildcards.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from psremoting.errors import PSRemotingError

__all__ = ["WildcardError", "escape_wildcards", "has_wildcards", "matches", "wildcard"]

_ESCAPED = re.compile("`.", re.DOTALL)
_MARK = re.compile(r"[*?\[]")
_ESCAPABLE = re.compile(r"[*?\[\]`]")
_STAR = None

_Piece = Callable[[str], bool] | None
"""A test of one character, or `_STAR`."""


class WildcardError(PSRemotingError):
    """A pattern with a set that does not end, is empty, or has a range that runs backwards."""

    error_id = "RuntimeException"
    exception_type = "System.Management.Automation.WildcardPatternException"

    def __init__(self, pattern: str) -> None:
        super().__init__(f"The specified wildcard character pattern is not valid: {pattern}")


def has_wildcards(text: str) -> bool:
    """Return True if ``text`` has an unescaped ``*``, ``?`` or ``[``."""
    return _MARK.search(_ESCAPED.sub("", text)) is not None


def escape_wildcards(text: str) -> str:
    """Return the pattern that matches only ``text``."""
    return _ESCAPABLE.sub(r"`\g<0>", text)


def matches(pattern: str, text: str) -> bool:
    """Return True if ``pattern`` matches all of ``text``, ignoring case.

    A pattern that is not valid matches only the text that equals it.
    """
    try:
        return wildcard(pattern)(text)
    except WildcardError:
        return pattern.casefold() == text.casefold()


@lru_cache(maxsize=256)
def wildcard(pattern: str, *, case_sensitive: bool = False) -> Callable[[str], bool]:
    """Return a test of whole texts. Characters are UTF-16 code units. Raises WildcardError.

    The work is at most the length of the text times that of the pattern.
    """
    fold = _same if case_sensitive else _folded
    pieces = _pieces(pattern, fold)
    return lambda text: _matches(pieces, [fold(each) for each in _units(text)])


def _nothing(_: str) -> bool:
    return False


def _units(text: str) -> list[str]:
    if text.isascii() or max(text) <= "\uffff":
        return list(text)
    raw = text.encode("utf-16-le", "surrogatepass")
    return [chr(raw[at] | raw[at + 1] << 8) for at in range(0, len(raw), 2)]


def _same(unit: str) -> str:
    return unit


def _folded(unit: str) -> str:
    """Fold one code unit as .NET does: to one upper-case unit, or not at all."""
    upper = unit.upper()
    return upper if len(upper) == 1 else unit


def _pieces(pattern: str, fold: Callable[[str], str]) -> list[_Piece]:
    pieces: list[_Piece] = []
    units = _units(pattern)
    at = 0
    while at < len(units):
        unit = units[at]
        at += 1
        if unit == "*":
            if not pieces or pieces[-1] is not _STAR:
                pieces.append(_STAR)
        elif unit == "?":
            pieces.append(lambda _: True)
        elif unit == "[":
            piece, at = _set(pattern, units, at, fold)
            pieces.append(piece)
        else:
            if unit == "`" and at < len(units):
                unit = units[at]
                at += 1
            pieces.append(fold(unit).__eq__)
    return pieces


def _set(pattern: str, units: list[str], at: int, fold: Callable[[str], str]) -> tuple[_Piece, int]:
    """Return the test of the set that begins before ``at``, and the index after it."""
    members: list[tuple[str, bool]] = []
    while at < len(units) and (units[at] != "]" or not members):
        escaped = units[at] == "`" and at + 1 < len(units)
        at += escaped
        members.append((units[at], escaped))
        at += 1
    if at >= len(units):
        raise WildcardError(pattern)
    ranges: list[tuple[str, str]] = []
    index = 0
    while index < len(members):
        first = members[index][0]
        if index + 2 < len(members) and members[index + 1] == ("-", False):
            last = members[index + 2][0]
            if last < first:
                raise WildcardError(pattern)
            index += 3
        else:
            last = first
            index += 1
        ranges.append((fold(first), fold(last)))
    return (lambda unit: any(first <= unit <= last for first, last in ranges)), at + 1


def _matches(pieces: list[_Piece], units: list[str]) -> bool:
    """Match with one pointer in each, and backtrack to the last star."""
    piece = unit = 0
    star, resume = -1, 0
    while unit < len(units):
        test = pieces[piece] if piece < len(pieces) else _nothing
        if test is _STAR:
            star, resume = piece, unit
            piece += 1
        elif test(units[unit]):
            piece += 1
            unit += 1
        elif star >= 0:
            resume += 1
            piece, unit = star + 1, resume
        else:
            return False
    return all(each is _STAR for each in pieces[piece:])
