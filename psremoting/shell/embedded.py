"""The endpoint for `psrp enter` without a target: a child that is forked before anything runs.

It speaks the real protocol. A program of its own (`psremoting.targets.local_target`) would import
everything a second time, and the first prompt would take twice as long.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import trio

from psremoting.client.stream_carrier import StreamCarrier
from psremoting.options import SessionOption
from psrp.sansio import TransportAct
from sshsub.trio_stream import StreamWire

__all__ = ["Embedded", "start_embedded"]

_PATIENCE = 2.0
"""Seconds for the child to end after its client."""
_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Embedded:
    """The child and our end of the socket to it."""

    pid: int
    line: socket.socket

    def carrier(self, options: SessionOption) -> StreamCarrier:
        """Return the carrier for one session; the child ends with it."""

        @asynccontextmanager
        async def connect(_: Callable[[str], None]) -> AsyncIterator[StreamWire]:
            wire = StreamWire(trio.SocketStream(trio.socket.from_stdlib_socket(self.line)))
            try:
                yield wire
            finally:
                with trio.CancelScope(shield=True):
                    await wire.aclose()
                    await _end(self.pid)

        reply_timeouts = {
            TransportAct.CREATE_PIPELINE: options.operation_timeout,
            TransportAct.STOP_PIPELINE: options.cancel_timeout,
            TransportAct.CLOSE_PIPELINE: options.operation_timeout,
            TransportAct.CLOSE_POOL: options.close_timeout,
        }
        return StreamCarrier(
            connect, transport="Process", computer="localhost", reply_timeouts=reply_timeouts
        )


def start_embedded() -> Embedded | None:
    """Fork the endpoint, before this process has threads; None on systems without fork."""
    if not hasattr(os, "fork"):
        return None
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return Embedded(pid, ours)
    code = 1
    try:
        ours.close()
        code = _serve(theirs)
    except Exception:
        traceback.print_exc()
    finally:
        # No exit handler and no buffer of the parent may be used here.
        os._exit(code)


def _serve(line: socket.socket) -> int:
    """Serve one client in the child. Ctrl+C and the terminal belong to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    from psremoting.endpoint.demo import DEMO
    from psremoting.endpoint.driver import serve_stream
    from psremoting.endpoint.functions import FunctionsEngine

    async def serve() -> int:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(line))
        return await serve_stream(stream, FunctionsEngine(DEMO))

    gc.enable()
    return trio.run(serve)


async def _end(pid: int) -> None:
    """Wait for the child; kill it if it does not end by itself."""
    with trio.move_on_after(_PATIENCE):
        while not _reaped(pid):
            await trio.sleep(_STEP)
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while not _reaped(pid):
        await trio.sleep(_STEP)


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
