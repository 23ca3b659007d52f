"""Conversion of a packet capture to HTTP messages with decrypted envelopes.

WS-Man is found by content, at any port. Connections of other kinds are counted. A body that
no key decrypts becomes a message with its size and the missing secret.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from psremoting.capture.http_message import HttpMessage, classify_body
from psremoting.capture.network.capture_files import read_packets
from psremoting.capture.network.http_flows import FlowReader, RawMessage
from psremoting.capture.network.layers import LINK_TYPES, Datagram, Layers, Segment
from psremoting.capture.network.tcp import Connection, TcpStreams
from psremoting.capture.network.unsealing import ConnectionKeys, Peers, sealed
from psremoting.capture.source import CaptureError
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.secrets import PacketSecrets
    from psremoting.capture.network.tcp import Flow, Piece
    from psremoting.capture.source import Source

__all__ = ["PacketReader", "gather_keys"]

_KDC_PORTS = (88, 464)
_REQUEST_LINE = re.compile(rb"[A-Z]{3,10} \S+ HTTP/1\.[01]\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d{3}")
_MAX_KDC_MESSAGE = 1 << 20
_REORDERED = 64
"""Maximum number of complete messages that wait for one that began earlier."""


def gather_keys(source: Source, secrets: PacketSecrets) -> None:
    """Read only the Kerberos exchanges of a capture into ``secrets``.

    A damaged capture is read up to the damage, without an error; decoding it reports the damage.
    """
    if not secrets.kerberos:
        return
    layers, streams = Layers(), TcpStreams()
    kdc: dict[int, _KdcStream] = {}
    try:
        for packet in read_packets(source):
            found = layers.unwrap(packet)
            if isinstance(found, Datagram):
                if found.source[1] in _KDC_PORTS or found.target[1] in _KDC_PORTS:
                    secrets.kerberos.receive(found.data)
            elif found is not None and _may_be_kdc(found):
                for connection in streams.receive(found):
                    _feed_kdc(connection, kdc, secrets)
    except CaptureError:
        pass
    for connection in streams.end():
        _feed_kdc(connection, kdc, secrets)


def _may_be_kdc(segment: Segment) -> bool:
    """Return True if a segment may belong to an exchange with a KDC.

    By port, or by content: a length of four bytes and an element [APPLICATION 10..14, 30].
    """
    ports = (segment.source[1], segment.target[1])
    return not (5985 in ports or 5986 in ports or 443 in ports or 22 in ports)


class _KdcStream:
    """Messages of one direction, each after its length of four bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.other = False

    def receive(self, piece: Piece, secrets: PacketSecrets) -> None:
        if self.other:
            return
        if piece.gap:
            self.other = True
            return
        self._buffer += piece.data
        while len(self._buffer) >= 5:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > _MAX_KDC_MESSAGE or self._buffer[4] & 0xE0 != 0x60:
                self.other = True
                self._buffer.clear()
                return
            if len(self._buffer) < 4 + size:
                return
            secrets.kerberos.receive(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]


def _feed_kdc(
    connection: Connection, streams: dict[int, _KdcStream], secrets: PacketSecrets
) -> None:
    for flow, piece in connection.take():
        streams.setdefault(id(flow), _KdcStream()).receive(piece, secrets)
    if connection.ended:
        for flow in connection.flows:
            streams.pop(id(flow), None)


@dataclass(slots=True)
class _Talk:
    """One connection as HTTP."""

    number: int
    client: Flow
    readers: dict[Side, FlowReader]
    keys: ConnectionKeys
    about_wsman: bool = False
    early: list[RawMessage] = field(default_factory=list)
    """Messages from before the connection was known to be WS-Man."""


class PacketReader:
    """Reader of one capture. Iterate `messages`, then read `notes`."""

    def __init__(self, source: Source, secrets: PacketSecrets) -> None:
        self._source = source
        self._secrets = secrets
        self._peers = Peers()
        self._layers = Layers()
        self._talks: dict[int, _Talk | None] = {}
        self._undecided: dict[int, list[tuple[Flow, Piece]]] = {}
        self._number = 0
        self.notes: Counter[str] = Counter()
        """Counts of skipped items by kind."""
        self.carrier_bytes = 0

    def messages(self) -> Iterator[HttpMessage]:
        """Yield the messages of all WS-Man connections, by their first packets.

        Raises CaptureError for a damaged capture, after what could be read of it.
        """
        waiting: list[tuple[int, int, HttpMessage]] = []
        damage: CaptureError | None = None
        completed = self._completed()
        try:
            for message in completed:
                heappush(waiting, (message.offset, message.number, message))
                if len(waiting) > _REORDERED:
                    yield heappop(waiting)[2]
        except CaptureError as error:
            damage = error
        while waiting:
            yield heappop(waiting)[2]
        if damage is not None:
            raise damage

    def _completed(self) -> Iterator[HttpMessage]:
        """Yield the messages as they become complete."""
        streams = TcpStreams()
        damage: CaptureError | None = None
        packets = read_packets(self._source)
        while damage is None:
            try:
                packet = next(packets, None)
            except CaptureError as error:
                damage = error
                break
            if packet is None:
                break
            found = self._layers.unwrap(packet)
            if isinstance(found, Segment):
                for connection in streams.receive(found):
                    yield from self._take(connection)
        for connection in streams.end():
            yield from self._take(connection)
        for link_type in self._layers.unknown_link_types - LINK_TYPES.keys():
            self.notes[f"packets of the unknown link type {link_type}"] += 1
        if damage is not None:
            raise damage

    def _take(self, connection: Connection) -> Iterator[HttpMessage]:
        for flow, piece in connection.take():
            talk = self._talk(connection, flow, piece)
            if talk is None:
                continue
            for other, each in self._undecided.pop(connection.number, ()):
                yield from self._pieces(talk, other, each)
            yield from self._pieces(talk, flow, piece)
        if connection.ended:
            talk = self._talks.pop(connection.number, None)
            self._undecided.pop(connection.number, None)
            if talk is not None:
                for reader in talk.readers.values():
                    for message in reader.end():
                        yield from self._message(talk, message)
            elif any(flow.next is not None for flow in connection.flows):
                self.notes["connections that are not HTTP"] += 1

    def _talk(self, connection: Connection, flow: Flow, piece: Piece) -> _Talk | None:
        """Return the state of a connection, once a first piece shows which side is the client."""
        if connection.number in self._talks:
            return self._talks[connection.number]
        held = self._undecided.setdefault(connection.number, [])
        client: Flow | None = None
        one, other = connection.flows
        if piece.data and _REQUEST_LINE.search(piece.data[:16384]):
            client = flow
        elif piece.data and _STATUS_LINE.search(piece.data[:16384]):
            client = other if flow is one else one
        if client is None:
            held.append((flow, piece))
            if len(held) > 64:
                self._undecided.pop(connection.number)
                self._talks[connection.number] = None
            return None
        server = other if client is one else one
        talk = _Talk(
            number=connection.number,
            client=client,
            readers={side: FlowReader(side) for side in Side},
            keys=ConnectionKeys(self._secrets, self._peers, client.source, server.source),
        )
        self._talks[connection.number] = talk
        return talk

    def _pieces(self, talk: _Talk, flow: Flow, piece: Piece) -> Iterator[HttpMessage]:
        side = Side.CLIENT if flow is talk.client else Side.SERVER
        for message in talk.readers[side].receive(piece):
            yield from self._message(talk, message)

    def _message(self, talk: _Talk, message: RawMessage) -> Iterator[HttpMessage]:
        if not talk.about_wsman:
            if not _about_wsman(message):
                if message.side is Side.CLIENT and len(talk.early) < 16:
                    talk.early.append(message)
                return
            talk.about_wsman = True
        for each in (*talk.early, message):
            yield from self._opened(talk, each)
        talk.early.clear()

    def _opened(self, talk: _Talk, message: RawMessage) -> Iterator[HttpMessage]:
        talk.keys.receive(message)
        common = {
            "side": message.side,
            "offset": message.packet,
            "in_packet": True,
            "connection": talk.number,
            "time": message.time,
            "start": message.start,
            "status": message.status,
            "headers": message.headers,
            "raw": True,
        }
        if not sealed(message) or not message.body:
            soap, body = classify_body(message.body, message.headers)
            note = message.note
            if message.holes:
                note = "; ".join(filter(None, (note, "bytes of the body are missing")))
            yield self._made(common, soap=soap, body=body, note=note)
            return
        for part in talk.keys.open(message):
            if part.text is None:
                yield self._made(common, body=bytes(part.sealed), note=part.problem)
                continue
            kind = (("Content-Type", part.content_type),)
            soap, body = classify_body(part.text.rstrip(b"\0"), kind)
            yield self._made(common | {"headers": message.headers + kind}, soap=soap, body=body,
                             opened=part.key)  # fmt: skip

    def _made(self, common: dict[str, object], **more: object) -> HttpMessage:
        self._number += 1
        return HttpMessage(number=self._number, **common, **more)  # type: ignore[arg-type]


def _about_wsman(message: RawMessage) -> bool:
    kind = message.header("Content-Type").lower()
    if "soap+xml" in kind or (kind.startswith("multipart/") and "encrypted" in kind):
        return True
    return "/wsman" in message.start.lower() or "/powershell" in message.start.lower()
