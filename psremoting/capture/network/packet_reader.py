"""Conversion of a packet capture to HTTP messages with decrypted envelopes.

Connections of other kinds are counted. A body that no key decrypts becomes a message with its size
and the missing secret.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from psremoting.capture.http_message import HttpMessage
from psremoting.capture.network.capture_files import read_packets
from psremoting.capture.network.gathering import KdcReader
from psremoting.capture.network.layers import LINK_TYPES, Datagram, Layers
from psremoting.capture.network.talks import Talk
from psremoting.capture.network.tcp import MAX_CONNECTIONS, Connection, TcpStreams
from psremoting.capture.network.tls_records import starts_tls
from psremoting.capture.network.unsealing import Peers
from psremoting.capture.source import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.secrets import PacketSecrets
    from psremoting.capture.network.talks import Found
    from psremoting.capture.network.tcp import Flow, Piece
    from psremoting.capture.source import Source

__all__ = ["PacketReader"]

_REQUEST_LINE = re.compile(rb"[A-Z]{3,10} \S+ HTTP/1\.[01]\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d{3}")
_UNDECIDED = 64
"""Pieces of a connection that are read before it is taken for another protocol."""
_MAX_UNDECIDED = 64 << 20
_REORDERED = 64
"""Maximum number of complete messages that wait for one that began earlier."""
_MAX_REORDERED = 64 << 20
MAX_HELD = 256 << 20
"""Bytes of unfinished messages of all connections together."""


class PacketReader:
    """Reader of one capture. Iterate `messages`, then read `notes`."""

    def __init__(self, source: Source, secrets: PacketSecrets) -> None:
        self._source = source
        self._secrets = secrets
        self._peers = Peers()
        self._layers = Layers()
        self._kdc = KdcReader(secrets)
        self._given = bool(secrets)
        self._talks: dict[int, Talk | None] = {}
        self._undecided: OrderedDict[int, list[tuple[Flow, Piece]]] = OrderedDict()
        self._undecided_bytes = 0
        self._held: dict[int, int] = {}
        self._held_total = 0
        self._opened = False
        self._missing = ""
        self._places: OrderedDict[int, int] = OrderedDict()
        """Connections to the packet by which their last line was sorted."""
        self._numbers = count(1)
        self.notes: Counter[str] = Counter()
        """Counts of skipped items by kind."""

    def messages(self) -> Iterator[Found]:
        """Yield the messages of all WS-Man connections, by their first packets.

        Raises CaptureError for a damaged capture, after what could be read of it.
        """
        waiting: list[tuple[int, int, Found]] = []
        size = 0
        damage: CaptureError | None = None
        completed = self._completed()
        try:
            for message in completed:
                heappush(waiting, (self._place(message), message.number, message))
                size += _size(message)
                self._note_sealed(message)
                while len(waiting) > _REORDERED or (size > _MAX_REORDERED and waiting):
                    first = heappop(waiting)[2]
                    size -= _size(first)
                    yield first
        except CaptureError as error:
            damage = error
        while waiting:
            yield heappop(waiting)[2]
        if damage is None and self._given and self._missing and not self._opened:
            damage = self._source.fail(f"no key given opens it; {self._missing}")
        if damage is not None:
            raise damage

    def _place(self, found: Found) -> int:
        """Return the packet by which a line is sorted: no connection goes back in its own order."""
        place = max(found.offset, self._places.pop(found.connection, 0))
        self._places[found.connection] = place
        if len(self._places) > MAX_CONNECTIONS:
            self._places.popitem(last=False)
        return place

    def _note_sealed(self, found: Found) -> None:
        """Note whether anything opened, and the first secret that is missing."""
        if isinstance(found, HttpMessage):
            self._opened = self._opened or bool(found.opened)
            note = found.note
        else:
            note = "" if found.plumbing else str(found.data.get("note", ""))
        if not self._missing and note.startswith("missing: "):
            self._missing = note

    def _completed(self) -> Iterator[Found]:
        """Yield the messages as they become complete."""
        streams = TcpStreams()
        damage: CaptureError | None = None
        packets = read_packets(self._source, self._secrets.tls.add_log)
        while damage is None:
            try:
                packet = next(packets, None)
            except CaptureError as error:
                damage = error
                break
            if packet is None:
                break
            found = self._layers.unwrap(packet)
            if isinstance(found, Datagram):
                self._kdc.datagram(found)
            elif found is not None:
                for connection in streams.receive(found):
                    yield from self._take(connection)
        for connection in streams.end():
            yield from self._take(connection)
        unknown = sorted(self._layers.unknown_link_types - LINK_TYPES.keys())
        if unknown and damage is None:
            listed = ", ".join(map(str, unknown))
            damage = self._source.fail(f"packets of an unknown link type: {listed}")
        if damage is not None:
            raise damage

    def _take(self, connection: Connection) -> Iterator[Found]:
        if self._kdc.is_kdc(connection):
            self._kdc.connection(connection)
            return
        for flow, piece in connection.take():
            talk = self._talk(connection, flow, piece)
            if talk is None:
                continue
            for other, each in self._decided(connection.number):
                yield from talk.receive(other, each)
            yield from talk.receive(flow, piece)
            yield from self._keep_within(connection.number, talk.held)
        if connection.ended:
            talk = self._talks.pop(connection.number, None)
            self._decided(connection.number)
            self._held_total -= self._held.pop(connection.number, 0)
            if talk is not None:
                yield from talk.end()
            elif any(flow.next is not None for flow in connection.flows):
                self.notes["connections that are not HTTP"] += 1

    def _keep_within(self, number: int, held: int) -> Iterator[Found]:
        """Note the bytes that a connection holds; over the limit, the largest ones give up."""
        self._held_total += held - self._held.get(number, 0)
        self._held[number] = held
        while self._held_total > MAX_HELD:
            largest = max(self._held, key=lambda each: self._held[each])
            talk = self._talks.get(largest)
            self._held_total -= self._held.pop(largest)
            if talk is not None:
                yield from talk.give_up()

    def _decided(self, number: int) -> list[tuple[Flow, Piece]]:
        """Take the pieces of a connection that waited for its kind."""
        pieces = self._undecided.pop(number, [])
        self._undecided_bytes -= sum(len(piece.data) for _, piece in pieces)
        return pieces

    def _talk(self, connection: Connection, flow: Flow, piece: Piece) -> Talk | None:
        """Return the state of a connection, once a first piece shows which side is the client."""
        if connection.number in self._talks:
            return self._talks[connection.number]
        held = self._undecided.setdefault(connection.number, [])
        client, tls = _client(connection, flow, piece, first=not held)
        if client is None:
            held.append((flow, piece))
            self._undecided_bytes += len(piece.data)
            if len(held) > _UNDECIDED:
                self._decided(connection.number)
                self._talks[connection.number] = None
                connection.ignored = True
            while self._undecided_bytes > _MAX_UNDECIDED:
                first = next(iter(self._undecided))
                self._decided(first)
                self._talks[first] = None
            return None
        one, other = connection.flows
        talk = self._talks[connection.number] = Talk(
            connection.number,
            (client, other if client is one else one),
            self._secrets,
            self._peers,
            self._numbers,
            tls=tls,
        )
        return talk


def _size(message: Found) -> int:
    if not isinstance(message, HttpMessage):
        return 0
    return len(message.soap or "") + len(message.body or b"")


def _client(
    connection: Connection, flow: Flow, piece: Piece, *, first: bool
) -> tuple[Flow | None, bool]:
    """Return the flow of the client, or None if this piece does not show it, and if TLS is used."""
    one, other = connection.flows
    peer = other if flow is one else one
    data = piece.data
    if not data:
        return None, False
    hello = starts_tls(data) if data[0] < 0x20 else None
    if hello is not None and (hello or first):
        if not hello:
            # The ports must tell: a client's is above those of services.
            return max(connection.flows, key=lambda each: each.source[1]), True
        return (flow if hello == 1 else peer), True
    if _REQUEST_LINE.search(data[:16384]):
        return flow, False
    if _STATUS_LINE.search(data[:16384]):
        return peer, False
    return None, False
