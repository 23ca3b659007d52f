"""The interface of a keyboard, with one read at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from psremoting.shell.remote_completion import Match
    from psrp.host_values import KeyInfo

__all__ = ["CONTINUATION", "Complete", "EndOfInput", "Interrupted", "Reader"]

CONTINUATION = ">> "
"""The prompt of further lines."""

Complete = Callable[[str, int], Awaitable["list[Match]"]]
"""Returns the completions of a text at a position in it, in UTF-16 code units."""


class Interrupted(Exception):
    """Ctrl+C in place of input."""


class EndOfInput(Exception):
    """Ctrl+D, or the end of the file that is read."""


class Reader(Protocol):
    """A keyboard, with one read at a time. Each read raises Interrupted or EndOfInput."""

    async def read_command(self, prompt: str) -> str:
        """Read a line for the session, with editing, completion and history. It may consist of
        several lines that were pasted."""

    async def read_line(self, prompt: str) -> str:
        """Read an answer."""

    async def read_secret(self, prompt: str) -> str:
        """Read an answer and echo stars."""

    async def read_key(self, *, echo: bool) -> KeyInfo:
        """Read one key."""

    def silenced(self) -> AbstractContextManager[None]:
        """Disable echo during a block while nothing is read. The next
        reading method takes it."""

    def interrupt(self) -> bool:
        """React to SIGINT; True if a reading method was running and raises Interrupted."""

    def completes_with(self, complete: Complete) -> None:
        """Use ``complete`` for commands, if this reader has completion."""
