"""Lines typed at a terminal: edited, completed, remembered, pasted; with prompt_toolkit.

Its event loop runs in a thread of its own for as long as one line is typed; the session goes on
in trio. What is written meanwhile appears above the line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from psremoting.powershell.sanitizer import displayable
from psremoting.shell.plain import read_one_key
from psremoting.shell.reading import CONTINUATION, Complete, EndOfInput, Interrupted
from psremoting.shell.remote_completion import Match
from psremoting.shell.screen import Screen
from psrp.host_values import KeyInfo

__all__ = ["LineEditor"]

_LAST_WORDS = 2.0
"""Seconds in which an abandoned line gives the terminal back."""


class LineEditor:
    """Reads from the terminal on stdin and stdout."""

    def __init__(self, screen: Screen, history: History) -> None:
        self._complete: Complete | None = None
        self._screen = screen
        output = Vt100_Output.from_pty(
            sys.stdout,
            default_color_depth=None if screen.colours else ColorDepth.DEPTH_1_BIT,
            enable_bell=False,
        )
        # Asking the terminal where the cursor is would mix its answer with what is typed ahead.
        output.enable_cpr = False
        more: dict[str, Any] = {"input": create_input(sys.stdin), "output": output}
        self._commands: PromptSession[str] = PromptSession(
            history=history,
            completer=ThreadedCompleter(_Remote(self._matches)),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            prompt_continuation=_continuation,
            **more,
        )
        self._answers: PromptSession[str] = PromptSession(history=InMemoryHistory(), **more)
        self._secrets: PromptSession[str] = PromptSession(
            history=_Nothing(), is_password=True, **more
        )
        self._token = trio.lowlevel.current_trio_token()

    async def read_command(self, prompt: str) -> str:
        return await self._read(self._commands, prompt)

    async def read_line(self, prompt: str) -> str:
        return await self._read(self._answers, prompt)

    async def read_secret(self, prompt: str) -> str:
        return await self._read(self._secrets, prompt)

    async def read_key(self, *, echo: bool) -> KeyInfo:
        return await read_one_key(sys.stdin.fileno(), self._screen, echo=echo)

    def completes_with(self, complete: Complete) -> None:
        self._complete = complete

    def interrupt(self) -> bool:
        """Ctrl+C is a key while a line is typed; a signal is for what runs."""
        return False

    def _matches(self, text: str, cursor: int) -> list[Match]:
        """In a thread: what the session knows."""
        if self._complete is None:
            return []
        try:
            return trio.from_thread.run(self._complete, text, cursor, trio_token=self._token)
        except Exception:
            # Whatever goes wrong here, the line can still be typed.
            return []

    async def _read(self, session: PromptSession[str], prompt: str) -> str:
        shown = displayable(prompt, colours=self._screen.colours, moves=False)
        try:
            return await _Typing(session, self._screen).read(shown)
        except KeyboardInterrupt:
            raise Interrupted from None
        except EOFError:
            raise EndOfInput from None
        finally:
            self._screen.typed()


class _Typing:
    """One line while it is typed."""

    def __init__(self, session: PromptSession[str], screen: Screen) -> None:
        self._session = session
        self._screen = screen
        self._abandoned = False
        self._app: Application[str] | None = None
        self._done = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    async def read(self, prompt: str) -> str:
        self._screen.typing(self._write_above)
        try:
            return await trio.to_thread.run_sync(self._work, prompt, abandon_on_cancel=True)
        except trio.Cancelled:
            self._abandon()
            with trio.CancelScope(shield=True), trio.move_on_after(_LAST_WORDS):
                await self._done.wait()
            raise

    def _work(self, prompt: str) -> str:
        """In the thread."""
        try:
            return self._session.prompt(ANSI(prompt), pre_run=self._started, handle_sigint=False)
        finally:
            self._app = None
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._done.set)

    def _started(self) -> None:
        self._app = self._session.app
        if self._abandoned:
            self._app.exit(exception=EOFError)

    def _abandon(self) -> None:
        self._abandoned = True
        app = self._app
        if app is not None and app.loop is not None:
            with suppress(RuntimeError):
                app.loop.call_soon_threadsafe(_end, app)

    def _write_above(self, text: str) -> None:
        app = self._app
        if app is None or app.loop is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return

        async def write() -> None:
            # A line that is not ended would be overwritten by the one that is typed.
            whole = text if text.endswith("\n") else text + "\n"
            await run_in_terminal(lambda: app.output.write_raw(whole))

        with suppress(RuntimeError):
            app.loop.call_soon_threadsafe(lambda: app.create_background_task(write()))


def _continuation(_width: int, _line: int, wrapped: int) -> str:
    """In front of the further lines of a paste; not where one line is only too long."""
    return "" if wrapped else CONTINUATION


def _end(app: Application[str]) -> None:
    if app.is_running and not app.is_done:
        app.exit(exception=EOFError)


class _Nothing(InMemoryHistory):
    """Remembers nothing: for secrets."""

    def append_string(self, string: str) -> None:
        return


class _Remote(Completer):
    """Runs in a thread of its own, and waits there for the session."""

    def __init__(self, matches: Callable[[str, int], list[Match]]) -> None:
        self._matches = matches

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text, cursor = document.text, document.cursor_position
        before = _units(text[:cursor])
        for match in self._matches(text, before):
            if match.start <= before:
                start = _characters(text, match.start)
                yield Completion(
                    displayable(match.text, colours=False, moves=False),
                    start_position=start - cursor,
                    display=displayable(match.shown, colours=False, moves=False),
                )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _characters(text: str, units: int) -> int:
    encoded = text.encode("utf-16-le", "surrogatepass")[: units * 2]
    return len(encoded.decode("utf-16-le", "ignore"))
