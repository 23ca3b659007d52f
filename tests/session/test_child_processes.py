"""Sessions with servers in child processes: psrpcore's, and programs that are not servers."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from psremoting import sync
from psremoting.client.hosts import TableHost
from psremoting.errors import (
    InvalidComputerName,
    KeyFileNotFound,
    PipelineFailed,
    ProgramNotFound,
    PSRemotingError,
    PSRemotingTransportError,
)
from psremoting.fanout import invoke_on
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psremoting.targets import (
    HostProcessTarget,
    ProcessTarget,
    SocketTarget,
    SSHTarget,
    local_target,
    parse_target,
)
from psrp.clixml import List
from psrp.events import InvocationState
from psrp.host import HostDefaultData, HostInfo, HostMethodId
from tests.recordings import ROOT
from tests.session.servers import FakeServer, small_engine

PROGRAM = str(Path(__file__).with_name("psrpcore_program.py"))
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
TARGET = ProcessTarget(argv=(sys.executable, PROGRAM), env=ENV)


def shell(script: str) -> ProcessTarget:
    return ProcessTarget(argv=("/bin/sh", "-c", script))


async def test_psrpcore_as_a_server_runs_our_commands() -> None:
    async with PSSession.connect(TARGET) as session:
        assert (await session.run("count 100")).output == list(range(100))
        # Not None, because psrpcore cannot read the empty body of null.
        values: list[Any] = [1, "two", True, [1, 2], b"bytes"]
        echoed = (await session.run("echo", input=values)).output
        assert echoed == [1, "two", True, List([1, 2], echoed[3].type_names), b"bytes"]
        result = await session.run("warn careful")
        assert [str(record) for record in result.streams.warning] == ["careful"]
        result = await session.run("error bad luck")
        assert result.streams.error[0].fully_qualified_error_id == "Bad,Test"


async def test_psrpcore_asks_our_host_and_says_exit() -> None:
    async def read_line() -> str:
        return "a line"

    async def should_exit(code: int) -> None:
        assert code == 3

    table = {HostMethodId.ReadLine: read_line, HostMethodId.SetShouldExit: should_exit}
    # psrpcore refuses the colour -1, which PowerShell sends without a terminal.
    info = HostInfo.full(HostDefaultData(foreground_color=7, background_color=0))
    async with PSSession.connect(TARGET, host=TableHost(table, info=info)) as session:
        assert (await session.run("ask")).output == ["a line"]
        assert (await session.run("exit 3")).exit_code == 3


async def test_psrpcore_stops_when_it_is_told() -> None:
    async with PSSession.connect(TARGET) as session:
        invocation = await session.invoke("sleep")
        await invocation.stop()
        assert invocation.state is InvocationState.STOPPED
        assert (await session.run("count 1")).output == [0]


async def test_a_server_that_dies_in_a_packet_is_told_about() -> None:
    async with PSSession.connect(TARGET) as session:
        result = await session.run("die")
        assert isinstance(result.error, PSRemotingTransportError)
        assert "in the middle of a packet" in str(result.error)
        assert session.state == "Broken"


async def test_a_cancelled_session_leaves_no_process(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    target = shell(f"echo $$ > {mark}; exec sleep 1000")
    with trio.move_on_after(0.3):
        async with PSSession.connect(target):
            raise AssertionError("it never opens")
    pid = int(mark.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_a_process_says_on_stderr_comes_with_the_error() -> None:
    lines: list[str] = []
    failing = shell("echo trying >&2; echo oh no >&2; exit 3")
    with pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(failing, on_notice=lines.append):
            raise AssertionError("it must not open")
    assert caught.value.notices == ("trying", "oh no")
    # The last line is the reason, which the error's text has.
    assert lines == ["trying"]
    assert str(caught.value) == (
        "The background process closed or ended abnormally: the stream ended (exit code 3) "
        "(stderr: oh no)."
    )


async def test_a_process_that_says_nothing_is_given_up() -> None:
    options = SessionOption(open_timeout=0.2)
    with pytest.raises(PSRemotingTransportError, match=r"within 0\.2 seconds"):
        async with PSSession.connect(shell("exec sleep 100"), options=options):
            raise AssertionError("it must not open")


ERRORS = [
    (ProcessTarget(argv=("no-such-program",)), ProgramNotFound, "CommandNotFoundException"),
    (SSHTarget(host_name="h", program="no-ssh-here"), ProgramNotFound, "CommandNotFoundException"),
    (SSHTarget(host_name="h", key_file_path="/no/key"), KeyFileNotFound, "PathNotFound"),
    (SSHTarget(host_name="-oProxyCommand=x"), InvalidComputerName, "PSSessionInvalidComputerName"),
    (SocketTarget(path="/no/such/socket"), PSRemotingTransportError, "PSSessionOpenFailed"),
    (HostProcessTarget(pid=999999999), PSRemotingTransportError, "EnterPSHostProcess"),
    (HostProcessTarget(name="no shell"), PSRemotingTransportError, "EnterPSHostProcess"),
    (HostProcessTarget(custom_pipe_name="no"), PSRemotingTransportError, "EnterPSHostProcess"),
]


@pytest.mark.parametrize(("target", "kind", "error_id"), ERRORS, ids=lambda each: str(each)[:40])
async def test_what_cannot_be_reached_has_its_own_error(
    target: Any, kind: type[PSRemotingError], error_id: str
) -> None:
    with pytest.raises(kind) as caught:
        async with PSSession.connect(target):
            raise AssertionError("it must not open")
    assert caught.value.error_id.startswith(error_id)


TARGETS = [
    ("server", SSHTarget(host_name="server")),
    ("me@server:2222", SSHTarget(host_name="me@server:2222")),
    ("ssh://me@server:2222", SSHTarget(host_name="me@server:2222")),
    ("ssh://local", SSHTarget(host_name="local")),
    ("process:pwsh -s 'a b'", ProcessTarget(argv=("pwsh", "-s", "a b"))),
    ("unix:/run/x", SocketTarget(path="/run/x")),
    ("pid:42", HostProcessTarget(pid=42)),
    ("name:pwsh", HostProcessTarget(name="pwsh")),
    ("pipe:mine", HostProcessTarget(custom_pipe_name="mine")),
    ("local", local_target()),
    ("[::1]:22", SSHTarget(host_name="[::1]:22")),
]


@pytest.mark.parametrize(("text", "target"), TARGETS, ids=lambda each: str(each)[:30])
def test_process_pid_and_socket_targets_are_parsed(text: str, target: object) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "-oProxyCommand=x",
        "pid:x",
        "process:",
        "ssh://",
        "process:'",
        "name:",
        "pipe:",
        "unix:",
    ],
)
def test_words_that_name_nothing_are_refused(text: str) -> None:
    with pytest.raises(PSRemotingError):
        parse_target(text)


async def test_one_target_that_fails_disturbs_no_other() -> None:
    targets = [TARGET, shell("exit 1"), ProcessTarget(argv=("no-such-program",)), TARGET]
    outcomes = await invoke_on(targets, "count 2", throttle=2)
    assert [outcome.target for outcome in outcomes] == targets
    good = [outcome.value for outcome in outcomes if outcome.value is not None]
    assert [[item.value for item in result.output] for result in good] == [[0, 1], [0, 1]]
    assert all(item["PSComputerName"] == "localhost" for result in good for item in result.output)
    assert [type(outcome.error) for outcome in outcomes[1:3]] == [
        PSRemotingTransportError,
        ProgramNotFound,
    ]


def test_a_script_needs_no_trio() -> None:
    with sync.connect(TARGET) as session:
        assert session.state == "Opened"
        assert list(session.invoke("count 3")) == [0, 1, 2]
        result = session.run("error oops")
        assert [str(record) for record in result.streams.error] == ["oops"]
        invocation = session.invoke("sleep")
        invocation.stop()
        assert invocation.state is InvocationState.STOPPED
    assert session.state == "Closed"


def test_a_script_gets_the_errors_of_opening_and_of_its_own() -> None:
    with pytest.raises(ProgramNotFound), sync.connect(ProcessTarget(argv=("no-such-program",))):
        raise AssertionError("it must not open")
    with pytest.raises(ZeroDivisionError), sync.connect(TARGET) as session:
        raise ZeroDivisionError
    assert session.state == "Closed"


def test_a_script_that_is_interrupted_leaves_no_session_open() -> None:
    with pytest.raises(KeyboardInterrupt), sync.connect(TARGET) as session:
        raise KeyboardInterrupt
    assert session.state == "Closed"


def test_a_script_gets_the_error_that_ends_a_command() -> None:
    with sync.connect(TARGET) as session:
        with pytest.raises(PSRemotingTransportError):
            list(session.invoke("die"))
        assert session.state == "Broken"
        assert not isinstance(session.state, PipelineFailed)


def children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread of an earlier test may still end during this test.
        with suppress(FileNotFoundError, ProcessLookupError):
            found |= set((task / "children").read_text().split())
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 300])
async def test_cancelled_at_any_step_no_process_is_left(steps: int) -> None:
    before = children()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:

            async def cancel() -> None:
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

            nursery.start_soon(cancel)
            async with PSSession.connect(TARGET) as session:
                await session.run("count 3")
                await session.run("sleep")
        nursery.cancel_scope.cancel()
    assert children() == before


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of a socket is limited to about a hundred bytes, which pytest's folders exceed."""
    with tempfile.TemporaryDirectory(prefix="ps") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


async def test_a_unix_socket_an_id_and_names_lead_to_a_server(short_folder: Path) -> None:
    path = short_folder / "CoreFxPipe_PSHost.0123ABCD.4242.None.pwsh"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        (short_folder / "CoreFxPipe_mine").hardlink_to(path)
        accepting = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_socket, accepting)
            for target in (f"unix:{path}", "pid:4242", "name:PWSH", "pipe:mine"):
                async with PSSession.connect(target) as session:
                    assert session.transport == "NamedPipe"
                    assert (await session.run("count 3")).output == [0, 1, 2]
            nursery.cancel_scope.cancel()


async def serve_socket(listening: trio.SocketListener) -> None:
    async def one(stream: trio.SocketStream) -> None:
        await FakeServer(stream, small_engine).serve()

    await trio.serve_listeners(one, [listening])
