"""The command line of an endpoint without language: what it reads, and what it refuses how."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psremoting.endpoint.failures import CommandError
from psremoting.endpoint.language import INPUT, Literal, bare, parse
from psrp.commands import Command


def shape(text: str) -> list[list[Any]]:
    """Statements of stages: a value, or a name with (parameter, value) pairs."""
    found: list[list[Any]] = []
    for statement in parse(text):
        stages: list[Any] = []
        for stage in statement:
            if isinstance(stage, Literal):
                stages.append(stage.value)
            else:
                assert isinstance(stage, Command)
                pairs = [(each.name, bare(each.value)) for each in stage.parameters]
                stages.append((stage.text, *pairs))
        found.append(stages)
    return found


READ: list[tuple[str, list[list[Any]]]] = [
    ("", []),
    (" \n ; ; # nothing", []),
    ("Get-Date", [[("Get-Date",)]]),
    ("prompt;prompt\nprompt", [[("prompt",)]] * 3),
    ("Get-X a 'b c' \"d e\"", [[("Get-X", (None, "a"), (None, "b c"), (None, "d e"))]]),
    ("Get-X -N 5 -S -V:x", [[("Get-X", ("-N", None), (None, 5), ("-S", None), ("V", "x"))]]),
    ("Get-X -V: 'x'", [[("Get-X", ("V", "x"))]]),
    ("Get-X 1,2 , 3", [[("Get-X", (None, [1, 2, 3]))]]),
    ("Get-X @(1,'two';$null)", [[("Get-X", (None, [1, "two", None]))]]),
    ("Get-X @()", [[("Get-X", (None, []))]]),
    ("Get-X $true $FALSE", [[("Get-X", (None, True), (None, False))]]),
    ("Get-X 0x1F -5 1.5 2kb 1e3", [[("Get-X", *((None, n) for n in (31, -5, 1.5, 2048, 1e3)))]]),
    ("Get-X 'it''s' \"say \"\"hi\"\"\"", [[("Get-X", (None, "it's"), (None, 'say "hi"'))]]),
    ('Get-X "a`tb`n`"c`$d $ "', [[("Get-X", (None, 'a\tb\n"c$d $ '))]]),
    ("Get-X 'no `n $x'", [[("Get-X", (None, "no `n $x"))]]),
    ("Get-X C:\\a\\b /etc/x a.b a=b", [[("Get-X", *((None, t) for t in
      ("C:\\a\\b", "/etc/x", "a.b", "a=b")))]]),
    ("Get-X a`\n b # c\nGet-Y", [[("Get-X", (None, "a"), (None, "b"))], [("Get-Y",)]]),
    ("'a','b' | Get-X |\n Get-Y", [[["a", "b"], ("Get-X",), ("Get-Y",)]]),
    ("5; 'x'; @(1); $null", [[5], ["x"], [[1]], [None]]),
    ("$input | Get-X", [[INPUT, ("Get-X",)]]),
    ("Get-X \u2018a\u2019 \u201cb\u201d", [[("Get-X", (None, "a"), (None, "b"))]]),
    ("Get-X pre'fix it'", [[("Get-X", (None, "prefix it"))]]),
    ("7z -x", [[("7z", ("-x", None))]]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text for text, _ in READ])
def test_a_simple_line_is_read(text: str, expected: list[list[Any]]) -> None:
    assert shape(text) == expected


NOT_SUPPORTED = """$x = 5
Get-X $y
Get-X "$y"
Get-X "$(1)"
1 + 1
1..3
(Get-X)
Get-X (1)
{ 1 }
Get-X { 1 }
& Get-X
Get-X &
. Get-X
Get-X > file
Get-X 2>&1
Get-X && Get-Y
Get-X || Get-Y
if ($true) { 1 }
foreach ($x in 1) { }
function f { }
return 5
throw 'x'
exit
[int]5
[System.IO.File]::ReadAllText('x')
@{ a = 1 }
Get-X @y
Get-X $true.x
% { 1 }
-not 1
'a' 'b'
'a' + 'b'
Get-X a$y
$env:PATH
@'""".splitlines()


@pytest.mark.parametrize("text", NOT_SUPPORTED)
def test_what_needs_a_language_is_refused_in_powershells_words(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(text)
    record = caught.value.to_record("")
    assert record.fully_qualified_error_id == "ScriptsNotAllowed"
    assert record.message.startswith("The syntax is not supported by this runspace.")
    assert record.category_reason == "ParseException"


INCOMPLETE = [
    ("Get-X 'a", "TerminatorExpectedAtEndOfString"),
    ('Get-X "a', "TerminatorExpectedAtEndOfString"),
    ("'a\nb", "TerminatorExpectedAtEndOfString"),
    ("Get-X |", "EmptyPipeElement"),
    ("Get-X |  # more\n", "EmptyPipeElement"),
    ("Get-X 1,", "MissingExpressionAfterToken"),
    ("Get-X @(1", "MissingEndParenthesisInExpression"),
    ("@(", "MissingEndParenthesisInExpression"),
    ("Get-X `", "IncompleteString"),
]


@pytest.mark.parametrize(("text", "error_id"), INCOMPLETE)
def test_an_unfinished_line_asks_for_more(text: str, error_id: str) -> None:
    """A client goes on with `>>` when the reason is IncompleteParseException."""
    with pytest.raises(CommandError) as caught:
        parse(text)
    record = caught.value.to_record("")
    assert record.fully_qualified_error_id == error_id
    assert record.category_reason == "IncompleteParseException"


WRONG = [
    ("| Get-X", "EmptyPipeElement"),
    ("Get-X | | Get-Y", "EmptyPipeElement"),
    ("Get-X | 5", "ExpressionsMustBeFirstInPipeline"),
    ("Get-X | 'a'", "ExpressionsMustBeFirstInPipeline"),
    ("Get-X )", "UnexpectedToken"),
    ("Get-X -A:", "MissingArgument"),
]


@pytest.mark.parametrize(("text", "error_id"), WRONG)
def test_a_wrong_line_is_an_error_at_once(text: str, error_id: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(text)
    record = caught.value.to_record("")
    assert (record.fully_qualified_error_id, record.category_reason) == (error_id, "ParseException")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab-1.$@()'\"`|;, \n#{}&<>\u2019\\:=\U0001f600\ud800", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except CommandError:
        return
    assert all(statement for statement in found)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_a_single_quoted_text_comes_back_as_it_is(text: str) -> None:
    doubled = "".join(each * 2 if each in "'\u2018\u2019\u201a\u201b" else each for each in text)
    assert shape(f"Get-X '{doubled}'") == [[("Get-X", (None, text))]]


def test_a_long_line_takes_time_in_proportion_and_nesting_has_a_limit() -> None:
    assert len(parse("Get-X a;" * 20_000)) == 20_000
    assert shape("Get-X " + "a," * 20_000 + "a")[0][0][1][1] == ["a"] * 20_001
    with pytest.raises(CommandError):
        parse("@(" * 5000)
