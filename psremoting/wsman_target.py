"""Targets over WS-Man.

``wsman:host`` and ``http://host`` mean port 5985, ``https://host`` 5986; ``http://host:80/wsman``
names everything. A connection URI (`WSManTarget.of_url` with ``uri``) without a port means 80 or
443 instead. `psremoting.client.wsman_setup` makes connections and headers of a target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from psremoting import errors
from psrp.clixml import Credential
from psrp.sansio import LocalProtocolError
from wsman.locations import HTTP_PORT, HTTPS_PORT, Location

__all__ = ["DEFAULT_CONFIGURATION", "WSManTarget"]

DEFAULT_CONFIGURATION = "Microsoft.PowerShell"
_POWERSHELL = "http://schemas.microsoft.com/powershell/"


@dataclass(frozen=True, slots=True, kw_only=True)
class WSManTarget:
    """A computer that is reached over WS-Man. Names are those of New-PSSession."""

    computer_name: str
    port: int = 0
    """0: 5985, or 5986 with ``use_ssl``."""
    use_ssl: bool = False
    application_name: str = "wsman"
    connection_uri: str = ""
    """A URI that replaces the four fields above."""
    configuration_name: str = DEFAULT_CONFIGURATION
    credential: Credential | None = None
    authentication: str = "default"
    certificate: str = ""
    """A PEM file with the user's certificate; ``key`` where it lacks the key."""
    key: str = ""
    allow_unencrypted: bool = False
    trusted_hosts: tuple[str, ...] = ()
    ca_file: str = ""
    pinned_certificate: str = ""
    allow_redirection: bool = False
    proxy: str = ""
    """The URL of an HTTP proxy."""
    local_socket: str = ""
    """The socket of the endpoint on this computer, for the current user without a password."""
    interactive: bool = False
    """-EnableNetworkAccess at ``local_socket``: ask for an interactive log-on."""
    connect_shell: UUID | None = None
    """The id of an existing shell to connect to, in place of a new one."""

    @classmethod
    def of_url(cls, url: str, *, uri: bool = False) -> WSManTarget:
        """Return the target of a URL; ``uri`` for the default ports of a connection URI.

        Raises PSRemotingError.
        """
        ports = (80, 443) if uri else (HTTP_PORT, HTTPS_PORT)
        try:
            location = Location.of_url(url, http_port=ports[0], https_port=ports[1])
        except LocalProtocolError as error:
            raise errors.PSRemotingError(
                str(error), error_id="CreateRemoteRunspaceFailed"
            ) from None
        return cls(computer_name=location.host, connection_uri=location.url)

    @property
    def computer(self) -> str:
        return self.computer_name

    @property
    def location(self) -> Location:
        if self.connection_uri:
            return Location.of_url(self.connection_uri)
        return Location.of_computer(
            self.computer_name,
            port=self.port or None,
            secure=self.use_ssl,
            application=self.application_name,
        )

    @property
    def resource_uri(self) -> str:
        """The resource of the configuration; a name that is a URI already stays as it is."""
        name = self.configuration_name or DEFAULT_CONFIGURATION
        return name if "://" in name else _POWERSHELL + name

    def with_shell(self, shell_id: UUID) -> WSManTarget:
        """Return the same target, connecting to an existing shell."""
        return replace(self, connect_shell=shell_id)
