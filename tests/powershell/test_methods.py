"""Methods that the local prompt may call."""

from __future__ import annotations

import math
from typing import Any

import pytest

from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.methods import call_method, call_static
from psrp.clixml import DateTime, Dictionary, List


@pytest.mark.parametrize(
    ("value", "name", "arguments", "made"),
    [
        ("abc", "ToUpper", [], "ABC"),
        ("abc", "substring", [1], "bc"),
        ("abc", "Substring", [0, 2], "ab"),
        ("a,b", "Split", [","], ["a", "b"]),
        ("  a ", "Trim", [], "a"),
        ("5", "PadLeft", [3, "0"], "005"),
        ("abc", "Contains", ["b"], True),
        ("abc", "IndexOf", ["z"], -1),
        ("a.b", "Replace", [".", "-"], "a-b"),
        ("abc", "Insert", [1, "-"], "a-bc"),
        ("abc", "Remove", [1], "a"),
        (5, "ToString", [], "5"),
        (Dictionary({"a": 1}), "ContainsKey", ["A"], True),
        (List(["a", "b"]), "ToUpper", [], ["A", "B"]),
        (List(["a", "b"]), "Contains", ["b"], True),
    ],
)
def test_a_method_gives_what_it_gives_in_dotnet(
    value: Any, name: str, arguments: list[Any], made: Any
) -> None:
    assert call_method(value, name, arguments) == made


def test_a_date_moves() -> None:
    day = DateTime(638396640000000000)
    assert call_method(day, "AddDays", [1]).ticks - day.ticks == 864_000_000_000


@pytest.mark.parametrize(
    ("value", "name", "arguments", "error_id"),
    [
        (None, "ToUpper", [], "InvokeMethodOnNull"),
        ("abc", "Substring", [9], "ArgumentOutOfRangeException"),
        ("abc", "Substring", ["x"], "MethodArgumentConversionInvalidCastArgument"),
        ("abc", "ToUpper", [1, 2, 3], "MethodCountCouldNotFindBest"),
        (List([1]), "Add", [2], "NotSupportedException"),
        (Dictionary({"a": 1}), "Add", ["a", 2], "ArgumentException"),
        ("abc", "Substring", [1, -1], "ArgumentOutOfRangeException"),
        ("abc", "Remove", [1, -1], "ArgumentOutOfRangeException"),
        ("a", "PadLeft", [-1], "ArgumentOutOfRangeException"),
        ("a", "PadLeft", [5, "ab"], "MethodArgumentConversionInvalidCastArgument"),
        ("a", "PadRight", [5, ""], "MethodArgumentConversionInvalidCastArgument"),
        (DateTime(0), "AddDays", [-1], "ArgumentOutOfRangeException"),
        (DateTime(0), "AddDays", [1e300], "ArgumentOutOfRangeException"),
        (DateTime(0), "AddDays", [math.inf], "ArgumentOutOfRangeException"),
    ],
)
def test_a_method_fails_as_in_powershell(
    value: Any, name: str, arguments: list[Any], error_id: str
) -> None:
    with pytest.raises(EvaluationError) as caught:
        call_method(value, name, arguments)
    assert caught.value.error_id == error_id


@pytest.mark.parametrize(
    ("type_name", "name", "arguments", "error_id"),
    [
        ("math", "Round", [1.5, 400], "ArgumentOutOfRangeException"),
        ("timespan", "FromDays", [math.nan], "ArgumentException"),
        ("timespan", "FromDays", [math.inf], "OverflowException"),
        ("timespan", "FromDays", [1e300], "OverflowException"),
    ],
)
def test_a_static_method_fails_as_in_powershell(
    type_name: str, name: str, arguments: list[Any], error_id: str
) -> None:
    with pytest.raises(EvaluationError) as caught:
        call_static(type_name, name, arguments)
    assert caught.value.error_id == error_id


def test_numbers_that_are_not_finite_are_not_rounded() -> None:
    assert call_static("math", "Floor", [math.inf]) == math.inf
    assert math.isnan(call_static("math", "Ceiling", [math.nan]))
    assert call_method(DateTime(0), "AddDays", [math.nan]) == DateTime(0)


def test_other_methods_are_not_guessed() -> None:
    with pytest.raises(Unsupported, match=r"the method \.Nosuch\(\) of System\.String"):
        call_method("abc", "Nosuch", [])
    with pytest.raises(Unsupported, match=r"the method \[math\]::Nosuch\(\)"):
        call_static("math", "Nosuch", [])


@pytest.mark.parametrize(
    ("type_name", "name", "arguments", "made"),
    [
        ("math", "Max", [1, 2], 2),
        ("math", "Round", [2.5], 2.0),
        ("math", "Floor", [2.7], 2.0),
        ("System.Math", "Pow", [2, 3], 8.0),
        ("string", "Join", ["-", List(["a", "b"])], "a-b"),
        ("string", "IsNullOrEmpty", [None], True),
        ("int", "Parse", ["5"], 5),
    ],
)
def test_a_static_method_gives_what_it_gives_in_dotnet(
    type_name: str, name: str, arguments: list[Any], made: Any
) -> None:
    assert call_static(type_name, name, arguments) == made
