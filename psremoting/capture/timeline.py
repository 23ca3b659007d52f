"""The timeline for people: one line per entry, with its body below it on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from psremoting.capture.jsonlines import body
from psremoting.capture.summaries import summary
from psremoting.powershell.sanitizer import visible
from psremoting.powershell.wildcards import matches
from psrp.messages import MessageType
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psremoting.capture.entries import Entry

__all__ = ["Filter", "Timeline", "summary_text"]

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
_SINCE_1970 = 10**8
"""Times beyond this are dates; the timeline shows seconds since the first one."""
_FAMILIES = ("wsman", "sshsub", "winrs", "clixml")
_TYPES = (
    *(message.name for message in MessageType),
    *(f"{family}:" for family in _FAMILIES),
    "error", "refused", "incomplete", "unused", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Selection of the entries to show; an empty tuple selects all.

    ``types`` are names with wildcards, compared without case; ``pipelines`` are prefixes of
    pipeline ids, or ``pool``; ``streams`` are stream values.
    """

    types: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for a type or pipeline that no entry can have."""
        for pattern in self.types:
            family = pattern.lower().partition(":")
            if not (family[1] and family[0] in _FAMILIES) and not any(
                _matches(name, (pattern,)) for name in _TYPES
            ):
                raise ValueError(
                    f"no line has the type {pattern!r}: expected the name of a message such as "
                    "CREATE_PIPELINE, an act such as wsman:Signal, or error"
                )
        for pipeline in self.pipelines:
            if pipeline.lower() != "pool" and set(pipeline.lower()) - set("0123456789abcdef-"):
                raise ValueError(
                    f"no pipeline has the id {pipeline!r}: expected hexadecimal digits or 'pool'"
                )

    def passes(self, entry: Entry) -> bool:
        if self.types and not _matches(entry.type, self.types):
            return False
        if self.streams and (entry.stream is None or entry.stream.value not in self.streams):
            return False
        return not self.pipelines or any(_is_of(entry, wanted) for wanted in self.pipelines)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


def _is_of(entry: Entry, wanted: str) -> bool:
    ids = [str(found) for found in (entry.target, entry.pid) if found is not None]
    if wanted.lower() == "pool":
        return not ids
    return any(found.startswith(wanted.lower()) for found in ids)


class Timeline:
    """Renderer of the entries of one recording.

    With ``plumbing``, acts that only move bytes are shown too; otherwise ``hidden`` counts them.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        plumbing: bool = False,
        reveal: bool = False,
        unicode: bool = True,
    ) -> None:
        self._verbose = verbose
        self._plumbing = plumbing
        self._reveal = reveal
        self._arrows = _ARROWS if unicode else _ASCII_ARROWS
        self._timed: bool | None = None
        self._origin = 0.0
        self.hidden = 0

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

    def _line(self, entry: Entry) -> str:
        time = entry.carrier.get("time")
        if self._timed is None:
            self._timed = time is not None
            self._origin = time if time is not None and time > _SINCE_1970 else 0.0
        clock = (
            f"{time - self._origin:>10.3f} "
            if time is not None
            else " " * 11
            if self._timed
            else ""
        )
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
