"""Check of typed text for completeness, as PSReadLine does before it runs a command."""

from __future__ import annotations

__all__ = ["needs_more"]


def needs_more(text: str) -> bool:
    """Return True if ``text`` is the start of a command. Text with another error is complete: it
    is sent, and the server reports the error."""
    # Imported with the first line, so that the prompt appears sooner.
    from psremoting.powershell.parse_errors import ParseError
    from psremoting.powershell.parser import parse

    try:
        parse(text)
    except ParseError as error:
        return error.incomplete
    return False
