"""The program in a pseudo-terminal, and its screen."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.recordings import ROOT

_PROGRAM = "from psremoting.cli.main import main; main(prog_name='psrp')"
_SERVE = "from psremoting.cli.serve import serve; serve()"
PROMPT = "[localhost]: PS>"
CTRL_C, CTRL_D = "\x03", "\x04"
_PATIENCE = 30.0
"""Time limit in seconds for an expected screen."""


def serving() -> str:
    """Return the target of an endpoint with the commands of `tests.shell.commands`."""
    words = [
        sys.executable,
        "-c",
        _SERVE,
        "--stdio",
        "--functions",
        "tests.shell.commands:COMMANDS",
    ]
    return "process:" + shlex.join(words)


def program(*target: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, "enter", *target]


def environment(state: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "XDG_STATE_HOME": str(state),
        **more,
    }


def piped(state: Path, *target: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program with ``text`` as its standard input."""
    return subprocess.run(
        program(*target),
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(state),
        timeout=60,
        check=False,
    )


class Terminal:
    """A running program and its screen."""

    def __init__(self, child: pexpect.spawn, columns: int, lines: int) -> None:
        self.child = child
        self.screen = pyte.Screen(columns, lines)
        self.written = ""
        """All output, with its control sequences."""
        self._stream = pyte.Stream(self.screen)
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        """Return the lines of the screen, which are made once after each output."""
        if self._lines is None:
            self._lines = [line.rstrip() for line in self.screen.display]
        return self._lines

    @property
    def text(self) -> str:
        """Return the text of the screen, without empty space at its end."""
        return "\n".join(self.lines).rstrip()

    @property
    def last(self) -> str:
        return self.text.rpartition("\n")[2]

    def type(self, text: str) -> None:
        self.child.send(text)

    def resize(self, columns: int, lines: int) -> None:
        self.child.setwinsize(lines, columns)
        self.screen.resize(lines, columns)
        self._lines = None

    def enter(self, text: str) -> None:
        self.type(text + "\r")

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until ``pattern`` is on the screen."""
        found = None
        remaining = int(_PATIENCE / 0.05)
        while (found := re.search(pattern, self.text)) is None and remaining and self._take():
            remaining -= 1
        found = found or re.search(pattern, self.text)
        assert found is not None, f"{pattern!r} did not come:\n{self.text}"
        return found

    def see_prompt(self, prompt: str = PROMPT) -> None:
        """Wait until the last line is a prompt with nothing after it."""
        remaining = int(_PATIENCE / 0.05)
        while self.last != prompt and remaining and self._take():
            remaining -= 1
        assert self.last == prompt, f"no prompt:\n{self.text}"

    def wait(self) -> None:
        """Read the output of a short time."""
        assert self._take(), f"the program has ended:\n{self.text}"

    def settle(self, seconds: float = 0.4) -> None:
        """Read output until there is none for ``seconds`` or the program has ended."""
        quiet = 0.0
        while quiet < seconds:
            before = len(self.written)
            if not self._take():
                return
            quiet = 0.0 if len(self.written) > before else quiet + 0.05

    def end(self) -> int | None:
        """Wait for the end of the program; return its exit code, or None if a signal ended it."""
        deadline = time.monotonic() + _PATIENCE
        while self._take():
            assert time.monotonic() < deadline, f"the program does not end:\n{self.text}"
        self.child.wait()
        code: int | None = self.child.exitstatus
        return code

    def _take(self) -> bool:
        try:
            text = self.child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += text
        self._stream.feed(text)
        self._lines = None
        return True


@contextmanager
def entered(
    state: Path,
    *,
    columns: int = 80,
    lines: int = 24,
    command: list[str] | None = None,
    **more: str,
) -> Iterator[Terminal]:
    """Run `psrp enter` in a pseudo-terminal; kill it at the end if it still runs."""
    first, *arguments = command or program(serving())
    child = pexpect.spawn(
        first,
        arguments,
        cwd=str(ROOT),
        env=environment(state, **more),
        dimensions=(lines, columns),
        encoding="utf-8",
        timeout=_PATIENCE,
        echo=True,
    )
    try:
        yield Terminal(child, columns, lines)
    finally:
        if child.isalive():
            child.kill(signal.SIGKILL)
        child.close(force=True)
