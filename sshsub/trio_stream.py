"""Byte streams to a server: unix sockets, PowerShell's named pipes on Unix, Hyper-V sockets.

`Wire` is the interface of every stream of this package, including a child process's
(`sshsub.trio_process`) and a server's own stdio (`sshsub.trio_server`).
"""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import trio

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from sshsub.hyperv import Handshake

__all__ = [
    "Ending",
    "HostProcess",
    "NoSuchPipe",
    "StreamWire",
    "Wire",
    "connect_hyperv",
    "connect_unix",
    "connect_vsock",
    "custom_pipe",
    "find_host_processes",
    "host_process",
    "shake_hands",
    "vsock_port",
    "widen_pipe",
]

RECEIVE_SIZE = 256 << 10
"""Number of bytes to read at once: several packets, if available."""
_PIPE_SIZE = 256 << 10
_HV_PROTOCOL_RAW = 1
_LINUX_SERVICE = "-facb-11e6-bd58-64006a7986d3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a stream: a child process's exit code, and the end of its stderr."""

    exit_code: int | None = None
    error_text: str = ""


class Wire(Protocol):
    """A byte stream. Errors are trio's: BrokenResourceError, ClosedResourceError."""

    @property
    def ended(self) -> Ending | None:
        """The end of the stream, once it is known."""

    async def send_all(self, data: bytes) -> None:
        """Write everything. If cancelled, it is unknown how much was written: report a loss."""

    async def receive_some(self) -> bytes:
        """Return available bytes, ``b""`` at the end of the stream."""

    async def send_eof(self) -> None:
        """End the sending side; the peer can still send."""

    async def aclose(self) -> None:
        """Close both directions. May be called twice, and when cancelled."""


def widen_pipe(fd: int) -> None:
    """Enlarge a pipe, so that a writer can be some packets ahead; Linux's default is 64 KiB.

    Has no effect on other files, on other systems, and beyond the user's limit.
    """
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)


class StreamWire:
    """A trio stream as a `Wire`; ``first`` are bytes that were read from it already."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, first: bytes = b"") -> None:
        self._stream = stream
        self._first = first
        self._ended: Ending | None = None

    @property
    def ended(self) -> Ending | None:
        return self._ended

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def receive_some(self) -> bytes:
        if self._first:
            await trio.lowlevel.checkpoint()
            first, self._first = self._first, b""
            return first
        data = bytes(await self._stream.receive_some(RECEIVE_SIZE))
        if not data:
            self._ended = Ending()
        return data

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        self._ended = self._ended or Ending()
        await self._stream.aclose()


# -- unix sockets and PowerShell's named pipes


class NoSuchPipe(LocalProtocolError):
    """No PowerShell listens there; ``error_id`` is PowerShell's."""

    def __init__(self, text: str, error_id: str) -> None:
        super().__init__(text)
        self.error_id = error_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProcess:
    """A PowerShell process that accepts connections (Enter-PSHostProcess), by its socket's name.

    The name is ``CoreFxPipe_PSHost.<start>.<pid>.<app domain>.<process name>``, possibly truncated
    at its end.
    """

    path: Path
    pid: int
    start: str
    """Eight hex digits of the start time: they make the name hard to guess."""
    app_domain: str
    process_name: str


_PIPE = re.compile(
    r"CoreFxPipe_PSHost\.(?P<start>[0-9A-F]{8})\.(?P<pid>[0-9]{1,10})"
    r"\.(?P<app_domain>[^.]*)\.(?P<process_name>.*)"
)


def _directory(directory: str | os.PathLike[str] | None) -> Path:
    return Path(directory if directory is not None else tempfile.gettempdir())


def _is_ours(path: Path) -> bool:
    """Return whether only we, or root, can have made the socket: anybody can use names in /tmp."""
    try:
        status = path.lstat()
    except OSError:
        return False
    me = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
    return stat.S_ISSOCK(status.st_mode) and (me == 0 or status.st_uid in (me, 0))


def find_host_processes(directory: str | os.PathLike[str] | None = None) -> list[HostProcess]:
    """Return all PowerShell processes with sockets in ``directory``, the temporary one, by pid.

    A dead process leaves its socket, which is listed here and refuses connections.
    """
    found = []
    for path in _directory(directory).glob("CoreFxPipe_PSHost.*"):
        match = _PIPE.fullmatch(path.name)
        if match and _is_ours(path):
            fields = match.groupdict()
            pid = int(fields.pop("pid"))
            found.append(HostProcess(path=path, pid=pid, **fields))
    return sorted(found, key=lambda process: (process.pid, process.start))


def host_process(
    *,
    pid: int | None = None,
    name: str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> HostProcess:
    """Return the one process with this id or name. Raises NoSuchPipe for none or several.

    The name is compared without case.
    """
    found = [
        process
        for process in find_host_processes(directory)
        if (pid is None or process.pid == pid)
        and (name is None or process.process_name.lower() == name.lower())
    ]
    if not found:
        raise _no_host_process(pid, name)
    if len({process.pid for process in found}) > 1:
        raise NoSuchPipe(
            f"Multiple processes were found with this name {name}. Use the process Id to specify "
            "a single process to enter. (" + ", ".join(str(process.pid) for process in found) + ")",
            "EnterPSHostProcessMultipleProcessesFoundWithName",
        )
    return found[-1]


def _no_host_process(pid: int | None, name: str | None) -> NoSuchPipe:
    if pid is None:
        text, what = f"No process was found with Name: {name}.", "NoProcessFoundWithName"
    elif _lives(pid):
        text = (
            f"Cannot enter process with Id '{pid}' because it has not loaded the PowerShell "
            "engine or the named-pipe listener was disabled."
        )
        what = "NoPowerShell"
    else:
        text, what = f"No process was found with Id: {pid}.", "NoProcessFoundWithId"
    return NoSuchPipe(text, f"EnterPSHostProcess{what}")


def _lives(pid: int) -> bool:
    if os.name != "posix" or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it exists and belongs to another user
    return True


def custom_pipe(name: str, directory: str | os.PathLike[str] | None = None) -> Path:
    """Return the socket of ``pwsh -CustomPipeName name``. Raises NoSuchPipe."""
    path = _directory(directory) / f"CoreFxPipe_{name}"
    if "/" in name or not _is_ours(path):
        raise NoSuchPipe(
            f"No named pipe was found with CustomPipeName: {name}.",
            "EnterPSHostProcessNoNamedPipeFound",
        )
    return path


async def connect_unix(path: str | os.PathLike[str]) -> StreamWire:
    """Connect to a unix socket. Raises OSError with the path if nothing listens."""
    try:
        return StreamWire(await trio.open_unix_socket(path))
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


# -- Hyper-V


async def _connect(sock: trio.socket.SocketType, address: object) -> StreamWire:
    try:
        await sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return StreamWire(trio.SocketStream(sock))


async def connect_vsock(cid: int, port: int) -> StreamWire:
    """Connect by AF_VSOCK. Raises LocalProtocolError if the platform has none, OSError."""
    family = getattr(socket, "AF_VSOCK", None)
    if family is None:
        raise LocalProtocolError("this platform has no AF_VSOCK")
    return await _connect(trio.socket.socket(family, socket.SOCK_STREAM), (cid, port))


def vsock_port(service: UUID) -> int | None:
    """Return the vsock port of a Hyper-V service id on Linux, or None."""
    text = str(service)
    return int(text[:8], 16) if text.endswith(_LINUX_SERVICE) else None


async def connect_hyperv(vm_id: UUID, service_id: UUID) -> StreamWire:
    """Connect by AF_HYPERV (Windows). Raises LocalProtocolError if Python has none, OSError."""
    if not hasattr(socket, "AF_HYPERV"):
        raise LocalProtocolError("AF_HYPERV needs Windows and Python 3.12 or newer")
    from sshsub.hyperv import AF_HYPERV

    sock = trio.socket.socket(AF_HYPERV, socket.SOCK_STREAM, _HV_PROTOCOL_RAW)
    return await _connect(sock, (str(vm_id), str(service_id)))


async def shake_hands(stream: trio.abc.HalfCloseableStream, handshake: Handshake) -> StreamWire:
    """Perform a PowerShell Direct handshake; return the wire after it.

    Raises the errors of `Handshake.receive_data`, after they were reported to the peer.
    """
    while True:
        if data := handshake.data_to_send():
            await stream.send_all(data)
        if handshake.done:
            return StreamWire(stream, first=handshake.rest)
        try:
            handshake.receive_data(bytes(await stream.receive_some(RECEIVE_SIZE)))
        except Exception:
            if data := handshake.data_to_send():
                await stream.send_all(data)
            raise
