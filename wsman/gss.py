"""Security contexts over pyspnego, with one interface for both roles.

pyspnego, the Kerberos library and the TLS library raise more exception types for a peer's token
than they document. All of them become `wsman.auth.AuthenticationRefused`; failures before the
peer is contacted become `wsman.auth.CannotAuthenticate`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import spnego
from spnego._context import GSSMech
from spnego._negotiate import NegotiateProxy
from spnego._spnego import NegTokenInit, unpack_token
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import NegotiateOptions
from spnego.tls import CredSSPTLSContext

from psrp.frozen import dataclass
from wsman.auth import (
    KERBEROS_DISABLED,
    LOGON_FAILURE,
    AuthenticationRefused,
    CannotAuthenticate,
    Credential,
)
from wsman.ntlm_acceptor import NtlmAcceptor

__all__ = [
    "AcceptorOptions",
    "SecurityContext",
    "acceptor",
    "can_kerberos",
    "initiator",
]

_MIN_CREDSSP = 5
"""The first version of CredSSP that is not vulnerable to CVE-2018-0886."""


class SecurityContext:
    """One negotiation and the sealing after it."""

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    def __repr__(self) -> str:
        return f"<SecurityContext: {self.protocol or 'new'}, complete={self.complete}>"

    @property
    def complete(self) -> bool:
        return bool(self._proxy.complete)

    @property
    def protocol(self) -> str:
        """``ntlm`` or ``kerberos``, once negotiated."""
        return self._translated("protocol", lambda: self._proxy.negotiated_protocol) or ""

    @property
    def peer(self) -> str:
        """Acceptor: the client's name in the form of its mechanism."""
        return self._translated("name", lambda: self._proxy.client_principal) or ""

    @property
    def delegated(self) -> Credential | None:
        """Acceptor of CredSSP: the credential that the client delegated."""
        given = self._proxy.get_extra_info("client_credential")
        if given is None:
            return None
        domain = f"{given.domain_name}\\" if given.domain_name else ""
        return Credential(user_name=domain + given.username, password=given.password)

    def step(self, token: bytes | None) -> bytes | None:
        """Take the peer's token; return the token to send. Raises AuthenticationRefused."""
        made: bytes | None = self._translated("token", lambda: self._proxy.step(token))
        return made

    def wrap(self, data: bytes) -> tuple[bytes, bytes, int]:
        """Seal bytes; return the security header, the data and the length of padding in it."""
        made = self._translated("sealing", lambda: self._proxy.wrap_winrm(data))
        return made.header, made.data, made.padding_length

    def unwrap(self, header: bytes, data: bytes) -> bytes:
        """Unseal bytes. Raises AuthenticationRefused."""
        opened = self._translated("unsealing", lambda: self._proxy.unwrap_winrm(header, data))
        return bytes(opened)

    def _translated(self, what: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (AuthenticationRefused, CannotAuthenticate):
            raise
        except Exception as error:
            # SpnegoError, GSSError, SSLError, AttributeError, StopIteration, struct.error ...
            text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            raise AuthenticationRefused(f"{what} cannot be used: {text}", LOGON_FAILURE) from None


def can_kerberos() -> bool:
    """Return whether the Kerberos libraries are installed."""
    return all(importlib.util.find_spec(each) is not None for each in ("gssapi", "krb5"))


def bindings_of(application_data: bytes | None) -> GssChannelBindings | None:
    if application_data is None:
        return None
    return GssChannelBindings(application_data=application_data)


# -- the client's side


def initiator(
    protocol: str,
    *,
    credential: Credential | None,
    host: str,
    service: str,
    bindings: bytes | None = None,
    delegate: bool = False,
) -> SecurityContext:
    """Return a client's context for ``ntlm``, ``kerberos``, ``negotiate`` or ``credssp``.

    Without a credential, Kerberos uses the ticket cache. Raises CannotAuthenticate.
    """
    flags = spnego.ContextReq.default
    if delegate:
        flags |= spnego.ContextReq.delegate
    if protocol == "kerberos" and not can_kerberos():
        raise CannotAuthenticate(
            "cannot use Kerberos: its libraries are missing; install psremoting[kerberos]",
            KERBEROS_DISABLED,
        )
    kwargs: dict[str, Any] = {}
    if protocol == "credssp":
        kwargs["credssp_min_protocol"] = _MIN_CREDSSP
    try:
        proxy = spnego.client(
            credential.user_name if credential else None,
            credential.password if credential else None,
            hostname=host,
            service=service,
            channel_bindings=bindings_of(bindings),
            context_req=flags,
            protocol=protocol,
            options=NegotiateOptions.wrapping_winrm,
            **kwargs,
        )
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        raise CannotAuthenticate(f"cannot use {protocol}: {text}", KERBEROS_DISABLED) from None
    return SecurityContext(proxy)


# -- the server's side


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptorOptions:
    """The data for a server's contexts; see `wsman.ntlm_acceptor.NtlmAcceptor`."""

    find_hash: Callable[[str, str], bytes | None] | None
    """None if NTLM is not accepted."""
    kerberos: bool
    computer: str
    random: Callable[[int], bytes]
    wall_time: Callable[[], float]
    bindings: bytes | None = None
    strict: bool = False
    tls: CredSSPTLSContext | None = None
    """The certificate for CredSSP; None if CredSSP is not accepted."""


def acceptor(protocol: str, options: AcceptorOptions) -> SecurityContext:
    """Return a server's context: ``negotiate`` accepts SPNEGO and bare Kerberos or NTLM tokens."""
    if protocol != "credssp":
        return SecurityContext(_Acceptor(protocol, options))
    proxy = spnego.server(
        protocol="credssp",
        credssp_negotiate_context=_Acceptor("negotiate", options),
        credssp_tls_context=options.tls,
        credssp_min_protocol=_MIN_CREDSSP,
    )
    return SecurityContext(proxy)


class _Acceptor:
    """Selects the mechanism by the client's first token, then delegates to its context.

    pyspnego's SPNEGO assumes that the client offered every mechanism that it supports itself, and
    that the client's first token is for the mechanism that it prefers. So it is given exactly one
    mechanism, the client's first that this server supports, and only tokens of that mechanism.
    """

    def __init__(self, protocol: str, options: AcceptorOptions) -> None:
        self._protocol = protocol
        self._options = options
        self._proxy: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._proxy is None:
            return False if name == "complete" else None
        return getattr(self._proxy, name)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def step(self, token: bytes | None = None, **_: Any) -> bytes | None:
        token = token or b""
        if self._proxy is None:
            token = self._choose(token)
        made: bytes | None = self._proxy.step(token)
        return made

    def _choose(self, token: bytes) -> bytes:
        """Create the context for a client's first token; return the token to start it with."""
        if self._protocol == "kerberos":
            self._proxy = self._kerberos()
            return token
        read = unpack_token(token) if token else b""
        if not isinstance(read, NegTokenInit):
            ntlm = token.startswith(b"NTLMSSP\0")
            self._proxy = self._ntlm() if ntlm else self._kerberos()
            return token
        for place, oid in enumerate(read.mech_types):
            if (mechanism := self._mechanism(oid)) is None:
                continue
            kind = GSSMech.ntlm if isinstance(mechanism, NtlmAcceptor) else GSSMech.kerberos
            self._proxy = NegotiateProxy(
                usage="accept",
                hostname="unspecified",
                service="host",
                _negotiate_contexts={kind: mechanism},
            )
            if place == 0:
                return token
            return NegTokenInit(mech_types=read.mech_types).pack()
        raise AuthenticationRefused("the client offers no mechanism that this server has")

    def _mechanism(self, oid: str) -> Any:
        if oid == GSSMech.ntlm.value:
            return self._ntlm() if self._options.find_hash is not None else None
        try:
            kerberos = GSSMech.from_oid(oid).is_kerberos_oid
        except ValueError:
            return None
        return self._kerberos() if kerberos and self._options.kerberos else None

    def _ntlm(self) -> NtlmAcceptor:
        options = self._options
        if options.find_hash is None:
            raise AuthenticationRefused("this server has no NTLM")
        packed = bindings_of(options.bindings)
        return NtlmAcceptor(
            find_hash=options.find_hash,
            computer=options.computer,
            random=options.random,
            wall_time=options.wall_time(),
            bindings=packed.pack() if packed else None,
            strict=options.strict,
        )

    def _kerberos(self) -> Any:
        if not self._options.kerberos:
            raise AuthenticationRefused("this server has no Kerberos")
        proxy = spnego.server(
            protocol="kerberos",
            channel_bindings=bindings_of(self._options.bindings),
            options=NegotiateOptions.wrapping_winrm,
        )
        proxy._is_wrapped = True
        return proxy
