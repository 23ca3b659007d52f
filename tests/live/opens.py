"""Openings of sessions on a socket of ours by PowerShell: ``python -m tests.live.opens 2000``.

The client has a race of its own: a session breaks when the answer to its first message arrives
before it reads. spec-notes/endpoint.md#first-answer-on-a-socket
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.powershell import PowerShell, quoted, why_not
from tests.recordings import ROOT

__all__ = ["opened", "serving"]

_OPEN = r"""
function global:Open-Often([string]$path, [int]$count) {
    foreach ($i in 1..$count) {
        $info = [System.Management.Automation.Runspaces.NamedPipeConnectionInfo]::new($path)
        $runspace = [runspacefactory]::CreateRunspace($info)
        try { $runspace.Open(); "$($runspace.RunspaceStateInfo.State)" }
        catch { "$($runspace.RunspaceStateInfo.State)" }
        finally { $runspace.Dispose() }
    }
}
"""


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Run `psrp serve --unix` while the block lasts; yield the path of its socket."""
    path = folder / "endpoint"
    start = "from psremoting.cli.entry import main; main()"
    argv = [sys.executable, "-c", start, "serve", "--unix", str(path)]
    with subprocess.Popen(argv, cwd=ROOT) as server:
        try:
            deadline = time.monotonic() + 60
            while not path.exists():
                assert server.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server does not listen"
                time.sleep(0.02)
            yield path
        finally:
            server.terminate()


def opened(real: PowerShell, path: Path, count: int) -> Counter[str]:
    """Return the number of sessions in each state after ``count`` openings of the real client."""
    real.run(_OPEN)
    states: Counter[str] = Counter()
    while count:
        now = min(count, 50)
        states.update(real.run(f"Open-Often {quoted(str(path))} {now}", timeout=110).split("\n"))
        count -= now
    return states


def main() -> None:
    reason = why_not()
    if reason:
        sys.exit(reason)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as path:
        real = PowerShell(Path(name))
        try:
            states = opened(real, path, count)
        finally:
            real.close()
    print(", ".join(f"{number} {state}" for state, number in states.items()))
    sys.exit(states != {"Opened": count})


if __name__ == "__main__":
    main()
