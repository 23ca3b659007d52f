"""Expressions have the values that PowerShell gives them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from psremoting.powershell import syntax as s
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import Scope, argument_value, evaluate
from psremoting.powershell.operators import STRINGS
from psremoting.powershell.parser import parse
from psrp.clixml import Byte, Char, Dictionary, Int64, List, PSObject, Single, identical


def expression(text: str) -> s.Expression:
    (statement,) = parse(text).statements
    assert isinstance(statement, s.Pipeline)
    assert statement.pure_expression is not None
    return statement.pure_expression


def value(text: str) -> Any:
    return evaluate(expression(text), Scope())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + '2'", 3),
        ("'1' + 2", "12"),
        ("2147483647 + 1", 2147483648.0),
        ("5l + 5", Int64(10)),
        ("5 / 2", 2.5),
        ("6 / 2", 3),
        ("-5 % 3", -2),
        ("5d + 5.5", Decimal("10.5")),
        ("'ab' * 2", "abab"),
        ("(1, 2) + 3", List([1, 2, 3])),
        ("$null + 1", 1),
        ("[char]'a' + 1", "a1"),
        ("1 -eq '1'", True),
        ("'a' -ceq 'A'", False),
        ("(1, 2, 1) -eq 1", List([1, 1])),
        ("'abc' -like 'A*'", True),
        ("'abc' -match 'B'", True),
        ("'abc' -replace '(b)', '[$1]'", "a[b]c"),
        ("'a,b' -split ','", List(["a", "b"], STRINGS)),
        ("(1, 2) -join '-'", "1-2"),
        ("'{0,4:N1}|{1}' -f 2.25, 'x'", " 2.3|x"),
        ("3..1", List([3, 2, 1])),
        ("1 -in 1, 2", True),
        ("$true -and 0", False),
        ("-not ''", True),
        ("5 -band 3", 1),
        ("1 -shl 33", 2),
        ("-bnot 5", -6),
        ("1 ? 2 : 3", 2),
        ("$null ?? 5", 5),
        ("[byte]5", Byte(5)),
        ("[single]0.5", Single(0.5)),
        ("[int]6.5", 6),
        ("[int]::MaxValue", 2147483647),
        ("'abc'.Length", 3),
        ("'abc'[-1]", Char("c")),
        ("(1, 2, 3)[0, 5]", List([1])),
        ("@{ a = 1 }.A", 1),
        ("@{ a = 1 }['a']", 1),
        ("@((1, 2), 3)", List([List([1, 2]), 3])),
        ("$(1; 2)", List([1, 2])),
        ("(1).Count", 1),
        ('"a$(1, 2)b$(1.50)"', "a1 2b1.5"),
        ('"$(0.1 + 0.2)"', "0.3"),
        ("1" + " + 1" * 2_000, 2_001),
    ],
)
def test_an_expression_has_the_value_that_powershell_gives(text: str, expected: Any) -> None:
    assert identical(value(text), expected)


def test_an_ordered_table_keeps_its_type() -> None:
    made = value("[ordered]@{ b = 1; a = 2 }")
    assert isinstance(made, Dictionary)
    assert made.type_names[0] == "System.Collections.Specialized.OrderedDictionary"
    assert list(made) == ["b", "a"]


@pytest.mark.parametrize("text", ["0x1F", "1.50", "007", "1kb", "7L"])
def test_a_number_keeps_its_spelling_as_an_argument(text: str) -> None:
    found = argument_value(s.NumberConstant(value(text), text), Scope())
    assert isinstance(found, PSObject)
    assert found.to_string == text
    assert argument_value(s.NumberConstant(5, "5"), Scope()) == 5


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("1 / 0", "RuntimeException"),
        ("1 - 'a'", "InvalidCastFromStringToInteger"),
        ("$null[0]", "NullArray"),
        ("@{ a = 1; A = 2 }", "DuplicateKeyInHashLiteral"),
        ("@{ a = 1 } + 1", "AddHashTableToNonHashTable"),
    ],
)
def test_an_expression_that_fails_has_powershells_error(text: str, error_id: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value(text)
    assert caught.value.error_id == error_id


@pytest.mark.parametrize(
    "text",
    [
        "$x", "(Get-Date)", "'a'.ToUpper()", "[math]::Abs(1)", "[int]", "{ 1 }",
        "'a' * 1000000", "1..1000000", "'a' -match '(a+)+$'", "'é' -lt 'f'", "[xml]'<a/>'",
    ],
)  # fmt: skip
def test_what_is_not_constant_or_not_bounded_is_not_evaluated(text: str) -> None:
    with pytest.raises(Unsupported):
        value(text)


class _NoLanguage(Scope):
    operators = False


@pytest.mark.parametrize("text", ["1 + 1", "'a'.Length", "'a'[0]", "[int]'5'", "-(1)", "1 ? 2 : 3"])
def test_a_scope_without_language_refuses_operators(text: str) -> None:
    with pytest.raises(Unsupported):
        evaluate(expression(text), _NoLanguage())
    assert evaluate(expression("1, @(2; 'x')"), _NoLanguage()) == [1, [2, "x"]]
