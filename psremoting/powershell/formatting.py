"""Objects as lines of text, as PowerShell's Out-Default shows them.

The first object decides the form: the view of its type, else a table for up to four properties
and a list for more. Later objects join that table or list; one that a view does not apply to is
shown as a list of its own in between. Text, numbers and records are lines by themselves and end
nothing. Objects that a Format command made (``... | Format-Table``) are laid out here, too. See
spec-notes/formatting.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from psremoting.powershell import format_objects
from psremoting.powershell.cells import ELLIPSIS
from psremoting.powershell.display_text import Budget, cell_text, fixed_point, text_of
from psremoting.powershell.error_view import error_lines
from psremoting.powershell.layout import Head, Table, list_lines
from psremoting.powershell.shown_members import Enumeration, members_of, type_names_of
from psremoting.powershell.views import Column, View, applies, find_view, plain_types
from psrp.clixml import Char, Dictionary, PSObject, SecureString, Stack
from psrp.records import ErrorRecord

__all__ = ["HOLD_SECONDS", "Formatter", "lines_of", "list_view", "table_view"]

HOLD_SECONDS = 0.3
"""Seconds for which rows are buffered to compute column widths; see `pause`."""
_MAX_HELD_ROWS = 1000
_MAX_HELD_CHARACTERS = 1_000_000
_MAX_CHARACTERS = 50_000_000
"""Maximum length of one shown value; shared parts may expand without end."""
_MAX_NESTED_ITEMS = 100_000
"""Maximum number of shown items of nested collections in one value."""
_MAX_TABLE_PROPERTIES = 4
_MAX_LIST_DEPTH = 20
_SHOW_COMPUTER = "PSShowComputerName"
_TAGS = {"pscomputername", "runspaceid", "psshowcomputername"}
_SCALARS = ("System.Numerics.BigInteger", "System.Security.SecureString")
_RECORD_MARKS: dict[str, str | None] = {
    "System.Management.Automation.WarningRecord": "WARNING: ",
    "System.Management.Automation.VerboseRecord": "VERBOSE: ",
    "System.Management.Automation.DebugRecord": "DEBUG: ",
    "System.Management.Automation.InformationRecord": "",
}
"""Records among the output, and the text before theirs."""
_SEQUENCES = (list, tuple, set, frozenset)

Members = Any
"""A PSObject or a mapping: any object with ``get``."""


def lines_of(*values: Any, width: int = 80, **options: Any) -> list[str]:
    """Return all lines for ``values``; the options are those of `Formatter`."""
    formatter = Formatter(width, **options)
    return [line for value in values for line in formatter.feed(value)] + formatter.flush()


class Formatter:
    """Converter of values to lines.

    width: the cells of a line. view: the form to use whatever the values are; see `table_view`
    and `list_view`. received: the values came from another process, where an enumeration shows
    as an object with a value. error_view: "normal", "concise" or "detailed". hide_tags: leave
    out PSComputerName and RunspaceId.
    """

    def __init__(
        self,
        width: int = 120,
        *,
        view: View | None = None,
        received: bool = True,
        error_view: str = "concise",
        hide_tags: bool = False,
    ) -> None:
        self._width = max(width, 1)
        self._wanted = view
        self._received = received
        self._error_view = error_view
        self._hide_tags = hide_tags
        self._form: _Form | None = None
        self._foreign = format_objects.Layout(width)
        self._nested_left = 0

    @property
    def holds_rows(self) -> bool:
        """True if `pause` would return lines."""
        return self._form is not None and self._form.holds_rows

    def feed(self, value: Any) -> list[str]:
        """Return the lines that can be shown now."""
        self._nested_left = _MAX_NESTED_ITEMS
        left = _MAX_CHARACTERS
        lines: list[str] = []
        for line in self._feed(value, 0):
            lines.append(line)
            left -= len(line) + 1
            if left < 0:
                lines.append(ELLIPSIS)
                break
        return lines

    def pause(self) -> list[str]:
        """Return the buffered rows; call this after `HOLD_SECONDS` without a value."""
        return list(self._form.lay_out()) if self._form is not None else []

    def flush(self) -> list[str]:
        """Return the lines that complete the current form."""
        lines = list(self._form.end()) if self._form is not None else []
        self._form = None
        return [*lines, *self._foreign.flush()]

    # -- one value

    def _feed(self, value: Any, depth: int) -> Iterator[str]:
        items = _items(value)
        if items is not None:
            for item in items:
                self._nested_left -= depth > 0
                if self._nested_left < 0 or depth > _MAX_LIST_DEPTH:
                    yield ELLIPSIS
                    return
                yield from self._feed(item, depth + 1)
            return
        if value is None:
            return
        if isinstance(value, PSObject) and format_objects.is_format_object(value):
            yield from self._end_form()
            yield from self._foreign.feed(value)
            return
        plain = self._plain_lines(value)
        if plain is not None:
            if self._form is not None:
                yield from self._form.lay_out()
            yield from plain
        else:
            yield from self._object(value)

    def _end_form(self) -> Iterator[str]:
        if self._form is not None:
            yield from self._form.end()
            self._form = None

    def _plain_lines(self, value: Any) -> Iterable[str] | None:
        """Return the lines of a value that is shown as text; None for an object with properties."""
        if isinstance(value, ErrorRecord):
            return error_lines(value, self._error_view)
        kinds = plain_types(type_names_of(value))
        if "System.Management.Automation.ErrorRecord" in kinds:
            return error_lines(value, self._error_view)
        for kind in kinds:
            if kind in _RECORD_MARKS:
                return _lines(_mark(kind, value) + text_of(value))
        if "HelpInfo" in kinds or any(kind in _SCALARS for kind in kinds):
            return _lines(text_of(value))
        if isinstance(value, PSObject) and not self._received and _is_enumeration(value):
            return _lines(text_of(value))
        if isinstance(value, _Entry):
            return None
        members = members_of(value)
        if members is None:
            return _lines(text_of(value))
        if isinstance(value, PSObject):
            if value.value is not None and (
                isinstance(value.value, PSObject) or members_of(value.value) is None
            ):
                return None if _is_enumeration(value) else _lines(text_of(value))
            if not members:
                return _lines("" if value.to_string in (None, "") else text_of(value))
        return None

    def _object(self, value: Any) -> Iterator[str]:
        members: Members = value if isinstance(value, (PSObject, _Entry)) else members_of(value)
        if isinstance(value, PSObject) and value.value is not None:
            members = members_of(value)
        types = type_names_of(value)
        if self._form is None:
            self._form = self._begin(members, types, value)
            if self._form is None:
                yield from _lines(text_of(value))
                return
        elif not self._form.takes(types):
            yield from self._form.lay_out()
            yield ""
            yield from list_lines(self._pairs(members, self._visible(members)), self._width)
            yield ""
            return
        yield from self._form.add(members)

    def _begin(self, members: Members, types: tuple[str, ...], value: Any) -> _Form | None:
        view = self._wanted or find_view(types, members)
        if view is None:
            names = self._visible(members)
            counted = list(members)
            if self._hide_tags:
                counted = [name for name in counted if name.casefold() not in _TAGS]
            if not names:
                return None
            if len(counted) > _MAX_TABLE_PROPERTIES:
                return _GenericList(self)
            return _TableForm(self, generic_columns(names, members), None)
        columns = self._with_computer(view, members)
        if view.kind == "table":
            return _TableForm(self, columns, view)
        if view.kind == "list":
            return _ListForm(self, columns, view)
        return _TextForm(self, columns, view)

    def _with_computer(self, view: View, members: Members) -> tuple[Column, ...]:
        if self._wanted is not None or view.kind == "text" or not self._shows_computer(members):
            return view.columns
        return (*view.columns, Column(label="PSComputerName", source="PSComputerName"))

    def _shows_computer(self, members: Members) -> bool:
        shown = members.get(_SHOW_COMPUTER)
        return not self._hide_tags and (shown.value if type(shown) is PSObject else shown) is True

    def _visible(self, members: Members) -> list[str]:
        hidden = {_SHOW_COMPUTER.casefold()}
        if self._hide_tags:
            hidden = _TAGS
        elif _SHOW_COMPUTER in members and not self._shows_computer(members):
            hidden = {*hidden, "pscomputername"}
        return [name for name in members if name.casefold() not in hidden]

    def _pairs(self, members: Members, names: Iterable[str]) -> list[tuple[str, str]]:
        budget = Budget()
        return [(name, cell_text(members.get(name), budget)) for name in names]


def generic_columns(names: Iterable[str], members: Members) -> tuple[Column, ...]:
    """Columns as wide as their contents; numbers and truth values are aligned to the right."""
    return tuple(
        Column(
            label=name,
            source=_generic(name),
            alignment="right" if _is_right(members.get(name)) else "left",
        )
        for name in names
    )


def _generic(name: str) -> Callable[[Members], Any]:
    def shown(members: Members) -> Any:
        value = members.get(name)
        fixed = fixed_point(value)
        return value if fixed is None else fixed

    return shown


def _is_right(value: Any) -> bool:
    if isinstance(value, PSObject):
        if value.value is None or _is_enumeration(value):
            return "System.Numerics.BigInteger" in value.type_names
        value = value.value
    return isinstance(value, int | float | Decimal | Char | Enumeration | SecureString)


def table_view(names: Sequence[str], members: Members, *, wraps: bool = False) -> View:
    """Return the view of ``Format-Table Name, Id``; ``members`` is the first object."""
    return View(name="", kind="table", columns=generic_columns(names, members), wraps=wraps)


def list_view(names: Sequence[str]) -> View:
    """Return the view of ``Format-List Name, Id``."""
    return View(
        name="", kind="list", columns=tuple(Column(label=name, source=name) for name in names)
    )


# -- the forms: one is open at a time


class _Form:
    """A table, a list or text that objects are added to. ``view`` None takes any object."""

    def __init__(
        self, formatter: Formatter, columns: tuple[Column, ...], view: View | None
    ) -> None:
        self._formatter = formatter
        self._width = formatter._width
        self._columns = columns
        self._view = view
        self._group: str | None = None
        self._begun = False

    holds_rows = False

    def takes(self, types: tuple[str, ...]) -> bool:
        """Return True if an object of these types joins this form."""
        fixed = self._view is None or self._view is self._formatter._wanted
        return fixed or applies(self._view, types)

    def add(self, members: Members) -> Iterator[str]:
        raise NotImplementedError

    def lay_out(self) -> Iterator[str]:
        return iter(())

    def end(self) -> Iterator[str]:
        return iter(())

    def _cells(self, members: Members) -> list[str]:
        budget = Budget()
        return [cell_text(_value(column, members), budget) for column in self._columns]

    def _new_group(self, members: Members) -> str | None:
        """Return the text of the group that begins with this object, or None in the same group."""
        if self._view is None or self._view.group_by is None:
            return None
        by = self._view.group_by
        text = text_of(by(members) if callable(by) else members.get(by))
        if text == self._group:
            return None
        self._group = text
        return self._view.group_label + text


def _value(column: Column, members: Members) -> Any:
    return column.source(members) if callable(column.source) else members.get(column.source)


class _TableForm(_Form):
    def __init__(
        self, formatter: Formatter, columns: tuple[Column, ...], view: View | None
    ) -> None:
        super().__init__(formatter, columns, view)
        self._rows: list[list[str]] = []
        self._held = 0
        """Number of characters in the buffered rows."""
        self._table: Table | None = None
        self._measures = not any(column.width for column in columns)
        self._words = view is not None and view.group_by is not None
        self._wraps = self._words or (view is not None and view.wraps)

    @property
    def holds_rows(self) -> bool:  # type: ignore[override]
        return bool(self._rows)

    def add(self, members: Members) -> Iterator[str]:
        group = self._new_group(members)
        if group is not None:
            yield from self.lay_out()
            self._table = None
            yield from ("", group)
        # Only the start of a long text, or the end of a number, is ever shown.
        cells = [_shortened(cell, self._width) for cell in self._cells(members)]
        if self._table is not None:
            yield from self._table.row_lines(cells, multiline=self._wraps, words=self._words)
            return
        self._rows.append(cells)
        self._held += sum(map(len, cells))
        full = len(self._rows) >= _MAX_HELD_ROWS or self._held > _MAX_HELD_CHARACTERS
        if full or not self._measures:
            yield from self.lay_out()

    def lay_out(self) -> Iterator[str]:
        rows, self._rows, self._held = self._rows, [], 0
        if self._table is None and rows:
            heads = [
                Head(label=column.label, width=column.width, alignment=column.alignment)
                for column in self._columns
            ]
            self._table = Table(heads, rows, self._width)
            yield ""
            yield from self._table.head_lines()
        for row in rows:
            assert self._table is not None
            yield from self._table.row_lines(row, multiline=self._wraps, words=self._words)

    def end(self) -> Iterator[str]:
        yield from self.lay_out()
        yield ""


def _shortened(text: str, width: int) -> str:
    """Return the start and the end of a text that is much longer than a line."""
    if len(text) <= 16 * width:
        return text
    return text[: 8 * width] + text[-8 * width :]


class _ListForm(_Form):
    def add(self, members: Members) -> Iterator[str]:
        if not self._begun:
            self._begun = True
            yield ""
        cells = self._cells(members)
        labels = [column.label for column in self._columns]
        yield from list_lines(list(zip(labels, cells, strict=True)), self._width)
        yield ""


class _GenericList(_Form):
    """A list of all properties of each object."""

    def __init__(self, formatter: Formatter) -> None:
        super().__init__(formatter, (), None)

    def add(self, members: Members) -> Iterator[str]:
        if not self._begun:
            self._begun = True
            yield ""
        names = self._formatter._visible(members)
        yield from list_lines(self._formatter._pairs(members, names), self._width)
        yield ""


class _TextForm(_Form):
    def add(self, members: Members) -> Iterator[str]:
        if not self._begun:
            self._begun = True
            yield ""
        yield from _lines(text_of(_value(self._columns[0], members)))

    def end(self) -> Iterator[str]:
        yield ""


# -- kinds of values


class _Entry(dict[str, Any]):
    """An entry of a dictionary, which PowerShell shows as an object."""

    type_names = ("System.Collections.DictionaryEntry", "System.ValueType", "System.Object")


def _entries(value: Dictionary | Mapping[Any, Any]) -> Iterator[_Entry]:
    for key, item in value.items():
        yield _Entry(Key=key, Value=item, Name=key)


def _items(value: Any) -> Iterable[Any] | None:
    """Return the items that are shown one by one, or None for a value that is one."""
    if isinstance(value, PSObject):
        inner = value.value
        if not isinstance(inner, (bytes, *_SEQUENCES, Dictionary, dict)):
            return None
        value = inner
    if isinstance(value, _Entry):
        return None
    if isinstance(value, (Dictionary, Mapping)):
        return _entries(value)
    if isinstance(value, Stack):
        return reversed(value)
    if isinstance(value, (*_SEQUENCES, bytes, bytearray)):
        return value
    return None


def _is_enumeration(value: PSObject) -> bool:
    return value.to_string is not None and any(
        name.endswith("System.Enum") for name in value.type_names
    )


def _mark(kind: str, value: Any) -> str:
    """Return the word before a record; one from another process has none, as in PowerShell."""
    if any(name.startswith("Deserialized.") for name in type_names_of(value)):
        return ""
    return _RECORD_MARKS[kind] or ""


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")
