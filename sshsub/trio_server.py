"""The streams of a server: the stdio of a subsystem program, or a unix socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from psrp.sansio import LocalProtocolError
from sshsub.descriptors import isolate_stdio
from sshsub.trio_stream import RECEIVE_SIZE, Ending, StreamWire, Wire, widen_pipe

__all__ = ["StdioWire", "serve_stdio", "serve_unix"]


class StdioWire:
    """Two file descriptors as a `sshsub.trio_stream.Wire`; it owns them."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._blocking = [(fd, os.get_blocking(fd)) for fd in (read_fd, write_fd)]
        widen_pipe(write_fd)
        self._in = trio.lowlevel.FdStream(read_fd)
        self._out = trio.lowlevel.FdStream(write_fd)
        self._ended: Ending | None = None

    @property
    def ended(self) -> Ending | None:
        return self._ended

    async def send_all(self, data: bytes) -> None:
        await self._out.send_all(data)

    async def receive_some(self) -> bytes:
        data = bytes(await self._in.receive_some(RECEIVE_SIZE))
        if not data:
            self._ended = Ending()
        return data

    async def send_eof(self) -> None:
        await self._out.aclose()

    async def aclose(self) -> None:
        self._ended = self._ended or Ending()
        for fd, blocking in self._blocking:
            # The description may be shared with a shell, which expects it unchanged.
            try:
                os.set_blocking(fd, blocking)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
        self._blocking.clear()
        await self._in.aclose()
        await self._out.aclose()


async def serve_stdio(
    serve: Callable[[Wire], Awaitable[int]], descriptors: tuple[int, int] | None = None
) -> int:
    """Serve one client on our own stdio; return the exit code that ``serve`` returns.

    From now on only the wire reads and writes the real stdin and stdout of this process.
    ``descriptors`` are the result of `isolate_stdio`, if it was called before.
    """
    wire = StdioWire(*(descriptors or isolate_stdio()))
    try:
        return await serve(wire)
    finally:
        with trio.CancelScope(shield=True):
            await wire.aclose()


async def serve_unix(
    path: str | os.PathLike[str],
    serve: Callable[[Wire], Awaitable[object]],
    *,
    max_clients: int = 256,
    on_error: Callable[[Exception], None] = lambda error: None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the clients of a socket that only its owner can open, concurrently, until cancelled.

    At most ``max_clients`` are served at once; further connections wait. A socket left over by a
    dead server is replaced. An error of one client is passed to ``on_error`` and does not end the
    others. Raises LocalProtocolError if another server listens at the path or if the path is not a
    socket, OSError.
    """
    path = Path(path)
    _clear(path)
    listener = _listen(path)
    places = trio.CapacityLimiter(max_clients)
    try:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                place = object()
                await places.acquire_on_behalf_of(place)
                stream = await listener.accept()
                nursery.start_soon(_serve_one, StreamWire(stream), serve, places, place, on_error)
    finally:
        listener.socket.close()
        path.unlink(missing_ok=True)


async def _serve_one(
    wire: Wire,
    serve: Callable[[Wire], Awaitable[object]],
    places: trio.CapacityLimiter,
    place: object,
    on_error: Callable[[Exception], None],
) -> None:
    try:
        await serve(wire)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    except Exception as error:
        on_error(error)
    finally:
        places.release_on_behalf_of(place)
        with trio.CancelScope(shield=True):
            await wire.aclose()


def _clear(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise LocalProtocolError(f"cannot listen at {path}: it is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise LocalProtocolError(f"cannot listen at {path}: another server does")


def _listen(path: Path) -> trio.SocketListener:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # bind creates the file: with this mask, other users can never open it.
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
        sock.listen()
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))
