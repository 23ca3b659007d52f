"""The rules of a server: the acknowledgement of each request, at the right time.

The acknowledgement of Data means that it was processed: that of INIT_RUNSPACEPOOL follows the
pool's Opened, that of CREATE_PIPELINE precedes the first output. Stops and closes are
acknowledged when the pool confirms them; packets for an unknown pipeline are acknowledged at once,
because clients wait without limit. Sources: spec-notes/out-of-process.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from psrp.sansio import LimitExceeded, LocalProtocolError, Outgoing, TransportAct
from sshsub.events import (
    END_OF_INPUT_ERROR,
    ActReceived,
    DataReceived,
    Ended,
    signal_for_session,
)
from sshsub.packets import Packet, PacketKind, read_line, unknown_element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sshsub.link import Link
    from sshsub.packets import Line

__all__ = ["MAX_COMMANDS", "ServerRole"]

MAX_COMMANDS = 4096
"""Maximum number of open commands of a client; PowerShell sets no limit."""


class _Pipeline:
    """An open Command, and the answers that the client waits for."""

    __slots__ = ("closing", "has_data", "signals")

    def __init__(self) -> None:
        self.has_data = False
        self.signals = 0
        self.closing = False


class ServerRole:
    """Answers packets. Raises LimitExceeded for more open commands than ``max_commands``."""

    queued = 0
    """A server never delays its output."""

    def __init__(self, link: Link, max_commands: int) -> None:
        self._link = link
        self._max_commands = max_commands
        self._in_session = False
        self._pipelines: dict[UUID | None, _Pipeline] = {}
        self._unacknowledged: dict[UUID | None, int] = {}
        self._open = 0
        """Commands minus Closes as PowerShell counts them: over all sessions, may be negative."""
        self._closing = 0
        """Number of commands whose Close was received and not acknowledged."""
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

    @property
    def paused(self) -> bool:
        """True if the next packet has to wait until the Close of the session is acknowledged.

        While a Command is open, packets are read, because its Close has to be received.
        """
        return self._pool_closing or (self._pool_closes > 0 and self._open <= self._closing)

    def discard(self) -> None:
        """Discard the answers that the client waits for."""
        self._pool_closing = False

    # -- sending

    def send(self, out: Outgoing) -> None:
        """Write data, or the acknowledgement of a stop or a close."""
        act = out.act
        answered = None if act is None else self._act_packets.get(act)
        if act is not None and answered is None:
            raise LocalProtocolError(f"{act.value}: only clients do that")
        if act is not None and out.data:
            raise LocalProtocolError(f"{act.value}: unexpected data")
        if act is not None and (act is TransportAct.CLOSE_POOL) is not (out.target is None):
            raise LocalProtocolError(f"{act.value}: unexpected target {out.target}")
        if self._link.output_closed:
            return
        if answered is not None:
            answered(out.target)
            return
        size = self._link.packet_size
        for start in range(0, len(out.data), size):
            piece = out.data[start : start + size]
            self._link.write_packet(PacketKind.DATA, out.target, piece, out.stream)

    def acknowledge(self, event: DataReceived | ActReceived) -> None:
        """Write the acknowledgement of an event that was handled."""
        if self._link.output_closed:
            return
        if isinstance(event, DataReceived):
            waiting = self._unacknowledged.get(event.target, 0)
            if waiting:
                self._unacknowledged[event.target] = waiting - 1
                self._link.write_packet(PacketKind.DATA_ACK, event.target)
            return
        answered = self._act_packets.get(event.act)
        if answered is not None:
            answered(event.target)

    def _acknowledge_all(self, target: UUID | None) -> None:
        for _ in range(self._unacknowledged.pop(target, 0)):
            self._link.write_packet(PacketKind.DATA_ACK, target)

    def _stopped(self, target: UUID | None) -> None:
        pipeline = self._pipelines.get(target)
        if pipeline is not None:
            for _ in range(pipeline.signals):
                self._link.write_packet(PacketKind.SIGNAL_ACK, target)
            pipeline.signals = 0

    def _closed(self, target: UUID | None) -> None:
        pipeline = self._pipelines.get(target)
        if pipeline is None or not pipeline.closing:
            return
        self._stopped(target)
        self._acknowledge_all(target)
        del self._pipelines[target]
        self._closing -= 1
        self._count_close(target)

    def _count_close(self, target: UUID | None) -> None:
        self._link.write_packet(PacketKind.CLOSE_ACK, target)
        self._open -= 1
        self._close_pool_when_free()

    def _pool_closed(self, _target: UUID | None) -> None:
        if not self._pool_closing:
            return
        for target in list(self._unacknowledged):
            self._acknowledge_all(target)
        for _ in range(self._pool_closes):
            self._link.write_packet(PacketKind.CLOSE_ACK, None)
        self._pool_closing = False
        self._pool_closes = 0
        self._in_session = False
        self._pipelines.clear()
        self._closing = 0

    def _close_pool_when_free(self) -> None:
        """Report the Close of the session, once all of its Commands were closed."""
        if self._pool_closes and self._open <= 0 and not self._pool_closing:
            self._pool_closing = True
            self._link.emit(ActReceived(act=TransportAct.CLOSE_POOL))

    # -- receiving

    def packets_of(self, line: Line, *, whole: bool) -> Iterator[Packet]:
        """Return the packets of a line; an empty line ends the input."""
        if not line.data:
            self._report_end()
            return iter(())
        return read_line(line.data)

    def end_of_input(self) -> None:
        """Report the end of the input."""
        self._report_end()

    def _report_end(self) -> None:
        self._pool_closing = False
        self._pool_closes = 0
        self._link.emit(Ended(clean=True, reason=END_OF_INPUT_ERROR))
        self._link.input_ended = True

    def receive_packet(self, packet: Packet) -> None:
        """Handle one packet. Raises BrokenLine for an acknowledgement."""
        handle = self._by_kind.get(packet.kind)
        if handle is None:
            raise self._link.fault("acknowledgement", unknown_element(packet.kind.value))
        if not self._in_session:
            self._in_session = True
            self._link.emit(ActReceived(act=TransportAct.CREATE_POOL))
        handle(packet)

    def _data(self, packet: Packet) -> None:
        target = packet.target
        if target is not None:
            pipeline = self._pipelines.get(target)
            if pipeline is None or pipeline.closing:
                # Closed while the client was sending, or never opened: acknowledge and discard.
                self._link.write_packet(PacketKind.DATA_ACK, target)
                return
            pipeline.has_data = True
        self._unacknowledged[target] = self._unacknowledged.get(target, 0) + 1
        event = DataReceived(target=target, stream=packet.stream, data=packet.data)
        self._link.emit(event)

    def _command(self, packet: Packet) -> None:
        target = packet.target
        if target in self._pipelines:
            words = f"An item with the same key has already been added. Key: {target}"
            raise self._link.fault("duplicate", words)
        if len(self._pipelines) >= self._max_commands:
            raise LimitExceeded("open commands", self._max_commands + 1, self._max_commands)
        self._pipelines[target] = _Pipeline()
        self._link.write_packet(PacketKind.COMMAND_ACK, target)
        if target is not None:
            self._open += 1
            self._link.emit(ActReceived(act=TransportAct.CREATE_PIPELINE, target=target))

    def _signal(self, packet: Packet) -> None:
        target = packet.target
        if target is None:
            raise self._link.fault("signal-session", signal_for_session("Signal"))
        pipeline = self._pipelines.get(target)
        if pipeline is None or pipeline.closing or not pipeline.has_data:
            self._link.write_packet(PacketKind.SIGNAL_ACK, target)
            return
        pipeline.signals += 1
        self._link.emit(ActReceived(act=TransportAct.STOP_PIPELINE, target=target))

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
        self._closing += 1
        if pipeline.has_data:
            self._link.emit(ActReceived(act=TransportAct.CLOSE_PIPELINE, target=target))
        else:
            self._closed(target)
