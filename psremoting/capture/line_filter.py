"""Selection of the entries to show: by type, pipeline, stream, sender, time and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psremoting.capture.jsonlines import body
from psremoting.capture.moments import Moment, TimeRange
from psremoting.powershell.wildcards import matches
from psrp.messages import MessageType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.entries import Entry

__all__ = ["Filter", "Selection"]

_OPERATIONS = ("Create", "Delete", "Get", "Put", "Command", "Send", "Receive", "Signal",
               "Disconnect", "Reconnect", "Connect", "Enumerate", "Pull", "Release")  # fmt: skip
_FAMILIES: dict[str, tuple[str, ...]] = {
    "wsman": (
        *_OPERATIONS, *(f"{name}Response" for name in _OPERATIONS),
        "Identify", "IdentifyResponse", "Acknowledge", "Cancel", "End", "KeepAlive", "Fault",
        "Authenticate", "HTTP", "Sealed",
    ),
    "sshsub": ("Command", "CommandAck", "DataAck", "Signal", "SignalAck", "Close", "CloseAck",
               "error", "noise"),
    "net": ("Connection", "LogOn", "Credentials"),
    "winrs": ("stdin", "stdout", "stderr"),
    "clixml": ("value", "text", "output", "error", "warning", "verbose", "debug", "progress",
               "information"),
    "tls": ("Sealed",),
}  # fmt: skip
_TYPES = (
    *(message.name for message in MessageType),
    *(f"{family}:{name}" for family, names in _FAMILIES.items() for name in names),
    "error", "refused", "incomplete", "unused", "text",
)  # fmt: skip
_OPEN_FAMILIES = ("event:",)
"""Families whose members are not known in advance."""
_MAX_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Selection of the entries to show; an empty tuple selects all.

    ``types`` are names with wildcards, compared without case; ``pipelines`` are prefixes of
    pipeline ids, or ``pool``; ``streams`` and ``directions`` are values of Stream and Side;
    ``search`` are texts of which an entry has to contain every one, compared without case.
    """

    types: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    since: Moment | None = None
    until: Moment | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a type or pipeline that no entry can have."""
        for pattern in self.types:
            if not pattern.lower().startswith(_OPEN_FAMILIES) and not any(
                matches(pattern, name) for name in _TYPES
            ):
                raise ValueError(
                    f"no line has the type {pattern!r}: expected the name of a message such as "
                    f"CREATE_PIPELINE, an act such as wsman:Signal, or error{_members(pattern)}"
                )
        for pipeline in self.pipelines:
            if pipeline.lower() != "pool" and set(pipeline.lower()) - set("0123456789abcdef-"):
                raise ValueError(
                    f"no pipeline has the id {pipeline!r}: expected hexadecimal digits or 'pool'"
                )

    def passes(self, entry: Entry, *, reveal: bool = False) -> bool:
        """Return True for an entry that the filter selects, its time apart."""
        if self.types and not any(matches(pattern, entry.type) for pattern in self.types):
            return False
        if self.streams and (entry.stream is None or entry.stream.value not in self.streams):
            return False
        if self.directions and (
            entry.direction is None or entry.direction.value not in self.directions
        ):
            return False
        if self.pipelines and not any(_is_of(entry, wanted) for wanted in self.pipelines):
            return False
        return not self.search or _has_texts(entry, self.search, reveal)


def _members(pattern: str) -> str:
    family = pattern.lower().partition(":")[0]
    names = _FAMILIES.get(family) if ":" in pattern else None
    return f" ({family}: has {', '.join(names)})" if names else ""


def _is_of(entry: Entry, wanted: str) -> bool:
    ids = [str(found) for found in (entry.target, entry.pid) if found is not None]
    if wanted.lower() == "pool":
        return not ids
    return any(found.startswith(wanted.lower()) for found in ids)


def _has_texts(entry: Entry, wanted: tuple[str, ...], reveal: bool) -> bool:
    texts = [text.casefold() for text in _texts(body(entry, reveal=reveal))]
    return all(any(each.casefold() in text for text in texts) for each in wanted)


def _texts(form: Any) -> Iterator[str]:
    """Yield the scalars of a JSON form as text."""
    pending = [form]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif value is not None:
            yield str(value)


class Selection:
    """A filter applied to the entries of one recording, in their order."""

    def __init__(self, wanted: Filter, *, reveal: bool = False) -> None:
        self._wanted = wanted
        self._reveal = reveal
        self._range = TimeRange(wanted.since, wanted.until)
        self._missing = {name for name in wanted.pipelines if name.lower() != "pool"}
        self._seen: dict[str, None] = {}

    def passes(self, entry: Entry) -> bool:
        """Return True for an entry to show; a summary always is one."""
        if entry.type == "summary":
            return True
        if self._missing:
            self._note(entry)
        in_time = self._range.holds(entry.carrier.get("time"))
        return in_time and self._wanted.passes(entry, reveal=self._reveal)

    def _note(self, entry: Entry) -> None:
        found = entry.target or entry.pid
        if found is None:
            return
        text = str(found)
        self._missing -= {name for name in self._missing if text.startswith(name.lower())}
        self._seen[text[:8]] = None

    def problems(self) -> Iterator[str]:
        """Yield a line for each pipeline of the filter that the recording does not have."""
        for name in sorted(self._missing):
            known = list(self._seen)
            more = ", …" if len(known) > _MAX_NAMED else ""
            have = ", ".join(known[:_MAX_NAMED]) + more if known else "none"
            yield f"no pipeline has the id {name}: the pipelines are {have}"
