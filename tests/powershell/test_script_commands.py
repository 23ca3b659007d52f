"""A script is converted to the same commands as by PowerShell's client, or stays a script."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.script_commands import script_commands
from psrp.clixml import Char, Dictionary, List, identical, loads
from psrp.commands import Command
from tests.rows import rows

_FILE = Path(__file__).parents[2] / "fixtures/constrained/lines.jsonl.gz"
RECORDED = [json.loads(line) for line in gzip.decompress(_FILE.read_bytes()).splitlines()]
USING = {"V": "vv", "h": Dictionary({"x": "sp"}), "arr": List([1, 2])}
_MERGES = ("merge_error", "merge_warning", "merge_verbose", "merge_debug", "merge_information")
#: The real client sends every property of a type, 32 KB; ours those that every .NET has.
SHORTER = {"Get-Thing ([int])"}


def merges(command: Command) -> dict[str, int]:
    """Return the merges in the recording's form."""
    found = {name: int(getattr(command, name)) for name in _MERGES}
    return {
        f"Merge{name.removeprefix('merge_').title()}": number
        for name, number in found.items()
        if number
    }


def value_of(recorded: str) -> Any:
    names: dict[str, str] = dict(re.findall(r'<TN RefId="(\d+)">(.*?)</TN>', recorded))
    for number, inside in names.items():
        recorded = recorded.replace(f'<TNRef RefId="{number}" />', f'<TN RefId="9">{inside}</TN>')
    return loads(recorded)


@rows("row", RECORDED, ids=lambda row: row["line"])
def test_a_line_travels_as_it_did_from_the_real_client(row: dict[str, Any]) -> None:
    if row["sent"] == "script":
        with pytest.raises(Unsupported, match=r": \S"):
            script_commands(row["line"], arguments=[7, 8], using=USING)
        return
    found = script_commands(row["line"], arguments=[7, 8], using=USING)
    assert [len(each) for each in found] == [len(each) for each in row["statements"]]
    commands = itertools.chain.from_iterable(found)
    recorded = itertools.chain.from_iterable(row["statements"])
    for own, real in zip(commands, recorded, strict=True):
        assert own.text == real["Cmd"]
        assert [each.name for each in own.parameters] == [each["name"] for each in real["args"]]
        assert merges(own) == {k: v for k, v in real.items() if k.startswith("Merge")}
        for parameter, argument in zip(own.parameters, real["args"], strict=True):
            if row["line"] in SHORTER:
                assert parameter.value.type_names[0] == "System.RuntimeType"
                assert parameter.value.to_string == "System.Int32"
                continue
            value = value_of(argument["value"])
            assert identical(parameter.value, value) or "Year" in row["line"]


_NO_CONSTANT = "a fault that the endpoint reports: Expression is not allowed in a Using expression."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Get-Thing $x", "a variable that the endpoint would have to know: $x"),
        ("Get-Thing $using:none", "a variable without a value: $using:none"),
        ("Get-Thing $using:a[$using:n]", _NO_CONSTANT),
        ("Get-Thing ($using:a.b[1..2])", _NO_CONSTANT),
        ("Get-Thing $using:a.$using:n", _NO_CONSTANT),
        ("Get-Thing (Get-Date)", "a command in an argument"),
        ("Get-Thing { 1 }", "a script block in an argument"),
        ("Get-Thing 'a'.ToUpper()", "a method call: .ToUpper()"),
        ("1 | Get-Thing", "an expression at the head of a pipeline"),
        ("a > b", "a redirection to a file"),
        ("a && b", "the operators && and ||"),
        ("$x = 1", "an assignment"),
        ("if (1) { a }", "a statement: if"),
        (". a", "dot sourcing"),
        ("& { a }", "a script block that is called"),
        ("process { a }", "a begin, process, clean or dynamicparam block"),
        ("# nothing", "no command"),
        ("a (1/0)", "a fault that the endpoint reports: Attempted to divide by zero."),
        ("a 'b", "a fault that the endpoint reports: The string is missing the terminator: '."),
        ("a (" * 200, "a fault that the endpoint reports: The script is nested too deeply."),
        ("a ('x' * 1000000)", "a value of more than 100000 items or characters"),
    ],
)
def test_the_reason_says_what_keeps_a_text_from_travelling(text: str, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        script_commands(text)
    assert caught.value.reason == reason


def test_parameters_take_arguments_defaults_and_types() -> None:
    text = "param([string]$a, [Parameter()]$b = 1 + 1, $c) Get-Thing $a $b $c @args -x $args"
    ((command,),) = script_commands(text, arguments=[1, None, "c", 4, 5])
    values = [each.value for each in command.parameters]
    assert values == ["1", None, "c", 4, 5, None, [4, 5]]
    ((command,),) = script_commands(text, arguments=[])
    assert [each.value for each in command.parameters] == ["", 2, None, None, []]


def test_a_value_of_using_may_be_asked_for() -> None:
    ((command,),) = script_commands("Get-Thing $using:a.b", using=lambda name: {"b": name})
    assert command.parameters[0].value == "a"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("param([ValidateRange(1, 9)]$a) f $a", [7]),
        ("param([ValidateSet('7', '8', IgnoreCase=$false)][string]$a) f $a", ["7"]),
        ("[CmdletBinding()]param([Alias('z')][AllowNull()]$a, [bool]$b, [bool]$c) f $c", [False]),
        ("param($a, $b, $c = 'xy') f @c", [Char("x"), Char("y")]),
        ("param($a, $b, $c = $args) f $c", [[]]),
        ("f ((5)[0]) ((5)[1]) (([ordered]@{a=1; b=2})[1])", [5, None, 2]),
        ("f $true.Nope (@(1, 2).Rank)", [None, 1]),
        ("f $using:arr[1 - 1] ($using:arr)[(1..1)[0]] $using:h.x", [1, 2, "sp"]),
        ("2>&1 f 5", ["f", 5]),
        ("f “a“”b” `  5", ["a”b", 5]),
        ("f ('{0:yyyy-MM-dd HH:mm}' -f [datetime]'2020-01-02')", ["2020-01-02 00:00"]),
    ],
)
def test_arguments_have_the_values_of_the_real_client(text: str, values: list[Any]) -> None:
    ((command,),) = script_commands(text, arguments=[7, 8], using=USING)
    assert [each.value for each in command.parameters] == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("param([ValidateSet('x')]$a) f", "a value that [ValidateSet] refuses: $a"),
        ("param([ValidateScript({1})]$a) f", "a parameter with the attribute [ValidateScript]: $a"),
        ("param($a, $b, $c = $x) f", "a variable that the endpoint would have to know: $x"),
        ("param($a, $A) f", "a parameter that cannot have this name: $A"),
        ("param($true) f", "a parameter that cannot have this name: $true"),
        ("f ([DayOfWeek]1 -eq 'Monday')", "the operator -eq on an object of .NET"),
        ('f "$([int])"', "a type in a text"),
    ],
)
def test_a_parameter_or_object_may_keep_a_text_from_travelling(text: str, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        script_commands(text, arguments=[7, 8])
    assert caught.value.reason == reason


def test_objects_of_dotnet_are_those_that_the_real_client_sends() -> None:
    text = (
        "f ([switch]$true) ([DayOfWeek]'Monday') ([DayOfWeek]::Friday) ([regex]'a.b') ([bigint]5)"
        " ([ipaddress]'1.2.3.4') ([mailaddress]'a@b.c') ('a b' -split ' ')"
    )
    ((command,),) = script_commands(text)
    made = [each.value for each in command.parameters]
    assert [each.type_names[0].rpartition(".")[2] for each in made] == [
        "SwitchParameter", "DayOfWeek", "DayOfWeek", "Regex", "BigInteger", "IPAddress",
        "MailAddress", "String[]",
    ]  # fmt: skip
    assert [str(each.value) for each in made[1:3]] == ["1", "5"]
    assert (made[5]["Address"], made[5]["IPAddressToString"]) == (67305985, "1.2.3.4")


@pytest.mark.parametrize(
    ("redirections", "sent"),
    [
        ("2>&1", {"MergeError": 1, "merge_my_result": 2}),
        ("3>&1 2>&1", {"MergeError": 1, "merge_my_result": 2}),
        ("4>&1 3>&1", {"MergeWarning": 1}),
        ("2>&1 *>&1", {f"Merge{n}": 1 for n in ("Error", "Warning", "Verbose", "Debug",
                                                 "Information")}),
    ],
)  # fmt: skip
def test_of_several_redirections_one_is_sent(redirections: str, sent: dict[str, int]) -> None:
    ((command,),) = script_commands(f"f 1 {redirections}")
    own = {"merge_my_result": int(command.merge_my_result)} if command.merge_my_result else {}
    assert merges(command) | own == sent


@given(st.text("abc$@(){}[]'\"`;|&-:,.= \n\ud800x1", max_size=60))
def test_any_text_becomes_commands_or_a_script(text: str) -> None:
    try:
        reason, found = "", script_commands(text)
    except Unsupported as error:
        reason, found = error.reason, ()
    assert reason or all(found)


@pytest.mark.parametrize("text", ["a " + "x" * 10**6, "a " + "1," * 10**5 + "1", "a;" * 10**5])
def test_long_texts_are_converted(text: str) -> None:
    assert script_commands(text)


@pytest.mark.parametrize(
    "text",
    [
        "a " + "(" * 50_000, "a " + "@(" * 50_000 + ")" * 50_000, "a '" + "'" * 100_001,
        'a "' + "$(" * 20_000, "a " + "@{a=" * 5_000 + "1" + "}" * 5_000, "a {" * 50_000,
        "a \ud800" * 10_000, 'a "\udfff$(1)"', "a " + "`" * 100_001, "a " + "[" * 50_000,
        "param(" * 10_000, "a " + "-x:" * 30_000, "a " + "<#" * 50_000, "a @'\n" * 10_000,
        "a " + "$using:" * 20_000, "a (" + "1+" * 50_000 + "1)", "a " + "“”" * 50_000,
        "a ('x'" + "*9" * 1_000 + ")", "param([A(" + "(" * 10_000, "a " + "x.y" * 50_000,
    ],
    ids=range(20),
)  # fmt: skip
def test_text_that_only_looks_simple_becomes_commands_or_a_script(text: str) -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        found: object = script_commands(text, arguments=[1], using=USING)
    except Unsupported as error:
        found = error.reason
    finally:
        sys.setprofile(None)
    assert found
    assert steps < 200 * len(text) + 20_000
