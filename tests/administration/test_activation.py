"""The server with sockets of the service manager, and its notices to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from psremoting import sync
from psremoting.administration.sockets import inherited_socket, local_socket, subsystem_socket
from psremoting.wsman_target import WSManTarget
from tests.administration.running_endpoint import PROGRAM, filled_store
from tests.endpoint.served_wsman import ROOT


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen()
    return made


def test_the_server_uses_the_sockets_that_it_was_given_and_leaves_them(tmp_path: Path) -> None:
    filled_store(tmp_path)
    store = tmp_path / "endpoint.db"
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(tmp_path / "notify"))
    notices.settimeout(60)
    paths = (local_socket(store), subsystem_socket(store))
    given = [listening(each) for each in paths]
    # The descriptors have to be 3 and 4, and LISTEN_PID the server's own.
    move = " ".join(f"{at}<&{each.fileno()}" for at, each in enumerate(given, 3))
    script = f'exec {move}; export LISTEN_PID=$$; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *PROGRAM, "endpoint", "serve", "--store", str(store)],
        pass_fds=[each.fileno() for each in given], cwd=ROOT, stderr=subprocess.PIPE,
        env=os.environ | {"LISTEN_FDS": "2", "NOTIFY_SOCKET": str(tmp_path / "notify")},
    )  # fmt: skip
    try:
        assert notices.recv(100) == b"READY=1"
        target = WSManTarget(
            computer_name="localhost", local_socket=str(paths[0]), interactive=True
        )
        with sync.connect(target) as session:
            assert session.run("Get-Answer").output == [42]
        process.send_signal(signal.SIGTERM)
        assert notices.recv(100) == b"STOPPING=1"
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    # The service manager still listens there, so the paths stay.
    assert all(each.is_socket() for each in paths)
    for each in given:
        each.close()
    notices.close()


def test_sockets_for_another_process_are_not_taken(tmp_path: Path) -> None:
    before = os.environ.get("LISTEN_PID")
    os.environ["LISTEN_PID"] = "1"
    try:
        assert inherited_socket(tmp_path / "endpoint.sock") == -1
    finally:
        del os.environ["LISTEN_PID"]
        if before is not None:
            os.environ["LISTEN_PID"] = before


def test_a_second_server_does_not_take_the_socket_of_the_first(tmp_path: Path) -> None:
    filled_store(tmp_path)
    with listening(local_socket(tmp_path / "endpoint.db")):
        done = subprocess.run(
            [*PROGRAM, "endpoint", "serve", "--store", str(tmp_path / "endpoint.db")],
            capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "another server does" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_relay_of_the_subsystem_ends_with_a_server_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "subsystem.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        relay = subprocess.Popen(
            [*PROGRAM, "endpoint", "subsystem", "--socket", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        connection, _ = server.accept()
        # From now on the relay cannot write, but still read.
        connection.shutdown(socket.SHUT_RD)
        assert relay.stdin is not None
        relay.stdin.write(b"input")
        relay.stdin.flush()
        time.sleep(0.5)
        with connection:
            connection.sendall(b"the last words")
        output, errors = relay.communicate(timeout=60)
    assert (relay.returncode, output, errors) == (0, b"the last words", b"")
