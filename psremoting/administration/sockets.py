"""The sockets of a running endpoint: where its clients on this machine find it.

They lie beside the store and have its name, so that two stores of one folder can be served.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from psremoting.administration.store_file import SYSTEM_STORE, default_store_path

__all__ = ["find_local_socket", "inherited_socket", "is_served", "local_socket", "subsystem_socket"]

_SYSTEM_FOLDER = Path("/run/psremoting")
"""Every user may enter it, in contrast to the folder of the system's store."""


_LISTENING = (0, errno.EAGAIN, errno.EINPROGRESS)


def _named(store: Path, kind: str) -> Path:
    store = store.absolute()
    folder = _SYSTEM_FOLDER if store == SYSTEM_STORE else store.parent
    return folder / (
        f"{kind}.sock" if store.name == SYSTEM_STORE.name else f"{store.name}.{kind}.sock"
    )


def local_socket(store: Path) -> Path:
    """Return the path of the socket for loopback connections of the endpoint with this store."""
    return _named(store, "endpoint")


def subsystem_socket(store: Path) -> Path:
    """Return the path of the socket for the sshd subsystem."""
    return _named(store, "subsystem")


_FIRST_DESCRIPTOR = 3


def inherited_socket(path: Path) -> int:
    """Return the descriptor of the socket at ``path`` that systemd has opened, else -1.

    sd_listen_fds(3)
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return -1
    count = os.environ.get("LISTEN_FDS", "0")
    for descriptor in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count)):
        # A duplicate is asked, because a socket object closes its descriptor.
        with socket.socket(fileno=os.dup(descriptor)) as given:
            if given.family == socket.AF_UNIX and given.getsockname() == str(path):
                os.set_inheritable(descriptor, False)
                return descriptor
    return -1


def is_served(path: Path) -> bool:
    """Return whether a server listens at the socket, and this user may connect to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            return probe.connect_ex(str(path)) in _LISTENING
        except (OSError, ValueError):  # The path is too long, or has a null character.
            return False


def find_local_socket(*, subsystem: bool = False) -> Path | None:
    """Return the socket of the endpoint on this machine: the user's own, then the system's."""
    path = subsystem_socket if subsystem else local_socket
    for store in (default_store_path(), SYSTEM_STORE):
        if is_served(path(store)):
            return path(store)
    return None
