"""The life of an entered session: prompt, line, what it runs, how it failed, the next prompt.
``ConsoleHost.cs``, InputLoop; spec-notes/interactive.md
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar
from uuid import uuid4

import trio

from psremoting import errors
from psremoting.client.debugger import (
    DEBUG_PROMPT,
    Results,
    ResumeAction,
    Stop,
    action_pipeline,
    debugger_pipeline,
    read_results,
)
from psremoting.client.invocation import Invocation
from psremoting.client.streams import StreamKind
from psremoting.errors import stopped_record
from psremoting.powershell.error_view import error_text
from psremoting.powershell.formatting import Formatter
from psremoting.powershell.value_text import text_of
from psremoting.session import PSSession
from psremoting.shell import line_pipelines
from psremoting.shell.reading import CONTINUATION, EndOfInput, Interrupted, Reader
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psrp import events as e
from psrp.enums import ConsoleColor
from psrp.records import ErrorRecord

__all__ = ["Leaving", "Shell"]

T = TypeVar("T")
_NOT_PROVIDED = (
    "Enter-PSSession failed because the remote session does not provide required commands."
)
_NOT_RUN = (
    "Command '{}' was not run as the session in which it was intended to run was either closed "
    "or broken"
)
_DEBUGGER_BANNER = "Entering debug mode. Use h or ? for help."
_HANGS = "The command has not stopped yet. Close the session? [y/N]: "


DEFAULT_PROMPT = "PS>"


class Leaving(Enum):
    """Why a session was left."""

    EXIT = "exit"
    """The user wanted it, or the other side did: Exit-PSSession."""
    LOST = "lost"
    """The session is closed or broken."""
    HUNG = "hung"
    """It was given up: it did not open in time for the user, or a command would not stop."""


class Shell:
    """An interactive session on ``host``, which has to be the session's own host.

    Call `interrupt` for Ctrl+C.
    """

    def __init__(self, session: PSSession, host: TerminalHost) -> None:
        self._session = session
        self._screen: Screen = host.screen
        self._reader: Reader = host.reader
        self._popped = False
        self._attended: list[trio.MemorySendChannel[None]] = []
        """Who takes Ctrl+C: what runs, and the last of it what runs in the debugger."""
        self._stops_out, self._stops = trio.open_memory_channel[Stop](math.inf)
        self._banner_shown = False
        session.on_debugger_stop(self._stops_out.send_nowait)
        self._hung = False
        host.on_interrupt = self.interrupt
        host.on_pop = lambda: None
        self.exit_code: int | None = None
        """The code of a remote ``exit``."""
        self._host = host

    def interrupt(self) -> None:
        """Ctrl+C: stops what runs, or asks for patience to end when it is stopping already."""
        if not self._reader.interrupt() and self._attended:
            self._attended[-1].send_nowait(None)

    # -- the loop

    async def run(self) -> Leaving:
        """Until it is left. Raises PSRemotingError when it cannot be entered at all."""
        if self._session.prompt_style.definition:
            await self._define_prompt()
        await self._validate()
        self._host.on_pop = self._pop
        self._host.on_exit = self._exit
        try:
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
        finally:
            self._host.on_pop = lambda: None
            self._host.on_exit = lambda _: None
            self._screen.muted = False

    def _left(self) -> Leaving | None:
        if self._hung:
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
        await self._attend(invocation, invocation.wait)

    async def _validate(self) -> None:
        """Refuse what could not be left again. ``PushRunspaceCommand.cs``"""
        invocation = await self._session.start(line_pipelines.required_commands(uuid4()))
        result = await self._attend(invocation, invocation.result)
        if result is None or result.error is not None or len(result.output) < 3:
            raise errors.PSRemotingError(
                _NOT_PROVIDED,
                error_id="PushedRunspaceMustBeOpen"
                if self._session.state != "Opened"
                else "System.Management.Automation.Remoting.PSRemotingDataStructureException",
                computer="",
            ) from self._session.error

    # -- lines

    async def _next_line(self) -> str | None:
        """What to run, several lines where the other side wants more; None for nothing."""
        prompt = await self._prompt()
        if self._left() is not None:
            return None
        line = await self._read(prompt)
        if line is None or not line.strip():
            return None
        return line

    async def _continued(self, block: str) -> str:
        """More lines behind an incomplete one, up to an empty one."""
        while True:
            line = await self._read(CONTINUATION)
            if line is None or not line.strip():
                return block
            block += "\n" + line

    async def _read(self, prompt: str) -> str | None:
        """A typed line; None when the session ended meanwhile."""
        line: str | None = None
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await self._session.ended()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            interrupted = ended = False
            try:
                line = await self._reader.read_command(prompt)
            except Interrupted:
                interrupted = True
            except EndOfInput:
                ended = True
            nursery.cancel_scope.cancel()
        if interrupted:
            raise Interrupted
        if ended:
            raise EndOfInput
        if line is None:
            self._screen.start_line()
        return line

    async def _prompt(self) -> str:
        self._screen.start_line()
        text = ""
        try:
            invocation = await self._session.start(line_pipelines.prompt_pipeline(uuid4()))
            result = await self._attend(invocation, invocation.result)
        except errors.SessionNotOpen:
            return ""
        if result is not None and result.error is None and result.output:
            text = text_of(result.output[0])
        return self._remote_prompt(text or DEFAULT_PROMPT)

    def _remote_prompt(self, text: str) -> str:
        return self._session.prompt_style.prefix + text

    # -- what a line does

    async def _run(self, line: str) -> None:
        record = await self._run_once(line)
        while line_pipelines.is_incomplete(record):
            try:
                line = await self._continued(line)
            except (Interrupted, EndOfInput):
                return
            if self._left() is not None:
                return
            record = await self._run_once(line)
        if record is not None:
            await self._show_error(record)

    async def _run_once(self, line: str) -> ErrorRecord | None:
        """Run it, with its output shown as it comes. How it failed, if it did."""
        try:
            invocation = await self._session.start(line_pipelines.line_pipeline(uuid4(), line))
        except errors.SessionNotOpen:
            self._screen.error(_NOT_RUN.format(line))
            return None
        await self._attend(invocation, lambda: self._show(invocation), debugs=True)
        self._screen.end_progress()
        if self._session.state != "Opened" or self._hung:
            return None
        if isinstance(invocation.error, errors.PSRemotingError):
            return invocation.error.to_record()
        if invocation.state is e.InvocationState.STOPPED:
            return stopped_record()
        return None

    async def _show(self, invocation: Invocation, results: list[Results] | None = None) -> None:
        """What did not go through Out-Default; nothing, as a rule. ``results`` gets what the
        debugger has to say."""
        formatter = Formatter(self._screen.size.width)
        try:
            async for kind, item in invocation.merged():
                told = None if results is None else read_results(item)
                if results is not None and told is not None:
                    results.append(told)
                elif kind is StreamKind.OUTPUT:
                    for line in formatter.feed(item):
                        self._screen.write_line(line)
                elif kind is StreamKind.ERROR:
                    self._screen.error(error_text(item, view="concise"))
        except errors.PSRemotingError:
            # The invocation keeps the error, which is shown at its end.
            pass
        for line in formatter.flush():
            self._screen.write_line(line)

    async def _show_error(self, record: ErrorRecord) -> None:
        """Have the other side make lines of an error; do it here when it cannot."""
        try:
            invocation = await self._session.start(
                line_pipelines.error_pipeline(uuid4()), input=[record.to_object()]
            )
        except errors.SessionNotOpen:
            return
        await self._attend(invocation, lambda: self._show(invocation))
        if invocation.error is not None and self._session.state == "Opened":
            self._screen.error(error_text(record, view="concise"))

    # -- the debugger

    async def _debug_on_stop(self) -> None:
        """As long as a line runs: it may stop at a breakpoint, again and again."""
        while True:
            stop = await self._stops.receive()
            self._announce(stop)
            try:
                action = await self._debug()
                invocation = await self._session.start(action_pipeline(uuid4(), action))
            except errors.SessionNotOpen:
                # The line that has stopped ends with the session, and tells.
                return
            await self._attend(invocation, invocation.wait)

    def _announce(self, stop: Stop) -> None:
        self._screen.start_line()
        said = [f"Hit {each}" for each in stop.breakpoints]
        said += ["", stop.position] if stop.position else []
        if not self._banner_shown:
            said = [_DEBUGGER_BANNER, "", *said]
            self._banner_shown = True
        for line in said:
            self._screen.write_line(line, ConsoleColor.Yellow)

    async def _debug(self) -> ResumeAction:
        """Lines for the debugger, until one says how the script goes on."""
        while self._left() is None:
            prompt = await self._debugger_prompt()
            try:
                line = await self._read(prompt)
                action = None if line is None else await self._debugger_line(line)
            except Interrupted:
                continue
            except EndOfInput:
                return ResumeAction.Stop
            if action is not None:
                return action
        return ResumeAction.Continue

    async def _debugger_prompt(self) -> str:
        self._screen.start_line()
        event = debugger_pipeline(uuid4(), "prompt", is_script=False)
        invocation = await self._session.start(event)
        result = await self._attend(invocation, invocation.result)
        told = [item for item in (result.output if result else []) if read_results(item) is None]
        return self._remote_prompt(text_of(told[0]) if told else DEBUG_PROMPT)

    async def _debugger_line(self, line: str) -> ResumeAction | None:
        while True:
            invocation = await self._session.start(debugger_pipeline(uuid4(), line))
            results: list[Results] = []
            await self._attend(invocation, lambda: self._show(invocation, results))  # noqa: B023
            record = (
                invocation.error.to_record()
                if isinstance(invocation.error, errors.PSRemotingError)
                else None
            )
            if not line_pipelines.is_incomplete(record):
                break
            line = await self._continued(line)
        if record is not None:
            self._screen.error(error_text(record, view="concise"))
        return results[-1].action if results else None

    # -- Ctrl+C

    async def _attend(
        self, invocation: Invocation, wait: Callable[[], Awaitable[T]], *, debugs: bool = False
    ) -> T | None:
        """Wait for what runs. Ctrl+C stops it; None when the user has given up on it."""
        interrupts_out, interrupts = trio.open_memory_channel[None](math.inf)
        self._attended.append(interrupts_out)
        result: T | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_on_interrupt, invocation, interrupts, nursery)
                if debugs:
                    nursery.start_soon(self._debug_on_stop)
                result = await wait()
                nursery.cancel_scope.cancel()
        finally:
            self._attended.remove(interrupts_out)
        return result

    async def _stop_on_interrupt(
        self,
        invocation: Invocation,
        interrupts: trio.MemoryReceiveChannel[None],
        nursery: trio.Nursery,
    ) -> None:
        await interrupts.receive()
        nursery.start_soon(self._stop, invocation)
        while True:
            await interrupts.receive()
            if await self._wants_to_close():
                self._hung = True
                nursery.cancel_scope.cancel()

    async def _stop(self, invocation: Invocation) -> None:
        try:
            await invocation.stop()
        except errors.CancelTimeout as error:
            self._screen.error(str(error))

    async def _wants_to_close(self) -> bool:
        self._screen.start_line()
        try:
            answer = await self._reader.read_line(_HANGS)
        except Interrupted:
            return False
        except EndOfInput:
            return True
        return answer.strip().casefold() in ("y", "yes")
