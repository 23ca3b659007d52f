"""Texts that hold data: what is read, what is refused and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.powershell.data_language import (
    DataLanguageError,
    Position,
    quoted,
    read_data,
    write_data,
)
from psrp.clixml import Dictionary, Int64, List, ScriptBlock

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | _TEXTS
_VALUES = st.recursive(
    _SCALARS | st.sampled_from(["$x", " param($y) { $y } "]).map(ScriptBlock),
    lambda inner: (
        st.lists(inner, max_size=3).map(List)
        | st.lists(st.tuples(_TEXTS, inner), max_size=3, unique_by=lambda pair: pair[0].casefold())
        .map(Dictionary)
    ),
    max_leaves=8,
)  # fmt: skip

_REFUSED = [
    ("@{ a = Get-Date }", Position(1, 8), "a command is not data and is not run: Get-Date"),
    ("@{\n  a = 'x'\n  b = $env:HOME }", Position(3, 7), "the variable $env:HOME is not data"),
    ('@{ a = "x $y" }', Position(1, 11), "the variable $y is not data"),
    ("@{ a = 'b' + 'c' }", Position(1, 8), "an operator is not data"),
    ("@{ a = [int]'3' }", Position(1, 8), "a cast is not data"),
    ("@{ a = [math]::PI }", Position(1, 8), "a member is not data"),
    ("@{ a = 'x'.Length }", Position(1, 8), "a member is not data"),
    ("@{ a = (1, 2)[0] }", Position(1, 8), "an index is not data"),
    ("@{ a = $('x'; exit) }", Position(1, 15), "a statement is not data: exit"),
    ("@{ a = & { 1 } }", Position(1, 8), "a command is not data and is not run"),
    ("@{ a = @(Get-Date) }", Position(1, 10), "a command is not data and is not run: Get-Date"),
    ("$x = @{}", Position(1, 1), "an assignment is not data"),
    ("@{}; @{}", Position(1, 6), "expected one expression, got 2"),
    ("param($x) @{}", Position(1, 1), "parameters and named blocks are not data"),
    ("", Position(1, 1), "expected one expression, got 0"),
    ("@{ a = 1", Position(1, 1), "Missing closing '}' in statement block or type definition."),
    ("@{ a = 1; A = 2 }", Position(1, 11), "Duplicate keys 'A' are not allowed"),
    ("@{ @(1) = 2 }", Position(1, 4), "a key has to be a string or a number"),
    ("@{ a = 'b", Position(1, 8), "The string is missing the terminator: '."),
    ("if (1) { @{} }", Position(1, 1), "a statement is not data: if"),
]


@pytest.mark.parametrize(("text", "position", "rule"), _REFUSED)
def test_what_is_not_data_is_refused_with_its_place(
    text: str, position: Position, rule: str
) -> None:
    with pytest.raises(DataLanguageError) as refused:
        read_data(text)
    assert refused.value.position == position
    assert refused.value.rule.startswith(rule)
    assert str(refused.value).startswith(f"{position}: ")


def test_constants_arrays_tables_and_script_blocks_are_read() -> None:
    text = """
    # a comment
    @{
      'a' = 'it''s', "x`ty", @{ b = $true; c = $null }; <# another #>
      D = -5
      e = @('one'); f = @(); g = 10kb
      h = { param($x) Get-Date $x }
      i = "$PSScriptRoot/x"
    }
    """
    assert read_data(text, script_root="/etc/psrp").value == Dictionary(
        {
            "a": List(["it's", "x\ty", Dictionary({"b": True, "c": None})]),
            "D": -5,
            "e": List(["one"]),
            "f": List(),
            "g": 10240,
            "h": ScriptBlock(" param($x) Get-Date $x "),
            "i": "/etc/psrp/x",
        }
    )


def test_the_places_of_nested_keys_are_kept() -> None:
    data = read_data("@{ a = @{\n  B = 1 } }")
    assert data.position(data.value, "A") == Position(1, 4)
    assert data.position(data.value["a"], "b") == Position(2, 3)
    assert data.position(data.value, "none") is None


def test_a_long_text_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DataLanguageError, match="at most"):
        read_data("#" * (5 << 20))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DataLanguageError):
        read_data("@{ a = " * 5000)


@given(_VALUES)
def test_written_data_is_read_back(value: object) -> None:
    assert read_data(f"@{{ x = {write_data(value)} }}").value["x"] == value


@given(_TEXTS)
def test_a_quoted_text_is_one_string(text: str) -> None:
    assert read_data(quoted(text)).value == text


def test_a_64_bit_number_keeps_its_value() -> None:
    assert read_data(write_data(Int64(5_000_000_000))).value == 5_000_000_000
