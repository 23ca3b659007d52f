"""What stands between a carrier and an engine: three small interfaces.

An engine answers clients. A carrier (`psremoting.endpoint.driver` for packet lines) opens one
session for each client and moves `psrp.sansio.Outgoing` values both ways: bytes of the fragment
stream of a target, or a step of the carrier. Neither looks into the bytes. So an engine may run
PSRP itself (`psremoting.endpoint.functions`) or hand everything on to another server
(`psremoting.endpoint.process`), and every carrier serves both.

All calls but `Session.run` return at once; a carrier may call them from any of its tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from psrp.channels import ANY_TARGET, AnyTarget

if TYPE_CHECKING:
    import trio

    from psrp.sansio import Outgoing, TransportAct

__all__ = ["Engine", "Link", "Session"]


class Link(Protocol):
    """What a session may ask of its carrier."""

    def wake(self) -> None:
        """There is something to send, or room for more input."""

    def report(self, text: str) -> None:
        """Tell the client, beside the protocol, that something it sent could not be used."""

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """A step that the client asked for cannot be done, and no message tells it."""

    def fail(self, text: str) -> None:
        """The session cannot go on: tell the client why, and let it go."""


class Session(Protocol):
    """One client at an engine."""

    def receive(self, item: Outgoing) -> None:
        """What the client sent. A carrier acknowledges it once its answers are taken and
        `takes_more` is true for its target."""

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        """What the client is to get next, ``room`` bytes of data at most; None for nothing now.

        A carrier that asks for one target's output names it, None for the pool's; without it
        targets take turns.
        """

    def pending(self, target: UUID | None) -> int:
        """Bytes that wait for one target."""

    def takes_more(self, target: UUID | None) -> bool:
        """False while what came for ``target`` is enough for now: hold the acknowledgement."""

    def client_gone(self) -> None:
        """Nothing more comes from the client; what is left to say may be lost."""

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Do the work until the session is closed or the client is gone; then nothing is left
        running. Started before anything but the opening of the pool is received."""


class Engine(Protocol):
    """Answers clients; one engine may have many sessions at once."""

    def open(self, link: Link) -> Session:
        """A session for a new client."""
