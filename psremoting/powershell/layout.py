"""Tables, lists and wide rows as lines of a given width. See spec-notes/formatting.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from psremoting.powershell.cells import ELLIPSIS, cut, cut_start, pad, width_of, wrap
from psrp.frozen import dataclass

__all__ = ["Head", "Table", "list_lines", "wide_lines", "wide_shape"]

_SEPARATOR = " : "
_MIN_WIDTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a column. ``width`` 0: as wide as its contents, or a share of the line."""

    label: str
    width: int = 0
    alignment: str = "left"


class Table:
    """The layout of one table: the columns that fit and their widths.

    Where no head has a width, each column is as wide as its label and its cells in ``sample``;
    otherwise the heads without a width share what the others leave of the line. Columns that do
    not fit are dropped from the right, and the last that remains is narrowed.
    """

    def __init__(self, heads: Sequence[Head], sample: Sequence[Sequence[str]], width: int) -> None:
        width = max(width, _MIN_WIDTH)
        if any(head.width for head in heads):
            wanted = _shared(heads, width)
        else:
            wanted = [
                max(width_of(head.label), 1, *(width_of(row[at]) for row in sample))
                for at, head in enumerate(heads)
            ]
        self._heads: list[Head] = []
        self._widths: list[int] = []
        left = width
        for head, its in zip(heads, wanted, strict=True):
            if left < 1:
                break
            self._heads.append(head)
            self._widths.append(min(its, left))
            left -= its + 1
        # A last column that was not dropped is not filled up with spaces.
        self._open_end = len(self._heads) == len(heads)

    def head_lines(self) -> list[str]:
        """Return the labels, wrapped to the width of their columns, and dashes."""
        labels = [
            wrap(head.label, width) for head, width in zip(self._heads, self._widths, strict=True)
        ]
        lines = [
            self._line(row, filled=True).rstrip() for row in zip_longest(*labels, fillvalue="")
        ]
        dashes = [
            "-" * min(width_of(head.label), width)
            for head, width in zip(self._heads, self._widths, strict=True)
        ]
        return [*lines, self._line(dashes)]

    def row_lines(
        self, cells: Sequence[str], *, multiline: bool = False, words: bool = True
    ) -> list[str]:
        """Return one row: one line, or with ``multiline`` as many as its longest cell needs.

        ``words``: lines break between words where they can.
        """
        cells = cells[: len(self._heads)]
        if not multiline:
            return [self._line([self._cut(at, cell) for at, cell in enumerate(cells)])]
        wrapped = [
            wrap(cell, width, words=words) for cell, width in zip(cells, self._widths, strict=False)
        ]
        lines = [self._line(row) for row in zip_longest(*wrapped, fillvalue="")]
        return lines if len(lines) == 1 else [line.rstrip() for line in lines]

    def _cut(self, at: int, cell: str) -> str:
        first, line_end, _ = cell.replace("\r", "\n").partition("\n")
        if line_end:
            cell = first + ELLIPSIS
        if self._heads[at].alignment == "right":
            return cut_start(cell, self._widths[at])
        return cut(cell, self._widths[at])

    def _line(self, cells: Sequence[str], *, filled: bool = False) -> str:
        parts = []
        last = len(self._heads) - 1
        for at, cell in enumerate(cells):
            alignment = self._heads[at].alignment
            if at == last and alignment == "left" and self._open_end and not filled:
                parts.append(cell)
            else:
                parts.append(pad(cell, self._widths[at], alignment))
        return " ".join(parts)


def _shared(heads: Sequence[Head], width: int) -> list[int]:
    """Return the widths of all columns, with the rest of the line shared by those without one."""
    free = sum(not head.width for head in heads)
    left = width - sum(head.width for head in heads) - len(heads) + 1
    share = max(left // free, 1) if free else 0
    return [head.width or share for head in heads]


def list_lines(pairs: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Labels and values, one below the other; values are broken at the width of the line."""
    most = max(width - len(_SEPARATOR) - 1, 1)
    label_width = min(max((width_of(label) for label, _ in pairs), default=0), most)
    indent = " " * (label_width + len(_SEPARATOR))
    room = max(width - len(indent), 1)
    lines: list[str] = []
    for label, value in pairs:
        first, *more = wrap(value, room)
        label = pad(cut_label(label, label_width), label_width, "left")
        lines.append(f"{label}{_SEPARATOR}{first}")
        lines += [indent + line for line in more]
    return lines


def cut_label(label: str, width: int) -> str:
    """Return ``label`` cut at ``width`` cells, without an ellipsis."""
    return label if width_of(label) <= width else wrap(label, width)[0]


def wide_shape(longest: int, columns: int | None, width: int) -> tuple[int, int]:
    """Return the number of columns and the width of one; without ``columns`` as many as fit."""
    if columns is None:
        columns = max(width // (longest + 1), 1)
    columns = max(min(columns, width), 1)
    return columns, max(width // columns, 1)


def wide_lines(cells: Sequence[str], columns: int, column: int, width: int) -> list[str]:
    """Return ``cells`` side by side in ``columns`` columns, each ``column`` cells wide."""
    lines = []
    for at in range(0, len(cells), columns):
        row = list(cells[at : at + columns])
        row += [""] * (columns - len(row))
        parts = []
        for place, cell in enumerate(row):
            last = place == columns - 1
            room = width - place * (column + 1) if last else column
            shown = cut(cell, max(room, 1))
            parts.append(shown if last else pad(shown, column, "left"))
        lines.append(" ".join(parts))
    return lines
