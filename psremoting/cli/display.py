"""Where the streams of remote commands go: output to standard output, all else beside it."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from psremoting.cli.plainjson import plain_json
from psremoting.client.streams import TAGS, StreamKind, tagged
from psremoting.errors import PSRemotingError
from psremoting.formatting import error_text, printable, record_text, value_text
from psrp.clixml import PSObject, dump_all
from psrp.clixml.plain import to_plain
from psrp.records import ErrorRecord, ProgressRecord, ProgressType
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["FORMS", "Display"]

FORMS = ("text", "json", "clixml")

_COLORS = {
    StreamKind.ERROR: "red",
    StreamKind.WARNING: "yellow",
    StreamKind.VERBOSE: "yellow",
    StreamKind.DEBUG: "yellow",
}


class Display:
    """``many``: there are several targets, so what is shown says where it came from."""

    def __init__(
        self,
        form: str = "text",
        *,
        many: bool = False,
        hide_computer_name: bool = False,
        error_view: str = "normal",
        progress: bool | None = None,
    ) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            # A text of over there may hold what no file can: half a character.
            sys.stdout.reconfigure(errors="replace")
        self._form = form
        self._tag = many and not hide_computer_name
        self._hide = hide_computer_name
        self._error_view = error_view
        self._collected: list[Any] = []
        self._bars = _Bars(sys.stderr.isatty() if progress is None else progress)

    def output(self, computer: str, runspace_id: UUID, value: Any) -> None:
        """One object of the output."""
        if self._form == "clixml":
            self._collected.append(tagged(value, computer, runspace_id) if self._tag else value)
        elif self._form == "json":
            self._json(computer, runspace_id, value)
        else:
            if self._tag:
                shown = value_text(tagged(value, computer, runspace_id))
                shown = "\n".join(f"[{computer}] {line}" for line in shown.split("\n"))
            else:
                shown = value_text(value, hide_computer_name=self._hide)
            if value is not None:
                click.echo(shown)

    def _json(self, computer: str, runspace_id: UUID, value: Any) -> None:
        try:
            if self._tag and value is not None:
                shown = _tagged_json(tagged(value, computer, runspace_id))
            else:
                shown = plain_json(value)
        except LocalProtocolError as error:
            failure = PSRemotingError(
                f"An object cannot be shown as JSON: {error}", error_id="ConvertToJson"
            )
            self.error(computer, failure.to_record("psrp invoke"))
            return
        text = json.dumps(shown, ensure_ascii=False)
        click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))

    def record(self, computer: str, kind: StreamKind, record: Any) -> None:
        """One record of any other stream."""
        if kind is StreamKind.ERROR:
            self.error(computer, record)
        elif kind is StreamKind.PROGRESS:
            self._bars.show(computer, record)
        else:
            text = record_text(kind, record)
            if text is not None:
                where = f"[{computer}] " if self._tag else ""
                self._beside(where + text, _COLORS.get(kind))

    def error(self, computer: str, record: ErrorRecord) -> None:
        self._beside(error_text(record, computer, self._error_view), _COLORS[StreamKind.ERROR])

    def notice(self, computer: str, text: str) -> None:
        """A line of the transport itself: ssh's."""
        text = printable(text)
        self._beside(f"[{computer}] {text}" if self._tag else text, None)

    def _beside(self, text: str, color: str | None) -> None:
        click.secho(text, err=True, fg=color)

    def finish(self) -> None:
        """Nothing more comes."""
        self._bars.stop()
        if self._form == "clixml":
            sys.stdout.flush()
            sys.stdout.buffer.write(dump_all(self._collected) + b"\n")
            sys.stdout.buffer.flush()


def _tagged_json(value: PSObject | None) -> Any:
    """As ``ConvertTo-Json`` shows a tagged value: what is no object gets a name of its own."""
    assert value is not None
    tags = {name: value.extended[name] for name in TAGS if name in value.extended}
    plain = to_plain(value.value) if value.value is not None else to_plain(value)
    made = dict(plain) if isinstance(plain, dict) else {"value": plain}
    return plain_json({**made, **tags})


class _Bars:
    """PowerShell's progress records as bars; only on a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._live: Progress | None = None
        self._tasks: dict[tuple[str, int], TaskID] = {}

    def show(self, computer: str, record: ProgressRecord) -> None:
        if not self._wanted:
            return
        key = computer, record.activity_id
        if record.type == ProgressType.Completed:
            task = self._tasks.pop(key, None)
            if task is not None and self._live is not None:
                self._live.remove_task(task)
            if not self._tasks:
                self.stop()
            return
        live = self._live or self._start()
        text = f"[{computer}] {record}"
        known = record.percent_complete >= 0
        if key not in self._tasks:
            self._tasks[key] = live.add_task(text, total=None)
        live.update(
            self._tasks[key],
            description=text,
            total=100 if known else None,
            completed=max(0, record.percent_complete),
        )

    def _start(self) -> Progress:
        # Costs more than all else here, and few commands report progress.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            console=Console(stderr=True, force_terminal=True),
            transient=True,
            # Output that goes into a file must stay there.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._live.start()
        return self._live

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._tasks.clear()
