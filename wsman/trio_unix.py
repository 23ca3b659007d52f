"""Unix sockets of a server: listening, and who is at the other end."""

from __future__ import annotations

import os
import socket
import stat
import struct

import trio

from psrp.sansio import LocalProtocolError

__all__ = ["peer_uid", "unix_listener"]

_XUCRED = 76


def unix_listener(path: str, descriptor: int = -1) -> trio.SocketListener:
    """Listen at a socket that every user of this machine may open; a dead one is replaced.

    ``descriptor`` is a listening socket that the service manager has opened there. Raises
    LocalProtocolError if the path cannot be used, is no socket, or another server listens there.
    """
    if descriptor >= 0:
        inherited = socket.socket(fileno=descriptor)
        inherited.setblocking(False)
        return trio.SocketListener(trio.socket.from_stdlib_socket(inherited))
    _clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o666)
        sock.listen()
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise LocalProtocolError(f"cannot listen at {path}: {error.strerror or error}") from None
    except BaseException:
        sock.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def _clear(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise LocalProtocolError(f"cannot listen at {path}: it is not a socket")
    except FileNotFoundError:
        return
    except OSError as error:
        raise LocalProtocolError(f"cannot listen at {path}: {error.strerror or error}") from None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError as error:
            raise LocalProtocolError(
                f"cannot listen at {path}: {error.strerror or error}"
            ) from None
        else:
            raise LocalProtocolError(f"cannot listen at {path}: another server does")


def peer_uid(sock: trio.socket.SocketType) -> int:
    """Return the user id of the process at the other end of a unix socket."""
    if hasattr(socket, "SO_PEERCRED"):
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", data)[1])
    # macOS: LOCAL_PEERCRED of SOL_LOCAL is a struct xucred, which begins with version and uid.
    return int(struct.unpack_from("II", sock.getsockopt(0, 1, _XUCRED))[1])
