"""What a link can do without any protocol: `cat` of a file, an echo, a login and nothing else."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.sshsub import sshd

__all__ = ["Link", "over_a_pipe", "over_ssh"]

_LINE = b"x" * 99 + b"\n"
_ECHOES = 300


@dataclass(frozen=True, slots=True)
class Link:
    """How to run a shell command at the other end."""

    argv: tuple[str, ...]

    def empty(self) -> float:
        """Seconds to start a command that does nothing, and to end it."""
        start = perf_counter()
        subprocess.run([*self.argv, "exit 0"], check=True, stdin=subprocess.DEVNULL)
        return perf_counter() - start

    def echo(self) -> float:
        """Median seconds of a line of 100 bytes there and back."""
        taken = []
        with _running([*self.argv, "echo ready; exec cat"]) as process:
            stdin, stdout = _ends(process)
            for _ in range(_ECHOES):
                start = perf_counter()
                os.write(stdin, _LINE)
                back = 0
                while back < len(_LINE):
                    back += len(os.read(stdout, 4096))
                taken.append(perf_counter() - start)
        return statistics.median(taken)

    def cat(self, file: Path) -> float:
        """Seconds from asking for a file to its last byte; the login is not counted."""
        size = file.stat().st_size
        with _running([*self.argv, f"echo ready; read go; exec cat {file}"]) as process:
            stdin, stdout = _ends(process)
            start = perf_counter()
            os.write(stdin, b"go\n")
            while size > 0:
                data = os.read(stdout, 1 << 16)
                if not data:
                    raise AssertionError("the file came short")
                size -= len(data)
            return perf_counter() - start


def over_a_pipe() -> Link:
    return Link(("/bin/sh", "-c"))


def over_ssh(server: sshd.Server) -> Link:
    options = [f"-o{name}={value}" for name, value in server.options.items()]
    where = ["-p", str(server.port), "-i", server.key, f"{sshd.USER}@127.0.0.1"]
    return Link(("ssh", *options, *where))


@contextmanager
def _running(argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        if os.read(_ends(process)[1], 64) != b"ready\n":
            raise AssertionError("the command does not start")
        yield process
    finally:
        process.kill()
        process.communicate()


def _ends(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin.fileno(), process.stdout.fileno()
