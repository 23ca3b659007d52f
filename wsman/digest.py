"""Digest access authentication, the client's side. RFC 7616, RFC 2617

The WinRM service does not offer Digest; other WS-Man servers do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from wsman.auth import AuthenticationRefused, Credential

__all__ = ["DigestClient"]

_HASHES: dict[str, Callable[[bytes], str]] = {
    "md5": lambda data: hashlib.md5(data).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}


class DigestClient:
    """Answers the challenge of one server; each request gets its own header.

    Raises AuthenticationRefused for a challenge that cannot be answered.
    """

    def __init__(
        self, parameters: Mapping[str, str], credential: Credential, random: Callable[[int], bytes]
    ) -> None:
        algorithm = parameters.get("algorithm", "MD5")
        name, dash, session = algorithm.lower().partition("-sess")
        if name not in _HASHES or (dash and session):
            raise AuthenticationRefused(
                f"Digest: expected the algorithm MD5 or SHA-256, got {algorithm!r}"
            )
        offered = [each.strip() for each in parameters.get("qop", "").lower().split(",")]
        if "qop" in parameters and "auth" not in offered:
            raise AuthenticationRefused("Digest: expected the protection auth among those offered")
        if not parameters.get("nonce") or "realm" not in parameters:
            raise AuthenticationRefused("Digest: expected a challenge with realm and nonce")
        self._hash = _HASHES[name]
        self._algorithm = algorithm if "algorithm" in parameters else ""
        self._session = bool(dash)
        self._protection = "auth" if "qop" in parameters else ""
        self._parameters = dict(parameters)
        self._credential = credential
        self._random = random
        self._count = 0

    def header(self, method: str, target: str) -> str:
        """Return the Authorization header of one request."""
        self._count += 1
        given = self._parameters
        user, realm, nonce = self._credential.user_name, given["realm"], given["nonce"]
        once = self._random(16).hex()
        secret = self._h(f"{user}:{realm}:{self._credential.password}")
        if self._session:
            secret = self._h(f"{secret}:{nonce}:{once}")
        request = self._h(f"{method}:{target}")
        count = f"{self._count:08x}"
        middle = f"{nonce}:{count}:{once}:{self._protection}" if self._protection else nonce
        fields = [
            f'username="{_quoted(user)}"',
            f'realm="{_quoted(realm)}"',
            f'nonce="{_quoted(nonce)}"',
            f'uri="{_quoted(target)}"',
            f'response="{self._h(f"{secret}:{middle}:{request}")}"',
        ]
        if self._algorithm:
            fields.append(f"algorithm={self._algorithm}")
        if "opaque" in given:
            fields.append(f'opaque="{_quoted(given["opaque"])}"')
        if self._protection:
            fields += [f"qop={self._protection}", f"nc={count}", f'cnonce="{once}"']
        return "Digest " + ", ".join(fields)

    def _h(self, text: str) -> str:
        return self._hash(text.encode("utf-8", "surrogatepass"))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
