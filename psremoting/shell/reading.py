"""What a shell needs of a keyboard, whichever way it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from psremoting.shell.completion import Match
from psrp.host_values import KeyInfo

__all__ = ["Complete", "EndOfInput", "Interrupted", "Reader"]

Complete = Callable[[str, int], Awaitable[list[Match]]]
"""How a text may go on at a place in it, in UTF-16 code units."""


class Interrupted(Exception):
    """Ctrl+C instead of an answer."""


class EndOfInput(Exception):
    """Ctrl+D, or the end of the file that is read."""


class Reader(Protocol):
    """Reads one thing at a time. Each method raises Interrupted or EndOfInput."""

    async def read_command(self, prompt: str) -> str:
        """A line of the session itself: edited, completed, kept in the history. It may hold
        several lines that were pasted."""

    async def read_line(self, prompt: str) -> str:
        """An answer."""

    async def read_secret(self, prompt: str) -> str:
        """An answer that nobody sees; a star for each character."""

    async def read_key(self, *, echo: bool) -> KeyInfo:
        """One key."""

    def interrupt(self) -> bool:
        """A SIGINT has come: whether somebody reads, who is Interrupted then."""

    def completes_with(self, complete: Complete) -> None:
        """Use ``complete`` for commands, if there is a way to ask for it."""
