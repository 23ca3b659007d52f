"""The carrier for every byte stream: packets, one a line, over ssh, a process or a socket.

`sshsub.Subsystem` knows the packets; this module moves its bytes. Three tasks live here. The
reader alone feeds the machine and tells the session what came; the writer alone writes, so that
a caller who is cancelled never cuts a packet in two; the clock gives up answers that are overdue.
None of them raises: the first to fail stores the error, and all end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING

import trio

from psremoting import errors
from psrp.sansio import RemoteProtocolError, Side, TransportAct
from sshsub.events import (
    END_OF_INPUT_ERROR,
    TRANSPORT_ERROR,
    ActReceived,
    BrokenLine,
    DataReceived,
    DiagnosticLine,
    Ended,
    Event,
    PeerError,
    PendingReply,
    TimedOut,
)
from sshsub.subsystem import PACKET_SIZE, Subsystem

if TYPE_CHECKING:
    from psremoting.client.carrier import Receiver
    from psrp.sansio import Outgoing
    from sshsub.trio_stream import Wire

__all__ = ["Connect", "StreamCarrier"]

_PENDING = 4 * PACKET_SIZE
"""Bytes that may wait in the machine before the session holds back."""
_NOISE_KEPT = 20
_FIRST_PACKET = "<Data "

_OUR_ACTS = (TransportAct.STOP_PIPELINE, TransportAct.CLOSE_PIPELINE, TransportAct.CLOSE_POOL)
_BROKEN_STREAM = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


Connect = Callable[[Callable[[str], None]], "AbstractAsyncContextManager[Wire]"]
"""Opens a wire; the callback takes the lines of its stderr, where there is one."""


class StreamCarrier:
    """A session's way over a `sshsub.trio_stream.Wire`.

    ``connect`` opens the wire; it raises PSRemotingError or OSError. ``reply_timeouts``
    has seconds by act, see `sshsub.events.REPLY_TIMEOUTS`; CREATE_POOL limits the wait for the
    first packet.
    """

    fragment_size = PACKET_SIZE

    def __init__(
        self,
        connect: Connect,
        *,
        transport: str,
        computer: str,
        reply_timeouts: Mapping[TransportAct, float],
    ) -> None:
        self.transport = transport
        self.computer = computer
        self._connect = connect
        self._connecting_timeout = reply_timeouts.get(TransportAct.CREATE_POOL, math.inf)
        finite = {act: seconds for act, seconds in reply_timeouts.items() if seconds < math.inf}
        self._machine = Subsystem(Side.CLIENT, reply_timeouts=finite)
        self._wire: Wire | None = None
        self._stack = AsyncExitStack()
        self._receiver: Receiver | None = None
        self._wake = trio.Event()
        self._clock_wake = trio.Event()
        self._deadlines: dict[PendingReply, float] = {}
        self._next_deadline = math.inf
        self._held_back = False
        self._heard = False
        self._noise: list[str] = []
        self._early: list[str] = []
        self._reported: list[str] = []
        self._lost = False
        self._closing = False
        self._over: trio.CancelScope | None = None

    def __repr__(self) -> str:
        return f"<StreamCarrier {self.transport} to {self.computer}>"

    async def open(self) -> None:
        try:
            self._wire = await self._stack.enter_async_context(self._connect(self._notice))
        except OSError as error:
            text = error.strerror or str(error)
            if error.filename:
                text += f": '{error.filename}'"
            raise errors.PSRemotingTransportError(text, computer=self.computer) from error

    @property
    def ready(self) -> bool:
        if self._machine.pending < _PENDING:
            return True
        self._held_back = True
        return False

    def send(self, out: Outgoing) -> None:
        if not (self._lost or self._machine.over or self._machine.output_closed):
            self._machine.send(out)
            self._touched()

    async def aclose(self, *, gently: bool) -> None:
        self._closing = True
        with trio.CancelScope(shield=True) as scope:
            if not gently:
                # A wire that is closed under cancellation is closed at once, by force.
                scope.cancel()
            with suppress(*_BROKEN_STREAM):
                await self._stack.aclose()

    # -- the three tasks

    async def run(self, receiver: Receiver) -> None:
        assert self._wire is not None
        self._receiver = receiver
        for line in self._early:
            self._notice(line)
        async with trio.open_nursery() as nursery:
            self._over = nursery.cancel_scope
            nursery.start_soon(self._write, self._wire)
            nursery.start_soon(self._watch_the_clock)
            await self._read(self._wire, receiver)
            nursery.cancel_scope.cancel()

    async def _read(self, wire: Wire, receiver: Receiver) -> None:
        while not self._lost:
            await receiver.demand()
            try:
                data = await wire.receive_some()
            except _BROKEN_STREAM:
                data = b""
            if not data:
                # What stands on stderr tells why; it is whole when the process has ended.
                with suppress(*_BROKEN_STREAM):
                    await wire.aclose()
            self._machine.receive_data(data)
            self._deal_with_events()
            if not data:
                self._tell_lost(self._why_lost(""))

    async def _write(self, wire: Wire) -> None:
        while True:
            data = self._machine.data_to_send()
            if not data:
                self._wake = trio.Event()
                await self._wake.wait()
                continue
            if self._held_back and self._machine.pending < _PENDING and self._receiver:
                self._held_back = False
                self._receiver.ready_again()
            try:
                await wire.send_all(data)
            except _BROKEN_STREAM:
                # The reader goes on: what the server said last tells why.
                self._machine.send_failed()
                return

    async def _watch_the_clock(self) -> None:
        while True:
            self._clock_wake = trio.Event()
            self._next_deadline = min(self._deadlines.values(), default=math.inf)
            with trio.move_on_at(self._next_deadline):
                await self._clock_wake.wait()
            now = trio.current_time()
            for wait, deadline in list(self._deadlines.items()):
                if deadline <= now:
                    self._machine.reply_timed_out(wait)
            self._deal_with_events()

    # -- what the tasks share; nothing here waits

    def _notice(self, line: str) -> None:
        """A line of stderr. ``pwsh -s`` has its error reports there, and its last words."""
        if self._receiver is None:
            self._early.append(line)
        elif self.transport != "Process":
            self._receiver.noticed(line)
        elif line.startswith(TRANSPORT_ERROR):
            self._receiver.refused(line)
        elif not (self._closing and line == END_OF_INPUT_ERROR):
            self._receiver.noticed(line)

    def _touched(self) -> None:
        """The machine may have something to write, and other answers to wait for."""
        waits = self._machine.pending_replies
        if len(waits) != len(self._deadlines) or any(w not in self._deadlines for w in waits):
            now = trio.current_time()
            known = self._deadlines
            self._deadlines = {w: known.get(w, now + w.seconds) for w in waits}
            if min(self._deadlines.values(), default=math.inf) < self._next_deadline:
                self._clock_wake.set()
        self._wake.set()

    def _deal_with_events(self) -> None:
        receiver = self._receiver
        assert receiver is not None
        while not self._lost:
            try:
                event = self._machine.next_event()
            except RemoteProtocolError as error:
                self._tell_lost(self._why_broken(error))
                return
            if event is None:
                break
            if type(event) is DataReceived:
                self._heard = True
                receiver.received(event.data, event.target, event.stream)
            else:
                self._deal_with(event, receiver)
        self._touched()
        if self._held_back and self._machine.pending < _PENDING:
            self._held_back = False
            receiver.ready_again()

    def _deal_with(self, event: Event, receiver: Receiver) -> None:
        match event:
            case ActReceived(act=act, target=target):
                if act in _OUR_ACTS:
                    receiver.acted(act, target)
            case DiagnosticLine(text=text):
                if _FIRST_PACKET.startswith(text):
                    return  # cut off so early that it looks like text
                self._noise = [*self._noise, text][-_NOISE_KEPT:]
                receiver.noticed(text)
            case PeerError(text=text, fatal=False):
                receiver.refused(text)
            case PeerError(text=text):
                self._reported.append(text)
                self._tell_lost(self._why_lost(text))
            case TimedOut(wait=PendingReply(act=TransportAct.CREATE_POOL)):
                timeout = errors.connecting_timed_out(
                    self.computer, self._connecting_timeout, ssh=self.transport == "SSH"
                )
                self._tell_lost(timeout)
            case TimedOut(
                wait=PendingReply(act=TransportAct.CREATE_PIPELINE, target=target, seconds=seconds)
            ):
                assert target is not None
                receiver.unanswered(target, seconds)
            case Ended(clean=clean, reason=reason):
                self._tell_lost(None if clean else self._why_lost(reason))

    def _why_lost(self, reason: str) -> errors.PSRemotingTransportError:
        if self._reported:
            return errors.process_reported(self.computer, self._reported[-1])
        if self._noise and not self._heard:
            return errors.noise_instead_of_packets(self.computer, self._noise[-1].strip())
        ended = self._wire.ended if self._wire is not None else None
        if ended is not None and ended.exit_code is not None:
            reason += f" (exit code {ended.exit_code})"
        ssh = self.transport == "SSH"
        return errors.process_ended(self.computer, ssh=ssh, reason=reason)

    def _why_broken(self, error: RemoteProtocolError) -> errors.PSRemotingTransportError:
        words = error.words if isinstance(error, BrokenLine) else str(error)
        made = errors.noise_instead_of_packets(self.computer, words)
        made.__cause__ = error
        return made

    def _tell_lost(self, error: errors.PSRemotingTransportError | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self._receiver is not None:
            self._receiver.lost(error)
        if self._over is not None:
            self._over.cancel()
