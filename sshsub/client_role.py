"""The rules of a client: the answers that it waits for before it sends.

A real server handles every line on another thread, so only waiting guarantees the order: no Data
for a command before its CommandAck, one unacknowledged Data for each target, a Close only after
all Data, the acknowledgement of CREATE_PIPELINE and the SignalAck, the session's Close after those
of all commands. Every Command is closed exactly once, even if our user never closes it, because
the session's Close waits for it. Sources: spec-notes/out-of-process.md.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from psrp.sansio import LocalProtocolError, Outgoing, Stream, TransportAct
from sshsub.events import (
    TRANSPORT_ERROR,
    ActReceived,
    DataReceived,
    DiagnosticLine,
    Ended,
    PeerError,
    PendingReply,
    TimedOut,
    UnsupportedAct,
    signal_for_session,
)
from sshsub.packets import Packet, PacketError, PacketKind, error_text, read_line, unknown_element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sshsub.link import Link
    from sshsub.packets import Line

__all__ = ["ClientRole"]

_PACKET = re.compile(
    rb"<(?:Data|Command|Signal|Close)(?:Ack)?\s(?:[^<>]*\s)?(?i:PSGuid|Stream)\s*="
)
_BEGUN = re.compile(rb"<(?:Data|Command|Signal|Close)(?:Ack)?(?=[\s/>]|\Z)")

_CREATES = (TransportAct.CREATE_POOL, TransportAct.CREATE_PIPELINE)
_OF_PIPELINES = (
    TransportAct.CREATE_PIPELINE,
    TransportAct.STOP_PIPELINE,
    TransportAct.CLOSE_PIPELINE,
)
_UNSUPPORTED = (TransportAct.DISCONNECT, TransportAct.RECONNECT, TransportAct.CONNECT)


_MAX_TEXT = 8192
"""Maximum length in bytes of a diagnostic line; the rest is dropped."""


def _diagnostic(data: bytes, line: Line) -> DiagnosticLine:
    return DiagnosticLine(text=data[:_MAX_TEXT].decode("utf-8", "replace"), number=line.number)


class _Progress(Enum):
    """The progress of a Signal or a Close."""

    NO = 0
    WANTED = 1
    SENT = 2
    DONE = 3


class _Target:
    """One target: unsent data, and outstanding answers."""

    __slots__ = (
        *("answered", "close", "default", "prompt", "queued", "starting", "stop"),
        *("unacknowledged", "unjoinable"),
    )

    def __init__(self, *, starting: bool) -> None:
        self.starting = starting
        """The CommandAck was not received yet."""
        self.unacknowledged = False
        """A Data is not acknowledged."""
        self.answered = False
        """The server has sent data for this command, so it has received CREATE_PIPELINE."""
        self.prompt: deque[bytes] = deque()
        self.default: deque[bytes] = deque()
        self.unjoinable = 0
        """Number of first chunks that must not share a packet: CREATE_PIPELINE is sent alone."""
        self.queued = 0
        self.stop = _Progress.NO
        self.close = _Progress.NO

    def add(self, data: bytes, stream: Stream, size: int, *, alone: bool) -> None:
        """Queue data in chunks of ``size`` bytes; ``alone``: in separate packets."""
        queue = self.prompt if stream is Stream.PROMPT_RESPONSE else self.default
        self.queued += len(data)
        for start in range(0, len(data), size):
            queue.append(data[start : start + size])
        if alone:
            self.unjoinable = len(self.default)

    def next_data(self, size: int) -> tuple[Stream, bytes] | None:
        """Return the next packet's data: one host response, or as many other chunks as fit."""
        if self.prompt:
            data = self.prompt.popleft()
            self.queued -= len(data)
            return Stream.PROMPT_RESPONSE, data
        if not self.default:
            return None
        queue = self.default
        data = queue.popleft()
        if self.unjoinable:
            self.unjoinable -= 1
        else:
            taken, length = [data], len(data)
            while queue and length < size:
                piece = queue.popleft()
                if length + len(piece) > size:
                    queue.appendleft(piece[size - length :])
                    piece = piece[: size - length]
                taken.append(piece)
                length += len(piece)
            data = b"".join(taken)
        self.queued -= len(data)
        return Stream.DEFAULT, data

    def discard(self) -> None:
        """Drop the unsent data."""
        self.prompt.clear()
        self.default.clear()
        self.unjoinable = self.queued = 0


class ClientRole:
    """Sends in the order that a real server requires, and waits for its acknowledgements."""

    paused = False
    """A client always reads."""

    def __init__(self, link: Link, reply_timeouts: Mapping[TransportAct, float]) -> None:
        self._link = link
        self._reply_timeouts = dict(reply_timeouts)
        self._pool = _Target(starting=False)
        self._targets: dict[UUID, _Target] = {}
        self._unclosed = 0
        """Number of commands whose Close was not sent."""
        self._opened = False
        self._answered = False
        """The server has sent a packet."""
        self._last_error = ""
        self._by_kind: dict[PacketKind, Callable[[UUID | None], None]] = {
            PacketKind.COMMAND_ACK: self._command_ack,
            PacketKind.DATA_ACK: self._data_ack,
            PacketKind.SIGNAL_ACK: self._signal_ack,
            PacketKind.CLOSE_ACK: self._close_ack,
        }

    @property
    def queued(self) -> int:
        """Number of unsent bytes of data."""
        return self._pool.queued + sum(state.queued for state in self._targets.values())

    def discard(self) -> None:
        """Drop the unsent data."""
        self._pool.discard()
        for state in self._targets.values():
            state.discard()

    # -- sending

    def send(self, out: Outgoing) -> None:
        """Send now, or once the answers that the item has to wait for were received."""
        self._check(out)
        target, act = out.target, out.act
        if act is TransportAct.CREATE_PIPELINE and target is not None:
            self._targets[target] = _Target(starting=True)
            self._unclosed += 1
            self._link.write_packet(PacketKind.COMMAND, target)
        state = self._pool if target is None else self._targets.get(target)
        if act is None or act in _CREATES:
            self._opened = True
            if state is not None and state.stop is _Progress.NO:
                alone = act is TransportAct.CREATE_PIPELINE
                state.add(out.data, out.stream, self._link.packet_size, alone=alone)
        elif act is TransportAct.CLOSE_POOL:
            self._close_pool()
        elif state is None:
            # The command was never sent, so there is nothing to stop or to close.
            self._link.emit(ActReceived(act=act, target=target))
        elif (
            act is TransportAct.STOP_PIPELINE
            and state.stop is _Progress.NO
            and state.close is _Progress.NO
        ):
            state.stop = _Progress.WANTED
        elif act is TransportAct.CLOSE_PIPELINE and state.close is _Progress.NO:
            state.close = _Progress.WANTED
        if state is not None:
            self._advance(target, state)

    def _check(self, out: Outgoing) -> None:
        """Check that an item is legal, before anything changes. Raises LocalProtocolError."""
        target, act = out.target, out.act
        if act in _UNSUPPORTED:
            raise UnsupportedAct(act)
        if self._link.input_ended or self._link.output_closed:
            raise LocalProtocolError("the stream is over")
        if act is not None and (act in _OF_PIPELINES) is (target is None):
            raise LocalProtocolError(f"{act.value}: unexpected target {target}")
        if act is not None and act not in _CREATES:
            if out.data:
                raise LocalProtocolError(f"{act.value}: unexpected data")
            return
        if self._pool.close is not _Progress.NO:
            raise LocalProtocolError("the session is closing")
        state = self._pool if target is None else self._targets.get(target)
        if act is TransportAct.CREATE_PIPELINE:
            if state is not None:
                raise LocalProtocolError(f"command {target} exists already")
        elif state is None:
            raise LocalProtocolError(f"no command {target}")
        elif state.close is not _Progress.NO:
            raise LocalProtocolError(f"command {target} is closing")

    def _advance(self, target: UUID | None, state: _Target) -> None:
        """Send everything of this target that may be sent now."""
        if state.starting or self._link.output_closed:
            return
        if state.stop is _Progress.WANTED:
            state.stop = _Progress.SENT
            state.discard()
            self._link.write_packet(PacketKind.SIGNAL, target)
        if state.unacknowledged and (state.queued or not state.answered):
            # Send nothing before CREATE_PIPELINE is acknowledged.
            return
        found = state.next_data(self._link.packet_size)
        if found is not None:
            state.unacknowledged = True
            stream, data = found
            self._link.write_packet(PacketKind.DATA, target, data, stream)
        elif (
            target is not None
            and state.close is _Progress.WANTED
            and state.stop is not _Progress.SENT
        ):
            self._close(target, state)

    def _close(self, target: UUID, state: _Target) -> None:
        state.close = _Progress.SENT
        self._unclosed -= 1
        self._link.write_packet(PacketKind.CLOSE, target)
        self._close_pool_when_free()

    def _close_pool(self) -> None:
        if self._pool.close is not _Progress.NO:
            return
        self._pool.close = _Progress.WANTED
        self._pool.discard()
        for target, state in list(self._targets.items()):
            state.discard()
            if state.close is _Progress.NO:
                state.close = _Progress.WANTED
            self._advance(target, state)
        self._close_pool_when_free()

    def _close_pool_when_free(self) -> None:
        if self._pool.close is _Progress.WANTED and self._unclosed == 0:
            self._pool.close = _Progress.SENT
            self._link.write_packet(PacketKind.CLOSE, None)

    # -- receiving

    def packets_of(self, line: Line, *, whole: bool) -> Iterator[Packet]:
        """Return the packets of a line; a line that is not a packet becomes an event."""
        data = line.data
        reported = error_text(data)
        if reported is not None:
            self._report(reported)
            return iter(())
        found = (_PACKET if whole else _BEGUN).search(data)
        if found is None:
            if data.strip():
                self._link.emit(_diagnostic(data, line))
            return iter(())
        if not whole:
            return iter(self._last_line(line))
        if found.start():
            return iter(self._after_text(line, found.start()))
        return read_line(data)

    def _after_text(self, line: Line, start: int) -> list[Packet]:
        """Return the packets of a line that begins with other text."""
        try:
            return list(read_line(line.data))
        except PacketError:
            packets = list(read_line(line.data[start:]))
        head = line.data[:start]
        if head.strip():
            self._link.emit(_diagnostic(head, line))
        return packets

    def _last_line(self, line: Line) -> list[Packet]:
        """Return the packets of an unterminated line; an incomplete packet ends the stream."""
        try:
            return list(read_line(line.data))
        except PacketError:
            where = f"in the middle of a packet, byte {len(line.data)} of line {line.number}"
            self._end(f"the stream broke off {where}")
            return []

    def _report(self, text: str) -> None:
        text = text[:_MAX_TEXT]
        if self._end_is_expected:
            # Every orderly session ends with such a line.
            self._last_error = text
        else:
            fatal = not text.startswith(TRANSPORT_ERROR)
            self._link.emit(PeerError(text=text, fatal=fatal))

    def end_of_input(self) -> None:
        """Report the end of the input."""
        self._end(self._last_error or "the stream ended")

    @property
    def _end_is_expected(self) -> bool:
        closed = self._pool.close in (_Progress.SENT, _Progress.DONE)
        return closed or self._link.output_ended

    def _end(self, reason: str) -> None:
        self._link.emit(Ended(clean=self._end_is_expected, reason=reason))
        self._link.input_ended = True

    def receive_packet(self, packet: Packet) -> None:
        """Handle one packet. Raises BrokenLine for a packet that only clients send."""
        self._answered = True
        if packet.kind is PacketKind.DATA:
            state = self._targets.get(packet.target) if packet.target is not None else None
            if state is not None and not state.answered:
                state.answered = True
                self._advance(packet.target, state)
            event = DataReceived(target=packet.target, stream=packet.stream, data=packet.data)
            self._link.emit(event)
            return
        handle = self._by_kind.get(packet.kind)
        if handle is None:
            raise self._link.fault("direction", unknown_element(packet.kind.value))
        handle(packet.target)

    def _command_ack(self, target: UUID | None) -> None:
        state = self._targets.get(target) if target is not None else None
        if state is not None:
            state.starting = False
            self._advance(target, state)

    def _data_ack(self, target: UUID | None) -> None:
        state = self._pool if target is None else self._targets.get(target)
        if state is not None and not state.starting:
            state.unacknowledged = False
            self._advance(target, state)

    def _signal_ack(self, target: UUID | None) -> None:
        if target is None:
            raise self._link.fault("signal-session", signal_for_session("SignalAck"))
        state = self._targets.get(target)
        if state is not None and state.stop is _Progress.SENT:
            state.stop = _Progress.DONE
            self._link.emit(ActReceived(act=TransportAct.STOP_PIPELINE, target=target))
            self._advance(target, state)

    def _close_ack(self, target: UUID | None) -> None:
        if target is None:
            if self._pool.close is _Progress.SENT:
                self._pool_closed()
            return
        state = self._targets.get(target)
        if state is not None and state.close is _Progress.SENT:
            self._closed(target)

    def _closed(self, target: UUID) -> None:
        del self._targets[target]
        self._link.emit(ActReceived(act=TransportAct.CLOSE_PIPELINE, target=target))
        self._close_pool_when_free()

    def _pool_closed(self) -> None:
        self._pool.close = _Progress.DONE
        self._targets.clear()
        self._unclosed = 0
        self._link.emit(ActReceived(act=TransportAct.CLOSE_POOL))

    # -- time

    @property
    def pending_replies(self) -> tuple[PendingReply, ...]:
        """The outstanding answers that have a time limit."""
        acts: list[tuple[TransportAct, UUID | None]] = []
        if self._opened and not self._answered:
            acts.append((TransportAct.CREATE_POOL, None))
        for target, state in self._targets.items():
            if state.starting:
                acts.append((TransportAct.CREATE_PIPELINE, target))
            if state.stop is _Progress.SENT:
                acts.append((TransportAct.STOP_PIPELINE, target))
            if state.close in (_Progress.WANTED, _Progress.SENT):
                acts.append((TransportAct.CLOSE_PIPELINE, target))
        if self._pool.close in (_Progress.WANTED, _Progress.SENT):
            acts.append((TransportAct.CLOSE_POOL, None))
        return tuple(
            PendingReply(act=act, target=target, seconds=self._reply_timeouts[act])
            for act, target in acts
            if act in self._reply_timeouts
        )

    def reply_timed_out(self, reply: PendingReply) -> None:
        """Continue as if the answer had been received."""
        self._link.emit(TimedOut(reply=reply))
        if reply.act is TransportAct.CREATE_POOL:
            self._reply_timeouts.pop(TransportAct.CREATE_POOL)
            return
        if reply.act is TransportAct.CLOSE_POOL:
            self._pool_closed()
            return
        assert reply.target is not None
        state = self._targets[reply.target]
        if reply.act is TransportAct.CREATE_PIPELINE:
            state.starting = False
            state.discard()
        elif reply.act is TransportAct.STOP_PIPELINE:
            state.stop = _Progress.DONE
            self._link.emit(ActReceived(act=TransportAct.STOP_PIPELINE, target=reply.target))
        else:
            if state.close is _Progress.WANTED:
                self._unclosed -= 1
                self._link.write_packet(PacketKind.CLOSE, reply.target)
            self._closed(reply.target)
            return
        self._advance(reply.target, state)
