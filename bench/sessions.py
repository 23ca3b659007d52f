"""Whole sessions: our client and our server, two processes, over pipes, a socket and real OpenSSH.

Each is compared with the link without us: a login, an echo, `cat` of the same bytes.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import trio

from bench.bare import Link, over_a_pipe, over_a_socket, over_ssh
from bench.report import OURS, Clock, Row, Seconds, Table
from bench.values import get_bytes, our_mixed
from psremoting.session import PSSession
from psremoting.targets import ProcessTarget, SocketTarget, SSHTarget, Target
from tests.sshsub import sshd

__all__ = ["serving", "tables"]

MIB = 1 << 20
BARE = "the bare link"
COMMANDS = 100
"""Number of consecutive small commands for one figure of latency."""

#: PowerShell 7.6.5 as client and server over ssh, measured elsewhere on a machine of the same size.
POWERSHELL = {
    "open": "445 ms",
    "one command": "3.7-7.8 ms",
    "10 000 ints": "328 ms",
    "1 000 objects x 10": "193 ms",
    "64 MiB of bytes": "1360 ms",
}
AIM = {"64 MiB of bytes": "0.3x"}


@dataclass(frozen=True, slots=True)
class Bulk:
    """A command with much output, and a check that all of it arrived."""

    case: str
    script: str
    size: int
    """Size of the values in bytes, if they are bytes."""
    good: Callable[[list[Any]], bool]


def bulks(mebibytes: int) -> list[Bulk]:
    size = mebibytes * MIB
    one = next(get_bytes(size))
    piece = next(get_bytes(MIB))
    last = our_mixed(999)
    return [
        Bulk("10 000 ints", "Get-Integers 10000", 0, lambda out: out == list(range(10_000))),
        Bulk(
            "1 000 objects x 10",
            "Get-Objects 1000",
            0,
            lambda out: len(out) == 1000 and out[-1] == last,
        ),
        Bulk(f"{mebibytes} MiB of bytes", f"Get-Bytes {size}", size, lambda out: out == [one]),
        Bulk(
            f"{mebibytes} x 1 MiB of bytes",
            f"Get-Bytes {MIB} {mebibytes}",
            size,
            lambda out: len(out) == mebibytes and out[-1] == piece,
        ),
    ]


def tables(clock: Clock, *, quick: bool) -> list[Table]:
    """Return one table for each link; without sshd the table of ssh has the reason."""
    mebibytes = 8 if quick else 64
    serve = "serve", "--stdio", "--functions", "bench.values:FUNCTIONS"
    psrp = str(Path(sys.executable).with_name("psrp"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "bytes"
        file.write_bytes(next(get_bytes(mebibytes * MIB)))
        local = ProcessTarget(argv=(psrp, *serve))
        found = [_table("a pipe", clock, local, over_a_pipe(), file, mebibytes, {})]
        with serving(folder / "socket", psrp) as target:
            found.append(_table("a socket", clock, target, over_a_socket(), file, mebibytes, {}))
        if sshd.SSHD is None:
            print("Sessions over ssh: skipped, there is no sshd here\n")
            return found
        with sshd.running(folder, " ".join((psrp, *serve))) as server:
            remote = SSHTarget(
                host_name=f"{sshd.USER}@127.0.0.1:{server.port}",
                key_file_path=server.key,
                options=server.options,
            )
            bare = over_ssh(server)
            found.append(_table("ssh", clock, remote, bare, file, mebibytes, POWERSHELL))
    return found


@contextmanager
def serving(
    path: Path, psrp: str, functions: str = "bench.values:FUNCTIONS"
) -> Iterator[SocketTarget]:
    """Run a server on a unix socket; its start is not measured."""
    argv = [psrp, "serve", "--unix", path, "--functions", functions]
    with subprocess.Popen(argv) as process:
        try:
            while not path.exists():
                if process.poll() is not None:
                    raise AssertionError("the server does not start")
                sleep(0.01)
            yield SocketTarget(path=str(path))
        finally:
            process.terminate()


def _table(
    link: str,
    clock: Clock,
    target: Target,
    bare: Link,
    file: Path,
    mebibytes: int,
    elsewhere: dict[str, str],
) -> Table:
    return Table(
        title=f"Sessions over {link}: from our client to our server and back",
        rows=trio.run(_measure, link, clock, target, bare, file, bulks(mebibytes)),
        others=(BARE,),
        aims=AIM if elsewhere else {},
        elsewhere=elsewhere,
        notes=[
            f"{BARE}: a login, an echo of 100 bytes, cat of the same bytes",
            *(["* PowerShell 7.6.5 to PowerShell over ssh, measured elsewhere"] * bool(elsewhere)),
        ],
    )


async def _measure(
    link: str, clock: Clock, target: Target, bare: Link, file: Path, asked: list[Bulk]
) -> list[Row]:
    rows: list[Row] = []

    def add(case: str, who: str, seconds: float, size: int = 0) -> None:
        rows.append(Row(subject=link, case=case, who=who, seconds=seconds, size=size))

    add("open", OURS, await _median(clock, lambda: _opening(target)))
    if not bare.socket:
        add("open", BARE, _median_of(clock, bare.empty))
    add("open, one command", OURS, await _median(clock, lambda: _opening(target, run=True)))
    async with PSSession.connect(target) as session:
        add("one command", OURS, await _median(clock, lambda: _small(session)))
        add("one command", BARE, _median_of(clock, bare.echo))
        for bulk in asked:
            seconds = await _median(clock, lambda bulk=bulk: _bulk(session, bulk))  # type: ignore[misc]
            add(bulk.case, OURS, seconds, bulk.size)
            if bulk.size:
                add(bulk.case, BARE, _median_of(clock, lambda: bare.cat(file)), bulk.size)
    return rows


async def _median(clock: Clock, measure: Callable[[], Awaitable[float]]) -> float:
    await measure()
    taken = []
    for _ in clock.each():
        gc.collect()
        gc.freeze()
        taken.append(await measure())
        gc.unfreeze()
    return Seconds.of(taken)


def _median_of(clock: Clock, measure: Callable[[], float]) -> float:
    measure()
    return Seconds.of([measure() for _ in clock.each()])


async def _opening(target: Target, run: bool = False) -> float:
    start = perf_counter()
    async with PSSession.connect(target) as session:
        if run:
            await session.run("Get-Integers 1")
        return perf_counter() - start


async def _small(session: PSSession) -> float:
    taken = []
    for _ in range(COMMANDS):
        start = perf_counter()
        result = await session.run("Get-Integers 1")
        taken.append(perf_counter() - start)
        if result.output != [0]:
            raise AssertionError(result)
    return Seconds.of(taken)


async def _bulk(session: PSSession, bulk: Bulk) -> float:
    start = perf_counter()
    result = await session.run(bulk.script)
    taken = perf_counter() - start
    if result.error is not None:
        raise result.error
    if not bulk.good(result.output):
        raise AssertionError(bulk.case)
    return taken
