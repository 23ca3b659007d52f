"""Enter a target: the terminal is set up, the session opened, and everything given back after."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO
from uuid import uuid4

import trio

from psremoting import errors
from psremoting.powershell.sanitizer import displayable
from psremoting.session import PSSession
from psremoting.shell.late_editor import LateEditor
from psremoting.shell.loop import Leaving, Shell
from psremoting.shell.plain import PlainReader
from psremoting.shell.remote_completion import RemoteCompletion
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psremoting.targets import parse_target
from psrp.records import ErrorCategory, ErrorRecord

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier
    from psremoting.options import SessionOption
    from psremoting.shell.reading import Reader
    from psremoting.targets import Target

__all__ = ["Console", "enter", "enter_error", "open_console"]

_ENTER = "Microsoft.PowerShell.Commands.EnterPSSessionCommand"
_DATA_STRUCTURE = "System.Management.Automation.Remoting.PSRemotingDataStructureException"


@dataclass(frozen=True, slots=True)
class Console:
    """Where a session is shown and typed."""

    screen: Screen
    reader: Reader


def open_console(stdin: TextIO, stdout: TextIO) -> Console:
    """The terminal on ``stdin`` and ``stdout``, with all it can; lines where it is none.

    A terminal that is called dumb, and one without a name, gets lines only. NO_COLOR takes the
    colours away.
    """
    able = os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    terminal = able and stdout.isatty()
    colours = terminal and not os.environ.get("NO_COLOR")
    screen = Screen(stdout, terminal=terminal, colours=colours)
    if not (terminal and stdin.isatty()):
        return Console(screen, PlainReader(stdin, screen))
    return Console(screen, LateEditor(screen))


@contextmanager
def terminal_restored(stdin: TextIO) -> Iterator[None]:
    """However the block ends, the terminal is as it was."""
    try:
        descriptor = stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        # When the window is gone, so is its state.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def enter_error(error: errors.PSRemotingError) -> ErrorRecord:
    """As Enter-PSSession reports it: the words are those of the cause, the id is its own."""
    identifier, category = error.error_id, error.category
    if isinstance(error, errors.PSRemotingTransportError):
        identifier, category = _DATA_STRUCTURE, ErrorCategory.ResourceUnavailable
    if not identifier.endswith(_ENTER):
        identifier = f"{identifier},{_ENTER}"
    return ErrorRecord.create(
        error.message,
        error_id=identifier,
        category=category,
        exception_type=error.exception_type,
        activity="Enter-PSSession",
    )


async def enter(
    target: str | Target | Carrier, console: Console, *, options: SessionOption | None = None
) -> Leaving:
    """Enter a session of its own, which ends with it. Ctrl+C while it opens gives it up.

    Raises PSRemotingError when it cannot be opened or entered.
    """
    screen = console.screen
    if isinstance(target, str):
        target = parse_target(target)
    host = TerminalHost(screen, console.reader, instance_id=uuid4())
    leaving = Leaving.HUNG
    broken: errors.PSRemotingTransportError | None = None
    failure: errors.PSRemotingError | None = None
    async with trio.open_nursery() as everything:
        screen.on_gone = everything.cancel_scope.cancel
        beside = _Beside(console, everything.cancel_scope)
        await everything.start(beside.watch)
        try:
            async with PSSession.connect(
                target, options=options, host=host, like_powershell=True, on_notice=beside.notice
            ) as session:
                beside.shell = shell = Shell(session, host)
                console.reader.completes_with(RemoteCompletion(session).matches)
                leaving = await shell.run()
                broken = session.error
                if leaving is Leaving.HUNG:
                    # No orderly close: it would wait for the command that does not stop.
                    everything.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()
        except errors.PSRemotingError as error:
            failure = error
        everything.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if leaving is Leaving.LOST and broken is not None:
        screen.start_line()
        screen.error(f"Enter-PSSession: {broken.message}")
    return leaving


class _Beside:
    """What happens beside the conversation. SIGINT is Ctrl+C; a closed window or a polite kill
    ends everything in order."""

    def __init__(self, console: Console, everything: trio.CancelScope) -> None:
        self.shell: Shell | None = None
        self._reader = console.reader
        self._screen = console.screen
        self._everything = everything

    async def watch(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGHUP, signal.SIGTERM) as signals:
            task_status.started()
            async for each in signals:
                if each != signal.SIGINT:
                    self._everything.cancel()
                elif self.shell is not None:
                    self.shell.interrupt()
                elif not self._reader.interrupt():
                    self._everything.cancel()

    def notice(self, line: str) -> None:
        """ssh's own words, and what else stands beside the protocol."""
        line = displayable(line)
        if self.shell is not None and self._screen.terminal:
            self._screen.write_line(line)
        else:
            print(line, file=sys.stderr, flush=True)
