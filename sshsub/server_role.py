"""What a server owes its client: an acknowledgement for everything, at the right moment.

The acknowledgement of Data says that it was processed: that of INIT_RUNSPACEPOOL follows the
pool's Opened, that of CREATE_PIPELINE comes before the first output. Stops and closes are
acknowledged when the pool says so; what concerns no pipeline is acknowledged at once, because
clients wait for ever. Sources: spec-notes/out-of-process.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from psrp.sansio import LocalProtocolError, Outgoing, TransportAct
from sshsub.events import END_OF_INPUT_ERROR, ActReceived, DataReceived, Ended, signal_for_session
from sshsub.packets import Packet, PacketKind, read_line, unknown_element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sshsub.packets import Line
    from sshsub.subsystem import Subsystem

__all__ = ["ServerRole"]


class _Pipeline:
    """A Command that was not closed: what the client waits for."""

    __slots__ = ("closing", "has_data", "signals")

    def __init__(self) -> None:
        self.has_data = False
        self.signals = 0
        self.closing = False


class ServerRole:
    """Answers packets; lives inside a `Subsystem`."""

    def __init__(self, link: Subsystem) -> None:
        self._link = link
        self._in_session = False
        self._pipelines: dict[UUID | None, _Pipeline] = {}
        self._unacknowledged: dict[UUID | None, int] = {}
        self._open = 0
        """Commands minus Closes, as PowerShell counts: over all sessions, below 0 too."""
        self._pool_closes = 0
        self._pool_closing = False
        self._act_packets: dict[TransportAct, Callable[[UUID | None], None]] = {
            TransportAct.STOP_PIPELINE: self._stopped,
            TransportAct.CLOSE_PIPELINE: self._closed,
            TransportAct.CLOSE_POOL: self._pool_closed,
        }
        self._by_kind: dict[PacketKind, Callable[[Packet], None]] = {
            PacketKind.DATA: self._data,
            PacketKind.COMMAND: self._command,
            PacketKind.SIGNAL: self._signal,
            PacketKind.CLOSE: self._close,
        }

    queued = 0
    """A server never waits with what it has to say."""

    @property
    def holds(self) -> bool:
        """What comes behind a Close of the session is for the next one: first the answer.

        While a Command was not closed, its Close is still to be read.
        """
        closing = sum(pipeline.closing for pipeline in self._pipelines.values())
        return self._pool_closing or (self._pool_closes > 0 and self._open <= closing)

    def drop(self) -> None:
        """Nobody takes answers any more."""
        self._pool_closing = False

    # -- out

    def send(self, out: Outgoing) -> None:
        act = out.act
        answered = None if act is None else self._act_packets.get(act)
        if act is not None and answered is None:
            raise LocalProtocolError(f"{act.value}: that is the client's step")
        if act is not None and out.data:
            raise LocalProtocolError(f"{act.value} takes no data along")
        if act is not None and (act is TransportAct.CLOSE_POOL) is not (out.target is None):
            raise LocalProtocolError(f"{act.value}: a target that does not fit")
        if self._link.output_closed:
            return
        if answered is not None:
            answered(out.target)
            return
        size = self._link.packet_size
        for start in range(0, len(out.data), size):
            piece = out.data[start : start + size]
            self._put(PacketKind.DATA, out.target, piece, out)

    def acknowledge(self, event: DataReceived | ActReceived) -> None:
        if self._link.output_closed:
            return
        if isinstance(event, DataReceived):
            waiting = self._unacknowledged.get(event.target, 0)
            if waiting:
                self._unacknowledged[event.target] = waiting - 1
                self._put(PacketKind.DATA_ACK, event.target)
            return
        answered = self._act_packets.get(event.act)
        if answered is not None:
            answered(event.target)

    def _put(
        self, kind: PacketKind, target: UUID | None, data: bytes = b"", out: Outgoing | None = None
    ) -> None:
        if out is None:
            self._link.put_packet(Packet(kind=kind, target=target))
        else:
            packet = Packet(kind=kind, target=target, stream=out.stream, data=data)
            self._link.put_packet(packet)

    def _acknowledge_all(self, target: UUID | None) -> None:
        for _ in range(self._unacknowledged.pop(target, 0)):
            self._put(PacketKind.DATA_ACK, target)

    def _stopped(self, target: UUID | None) -> None:
        pipeline = self._pipelines.get(target)
        if pipeline is not None:
            for _ in range(pipeline.signals):
                self._put(PacketKind.SIGNAL_ACK, target)
            pipeline.signals = 0

    def _closed(self, target: UUID | None) -> None:
        pipeline = self._pipelines.get(target)
        if pipeline is None or not pipeline.closing:
            return
        self._stopped(target)
        self._acknowledge_all(target)
        del self._pipelines[target]
        self._count_close(target)

    def _count_close(self, target: UUID | None) -> None:
        self._put(PacketKind.CLOSE_ACK, target)
        self._open -= 1
        self._close_pool_when_free()

    def _pool_closed(self, _target: UUID | None) -> None:
        if not self._pool_closing:
            return
        for target in list(self._unacknowledged):
            self._acknowledge_all(target)
        for _ in range(self._pool_closes):
            self._put(PacketKind.CLOSE_ACK, None)
        self._pool_closing = False
        self._pool_closes = 0
        self._in_session = False
        self._pipelines.clear()

    def _close_pool_when_free(self) -> None:
        """The session is closed once every Command of it was."""
        if self._pool_closes and self._open <= 0 and not self._pool_closing:
            self._pool_closing = True
            self._link.tell(ActReceived(act=TransportAct.CLOSE_POOL))

    # -- in

    def line(self, line: Line, *, whole: bool) -> Iterator[Packet]:
        if not line.data:
            self._tell_end()
            return iter(())
        return read_line(line.data)

    def end(self) -> None:
        self._tell_end()

    def _tell_end(self) -> None:
        self._pool_closing = False
        self._pool_closes = 0
        self._link.tell(Ended(clean=True, reason=END_OF_INPUT_ERROR))
        self._link.finish()

    def packet(self, packet: Packet) -> None:
        deal = self._by_kind.get(packet.kind)
        if deal is None:
            raise self._link.fault("acknowledgement", unknown_element(packet.kind.value))
        if not self._in_session:
            self._in_session = True
            self._link.tell(ActReceived(act=TransportAct.CREATE_POOL))
        deal(packet)

    def _data(self, packet: Packet) -> None:
        target = packet.target
        if target is not None:
            pipeline = self._pipelines.get(target)
            if pipeline is None or pipeline.closing:
                # Closed while the client was sending, or never opened: acknowledged and lost.
                self._put(PacketKind.DATA_ACK, target)
                return
            pipeline.has_data = True
        self._unacknowledged[target] = self._unacknowledged.get(target, 0) + 1
        event = DataReceived(target=target, stream=packet.stream, data=packet.data)
        self._link.tell(event)

    def _command(self, packet: Packet) -> None:
        target = packet.target
        if target in self._pipelines:
            words = f"An item with the same key has already been added. Key: {target}"
            raise self._link.fault("duplicate", words)
        self._pipelines[target] = _Pipeline()
        self._put(PacketKind.COMMAND_ACK, target)
        if target is not None:
            self._open += 1
            self._link.tell(ActReceived(act=TransportAct.CREATE_PIPELINE, target=target))

    def _signal(self, packet: Packet) -> None:
        target = packet.target
        if target is None:
            raise self._link.fault("signal-session", signal_for_session("Signal"))
        pipeline = self._pipelines.get(target)
        if pipeline is None or pipeline.closing or not pipeline.has_data:
            self._put(PacketKind.SIGNAL_ACK, target)
            return
        pipeline.signals += 1
        self._link.tell(ActReceived(act=TransportAct.STOP_PIPELINE, target=target))

    def _close(self, packet: Packet) -> None:
        target = packet.target
        if target is None:
            self._pool_closes += 1
            self._close_pool_when_free()
            return
        pipeline = self._pipelines.get(target)
        if pipeline is None or pipeline.closing:
            self._count_close(target)
            return
        pipeline.closing = True
        if pipeline.has_data:
            self._link.tell(ActReceived(act=TransportAct.CLOSE_PIPELINE, target=target))
        else:
            self._closed(target)
