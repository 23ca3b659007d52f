"""The interface between a session and its transport.

A carrier moves the bytes that `psrp.Pool` produces and reports the bytes that arrive; it never
looks inside them. Everything except `open`, `run`, `aclose` and the `wait_for_*` methods is a
plain call that never waits, so that no cancellation can interrupt a half-made change.

* The session calls `Carrier.open` once, then starts `Carrier.run` in the background.
* `Carrier.send` takes one `Outgoing` whenever `Carrier.room` for its target is above zero. When it
  is zero, the carrier calls `Receiver.ready_again` later.
* `Carrier.run` reports to the `Receiver` and ends with exactly one `Receiver.lost`. It never
  raises (only trio's Cancelled passes through).
* A carrier with one byte stream for everything awaits `Receiver.wait_for_any_reader` before it
  reads more; a carrier that asks for the output of each command awaits
  `Receiver.wait_for_reader` of that command. So a slow reader of output slows the server down.
* `Carrier.aclose` leaves no process and no socket behind, also when it is cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from psremoting.errors import OpenTimeout, PSRemotingError, PSRemotingTransportError
    from psrp.sansio import Outgoing, Stream, TransportAct

__all__ = ["Carrier", "PromptStyle", "Receiver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStyle:
    """The prompt of an entered session. ``HostUtilities.cs``, GetRemotePrompt."""

    prefix: str = ""
    """Text before the prompt of the server, such as ``[server]: ``."""
    definition: str = ""
    """A script that defines the prompt function of the server; empty to leave it alone."""


class Receiver(Protocol):
    """The interface of a session for its carrier."""

    def received(self, data: bytes, target: UUID | None, stream: Stream) -> None:
        """Take bytes of the fragment stream of ``target`` (None: the pool), split anywhere."""

    def act_done(self, act: TransportAct, target: UUID | None) -> None:
        """Process the completion of ``act``, or the timeout of its response."""

    def act_failed(self, act: TransportAct, target: UUID | None, error: PSRemotingError) -> None:
        """Process the server's refusal of ``act``; the session continues if possible.

        CREATE_POOL and CONNECT of the pool end the opening, CREATE_PIPELINE ends that command.
        """

    def noticed(self, text: str) -> None:
        """Process one line of diagnostic text outside the protocol (ssh's stderr, a banner)."""

    def ready_again(self, target: UUID | None) -> None:
        """Continue sending: `Carrier.room` of ``target`` is above zero again."""

    def lost(self, error: PSRemotingTransportError | None, *, disconnected: bool = False) -> None:
        """Process the end of the connection. None after an orderly close or disconnect.

        ``disconnected`` if the session was disconnected at the server after it was lost.
        """

    async def wait_for_reader(self, target: UUID | None) -> None:
        """Wait while too much output of the command ``target`` is unread. Returns at once for
        the pool (None) and for a command that has ended."""

    async def wait_for_any_reader(self) -> None:
        """Wait while some command has too much unread output and no caller waits for the server."""


class Carrier(Protocol):
    """One connection, for one session."""

    transport: str
    """The Transport column of Get-PSSession: SSH, Process, UnixSocket, WSMan ..."""
    computer: str
    """The computer name that is shown to the user."""
    prompt_style: PromptStyle
    closes_in_turn: bool
    """True if the server may refuse a command that arrives before the last one is closed."""
    can_disconnect: bool
    """True if a session outlives its connection (WS-Man)."""

    async def open(self, pool_id: UUID) -> None:
        """Make the connection. ``pool_id`` is the id of the runspace pool to create or to connect
        to. Raises PSRemotingError; nothing is left behind then."""

    def room(self, target: UUID | None) -> int:
        """Return the size in bytes of the largest `Outgoing` that `send` accepts for ``target``,
        fragment headers included; 0 to hold back."""

    def send(self, out: Outgoing) -> None:
        """Queue ``out``. It is dropped silently after the connection was lost."""

    def negotiated(self, version: str) -> None:
        """Note the protocol version of the session, once it is known."""

    def poll_pool(self, *, soon: bool) -> None:
        """Note whether a message of the pool is expected soon.

        After the opening none is, until the user registers for events or sends a request about
        the pool.
        """

    def keep_for(self, seconds: float) -> None:
        """Set how long the server keeps the session after a disconnect."""

    def buffer_as(self, mode: str) -> None:
        """Set the output buffering mode of the disconnected session: None, Block or Drop."""

    def hold(self, command: UUID) -> None:
        """Receive nothing of ``command``; called right after its start."""

    async def commands(self) -> list[UUID]:
        """Return the ids of the commands of a pool that was connected to. Raises PSRemotingError.
        Empty if a session does not outlive its connection."""

    def open_timed_out(self, seconds: float) -> OpenTimeout:
        """Make the error for a session that did not open in ``seconds``."""

    async def run(self, receiver: Receiver) -> None:
        """Move bytes both ways until the end."""

    async def aclose(self, *, gently: bool) -> None:
        """Release everything; never raises. ``gently`` after an orderly close of the session,
        otherwise at once and by force. Cancellation does not interrupt it."""
