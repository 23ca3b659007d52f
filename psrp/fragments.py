"""Fragmentation and reassembly of messages. [MS-PSRP] 2.2.4

A fragment is a header of 21 bytes, big-endian, and a piece of one message::

    ObjectId 8 · FragmentId 8 · flags 1 (1 start, 2 end) · BlobLength 4 · blob

One stream (one target, one priority, one direction) is a stream of bytes: fragments of
consecutive messages follow each other, and a carrier may cut them anywhere, headers included,
although the specification forbids that. So we never cut a fragment on sending, and the result of
receiving does not depend on the cuts. Objects of one stream are never interleaved.

The effects of errors on receiving follow PowerShell (``PriorityCollection.cs``): a fragment
that does not continue the current object loses that object, and the stream continues with the
next start; a header with object id 0 or an impossible length is never skipped, so every later
call fails in the same way. See spec-notes/fragments.md.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import TYPE_CHECKING

from psrp.sansio import FragmentError, LimitExceeded, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEFAULT_MAX_MESSAGE",
    "HEADER_SIZE",
    "MAX_OBJECT_ID",
    "MIN_FRAGMENT",
    "Defragmenter",
    "Fragmenter",
    "split",
]

HEADER_SIZE = 21
MIN_FRAGMENT = HEADER_SIZE + 1
"""Bytes of the smallest fragment: a blob is never empty."""
MAX_OBJECT_ID = (1 << 63) - 1
DEFAULT_MAX_MESSAGE = 200 << 20
"""The default limit of a PowerShell client for one received object, in bytes."""

_START = 1
_END = 2
_WHOLE = _START | _END
_PLAIN = (0, _END)
_MAX_LENGTH = (1 << 31) - 1
_SMALL = 512
"""Pieces shorter than this are copied at once; of longer ones a view is kept."""
_GROWN = 1 << 16
"""Small pieces are collected in one buffer up to this size."""

_HEADER = Struct(">QQBI")
_pack = _HEADER.pack
_unpack_from = _HEADER.unpack_from


def _check(object_id: int, message: bytes, max_size: int) -> None:
    if max_size <= HEADER_SIZE:
        raise LocalProtocolError(
            f"no fragment fits into {max_size} bytes; expected at least {MIN_FRAGMENT}"
        )
    if not 0 < object_id <= MAX_OBJECT_ID:
        raise LocalProtocolError(f"expected an object id of 1..2^63-1, got {object_id}")
    if not message:
        raise LocalProtocolError("cannot send an empty message: a blob is never empty")


def split(object_id: int, message: bytes, max_size: int) -> Iterator[bytes]:
    """Return the fragments of one message, each of at most ``max_size`` bytes, header included.

    Raises LocalProtocolError (at once, not on the first step) for ``max_size`` below 22, an
    object id outside 1..2^63-1, and an empty message. [MS-PSRP] 2.2.4
    """
    _check(object_id, message, max_size)
    return _fragments(object_id, message, max_size - HEADER_SIZE)


def _fragments(object_id: int, message: bytes, step: int) -> Iterator[bytes]:
    view = memoryview(message)
    last = (len(message) - 1) // step
    for number in range(last + 1):
        blob = view[number * step : (number + 1) * step]
        flags = (_START if number == 0 else 0) | (_END if number == last else 0)
        yield b"".join((_pack(object_id, number, flags, len(blob)), blob))


class Fragmenter:
    """A queue of messages that are sent as payloads of whole fragments.

    ``object_ids`` yields the id of each message when its first fragment is sent; several queues may
    share one counter, because ids only have to be unique.
    """

    __slots__ = ("_object_id", "_object_ids", "_pending", "_sent", "_sent_fragments", "messages")

    def __init__(self, object_ids: Iterator[int]) -> None:
        self._object_ids = object_ids
        self.messages: deque[bytes] = deque()
        """The messages that were not sent completely."""
        self._pending = 0
        self._object_id = 0
        self._sent = 0
        self._sent_fragments = 0

    def __len__(self) -> int:
        """Return the number of messages that were not sent completely."""
        return len(self.messages)

    @property
    def pending(self) -> int:
        """Bytes of messages that were not sent, without fragment headers."""
        return self._pending

    def add(self, message: bytes) -> None:
        """Queue one whole message. Raises LocalProtocolError for an empty one."""
        if not message:
            raise LocalProtocolError("cannot send an empty message: a blob is never empty")
        self.messages.append(message)
        self._pending += len(message)

    def clear(self) -> None:
        """Drop all unsent data; the peer drops an incomplete message at the next start."""
        self.messages.clear()
        self._pending = self._sent = self._sent_fragments = 0

    def withdraw(self) -> list[bytes]:
        """Return and remove the unsent messages; a partly sent one is dropped."""
        begun = 1 if self._sent else 0
        messages = list(self.messages)[begun:]
        self.clear()
        return messages

    def next_payload(self, room: int) -> bytes:
        """Return whole fragments of the next messages, ``room`` bytes at most; empty when idle.

        A message that fits into ``room`` is never cut: it waits for the next payload if this
        one has no room for it. A larger one fills the rest and continues in the next payload.
        Raises LocalProtocolError for a room below 22 bytes.
        """
        if room <= HEADER_SIZE:
            raise LocalProtocolError(
                f"no fragment fits into {room} bytes; expected at least {MIN_FRAGMENT}"
            )
        messages = self.messages
        if len(messages) == 1 and not self._sent and len(messages[0]) + HEADER_SIZE <= room:
            # One whole message, as when each output is sent at once.
            message = messages.popleft()
            self._pending = 0
            return _pack(next(self._object_ids), 0, _WHOLE, len(message)) + message
        parts: list[bytes | memoryview] = []
        append = parts.append
        object_ids = self._object_ids
        taken = 0
        left = room
        if self._sent and messages:
            taken = self._cut(parts, room)
            left -= HEADER_SIZE + taken
        while messages and not self._sent:
            size = len(messages[0])
            if size + HEADER_SIZE <= left:
                append(_pack(next(object_ids), 0, _WHOLE, size))
                append(messages.popleft())
                left -= size + HEADER_SIZE
                taken += size
            elif size + HEADER_SIZE > room and left > HEADER_SIZE:
                self._object_id = next(object_ids)
                taken += self._cut(parts, left)
            else:
                break
        self._pending -= taken
        return b"".join(parts)

    def _cut(self, parts: list[bytes | memoryview], room: int) -> int:
        """Append the next fragment of the first message, which does not fit into one fragment."""
        message = self.messages[0]
        begin = self._sent
        stop = min(begin + room - HEADER_SIZE, len(message))
        flags = (_START if begin == 0 else 0) | (_END if stop == len(message) else 0)
        parts.append(_pack(self._object_id, self._sent_fragments, flags, stop - begin))
        parts.append(memoryview(message)[begin:stop])
        if flags & _END:
            self.messages.popleft()
            self._sent = self._sent_fragments = 0
        else:
            self._sent = stop
            self._sent_fragments += 1
        return stop - begin


class Defragmenter:
    """Reassembles the messages of one stream from bytes that may be cut anywhere.

    ``max_message`` limits one message in bytes, including the headers of its fragments, as in
    PowerShell; it is checked against the declared lengths, before a body is kept.
    ``tolerate_leading_tail`` is for a stream that was reconnected: fragments that continue an
    unknown object are dropped until the first start.

    After `next_message` has returned a message, ``object_id``, ``fragment_count`` and
    ``offset`` (the byte of the stream where its first header began) describe that message.
    ``dropped_fragments`` counts fragments that did not become part of a message.
    """

    __slots__ = (
        "_at",
        "_base",
        "_begun_at",
        "_current",
        "_data",
        "_end",
        "_last",
        "_max_message",
        "_more",
        "_more_size",
        "_parts",
        "_received",
        "_spoiled",
        "dropped_fragments",
        "fragment_count",
        "object_id",
        "offset",
        "tolerate_leading_tail",
    )

    def __init__(
        self,
        max_message: int = DEFAULT_MAX_MESSAGE,
        *,
        tolerate_leading_tail: bool = False,
    ) -> None:
        self.tolerate_leading_tail = tolerate_leading_tail
        self.object_id = 0
        self.fragment_count = 0
        self.offset = 0
        self.dropped_fragments = 0
        self._max_message = max_message
        self._data = b""
        self._at = 0
        self._end = 0
        self._base = 0
        self._more: deque[bytes | bytearray] = deque()
        self._more_size = 0
        self._spoiled = False
        self._current = 0
        self._last = 0
        self._received = 0
        self._begun_at = 0
        self._parts: list[bytes | memoryview] = []

    @property
    def pending(self) -> int:
        """Received bytes that were not used: an incomplete fragment, or those of a bad stream."""
        return self._end - self._at + self._more_size

    @property
    def drained(self) -> bool:
        """True if every received byte was returned as part of a message."""
        return self._at == self._end and not (self._more or self._parts)

    @property
    def spoiled(self) -> bool:
        """True if the stream cannot be read any more: every call raises the same error."""
        return self._spoiled

    @property
    def consumed(self) -> int:
        """Number of bytes of the stream that were used; later ones are pending or lost."""
        return self._base + self._at

    @property
    def buffered(self) -> int:
        """Number of bytes in memory: unused ones and those of the current object."""
        return self._end - self._at + self._more_size + self._received

    @property
    def unfinished(self) -> int:
        """Bytes, headers included, of the current incomplete object."""
        return self._received

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer, cut anywhere. After a fatal error they are dropped."""
        if self._spoiled:
            return
        if self._at == self._end and not self._more:
            self._base += self._end
            self._data = data if type(data) is bytes else bytes(data)
            self._at = 0
            self._end = len(self._data)
        else:
            self._keep(data)

    def next_message(self) -> bytes | None:
        """Return one message, or None until more bytes are received.

        Raises FragmentError and LimitExceeded. After ``object-id-mismatch`` and
        ``fragment-id-sequence`` the current object is lost and the next call continues
        after the bad fragment; all other errors are raised by every later call.
        """
        # Most messages are one whole fragment, that is one slice of the received bytes.
        at = self._at
        begin = at + HEADER_SIZE
        if begin < self._end and not self._parts:
            object_id, _, flags, length = _unpack_from(self._data, at)
            stop = begin + length
            if (
                flags & _WHOLE == _WHOLE
                and stop <= self._end
                and 0 < object_id <= MAX_OBJECT_ID
                and stop - at <= self._max_message
            ):
                self._at = stop
                self._current = 0
                self.tolerate_leading_tail = False
                self.object_id = object_id
                self.fragment_count = 1
                self.offset = self._base + at
                return self._data[begin:stop]
        return self._reassemble()

    def _reassemble(self) -> bytes | None:
        # PowerShell reads a header only after more than the header was received.
        while self._gather(HEADER_SIZE + 1):
            object_id, fragment_id, flags, length = _unpack_from(self._data, self._at)
            object_id &= MAX_OBJECT_ID
            fragment_id &= MAX_OBJECT_ID
            size = HEADER_SIZE + (length & _MAX_LENGTH)
            received = size if flags & _START else self._received + size
            if object_id == 0 or size > _MAX_LENGTH or received > self._max_message:
                raise self._spoil(object_id, size, received)
            if not self._gather(size):
                return None
            at = self._at
            self._at = stop = at + size
            if flags & _START:
                self.dropped_fragments += len(self._parts)
                self._parts.clear()
                self._current = object_id
                self._begun_at = self._base + at
                self.tolerate_leading_tail = False
            elif object_id != self._current or fragment_id != self._last + 1:
                error = self._out_of_place(object_id, fragment_id, self._base + at)
                if self.tolerate_leading_tail:
                    continue
                raise error
            self._last = fragment_id
            self._received = received
            if size > _SMALL:
                self._parts.append(memoryview(self._data)[at + HEADER_SIZE : stop])
            else:
                self._parts.append(self._data[at + HEADER_SIZE : stop])
            if flags & _END or self._follow():
                return self._finish()
        return None

    def _follow(self) -> bool:
        """Take regular fragments of the current object; return True if its end was among them.

        `_reassemble` handles everything else, one fragment at a time.
        """
        data, at, end = self._data, self._at, self._end
        more, current, fragment_id, received = self._more, self._current, self._last, self._received
        append = self._parts.append
        ended = False
        while not ended:
            if at == end and more:
                piece = more.popleft()
                self._base += end
                data = piece if type(piece) is bytes else bytes(piece)
                at, end = 0, len(data)
                self._more_size -= end
            begin = at + HEADER_SIZE
            if begin >= end:
                break
            object_id, number, flags, length = _unpack_from(data, at)
            stop = begin + length
            if (
                object_id != current
                or number != fragment_id + 1
                or flags not in _PLAIN
                or stop > end
                or received + stop - at > self._max_message
            ):
                break
            received += stop - at
            fragment_id = number
            at = stop
            ended = flags == _END
            append(data[begin:stop] if length <= _SMALL else memoryview(data)[begin:stop])
        self._data, self._at, self._end = data, at, end
        self._last, self._received = fragment_id, received
        return ended

    def _gather(self, need: int) -> bool:
        """Return whether ``need`` bytes are available in one piece."""
        if self._end - self._at >= need:
            return True
        if self.pending < need:
            return False
        # The rest of the old piece is shorter than one fragment, so this is linear. A piece that
        # begins at the end of the old one, as most do, is not copied.
        parts = [memoryview(self._data)[self._at :]] if self._at < self._end else []
        size = self._end - self._at
        while size < need:
            piece = self._more.popleft()
            size += len(piece)
            parts.append(memoryview(piece))
        self._more_size -= size - (self._end - self._at)
        self._base += self._at
        whole = parts[0].obj if len(parts) == 1 else None
        self._data = whole if isinstance(whole, bytes) else b"".join(parts)
        self._at = 0
        self._end = size
        return True

    def _keep(self, data: bytes | bytearray | memoryview) -> None:
        """Append received bytes, coalescing small pieces."""
        self._more_size += len(data)
        if len(data) > _SMALL:
            self._more.append(data if type(data) is bytes else bytes(data))
        elif self._more and type(self._more[-1]) is bytearray and len(self._more[-1]) < _GROWN:
            self._more[-1] += data
        else:
            self._more.append(bytearray(data))

    def _finish(self) -> bytes:
        message = b"".join(self._parts)
        self.object_id = self._current
        self.fragment_count = len(self._parts)
        self.offset = self._begun_at
        self._forget()
        return message

    def _forget(self) -> None:
        self._current = self._last = self._received = 0
        self._parts.clear()

    def _out_of_place(self, object_id: int, fragment_id: int, offset: int) -> FragmentError:
        """Drop the current object, because ``fragment_id`` does not continue it."""
        current, wanted = self._current, self._last + 1
        self.dropped_fragments += len(self._parts) + 1
        self._forget()
        if object_id != current:
            running = f"object {current} is running" if current else "no object is running"
            text = f"fragment of object {object_id} without a start flag; {running}"
            return FragmentError("object-id-mismatch", text, offset)
        text = f"fragment {fragment_id} of object {object_id}, expected {wanted}"
        return FragmentError("fragment-id-sequence", text, offset)

    def _spoil(self, object_id: int, size: int, received: int) -> FragmentError | LimitExceeded:
        """Fail permanently: the header is not skipped, so nothing after it can be read."""
        self._spoiled = True
        self._more.clear()
        self._more_size = 0
        self.dropped_fragments += len(self._parts)
        self._parts.clear()
        offset = self._base + self._at
        if object_id == 0:
            return FragmentError("object-id-zero", "fragment with object id 0", offset)
        if size > _MAX_LENGTH:
            text = f"fragment of {size} bytes, header included; expected at most 2^31-1"
            return FragmentError("length-overflow", text, offset)
        return LimitExceeded("message with its fragment headers", received, self._max_message)
