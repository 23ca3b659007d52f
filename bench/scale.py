"""Many targets from one process, and many commands in one pool.

The targets are sessions of one `psrp serve --unix`, all open at the same time. Each figure comes
from a process of its own (``python -m bench.scale SOCKET fan_out|pool COUNT``), which reports its
own processor time and peak of memory; `xargs -P` starts `psrp invoke` for the same work.
"""

from __future__ import annotations

import json
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import trio

from bench.report import OURS, Row, Table
from bench.sessions import serving
from psremoting import PSSession
from psremoting.fanout import invoke_on
from psremoting.targets import SocketTarget

__all__ = ["tables"]

XARGS = "xargs -P 8"
RUNSPACES = 64
_SCRIPT = "Get-Integers 1"


def tables(*, quick: bool) -> list[Table]:
    """Return the tables of the fan-out and of the pool. Each figure is measured once."""
    targets, commands = (20, 500) if quick else (200, 10_000)
    psrp = str(Path(sys.executable).with_name("psrp"))
    with TemporaryDirectory() as name, serving(Path(name) / "socket", psrp) as server:
        assert server.path is not None
        one, many = (_measured(server.path, "fan_out", count) for count in (1, targets))
        seconds, processor = _xargs(psrp, server.path, targets)
        queue = _measured(server.path, "pool", commands)
    each = targets - 1
    found = [
        (f"{targets} targets, wall time", OURS, many["seconds"]),
        (f"{targets} targets, wall time", XARGS, seconds),
        ("processor time of the client for each target", OURS,
         (many["processor"] - one["processor"]) / each),
        ("processor time of the client for each target", XARGS, processor / targets),
    ]  # fmt: skip
    memory = (many["memory"] - one["memory"]) / each
    return [
        _table("Scale: one command on many targets at once", found, (XARGS,), [
            f"memory of the client: {memory / 1024:.0f} KiB for each open session,"
            f" {one['memory'] / 1048576:.0f} MiB with one",
        ]),
        _table(f"Scale: commands queued for a pool of {RUNSPACES} runspaces", [
            (f"{commands} commands, wall time", OURS, queue["seconds"]),
            ("wall time for each command", OURS, queue["seconds"] / commands),
            ("processor time of the client for each command", OURS,
             queue["processor"] / commands),
        ], (), [
            f"peak memory of the client: {queue['memory'] / 1048576:.0f} MiB;"
            f" {queue['lost']:.0f} results lost",
        ]),
    ]  # fmt: skip


def _table(
    title: str, found: list[tuple[str, str, float]], others: tuple[str, ...], notes: list[str]
) -> Table:
    rows = [
        Row(subject="scale", case=case, who=who, seconds=seconds, size=0)
        for case, who, seconds in found
    ]
    return Table(title=title, rows=rows, others=others, aims={}, elsewhere={}, notes=notes)


def _measured(path: str, work: str, count: int) -> dict[str, float]:
    """Return the report of a process that does ``work``."""
    argv = [sys.executable, "-m", "bench.scale", path, work, str(count)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def _xargs(psrp: str, path: str, count: int) -> tuple[float, float]:
    """Return wall time and processor time of one `psrp invoke` for each target."""
    line = shlex.join([psrp, "invoke", f"unix:{path}", _SCRIPT])
    before = _processor(resource.RUSAGE_CHILDREN)
    start = perf_counter()
    subprocess.run(
        ["xargs", "-P", "8", "-I", "NUMBER", "sh", "-c", f"{line} # NUMBER"],
        input="".join(f"{number}\n" for number in range(count)),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return perf_counter() - start, _processor(resource.RUSAGE_CHILDREN) - before


def _processor(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


# -- the processes that are measured


async def fan_out(path: str, count: int) -> int:
    """Run a command in ``count`` sessions that are open at once; return how many failed."""
    targets = [SocketTarget(path=path)] * count
    outcomes = await invoke_on(targets, _SCRIPT, throttle=count)
    return sum(each.value is None or each.value.output != [0] for each in outcomes)


async def pool(path: str, count: int) -> int:
    """Run ``count`` commands that are all started at once; return how many results are wrong."""
    found: list[Any] = [None] * count

    async def run(session: PSSession, number: int) -> None:
        found[number] = (await session.call("Get-Integers", number % 10)).output

    target = SocketTarget(path=path)
    async with (
        PSSession.connect(target, max_runspaces=RUNSPACES) as session,
        trio.open_nursery() as nursery,
    ):
        for number in range(count):
            nursery.start_soon(run, session, number)
    return sum(output != list(range(number % 10)) for number, output in enumerate(found))


def main(path: str, work: str, count: str) -> None:
    begun = _processor(resource.RUSAGE_SELF)
    start = perf_counter()
    lost = trio.run({"fan_out": fan_out, "pool": pool}[work], path, int(count))
    report = {
        "seconds": perf_counter() - start,
        "processor": _processor(resource.RUSAGE_SELF) - begun,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "lost": lost,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
