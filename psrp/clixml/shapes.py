"""Objects of equal shape, read by comparison instead of by parsing.

Many lists hold objects that differ in their values alone. What stands between the values of one
of them (a `Shape`) is compared with the next one: as long as it is the same, only the values
remain to be read. An object that differs anywhere is read the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from psrp.clixml.containers import TypeNames
from psrp.clixml.objects import PSObject
from psrp.clixml.scalars import PARSE, parse_text
from psrp.clixml.text import unescape
from psrp.clixml.tokens import EMPTY, END, OPEN, SCALAR, SCAN

__all__ = ["Shape", "learn", "match"]

_HEAD = '<Obj RefId="'
_LARGEST = 20_000
_SINKS = {"MS": 0, "Props": 1}
_TO_STRING = 2

Parse = Callable[[str], Any]


class Shape(NamedTuple):
    """What the markup of a flat object is made of."""

    types: str | None
    """The RefId of its TNRef."""
    steps: tuple[tuple[str, int, int, str, Parse | None], ...]
    """For each value: the markup before it, its length, the part the value belongs to, its
    name, and how it is read (None: it is null and all markup)."""
    tail: str
    """The markup behind the last value."""
    adapted: bool


def learn(text: str, start: int, end: int) -> Shape | None:
    """The shape of the object between two offsets, or None when it is not flat and plain."""
    if end - start > _LARGEST or not text.startswith(_HEAD, start):
        return None
    opening = SCAN(text, start)
    if opening is None or opening.lastindex != OPEN or (opening[5] or "").strip(" \t\n"):
        return None
    at = opening.end(3)
    pos = opening.end()
    types: str | None = None
    sink = -1
    used: set[int] = set()
    steps: list[tuple[str, int, int, str, Parse | None]] = []
    names: set[tuple[int, str]] = set()
    while pos < end:
        token = SCAN(text, pos)
        if token is None:
            return None
        kind, (tag, name, refid, _, content, _, _) = token.lastindex, token.groups()
        if kind == END:
            if sink < 0:
                break
            sink = -1
        elif kind == OPEN and sink < 0 and tag in _SINKS and _SINKS[tag] not in used:
            if name or refid or (content or "").strip(" \t\n"):
                return None
            sink = _SINKS[tag]
            used.add(sink)
        elif kind == EMPTY and tag == "TNRef" and sink < 0 and not steps and types is None:
            types = refid
        else:
            step: Parse | None = None
            if sink < 0:
                if kind != SCALAR or tag != "ToString" or _TO_STRING in used:
                    return None
                used.add(_TO_STRING)
                place, step, label = _TO_STRING, parse_text, ""
            else:
                place, label = sink, unescape(name or "")
                if not label or (place, label.lower()) in names:
                    return None
                names.add((place, label.lower()))
                if kind == SCALAR and tag in PARSE:
                    step = PARSE[tag]
                elif kind != EMPTY or tag != "Nil":
                    return None
            until = token.start(5) if step else token.end()
            steps.append((text[at:until], until - at, place, label, step))
            at = token.end(5) if step else until
        pos = token.end()
    return Shape(types, tuple(steps), text[at:end], 1 in used)


def match(
    shape: Shape, text: str, pos: int, types: dict[str, TypeNames]
) -> tuple[PSObject, str, int] | None:
    """The object at ``pos``, its RefId and the offset behind it, if it has this shape."""
    starts, find = text.startswith, text.find
    if not starts(_HEAD, pos):
        return None
    pos += len(_HEAD)
    end = find('"', pos)
    refid = text[pos:end]
    if not refid.isalnum():
        return None
    pos = end
    parts: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
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
    obj.type_names = () if shape.types is None else types[shape.types]
    obj.adapted = parts[1] if shape.adapted else None
    obj.extended = parts[0]
    obj.to_string = parts[2].get("")
    obj.value = None
    return obj, refid, pos + len(shape.tail)
