"""Layout of the objects that the Format commands of a server make.

A server that runs ``... | Format-Table`` sends no data but instructions: a start with the shape,
groups, entries and an end. Each is an object whose property `CLASS_ID` names its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from psremoting.powershell.cells import width_of, wrap
from psremoting.powershell.display_text import MAX_CHARACTERS, Budget, text_of
from psremoting.powershell.layout import Head, Table, list_lines, wide_lines, wide_shape
from psrp.clixml import PSObject

__all__ = ["CLASS_ID", "Layout", "is_format_object"]

CLASS_ID = "ClassId2e4f51ef21dd47e99d3c952918aff9cd"

_START = "033ecb2bc07a4d43b5ef94ed5a35d280"
_GROUP_START = "9e210fe47d09416682b841769c78b8a3"
_ENTRY = "27c87ef9bbda4f709f6b4002fa4af63c"
_GROUP_END = "4ec4f0187cb04f4cb6973460dfe252df"
_END = "cf522b78d86c486691226b40aa69e95c"
_MESSAGES = {_START, _GROUP_START, _ENTRY, _GROUP_END, _END}

_TABLE_SHAPE = "e3b7a39c089845d388b2e84c5d38f5dd"
_LIST_SHAPE = "830bdcb24c1642258724e441512233a4"
_WIDE_SHAPE = "b2e2775d33d544c794d0081f27021b5c"

_TABLE_ROW = "0e59526e2dd441aa91e7fc952caf4a36"
_LIST_ENTRY = "cf58f450baa848ef8eb3504008be6978"
_WIDE_ENTRY = "59bf79de63354a7b9e4d1697940ff188"
_RAW_TEXT = "29ed81ba914544d4bc430f027ee053e9"

_TEXT = "b8d9e369024a43a580b9e0c9279e3354"
_PROPERTY = "78b102e894f742aca8c1d6737b6ff86a"
_NEW_LINE = "de7e8b96fbd84db5a43aa82eb34580ec"
_NESTED = "fba029a113a5458d932a2ed4871fadf2"

_ALIGNMENTS = {2: "center", 3: "right"}
_MAX_DEPTH = 60
_MAX_ROWS_HELD = 1000
_MAX_COLUMNS = 1000


def is_format_object(value: PSObject) -> bool:
    """Return True if ``value`` is one of the five instructions."""
    return CLASS_ID in value.extended or (value.adapted is not None and CLASS_ID in value.adapted)


def _kind(value: Any) -> str:
    return text_of(value.get(CLASS_ID)).casefold() if isinstance(value, PSObject) else ""


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, PSObject) and value.value is not None else value


def _items(value: Any) -> list[Any]:
    found = _plain(value)
    return list(found) if isinstance(found, (list, tuple)) else []


def _number(value: Any, default: int = 0) -> int:
    found = _plain(value)
    if isinstance(found, int) and not isinstance(found, bool):
        return max(min(int(found), 100_000), 0)
    return default


def _true(value: Any) -> bool:
    return _plain(value) is True


def _field(value: Any) -> str:
    return text_of(value.get("propertyValue")) if isinstance(value, PSObject) else ""


class Layout:
    """Converter of instructions, in order, to lines of at most ``width`` cells."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._shape: PSObject | None = None
        self._measures = False
        self._group: list[str] = []
        self._started = False
        self._head_due = False
        self._table: Table | None = None
        self._rows: list[tuple[list[str], bool]] = []
        self._wide: list[str] = []
        self._open = False

    def feed(self, value: PSObject) -> list[str]:
        """Return the lines that can be shown now."""
        step = self._steps.get(_kind(value))
        return list(step(self, value)) if step is not None else []

    def flush(self) -> list[str]:
        """Return the lines that complete unfinished output without an end instruction."""
        return list(self._end(PSObject())) if self._open else []

    def _start(self, value: PSObject) -> Iterator[str]:
        yield from self.flush()
        shape = value.get("shapeInfo")
        self._shape = shape if isinstance(shape, PSObject) else None
        self._measures = value.get("autosizeInfo") is not None
        self._open = True
        self._started = False

    def _group_start(self, value: PSObject) -> Iterator[str]:
        self._table = None
        self._head_due = True
        group = value.get("groupingEntry")
        if isinstance(group, PSObject):
            yield from ("", *self._complex(group), "")
        else:
            yield ""

    def _entry(self, value: PSObject) -> Iterator[str]:
        entry = value.get("formatEntryInfo")
        if not isinstance(entry, PSObject):
            return
        kind = _kind(entry)
        if kind == _TABLE_ROW:
            yield from self._table_row(entry)
        elif kind == _LIST_ENTRY:
            yield from self._list_entry(entry)
        elif kind == _WIDE_ENTRY:
            self._wide.append(_field(entry.get("formatPropertyField")))
        elif kind == _RAW_TEXT:
            yield from text_of(entry.get("text")).splitlines()
        else:
            yield from self._complex(entry, ends=not _true(value.get("outOfBand")))

    def _group_end(self, _: PSObject) -> Iterator[str]:
        yield from self._lay_out()

    def _end(self, _: PSObject) -> Iterator[str]:
        yield from self._lay_out()
        if _kind(self._shape) != _LIST_SHAPE:
            yield ""
        self._open = False
        self._shape = None

    _steps: ClassVar[dict[str, Callable[[Layout, PSObject], Iterator[str]]]] = {
        _START: _start,
        _GROUP_START: _group_start,
        _ENTRY: _entry,
        _GROUP_END: _group_end,
        _END: _end,
    }

    # -- tables

    def _heads(self) -> list[Head]:
        heads: list[Head] = []
        shape = self._shape or PSObject()
        for column in _items(shape.get("tableColumnInfoList"))[:_MAX_COLUMNS]:
            if not isinstance(column, PSObject):
                continue
            label = column.get("label")
            heads.append(
                Head(
                    label=text_of(column.get("propertyName") if label is None else label),
                    width=0 if self._measures else _number(column.get("width")),
                    alignment=_ALIGNMENTS.get(_number(column.get("alignment")), "left"),
                )
            )
        return heads

    def _table_row(self, entry: PSObject) -> Iterator[str]:
        cells = [_field(field) for field in _items(entry.get("formatPropertyFieldList"))]
        self._rows.append((cells, _true(entry.get("multiLine"))))
        fixed = any(head.width for head in self._heads()) if self._table is None else True
        if fixed or len(self._rows) >= _MAX_ROWS_HELD:
            yield from self._lay_out()

    def _lay_out(self) -> Iterator[str]:
        rows, self._rows = self._rows, []
        if rows and self._table is None:
            heads = self._heads()
            sample = [_filled(cells, len(heads)) for cells, _ in rows]
            self._table = Table(heads, sample, self._width)
            if self._head_due and not _true((self._shape or PSObject()).get("hideHeader")):
                yield from self._table.head_lines()
            self._head_due = False
        for cells, multiline in rows:
            assert self._table is not None
            yield from self._table.row_lines(cells, multiline=multiline)
        if self._wide:
            cells, self._wide = self._wide, []
            columns = _number((self._shape or PSObject()).get("columns")) or None
            if not self._measures and columns is None:
                columns = 2
            longest = max(map(width_of, cells))
            shape = wide_shape(longest, None if self._measures else columns, self._width)
            yield from wide_lines(cells, *shape, self._width)

    # -- lists and free forms

    def _list_entry(self, entry: PSObject) -> Iterator[str]:
        pairs = []
        for field in _items(entry.get("listViewFieldList")):
            if isinstance(field, PSObject):
                label = field.get("label")
                name = text_of(field.get("propertyName") if label is None else label)
                pairs.append((name, _field(field.get("formatPropertyField"))))
        yield from list_lines(pairs, self._width)
        yield ""

    def _complex(self, entry: PSObject, *, ends: bool = False) -> list[str]:
        """Return a free form; with ``ends`` its last line is ended even when it is empty."""
        writer = _Writer(self._width)
        writer.write(entry, 0, 0)
        return writer.finish(ends)


def _filled(cells: list[str], count: int) -> list[str]:
    return (cells + [""] * count)[:count]


class _Writer:
    """Writer of the parts of a free form: texts, properties, line ends, indented blocks."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[str] = []
        self._line = ""
        self._indent = 0
        self._budget = Budget(MAX_CHARACTERS)

    def write(self, entry: PSObject, indent: int, depth: int) -> None:
        for part in _items(entry.get("formatValueList")):
            if self._budget.spent or depth > _MAX_DEPTH:
                return
            kind = _kind(part)
            if kind == _NEW_LINE:
                self._budget.take(" ")
                self._break()
            elif kind == _TEXT:
                self._line += self._budget.take(text_of(part.get("text")))
            elif kind == _PROPERTY:
                self._line += self._budget.take(_field(part))
            elif kind == _NESTED:
                self._budget.take(" ")
                self._block(part, indent, depth)

    def _block(self, part: PSObject, indent: int, depth: int) -> None:
        frame = part.get("frameInfo")
        if not isinstance(frame, PSObject):
            self.write(part, indent, depth + 1)
            return
        if self._line:
            self._break()
        outer = self._indent
        self._indent = min(outer + _number(frame.get("leftIndentation")), self._width // 2)
        self.write(part, self._indent, depth + 1)
        if self._line:
            self._break()
        self._indent = outer

    def _break(self) -> None:
        room = max(self._width - self._indent, 1)
        indent = " " * self._indent
        self._lines += [indent + line for line in wrap(self._line, room)]
        self._line = ""

    def finish(self, ends: bool) -> list[str]:
        """Return all lines."""
        if self._line or ends:
            self._break()
        return self._lines
