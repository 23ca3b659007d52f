"""The parser of PowerShell's command line: trees, errors, limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.powershell import syntax as s
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse


def command(text: str) -> s.CommandCall:
    (statement,) = parse(text).statements
    assert isinstance(statement, s.Pipeline)
    (element,) = statement.elements
    assert isinstance(element, s.CommandCall)
    return element


def arguments(text: str) -> list[Any]:
    return list(command(f"Write-Output {text}").arguments)


def word(text: str) -> s.StringConstant:
    return s.StringConstant(text)


def failure(text: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(text)
    return caught.value


def test_a_command_has_parameters_values_and_redirections() -> None:
    assert command("& Get-Thing -Name: a -Size:5,6 -All –x 2>&1 >>$log -- -y") == s.CommandCall(
        word("Get-Thing"),
        (
            s.CommandParameter("Name", word("a"), True, True),
            s.CommandParameter(
                "Size", s.ArrayLiteral((s.NumberConstant(5, "5"), s.NumberConstant(6, "6"))), True
            ),
            s.CommandParameter("All"),
            s.CommandParameter("x"),
            s.CommandParameter("-"),
            word("-y"),
        ),
        (s.Merge("2"), s.FileRedirection("1", s.Variable("log"), True)),
        "&",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 -5 7z 0x1F 1.50", [5, "-5", "7z", 31, 1.5]),
        ("a'b c'd \"e f\"", ["ab cd", "e f"]),
        ("'a'b", ["a", "b"]),
        (
            "C:\\x\\*.txt http://h/p?q=1 [int] a#b",
            ["C:\\x\\*.txt", "http://h/p?q=1", "[int]", "a#b"],
        ),
        ("'it''s' ‘it’’s’", ["it's", "it’s"]),
        ('"a`tb" "5$" "`u{1F600}"', ["a\tb", "5$", "\U0001f600"]),
        ("@'\none\n 'two'\n'@ @\"\n\"@", ["one\n 'two'", ""]),
        ("a <# b #> c # d", ["a", "c"]),
        ("a `\n b", ["a", "b"]),
    ],
)
def test_words_numbers_and_strings_are_constants(text: str, expected: list[object]) -> None:
    assert [each.value for each in arguments(text)] == expected


def test_the_rest_of_the_line_after_the_verbatim_mark_is_one_argument() -> None:
    verbatim: list[Any] = list(command("a --% $b ; 'c'").arguments)
    values = [each.value for each in verbatim]
    assert values == ["--%", "$b ; 'c'"]


def test_variables_in_strings_and_words_are_expanded() -> None:
    assert arguments('"on $($s.Name): ${my var} $env:HOME" $env:HOME/x$y') == [
        s.ExpandableString(
            (
                "on ",
                s.SubExpression(
                    (s.Pipeline((s.CommandExpression(s.Member(s.Variable("s"), word("Name"))),)),)
                ),
                ": ",
                s.Variable("my var"),
                " ",
                s.Variable("env:HOME"),
            )
        ),
        s.ExpandableString((s.Variable("env:HOME"), "/x", s.Variable("y")), ""),
    ]


def test_operators_bind_as_in_powershell() -> None:
    (statement,) = parse("1 + 2 * 3 -eq 7 -and -not $x").statements
    assert isinstance(statement, s.Pipeline)
    one, two, three, seven = (s.NumberConstant(n, str(n)) for n in (1, 2, 3, 7))
    assert statement.pure_expression == s.Binary(
        "-and",
        s.Binary("-eq", s.Binary("+", one, s.Binary("*", two, three)), seven),
        s.Unary("-not", s.Variable("x")),
    )


def test_a_script_block_keeps_its_text() -> None:
    text = " 'a}' + \"$('}')\" # }\n <# } #> if (1) { 2 } "
    assert arguments(f"{{{text}}}") == [s.ScriptBlockLiteral(text)]


def test_a_script_has_parameters_and_blocks() -> None:
    script = parse("param([Parameter(Mandatory)][int] $a = 5, $b) begin { x } end { y; z }")
    assert script.parameters == (
        s.ScriptParameter("a", "int", s.NumberConstant(5, "5"), ("Parameter(Mandatory)",)),
        s.ScriptParameter("b"),
    )
    assert script.named_blocks == ("begin", "end")
    assert len(script.statements) == 2


def test_statements_have_line_column_and_text() -> None:
    script = parse("Get-A\nGet-B 😀; Get-C")
    places = script.places(script.statements)
    assert [(each.line_number, each.column, each.statement) for each in places] == [
        (1, 1, "Get-A"),
        (2, 1, "Get-B 😀"),
        (2, 11, "Get-C"),
    ]


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("'abc", "TerminatorExpectedAtEndOfString"),
        ('"abc $x', "TerminatorExpectedAtEndOfString"),
        ("@'\nabc\n '@", "TerminatorExpectedAtEndOfString"),
        ("a (", "ExpectedExpression"),
        ("a (1", "MissingEndParenthesisInExpression"),
        ("$(a", "MissingEndParenthesisInSubexpression"),
        ("a {", "MissingEndCurlyBrace"),
        ("if (1) { a", "MissingEndCurlyBrace"),
        ("@{a=1", "MissingEndCurlyBrace"),
        ("a |", "EmptyPipeElement"),
        ("a &&", "EmptyPipelineChainElement"),
        ("a 1,", "MissingExpression"),
        ("a <# b", "MissingTerminatorMultiLineComment"),
        ("a `", "IncompleteString"),
        ("$x =", "ExpectedValueExpression"),
        ("$x[0", "MissingEndSquareBracket"),
    ],
)
def test_an_unfinished_text_is_incomplete(text: str, error_id: str) -> None:
    error = failure(text)
    assert (error.error_id, error.incomplete) == (error_id, True)


@pytest.mark.parametrize(
    ("text", "error_id", "offset"),
    [
        ("a )", "UnexpectedToken", 2),
        ("a | 1", "ExpressionsMustBeFirstInPipeline", 4),
        ("a | | b", "EmptyPipeElement", 4),
        ("a -x,5", "MissingArgument", 4),
        ("a -x:", "ParameterRequiresArgument", 5),
        ("a 1>&2", "RedirectionNotSupported", 2),
        ("1 = 2", "InvalidLeftHandSide", 0),
        ("@{a-b=1}", "MissingEqualsInHashLiteral", 3),
        ("a @x,b", "SplattingNotPermittedInArgumentList", 2),
        ("(300uy)", "BadNumericConstant", 1),
        ('"`u{zz}"', "InvalidUnicodeEscapeSequence", 5),
        ("'a' 'b'", "UnexpectedToken", 4),
        ("a $x:", "InvalidVariableReferenceWithDrive", 2),
    ],
)
def test_a_wrong_text_is_an_error_at_once(text: str, error_id: str, offset: int) -> None:
    error = failure(text)
    assert (error.error_id, error.incomplete) == (error_id, False)
    assert abs(error.offset - offset) <= 2


@pytest.mark.parametrize("opener", ["(", "$(", "@(", '"$(', "@{a=", "!", "[int]", "$x[", "1 ? "])
def test_deep_nesting_is_refused(opener: str) -> None:
    assert failure(opener * 5_000).error_id == "ScriptTooComplicated"


@pytest.mark.parametrize(
    "text", ["1" + "+1" * 5_000, "$x" + ".y" * 5_000, "a {" + "{" * 5_000 + "}" * 5_001]
)
def test_long_texts_that_are_not_nested_are_read(text: str) -> None:
    assert len(parse(text).statements) == 1


_MARKS = list("abc 5.-+$@(){}[]'\"`#<>|&;,:=?%*!\n\t\0’”–é\ud800")
_WORDS = ["@{", "@'\n", "\n'@", "$(", "<#", "#>", "--%", "-x:", "2>&1", "0x1F", "kb", " -eq "]
_PIECES = st.sampled_from([*_MARKS, *_WORDS, " if ", "param(", "end {", "$x", "${"])


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_gives_a_tree_or_a_parse_error(text: str) -> None:
    try:
        nodes = parse(text).statements
        spans = [(each.start, each.end) for each in nodes]
    except ParseError as error:
        spans = [(0, max(0, error.offset - 2))]
    assert all(0 <= start <= end <= len(text) for start, end in spans)
