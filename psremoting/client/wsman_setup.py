"""Connections and headers for a WS-Man target and the options of a session."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from psremoting import errors
from wsman.auth import Authentication, CannotAuthenticate
from wsman.auth import Credential as WSManCredential
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.errors import ACCESS_DENIED, TransportFailure
from wsman.locations import Location
from wsman.requests import ShellConfig
from wsman.trio_client import SESSION_ID
from wsman.trio_client_tls import TlsOptions
from wsman.trio_connection import Endpoint, Proxy
from wsman.trio_pool import Connections, Redirection

if TYPE_CHECKING:
    from uuid import UUID

    from psremoting.options import SessionOption
    from psremoting.wsman_target import WSManTarget
    from psrp.clixml import Credential

__all__ = ["buffer_mode", "check", "connections", "shell_config"]

TRUSTED_HOSTS = "PSRP_TRUSTED_HOSTS"
"""Environment variable: patterns of hosts, separated by commas."""
_LONGEST = 180.0


def _credential(given: Credential | None) -> WSManCredential | None:
    if given is None:
        return None
    return WSManCredential(user_name=given.user_name, password=given.password.reveal())


def _auth(target: WSManTarget, location: Location, options: SessionOption) -> AuthOptions:
    try:
        kind = Authentication(target.authentication.lower())
    except ValueError:
        known = ", ".join(each.value for each in Authentication)
        text = f"expected one of {known} for the authentication, got {target.authentication!r}"
        raise errors.PSRemotingError(text, error_id="CreateRemoteRunspaceFailed") from None
    if target.certificate and kind is Authentication.DEFAULT:
        kind = Authentication.CERTIFICATE
    return AuthOptions(
        authentication=kind,
        credential=_credential(target.credential),
        host=location.host,
        port=location.port,
        secure=location.secure,
        target=location.path,
        include_port_in_spn=options.include_port_in_spn,
        allow_unencrypted=target.allow_unencrypted,
        no_encryption=options.no_encryption and not location.secure,
        trusted_hosts=target.trusted_hosts + _trusted_by_environment(),
    )


def _trusted_by_environment() -> tuple[str, ...]:
    text = os.environ.get(TRUSTED_HOSTS, "")
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _proxy(target: WSManTarget, options: SessionOption) -> Proxy | None:
    if not target.proxy:
        return None
    return Proxy(
        location=Location.of_url(target.proxy),
        authentication=Authentication(options.proxy_authentication),
        credential=_credential(options.proxy_credential),
    )


def check(target: WSManTarget, options: SessionOption) -> None:
    """Refuse what must not be tried, before anything is sent. Raises TransportFailure."""
    if target.local_socket:
        return
    try:
        ClientAuthenticator(_auth(target, target.location, options), random=os.urandom)
    except CannotAuthenticate as error:
        code = error.code or ACCESS_DENIED
        raise TransportFailure(str(error), code=code, final=True) from error


def connections(target: WSManTarget, options: SessionOption) -> Connections:
    """Make the connections to a target; nothing is opened yet. Raises PSRemotingError."""
    location = target.location
    cookies: dict[str, str] = {}
    tls = TlsOptions(
        ca_file=target.ca_file,
        pinned=target.pinned_certificate,
        skip_ca_check=options.skip_ca_check,
        skip_cn_check=options.skip_cn_check,
        skip_revocation_check=options.skip_revocation_check,
        certificate=target.certificate,
        key=target.key,
    )
    proxy = _proxy(target, options)
    limit = min(options.open_timeout, _LONGEST)
    _auth(target, location, options)

    def endpoint(place: Location) -> Endpoint:
        return Endpoint(
            location=place,
            auth=_auth(target, place, options),
            tls=tls,
            proxy=proxy,
            connect_timeout=limit,
            tap=options.recorder.exchanges if options.recorder is not None else None,
            cookies=cookies if place.host == location.host else {},
            unix_path=target.local_socket,
            interactive=target.interactive,
        )

    count = options.max_connection_redirections if target.allow_redirection else 0
    return Connections(location, endpoint, Redirection(count=count, hosts=("*",)))


def buffer_mode(output_buffering_mode: str) -> str:
    """Return the BufferMode of a request; None means the server's and is not sent."""
    return "" if output_buffering_mode == "None" else output_buffering_mode


def shell_config(
    target: WSManTarget, pool_id: UUID | None, options: SessionOption, name: str = ""
) -> ShellConfig:
    """Return the envelope settings of a session. ``pool_id`` is None outside a session."""
    waits = options.operation_timeout
    return ShellConfig(
        url=target.location.url,
        resource_uri=target.resource_uri,
        shell_id=str(pool_id).upper() if pool_id is not None else "",
        session_id=SESSION_ID,
        name=name,
        operation_timeout=_LONGEST if math.isinf(waits) else waits,
        locale=options.ui_culture or "en-US",
        data_locale=options.culture or "en-US",
        idle_timeout=options.idle_timeout,
        buffer_mode=buffer_mode(options.output_buffering_mode),
        compress=options.no_compression is False,
        utf_16=options.use_utf16,
        no_profile=options.no_machine_profile,
        retries=options.max_connection_retries,
    )
