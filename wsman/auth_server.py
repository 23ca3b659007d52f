"""Authentication of one HTTP connection, the server's side.

`ServerAuthenticator.receive` takes the Authorization header of each request and returns the next
step: ask the client for more, check a password, or serve the request. Negotiate, Kerberos,
CredSSP and NTLM authenticate the connection, so later requests have no header; Basic and
certificates are checked for every request. A client may authenticate again on an open
connection. [MS-WSMV] 3.1.4.1.29
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import field
from enum import Enum

from spnego.tls import CredSSPTLSContext

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman.accounts import Accounts, LogonGuard
from wsman.auth import (
    CERTIFICATE_SCHEME,
    AuthenticationRefused,
    basic_credential,
    decode_token,
    token_header,
)
from wsman.certificates import CertificateMapping, ClientCertificate, account_of
from wsman.gss import AcceptorOptions, SecurityContext, acceptor
from wsman.http import Headers
from wsman.sealing import Plain, SealingFormat, seal, unseal

__all__ = [
    "Accepted",
    "Challenge",
    "ChannelBindings",
    "PasswordCheck",
    "ServerAuthOptions",
    "ServerAuthenticator",
]

_MAX_TOKEN = 64 << 10
_FORMATS = {
    "negotiate": SealingFormat.SPNEGO,
    "ntlm": SealingFormat.SPNEGO,
    "kerberos": SealingFormat.KERBEROS,
    "credssp": SealingFormat.CREDSSP,
}
_NAMES = {
    "negotiate": "Negotiate",
    "ntlm": "NTLM",
    "kerberos": "Kerberos",
    "credssp": "CredSSP",
}


class ChannelBindings(Enum):
    """CbtHardeningLevel: the channel binding required of clients over HTTPS."""

    NONE = "none"
    RELAXED = "relaxed"
    """Refuse a client that binds to another channel."""
    STRICT = "strict"
    """Refuse also an NTLM client that binds to no channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAuthOptions:
    """The authentication methods and accounts that a server accepts."""

    accounts: Accounts | None = None
    kerberos: bool = False
    """True if a keytab and the Kerberos libraries are available."""
    principals: tuple[str, ...] = ("*",)
    """Kerberos names that are accepted: a name, or a pattern with ``*`` at either end."""
    credssp: CredSSPTLSContext | None = None
    """The certificate for CredSSP; None if CredSSP is not offered."""
    mappings: tuple[CertificateMapping, ...] = ()
    """Accounts of client certificates; empty if certificates are not accepted."""
    allow_unencrypted: bool = False
    """Allow Basic and unprotected messages over plain HTTP."""
    bindings: ChannelBindings = ChannelBindings.RELAXED
    computer: str = "localhost"
    """This machine's name, for NTLM."""

    @property
    def ntlm(self) -> bool:
        return self.accounts is not None and self.accounts.has_nt_hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Answer 401 with these headers after ``delay`` seconds, and discard the request's body."""

    headers: Headers
    delay: float = 0.0
    failed: bool = False
    """True if a log-on failed; False if the handshake continues."""
    user: str = ""
    """The name that a failed log-on gave, as far as it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordCheck:
    """Check a password, which is slow, and pass the account's name to `checked`."""

    user_name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Serve the request for ``user``; add ``headers`` to the response."""

    user: str
    scheme: str
    headers: Headers = ()
    mechanism: str = ""
    """The mechanism that authenticated the user: ``Basic``, ``NTLM``, ``Kerberos``, ``CredSSP`` or
    ``Certificate``."""
    interactive: bool = False
    """True for an interactive log-on on this machine."""


class ServerAuthenticator:
    """Authenticates one connection.

    ``channel_binding`` is the server's own on HTTPS; ``certificate`` is the client's, verified by
    TLS; ``address`` is the client's, for counting failures. ``random`` returns random bytes and
    ``wall_time`` the seconds since 1970.
    """

    def __init__(
        self,
        options: ServerAuthOptions,
        guard: LogonGuard,
        *,
        secure: bool,
        address: str = "",
        channel_binding: bytes | None = None,
        certificate: ClientCertificate | None = None,
        random: Callable[[int], bytes],
        wall_time: Callable[[], float],
    ) -> None:
        self._options = options
        self._guard = guard
        self._secure = secure
        self._address = address
        self._binding = channel_binding
        self._certificate = certificate
        self._random = random
        self._wall_time = wall_time
        self._scheme = ""
        self._context: SecurityContext | None = None
        self._user = ""
        self._key = random(16)
        self._proven = b""
        self._proven_user = ""
        self._checking = b""
        self._claimed = ""
        self._found = ""

    def __repr__(self) -> str:
        return f"<ServerAuthenticator: {self._scheme or 'nobody'}>"

    @property
    def offers(self) -> Headers:
        """The WWW-Authenticate headers of a 401: the schemes that this listener accepts."""
        options = self._options
        found = []
        if options.ntlm or options.kerberos:
            found.append("Negotiate")
        if options.kerberos:
            found.append("Kerberos")
        if options.credssp is not None and (options.ntlm or options.kerberos):
            found.append("CredSSP")
        if self._takes_basic:
            found.append('Basic realm="WSMAN"')
        return tuple(("WWW-Authenticate", each) for each in found)

    @property
    def _takes_basic(self) -> bool:
        options = self._options
        return options.accounts is not None and (self._secure or options.allow_unencrypted)

    @property
    def must_seal(self) -> bool:
        """True if requests have to be sealed, because nothing else protects them."""
        return not self._secure and not self._options.allow_unencrypted

    # -- the handshake

    def receive(
        self, authorization: str | None, now: float, *, uri: str = ""
    ) -> Challenge | PasswordCheck | Accepted:
        """Take the Authorization header of a request, None if it has none.

        ``uri`` is the resource URI of the request, for client certificates.
        """
        if authorization is None:
            if self._user:
                return Accepted(user=self._user, scheme=self._scheme, mechanism=self._mechanism)
            return Challenge(headers=self.offers)
        scheme, _, value = authorization.strip().partition(" ")
        kind = scheme.lower()
        if authorization.strip().lower() == CERTIFICATE_SCHEME:
            return self._receive_certificate(now, uri)
        if kind == "basic":
            return self._receive_basic(value.strip(), now)
        if kind in _FORMATS and len(value) <= _MAX_TOKEN:
            return self._receive_token(kind, value.strip(), now)
        return Challenge(headers=self.offers)

    def _fail(self, user: str, now: float) -> Challenge:
        self._forget()
        delay = self._guard.failure(user, self._address, now)
        return Challenge(headers=self.offers, delay=delay, failed=True, user=user)

    def _forget(self) -> None:
        self._context = None
        self._user = ""
        self._scheme = ""

    # -- Basic

    def _receive_basic(self, value: str, now: float) -> Challenge | PasswordCheck | Accepted:
        if not self._takes_basic:
            return Challenge(headers=self.offers)
        credential = basic_credential(value)
        if credential is None:
            return self._fail("", now)
        # Hashing takes 50 ms: each connection hashes the same password only once.
        proof = hmac.new(self._key, value.encode(), hashlib.sha256).digest()
        if self._proven and hmac.compare_digest(proof, self._proven):
            return Accepted(user=self._proven_user, scheme="Basic", mechanism="Basic")
        self._checking = proof
        self._claimed = credential.user_name
        return PasswordCheck(user_name=credential.user_name, password=credential.password)

    def checked(self, account: str | None, now: float) -> Challenge | Accepted:
        """Take the result of a PasswordCheck: the account's name, or None."""
        if not self._checking:
            raise LocalProtocolError("no password is being checked")
        proof, self._checking = self._checking, b""
        if account is None:
            return self._fail(self._claimed, now)
        self._proven, self._proven_user = proof, account
        self._guard.success(account, self._address)
        return Accepted(user=account, scheme="Basic", mechanism="Basic")

    # -- certificates

    def _receive_certificate(self, now: float, uri: str) -> Challenge | Accepted:
        if self._certificate is None or not self._options.mappings:
            return Challenge(headers=self.offers)
        account = account_of(self._options.mappings, self._certificate, uri)
        if account is None:
            return self._fail("", now)
        self._guard.success(account, self._address)
        return Accepted(user=account, scheme="Certificate", mechanism="Certificate")

    # -- tokens

    def _receive_token(self, kind: str, value: str, now: float) -> Challenge | Accepted:
        if not self._offers_scheme(kind):
            return Challenge(headers=self.offers)
        context = self._context
        if context is None or context.complete or self._scheme != kind:
            self._forget()
            self._scheme = kind
            context = self._context = acceptor(
                "negotiate" if kind == "ntlm" else kind, self._acceptor_options()
            )
        try:
            answer = context.step(decode_token(value))
        except AuthenticationRefused:
            return self._fail(self._name_in(context), now)
        header = (("WWW-Authenticate", token_header(_NAMES[kind], answer)),)
        if not context.complete:
            if answer is None:
                return self._fail(self._name_in(context), now)
            return Challenge(headers=header)
        user = self._account(context)
        if user is None:
            return self._fail(self._name_in(context), now)
        self._user = user
        self._guard.success(user, self._address)
        return Accepted(
            user=user,
            scheme=kind,
            headers=header if answer else (),
            mechanism=self._mechanism,
        )

    @property
    def _mechanism(self) -> str:
        context = self._context
        if self._scheme == "credssp" or context is None:
            return _NAMES.get(self._scheme, "")
        return _NAMES.get(context.protocol, "")

    def _offers_scheme(self, kind: str) -> bool:
        options = self._options
        if kind == "ntlm":
            return options.ntlm
        if kind == "kerberos":
            return options.kerberos
        if kind == "credssp" and options.credssp is None:
            return False
        return options.ntlm or options.kerberos

    def _acceptor_options(self) -> AcceptorOptions:
        options = self._options
        bound = self._secure and options.bindings is not ChannelBindings.NONE
        return AcceptorOptions(
            find_hash=self._find_hash if options.ntlm else None,
            kerberos=options.kerberos,
            computer=options.computer,
            random=self._random,
            wall_time=self._wall_time,
            bindings=self._binding if bound else None,
            strict=options.bindings is ChannelBindings.STRICT,
            tls=options.credssp,
        )

    def _find_hash(self, user: str, domain: str) -> bytes | None:
        self._claimed, self._found = user, ""
        assert self._options.accounts is not None
        account = self._options.accounts.find(user, domain)
        if account is None or not account.nt_hash:
            return None
        self._found = account.name
        return account.nt_hash

    def _name_in(self, context: SecurityContext) -> str:
        return self._claimed if context.protocol != "kerberos" else ""

    def _account(self, context: SecurityContext) -> str | None:
        """Return the user's name: the account's for NTLM, the principal for Kerberos."""
        peer = context.peer
        if context.protocol == "kerberos":
            return peer if _is_allowed(peer, self._options.principals) else None
        return self._found or None

    # -- sealing

    @property
    def can_seal(self) -> bool:
        """True if the connection has a context that can seal."""
        return self._context is not None and bool(self._user)

    def seal(self, content_type: str, body: bytes) -> tuple[str, bytes]:
        """Return the Content-Type and the body to answer with instead of the given ones."""
        context = self._sealing()
        return seal(_FORMATS[self._scheme], content_type, body, context.wrap)

    def unseal(self, content_type: str, body: bytes, *, max_size: int) -> tuple[Plain, ...]:
        """Return the messages in a sealed body. Raises SealingError, AuthenticationRefused."""
        return unseal(content_type, body, self._sealing().unwrap, max_size=max_size)

    def _sealing(self) -> SecurityContext:
        if self._context is None or not self._user:
            raise LocalProtocolError("cannot seal: the connection is not authenticated")
        return self._context


def _is_allowed(principal: str, patterns: tuple[str, ...]) -> bool:
    for each in patterns:
        if each.startswith("*"):
            if principal.endswith(each[1:]):
                return True
        elif each.endswith("*"):
            if principal.startswith(each[:-1]):
                return True
        elif principal == each:
            return True
    return False
