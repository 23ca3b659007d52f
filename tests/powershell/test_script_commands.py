"""A script is converted to the same commands as by PowerShell's client, or stays a script."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.script_commands import script_commands
from psrp.clixml import Dictionary, List, identical, loads
from psrp.commands import Command

_FILE = Path(__file__).parents[2] / "fixtures/constrained/lines.jsonl.gz"
RECORDED = [json.loads(line) for line in gzip.decompress(_FILE.read_bytes()).splitlines()]
USING = {"V": "vv", "h": Dictionary({"x": "sp"}), "arr": List([1, 2])}
_MERGES = ("merge_error", "merge_warning", "merge_verbose", "merge_debug", "merge_information")
#: Scripts to us, commands to the real client: a type is an object of 32 KB there.
STAYS_A_SCRIPT = {"Get-Thing ([int])"}


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


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["line"])
def test_a_line_travels_as_it_did_from_the_real_client(row: dict[str, Any]) -> None:
    if row["sent"] == "script" or row["line"] in STAYS_A_SCRIPT:
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
            value = value_of(argument["value"])
            assert identical(parameter.value, value) or "Year" in row["line"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Get-Thing $x", "a variable that the endpoint would have to know: $x"),
        ("Get-Thing $using:none", "a variable without a value: $using:none"),
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
