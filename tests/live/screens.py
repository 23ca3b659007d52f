"""The same keys typed into the real Enter-PSSession and into `psrp enter`, and both screens.

Both run in pseudo-terminals of 120x40 and enter the same host, whose server is the program
``hosts/localhost``: the ``ssh`` first on their PATH is a stand-in that runs it. After each step the
lines that it has written are compared, including those that have scrolled off; thus one difference
does not hide the next. Each of the two servers has its own working directory, with names of the
same length.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pyte

from tests.live import powershell
from tests.live.peers import Hosts
from tests.recordings import ROOT

__all__ = ["LEFT", "PROMPT", "Difference", "Pair", "Screens", "Step"]

COLUMNS, LINES = 120, 40
HOST = "localhost"
PROMPT = r"\[localhost\]: PS [^>]*>"
"""The pattern of the last line when the entered session waits for a command."""
_NESTED = re.compile(rf"^(\[{HOST}\]: \[DBG\]: PS [^>]*)>>")
"""A prompt in the debugger. Under load the real server's has one ">" only: the prompt function may
run before the server has counted the nested prompt."""
LEFT = "<left>"
"""The end of the session: the local prompt of the real client, the exit of ours."""
_LOCAL = r"PS [^>]*>"
_PATIENCE = 60.0
"""Seconds to wait for a state."""
_SETTLE = 20.0
"""Time limit in seconds for both screens to become equal after both have reached the state."""
_QUIET = 0.02
"""Seconds without output after which a program has written all that belongs to its state."""


@dataclass(frozen=True)
class Step:
    """Keys to type, and a pattern that the cursor's line matches when the step is done.

    The program must also wait for keys then, unless ``reads`` is false. With ``shows`` one of the
    lines since the keys must match that pattern too. ``accepted`` is the reason why the screens may
    differ after this step; they are not compared then.
    """

    keys: str
    until: str = PROMPT
    shows: str = ""
    accepted: str = ""
    reads: bool = True


class Difference(AssertionError):
    """A difference of the two screens, or a program that did not reach the expected state."""


class _Terminal:
    """A program in a pseudo-terminal, and its screen with the lines that have scrolled off."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str], home: Path) -> None:
        home.mkdir(exist_ok=True)
        self.home = str(home)
        self.child = pexpect.spawn(
            argv[0],
            list(argv[1:]),
            env={**environment, "LIVE_HOME": self.home},
            cwd=self.home,
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            codec_errors="replace",
            timeout=_PATIENCE,
        )
        self.child.delaybeforesend = None
        self.ended = False
        self.by_line = False
        """True for a program that reads whole lines: Ctrl+C is a signal then."""
        self.start = 0
        """The row in which the last step began, counted from the first line of the program."""
        self._before: list[str] = []
        self._shown: list[str] | None
        self._lines: list[str] | None
        self._changed = False
        self.clear()

    def clear(self) -> None:
        """Clear the recorded screen without informing the program."""
        self._shown = None
        self._lines = None
        self.screen = pyte.HistoryScreen(COLUMNS, LINES, history=2000, ratio=0.5)
        # pyte passes the terminal's answers to queries to this method.
        self.screen.write_process_input = self._answer  # type: ignore[method-assign]
        self.stream = pyte.Stream(self.screen)
        self.written = ""

    def _answer(self, data: str) -> None:
        """Answer a query of the program to its terminal, such as the cursor's position."""
        with contextlib.suppress(OSError):
            self.child.send(data)

    def type(self, keys: str) -> None:
        """Type the keys of a step."""
        self.written = ""
        self.start = self.row
        self._before = self._display
        self._changed = False
        self.child.send(keys)

    @property
    def has_reacted(self) -> bool:
        """Return whether the program has changed its screen since `type`: it is not enough that
        the cursor's line looks as expected, because it may have looked so before."""
        return self._changed or "\n" in self.written

    @property
    def reads_keys(self) -> bool:
        """Return whether the program waits for keys: both programs take Ctrl+C as a key then, and
        as a signal while a command runs."""
        if self.by_line:
            return not self.ended
        return not self.ended and not termios.tcgetattr(self.child.child_fd)[3] & termios.ISIG

    def read(self, seconds: float = _QUIET) -> bool:
        """Read output for ``seconds``; return whether there was any."""
        if self.ended:
            time.sleep(seconds)
            return False
        try:
            text = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            self.ended = True
            return True
        self.written += text
        self.stream.feed(text)
        self._shown = self._lines = None
        if not self._changed:
            self._changed = (self.row, self._display) != (self.start, self._before)
        return True

    @property
    def _display(self) -> list[str]:
        """Return the lines of the screen, which are made once after each output."""
        if self._shown is None:
            self._shown = self.screen.display
        return self._shown

    @property
    def current(self) -> str:
        """Return the text of the cursor's line."""
        return self._display[self.screen.cursor.y].rstrip()

    @property
    def row(self) -> int:
        """Return the row of the cursor, counted like `start`."""
        return len(self.screen.history.top) + self.screen.cursor.y

    def lines(self) -> list[str]:
        """Return all lines from the top to the last that is not empty."""
        if self._lines is not None:
            return self._lines
        above = [
            "".join(row[column].data for column in range(COLUMNS)).rstrip()
            for row in self.screen.history.top
        ]
        lines = [*above, *(line.rstrip() for line in self._display)]
        while lines and not lines[-1]:
            lines.pop()
        self._lines = lines
        return lines

    def is_at(self, pattern: str) -> bool:
        """Return whether ``pattern`` matches the cursor's line."""
        return not self.ended and re.fullmatch(pattern, self.current) is not None

    def wait_for(self, pattern: str, what: str) -> None:
        """Wait until the cursor's line matches and the program reads keys. Raises Difference."""
        self.wait(lambda: self.is_at(pattern) and self.reads_keys, what)

    def wait(self, ready: Callable[[], bool], what: str) -> None:
        """Read until ``ready`` holds and no more output arrives. Raises Difference."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if not self.read() and (ready() or self.ended):
                break
        if not ready():
            shown = "\n".join(self.lines()[-LINES:])
            state = "ended" if self.ended else "does not come to"
            raise Difference(f"{state} {what}:\n{shown}")

    def kill(self) -> None:
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self.child.close(force=True)


def _without_debug_mode(lines: list[str]) -> list[str]:
    """Leave out what PowerShell says at the first stop of a process, which others share here."""
    for at, line in enumerate(lines):
        if line == "Entering debug mode. Use h or ? for help.":
            return lines[:at] + lines[at + 2 :]
    return lines


class Pair:
    """One entered session in each of the two programs."""

    def __init__(self, real: _Terminal, ours: _Terminal) -> None:
        self.real = real
        self.ours = ours

    @property
    def at_prompt(self) -> bool:
        """Return whether both wait for a command."""
        return all(each.is_at(PROMPT) and each.reads_keys for each in (self.real, self.ours))

    def play(self, steps: Sequence[Step | str]) -> None:
        """Type each step into both and compare the lines that each step has written.

        A string is a line to type, with Enter. Raises Difference with all differences.
        """
        found = []
        for given in steps:
            step = given if isinstance(given, Step) else Step(given + "\r")
            try:
                difference = self.step(step)
            except Difference as error:
                found.append(str(error))
                break
            if difference and not step.accepted:
                found.append(difference)
        if found:
            raise Difference("\n".join(found))

    def step(self, step: Step) -> str:
        """Type one step; return the difference of the screens since then, or an empty string.

        Raises Difference if one of the programs does not reach the expected state.
        """
        for terminal in (self.real, self.ours):
            terminal.type(step.keys)
        self._wait(step)
        deadline = time.monotonic() + _SETTLE
        while not step.accepted:
            real, ours = self.screens(left=step.until == LEFT)
            if real == ours:
                break
            if time.monotonic() > deadline:
                return f"after {step.keys!r}:\n{self._both(left=step.until == LEFT)}"
            self.real.read()
            self.ours.read()
        return ""

    def _wait(self, step: Step) -> None:
        """Read from both, so that queries of both to their terminal are answered at once, until
        both are in the state that ends the step. Raises Difference."""
        deadline = time.monotonic() + _PATIENCE
        terminals = {"PowerShell": self.real, "psrp enter": self.ours}
        while True:
            busy = [each.read(_QUIET / 2) for each in terminals.values()]
            late = [name for name, each in terminals.items() if not self._is_done(each, step)]
            if not late and not any(busy):
                return
            hopeless = any(terminals[name].ended for name in late)
            if hopeless or time.monotonic() > deadline:
                break
        what = step.shows or step.until
        states = ", ".join(
            f"{name} {'has ended' if terminals[name].ended else 'does not come'}" for name in late
        )
        raise Difference(f"after {step.keys!r}, {states}, expected {what}\n{self._both()}")

    def _is_done(self, terminal: _Terminal, step: Step) -> bool:
        if step.until == LEFT and terminal is self.ours:
            return terminal.ended
        pattern = _LOCAL if step.until == LEFT else step.until
        if not (terminal.has_reacted and terminal.is_at(pattern)):
            return False
        if step.reads and not terminal.reads_keys:
            return False
        lines = terminal.lines()[terminal.start :]
        return not step.shows or any(re.fullmatch(step.shows, line) for line in lines)

    def screens(self, *, left: bool = False) -> tuple[list[str], list[str]]:
        """Return the lines of both since the last step; ``left`` without the local prompt."""
        real, ours = (
            [_NESTED.sub(r"\1>", line) for line in each.lines()[each.start :]]
            for each in (self.real, self.ours)
        )
        ours = [line.replace(self.ours.home, self.real.home) for line in ours]
        real, ours = _without_debug_mode(real), _without_debug_mode(ours)
        if left and real and re.fullmatch(_LOCAL, real[-1]):
            real.pop()
        return real, ours

    def _both(self, *, left: bool = False) -> str:
        real, ours = self.screens(left=left)
        marked = difflib.unified_diff(real, ours, "PowerShell", "psrp enter", lineterm="", n=100)
        return "\n".join(marked) or "\n".join(real)


class Screens:
    """A factory of pairs that keeps the programs for the next test."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._real: _Terminal | None = None
        self._pair: Pair | None = None
        self._entered: tuple[str, ...] = ()
        self._count = 0

    @contextmanager
    def entered(
        self, server: str = "powershell", *options: str, by_line: bool = False
    ) -> Iterator[Pair]:
        """Return both programs at the prompt of a session on ``server``; the last session is reused
        if it has the same arguments and is still at its prompt.

        ``options`` are for both command lines, such as ``-ConfigurationName``. ``by_line``: the
        real client runs without PSReadLine, which draws some prompts in the wrong place.
        """
        wanted = (server, *options, *(["by line"] if by_line else []))
        if self._pair is None or self._entered != wanted:
            self._end()
            self._pair = self._enter(server, options, by_line)
            self._entered = wanted
        pair = self._pair
        try:
            yield pair
        except BaseException:
            self.close()
            raise
        if by_line:
            self.close()
        elif not pair.at_prompt:
            self._end()

    def _enter(self, server: str, options: Sequence[str], by_line: bool) -> Pair:
        program = self._hosts.program(HOST)
        program.unlink(missing_ok=True)
        program.symlink_to(self._hosts.program(server))
        ours = self._ours(options)
        try:
            real = self._local_prompt()
            if by_line:
                real.by_line = True
                real.type("Remove-Module PSReadLine\r")
                real.wait(lambda: "\n" in real.written and real.is_at(_LOCAL), "a prompt")
                real.clear()
            real.child.send(f"Enter-PSSession -HostName {HOST} {' '.join(options)}\r")
            for terminal in (real, ours):
                terminal.wait_for(rf"\[{HOST}\]: .*>", "the first prompt")
        except BaseException:
            ours.kill()
            self.close()
            raise
        return Pair(real, ours)

    def _end(self) -> None:
        """End our program, and return the real client to its local prompt or end it too."""
        pair, self._pair = self._pair, None
        if pair is None:
            return
        pair.ours.kill()
        if not pair.real.is_at(_LOCAL):
            pair.real.child.send("exit\r")
        try:
            pair.real.wait_for(_LOCAL, "its local prompt")
        except Difference:
            self.close()

    def _ours(self, options: Sequence[str]) -> _Terminal:
        start = "from psremoting.cli.entry import main; main()"
        state = self._hosts.folder / f"state{self._count}"
        environment = self._environment(PYTHONPATH=str(ROOT), XDG_STATE_HOME=str(state))
        argv = [sys.executable, "-c", start, "enter", HOST, *options]
        return _Terminal(argv, environment, self._hosts.folder / "ours")

    def _local_prompt(self) -> _Terminal:
        program = powershell.find()
        assert program is not None
        fresh = self._real is None
        if self._real is None:
            argv = [program, "-NoProfile", "-NoLogo"]
            self._real = _Terminal(argv, self._environment(), self._hosts.folder / "real")
        real = self._real
        real.wait_for(_LOCAL, "its local prompt")
        commands = ["[Microsoft.PowerShell.PSConsoleReadLine]::ClearHistory(); Clear-Host"]
        if fresh:
            quiet = "-PredictionSource None -HistorySaveStyle SaveNothing -BellStyle None"
            commands.insert(0, f"Set-PSReadLineOption {quiet}")
        for command in commands:
            real.type(command + "\r")
            real.wait(
                lambda: "\n" in real.written and real.is_at(_LOCAL) and real.reads_keys,
                "a prompt",
            )
        real.clear()
        return real

    def _environment(self, **more: str) -> dict[str, str]:
        given = powershell.environment(self._hosts.home, **more)
        given["PATH"] = f"{self._hosts.bin}:{given.get('PATH', '')}"
        return given

    def close(self) -> None:
        """End both programs."""
        if self._pair is not None:
            self._pair.ours.kill()
        if self._real is not None:
            self._real.kill()
        self._pair = self._real = None
