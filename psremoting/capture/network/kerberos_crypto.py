"""The encryption types of Kerberos: keys from passwords, decryption, and GSS-API messages.

AES with SHA-1 [RFC 3962], AES with SHA-2 [RFC 8009], RC4 [RFC 4757]; the simplified profile
[RFC 3961] 5; GSS-API tokens [RFC 4121] 4.2 and [RFC 4757] 7. cryptography has the ciphers.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from math import lcm

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from spnego._ntlm_raw import crypto as ntlm

__all__ = ["ETYPES", "Key", "combine", "decrypt", "string_to_key", "unwrap"]

ETYPES = {
    17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96",
    19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192", 23: "rc4-hmac",
}  # fmt: skip
_RC4 = 23
_SIZES = {17: 16, 18: 32, 19: 16, 20: 32, 23: 16}
_HASHES = {17: "sha1", 18: "sha1", 19: "sha256", 20: "sha384"}
_MACS = {17: 12, 18: 12, 19: 16, 20: 24}
"""Bytes of a checksum."""
_BLOCK = 16
_RC4_USAGES = {3: 8, 9: 8, 23: 13}
_CLIENT_SEAL, _SERVER_SEAL = 24, 22


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key of one encryption type."""

    etype: int
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != _SIZES.get(self.etype):
            raise ValueError(f"expected a key of {_SIZES.get(self.etype)} bytes")

    def __repr__(self) -> str:
        return f"Key({ETYPES.get(self.etype, self.etype)})"


def string_to_key(etype: int, password: str, salt: bytes, iterations: int | None = None) -> Key:
    """Return the key of a password. ``iterations`` None is the default of the type."""
    secret = password.encode("utf-8", "surrogatepass")
    size = _SIZES[etype]
    if etype == _RC4:
        return Key(etype, bytes(ntlm.ntowfv1(password)))
    if etype in (17, 18):
        seed = hashlib.pbkdf2_hmac("sha1", secret, salt, iterations or 4096, size)
        return Key(etype, _derive_sha1(seed, b"kerberos"))
    name = ETYPES[etype].encode()
    seed = hashlib.pbkdf2_hmac(
        _HASHES[etype], secret, name + b"\0" + salt, iterations or 32768, size
    )
    return Key(etype, _derive_sha2(etype, seed, b"kerberos", size))


def decrypt(key: Key, usage: int, data: bytes) -> bytes:
    """Return the plain text. Raises ValueError if the checksum does not match."""
    if key.etype == _RC4:
        return _decrypt_rc4(key.value, usage, data)
    mac = _MACS[key.etype]
    sealed, checksum = data[:-mac], data[-mac:]
    if len(sealed) < _BLOCK:
        raise ValueError("the encrypted data is too short")
    encryption, integrity = _usage_keys(key, usage)
    plain = _cts(encryption, sealed)
    # RFC 8009 authenticates the ciphertext, RFC 3961 the plain text.
    covered = plain if key.etype in (17, 18) else bytes(_BLOCK) + sealed
    found = hmac.digest(integrity, covered, _HASHES[key.etype])[:mac]
    if not hmac.compare_digest(found, checksum):
        raise ValueError("the checksum does not fit")
    return plain[_BLOCK:]


def unwrap(key: Key, from_client: bool, header: bytes, data: bytes) -> bytes:
    """Return the plain text of a GSS-API message. Raises ValueError if it does not open."""
    token = header + data
    if key.etype == _RC4:
        return _unwrap_rc4(key.value, header, data)
    if token[:2] != b"\x05\x04" or len(token) < 32 or not token[2] & 2:
        raise ValueError("not a sealed GSS-API message")
    extra, rotation = int.from_bytes(token[4:6], "big"), int.from_bytes(token[6:8], "big")
    body = token[16:]
    rotation %= len(body)
    body = body[rotation:] + body[:rotation]
    plain = decrypt(key, _CLIENT_SEAL if from_client else _SERVER_SEAL, body)
    if plain[-16:] != token[:6] + b"\0\0" + token[8:16]:
        raise ValueError("the copy of the header does not fit")
    return plain[: len(plain) - 16 - extra]


def combine(one: Key, other: Key, pepper: bytes, other_pepper: bytes) -> Key:
    """KRB-FX-CF2 of [RFC 6113] 5.1: a key made of two, of the type of the first."""
    size = len(one.value)
    mixed = _xor(_stretch(one, pepper, size), _stretch(other, other_pepper, size))
    return Key(one.etype, mixed)


# -- key derivation


def _stretch(key: Key, pepper: bytes, size: int) -> bytes:
    """PRF+ of [RFC 6113] 5.1."""
    made, count = b"", 0
    while len(made) < size:
        count += 1
        made += _pseudo_random(key, bytes([count]) + pepper)
    return made[:size]


def _pseudo_random(key: Key, data: bytes) -> bytes:
    if key.etype == _RC4:
        return hmac.digest(key.value, data, "sha1")
    if key.etype in (17, 18):
        digest = hashlib.sha1(data, usedforsecurity=False).digest()
        return _ecb(_derive_sha1(key.value, b"prf"), digest[:_BLOCK])
    size = {19: 32, 20: 48}[key.etype]
    return _derive_sha2(key.etype, key.value, b"prf", size, data)


@lru_cache(maxsize=256)
def _usage_keys(key: Key, usage: int) -> tuple[bytes, bytes]:
    number = usage.to_bytes(4, "big")
    if key.etype in (17, 18):
        return (
            _derive_sha1(key.value, number + b"\xaa"),
            _derive_sha1(key.value, number + b"\x55"),
        )
    return (
        _derive_sha2(key.etype, key.value, number + b"\xaa", len(key.value)),
        _derive_sha2(key.etype, key.value, number + b"\x55", _MACS[key.etype]),
    )


def _derive_sha1(key: bytes, constant: bytes) -> bytes:
    """DK of [RFC 3961] 5.1."""
    block = _fold(constant, _BLOCK)
    made = b""
    while len(made) < len(key):
        block = _ecb(key, block)
        made += block
    return made[: len(key)]


def _derive_sha2(etype: int, key: bytes, label: bytes, size: int, context: bytes = b"") -> bytes:
    """KDF-HMAC-SHA2 of [RFC 8009] 3."""
    data = b"\0\0\0\1" + label + b"\0" + context + (size * 8).to_bytes(4, "big")
    return hmac.digest(key, data, _HASHES[etype])[:size]


def _fold(data: bytes, size: int) -> bytes:
    """n-fold of [RFC 3961] 5.1: add rotated copies with end-around carry."""
    count = len(data)
    bits = count * 8
    whole = int.from_bytes(data, "big")
    copies = b""
    total = lcm(count, size) // count
    for index in range(total):
        turn = 13 * index % bits
        copies += ((whole >> turn | whole << (bits - turn)) & ((1 << bits) - 1)).to_bytes(
            count, "big"
        )
    limit = (1 << size * 8) - 1
    summed = sum(
        int.from_bytes(copies[start : start + size], "big") for start in range(0, len(copies), size)
    )
    while summed > limit:
        summed = (summed & limit) + (summed >> size * 8)
    return summed.to_bytes(size, "big")


# -- ciphers


def _ecb(key: bytes, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return cipher.update(data) + cipher.finalize()


def _cts(key: bytes, data: bytes) -> bytes:
    """AES in CBC mode with ciphertext stealing, the last two blocks swapped. [RFC 3962] 5"""
    if len(data) == _BLOCK:
        return _cbc(key, bytes(_BLOCK), data)
    tail = len(data) % _BLOCK or _BLOCK
    head, before, last = data[: -tail - _BLOCK], data[-tail - _BLOCK : -tail], data[-tail:]
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    opened = decryptor.update(before) + decryptor.finalize()
    whole = last + opened[tail:]
    return _cbc(key, bytes(_BLOCK), head + whole) + _xor(opened[:tail], last)


def _cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return cipher.update(data) + cipher.finalize()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _decrypt_rc4(key: bytes, usage: int, data: bytes) -> bytes:
    if len(data) < 24:
        raise ValueError("the encrypted data is too short")
    number = _RC4_USAGES.get(usage, usage).to_bytes(4, "little")
    first = ntlm.hmac_md5(key, number)
    plain = bytes(ntlm.rc4k(ntlm.hmac_md5(first, data[:16]), data[16:]))
    if not hmac.compare_digest(ntlm.hmac_md5(first, plain), data[:16]):
        raise ValueError("the checksum does not fit")
    return plain[8:]


def _unwrap_rc4(key: bytes, header: bytes, data: bytes) -> bytes:
    """[RFC 4757] 7.3; the token may be framed with the mechanism's identifier."""
    at = header.find(b"\x02\x01")
    token = header[at:] if at >= 0 else b""
    if len(token) < 32 or token[2:4] != b"\x11\0" or token[4:6] == b"\xff\xff":
        raise ValueError("not a sealed GSS-API message of RC4")
    sequence, checksum, confounder = token[8:16], token[16:24], token[24:32]
    inner = bytes(each ^ 0xF0 for each in key)
    number = ntlm.rc4k(ntlm.hmac_md5(ntlm.hmac_md5(key, bytes(4)), checksum), sequence)
    seal = ntlm.hmac_md5(ntlm.hmac_md5(inner, bytes(4)), number[:4])
    opened = bytes(ntlm.rc4k(seal, confounder + data))
    plain = opened[8:]
    sign = ntlm.hmac_md5(key, b"signaturekey\0")
    digest = hashlib.md5(b"\x0d\0\0\0" + token[:8] + opened, usedforsecurity=False).digest()
    if ntlm.hmac_md5(sign, digest)[:8] != checksum:
        raise ValueError("the checksum does not fit")
    padding = plain[-1] if plain else 0
    return plain[:-1] if padding == 1 else plain
