"""The session key of one pool: who makes it, who asks, and what waits until it is there.
[MS-PSRP] 3.1.4.8, 3.2.4.7; the roles are those of `CryptoUtils.cs`.

From protocol 2.4 on there is no key: secure strings travel as they are and the carrier must
be secret. Below, the client owns an RSA key and the server invents the AES key. A server that
talks to 2.2 or later writes with its key at once, before it was asked, and the client then
has to fetch the key before it can read; a server never reads before an exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from psrp.keys import (
    SessionKey,
    read_public_key,
    read_session_key,
    seal_plain,
    unseal_plain,
    write_public_key,
    write_session_key,
)
from psrp.sansio import LocalProtocolError, MessageError, Side

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["KeyExchange", "KeyMissing", "PrivateKey", "SessionKeyBytes"]

PrivateKey: TypeAlias = "RSAPrivateKey | Callable[[], RSAPrivateKey] | None"
SessionKeyBytes: TypeAlias = "bytes | Callable[[], bytes] | None"

_PLAIN_SINCE = (2, 4)
_UNASKED_SINCE = (2, 2)


class KeyMissing(Exception):
    """A secure string cannot be written or read before the key exchange."""


class KeyExchange:
    """Seals and opens secure strings for one pool.

    ``private_key`` (client, RSA of 2048 bits) and ``session_key`` (server, 32 bytes) may be
    callables, so that a pool without secure strings never pays for a key.
    """

    def __init__(
        self, side: Side, private_key: PrivateKey = None, session_key: SessionKeyBytes = None
    ) -> None:
        self._side = side
        self._private_key = private_key
        self._session_key = session_key
        self._key: SessionKey | None = None
        self.version = (2, 0)
        self.asked = False
        """The exchange has begun: PUBLIC_KEY or PUBLIC_KEY_REQUEST was sent."""
        self.done = False
        """Both sides have the key."""

    def __repr__(self) -> str:
        return f"<KeyExchange of the {self._side.value}, {'done' if self.done else 'not done'}>"

    @property
    def plain(self) -> bool:
        """Secure strings travel unsealed."""
        return self.version >= _PLAIN_SINCE

    @property
    def possible(self) -> bool:
        """We have what our side brings to an exchange."""
        mine = self._private_key if self._side is Side.CLIENT else self._session_key
        return mine is not None

    def start_anew(self) -> None:
        """Another client took over: it does not know the key. [MS-PSRP] 3.1.4.10"""
        self.asked = self.done = False

    def seal(self, text: str) -> str:
        """The text of ``<SS>``. Raises KeyMissing when the key has to be exchanged first."""
        if self.plain:
            return seal_plain(text)
        if not self.possible and self._key is None:
            raise LocalProtocolError(f"a SecureString needs the {self._own()}, and there is none")
        if not self.done and (self._side is Side.CLIENT or self.version < _UNASKED_SINCE):
            raise KeyMissing
        return self._made().seal(text)

    def unseal(self, text: str) -> str:
        """What an ``<SS>`` holds. Raises KeyMissing, or RemoteProtocolError for a bad text."""
        if self.plain:
            return unseal_plain(text)
        if not self.done:
            raise KeyMissing
        return self._made().unseal(text)

    @property
    def opener(self) -> Callable[[str], str] | None:
        """`unseal`, or None where no key can ever come: secure strings then stay sealed."""
        return self.unseal if self.plain or self.done or self.possible else None

    def public_key(self) -> str:
        """The client's half: the text of PUBLIC_KEY."""
        return write_public_key(self._private().public_key())

    def accept_public_key(self, text: str) -> str:
        """The server's half: the text of ENCRYPTED_SESSION_KEY for the client's PUBLIC_KEY."""
        public = read_public_key(text)
        if not self.possible:
            raise MessageError("PUBLIC_KEY", "this server has no session key to give")
        answer = write_session_key(public, self._made().key)
        self.done = True
        return answer

    def accept_session_key(self, text: str) -> None:
        """The client takes the server's ENCRYPTED_SESSION_KEY."""
        if not self.possible:
            raise MessageError("ENCRYPTED_SESSION_KEY", "came without a PUBLIC_KEY of ours")
        self._key = SessionKey(read_session_key(self._private(), text))
        self.done = True

    def _private(self) -> RSAPrivateKey:
        if callable(self._private_key):
            self._private_key = self._private_key()
        if self._private_key is None:
            raise LocalProtocolError(f"there is no {self._own()}")
        return self._private_key

    def _made(self) -> SessionKey:
        if self._key is None:
            key = self._session_key() if callable(self._session_key) else self._session_key
            if key is None:
                raise LocalProtocolError(f"there is no {self._own()}")
            self._key = SessionKey(key)
        return self._key

    def _own(self) -> str:
        return "client's private key" if self._side is Side.CLIENT else "server's session key"
