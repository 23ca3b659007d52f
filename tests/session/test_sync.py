"""Blocking sessions: results, errors, and refused uses."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
import trio

from psremoting import RemoteErrors, sync
from psremoting.errors import OperationTimeout, PipelineFailed, SessionNotOpen
from tests.recordings import ROOT
from tests.shell.terminal import serving


def test_one_command_is_called_by_name_with_its_arguments() -> None:
    with sync.connect(serving()) as session:
        result = session.call("Select-Object", "Length", InputObject="abc")
        assert [value["Length"] for value in result.output] == [3]
        result.raise_for_errors()
        assert not result.had_errors


def test_errors_are_raised_on_demand() -> None:
    with sync.connect(serving()) as session:
        result = session.run("Get-NoSuchThing", as_script=True)
        assert result.had_errors
        assert result.error is None
        (record,) = result.errors
        assert record.fully_qualified_error_id == "CommandNotFoundException"
        with pytest.raises(RemoteErrors, match="Get-NoSuchThing") as caught:
            session.run("Get-NoSuchThing", as_script=True, check=True)
        assert caught.value.to_record().message == record.message
        with pytest.raises(PipelineFailed, match="Get-NoSuchThing"):
            session.run("Get-NoSuchThing", check=True)
        assert session.run("Get-NoSuchThing").errors[0].message == record.message


def test_the_error_of_a_refused_script_says_why_it_is_no_command() -> None:
    with sync.connect(serving()) as session:
        error = session.run("if ($x) { Get-Table }").error
        assert isinstance(error, PipelineFailed)
        assert error.hint == "Cannot send the text as commands: a statement: if."
        assert str(error).splitlines()[-1] == error.hint
        error = session.run("Get-Table $x", parameters={"a": 1}).error
        assert isinstance(error, PipelineFailed)
        assert "named arguments" in error.hint


def test_a_command_can_be_given_a_time() -> None:
    with sync.connect(serving()) as session:
        result = session.run("Wait-Forever", timeout=0.2)
        assert isinstance(result.error, OperationTimeout)
        assert session.run("Get-Table").output


def test_a_session_after_its_block_says_so() -> None:
    with sync.connect(serving()) as session:
        pass
    with pytest.raises(SessionNotOpen, match="block of sync"):
        session.run("Get-Table")


def test_event_loops_are_not_blocked() -> None:
    def connect() -> None:
        with sync.connect(serving()):
            raise AssertionError("it must not open")

    async def in_a_loop() -> None:
        connect()

    with pytest.raises(RuntimeError, match="asyncio"):
        asyncio.run(in_a_loop())
    with pytest.raises(RuntimeError, match="trio"):
        trio.run(in_a_loop)


def test_what_the_first_command_needs_is_loaded_while_the_session_opens() -> None:
    """In a new process, where nothing has been imported."""
    code = """
import sys, time
from psremoting import sync
needed = "psremoting.powershell.script_commands"
with sync.connect("local") as session:
    deadline = time.monotonic() + 30
    while needed not in sys.modules and time.monotonic() < deadline:
        time.sleep(0.01)
    print(needed in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.stdout == "True\n", ran.stderr


@pytest.mark.parametrize(
    ("script", "loaded"), [("Get-Date", False), ("1", False), ("Get-Date | Out-Null", True)]
)
def test_a_plain_command_of_psrp_invoke_loads_no_parser(script: str, loaded: bool) -> None:
    code = f"""
import sys
from psremoting.cli.entry import main
sys.argv = ["psrp", "invoke", "local", {script!r}]
try:
    main()
finally:
    print("psremoting.powershell.script_commands" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.stdout.splitlines()[-1] == str(loaded), ran.stderr
