"""One end of the subsystem under test, with short names for input and output."""

from __future__ import annotations

from uuid import UUID

from psrp.sansio import Outgoing, Side, TransportAct
from sshsub.events import Event
from sshsub.packets import Packet, PacketKind, read_line, write
from sshsub.subsystem import Subsystem

P = UUID("2c8bf3a1-4b3e-4d5a-9c0e-6f1d2b3a4c5d")
Q = UUID("11111111-2222-3333-4444-555555555555")


class End:
    def __init__(self, side: Side) -> None:
        self.end = Subsystem(side)

    def packets(self) -> list[Packet]:
        """Return the output."""
        return [p for line in self.end.data_to_send().splitlines() for p in read_line(line)]

    def hears(self, kind: PacketKind, target: UUID | None, data: bytes = b"") -> list[Event]:
        return self.reads(write(Packet(kind=kind, target=target, data=data)))

    def reads(self, data: bytes) -> list[Event]:
        self.end.receive_data(data)
        events = []
        while (event := self.end.next_event()) is not None:
            events.append(event)
        return events

    def act(self, act: TransportAct, target: UUID | None = P) -> None:
        self.end.send(Outgoing(target=target, act=act))
