"""The local prompt: reads and runs lines until ``exit`` or Ctrl+D."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable

import trio

from psremoting.console.argument_completion import LocalCompletion
from psremoting.console.interpreter import run_text
from psremoting.console.terminal_surface import TerminalSurface
from psremoting.console.workspace import Workspace
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.session import PSSession
from psremoting.session_table import Opener
from psremoting.shell.entering import Console, open_console
from psremoting.shell.reading import EndOfInput, Interrupted, Reader

__all__ = ["PROMPT", "converse", "open_prompt", "run_once"]

PROMPT = "psrp> "
_MORE = ">> "

Work = Callable[[Workspace], Awaitable[None]]


async def open_prompt(*, connect: Opener | None = None) -> int:
    """Run a prompt on standard input and output; return the exit code."""
    console = open_console(sys.stdin, sys.stdout)
    surface = TerminalSurface(console, asks=sys.stdin.isatty())
    return await _live(console, surface, lambda w: converse(w, console, surface), connect)


async def run_once(work: Work, *, connect: Opener | None = None) -> int:
    """Do ``work`` for a command line: errors go to standard error, and missing parameters are
    not asked for; -Confirm asks at a terminal. The exit code is 1 after any error."""
    console = open_console(sys.stdin, sys.stdout)
    surface = TerminalSurface(console, confirms=sys.stdin.isatty(), errors=sys.stderr)

    async def told(workspace: Workspace) -> int:
        code = 130
        with surface.statement():
            await work(workspace)
            code = 1 if workspace.errors else 0
        return code if workspace.exit_code is None else workspace.exit_code

    return await _live(console, surface, told, connect)


async def _live(
    console: Console,
    surface: TerminalSurface,
    work: Callable[[Workspace], Awaitable[int]],
    connect: Opener | None,
) -> int:
    code = 130
    with trio.CancelScope() as everything:
        console.screen.on_gone = everything.cancel
        async with (
            Workspace.open(surface, connect=connect or PSSession.connect) as workspace,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(_on_signals, surface, everything)
            code = await work(workspace)
            nursery.cancel_scope.cancel()
    return code


async def _on_signals(
    surface: TerminalSurface,
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Handle SIGINT as Ctrl+C; SIGHUP and SIGTERM end the program."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGHUP, signal.SIGTERM) as signals:
        task_status.started()
        async for each in signals:
            if each == signal.SIGINT:
                surface.interrupt()
            else:
                everything.cancel()


async def converse(workspace: Workspace, console: Console, surface: TerminalSurface) -> int:
    """Read and run texts until the end; return the exit code."""
    reader = console.reader

    def take_keyboard() -> None:
        reader.completes_with(LocalCompletion(workspace).matches)

    surface.on_return = take_keyboard
    take_keyboard()
    while workspace.exit_code is None:
        console.screen.start_line()
        try:
            text = await _read(reader)
        except Interrupted:
            continue
        except EndOfInput:
            console.screen.start_line()
            return 0
        with surface.statement():
            try:
                await run_text(workspace, text)
            except ParseError as error:
                workspace.write_error(error.to_record("ParserError"))
    return workspace.exit_code


async def _read(reader: Reader) -> str:
    """Read a whole text: lines are added while it is incomplete; an empty line ends it."""
    text = await reader.read_command(PROMPT)
    while _incomplete(text):
        try:
            more = await reader.read_command(_MORE)
        except EndOfInput:
            break
        if not more.strip() and "@" not in text:
            break
        text += "\n" + more
    return text


def _incomplete(text: str) -> bool:
    try:
        parse(text)
    except ParseError as error:
        return error.incomplete
    return False
