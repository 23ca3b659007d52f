"""The sockets of a running endpoint: where its clients on this machine find it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from psremoting.administration.store_file import SYSTEM_STORE, default_store_path

__all__ = ["find_local_socket", "inherited_socket", "local_socket", "subsystem_socket"]

_SYSTEM_FOLDER = Path("/run/psremoting")
"""Every user may enter it, in contrast to the folder of the system's store."""


def _folder(store: Path) -> Path:
    return _SYSTEM_FOLDER if store.absolute() == SYSTEM_STORE else store.absolute().parent


def local_socket(store: Path) -> Path:
    """Return the path of the socket for loopback connections of the endpoint with this store."""
    return _folder(store) / "endpoint.sock"


def subsystem_socket(store: Path) -> Path:
    """Return the path of the socket for the sshd subsystem."""
    return _folder(store) / "subsystem.sock"


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


def find_local_socket(*, subsystem: bool = False) -> Path | None:
    """Return the socket of the endpoint on this machine: the user's own, then the system's."""
    path = subsystem_socket if subsystem else local_socket
    for store in (default_store_path(), SYSTEM_STORE):
        if path(store).is_socket():
            return path(store)
    return None
