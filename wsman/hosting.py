"""The interface between the service and the sessions that do the work of its shells.

The service manages shells, commands and requests; a host opens one session for each shell.
PowerShell sessions exchange `psrp.sansio.Outgoing`; program sessions exchange lines, and bytes by
the name of a stream. No call blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from psrp.frozen import dataclass
from wsman.faults import make_fault
from wsman.soap import Fault, Option

if TYPE_CHECKING:
    from psrp.sansio import Outgoing, TransportAct

__all__ = [
    "QUOTA_OPERATIONS",
    "Host",
    "ProgramSession",
    "Refusal",
    "Session",
    "ShellLink",
    "ShellRequest",
    "too_many_commands",
]

QUOTA_OPERATIONS = 0x803381A6
"""MaxConcurrentOperationsPerUser is exceeded."""


class Refusal(Exception):
    """The request is answered with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message or fault.reason)
        self.fault = fault


def too_many_commands(limit: float) -> Refusal:
    """Return the refusal of a command beyond the limit of one shell."""
    text = (
        f"The maximum number of concurrent commands of this shell, {limit:g}, has been exceeded. "
        "Signal terminate for those that have ended."
    )
    return Refusal(make_fault("QuotaLimit", text, wsman_code=QUOTA_OPERATIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellRequest:
    """The parameters of a client's Create, and the client's identity."""

    shell_id: str
    owner: str
    resource_uri: str
    name: str = ""
    client_address: str = ""
    authentication: str = ""
    """The mechanism that authenticated the owner, as in `wsman.auth_server.Accepted`."""
    to: str = ""
    """The URL that the client addressed."""
    options: tuple[Option, ...] = ()
    locale: str = ""
    data_locale: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = ""
    interactive: bool = False
    """True if the client is on this machine and asked for an interactive log-on."""
    idle_timeout: float | None = None
    """The idle time-out that the client asked for, in seconds."""


class ShellLink(Protocol):
    """The service as a shell's session sees it. A host may change the limits when it opens one."""

    idle_timeout: float
    """Seconds without a request after which the shell ends."""
    max_commands: int
    """Commands that the client may have open at the same time."""

    def wake(self) -> None:
        """Report output, or room for more input."""

    def report(self, text: str) -> None:
        """Report unusable input of the client, as a line for a log."""

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        """Report that a step failed: the request for it is answered with a fault."""

    def fail(self, text: str) -> None:
        """Report that the session ended without a request."""


class Session(Protocol):
    """The work of one PowerShell shell; it outlives connections."""

    def receive(self, item: Outgoing) -> None:
        """Take a client's bytes for one target, or a step of the carrier."""

    def connect(self, data: bytes, room: int) -> bytes:
        """Take a new client's connectXml; return the connectResponseXml, empty if refused."""

    def data_to_send(self, room: int, target: UUID | None = None) -> Outgoing | None:
        """Return whole fragments of one target, up to ``room`` bytes, or a completed step."""

    def pending(self, target: UUID | None) -> int:
        """Return the number of bytes queued for this target."""

    def state(self, target: UUID) -> str:
        """Return a command's state after the bytes taken so far: ``Running``, ``Pending`` while it
        waits for an answer of the client, or ``Done``."""

    def takes_more(self, target: UUID | None) -> bool:
        """Return whether a Send may be answered; False delays the client."""

    def drop(self, target: UUID, keep: int) -> None:
        """Discard the oldest whole messages of a command until ``keep`` bytes are queued."""

    def client_gone(self) -> None:
        """End at once; the remaining output is discarded."""


class ProgramSession(Protocol):
    """The work of one winrs shell: programs and their streams."""

    def start(self, command_id: str, command: str, arguments: tuple[str, ...]) -> None:
        """Start a program. Raises Refusal."""

    def write(self, command_id: str, data: bytes, *, end: bool) -> None:
        """Write bytes to a program's standard input, and close it at the end."""

    def read(self, command_id: str, room: int) -> list[tuple[str, bytes]]:
        """Return a program's output as stream names and bytes, up to ``room`` bytes in all."""

    def exit_code(self, command_id: str) -> int | None:
        """Return the program's exit code once it has ended and all output was read, else None."""

    def takes_more(self, command_id: str) -> bool:
        """Return whether a Send may be answered."""

    def interrupt(self, command_id: str) -> None:
        """Send Ctrl+C to a program."""

    def close(self, command_id: str) -> None:
        """End the program and discard it."""

    def client_gone(self) -> None:
        """End all programs."""


class Host(Protocol):
    """Opens the sessions of new shells."""

    def open(self, request: ShellRequest, link: ShellLink) -> Session | ProgramSession:
        """Return the session of a new shell. Raises Refusal, e.g. for an unknown configuration."""
