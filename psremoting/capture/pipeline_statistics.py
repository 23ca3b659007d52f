"""Statistics of a recording by pipeline: command, duration, objects, bytes, errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psremoting.capture.summaries import short, summary
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.sanitizer import visible
from psrp import events as e
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psremoting.capture.entries import Entry

__all__ = ["PipelineStatistics", "Statistics", "statistics_lines"]

_CREATES = ("CREATE_PIPELINE", "GET_COMMAND_METADATA")
_BEGINS = ("sshsub:Command", "wsman:Command")
_RECORDS = {
    "WARNING_RECORD": "warnings", "VERBOSE_RECORD": "verbose", "DEBUG_RECORD": "debug",
    "INFORMATION_RECORD": "information", "PROGRESS_RECORD": "progress",
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class PipelineStatistics:
    """One pipeline; ``target`` is None for the pool and everything outside of pipelines."""

    target: UUID | None
    command: str = ""
    begin: float | None = None
    """Time of the first line, in seconds as recorded."""
    end: float | None = None
    state: str = ""
    """The last state that the server reported; empty if none was recorded."""
    messages: int = 0
    sent: int = 0
    """Bytes of messages from the client."""
    received: int = 0
    """Bytes of messages from the server."""
    inputs: Counter[str] = field(default_factory=Counter)
    """Number of input objects by type."""
    outputs: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Number of errors by FullyQualifiedErrorId."""
    records: Counter[str] = field(default_factory=Counter)
    host_calls: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    """Number of lines that could not be decoded."""

    @property
    def duration(self) -> float | None:
        """Seconds from the first to the last line; None for a recording without times."""
        if self.begin is None or self.end is None:
            return None
        return self.end - self.begin

    def data(self) -> dict[str, Any]:
        """Return the members of a JSON line of type ``statistics``."""
        return {
            "command": self.command,
            "begin": self.begin,
            "duration": self.duration,
            "state": self.state,
            "messages": self.messages,
            "bytes": {"client": self.sent, "server": self.received},
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "errors": dict(self.errors),
            "records": dict(self.records),
            "host_calls": dict(self.host_calls),
            "damaged": self.damaged,
        }


class Statistics:
    """Collector of statistics over the entries of one recording."""

    def __init__(self) -> None:
        self._found: list[PipelineStatistics] = []
        self._current: dict[UUID | None, PipelineStatistics] = {}

    def receive(self, entry: Entry) -> None:
        """Count an entry."""
        one = self._of(entry)
        time = entry.carrier.get("time")
        if time is not None:
            one.begin = time if one.begin is None else min(one.begin, time)
            one.end = time if one.end is None else max(one.end, time)
        if entry.type in ("error", "incomplete"):
            one.damaged += 1
        if entry.event is None:
            return
        one.messages += 1
        if entry.direction is Side.CLIENT:
            one.sent += entry.size or 0
        else:
            one.received += entry.size or 0
        if entry.type in _CREATES:
            one.command = summary(entry)
        elif entry.type in _RECORDS:
            one.records[_RECORDS[entry.type]] += 1
        _count(one, entry.event)

    def pipelines(self) -> Iterator[PipelineStatistics]:
        """Yield the pool and the pipelines, in the order of their first lines."""
        yield from self._found

    def current(self, target: UUID | None) -> PipelineStatistics:
        """Return the block that the last entry of a target was counted in. Raises KeyError."""
        return self._current[target]

    def _of(self, entry: Entry) -> PipelineStatistics:
        """Return the block of an entry; PowerShell uses the id of a pipeline again."""
        target = entry.target or entry.pid
        one = self._current.get(target)
        begins = entry.type in (*_CREATES, *_BEGINS)
        if one is None or (begins and one.command):
            one = self._current[target] = PipelineStatistics(target=target)
            self._found.append(one)
        return one


def _type_of(value: Any) -> str:
    return "$null" if value is None else type_name_of(value, received=True)


def _count(one: PipelineStatistics, event: e.Event) -> None:
    match event:
        case e.PipelineInput(data=value):
            one.inputs[_type_of(value)] += 1
        case e.PipelineOutput(data=value):
            one.outputs[_type_of(value)] += 1
        case e.ErrorRecordMessage(record=record):
            one.errors[record.fully_qualified_error_id or "(no id)"] += 1
        case (
            e.PipelineStateMessage(state=state, error=error)
            | e.RunspacePoolStateMessage(state=state, error=error)
        ):
            one.state = str(state)
            if error is not None:
                one.errors[error.fully_qualified_error_id or "(no id)"] += 1
        case e.PipelineHostCall(method=method) | e.RunspacePoolHostCall(method=method):
            one.host_calls[getattr(method, "name", str(method))] += 1


def statistics_lines(one: PipelineStatistics) -> Iterator[str]:
    """Yield the lines of one block for people."""
    yield f"{one.target or 'pool'}  {one.command}".rstrip()
    took = f"{one.duration:.3f} s, " if one.duration is not None else ""
    yield (
        f"    {took}{one.messages} messages, {one.sent:,} bytes from the client, "
        f"{one.received:,} from the server" + (f", {one.state}" if one.state else "")
    )
    rows = (
        ("input", one.inputs), ("output", one.outputs), ("errors", one.errors),
        ("records", one.records), ("host calls", one.host_calls),
    )  # fmt: skip
    for name, counter in rows:
        if counter:
            parts = (f"{count:,} {visible(short(kind))}" for kind, count in counter.most_common())
            yield f"    {name + ':':<12}{', '.join(parts)}"
    if one.damaged:
        yield f"    damaged:    {one.damaged} lines"
