"""The data of an administered endpoint: session configurations, listeners, audit records.

Values only; `psremoting.administration.store` keeps them. Accounts and certificate mappings are
`wsman.accounts.Account` and `wsman.certificates.CertificateMapping`. facts.md 6.1, 6.5
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import ip_address

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = [
    "LOCAL_SDDL",
    "REMOTE_SDDL",
    "AccessMode",
    "AdministrationError",
    "AuditRecord",
    "ConnectedUser",
    "EngineKind",
    "ListenerSetting",
    "SessionConfiguration",
    "SessionRecord",
    "TransportOption",
    "checked_listener",
    "configuration_name_fault",
]

REMOTE_SDDL = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GA;;;RM)(A;;GA;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
"""The descriptor of a new configuration with AccessMode Remote."""
LOCAL_SDDL = (
    "O:NSG:BAD:P(D;;GA;;;NU)(A;;GA;;;BA)(A;;GA;;;RM)(A;;GA;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
)
"""The descriptor of a new configuration with AccessMode Local."""


class AdministrationError(LocalProtocolError):
    """A value or a file of the administration cannot be used; the text is for administrators."""


class AccessMode(Enum):
    """The clients that may use a configuration; the values are PowerShell's."""

    DISABLED = 0
    LOCAL = 1
    REMOTE = 2


class EngineKind(Enum):
    """The engine that serves a configuration."""

    FUNCTIONS = "functions"
    """Python functions; the source is ``MODULE:NAME``."""
    PROCESS = "process"
    """One program for each session; the source is its command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOption:
    """The quotas of a configuration, as `New-PSTransportOption` names them.

    None is PowerShell's default. Times are seconds, memory is MiB.
    """

    process_idle_timeout: int | None = None
    max_idle_timeout: int | None = None
    max_sessions: int | None = None
    max_concurrent_commands_per_session: int | None = None
    max_sessions_per_user: int | None = None
    max_memory_per_session: int | None = None
    max_processes_per_session: int | None = None
    max_concurrent_users: int | None = None
    idle_timeout: int | None = None
    output_buffering_mode: str | None = None
    """``Block`` or ``Drop``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfiguration:
    """One session configuration; names are compared without case."""

    name: str
    kind: EngineKind
    source: str
    enabled: bool = True
    """False denies everybody, local users too (AccessMode Disabled)."""
    sddl: str = REMOTE_SDDL
    """Security descriptor in SDDL; users with GENERIC_EXECUTE may connect."""
    exact_match: bool = True
    """False if every name that begins with this one selects the configuration, too."""
    path: str = ""
    """Absolute path of a `.pssc` file, or empty."""
    session_type: str = ""
    """``Default``, ``Empty`` or ``RestrictedRemoteServer`` if no file says it."""
    modules_to_import: tuple[str, ...] = ()
    startup_script: str = ""
    """Absolute path of a script that runs when a session opens, or empty."""
    run_as_user: str = ""
    """The local user that sessions run as, or empty for the server's own user."""
    ps_version: str = ""
    """The PowerShell version that was asked for, such as ``7.4``."""
    thread_options: str = ""
    """``Default``, ``UseNewThread``, ``ReuseThread`` or ``UseCurrentThread``; without effect."""
    max_received_data_size_mb: float | None = None
    """MaximumReceivedDataSizePerCommandMB; None is unlimited."""
    max_received_object_size_mb: float | None = None
    """MaximumReceivedObjectSizeMB; None is unlimited."""
    transport_option: TransportOption = TransportOption()
    environment: tuple[tuple[str, str], ...] = ()
    """Variables that the program of a session gets besides the standard ones."""
    working_directory: str = ""
    """The directory in which sessions start, or empty for the user's home."""
    copy_folder: str = ""
    """The folder in which clients may read and write files, or empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedUser:
    """An authenticated client, as the access check and the engines see it."""

    name: str
    """The account, the Kerberos principal, or the user of the operating system."""
    address: str = ""
    """The client's address; empty for a connection from this machine's own socket."""
    sids: frozenset[str] = frozenset()
    """The user, its groups and the well-known SIDs of its connection."""
    groups: frozenset[str] = frozenset()
    """Names of its groups, in the store and of the operating system."""
    local_user: str = ""
    """The user of the operating system with this name, or empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSetting:
    """One listener as WinRM describes it: one for each address and transport."""

    address: str = "*"
    """``*``, or ``IP:`` and an address."""
    transport: str = "HTTP"
    """``HTTP`` or ``HTTPS``."""
    port: int = 5985
    hostname: str = ""
    enabled: bool = True
    url_prefix: str = "wsman"
    certificate: str = ""
    """HTTPS: path of the certificate and its key in PEM."""
    thumbprint: str = ""
    """HTTPS: SHA-1 thumbprint of the certificate, in hexadecimal."""


_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_-]{1,63}\.)*(?!\d+\Z)[A-Za-z0-9_-]{1,63}")
_MOST_PORT = 65_535


def checked_listener(listener: ListenerSetting) -> ListenerSetting:
    """Return a listener that can be opened. Raises AdministrationError with the wrong part."""
    if listener.transport not in ("HTTP", "HTTPS"):
        raise AdministrationError(
            f"a listener's transport is HTTP or HTTPS, not {listener.transport!r:.80}"
        )
    if not 1 <= listener.port <= _MOST_PORT:
        raise AdministrationError(
            f"a listener's port is a number from 1 to {_MOST_PORT}, not {listener.port!r:.80}"
        )
    host = listener.address.removeprefix("IP:")
    if listener.address != "*" and (host == listener.address or not _is_host(host)):
        raise AdministrationError(
            f"a listener's address is *, an IP address or a host name, not {host!r:.80}"
        )
    for text in (listener.hostname, listener.url_prefix, listener.certificate, listener.thumbprint):
        if not text.isprintable():
            raise AdministrationError(f"a listener has printable texts, not {text!r:.80}")
    return listener


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True


_MOST_NAME = 256


def configuration_name_fault(name: str) -> str:
    """Return why a session configuration cannot have this name, or an empty text."""
    wrong = not name.isprintable() or name != name.strip() or set(name) & set("/\\?*[]\"'<>&;:")
    if wrong or not 0 < len(name) <= _MOST_NAME:
        shown = f"{name[:80]!r}{'...' if len(name) > 80 else ''}"
        return (
            f"A session configuration's name has 1 to {_MOST_NAME} printable characters, no space "
            f"at either end, and none of / \\ ? * [ ] \" ' < > & ; :, got {shown}."
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One entry of the audit trail."""

    time: float
    """Seconds since 1970."""
    who: str
    """The user: an administrator, or a client."""
    address: str = ""
    """The client's address; empty for an administrator at this machine."""
    action: str
    """Name of the event, such as ``log-on``, ``log-on failed``, ``command`` or a command's name."""
    target: str = ""
    """The session configuration, session or setting."""
    detail: str = ""
    """The command, or what was changed. Contains no secret."""
    id: int = 0
    """Assigned by the store; grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One running session as the server describes it to administrators."""

    id: str
    """The shell's id, a GUID in upper case."""
    owner: str
    address: str
    """The client's address; empty for SSH on the same machine."""
    configuration: str
    transport: str
    """``WSMan`` or ``SSH``."""
    name: str = ""
    state: str = "Connected"
    """``Connected`` or ``Disconnected``."""
    started: float
    """Seconds since 1970."""
    active: float
    """Time of the last request, in seconds since 1970."""
    idle_timeout: float = 7200.0
    server: int = 0
    """Process id of the server."""
