"""The speed of a link without any protocol: `cat` of a file, an echo, a login alone."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.sshsub import sshd

__all__ = ["Link", "over_a_pipe", "over_a_socket", "over_ssh"]

_LINE = b"x" * 99 + b"\n"
_ECHOES = 300


@dataclass(frozen=True, slots=True)
class Link:
    """A way to run a shell command at the other end."""

    argv: tuple[str, ...]
    socket: bool = False
    """Its stdin and stdout are one socket, not two pipes."""

    def empty(self) -> float:
        """Return the seconds to start and end a command that does nothing."""
        start = perf_counter()
        subprocess.run([*self.argv, "exit 0"], check=True, stdin=subprocess.DEVNULL)
        return perf_counter() - start

    def echo(self) -> float:
        """Return the median round-trip time in seconds of a line of 100 bytes."""
        taken = []
        with self._running("echo ready; exec cat") as (stdin, stdout):
            for _ in range(_ECHOES):
                start = perf_counter()
                os.write(stdin, _LINE)
                back = 0
                while back < len(_LINE):
                    back += len(os.read(stdout, 4096))
                taken.append(perf_counter() - start)
        return statistics.median(taken)

    def cat(self, file: Path) -> float:
        """Return the seconds from the request for a file to its last byte; the login is not
        counted."""
        size = file.stat().st_size
        with self._running(f"echo ready; read go; exec cat {file}") as (stdin, stdout):
            start = perf_counter()
            os.write(stdin, b"go\n")
            while size > 0:
                data = os.read(stdout, 1 << 16)
                if not data:
                    raise AssertionError("the file came short")
                size -= len(data)
            return perf_counter() - start

    @contextmanager
    def _running(self, command: str) -> Iterator[tuple[int, int]]:
        """Run the command; yield the descriptors of its stdin and stdout."""
        argv = (*self.argv, command)
        if self.socket:
            ours, theirs = socket.socketpair()
            with ours, subprocess.Popen(argv, stdin=theirs, stdout=theirs) as process:
                theirs.close()
                yield from _ready(process, ours.fileno(), ours.fileno())
            return
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, bufsize=0) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield from _ready(process, process.stdin.fileno(), process.stdout.fileno())


def over_a_pipe() -> Link:
    return Link(("/bin/sh", "-c"))


def over_a_socket() -> Link:
    return Link(("/bin/sh", "-c"), socket=True)


def over_ssh(server: sshd.Server) -> Link:
    options = [f"-o{name}={value}" for name, value in server.options.items()]
    where = ["-p", str(server.port), "-i", server.key, f"{sshd.USER}@127.0.0.1"]
    return Link(("ssh", *options, *where))


def _ready(process: subprocess.Popen[bytes], stdin: int, stdout: int) -> Iterator[tuple[int, int]]:
    try:
        if os.read(stdout, 64) != b"ready\n":
            raise AssertionError("the command does not start")
        yield stdin, stdout
    finally:
        process.kill()
