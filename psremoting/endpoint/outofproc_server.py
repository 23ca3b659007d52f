"""The server of one out-of-process client, without I/O: bytes in, bytes out.

The packet machine (`sshsub.subsystem`) returns events, which go to the engine's session. The
session's responses are put into packets before the acknowledgement. A driver moves the
bytes, starts the session's work, and is called when there is new data to send.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from psremoting.endpoint.sender import Sender, local_sender
from psrp.sansio import Outgoing, RemoteProtocolError, Side, TransportAct
from sshsub.events import ActReceived, DataReceived, Ended
from sshsub.subsystem import PACKET_SIZE, Subsystem

if TYPE_CHECKING:
    from uuid import UUID

    from psremoting.endpoint.engine import Engine, Session
    from sshsub.events import Event

__all__ = ["OutOfProcServer", "Step"]

_PULL = 4 * PACKET_SIZE
"""Limit of queued packet bytes at which no more output is taken from the session."""


class Step(enum.Enum):
    """The outcome of `OutOfProcServer.advance`."""

    ON = enum.auto()
    """One event was processed."""
    MORE = enum.auto()
    """No event was processed: more bytes are needed."""
    SESSION = enum.auto()
    """A session was opened in place of the previous one; its ``run`` has to be started."""
    OVER = enum.auto()
    """The stream has ended."""


def _nothing() -> None:
    return


def _ignore(_: str) -> None:
    return


class OutOfProcServer:
    """One client's stream at an engine. It is the `psremoting.endpoint.engine.Link` of its
    sessions."""

    def __init__(self, engine: Engine, *, error_prefix: str | None = "__NamedPipeError__:") -> None:
        self._engine = engine
        self._packets = Subsystem(Side.SERVER, error_prefix=error_prefix)
        self._held: dict[UUID | None, list[DataReceived]] = {}
        """Data that is not acknowledged yet, by target."""
        self.session: Session | None = None
        self.reason = ""
        """The reason of the end, for the client's last error line."""
        self.wake_driver: Callable[[], None] = _nothing
        """Called when there is something to send, or room for more input."""
        self.go_on: Callable[[], object] = _nothing
        """Called when `advance` may get further without new bytes."""
        self.end: Callable[[], None] = _nothing
        """Called when the session has failed."""
        self.show_errors: Callable[[str], object] = _ignore
        """Called with error lines that do not go into the stream."""

    # -- psremoting.endpoint.engine.Link

    @cached_property
    def sender(self) -> Sender:
        return local_sender()

    def wake(self) -> None:
        self.wake_driver()

    def report(self, text: str) -> None:
        # The output so far comes first.
        self.pull(None)
        self._packets.report(text)
        self.wake_driver()

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """Do nothing: the error line has already informed the client."""

    def fail(self, text: str) -> None:
        self.reason = text
        self.end()

    # -- in

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the stream, none at its end; `advance` processes them."""
        self._packets.receive_data(data)

    def advance(self) -> Step:
        """Process the next event. Do not call it again after OVER."""
        try:
            event = self._packets.next_event()
        except RemoteProtocolError:
            # The machine has queued its error line.
            return Step.OVER
        if event is None:
            return Step.MORE
        if isinstance(event, Ended):
            self.reason = self.reason or event.reason
            return Step.OVER
        return self._take(event)

    def _take(self, event: Event) -> Step:
        if isinstance(event, ActReceived):
            if event.act is TransportAct.CREATE_POOL:
                self._held.clear()
                self.session = self._engine.open(self)
                return Step.SESSION
            if event.act is not TransportAct.CREATE_PIPELINE and self.session is not None:
                self.session.receive(Outgoing(target=event.target, act=event.act))
                self.pull(None)
        elif isinstance(event, DataReceived) and self.session is not None:
            self.session.receive(
                Outgoing(target=event.target, stream=event.stream, data=event.data)
            )
            self.pull(None)
            self._held.setdefault(event.target, []).append(event)
            self.acknowledge()
        return Step.ON

    def acknowledge(self) -> None:
        """Acknowledge the data of each target whose session has room for more."""
        if not self._held or self.session is None:
            return
        takes_more = self.session.takes_more
        for target in [each for each in self._held if takes_more(each)]:
            for event in self._held.pop(target):
                self._packets.acknowledge(event)

    # -- out

    @property
    def pending(self) -> int:
        """Number of bytes in packets that wait to be written."""
        return self._packets.pending

    def pull(self, limit: int | None) -> None:
        """Move the session's output into packets until ``limit`` bytes wait."""
        session = self.session
        if session is None:
            return
        while limit is None or self._packets.pending < limit:
            out = session.data_to_send(PACKET_SIZE)
            if out is None:
                return
            self._packets.send(out)
            if out.act is not None:
                # The answer to a close may let the next packet through.
                self.go_on()

    def data_to_send(self) -> bytes:
        """Return the bytes for the client, none if there is nothing."""
        self.pull(_PULL)
        self.acknowledge()
        if errors := self._packets.errors_to_send():
            self.show_errors(errors.decode("utf-8", "replace"))
        return self._packets.data_to_send()

    def send_failed(self) -> None:
        """Report that the client takes no more bytes."""
        self._packets.send_failed()
