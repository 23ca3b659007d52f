"""Conversions give the recorded results of PowerShell."""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from psremoting.powershell.conversion import ConversionError, convert, to_text
from psrp.clixml import Dictionary, List, PSObject
from tests.live.conversions import TYPES, recorded
from tests.powershell.conversion_rows import compare, reason_to_differ

#: Texts that .NET completes with today's date or year.
_OF_TODAY = ("'1,5'", "'1.5'", "'2.5'", "'1.2'", "'13:00'", "'2:30 PM'", "'1:2:3'", "1.5", "2.5")


@functools.cache
def _rows() -> tuple[tuple[str, str, str, str], ...]:
    return tuple(compare(recorded()))


def _depends_on_today(value: str, type_name: str) -> bool:
    return "DateTime" in type_name and (value in _OF_TODAY or "<Db>1.5</Db>" in value)


@pytest.mark.parametrize("type_name", TYPES)
def test_a_value_becomes_what_powershell_makes_of_it(type_name: str) -> None:
    wrong = [
        (value, ours, theirs)
        for value, kind, ours, theirs in _rows()
        if kind == type_name
        and ours != theirs
        and not _depends_on_today(value, kind)
        and reason_to_differ(value, kind, theirs) is None
    ]
    assert wrong == []


def test_accepted_differences_are_few() -> None:
    counts = Counter(
        reason_to_differ(value, kind, theirs)
        for value, kind, ours, theirs in _rows()
        if ours != theirs and not _depends_on_today(value, kind)
    )
    assert sum(counts.values()) < 70, counts


def test_a_received_array_is_an_array_list_in_an_error() -> None:
    with pytest.raises(ConversionError, match=r"System\.Collections\.ArrayList"):
        convert(List([1]), "System.Int32", received=True)
    with pytest.raises(ConversionError, match=r"System.Object\[\]"):
        convert(List([1]), "System.Int32")


def test_a_value_that_contains_itself_has_a_text_of_bounded_length() -> None:
    value = List([1])
    value.append(value)
    table = Dictionary({"a": value})
    thing = PSObject.custom(inner=value)
    thing.extended["again"] = thing
    for each in (value, table, thing):
        assert len(to_text(each)) < 1000


def test_a_shared_value_is_not_expanded() -> None:
    value = List([1] * 10)
    for _ in range(30):
        value = List([value] * 10)
    assert len(to_text(value)) < 1000


def test_a_long_number_is_refused_in_linear_time() -> None:
    with pytest.raises(ConversionError):
        convert("9" * 100_000, "System.Double")
