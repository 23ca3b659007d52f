"""Recordings as objects, for programs and notebooks.

    capture = open_capture("winrm.pcapng", passwords=["P@ss1"])
    for message in capture.messages:
        print(message.time, message.sender, message.type, message.data)

Everything is read on first use and kept; `Capture.entries` reads anew and keeps nothing, for
recordings that are larger than memory. The same content as text are the JSON lines of
``psrp decode --json`` (`Capture.json_lines`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psremoting.capture import jsonlines
from psremoting.capture.decoding import decode, gather_packet_keys
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.pipeline_statistics import PipelineStatistics, Statistics
from psremoting.capture.source import CaptureError
from psremoting.capture.summaries import summary
from psrp import events as e
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from uuid import UUID

    from psremoting.capture.detect import Form
    from psremoting.capture.entries import Entry
    from psremoting.capture.network.secrets import PacketSecrets
    from psrp.events import Event

__all__ = ["Capture", "Connection", "Exchange", "Message", "Pipeline", "open_capture"]

_ACKS = {"sshsub:Command": "sshsub:CommandAck", "sshsub:Close": "sshsub:CloseAck",
         "sshsub:Signal": "sshsub:SignalAck"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One PSRP message."""

    number: int
    """Line of the timeline, from 1 in each file."""
    time: float | None
    """Seconds, since 1970 or since the recording began; None if not recorded."""
    sender: Side | None
    type: str
    """Name of the message, such as ``CREATE_PIPELINE``."""
    pipeline: UUID | None
    """None for the pool."""
    size: int
    """Bytes, with the header."""
    event: Event
    """The decoded message, a class of `psrp.events`."""
    raw: bytes = field(repr=False)
    """The bytes as sent."""
    entry: Entry = field(repr=False)

    @property
    def data(self) -> Any:
        """The decoded body as JSON; secure strings are masked."""
        return jsonlines.body(self.entry)

    @property
    def summary(self) -> str:
        """One line for people."""
        return summary(self.entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request of the carrier and its answer: HTTP over WS-Man, a step and its ack otherwise."""

    connection: int
    """Number of the HTTP connection, 0 where there is none."""
    operation: str
    """Such as ``Create`` or ``Receive``; ``Command``, ``Close`` and ``Signal`` of packets."""
    request: Entry = field(repr=False)
    response: Entry | None = field(repr=False)
    """None if none was recorded."""

    @property
    def duration(self) -> float | None:
        """Seconds to the answer; None if a time or the answer is missing."""
        if self.response is None:
            return None
        begin = self.request.carrier.get("time")
        end = self.response.carrier.get("time")
        return None if begin is None or end is None else end - begin

    @property
    def failed(self) -> bool:
        """True if the answer is a fault."""
        return self.response is not None and self.response.type == "wsman:Fault"


@dataclass(slots=True, kw_only=True)
class Connection:
    """One HTTP connection, or one out-of-process stream (number 0)."""

    number: int
    begin: float | None = None
    end: float | None = None
    lines: int = 0
    """Number of lines of the timeline."""
    exchanges: list[Exchange] = field(default_factory=list, repr=False)


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """One pipeline with what went in and out."""

    id: UUID
    command: str
    statistics: PipelineStatistics = field(repr=False)
    messages: list[Message] = field(default_factory=list, repr=False)

    @property
    def output(self) -> list[Any]:
        """The output objects, as values of `psrp.clixml`."""
        return [m.event.data for m in self.messages if isinstance(m.event, e.PipelineOutput)]

    @property
    def input(self) -> list[Any]:
        """The input objects, as values of `psrp.clixml`."""
        return [m.event.data for m in self.messages if isinstance(m.event, e.PipelineInput)]

    @property
    def errors(self) -> list[Any]:
        """The error records, as `psrp.records.ErrorRecord`."""
        return [m.event.record for m in self.messages if isinstance(m.event, e.ErrorRecordMessage)]

    @property
    def state(self) -> str:
        """The last state that the server reported; empty if none was recorded."""
        return self.statistics.state


class Capture:
    """The recordings that `open_capture` was given, in their order."""

    def __init__(
        self,
        paths: tuple[str, ...],
        form: Form | None,
        ring: KeyRing,
        secrets: PacketSecrets | None,
    ) -> None:
        self.paths = paths
        self.problems: list[CaptureError] = []
        """Reasons why a file could not be read, or only in part; complete after reading."""
        self._form = form
        self._ring = ring
        self._secrets = secrets

    def entries(self) -> Iterator[Entry]:
        """Yield all lines of the timeline, the summary of each file among them; keep nothing."""
        self.problems.clear()
        for path in self.paths:
            try:
                yield from decode(path, self._form, self._ring, self._secrets)
            except CaptureError as error:
                self.problems.append(error)

    @cached_property
    def lines(self) -> list[Entry]:
        """All lines of the timeline without the summaries."""
        return [entry for entry in self.entries() if entry.type != "summary"]

    @cached_property
    def messages(self) -> list[Message]:
        """All PSRP messages."""
        return [_message(entry) for entry in self.lines if entry.event is not None]

    @cached_property
    def exchanges(self) -> list[Exchange]:
        """All exchanges of the carrier, in the order of their requests."""
        return _exchanges(self.lines)

    @cached_property
    def connections(self) -> list[Connection]:
        """All connections, in the order of their first lines."""
        found: dict[int, Connection] = {}
        for entry in self.lines:
            number = entry.carrier.get("connection", 0)
            one = found.setdefault(number, Connection(number=number))
            one.lines += 1
            time = entry.carrier.get("time")
            if time is not None:
                one.begin = time if one.begin is None else min(one.begin, time)
                one.end = time if one.end is None else max(one.end, time)
        for exchange in self.exchanges:
            found[exchange.connection].exchanges.append(exchange)
        return list(found.values())

    @cached_property
    def pipelines(self) -> list[Pipeline]:
        """All pipelines, in the order in which they began."""
        statistics = Statistics()
        current: dict[UUID, Pipeline] = {}
        found: list[Pipeline] = []
        for entry in self.lines:
            statistics.receive(entry)
            target = entry.target or entry.pid
            if target is None or entry.event is None:
                continue
            if isinstance(entry.event, e.CreatePipeline | e.GetCommandMetadata):
                made = Pipeline(
                    id=target, command=summary(entry), statistics=statistics.current(target)
                )
                current[target] = made
                found.append(made)
            if target in current:
                current[target].messages.append(_message(entry))
        return found

    def json_lines(self, *, reveal: bool = False) -> Iterator[str]:
        """Yield the lines of ``psrp decode --json``, with the summaries."""
        for entry in self.entries():
            yield jsonlines.line(entry, reveal=reveal)


def open_capture(
    *paths: str | Path,
    form: Form | None = None,
    rsa_keys: Iterable[str | Path] = (),
    passwords: Iterable[str] = (),
    nt_hashes: Iterable[str] = (),
    kerberos_keys: Iterable[str] = (),
    keytabs: Iterable[str | Path] = (),
    key_logs: Iterable[str | Path] = (),
    key_files: Iterable[str | Path] = (),
) -> Capture:
    """Return the recordings in ``paths``; they are read on first use.

    The keys are those of the options of ``psrp decode``. Raises CaptureError for a key file that
    cannot be read, ValueError for a hash or key that is none.
    """
    names = tuple(map(str, paths))
    ring = KeyRing.load(rsa_keys)
    from psremoting.capture.network.secrets import PacketSecrets

    secrets = PacketSecrets()
    for given, add in (
        (passwords, secrets.add_password),
        (nt_hashes, secrets.add_nt_hash),
        (kerberos_keys, secrets.add_key),
    ):
        for text in given:
            add(text)
    for files, load in (
        (keytabs, secrets.add_keytab),
        (key_logs, secrets.add_key_log),
        (key_files, secrets.add_file),
    ):
        for file in files:
            load(str(file))
    for name in names:
        if name != "-":
            gather_packet_keys(name, secrets)
    return Capture(names, form, ring, secrets)


def _message(entry: Entry) -> Message:
    assert entry.event is not None
    return Message(
        number=entry.n,
        time=entry.carrier.get("time"),
        sender=entry.direction,
        type=entry.type,
        pipeline=entry.target or entry.pid,
        size=entry.size or 0,
        event=entry.event,
        raw=entry.raw or b"",
        entry=entry,
    )


def _exchanges(lines: Iterable[Entry]) -> list[Exchange]:
    requests: list[tuple[Entry, Entry | None]] = []
    open_at: dict[tuple[Any, ...], int] = {}
    for entry in lines:
        connection = entry.carrier.get("connection", 0)
        family = entry.type.partition(":")[0]
        if family == "wsman" and entry.direction is Side.CLIENT:
            open_at["wsman", connection] = len(requests)
            requests.append((entry, None))
        elif entry.type in _ACKS and entry.direction is Side.CLIENT:
            open_at[_ACKS[entry.type], entry.target] = len(requests)
            requests.append((entry, None))
        elif entry.direction is Side.SERVER:
            key = ("wsman", connection) if family == "wsman" else (entry.type, entry.target)
            at = open_at.pop(key, None)
            if at is not None:
                requests[at] = (requests[at][0], entry)
    return [
        Exchange(
            connection=request.carrier.get("connection", 0),
            operation=request.type.partition(":")[2],
            request=request,
            response=response,
        )
        for request, response in requests
    ]
