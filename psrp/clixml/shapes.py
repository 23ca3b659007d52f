"""Reading objects of equal shape by comparison instead of parsing.

Many lists contain objects that differ only in their values. The markup between the values of one
object (a `Shape`) is compared with that of the next: if it is equal, only the values are parsed. An
object that differs is read by the general path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from psrp.clixml.containers import TypeNames
from psrp.clixml.objects import PSObject
from psrp.clixml.scalars import PARSE, parse_text
from psrp.clixml.text import unescape
from psrp.clixml.tokens import EMPTY, END, OPEN, SCALAR, SCAN
from psrp.clixml.typenames import TYPE_NAMES, types_of

__all__ = ["Shape", "Steps", "learn", "match", "match_root", "note_root"]

_HEAD = '<Obj RefId="'
_LARGEST = 20_000
_SINKS = {"MS": 0, "Props": 1}
_TO_STRING = 2

Parse = Callable[[str], Any]
Steps = tuple[tuple[str, int, int, str, Parse | None], ...]
"""For each value: the markup before it, its length, the part of the object, the name, the parser
(None: null, which is all markup)."""

_ROOTS: dict[str, tuple[int, Shape | None]] = {}
"""Documents of one object, by their beginning: their number, and the shape of the last one."""
_ROOTS_KEPT = 64
_ROOT_LARGEST = 4000
"""The maximum size in characters of a document whose shape is kept."""
_ROOT_TRIES = 20
_UNKNOWN: tuple[int, Shape | None] = (0, None)


class Shape(NamedTuple):
    """The markup of a flat object."""

    types: str | None
    """The RefId of its TNRef."""
    names: TypeNames
    """The type names, if the object itself contains them."""
    steps: Steps
    tail: str
    """The markup after the last value."""
    adapted: bool


def learn(text: str, start: int, end: int, *, root: bool = False) -> Shape | None:
    """Return the shape of the object between two offsets, or None if it is not flat and plain.

    The shape of a root object includes its RefId and its type names.
    """
    if end - start > _LARGEST or not text.startswith(_HEAD, start):
        return None
    opening = SCAN(text, start)
    if opening is None or opening.lastindex != OPEN or opening[5].strip(" \t\n"):
        return None
    learner = _Learner(text, start if root else opening.end(3))
    pos: int | None = opening.end()
    if root and (listed := TYPE_NAMES(text, opening.end())) is not None:
        learner.names = types_of(listed[2])
        pos = listed.end()
    while pos is not None and pos < end:
        token = SCAN(text, pos)
        pos = None if token is None else learner.token(token)
    if pos is None or not learner.steps:
        return None
    return Shape(
        learner.types,
        learner.names,
        tuple(learner.steps),
        text[learner.at : end],
        1 in learner.used,
    )


class _Learner:
    """Collects the tokens of one object, up to the first that is not plain."""

    __slots__ = ("at", "known", "names", "sink", "steps", "text", "types", "used")

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.types: str | None = None
        self.names: TypeNames = ()
        self.sink = -1
        self.used: set[int] = set()
        self.steps: list[tuple[str, int, int, str, Parse | None]] = []
        self.known: set[tuple[int, str]] = set()

    def token(self, token: re.Match[str]) -> int | None:
        """Add one token; return the offset after it, or None to stop."""
        kind = token.lastindex
        tag, name, refid, _, content, _, _ = token.groups()
        if kind == END:
            self.sink = -1
        elif self.sink >= 0:
            return self._member(token, unescape(name or ""))
        elif kind == OPEN and tag in _SINKS and _SINKS[tag] not in self.used:
            if name or refid or content.strip(" \t\n"):
                return None
            self.sink = _SINKS[tag]
            self.used.add(self.sink)
        elif kind == EMPTY and tag == "TNRef" and not (self.steps or self.types or self.names):
            self.types = refid
        elif kind == SCALAR and tag == "ToString" and _TO_STRING not in self.used:
            self.used.add(_TO_STRING)
            self._step(token, _TO_STRING, "", parse_text)
        else:
            return None
        return token.end()

    def _member(self, token: re.Match[str], name: str) -> int | None:
        kind, tag = token.lastindex, token[1]
        if not name or (self.sink, name.lower()) in self.known:
            return None
        self.known.add((self.sink, name.lower()))
        if kind == SCALAR and tag in PARSE:
            self._step(token, self.sink, name, PARSE[tag])
        elif kind == EMPTY and tag == "Nil":
            self._step(token, self.sink, name, None)
        else:
            return None
        return token.end()

    def _step(self, token: re.Match[str], sink: int, name: str, parse: Parse | None) -> None:
        until = token.start(5) if parse else token.end()
        markup = self.text[self.at : until]
        self.steps.append((markup, len(markup), sink, name, parse))
        self.at = token.end(5) if parse else until


def match(
    shape: Shape, text: str, pos: int, types: dict[str, TypeNames]
) -> tuple[PSObject, str, int] | None:
    """Return the object at ``pos``, its RefId and the offset after it, if it has this shape."""
    if not text.startswith(_HEAD, pos):
        return None
    pos += len(_HEAD)
    end = text.find('"', pos)
    refid = text[pos:end]
    if not refid.isalnum():
        return None
    found = _values(shape, text, end)
    if found is None:
        return None
    obj, end = found
    obj.type_names = () if shape.types is None else types[shape.types]
    return obj, refid, end


def match_root(text: str) -> PSObject | None:
    """Return the only object of a document, if its shape is known."""
    key = _key(text)
    shape = _ROOTS.get(key, _UNKNOWN)[1]
    if shape is None:
        return None
    found = _values(shape, text, 0)
    if found is None or found[1] != len(text):
        return None
    found[0].type_names = shape.names
    return found[0]


def note_root(text: str) -> None:
    """Learn the shape of a document when its beginning occurs for the second time."""
    key = _key(text) if len(text) <= _ROOT_LARGEST else ""
    if key:
        if len(_ROOTS) >= _ROOTS_KEPT:
            _ROOTS.clear()
        seen = _ROOTS.get(key, _UNKNOWN)[0] + 1
        learnt = learn(text, 0, len(text), root=True) if 1 < seen < _ROOT_TRIES else None
        _ROOTS[key] = (seen, learnt)


def _key(text: str) -> str:
    """Return the text before the first value: the type names and the first member."""
    members = text.find("<MS><", 0, 600)
    return text[: text.find(">", members + 5)] if members > 0 else ""


def _values(shape: Shape, text: str, pos: int) -> tuple[PSObject, int] | None:
    starts, find = text.startswith, text.find
    extended: dict[str, Any] = {}
    adapted: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    parts = (extended, adapted, shown)
    try:
        for markup, size, part, name, parse in shape.steps:
            if not starts(markup, pos):
                return None
            pos += size
            if parse is None:
                parts[part][name] = None
            else:
                end = find("<", pos)
                parts[part][name] = parse(text[pos:end])
                pos = end
    except ValueError:
        return None
    if not starts(shape.tail, pos):
        return None
    obj: PSObject = object.__new__(PSObject)
    obj.type_names = ()
    obj.adapted = adapted if shape.adapted else None
    obj.extended = extended
    obj.to_string = shown.get("")
    obj.value = None
    return obj, pos + len(shape.tail)
