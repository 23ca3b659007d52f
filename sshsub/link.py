"""The common part of both roles of a subsystem: output bytes, events, and the stream's state."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from psrp.sansio import Stream
from sshsub.events import BrokenLine, Event
from sshsub.packets import Packet, PacketKind, write

if TYPE_CHECKING:
    from sshsub.packets import Line

__all__ = ["Link"]


class Link:
    """One connection as a role sees it. ``packet_size`` is bytes of data in one packet."""

    def __init__(self, packet_size: int) -> None:
        self.packet_size = packet_size
        self.events: deque[Event] = deque()
        self.line: Line | None = None
        """The line that is being read."""
        self.output_closed = False
        """The peer no longer reads; output is discarded."""
        self.output_ended = False
        """We have ended our side, so the end of the peer's side is expected."""
        self.input_ended = False
        """The end of the input was reported; no further packet is read."""
        self._out: list[bytes] = []
        self._out_size = 0

    @property
    def pending(self) -> int:
        """Number of queued bytes."""
        return self._out_size

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer."""
        self._out.append(data)
        self._out_size += len(data)

    def write_packet(
        self,
        kind: PacketKind,
        target: UUID | None,
        data: bytes = b"",
        stream: Stream = Stream.DEFAULT,
    ) -> None:
        """Queue one packet for the peer, unless it no longer reads."""
        if not self.output_closed:
            self.write(write(Packet(kind=kind, target=target, stream=stream, data=data)))

    def take(self) -> bytes:
        """Return the queued bytes and clear the queue."""
        data = b"".join(self._out)
        self.discard()
        return data

    def discard(self) -> None:
        """Clear the queued bytes."""
        self._out.clear()
        self._out_size = 0

    def emit(self, event: Event) -> None:
        """Queue an event for our user."""
        self.events.append(event)

    def fault(self, rule: str, words: str) -> BrokenLine:
        """Return the error for the line that is being read."""
        line = self.line
        return BrokenLine(rule, words, line.number if line else 0, line.offset if line else 0)
