"""Two stores in one folder have sockets of their own, and a dead socket stands for no server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from psremoting.administration import sockets
from psremoting.administration.configurations import (
    EngineKind,
    ListenerSetting,
    SessionConfiguration,
)
from psremoting.administration.sockets import (
    find_local_socket,
    is_served,
    local_socket,
    subsystem_socket,
)
from psremoting.administration.store import Store
from psremoting.cli.endpoint import endpoint
from psremoting.cli.endpoint_status import status_lines
from psremoting.endpoint.administered import AdministeredEndpoint
from psrp.sansio import LocalProtocolError
from wsman.trio_unix import unix_listener

not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield


def test_the_sockets_of_two_stores_in_one_folder_differ(tmp_path: Path) -> None:
    names = ("endpoint.db", "endpoint", "other.db", "other", "other.endpoint")
    made = [path(tmp_path / each) for path in (local_socket, subsystem_socket) for each in names]
    assert len(set(made)) == 2 * len(names)


def test_the_status_of_a_store_is_not_that_of_its_neighbour(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("e.db", "other.db")]
    for path in paths:
        Store.open(path, create=True).close()
    with listening(local_socket(paths[0])):
        said = [
            CliRunner().invoke(endpoint, ["status", "--store", str(path)]).output for path in paths
        ]
    assert "Server:    running (" in said[0]
    assert "Server:    not running (" in said[1]


def test_a_dead_socket_does_not_hide_the_endpoint_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.db"
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("PSRP_STORE", str(own))
    monkeypatch.setattr(sockets, "_SYSTEM_FOLDER", tmp_path / "run")
    with listening(local_socket(own)):
        assert find_local_socket() == local_socket(own)
    assert local_socket(own).is_socket()
    assert find_local_socket() is None
    with listening(tmp_path / "run" / "endpoint.sock"):
        assert find_local_socket() == tmp_path / "run" / "endpoint.sock"


def test_a_path_that_cannot_be_a_socket_is_not_served(tmp_path: Path) -> None:
    assert not is_served(tmp_path / ("n" * 300))
    assert not is_served(tmp_path / "a\0b")
    assert not is_served(tmp_path / "missing" / "x")


def test_a_second_server_names_the_store(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    with listening(local_socket(path)), Store.open(path, create=True) as store:
        served = AdministeredEndpoint(store)

        async def serve() -> None:
            await served.serve(stop=trio.Event())

        with pytest.raises(LocalProtocolError, match=f"the store {path}: another server does"):
            trio.run(serve)


@not_root
def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(LocalProtocolError, match=f"at {tmp_path}/x.sock: Permission denied"):
            unix_listener(str(tmp_path / "x.sock"))
    finally:
        tmp_path.chmod(0o700)


def test_a_socket_with_a_long_name_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / ("n" * 200))
    with pytest.raises(LocalProtocolError, match=f"cannot listen at {path}: "):
        unix_listener(path)


@pytest.mark.parametrize(
    ("addresses", "reach"),
    [
        ((), "this computer; no listener admits the network"),
        (("IP:127.0.0.1", "IP:::1"), "this computer; no listener admits the network"),
        (("IP:127.0.0.1", "*"), "this computer and the network"),
        (("IP:192.0.2.1",), "this computer and the network"),
    ],
)
def test_the_reach_is_that_of_the_listeners(
    tmp_path: Path, addresses: tuple[str, ...], reach: str
) -> None:
    with Store.open(tmp_path / "e.db", create=True) as store:
        store.put_configuration(
            SessionConfiguration(name="Tools", kind=EngineKind.FUNCTIONS, source="m:f")
        )
        for port, address in enumerate(addresses, 5000):
            store.put_listener(ListenerSetting(address=address, port=port))
        assert f"  Tools: Remote; reachable from {reach}" in status_lines(store)
