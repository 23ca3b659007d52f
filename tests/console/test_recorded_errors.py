"""Every invalid call of Enter-PSSession in a recording of PowerShell 7.6."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from psremoting.session import PSSession
from psrp.enums import ErrorCategory
from tests.console.places import Prompt, prompt
from tests.recordings import WHOLE

_LINE = re.compile(r"^PS /home/psremote> (.*)$", re.MULTILINE)
_ERROR = re.compile(r"^(?:Enter|New)-PSSession: .*$", re.MULTILINE)
#: An unknown option name is refused before ssh starts: spec-notes/console.md
_ON_PURPOSE = "@{'Bad Name'='x'}"
#: PowerShell has no WS-Man client on Linux; we have one.
_WITHOUT_WSMAN = "CreateRemoteRunspaceFailed"
_NO_SUCH_MACHINE = """#!/bin/sh
echo "ssh: connect to host: Connection refused" >&2
exit 255
"""


def recording() -> str:
    path = WHOLE / "outofproc/sessions/enter-by-name.screen.txt"
    return path.read_text(encoding="utf-8")


def wrong_lines() -> list[tuple[str, list[str]]]:
    """Return each failed line and PowerShell's message, without the repeated report of an unknown
    id."""
    pieces = _LINE.split(recording())[1:]
    found = []
    for line, below in zip(pieces[::2], pieces[1::2], strict=True):
        said = list(dict.fromkeys(_ERROR.findall(below)))
        if said and _ON_PURPOSE not in line and "-ComputerName" not in line:
            found.append((line, said))
    return found


def recorded_ids() -> list[tuple[str, str, str]]:
    """Return id, category and exception of each error, the oldest first."""
    rows = re.findall(r"^(\S+) \| (\w+) \| (\w+)$", recording(), re.MULTILINE)
    rows.reverse()
    return list(dict.fromkeys(row for row in rows if row[0] != _WITHOUT_WSMAN))


@pytest.fixture
def no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for ssh that refuses every connection, and the home folder of the recording."""
    program = tmp_path / "ssh"
    program.write_text(_NO_SUCH_MACHINE, encoding="ascii")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", "/home/psremote")


async def shown(run: Prompt, line: str) -> list[str]:
    # The recorded key file does not exist here and did not cause the recorded error; with a timeout
    # of one millisecond, the recorded refusal arrived first.
    line = line.replace("-KeyFilePath ~/.ssh/lab ", "")
    await run(line.replace("-ConnectingTimeout 1 ", "-ConnectingTimeout 600000 "))
    errors, run.place.errors = run.place.errors, []
    # The cause reported by ssh and the hint are our additions.
    return [error.partition(" ssh reported: ")[0] for error in errors]


@pytest.mark.usefixtures("no_machine")
async def test_what_went_wrong_is_said_in_the_same_words() -> None:
    lines = wrong_lines()
    assert len(lines) == 9
    async with prompt(PSSession.connect) as run:
        for line, said in lines:
            assert await shown(run, line) == said


@pytest.mark.usefixtures("no_machine")
async def test_what_went_wrong_has_the_same_id_category_and_exception() -> None:
    async with prompt(PSSession.connect) as run:
        for line, _ in wrong_lines():
            await shown(run, line)
        ours = [
            (
                each.fully_qualified_error_id,
                ErrorCategory.text(each.category),
                each.category_reason,
            )
            for each in reversed(run.workspace.errors)
        ]
    # The first recorded error is about an unrelated module.
    assert list(dict.fromkeys(ours)) == recorded_ids()[1:]


@pytest.mark.usefixtures("no_machine")
async def test_the_last_line_of_ssh_is_shown_with_the_error_only() -> None:
    async with prompt(PSSession.connect) as run:
        await run("Enter-PSSession -HostName 127.0.0.1 -Port 1 -UserName psremote")
        assert run.place.notices == []
