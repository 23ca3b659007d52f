"""The loop of an entered session: prompt, line, output, error.
``ConsoleHost.cs``, InputLoop; spec-notes/interactive.md
"""

from __future__ import annotations

from enum import Enum
from typing import Any
from uuid import uuid4

import trio

from psremoting import errors
from psremoting.client.streams import StreamKind
from psremoting.powershell.string_conversion import to_text
from psremoting.session import PSSession
from psremoting.shell import line_pipelines
from psremoting.shell.complete_input import needs_more
from psremoting.shell.debugger_prompt import DebuggerPrompt
from psremoting.shell.foreground import Foreground
from psremoting.shell.output import OutputView
from psremoting.shell.reading import CONTINUATION, EndOfInput, Interrupted, Reader
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psrp import events as e
from psrp.clixml import Dictionary, Enumerable, List, PSObject
from psrp.properties import unwrap
from psrp.records import ErrorRecord

__all__ = ["Leaving", "Shell"]

DEFAULT_PROMPT = "PS>"
_NOT_PROVIDED = (
    "Enter-PSSession failed because the remote session does not provide required commands."
)
_NOT_RUN = (
    "Command '{}' was not run as the session in which it was intended to run was either closed "
    "or broken"
)
_CUT_OFF = "The input ended inside a command, which was not run:\n{}"


class Leaving(Enum):
    """The reason why a session was left."""

    EXIT = "exit"
    """The user or the server ended it in an orderly way."""
    LOST = "lost"
    """The session is closed or broken."""
    HUNG = "hung"
    """The user aborted it: it did not open, or a command did not stop."""
    CUT_OFF = "cut off"
    """The input ended inside a command of several lines."""
    INTERRUPTED = "interrupted"
    """Ctrl+C while it was opened."""
    ENDED = "ended"
    """SIGTERM, or the terminal was closed."""


_CREDENTIAL = "System.Management.Automation.PSCredential"
"""The one class of which PowerShell makes an object again."""


def _prompt_text(value: Any) -> str:
    """Return what PowerShell shows of a prompt: the text of the value without its members."""
    inner = unwrap(value)
    if isinstance(inner, PSObject):
        return _CREDENTIAL if _CREDENTIAL in inner.type_names[:1] else ""
    if isinstance(inner, List | Enumerable):
        return "System.Collections.ArrayList"
    if isinstance(inner, Dictionary):
        return inner.type_names[0].removeprefix("Deserialized.")
    return to_text(inner)


class Shell:
    """An interactive session on ``host``, which must be the session's own host.

    Call `interrupt` for Ctrl+C.
    """

    def __init__(self, session: PSSession, host: TerminalHost) -> None:
        self.exit_code: int | None = None
        """The code of a remote ``exit``."""
        self._session = session
        self._host = host
        self._screen: Screen = host.screen
        self._reader: Reader = host.reader
        self._foreground = Foreground(host.screen, host.reader)
        self._view = OutputView(host.screen)
        self._debugger = DebuggerPrompt(
            session, host.screen, self._foreground, self._view, self._read
        )
        self._popped = False
        self._cut_off = False

    def interrupt(self) -> None:
        """React to Ctrl+C: stop the command that runs."""
        self._foreground.interrupt()

    # -- the loop

    async def run(self) -> Leaving:
        """Run until the session is left. Raises PSRemotingError if it cannot be entered."""
        if self._session.prompt_style.definition:
            await self._define_prompt()
        await self._validate()
        self._host.on_pop = self._pop
        self._host.on_exit = self._exit
        try:
            with self._reader.silenced():
                return await self._run_lines()
        finally:
            self._host.on_pop = lambda: None
            self._host.on_exit = lambda _: None
            self._session.on_debugger_stop(None)
            self._screen.muted = False

    async def _run_lines(self) -> Leaving:
        while (leaving := self._left()) is None:
            try:
                line = await self._next_line()
            except Interrupted:
                continue
            except EndOfInput:
                self._screen.start_line()
                return self._left() or Leaving.EXIT
            if line is not None:
                await self._run(line)
        return leaving

    def _left(self) -> Leaving | None:
        if self._cut_off:
            return Leaving.CUT_OFF
        if self._foreground.hung:
            return Leaving.HUNG
        if self._popped:
            return Leaving.EXIT
        return None if self._session.state == "Opened" else Leaving.LOST

    def _pop(self) -> None:
        self._popped = True

    def _exit(self, code: int) -> None:
        """Leave at the end of the pipeline that ran ``exit``, and show nothing that it writes
        after that."""
        self._popped = self._screen.muted = True
        self.exit_code = code

    async def _define_prompt(self) -> None:
        """Define the prompt function of the carrier. A server without language keeps its own."""
        definition = self._session.prompt_style.definition
        invocation = await self._session.start(
            line_pipelines.prompt_definition(uuid4(), definition)
        )
        await self._foreground.wait(invocation, invocation.wait)

    async def _validate(self) -> None:
        """Refuse a session that could not be left again. ``PushRunspaceCommand.cs``"""
        invocation = await self._session.start(line_pipelines.required_commands(uuid4()))
        result = await self._foreground.wait(invocation, invocation.result)
        if result is None or result.error is not None or len(result.output) < 3:
            raise errors.PSRemotingError(
                _NOT_PROVIDED,
                error_id="PushedRunspaceMustBeOpen"
                if self._session.state != "Opened"
                else "System.Management.Automation.Remoting.PSRemotingDataStructureException",
                computer="",
            ) from self._session.error

    # -- reading a line

    async def _next_line(self) -> str | None:
        """Read the next command; None for an empty line, or when the session has ended."""
        prompt = await self._prompt()
        if self._left() is not None:
            return None
        line = await self._read(prompt)
        if line is None or not line.strip():
            return None
        return line

    async def _read(self, prompt: str) -> str | None:
        """Read a command, with further lines while it is incomplete; None when the session ended
        meanwhile."""
        text = await self._read_line(prompt)
        while text is not None and needs_more(text):
            more = await self._read_more(text)
            text = None if more is None else f"{text}\n{more}"
        return text

    async def _read_more(self, text: str) -> str | None:
        try:
            return await self._read_line(CONTINUATION)
        except EndOfInput:
            self._cut_off = True
            self._screen.start_line()
            self._screen.error(_CUT_OFF.format(text))
            raise

    async def _read_line(self, prompt: str) -> str | None:
        line: str | None = None
        failure: Interrupted | EndOfInput | None = None
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await self._session.ended()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            try:
                line = await self._reader.read_command(prompt)
            except (Interrupted, EndOfInput) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if line is None:
            self._screen.start_line()
        return line

    async def _prompt(self) -> str:
        """Ask the server for its prompt; a value that is no scalar is replaced."""
        self._screen.start_line()
        try:
            invocation = await self._session.start(line_pipelines.prompt_pipeline(uuid4()))
            # After Wait-Debugger alone, the server stops in the prompt function.
            result = await self._foreground.wait(
                invocation, invocation.result, meanwhile=self._debugger.serve
            )
        except errors.SessionNotOpen:
            return ""
        text = ""
        if result is not None:
            for record in result.streams.error:
                self._screen.start_line()
                self._screen.error(record.message)
            if result.error is None and result.output:
                text = _prompt_text(result.output[0])
        # The editor would show a tab as ^I.
        return (self._session.prompt_style.prefix + (text or DEFAULT_PROMPT)).expandtabs(8)

    # -- running a line

    async def _run(self, line: str) -> None:
        record = await self._run_once(line)
        while line_pipelines.is_incomplete(record):
            # The server reads a language that this side does not know.
            try:
                more = await self._read_more(line)
            except (Interrupted, EndOfInput):
                return
            if more is None or self._left() is not None:
                return
            line += "\n" + more
            record = await self._run_once(line)
        if record is not None:
            await self._show_error(record)

    async def _run_once(self, line: str) -> ErrorRecord | None:
        """Run a line and show its output; return the error that ended it."""
        try:
            invocation = await self._session.start(
                line_pipelines.line_pipeline(uuid4(), line), show=self._show
            )
        except errors.SessionNotOpen:
            self._screen.error(_NOT_RUN.format(line))
            return None
        await self._foreground.wait(invocation, invocation.wait, meanwhile=self._debugger.serve)
        self._view.end()
        self._screen.end_progress()
        if self._session.state != "Opened" or self._foreground.hung or self._popped:
            return None
        if isinstance(invocation.error, errors.PSRemotingError):
            return invocation.error.to_record()
        if invocation.state is e.InvocationState.STOPPED:
            return errors.stopped_record()
        return None

    def _show(self, kind: StreamKind, item: Any) -> None:
        """Show output that did not go through the server's Out-Default."""
        self._view.add(kind, item)

    async def _show_error(self, record: ErrorRecord) -> None:
        """Let the server format an error; format it here if it cannot."""
        try:
            invocation = await self._session.start(
                line_pipelines.error_pipeline(uuid4()),
                input=[line_pipelines.error_input(record)],
                show=self._show,
            )
        except errors.SessionNotOpen:
            return
        await self._foreground.wait(invocation, invocation.wait)
        if invocation.error is not None and self._session.state == "Opened":
            self._view.error(record)
