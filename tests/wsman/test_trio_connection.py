"""One connection of the client."""

from __future__ import annotations

import os
import socket

import pytest
import trio

from psrp.clixml import Credential
from wsman import trio_connection
from wsman.auth import Authentication
from wsman.auth_client import AuthOptions
from wsman.errors import TransportFailure
from wsman.locations import Location
from wsman.trio_connection import Connection, Endpoint
from wsman.trio_pool import Connections


def test_a_connection_with_a_high_descriptor_is_checked() -> None:
    """A program with a thousand sessions has descriptors that select refuses."""
    fcntl = pytest.importorskip("fcntl")
    here, there = socket.socketpair()
    with here, there:
        try:
            high = fcntl.fcntl(here.fileno(), fcntl.F_DUPFD, 1100)
        except OSError:
            pytest.skip("this system allows fewer open files")
        try:
            assert not trio_connection._is_readable(high)
            there.send(b"x")
            assert trio_connection._is_readable(high)
        finally:
            os.close(high)


def endpoint(port: int) -> Endpoint:
    auth = AuthOptions(
        authentication=Authentication.BASIC, credential=Credential("u", "p"), host="127.0.0.1",
        port=port, secure=False, allow_unencrypted=True,
    )  # fmt: skip
    return Endpoint(
        location=Location.of_url(f"http://127.0.0.1:{port}/wsman"), auth=auth, cookies={}
    )


@pytest.mark.parametrize("when", ["before", "while it is sent"])
def test_a_connection_that_is_closed_during_an_exchange_is_a_transport_failure(when: str) -> None:
    """A client that ends closes all connections while its requests are on their way."""

    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, silent, 0)
            port = listeners[0].socket.getsockname()[1]
            connection = Connection(endpoint(port))
            await connection.open()
            stream = connection._stream
            assert stream is not None

            class Closing:
                async def send_all(self, data: bytes) -> None:
                    await connection.aclose()

                receive_some = stream.receive_some
                aclose = stream.aclose

            if when == "before":
                await connection.aclose()
            else:
                connection._stream = Closing()  # type: ignore[assignment]
            with pytest.raises(TransportFailure):
                await connection.exchange("text/plain", b"x")
            await stream.aclose()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_connection_that_opens_while_its_pool_is_closed_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    class Slow(Connection):
        async def open(self) -> None:
            await pool.aclose()

        async def aclose(self) -> None:
            closed.append(self)

    monkeypatch.setattr("wsman.trio_pool.Connection", Slow)
    pool = Connections(Location.of_url("http://127.0.0.1:1/wsman"), lambda _: endpoint(1))

    async def main() -> None:
        with pytest.raises(TransportFailure, match="closed"):
            await pool.exchange("text/plain", b"x")

    trio.run(main)
    assert len(closed) >= 1
    assert closed[-1] is closed[0]
