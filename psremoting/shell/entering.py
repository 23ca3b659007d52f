"""Enter a target: prepare the terminal, open the session, run the shell, restore everything."""

from __future__ import annotations

import getpass
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
from psremoting.client.carrier import Carrier
from psremoting.powershell.sanitizer import displayable
from psremoting.session import PSSession
from psremoting.shell.late_editor import LateEditor
from psremoting.shell.loop import Leaving, Shell
from psremoting.shell.plain_reader import PlainReader
from psremoting.shell.remote_completion import RemoteCompletion
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psremoting.targets import SSHTarget, parse_target
from psrp.records import ErrorCategory, ErrorRecord

if TYPE_CHECKING:
    from psremoting.options import SessionOption
    from psremoting.shell.reading import Reader
    from psremoting.targets import Target

__all__ = ["Console", "Stay", "enter", "enter_error", "open_console", "terminal_restored"]

_ENTER = "Microsoft.PowerShell.Commands.EnterPSSessionCommand"
_DATA_STRUCTURE = "System.Management.Automation.Remoting.PSRemotingDataStructureException"
_DENIED = "Permission denied, please try again."
_SILENCE = 1.0
"""Seconds after which a message shows that the session is being opened."""


@dataclass(frozen=True, slots=True)
class Console:
    """The screen and the keyboard of the user."""

    screen: Screen
    reader: Reader


@dataclass(frozen=True, slots=True)
class Stay:
    """The reason and exit code of a left session."""

    leaving: Leaving
    exit_code: int


def open_console(stdin: TextIO, stdout: TextIO) -> Console:
    """Return the terminal on ``stdin`` and ``stdout`` with all features, or plain lines if one
    of them is not a terminal, or TERM is dumb or missing. NO_COLOR disables colours."""
    able = os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    terminal = able and stdout.isatty()
    colours = terminal and not os.environ.get("NO_COLOR")
    screen = Screen(stdout, terminal=terminal, colours=colours)
    if not (terminal and stdin.isatty()):
        return Console(screen, PlainReader(stdin, screen))
    return Console(screen, LateEditor(screen))


@contextmanager
def terminal_restored(stdin: TextIO) -> Iterator[None]:
    """Restore the modes of the terminal at the end of the block."""
    try:
        descriptor = stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        # A closed terminal has no modes to restore.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def enter_error(error: errors.PSRemotingError) -> ErrorRecord:
    """Return the error record of Enter-PSSession: the text of the cause with an id of its own."""
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
) -> Stay:
    """Open a session, let the user work in it, and close it. Ctrl+C during the opening cancels it.

    Raises PSRemotingError if the session cannot be opened or entered.
    """
    if isinstance(target, str):
        target = parse_target(target)
    visit = _Visit(console)
    failure: errors.PSRemotingError | None = None
    async with trio.open_nursery() as everything:
        visit.scope = everything.cancel_scope
        console.screen.on_gone = everything.cancel_scope.cancel
        await everything.start(visit.watch_signals)
        everything.start_soon(visit.announce, target.computer)
        try:
            await visit.work(target, options)
        except errors.PSRemotingError as error:
            failure = error
        everything.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if visit.leaving is Leaving.LOST and visit.broken is not None:
        console.screen.start_line()
        console.screen.error(f"Enter-PSSession: {visit.broken.message}")
    return Stay(visit.leaving, visit.exit_code)


_EXIT_CODES = {Leaving.EXIT: 0, Leaving.INTERRUPTED: 128 + signal.SIGINT}


class _Visit:
    """One session and its shell, with the signals that concern them: SIGINT is Ctrl+C, SIGTERM
    and SIGHUP end everything in order."""

    def __init__(self, console: Console) -> None:
        self.leaving = Leaving.INTERRUPTED
        self.broken: errors.PSRemotingTransportError | None = None
        self.scope = trio.CancelScope()
        self._signal = 0
        self._password_prompt = ""
        self._shell: Shell | None = None
        self._reader = console.reader
        self._screen = console.screen

    @property
    def exit_code(self) -> int:
        if self._signal:
            return 128 + self._signal
        shell = self._shell
        if self.leaving is Leaving.EXIT and shell is not None and shell.exit_code is not None:
            return shell.exit_code & 0xFF
        return _EXIT_CODES.get(self.leaving, 1)

    async def work(self, target: Target | Carrier, options: SessionOption | None) -> None:
        if isinstance(target, SSHTarget):
            user = target.user or getpass.getuser()
            self._password_prompt = f"{user}@{target.computer}'s password: "
        host = TerminalHost(self._screen, self._reader, instance_id=uuid4())
        async with PSSession.connect(
            target, options=options, host=host, like_powershell=True, on_notice=self._notice
        ) as session:
            self._shell = shell = Shell(session, host)
            self.leaving = Leaving.ENDED
            self._reader.completes_with(RemoteCompletion(session).matches)
            self.leaving = await shell.run()
            self.broken = session.error
            if self.leaving is Leaving.HUNG:
                # An orderly close would wait for the command that does not stop.
                self.scope.cancel()
                await trio.lowlevel.checkpoint()

    async def announce(self, computer: str) -> None:
        """Show a message if opening the session takes long."""
        await trio.sleep(_SILENCE)
        if self._shell is None and sys.stderr.isatty():
            print(f"Connecting to {displayable(computer)} ...", file=sys.stderr, flush=True)

    async def watch_signals(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGHUP, signal.SIGTERM) as signals:
            task_status.started()
            async for each in signals:
                if each != signal.SIGINT:
                    self._signal = each
                    self.scope.cancel()
                elif self._shell is not None:
                    self._shell.interrupt()
                elif not self._reader.interrupt():
                    self.scope.cancel()

    def _notice(self, line: str) -> None:
        """Show diagnostic text outside the protocol, such as that of ssh."""
        line = displayable(line)
        if line == _DENIED and self._shell is None and sys.stderr.isatty():
            # ssh has already written the next prompt to the terminal.
            print(f"\r\x1b[K{line}\n{self._password_prompt}", end="", file=sys.stderr, flush=True)
        elif self._shell is not None and self._screen.terminal:
            self._screen.write_line(line)
        else:
            print(line, file=sys.stderr, flush=True)
