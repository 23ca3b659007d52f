"""The cipher suites of TLS, and the protection of records under the keys of one direction.

AES in GCM and CCM, ChaCha20-Poly1305, and AES in CBC with an HMAC, for TLS 1.0 to 1.3.
cryptography has the ciphers. [RFC 5246] 6.2.3, [RFC 5288], [RFC 7366], [RFC 7905], [RFC 8446] 5.2
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TLS_1_0", "TLS_1_1", "TLS_1_2", "TLS_1_3", "VERSIONS", "Protection", "Suite",
           "protection_12", "protection_13", "suite"]  # fmt: skip

TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0301, 0x0302, 0x0303, 0x0304
VERSIONS = {TLS_1_0: "TLS 1.0", TLS_1_1: "TLS 1.1", TLS_1_2: "TLS 1.2", TLS_1_3: "TLS 1.3"}
_BLOCK = 16
_TAG = 16
_TAG_8 = 8
_SUITES = {
    0x002F: "RSA_WITH_AES_128_CBC_SHA",
    0x0032: "DHE_DSS_WITH_AES_128_CBC_SHA",
    0x0033: "DHE_RSA_WITH_AES_128_CBC_SHA",
    0x0035: "RSA_WITH_AES_256_CBC_SHA",
    0x0038: "DHE_DSS_WITH_AES_256_CBC_SHA",
    0x0039: "DHE_RSA_WITH_AES_256_CBC_SHA",
    0x003C: "RSA_WITH_AES_128_CBC_SHA256",
    0x003D: "RSA_WITH_AES_256_CBC_SHA256",
    0x0040: "DHE_DSS_WITH_AES_128_CBC_SHA256",
    0x0067: "DHE_RSA_WITH_AES_128_CBC_SHA256",
    0x006A: "DHE_DSS_WITH_AES_256_CBC_SHA256",
    0x006B: "DHE_RSA_WITH_AES_256_CBC_SHA256",
    0x008C: "PSK_WITH_AES_128_CBC_SHA",
    0x008D: "PSK_WITH_AES_256_CBC_SHA",
    0x009C: "RSA_WITH_AES_128_GCM_SHA256",
    0x009D: "RSA_WITH_AES_256_GCM_SHA384",
    0x009E: "DHE_RSA_WITH_AES_128_GCM_SHA256",
    0x009F: "DHE_RSA_WITH_AES_256_GCM_SHA384",
    0x00A2: "DHE_DSS_WITH_AES_128_GCM_SHA256",
    0x00A3: "DHE_DSS_WITH_AES_256_GCM_SHA384",
    0x00A8: "PSK_WITH_AES_128_GCM_SHA256",
    0x00A9: "PSK_WITH_AES_256_GCM_SHA384",
    0x00AA: "DHE_PSK_WITH_AES_128_GCM_SHA256",
    0x00AB: "DHE_PSK_WITH_AES_256_GCM_SHA384",
    0x1301: "AES_128_GCM_SHA256",
    0x1302: "AES_256_GCM_SHA384",
    0x1303: "CHACHA20_POLY1305_SHA256",
    0x1304: "AES_128_CCM_SHA256",
    0x1305: "AES_128_CCM_8_SHA256",
    0xC009: "ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC00A: "ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    0xC013: "ECDHE_RSA_WITH_AES_128_CBC_SHA",
    0xC014: "ECDHE_RSA_WITH_AES_256_CBC_SHA",
    0xC023: "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    0xC024: "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    0xC027: "ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    0xC028: "ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    0xC02B: "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02C: "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    0xC02F: "ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    0xC030: "ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    0xC035: "ECDHE_PSK_WITH_AES_128_CBC_SHA",
    0xC036: "ECDHE_PSK_WITH_AES_256_CBC_SHA",
    0xC09C: "RSA_WITH_AES_128_CCM_SHA256",
    0xC09D: "RSA_WITH_AES_256_CCM_SHA256",
    0xC09E: "DHE_RSA_WITH_AES_128_CCM_SHA256",
    0xC09F: "DHE_RSA_WITH_AES_256_CCM_SHA256",
    0xC0A0: "RSA_WITH_AES_128_CCM_8_SHA256",
    0xC0A1: "RSA_WITH_AES_256_CCM_8_SHA256",
    0xC0AC: "ECDHE_ECDSA_WITH_AES_128_CCM_SHA256",
    0xC0AD: "ECDHE_ECDSA_WITH_AES_256_CCM_SHA256",
    0xC0AE: "ECDHE_ECDSA_WITH_AES_128_CCM_8_SHA256",
    0xC0AF: "ECDHE_ECDSA_WITH_AES_256_CCM_8_SHA256",
    0xCCA8: "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCA9: "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCAA: "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCAB: "PSK_WITH_CHACHA20_POLY1305_SHA256",
    0xCCAC: "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
}
"""Suites of the TLS parameters registry by number, without the prefix ``TLS_``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One cipher suite."""

    name: str
    exchange: str
    """Key exchange, such as ``RSA`` or ``ECDHE_RSA``; empty for TLS 1.3."""
    mode: str
    """``GCM``, ``CCM``, ``CCM_8``, ``CHACHA20_POLY1305`` or ``CBC``."""
    key_size: int
    hash: str
    """Hash of the key derivation for TLS 1.2 and 1.3."""
    mac: str
    """Hash of the HMAC of CBC; empty for others."""


def suite(number: int) -> Suite | None:
    """Return a suite by its number, or None for one that is not supported."""
    name = _SUITES.get(number)
    if name is None:
        return None
    exchange, _, rest = name.rpartition("_WITH_")
    cipher, _, digest = rest.rpartition("_")
    digest = {"SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}[digest]
    algorithm, _, mode = cipher.partition("_")
    size = 32
    if algorithm == "AES":
        bits, _, mode = mode.partition("_")
        size = int(bits) // 8
    else:
        mode = cipher
    return Suite(
        name=f"TLS_{name}",
        exchange=exchange,
        mode=mode,
        key_size=size,
        hash="sha256" if digest == "sha1" else digest,
        mac=digest if mode == "CBC" else "",
    )


class Protection(Protocol):
    """Keys of one direction."""

    exact: int | None
    """Bytes by which a record exceeds its plain text, or None where that varies."""

    def open(
        self, head: bytes, body: bytes, numbers: Iterable[int]
    ) -> tuple[int, int, bytes] | None:
        """Return the sequence number that fits, the content type, and the plain text.

        ``head`` is the header of the record. None if no number fits.
        """
        ...


def _aead(mode: str, key: bytes) -> Any:
    if mode == "GCM":
        return AESGCM(key)
    if mode == "CHACHA20_POLY1305":
        return ChaCha20Poly1305(key)
    return AESCCM(key, tag_length=_TAG_8 if mode == "CCM_8" else _TAG)


def _mixed(start: bytes, number: int) -> bytes:
    return (int.from_bytes(start, "big") ^ number).to_bytes(12, "big")


class _Aead12:
    """Authenticated encryption of TLS 1.2; the nonce of GCM and CCM is in the record."""

    def __init__(self, mode: str, key: bytes, start: bytes) -> None:
        self._cipher = _aead(mode, key)
        self._start = start
        self._explicit = 0 if mode == "CHACHA20_POLY1305" else 8
        tag = _TAG_8 if mode == "CCM_8" else _TAG
        self.exact: int | None = self._explicit + tag

    def open(
        self, head: bytes, body: bytes, numbers: Iterable[int]
    ) -> tuple[int, int, bytes] | None:
        size = len(body) - (self.exact or 0)
        if size < 0:
            return None
        nonce, sealed = self._start + body[: self._explicit], body[self._explicit :]
        length = size.to_bytes(2, "big")
        for number in numbers:
            if not self._explicit:
                nonce = _mixed(self._start, number)
            covered = number.to_bytes(8, "big") + head[:3] + length
            try:
                return number, head[0], self._cipher.decrypt(nonce, sealed, covered)
            except InvalidTag:
                continue
        return None


class _Aead13:
    """Authenticated encryption of TLS 1.3; the content type is at the end of the plain text."""

    exact: int | None = None

    def __init__(self, mode: str, key: bytes, start: bytes) -> None:
        self._cipher = _aead(mode, key)
        self._start = start

    def open(
        self, head: bytes, body: bytes, numbers: Iterable[int]
    ) -> tuple[int, int, bytes] | None:
        if head[0] != 23 or len(body) <= _TAG_8:
            return None
        for number in numbers:
            try:
                inner = self._cipher.decrypt(_mixed(self._start, number), body, head)
            except InvalidTag:
                continue
            inner = inner.rstrip(b"\0")
            return (number, inner[-1], inner[:-1]) if inner else (number, 0, b"")
        return None


class _Cbc:
    """AES in CBC mode with an HMAC, before or after the encryption."""

    exact: int | None = None

    def __init__(
        self, key: bytes, mac_key: bytes, mac: str, start: bytes | None, *, mac_last: bool
    ) -> None:
        self._key, self._mac_key, self._mac = key, mac_key, mac
        self._start = start
        """The vector of the next record for TLS 1.0; later versions send it."""
        self._mac_last = mac_last
        self._size = hmac.new(b"", b"", mac).digest_size

    def open(
        self, head: bytes, body: bytes, numbers: Iterable[int]
    ) -> tuple[int, int, bytes] | None:
        start, sealed, tag = self._start, body, b""
        if self._mac_last:
            sealed, tag = body[: -self._size], body[-self._size :]
        if start is None:
            start, sealed = sealed[:_BLOCK], sealed[_BLOCK:]
        if not sealed or len(sealed) % _BLOCK or len(start) != _BLOCK:
            return None
        if self._start is not None:
            self._start = sealed[-_BLOCK:]
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(start)).decryptor()
        plain = decryptor.update(sealed) + decryptor.finalize()
        padding = plain[-1] + 1
        if padding > len(plain) or plain[-padding:] != bytes([padding - 1]) * padding:
            return None
        plain = plain[:-padding]
        covered = body[: len(body) - self._size] if self._mac_last else plain[: -self._size]
        if not self._mac_last:
            if len(plain) < self._size:
                return None
            plain, tag = covered, plain[-self._size :]
        length = len(covered).to_bytes(2, "big")
        for number in numbers:
            signed = number.to_bytes(8, "big") + head[:3] + length + covered
            if hmac.compare_digest(hmac.digest(self._mac_key, signed, self._mac), tag):
                return number, head[0], plain
        return None


def protection_12(
    suite: Suite, version: int, block: bytes, *, client: bool, mac_last: bool
) -> Protection:
    """Return the keys of one direction out of the key block of TLS 1.0 to 1.2."""
    macs = hmac.new(b"", b"", suite.mac).digest_size if suite.mac else 0
    starts = 12 if suite.mode == "CHACHA20_POLY1305" else 4
    if suite.mac:
        starts = _BLOCK if version == TLS_1_0 else 0
    pairs, at = [], 0
    for size in (macs, suite.key_size, starts):
        mine = at if client else at + size
        pairs.append(block[mine : mine + size])
        at += 2 * size
    mac_key, key, start = pairs
    if suite.mac:
        return _Cbc(key, mac_key, suite.mac, start or None, mac_last=mac_last)
    return _Aead12(suite.mode, key, start)


def protection_13(suite: Suite, key: bytes, start: bytes) -> Protection:
    """Return the keys of one direction for TLS 1.3."""
    return _Aead13(suite.mode, key, start)
