"""The text of an operating system's error for a user."""

from __future__ import annotations

import os

__all__ = ["os_error_text"]


def os_error_text(error: Exception, place: str = "") -> str:
    """Return an error's text with its file or ``place`` and without its number; another
    exception's text as it is."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = place if error.filename is None else os.fsdecode(error.filename)
    reason = error.strerror or os.strerror(error.errno)
    return f"{where}: {reason}" if where else reason
