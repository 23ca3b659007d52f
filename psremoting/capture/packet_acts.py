"""Out-of-process recordings as entries: packets, and lines that are not packets.

A transcript keeps both directions apart. Plain text lines do not record the sender: an ack comes
from a server, a Command, Signal or Close from a client, and the sender of Data follows from the
destination field of the message that begins in it, or from the message that it continues.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from struct import unpack_from
from typing import TYPE_CHECKING, Any

from psremoting.capture.entries import Entry
from psremoting.capture.json_messages import RecordedTime, read_objects
from psremoting.capture.source import CaptureError, Damage
from psrp.sansio import LimitExceeded, Side
from sshsub.packets import Line, LineReader, Packet, PacketError, PacketKind, error_text, read_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source, TextLine

__all__ = ["PacketReader", "read_packet_lines", "read_transcript", "sender_of"]

_SENDER = re.compile(rb'"from"\s*:\s*"(client|server)"')
_BLANK_OF_CLIENT = "blank line: PowerShell's server ends on it"
_CLIENT_PACKETS = frozenset((PacketKind.COMMAND, PacketKind.SIGNAL, PacketKind.CLOSE))


class PacketReader:
    """Feed a Joiner with the lines of one connection."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._session = joiner.session(whole=True)
        self._packets = 0

    def line(self, side: Side | None, line: Line, carrier: dict[str, Any]) -> None:
        """Take one line; with ``side`` None the sender is inferred."""
        size = len(line.data) + 1
        self._joiner.counts.carrier_bytes += size
        where = carrier | {"line": line.number, "offset": line.offset}
        if not line.data.startswith(b"<") and side is not Side.CLIENT:
            self._other_line(line, size, where)
            return
        if not line.data:
            data = {"text": "", "note": _BLANK_OF_CLIENT}
            entry = Entry(type="sshsub:noise", direction=side, carrier=where, data=data, raw=b"\n")
            self._joiner.text(entry, size)
            return
        before = self._packets
        try:
            for packet in read_line(line.data):
                self._packet(side, packet, where, line.data)
        except PacketError as error:
            lost = len(line.data) - (error.offset if self._packets > before else 0)
            self._joiner.error(
                f"packet-{error.rule}", str(error), lost=lost, direction=side,
                carrier=where | {"line_offset": error.offset},
            )  # fmt: skip

    def _other_line(self, line: Line, size: int, where: dict[str, Any]) -> None:
        """Add a line of the server that is not a packet: an error line, a banner, a stack trace."""
        text = error_text(line.data)
        kind = "sshsub:noise" if text is None else "sshsub:error"
        if text is None:
            text = line.data.decode("utf-8", "replace")
        entry = Entry(
            type=kind, direction=Side.SERVER, carrier=where, data={"text": text}, raw=line.data
        )
        self._joiner.text(entry, size)

    def _packet(
        self, side: Side | None, packet: Packet, where: dict[str, Any], line: bytes
    ) -> None:
        self._packets += 1
        carrier = {"packet": self._packets} | where
        side = side or self._guess(packet)
        if packet.kind is PacketKind.DATA:
            self._joiner.payload(
                self._session, packet.target, side, packet.stream, packet.data, carrier
            )
            return
        self._joiner.act(
            Entry(
                type=f"sshsub:{packet.kind.value}",
                direction=side,
                target=packet.target,
                carrier=carrier,
                raw=line,
                plumbing=packet.kind in (PacketKind.DATA_ACK, PacketKind.COMMAND_ACK),
            )
        )
        if packet.kind is PacketKind.CLOSE_ACK:
            if packet.target is not None:
                self._joiner.forget(self._session, packet.target)
            else:  # the process continues, and the next line opens a new session
                self._joiner.close(self._session)
                self._session = self._joiner.session(whole=True)

    def _guess(self, packet: Packet) -> Side:
        if packet.kind is not PacketKind.DATA:
            return Side.CLIENT if packet.kind in _CLIENT_PACKETS else Side.SERVER
        if (found := destination(packet.data)) is not None:
            return found.peer
        return self._continued(packet.target)

    def _continued(self, target: UUID | None) -> Side:
        for (other, side, _stream), lane in self._session.lanes.items():
            if other == target and lane.rest:
                return side
        return Side.SERVER


def sender_of(line: bytes) -> Side | None:
    """Return the side that a line of packets shows to be its sender, or None."""
    try:
        for packet in read_line(line):
            if packet.kind in _CLIENT_PACKETS:
                return Side.CLIENT
            if packet.kind is not PacketKind.DATA:
                return Side.SERVER
            if (found := destination(packet.data)) is not None:
                return found.peer
    except PacketError:
        return None
    return None


def destination(data: bytes) -> Side | None:
    """Return the destination of a message that begins here. [MS-PSRP] 2.2.1"""
    if len(data) < 21 + 4:
        return None
    object_id, fragment_id, flags, _length = unpack_from(">QQBI", data)
    (number,) = unpack_from("<I", data, 21)
    if not object_id or fragment_id or not flags & 1:
        return None
    return {1: Side.CLIENT, 2: Side.SERVER}.get(number)


def read_transcript(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from JSON lines; yield after each line of packets."""
    reader = PacketReader(joiner)
    cutters = {side: LineReader() for side in Side}
    clock = RecordedTime()
    for row, item in read_objects(source):
        try:
            chunk = _chunk(source, row, item, clock)
        except CaptureError as error:
            joiner.damage(Damage(row, error))
            if (found := _SENDER.search(row.data)) is not None:
                _cut(joiner, Side(found[1].decode()), cutters)
            yield
            continue
        cutter = cutters[chunk.side]
        try:
            cutter.receive_data(chunk.data)
        except LimitExceeded as error:
            joiner.error("limit", str(error), lost=error.size, direction=chunk.side)
        while line := cutter.next_line():
            reader.line(chunk.side, line, chunk.carrier)
            yield
    for side in Side:
        _cut(joiner, side, cutters)
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    side: Side
    data: bytes
    carrier: dict[str, Any]


def _chunk(
    source: Source, row: TextLine, item: dict[str, Any] | CaptureError, clock: RecordedTime
) -> _Chunk:
    """Return the chunk of a line. Raises CaptureError for a line that is not one."""
    if isinstance(item, CaptureError):
        raise item
    side, data, time = item.get("from"), item.get("data"), clock.of(source, row, item)
    if side not in ("client", "server") or not isinstance(data, str):
        raise source.fail("not a chunk: 'from' or 'data' is wrong", row.offset)
    try:
        chunk = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise source.fail("'data' is not base64", row.offset) from None
    carrier: dict[str, Any] = {"file_offset": row.offset}
    if time is not None:
        carrier["time"] = time
    return _Chunk(side=Side(side), data=chunk, carrier=carrier)


def _cut(joiner: Joiner, side: Side, cutters: dict[Side, LineReader]) -> None:
    """End the line that a side has begun, because the chunk with its end is missing."""
    if rest := cutters[side].rest():
        _torn(joiner, side, rest)


def read_packet_lines(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from plain text lines of either side."""
    reader = PacketReader(joiner)
    cutter = LineReader()
    for piece in source.pieces():
        try:
            cutter.receive_data(piece)
        except LimitExceeded as error:
            joiner.error("limit", str(error), lost=error.size)
        while line := cutter.next_line():
            reader.line(None, line, {"file_offset": line.offset})
            yield
    if rest := cutter.rest():
        reader.line(None, rest, {"file_offset": rest.offset})
    yield


def _torn(joiner: Joiner, side: Side, line: Line) -> None:
    """Add the bytes after the last line end; a receiver would not process them."""
    joiner.counts.incomplete += 1
    joiner.counts.carrier_bytes += len(line.data)
    joiner.counts.bytes += len(line.data)
    text = f"the recording ends inside a line: {len(line.data)} bytes are left"
    joiner.act(
        Entry(
            type="incomplete",
            direction=side,
            carrier={"line": line.number, "offset": line.offset},
            data={"text": text},
        )
    )
