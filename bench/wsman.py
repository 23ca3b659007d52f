"""Sessions over WS-Man: our client, pypsrp and PowerShell's native client with three servers.

The servers are `psrp serve` with functions, `psrp serve` as a gateway to PowerShell, and
PowerShell's plugin (PSREMOTING_WSMAN_DIR, PSREMOTING_WSMAN_START, as root). Our client and pypsrp
take turns in one process; the native client is a process of its own that measures itself.
"""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import trio

from bench.powershell import FUNCTIONS, MEASURE
from bench.report import OURS, Clock, Row, Seconds, Table, ratio
from psremoting import Credential, PSSession, SessionOption
from psremoting.wsman_target import WSManTarget
from tests.endpoint import served_wsman
from tests.live import powershell, wsman_peers
from tests.live.wsman_peers import PASSWORD, USER, NativeClient, WSManServer

__all__ = ["tables"]

PYPSRP, NATIVE = "pypsrp", "PowerShell"
COMMANDS, BLOCK = 60, 10
"""Number of small commands for one figure, and of those in a row before the other client's turn."""
WAYS = {"plain": ("basic", False), "sealed": ("ntlm", False), "TLS": ("basic", True)}
"""Authentication, and HTTPS or not."""
NATIVE_SECONDS = 180.0
"""Limit for all work of the native client in one table."""
ONE, MANY = "one command", "one of many commands"
AIMS = dict.fromkeys(("open", "first command", ONE, MANY), "1x")
BULKS = [
    ("1 000 integers", "Get-Integers", 1000, lambda out: len(out) == 1000),
    ("100 objects x 10", "Get-Objects", 100, lambda out: len(out) == 100),
    ("4 MiB of bytes", "Get-Bytes", 4 << 20, lambda out: len(out[0]) == 4 << 20),
]
AIMS |= {case: "1x" for case, *_ in BULKS}


@dataclass(frozen=True)
class _Server:
    name: str
    ports: WSManServer
    scripts: bool
    """True if the commands have to be defined by a script in each session."""


@dataclass
class _Figures:
    """The times of one client, by case."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    def add(self, case: str, seconds: float) -> None:
        self.taken.setdefault(case, []).append(seconds)

    def rows(self, subject: str, who: str) -> list[Row]:
        return [
            Row(
                subject=subject,
                case=case,
                who=who,
                seconds=Seconds.of(found[1:] or found),
                size=4 << 20 if "MiB" in case else 0,
            )
            for case, found in self.taken.items()
        ]


def tables(clock: Clock, *, quick: bool) -> Iterator[Table]:
    """Return one table for each server and way; print why a server is left out."""
    warnings.simplefilter("ignore")  # the certificate of the plugin's server cannot be verified
    repeats = min(clock.repeats, 3 if quick else 5)
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        for server in _servers(folder, stack):
            for way in WAYS:
                try:
                    yield _table(server, way, folder, repeats, native=not quick)
                except Exception as error:
                    # The other tables are worth having.
                    print(f"WS-Man, {server.name}, {way}: failed, {error!r}\n")


def _servers(folder: Path, stack: ExitStack) -> Iterator[_Server]:
    def ours(name: str, *options: str) -> WSManServer:
        place = folder / name
        place.mkdir()
        options += ("--allow-unencrypted",)
        made = stack.enter_context(served_wsman.serving(place, *options))
        return WSManServer(http=made.http, https=made.https, kdc=None)

    functions = ours("functions", "--functions", "bench.values:FUNCTIONS")
    yield _Server("psrp serve --functions", functions, scripts=False)
    program = powershell.find()
    if program is None:
        print("WS-Man, gateway: skipped, there is no PowerShell here\n")
    else:
        gateway = ours("gateway", "--process", f"{program} -s -NoLogo -NoProfile")
        yield _Server("psrp serve --process pwsh", gateway, scripts=True)
    if reason := wsman_peers.why_not():
        print(f"WS-Man, PowerShell's plugin: skipped, {reason}\n")
    else:
        plugin = stack.enter_context(wsman_peers.serving(None))
        yield _Server("PowerShell's plugin", plugin, scripts=True)


def _table(server: _Server, way: str, folder: Path, repeats: int, *, native: bool) -> Table:
    subject = f"WS-Man, {server.name}, {way}"
    mine, theirs = _Figures(), _Figures()
    trio.run(_measure, server, way, repeats, mine, theirs)
    rows = mine.rows(subject, OURS) + theirs.rows(subject, PYPSRP)
    others = [PYPSRP] if theirs.taken else []
    missing = []
    if native and way != "plain" and wsman_peers.client_program() is not None:
        found, why_not = _native(server, way, folder, min(repeats, 3))
        if found.taken:
            rows += found.rows(subject, NATIVE)
            others.append(NATIVE)
        if why_not:
            missing.append(f"PowerShell's client did not get to the end: {why_not}")
    aims = AIMS | ({MANY: "3x"} if not server.scripts else {})
    table = Table(title=subject, rows=rows, others=others, aims=aims, elsewhere={})
    return Table(
        title=subject, rows=rows, others=others, aims=aims, elsewhere={},
        notes=[
            *_losses(table),
            *missing,
            "pypsrp ends its commands outside the time of one command",
        ],
    )  # fmt: skip


def _losses(table: Table) -> list[str]:
    """Return a line for each row in which we do not reach the aim."""
    found = []
    for case, aim in table.aims.items():
        times = {row.who: row.seconds for row in table.rows if row.case == case}
        for who in table.others:
            wanted = float(aim.rstrip("x")) if who == PYPSRP else 1.0
            if OURS in times and who in times and times[who] / times[OURS] < wanted:
                reached = ratio(times[OURS], times[who])
                found.append(f"below the aim: {case} vs {who}, {reached} of {wanted:g}x")
    return found


# -- our client and pypsrp


def _target(server: _Server, way: str) -> WSManTarget:
    authentication, tls = WAYS[way]
    return WSManTarget(
        computer_name="127.0.0.1",
        port=server.ports.https if tls else server.ports.http,
        use_ssl=tls,
        credential=Credential(USER, PASSWORD),
        authentication=authentication,
        allow_unencrypted=True,
        trusted_hosts=("*",),
    )


class _Pypsrp:
    """One session of pypsrp."""

    def __init__(self, server: _Server, way: str) -> None:
        from pypsrp.powershell import RunspacePool
        from pypsrp.wsman import WSMan

        authentication, tls = WAYS[way]
        more: dict[str, Any] = {"cert_validation": False} if tls else {}
        if not tls:
            more["encryption"] = "always" if way == "sealed" else "never"
        self._wsman = WSMan(
            "127.0.0.1",
            port=server.ports.https if tls else server.ports.http,
            ssl=tls,
            auth=authentication,
            username=USER,
            password=PASSWORD,
            **more,
        )
        self._pool = RunspacePool(self._wsman)
        self._pool.open()

    def run(
        self,
        name: str,
        argument: int | None = None,
        figures: _Figures | None = None,
        case: str = "",
    ) -> list[Any]:
        """Run a script, or a command with its argument; its close is not in the time."""
        from pypsrp.powershell import PowerShell

        start = perf_counter()
        command = PowerShell(self._pool)
        if argument is None:
            command.add_script(name)
        else:
            command.add_cmdlet(name).add_argument(argument)
        output = command.invoke()
        if figures is not None:
            figures.add(case, perf_counter() - start)
        command.close()
        return list(output)

    def close(self) -> None:
        self._pool.close()
        self._wsman.close()


async def _measure(
    server: _Server, way: str, repeats: int, mine: _Figures, theirs: _Figures
) -> None:
    target, options = _target(server, way), SessionOption(skip_ca_check=True, skip_cn_check=True)
    with_pypsrp = find_spec("pypsrp") is not None
    first = "1" if server.scripts else "Get-Integers 1"
    for _ in range(repeats + 1):
        start = perf_counter()
        async with PSSession.connect(target, options=options) as session:
            mine.add("open", perf_counter() - start)
            start = perf_counter()
            await session.run(first)
            mine.add("first command", perf_counter() - start)
        if with_pypsrp:
            start = perf_counter()
            other = _Pypsrp(server, way)
            theirs.add("open", perf_counter() - start)
            words = ("1", None) if server.scripts else ("Get-Integers", 1)
            other.run(*words, theirs, "first command")
            other.close()
    async with PSSession.connect(target, options=options) as session:
        other = _Pypsrp(server, way) if with_pypsrp else None
        if server.scripts:
            await session.run(FUNCTIONS)
            if other is not None:
                other.run(FUNCTIONS)
        await session.run("Get-Integers 1")
        for _ in range(COMMANDS // BLOCK):
            await _commands(session, mine)
            if other is not None:
                _pypsrp_commands(other, theirs)
        for _ in range(repeats + 1):
            for case, name, argument, good in BULKS:
                await _bulk(session, mine, case, f"{name} {argument}", good)
                if other is not None:
                    gc.collect()
                    assert good(other.run(name, argument, theirs, case)), case
        if other is not None:
            other.close()


async def _commands(session: PSSession, figures: _Figures) -> None:
    begin = perf_counter()
    for _ in range(BLOCK):
        start = perf_counter()
        result = await session.run("Get-Integers 1")
        figures.add(ONE, perf_counter() - start)
        assert result.output == [0]
    figures.add(MANY, (perf_counter() - begin) / BLOCK)


def _pypsrp_commands(session: _Pypsrp, figures: _Figures) -> None:
    begin = perf_counter()
    for _ in range(BLOCK):
        assert session.run("Get-Integers", 1, figures, ONE) == [0]
    figures.add(MANY, (perf_counter() - begin) / BLOCK)


async def _bulk(
    session: PSSession, figures: _Figures, case: str, script: str, good: Callable[[Any], bool]
) -> None:
    gc.collect()
    start = perf_counter()
    result = await session.run(script)
    figures.add(case, perf_counter() - start)
    if result.error is not None or not good(result.output):
        raise AssertionError(f"{case}: {result.error}")


# -- the native client


def _native_script(server: _Server, way: str, repeats: int) -> str:
    """Return the script in which PowerShell's client measures itself."""
    _, tls = WAYS[way]
    parameters = (
        f"@{{ComputerName = 'localhost'; Port = {server.ports.https}; UseSSL = $true;"
        " Authentication = 'Basic'; SessionOption = $o; Credential = $c}"
        if tls
        else f"@{{ComputerName = '127.0.0.1'; Port = {server.ports.http};"
        " Authentication = 'Negotiate'; Credential = $c}"
    )
    define = (
        f"$f = [powershell]::Create(); $f.Runspace = $s.Runspace\n"
        f"$null = $f.AddScript(@'\n{FUNCTIONS}\n'@).Invoke()\n"
        if server.scripts
        else ""
    )
    script = f"""
    {MEASURE}
    $global:BenchFunctions = ${str(server.scripts).lower()}
    $p = {parameters}
    function Write-Figure([string]$Case, [double[]]$Times) {{
        [Console]::Out.WriteLine('FIGURE ' + (ConvertTo-Json -Compress @($Case, $Times)))
    }}
    $figures = @{{ open = @(); 'first command' = @() }}
    foreach ($i in 0..{repeats}) {{
        $opened, $first = Open-Bench $p
        $figures['open'] += $opened; $figures['first command'] += $first
    }}
    foreach ($case in 'open', 'first command') {{ Write-Figure $case $figures[$case] }}
    $s = New-PSSession @p
    {define}
    $null = Invoke-Bench $s Get-Integers 1
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    foreach ($i in 1..20) {{ $null = Invoke-Bench $s Get-Integers 1 }}
    foreach ($case in '{ONE}', '{MANY}') {{
        Write-Figure $case ($watch.Elapsed.TotalSeconds / 20)
    }}
    """
    for case, name, argument, _ in BULKS:
        script += (
            f"Write-Figure '{case}'"
            f" @(Get-Median {{ Invoke-Bench $s {name} {argument} }} {repeats})\n"
        )
    return script + "Remove-PSSession $s\n"


def _native(server: _Server, way: str, folder: Path, repeats: int) -> tuple[_Figures, str]:
    """Return the figures of PowerShell's native client, by its own clock.

    Also returns why some are missing: it is old C code that may crash or stop.
    """
    script = _native_script(server, way, repeats)
    why_not = ""
    try:
        output = NativeClient(folder, server.ports).run(script, timeout=NATIVE_SECONDS)
    except AssertionError as error:
        output = str(error)
        why_not = output.partition(":")[0]
    figures = _Figures()
    for line in output.splitlines():
        if line.startswith("FIGURE "):
            case, times = json.loads(line.removeprefix("FIGURE "))
            figures.taken[case] = list(map(float, times))
    if not why_not and len(figures.taken) < len(AIMS):
        why_not = output[-300:]
    return figures, why_not
