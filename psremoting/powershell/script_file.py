"""Script files of this machine, in the encodings that PowerShell reads."""

from __future__ import annotations

import codecs
from pathlib import Path

__all__ = ["decode_script", "read_script"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_script(path: Path) -> str:
    """Return the text of a script file. Raises OSError."""
    return decode_script(path.read_bytes())


def decode_script(data: bytes) -> str:
    """Decode by the byte order mark, else as UTF-8; invalid bytes become U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")
