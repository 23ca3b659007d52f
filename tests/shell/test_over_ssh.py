"""An entered session through a real OpenSSH server: the prompt, Ctrl+C, and the end of ssh."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recordings import ROOT
from tests.shell.terminal import CTRL_C, entered, program
from tests.sshsub import sshd

pytestmark = pytest.mark.skipif(sshd.SSHD is None, reason="no sshd on this machine")

PROMPT = "[127.0.0.1]: PS>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    folder = tmp_path_factory.mktemp("sshd")
    serving = folder / "serve.py"
    serving.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from psremoting.cli.serve import serve\nserve()\n"
    )
    words = f"{sys.executable} {serving} --stdio --functions tests.shell.commands:COMMANDS"
    with sshd.running(folder, words) as running:
        yield running


def entering(server: sshd.Server) -> list[str]:
    options = [f"--options={name}={value}" for name, value in server.options.items()]
    where = f"{sshd.USER}@127.0.0.1:{server.port}"
    return program(where, "--key-file-path", server.key, *options)


def test_a_session_over_ssh_is_entered_stopped_and_left(
    server: sshd.Server, tmp_path: Path
) -> None:
    with entered(tmp_path, command=entering(server)) as terminal:
        terminal.see_prompt(PROMPT)
        terminal.enter("Get-Table")
        terminal.see(r"two +3\n")
        terminal.see_prompt(PROMPT)
        terminal.enter("Wait-Forever")
        terminal.see("\nwaiting")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt(PROMPT)
        terminal.enter("Read-Name")
        terminal.see("Your name:")
        terminal.enter("Ada")
        terminal.see("hello Ada")
        terminal.see_prompt(PROMPT)
        terminal.enter("exit")
        assert terminal.end() == 0


def test_a_lost_connection_is_told_as_the_real_client_tells_it(
    server: sshd.Server, tmp_path: Path
) -> None:
    with entered(tmp_path, columns=200, command=entering(server)) as terminal:
        terminal.see_prompt(PROMPT)
        terminal.enter("Get-ServerId")
        pid = int(terminal.see(r"pid (\d+)\.")[1])
        terminal.see_prompt(PROMPT)
        os.kill(pid, signal.SIGKILL)
        assert terminal.end() == 1
        assert (
            "Enter-PSSession: The SSH client session has ended with error message: The SSH "
            "transport process has abruptly terminated causing this remote session to break."
        ) in terminal.text
