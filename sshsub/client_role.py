"""What a client waits for before it speaks.

A real server hands every line to another thread, so order is only kept by waiting: no Data for
a command before its CommandAck, one unacknowledged Data for each target, a Close only after all
Data, the acknowledgement of the birth and the SignalAck, the session's Close after every
command's. Every Command is closed, once, also when nobody asked for it: a forgotten one holds the
session's Close up.
Sources: spec-notes/out-of-process.md.
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

    from sshsub.packets import Line
    from sshsub.subsystem import Subsystem

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
"""What is kept of a line for people: a packet may be long, a banner is not."""


def _noise(data: bytes, line: Line) -> DiagnosticLine:
    return DiagnosticLine(text=data[:_MAX_TEXT].decode("utf-8", "replace"), number=line.number)


class _Step(Enum):
    """Where a Signal or a Close is."""

    NO = 0
    WANTED = 1
    SENT = 2
    DONE = 3


class _Turn:
    """One target: what waits for its turn, and which answers are outstanding."""

    __slots__ = (
        *("close", "data_out", "default", "heard", "joinable", "prompt", "queued", "starting"),
        "stop",
    )

    def __init__(self, *, starting: bool) -> None:
        self.starting = starting
        """The CommandAck has not come."""
        self.data_out = False
        """A Data is not acknowledged."""
        self.heard = False
        """The server has said something of this command: it was born."""
        self.prompt: deque[bytes] = deque()
        self.default: deque[bytes] = deque()
        self.joinable = 0
        """From which place on chunks may share a packet: a pipeline's birth stands alone."""
        self.queued = 0
        self.stop = _Step.NO
        self.close = _Step.NO

    def add(self, data: bytes, stream: Stream, size: int, *, alone: bool) -> None:
        queue = self.prompt if stream is Stream.PROMPT_RESPONSE else self.default
        self.queued += len(data)
        for start in range(0, len(data), size):
            queue.append(data[start : start + size])
        if alone:
            self.joinable = len(self.default)

    def next_data(self, size: int) -> tuple[Stream, bytes] | None:
        """Host responses first, one by one; then as much of the rest as a packet takes."""
        if self.prompt:
            data = self.prompt.popleft()
            self.queued -= len(data)
            return Stream.PROMPT_RESPONSE, data
        if not self.default:
            return None
        queue = self.default
        data = queue.popleft()
        if self.joinable:
            self.joinable -= 1
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

    def drop(self) -> None:
        self.prompt.clear()
        self.default.clear()
        self.joinable = self.queued = 0


class ClientRole:
    """Waits and speaks; lives inside a `Subsystem`."""

    holds = False

    def __init__(self, link: Subsystem, reply_timeouts: Mapping[TransportAct, float]) -> None:
        self._link = link
        self._reply_timeouts = dict(reply_timeouts)
        self._pool = _Turn(starting=False)
        self._turns: dict[UUID, _Turn] = {}
        self._opened = False
        self._heard = False
        self._last_words = ""
        self._by_kind: dict[PacketKind, Callable[[UUID | None], None]] = {
            PacketKind.COMMAND_ACK: self._command_ack,
            PacketKind.DATA_ACK: self._data_ack,
            PacketKind.SIGNAL_ACK: self._signal_ack,
            PacketKind.CLOSE_ACK: self._close_ack,
        }

    @property
    def queued(self) -> int:
        return self._pool.queued + sum(turn.queued for turn in self._turns.values())

    def drop(self) -> None:
        self._pool.drop()
        for turn in self._turns.values():
            turn.drop()

    # -- out

    def send(self, out: Outgoing) -> None:
        self._check(out)
        target, act = out.target, out.act
        if act is TransportAct.CREATE_PIPELINE and target is not None:
            self._turns[target] = _Turn(starting=True)
            self._put(PacketKind.COMMAND, target)
        turn = self._pool if target is None else self._turns.get(target)
        if act is None or act in _CREATES:
            self._opened = True
            if turn is not None and turn.stop is _Step.NO:
                alone = act is TransportAct.CREATE_PIPELINE
                turn.add(out.data, out.stream, self._link.packet_size, alone=alone)
        elif act is TransportAct.CLOSE_POOL:
            self._close_pool()
        elif turn is None:
            # The command never left: there is nothing to stop, nobody to ask.
            self._link.tell(ActReceived(act=act, target=target))
        elif act is TransportAct.STOP_PIPELINE and turn.stop is _Step.NO and turn.close is _Step.NO:
            turn.stop = _Step.WANTED
        elif act is TransportAct.CLOSE_PIPELINE and turn.close is _Step.NO:
            turn.close = _Step.WANTED
        if turn is not None:
            self._advance(target, turn)

    def _check(self, out: Outgoing) -> None:
        """Raises LocalProtocolError for what cannot be, before anything is changed."""
        target, act = out.target, out.act
        if act in _UNSUPPORTED:
            raise UnsupportedAct(act)
        if self._link.over or self._link.output_closed:
            raise LocalProtocolError("the stream is over")
        if act is not None and (act in _OF_PIPELINES) is (target is None):
            raise LocalProtocolError(f"{act.value}: a target that does not fit")
        if act is not None and act not in _CREATES:
            if out.data:
                raise LocalProtocolError(f"{act.value} takes no data along")
            return
        if self._pool.close is not _Step.NO:
            raise LocalProtocolError("the session is closing")
        turn = self._pool if target is None else self._turns.get(target)
        if act is TransportAct.CREATE_PIPELINE:
            if turn is not None:
                raise LocalProtocolError(f"there is a command {target} already")
        elif turn is None:
            raise LocalProtocolError(f"there is no command {target}")
        elif turn.close is not _Step.NO:
            raise LocalProtocolError(f"command {target} is closing")

    def _put(self, kind: PacketKind, target: UUID | None) -> None:
        if not self._link.output_closed:
            self._link.put_packet(Packet(kind=kind, target=target))

    def _advance(self, target: UUID | None, turn: _Turn) -> None:
        """Say what may be said for this target now."""
        if turn.starting or self._link.output_closed:
            return
        if turn.stop is _Step.WANTED:
            turn.stop = _Step.SENT
            turn.drop()
            self._put(PacketKind.SIGNAL, target)
        if turn.data_out and (turn.queued or not turn.heard):
            # Nothing may overtake a birth; what is sent later may be acknowledged when it likes.
            return
        found = turn.next_data(self._link.packet_size)
        if found is not None:
            turn.data_out = True
            stream, data = found
            self._link.put_packet(
                Packet(kind=PacketKind.DATA, target=target, stream=stream, data=data)
            )
        elif turn is not self._pool and turn.close is _Step.WANTED and turn.stop is not _Step.SENT:
            turn.close = _Step.SENT
            self._put(PacketKind.CLOSE, target)
            self._close_pool_when_free()

    def _close_pool(self) -> None:
        if self._pool.close is not _Step.NO:
            return
        self._pool.close = _Step.WANTED
        self._pool.drop()
        for target, turn in list(self._turns.items()):
            turn.drop()
            if turn.close is _Step.NO:
                turn.close = _Step.WANTED
            self._advance(target, turn)
        self._close_pool_when_free()

    def _close_pool_when_free(self) -> None:
        if self._pool.close is not _Step.WANTED:
            return
        if all(turn.close is _Step.SENT for turn in self._turns.values()):
            self._pool.close = _Step.SENT
            self._put(PacketKind.CLOSE, None)

    # -- in

    def line(self, line: Line, *, whole: bool) -> Iterator[Packet]:
        """The packets of a line, or an event for a line that is none."""
        data = line.data
        reported = error_text(data)
        if reported is not None:
            self._reported(reported)
            return iter(())
        found = (_PACKET if whole else _BEGUN).search(data)
        if found is None:
            if data.strip():
                self._link.tell(_noise(data, line))
            return iter(())
        if not whole:
            return iter(self._last_line(line))
        if found.start():
            return iter(self._behind_noise(line, found.start()))
        return read_line(data)

    def _behind_noise(self, line: Line, start: int) -> list[Packet]:
        """A packet that something without a line end stands before."""
        try:
            return list(read_line(line.data))
        except PacketError:
            packets = list(read_line(line.data[start:]))
        head = line.data[:start]
        if head.strip():
            self._link.tell(_noise(head, line))
        return packets

    def _last_line(self, line: Line) -> list[Packet]:
        """A packet without a line end is whole, or the server died in the middle of it."""
        try:
            return list(read_line(line.data))
        except PacketError:
            where = f"in the middle of a packet, byte {len(line.data)} of line {line.number}"
            self._tell_end(f"the stream broke off {where}")
            return []

    def _reported(self, text: str) -> None:
        text = text[:_MAX_TEXT]
        if self._ends_well:
            # Every orderly conversation ends with such a line.
            self._last_words = text
        else:
            fatal = not text.startswith(TRANSPORT_ERROR)
            self._link.tell(PeerError(text=text, fatal=fatal))

    def end(self) -> None:
        self._tell_end(self._last_words or "the stream ended")

    @property
    def _ends_well(self) -> bool:
        return self._pool.close in (_Step.SENT, _Step.DONE) or self._link.ended

    def _tell_end(self, reason: str) -> None:
        self._link.tell(Ended(clean=self._ends_well, reason=reason))
        self._link.finish()

    def packet(self, packet: Packet) -> None:
        self._heard = True
        if packet.kind is PacketKind.DATA:
            turn = self._turns.get(packet.target) if packet.target is not None else None
            if turn is not None and not turn.heard:
                turn.heard = True
                self._advance(packet.target, turn)
            event = DataReceived(target=packet.target, stream=packet.stream, data=packet.data)
            self._link.tell(event)
            return
        taken = self._by_kind.get(packet.kind)
        if taken is None:
            raise self._link.fault("direction", unknown_element(packet.kind.value))
        taken(packet.target)

    def _command_ack(self, target: UUID | None) -> None:
        turn = self._turns.get(target) if target is not None else None
        if turn is not None:
            turn.starting = False
            self._advance(target, turn)

    def _data_ack(self, target: UUID | None) -> None:
        turn = self._pool if target is None else self._turns.get(target)
        if turn is not None and not turn.starting:
            turn.data_out = False
            self._advance(target, turn)

    def _signal_ack(self, target: UUID | None) -> None:
        if target is None:
            raise self._link.fault("signal-session", signal_for_session("SignalAck"))
        turn = self._turns.get(target)
        if turn is not None and turn.stop is _Step.SENT:
            turn.stop = _Step.DONE
            self._link.tell(ActReceived(act=TransportAct.STOP_PIPELINE, target=target))
            self._advance(target, turn)

    def _close_ack(self, target: UUID | None) -> None:
        if target is None:
            if self._pool.close is _Step.SENT:
                self._pool.close = _Step.DONE
                self._turns.clear()
                self._link.tell(ActReceived(act=TransportAct.CLOSE_POOL))
            return
        turn = self._turns.get(target)
        if turn is not None and turn.close is _Step.SENT:
            del self._turns[target]
            self._link.tell(ActReceived(act=TransportAct.CLOSE_PIPELINE, target=target))
            self._close_pool_when_free()

    # -- time

    @property
    def pending_replies(self) -> tuple[PendingReply, ...]:
        acts: list[tuple[TransportAct, UUID | None]] = []
        if self._opened and not self._heard:
            acts.append((TransportAct.CREATE_POOL, None))
        for target, turn in self._turns.items():
            if turn.starting:
                acts.append((TransportAct.CREATE_PIPELINE, target))
            if turn.stop is _Step.SENT:
                acts.append((TransportAct.STOP_PIPELINE, target))
            if turn.close in (_Step.WANTED, _Step.SENT):
                acts.append((TransportAct.CLOSE_PIPELINE, target))
        if self._pool.close in (_Step.WANTED, _Step.SENT):
            acts.append((TransportAct.CLOSE_POOL, None))
        return tuple(
            PendingReply(act=act, target=target, seconds=self._reply_timeouts[act])
            for act, target in acts
            if act in self._reply_timeouts
        )

    def reply_timed_out(self, wait: PendingReply) -> None:
        self._link.tell(TimedOut(wait=wait))
        if wait.act is TransportAct.CREATE_POOL:
            self._reply_timeouts.pop(TransportAct.CREATE_POOL)
            return
        if wait.act is TransportAct.CLOSE_POOL:
            self._pool.close = _Step.DONE
            self._turns.clear()
            self._link.tell(ActReceived(act=TransportAct.CLOSE_POOL))
            return
        assert wait.target is not None
        turn = self._turns[wait.target]
        if wait.act is TransportAct.CREATE_PIPELINE:
            turn.starting = False
            turn.drop()
        elif wait.act is TransportAct.STOP_PIPELINE:
            turn.stop = _Step.DONE
            self._link.tell(ActReceived(act=TransportAct.STOP_PIPELINE, target=wait.target))
        else:
            if turn.close is _Step.WANTED:
                self._put(PacketKind.CLOSE, wait.target)
            del self._turns[wait.target]
            self._link.tell(ActReceived(act=TransportAct.CLOSE_PIPELINE, target=wait.target))
            self._close_pool_when_free()
            return
        self._advance(wait.target, turn)
