"""The server of an administered endpoint: what `psrp endpoint serve` runs.

Listeners, accounts and session configurations come from the store. A change takes effect without a
restart: configurations and accounts at the next connection, listeners within a second. Besides the
network the server listens at two sockets of this machine: one for loopback connections, whose
users the kernel names, and one for the sshd subsystem `psrp endpoint subsystem`.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import trio

from psremoting.administration.configurations import AdministrationError, ListenerSetting
from psremoting.administration.service_settings import SETTING_DEFAULTS, service_limits
from psremoting.administration.sockets import (
    inherited_socket,
    is_served,
    local_socket,
    subsystem_socket,
)
from psremoting.administration.store import Store
from psremoting.endpoint.administered_host import AdministeredHost, SSHEngine
from psremoting.endpoint.administered_sessions import SessionBook
from psremoting.endpoint.driver import serve_wire
from psremoting.endpoint.store_accounts import StoreAccounts
from psremoting.endpoint.wsman_host import DEFAULT_CONFIGURATION
from psremoting.local_users import user_name
from psremoting.version import __version__
from psrp.sansio import LocalProtocolError, RemoteProtocolError
from sshsub.trio_stream import StreamWire
from wsman.auth_server import ServerAuthOptions
from wsman.gss import can_kerberos
from wsman.hosting import Refusal
from wsman.service import Service
from wsman.trio_server import Listener, Logon, ServerLimits, WSManServer
from wsman.trio_tls import TlsIdentity, credssp_identity
from wsman.trio_unix import peer_uid, unix_listener

__all__ = ["AdministeredEndpoint"]

_LOOK = 0.5
"""Seconds between two looks at the listeners of the store."""
_MOST_PREFACE = 1024
_PREFACE_TIME = 10.0


class _NoPreface(RemoteProtocolError):
    """The process that connected did not send the line of the subsystem."""


class AdministeredEndpoint:
    """One server with a store. `serve` runs it."""

    def __init__(self, store: Store, *, report: Callable[[str], None] = lambda text: None) -> None:
        self._store = store
        self._report = report
        self._accounts = StoreAccounts(store, report=report)
        settings = store.settings()
        self._limits = service_limits(settings)
        most = int(settings.get("MaxConnections", SETTING_DEFAULTS["MaxConnections"]))
        self.book = SessionBook(store, act=self._act, activity=self._activity, report=report)
        self._host = AdministeredHost(store, self.book, report=report)
        self._service = Service(
            self._host,
            limits=self._limits,
            new_id=uuid4,
            on_wake=lambda: self._server.wake(),
            version=__version__,
        )
        self._server = WSManServer(
            self._service,
            self._authentication(settings),
            max_body=self._limits.max_envelope_size,
            limits=ServerLimits(max_connections=most),
            report=report,
            on_logon=self._logged_on,
            user_name=user_name,
        )
        self._open: dict[ListenerSetting, Listener] = {}
        self._failed: set[ListenerSetting] = set()
        self._over_ssh: dict[str, Callable[[], None]] = {}

    def _authentication(self, settings: dict[str, str]) -> ServerAuthOptions:
        keytab = settings.get("keytab", "")
        if keytab:
            if not can_kerberos():
                raise LocalProtocolError(
                    "cannot use a keytab: the Kerberos libraries are missing; install "
                    "psremoting[kerberos]"
                )
            os.environ["KRB5_KTNAME"] = f"FILE:{keytab}"
        identity = None
        if settings.get("AllowCredSSP") == "true":
            with tempfile.TemporaryDirectory() as folder:
                identity = credssp_identity(Path(folder))
        return ServerAuthOptions(
            accounts=self._accounts,
            kerberos=bool(keytab),
            mappings=self._store.mappings(),
            credssp=identity,
            allow_unencrypted=settings.get("AllowUnencrypted") == "true",
            computer=socket.gethostname(),
        )

    # -- life

    async def serve(
        self,
        *,
        stop: trio.Event,
        on_listening: Callable[[str], None] = lambda url: None,
    ) -> None:
        """Serve until ``stop`` is set. Raises OSError and LocalProtocolError for the sockets."""
        path = local_socket(self._store.path)
        local = Listener(path=str(path), descriptor=inherited_socket(path))
        if local.descriptor < 0 and is_served(path):
            raise LocalProtocolError(
                f"cannot serve the store {self._store.path}: another server does, at {path}"
            )
        opened = trio.Event()

        def listening(url: str) -> None:
            opened.set()
            on_listening(url)

        async with trio.open_nursery() as nursery:
            await nursery.start(self.book.run)
            await nursery.start(self._host.run)
            await nursery.start(self._serve_subsystem)
            nursery.start_soon(self._follow, opened, on_listening)
            try:
                await self._server.serve([local], stop=stop, on_listening=listening)
            finally:
                if local.descriptor < 0:
                    with suppress(OSError):
                        os.unlink(local.path)
            with trio.move_on_after(2):
                await self._host.ended()
            nursery.cancel_scope.cancel()

    async def _follow(self, opened: trio.Event, on_listening: Callable[[str], None]) -> None:
        """Open and close listeners as the store says, once the server runs."""
        await opened.wait()
        while True:
            with suppress(AdministrationError):
                wanted = {each for each in self._store.listeners() if each.enabled}
                for each in self._open.keys() - wanted:
                    self._server.close_listener(self._open.pop(each))
                    self._report(f"no longer listening at {each.address} port {each.port}")
                self._failed &= wanted
                for each in wanted - self._open.keys():
                    await self._listen(each, on_listening)
            await trio.sleep(_LOOK)

    async def _listen(self, wanted: ListenerSetting, on_listening: Callable[[str], None]) -> None:
        host = "" if wanted.address == "*" else wanted.address.removeprefix("IP:")
        try:
            tls = None
            if wanted.transport.upper() == "HTTPS":
                tls = TlsIdentity(Path(wanted.certificate), None, None)
            listener = Listener(host=host, port=wanted.port, tls=tls)
            urls = await self._server.open_listener(listener)
        except (OSError, LocalProtocolError) as error:
            if wanted not in self._failed:
                self._failed.add(wanted)
                self._report(f"cannot listen at {wanted.address} port {wanted.port}: {error}")
            return
        self._open[wanted] = listener
        for url in urls:
            on_listening(url)

    # -- administration

    def _logged_on(self, logon: Logon) -> None:
        action = "log-on" if logon.succeeded else "log-on failed"
        self.book.audit(logon.user, logon.address, action, "", logon.scheme)

    def _activity(self, id: str) -> tuple[str, float] | None:
        if id in self._over_ssh:
            return "Connected", 0.0
        for shell in self._service.shells:
            if shell.request.shell_id.upper() == id:
                idle = 0.0 if shell.waiting else trio.current_time() - shell.active
                return shell.state, idle
        return None

    def _act(self, id: str, action: str) -> bool:
        """Disconnect or remove a session for an administrator."""
        end = self._over_ssh.get(id)
        if end is not None:
            if action == "remove":
                end()
            return action == "remove"
        try:
            if action == "disconnect":
                return self._service.disconnect_shell(id, trio.current_time())
            done = self._service.end_shell(id, "An administrator has removed the session.")
        except Refusal:
            return False
        self._server.wake()
        return done

    # -- SSH

    async def _serve_subsystem(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve the clients of sshd, which `psrp endpoint subsystem` relays to a socket."""
        path = subsystem_socket(self._store.path)
        descriptor = inherited_socket(path)
        listener = unix_listener(str(path), descriptor)
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    stream = await listener.accept()
                    nursery.start_soon(self._serve_ssh, stream)
        finally:
            listener.socket.close()
            if descriptor < 0:
                with suppress(OSError):
                    path.unlink()

    async def _serve_ssh(self, stream: trio.SocketStream) -> None:
        user = user_name(peer_uid(stream.socket))
        try:
            name, address = await _preface(stream)
            self.book.audit(user, address, "log-on", name, "SSH")
            scope = trio.CancelScope()
            ids: list[str] = []

            def remember(id: str) -> None:
                ids.append(id)
                self._over_ssh[id] = scope.cancel

            engine = SSHEngine(
                self._store, self.book, user_name=user, address=address, name=name, on_open=remember
            )
            try:
                with scope:
                    await serve_wire(StreamWire(stream), engine, error_prefix="__NamedPipeError__:")
            finally:
                for id in ids:
                    del self._over_ssh[id]
                    self.book.ended(id)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, _NoPreface):
            pass
        except Exception as error:
            self._report(f"an SSH session failed: {type(error).__name__}: {error}")
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)


async def _preface(stream: trio.SocketStream) -> tuple[str, str]:
    """Read the line that the subsystem sends first: configuration and the client's address.

    Raises _NoPreface. The address is what the user's own process says, so it is for display only.
    """
    line = b""
    with trio.fail_after(_PREFACE_TIME):
        while not line.endswith(b"\n"):
            if len(line) > _MOST_PREFACE:
                raise _NoPreface("the first line is too long")
            byte = await stream.receive_some(1)
            if not byte:
                raise _NoPreface("the stream has ended")
            line += byte
    name, _, address = line.decode("utf-8", "replace").strip().partition("\t")
    shown = "".join(each for each in address[:64] if each.isprintable())
    return name or DEFAULT_CONFIGURATION, shown
