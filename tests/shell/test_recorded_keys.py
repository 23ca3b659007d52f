"""The keys of recorded sessions, typed into our client at a terminal with the recorded server: the
screen equals that of the real client.

Recorded: PowerShell on both sides over ssh, a window of 120x40 (`captures/outofproc/interactive`).
"""

from __future__ import annotations

import difflib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from psremoting.capture import decode
from tests.recordings import ROOT, WHOLE
from tests.shell.terminal import Terminal, entered, program

FOLDER = WHOLE / "outofproc" / "interactive"
NAMES = ("choices", "ctrlc", "debugger", "exit3", "nested", "prompt", "setshouldexit", "tab")
"""All recordings of an entered session."""
ACCEPTED = {
    "[127.0.0.1]: P> ": "[127.0.0.1]: PS>",
    "WH> [127.0.0.1]:> ": "WH> [127.0.0.1]:  ",
    "[127.0.0.1]:> function prompt { Get-Item": "[127.0.0.1]: 1function prompt { Get-Item",
    "PowerShell Credential Request: PowerShell cred": "PowerShell cred",
    "Warning: A script or application on the remote computer 127.0.0.1 is requesting your "
    "credentials. Enter your": "Warning: the remote computer LOCALHOST asks for your credentials. "
    "Give them only if you trust that computer and what run",
    "credentials only if you trust the remote computer and the application or script that is "
    "requesting them.": "s on it.",
}
"""Recorded beginnings of lines that differ at our terminal: PSReadLine redraws the last two
characters of a prompt, in the wrong place when the prompt does not end in a blank; our warning
before a secret has another wording."""
OPEN: dict[str, str] = {}
"""Recordings whose screens still differ, with reasons."""
KEYS = {"C-c": "\x03", "Enter": "\r", "Left": "\x1b[D", "Tab": "\t"}
FIRST = "[127.0.0.1]: "

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the collection is not here")


def recorded_screen(name: str) -> list[str]:
    """Return the lines from the first remote prompt on, without the local prompt at the end."""
    text = (FOLDER / f"{name}.screen.txt").read_text("utf-8").rstrip()
    lines = [line.rstrip() for line in text.splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith(FIRST))
    return [_as_ours(line) for line in lines[start:-1]]


def _as_ours(line: str) -> str:
    for theirs, ours in ACCEPTED.items():
        if line.startswith(theirs):
            return ours + line.removeprefix(theirs)
    return line


def type_recorded(terminal: Terminal, name: str) -> None:
    """Type the recorded keys, and wait after each line until the output ends."""
    for line in (FOLDER / f"{name}.keys.txt").read_text("utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word in ("run", "send"):
            terminal.enter(rest)
        elif word == "type":
            terminal.type(rest)
        elif word == "key":
            for key in rest.split():
                terminal.type(KEYS[key])
        terminal.settle()


def _marked(name: str) -> object:
    reason = OPEN.get(name)
    return pytest.param(name, marks=pytest.mark.xfail(reason=reason)) if reason else name


def test_every_recording_decodes_whole() -> None:
    paths = sorted(FOLDER.glob("*.jsonl"))
    assert {path.stem for path in paths} == {*NAMES, "invoke-streams"}
    for path in paths:
        *_, summary = decode(path)
        counts = summary.data
        assert counts["errors"] == counts["unaccounted"] == 0, path.name


@pytest.mark.parametrize("name", [_marked(name) for name in NAMES])
def test_the_recorded_keys_give_the_recorded_screen(name: str, tmp_path: Path) -> None:
    server = shlex.join(
        [sys.executable, "-m", "tests.shell.recorded_program", str(FOLDER / f"{name}.jsonl")]
    )
    command = program(f"process:{server}")
    with entered(tmp_path, columns=120, lines=200, command=command) as terminal:
        terminal.see(r"\[localhost\]: PS .*>")
        terminal.settle()
        type_recorded(terminal, name)
        lines = [line.replace("localhost", "127.0.0.1") for line in terminal.lines]
    while lines and not lines[-1]:
        lines.pop()
    start = next(at for at, line in enumerate(lines) if line.startswith(FIRST))
    recorded = recorded_screen(name)
    different = list(difflib.unified_diff(recorded, lines[start:], lineterm="", n=1))
    assert not different, "\n".join(different)


def test_the_recorded_streams_of_a_command_are_shown_once() -> None:
    server = shlex.join(
        [
            *(sys.executable, "-m", "tests.shell.recorded_program"),
            *(str(FOLDER / "invoke-streams.jsonl"), "--lines"),
        ]
    )
    start = "from psremoting.cli.entry import main; main()"
    script = "Write-Host h; Write-Warning w"
    command = [sys.executable, "-c", start, "invoke", f"process:{server}", script]
    for more in ((), ("--interactive",)):
        result = subprocess.run(
            [*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.stdout + result.stderr == "h\nWARNING: w\n"
        assert result.returncode == 0
