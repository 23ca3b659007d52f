"""Ordered output to the terminal, kept separate from the progress display below it and from a
line that is being typed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import TextIO

from psremoting.powershell.progress import ProgressArea
from psremoting.powershell.sanitizer import displayable, paint, title_sequence
from psrp.enums import ConsoleColor
from psrp.host_values import Size
from psrp.records import ProgressRecord

__all__ = ["Screen"]


class Screen:
    """Writes to ``stream``. ``terminal`` is true if it understands escape sequences,
    ``colours`` that they may be shown.

    When the window or the reading end of the pipe is closed, writing
    does nothing, and `on_gone` is called once.
    """

    def __init__(self, stream: TextIO, *, terminal: bool, colours: bool) -> None:
        self.terminal = terminal
        self.colours = colours
        self.on_gone: Callable[[], None] = lambda: None
        self.still = False
        """Drop cursor movements, erasing and titles; while a secret is typed."""
        self.muted = False
        """Drop everything that is written."""
        self._above: Callable[[str], None] | None = None
        self.at_line_start = True
        self._stream = stream
        self._progress = ProgressArea()
        self._gone = False

    @property
    def size(self) -> Size:
        """Columns and lines of the window; 80 by 24 where there is none."""
        found = shutil.get_terminal_size()
        try:
            if "COLUMNS" not in os.environ:
                found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            pass
        return Size(found.columns or 80, found.lines or 24)

    # -- text

    def write(self, text: str, foreground: int = -1, background: int = -1) -> None:
        """Write text of the server or our own, without what the terminal must not get."""
        moves = self.terminal and not self.still and self._above is None
        text = displayable(text, colours=self.colours, moves=moves)
        if not text:
            return
        shown = text
        if self.colours:
            body, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
            shown = paint(body, foreground, background) + end if body else text
        if self._above is not None:
            self._above(shown)
            return
        self._put(self._progress.erase() + shown)
        self.at_line_start = text.endswith("\n")
        self._show_progress()

    def write_line(self, text: str = "", foreground: int = -1, background: int = -1) -> None:
        self.write(text + "\n", foreground, background)

    def warning(self, text: str) -> None:
        self.write_line(f"WARNING: {text}", ConsoleColor.Yellow)

    def error(self, text: str) -> None:
        self.write_line(text, ConsoleColor.Red)

    def start_line(self) -> None:
        """Go to the start of a line, if the cursor is not there."""
        if not self.at_line_start:
            self.write("\n")

    def typing(self, above: Callable[[str], None]) -> None:
        """Start a typed line: ``above`` writes above it. Progress is deferred."""
        self._put(self._progress.erase())
        self._above = above

    def typed(self, *, ended: bool = True) -> None:
        """End a typed line. If it was ``ended``, the cursor is at the start of the next line."""
        self._above = None
        self.at_line_start = ended
        self._show_progress()

    # -- what only a terminal has

    def progress(self, source: int, record: ProgressRecord) -> None:
        self._progress.update(source, record)
        if self.terminal and self._above is None:
            self._put(self._progress.erase())
            self._show_progress()

    def end_progress(self) -> None:
        self._progress.forget()
        self._put(self._progress.erase())

    def _show_progress(self) -> None:
        if self.terminal and self.at_line_start and self._above is None:
            self._put(self._progress.draw(self.size.width, styled=self.colours))

    def set_title(self, title: str) -> None:
        if self.terminal and not self.still:
            self._put(title_sequence(title))

    def move_to(self, column: int, line: int) -> None:
        """Move the cursor; 0, 0 is the top left."""
        if self.terminal and not self.still and column >= 0 and line >= 0:
            self._put(self._progress.erase() + f"\x1b[{line + 1};{column + 1}H")
            self.at_line_start = column == 0

    def clear(self) -> None:
        if self.terminal and not self.still:
            self._put(self._progress.erase() + "\x1b[H\x1b[2J\x1b[3J")
            self.at_line_start = True

    def _put(self, text: str) -> None:
        if not text or self._gone or self.muted:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._gone = True
            self.on_gone()
