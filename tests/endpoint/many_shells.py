"""Many open shells in one endpoint: a pipeline in each, idle polls, memory.

A test runs it with a hundred shells, `make bench` with a thousand.
"""

from __future__ import annotations

import statistics
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import trio

from psremoting import Credential, PSSession
from psremoting.wsman_target import WSManTarget
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint

__all__ = ["OPTIONS", "Load", "measure"]

OPTIONS = (
    "--max-shells-per-user", "1100", "--max-shells", "1100", "--max-connections", "4000",
)  # fmt: skip
"""Options of `psrp serve` for a thousand shells of one user."""
_COMMANDS = 20


@dataclass(frozen=True, kw_only=True)
class Load:
    """Figures of one run. Times are seconds, memory is bytes."""

    values: tuple[int, ...]
    """The output of the pipeline of each shell, in order."""
    last_open: float
    """Opening of one more shell beside all others."""
    command: float
    """One command beside the idle polls of all other shells."""
    alone: float
    """One command while no other shell is open."""
    memory: float
    """Memory of the server's process for each idle shell."""


def resident(process: int) -> int:
    """Return the resident memory of a process in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("expected VmRSS in /proc")


async def measure(endpoint: Endpoint, count: int, command: str) -> Load:
    """Open ``count`` shells, run ``command NUMBER`` in all of them at once, and close them."""
    target = WSManTarget(
        computer_name="127.0.0.1",
        port=endpoint.http,
        credential=Credential(USER, PASSWORD),
        authentication="ntlm",
    )
    async with PSSession.connect(target) as first:
        alone = await _command(first, command)
    before = resident(endpoint.process.pid)
    found: list[int] = [-1] * count
    async with AsyncExitStack() as stack:
        sessions: list[PSSession] = []
        for _ in range(count):
            start = perf_counter()
            sessions.append(await stack.enter_async_context(PSSession.connect(target)))
            last_open = perf_counter() - start
        memory = (resident(endpoint.process.pid) - before) / count

        async def run(number: int) -> None:
            result = await sessions[number].run(f"{command} {number}")
            if result.error is not None:
                raise result.error
            (found[number],) = result.output

        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(run, number)
        busy = await _command(sessions[-1], command)
    return Load(values=tuple(found), last_open=last_open, command=busy, alone=alone, memory=memory)


async def _command(session: PSSession, command: str) -> float:
    taken = []
    for _ in range(_COMMANDS):
        start = perf_counter()
        await session.run(f"{command} 1")
        taken.append(perf_counter() - start)
    return statistics.median(taken[1:])
