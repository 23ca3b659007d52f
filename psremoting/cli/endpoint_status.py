"""The text of `psrp endpoint status`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from psremoting.administration.configurations import AccessMode, ListenerSetting
from psremoting.administration.permissions import access_mode, permission_text
from psremoting.administration.sockets import is_served, local_socket
from psremoting.administration.store import Store

__all__ = ["listener_text", "status_lines"]

_REACH = {
    AccessMode.DISABLED: "nobody",
    AccessMode.LOCAL: "this computer, with -EnableNetworkAccess",
    AccessMode.REMOTE: "this computer and the network",
}


def status_lines(store: Store) -> Iterator[str]:
    """Yield the lines: server, listeners, configurations with their reach, and sessions."""
    running = is_served(local_socket(store.path))
    yield f"Store:     {store.path}"
    yield f"Server:    {'running' if running else 'not running'} ({local_socket(store.path)})"
    listeners = store.listeners()
    yield "Listeners:"
    for each in listeners:
        yield f"  {listener_text(each)}"
    if not listeners:
        yield "  none: nothing is reachable over the network"
    yield "Session configurations:"
    configurations = store.configurations()
    for configuration in configurations:
        mode = access_mode(configuration)
        reach = _REACH[mode]
        if mode is AccessMode.REMOTE and all(map(_is_local, listeners)):
            reach = "this computer; no listener admits the network"
        yield f"  {configuration.name}: {mode.name.title()}; reachable from {reach}"
        yield f"    {permission_text(configuration.sddl, store.name_of)}"
    if not configurations:
        yield "  none"
    sessions = store.sessions()
    yield f"Sessions:  {len(sessions)}"
    for session in sessions:
        where = session.address or "this computer"
        yield (
            f"  {session.id} {session.owner} from {where}, {session.configuration}, "
            f"{session.transport}, {session.state}"
        )


def _is_local(listener: ListenerSetting) -> bool:
    if not listener.enabled:
        return True
    try:
        return ip_address(listener.address.removeprefix("IP:")).is_loopback
    except ValueError:
        return listener.address.casefold() == "localhost"


def listener_text(listener: ListenerSetting) -> str:
    """Return a listener in one line."""
    address = "any address" if listener.address == "*" else listener.address.removeprefix("IP:")
    state = "" if listener.enabled else ", not enabled"
    certificate = f", certificate {listener.thumbprint}" if listener.thumbprint else ""
    return f"{listener.transport} at {address}, port {listener.port}{certificate}{state}"
