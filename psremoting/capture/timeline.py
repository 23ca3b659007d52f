"""The timeline for people: one line per entry, with its body and its bytes below it on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from psremoting.capture.jsonlines import body
from psremoting.capture.moments import Clock
from psremoting.capture.raw_view import raw_view
from psremoting.capture.summaries import summary
from psremoting.powershell.sanitizer import visible
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psremoting.capture.entries import Entry

__all__ = ["Timeline", "summary_text"]

_ARROWS = {Side.CLIENT: "→", Side.SERVER: "←", None: " "}
_ASCII_ARROWS = {Side.CLIENT: ">", Side.SERVER: "<", None: " "}
_STYLES: dict[str, dict[str, Any]] = {
    "error": {"fg": "red", "bold": True},
    "incomplete": {"fg": "red"},
    "ERROR_RECORD": {"fg": "red"},
    "wsman:Fault": {"fg": "red"},
    "sshsub:error": {"fg": "red"},
    "WARNING_RECORD": {"fg": "yellow"},
    "VERBOSE_RECORD": {"fg": "yellow"},
    "DEBUG_RECORD": {"fg": "yellow"},
    "PIPELINE_OUTPUT": {"fg": "green"},
    "PIPELINE_INPUT": {"fg": "green"},
    "CREATE_PIPELINE": {"fg": "cyan", "bold": True},
    "PIPELINE_STATE": {"fg": "cyan"},
    "RUNSPACEPOOL_STATE": {"fg": "cyan"},
}
_TYPE_WIDTH = 26


class Timeline:
    """Renderer of the entries of one recording.

    With ``plumbing``, acts that only move bytes are shown too; otherwise ``hidden`` counts them.
    ``raw`` adds the bytes as sent, ``offsets`` their place in the file.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        plumbing: bool = False,
        reveal: bool = False,
        unicode: bool = True,
        raw: bool = False,
        offsets: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._verbose = verbose
        self._plumbing = plumbing
        self._reveal = reveal
        self._arrows = _ARROWS if unicode else _ASCII_ARROWS
        self._raw = raw
        self._offsets = offsets
        self._clock = clock or Clock()
        self.hidden = 0

    def begin(self, entry: Entry) -> None:
        """Take the time of the recording's first entry, also of one that is not shown."""
        self._clock.begin(entry.carrier.get("time"))

    def lines(self, entry: Entry) -> Iterator[str]:
        """Yield the lines of one entry, with terminal styles."""
        if entry.plumbing and not self._plumbing:
            self.hidden += 1
            return
        yield self._line(entry)
        if self._verbose:
            found = body(entry, reveal=self._reveal)
            if found not in (None, {}, []):
                yield from (click.style(line, dim=True) for line in _tree(found, 10))
        if self._raw and entry.raw:
            view = raw_view(entry.raw, reveal=self._reveal)
            yield from (click.style(line, dim=True) for line in view.lines(10))

    def _line(self, entry: Entry) -> str:
        clock = self._clock.column(entry.carrier.get("time"))
        if self._offsets:
            clock = f"{entry.carrier.get('file_offset', ''):>10} {clock}"
        arrow = self._arrows[entry.direction]
        style = _STYLES.get(entry.type, {"dim": True} if ":" in entry.type else {})
        name = click.style(f"{visible(entry.type):<{_TYPE_WIDTH}}", **style)
        who = click.style(f"{_who(entry.target or entry.pid):<8}", fg="blue")
        head = f"{entry.n:>6} {clock}{arrow} {who} {name}"
        return f"{head} {summary(entry, reveal=self._reveal)}".rstrip()


def _who(target: UUID | None) -> str:
    return str(target)[:8] if target is not None else "pool"


def _tree(form: Any, indent: int) -> Iterator[str]:
    """Yield JSON as indented lines: ``name: value``, ``- item``."""
    pad = " " * indent
    if isinstance(form, dict):
        for name, value in form.items():
            yield from _member(f"{pad}{visible(str(name))}:", value, indent)
    elif isinstance(form, list):
        for value in form:
            yield from _member(f"{pad}-", value, indent)
    else:
        yield f"{pad}{_scalar(form)}"


def _member(head: str, value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from _tree(value, indent + 2)
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return visible(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "(none)" if isinstance(value, dict | list) else str(value)


def summary_text(data: dict[str, Any], hidden: int = 0) -> str:
    """Return the last line: counts of messages, bytes and errors."""
    parts = [
        f"{data['messages']} messages in {data['fragments']} fragments",
        f"{data['acts']} other lines" + (f" ({hidden} not shown, see --all)" if hidden else ""),
        f"{data['bytes']} bytes",
        f"{data['errors']} errors",
    ]
    if data["incomplete"]:
        parts.append(f"{data['incomplete']} incomplete")
    parts.append(f"{data['unaccounted']} bytes not accounted for")
    return f"{visible(data['file'])}: {', '.join(parts)}"
