"""Failures to start are reported to the client, and the log records printed text and tracebacks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psremoting import sync
from psremoting.errors import PSRemotingError
from psremoting.targets import ProcessTarget
from tests.recordings import ROOT

_START = "import sys; from psremoting.cli.entry import main; main()"


def target(*arguments: str) -> ProcessTarget:
    start = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", _START)
    return ProcessTarget(argv=(*start, "serve", "--stdio", *arguments))


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ("tests.endpoint.broken_commands:UNKNOWN", "unknown: parameter connection: no argument"),
        ("tests.endpoint.broken_commands:SAME_NAME", "Get-Thing and get-thing are one name"),
        ("tests.endpoint.broken_commands:NOTHING", "NOTHING"),
        ("no.such.module:X", "No module named 'no'"),
    ],
)
def test_a_client_reads_why_the_functions_cannot_be_loaded(functions: str, reason: str) -> None:
    with pytest.raises(PSRemotingError) as caught, sync.connect(target("--functions", functions)):
        pass
    assert reason in str(caught.value)


def test_the_log_keeps_prints_and_tracebacks(tmp_path: Path) -> None:
    log = tmp_path / "endpoint.log"
    functions = "tests.endpoint.broken_commands:WRITING"
    with sync.connect(target("--functions", functions, "--log", str(log))) as session:
        result = session.run("Get-Writing")
    assert result.had_errors
    text = log.read_text()
    assert "printed by a command" in text
    assert "Traceback" in text
    assert "KeyError: 'not there'" in text
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_keeps_a_failure_to_start(tmp_path: Path) -> None:
    log = tmp_path / "endpoint.log"
    with (
        pytest.raises(PSRemotingError),
        sync.connect(
            target("--functions", "tests.endpoint.broken_commands:UNKNOWN", "--log", str(log))
        ),
    ):
        pass
    assert "parameter connection" in log.read_text()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until_gone(pid: int) -> bool:
    for _ in range(500):
        if not _alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_a_child_of_a_function_ends_with_the_client() -> None:
    functions = "tests.endpoint.broken_commands:STARTING"
    with sync.connect(target("--functions", functions)) as session:
        (pid,) = session.run("Start-Sleeper").output
        assert _alive(pid)
    assert _wait_until_gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_child_behind(number: signal.Signals, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = f"sh -c 'echo $$ > {mark}; exec sleep 100'"
    argv = target("--process", child).argv
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        # A session, and its child process, starts at the first packet.
        process.stdin.write(
            b"<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>AAAA</Data>\n"
        )
        process.stdin.flush()
        for _ in range(500):
            if mark.exists() and mark.read_text().strip():
                break
            time.sleep(0.02)
        pid = int(mark.read_text())
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert _wait_until_gone(pid)
