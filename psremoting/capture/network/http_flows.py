"""HTTP/1.1 messages of one direction of a TCP connection, also from its middle and with gaps.

h11 reads each message. A gap inside a body is filled with zeros and recorded, so that the framing
goes on; a gap elsewhere ends the message, and reading goes on at the next start line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

from psremoting.capture.network.tcp import Piece
from psrp.sansio import RemoteProtocolError, Side
from wsman.http import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BODY", "UNKNOWN_GAP", "FlowReader", "RawMessage"]

UNKNOWN_GAP = 1 << 62
"""The size of a gap whose length is not known."""
MAX_BODY = 64 << 20
_MAX_GAP = 1 << 20
_MAX_HEAD = 64 << 10
_START = {
    Side.CLIENT: re.compile(rb"(?:^|(?<=\n))[A-Z]{3,10} [^\s]{1,8192} HTTP/1\.[01]\r?\n"),
    Side.SERVER: re.compile(rb"(?:^|(?<=\n))HTTP/1\.[01] \d{3}[ \r\n]"),
}
_FIRST = {
    Side.CLIENT: re.compile(rb"[A-Z]{3,10} [^\s]{1,8192} HTTP/1\.[01]\r?\n"),
    Side.SERVER: re.compile(rb"HTTP/1\.[01] \d{3}[ \r\n]"),
}
_NOT_HTTP = 1 << 20
"""Number of bytes without a message after which a flow is treated as another protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """One HTTP message as it was sent."""

    side: Side
    time: float
    packet: int
    """Packet of the first byte."""
    offset: int = -1
    """Offset of that packet in the file."""
    start: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    holes: tuple[tuple[int, int], ...] = ()
    """Ranges of the body that are missing in the capture, filled with zeros."""
    note: str = ""

    def header(self, name: str) -> str:
        """Return the first header of that name, compared without case; empty if absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]


class FlowReader:
    """Splitter of the bytes of one direction into messages."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._buffer = bytearray()
        self._connection: h11.Connection | None = None
        self._head: h11.Request | h11.Response | h11.InformationalResponse | None = None
        self._body = bytearray()
        self._fed = 0
        """Bytes of the message so far, its head included."""
        self._holes: list[tuple[int, int]] = []
        self._began: tuple[float, int, int] = (0.0, 0, -1)
        self._now: tuple[float, int, int] = (0.0, 0, -1)
        """Time, packet and offset in the file."""
        self.skipped = 0
        """Bytes outside of messages, gaps included."""
        self.messages = 0
        self.not_http = False
        self._lost: Piece | None = None
        self.tunnel = False
        """True if the next response answers a CONNECT, so that it has no body if it succeeds."""

    @property
    def held(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer) + len(self._body)

    def take_lost(self) -> Piece | None:
        """Return the gap outside of messages since the last call, or None."""
        lost, self._lost = self._lost, None
        return lost

    def take_rest(self) -> bytes:
        """Take the bytes after the last message."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def give_up(self, note: str) -> Iterator[RawMessage]:
        """End an unfinished message, and yield what is there of it."""
        self.skipped += len(self._buffer)
        self._buffer.clear()
        if self._connection is not None:
            yield from self._cut(note)

    def receive(self, piece: Piece) -> Iterator[RawMessage]:
        """Take the next piece; yield the messages that it completes."""
        self._now = piece.time, piece.packet, piece.offset
        if self.not_http:
            self.skipped += len(piece.data) + (piece.gap if piece.gap != UNKNOWN_GAP else 0)
            return
        if piece.gap:
            yield from self._receive_gap(piece.gap)
        else:
            yield from self._receive_data(piece.data)
        if not self.messages and self.skipped + len(self._buffer) > _NOT_HTTP:
            self.not_http = True
            self.skipped += len(self._buffer)
            self._buffer.clear()

    def end(self) -> Iterator[RawMessage]:
        """End the flow: a response without length is complete, everything else is cut."""
        if self._connection is not None:
            yield from self._receive_data(b"", ended=True)
        if self._connection is not None:
            yield from self._cut("the connection ends inside the message")
        self.skipped += len(self._buffer)
        self._buffer.clear()

    def _receive_gap(self, size: int) -> Iterator[RawMessage]:
        if self._connection is not None and self._head is not None and size <= _MAX_GAP:
            before = len(self._body)
            messages = list(self._receive_data(bytes(size)))
            if self._connection is not None:
                if len(self._body) > before:
                    self._holes.append((before, len(self._body)))
                yield from messages
                return
            for message in messages:
                hole = before, len(message.body)
                yield _with_hole(message, hole) if hole[1] > hole[0] else message
            return
        self.skipped += len(self._buffer) + (size if size != UNKNOWN_GAP else 0)
        self._buffer.clear()
        note = f"{size:,} bytes are missing" if size != UNKNOWN_GAP else "bytes are missing"
        cut = list(self._cut(note)) if self._connection is not None else []
        if not cut:
            self._lose(size)
        yield from cut

    def _lose(self, size: int) -> None:
        """Note a gap in which whole messages may be lost."""
        if self._lost is not None:
            size = min(size + self._lost.gap, UNKNOWN_GAP)
        time, packet, offset = self._now
        self._lost = Piece(time, packet, b"", size, offset)

    def _receive_data(self, data: bytes, *, ended: bool = False) -> Iterator[RawMessage]:
        if self._connection is None:
            self._buffer += data
            if not self._begin():
                return
        else:
            self._feed(data, ended=ended)
        while self._connection is not None:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                ends = "the connection ends inside the message"
                yield from self._cut(ends if ended else f"not HTTP: {error}")
                self._begin()
                continue
            if (
                event is h11.NEED_DATA
                or event is h11.PAUSED
                or isinstance(event, h11.ConnectionClosed)
            ):
                return
            if isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    yield from self._cut(f"a body of more than {MAX_BODY} bytes")
                    self._begin()
            elif isinstance(event, h11.EndOfMessage):
                rest = bytes(self._connection.trailing_data[0])
                yield self._message("")
                self._buffer += rest
                self._begin()
            elif isinstance(event, h11.InformationalResponse):
                self._head = event
                rest = bytes(self._connection.trailing_data[0])
                yield self._message("")
                self._buffer += rest
                self._begin()
            else:
                assert isinstance(event, h11.Request | h11.Response)
                self._head = event
                if self.tunnel and isinstance(event, h11.Response) and event.status_code < 300:
                    # What follows is no HTTP: `take_rest` returns it.
                    rest = bytes(self._connection.trailing_data[0])
                    yield self._message("")
                    self._buffer += rest
                    return

    def _feed(self, data: bytes, *, ended: bool = False) -> None:
        assert self._connection is not None
        if data or ended:
            self._fed += len(data)
            self._connection.receive_data(data)

    def _begin(self) -> bool:
        """Start a message at the next start line in the buffer; skip what precedes it."""
        found = _FIRST[self._side].match(self._buffer) or _START[self._side].search(self._buffer)
        if found is None:
            keep = self._buffer.rfind(b"\n", -_MAX_HEAD) + 1 if len(self._buffer) > _MAX_HEAD else 0
            self.skipped += keep
            del self._buffer[:keep]
            if len(self._buffer) > _MAX_HEAD:
                self.skipped += len(self._buffer)
                self._buffer.clear()
            return False
        self.skipped += found.start()
        data = bytes(self._buffer[found.start() :])
        self._buffer.clear()
        if self._side is Side.CLIENT:
            self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        else:
            self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
            method, target = ("CONNECT", "-:1") if self.tunnel else ("POST", "/")
            self._connection.send(
                h11.Request(method=method, target=target, headers=[("Host", "-")])
            )
            self._connection.send(h11.EndOfMessage())
        self._head, self._body, self._holes = None, bytearray(), []
        self._began, self._fed = self._now, len(data)
        self._connection.receive_data(data)
        return True

    def _cut(self, note: str) -> Iterator[RawMessage]:
        """End an incomplete message: yield it if its head is there."""
        if self._head is not None:
            yield self._message(note)
        else:
            self._connection = None
            self.skipped += self._fed

    def _message(self, note: str) -> RawMessage:
        head = self._head
        assert head is not None
        self._connection = None
        self.messages += 1
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in head.headers.raw_items()
        )
        if isinstance(head, h11.Request):
            start = f"{head.method.decode()} {head.target.decode('latin-1')} HTTP/1.1"
            status = None
        else:
            start = f"HTTP/1.1 {head.status_code} {head.reason.decode('latin-1')}".rstrip()
            status = head.status_code
        body, self._body = bytes(self._body), bytearray()
        encoding = next((v for k, v in headers if k.lower() == "content-encoding"), "")
        if encoding and not self._holes and not note:
            try:
                body = decoded(body, encoding, MAX_BODY)
            except RemoteProtocolError as error:
                note = f"the body cannot be decompressed: {error}"
        return RawMessage(
            side=self._side,
            time=self._began[0],
            packet=self._began[1],
            offset=self._began[2],
            start=start,
            status=status,
            headers=headers,
            body=body,
            holes=tuple(self._holes),
            note=note,
        )


def _with_hole(message: RawMessage, hole: tuple[int, int]) -> RawMessage:
    from dataclasses import replace

    return replace(message, holes=(*message.holes, hole))
