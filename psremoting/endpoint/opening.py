"""The opening of a session, answered before the event loop is there.

A client that opens a session waits for this and for nothing else, and sshd starts a process for
each of them. Loading trio takes more time than all the rest of the opening, so it comes
afterwards: while the client makes up its mind what to run.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from psremoting.endpoint.functions import OPENING, FunctionsSession
from psremoting.endpoint.outofproc_server import Step

if TYPE_CHECKING:
    from psremoting.endpoint.outofproc_server import Desk

__all__ = ["greet"]

_SIZE = 64 << 10


def greet(desk: Desk, read_fd: int, write_fd: int) -> bool:
    """Serve the desk's client with blocking calls until its pool is open.

    Returns False when a driver is to go on, True when the client is gone already; a driver ends
    it then. Does nothing for descriptors that do not block.
    """
    if not (os.get_blocking(read_fd) and os.get_blocking(write_fd)):
        return False
    while (step := desk.advance()) is not Step.OVER:
        _write(desk, write_fd)
        if isinstance(desk.session, FunctionsSession) and desk.session.pool.state not in OPENING:
            return False
        if step is Step.MORE:
            desk.receive_data(_read(read_fd))
    return True


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _SIZE)
    except OSError:
        return b""


def _write(desk: Desk, fd: int) -> None:
    if errors := desk.errors_to_send():
        sys.stderr.write(errors.decode("utf-8", "replace"))
    data = desk.data_to_send()
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        desk.send_failed()
