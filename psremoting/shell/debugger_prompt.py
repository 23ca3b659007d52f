"""The prompt of the debugger, while a remote script has stopped."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
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
from psremoting.client.streams import StreamKind
from psremoting.shell.reading import EndOfInput, Interrupted
from psrp.enums import ConsoleColor

if TYPE_CHECKING:
    from psremoting.session import PSSession
    from psremoting.shell.foreground import Foreground
    from psremoting.shell.output import OutputView
    from psremoting.shell.screen import Screen
    from psrp.records import ErrorRecord

__all__ = ["DebuggerPrompt"]

_BANNER = "Entering debug mode. Use h or ? for help."
ReadCommand = Callable[[str], Awaitable["str | None"]]


class DebuggerPrompt:
    """Prompt that shows stops and runs lines in the debugger until the script continues.

    ``read`` reads a line with a prompt; None when the session has ended. ``show_error`` shows how
    a line failed.
    """

    def __init__(
        self,
        session: PSSession,
        screen: Screen,
        foreground: Foreground,
        view: OutputView,
        read: ReadCommand,
    ) -> None:
        self._session = session
        self._screen = screen
        self._foreground = foreground
        self._view = view
        self._read = read
        self._banner_shown = False
        self._stops_out, self._stops = trio.open_memory_channel[Stop](math.inf)
        session.on_debugger_stop(self._stops_out.send_nowait)

    async def serve(self) -> None:
        """Run the debugger at every stop while a line runs."""
        while True:
            stop = await self._stops.receive()
            # The script's output before the stop is shown first.
            await self._session.host_calls_done()
            self._announce(stop)
            try:
                action = await self._debug()
                invocation = await self._session.start(action_pipeline(uuid4(), action))
            except errors.SessionNotOpen:
                # The line that has stopped ends with the session, and reports it.
                return
            await self._foreground.wait(invocation, invocation.wait)

    def _announce(self, stop: Stop) -> None:
        self._screen.start_line()
        lines = [] if self._banner_shown else [_BANNER, ""]
        self._banner_shown = True
        if stop.breakpoints:
            lines += [*(f"Hit {each}" for each in stop.breakpoints), ""]
        lines += stop.position.splitlines()
        for line in lines:
            self._screen.write_line(line, ConsoleColor.Yellow)

    async def _debug(self) -> ResumeAction:
        while self._session.state == "Opened" and not self._foreground.hung:
            try:
                line = await self._read(await self._prompt())
                action = None if line is None else await self._run(line)
            except Interrupted:
                continue
            except EndOfInput:
                self._screen.start_line()
                return ResumeAction.Continue
            if action is not None:
                return action
        return ResumeAction.Continue

    async def _prompt(self) -> str:
        self._screen.start_line()
        event = debugger_pipeline(uuid4(), "prompt", is_script=False)
        invocation = await self._session.start(event)
        result = await self._foreground.wait(invocation, invocation.result)
        output = [item for item in (result.output if result else []) if read_results(item) is None]
        text = output[0] if output and isinstance(output[0], str) else DEBUG_PROMPT
        return self._session.prompt_style.prefix + text

    async def _run(self, line: str) -> ResumeAction | None:
        answers: list[Results] = []

        def show(kind: StreamKind, item: Any) -> None:
            answer = read_results(item)
            if answer is not None:
                answers.append(answer)
            else:
                self._view.add(kind, item)

        invocation = await self._session.start(debugger_pipeline(uuid4(), line), show=show)
        await self._foreground.wait(invocation, invocation.wait)
        self._view.end()
        if isinstance(invocation.error, errors.PipelineFailed) and not answers:
            # As in PowerShell, a terminating error leaves the debugger without a word.
            return ResumeAction.Continue
        if isinstance(invocation.error, errors.PSRemotingError):
            record: ErrorRecord = invocation.error.to_record()
            self._view.error(record)
        return answers[-1].action if answers else None
