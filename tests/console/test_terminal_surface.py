"""The local prompt at a terminal: editing, sessions, Ctrl+C, and the screen."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psremoting.administration.store import Store
from tests.shell.terminal import CTRL_C, CTRL_D, Terminal, entered, serving

_START = "from psremoting.cli.main import main; main(prog_name='psrp')"
PROMPT = "psrp>"


@contextmanager
def console(state: Path, path: str = "/usr/bin:/bin") -> Iterator[Terminal]:
    command = [sys.executable, "-c", _START]
    with entered(state, command=command, columns=130, PATH=path) as terminal:
        terminal.see_prompt(PROMPT)
        yield terminal


def test_a_session_is_made_entered_left_and_listed(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        terminal.enter("$s = New-PSSession -Name lab")
        terminal.see_prompt(PROMPT)
        terminal.enter("Enter-PSSession $s")
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("ConvertTo-Upper abc")
        terminal.see(r"\nABC\n")
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("exit")
        terminal.see_prompt(PROMPT)
        terminal.enter("Get-PSSession")
        terminal.see(
            r"  1 lab +Process +localhost +RemoteMachine +Opened +DefaultShell +Available\n"
        )
        terminal.see_prompt(PROMPT)
        terminal.enter("exit 3")
        assert terminal.end() == 3


def test_names_are_completed_here_and_over_there(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        terminal.type("etsn -Tar\t")
        terminal.see("psrp> etsn -Target")
        terminal.enter(" local")
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("exit")
        terminal.see_prompt(PROMPT)
        terminal.type("Get-PSS\t")
        terminal.see("psrp> Get-PSSession")


def test_lines_go_on_until_they_are_whole(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        terminal.enter("$o = @{")
        terminal.see_prompt(">>")
        terminal.enter("Port = 22 }")
        terminal.see_prompt(PROMPT)
        terminal.enter("$o.Port")
        terminal.see(r"\n22\n")
        terminal.see_prompt(PROMPT)
        terminal.enter("'a")
        terminal.see_prompt(">>")
        terminal.enter("")
        terminal.enter("b'")
        terminal.see(r">> b'\na\n\nb\n")


def test_a_missing_parameter_is_asked_for(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        terminal.enter("Enter-PSSession -UserName u")
        terminal.see("Supply values for the following parameters:\nHostName:")
        terminal.enter("a b")
        terminal.see("One or more computer names are not valid.")
        terminal.see_prompt(PROMPT)
        terminal.enter("Enter-PSSession -UserName u")
        terminal.see(r"(?s)HostName:.*HostName:$")
        terminal.type(CTRL_C)
        terminal.see("missing mandatory parameters: HostName.")


def test_ctrl_c_gives_up_what_does_not_come(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho waiting >&2\nexec sleep 600\n", encoding="ascii")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with console(tmp_path, f"{tmp_path}:/usr/bin:/bin") as terminal:
        terminal.enter("New-PSSession -HostName silent; 'not reached'")
        terminal.see("\nwaiting")
        terminal.type(CTRL_C)
        terminal.see_prompt(PROMPT)
        terminal.enter("'still here'; Get-PSSession")
        terminal.see(r"\nstill here\n")
        assert "\nnot reached" not in terminal.text


def test_ctrl_c_at_the_prompt_starts_a_new_line_and_ctrl_d_leaves(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        terminal.type("half a li")
        terminal.see("half a li")
        terminal.type(CTRL_C)
        terminal.see_prompt(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.end() == 0


def test_a_server_that_dies_gives_the_local_prompt_back(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        target = serving().replace("'", "''")
        terminal.enter(f"$s = New-PSSession -Target '{target}' -Name lab")
        terminal.see_prompt(PROMPT)
        terminal.enter("Enter-PSSession -Name lab")
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("Get-ServerId")
        number = terminal.see(r"\npid (\d+)\.\n")[1]
        terminal.see_prompt("[localhost]: PS>")
        os.kill(int(number), signal.SIGKILL)
        terminal.see("Enter-PSSession: The background process closed or ended abnormally")
        terminal.see_prompt(PROMPT)
        terminal.enter("$s.State; $Error.Count")
        terminal.see(r"\nBroken\n1\n")
        terminal.see_prompt(PROMPT)
        terminal.enter("Enter-PSSession $s")
        terminal.see("Cannot enter session lab because it is not in the disconnected state")
        terminal.see_prompt(PROMPT)
        terminal.enter("Get-PSSession | Remove-PSSession; exit")
        assert terminal.end() == 0


def test_ctrl_c_in_a_session_stops_its_command_and_keeps_it(tmp_path: Path) -> None:
    with console(tmp_path) as terminal:
        target = serving().replace("'", "''")
        terminal.enter(f"Enter-PSSession -Target '{target}'")
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("Wait-Forever")
        terminal.see("waiting")
        terminal.type(CTRL_C)
        terminal.see_prompt("[localhost]: PS>")
        terminal.enter("exit")
        terminal.see_prompt(PROMPT)


def test_confirm_asks_for_one_command_too(tmp_path: Path) -> None:
    store = tmp_path / "e.db"
    command = [sys.executable, "-c", _START, "Enable-PSRemoting", "-Confirm", "-Store", str(store)]
    with entered(tmp_path, command=command, columns=130, PATH="/usr/bin:/bin") as terminal:
        terminal.see(r'Do you want to continue\?(?s:.*)\(default is "Y"\):')
        terminal.enter("n")
        terminal.see(r'Registering session configuration(?s:.*)\(default is "Y"\):')
        terminal.enter("l")
        assert terminal.end() == 0
    with Store.open(store) as opened:
        assert (opened.listeners(), opened.configurations()) == ((), ())
