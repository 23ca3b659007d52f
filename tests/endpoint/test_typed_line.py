"""Analysis of lines that are still typed; words are split as by the parser of pwsh 7.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.endpoint.typed_line import read_line

LINES = [
    ("Get-X a>b", [["a>b"]], "a>b"),
    ("Get-X 2>&1 a", [["a"]], "a"),
    ("Get-X > fi", [], "fi"),
    ('Get-X "$(Get-Y "z")" b', [['$(Get-Y "z")'], ["b"]], "b"),
    ("Get-X 'it''s", [["it's"]], "it's"),
    ("Get-X a'b c", [["ab c"]], "ab c"),
    ("Get-X -Name:'b c", [["Name"], ["b c"]], "b c"),
]
PIECES = st.sampled_from(
    [
        "a",
        "$(",
        "@(",
        "@{",
        "${",
        "<#",
        "#",
        "@'\n",
        "-Na",
        " ",
        "\n",
        "'",
        '"',
        "`",
        *"()}|;&,<>:.",
    ]
)


@pytest.mark.parametrize(("line", "arguments", "word"), LINES, ids=[line for line, *_ in LINES])
def test_words_are_those_of_the_parser(line: str, arguments: list[list[str]], word: str) -> None:
    found = read_line(line, len(line))
    assert found is not None
    command, at_cursor = found
    assert [[each.value for each in values] for values in command.arguments] == arguments
    assert at_cursor.value == word


@given(st.lists(PIECES, max_size=20).map("".join))
def test_any_line_has_a_word_at_the_cursor_or_a_comment(line: str) -> None:
    for cursor in range(len(line) + 1):
        found = read_line(line, cursor)
        assert found is None or found[1].start <= cursor
