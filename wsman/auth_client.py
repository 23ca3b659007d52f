"""Authentication of one HTTP connection, the client's side.

The client authenticates the connection before it sends anything else, without waiting for a 401,
as the Windows client does. A leg has no body if the connection will be sealed; over HTTPS the leg
that is expected to be the last carries the body. [MS-WSMV] 3.1.4.1.29, 2.2.9.1
"""

from __future__ import annotations

from collections.abc import Callable

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman.auth import (
    ACCESS_DENIED,
    CERTIFICATE_SCHEME,
    EXPLICIT_CREDENTIALS,
    INVALID_AUTHENTICATION,
    NO_IP_ADDRESS,
    SERVER_NOT_TRUSTED,
    Authentication,
    AuthenticationRefused,
    CannotAuthenticate,
    Credential,
    basic_header,
    challenges,
    decode_token,
    is_address,
    is_trusted,
    token_header,
)
from wsman.digest import DigestClient
from wsman.gss import SecurityContext, initiator
from wsman.http import Headers
from wsman.sealing import Plain, SealingFormat, seal, unseal

__all__ = ["AuthOptions", "ClientAuthenticator", "Leg"]

_METHOD = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthOptions:
    """The authentication settings for connections to one server."""

    authentication: Authentication
    credential: Credential | None = None
    """None: the ticket cache, for Kerberos and Negotiate."""
    host: str
    port: int
    secure: bool
    """True for HTTPS."""
    target: str = "/wsman"
    service: str = "HTTP"
    """The service class, the first part of the server's principal name."""
    include_port_in_spn: bool = False
    delegate: bool = False
    """Kerberos: delegate the ticket, so that the server can act for the user."""
    allow_unencrypted: bool = False
    """Allow Basic and Digest over plain HTTP, and unprotected messages."""
    no_encryption: bool = False
    """Do not seal over plain HTTP; needs ``allow_unencrypted``."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts that NTLM may be used with over HTTP: NTLM cannot prove the server's identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One request of the handshake: its headers, and whether it carries the message's body."""

    headers: Headers
    with_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mechanism:
    scheme: str
    """The scheme of the Authorization header."""
    protocol: str
    """The name of the protocol in pyspnego."""
    format: SealingFormat
    answers: tuple[str, ...]
    """Lower-case schemes that the server's token may be sent under."""


_NEGOTIATE = _Mechanism(
    scheme="Negotiate",
    protocol="negotiate",
    format=SealingFormat.SPNEGO,
    answers=("negotiate",),
)
_MECHANISMS = {
    Authentication.DEFAULT: _NEGOTIATE,
    Authentication.NEGOTIATE: _NEGOTIATE,
    Authentication.NEGOTIATE_WITH_IMPLICIT_CREDENTIAL: _NEGOTIATE,
    Authentication.NTLM: _Mechanism(
        scheme="Negotiate",
        protocol="ntlm",
        format=SealingFormat.SPNEGO,
        answers=("negotiate", "ntlm"),
    ),
    Authentication.KERBEROS: _Mechanism(
        scheme="Kerberos",
        protocol="kerberos",
        format=SealingFormat.KERBEROS,
        answers=("kerberos", "negotiate"),
    ),
    Authentication.CREDSSP: _Mechanism(
        scheme="CredSSP",
        protocol="credssp",
        format=SealingFormat.CREDSSP,
        answers=("credssp",),
    ),
}

_NEEDS_CREDENTIAL = {
    Authentication.BASIC,
    Authentication.DIGEST,
    Authentication.NTLM,
    Authentication.CREDSSP,
}


class ClientAuthenticator:
    """Authenticates one connection; each connection needs its own instance.

    `first` returns the first leg; `receive` takes each response and returns the next leg, or None
    at the end. Both raise CannotAuthenticate if our own rules forbid the next step, before anything
    secret is sent; `receive` also raises AuthenticationRefused. ``channel_binding`` is the result
    of `wsman.certificates.channel_binding` for the server's certificate; ``random`` returns random
    bytes.
    """

    def __init__(
        self,
        options: AuthOptions,
        *,
        channel_binding: bytes | None = None,
        random: Callable[[int], bytes],
    ) -> None:
        _check(options)
        self._options = options
        self._binding = channel_binding
        self._random = random
        self._mechanism = _MECHANISMS.get(options.authentication)
        self._context: SecurityContext | None = None
        self._digest: DigestClient | None = None
        self._legs = 0
        self.established = False
        """True once the server has accepted us."""

    def __repr__(self) -> str:
        kind = self._options.authentication.value
        return f"<ClientAuthenticator {kind}: established={self.established}>"

    @property
    def blocking(self) -> bool:
        """True if steps may wait for a KDC or compute for long: run them in another thread."""
        return self._mechanism is not None and self._mechanism.protocol != "ntlm"

    @property
    def seals(self) -> bool:
        """True if bodies have to be sealed, because nothing else protects them."""
        options = self._options
        return self._mechanism is not None and not options.secure and not options.no_encryption

    # -- the handshake

    def first(self) -> Leg:
        """Return the first leg."""
        kind = self._options.authentication
        if self._mechanism is not None:
            return self._token_leg(self._first_token(self._begin()))
        if kind is Authentication.DIGEST:
            return Leg(headers=(), with_body=False)
        return Leg(headers=self.headers(), with_body=True)

    def _first_token(self, context: SecurityContext) -> bytes | None:
        """Return the first token. Raises AuthenticationRefused; without a credential it says so."""
        try:
            return context.step(None)
        except AuthenticationRefused as error:
            if self._options.credential is not None:
                raise
            raise AuthenticationRefused(
                "no user name was given, and there is no Kerberos ticket to use instead: give a "
                f"credential, or get a ticket with kinit ({error})",
                error.code,
            ) from None

    def receive(self, status: int, headers: Headers) -> Leg | None:
        """Take the response to a leg; return the next leg, or None when authenticated.

        If the previous leg carried the body, the response that returns None is the answer to it.
        """
        if self.established:
            raise LocalProtocolError("the connection is authenticated already")
        if self._mechanism is not None:
            return self._receive_token(self._mechanism, status, headers)
        if self._options.authentication is Authentication.DIGEST:
            return self._receive_digest(status, headers)
        if status == 401:
            raise _refused(headers, self._options)
        self.established = True
        return None

    def _begin(self) -> SecurityContext:
        options = self._options
        assert self._mechanism is not None
        credential = options.credential
        if options.authentication is Authentication.NEGOTIATE_WITH_IMPLICIT_CREDENTIAL:
            credential = None
        host = f"{options.host}:{options.port}" if options.include_port_in_spn else options.host
        self._context = initiator(
            self._mechanism.protocol,
            credential=credential,
            host=host,
            service=options.service,
            bindings=self._binding,
            delegate=options.delegate,
        )
        return self._context

    def _token_leg(self, token: bytes | None) -> Leg:
        assert self._mechanism is not None
        assert self._context is not None
        self._legs += 1
        # NTLM ends with its second leg, Kerberos with its first; other mechanisms report the end.
        last = self._context.complete or self._legs > 1 or self._context.protocol == "kerberos"
        header = token_header(self._mechanism.scheme, token)
        return Leg(
            headers=(("Authorization", header),),
            with_body=last and not self.seals and self._mechanism.protocol != "credssp",
        )

    def _receive_token(self, mechanism: _Mechanism, status: int, headers: Headers) -> Leg | None:
        context = self._context
        if context is None:
            raise LocalProtocolError("expected first() before receive()")
        tokens = [text for scheme, text, _ in challenges(headers) if scheme in mechanism.answers]
        token = next((decode_token(text) for text in tokens if text), None)
        if status == 401:
            if token is None or context.complete:
                raise _refused(headers, self._options)
            answer = context.step(token)
            self._check_trust(context)
            if answer is None:
                raise _refused(headers, self._options)
            return self._token_leg(answer)
        if token is not None and not context.complete and (answer := context.step(token)):
            return self._token_leg(answer)
        if not context.complete:
            raise AuthenticationRefused(
                f"{mechanism.scheme}: the server answered {status} before the end of the handshake"
            )
        self.established = True
        return None

    def _check_trust(self, context: SecurityContext) -> None:
        options = self._options
        if options.secure or options.authentication is Authentication.CREDSSP:
            return
        if context.protocol == "ntlm":
            _check_ntlm_host(options)

    def _receive_digest(self, status: int, headers: Headers) -> Leg | None:
        if status != 401:
            self.established = True
            return None
        offered = [given for scheme, _, given in challenges(headers) if scheme == "digest"]
        stale = any(given.get("stale", "").lower() == "true" for given in offered)
        if not offered or (self._digest is not None and not stale):
            raise _refused(headers, self._options)
        assert self._options.credential is not None
        self._digest = DigestClient(offered[0], self._options.credential, self._random)
        return Leg(headers=self.headers(), with_body=True)

    # -- after the handshake

    def headers(self) -> Headers:
        """Return the headers that every request of the connection needs after the handshake."""
        options = self._options
        if options.authentication is Authentication.BASIC:
            assert options.credential is not None
            return (("Authorization", basic_header(options.credential)),)
        if options.authentication is Authentication.CERTIFICATE:
            return (("Authorization", CERTIFICATE_SCHEME),)
        if self._digest is not None:
            return (("Authorization", self._digest.header(_METHOD, options.target)),)
        return ()

    def seal(self, content_type: str, body: bytes) -> tuple[str, bytes]:
        """Return the Content-Type and the body to send instead of the given ones."""
        context, mechanism = self._sealing()
        return seal(mechanism.format, content_type, body, context.wrap)

    def unseal(self, content_type: str, body: bytes, *, max_size: int) -> tuple[Plain, ...]:
        """Return the messages in a sealed body. Raises SealingError, AuthenticationRefused."""
        return unseal(content_type, body, self._sealing()[0].unwrap, max_size=max_size)

    def _sealing(self) -> tuple[SecurityContext, _Mechanism]:
        if self._context is None or self._mechanism is None or not self.established:
            raise LocalProtocolError("cannot seal: the connection is not authenticated")
        return self._context, self._mechanism


def _check(options: AuthOptions) -> None:
    """Check the rules for the options and credential. Raises CannotAuthenticate."""
    kind = options.authentication
    if kind in _NEEDS_CREDENTIAL and options.credential is None:
        raise CannotAuthenticate(f"{kind.value} needs a credential", EXPLICIT_CREDENTIALS)
    if kind is Authentication.CERTIFICATE:
        if not options.secure:
            raise CannotAuthenticate("a client certificate needs HTTPS", INVALID_AUTHENTICATION)
        if options.credential is not None:
            raise CannotAuthenticate(
                "a client certificate excludes a credential", INVALID_AUTHENTICATION
            )
    if kind is Authentication.KERBEROS and is_address(options.host):
        raise CannotAuthenticate(
            f"cannot use Kerberos with the address {options.host}: it needs a name", NO_IP_ADDRESS
        )
    bare = kind in (Authentication.BASIC, Authentication.DIGEST) or options.no_encryption
    if bare and not options.secure and not options.allow_unencrypted:
        what = "messages without encryption" if options.no_encryption else kind.value
        raise CannotAuthenticate(
            f"cannot send {what} over HTTP: use HTTPS, or allow unencrypted traffic by name",
            INVALID_AUTHENTICATION,
        )
    if kind is Authentication.NTLM and not options.secure:
        _check_ntlm_host(options)


def _check_ntlm_host(options: AuthOptions) -> None:
    if not is_trusted(options.host, options.trusted_hosts):
        raise CannotAuthenticate(
            f"cannot use NTLM with {options.host} over HTTP: it does not prove who the server is, "
            "and the host is not among the trusted hosts; use HTTPS or trust the host",
            SERVER_NOT_TRUSTED,
        )


def _refused(headers: Headers, options: AuthOptions) -> AuthenticationRefused:
    offered = tuple(dict.fromkeys(scheme for scheme, _, _ in challenges(headers)))
    schemes = ", ".join(offered) or "nothing"
    wanted = options.authentication.value
    if not offered or wanted in (*offered, "default"):
        why = (
            "the server refused the user name or the password, or the account may not use this way"
        )
    else:
        why = f"the server does not take {wanted}"
    return AuthenticationRefused(
        f"access is denied: {why} (it offers {schemes})",
        ACCESS_DENIED,
        offered,
    )
