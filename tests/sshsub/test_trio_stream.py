"""Unix sockets and PowerShell's named pipes; our listener; the descriptors of a server."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio

from psrp.sansio import LocalProtocolError
from sshsub.trio_server import serve_unix
from sshsub.trio_stream import (
    HostProcess,
    NoSuchPipe,
    Wire,
    connect_hyperv,
    connect_unix,
    connect_vsock,
    custom_pipe,
    find_host_processes,
    host_process,
    vsock_port,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="unix sockets")


def listen(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen()
    return sock


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, because a socket's path is limited to about a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="ps") as name:
        yield Path(name)


@pytest.fixture
def pipes(folder: Path) -> Path:
    names = [
        "CoreFxPipe_PSHost.DB1234AB.70.None.pwsh",
        "CoreFxPipe_PSHost.DB1234AC.8.None.pwsh-preview",
        "CoreFxPipe_PSHost.DB1234AD.9.None.pwsh",
        "CoreFxPipe_PSHost.short.1.None.pwsh",
        "CoreFxPipe_mine",
    ]
    for name in names:
        listen(folder / name).close()
    (folder / "CoreFxPipe_PSHost.DB1234AE.5.None.pwsh").write_text("no socket")
    return folder


def test_host_processes_are_found_by_their_sockets(pipes: Path) -> None:
    found = find_host_processes(pipes)
    assert [process.pid for process in found] == [8, 9, 70]
    assert found[0] == HostProcess(
        path=pipes / "CoreFxPipe_PSHost.DB1234AC.8.None.pwsh-preview",
        pid=8,
        start="DB1234AC",
        app_domain="None",
        process_name="pwsh-preview",
    )


def test_one_host_process_is_found_by_id_or_name(pipes: Path) -> None:
    assert host_process(pid=9, directory=pipes).start == "DB1234AD"
    assert host_process(name="PWSH-Preview", directory=pipes).pid == 8


@pytest.mark.parametrize(
    ("which", "error_id", "words"),
    [
        ({"pid": 10**9}, "NoProcessFoundWithId", "No process was found with Id: 1000000000."),
        ({"pid": 10**30}, "NoProcessFoundWithId", "No process was found with Id: 1000"),
        ({"pid": os.getpid()}, "NoPowerShell", "it has not loaded the PowerShell engine"),
        ({"pid": 1}, "NoPowerShell", "Cannot enter process with Id '1' because"),
        ({"name": "bash"}, "NoProcessFoundWithName", "No process was found with Name: bash."),
        ({"name": "pwsh"}, "MultipleProcessesFoundWithName", "found with this name pwsh. Use"),
    ],
)
def test_none_or_several_host_processes_are_an_error(
    pipes: Path, which: dict[str, Any], error_id: str, words: str
) -> None:
    with pytest.raises(NoSuchPipe, match=re.escape(words)) as caught:
        host_process(**which, directory=pipes)
    assert caught.value.error_id == f"EnterPSHostProcess{error_id}"


def test_a_custom_pipe_is_found_by_its_name(pipes: Path) -> None:
    assert custom_pipe("mine", pipes) == pipes / "CoreFxPipe_mine"
    for name in ("other", "../x/mine"):
        with pytest.raises(NoSuchPipe):
            custom_pipe(name, pipes)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
def test_a_socket_of_somebody_else_is_not_taken(
    pipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(pipes / "CoreFxPipe_mine", 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(NoSuchPipe):
        custom_pipe("mine", pipes)
    assert find_host_processes(pipes)


async def echo(wire: Wire) -> None:
    while data := await wire.receive_some():
        await wire.send_all(data)


async def test_a_listener_that_only_its_owner_can_open(folder: Path) -> None:
    path = folder / "endpoint"
    before = os.umask(0)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_unix, path, echo)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            for text in (b"one", b"two"):
                wire = await connect_unix(path)
                await wire.send_all(text)
                await wire.send_eof()
                assert await wire.receive_some() == text
                assert await wire.receive_some() == b""
                assert wire.ended is not None
                await wire.aclose()
            with pytest.raises(LocalProtocolError, match="another server does"):
                await serve_unix(path, echo)
            nursery.cancel_scope.cancel()
    finally:
        assert os.umask(before) == 0
    assert not path.exists()


async def test_a_silent_client_does_not_starve_the_others(folder: Path) -> None:
    path = folder / "endpoint"
    failed: list[Exception] = []

    async def fail_or_echo(wire: Wire) -> None:
        while data := await wire.receive_some():
            if data == b"fail":
                raise ValueError("of one client")
            await wire.send_all(data)

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_unix, on_error=failed.append), path, fail_or_echo)
        silent = await connect_unix(path)
        broken = await connect_unix(path)
        await broken.send_all(b"fail")
        assert await broken.receive_some() == b""
        wire = await connect_unix(path)
        await wire.send_all(b"text")
        assert await wire.receive_some() == b"text"
        await silent.send_all(b"late")
        assert await silent.receive_some() == b"late"
        for each in (silent, broken, wire):
            await each.aclose()
        nursery.cancel_scope.cancel()
    assert [str(error) for error in failed] == ["of one client"]


async def test_no_more_clients_are_served_at_once_than_allowed(folder: Path) -> None:
    path = folder / "endpoint"
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_unix, max_clients=1), path, echo)
        first = await connect_unix(path)
        await first.send_all(b"one")
        assert await first.receive_some() == b"one"
        second = await connect_unix(path)
        await second.send_all(b"two")
        with trio.move_on_after(0.1) as waited:
            await second.receive_some()
        assert waited.cancelled_caught
        await first.aclose()
        assert await second.receive_some() == b"two"
        await second.aclose()
        nursery.cancel_scope.cancel()


async def test_a_client_that_breaks_off_does_not_end_the_listener(folder: Path) -> None:
    path = folder / "endpoint"

    async def shout(wire: Wire) -> None:
        while True:
            await wire.send_all(b"x" * 100_000)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve_unix, path, shout)
        for _ in range(3):
            wire = await connect_unix(path)
            assert await wire.receive_some()
            await wire.aclose()
        nursery.cancel_scope.cancel()


async def test_a_dead_servers_socket_is_replaced_and_nothing_else(folder: Path) -> None:
    path = folder / "endpoint"
    listen(path).close()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_unix, path, echo)
        nursery.cancel_scope.cancel()
    path.write_text("precious")
    with pytest.raises(LocalProtocolError, match="not a socket"):
        await serve_unix(path, echo)
    assert path.read_text() == "precious"


async def test_nobody_listening_is_an_error(folder: Path) -> None:
    with pytest.raises(OSError, match="endpoint"):
        await connect_unix(folder / "endpoint")


def test_the_vsock_port_of_a_hyperv_service() -> None:
    assert vsock_port(UUID("00000400-facb-11e6-bd58-64006a7986d3")) == 0x400
    assert vsock_port(UUID("999e53d4-3d5c-4c3e-8779-bed06ec056e1")) is None


@pytest.mark.skipif(hasattr(socket, "AF_HYPERV"), reason="this platform has it")
async def test_a_platform_without_hyperv_sockets_says_so() -> None:
    with pytest.raises(LocalProtocolError, match="AF_HYPERV"):
        await connect_hyperv(UUID(int=1), UUID(int=2))


@pytest.mark.skipif(not hasattr(socket, "AF_VSOCK"), reason="this platform has none")
async def test_vsock_carries_bytes() -> None:
    local, port = 1, 40_000 + os.getpid() % 20_000
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
        try:
            listener.bind((local, port))
        except OSError:
            pytest.skip("no loopback for AF_VSOCK here")
        listener.listen()
        wire = await connect_vsock(local, port)
        with listener.accept()[0] as peer:
            peer.sendall(b"packets")
            assert await wire.receive_some() == b"packets"
        await wire.aclose()


SERVER = """
import os, subprocess, sys, trio
from sshsub.trio_server import serve_stdio

async def serve(wire):
    print("printed")
    sys.stdout.flush()
    os.write(1, b"written")
    subprocess.run(["sh", "-c", "echo from a child; cat"], check=True)
    assert sys.stdin.read() == ""
    while data := await wire.receive_some():
        await wire.send_all(data)
    return 160

sys.exit(trio.run(serve_stdio, serve))
"""


def test_nothing_that_a_server_runs_can_reach_the_protocol() -> None:
    """Statement G68."""
    done = subprocess.run(
        [sys.executable, "-c", SERVER], input=b"packets", capture_output=True, timeout=60
    )
    assert done.stdout == b"packets"
    assert done.returncode == 160
    assert done.stderr == b""
