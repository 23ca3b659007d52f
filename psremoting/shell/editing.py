"""A line editor with completion, history and paste, by prompt_toolkit.

Its event loop runs in a separate thread while a line is typed; the session continues in trio. Text
that is written meanwhile appears above the line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from typing import Any

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, fragment_list_width, to_formatted_text
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.utils import get_cwidth

from psremoting.powershell.sanitizer import displayable
from psremoting.shell.editing_keys import command_keys
from psremoting.shell.keyboard import keys_unseen
from psremoting.shell.plain_reader import read_one_key
from psremoting.shell.reading import CONTINUATION, Complete, EndOfInput, Interrupted
from psremoting.shell.remote_completion import Match
from psremoting.shell.screen import Screen
from psrp.host_values import KeyInfo

__all__ = ["LineEditor"]

_CANCEL_WAIT = 2.0
"""Seconds in which a cancelled reader restores the terminal."""


class LineEditor:
    """A line editor on the terminal of stdin and stdout."""

    def __init__(self, screen: Screen, history: History) -> None:
        self._complete: Complete | None = None
        self._screen = screen
        output = Vt100_Output.from_pty(
            sys.stdout,
            default_color_depth=None if screen.colours else ColorDepth.DEPTH_1_BIT,
            enable_bell=False,
        )
        # The answer to a question for the cursor would mix with what is typed early.
        output.enable_cpr = False
        more: dict[str, Any] = {"input": create_input(sys.stdin), "output": output}
        self._commands: PromptSession[str] = PromptSession(
            history=history,
            completer=ThreadedCompleter(_Remote(self._matches)),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            prompt_continuation=_continuation,
            key_bindings=command_keys(),
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
        """Return False: Ctrl+C is a key while a line is typed; a signal concerns the command."""
        return False

    def silenced(self) -> AbstractContextManager[None]:
        return keys_unseen(sys.stdin.fileno())

    def _matches(self, text: str, cursor: int) -> list[Match]:
        """Ask the session for completions, from a thread."""
        if self._complete is None:
            return []
        try:
            return trio.from_thread.run(self._complete, text, cursor, trio_token=self._token)
        except Exception:
            # A failed completion must not prevent typing.
            return []

    async def _read(self, session: PromptSession[str], prompt: str) -> str:
        shown = displayable(prompt, colours=self._screen.colours, moves=False)
        ended = True
        try:
            return await _Typing(session, self._screen).read(shown)
        except KeyboardInterrupt:
            if session is not self._commands:
                _return_to_line(session, shown)
                ended = False
            raise Interrupted from None
        except EOFError:
            raise EndOfInput from None
        finally:
            self._screen.typed(ended=ended)


def _return_to_line(session: PromptSession[str], prompt: str) -> None:
    """Move the cursor back to the end of a question that was interrupted.

    PowerShell writes on after it; prompt_toolkit has already moved to the next line.
    """
    text = session.default_buffer.text
    shown = "*" * len(text) if session.is_password else text
    width = fragment_list_width(to_formatted_text(ANSI(prompt))) + get_cwidth(shown)
    output = session.app.output
    output.cursor_up(1)
    output.cursor_forward(width % max(output.get_size().columns, 1))
    output.flush()


class _Typing:
    """One line that is being read."""

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
            with trio.CancelScope(shield=True), trio.move_on_after(_CANCEL_WAIT):
                await self._done.wait()
            raise

    def _work(self, prompt: str) -> str:
        """Read in the thread."""
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
            # Text without a line end would be overwritten by the line that is typed.
            whole = text if text.endswith("\n") else text + "\n"
            await run_in_terminal(lambda: app.output.write_raw(whole))

        with suppress(RuntimeError):
            app.loop.call_soon_threadsafe(lambda: app.create_background_task(write()))


def _continuation(_width: int, _line: int, wrapped: int) -> str:
    """Return the prompt of a further line; none where one line is only too long."""
    return "" if wrapped else CONTINUATION


def _end(app: Application[str]) -> None:
    if app.is_running and not app.is_done:
        app.exit(exception=EOFError)


class _Nothing(InMemoryHistory):
    """A history that stores nothing, for secrets."""

    def append_string(self, string: str) -> None:
        return


class _Remote(Completer):
    """Completer that asks the session, from a separate thread.

    Several matches are first completed to what they have in common.
    """

    def __init__(self, matches: Callable[[str, int], list[Match]]) -> None:
        self._matches = matches

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text, cursor = document.text, document.cursor_position
        before = _units(text[:cursor])
        matches = [match for match in self._matches(text, before) if match.start <= before]
        if not matches:
            return
        start = _characters(text, matches[0].start)
        common = _common([_fit(match.text) for match in matches])
        if len(matches) > 1 and len(common) > cursor - start:
            yield Completion(common, start_position=start - cursor)
            return
        for match in matches:
            yield Completion(
                _fit(match.text),
                start_position=_characters(text, match.start) - cursor,
                # The columns are one cell wider than the longest; PSReadLine's are two.
                display=_fit(match.shown) + " ",
            )


def _fit(text: str) -> str:
    return displayable(text, colours=False, moves=False)


def _common(texts: list[str]) -> str:
    """Return the longest common beginning, compared without case."""
    columns = zip(*(text.casefold() for text in texts), strict=False)
    length = next(
        (at for at, column in enumerate(columns) if len(set(column)) > 1),
        min(len(text) for text in texts),
    )
    return texts[0][:length]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _characters(text: str, units: int) -> int:
    encoded = text.encode("utf-16-le", "surrogatepass")[: units * 2]
    return len(encoded.decode("utf-16-le", "ignore"))
