# ruff: noqa: B905 - strict=True takes half as much time again for short rows
"""Writing runs of like objects property by property instead of object by object.

A list often contains objects whose properties have the same names and types. Their elements differ
only in the values, so that one template with a ``%s`` for each value writes them all::

    <Obj RefId="%d"><TNRef RefId="0" /><MS><I32 N="Id">%s</I32><S N="Name">%s</S></MS></Obj>

The writer writes one object by its general path. `run_after` finds the objects after it that share
its type names and the names and types of its properties. `Template` converts each *column* (all
Ids, all Names) to texts in a few calls and fills the template row by row.

Only objects that need nothing else take part: exact classes, scalar values, and no object that was
written before or occurs twice. Everything else is written by the general path, and so is a run
with a value that has no form in CLIXML: the general path raises the error with its place. So
columns have no rules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psrp.clixml.containers import TypeNames
from psrp.clixml.objects import PSObject
from psrp.clixml.scalars import FORMAT
from psrp.clixml.text import escape, needs_escape

__all__ = ["SCALARS", "Like", "Template", "like", "run_after"]

Like = tuple[TypeNames, tuple[str, ...], tuple[type, ...], tuple[str, ...], tuple[type, ...], type]
"""The type names; names and types of the extended members, then of the adapted members (with an
empty name before them, unless the object has no such part); the type of the text."""

_NONE: type = type(None)
SCALARS = frozenset(FORMAT) | {int, _NONE}


def like(value: Any) -> Like | None:
    """Return what the objects of a run share; None for a value that is in no run."""
    if type(value) is not PSObject or value.value is not None:
        return None
    extended, adapted = value.extended, value.adapted
    return (
        value.type_names,
        tuple(extended),
        tuple(map(type, extended.values())),
        () if adapted is None else ("", *adapted),
        () if adapted is None else tuple(map(type, adapted.values())),
        type(value.to_string),
    )


def run_after(items: Sequence[Any], at: int) -> Sequence[PSObject]:
    """Return the items after the one at this index that are like it."""
    shared = like(items[at])
    if shared is None or not SCALARS.issuperset(shared[2] + shared[4]) or not shared[1] + shared[3]:
        return ()
    end = at + 1
    while end < len(items) and like(items[end]) == shared:
        end += 1
    return items[at + 1 : end]


class Template:
    """The template of a run, and its columns."""

    def __init__(
        self, run: Sequence[PSObject], attribute: Callable[[str], str], types: str
    ) -> None:
        """``attribute`` returns the attribute N for a name, ``types`` is the element TNRef.

        Raises ValueError for a value without a text.
        """
        self._run = run
        self._columns: list[Iterable[str]] = []
        self._attribute = attribute
        first = run[0]
        text = '<Obj RefId="%d">' + types.replace("%", "%%")
        if first.to_string is not None:
            text += self._column("ToString", "", [item.to_string for item in run], escape)
        if first.adapted is not None:
            rows = [item.adapted or {} for item in run]
            text += self._part("Props", first.adapted, rows) if first.adapted else "<Props />"
        if first.extended:
            text += self._part("MS", first.extended, [item.extended for item in run])
        self._text = f"{text}</Obj>"

    def filled(self, number: int) -> str:
        """Return the elements of the run; the first has this RefId."""
        numbers = range(number, number + len(self._run))
        return "".join(map(self._text.__mod__, zip(numbers, *self._columns)))

    def _part(self, tag: str, names: Iterable[str], rows: Sequence[dict[str, Any]]) -> str:
        columns = zip(*(row.values() for row in rows))
        members = [self._member(name, column) for name, column in zip(names, columns)]
        return f"<{tag}>{''.join(members)}</{tag}>"

    def _member(self, name: str, values: Sequence[Any]) -> str:
        attribute = self._attribute(name)
        kind = type(values[0])
        if kind is _NONE:
            return f"<Nil{attribute.replace('%', '%%')} />"
        if kind is not int:
            tag, form = FORMAT[kind]
            return self._column(tag, attribute, values, form)
        low, high = min(values), max(values)
        if low >= -0x80000000 and high <= 0x7FFFFFFF:
            return self._column("I32", attribute, values, int.__repr__)
        if not (low >= -(2**63) and high < 2**63):
            raise ValueError("an integer of more than 64 bits")
        tags = ("I32" if -0x80000000 <= value <= 0x7FFFFFFF else "I64" for value in values)
        self._columns.append(
            [f"<{tag}{attribute}>{value}</{tag}>" for tag, value in zip(tags, values)]
        )
        return "%s"

    def _column(
        self, tag: str, attribute: str, values: Sequence[Any], form: Callable[[Any], str]
    ) -> str:
        """Add a column; return its part of the template."""
        if form is escape:
            texts = values if not needs_escape("".join(values)) else list(map(escape, values))
        else:
            texts = list(map(form, values))
        if tag not in _EMPTY or all(texts):
            self._columns.append(texts)
            return f"<{tag}{attribute.replace('%', '%%')}>%s</{tag}>"
        self._columns.append(
            f"<{tag}{attribute}>{text}</{tag}>" if text else f"<{tag}{attribute} />"
            for text in texts
        )
        return "%s"


_EMPTY = frozenset({"BA", "ToString"})
"""The elements that are written as empty tags if they have no text."""
