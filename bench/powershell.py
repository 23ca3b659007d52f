"""PowerShell in the same run: its serializer and ours, and sessions over ssh in the four pairs of
clients and servers.

The real client is a process that is kept open and measures itself, without Invoke-Command's own
work: its commands are [powershell] objects in an open session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.report import OURS, Clock, Row, Seconds, Table
from psremoting import sync
from psrp.clixml import dumps, loads
from tests.live import powershell
from tests.live.peers import Clients, Hosts, with_sshd
from tests.sshsub import sshd

__all__ = ["FUNCTIONS", "MEASURE", "tables"]

ITSELF = "PowerShell to itself"
TO_PWSH = "ours to PowerShell"
FROM_PWSH = "PowerShell to ours"
SERIALIZER = "PSSerializer"
COMMANDS = 50
"""Number of consecutive small commands for one figure."""

_NESTED = (
    "$v = [pscustomobject]@{ Level = 0; Name = 'leaf' };"
    " foreach ($l in 1..47) {"
    ' $v = [pscustomobject]@{ Level = $l; Name = "level $l"; Child = $v } }; $v'
)

# The functions of our server (`bench.values`) for the real one.
FUNCTIONS = r"""
function Get-Integers($count) { 0..($count - 1) }
function Get-Bytes($size) { , [byte[]]::new($size) }
function Get-Objects($count) {
    foreach ($i in 0..($count - 1)) {
        [pscustomobject]@{
            Id = $i; Name = "process-$i"; Cpu = $i * 1.25; Responding = $i % 2 -eq 1
            WorkingSet = [long]$i * 4096; Path = "C:\Program Files\app\$i.exe"
            Guid = [guid]::Empty; Handle = [uint32]$i
            StartTime = [datetime]'2026-01-02'; Note = $null
        }
    }
}
"""
MEASURE = r"""
function global:Get-Times([scriptblock]$work, [int]$repeats) {
    $null = & $work
    $taken = foreach ($i in 1..$repeats) {
        [gc]::Collect()
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $null = & $work
        $watch.Elapsed.TotalSeconds
    }
    $taken
}
function global:Get-Median([scriptblock]$work, [int]$repeats) {
    @(Get-Times $work $repeats | Sort-Object)[[math]::Floor($repeats / 2)]
}
function global:Invoke-Bench($session, [string]$name, $argument) {
    $p = [powershell]::Create()
    $p.Runspace = $session.Runspace
    $p.AddCommand($name).AddArgument($argument).Invoke()
}
function global:Open-Bench([hashtable]$parameters) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $session = New-PSSession @parameters
    $opened = $watch.Elapsed.TotalSeconds
    $watch.Restart()
    if ($global:BenchFunctions) {
        $p = [powershell]::Create()
        $p.Runspace = $session.Runspace
        $null = $p.AddScript('1').Invoke()
    }
    else { $null = Invoke-Bench $session Get-Integers 1 }
    $first = $watch.Elapsed.TotalSeconds
    Remove-PSSession $session
    $opened, $first
}
"""


def tables(clock: Clock, *, quick: bool) -> list[Table]:
    """Return the tables of the serializers and of the pairs; print the reason and return none
    without peers."""
    reason = powershell.why_not()
    if reason:
        print(f"PowerShell: skipped, {reason}\n")
        return []
    with TemporaryDirectory() as name, _clients(Path(name)) as clients:
        clients.real.run(MEASURE)
        found = [_codec(clock, clients)]
        if sshd.SSHD is None:
            print("PowerShell over ssh: skipped, there is no sshd here\n")
        else:
            found.append(_pairs(clock, clients, 8 if quick else 64))
        return found


@contextmanager
def _clients(folder: Path) -> Iterator[Clients]:
    hosts = Hosts(folder)
    hosts.make()
    program = powershell.find()
    assert program is not None
    hosts.add("powershell", [program, "-sshs", "-NoLogo", "-NoProfile"])
    hosts.add_ours("functions", "--functions", "bench.values:FUNCTIONS")
    clients = Clients(hosts)
    try:
        if sshd.SSHD is None:
            yield clients
        else:
            with with_sshd(hosts):
                yield clients
    finally:
        clients.close()


# -- the serializers


def _codec(clock: Clock, clients: Clients) -> Table:
    cases = {
        "10 000 ints": ", [object[]](Get-Integers 10000)",
        "10 000 short strings": ', [object[]](0..9999 | ForEach-Object { "string number $_" })',
        "1 000 objects x 10": ", @(Get-Objects 1000)",
        "nested 48 deep": _NESTED,
        "8 MiB string": "('The quick brown fox jumps. ' * 310690).Substring(0, 8MB)",
        "8 MiB of bytes": "Get-Bytes 8MB",
    }
    clients.real.run(f". {{ {FUNCTIONS} }}")
    rows: list[Row] = []

    def add(case: str, who: str, seconds: float, size: int) -> None:
        rows.append(Row(subject="clixml", case=case, who=who, seconds=seconds, size=size))

    kind = "[System.Management.Automation.PSSerializer]"
    for case, expression in cases.items():
        text = clients.real.run(
            f"$value = . {{ {FUNCTIONS}; {expression} }}\n"
            f"$document = {kind}::Serialize($value, 60); $document"
        )
        document = text.encode()
        value = loads(document)
        repeats = max(5, clock.repeats)
        taken = clients.real.json(
            f"Get-Times {{ {kind}::Serialize($value, 60) }} {repeats}\n"
            f"Get-Times {{ {kind}::Deserialize($document) }} {repeats}",
            timeout=300,
        )
        written, read = Seconds.of(taken[:repeats]), Seconds.of(taken[repeats:])
        add(f"{case}, written", OURS, clock.simple(lambda value=value: dumps(value)), len(document))  # type: ignore[misc]
        add(f"{case}, written", SERIALIZER, written, len(document))
        add(f"{case}, read", OURS, clock.simple(lambda text=document: loads(text)), len(document))  # type: ignore[misc]
        add(f"{case}, read", SERIALIZER, read, len(document))
    return Table(
        title="CLIXML: our serializer and PowerShell's, warm",
        rows=rows,
        others=(SERIALIZER,),
        aims={},
        elsewhere={},
    )


# -- the pairs


def _pairs(clock: Clock, clients: Clients, mebibytes: int) -> Table:
    rows: list[Row] = []

    def add(who: str, figures: dict[str, float]) -> None:
        for case, seconds in figures.items():
            rows.append(Row(subject="pairs", case=case, who=who, seconds=seconds, size=0))

    repeats = min(clock.repeats, 5)
    add(OURS, _ours(clients, "functions", repeats, mebibytes))
    add(TO_PWSH, _ours(clients, "powershell", repeats, mebibytes))
    add(FROM_PWSH, _theirs(clients, "functions", repeats, mebibytes))
    add(ITSELF, _theirs(clients, "powershell", repeats, mebibytes))
    return Table(
        title="Sessions over ssh: our client to our server, and the other three pairs",
        rows=rows,
        others=(ITSELF, TO_PWSH, FROM_PWSH),
        aims={},
        elsewhere={},
        notes=[f"median of {repeats}, PowerShell's own figures by its Stopwatch"],
    )


def _bulks(mebibytes: int) -> list[tuple[str, str, int]]:
    return [
        ("10 000 ints", "Get-Integers", 10_000),
        ("1 000 objects x 10", "Get-Objects", 1000),
        (f"{mebibytes} MiB of bytes", "Get-Bytes", mebibytes << 20),
    ]


def _ours(clients: Clients, server: str, repeats: int, mebibytes: int) -> dict[str, float]:
    """Return our client's figures with ``server``, in seconds."""
    target = clients.hosts.peer("ssh", server).target
    first = "1" if server == "powershell" else "Get-Integers 1"
    opened, firsts = [], []
    for _ in range(repeats + 1):
        start = perf_counter()
        with sync.connect(target) as session:
            opened.append(perf_counter() - start)
            start = perf_counter()
            session.run(first)
            firsts.append(perf_counter() - start)
    figures = _openings(opened[1:], firsts[1:])
    session = clients.ours("ssh", server)
    if server == "powershell":
        session.run(FUNCTIONS)

    def run(script: str, count: int) -> float:
        taken = []
        for _ in range(count + 1):
            start = perf_counter()
            result = session.run(script)
            taken.append(perf_counter() - start)
            if result.error is not None or not result.output:
                raise AssertionError(f"{script}: {result.error}")
        return Seconds.of(taken[1:])

    figures["one command"] = run("Get-Integers 1", COMMANDS)
    for case, name, argument in _bulks(mebibytes):
        figures[case] = run(f"{name} {argument}", repeats)
    return figures


def _openings(opened: list[float], firsts: list[float]) -> dict[str, float]:
    both = [a + b for a, b in zip(opened, firsts, strict=True)]
    return {
        "open": Seconds.of(opened),
        "first command": Seconds.of(firsts),
        "open and first command": Seconds.of(both),
    }


def _theirs(clients: Clients, server: str, repeats: int, mebibytes: int) -> dict[str, float]:
    """Return the real client's figures with ``server``, in seconds."""
    parameters = clients.hosts.peer("ssh", server).parameters
    real = clients.real
    real.run(f"$global:BenchFunctions = ${str(server == 'powershell').lower()}")
    pairs = [real.json(f"Open-Bench {parameters}") for _ in range(repeats + 1)][1:]
    figures = _openings([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    session = clients.theirs("ssh", server)
    if server == "powershell":
        pipeline = clients.pipeline("ssh", server)
        real.run(f"$null = {pipeline}.AddScript(@'\n{FUNCTIONS}\n'@).Invoke()")

    def run(name: str, argument: int, count: int) -> float:
        taken = real.json(
            f"$s = {session}; Get-Times {{ Invoke-Bench $s {name} {argument} }} {count}",
            timeout=600,
        )
        return Seconds.of(map(float, taken))

    figures["one command"] = run("Get-Integers", 1, COMMANDS)
    for case, name, argument in _bulks(mebibytes):
        figures[case] = run(name, argument, repeats)
    return figures
