"""TCP reassembly: segments in any order become the bytes of both directions.

Retransmitted and overlapping bytes are taken once: the first copy counts. Data is delivered as soon
as it continues the stream. What is missing is waited for within a window of held segments; after
that, and at the end of the connection, it becomes a gap of known length. A connection that began
before the capture begins with its lowest sequence number in the window.

The acknowledgements tell what a side had received when it sent a segment. So both directions are
delivered in the order in which they were sent, whatever order the packets were captured in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.layers import Address, Segment

__all__ = ["Connection", "Flow", "Piece", "TcpStreams"]

WINDOW_SEGMENTS = 512
WINDOW_BYTES = 4 << 20
"""Maximum segments and bytes of one direction held while earlier bytes are missing."""
_WAITING_PIECES = 64
"""Maximum pieces of both directions that wait for what they acknowledge."""
MAX_CONNECTIONS = 20_000
"""Maximum number of tracked connections; a new one beyond that ends the oldest."""
MAX_HELD = 256 << 20
_WRAP = 1 << 32
_LINGER = 64
"""Number of packets after which a connection that was reset ends."""
_FAR = 1 << 24
"""An acknowledgement of bytes further ahead is taken for a wrong one."""


class Piece(NamedTuple):
    """The next bytes of one direction, or a gap of ``gap`` bytes before any further data."""

    time: float
    packet: int
    data: bytes = b""
    gap: int = 0
    offset: int = -1
    """Offset of the packet's record in the file."""
    ack: int | None = None
    """Sequence number that the sender expected next from the other side."""
    end: int = 0
    """Sequence number after the piece."""


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
    acked: int | None = None
    """Sequence number that the other side expected last."""
    last: tuple[float, int] = (0.0, 0)
    """Time and packet of the FIN, or else of the last acknowledgement."""
    ready: deque[Piece] = field(default_factory=deque)
    opened: int | None = None
    """Sequence number after the SYN, of the side that opened the connection."""
    taken: int | None = None
    """Sequence number after the last piece that was taken."""

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

    counted: int = 0
    """Bytes of it that the tracker counts as held."""

    @property
    def held(self) -> int:
        """Bytes that wait for earlier ones, of their own or of the other direction."""
        return sum(
            flow.held_bytes + sum(len(piece.data) for piece in flow.ready) for flow in self.flows
        )

    def take(self) -> Iterator[tuple[Flow, Piece]]:
        """Yield the pieces that have become ready, in the order in which they were sent.

        A piece that acknowledges bytes which have not come yet waits for them, within the window.
        """
        one, other = self.flows
        while one.ready or other.ready:
            flow = self._next()
            if flow is None:
                return
            piece = flow.ready.popleft()
            flow.taken = piece.end
            yield flow, piece

    def _next(self) -> Flow | None:
        """Return the flow whose first piece is the next one, or None if all have to wait."""
        one, other = self.flows
        free = [flow for flow, peer in ((one, other), (other, one)) if _is_free(flow, peer)]
        if not free and (self.ended or self._is_full()):
            free = [flow for flow in self.flows if flow.ready]
        if len(free) == 2:
            return one if one.ready[0].packet <= other.ready[0].packet else other
        return free[0] if free else None

    def _is_full(self) -> bool:
        pieces = sum(len(flow.ready) for flow in self.flows)
        return pieces > _WAITING_PIECES or self.held > WINDOW_BYTES


def _is_free(flow: Flow, peer: Flow) -> bool:
    """Return True if all bytes that the first piece of a flow acknowledges were taken."""
    if not flow.ready:
        return False
    ack = flow.ready[0].ack
    if ack is None:
        return True
    if peer.taken is None:
        # Data of the peer came before its SYN did.
        return not peer.held
    # A FIN takes one number.
    return not 1 < _distance(peer.taken, ack) < _FAR


_Key = tuple["Address", "Address"]


class TcpStreams:
    """Tracker of all connections of a capture."""

    def __init__(self) -> None:
        self._connections: OrderedDict[_Key, Connection] = OrderedDict()
        self._count = 0
        self._held = 0
        self._resets: deque[tuple[int, _Key, Connection]] = deque()
        """Connections that were reset, with the packet; data before it may still come."""
        self._ended: OrderedDict[_Key, Connection] = OrderedDict()

    def receive(self, segment: Segment) -> Iterator[Connection]:
        """Take a segment; yield the connections that have new pieces or have ended."""
        while self._resets and segment.packet - self._resets[0][0] > _LINGER:
            _, key, reset = self._resets.popleft()
            if self._connections.get(key) is reset:
                yield self._end(key)
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
        peer = connection.flows[flow is connection.flows[0]]
        if peer.next is None:
            _learn_beginning(flow, peer, segment)
        _take(flow, segment)
        if segment.ack is not None and not segment.syn:
            _acknowledge(peer, segment.ack, segment)
        if segment.syn and flow is connection.flows[0]:
            connection.first = segment.sequence
        if segment.reset:
            self._resets.append((segment.packet, key, connection))
        if all(each.complete for each in connection.flows):
            yield self._end(key)
        else:
            if any(each.ready for each in connection.flows):
                yield connection
            held = connection.held
            self._held += held - connection.counted
            connection.counted = held
        while self._held > MAX_HELD and self._connections:
            yield self._end(next(iter(self._connections)))

    def end(self) -> Iterator[Connection]:
        """End the capture; yield every connection with its last pieces."""
        for key in list(self._connections):
            yield self._end(key)

    def _end(self, key: _Key) -> Connection:
        connection = self._connections.pop(key)
        self._held -= connection.counted
        for flow in connection.flows:
            _flush(flow)
        connection.ended = True
        self._ended[key] = connection
        self._ended.move_to_end(key)
        if len(self._ended) > MAX_CONNECTIONS:
            self._ended.popitem(last=False)
        return connection

    def _pass_over(
        self, key: _Key, connection: Connection, segment: Segment
    ) -> Iterator[Connection]:
        """Note the end of one direction of an ignored connection."""
        flow = connection.flows[segment.source != connection.flows[0].source]
        flow.next = flow.end = (segment.sequence + len(segment.data)) % _WRAP
        if segment.reset or all(each.end is not None for each in connection.flows):
            yield self._end(key)

    def _is_late(self, key: _Key, segment: Segment) -> bool:
        """Return True if a segment is a copy of one of a connection that has ended."""
        known = self._ended.get(key)
        if known is None:
            return False
        flow = known.flows[segment.source != known.flows[0].source]
        if segment.syn:
            return not _begins_anew(known, segment)
        # The FIN takes one number: a copy may begin behind it.
        return flow.next is not None and -(1 << 30) < _distance(flow.next, segment.sequence) <= 1


def _key(segment: Segment) -> _Key:
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


def _learn_beginning(flow: Flow, peer: Flow, segment: Segment) -> None:
    """Set the beginning of the other direction from what its opener acknowledges first."""
    if segment.syn and segment.ack is None:
        flow.opened = (segment.sequence + 1) % _WRAP
        first = flow.held.get(flow.opened)
    else:
        first = segment if segment.sequence == flow.opened else None
    if first is not None and first.ack is not None:
        peer.next = peer.taken = first.ack
        _deliver(peer)


def _acknowledge(flow: Flow, ack: int, segment: Segment) -> None:
    if flow.acked is None or _distance(flow.acked, ack) > 0:
        flow.acked = ack
        if flow.end is None:
            flow.last = segment.time, segment.packet


def _take(flow: Flow, segment: Segment) -> None:
    sequence = segment.sequence
    if segment.syn:
        sequence = (sequence + 1) % _WRAP
        if flow.next is None:
            flow.next = flow.taken = sequence
    if segment.fin:
        flow.end = (sequence + len(segment.data) + segment.missing) % _WRAP
        flow.last = segment.time, segment.packet
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
    place = segment.time, segment.packet
    if data:
        flow.next = (flow.next + len(data)) % _WRAP
        flow.ready.append(Piece(*place, data, 0, segment.offset, segment.ack, flow.next))
    if missing > 0:
        flow.next = (flow.next + missing) % _WRAP
        flow.ready.append(Piece(*place, b"", missing, segment.offset, segment.ack, flow.next))


def _skip(flow: Flow) -> None:
    """Skip the missing bytes before the earliest held segment."""
    reference = flow.next if flow.next is not None else next(iter(flow.held))
    first = min(flow.held, key=lambda each: _distance(reference, each))
    if flow.next is not None:
        segment = flow.held[first]
        size, place = _distance(flow.next, first), (segment.time, segment.packet)
        flow.ready.append(Piece(*place, b"", size, segment.offset, segment.ack, first))
    else:
        flow.taken = first
    flow.next = first


def _flush(flow: Flow) -> None:
    _deliver(flow)
    while flow.held:
        _skip(flow)
        _deliver(flow)
    end = flow.end if flow.end is not None else flow.acked
    if flow.next is None or end is None:
        return
    missing = _distance(flow.next, end)
    # One number may be that of a FIN which the capture lacks.
    if (1 if flow.end is None else 0) < missing < _FAR:
        flow.ready.append(Piece(*flow.last, b"", missing, end=end))
        flow.next = end
