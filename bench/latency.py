"""Round trips, polls, writes, reads and bytes of one small command.

These are counts, so that a busy machine does not change them. Both sides count the calls that they
make to the system for their streams; the server tells its own counts by the command ``Get-Counts``.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from bench.report import aligned
from bench.sessions import serving
from bench.values import get_integers
from psremoting import Credential, PSSession
from psremoting.targets import ProcessTarget, SSHTarget, Target
from psremoting.wsman_target import WSManTarget
from tests.endpoint import served_wsman
from tests.sshsub import sshd

__all__ = ["FUNCTIONS", "lines"]

COMMANDS = 50
COLUMNS = ("round trips", "polls", "writes", "reads", "bytes written", "bytes read")
_NAME = "bench.latency:FUNCTIONS"
_counts: Counter[str] = Counter()
_writing = [False]


class _Polls(trio.abc.Instrument):
    def before_io_wait(self, timeout: float) -> None:
        _counts["polls"] += 1


def _note_write(size: int) -> None:
    _counts["writes"] += 1
    _counts["bytes written"] += size
    _writing[0] = True


def _note_read(size: int) -> None:
    _counts["reads"] += 1
    _counts["bytes read"] += size
    if _writing[0]:
        _counts["round trips"] += 1
        _writing[0] = False


_POLLS = _Polls()


def _begin() -> None:
    """Count from now on, in this process and in the running event loop."""
    trio.lowlevel.add_instrument(_POLLS)  # once for each loop
    if "begun" in _counts:
        return
    _counts["begun"] = 1
    write, read = os.write, os.read

    def counted_write(fd: int, data: Any) -> int:
        size = write(fd, data)
        if fd != 2:
            _note_write(size)
        return size

    def counted_read(fd: int, most: int) -> bytes:
        data = read(fd, most)
        if fd != 2:
            _note_read(len(data))
        return data

    os.write, os.read = counted_write, counted_read
    kind: Any = type(trio.socket.socket())
    for name, note in (("send", _note_write), ("recv", _note_read)):
        setattr(kind, name, _counted(getattr(kind, name), note))


def _counted(method: Callable[..., Any], note: Callable[[int], None]) -> Callable[..., Any]:
    async def counted(self: Any, *arguments: Any) -> Any:
        found = await method(self, *arguments)
        note(found if isinstance(found, int) else len(found))
        return found

    return counted


async def get_counts() -> list[int]:
    """Gets the counts of this server in the order of `COLUMNS`."""
    _begin()
    return [_counts[name] for name in COLUMNS]


FUNCTIONS = {"Get-Counts": get_counts, "Get-Integers": get_integers}
"""For ``psrp serve --functions bench.latency:FUNCTIONS``."""


def lines() -> list[str]:
    """Return the counts for each link as a table."""
    cells = [["one command over", "side", *COLUMNS]]
    with TemporaryDirectory() as name:
        for link, target in _targets(Path(name)):
            ours, theirs = trio.run(_measure, target)
            for side, found in (("client", ours), ("server", theirs)):
                cells.append([link, side, *(f"{each:.1f}" for each in found)])
    return [
        "Latency: round trips and calls to the system for one small command",
        "",
        *aligned(cells),
        f"  means of {COMMANDS + 1} commands; a plain function, which runs in a thread",
        "",
    ]


def _targets(folder: Path) -> Iterator[tuple[str, Target]]:
    psrp = str(Path(sys.executable).with_name("psrp"))
    argv = (psrp, "serve", "--stdio", "--functions", _NAME)
    yield "a pipe", ProcessTarget(argv=argv)
    with serving(folder / "socket", psrp, _NAME) as socket:
        yield "a socket", socket
    if sshd.SSHD is not None:
        with sshd.running(folder, " ".join(argv)) as server:
            yield (
                "ssh",
                SSHTarget(
                    host_name=f"{sshd.USER}@127.0.0.1:{server.port}",
                    key_file_path=server.key,
                    options=server.options,
                ),
            )
    place = folder / "wsman"
    place.mkdir()
    with served_wsman.serving(place, "--allow-unencrypted", "--functions", _NAME) as served:
        for way, authentication in (("WS-Man, plain", "basic"), ("WS-Man, sealed", "ntlm")):
            yield (
                way,
                WSManTarget(
                    computer_name="127.0.0.1",
                    port=served.http,
                    credential=Credential(served_wsman.USER, served_wsman.PASSWORD),
                    authentication=authentication,
                    allow_unencrypted=True,
                    trusted_hosts=("*",),
                ),
            )


async def _measure(target: Target) -> tuple[list[float], list[float]]:
    """Return the counts of one command at the client and at the server."""
    async with PSSession.connect(target) as session:
        for _ in range(3):
            await session.run("Get-Counts")
            await session.run("Get-Integers 1")
        theirs = (await session.run("Get-Counts")).output
        ours = await get_counts()
        for _ in range(COMMANDS):
            await session.run("Get-Integers 1")
        more = (await session.run("Get-Counts")).output
        again = await get_counts()
    share = COMMANDS + 1
    return (
        [(new - old) / share for old, new in zip(ours, again, strict=True)],
        [(new - old) / share for old, new in zip(theirs, more, strict=True)],
    )
