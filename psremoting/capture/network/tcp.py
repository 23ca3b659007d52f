"""TCP reassembly: segments in any order become the bytes of both directions.

Retransmitted and overlapping bytes are taken once: the first copy counts. Data is delivered as soon
as it continues the stream. What is missing is waited for within a window of held segments; after
that, and at the end of the connection, it becomes a gap of known length. A connection that began
before the capture begins with its lowest sequence number in the window.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.layers import Address, Segment

__all__ = ["Connection", "Flow", "Piece", "TcpStreams"]

WINDOW_SEGMENTS = 512
WINDOW_BYTES = 4 << 20
"""Maximum segments and bytes of one direction held while earlier bytes are missing."""
MAX_CONNECTIONS = 20_000
"""Maximum number of tracked connections; a new one beyond that ends the oldest."""
MAX_HELD = 256 << 20
_WRAP = 1 << 32


class Piece(NamedTuple):
    """The next bytes of one direction, or a gap of ``gap`` bytes before any further data."""

    time: float
    packet: int
    data: bytes = b""
    gap: int = 0
    offset: int = -1
    """Offset of the packet's record in the file."""


@dataclass(slots=True)
class Flow:
    """One direction of a connection."""

    source: Address
    next: int | None = None
    """Sequence number of the next byte; None until the beginning is known."""
    held: dict[int, Segment] = field(default_factory=dict)
    held_bytes: int = 0
    end: int | None = None
    """Sequence number of the FIN."""
    ended_at: tuple[float, int] = (0.0, 0)
    """Time and packet of the FIN."""
    ready: list[Piece] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """True if all data up to the FIN was delivered."""
        return self.end is not None and self.next == self.end


@dataclass(slots=True, eq=False)
class Connection:
    """Two flows between two addresses."""

    number: int
    flows: tuple[Flow, Flow]
    """The first one sent the first packet of the connection in the capture."""
    ended: bool = False
    ignored: bool = False
    """True if nobody takes the pieces: the data is passed over."""
    first: int | None = None
    """Initial sequence number of the first flow, from its SYN."""

    def take(self) -> Iterator[tuple[Flow, Piece]]:
        """Yield the pieces that have become ready, those of the earlier packet first."""
        both: list[tuple[int, Flow, Piece]] = []
        for flow in self.flows:
            latest = 0
            for piece in flow.ready:
                # The order within a flow stays, whatever order the packets came in.
                latest = max(latest, piece.packet)
                both.append((latest, flow, piece))
            flow.ready = []
        for _, flow, piece in sorted(both, key=lambda each: each[0]):
            yield flow, piece


class TcpStreams:
    """Tracker of all connections of a capture."""

    def __init__(self) -> None:
        self._connections: dict[tuple[Address, Address], Connection] = {}
        self._count = 0
        self._held = 0
        self._ended: OrderedDict[tuple[Address, Address], Connection] = OrderedDict()

    def receive(self, segment: Segment) -> Iterator[Connection]:
        """Take a segment; yield the connections that have new pieces or have ended."""
        key = _key(segment)
        connection = self._connections.get(key)
        if connection is not None and connection.ignored and not segment.syn:
            if segment.fin or segment.reset:
                yield from self._pass_over(key, connection, segment)
            return
        if connection is None and (_is_bare(segment) or self._is_late(key, segment)):
            return
        if connection is not None and _begins_anew(connection, segment):
            yield self._end(key)
            connection = None
        if connection is None:
            if len(self._connections) >= MAX_CONNECTIONS:
                yield self._end(next(iter(self._connections)))
            self._count += 1
            flows = Flow(segment.source), Flow(segment.target)
            connection = self._connections[key] = Connection(self._count, flows)
        flow = connection.flows[segment.source != connection.flows[0].source]
        before = flow.held_bytes
        _take(flow, segment)
        if segment.syn and flow is connection.flows[0]:
            connection.first = segment.sequence
        self._held += flow.held_bytes - before
        if segment.reset or all(each.complete for each in connection.flows):
            yield self._end(key)
        elif any(each.ready for each in connection.flows):
            yield connection
        while self._held > MAX_HELD and self._connections:
            yield self._end(next(iter(self._connections)))

    def end(self) -> Iterator[Connection]:
        """End the capture; yield every connection with its last pieces."""
        for key in list(self._connections):
            yield self._end(key)

    def _end(self, key: tuple[Address, Address]) -> Connection:
        connection = self._connections.pop(key)
        for flow in connection.flows:
            self._held -= flow.held_bytes
            _flush(flow)
        connection.ended = True
        self._ended[key] = connection
        self._ended.move_to_end(key)
        if len(self._ended) > MAX_CONNECTIONS:
            self._ended.popitem(last=False)
        return connection

    def _pass_over(
        self, key: tuple[Address, Address], connection: Connection, segment: Segment
    ) -> Iterator[Connection]:
        """Note the end of one direction of an ignored connection."""
        flow = connection.flows[segment.source != connection.flows[0].source]
        flow.next = flow.end = (segment.sequence + len(segment.data)) % _WRAP
        if segment.reset or all(each.end is not None for each in connection.flows):
            yield self._end(key)

    def _is_late(self, key: tuple[Address, Address], segment: Segment) -> bool:
        """Return True if a segment is a copy of one of a connection that has ended."""
        known = self._ended.get(key)
        if known is None:
            return False
        flow = known.flows[segment.source != known.flows[0].source]
        if segment.syn:
            return not _begins_anew(known, segment)
        # The FIN takes one number: a copy may begin behind it.
        return flow.next is not None and -(1 << 30) < _distance(flow.next, segment.sequence) <= 1


def _key(segment: Segment) -> tuple[Address, Address]:
    one, other = segment.source, segment.target
    return (one, other) if one <= other else (other, one)


def _is_bare(segment: Segment) -> bool:
    """Return True for an acknowledgement without data, which begins no connection."""
    if segment.syn or segment.fin or segment.reset:
        return False
    return not segment.data and not segment.missing


def _begins_anew(connection: Connection, segment: Segment) -> bool:
    """Return True if a SYN opens a new connection between addresses that had one."""
    if not segment.syn:
        return False
    flow = connection.flows[segment.source != connection.flows[0].source]
    if flow is not connection.flows[0] or connection.first is None:
        return False
    return segment.sequence != connection.first


def _distance(here: int, there: int) -> int:
    """Return there - here for sequence numbers, which wrap at 2**32."""
    return (there - here + (_WRAP >> 1)) % _WRAP - (_WRAP >> 1)


def _take(flow: Flow, segment: Segment) -> None:
    sequence = segment.sequence
    if segment.syn:
        sequence = (sequence + 1) % _WRAP
        if flow.next is None:
            flow.next = sequence
    if segment.fin:
        flow.end = (sequence + len(segment.data) + segment.missing) % _WRAP
        flow.ended_at = segment.time, segment.packet
    size = len(segment.data) + segment.missing
    if size:
        known = flow.held.get(sequence)
        if known is None or len(known.data) + known.missing < size:
            if known is not None:
                flow.held_bytes -= len(known.data)
            flow.held[sequence] = segment
            flow.held_bytes += len(segment.data)
    _deliver(flow)
    while len(flow.held) > WINDOW_SEGMENTS or flow.held_bytes > WINDOW_BYTES:
        _skip(flow)
        _deliver(flow)


def _deliver(flow: Flow) -> None:
    """Move the held segments that continue the stream to ``ready``."""
    if flow.next is None:
        return
    while flow.held:
        segment = flow.held.get(flow.next)
        sequence = flow.next
        if segment is None:
            # Only a segment that overlaps the delivered bytes can continue the stream now.
            found = [each for each in flow.held if _distance(flow.next, each) < 0]
            if not found:
                return
            sequence = min(found, key=lambda each: _distance(flow.next or 0, each))
            segment = flow.held[sequence]
        del flow.held[sequence]
        flow.held_bytes -= len(segment.data)
        _append(flow, segment, -_distance(flow.next, sequence))


def _append(flow: Flow, segment: Segment, overlap: int) -> None:
    assert flow.next is not None
    data = segment.data[overlap:]
    missing = segment.missing - max(0, overlap - len(segment.data))
    if data:
        flow.ready.append(Piece(segment.time, segment.packet, data, 0, segment.offset))
    if missing > 0:
        flow.ready.append(Piece(segment.time, segment.packet, b"", missing, segment.offset))
    flow.next = (flow.next + len(data) + max(0, missing)) % _WRAP


def _skip(flow: Flow) -> None:
    """Skip the missing bytes before the earliest held segment."""
    reference = flow.next if flow.next is not None else next(iter(flow.held))
    first = min(flow.held, key=lambda each: _distance(reference, each))
    if flow.next is not None:
        segment = flow.held[first]
        flow.ready.append(
            Piece(segment.time, segment.packet, b"", _distance(flow.next, first), segment.offset)
        )
    flow.next = first


def _flush(flow: Flow) -> None:
    _deliver(flow)
    while flow.held:
        _skip(flow)
        _deliver(flow)
    if flow.next is None or flow.end is None:
        return
    missing = _distance(flow.next, flow.end)
    if 0 < missing <= WINDOW_BYTES:
        # The FIN came and the bytes before it did not.
        flow.ready.append(Piece(flow.ended_at[0], flow.ended_at[1], b"", missing))
        flow.next = flow.end
