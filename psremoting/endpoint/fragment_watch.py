"""Inspection of a fragment stream by headers only: message types, targets, ends.

A carrier that reports states needs to know when a command has ended and when it waits for its
client. Only the headers of fragments and messages are looked at, and the state's number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from struct import Struct
from uuid import UUID

__all__ = ["FragmentWatch", "Seen", "cut_after", "ends_message"]

_FRAGMENT = Struct(">QQBI")
_START, _END = 1, 2
_MESSAGE = 40
_KEPT = 400
"""Number of inspected bytes of a message: its header and the beginning of a short body."""

PIPELINE_STATE = 0x00041006
PIPELINE_HOST_CALL = 0x00041100
_STATE = re.compile(rb'N="PipelineState">(\d)<')
_CALL_ID = re.compile(rb'N="ci">(-?\d+)<')
_FINAL = (b"3", b"4", b"5")
_NO_ANSWER = b"-100"


class Seen:
    """One complete message: its beginning, or all of it."""

    __slots__ = ("beginning", "kind", "pipeline")

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.kind = int.from_bytes(beginning[4:8], "little")
        self.pipeline = UUID(bytes_le=beginning[24:40])

    @property
    def ends_pipeline(self) -> bool:
        """True for the PIPELINE_STATE of a command that has ended."""
        if self.kind != PIPELINE_STATE:
            return False
        found = _STATE.search(self.beginning)
        # The state of a failed command may follow its error record.
        return found is None or found[1] in _FINAL

    @property
    def wants_answer(self) -> bool:
        """True for a host call that requires a response."""
        if self.kind != PIPELINE_HOST_CALL:
            return False
        found = _CALL_ID.search(self.beginning)
        return found is None or found[1] != _NO_ANSWER


class FragmentWatch:
    """Tracker of one stream of fragments, split anywhere.

    Messages of the kinds in ``keep`` are kept whole, of others only the beginning.
    """

    def __init__(self, *, keep: Collection[int] = ()) -> None:
        self._keep = keep
        self._head = bytearray()
        self._left = 0
        self._flags = 0
        self._message = bytearray()

    def _is_kept(self) -> bool:
        """Return True if the message is kept whole; an unknown kind is, until it is known."""
        if not self._keep:
            return False
        kind = self._message[4:8]
        return len(kind) < 4 or int.from_bytes(kind, "little") in self._keep

    def take(self, data: bytes) -> Iterator[Seen]:
        """Take bytes; return the messages that they complete."""
        at = 0
        while at < len(data):
            if self._left:
                part = data[at : at + self._left]
                room = _KEPT - len(self._message)
                if room > 0 or self._is_kept():
                    self._message += part if self._is_kept() else part[:room]
                self._left -= len(part)
                at += len(part)
            else:
                missing = _FRAGMENT.size - len(self._head)
                self._head += data[at : at + missing]
                at += missing
                if len(self._head) < _FRAGMENT.size:
                    return
                _, _, self._flags, self._left = _FRAGMENT.unpack(self._head)
                self._head.clear()
                if self._flags & _START:
                    self._message.clear()
            if not self._left and self._flags & _END and len(self._message) >= _MESSAGE:
                yield Seen(bytes(self._message))
                self._message.clear()


def cut_after(data: bytes, kind: int) -> tuple[bytes, bytes]:
    """Cut whole fragments after the end of the first message of a kind.

    All of them come first where there is none.
    """
    at = 0
    current = -1
    while at + _FRAGMENT.size <= len(data):
        _, _, flags, size = _FRAGMENT.unpack_from(data, at)
        at += _FRAGMENT.size
        if flags & _START:
            current = int.from_bytes(data[at + 4 : at + 8], "little")
        at += size
        if flags & _END and current == kind:
            return data[:at], data[at:]
    return data, b""


def ends_message(data: bytes) -> bool:
    """Return True if whole fragments end with the last one of a message."""
    at = flags = 0
    while at + _FRAGMENT.size <= len(data):
        _, _, flags, size = _FRAGMENT.unpack_from(data, at)
        at += _FRAGMENT.size + size
    return at == len(data) and bool(flags & _END)
