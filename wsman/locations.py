"""URLs of WS-Management services: their parts, default ports, and the rules for redirects.

A computer name means port 5985, or 5986 with HTTPS; a connection URI without a port means 80 or
443, as in PowerShell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HTTPS_PORT", "HTTP_PORT", "Location", "may_follow"]

HTTP_PORT = 5985
HTTPS_PORT = 5986
DEFAULT_PATH = "/wsman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The address of a service."""

    host: str
    """Without brackets."""
    port: int
    secure: bool = False
    path: str = DEFAULT_PATH
    """Path and query."""

    @classmethod
    def of_computer(
        cls, host: str, *, port: int | None = None, secure: bool = False, application: str = "wsman"
    ) -> Location:
        """Return the listener of a computer; ``application`` is the listener's URL prefix."""
        chosen = port if port is not None else HTTPS_PORT if secure else HTTP_PORT
        name = "localhost" if host in (".", "") else host
        return cls(host=name, port=chosen, secure=secure, path="/" + application.strip("/"))

    @classmethod
    def of_url(cls, url: str, *, http_port: int = 80, https_port: int = 443) -> Location:
        """Return the parts of an http or https URL. Raises LocalProtocolError.

        Default ports are 80 and 443. A URL without a path means ``/wsman``.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise LocalProtocolError(f"cannot use the URL {url!r}: {error}") from None
        if parts.scheme.lower() not in ("http", "https"):
            raise LocalProtocolError(f"expected an http or https URL, got {url!r}")
        if not parts.hostname:
            raise LocalProtocolError(f"expected a host in the URL {url!r}")
        if parts.username or parts.password:
            raise LocalProtocolError("a URL must not contain a user name or a password")
        secure = parts.scheme.lower() == "https"
        path = parts.path if parts.path not in ("", "/") else DEFAULT_PATH
        if parts.query:
            path += "?" + parts.query
        default = https_port if secure else http_port
        return cls(
            host=parts.hostname, port=default if port is None else port, secure=secure, path=path
        )

    @property
    def authority(self) -> str:
        """Host and port, as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"


def may_follow(old: Location, new: Location, hosts: Iterable[str]) -> bool:
    """Return whether a redirect may be followed with the same credentials.

    A redirect from HTTPS to HTTP is never followed, one to another host only if the host is in
    ``hosts`` (``*`` is any).
    """
    if old.secure and not new.secure:
        return False
    wanted = new.host.lower()
    if wanted == old.host.lower():
        return True
    return any(host == "*" or host.lower() == wanted for host in hosts)
