"""What stands between the service and the work of its shells: who runs them, and how it reports.

The service keeps shells, commands and requests; a host opens the session that does the work of
one shell. Sessions of PowerShell take and give `psrp.sansio.Outgoing`; sessions of programs take
lines and bytes by the name of a stream. All calls return at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from psrp.frozen import dataclass
from wsman.soap import Fault, Option

if TYPE_CHECKING:
    from psrp.sansio import Outgoing, TransportAct

__all__ = ["Host", "ProgramSession", "Refusal", "Session", "ShellLink", "ShellRequest"]


class Refusal(Exception):
    """The request is answered with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message or fault.reason)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellRequest:
    """What a client asks for with Create, and who it is."""

    shell_id: str
    owner: str
    resource_uri: str
    name: str = ""
    client_address: str = ""
    options: tuple[Option, ...] = ()
    locale: str = ""
    data_locale: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = ""


class ShellLink(Protocol):
    """What the session of a shell may ask of the service."""

    def wake(self) -> None:
        """There is output, or room for more input."""

    def report(self, text: str) -> None:
        """Something that the client sent could not be used: a line for a log."""

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """This step cannot be done: the request that asked for it gets a fault."""

    def fail(self, text: str) -> None:
        """The session is over for a reason of its own."""


class Session(Protocol):
    """The work of one PowerShell shell; it outlives connections."""

    def receive(self, item: Outgoing) -> None:
        """Take a client's bytes for one target, or a step of the carrier."""

    def connect(self, data: bytes, room: int) -> bytes:
        """Take the connectXml of a new client; the connectResponseXml, empty where refused."""

    def data_to_send(self, room: int, target: UUID | None = None) -> Outgoing | None:
        """Give whole fragments of one target, ``room`` bytes at most, or a step that is done."""

    def pending(self, target: UUID | None) -> int:
        """Bytes that wait for this target."""

    def state(self, target: UUID) -> str:
        """The state of a command by the bytes that were taken: ``Running``, ``Pending`` while it
        waits for an answer of the client's, or ``Done``."""

    def takes_more(self, target: UUID | None) -> bool:
        """Whether the answer to a Send may go out; False holds the client up."""

    def drop(self, target: UUID, keep: int) -> None:
        """Discard the oldest whole messages of a command until ``keep`` bytes wait."""

    def client_gone(self) -> None:
        """End now; nobody takes what is left."""


class ProgramSession(Protocol):
    """The work of one winrs shell: programs and their streams."""

    def start(self, command_id: str, command: str, arguments: tuple[str, ...]) -> None:
        """Start a program. Raises Refusal."""

    def write(self, command_id: str, data: bytes, *, end: bool) -> None:
        """Bytes for a program's standard input, and its end."""

    def read(self, command_id: str, room: int) -> list[tuple[str, bytes]]:
        """What the program wrote: names of streams and bytes, ``room`` in all."""

    def exit_code(self, command_id: str) -> int | None:
        """The program's exit code once it has ended and all its output was read."""

    def takes_more(self, command_id: str) -> bool:
        """Whether the answer to a Send may go out."""

    def interrupt(self, command_id: str) -> None:
        """Ctrl+C."""

    def close(self, command_id: str) -> None:
        """End the program and forget it."""

    def client_gone(self) -> None:
        """End all programs."""


class Host(Protocol):
    """Opens the sessions of new shells."""

    def open(self, request: ShellRequest, link: ShellLink) -> Session | ProgramSession:
        """The session of a new shell. Raises Refusal, for an unknown configuration for example."""
