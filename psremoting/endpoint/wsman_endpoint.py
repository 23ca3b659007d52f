"""Assembly of a WS-Man endpoint: accounts, certificates, engines, service and listeners."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import trio

from psremoting.endpoint.accounts_file import AccountsFile
from psremoting.endpoint.wsman_host import WSManHost
from psremoting.version import __version__
from psrp.sansio import LocalProtocolError
from wsman.auth_server import ChannelBindings, ServerAuthOptions
from wsman.certificates import CertificateMapping, parse_mappings
from wsman.gss import can_kerberos
from wsman.service import Service
from wsman.service_checks import ServiceLimits
from wsman.trio_server import Listener, ServerLimits, WSManServer
from wsman.trio_tls import TlsIdentity, credssp_identity

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine
    from wsman.taps import MakeTap

__all__ = ["Address", "EndpointSettings", "parse_address", "serve_wsman"]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Listening addresses; port 0 selects a free port."""

    host: str = "127.0.0.1"
    port: int


def parse_address(text: str) -> Address:
    """Read ``PORT``, ``HOST:PORT`` or ``[ADDRESS]:PORT``. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected [HOST:]PORT, got {text!r}")
    host = host.removeprefix("[").removesuffix("]")
    return Address(host=host or "127.0.0.1", port=int(port))


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """The settings of `psrp serve --http` and `--https`."""

    http: Sequence[Address] = ()
    https: Sequence[Address] = ()
    certificate: Path | None = None
    certificate_key: Path | None = None
    accounts: Path | None = None
    keytab: Path | None = None
    principals: tuple[str, ...] = ("*",)
    client_ca: Path | None = None
    certificate_mappings: Path | None = None
    allow_unencrypted: bool = False
    credssp: bool = True
    channel_bindings: ChannelBindings = ChannelBindings.RELAXED
    programs: bool = False
    """Allow clients to run local programs in winrs shells."""
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    server_limits: ServerLimits = field(default_factory=ServerLimits)


async def serve_wsman(
    settings: EndpointSettings,
    configurations: Mapping[str, Engine],
    *,
    stop: trio.Event | None = None,
    on_listening: Callable[[str], None] = lambda url: None,
    report: Callable[[str], None] = lambda text: None,
    tap: MakeTap | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until ``stop`` is set.

    ``on_listening`` gets the URL of each listener once it is ready; ``tap`` is that of
    `WSManServer`. Raises LocalProtocolError for
    settings that cannot be used, OSError.
    """
    auth = _authentication(settings, report)
    listeners = _listeners(settings)
    stop = trio.Event() if stop is None else stop
    host = WSManHost(configurations, programs=settings.programs, report=report)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        service = Service(
            host,
            limits=settings.limits,
            new_id=uuid4,
            on_wake=lambda: server.wake(),
            version=__version__,
        )
        server = WSManServer(
            service,
            auth,
            max_body=settings.limits.max_envelope_size,
            limits=settings.server_limits,
            report=report,
            tap=tap,
        )
        nursery.start_soon(_stop_on_signal, stop)
        await server.serve(listeners, stop=stop, on_listening=on_listening)
        # Cancel the sessions that did not end after the request.
        with trio.move_on_after(settings.server_limits.grace):
            await host.ended()
        nursery.cancel_scope.cancel()


async def _stop_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()


def _authentication(settings: EndpointSettings, report: Callable[[str], None]) -> ServerAuthOptions:
    accounts = None
    if settings.accounts is not None:
        accounts = AccountsFile(settings.accounts)
        if not accounts.is_private:
            report(f"warning: others can read {settings.accounts}; it should have mode 600")
    mappings: tuple[CertificateMapping, ...] = ()
    if settings.certificate_mappings is not None:
        mappings = parse_mappings(settings.certificate_mappings.read_text("utf-8"))
    if settings.keytab is not None:
        if not can_kerberos():
            raise LocalProtocolError(
                "cannot use a keytab: the Kerberos libraries are missing; install "
                "psremoting[kerberos]"
            )
        settings.keytab.open("rb").close()
        os.environ["KRB5_KTNAME"] = f"FILE:{settings.keytab.absolute()}"
    if accounts is None and settings.keytab is None and not mappings:
        raise LocalProtocolError("no client could sign in: expected accounts, a keytab or mappings")
    options = ServerAuthOptions(
        accounts=accounts,
        kerberos=settings.keytab is not None,
        principals=settings.principals,
        mappings=mappings,
        allow_unencrypted=settings.allow_unencrypted,
        bindings=settings.channel_bindings,
        computer=socket.gethostname(),
    )
    if settings.credssp and (options.ntlm or options.kerberos):
        with tempfile.TemporaryDirectory() as folder:
            options = replace(options, credssp=credssp_identity(Path(folder)))
    return options


def _listeners(settings: EndpointSettings) -> list[Listener]:
    made = [Listener(host=each.host, port=each.port) for each in settings.http]
    if settings.https:
        if settings.certificate is None:
            raise LocalProtocolError("HTTPS needs a certificate")
        identity = TlsIdentity(settings.certificate, settings.certificate_key, settings.client_ca)
        made += [Listener(host=each.host, port=each.port, tls=identity) for each in settings.https]
    return made
