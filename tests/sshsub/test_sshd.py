"""Our arguments, processes and machines over a real OpenSSH server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import trio

from psrp.sansio import Outgoing, Side, Stream, TransportAct
from sshsub.command_line import ssh_arguments
from sshsub.events import END_OF_INPUT_ERROR, EXIT_CODE, ActReceived, DataReceived, Ended, Event
from sshsub.subsystem import Subsystem
from sshsub.trio_process import ProcessWire, open_process
from tests.sshsub.sshd import SSHD, USER, Server, running

pytestmark = pytest.mark.skipif(SSHD is None, reason="no OpenSSH server here")

P = UUID("2c8bf3a1-4b3e-4d5a-9c0e-6f1d2b3a4c5d")
LIMIT = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def argv(server: Server, **more: object) -> list[str]:
    wanted: dict[str, object] = {
        "user_name": USER,
        "port": server.port,
        "key_file_path": server.key,
        "options": server.options,
    }
    return ["ssh", *ssh_arguments("127.0.0.1", **(wanted | more))]  # type: ignore[arg-type]


async def converse(
    wire: ProcessWire, client: Subsystem, done: Callable[[list[Event]], bool]
) -> list[Event]:
    """Move bytes in both directions until ``done``, or the end."""
    events: list[Event] = []
    while True:
        while (event := client.next_event()) is not None:
            events.append(event)
        if client.over or done(events):
            return events
        if data := client.data_to_send():
            await wire.send_all(data)
        client.receive_data(await wire.receive_some())


def got(events: list[Event], target: UUID | None = None) -> bytes:
    data = (e for e in events if isinstance(e, DataReceived) and e.target == target)
    return b"".join(event.data for event in data)


async def test_a_whole_session_over_ssh(server: Server) -> None:
    client = Subsystem(Side.CLIENT)
    shown: list[str] = []
    bulk = bytes(range(256)) * 4000
    with trio.fail_after(LIMIT):
        async with open_process(argv(server), on_stderr=shown.append) as wire:
            client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
            await converse(wire, client, lambda e: got(e) == b"init")
            client.send(Outgoing(target=P, act=TransportAct.CREATE_PIPELINE, data=b"birth"))
            client.send(Outgoing(target=P, data=bulk))
            client.send(Outgoing(target=P, stream=Stream.PROMPT_RESPONSE, data=b"answer"))
            events = await converse(wire, client, lambda e: len(got(e, P)) >= len(bulk) + 11)
            data = got([e for e in events if getattr(e, "stream", None) is Stream.DEFAULT], P)
            assert data == b"birth" + bulk
            client.send(Outgoing(target=P, act=TransportAct.STOP_PIPELINE))
            client.send(Outgoing(act=TransportAct.CLOSE_POOL))
            closed = ActReceived(act=TransportAct.CLOSE_POOL)
            events = await converse(wire, client, lambda e: closed in e)
            assert events == [
                ActReceived(act=TransportAct.STOP_PIPELINE, target=P),
                ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P),
                closed,
            ]
            client.send_end()
            await wire.send_eof()
            events = await converse(wire, client, lambda e: False)
            assert events == [Ended(clean=True, reason=END_OF_INPUT_ERROR)]
            ending = await wire.wait()
    assert ending.exit_code == EXIT_CODE
    # sshd does not forward a subsystem's stderr, and ssh printed nothing.
    assert shown == []


async def fails(command: list[str]) -> tuple[list[Event], int | None, str]:
    client = Subsystem(Side.CLIENT)
    client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
    with trio.fail_after(LIMIT):
        async with open_process(command) as wire:
            try:
                events = await converse(wire, client, lambda e: False)
            except trio.BrokenResourceError:
                client.send_failed()
                events = await converse(wire, client, lambda e: False)
            ending = await wire.wait()
    return events, ending.exit_code, ending.error_text


BROKEN = [Ended(clean=False, reason="the stream ended")]


async def test_a_refused_key_is_said_by_ssh(server: Server) -> None:
    other = str(server.folder / "other")
    events, code, text = await fails(argv(server, key_file_path=other))
    assert (events, code) == (BROKEN, 255)
    assert "Permission denied" in text


async def test_a_wrong_subsystem_is_said_by_ssh(server: Server) -> None:
    events, code, text = await fails(argv(server, subsystem="nosuch"))
    assert events == BROKEN
    assert code not in (0, EXIT_CODE)
    assert "subsystem request failed" in text


async def test_an_unknown_host_key_is_said_by_ssh(server: Server, tmp_path: Path) -> None:
    empty = {"UserKnownHostsFile": str(tmp_path / "empty"), "GlobalKnownHostsFile": "/dev/null"}
    events, code, text = await fails(argv(server, options=server.options | empty))
    assert (events, code) == (BROKEN, 255)
    assert "Host key verification failed" in text


async def test_a_flag_of_ssh_takes_precedence_over_an_option(server: Server) -> None:
    """Statement G67."""
    client = Subsystem(Side.CLIENT)
    client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
    with trio.fail_after(LIMIT):
        async with open_process(argv(server, options=server.options | {"Port": "1"})) as wire:
            events = await converse(wire, client, lambda e: got(e) == b"init")
    assert got(events) == b"init"


async def test_a_cancelled_session_leaves_no_ssh(server: Server) -> None:
    client = Subsystem(Side.CLIENT)
    client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
    with trio.fail_after(LIMIT), trio.CancelScope() as scope:
        async with open_process(argv(server)) as wire:
            await converse(wire, client, lambda e: got(e) == b"init")
            scope.cancel()
            await wire.receive_some()
    assert scope.cancelled_caught
    assert wire.ended is not None
