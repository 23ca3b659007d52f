"""Received objects are shown as PowerShell's own client shows them."""

from __future__ import annotations

import json
from typing import Any

from psremoting.powershell.formatting import lines_of
from psremoting.powershell.sanitizer import displayable
from psrp.clixml import load_all
from tests.powershell.record_formatting import RECORDING
from tests.rows import rows

_ROWS = [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]

ACCEPTED: dict[str, str] = {}
"""Expressions whose output differs, and the reason; see spec-notes/formatting.md."""


def shown(row: dict[str, Any]) -> list[str]:
    values = [value for text in row["clixml"] for value in (load_all(text) if text else [None])]
    # The recording was made without colours.
    return [displayable(line) for line in lines_of(*values, width=row["width"])]


@rows("row", _ROWS, ids=lambda row: f"{row['width']}-{row['expression'][:60]}")
def test_received_objects_are_shown_as_powershell_shows_them(row: dict[str, Any]) -> None:
    expected = row["shown"].split("\n")[:-1]
    if row["expression"] in ACCEPTED:
        assert shown(row) != expected, "equal now: take the row off the list"
    else:
        assert shown(row) == expected
