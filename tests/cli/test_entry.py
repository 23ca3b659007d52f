"""What sshd runs for every client starts without a command line, and fails in the same words."""

from __future__ import annotations

import subprocess
import sys

import pytest

_START = "import sys; from psremoting.cli.{}; main({})"
_SHORT = _START.format("entry import main", "")
_LONG = _START.format("main import main", "prog_name='psrp'")


def run(start: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--stdio"),
        ("serve", "--stdio", "--functions", "no_such_module:x"),
        ("serve", "--stdio", "--functions", "json:dumps.nothing"),
        ("serve", "--stdio", "--unix", "/tmp/x"),
        ("serve",),
        ("--version",),
    ],
)
def test_both_ways_in_do_the_same(arguments: tuple[str, ...]) -> None:
    short, long = run(_SHORT, *arguments), run(_LONG, *arguments)
    assert short.returncode == long.returncode
    assert short.stderr.splitlines()[-1:] == long.stderr.splitlines()[-1:]
    assert short.stdout == long.stdout


def test_serving_on_stdio_reads_no_options() -> None:
    listed = "import sys; from psremoting.cli.entry import main\ntry: main()\n"
    listed += (
        "except SystemExit: print('click' in sys.modules, 'trio' in sys.modules, file=sys.stderr)"
    )
    assert run(listed, "serve", "--stdio").stderr.splitlines()[-1] == b"False True"
