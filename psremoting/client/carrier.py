"""What a session needs of a transport, whichever it is.

A carrier moves what `psrp.Pool` wants moved and says what came; it never looks inside the
bytes. The whole agreement is two small interfaces. Everything but `open`, `run` and `aclose`
is a plain call that never waits, so that nobody is interrupted while a machine is touched.

* The session calls `Carrier.open` once, then starts `Carrier.run` in the background.
* `Carrier.send` takes one `Outgoing`; while `Carrier.ready` is false the session holds back,
  until `Receiver.ready_again` is called.
* `Carrier.run` reports to the `Receiver` and ends with exactly one `Receiver.lost`. It never
  raises (only trio's Cancelled passes): whatever goes wrong is told through `lost`.
* Before it reads more, a carrier awaits `Receiver.demand`, so that a slow reader of output
  slows the server down.
* `Carrier.aclose` leaves no process and no socket behind, also when it is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from psremoting.errors import PSRemotingTransportError
    from psrp.sansio import Outgoing, Stream, TransportAct

__all__ = ["Carrier", "Receiver"]


class Receiver(Protocol):
    """The session, as its carrier sees it."""

    def received(self, data: bytes, target: UUID | None, stream: Stream) -> None:
        """Bytes of the fragment stream of ``target``, cut anywhere."""

    def acted(self, act: TransportAct, target: UUID | None) -> None:
        """The server has carried out a step, or was given up waiting for."""

    def noticed(self, text: str) -> None:
        """A line for people that stood beside the protocol: ssh's stderr, a banner."""

    def refused(self, text: str) -> None:
        """The server could not use something we sent, and goes on without it."""

    def unanswered(self, target: UUID, seconds: float) -> None:
        """The server did not take up the command ``target`` in time: it will never run."""

    def ready_again(self) -> None:
        """The carrier takes more."""

    def lost(self, error: PSRemotingTransportError | None) -> None:
        """Nothing more comes. None: as it should be, the session was closed."""

    async def demand(self) -> None:
        """Wait until somebody wants what comes next."""


class Carrier(Protocol):
    """One connection, for one session."""

    transport: str
    """The Transport column of Get-PSSession: SSH, Process, UnixSocket, WSMan ..."""
    computer: str
    """The name that users see."""
    fragment_size: int
    """How many bytes one `Outgoing` may hold, fragment headers included."""

    @property
    def ready(self) -> bool:
        """Whether `send` should be called now."""

    async def open(self) -> None:
        """Make the connection. Raises PSRemotingError; nothing is left behind then."""

    def send(self, out: Outgoing) -> None:
        """Queue it. What is queued after the connection is lost goes nowhere, silently."""

    async def run(self, receiver: Receiver) -> None:
        """Move bytes both ways until the end."""

    async def aclose(self, *, gently: bool) -> None:
        """Give everything back; never raises. ``gently`` after an orderly close of the session,
        otherwise at once and by force. Cancellation does not interrupt it."""
