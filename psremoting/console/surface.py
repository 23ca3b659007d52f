"""What the local prompt needs of the place where it stands: a terminal, a pipe, or a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from psremoting.client.hosts import Host
    from psremoting.session import PSSession

__all__ = ["Surface"]


class Surface(Protocol):
    @property
    def width(self) -> int:
        """Columns for a table."""

    @property
    def host(self) -> Host:
        """Who answers the host calls of the sessions that are opened here."""

    def output(self, text: str) -> None:
        """One or more lines of output, without the last line end."""

    def error(self, text: str) -> None:
        """An error, in the same form."""

    def warning(self, text: str) -> None:
        """A warning, without the word in front."""

    def notice(self, text: str) -> None:
        """A line that stood beside the protocol, such as ssh's own."""

    def clear(self) -> None:
        """Empty the screen, if there is one."""

    async def enter(self, session: PSSession) -> bool:
        """Let the user work in ``session`` until it is left, without closing it. False if it
        hangs, so that an orderly close would hang too.

        Raises PSRemotingError when it cannot be entered, and when it breaks meanwhile.
        """

    async def ask(self, question: str) -> str | None:
        """An answer of the user; None where nobody can be asked."""
