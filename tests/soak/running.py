"""Start the server of the soak, let clients work, and measure the server."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.soak.clients import Soak
from wsman.accounts import Accounts, new_account

__all__ = ["Measures", "soak"]

USER, PASSWORD = "soak", "P@ss-w0rd1"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measures:
    """The state of the server process."""

    descriptors: int
    threads: int
    memory: int
    """Resident bytes."""

    @classmethod
    def of(cls, process: int) -> Measures:
        proc = Path(f"/proc/{process}")
        status = dict(
            line.split(":", 1) for line in (proc / "status").read_text("utf-8").splitlines()
        )
        return cls(
            descriptors=sum(1 for _ in (proc / "fd").iterdir()),
            threads=int(status["Threads"]),
            memory=int(status["VmRSS"].split()[0]) * 1024,
        )


Note = Callable[[float, Measures], object]


@contextmanager
def _served(folder: Path, idle: float) -> Iterator[tuple[int, int]]:
    """Yield the port and the process id of a server."""
    accounts = Accounts([new_account(USER, PASSWORD, salt=bytes(16))])
    (folder / "accounts").write_text(accounts.format())
    (folder / "accounts").chmod(0o600)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.server", str(folder), str(idle)],
            stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            url = process.stdout.readline()
            yield int(url.split(":")[2].split("/")[0]), process.pid
        finally:
            process.terminate()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


async def _work(
    found: Soak, process: int, clients: int, rounds: int, until: float, idle: float, note: Note
) -> list[Measures]:
    begin = time.monotonic()
    measured = [Measures.of(process)]
    left = rounds

    async def one() -> None:
        nonlocal left
        while left > 0 and time.monotonic() < until:
            left -= 1
            await found.round()

    async def measure() -> None:
        while True:
            await trio.sleep(5)
            measured.append(Measures.of(process))
            note(time.monotonic() - begin, measured[-1])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(measure)
        async with trio.open_nursery() as workers:
            for _ in range(clients):
                workers.start_soon(one)
        nursery.cancel_scope.cancel()
    with trio.fail_after(idle + 50):
        while await found.remaining():
            await trio.sleep(0.2)
        # Connections without a request are still open for a moment.
        while Measures.of(process).descriptors > measured[0].descriptors + 8:
            await trio.sleep(0.2)
    measured.append(Measures.of(process))
    return measured


def soak(
    folder: Path,
    *,
    clients: int,
    rounds: int,
    seconds: float,
    seed: int = 1,
    idle: float = 10.0,
    limit: float = 120.0,
    note: Note = lambda _, __: None,
) -> tuple[Soak, list[Measures]]:
    """Run until ``rounds`` actions or ``seconds`` are over; return the clients and the measures.

    A shell without requests ends after ``idle`` seconds; an action that takes more than ``limit``
    seconds is a hang. ``note`` is called with the seconds since
    the start and each measure. Raises AssertionError for lost output, and trio.TooSlowError for a
    hang or for a session that the server keeps.
    """
    with _served(folder, idle) as (port, process):
        rng = random.Random(seed)
        found = Soak(
            folder=folder, port=port, user=USER, password=PASSWORD, rng=rng, idle=idle, limit=limit
        )
        until = time.monotonic() + seconds
        return found, trio.run(_work, found, process, clients, rounds, until, idle, note)
