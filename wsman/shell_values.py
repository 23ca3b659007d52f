"""Values of the shell operations: the contents of requests and responses.

There is one class for each body. Streams are bytes here; base64 and compression are handled by the
codecs and the machines. [MS-WSMV] 2.2.4 and 3.1.4
"""

from __future__ import annotations

from psrp.frozen import dataclass
from wsman import names
from wsman.soap import CommandState

__all__ = [
    "Command",
    "CommandResponse",
    "Connect",
    "ConnectResponse",
    "Create",
    "CreateResponse",
    "Delete",
    "DeleteResponse",
    "Disconnect",
    "DisconnectResponse",
    "Receive",
    "ReceiveResponse",
    "Reconnect",
    "ReconnectResponse",
    "Send",
    "SendResponse",
    "ShellInfo",
    "Signal",
    "SignalResponse",
    "StreamData",
]

PSRP_INPUT = "stdin pr"
PSRP_OUTPUT = "stdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellInfo:
    """rsp:Shell as a server reports it. Times are seconds; absent members are empty or None."""

    shell_id: str = ""
    name: str = ""
    resource_uri: str = ""
    owner: str = ""
    client_ip: str = ""
    process_id: int | None = None
    idle_timeout: float | None = None
    input_streams: str = ""
    output_streams: str = ""
    max_idle_timeout: float | None = None
    locale: str = ""
    data_locale: str = ""
    compression_mode: str = ""
    profile_loaded: str = ""
    encoding: str = ""
    buffer_mode: str = ""
    state: str = ""
    """``Connected`` or ``Disconnected``."""
    shell_run_time: float | None = None
    shell_inactivity: float | None = None
    memory_used: str = ""
    child_processes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create a shell. The options and the resource URI are in the headers."""

    shell_id: str = ""
    """The id that the client proposes; empty: the server chooses it."""
    name: str = ""
    input_streams: str = PSRP_INPUT
    output_streams: str = PSRP_OUTPUT
    idle_timeout: float | None = None
    """Seconds; None for the server's default."""
    lifetime: float | None = None
    working_directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    creation_xml: bytes | None = None
    """The first fragments of a PowerShell client; None when the element is absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateResponse:
    """The reference that all later requests must use, and the new shell if reported."""

    address: str = ""
    resource_uri: str = ""
    selectors: tuple[tuple[str, str], ...] = ()
    shell: ShellInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Start a command."""

    command_id: str = ""
    command: str = ""
    arguments: tuple[str | bytes, ...] = ()
    """Bytes are written as base64. A reader returns text: `soap.decode_base64` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResponse:
    command_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamData:
    """One rsp:Stream."""

    name: str
    data: bytes = b""
    command_id: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    streams: tuple[StreamData, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """Ask for output of the shell, or of one command."""

    streams: str = PSRP_OUTPUT
    command_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveResponse:
    streams: tuple[StreamData, ...] = ()
    states: tuple[CommandState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    code: str
    command_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    idle_timeout: float | None = None
    """Seconds; None for the shell's own time."""
    buffer_mode: str = ""
    """``Block``, ``Drop`` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    command_id: str = ""
    """Empty for the shell, which is reconnected first; then one Reconnect for each command."""
    buffer_mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Connect to a shell of another client, or to one of its commands."""

    command_id: str = ""
    connect_xml: bytes | None = None
    buffer_mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectResponse:
    input_streams: str = ""
    output_streams: str = ""
    connect_response_xml: bytes | None = None


DONE = CommandState(state="Done")
SHELL_SELECTOR = "ShellId"


def state_uri(state: str) -> str:
    """Return the URI of a command state: ``Done`` gives ``.../CommandState/Done``."""
    return f"{names.COMMAND_STATE}/{state}"
