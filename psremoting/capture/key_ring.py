"""Private keys that decrypt recorded session keys, and the negotiated state of a session.

A recorded PUBLIC_KEY selects the key; without one every key is tried. cryptography is imported
only when a key was given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psremoting.capture.source import CaptureError
from psrp.sansio import RemoteProtocolError, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from psrp.events import EncryptedSessionKey, PublicKey, SessionCapability
    from psrp.keys import SessionKey

__all__ = ["KeyMissing", "KeyRing", "Secrets", "UnknownKey", "load_rsa_key"]

_PLAIN_SINCE = (2, 4)


class KeyMissing(Exception):
    """The error for a secure string that was sent before its session key."""


class UnknownKey(Exception):
    """The error for a session key that no given key decrypts."""


class KeyRing:
    """RSA private keys, and candidates for session keys, supplied by the user."""

    def __init__(
        self, keys: Iterable[RSAPrivateKey] = (), candidates: Iterable[bytes] = ()
    ) -> None:
        self.keys = tuple(keys)
        self.candidates = tuple(candidates)

    def __bool__(self) -> bool:
        return bool(self.keys or self.candidates)

    @classmethod
    def load(cls, paths: Iterable[str | Path], candidates: Iterable[str] = ()) -> KeyRing:
        """Read PEM files, and candidates for session keys: hexadecimal digits, or files of them.

        Raises CaptureError for a file without an RSA private key or without candidates.
        """
        from psremoting.capture.candidate_keys import read_candidates

        found = [key for each in candidates for key in read_candidates(each)]
        return cls([load_rsa_key(str(path)) for path in paths], found)

    def open(self, blob: str, public: str | None) -> bytes:
        """Return the AES key of an ENCRYPTED_SESSION_KEY. Raises UnknownKey."""
        from psrp.keys import read_session_key, write_public_key

        keys = self.keys
        if public is not None:
            keys = tuple(k for k in keys if write_public_key(k.public_key()) == public)
        for key in keys:
            try:
                return read_session_key(key, blob)
            except RemoteProtocolError:
                continue
        raise UnknownKey("no RSA key given opens this session key")


def load_rsa_key(path: str) -> RSAPrivateKey:
    """Return the RSA private key of a PEM file. Raises CaptureError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(Path(path).read_bytes(), None)
    except OSError as error:
        raise CaptureError(path, error.strerror or str(error)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The message of cryptography can quote key material.
        raise CaptureError(path, "not an unencrypted RSA private key in PEM form", 0) from None
    if not isinstance(key, RSAPrivateKey):
        raise CaptureError(path, "a private key, but not an RSA one", 0)
    return key


class Secrets:
    """The negotiated version and the keys of one session."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._versions: dict[Side, tuple[int, ...]] = {}
        self._public: str | None = None
        self._key: SessionKey | None = None

    @property
    def plain(self) -> bool:
        """True if both sides announced 2.4 or later, and so send secure strings unsealed."""
        return len(self._versions) == 2 and min(self._versions.values()) >= _PLAIN_SINCE

    @property
    def version(self) -> tuple[int, int] | None:
        """The protocol version of the server's capability, or of the client's before it."""
        found = self._versions.get(Side.SERVER) or self._versions.get(Side.CLIENT, ())
        return (found[0], found[1]) if len(found) > 1 else None

    def announced(self, side: Side, event: SessionCapability) -> None:
        parts = event.protocol_version.split(".")
        if all(part.isascii() and part.isdigit() for part in parts):
            self._versions[side] = tuple(int(part[:9]) for part in parts)

    def public_key(self, event: PublicKey) -> None:
        self._public = event.key

    def session_key(self, event: EncryptedSessionKey) -> bool:
        """Open the session key; return False without any RSA key. Raises UnknownKey."""
        if not self.ring.keys:
            return False
        from psrp.keys import SessionKey

        self._key = SessionKey(self.ring.open(event.key, self._public))
        return True

    @property
    def opener(self) -> Callable[[str], str] | None:
        """The function that decrypts a secure string, or None without a key."""
        if self.plain:
            from psrp.keys import unseal_plain

            return unseal_plain
        if self._key is not None:
            return self._key.unseal
        if self.ring.candidates:
            return self._try_candidates
        return _missing if self.ring.keys else None

    def _try_candidates(self, text: str) -> str:
        """Decrypt a secure string with the candidate that fits. Raises RemoteProtocolError."""
        from psremoting.capture.candidate_keys import fitting_key

        self._key = self._key or fitting_key(self.ring.candidates, text)
        if self._key is None:
            raise RemoteProtocolError("no candidate opens this secure string")
        return self._key.unseal(text)


def _missing(_text: str) -> Any:
    raise KeyMissing
