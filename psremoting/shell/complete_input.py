"""Decides whether typed text is a complete command, as PSReadLine does before it runs it."""

from __future__ import annotations

__all__ = ["needs_more"]


def needs_more(text: str) -> bool:
    """Return True if ``text`` is the start of a command. Text with another error is complete: it
    is sent, and the server reports the error."""
    # Loaded with the first line: the prompt does not wait for it.
    from psremoting.powershell.parse_errors import ParseError
    from psremoting.powershell.parser import parse

    try:
        parse(text)
    except ParseError as error:
        return error.incomplete
    return False
