"""The local prompt on a terminal or a pipe: its output, and how it enters a session.

Everything that this package needs of `psremoting.shell` is here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO
from uuid import uuid4

import trio

from psremoting.client.hosts import Host
from psremoting.powershell.sanitizer import displayable
from psremoting.session import PSSession
from psremoting.shell.entering import Console
from psremoting.shell.loop import Leaving, Shell
from psremoting.shell.reading import EndOfInput, Interrupted
from psremoting.shell.remote_completion import RemoteCompletion
from psremoting.shell.terminal_host import TerminalHost
from psrp.records import ProgressRecord

__all__ = ["TerminalSurface"]


class TerminalSurface:
    """Surface with output to ``console`` and errors to ``errors`` if given, for script commands.
    ``asks`` allows questions, for missing parameters too; ``confirms`` those of -Confirm only."""

    def __init__(
        self,
        console: Console,
        *,
        asks: bool = False,
        confirms: bool = False,
        errors: TextIO | None = None,
    ) -> None:
        self._screen = console.screen
        self._reader = console.reader
        self._errors = errors
        self._asks = asks
        self._confirms = confirms or asks
        self._host = TerminalHost(console.screen, console.reader, instance_id=uuid4())
        self._shell: Shell | None = None
        self._scope: trio.CancelScope | None = None
        self.on_return: Callable[[], None] = lambda: None
        """Called after a session, to take the keyboard back."""

    @property
    def width(self) -> int:
        return self._screen.size.width

    @property
    def host(self) -> Host:
        return self._host

    def output(self, text: str) -> None:
        self._screen.write_line(text)

    def error(self, text: str) -> None:
        if self._errors is None:
            self._screen.error(text)
        else:
            print(text, file=self._errors, flush=True)

    def warning(self, text: str) -> None:
        self._screen.warning(text)

    def notice(self, text: str) -> None:
        text = displayable(text)
        # At a terminal it is shown above the line that is being typed.
        if self._screen.terminal and (self._shell is not None or self._errors is None):
            self._screen.write_line(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def progress(self, record: ProgressRecord) -> None:
        self._screen.progress(0, record)

    def clear(self) -> None:
        self._screen.clear()

    # -- Ctrl+C

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Yield while a text runs, which Ctrl+C then stops."""
        outer = self._scope
        try:
            with trio.CancelScope() as scope:
                self._scope = scope
                yield
            if scope.cancelled_caught and self._screen.terminal:
                # The terminal has shown ^C in place of the line.
                self._screen.write("\n")
        finally:
            self._scope = outer

    def interrupt(self) -> None:
        """Pass on Ctrl+C to the entered session, to a question, or to the running text."""
        if self._shell is not None:
            self._shell.interrupt()
        elif not self._reader.interrupt() and self._scope is not None:
            self._scope.cancel()

    # -- sessions

    async def enter(self, session: PSSession) -> bool:
        self._shell = shell = Shell(session, self._host)
        self._reader.completes_with(RemoteCompletion(session).matches)
        try:
            leaving = await shell.run()
        finally:
            self._shell = None
            self.on_return()
        if leaving is Leaving.LOST and session.error is not None:
            self._screen.start_line()
            raise session.error
        return leaving is not Leaving.HUNG

    async def ask(self, question: str, *, confirming: bool = False) -> str | None:
        if not (self._confirms if confirming else self._asks):
            return None
        *head, last = question.split("\n")
        for line in head:
            self._screen.write_line(line)
        try:
            return await self._reader.read_line(last)
        except (Interrupted, EndOfInput):
            return None
