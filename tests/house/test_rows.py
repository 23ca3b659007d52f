"""Tests that call their body for many rows."""

from __future__ import annotations

import pytest

from tests.rows import rows, sample


def test_all_rows_run_and_each_that_fails_is_named() -> None:
    seen: list[int] = []

    @rows("number", [1, 2, 3, 4])
    def check(number: int, parity: int) -> None:
        seen.append(number)
        assert number % 2 == parity

    with pytest.raises(BaseExceptionGroup, match="2 of 4 rows") as caught:
        check(parity=0)
    assert seen == [1, 2, 3, 4]
    assert [each.__notes__ for each in caught.value.exceptions] == [["row 1"], ["row 3"]]


def test_an_expected_error_that_does_not_come_fails_its_row() -> None:
    @rows(("number", "other"), [(1, 0), (2, 1)], ids=["one", "two"])
    def check(number: int, other: int) -> None:
        with pytest.raises(ZeroDivisionError):
            assert number / other

    with pytest.raises(BaseExceptionGroup) as caught:
        check()
    assert [each.__notes__ for each in caught.value.exceptions] == [["row two"]]


def test_without_rows_a_test_is_skipped() -> None:
    @rows("number", [])
    def check(number: int) -> None:
        raise AssertionError(number)

    with pytest.raises(pytest.skip.Exception):
        check()


def test_a_sample_keeps_the_first_and_the_last() -> None:
    assert list(sample(range(10), 4)) in ([0, 4, 8, 9], list(range(10)))
    assert list(sample(range(9), 4)) in ([0, 4, 8], list(range(9)))
    assert list(sample([], 4)) == []
