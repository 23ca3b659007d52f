"""Warning, verbose, debug and information records as PowerShell's console shows them."""

from __future__ import annotations

from typing import Any

from psremoting.powershell.display_text import cell_text
from psrp.records import InformationRecord

__all__ = ["record_text"]

_MARKS = {"warning": "WARNING: ", "verbose": "VERBOSE: ", "debug": "DEBUG: "}


def record_text(stream: str, record: Any) -> str | None:
    """Return the text of a record of ``stream``; None for one that is not shown as a line.

    An information record is the text that Write-Host or Write-Information was given.
    """
    if stream in _MARKS:
        return _MARKS[stream] + str(record)
    if stream == "information" and isinstance(record, InformationRecord):
        shown = record.host_message
        return shown.message if shown is not None else cell_text(record.message_data)
    return None
