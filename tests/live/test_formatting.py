"""The recorded output of the formatting rows equals that of the installed PowerShell."""

from __future__ import annotations

import json

from tests.powershell.record_formatting import RECORDING, ask

TIME_LIMIT = 200


def test_the_recording_is_what_powershell_shows(pwsh: str) -> None:
    recorded = [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]
    shown = {(row["width"], row["expression"]): row["shown"] for row in ask(pwsh)}
    differences = [
        row["expression"]
        for row in recorded
        if shown[row["width"], row["expression"]] != row["shown"]
    ]
    assert len(recorded) > 140
    assert not differences
