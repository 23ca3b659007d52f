"""`make demo` decodes a recording, and then shows live sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import demo
from tests.house.source import ROOT
from tests.sshsub.sshd import SSHD

EMBEDDED = """\
[localhost]: PS> "one", "two" | ConvertTo-Upper
ONE
TWO
"""
OVER_SSH = """\
[127.0.0.1]: PS> Get-Number 3
1
2
3
[127.0.0.1]: PS> exit
"""


def processes_of(session_folder: str) -> list[str]:
    """Return the command lines of processes that contain the folder of the demo's server."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if session_folder in line:
            found.append(line)
    return found


def test_the_sessions_are_shown_as_a_person_sees_them(tmp_path: Path) -> None:
    """Also over ssh if there is a server; no process and no file is left."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.examples.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    embedded, _, over_ssh = ran.stdout.partition("# The same over ssh")
    assert EMBEDDED in embedded
    assert "Your name: Anna\nHello, Anna!\n" in embedded
    if SSHD is None:
        assert over_ssh == ": not shown, there is no OpenSSH server here\n"
    else:
        assert over_ssh.endswith(OVER_SSH)
    assert not list(tmp_path.iterdir())
    assert not processes_of(str(tmp_path))


def test_without_a_server_the_demo_reports_it_and_succeeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SSHD", None)
    assert demo.over_ssh() == 0
    assert "not shown, there is no OpenSSH server here" in capsys.readouterr().out


def test_make_demo_shows_the_recording_first() -> None:
    (recipe,) = (
        block
        for block in (ROOT / "Makefile").read_text("utf-8").split("\n\n")
        if "\ndemo: " in f"\n{block}"
    )
    assert recipe.index("psrp decode $(DEMO)") < recipe.index("tests.examples.demo")
