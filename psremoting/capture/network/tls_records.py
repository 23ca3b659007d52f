"""Records of one direction of a TLS connection, also from its middle and with gaps.

A gap inside a record keeps the framing and costs that record. After any other gap, reading goes on
at the next place where a header of a record is followed by the header of another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_RECORD", "Record", "RecordReader", "starts_tls"]

HEAD = 5
MAX_RECORD = 16384 + 2048
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
_HEAD = re.compile(rb"[\x14-\x18]\x03[\x00-\x04][\x00-\x48].", re.DOTALL)
_CLIENT_HELLO, _SERVER_HELLO = 1, 2


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``lost`` are bytes of unknown records before it."""

    head: bytes
    body: bytes
    torn: bool = False
    """True if the capture lacks bytes of it; they are zeros here."""
    lost: int = 0

    @property
    def kind(self) -> int:
        return self.head[0]


def starts_tls(data: bytes) -> int | None:
    """Return the type of the hello that data begins with: 1 of a client, 2 of a server, or None.

    The result is 0 for another TLS record: the connection began before the capture.
    """
    if not _HEAD.match(data):
        return None
    if data[0] == HANDSHAKE and len(data) > HEAD and data[HEAD] in (_CLIENT_HELLO, _SERVER_HELLO):
        return data[HEAD]
    size = HEAD + int.from_bytes(data[3:5], "big")
    whole = len(data) == size or (len(data) > size and _HEAD.match(data, size))
    return 0 if data[0] == DATA and data[1:3] == b"\x03\x03" and whole else None


class RecordReader:
    """Splitter of the bytes of one direction into records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searching = False
        self._torn = False
        self._lost = 0

    def receive(self, data: bytes) -> Iterator[Record]:
        """Take the next bytes; yield the records that they complete."""
        self._buffer += data
        while (record := self._next()) is not None:
            yield record

    def gap(self, size: int) -> Iterator[Record]:
        """Take a gap of ``size`` bytes."""
        whole = self._size()
        if whole and not self._searching and len(self._buffer) + size <= whole:
            self._torn = True
            yield from self.receive(bytes(size))
            return
        self._drop(len(self._buffer))
        self._lost += size
        self._searching = True

    def end(self) -> int:
        """End the flow; return the number of bytes that are no complete record."""
        rest = len(self._buffer) + self._lost
        self._buffer.clear()
        self._lost = 0
        return rest

    def _drop(self, size: int) -> None:
        self._lost += size
        del self._buffer[:size]
        self._torn = False

    def _size(self) -> int:
        """Return the size of the record that the buffer begins with; 0 if its header is cut."""
        if len(self._buffer) < HEAD:
            return 0
        return HEAD + int.from_bytes(self._buffer[3:5], "big")

    def _next(self) -> Record | None:
        if self._searching and not self._search():
            return None
        if len(self._buffer) < HEAD:
            return None
        if not _HEAD.match(self._buffer) or self._size() > HEAD + MAX_RECORD:
            self._searching = True
            self._drop(1)
            return self._next() if self._search() else None
        size = self._size()
        if len(self._buffer) < size:
            return None
        record = Record(
            bytes(self._buffer[:HEAD]), bytes(self._buffer[HEAD:size]), self._torn, self._lost
        )
        del self._buffer[:size]
        self._torn, self._lost = False, 0
        return record

    def _search(self) -> bool:
        """Drop bytes up to the next record; return False if none can be seen yet."""
        at = 0
        while (found := _HEAD.search(self._buffer, at)) is not None:
            at = found.start()
            end = at + HEAD + int.from_bytes(self._buffer[at + 3 : at + 5], "big")
            if end > len(self._buffer):
                if end - at <= HEAD + MAX_RECORD:
                    self._drop(at)
                    return False
            elif end == len(self._buffer) or _HEAD.match(self._buffer, end):
                self._drop(at)
                self._searching = False
                return True
            elif len(self._buffer) - end < HEAD:
                self._drop(at)
                return False
            at += 1
        self._drop(max(0, len(self._buffer) - HEAD + 1))
        return False
