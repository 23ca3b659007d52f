"""The streams of remote commands: output to standard output, all others to standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from psremoting.cli.plainjson import dumps, plain_json
from psremoting.client.streams import StreamKind, tagged
from psremoting.errors import PSRemotingError
from psremoting.powershell.error_view import error_lines
from psremoting.powershell.formatting import Formatter
from psremoting.powershell.progress import ProgressArea
from psremoting.powershell.record_text import record_text
from psremoting.powershell.sanitizer import displayable, one_line, paint
from psrp.clixml.document_writer import DocumentWriter
from psrp.enums import ConsoleColor, ErrorCategory
from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.shell.screen import Screen
    from psrp.records import ErrorRecord

__all__ = ["FORMS", "Display", "Origin"]

FORMS = ("text", "json", "clixml")
_WIDTH_OF_A_FILE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The target of an object or a record. ``label`` is unique."""

    label: str
    computer: str
    runspace_id: UUID | None = None


class Display:
    """Display of the output and the records of several targets.

    form: one of `FORMS`. many: there are several targets, so lines are labelled. width: cells of
    a line of formatted output; None for those of the terminal. screen: the screen on which
    questions are asked, which everything for the terminal goes through.
    """

    def __init__(
        self,
        form: str = "text",
        *,
        many: bool = False,
        hide_computer_name: bool = False,
        error_view: str = "normal",
        progress: bool | None = None,
        width: int | None = None,
        screen: Screen | None = None,
    ) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            # A text may contain a lone surrogate, which cannot be encoded.
            sys.stdout.reconfigure(errors="replace")
        self._form = form
        self._labels = many and not hide_computer_name
        self._error_view = error_view
        self._width = width if width is not None else _line_width()
        self._formatters: dict[str, Formatter] = {}
        self._fed: set[str] = set()
        self._screen = screen
        self._document = DocumentWriter() if form == "clixml" else None
        self._bars = ProgressArea()
        self._shows_bars = sys.stderr.isatty() if progress is None else progress
        self._open_line: TextIO | None = None
        """The stream whose last text had no line end."""

    # -- the output

    def output(self, origin: Origin, value: Any) -> bool:
        """Show one output object; on failure, show the error and return False."""
        if self._form == "text":
            formatter = self._formatters.get(origin.label)
            if formatter is None:
                formatter = Formatter(self._room(origin), error_view=self._error_view)
                self._formatters[origin.label] = formatter
            self._fed.add(origin.label)
            self._lines(origin, formatter.feed(value))
            return True
        try:
            if self._document is not None:
                self._bytes(self._document.add(self._tagged(origin, value)))
            else:
                self._json({"target": origin.label, "output": plain_json(value)})
        except LocalProtocolError as error:
            what = "JSON" if self._form == "json" else "CLIXML"
            failure = PSRemotingError(
                f"Cannot write an object as {what}: {error}", error_id=f"ConvertTo{what.title()}"
            )
            self.error(origin, failure.to_record("psrp invoke"))
            return False
        return True

    def _room(self, origin: Origin) -> int:
        return self._width - (len(self._label(origin)) if self._labels else 0)

    def _label(self, origin: Origin) -> str:
        return f"[{one_line(origin.label)}] "

    def _lines(self, origin: Origin, lines: Iterable[str]) -> None:
        label = self._label(origin) if self._labels else ""
        text = "".join(f"{label}{line}\n" for line in lines)
        if text:
            self._put(sys.stdout, text)

    def _tagged(self, origin: Origin, value: Any) -> Any:
        if not self._labels or value is None or origin.runspace_id is None:
            return value
        return tagged(value, origin.computer, origin.runspace_id)

    def _json(self, line: dict[str, Any]) -> None:
        self._put(sys.stdout, dumps(line) + "\n", plain=True)

    def _bytes(self, data: bytes) -> None:
        sys.stdout.flush()
        self._erase_bars()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def pause(self) -> None:
        """Show the buffered rows of targets that sent nothing since the last call."""
        for label, formatter in self._formatters.items():
            if label not in self._fed and formatter.holds_rows:
                self._lines(Origin(label=label, computer=""), formatter.pause())
        self._fed.clear()

    def end_of(self, origin: Origin) -> None:
        """Show the buffered rows of a target that has ended."""
        formatter = self._formatters.pop(origin.label, None)
        if formatter is not None:
            self._lines(origin, formatter.flush())

    # -- host calls

    def host_text(self, text: str, foreground: int = -1, background: int = -1) -> None:
        """Write text of the remote host, to standard output unless that carries data."""
        self._hold_back()
        stream = sys.stdout if self._form == "text" else sys.stderr
        self._put(stream, text, foreground, background)

    def host_error(self, text: str) -> None:
        """Write an error line of the remote host."""
        self._hold_back()
        self._put(sys.stderr, text + "\n", ConsoleColor.Red)

    def _hold_back(self) -> None:
        for label, formatter in self._formatters.items():
            if formatter.holds_rows:
                self._lines(Origin(label=label, computer=""), formatter.pause())

    # -- the other streams

    def record(self, origin: Origin, kind: StreamKind, record: Any) -> None:
        """Show one record of a stream other than the output."""
        if kind is StreamKind.ERROR:
            self.error(origin, record)
        elif kind is StreamKind.PROGRESS:
            self._progress(origin, record)
        elif kind is not StreamKind.INFORMATION:
            # A host call with the same text follows for Write-Host and Write-Information.
            text = record_text(kind.value, record)
            if text is not None:
                self._to_stderr(origin, text, ConsoleColor.Yellow)

    def error(self, origin: Origin, record: ErrorRecord) -> None:
        """Show an error of a command."""
        if self._form == "json":
            self._json({"target": origin.label, "error": _error_object(record)})
            return
        lines = error_lines(
            record, self._error_view, computer=origin.computer, width=self._room(origin)
        )
        self._to_stderr(origin, "\n".join(lines), ConsoleColor.Red)

    def failed(self, origin: Origin, record: ErrorRecord) -> None:
        """Show the error of a failed target: unreachable, connection lost, or timed out."""
        if self._form == "json":
            self._json({"target": origin.label, "failure": _error_object(record)})
        else:
            self.error(origin, record)

    def notice(self, origin: Origin, text: str) -> None:
        """Show a diagnostic line of the transport, such as ssh."""
        self._to_stderr(origin, text, -1)

    def _to_stderr(self, origin: Origin, text: str, colour: int) -> None:
        self._hold_back()
        label = self._label(origin) if self._labels else ""
        lines = "\n".join(label + line for line in text.split("\n"))
        self._put(sys.stderr, lines + "\n", colour)

    def finish(self, total: int = 1, failed: Sequence[str] = ()) -> None:
        """Show the buffered rows, end the document, and list the targets in ``failed``."""
        for label, formatter in self._formatters.items():
            self._lines(Origin(label=label, computer=""), formatter.flush())
        self._formatters.clear()
        self._bars.forget()
        self._erase_bars()
        if self._document is not None:
            self._bytes(self._document.end())
        if total > 1 and failed:
            names = ", ".join(one_line(label) for label in failed)
            self._put(sys.stderr, f"{len(failed)} of {total} failed: {names}\n")

    # -- writing

    def _put(
        self,
        stream: TextIO,
        text: str,
        foreground: int = -1,
        background: int = -1,
        *,
        plain: bool = False,
    ) -> None:
        if self._screen is not None and stream.isatty():
            if stream is sys.stderr:
                self._screen.start_line()
            self._screen.write(text, foreground, background)
            return
        self._erase_bars()
        if not plain:
            text = displayable(text, colours=_has_colours(stream))
        if _has_colours(stream):
            body, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
            text = paint(body, foreground, background) + end
        if self._open_line not in (None, stream) and sys.stdout.isatty() and sys.stderr.isatty():
            text = "\n" + text
        stream.write(text)
        stream.flush()
        self._open_line = None if text.endswith("\n") else stream
        self._draw_bars()

    def _progress(self, origin: Origin, record: Any) -> None:
        if not self._shows_bars:
            return
        if self._screen is not None:
            self._screen.progress(0, record)
            return
        self._erase_bars()
        self._bars.update(one_line(origin.label), record)
        self._draw_bars()

    def _draw_bars(self) -> None:
        if self._shows_bars and self._open_line is None:
            styled = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
            width = shutil.get_terminal_size().columns
            sys.stderr.write(self._bars.draw(width, styled=styled))
            sys.stderr.flush()

    def _erase_bars(self) -> None:
        if self._shows_bars:
            sys.stderr.write(self._bars.erase())
            sys.stderr.flush()


def _error_object(record: ErrorRecord) -> dict[str, Any]:
    """Return an error as JSON."""
    return {
        "message": record.message,
        "id": record.fully_qualified_error_id,
        "category": ErrorCategory.text(record.category),
        "activity": record.category_activity or "",
        "reason": record.category_reason or "",
        "target": record.category_target_name or "",
    }


def _line_width() -> int:
    if not sys.stdout.isatty():
        return _WIDTH_OF_A_FILE
    return shutil.get_terminal_size().columns


def _has_colours(stream: TextIO) -> bool:
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )
