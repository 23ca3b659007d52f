"""The interface between the local prompt and its terminal, pipe or test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from psremoting.client.hosts import Host
    from psremoting.session import PSSession
    from psrp.records import ProgressRecord

__all__ = ["Surface"]


class Surface(Protocol):
    @property
    def width(self) -> int:
        """The width in columns."""

    @property
    def host(self) -> Host:
        """The host that answers the host calls of the prompt's sessions."""

    def output(self, text: str) -> None:
        """Show output: one or more lines, without the last line end."""

    def error(self, text: str) -> None:
        """Show an error, in the same form."""

    def warning(self, text: str) -> None:
        """Show a warning; the text has no prefix."""

    def notice(self, text: str) -> None:
        """Show diagnostic text of a transport, such as a line of ssh."""

    def progress(self, record: ProgressRecord) -> None:
        """Show the progress of a command, where there is a place for it."""

    def clear(self) -> None:
        """Clear the screen, if there is one."""

    async def enter(self, session: PSSession) -> bool:
        """Run ``session`` interactively until the user leaves it, without closing it. False if it
        hangs, so that an orderly close would hang too.

        Raises PSRemotingError when it cannot be entered, and when it breaks meanwhile.
        """

    async def ask(self, question: str, *, confirming: bool = False) -> str | None:
        """Ask the user, ``confirming`` a change or for a value; None if that is not possible."""
