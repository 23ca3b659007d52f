"""The command line of an endpoint without language: accepted input and errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.language import parse
from psremoting.endpoint.statements import INPUT, Literal
from psrp.clixml import Dictionary, Int64, UInt32
from psrp.commands import Command, PipelineResultTypes
from psrp.properties import unwrap as bare


def shape(text: str) -> list[list[Any]]:
    """Return the statements as stages: a value, or a name with (parameter, value) pairs."""
    found: list[list[Any]] = []
    for statement in parse(text):
        stages: list[Any] = []
        for stage in statement.parts:
            if isinstance(stage, Literal):
                stages.append(stage.value)
            else:
                assert isinstance(stage, Command)
                pairs = [(each.name, bare(each.value)) for each in stage.parameters]
                stages.append((stage.text, *pairs))
        found.append(stages)
    return found


READ: list[tuple[str, list[list[Any]]]] = [
    ("Get-Date", [[("Get-Date",)]]),
    ("prompt;prompt\nprompt", [[("prompt",)]] * 3),
    ("Get-X a 'b c' \"d e\"", [[("Get-X", (None, "a"), (None, "b c"), (None, "d e"))]]),
    ("Get-X -N 5 -S -V:x", [[("Get-X", ("-N", None), (None, 5), ("-S", None), ("V", "x"))]]),
    ("Get-X -V: 'x'", [[("Get-X", ("V", "x"))]]),
    ("Get-X 1,2 , 3", [[("Get-X", (None, [1, 2, 3]))]]),
    ("Get-X @(1,'two';$null)", [[("Get-X", (None, [1, "two", None]))]]),
    ("Get-X @()", [[("Get-X", (None, []))]]),
    ("Get-X $true $FALSE", [[("Get-X", (None, True), (None, False))]]),
    ("Get-X 0x1F -5 1.5 2kb 1e3", [[("Get-X", *((None, n) for n in (31, "-5", 1.5, 2048, 1e3)))]]),
    ("Get-X 'it''s' \"say \"\"hi\"\"\"", [[("Get-X", (None, "it's"), (None, 'say "hi"'))]]),
    ('Get-X "a`tb`n`"c`$d $ "', [[("Get-X", (None, 'a\tb\n"c$d $ '))]]),
    ("Get-X 'no `n $x'", [[("Get-X", (None, "no `n $x"))]]),
    ("Get-X C:\\a\\b /etc/x a.b a=b", [[("Get-X", *((None, t) for t in
      ("C:\\a\\b", "/etc/x", "a.b", "a=b")))]]),
    ("Get-X a `\n b # c\nGet-Y", [[("Get-X", (None, "a"), (None, "b"))], [("Get-Y",)]]),
    ("'a','b' | Get-X |\n Get-Y", [[["a", "b"], ("Get-X",), ("Get-Y",)]]),
    ("5; 'x'; @(1); $null", [[5], ["x"], [[1]], [None]]),
    ("$input | Get-X", [[INPUT, ("Get-X",)]]),
    ("Get-X \u2018a\u2019 \u201cb\u201d", [[("Get-X", (None, "a"), (None, "b"))]]),
    ("Get-X pre'fix it'", [[("Get-X", (None, "prefix it"))]]),
    ("7z -x", [[("7z", ("-x", None))]]),
    ("Get-X \u2013N a", [[("Get-X", ("-N", None), (None, "a"))]]),
    ("& Get-X a; & 'Get Y' b", [[("Get-X", (None, "a"))], [("Get Y", (None, "b"))]]),
    ("Get-X (1) (1,'b') ((2)) (,3)", [[("Get-X", *((None, v) for v in (1, [1, "b"], 2, [3])))]]),
    ("Get-X $() $(1) $(1;'b') $(@(1,2))", [[("Get-X", *((None, v) for v in
      (None, 1, [1, "b"], [1, 2])))]]),
    ("Get-X @(@(1,2),3;@(4))", [[("Get-X", (None, [[1, 2], 3, 4]))]]),
    ('Get-X "a $true b$(1) $null$(1,2)${false}" a$true', [[
      ("Get-X", (None, "a True b1 1 2False"), (None, "aTrue"))]]),
    ('Get-X "$true.x `u{1F600} $(@{})"', [[
      ("Get-X", (None, "True.x \U0001f600 System.Collections.Hashtable"))]]),
    ("Get-X @{ Name = 'a'; 'b c' = 1, 2\n3 = @{}; d=$null }", [[
      ("Get-X", (None, {"Name": "a", "b c": [1, 2], 3: {}, "d": None}))]]),
    ("Get-X @{}; @{a=1}", [[("Get-X", (None, {}))], [{"a": 1}]]),
    ("Get-X @'\n'a' `n $x\nb\n'@ c", [[("Get-X", (None, "'a' `n $x\nb"), (None, "c"))]]),
    ('@"\r\n"a"`t$true\r\n"@ | Get-X', [['"a"\tTrue', ("Get-X",)]]),
    ("@'\n'@", [[""]]),
    ("Get-X 5l 3u 0b101 0x10 1.50d 2d 1lkb 300y", [[("Get-X", *((None, v) for v in
      (5, 3, 5, 16, Decimal("1.50"), 2, 1024, "300y")))]]),
    ("Get-X 'a'b", [[("Get-X", (None, "a"), (None, "b"))]]),
    ("Get-X a <# b | c #> d # e", [[("Get-X", (None, "a"), (None, "d"))]]),
    ("<# one\ntwo #> Get-X", [[("Get-X",)]]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text for text, _ in READ])
def test_a_simple_line_is_read(text: str, expected: list[list[Any]]) -> None:
    assert shape(text) == expected


NOT_SUPPORTED = """$x = 5
Get-X $y
Get-X "$y"
Get-X "$(Get-Y)"
Get-X "$true$y"
1 + 1
1..3
(Get-X)
Get-X (1 + 1)
Get-X (Get-Y)
Get-X (-not 1)
Get-X @(Get-Y)
Get-X $(Get-Y)
Get-X ('a').Length
Get-X (1,2)[0]
Get-X 'a'.Length
Get-X ([int]5)
Get-X @{ a = Get-Y }
Get-X @{ a = 1 + 1 }
Get-X @{ a = { 1 } }
Get-X @{ $x = 1 }
{ 1 }
{}
Get-X { 1 }
& { 1 }
& $x
& (Get-X)
Get-X &
. Get-X
Get-X > file
Get-X >> file
Get-X 2> file
Get-X 7>&1
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
Get-X @y
Get-X $true.x
% { 1 }
-not 1
'a' + 'b'
Get-X a$y
Get-X a$(Get-Y)
$env:PATH""".splitlines()


@pytest.mark.parametrize("text", NOT_SUPPORTED)
def test_what_needs_a_language_is_refused_in_powershells_words(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", [" ", " \n ; ; # nothing"])
def test_a_text_without_a_command_is_refused_as_any_script(text: str) -> None:
    refused(text)


def test_what_a_text_over_several_lines_expands_is_refused_as_well() -> None:
    refused('Get-X @"\n$y\n"@')


def refused(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(text)
    record = caught.value.to_record("")
    assert record.fully_qualified_error_id == "ScriptsNotAllowed"
    assert record.message.startswith("The syntax is not supported by this runspace.")
    assert record.category_reason == "ParseException"
    assert record.target_object == record.category_target_name == text


INCOMPLETE = [
    ("Get-X 'a", "TerminatorExpectedAtEndOfString"),
    ('Get-X "a', "TerminatorExpectedAtEndOfString"),
    ("'a\nb", "TerminatorExpectedAtEndOfString"),
    ("Get-X |", "EmptyPipeElement"),
    ("Get-X |  # more\n", "EmptyPipeElement"),
    ("Get-X 1,", "MissingExpression"),
    ("Get-X @(1", "MissingEndParenthesisInSubexpression"),
    ("@(", "MissingEndParenthesisInSubexpression"),
    ("Get-X $(1;", "MissingEndParenthesisInSubexpression"),
    ('Get-X "a $(1', "IncompleteDollarSubexpressionReference"),
    ("Get-X (1", "MissingEndParenthesisInExpression"),
    ("Get-X (", "ExpectedExpression"),
    ("Get-X @{", "MissingEndCurlyBrace"),
    ("Get-X @{ a = 1;", "MissingEndCurlyBrace"),
    ("Get-X @{ a =", "MissingStatementInHashLiteral"),
    ("@'", "TerminatorExpectedAtEndOfString"),
    ("@'\na", "TerminatorExpectedAtEndOfString"),
    ('@"\na\n "@', "TerminatorExpectedAtEndOfString"),
    ("Get-X <# a", "MissingTerminatorMultiLineComment"),
    ("Get-X `", "IncompleteString"),
]


@pytest.mark.parametrize(("text", "error_id"), INCOMPLETE)
def test_an_unfinished_line_asks_for_more(text: str, error_id: str) -> None:
    """A client prompts with `>>` when the reason is IncompleteParseException."""
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
    ("Get-X -A:", "ParameterRequiresArgument"),
    ("Get-X ,5", "MissingArgument"),
    ("Get-X }", "UnexpectedToken"),
    ("Get-X ()", "ExpectedExpression"),
    ("Get-X @{ a 1 }", "MissingEqualsInHashLiteral"),
    ("Get-X @{ a = }", "MissingStatementInHashLiteral"),
    ("Get-X @{ a = 1; A = 2 }", "DuplicateKeyInHashLiteral"),
    ("Get-X @'a\n'@", "UnexpectedCharactersAfterHereStringHeader"),
    ("Get-X < file", "RedirectionNotSupported"),
    ("Get-X 1>&2", "RedirectionNotSupported"),
    ("'a' 'b'", "UnexpectedToken"),
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
    for statement in found:
        assert len(statement.parts) == len(statement.places) > 0
        for part, place in zip(statement.parts, statement.places, strict=True):
            assert 0 <= place.start < place.end <= len(text)
            if isinstance(part, Command):
                assert len(part.parameters) == len(place.arguments)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_a_single_quoted_text_comes_back_as_it_is(text: str) -> None:
    doubled = "".join(each * 2 if each in "'\u2018\u2019\u201a\u201b" else each for each in text)
    assert shape(f"Get-X '{doubled}'") == [[("Get-X", (None, text))]]


def test_a_table_is_a_hashtable_and_a_number_has_the_type_that_its_letters_say() -> None:
    ((stage,),) = (statement.parts for statement in parse("Get-X @{ a = 5 } 5l 5u"))
    assert isinstance(stage, Command)
    table, long, unsigned = (bare(each.value) for each in stage.parameters)
    assert [type(each) for each in (table, long, unsigned)] == [Dictionary, Int64, UInt32]


def test_a_stream_of_a_command_is_merged_into_its_output() -> None:
    ((one, two, three),) = (
        statement.parts for statement in parse("Get-X 2>&1 a | Get-Y 3>&1 6>&1 | Get-Z *>&1")
    )
    assert isinstance(one, Command)
    assert isinstance(two, Command)
    assert isinstance(three, Command)
    into = PipelineResultTypes.OUTPUT
    assert (one.merge_error, one.merge_warning, len(one.parameters)) == (into, 0, 1)
    assert (two.merge_error, two.merge_warning, two.merge_information) == (0, into, into)
    assert (three.merge_error, three.merge_verbose, three.merge_debug) == (into, into, into)


def test_each_command_and_argument_knows_its_place() -> None:
    text = "Get-X\n  Get-Y -A 'b c' 2>&1 (1) | & Get-Z; 5"
    first, second, third = parse(text)
    assert [place.statement for place in first.places] == ["Get-X"]
    assert [place.statement for place in second.places] == ["Get-Y -A 'b c' 2>&1 (1)", "& Get-Z"]
    place = second.places[0]
    assert [place.argument(at).statement for at in range(3)] == ["-A", "'b c'", "(1)"]
    assert (place.line_number, place.column) == (2, 3)
    assert place.line == "  Get-Y -A 'b c' 2>&1 (1) | & Get-Z; 5"
    assert third.places[0].statement == "5"


def test_a_long_line_takes_time_in_proportion_and_nesting_has_a_limit() -> None:
    assert len(parse("Get-X a;" * 20_000)) == 20_000
    assert len(parse("Get-X <#" + "#" * 100_000 + "#>")) == 1
    assert shape("Get-X " + "a," * 20_000 + "a")[0][0][1][1] == ["a"] * 20_001
    for deep in ("@(", "(", "$(", "@{a=", '"$(', ","):
        with pytest.raises(CommandError):
            parse(deep * 5000)
        with pytest.raises(CommandError):
            parse("Get-X a" + '"$(' * 5000)
