"""Conversions give the results of the installed PowerShell."""

from __future__ import annotations

from pathlib import Path

from tests.live.conversions import ask
from tests.powershell.conversion_rows import compare, reason_to_differ


def test_conversions_equal_those_of_the_real_powershell(pwsh: str, tmp_path: Path) -> None:
    rows = list(compare(ask(pwsh, tmp_path)))
    assert len(rows) > 5000
    wrong = [
        (value, type_name, ours, theirs)
        for value, type_name, ours, theirs in rows
        if ours != theirs and reason_to_differ(value, type_name, theirs) is None
    ]
    assert wrong == []
