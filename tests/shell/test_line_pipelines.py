"""Conversion of a typed line to commands or a script."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.shell.line_pipelines import error_pipeline, is_exit, line_pipeline
from psrp.commands import Command, Parameter

ID = UUID(int=7)

SIMPLE = {
    "Get-Date": [[("Get-Date", [])]],
    "  Get-Date  ": [[("Get-Date", [])]],
    "Get-Item / | Select-Object Name, FullName": [
        [("Get-Item", [(None, "/")]), ("Select-Object", [(None, ["Name", "FullName"])])]
    ],
    "a; b;": [[("a", [])], [("b", [])]],
    "a\nb": [[("a", [])], [("b", [])]],
    "Write-Host 'it''s' \"so\"\"so\"": [[("Write-Host", [(None, "it's"), (None, 'so"so')])]],
    "Get-Thing -Name bob -Force": [
        [("Get-Thing", [("-Name", None), (None, "bob"), ("-Force", None)])]
    ],
    "Get-Thing -Name:bob": [[("Get-Thing", [("-Name:", "bob")])]],
    "Get-Thing 5 -3 0": [[("Get-Thing", [(None, 5), (None, "-3"), (None, 0)])]],
    "Get-Thing $true $null": [[("Get-Thing", [(None, True), (None, None)])]],
    "Get-Thing *.txt ./a ..": [[("Get-Thing", [(None, "*.txt"), (None, "./a"), (None, "..")])]],
    "tool.exe -v": [[("tool.exe", [("-v", None)])]],
}

SCRIPTS = [
    "$x", "$x = 1", "a $x", "a (b)", "a { b }", "'a'", "1", "1 | a", "a > b", "a 2>$null", ". a",
    "& { a }", "if (1) { a }", "a && b", "a 'b", 'a "$b"', "a b,", "a | ", "| a", "return",
    "[int]5", "a -b:", "class A {}", "a <b", "a 'x'.ToUpper()", "# a", "", "function f {}",
]  # fmt: skip


def sent(line: str) -> list[list[Command]]:
    """Return the commands of a line, without the final Out-Default of each statement."""
    return [list(each[:-1]) for each in line_pipeline(ID, line).powershell.statements]


@pytest.mark.parametrize("line", SIMPLE)
def test_a_simple_line_goes_as_commands(line: str) -> None:
    assert SIMPLE[line] == [
        [(each.text, [(p.name, p.value) for p in each.parameters]) for each in statement]
        for statement in sent(line)
    ]


@pytest.mark.parametrize("line", SCRIPTS)
def test_what_may_mean_more_goes_as_a_script(line: str) -> None:
    ((command,),) = sent(line)
    assert (command.text, command.is_script) == (line, True)


@given(st.text(max_size=60))
def test_any_line_can_be_sent(line: str) -> None:
    event = line_pipeline(ID, line)
    for statement in event.powershell.statements:
        assert statement[-1].text == "Out-Default"
        assert all(each.text for each in statement[:-1]) or not line


def test_one_command_merges_its_errors_and_several_do_not() -> None:
    (one,) = line_pipeline(ID, "Get-Date").powershell.statements
    (several,) = line_pipeline(ID, "a | b").powershell.statements
    assert (one[0].merge_my_result, one[0].merge_to_result, one[0].merge_error) == (2, 1, 1)
    assert {each.merge_my_result for each in several} == {0}
    assert (
        one[-1]
        == several[-1]
        == Command("Out-Default", use_local_scope=True, merge_previous_results=3)
    )


@pytest.mark.parametrize("line", ["exit", " Exit\t", "EXIT"])
def test_exit_becomes_the_command_that_leaves(line: str) -> None:
    """Statement I94."""
    assert is_exit(line)
    powershell = line_pipeline(ID, line).powershell
    assert powershell.statements[0][0].text == "Exit-PSSession"
    assert powershell.history == "Exit-PSSession"


def test_exit_with_a_code_is_a_line_like_any_other() -> None:
    assert not is_exit("exit 3")


def test_an_error_is_piped_in_and_not_remembered() -> None:
    event = error_pipeline(ID)
    assert not event.no_input
    assert not event.add_to_history
    assert event.powershell.history is None


def test_parameters_keep_their_dash_as_the_real_client_sends_them() -> None:
    ((command,),) = sent("a -Verbose")
    assert command.parameters == (Parameter("-Verbose", None),)
