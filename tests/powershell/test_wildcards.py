"""Wildcard patterns match what PowerShell's match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.powershell.wildcards import (
    WildcardError,
    escape_wildcards,
    has_wildcards,
    matches,
    wildcard,
)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["", "a", "a\nb"], []),
        ("a*b", ["ab", "A\nB", "aXbb"], ["abc", "b"]),
        ("?", ["a"], ["", "ab", "😀"]),
        ("??", ["😀"], ["a"]),
        ("[!g]", ["!", "g", "G"], ["x"]),
        ("[^a]", ["^", "a"], ["b"]),
        ("[a-c]", ["a", "B"], ["d", "-"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[]a]", ["a", "]"], ["a]"]),
        ("[`a]", ["a"], ["`"]),
        ("[a`-c]", ["-", "a", "c"], ["b"]),
        ("a`*", ["a*"], ["ab", "a`*"]),
        ("a`", ["a`"], ["a"]),
        ("`[a", ["[a"], ["a"]),
        ("a[[:alpha:]]", ["a:]"], ["aa"]),
        ("SS", ["ss"], ["ß"]),
        ("É", ["é"], ["e"]),
        ("i", ["I"], ["İ"]),
    ],
)
def test_a_pattern_matches_whole_texts(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in (*yes, *no) if matches(pattern, text)] == yes


@pytest.mark.parametrize("pattern", ["[a", "[", "[]", "[c-a]"])
def test_a_wrong_pattern_is_an_error_and_matches_only_itself(pattern: str) -> None:
    with pytest.raises(WildcardError, match="pattern is not valid"):
        wildcard(pattern)
    assert matches(pattern, pattern)
    assert not matches(pattern, "a")


def test_case_counts_when_it_is_asked_for() -> None:
    assert not wildcard("A*", case_sensitive=True)("abc")


@given(st.text())
def test_an_escaped_text_matches_itself(text: str) -> None:
    pattern = escape_wildcards(text)
    assert matches(pattern, text)
    assert not has_wildcards(pattern)


def test_many_stars_cost_no_more_than_text_times_pattern() -> None:
    assert not wildcard("*a" * 100 + "b")("a" * 5_000)
