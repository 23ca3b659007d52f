"""`psrp serve --stdio` as a process, with psrpcore as an independent client."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psrpcore
import pytest
from psrpcore import types

ROOT = Path(__file__).resolve().parents[2]
SERVE = [sys.executable, "-c", "from psremoting.cli.serve import serve; serve()"]
OWN = "tests.endpoint.own_commands:commands"
_PACKET = re.compile(rb"<(\w+)(?: Stream='\w+')? PSGuid='([^']+)'(?: />|>([^<]+)</Data>)")
_DEFAULT = psrpcore.StreamType.default
_POOL = "00000000-0000-0000-0000-000000000000"


class Peer:
    """psrpcore's client machine over the stdio of our server, one packet at a time."""

    def __init__(self, *arguments: str) -> None:
        host = types.HostInfo(
            IsHostNull=False,
            IsHostUINull=False,
            IsHostRawUINull=False,
            HostDefaultData=types.HostDefaultData(
                ForegroundColor=types.ConsoleColor.Gray,
                BackgroundColor=types.ConsoleColor.Black,
                CursorPosition=types.Coordinates(0, 0),
                WindowPosition=types.Coordinates(0, 0),
                CursorSize=25,
                BufferSize=types.Size(80, 24),
                WindowSize=types.Size(80, 24),
                MaxWindowSize=types.Size(80, 24),
                MaxPhysicalWindowSize=types.Size(80, 24),
                WindowTitle="",
            ),
        )
        self.pool = psrpcore.ClientRunspacePool(host=host)
        self.lines: list[bytes] = []
        self.process = subprocess.Popen(
            [*SERVE, "--stdio", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.waiting: list[Any] = []

    def write(self, kind: str, target: str = _POOL, data: bytes = b"") -> None:
        assert self.process.stdin is not None
        text = base64.b64encode(data).decode()
        line = f"<{kind} PSGuid='{target}' />"
        if data:
            line = f"<Data Stream='Default' PSGuid='{target}'>{text}</Data>"
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> tuple[str, str]:
        """Return the next packet's kind and target; pass its data to the machine."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            found = _PACKET.fullmatch(line.rstrip(b"\n"))
            if found is None:
                self.lines.append(line)
                continue
            kind, target, data = found.groups()
            if data is not None:
                self.pool.receive_data(psrpcore.PSRPPayload(base64.b64decode(data), _DEFAULT, None))
                while (event := self.pool.next_event()) is not None:
                    self.waiting.append(event)
            return kind.decode(), target.decode()
        raise EOFError(b"".join(self.lines))

    def until(self, kind: str, target: str = _POOL) -> None:
        while self.read() != (kind, target):
            pass

    def flush(self) -> None:
        while (payload := self.pool.data_to_send(32768)) is not None:
            target = str(payload.pipeline_id) if payload.pipeline_id else _POOL
            self.write("Data", target, payload.data)
            self.until("DataAck", target)

    def event(self, kind: type[Any]) -> Any:
        while True:
            for event in self.waiting:
                if isinstance(event, kind):
                    self.waiting.remove(event)
                    return event
            self.read()

    def open(self) -> None:
        self.pool.open()
        self.flush()
        assert self.pool.state == types.RunspacePoolState.Opened

    def start(self, name: str, **parameters: Any) -> psrpcore.ClientPowerShell:
        shell = psrpcore.ClientPowerShell(self.pool)
        shell.add_command(name)
        shell.add_parameters(**parameters)
        shell.start()
        self.write("Command", str(shell.pipeline_id))
        self.until("CommandAck", str(shell.pipeline_id))
        self.flush()
        return shell

    def finish(self, shell: psrpcore.ClientPowerShell) -> list[Any]:
        """Return all events of a pipeline; close it after the last."""
        while not any(isinstance(each, psrpcore.PipelineStateEvent) for each in self.waiting):
            self.read()
        events, self.waiting = self.waiting, []
        shell.close()
        self.write("Close", str(shell.pipeline_id))
        self.until("CloseAck", str(shell.pipeline_id))
        return events

    def end(self) -> int:
        """Close the session, then the stream; return the exit code."""
        self.write("Close")
        self.until("CloseAck")
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer("--functions", OWN)
    yield made
    made.process.kill()
    made.process.wait()
    for stream in (made.process.stdin, made.process.stdout, made.process.stderr):
        if stream is not None:
            stream.close()


def outputs(events: list[Any]) -> list[Any]:
    return [each.data for each in events if isinstance(each, psrpcore.PipelineOutputEvent)]


def test_a_session_of_psrpcore_from_open_to_close(peer: Peer) -> None:
    peer.open()
    table = peer.pool.application_private_data["PSVersionTable"]
    assert str(table["PSVersion"]) == "5.1"
    events = peer.finish(peer.start("Get-Count", N=3))
    assert outputs(events) == [0, 1, 2]
    assert events[-1].state == types.PSInvocationState.Completed
    events = peer.finish(peer.start("Show-Stream"))
    kinds = [type(each).__name__ for each in events]
    assert kinds == [
        "WarningRecordEvent",
        "PipelineHostCallEvent",
        "ErrorRecordEvent",
        "PipelineOutputEvent",
        "PipelineStateEvent",
    ]
    assert str(events[2].record) == "error"
    events = peer.finish(peer.start("Get-Nothing"))
    (state,) = events
    assert state.state == types.PSInvocationState.Failed
    assert peer.end() == 160
    assert peer.lines == []


def test_secrets_and_host_calls_with_psrpcore(peer: Peer) -> None:
    peer.open()
    shell = peer.start("Read-Answer")
    call = peer.event(psrpcore.PipelineHostCallEvent)
    shell.host_response(call.ci, return_value="Ada")
    peer.flush()
    call = peer.event(psrpcore.PipelineHostCallEvent)
    peer.pool.exchange_key()
    peer.flush()
    peer.event(psrpcore.EncryptedSessionKeyEvent)
    shell.host_response(call.ci, return_value=types.PSSecureString("s3cret"))
    peer.flush()
    (secret,) = outputs(peer.finish(shell))
    assert secret.decrypt() == "Ada:s3cret"
    events = peer.finish(peer.start("Test-Secret", Secret=types.PSSecureString("12345")))
    assert outputs(events) == [5]
    assert peer.end() == 160


def test_what_a_command_prints_reads_and_starts_never_meets_the_protocol(peer: Peer) -> None:
    """Statement G68."""
    peer.open()
    assert outputs(peer.finish(peer.start("Show-Noise"))) == ["''"]
    assert peer.lines == []
    assert peer.end() == 160


def test_a_function_that_forks_and_comes_back_twice_leaves_one_server(peer: Peer) -> None:
    peer.open()
    assert outputs(peer.finish(peer.start("Invoke-Fork"))) == [0]
    assert peer.end() == 160


def test_a_stop_of_psrpcore_is_confirmed(peer: Peer) -> None:
    peer.open()
    for name in ("Get-Forever", "Wait-Forever"):
        shell = peer.start(name)
        shell.begin_stop()
        peer.write("Signal", str(shell.pipeline_id))
        peer.until("SignalAck", str(shell.pipeline_id))
        events = peer.finish(shell)
        assert events[-1].state == types.PSInvocationState.Stopped
    assert peer.end() == 160


@pytest.mark.parametrize("name", ["Get-Forever", "Wait-Forever"])
def test_a_server_whose_client_vanished_ends(peer: Peer, name: str) -> None:
    peer.open()
    peer.start(name)
    assert peer.process.stdin is not None
    assert peer.process.stdout is not None
    peer.process.stdout.close()
    peer.process.stdin.close()
    assert peer.process.wait(20) == 160


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SERVE, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected one of --stdio"),
        (("--stdio", "--unix", "x"), "expected one of --stdio"),
        (("--stdio", "--functions", "a:b", "--process", "c"), "mutually exclusive"),
        (("--stdio", "--functions", "no.such.module:x"), "No module named"),
        (("--stdio", "--functions", "tests.endpoint.own_commands"), "module:name"),
        (("--stdio", "--functions", "tests.endpoint.own_commands:nothing"), "nothing"),
        (("--stdio", "--functions", "tests.endpoint.own_commands:os"), "mapping"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
    # With --stdio the error is reported to the client; here there is no client.
    assert done.stdout == "" or done.stdout.startswith("__NamedPipeError__:")


def test_a_client_that_says_nothing_gets_the_last_words_alone() -> None:
    done = run("--stdio")
    assert done.returncode == 160
    assert done.stdout.startswith("__NamedPipeError__:An unknown element")
