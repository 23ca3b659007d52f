"""The requests that the service takes from its driver, and the answers that it returns."""

from __future__ import annotations

from psrp.frozen import dataclass
from wsman import soap
from wsman.served_shell import Exchange

__all__ = ["Answer", "Call", "Incoming"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One unsealed envelope of an authenticated user."""

    ticket: int
    """Identifies the answer; never used twice."""
    user: str
    data: bytes
    address: str = ""
    """The client's address, for reports."""
    authentication: str = ""
    """The mechanism that authenticated the user."""
    chunked: bool = False
    """True if the HTTP body was chunked, which WinRM refuses."""
    interactive: bool = False
    """True for an interactive log-on on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that is being processed."""

    incoming: Incoming
    envelope: soap.Envelope
    exchange: Exchange
    now: float

    @property
    def user(self) -> str:
        return self.incoming.user


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The envelope that answers one request, and its HTTP status."""

    ticket: int
    status: int
    data: bytes
    encoding: str
    """``utf-8`` or ``utf-16``."""
