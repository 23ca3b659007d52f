"""Response to the opening of a session before the event loop is loaded.

sshd starts a process for each client, and the client waits for the answer to its opening. Loading
trio takes longer than the rest of the opening, so it is done afterwards, before the first command.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from psremoting.endpoint.functions import OPENING, FunctionsSession
from psremoting.endpoint.outofproc_server import Step

if TYPE_CHECKING:
    from psremoting.endpoint.outofproc_server import OutOfProcServer

__all__ = ["answer_opening"]

_SIZE = 64 << 10


def answer_opening(server: OutOfProcServer, read_fd: int, write_fd: int) -> bool:
    """Serve the server's client with blocking calls until its pool is open.

    Returns False when a driver is to go on, True when the client is gone already; a driver ends
    it then. Does nothing for descriptors that do not block.
    """
    if not (os.get_blocking(read_fd) and os.get_blocking(write_fd)):
        return False
    while (step := server.advance()) is not Step.OVER:
        _write(server, write_fd)
        if (
            isinstance(server.session, FunctionsSession)
            and server.session.pool.state not in OPENING
        ):
            return False
        if step is Step.MORE:
            server.receive_data(_read(read_fd))
    return True


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _SIZE)
    except OSError:
        return b""


def _write(server: OutOfProcServer, fd: int) -> None:
    if errors := server.errors_to_send():
        sys.stderr.write(errors.decode("utf-8", "replace"))
    data = server.data_to_send()
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        server.send_failed()
