"""The fast start of `psrp serve --stdio` loads no option parser and reports the same errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import sleep

import pytest

from tests.endpoint.test_opening import OPENING

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


@pytest.mark.parametrize("said", [b"", OPENING])
def test_ctrl_c_ends_it_without_a_stack_trace(said: bytes) -> None:
    """The event loop starts after the opening."""
    ready = "import sys; print('ready', file=sys.stderr, flush=True);"
    with subprocess.Popen(
        [sys.executable, "-c", ready + _SHORT, "serve", "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.stdin.write(said)
        process.stdin.flush()
        if said:
            assert process.stdout.readline().startswith(b"<Data ")
        else:
            wait_until_it_reads(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b""


def wait_until_it_reads(pid: int) -> None:
    """Wait until descriptor 0 is /dev/null, because the server has moved its stdin."""
    while os.readlink(f"/proc/{pid}/fd/0") != os.devnull:
        sleep(0.01)
