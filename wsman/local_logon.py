"""Log-on of a connection through a socket of this machine, without I/O.

The operating system tells who the client is, so there is no password. ``Authorization: Local
interactive`` asks for an interactive log-on, as -EnableNetworkAccess does on Windows; otherwise
the log-on counts as one over the network. spec-notes/administration.md#loopback
"""

from __future__ import annotations

from psrp.sansio import LocalProtocolError
from wsman.auth_server import Accepted, Challenge, PasswordCheck
from wsman.http import Headers
from wsman.sealing import Plain

__all__ = ["INTERACTIVE_LOGON", "NETWORK_LOGON", "LocalAuthenticator", "LocalClient"]

_SCHEME = "Local"
INTERACTIVE_LOGON = f"{_SCHEME} interactive"
NETWORK_LOGON = f"{_SCHEME} network"


class LocalAuthenticator:
    """The log-on of one connection of ``user``.

    It has the methods of `wsman.auth_server.ServerAuthenticator`; the kernel protects the messages.
    """

    def __init__(self, user: str) -> None:
        self._user = user

    def __repr__(self) -> str:
        return f"<LocalAuthenticator: {self._user}>"

    @property
    def offers(self) -> Headers:
        return (("WWW-Authenticate", _SCHEME),)

    @property
    def must_seal(self) -> bool:
        return False

    @property
    def can_seal(self) -> bool:
        return False

    def receive(
        self, authorization: str | None, now: float, *, uri: str = ""
    ) -> Challenge | PasswordCheck | Accepted:
        """Take the Authorization header of a request."""
        given = (authorization or "").strip().lower()
        if given not in (INTERACTIVE_LOGON.lower(), NETWORK_LOGON.lower()):
            return Challenge(headers=self.offers)
        interactive = given == INTERACTIVE_LOGON.lower()
        return Accepted(user=self._user, scheme=_SCHEME, interactive=interactive)

    def checked(self, account: str | None, now: float) -> Challenge | Accepted:
        raise LocalProtocolError("a local log-on has no password")

    def seal(self, content_type: str, body: bytes) -> tuple[str, bytes]:
        raise LocalProtocolError("a local connection is not sealed")

    def unseal(self, content_type: str, body: bytes, *, max_size: int) -> tuple[Plain, ...]:
        raise LocalProtocolError("a local connection is not sealed")


class LocalClient:
    """The client's side of a local log-on, with the methods of `wsman.auth_client`'s machine."""

    blocking = False
    established = True
    seals = False

    def __init__(self, *, interactive: bool) -> None:
        self._header = INTERACTIVE_LOGON if interactive else NETWORK_LOGON

    def headers(self) -> Headers:
        """Return the headers of every request."""
        return (("Authorization", self._header),)

    def first(self) -> None:
        """Return nothing: there is no handshake."""

    def receive(self, status: int, headers: Headers) -> None:
        """Return nothing: there is no handshake."""

    def seal(self, content_type: str, body: bytes) -> tuple[str, bytes]:
        raise LocalProtocolError("a local connection is not sealed")

    def unseal(self, content_type: str, body: bytes, *, max_size: int) -> tuple[Plain, ...]:
        raise LocalProtocolError("a local connection is not sealed")
