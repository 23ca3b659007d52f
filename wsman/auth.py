"""The vocabulary of authentication over HTTP: mechanisms, credentials, headers, refusals.

The state machines are in `wsman.auth_client` and `wsman.auth_server`. [MS-WSMV] 2.2.9.1,
3.1.4.1.29 and 3.2.4.1.22, RFC 9110 11
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsman.http import Headers

__all__ = [
    "CERTIFICATE_SCHEME",
    "Authentication",
    "AuthenticationRefused",
    "CannotAuthenticate",
    "Credential",
    "basic_credential",
    "basic_header",
    "challenges",
    "is_loopback",
    "is_trusted",
    "token_header",
]

CERTIFICATE_SCHEME = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
"""The Authorization header of a client that authenticates with its TLS certificate."""

ACCESS_DENIED = 5
LOGON_FAILURE = 1326
INVALID_AUTHENTICATION = 2150859022
SERVER_NOT_TRUSTED = 2150858980
EXPLICIT_CREDENTIALS = 2150858981
KERBEROS_DISABLED = 2150858978
NO_IP_ADDRESS = 2150859195


class Authentication(Enum):
    """The values of ``-Authentication``, and the raw NTLM of other clients."""

    DEFAULT = "default"
    BASIC = "basic"
    NEGOTIATE = "negotiate"
    NEGOTIATE_WITH_IMPLICIT_CREDENTIAL = "negotiate-with-implicit-credential"
    KERBEROS = "kerberos"
    NTLM = "ntlm"
    CREDSSP = "credssp"
    DIGEST = "digest"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user's name, with or without a domain, and the password."""

    user_name: str
    password: str = field(repr=False)


class CannotAuthenticate(LocalProtocolError):
    """Our own rules forbid this kind of authentication, or a prerequisite is missing.

    ``code`` is the WS-Management error code for the same situation, or None.
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class AuthenticationRefused(RemoteProtocolError):
    """The peer refuses to authenticate us, or its tokens cannot be used.

    ``offered`` names the schemes that a server offered instead.
    """

    def __init__(self, text: str, code: int = ACCESS_DENIED, offered: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code = code
        self.offered = offered


# -- headers


def basic_header(credential: Credential) -> str:
    """Return the Authorization header of Basic. Raises CannotAuthenticate: colon in the name."""
    if ":" in credential.user_name:
        raise CannotAuthenticate("cannot use Basic: the user name contains a colon")
    text = f"{credential.user_name}:{credential.password}"
    return "Basic " + base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def basic_credential(value: str) -> Credential | None:
    """Return the credential in the text after ``Basic``, or None if it cannot be read.

    Names and passwords are UTF-8; bytes that are not UTF-8 are read as Latin-1, for old clients.
    """
    try:
        octets = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    name, colon, password = text.partition(":")
    return Credential(user_name=name, password=password) if colon and name else None


def token_header(scheme: str, token: bytes | None) -> str:
    """Return a header with a token, or with the scheme's name alone."""
    return f"{scheme} {base64.b64encode(token).decode()}" if token else scheme


_SCHEME = re.compile(r"\s*(?:,\s*)*([A-Za-z][A-Za-z0-9_-]*)(?:\s+|$|(?=,))")
_TOKEN = re.compile(r"[A-Za-z0-9+/]+={0,2}\s*(?=,|$)")
_PARAMETER = re.compile(
    r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.){0,4096}"|[^\s",]{0,4096})'
)


def challenges(headers: Headers) -> list[tuple[str, str, dict[str, str]]]:
    """Return the challenges in ``WWW-Authenticate`` headers: lower-case scheme, token, parameters.

    One header may contain several challenges. Text that is not a challenge is skipped.
    """
    found: list[tuple[str, str, dict[str, str]]] = []
    for name, value in headers:
        if name.lower() != "www-authenticate":
            continue
        at = 0
        while match := _SCHEME.match(value, at):
            scheme, at = match[1].lower(), match.end()
            token = ""
            parameters: dict[str, str] = {}
            if word := _TOKEN.match(value, at):
                token, at = word[0].strip(), word.end()
            else:
                while part := _PARAMETER.match(value, at):
                    parameters[part[1].lower()] = _unquoted(part[2])
                    at = part.end()
            found.append((scheme, token, parameters))
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def decode_token(text: str) -> bytes:
    """Return a token's bytes. Raises AuthenticationRefused for invalid base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise AuthenticationRefused("expected a token in base64") from None


# -- hosts that may receive a weakly protected password


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    name = host.strip("[]").lower()
    if name in ("localhost", "."):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Return whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_trusted(host: str, patterns: Iterable[str]) -> bool:
    """Return whether a host is in a TrustedHosts list; loopback always is.

    A pattern is a name, ``*``, a name with ``*`` at either end, or ``<local>`` for every name
    without a dot. Names are compared without case.
    """
    name = host.strip("[]").lower()
    if is_loopback(host):
        return True
    for each in patterns:
        pattern = each.strip().strip("[]").lower()
        if pattern == "<local>":
            if "." not in name and ":" not in name:
                return True
        elif pattern and re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name):
            return True
    return False
