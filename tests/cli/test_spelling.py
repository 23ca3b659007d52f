"""PowerShell's spelling of our command line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from psremoting.cli.invoke import invoke
from psremoting.cli.main import main
from psremoting.cli.spelling import hashtable, respelled
from tests.cli.test_invoke_command import SERVER

LINES = [
    (
        ["-HostName", "UserA@server:22", "-KeyFilePath", "key", "-ScriptBlock", "{ hostname }"],
        ["UserA@server:22", "--key-file-path", "key", " hostname "],
    ),
    (["-hostname", "a,b", "-script", "x"], ["a", "b", "x"]),
    (["-HostName", "a,", "b", "-ScriptBlock", "{", "1", "+", "1", "}"], ["a", "b", "1 + 1"]),
    (
        ["-Port:2222", "a", "-HideComputerName", "x"],
        ["--port", "2222", "a", "--hide-computer-name", "x"],
    ),
    (["a", "-ScriptBlock", "{1} | & {2}"], ["a", "{1} | & {2}"]),
    (["a", "-ScriptBlock", "{ '}' }"], ["a", " '}' "]),
    (["a", "x", "-a", "n=1", "--json"], ["a", "x", "-a", "n=1", "--json"]),
    (["a", "x", "--", "-HostName", "y"], ["a", "x", "--", "-HostName", "y"]),
    (["a", "-oProxyCommand=x"], ["a", "-oProxyCommand=x"]),
    (["a", "-ThrottleLimit", "5", "x"], ["a", "--throttle-limit", "5", "x"]),
]


@pytest.mark.parametrize(("given", "ours"), LINES, ids=lambda words: " ".join(words)[:30])
def test_parameters_become_options_and_words(given: list[str], ours: list[str]) -> None:
    assert respelled(given, invoke.params) == ours


def test_what_could_be_two_parameters_is_refused() -> None:
    with pytest.raises(click.UsageError, match="'Co' is ambiguous"):
        respelled(["-Co", "x"], invoke.params)
    with pytest.raises(click.UsageError, match="Missing an argument for parameter 'Port'"):
        respelled(["-Port"], invoke.params)


def test_a_hash_table_becomes_names_and_values() -> None:
    assert hashtable("@{StrictHostKeyChecking='no';UserKnownHostsFile='/dev/null'; A=b}") == [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "A=b",
    ]
    assert hashtable("@{}") == []
    with pytest.raises(click.BadParameter):
        hashtable("@{nothing}")


def test_the_cmdlets_name_runs_the_command() -> None:
    words = ["Invoke-Command", "-HostName", SERVER, "-ScriptBlock", "count 2"]
    ran = CliRunner().invoke(main, words)
    assert (ran.stdout, ran.exit_code) == ("0\n1\n", 0)
