"""Invalid targets are refused with the message and id of the real Enter-PSSession."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.recordings import WHOLE
from tests.shell.terminal import piped

SCREEN = WHOLE / "outofproc" / "sessions" / "enter-by-name.screen.txt"
pytestmark = [
    pytest.mark.skipif(not SCREEN.exists(), reason="the recording is not here"),
    pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not here"),
]

_TRANSPORT = "System.Management.Automation.Remoting.PSRemotingDataStructureException"
_COMMAND = ",Microsoft.PowerShell.Commands.EnterPSSessionCommand"
ENTERED = {
    "-HostName 127.0.0.1 -Port 1 -UserName psremote": (
        ["127.0.0.1", "--port", "1", "--user-name", "psremote"],
        _TRANSPORT,
    ),
    "-HostName '-oProxyCommand=x' -UserName psremote": (
        ["--user-name", "psremote", "--", "-oProxyCommand=x"],
        "PSSessionInvalidComputerName",
    ),
    "-HostName 'a b'": (["a b"], "PSSessionInvalidComputerName"),
    "-HostName 127.0.0.1 -KeyFilePath ~/nokey": (
        ["127.0.0.1", "--key-file-path", "/home/psremote/nokey"],
        "PathNotFound",
    ),
    "-HostName 127.0.0.1 -Options @{'Bad Name'='x'}": (
        ["127.0.0.1", "--options", "Bad Name=x"],
        _TRANSPORT,
    ),
    "-HostName 127.0.0.1 -ConnectingTimeout 1 -Port 9": (
        ["127.0.0.1", "--port", "9"],
        _TRANSPORT,
    ),
}


def recorded(command: str) -> list[str]:
    """Return the recorded output for ``command``."""
    lines = iter(SCREEN.read_text("utf-8").splitlines())
    next(line for line in lines if line.endswith(f"> Enter-PSSession {command}"))
    shown = []
    for line in lines:
        if line.startswith("PS /home"):
            break
        shown.append(line)
    return shown


@pytest.mark.parametrize("command", ENTERED)
def test_an_error_is_worded_as_the_real_one(tmp_path: Path, command: str) -> None:
    arguments, identifier = ENTERED[command]
    done = piped(tmp_path, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    *shown, last = done.stderr.splitlines()
    # PowerShell shows ssh's line before its message, which has it and a hint in ours.
    reported = re.search(r" ssh reported: (.*)", "\n".join(shown))
    text = re.sub(r" ssh reported: .*|\nHint: .*", "", "\n".join(shown))
    before = [] if reported is None else [reported[1]]
    assert [*before, *text.splitlines()] == recorded(command)
    assert last == f"    + FullyQualifiedErrorId : {identifier}{_COMMAND}"
    assert identifier + _COMMAND in SCREEN.read_text("utf-8")
