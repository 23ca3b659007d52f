"""The interfaces between a carrier and an engine.

An engine answers clients. A carrier (`psremoting.endpoint.driver` for packet lines) opens one
session for each client and moves `psrp.sansio.Outgoing` values both ways: bytes of the fragment
stream of a target, or a step of the carrier. Neither looks into the bytes: an engine may run
PSRP itself (`psremoting.endpoint.functions`) or forward everything to another server
(`psremoting.endpoint.process`), over any carrier.

All calls but `Session.run` return at once; a carrier may call them from any of its tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from psrp.channels import ANY_TARGET, AnyTarget

if TYPE_CHECKING:
    import trio

    from psremoting.endpoint.sender import Sender
    from psrp.sansio import Outgoing, TransportAct

__all__ = ["Engine", "Link", "Session"]


class Link(Protocol):
    """The interface of a carrier for its session."""

    @property
    def sender(self) -> Sender:
        """The client of this session, authenticated if the carrier does that."""

    def wake(self) -> None:
        """Notify the carrier of data to send, or of room for more input."""

    def report(self, text: str) -> None:
        """Send the client a diagnostic text outside PSRP about unusable input."""

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """Refuse a step that the client asked for and that no PSRP message answers."""

    def fail(self, text: str) -> None:
        """End the session and send the client the reason."""


class Session(Protocol):
    """One session of an engine, for one client."""

    def receive(self, item: Outgoing) -> None:
        """Take data from the client. The carrier acknowledges it when its answers are sent and
        `takes_more` is true for its target."""

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        """Return what to send next, with at most ``room`` bytes of data, or None.

        A carrier that asks for one target's output names it, None for the pool's; without it
        targets take turns.
        """

    def pending(self, target: UUID | None) -> int:
        """Return the number of bytes that wait for one target."""

    def takes_more(self, target: UUID | None) -> bool:
        """Return False while the acknowledgement of input for ``target`` has to wait."""

    def client_gone(self) -> None:
        """End the session: nothing more comes from the client, and output may be lost."""

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Work until the session is closed or the client has disconnected, and stop all work.

        It starts before anything but the opening of the pool is received.
        """


class Engine(Protocol):
    """A server of clients; one engine may have many sessions at once."""

    def open(self, link: Link) -> Session:
        """Return a session for a new client."""
