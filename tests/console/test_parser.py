"""Reading lines of the local prompt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.console import nodes as n
from psremoting.console.error_reports import ParseError
from psremoting.console.parser import parse


def only(text: str) -> Any:
    """The only element of the only statement."""
    (statement,) = parse(text).statements
    assert isinstance(statement, n.Pipeline)
    (element,) = statement.elements
    return element


def arguments(text: str) -> list[Any]:
    return list(only(f"x {text}").arguments)


def test_a_command_has_named_and_plain_arguments() -> None:
    call = only("Enter-PSSession -HostName UserA@LinuxServer02:22 -KeyFilePath c:\\ssh\\key_rsa")
    assert call == n.CommandCall(
        "Enter-PSSession",
        (
            n.Named("HostName"),
            n.Constant("UserA@LinuxServer02:22"),
            n.Named("KeyFilePath"),
            n.Constant("c:\\ssh\\key_rsa"),
        ),
    )


def test_what_stands_behind_a_colon_belongs_to_the_parameter() -> None:
    assert arguments("-a:b -c: 'd' -e:$true -f") == [
        n.Named("a", n.Constant("b")),
        n.Named("c", n.Constant("d")),
        n.Named("e", n.Variable("true")),
        n.Named("f"),
    ]


def test_a_dash_and_digits_are_a_number() -> None:
    named, value = arguments("-ConnectingTimeout -5")
    assert named == n.Named("ConnectingTimeout")
    assert (value.value, value.value.text) == (-5, "-5")


def test_a_number_keeps_its_text() -> None:
    assert arguments("007")[0].value.text == "007"
    assert arguments("10.0.0.1 7z 1.5") == [
        n.Constant("10.0.0.1"),
        n.Constant("7z"),
        n.Constant(1.5),
    ]


def test_commas_make_arrays() -> None:
    assert arguments("a, 'b',\n $c d") == [
        n.Array((n.Constant("a"), n.Constant("b"), n.Variable("c"))),
        n.Constant("d"),
    ]


def test_typographic_marks_are_plain_ones() -> None:
    assert arguments("–Name “my $x” ‘it’’s’") == [
        n.Named("Name"),
        n.Expanded((n.Constant("my "), n.Variable("x"), n.Constant(""))),
        n.Constant("it's"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a''b $x `n'", "a'b $x `n"),
        ('"a""b `$x `" `t"', 'a"b $x " \t'),
        ('"5$"', "5$"),
        ("@'\none 'two'\n  three\n'@", "one 'two'\n  three"),
        ("@'\n'@", ""),
        ('@"\na "b"\n"@', 'a "b"'),
        ("a#b", "a#b"),
        ("a`;b", "a;b"),
    ],
)
def test_a_text_is_what_its_quotes_say(text: str, value: str) -> None:
    assert arguments(text) == [n.Constant(value)]


def test_values_stand_in_texts() -> None:
    (text,) = arguments('"on $($s.Name): ${my var} $env:HOME"')
    assert [type(part).__name__ for part in text.parts] == [
        "Constant", "Group", "Constant", "Variable", "Constant", "Variable", "Constant",
    ]  # fmt: skip
    assert text.parts[3] == n.Variable("my var")
    assert arguments("$env:HOME/.ssh/$key") == [
        n.Expanded((n.Variable("env:HOME"), n.Constant("/.ssh/"), n.Variable("key")))
    ]


def test_properties_and_indexes_follow_a_value() -> None:
    value = n.Index(n.Member(n.Variable("s"), "Name"), n.Constant(0))
    assert arguments("$s.Name[0]") == [value]
    assert only("(Get-PSSession)[-1].Id").name == "Id"


def test_a_hashtable_may_have_many_lines() -> None:
    script = parse("$options = @{\n    Port=22\n    User = 'UserA'\n    'Host' = 'b'; x = $y\n}")
    (assignment,) = script.statements
    assert isinstance(assignment, n.Assignment)
    assert assignment.name == "options"
    (table,) = assignment.value.elements
    assert isinstance(table, n.Hash)
    assert [key for key, _ in table.pairs] == [
        n.Constant("Port"), n.Constant("User"), n.Constant("Host"), n.Constant("x"),
    ]  # fmt: skip


def test_a_script_block_is_kept_as_it_stands() -> None:
    text = " 'a}' + \"$('}')\" # }\n <# } #> if (1) { 2 } "
    assert arguments(f"{{{text}}}") == [n.Block(n.ScriptBlock(text))]


def test_comments_and_continued_lines_are_blanks() -> None:
    script = parse("# one\nGet-PSSession <# two #> `\n -Name x # three\n; # four\n")
    assert script == parse("Get-PSSession -Name x")


def test_statements_are_parted_and_commands_piped() -> None:
    script = parse("a; b |\n c\n\n$d | e")
    assert [len(s.elements) for s in script.statements if isinstance(s, n.Pipeline)] == [1, 2, 2]


def test_a_variable_can_be_splatted() -> None:
    assert arguments("@options -x") == [n.Splat("options"), n.Named("x")]


def test_exit_is_a_statement() -> None:
    assert parse("exit").statements == (n.Exit(None),)
    assert parse("EXIT 3").statements == (n.Exit(n.Constant(3)),)


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("x {", "MissingEndCurlyBrace"),
        ("$o = @{", "MissingEndCurlyBrace"),
        ("$o = @{ a = 1", "MissingEndCurlyBrace"),
        ("$o = @{ a =", "MissingEndCurlyBrace"),
        ("x (a", "MissingEndParenthesisInExpression"),
        ("$x[1", "MissingEndSquareBracket"),
        ("x 'a", "TerminatorExpectedAtEndOfString"),
        ('x "a', "TerminatorExpectedAtEndOfString"),
        ("x @'\na", "TerminatorExpectedAtEndOfString"),
        ("a |", "EmptyPipeElement"),
        ("x a,", "MissingExpression"),
        ("$x =", "ExpectedValueExpression"),
        ("<# a", "MissingTerminatorMultiLineComment"),
        ("x `", "IncompleteLine"),
    ],
)
def test_what_may_go_on_is_incomplete(text: str, error_id: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.incomplete
    assert caught.value.error_id == error_id


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("a )", "UnexpectedToken"),
        ("a | | b", "EmptyPipeElement"),
        ("| a", "UnexpectedToken"),
        ("a > b", "UnexpectedToken"),
        ("& a", "UnexpectedToken"),
        ("$a + $b", "UnexpectedToken"),
        ("1 2", "UnexpectedToken"),
        ("[int]5", "UnexpectedToken"),
        ("@{ a }", "MissingEqualsInHashLiteral"),
        ("if ($x) { y }", "KeywordNotSupported"),
        ("foreach", "KeywordNotSupported"),
        ("$s.Close()", "MethodCallNotSupported"),
        ("x a,;", "MissingExpression"),
        ("(" * 200, "ScriptTooComplicated"),
        ('"$(' * 2000, "ScriptTooComplicated"),
        ("$x[" * 2000, "ScriptTooComplicated"),
        ("@{a=" * 2000, "ScriptTooComplicated"),
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str, error_id: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert not caught.value.incomplete
    assert caught.value.error_id == error_id


@given(st.text(alphabet="ab1 $@{}()[]'\"`|;,-.:#=<>\n&", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        script = parse(text)
    except ParseError as error:
        place = error.at
    else:
        place = len(script.statements)
    assert 0 <= place <= len(text) + 2
