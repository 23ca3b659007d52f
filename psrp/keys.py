"""The session key: its two blobs on the wire, and what it does to a SecureString.
[MS-PSRP] 2.2.2.3, 2.2.2.4, 2.2.5.1.24; ``utils/CryptoUtils.cs``.

Both blobs are those of Windows' CAPI, where a big number stands with its lowest byte first:
the modulus of the public key and the encrypted session key are both reversed.

`cryptography` is imported where it is used, so that a session without secrets never loads it.
It makes the padding of the one RSA encryption from randomness of its own; everything else
that has to be random is handed in.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import TYPE_CHECKING

from psrp.sansio import LocalProtocolError, MessageError, RemoteProtocolError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = [
    "PUBLIC_KEY_BLOB_SIZE",
    "RSA_BITS",
    "SESSION_KEY_BLOB_SIZE",
    "SESSION_KEY_SIZE",
    "SessionKey",
    "read_public_key",
    "read_session_key",
    "seal_plain",
    "unseal_plain",
    "write_public_key",
    "write_session_key",
]

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
    """The text of PUBLIC_KEY. Raises LocalProtocolError for a key that is not RSA-2048."""
    numbers = key.public_numbers()
    if key.key_size != RSA_BITS or numbers.e >= 1 << 32:
        raise LocalProtocolError(f"the key exchange needs an RSA key of {RSA_BITS} bits")
    exponent = struct.pack("<I", numbers.e)
    blob = _PUBLIC_KEY + exponent + numbers.n.to_bytes(_MODULUS, "little")
    return base64.b64encode(blob).decode("ascii")


def read_public_key(text: str) -> RSAPublicKey:
    """The client's key. Raises MessageError for anything but a PUBLICKEYBLOB of RSA-2048."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    blob = _unbase64("PUBLIC_KEY", text)
    if len(blob) != PUBLIC_KEY_BLOB_SIZE or not blob.startswith(_PUBLIC_KEY):
        raise MessageError("PUBLIC_KEY", f"not a PUBLICKEYBLOB of RSA-{RSA_BITS}", "PublicKey")
    (exponent,) = struct.unpack_from("<I", blob, len(_PUBLIC_KEY))
    modulus = int.from_bytes(blob[-_MODULUS:], "little")
    try:
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise MessageError("PUBLIC_KEY", "not a usable RSA key", "PublicKey") from None


def write_session_key(public: RSAPublicKey, key: bytes) -> str:
    """The text of ENCRYPTED_SESSION_KEY: ``key`` (32 bytes) for the holder of the RSA key."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    if len(key) != SESSION_KEY_SIZE:
        raise LocalProtocolError(f"a session key has {SESSION_KEY_SIZE} bytes")
    sealed = public.encrypt(key, PKCS1v15())
    return base64.b64encode(_SESSION_KEY + sealed[::-1]).decode("ascii")


def read_session_key(private: RSAPrivateKey, text: str) -> bytes:
    """The session key that the server made. Raises MessageError when it cannot be opened."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    blob = _unbase64("ENCRYPTED_SESSION_KEY", text)
    if len(blob) != SESSION_KEY_BLOB_SIZE or not blob.startswith(_SESSION_KEY):
        raise _bad_session_key(f"not a SIMPLEBLOB with an AES-256 key under RSA-{RSA_BITS}")
    try:
        key = private.decrypt(blob[len(_SESSION_KEY) :][::-1], PKCS1v15())
    except ValueError:
        raise _bad_session_key("does not open with our private key") from None
    # A padding that is wrong gives random bytes of some length instead of an error.
    if len(key) != SESSION_KEY_SIZE:
        raise _bad_session_key("does not hold an AES-256 key")
    return key


def _bad_session_key(text: str) -> MessageError:
    return MessageError("ENCRYPTED_SESSION_KEY", text, "EncryptedSessionKey")


def _unbase64(message: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        element = "PublicKey" if message == "PUBLIC_KEY" else "EncryptedSessionKey"
        raise MessageError(message, "not base64", element) from None


class SessionKey:
    """Seals and opens SecureStrings: AES-256-CBC, PKCS7, over UTF-16LE.

    The initial vector is zero for every string; that is PowerShell's choice, and both sides
    depend on it.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != SESSION_KEY_SIZE:
            raise LocalProtocolError(f"a session key has {SESSION_KEY_SIZE} bytes")
        self._key = bytes(key)

    @property
    def key(self) -> bytes:
        return self._key

    def __repr__(self) -> str:
        return "<SessionKey>"

    def seal(self, text: str) -> str:
        """The text of ``<SS>`` for a secret; an empty one is a whole block of padding."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        plain = text.encode("utf-16-le", "surrogatepass")
        fill = _BLOCK - len(plain) % _BLOCK
        encryptor = Cipher(algorithms.AES(self._key), modes.CBC(bytes(_BLOCK))).encryptor()
        sealed = encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()
        return base64.b64encode(sealed).decode("ascii")

    def unseal(self, text: str) -> str:
        """The secret in an ``<SS>``. Raises RemoteProtocolError when the key does not open it."""
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
    """The text of ``<SS>`` between peers of 2.4 and later: base64 of UTF-16LE, no secret."""
    return base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode("ascii")


def unseal_plain(text: str) -> str:
    """What a peer of 2.4 or later put into an ``<SS>``. Raises RemoteProtocolError."""
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
    # One text for all faults: which check failed tells something about the secret.
    return RemoteProtocolError("a SecureString cannot be opened")
