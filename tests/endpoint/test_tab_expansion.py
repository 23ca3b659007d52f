"""TabExpansion2: completions, requested as by PowerShell's clients and ours."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psremoting.endpoint import FunctionsEngine, Param
from psremoting.endpoint.builtin import BUILT_IN
from psremoting.endpoint.catalog import Catalog
from psremoting.endpoint.tab_expansion import complete
from psremoting.shell.remote_completion import read_completion
from psrp.clixml import PSObject
from psrp.commands import Parameter, PowerShell, command
from tests.endpoint.clients import connected


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


def thing(
    name: Literal["red", "Green", "light blue", "it's"],
    size: Size = Size.SMALL,
    on: bool | None = None,
    *,
    force: bool = False,
    tag: list[Size] = [],  # noqa: B006
    minutes: Annotated[Literal[1, 5, 15], Param(help="How long.", aliases=("Duration",))] = 1,
) -> None:
    """Does nothing."""


COMMANDS: dict[str, Any] = {"Get-Thing": thing, "Get-Thong": lambda *rest: None}
CATALOG = BUILT_IN | Catalog.of(COMMANDS)
OWN = ["-Name", "-Size", "-On", "-Force", "-Tag", "-Minutes"]
COLORS = ["Green", "'it''s'", "'light blue'", "red"]
SIZES = ["LARGE", "SMALL"]
BOOLS = ["$true", "$false"]


def ask(line: str) -> tuple[str, list[str]]:
    """Return the replaced text and the replacements; ``^`` is the cursor, by default at the end."""
    text, mark, rest = line.partition("^")
    answer = complete(CATALOG, text + rest, len(text) if mark else None)
    start, length = answer["ReplacementIndex"], answer["ReplacementLength"]
    texts = [each["CompletionText"] for each in answer["CompletionMatches"]]
    return (text + rest)[start : start + length] if texts else "", texts


LINES: list[tuple[str, str, list[str]]] = [
    # names of commands
    ("get-t", "get-t", ["Get-Thing", "Get-Thong"]),
    ("Get-Tho^x -Name y", "", []),
    ("Get-T^h -Name x", "Get-Th", ["Get-Thing", "Get-Thong"]),
    ("'a' | sel", "sel", ["select", "Select-Object"]),
    ("Get-Thing red;get-tho", "get-tho", ["Get-Thong"]),
    ("Get-Thing red | get-tho^ | Out-Default", "get-tho", ["Get-Thong"]),
    ("Get-Thing (get-tho", "get-tho", ["Get-Thong"]),
    ("& 'get-tho", "'get-tho", ["'Get-Thong'"]),
    ("'get-tho", "", []),
    ("Get-Help get-tho", "get-tho", ["Get-Thong"]),
    ("gcm get-tho", "get-tho", ["Get-Thong"]),
    ("TabExp", "", []),
    # names of parameters
    ("Get-Thing -F", "-F", ["-Force"]),
    ("get-thing -dur", "-dur", ["-Duration"]),
    ("Get-Thing -Name red -Si", "-Si", ["-Size"]),
    ("Get-Thing -Na^ red", "-Na", ["-Name"]),
    ("Get-Thing -Na^:red", "-Na:", ["-Name:"]),
    ("Get-Thing red -N", "", []),
    ("Get-Thing -Verb^ | Get-Thong", "-Verb", ["-Verbose"]),
    ("Get-Nothing -", "", []),
    # values
    ("Get-Thing ", "", COLORS),
    ("Get-Thing GRE", "GRE", ["Green"]),
    ("Get-Thing gr^een small", "green", ["Green"]),
    ("Get-Thing red ", "", SIZES),
    ("Get-Thing -Size large ", "", COLORS),
    ("Get-Thing -Force ", "", COLORS),
    ("Get-Thing 'li", "'li", ["'light blue'"]),
    ('Get-Thing "li', '"li', ['"light blue"']),
    ("Get-Thing 'it", "'it", ["'it''s'"]),
    ("Get-Thing -Name:", "", COLORS),
    ("Get-Thing -Name:l", "l", ["'light blue'"]),
    ("Get-Thing -Name ^ -Force", "", COLORS),
    ("Get-Thing -Tag small,", "", SIZES),
    ("Get-Thing -Tag small, l", "l", ["LARGE"]),
    ("Get-Thing red small ", "", BOOLS),
    ("Get-Thing red small $f", "$f", ["$false"]),
    ("Get-Thing -Force:", "", BOOLS),
    ("Get-Thing -Minutes 1", "1", ["1", "15"]),
    ("Get-Thing -Minutes 15", "15", ["15"]),
    ("Get-Thing -ErrorAction s", "s", ["SilentlyContinue", "Stop", "Suspend"]),
    ("Get-Thing -ea st^ | Get-Thong", "st", ["Stop"]),
    ("Get-Thing red small $true more", "", []),
    # nothing
    ("", "", []),
    ("# Get-", "", []),
    ("Get-Thing re <# r", "", []),
    ("Get-Thing > r", "", []),
]


@pytest.mark.parametrize(("line", "replaced", "texts"), LINES, ids=[line for line, _, _ in LINES])
def test_completions_are_those_of_powershell(line: str, replaced: str, texts: list[str]) -> None:
    assert ask(line) == (replaced, texts)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Get-Thing -", OWN),
        ("Get-Thing -^ red", OWN),
        ("Get-Thing -^ -Name red", OWN[1:]),
        ("Get-Thing red -", OWN[1:]),
        ("Get-Thing red small -Force -", ["-On", "-Tag", "-Minutes"]),
    ],
)
def test_what_has_no_value_yet_is_offered_and_the_common_parameters_come_last(
    line: str, names: list[str]
) -> None:
    replaced, texts = ask(line)
    assert replaced == "-"
    assert texts[: len(names) + 2] == [*names, "-Verbose", "-Debug"]


def test_a_match_says_what_it_is() -> None:
    (match,) = complete(CATALOG, "Get-Thing -Min")["CompletionMatches"]
    assert dict(match.items()) == {
        "CompletionText": "-Minutes",
        "ListItemText": "Minutes",
        "ResultType": "ParameterName",
        "ToolTip": "[string] Minutes - How long.",
    }
    (match,) = complete(CATALOG, "get-tho")["CompletionMatches"]
    assert match["ResultType"] == "Command"
    assert match["ToolTip"].startswith("Get-Thong ")
    (match,) = complete(CATALOG, "Get-Thing l")["CompletionMatches"]
    assert (match["ListItemText"], match["ResultType"]) == ("light blue", "ParameterValue")
    assert match.type_names == ("System.Management.Automation.CompletionResult", "System.Object")


SHAPES: list[Any] = [
    command("TabExpansion2", "Get-Thing -F", 12, None),
    command("TabExpansion2", inputScript="Get-Thing -F", cursorColumn=12),
    command("TabExpansion2", InputScript="Get-Thing -F", CursorColumn=12, Options=None),
    command("TabExpansion2", "Get-Thing -F"),
    "TabExpansion2 'Get-Thing -F' 12",
    "TabExpansion2 -inputScript 'Get-Thing -F' -options @{ RelativeFilePaths = $true }",
]


@pytest.mark.parametrize("what", SHAPES, ids=str)
async def test_every_shape_of_the_question_gets_the_same_answer(what: Any) -> None:
    """PowerShell's console sends arguments by position with options, its debugger by name."""
    async with connected(FunctionsEngine(COMMANDS)) as client:
        result = await client.invoke(what)
    assert (result.state, result.errors) == ("COMPLETED", [])
    (answer,) = result.output
    assert isinstance(answer, PSObject)
    assert answer.type_names[0] == "System.Management.Automation.CommandCompletion"
    assert list(answer) == [
        "CurrentMatchIndex",
        "ReplacementIndex",
        "ReplacementLength",
        "CompletionMatches",
    ]
    assert (answer["CurrentMatchIndex"], answer["ReplacementIndex"]) == (-1, 10)
    (match,) = read_completion(answer)
    assert (match.text, match.start, match.length, match.about) == (
        "-Force",
        10,
        2,
        "[switch] Force",
    )


async def test_nothing_to_offer_is_an_answer_without_matches() -> None:
    async with connected(FunctionsEngine(COMMANDS)) as client:
        for line in ("", "Get-Nothing -x"):
            (answer,) = (await client.invoke(command("TabExpansion2", line, len(line)))).output
            assert list(answer["CompletionMatches"]) == []
            assert (answer["ReplacementIndex"], answer["ReplacementLength"]) == (-1, -1)


@pytest.mark.parametrize("cursor", [-1, 4, 2**31 - 1])
async def test_a_cursor_outside_the_line_is_an_error(cursor: int) -> None:
    async with connected(FunctionsEngine(COMMANDS)) as client:
        result = await client.invoke(command("TabExpansion2", "Get", cursor))
    assert result.state == "FAILED"
    assert result.end.error.fully_qualified_error_id == "PSArgumentException,TabExpansion2"
    assert '"cursorIndex" is not valid' in result.end.error.message


async def test_the_cursor_counts_utf_16_units() -> None:
    line = "Get-Thong '\U0001f600'; get-tho"
    units = len(line.encode("utf-16-le")) // 2
    async with connected(FunctionsEngine(COMMANDS)) as client:
        (answer,) = (await client.invoke(command("TabExpansion2", line, units))).output
    assert answer["ReplacementIndex"] == units - len("get-tho")


async def test_a_parameter_with_a_dash_and_its_value_apart_asks_as_well() -> None:
    parameters = (Parameter("-inputScript"), Parameter(None, "get-tho"))
    what = command("TabExpansion2")
    shell = PowerShell.of(type(what)(what.text, parameters=parameters))
    async with connected(FunctionsEngine(COMMANDS)) as client:
        (answer,) = (await client.invoke(shell)).output
    assert [each.text for each in read_completion(answer)] == ["Get-Thong"]


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="Get-Th:1.$@()'\"`|;, \n#{}&<>\u2019=\U0001f600\ud800", max_size=40),
    st.integers(0, 40),
)
def test_any_line_with_any_cursor_has_an_answer(text: str, cursor: int) -> None:
    units = len(text) + sum(each > "\uffff" for each in text)
    answer = complete(CATALOG, text, min(cursor, units))
    start, length = answer["ReplacementIndex"], answer["ReplacementLength"]
    assert start == length == -1 or 0 <= start <= start + length <= units
