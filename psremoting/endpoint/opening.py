"""Response to the opening of a session before the event loop is loaded.

sshd starts a process for each client, and the client waits for the answer to its opening. Loading
trio takes longer than the rest of the opening, so it is done afterwards, before the first command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from psremoting.endpoint.functions import OPENING, FunctionsSession
from psremoting.endpoint.outofproc_server import Step
from sshsub.packet_loop import PacketLoop

if TYPE_CHECKING:
    from psremoting.endpoint.outofproc_server import OutOfProcServer

__all__ = ["answer_opening"]

_SIZE = 64 << 10

T = TypeVar("T")


def answer_opening(server: OutOfProcServer, read_fd: int, write_fd: int) -> bool:
    """Serve the server's client with blocking calls until its pool is open.

    Returns False when a driver is to go on, True when the client is gone already; a driver ends
    it then. Does nothing for descriptors that do not block.
    """
    if not (os.get_blocking(read_fd) and os.get_blocking(write_fd)):
        return False
    server.show_errors = sys.stderr.write
    loop = PacketLoop(server, _BlockingStream(read_fd, write_fd))
    while (step := server.advance()) is not Step.OVER:
        _finish(loop.send())
        if (
            isinstance(server.session, FunctionsSession)
            and server.session.pool.state not in OPENING
        ):
            return False
        if step is Step.MORE:
            _finish(loop.receive())
    return True


class _BlockingStream:
    """Two descriptors as a `sshsub.packet_loop.ByteStream` whose methods never wait in a loop."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd

    async def receive_some(self) -> bytes:
        return os.read(self._read_fd, _SIZE)

    async def send_all(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._write_fd, data) :]


def _finish(step: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, and return its result."""
    try:
        step.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("the coroutine waits")
