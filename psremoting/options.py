"""The options of New-PSSessionOption: times, limits and application arguments.

The defaults are those of the *command* ``New-PSSessionOption``, which are not those of its
class: no retries, and objects of any size (spec-notes/sessions.md). Times are seconds here;
``math.inf`` means no limit, and so does 0 where it does in PowerShell's option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from psrp.clixml import Credential

if TYPE_CHECKING:
    from psremoting.capture.recorder import Recorder

__all__ = ["SessionOption"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOption:
    """The options of one session. Raises ValueError for an invalid time or limit."""

    open_timeout: float = 180.0
    """The limit for the opening, from the first step to Opened."""
    operation_timeout: float = 180.0
    """The limit for one answer of the transport or the pool; commands have none."""
    cancel_timeout: float = 60.0
    """The limit for stopping a command, which is closed then."""
    close_timeout: float = 60.0
    """The limit for closing the session; the transport is ended by force then."""
    idle_timeout: float | None = None
    """Seconds for which a server keeps a disconnected session; None: the server's default."""
    max_received_data_size_per_command: int | None = None
    """The limit in bytes for the data of one command; None: no limit."""
    max_received_object_size: int | None = None
    """The limit in bytes for one object; None: that of the protocol machine."""
    max_connection_redirections: int = 5
    max_connection_retries: int = 0
    no_compression: bool | None = None
    """False compresses streams over WS-Man (xpress). None leaves it to the carrier, which does
    not, like PowerShell on Linux."""
    no_encryption: bool = False
    """Over plain HTTP: do not seal messages. The target has to allow unencrypted traffic too."""
    no_machine_profile: bool = False
    use_utf16: bool = False
    include_port_in_spn: bool = False
    skip_ca_check: bool = False
    skip_cn_check: bool = False
    skip_revocation_check: bool = False
    proxy_authentication: str = "negotiate"
    """``basic``, ``negotiate`` or ``digest``."""
    proxy_credential: Credential | None = None
    output_buffering_mode: str = "None"
    """``None`` (the server's), ``Drop`` or ``Block``: a disconnected session's unread output."""
    culture: str | None = None
    ui_culture: str | None = None
    application_arguments: Mapping[str, Any] = field(default_factory=dict)
    """``$PSSenderInfo.ApplicationArguments`` at the server, in addition to PSVersionTable."""
    recorder: Recorder | None = None
    """Records the session; see `psremoting.capture.Recorder`."""
    output_buffer: int = 10_000
    """Unread objects of one command at which less is read from the server. It is no limit
    while a caller waits for something else of the session over the same stream."""

    def __post_init__(self) -> None:
        for name in ("open_timeout", "operation_timeout", "cancel_timeout", "close_timeout"):
            value = getattr(self, name)
            if math.isnan(value) or value < 0:
                raise ValueError(f"{name} is {value}; it is seconds, or 0 for no limit")
            if value == 0:
                object.__setattr__(self, name, math.inf)
        if self.idle_timeout is not None and self.idle_timeout < 60:
            raise ValueError(f"idle_timeout is {self.idle_timeout}; at least 60 seconds")
        for name in ("max_received_data_size_per_command", "max_received_object_size"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; at least 1 byte, or None")
        if self.output_buffer < 1:
            raise ValueError(f"output_buffer is {self.output_buffer}; at least 1 object")

    @classmethod
    def from_milliseconds(cls, **options: int) -> Self:
        """Make options from times in milliseconds, such as ``open_timeout=180000``."""
        return cls(**{name: value / 1000 for name, value in options.items()})  # type: ignore[arg-type]
