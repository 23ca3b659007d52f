"""Ends of a session at a terminal without `exit`, which leave no process."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.recordings import ROOT
from tests.shell.terminal import (
    CTRL_C,
    CTRL_D,
    Terminal,
    entered,
    environment,
    piped,
    program,
    serving,
)

LOST = "Enter-PSSession: The background process closed or ended abnormally"


def server_of(terminal: Terminal) -> int:
    """Return the process id of the endpoint."""
    terminal.see_prompt()
    terminal.enter("Get-ServerId")
    id = int(terminal.see(r"pid (\d+)\.")[1])
    terminal.see_prompt()
    return id


def gone(pid: int) -> bool:
    """Return whether a process has ended, zombies included."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_gone(pid: int) -> bool:
    for _ in range(600):
        if gone(pid):
            return True
        os.sched_yield()
        subprocess.run(["sleep", "0.05"], check=True)
    return False


def test_a_killed_server_is_told_at_the_prompt(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        os.kill(server_of(terminal), signal.SIGKILL)
        assert terminal.end() == 1
        assert LOST in terminal.text


def test_a_killed_server_is_told_while_a_command_runs(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        server = server_of(terminal)
        terminal.enter("Wait-Forever")
        terminal.see("\nwaiting")
        os.kill(server, signal.SIGKILL)
        assert terminal.end() == 1
        assert LOST in terminal.text


def test_a_killed_server_is_told_in_a_question(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        server = server_of(terminal)
        terminal.enter("Read-Name")
        terminal.see("Your name:")
        os.kill(server, signal.SIGKILL)
        assert terminal.end() == 1
        assert LOST in terminal.text


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("line", ["", "Wait-Forever", "Read-Name", "Read-Key"])
def test_a_signal_ends_everything(tmp_path: Path, how: signal.Signals, line: str) -> None:
    with entered(tmp_path) as terminal:
        server = server_of(terminal)
        if line:
            terminal.enter(line)
            terminal.see(rf"PS> {line}\n?")
        os.kill(terminal.child.pid, how)
        terminal.end()
        assert wait_gone(server)


def test_a_closed_window_leaves_no_process(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        server = server_of(terminal)
        terminal.enter("Wait-Forever")
        terminal.see("\nwaiting")
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, terminal.child.child_fd)
        os.close(nothing)
        assert wait_gone(terminal.child.pid)
        assert wait_gone(server)


@pytest.mark.parametrize("line", ["", "Wait-Forever", "Read-Secret", "Read-Key"])
def test_the_terminal_is_given_back_as_it_was(tmp_path: Path, line: str) -> None:
    command = [*program(serving())]
    shell = ["sh", "-c", 'stty -a; "$@"; echo left; stty -a', "sh", *command]
    with entered(tmp_path, command=shell) as terminal:
        server = server_of(terminal)
        if line:
            terminal.enter(line)
            terminal.see(rf"PS> {line}")
        os.kill(server, signal.SIGKILL)
        terminal.end()
    before, _, after = terminal.written.partition("left")
    settings = before.replace("\r", "").split("\n\x1b")[0]
    flags = [word for word in settings.split() if word.lstrip("-") in ("icanon", "echo", "isig")]
    again = [word for word in after.split() if word.lstrip("-") in ("icanon", "echo", "isig")]
    assert flags == again == ["isig", "icanon", "echo"]


def test_a_server_that_hangs_can_be_left(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        server = server_of(terminal)
        terminal.enter("Wait-Forever")
        terminal.see("\nwaiting")
        os.kill(server, signal.SIGSTOP)
        terminal.type(CTRL_C)
        terminal.type(CTRL_C)
        terminal.see(r"has not stopped yet\. Close the session\?")
        terminal.enter("n")
        terminal.type(CTRL_C)
        terminal.see(r"n\n.*Close the session\? \[y/N\]:$")
        terminal.enter("y")
        assert terminal.end() == 1
        assert wait_gone(server)


def test_a_dumb_terminal_gets_lines_only(tmp_path: Path) -> None:
    with entered(tmp_path, TERM="dumb") as terminal:
        terminal.see_prompt()
        terminal.enter("Show-Colour")
        terminal.see("green")
        terminal.see_prompt()
        terminal.enter("Read-Secret")
        terminal.see("Secret:")
        terminal.enter("hunter2")
        terminal.see("7 characters")
        terminal.see_prompt()
        terminal.enter("Wait-Forever")
        terminal.see("\nwaiting")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt()
        terminal.type(CTRL_C)
        terminal.see(r"PS> \^C\n")
        terminal.see_prompt()
        terminal.type(CTRL_D)
        assert terminal.end() == 0
        assert "\x1b" not in terminal.written
        assert "hunter2" not in terminal.written


def test_lines_from_a_pipe_are_shown_and_run(tmp_path: Path) -> None:
    done = piped(tmp_path, serving(), text="Read-Name\nAda\nShow-Colour\nGet-NoSuchThing\n")
    assert done.returncode == 0
    shown = done.stdout.splitlines()
    assert shown[:3] == ["[localhost]: PS> Read-Name", "Your name: Ada", "hello Ada"]
    assert "\x1b" not in done.stdout
    assert shown[8].startswith("Error: The term 'Get-NoSuchThing'")


def test_a_pipe_that_ends_in_a_question_ends_the_command(tmp_path: Path) -> None:
    done = piped(tmp_path, serving(), text="Read-Name\n")
    assert done.returncode == 0
    assert "hello" not in done.stdout


def test_a_reader_that_goes_away_ends_the_session(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["sh", "-c", '"$@" | head -n 1', "sh", *program(serving())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(tmp_path),
    )
    out, err = process.communicate("Write-Wide\n" * 50, timeout=60)
    assert out == "[localhost]: PS> Write-Wide\n"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("target", "words", "identifier"),
    [
        ("process:no-such-program", "no-such-program", ""),
        ("a b", "One or more computer names are not valid", "PSSessionInvalidComputerName"),
        ("process:true", "closed or ended abnormally", "PSRemotingDataStructureException"),
    ],
)
def test_what_cannot_be_entered_says_why(
    tmp_path: Path, target: str, words: str, identifier: str
) -> None:
    done = piped(tmp_path, target)
    assert done.returncode == 1
    assert done.stderr.startswith("Enter-PSSession: ")
    assert words in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "FullyQualifiedErrorId" in last
    assert identifier in last
    assert last.endswith(",Microsoft.PowerShell.Commands.EnterPSSessionCommand")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_session_that_never_opens_can_be_given_up(tmp_path: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        program("process:sh -c 'echo $$ >&2; exec sleep 600'"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(tmp_path),
    )
    assert process.stderr is not None
    server = int(process.stderr.readline())
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + how
    assert "Traceback" not in errors
    assert wait_gone(server)


def test_ctrl_c_in_a_flood_of_output_is_heard(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.enter("Write-Forever")
        terminal.see("\nflood")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt()
        terminal.type(CTRL_D)
        assert terminal.end() == 0


def test_without_a_target_the_endpoint_of_this_package_is_entered(tmp_path: Path) -> None:
    with entered(tmp_path, command=program()) as terminal:
        terminal.see_prompt()
        terminal.enter("Write-Output hello")
        terminal.see("Output hello\nhello\n")
        terminal.see_prompt()
        terminal.enter("exit")
        assert terminal.end() == 0


def child_of(pid: int) -> int:
    """Return the process id of the only child of ``pid``."""
    children = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            children.append(int(place.name))
    (child,) = children
    return child


@pytest.mark.parametrize("how", ["exit", "hangup", "kill"])
def test_the_embedded_endpoint_ends_with_its_session(tmp_path: Path, how: str) -> None:
    with entered(tmp_path, command=program()) as terminal:
        terminal.see_prompt()
        server = child_of(terminal.child.pid)
        if how == "exit":
            terminal.enter("exit")
            assert terminal.end() == 0
        else:
            os.kill(terminal.child.pid, signal.SIGHUP if how == "hangup" else signal.SIGKILL)
            terminal.end()
        assert wait_gone(server)


def test_an_embedded_endpoint_that_dies_is_told(tmp_path: Path) -> None:
    with entered(tmp_path, command=program()) as terminal:
        terminal.see_prompt()
        os.kill(child_of(terminal.child.pid), signal.SIGKILL)
        assert terminal.end() == 1
        assert LOST in terminal.text


def test_ctrl_c_reaches_a_command_of_the_embedded_endpoint(tmp_path: Path) -> None:
    with entered(tmp_path, command=program()) as terminal:
        terminal.see_prompt()
        terminal.enter("Start-Countdown 1000")
        terminal.see("Start-Countdown 1000\n[^\n]+")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt()
