"""Comparison of messages by meaning: decoded bodies, without what differs from run to run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from psremoting.capture.entries import Entry
from psremoting.capture.jsonlines import body
from psremoting.capture.summaries import summary
from psrp import events as e
from psrp.messages import type_name, type_of
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psremoting.replay.script import Conversation, Script, Step

__all__ = [
    "CLOSES",
    "RULES",
    "Deviation",
    "IgnoreRules",
    "compare_scripts",
    "difference",
    "name_of",
    "shown",
]

_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.\d]*)(?:Z|[+-]\d\d:\d\d)?")
_VERSION = re.compile(r"\b\d+\.\d+(?:\.\d+)+(?:[-+][\w.]+)?\b")
_STACK = re.compile(r"\s*(?:^|\n)\s+at .*", re.DOTALL)
_NAMES = frozenset(
    ("computer", "pscomputername", "computername", "machinename", "user", "user_name", "source")
)
_NUMBERS = frozenset(
    ("process_id", "native_thread_id", "managed_thread_id", "source_id", "runspace_id", "call_id",
     "history_id")
)  # fmt: skip
_HOST = frozenset(("host_info", "apartment_state", "time_zone"))
_VERSIONS = frozenset(("application_arguments", "psversiontable"))
RULES = {
    "ids": "GUIDs, numbers of processes, threads and calls",
    "times": "dates, times and durations",
    "names": "names of computers and users",
    "versions": "version numbers, version tables, and stack traces",
    "host": "the description of the client's host, its apartment state and time zone",
}
_MAX_SHOWN = 400
_MAX_VALUE = 80
_MAX_PLACES = 5
_MAX_ALIGNED = 3000


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """Allowed differences: names of `RULES`, patterns of JSON paths such as ``data.*.Count``."""

    rules: frozenset[str] = frozenset(RULES)
    paths: tuple[str, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> IgnoreRules:
        """Read names of rules, ``none``, and ``path:PATTERN``. Raises ValueError.

        Without any name of a rule, all rules are applied.
        """
        rules: set[str] = set()
        paths, named = [], False
        for text in texts:
            if text.startswith("path:"):
                paths.append(text.removeprefix("path:"))
            elif text in RULES or text == "none":
                named = True
                rules.update((text,) if text in RULES else ())
            else:
                known = ", ".join((*RULES, "none"))
                raise ValueError(f"expected one of {known}, or path:PATTERN, got {text!r}")
        return cls(frozenset(rules) if named else frozenset(RULES), tuple(paths))

    def apply(self, form: Any, path: str = "") -> Any:
        """Return a JSON form with everything ignored replaced by its kind."""
        if path and any(fnmatchcase(path, pattern) for pattern in self.paths):
            return "<ignored>"
        if isinstance(form, dict):
            return self._object(form, path)
        if isinstance(form, list):
            return [self.apply(item, f"{path}.{index}") for index, item in enumerate(form)]
        return self._text(form) if isinstance(form, str) else form

    def _object(self, form: dict[str, Any], path: str) -> Any:
        kind = form.get("$type")
        if kind in ("DateTime", "TimeSpan") and "times" in self.rules:
            return f"<{kind}>"
        made = {}
        for name, value in form.items():
            low = name.lower()
            if low in _HOST and "host" in self.rules:
                continue
            if low in _VERSIONS and "versions" in self.rules:
                made[name] = "<versions>"
            elif low in _NAMES and "names" in self.rules:
                made[name] = "<name>"
            elif low in _NUMBERS and "ids" in self.rules:
                made[name] = "<id>"
            else:
                made[name] = self.apply(value, f"{path}.{name}" if path else name)
        return made

    def _text(self, text: str) -> str:
        if "ids" in self.rules:
            text = _ID.sub("<id>", text)
        if "times" in self.rules:
            text = _TIME.sub("<time>", text)
        if "versions" in self.rules:
            text = _STACK.sub("", _VERSION.sub("<version>", text))
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One difference between a recording and another conversation."""

    kind: str
    """``different``, ``missing`` (only in the recording) or ``extra`` (only in the other)."""
    pipeline: int | None
    """Number of the pipeline from 0, None for the pool."""
    sender: Side
    type: str
    recorded: str = ""
    got: str = ""
    line: int = 0
    """Line of the recording, 0 if it is not in it."""
    places: tuple[str, ...] = ()
    """Members that differ: JSON path, recorded value, other value."""
    session: int | None = None
    """Number of the session from 0, None if the recording has only one."""

    def lines(self, unlike: tuple[str, str] = ("recorded", "got")) -> Iterator[str]:
        """Yield the lines of a report; ``unlike`` are the names of both sides."""
        where = "pool" if self.pipeline is None else f"pipeline {self.pipeline + 1}"
        if self.session is not None:
            where = f"session {self.session + 1}, {where}"
        line = f" (line {self.line})" if self.line else ""
        yield f"{self.kind}: {where}, {self.type} of the {self.sender.value}{line}"
        width = max(map(len, unlike)) + 1
        for name, text in zip(unlike, (self.recorded, self.got), strict=True):
            if text:
                yield f"    {name + ':':<{width}} {text}"
        yield from (f"    at {place}" for place in self.places[:_MAX_PLACES])


def name_of(event: e.Event) -> str:
    """Return the type of an event: of its message, or the name of a carrier's step."""
    kind = type(event)
    if kind in _ACTS:
        return _ACTS[kind]
    return type_name(number) if (number := type_of(event)) else kind.__name__


CLOSES = (e.ClosePipeline, e.ClosePool)
"""Steps by which carriers release what has ended; they say nothing about the session."""
_ACTS: dict[type[e.Event], str] = {
    e.StopPipeline: "Stop", e.ClosePipeline: "Close", e.ClosePool: "Close",
}  # fmt: skip


def form_of(event: e.Event) -> Any:
    """Return the decoded body of an event as JSON; secure strings by their length only."""
    return body(Entry(type="", event=event))


def shown(event: e.Event) -> str:
    """Return one line for people; secrets are masked."""
    return f"{name_of(event)} {summary(Entry(type=name_of(event), event=event))}".rstrip()


def difference(recorded: e.Event, got: e.Event, ignore: IgnoreRules) -> tuple[str, ...] | None:
    """Return the members that differ, as ``path: recorded / got``, or None for the same meaning.

    Secure strings are compared by their length.
    """
    if type(recorded) is not type(got):
        return ("type",)
    if type(recorded) in _ACTS:
        return None
    one, other = ignore.apply(form_of(recorded)), ignore.apply(form_of(got))
    return None if one == other else tuple(_places(one, other, ""))


def _places(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                yield from _places(one.get(name), other.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                yield from _places(left, right, f"{path}.{index}".lstrip("."))
    else:
        yield f"{path or 'body'}: {_value(one)} / {_value(other)}"


def _value(form: Any) -> str:
    text = json.dumps(form, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"


def compare_scripts(
    recorded: Script, other: Script, ignore: IgnoreRules, *, senders: tuple[Side, ...] = tuple(Side)
) -> Iterator[Deviation]:
    """Yield the differences of two sessions, conversation by conversation and side by side.

    Pipelines are paired by the order in which they began.
    """
    pairs: list[tuple[int | None, Conversation | None, Conversation | None]] = [
        (None, recorded.pool, other.pool)
    ]
    for number in range(max(len(recorded.pipelines), len(other.pipelines))):
        one = recorded.pipelines[number] if number < len(recorded.pipelines) else None
        two = other.pipelines[number] if number < len(other.pipelines) else None
        pairs.append((number, one, two))
    for place, one, two in pairs:
        for sender in senders:
            left = list(one.by(sender)) if one is not None else []
            right = list(two.by(sender)) if two is not None else []
            yield from _compare_lane(place, sender, left, right, ignore)


def _compare_lane(
    number: int | None, sender: Side, left: list[Step], right: list[Step], ignore: IgnoreRules
) -> Iterator[Deviation]:
    left, right = ([step for step in steps if not _closes(step.event)] for steps in (left, right))
    lane = _Lane(number, sender)
    ours = [_key(step.event, ignore) for step in left]
    theirs = [_key(step.event, ignore) for step in right]
    if ours == theirs:
        return
    if max(len(ours), len(theirs)) > _MAX_ALIGNED:
        blocks: Any = [("replace", 0, len(ours), 0, len(theirs))]
    else:
        blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    for kind, first, last, begin, end in blocks:
        if kind != "equal":
            yield from lane.block(left[first:last], right[begin:end], ignore)


def _closes(event: e.Event) -> bool:
    """Return True for a step that closes something: carriers do it differently."""
    if isinstance(event, e.RunspacePoolStateMessage):
        return event.state in (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED)
    return isinstance(event, CLOSES)


def _key(event: e.Event, ignore: IgnoreRules) -> str:
    form = None if type(event) in _ACTS else ignore.apply(form_of(event))
    return f"{name_of(event)} {json.dumps(form, sort_keys=True)}"


@dataclass(slots=True)
class _Lane:
    number: int | None
    sender: Side
    seen: set[int] = field(default_factory=set)

    def block(
        self, left: list[Step], right: list[Step], ignore: IgnoreRules
    ) -> Iterator[Deviation]:
        """Pair steps of one type in a block that differs, in order."""
        rest = list(right)
        for step in left:
            partner = next((o for o in rest if type(o.event) is type(step.event)), None)
            if partner is None:
                yield self._one("missing", step, recorded=step.event)
                continue
            rest.remove(partner)
            places = difference(step.event, partner.event, ignore)
            if places is not None:
                yield self._one("different", step, step.event, partner.event, places)
        for step in rest:
            yield self._one("extra", step, got=step.event)

    def _one(
        self,
        kind: str,
        step: Step,
        recorded: e.Event | None = None,
        got: e.Event | None = None,
        places: tuple[str, ...] = (),
    ) -> Deviation:
        return Deviation(
            kind=kind,
            pipeline=self.number,
            sender=self.sender,
            type=name_of(step.event),
            recorded=shown(recorded)[:_MAX_SHOWN] if recorded is not None else "",
            got=shown(got)[:_MAX_SHOWN] if got is not None else "",
            line=step.line if recorded is not None else 0,
            places=places,
        )
