# ruff: noqa: B905 - strict=True takes half as much time again for short rows
"""Reading runs of like items property by property instead of item by item.

Most long lists contain items of one kind: numbers, strings, or objects whose properties have the
same names and types. In the pieces of such a list (`psrp.clixml.tokens`) the markup repeats. An
object with the properties Id and Name is nine pieces::

    Obj RefId="7">   TNRef RefId="0" />   MS>   I32 N="Id">7   /I32>   S N="Name">seven   /S>
    /MS>   /Obj>

so with P pieces per object, ``pieces[3::P]`` is the *column* of all Ids, and ``pieces[4::P]`` the
end tag of each. This module reads a run in four steps:

1. The reader reads one object by its general path. `learn` notes what is markup in its pieces and
   what is a value. An object with anything but scalars in MS, Props and ToString has no columns.
2. `Run.alike` counts how many of the following objects have the same markup. A column of markup is
   compared with one ``count``. A column of values is joined with ``<`` and split at ``<`` and the
   markup before the value: because no piece contains a ``<``, there is one part for each piece that
   begins with that markup, and the part is the value.
3. Each column of texts is converted as a whole (`psrp.clixml.column_types`).
4. The rows of the columns are the objects.

A text that cannot be converted ends the attempt, and the general path reads the object: it accepts
rare forms (character references in numbers) and reports errors with their place. The same holds
for the first object with other markup. So columns have no rules of their own.

Work is linear whatever a document contains: a window is at most eight times as long as the part of
the list that was read just before it, so that a mismatch wastes at most eight times the work that
is already done, and a list in which runs keep failing is soon read by the general path only.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any, NamedTuple

from psrp.clixml.column_types import convert
from psrp.clixml.containers import TypeNames
from psrp.clixml.objects import PSObject
from psrp.clixml.scalars import parse_text
from psrp.clixml.tokens import (
    CLOSE,
    KNOWN,
    MEMBERS,
    NIL,
    SPACE,
    TEXT,
    TYPES,
    VALUE,
    Parse,
    Pieces,
)

__all__ = ["ADAPTED", "EXTENDED", "SHOWN", "Run", "Runs", "learn"]

_GROWTH = 8
_LARGEST = 2000
"""Number of pieces of the largest object that has columns."""
_TRUST = 4
_MOST_TRUST = 32
_OBJ = 'Obj RefId="'
EXTENDED, ADAPTED, SHOWN = range(3)


class _Column(NamedTuple):
    """The pieces with one value of each object."""

    place: int
    """The number of the piece in its object."""
    markup: str
    """The text before the value."""
    part: int
    """EXTENDED, ADAPTED or SHOWN (the text of ToString)."""
    name: str
    parse: Parse


class Run(NamedTuple):
    """The markup that the items of a run share."""

    size: int
    """Pieces per item."""
    fixed: tuple[tuple[int, str], ...]
    """Place and text of each piece that is only markup."""
    columns: tuple[_Column, ...]
    nulls: tuple[tuple[int, str], ...]
    """Part and name of each property that is null."""
    order: tuple[tuple[str, ...], ...]
    """The names of each part as the object has them."""
    has_adapted: bool
    opening_end: str
    """The text after the RefId in the start tag of an object."""
    types: str | None
    """The RefId of its TNRef."""

    def alike(self, pieces: list[str], at: int, count: int) -> tuple[int, list[list[str]]]:
        """Return how many of ``count`` items have this markup, and the texts of each column."""
        size = self.size
        for place, markup in self.fixed:
            column = pieces[at + place : at + count * size : size]
            if column.count(markup) != count:
                count = next(n for n, piece in enumerate(column) if piece != markup)
                if not count:
                    return 0, []
        found = []
        for place, markup, *_ in self.columns:
            column = pieces[at + place : at + count * size : size]
            texts = f"<{'<'.join(column)}".split(f"<{markup}")
            if len(texts) != count + 1:
                count = next(n for n, piece in enumerate(column) if not piece.startswith(markup))
                if not count:
                    return 0, []
                texts = [piece[len(markup) :] for piece in column[:count]]
            else:
                del texts[0]
            found.append(texts)
        return count, [texts[:count] for texts in found]

    def objects(self, texts: list[list[str]], names: TypeNames) -> tuple[list[Any], list[str]]:
        """Return the items of a run of objects and their RefIds. Raises ValueError."""
        refids = f"{'<'.join(texts[0])}<".split(f"{self.opening_end}<")
        if len(refids) != len(texts[0]) + 1 or refids.pop() or not all(map(str.isalnum, refids)):
            raise ValueError("unusual RefIds")
        parts: tuple[dict[str, Any], ...] = ({}, {}, {})
        for column, column_texts in zip(self.columns[1:], texts[1:]):
            parts[column.part][column.name] = convert(column.parse, column_texts)
        for part, name in self.nulls:
            parts[part][name] = repeat(None)
        extended, adapted = (
            zip(*(found[name] for name in order)) if order else repeat(())
            for found, order in zip(parts, self.order[:2])
        )
        shown = parts[SHOWN].get("", repeat(None))
        made = []
        for _, notes, properties, text in zip(refids, extended, adapted, shown):
            obj = _new(PSObject)
            obj.type_names = names
            obj.adapted = dict(zip(self.order[1], properties)) if self.has_adapted else None
            obj.extended = dict(zip(self.order[0], notes))
            obj.to_string = text
            obj.value = None
            made.append(obj)
        return made, refids


_new: Callable[[type[PSObject]], PSObject] = object.__new__


class Runs:
    """The runs of one list."""

    __slots__ = ("_objects", "_source", "_trust", "_types")

    def __init__(
        self, source: Pieces, objects: dict[str, Any], types: dict[str, TypeNames]
    ) -> None:
        self._source = source
        self._objects = objects
        self._types = types
        self._trust = _TRUST

    def after_object(self, start: int, pos: int, into: list[Any]) -> int:
        """Read the objects like the last one, which was read from these pieces.

        Add them to ``into`` and return the index of the piece after them.
        """
        if self._trust <= 0:
            return pos
        run = learn(self._source.pieces[start:pos]) if pos - start < _LARGEST else None
        if run is None or (run.types is not None and run.types not in self._types):
            self._trust -= 1
            return pos
        names = () if run.types is None else self._types[run.types]

        return self._follow(run, pos, names, into)

    def scalars(self, pos: int, close: str, into: list[Any]) -> int:
        """Read a list that consists of scalars of one tag, if this is one and its place is known.

        ``close`` is the end tag of the list. The text is split between the scalars, without their
        pieces. As `after_object`.
        """
        source = self._source
        if pos >= source.limit:
            source.more(pos)
        tag = source.pieces[pos].partition(">")[0]
        known = KNOWN.get(tag)
        start = source.offset_nearby(pos) if known is not None and known[0] == VALUE else -1
        if start < 0 or known is None or known[1]:
            return pos
        text, parse, end_tag = source.text, known[2], f"<{known[3]}"
        gap = source.pieces[pos + 1].removeprefix(known[3])
        # Search for the nearest end of any list, to keep the cost linear.
        list_end = end = text.find(close, start)
        if gap:
            end = start + len(text[start : max(end, start)].rstrip(SPACE))
        end -= len(end_tag)
        if gap.strip(SPACE) or not text.startswith(end_tag, max(end, start)):
            return pos
        inside = text[start + len(tag) + 2 : end]
        texts = inside.split(f"{end_tag}{gap}<{tag}>")
        if inside.count("<") != 2 * (len(texts) - 1) or not text.startswith(f"<{tag}>", start):
            return pos
        try:
            into += convert(parse, texts)
        except ValueError:
            return pos  # the general path reports the place
        pos += 2 * len(texts)
        source.jump(pos, list_end)
        return pos

    def _follow(self, run: Run, pos: int, names: TypeNames, into: list[Any]) -> int:
        source, size = self._source, run.size
        begin, before = pos, 1
        while True:
            count = min(source.whole(pos, size) // size, before * _GROWTH)
            if not count:
                break
            found, texts = run.alike(source.pieces, pos, count)
            if found:
                try:
                    made, refids = run.objects(texts, names)
                except ValueError:
                    break
                self._objects.update(zip(refids, made))
                into += made
                pos += found * size
            if found < count:
                break
            before = found
        self._trust = min(self._trust + 1, _MOST_TRUST) if pos > begin else self._trust - 1
        return pos


def learn(pieces: list[str], *, root: bool = False) -> Run | None:
    """Return what is markup in the pieces of an object that was read; None if it is not plain.

    The markup of a ``root`` includes its RefId and its type names.
    """
    first = pieces[0]
    refid, quote, end = first[len(_OBJ) :].partition('"')
    if not first.startswith(_OBJ) or end.rstrip(SPACE) != ">" or not refid:
        return None
    learner = _Learner(pieces)
    at, last = 1, len(pieces) - 1
    if root:
        learner.fixed.append((0, first))
        at = learner.type_names(at)
    while at < last:
        step = learner.take(at)
        if not step:
            return None
        at += step
    if not learner.columns or learner.part is not None or at != last:
        return None
    learner.fixed.append((at, pieces[at]))
    if not root:
        learner.columns.insert(0, _Column(0, _OBJ, SHOWN, "", parse_text))
    return Run(
        len(pieces),
        tuple(learner.fixed),
        tuple(learner.columns),
        tuple(learner.nulls),
        tuple(map(tuple, learner.order)),
        ADAPTED in learner.used,
        quote + end,
        learner.types,
    )


class _Learner:
    """Sorts the pieces of one object into markup and values."""

    __slots__ = (
        "_pieces", "_seen", "columns", "fixed", "nulls", "order", "part", "types", "used",
    )  # fmt: skip

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._seen: set[tuple[int, str]] = set()
        self.part: int | None = None
        self.types: str | None = None
        self.used: set[int] = set()
        self.fixed: list[tuple[int, str]] = []
        self.columns: list[_Column] = []
        self.nulls: list[tuple[int, str]] = []
        self.order: tuple[list[str], ...] = ([], [], [])

    def type_names(self, at: int) -> int:
        """Take the type names at this place, if there are any; return the place after them."""
        if self._pieces[at].startswith('TN RefId="') and "/TN>" in self._pieces:
            end = self._pieces.index("/TN>") + 1
            self.fixed += enumerate(self._pieces[at:end], at)
            return end
        return at

    def take(self, at: int) -> int:
        """Take the token at this place; return its number of pieces, 0 if it is not plain."""
        text, closed, content = self._pieces[at].partition(">")
        known = KNOWN.get(text)
        if known is None or not closed:
            return 0
        use, name, parse, end, _ = known
        if use == VALUE and self.part is not None:
            return self._value(at, self.part, f"{text}>", name, parse, end)
        if use == TEXT and self.part is None and SHOWN not in self.used:
            self.used.add(SHOWN)
            return self._value(at, SHOWN, f"{text}>", "", parse_text, end)
        if content.strip(SPACE):
            return 0
        if use == NIL and self.part is not None and self._is_new(self.part, name):
            self.nulls.append((self.part, name))
        elif use == MEMBERS and self.part is None:
            self.part = EXTENDED if text == "MS" else ADAPTED
            if self.part in self.used:
                return 0
            self.used.add(self.part)
        elif use == CLOSE and self.part is not None:
            self.part = None
        elif use == TYPES and self.types is None and not self.used:
            self.types = name
        else:
            return 0
        self.fixed.append((at, self._pieces[at]))
        return 1

    def _value(self, at: int, part: int, markup: str, name: str, parse: Parse, end: str) -> int:
        if self._pieces[at + 1].rstrip(SPACE) != end or not self._is_new(part, name):
            return 0
        self.columns.append(_Column(at, markup, part, name, parse))
        self.fixed.append((at + 1, self._pieces[at + 1]))
        return 2

    def _is_new(self, part: int, name: str) -> bool:
        """Note a name; return False if the object has it already, or if it has none."""
        key = (part, name.lower())
        if key in self._seen or not (name or part == SHOWN):
            return False
        self._seen.add(key)
        self.order[part].append(name)
        return True
