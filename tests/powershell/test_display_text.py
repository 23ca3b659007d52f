"""Single values in .NET's spelling, and values that contain themselves."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from psremoting.powershell.clocks import span_text
from psremoting.powershell.display_text import Budget, cell_text, text_of
from psremoting.powershell.formatting import lines_of
from psrp.clixml import (
    Dictionary,
    List,
    PSObject,
    SecureString,
    Single,
    TimeSpan,
)

TEXTS: list[tuple[Any, str]] = [
    ("a\nb", "a\nb"),
    (None, ""),
    (True, "True"),
    (3.0, "3"),
    (-0.0, "-0"),
    (1e22, "1E+22"),
    (1e-7, "1E-07"),
    (0.1 + 0.2, "0.3"),
    (Single(0.1), "0.1"),
    (float("nan"), "NaN"),
    (float("-inf"), "-Infinity"),
    (Decimal("1.10"), "1.10"),
    (Decimal("1E+28"), "10000000000000000000000000000"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "01/02/2026 03:04:05"),
    (timedelta(hours=1, microseconds=5), "01:00:00.0000050"),
    (TimeSpan(-864_000_000_000 - 10_000_000), "-1.00:00:01"),
    (SecureString("never shown"), "System.Security.SecureString"),
    (PSObject(("System.DayOfWeek", "System.Enum"), to_string="Friday", value=5), "Friday"),
    (date(2026, 1, 2), "2026-01-02"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=lambda each: repr(each)[:30])
def test_a_value_is_spelled_as_in_dotnet(value: Any, text: str) -> None:
    assert text_of(value) == text


CELLS: list[tuple[Any, str]] = [
    (b"abcdef", "{97, 98, 99, 100…}"),
    (list(range(9)), "{0, 1, 2, 3…}"),
    ([None, [1, 2], {"k": 1}], "{$null, 1 2, System.Collections.Hashtable}"),
    (PSObject.custom(a=1, b="x"), "@{a=1; b=x}"),
    (PSObject.custom(a=PSObject.custom(b=1)), "@{a=}"),
    (Dictionary({"a": SecureString("never shown")}), "{[a, System.Security.SecureString]}"),
]


@pytest.mark.parametrize(("value", "text"), CELLS, ids=lambda each: repr(each)[:30])
def test_a_collection_in_a_cell_shows_four_items(value: Any, text: str) -> None:
    assert cell_text(value) == text


def test_an_integer_of_any_size_has_a_text() -> None:
    assert text_of(10**30) == "1" + "0" * 30
    assert text_of(1 << 100_000).startswith("0x1000")


def test_the_largest_span_has_a_text() -> None:
    assert span_text(TimeSpan(2**63 - 1)) == "10675199.02:48:05.4775807"


def _steps(value: Any) -> int:
    """Return the number of calls of Python functions during rendering."""
    count = 0

    def tick(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        shown = sum(map(len, lines_of(value)))
    finally:
        sys.setprofile(before)
    assert shown < 20_000_000
    return count


def test_an_object_that_is_its_own_value_is_rendered() -> None:
    value = PSObject()
    value.value = value
    assert _steps(value) < 5_000


def _lists(inner: Any, levels: int) -> Any:
    for _ in range(levels):
        inner = List([inner] * 10)
    return inner


def _objects(inner: Any, levels: int) -> Any:
    for _ in range(levels):
        inner = PSObject.custom(**{f"m{n}": inner for n in range(10)})
    return inner


def _tables(inner: Any, levels: int) -> Any:
    for _ in range(levels):
        inner = Dictionary({f"k{n}": inner for n in range(10)})
    return inner


@pytest.mark.parametrize("build", [_lists, _objects, _tables])
def test_shared_values_that_expand_exponentially_are_rendered_in_bounded_work(build: Any) -> None:
    value = build("x", 10)
    assert _steps(value) < 3_000_000
    assert _steps(PSObject.custom(a=value)) < 100_000


def test_a_container_that_contains_itself_is_rendered() -> None:
    looped = List([1])
    looped.append(looped)
    table = Dictionary({"k": 1})
    table["me"] = table
    thing = PSObject.custom(a=1)
    thing.extended["me"] = thing
    for value in (looped, table, thing, PSObject.custom(a=looped, b=table)):
        assert _steps(value) < 3_000_000


def test_a_long_text_shared_many_times_is_cut_at_the_budget() -> None:
    text = "x" * 1_000_000
    shown = cell_text([[text] * 10_000], Budget(100_000))
    assert len(shown) < 1_200_000
    assert "…" in shown
