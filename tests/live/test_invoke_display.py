"""`psrp invoke` shows the output of a real server's scripts once and on the right stream."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.recordings import ROOT

TIME_LIMIT = 200

ROWS: tuple[tuple[str, str, str, int], ...] = (
    ("/bin/sh -c 'echo err >&2; echo out'", "out\n", "err\n", 0),
    ("'x' | Out-Host", "x\n", "", 0),
    ("5 | Out-Default", "5\n", "", 0),
    ("$Host.UI.WriteLine('u'); $Host.UI.Write('v'); $Host.UI.WriteErrorLine('e')",
     "u\nv", "e\n", 0),
    ("Write-Host 'a' -NoNewline; Write-Host 'b' -ForegroundColor Red", "ab\n", "", 0),
    ("Write-Host ''; Write-Host $null; Write-Host 'x'", "\n\nx\n", "", 0),
    ("Write-Information hidden; Write-Information shown -InformationAction Continue",
     "shown\n", "", 0),
    ("Write-Warning w; Write-Verbose v -Verbose; Write-Debug d -Debug", "",
     "WARNING: w\nVERBOSE: v\nDEBUG: d\n", 0),
    ("[pscustomobject]@{a=1;b='x'} | Format-Table", "\na b\n- -\n1 x\n\n", "", 0),
    ("1; Write-Host 'h'; 2", "1\nh\n2\n", "", 0),
    ("[single]0.1; 1e22; -0.0; ,[byte[]](1,2)", "0.1\n1E+22\n-0\n1\n2\n", "", 0),
    ("'[' + $Host.UI.RawUI.WindowSize.Width + ']'", "[100]\n", "", 0),
    ("Read-Host", "", "NonInteractive", 1),
)  # fmt: skip


def _invoke(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", "LINES": "30", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", "from psremoting.cli.entry import main; main()", "invoke", *words],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("script", "out", "errors", "code"), ROWS, ids=[row[0] for row in ROWS])
def test_a_script_of_a_real_server_is_shown(
    pwsh: str, script: str, out: str, errors: str, code: int
) -> None:
    ran = _invoke([f"process:{pwsh} -s -NoLogo -NoProfile", script])
    assert ran.stdout == out
    assert ran.returncode == code
    if code:
        assert errors in ran.stderr
    else:
        assert ran.stderr == errors
