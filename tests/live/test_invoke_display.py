"""`psrp invoke` shows the output of a real server's scripts once and on the right stream."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.recordings import ROOT

TIME_LIMIT = 200

ROWS: tuple[tuple[str, str, str], ...] = (
    ("/bin/sh -c 'echo err >&2; echo out'", "out\n", "err\n"),
    ("'x' | Out-Host", "x\n", ""),
    ("5 | Out-Default", "5\n", ""),
    ("$Host.UI.WriteLine('u'); $Host.UI.Write('v'); $Host.UI.WriteErrorLine('e')",
     "u\nv", "e\n"),
    ("Write-Host 'a' -NoNewline; Write-Host 'b' -ForegroundColor Red", "ab\n", ""),
    ("Write-Host ''; Write-Host $null; Write-Host 'x'", "\n\nx\n", ""),
    ("Write-Information hidden; Write-Information shown -InformationAction Continue",
     "shown\n", ""),
    ("Write-Warning w; Write-Verbose v -Verbose; Write-Debug d -Debug", "",
     "WARNING: w\nVERBOSE: v\nDEBUG: d\n"),
    ("[pscustomobject]@{a=1;b='x'} | Format-Table", "\na b\n- -\n1 x\n\n", ""),
    ("1; Write-Host 'h'; 2", "1\nh\n2\n", ""),
    ("[single]0.1; 1e22; -0.0; ,[byte[]](1,2)", "0.1\n1E+22\n-0\n1\n2\n", ""),
    ("'[' + $Host.UI.RawUI.WindowSize.Width + ']'", "[100]\n", ""),
)  # fmt: skip

MARK = "====="


def _invoke(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", "LINES": "30", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", "from psremoting.cli.entry import main; main()", "invoke", *words],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60, check=False,
    )  # fmt: skip


def test_a_script_of_a_real_server_is_shown(pwsh: str) -> None:
    """The scripts run one after the other in one session, with a mark on both streams between
    them."""
    ends = f"$Host.UI.WriteLine('{MARK}'); $Host.UI.WriteErrorLine('{MARK}')"
    ran = _invoke([_server(pwsh), "\n".join(f"{script}\n{ends}" for script, _, _ in ROWS)])
    assert ran.returncode == 0
    shown = zip(ran.stdout.split(f"{MARK}\n"), ran.stderr.split(f"{MARK}\n"), strict=True)
    expected = [(out, errors) for _, out, errors in ROWS]
    assert [*shown] == [*expected, ("", "")]


def test_a_question_of_a_real_server_fails_without_a_terminal(pwsh: str) -> None:
    ran = _invoke([_server(pwsh), "Read-Host"])
    assert ran.stdout == ""
    assert ran.returncode == 1
    assert "NonInteractive" in ran.stderr


def _server(pwsh: str) -> str:
    return f"process:{pwsh} -s -NoLogo -NoProfile"
