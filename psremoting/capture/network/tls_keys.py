"""Secrets of TLS connections: key logs, private keys of servers, and what follows from them.

The form of key logs is that of NSS: a label, the client's random value and a secret, in
hexadecimal, on each line. [draft-ietf-tls-keylogfile], [RFC 5246] 5, [RFC 8446] 7
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psremoting.capture.network.tls_suites import TLS_1_2, Suite

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["TlsSecrets", "expand_label", "key_block", "master_secret"]

_LINE = re.compile(
    rb"(?:(?P<label>[A-Z][A-Z0-9_]{2,40})[ \t]+)(?P<random>(?:[0-9a-fA-F]{2}){8,32})[ \t]+"
    rb"(?P<secret>(?:[0-9a-fA-F]{2}){16,64})[ \t]*"
)
_SESSION = re.compile(
    rb"RSA[ \t]+Session-ID:(?P<id>(?:[0-9a-fA-F]{2}){1,32})[ \t]+"
    rb"Master-Key:(?P<secret>[0-9a-fA-F]{96})[ \t]*"
)
_MAX_SECRETS = 1_000_000
_MAX_SESSIONS = 100_000
_PREMASTER = 48


class TlsSecrets:
    """All secrets that may decrypt TLS connections. They never appear in a repr."""

    def __init__(self) -> None:
        self._logged: dict[tuple[str, bytes], bytes] = {}
        self._servers: list[RSAPrivateKey] = []
        self._sessions: OrderedDict[bytes, bytes] = OrderedDict()
        """Session ids and tickets to master secrets."""
        self.guessed = 0
        """Bytes that were decrypted to find hellos that the capture lacks."""

    def __bool__(self) -> bool:
        return bool(self._logged or self._servers or self._sessions)

    def add_log(self, data: bytes) -> int:
        """Add the lines of a key log; return how many have the form of one. Others are skipped."""
        return sum(self.add_line(line) for line in data.split(b"\n"))

    def add_line(self, line: bytes) -> bool:
        """Add one line of a key log; return False for anything else."""
        line = line.strip()
        if found := _SESSION.fullmatch(line):
            self.remember(bytes.fromhex(found["id"].decode()), _unhexed(found["secret"]))
            return True
        found = _LINE.fullmatch(line)
        if found is None:
            return False
        if len(self._logged) < _MAX_SECRETS:
            key = found["label"].decode(), _unhexed(found["random"])
            self._logged[key] = _unhexed(found["secret"])
        return True

    def add_server_key(self, key: RSAPrivateKey) -> None:
        """Add the private key of a server, for the key exchange RSA of TLS 1.0 to 1.2."""
        self._servers.append(key)

    @property
    def has_server_keys(self) -> bool:
        return bool(self._servers)

    def randoms(self, label: str) -> list[bytes]:
        """Return the client randoms of the key log lines of a label, the newest first."""
        return [random for name, random in reversed(self._logged) if name == label]

    def logged(self, label: str, random: bytes) -> bytes | None:
        """Return the secret of a key log line."""
        return self._logged.get((label, random))

    def remember(self, session: bytes, master: bytes) -> None:
        """Keep the master secret of a session that may be resumed, by its id or ticket."""
        if session:
            self._sessions[session] = master
            if len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)

    def resumed(self, session: bytes) -> bytes | None:
        return self._sessions.get(session) if session else None

    def premaster(self, sealed: bytes, random: bytes) -> bytes | None:
        """Return the premaster secret of a ClientKeyExchange of the key exchange RSA."""
        known = self.logged("PMS_CLIENT_RANDOM", random) or self.logged("RSA", sealed[:8])
        if known is not None:
            return known
        for key in self._servers:
            try:
                opened = key.decrypt(sealed, padding.PKCS1v15())
            except ValueError:
                continue
            # OpenSSL returns random bytes of random length for a wrong key; the version shows it.
            if len(opened) == _PREMASTER and opened[0] == 3:
                return opened
        return None

    def holds_key_of(self, public: bytes) -> bool:
        """Return True if a server key belongs to a public key (SubjectPublicKeyInfo, DER)."""
        return any(
            key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public
            for key in self._servers
        )


def _unhexed(text: bytes) -> bytes:
    return bytes.fromhex(text.decode())


# -- derivation


def _p_hash(secret: bytes, seed: bytes, size: int, digest: str) -> bytes:
    made, each = b"", seed
    while len(made) < size:
        each = hmac.digest(secret, each, digest)
        made += hmac.digest(secret, each + seed, digest)
    return made[:size]


def _prf(version: int, digest: str, secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """Return output of the pseudo-random function. [RFC 5246] 5, [RFC 2246] 5"""
    if version >= TLS_1_2:
        return _p_hash(secret, label + seed, size, digest)
    half = (len(secret) + 1) // 2
    one = _p_hash(secret[:half], label + seed, size, "md5")
    other = _p_hash(secret[-half:], label + seed, size, "sha1")
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def master_secret(
    version: int, suite: Suite, premaster: bytes, randoms: bytes, transcript: bytes | None
) -> bytes:
    """Return the master secret; with ``transcript`` the extended one. [RFC 7627] 4"""
    if transcript is None:
        return _prf(version, suite.hash, premaster, b"master secret", randoms, 48)
    if version >= TLS_1_2:
        digest = hashlib.new(suite.hash, transcript).digest()
    else:
        digest = hashlib.md5(transcript, usedforsecurity=False).digest()
        digest += hashlib.sha1(transcript, usedforsecurity=False).digest()
    return _prf(version, suite.hash, premaster, b"extended master secret", digest, 48)


def key_block(version: int, suite: Suite, master: bytes, client: bytes, server: bytes) -> bytes:
    """Return the key block of TLS 1.0 to 1.2 for both directions; 192 bytes serve every suite."""
    return _prf(version, suite.hash, master, b"key expansion", server + client, 192)


def expand_label(digest: str, secret: bytes, label: bytes, size: int) -> bytes:
    """Return HKDF-Expand-Label with an empty context. [RFC 8446] 7.1"""
    name = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    made, each, count = b"", b"", 0
    while len(made) < size:
        count += 1
        each = hmac.digest(secret, each + info + bytes([count]), digest)
        made += each
    return made[:size]
