# ruff: noqa: B905 - strict=True takes half as much time again for short rows
"""Documents of one object whose like was read before.

The output of a command travels as one document per object, and these documents differ only in
their values. When documents with one beginning (the type names and the first property) keep coming,
the last of them becomes a regular expression: its markup, with a group in place of each value. A
document that matches is read with one call of the expression and one call for each value; any
other, and one with a value that cannot be converted, is read by the general path.

An expression takes as long to compile as ten objects to read. It is therefore compiled when the
fourth document of its kind was read, and, if documents stopped matching it, a few times more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from psrp.clixml.columns import ADAPTED, EXTENDED, SHOWN, learn
from psrp.clixml.containers import TypeNames
from psrp.clixml.objects import PSObject
from psrp.clixml.tokens import Parse

__all__ = ["match_root", "note_root"]

_KEPT = 64
_LARGEST = 4000
"""Characters of the longest document that is compiled."""
_COMPILED_AT = frozenset({4, 16, 64, 256})
"""Numbers of documents with one beginning that were read by the general path."""


class _Root(NamedTuple):
    """The markup of a document, as an expression, and the meaning of its groups."""

    match: Callable[[str], re.Match[str] | None]
    names: TypeNames
    parsers: tuple[Parse, ...]
    extended: tuple[dict[str, None], tuple[str, ...], slice]
    """All names in their order, the names of the groups, the groups."""
    adapted: tuple[dict[str, None], tuple[str, ...], slice] | None
    shown: int | None
    """The group with the text of ToString."""


_ROOTS: dict[str, tuple[int, _Root | None]] = {}
"""The number of documents by their beginning, and the expression of the last compiled one."""
_NONE: tuple[int, _Root | None] = (0, None)


def match_root(text: str) -> PSObject | None:
    """Return the only object of a document if its like is known."""
    root = _ROOTS.get(_beginning(text), _NONE)[1]
    found = root.match(text) if root is not None else None
    if root is None or found is None:
        return None
    try:
        values = [parse(part) for parse, part in zip(root.parsers, found.groups())]
    except ValueError:
        return None
    obj = _new(PSObject)
    obj.type_names = root.names
    every, names, groups = root.extended
    obj.extended = extended = every.copy()
    extended.update(zip(names, values[groups]))
    obj.adapted = None
    if root.adapted is not None:
        every, names, groups = root.adapted
        obj.adapted = adapted = every.copy()
        adapted.update(zip(names, values[groups]))
    obj.to_string = None if root.shown is None else values[root.shown]
    obj.value = None
    return obj


_new: Callable[[type[PSObject]], PSObject] = object.__new__


def note_root(text: str, value: Any) -> None:
    """Note that a document was read by the general path."""
    beginning = _beginning(text) if len(text) <= _LARGEST else ""
    if not beginning:
        return
    if beginning not in _ROOTS and len(_ROOTS) >= _KEPT:
        _ROOTS.clear()
    seen, root = _ROOTS.get(beginning, _NONE)
    seen += 1
    if seen in _COMPILED_AT:
        root = _compiled(text, value)
    _ROOTS[beginning] = (seen, root)


def _beginning(text: str) -> str:
    """Return the text before the first value; empty if it is far away."""
    members = text.find("<MS><", 0, 600)
    if members < 0:
        members = text.find("<Props><", 0, 600)
    return text[: text.find(">", members + 8)] if members > 0 else ""


def _compiled(text: str, value: Any) -> _Root | None:
    pieces = text.split("<")[1:]
    run = learn(pieces, root=True)
    if run is None or type(value) is not PSObject:
        return None
    markup = {column.place: column.markup for column in run.columns}
    pattern = "".join(
        re.escape(f"<{markup[place]}") + "([^<]*)" if place in markup else re.escape(f"<{piece}")
        for place, piece in enumerate(pieces)
    )
    places: list[list[int]] = [[], [], []]
    for group, column in enumerate(run.columns):
        places[column.part].append(group)

    def part(number: int) -> tuple[dict[str, None], tuple[str, ...], slice]:
        groups = places[number]
        names = tuple(run.columns[group].name for group in groups)
        first = groups[0] if groups else 0
        return dict.fromkeys(run.order[number]), names, slice(first, first + len(groups))

    return _Root(
        re.compile(pattern).fullmatch,
        value.type_names,
        tuple(column.parse for column in run.columns),
        part(EXTENDED),
        part(ADAPTED) if run.has_adapted else None,
        places[SHOWN][0] if places[SHOWN] else None,
    )
