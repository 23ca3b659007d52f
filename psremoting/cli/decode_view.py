"""The output of `psrp decode`: its options, and the form in which entries are printed."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from psremoting.capture.entries import Entry
from psremoting.capture.export import Exporter
from psremoting.capture.html_page import HtmlPage
from psremoting.capture.jsonlines import line as json_line
from psremoting.capture.line_filter import Filter, Selection
from psremoting.capture.moments import Clock, TimeStyle, parse_moment
from psremoting.capture.pipeline_statistics import Statistics, statistics_lines
from psremoting.capture.source import CaptureError
from psremoting.capture.timeline import Timeline, summary_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["View", "view_of", "view_options"]

_POLL = 0.1
"""Seconds between two looks at a growing file."""
_OPTIONS = (
    click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object per line, with all data."
    ),
    click.option("-v", "--verbose", is_flag=True, help="Show the decoded bodies."),
    click.option(
        "-a", "--all", "plumbing", is_flag=True,
        help="Show acknowledgements, polls and authentication messages (always with --json).",
    ),
    click.option(
        "--raw", is_flag=True,
        help="Show each message as it was sent: XML and hexadecimal (member 'raw' with --json).",
    ),
    click.option("--offsets", is_flag=True, help="Show the offset of each line in the file."),
    click.option(
        "--time", "style", type=click.Choice([style.value for style in TimeStyle]),
        default="relative",
        help="Show times since the first line of the recording (relative, the default), since "
        "the line shown before (delta), as dates of the local zone (absolute) or of UTC, or none.",
    ),
    click.option(
        "--type", "types", multiple=True, metavar="NAME",
        help="Show lines of this type: CREATE_PIPELINE, 'wsman:*', error. Repeatable.",
    ),
    click.option(
        "--pipeline", "pipelines", multiple=True, metavar="ID",
        help="Show one pipeline, by the first digits of its id, or 'pool'. Repeatable.",
    ),
    click.option(
        "--stream", "streams", multiple=True, type=click.Choice(["default", "prompt_response"]),
        help="Show one stream. Repeatable.",
    ),
    click.option(
        "--sender", "directions", multiple=True, type=click.Choice(["client", "server"]),
        help="Show lines of one sender.",
    ),
    click.option(
        "--search", multiple=True, metavar="TEXT",
        help="Show lines whose decoded values contain TEXT, in any case. Repeatable: all of them.",
    ),
    click.option("--from", "since", metavar="TIME", help="Show lines from TIME on."),
    click.option("--until", metavar="TIME", help="Show lines up to TIME."),
    click.option(
        "--stats", is_flag=True,
        help="Show one block per pipeline: command, duration, objects by type, bytes, errors.",
    ),
    click.option(
        "--export", metavar="DIR", type=click.Path(path_type=Path),
        help="Write scripts, copied files and objects (CLIXML) of each pipeline to a new folder.",
    ),
    click.option(
        "--html", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
        help="Write one HTML page that shows the timeline, with lanes, search and filters.",
    ),
    click.option(
        "-f", "--follow", is_flag=True, help="Wait for more at the end of the file, until Ctrl+C."
    ),
    click.option(
        "--reveal", "--show-secrets", "reveal", is_flag=True,
        help="Show secure strings that were sent unencrypted (protocol 2.4) or are in documents.",
    ),
)  # fmt: skip


_FILTERS = ("types", "pipelines", "streams", "directions", "search")


def view_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the output to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def view_of(options: dict[str, Any], *, reveal: bool) -> View:
    """Take the options of `view_options` out of ``options``. Raises UsageError."""
    names = ("as_json", "verbose", "plumbing", "raw", "offsets", "stats", "export", "html")
    shown = {name: options.pop(name) for name in names}
    style = TimeStyle(options.pop("style"))
    chosen = {name: options.pop(name) for name in _FILTERS}
    try:
        for name, option in (("since", "--from"), ("until", "--until")):
            text = options.pop(name)
            chosen[name] = _moment(option, text) if text is not None else None
        wanted = Filter(**chosen)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    shown["follow"] = _wait_for_more() if options.pop("follow") else None
    return View(wanted=wanted, style=style, reveal=options.pop("reveal") or reveal, **shown)


def _wait_for_more() -> Callable[[], bool]:
    """Return a function that waits for a file to grow, and returns False after Ctrl+C."""
    stopped = Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    return lambda: not stopped.wait(_POLL)


def _moment(option: str, text: str) -> Any:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


@dataclass(slots=True, kw_only=True)
class View:
    """The selection and the form of the output, over all files."""

    wanted: Filter
    style: TimeStyle
    as_json: bool
    verbose: bool
    plumbing: bool
    raw: bool
    offsets: bool
    stats: bool
    export: Path | None
    html: Path | None
    follow: Callable[[], bool] | None
    reveal: bool
    lines: int = 0
    matched: int = 0
    _problems: dict[str, int] = field(default_factory=dict)
    _page: HtmlPage | None = None

    def open(self, number: int = 0) -> Show:
        """Begin a recording; with ``number`` it exports to a folder of its own.

        Raises CaptureError for a folder that cannot be used.
        """
        folder = self.export
        if folder is not None and number:
            folder = folder / f"{number:03}"
        exporter = Exporter(folder, reveal=self.reveal) if folder is not None else None
        if self.html is not None:
            self._page = self._page or HtmlPage(self.html.stem, reveal=self.reveal)
            self._page.begin()
        return Show(self, exporter, self._page)

    def write_page(self) -> None:
        """Write the HTML page, if there is to be one. Raises CaptureError."""
        if self._page is None or self.html is None:
            return
        try:
            self._page.write(self.html)
        except OSError as error:
            raise CaptureError(str(self.html), error.strerror or str(error)) from None

    def total(self, data: dict[str, Any], files: int, unreadable: int) -> None:
        """Print the summary of several files."""
        if self.as_json:
            data |= {"files": files, "unreadable": unreadable}
            click.echo(json_line(Entry(type="summary", data=data)))
        else:
            click.echo(summary_text(data))

    def problem(self, text: str) -> None:
        self._problems[text] = self._problems.get(text, 0) + 1

    def problems(self, files: int) -> Iterator[str]:
        """Yield what the filters did not find in any file."""
        if self.lines and not self.matched:
            yield f"0 of {self.lines} lines match the filters"
        yield from (text for text, count in self._problems.items() if count == files)


class Show:
    """Printer of the entries of one recording."""

    def __init__(self, view: View, exporter: Exporter | None, page: HtmlPage | None) -> None:
        self._view = view
        self._page = page
        self._exporter = exporter
        self._selection = Selection(view.wanted, reveal=view.reveal)
        self._statistics = Statistics() if view.stats else None
        self._timeline = Timeline(
            verbose=view.verbose,
            plumbing=view.plumbing,
            reveal=view.reveal,
            unicode=_speaks_unicode(),
            raw=view.raw,
            offsets=view.offsets,
            clock=Clock(view.style),
        )

    def entry(self, entry: Entry) -> None:
        """Print an entry, unless the filters exclude it."""
        view = self._view
        self._timeline.begin(entry)
        passes = self._selection.passes(entry)
        if entry.type == "summary":
            self._print_statistics()
        else:
            view.lines += 1
            view.matched += passes
        if not passes:
            return
        if self._exporter is not None:
            self._exporter.receive(entry)
        if self._page is not None and entry.type != "summary":
            self._page.add(entry)
        elif self._statistics is not None and entry.type != "summary":
            self._statistics.receive(entry)
        elif view.as_json:
            click.echo(json_line(entry, reveal=view.reveal, raw=view.raw, offsets=view.offsets))
        elif entry.type == "summary":
            click.echo(summary_text(entry.data, self._timeline.hidden))
        else:
            for text in self._timeline.lines(entry):
                click.echo(text)

    def _print_statistics(self) -> None:
        if self._statistics is None:
            return
        for each in self._statistics.pipelines():
            if self._view.as_json:
                line = Entry(type="statistics", target=each.target, data=each.data())
                click.echo(json_line(line))
            else:
                for text in statistics_lines(each):
                    click.echo(text)

    def end(self) -> None:
        """End the recording, also one that was read only in part. Raises CaptureError."""
        if self._exporter is not None:
            self._exporter.end()
            text = f"{self._exporter.pipelines} pipelines, {self._exporter.files} copied files"
            click.echo(f"psrp decode: exported {text} to {self._view.export}", err=True)
        for text in self._selection.problems():
            self._view.problem(text)


def _speaks_unicode() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32")
