"""Measurements and their tables.

A figure is the median of several repeats after one warm-up that is not counted, and it keeps their
minimum (`Seconds`): on a busy machine only minima can be compared. Existing objects
are excluded from garbage collection (`gc.freeze`); during the work the collector runs as usual.
Short work is repeated within one measurement until the clock can resolve it.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import Any, Self

OURS = "psremoting"
RIVALS = ("psrpcore", "pypsrp", "PSSerializer", "PowerShell to itself")
"""Whom the summary compares with ours; the other columns are limits, like a copy of the bytes."""
_LEAST = 2e-3
"""Minimum duration of one measurement in seconds; shorter work is repeated within it."""
_ENOUGH = 2.0
"""Seconds after which three repeats of one figure are enough."""


class Seconds(float):
    """The median of several measurements, with their minimum."""

    least: float

    @classmethod
    def of(cls, taken: Iterable[float]) -> Self:
        found = list(taken)
        figure = cls(statistics.median(found))
        figure.least = min(found)
        return figure


def least(seconds: float) -> float:
    """Return the minimum of a figure; the figure itself if only one value is known."""
    return seconds.least if isinstance(seconds, Seconds) else seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: the work, the library, and the time."""

    subject: str
    case: str
    who: str
    seconds: float
    size: int
    """Bytes moved: of the document, of the message, or of all data on the wire; 0 if not
    applicable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of one subject, and the columns of their table."""

    title: str
    rows: Sequence[Row]
    others: Sequence[str]
    """The libraries that are compared with ours, one column of ratios each."""
    aims: dict[str, str]
    """Case -> target for the ratio."""
    elsewhere: dict[str, str]
    """Case -> PowerShell's figure, measured elsewhere."""
    notes: Sequence[str] = ()


class Clock:
    """A timer with a number of repeats, and fewer for work that takes seconds."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats

    def each(self) -> Iterator[int]:
        """Count the repeats of one figure, which end after `_ENOUGH` seconds if there are three."""
        start = perf_counter()
        for done in range(self.repeats):
            if done >= 3 and perf_counter() - start > _ENOUGH:
                return
            yield done

    def simple(self, work: Callable[[], object]) -> float:
        """Return the seconds of one call of ``work``, which needs no preparation."""
        once = self._timed(work, 1)
        loops = 1 if once >= _LEAST else min(10_000, int(_LEAST / max(once, 1e-7)) + 1)
        return Seconds.of(self._timed(work, loops) for _ in self.each())

    def prepared(self, work: Callable[[Any], object], prepare: Callable[[], Any]) -> float:
        """Return the seconds of ``work(prepare())``, without the time of ``prepare``."""
        work(prepare())
        taken = []
        for _ in self.each():
            taken.append(self._timed(partial(work, prepare()), 1))
        return Seconds.of(taken)

    @staticmethod
    def _timed(work: Callable[[], object], loops: int) -> float:
        gc.collect()
        gc.freeze()
        start = perf_counter()
        for _ in range(loops):
            work()
        taken = perf_counter() - start
        gc.unfreeze()
        return taken / loops


def milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def ratio(ours: float, other: float | None) -> str:
    """Return the other's time divided by ours."""
    if other is None:
        return "-"
    times = other / ours
    return f"{times:.3f}x" if times < 0.1 else f"{times:.2f}x" if times < 1 else f"{times:.1f}x"


def lines(table: Table) -> list[str]:
    """Return the table as text, one line per case."""
    heads = ["case", "ms", "least", "MB/s", *(f"vs {who}" for who in table.others)]
    heads += ["aim"] if table.aims else []
    heads += ["PowerShell *"] if table.elsewhere else []
    body = []
    for case in dict.fromkeys(row.case for row in table.rows):
        found = {row.who: row for row in table.rows if row.case == case}
        ours = found[OURS]
        speed = f"{ours.size / ours.seconds / 1e6:.1f}" if ours.size else "-"
        cells = [case, milliseconds(ours.seconds), milliseconds(least(ours.seconds)), speed]
        for who in table.others:
            other = found.get(who)
            cells.append(
                ratio(least(ours.seconds), None if other is None else least(other.seconds))
            )
        cells += [table.aims.get(case, "")] if table.aims else []
        cells += [table.elsewhere.get(case, "")] if table.elsewhere else []
        body.append(cells)
    return [table.title, "", *aligned([heads, *body]), *(f"  {note}" for note in table.notes), ""]


def losing(tables: Iterable[Table]) -> list[str]:
    """Return the rows in which another library or program is faster than ours, by the minima."""
    found = []
    for table in tables:
        ours = {row.case: least(row.seconds) for row in table.rows if row.who == OURS}
        found += [
            (f"{table.title}: {row.case}", row.who, ratio(ours[row.case], least(row.seconds)))
            for row in table.rows
            if row.who in RIVALS and least(row.seconds) < ours.get(row.case, 0)
        ]
    if not found:
        return ["No row in which another is faster.", ""]
    return ["Rows in which another is faster", "", *aligned([("case", "who", "ratio"), *found]), ""]


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return columns of equal width, the first aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def growth(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float, int]]]]) -> list[str]:
    """Return the time per byte of each case for growing sizes, and the last divided by the first.

    A row is a case and its (size in words, seconds, bytes), smallest first.
    """
    width = max(len(points) for _, points in rows)
    cells = [["case", *(f"size {place}" for place in range(1, width + 1)), "last / first"]]
    for case, points in rows:
        each = [seconds / size * 1e9 for _, seconds, size in points]
        shown = [f"{name}: {value:.2f}" for (name, _, _), value in zip(points, each, strict=True)]
        shown += [""] * (width - len(shown))
        cells.append([case, *shown, f"{each[-1] / each[0]:.2f}"])
    return [title, "", *aligned(cells), ""]


def as_json(table: Table) -> dict[str, Any]:
    rows = [asdict(row) | {"least": least(row.seconds)} for row in table.rows]
    return {"title": table.title, "rows": rows}
