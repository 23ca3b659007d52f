"""The session key that protects SecureStrings: its wire format, its use and its exchange.
[MS-PSRP] 2.2.2.3, 2.2.2.4, 2.2.5.1.24, 3.1.4.8, 3.2.4.7; ``utils/CryptoUtils.cs``.

From protocol 2.4 on there is no key: secure strings are sent unencrypted and the transport has to
be confidential. Before 2.4 the client has an RSA key and the server generates the AES key. A server
with a peer of 2.2 or later encrypts with its key before the client requests it, and the client then
requests the key before it can read; a server never decrypts before an exchange.

Both blobs are those of the Windows CryptoAPI, which stores a big number with its lowest byte
first: the modulus of the public key and the encrypted session key are both reversed.

`cryptography` is imported on use, so that a session without secrets never loads it. The library
draws the padding of the one RSA encryption from its own random source; everything else that has
to be random is an argument.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from psrp import versions
from psrp.sansio import LocalProtocolError, MessageError, RemoteProtocolError, Side

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = [
    "PUBLIC_KEY_BLOB_SIZE",
    "RSA_BITS",
    "SESSION_KEY_BLOB_SIZE",
    "SESSION_KEY_SIZE",
    "KeyExchange",
    "KeyMissing",
    "PrivateKey",
    "SessionKey",
    "SessionKeyBytes",
    "read_public_key",
    "read_session_key",
    "seal_plain",
    "unseal_plain",
    "write_public_key",
    "write_session_key",
]

PrivateKey: TypeAlias = "RSAPrivateKey | Callable[[], RSAPrivateKey] | None"
SessionKeyBytes: TypeAlias = "bytes | Callable[[], bytes] | None"

RSA_BITS = 2048
SESSION_KEY_SIZE = 32
PUBLIC_KEY_BLOB_SIZE = 276
SESSION_KEY_BLOB_SIZE = 268

_MODULUS = RSA_BITS // 8
#: type 6 PUBLICKEYBLOB, version 2, reserved, CALG_RSA_KEYX, "RSA1", bit length
_PUBLIC_KEY = struct.pack("<BBHI4sI", 6, 2, 0, 0x0000A400, b"RSA1", RSA_BITS)
#: type 1 SIMPLEBLOB, version 2, reserved, CALG_AES_256, CALG_RSA_KEYX
_SESSION_KEY = struct.pack("<BBHII", 1, 2, 0, 0x00006610, 0x0000A400)
_BLOCK = 16


def write_public_key(key: RSAPublicKey) -> str:
    """Return the text of PUBLIC_KEY. Raises LocalProtocolError for a key that is not RSA-2048."""
    numbers = key.public_numbers()
    if key.key_size != RSA_BITS or numbers.e >= 1 << 32:
        raise LocalProtocolError(f"the key exchange needs an RSA key of {RSA_BITS} bits")
    exponent = struct.pack("<I", numbers.e)
    blob = _PUBLIC_KEY + exponent + numbers.n.to_bytes(_MODULUS, "little")
    return base64.b64encode(blob).decode("ascii")


def read_public_key(text: str) -> RSAPublicKey:
    """Return the client's key.

    Raises MessageError for anything but a PUBLICKEYBLOB of RSA-2048 with a usable modulus: odd,
    of exactly 2048 bits, as the header of the blob declares.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    blob = _unbase64("PUBLIC_KEY", text)
    if len(blob) != PUBLIC_KEY_BLOB_SIZE or not blob.startswith(_PUBLIC_KEY):
        raise MessageError("PUBLIC_KEY", f"not a PUBLICKEYBLOB of RSA-{RSA_BITS}", "PublicKey")
    (exponent,) = struct.unpack_from("<I", blob, len(_PUBLIC_KEY))
    modulus = int.from_bytes(blob[-_MODULUS:], "little")
    if modulus.bit_length() != RSA_BITS or modulus % 2 == 0:
        raise MessageError("PUBLIC_KEY", f"expected an odd modulus of {RSA_BITS} bits", "PublicKey")
    try:
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise MessageError("PUBLIC_KEY", "not a usable RSA key", "PublicKey") from None


def write_session_key(public: RSAPublicKey, key: bytes) -> str:
    """Return the text of ENCRYPTED_SESSION_KEY: ``key`` (32 bytes) for the holder of the RSA key.

    Raises LocalProtocolError for a key of another size, MessageError for an RSA key that cannot
    encrypt.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    _check_session_key(key)
    try:
        sealed = public.encrypt(key, PKCS1v15())
    except ValueError:
        raise MessageError("PUBLIC_KEY", "not a usable RSA key", "PublicKey") from None
    return base64.b64encode(_SESSION_KEY + sealed[::-1]).decode("ascii")


def read_session_key(private: RSAPrivateKey, text: str) -> bytes:
    """Return the server's session key. Raises MessageError when it cannot be decrypted."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    blob = _unbase64("ENCRYPTED_SESSION_KEY", text)
    if len(blob) != SESSION_KEY_BLOB_SIZE or not blob.startswith(_SESSION_KEY):
        raise _bad_session_key(f"not a SIMPLEBLOB with an AES-256 key under RSA-{RSA_BITS}")
    try:
        key = private.decrypt(blob[len(_SESSION_KEY) :][::-1], PKCS1v15())
    except ValueError:
        raise _bad_session_key("cannot be decrypted with our private key") from None
    # Wrong padding gives random bytes of some length instead of an error.
    if len(key) != SESSION_KEY_SIZE:
        raise _bad_session_key("does not hold an AES-256 key")
    return key


def _check_session_key(key: object) -> None:
    if not isinstance(key, bytes) or len(key) != SESSION_KEY_SIZE:
        raise LocalProtocolError(f"expected a session key of {SESSION_KEY_SIZE} bytes")


def _bad_session_key(text: str) -> MessageError:
    return MessageError("ENCRYPTED_SESSION_KEY", text, "EncryptedSessionKey")


def _unbase64(message: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        element = "PublicKey" if message == "PUBLIC_KEY" else "EncryptedSessionKey"
        raise MessageError(message, "not base64", element) from None


class SessionKey:
    """Encrypts and decrypts SecureStrings: AES-256-CBC, PKCS7, over UTF-16LE.

    The initial vector is zero for every string, as in PowerShell. Raises LocalProtocolError for
    a key that is not 32 bytes long.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        _check_session_key(key)
        self._key = bytes(key)

    @property
    def key(self) -> bytes:
        return self._key

    def __repr__(self) -> str:
        return "<SessionKey>"

    def seal(self, text: str) -> str:
        """Return the text of ``<SS>`` for a secret; an empty one is a whole block of padding."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        plain = text.encode("utf-16-le", "surrogatepass")
        fill = _BLOCK - len(plain) % _BLOCK
        encryptor = Cipher(algorithms.AES(self._key), modes.CBC(bytes(_BLOCK))).encryptor()
        sealed = encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()
        return base64.b64encode(sealed).decode("ascii")

    def unseal(self, text: str) -> str:
        """Return the secret of an ``<SS>``. Raises RemoteProtocolError for a bad text."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        sealed = _secret_bytes(text)
        if not sealed or len(sealed) % _BLOCK:
            raise _bad_secret()
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(bytes(_BLOCK))).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
        fill = padded[-1]
        if not 1 <= fill <= _BLOCK or padded[-fill:] != bytes([fill]) * fill:
            raise _bad_secret()
        return _utf16(padded[:-fill])


def seal_plain(text: str) -> str:
    """Return the text of ``<SS>`` between peers of 2.4 and later: base64 of UTF-16LE."""
    return base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode("ascii")


def unseal_plain(text: str) -> str:
    """Read the text of ``<SS>`` of a peer of 2.4 or later. Raises RemoteProtocolError."""
    return _utf16(_secret_bytes(text))


def _secret_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise _bad_secret() from None


def _utf16(data: bytes) -> str:
    if len(data) % 2:
        raise _bad_secret()
    return data.decode("utf-16-le", "surrogatepass")


def _bad_secret() -> RemoteProtocolError:
    # The text is the same for all faults, so that it reveals nothing about the secret.
    return RemoteProtocolError("cannot decrypt a SecureString")


class KeyMissing(Exception):
    """A SecureString cannot be encrypted or decrypted before the key exchange."""


class KeyExchange:
    """Encrypts and decrypts the SecureStrings of one pool, and exchanges the key for it.

    ``private_key`` (client, RSA of 2048 bits) and ``session_key`` (server, 32 bytes) may be
    callables, so that a pool without secure strings generates no key. Raises LocalProtocolError for
    a session key of another size.
    """

    def __init__(
        self, side: Side, private_key: PrivateKey = None, session_key: SessionKeyBytes = None
    ) -> None:
        if session_key is not None and not callable(session_key):
            _check_session_key(session_key)
        self._side = side
        self._private_key = private_key
        self._session_key = session_key
        self._key: SessionKey | None = None
        self._version = versions.OLDEST
        self.requested = False
        """PUBLIC_KEY or PUBLIC_KEY_REQUEST was sent."""
        self.done = False
        """Both sides have the key."""
        self.opener: Callable[[str], str] | None = None
        """`unseal`, or None if no key can be exchanged: secure strings then stay encrypted."""
        self._update()

    def __repr__(self) -> str:
        return f"<KeyExchange of the {self._side.value}, {'done' if self.done else 'not done'}>"

    @property
    def version(self) -> versions.ProtocolVersion:
        """The negotiated protocol version; 2.0 before the negotiation."""
        return self._version

    @version.setter
    def version(self, version: versions.ProtocolVersion) -> None:
        self._version = version
        self._update()

    def _update(self) -> None:
        # An attribute, because it is read for every message.
        self.opener = self.unseal if self.plain or self.done or self.possible else None

    @property
    def plain(self) -> bool:
        """True if secure strings are sent unencrypted."""
        return self.version >= versions.PLAIN_SECRETS_SINCE

    @property
    def possible(self) -> bool:
        """True if our side has sent its half of the exchange."""
        mine = self._private_key if self._side is Side.CLIENT else self._session_key
        return mine is not None

    def reset(self) -> None:
        """Reset the exchange: another client has connected and has no key. [MS-PSRP] 3.1.4.10"""
        self.requested = self.done = False
        self._update()

    def seal(self, text: str) -> str:
        """Return the text of ``<SS>``. Raises KeyMissing when the key has to be exchanged first."""
        if self.plain:
            return seal_plain(text)
        if not self.possible and self._key is None:
            raise LocalProtocolError(f"cannot send a SecureString: no {self._own()}")
        if not self.done and (
            self._side is Side.CLIENT or self.version < versions.UNREQUESTED_KEY_SINCE
        ):
            raise KeyMissing
        return self._made().seal(text)

    def unseal(self, text: str) -> str:
        """Return the secret of an ``<SS>``.

        Raises KeyMissing before the exchange, RemoteProtocolError for a bad text.
        """
        if self.plain:
            return unseal_plain(text)
        if not self.done:
            raise KeyMissing
        return self._made().unseal(text)

    def public_key(self) -> str:
        """Return the text of PUBLIC_KEY, the client's half. Raises LocalProtocolError."""
        return write_public_key(self._private().public_key())

    def accept_public_key(self, text: str) -> str:
        """Return the text of ENCRYPTED_SESSION_KEY, the server's half, for a PUBLIC_KEY.

        Raises MessageError.
        """
        public = read_public_key(text)
        if not self.possible:
            raise MessageError("PUBLIC_KEY", "this server has no session key")
        answer = write_session_key(public, self._made().key)
        self.done = True
        self._update()
        return answer

    def accept_session_key(self, text: str) -> None:
        """Read the server's ENCRYPTED_SESSION_KEY. Raises MessageError."""
        if not self.possible:
            raise MessageError("ENCRYPTED_SESSION_KEY", "received without a PUBLIC_KEY of ours")
        self._key = SessionKey(read_session_key(self._private(), text))
        self.done = True
        self._update()

    def _private(self) -> RSAPrivateKey:
        if callable(self._private_key):
            self._private_key = self._private_key()
        if self._private_key is None:
            raise LocalProtocolError(f"no {self._own()}")
        return self._private_key

    def _made(self) -> SessionKey:
        if self._key is None:
            key = self._session_key() if callable(self._session_key) else self._session_key
            if key is None:
                raise LocalProtocolError(f"no {self._own()}")
            self._key = SessionKey(key)
        return self._key

    def _own(self) -> str:
        return "client's private key" if self._side is Side.CLIENT else "server's session key"
