"""A child process that speaks the protocol on its stdio: ssh, ``pwsh -s``, a container's exec.

    async with open_process(["docker", "exec", "-i", "web", "pwsh", "-s", "-NoLogo"]) as wire:

No process is left after the block. Ctrl+C reaches us and not the child: stopping the remote
pipeline is our task. The child's stderr is passed on line by line as it arrives, and the child
keeps the terminal, so that ssh can ask for passwords and host keys.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from psrp.sansio import LocalProtocolError
from sshsub.trio_stream import RECEIVE_SIZE, Ending, widen_pipe

__all__ = ["CommandNotFound", "ProcessWire", "find_program", "open_process"]

KEPT_ERROR_TEXT = 65536
_MAX_ERROR_LINE = 8192
_LINGER = 0.5
"""Seconds between one way of ending a process and the next, more forceful one."""

_IGNORING_SIGINT = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


class CommandNotFound(LocalProtocolError):
    """The program does not exist; ``error_id`` is PowerShell's."""

    error_id = "CommandNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"the program {name!r} was not found")
        self.name = name


def find_program(name: str) -> str:
    """Return the full path of a program: from PATH only, never from the working directory.

    A name with a directory is used unchanged. Raises CommandNotFound.
    """
    if os.path.dirname(name):
        path = shutil.which(name)
    else:
        places = os.environ.get("PATH", os.defpath).split(os.pathsep)
        path = shutil.which(name, path=os.pathsep.join(p for p in places if os.path.isabs(p)))
    if path is None:
        raise CommandNotFound(name)
    return os.path.abspath(path)


class _ErrorText:
    """The stderr of a child: passes lines to a callback, and keeps the end of the text."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._line = b""
        self._kept = bytearray()

    @property
    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")

    def add(self, data: bytes) -> None:
        self._kept += data
        del self._kept[:-KEPT_ERROR_TEXT]
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._show(line)
        while len(self._line) > _MAX_ERROR_LINE:
            self._show(self._line[:_MAX_ERROR_LINE])
            self._line = self._line[_MAX_ERROR_LINE:]

    def end(self) -> None:
        if self._line:
            self._show(self._line)
            self._line = b""

    def _show(self, line: bytes) -> None:
        if self._tell is not None:
            try:
                self._tell(line.rstrip(b"\r").decode("utf-8", "replace"))
            except Exception:
                # This runs in a task that must not raise; a failed callback is not called again.
                self._tell = None


class ProcessWire:
    """The stdio of a child as a `sshsub.trio_stream.Wire`."""

    def __init__(self, process: trio.Process, on_stderr: Callable[[str], None] | None) -> None:
        self._process = process
        self._errors = _ErrorText(on_stderr)
        self._drained = trio.Event()
        self._ended: Ending | None = None
        trio.lowlevel.spawn_system_task(self._drain)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> Ending | None:
        """The end of the process, available after `wait` or `aclose`."""
        return self._ended

    async def send_all(self, data: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(data)

    async def receive_some(self) -> bytes:
        assert self._process.stdout is not None
        return bytes(await self._process.stdout.receive_some(RECEIVE_SIZE))

    async def send_eof(self) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.aclose()

    async def wait(self) -> Ending:
        """Wait until the process and its stderr have ended."""
        code = await self._process.wait()
        # A grandchild (ssh's ControlPersist) may keep stderr open without limit.
        with trio.move_on_after(_LINGER):
            await self._drained.wait()
        self._ended = Ending(exit_code=code, error_text=self._errors.text)
        return self._ended

    async def aclose(self, *, patience: float = 2.0) -> None:
        """End the process: end of input, ``patience`` seconds, then kill; and wait for it.

        If cancelled, it kills the process at once and still waits for it.
        """
        try:
            with trio.move_on_after(patience):
                await self.send_eof()
                if patience:
                    await self._process.wait()
        finally:
            with trio.CancelScope(shield=True):
                await self._finish()

    async def _finish(self) -> None:
        for end in (self._process.terminate, self._process.kill):
            if self._process.returncode is None:
                end()
                with trio.move_on_after(_LINGER):
                    await self._process.wait()
        await self.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                await stream.aclose()

    async def _drain(self) -> None:
        """Run as a system task: it never raises."""
        stream = self._process.stderr
        assert stream is not None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await stream.receive_some(RECEIVE_SIZE):
                self._errors.add(bytes(data))
        self._errors.end()
        self._drained.set()


async def _start(
    argv: Sequence[str], cwd: str | None, env: Mapping[str, str] | None
) -> trio.Process:
    if not argv:
        raise LocalProtocolError("an empty command line")
    command = [find_program(argv[0]), *argv[1:]]
    flags: dict[str, Any] = {}
    if os.name == "posix":
        # A new session would work as well, but would take the terminal away.
        command = [*_IGNORING_SIGINT, *command]
    else:
        flags["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        **flags,
    )
    if isinstance(process.stdout, trio.lowlevel.FdStream):
        widen_pipe(process.stdout.fileno())
    return process


@asynccontextmanager
async def open_process(
    argv: Sequence[str],
    *,
    on_stderr: Callable[[str], None] | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    patience: float = 2.0,
) -> AsyncIterator[ProcessWire]:
    """Start ``argv`` and end it with the block: gently after success, at once after an exception.

    ``on_stderr`` is called with every line of stderr, without its end, as it arrives. Raises
    CommandNotFound, LocalProtocolError for an empty command line, OSError.
    """
    wire = ProcessWire(await _start(argv, cwd, env), on_stderr)
    try:
        yield wire
    except BaseException:
        await wire.aclose(patience=0)
        raise
    await wire.aclose(patience=patience)
