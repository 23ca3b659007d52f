"""Copies of one file to a PowerShell and back: ours, PowerShell's Copy-Item, scp, pypsrp.

Over ssh (a real sshd on loopback) beside Copy-Item and scp, over WS-Man (PowerShell's plugin)
beside pypsrp. Every copy begins with an open session; the bytes are random and compared afterwards.
"""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import trio

from bench.report import OURS, Clock, Row, Seconds, Table
from psremoting.copying import CopyOptions, RemoteFiles, copy_from, copy_to, files_of
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psremoting.targets import Target
from tests.live import powershell, wsman_peers
from tests.live.peers import Clients, Hosts, with_sshd
from tests.live.powershell import quoted
from tests.live.wsman_peers import PASSWORD, USER
from tests.sshsub import sshd

__all__ = ["tables"]

_SIZE, _QUICK = 256 << 20, 32 << 20
_RUNSPACES = 4
_COPY_ITEM, _SCP, _PYPSRP = "Copy-Item", "scp", "pypsrp"
_TIMED = r"""
function global:Measure-Copy([scriptblock]$work) {
    $ProgressPreference = 'SilentlyContinue'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    & $work
    $watch.Elapsed.TotalSeconds
}
"""


def tables(clock: Clock, *, quick: bool) -> Iterator[Table]:
    """Yield the copies over ssh and over WS-Man; a table is left out without its peers."""
    size = _QUICK if quick else _SIZE
    repeats = min(clock.repeats, 1 if quick else 3)
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        source = folder / "source"
        with source.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        source.chmod(0o644)
        if powershell.find() is None or sshd.SSHD is None:
            print("copies over ssh: skipped, there is no PowerShell or no sshd here\n")
        else:
            yield _over_ssh(folder, source, repeats)
        if reason := wsman_peers.why_not():
            print(f"copies over WS-Man: skipped, {reason}\n")
        else:
            yield _over_wsman(folder, source, repeats)


class _Copies:
    """The figures of one table."""

    def __init__(self, subject: str, source: Path, repeats: int) -> None:
        self.subject, self.source, self.repeats = subject, source, repeats
        self.there = source.with_name("there")
        self.back = source.with_name("back")
        self.rows: list[Row] = []
        self._content = source.read_bytes()

    def take(self, who: str, case: str, work: Callable[[], float], result: Path) -> None:
        """Run ``work``, which returns its seconds, and compare the file that it wrote."""
        taken = []
        for _ in range(self.repeats):
            result.unlink(missing_ok=True)
            taken.append(work())
            if result.read_bytes() != self._content:
                raise AssertionError(f"{self.subject}, {case}, {who}: another file has arrived")
        size = len(self._content)
        self.rows.append(
            Row(subject=self.subject, case=case, who=who, seconds=Seconds.of(taken), size=size)
        )

    def both(self, who: str, to: Callable[[], float], back: Callable[[], float]) -> None:
        self.take(who, "to PowerShell", to, self.there)
        self.take(who, "from PowerShell", back, self.back)

    def table(self, *others: str) -> Table:
        aims = dict.fromkeys(("to PowerShell", "from PowerShell"), "3x")
        return Table(
            title=self.subject, rows=self.rows, others=others, aims=aims, elsewhere={}
        )  # fmt: skip


def _timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _ours(copies: _Copies, target: Target, options: SessionOption) -> None:
    """Measure our copies; each has a session of its own, which is open before."""

    def run(copy: Callable[[RemoteFiles], object]) -> float:
        async def measured() -> float:
            async with PSSession.connect(
                target, options=options, max_runspaces=_RUNSPACES
            ) as session:
                files = await files_of(session)
                start = perf_counter()
                await copy(files)  # type: ignore[misc]
                return perf_counter() - start

        return trio.run(measured)

    copies.both(
        OURS,
        lambda: run(lambda f: copy_to(f, [copies.source], str(copies.there), CopyOptions())),
        lambda: run(lambda f: copy_from(f, [str(copies.source)], copies.back, CopyOptions())),
    )


def _over_ssh(folder: Path, source: Path, repeats: int) -> Table:
    copies = _Copies(f"copy of {source.stat().st_size >> 20} MiB over ssh", source, repeats)
    program = powershell.find()
    assert program is not None
    hosts = Hosts(folder / "hosts")
    hosts.make()
    hosts.add("powershell", [program, "-sshs", "-NoLogo", "-NoProfile"])
    for name in ("restricted", "functions", "process", "demo"):
        hosts.add(name, ["/bin/false"])
    with with_sshd(hosts):
        assert hosts.sshd is not None
        _ours(copies, hosts.peer("ssh", "powershell").target, SessionOption())
        clients = Clients(hosts)
        try:
            _copy_item(copies, clients)
        finally:
            clients.close()
        _scp(copies, hosts.sshd)
    return copies.table(_COPY_ITEM, _SCP)


def _copy_item(copies: _Copies, clients: Clients) -> None:
    clients.real.prepare(_TIMED)
    session = clients.theirs("ssh")

    def run(line: str) -> float:
        return float(clients.real.run(f"Measure-Copy {{ {line} }}", timeout=600).split()[-1])

    names = [quoted(str(each)) for each in (copies.source, copies.there, copies.back)]
    copies.both(
        _COPY_ITEM,
        lambda: run(f"Copy-Item {names[0]} -Destination {names[1]} -ToSession {session}"),
        lambda: run(f"Copy-Item {names[0]} -Destination {names[2]} -FromSession {session}"),
    )


def _scp(copies: _Copies, server: sshd.Server) -> None:
    options = [word for each in server.options.items() for word in ("-o", "=".join(each))]
    words = ["scp", "-O", "-q", "-P", str(server.port), "-i", server.key, *options]

    def run(*paths: str) -> float:
        return _timed(lambda: subprocess.run([*words, *paths], check=True))

    copies.both(
        _SCP,
        lambda: run(str(copies.source), f"127.0.0.1:{copies.there}"),
        lambda: run(f"127.0.0.1:{copies.source}", str(copies.back)),
    )


def _over_wsman(folder: Path, source: Path, repeats: int) -> Table:
    from pypsrp.client import Client

    warnings.simplefilter("ignore")
    copies = _Copies(f"copy of {source.stat().st_size >> 20} MiB over WS-Man", source, repeats)
    with wsman_peers.serving(None) as server:
        _ours(copies, server.target("ntlm"), server.options)
        with Client(
            "127.0.0.1", port=server.http, username=USER, password=PASSWORD, ssl=False,
            auth="ntlm", encryption="always",
        ) as client:  # fmt: skip
            copies.both(
                _PYPSRP,
                lambda: _timed(lambda: client.copy(str(source), str(copies.there))),
                lambda: _timed(lambda: client.fetch(str(source), str(copies.back))),
            )
    return copies.table(_PYPSRP)
