"""The carrier for byte streams: out-of-process packets over ssh, a process or a socket.

`sshsub.Subsystem` reads and writes the packets; three tasks move its bytes: reader and writer of
`sshsub.trio_packet_loop`, and a clock that ends waits that take too long. None of them raises: the
first one to fail stores the error, and all end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import trio

from psremoting import errors
from psremoting.client.carrier import PromptStyle
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
from sshsub.trio_packet_loop import TrioPacketLoop

if TYPE_CHECKING:
    from psremoting.capture.recorder import Recorder
    from psremoting.client.carrier import Receiver
    from psrp.sansio import Outgoing
    from sshsub.trio_stream import Wire

__all__ = ["Connect", "StreamCarrier"]

_MAX_PENDING = 4 * PACKET_SIZE
"""Unsent bytes in the machine at which the carrier has no room."""
_LINES_KEPT = 20
_NO_CONTAINER = re.compile(r"no such container|no container with|is not running", re.IGNORECASE)
_LOCAL_SERVERS = ("Process", "Container")
"""Transports whose stderr comes from the server."""
_FIRST_PACKET = "<Data "
_REPORTED_ACTS = (TransportAct.STOP_PIPELINE, TransportAct.CLOSE_PIPELINE, TransportAct.CLOSE_POOL)

Connect = Callable[[Callable[[str], None]], "AbstractAsyncContextManager[Wire]"]
"""Function that opens a wire; the callback takes the lines of its stderr, if any."""


class StreamCarrier:
    """A `psremoting.client.carrier.Carrier` over a `sshsub.trio_stream.Wire`.

    ``connect`` opens the wire; it raises PSRemotingError or OSError. ``reply_timeouts`` maps acts
    to the seconds to wait for their answers (`sshsub.events.REPLY_TIMEOUTS`); that of CREATE_POOL
    is the limit for the first packet.
    """

    closes_in_turn = True
    can_disconnect = False

    def __init__(
        self,
        connect: Connect,
        *,
        transport: str,
        computer: str,
        reply_timeouts: Mapping[TransportAct, float],
        prompt_style: PromptStyle | None = None,
    ) -> None:
        self.transport = transport
        self.computer = computer
        self.prompt_style = prompt_style or PromptStyle(prefix=f"[{computer}]: ")
        self._connect = connect
        self._connecting_timeout = reply_timeouts.get(TransportAct.CREATE_POOL, math.inf)
        finite = {act: seconds for act, seconds in reply_timeouts.items() if seconds < math.inf}
        self.recorder: Recorder | None = None
        """Set before `open` to record the connection."""
        self._machine = Subsystem(Side.CLIENT, reply_timeouts=finite)
        self._wire: Wire | None = None
        self._stack = AsyncExitStack()
        self._receiver: Receiver | None = None
        self._loop: TrioPacketLoop | None = None
        self._wake_clock = trio.Event()
        self._deadlines: dict[PendingReply, float] = {}
        self._next_deadline = math.inf
        self._was_full = False
        self._heard = False
        self._unanswered: dict[UUID, None] = {}
        """Commands for which nothing has arrived, the newest last."""
        self._other_lines: list[str] = []
        """Lines of the stream that were not packets."""
        self._stderr: list[str] = []
        self._early_stderr: list[str] = []
        self._reported: list[str] = []
        self._lost = False
        self._closing = False
        self._tasks: trio.CancelScope | None = None

    def __repr__(self) -> str:
        return f"<StreamCarrier {self.transport} to {self.computer}>"

    async def open(self, pool_id: UUID) -> None:
        try:
            wire = await self._stack.enter_async_context(self._connect(self._stderr_line))
        except OSError as error:
            text = error.strerror or str(error)
            if error.filename:
                text += f": '{error.filename}'"
            raise errors.PSRemotingTransportError(text, computer=self.computer) from error
        self._wire = wire if self.recorder is None else self.recorder.wire(wire)

    def room(self, target: UUID | None) -> int:
        if self._machine.pending < _MAX_PENDING:
            return PACKET_SIZE
        self._was_full = True
        return 0

    def send(self, out: Outgoing) -> None:
        if self._lost or self._machine.over or self._machine.output_closed:
            return
        if out.act is TransportAct.CREATE_PIPELINE and out.target is not None:
            self._unanswered[out.target] = None
        self._machine.send(out)
        self._machine_changed()

    def negotiated(self, version: str) -> None:
        """Do nothing: packets are the same in every version."""

    def poll_pool(self, *, soon: bool) -> None:
        pass

    def keep_for(self, seconds: float) -> None:
        """Do nothing: a session over a stream ends with it."""

    def buffer_as(self, mode: str) -> None:
        """Do nothing: a session over a stream ends with it."""

    def hold(self, command: UUID) -> None:
        """Do nothing: all commands share the stream."""

    async def commands(self) -> list[UUID]:
        await trio.lowlevel.checkpoint()
        return []

    def open_timed_out(self, seconds: float) -> errors.OpenTimeout:
        return errors.opening_timed_out(
            self.computer, seconds, ssh=self.transport == "SSH", stderr=self._last_stderr
        )

    async def aclose(self, *, gently: bool) -> None:
        self._closing = True
        with trio.CancelScope(shield=True) as scope:
            if not gently:
                # A wire that is closed under cancellation is closed at once, by force.
                scope.cancel()
            with suppress(*TrioPacketLoop.broken):
                await self._stack.aclose()

    # -- the three tasks

    async def run(self, receiver: Receiver) -> None:
        assert self._wire is not None
        self._receiver = receiver
        self._loop = loop = TrioPacketLoop(
            self._machine, self._wire, taken=self._report_room, at_end=self._end_wire
        )
        for line in self._early_stderr:
            self._stderr_line(line)
        async with trio.open_nursery() as nursery:
            self._tasks = nursery.cancel_scope
            nursery.start_soon(loop.write)
            nursery.start_soon(self._watch_deadlines)
            await loop.read(self._received, ready=receiver.wait_for_any_reader)
            self._report_loss(self._reason_of_loss(""))
            nursery.cancel_scope.cancel()

    async def _end_wire(self) -> None:
        # Closing waits for the process, so that its stderr with the reason is complete.
        assert self._wire is not None
        with suppress(*TrioPacketLoop.broken):
            await self._wire.aclose()

    def _received(self) -> bool:
        self._process_events()
        return not self._lost

    async def _watch_deadlines(self) -> None:
        while True:
            self._wake_clock = trio.Event()
            self._next_deadline = min(self._deadlines.values(), default=math.inf)
            with trio.move_on_at(self._next_deadline):
                await self._wake_clock.wait()
            now = trio.current_time()
            for wait, deadline in list(self._deadlines.items()):
                if deadline <= now:
                    self._machine.reply_timed_out(wait)
            self._process_events()

    # -- shared by the tasks; nothing here waits

    @property
    def _last_stderr(self) -> str:
        return self._stderr[-1] if self._stderr else ""

    def _stderr_line(self, line: str) -> None:
        """Take a line of stderr. ``pwsh -s`` writes its error reports there."""
        if line.strip():
            self._stderr = [*self._stderr, line][-_LINES_KEPT:]
        if self._receiver is None:
            self._early_stderr.append(line)
        elif self.transport not in _LOCAL_SERVERS:
            self._receiver.noticed(line)
        elif line.startswith(TRANSPORT_ERROR):
            self._refused(line)
        elif not (self._closing and line == END_OF_INPUT_ERROR):
            self._receiver.noticed(line)

    def _refused(self, text: str) -> None:
        """Process the server's report of an unreadable message.

        The report does not identify the message; it is attributed to the newest command without
        a response, or else to the opening.
        """
        assert self._receiver is not None
        error = errors.PSRemotingError(text, computer=self.computer)
        if self._unanswered:
            target, _ = self._unanswered.popitem()
            self._receiver.act_failed(TransportAct.CREATE_PIPELINE, target, error)
        else:
            self._receiver.act_failed(TransportAct.CREATE_POOL, None, error)

    def _report_room(self) -> None:
        if self._was_full and self._machine.pending < _MAX_PENDING and self._receiver is not None:
            self._was_full = False
            self._receiver.ready_again(None)

    def _machine_changed(self) -> None:
        """Wake the tasks for new data to write or a new deadline."""
        waits = self._machine.pending_replies
        if len(waits) != len(self._deadlines) or any(w not in self._deadlines for w in waits):
            now = trio.current_time()
            known = self._deadlines
            self._deadlines = {w: known.get(w, now + w.seconds) for w in waits}
            if min(self._deadlines.values(), default=math.inf) < self._next_deadline:
                self._wake_clock.set()
        if self._loop is not None:
            self._loop.wake()

    def _process_events(self) -> None:
        receiver = self._receiver
        assert receiver is not None
        while not self._lost:
            try:
                event = self._machine.next_event()
            except RemoteProtocolError as error:
                self._report_loss(self._broken_packet(error))
                return
            if event is None:
                break
            if type(event) is DataReceived:
                self._heard = True
                if self._unanswered and event.target is not None:
                    self._unanswered.pop(event.target, None)
                receiver.received(event.data, event.target, event.stream)
            else:
                self._process(event, receiver)
        self._machine_changed()
        self._report_room()

    def _process(self, event: Event, receiver: Receiver) -> None:
        match event:
            case ActReceived(act=act, target=target):
                if act is TransportAct.CLOSE_PIPELINE and target is not None:
                    self._unanswered.pop(target, None)
                if act in _REPORTED_ACTS:
                    receiver.act_done(act, target)
            case DiagnosticLine(text=text):
                if _FIRST_PACKET.startswith(text):
                    return  # a packet that was cut off
                self._other_lines = [*self._other_lines, text][-_LINES_KEPT:]
                receiver.noticed(text)
            case PeerError(text=text, fatal=False):
                self._refused(text)
            case PeerError(text=text):
                self._reported.append(text)
                self._report_loss(self._reason_of_loss(text))
            case TimedOut(reply=PendingReply(act=TransportAct.CREATE_POOL)):
                self._report_loss(self.open_timed_out(self._connecting_timeout))
            case TimedOut(
                reply=PendingReply(act=TransportAct.CREATE_PIPELINE, target=target, seconds=seconds)
            ):
                late = errors.OperationTimeout(
                    f"The server did not acknowledge the command within {seconds:g} seconds.",
                    computer=self.computer,
                )
                receiver.act_failed(TransportAct.CREATE_PIPELINE, target, late)
            case Ended(clean=clean, reason=reason):
                self._report_loss(None if clean else self._reason_of_loss(reason))

    def _reason_of_loss(self, reason: str) -> errors.PSRemotingTransportError:
        if self._reported:
            return errors.process_reported(self.computer, self._reported[-1])
        if self._other_lines and not self._heard:
            return errors.text_instead_of_packets(self.computer, self._other_lines[-1].strip())
        if self.transport == "Container" and not self._heard:
            for line in self._stderr:
                if _NO_CONTAINER.search(line):
                    return errors.InvalidContainerId(self.computer, line.strip())
        ended = self._wire.ended if self._wire is not None else None
        return errors.process_ended(
            self.computer,
            ssh=self.transport == "SSH",
            reason=reason,
            exit_code=None if ended is None else ended.exit_code,
            stderr=self._last_stderr,
            opened=self._heard,
        )

    def _broken_packet(self, error: RemoteProtocolError) -> errors.PSRemotingTransportError:
        words = error.words if isinstance(error, BrokenLine) else str(error)
        made = errors.text_instead_of_packets(self.computer, words)
        made.__cause__ = error
        return made

    def _report_loss(self, error: errors.PSRemotingTransportError | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self._receiver is not None:
            self._receiver.lost(error)
        if self._tasks is not None:
            self._tasks.cancel()
