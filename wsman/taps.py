"""Observation of HTTP messages in the clear, after unsealing and before sealing."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MakeTap", "Tap"]


class Tap(Protocol):
    """The observer of one connection. It is called in the order of the messages."""

    def __call__(
        self,
        sender: str,
        start: str,
        headers: tuple[tuple[str, str], ...],
        envelope: bytes,
        size: int,
    ) -> None:
        """Take a message.

        ``sender`` is ``client`` or ``server``, ``start`` the request or status line, ``envelope``
        the envelope in the clear (empty for an authentication leg without one), ``size`` the
        number of bytes of the body as sent.
        """


class MakeTap(Protocol):
    """The maker of a tap for each new connection."""

    def __call__(self) -> Tap: ...
