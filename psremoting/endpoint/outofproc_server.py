"""What lies between packet lines and an engine, without I/O: bytes in, bytes out.

The packets' machine (`sshsub.subsystem`) tells what a client sent; that goes to the engine's
session, whose answers are moved into packets before the acknowledgement is. A driver moves the
bytes, starts the session's work, and is told when there is something new to send.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from psrp.sansio import Outgoing, RemoteProtocolError, Side, TransportAct
from sshsub.events import ActReceived, DataReceived, Ended
from sshsub.subsystem import PACKET_SIZE, Subsystem

if TYPE_CHECKING:
    from uuid import UUID

    from psremoting.endpoint.engine import Engine, Session
    from sshsub.events import Event

__all__ = ["Desk", "Step"]


class Step(enum.Enum):
    """What `Desk.advance` did."""

    ON = enum.auto()
    """It dealt with something."""
    MORE = enum.auto()
    """Nothing: more bytes have to come."""
    SESSION = enum.auto()
    """A session was opened, in place of the one before it; its ``run`` is to be started."""
    OVER = enum.auto()
    """Nothing more can come."""


def _nothing() -> None:
    return


class Desk:
    """One client's stream at an engine. It is the `psremoting.endpoint.engine.Link` of its
    sessions."""

    def __init__(self, engine: Engine, *, error_prefix: str | None = "__NamedPipeError__:") -> None:
        self._engine = engine
        self._packets = Subsystem(Side.SERVER, error_prefix=error_prefix)
        self._held: dict[UUID | None, list[DataReceived]] = {}
        """What is not acknowledged yet, by target."""
        self.session: Session | None = None
        self.reason = ""
        """Why it ended, for the client's last error line."""
        self.wake_driver: Callable[[], None] = _nothing
        """There is something to send, or room for more."""
        self.go_on: Callable[[], None] = _nothing
        """`advance` may get further without new bytes."""
        self.end: Callable[[], None] = _nothing
        """The session cannot go on."""

    # -- psremoting.endpoint.engine.Link

    def wake(self) -> None:
        self.wake_driver()

    def report(self, text: str) -> None:
        # What was said before stands before it.
        self.pull(None)
        self._packets.report(text)
        self.wake_driver()

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """The error line that goes with it has told the client."""

    def fail(self, text: str) -> None:
        self.reason = text
        self.end()

    # -- in

    def receive_data(self, data: bytes) -> None:
        """Bytes of the stream; none at its end. `advance` deals with them."""
        self._packets.receive_data(data)

    def advance(self) -> Step:
        """Deal with the next thing that came. Not to be called any more after OVER."""
        try:
            event = self._packets.next_event()
        except RemoteProtocolError:
            # The machine has put its error line out.
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
        """Bytes in packets that wait to be written."""
        return self._packets.pending

    def pull(self, limit: int | None) -> None:
        """Move what the session has to say into packets, until ``limit`` bytes lie there."""
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
        """The bytes for the client; none when there is nothing."""
        return self._packets.data_to_send()

    def errors_to_send(self) -> bytes:
        """The bytes for stderr, where error lines go there."""
        return self._packets.errors_to_send()

    def send_failed(self) -> None:
        """The client takes no more bytes."""
        self._packets.send_failed()
