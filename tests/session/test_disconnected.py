"""Sessions that outlive their connection, at our own endpoint over WS-Man."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import trio

from psremoting import PSSession, WSManTarget, parse_target, sessions_on, sync
from psremoting.errors import PSRemotingError, SessionDisconnected
from psrp.clixml import Credential
from psrp.events import InvocationState
from psrp.sansio import Outgoing, TransportAct
from tests.endpoint.served_wsman import PASSWORD, USER, serving

HOW: dict[str, Any] = {"credential": Credential(USER, PASSWORD), "authentication": "basic"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSManTarget]:
    with serving(tmp_path_factory.mktemp("wsman"), "--allow-unencrypted") as endpoint:
        made = parse_target(f"http://127.0.0.1:{endpoint.http}")
        assert isinstance(made, WSManTarget)
        yield replace(made, allow_unencrypted=True)


async def test_a_command_goes_on_while_its_session_is_disconnected(target: WSManTarget) -> None:
    async with PSSession.connect(target, name="left", **HOW) as session:
        invocation = await session.invoke("Get-Number 100000000")
        assert await anext(invocation) == 1
        await session.disconnect()
        assert session.state == "Disconnected"
        assert invocation.state is InvocationState.DISCONNECTED
        with pytest.raises(SessionDisconnected):
            await invocation.output()
    (row,) = [each for each in await sessions_on(target, **HOW) if each.id == session.id]
    assert (row.name, row.state, row.owner) == ("left", "Disconnected", USER)
    async with PSSession.reconnect(target, row.id, **HOW) as again:
        assert again.id == session.id
        (command,) = await again.commands()
        attached = await again.attach(command)
        values = [await anext(attached) for _ in range(50)]
        assert values == list(range(values[0], values[0] + 50))
        await attached.stop()
        assert (await again.run("Get-Number 2", check=True)).output == [1, 2]
    assert again.state == "Closed"
    assert row.id not in [each.id for each in await sessions_on(target, **HOW)]


async def test_no_output_is_lost_if_a_session_is_disconnected_right_after_a_start(
    target: WSManTarget,
) -> None:
    """Disconnect follows Command, and the Receives in flight still deliver their output."""
    for count in (1, 2000) * 5:
        async with PSSession.connect(target, **HOW) as session:
            invocation = await session.invoke(f"Get-Number {count}")
            await session.disconnect()
            received = []
            with suppress(SessionDisconnected):
                async for value in invocation:
                    received.append(value)
        async with PSSession.reconnect(target, session.id, **HOW) as again:
            if invocation.state is InvocationState.DISCONNECTED:
                (command,) = await again.commands()
                received += await (await again.attach(command)).output()
        assert received == list(range(1, count + 1))


async def test_the_whole_output_of_a_command_that_is_left_stays_at_the_server(
    target: WSManTarget,
) -> None:
    texts = ["x" * 100_000] * 8
    for what, input, expected in (
        ("Get-Number 3000", None, list(range(1, 3001))),
        ("ConvertTo-Upper", texts, [text.upper() for text in texts]),
    ):
        async with PSSession.connect(target, **HOW) as session:
            command = await session.invoke_disconnected(what, input=input)
            assert session.state == "Disconnected"
        async with PSSession.reconnect(target, session.id, **HOW) as again:
            assert await again.commands() == [command]
            assert await (await again.attach(command)).output() == expected


async def test_a_command_whose_input_fails_leaves_the_session_open(target: WSManTarget) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("no more input")

    async with PSSession.connect(target, **HOW) as session:
        with pytest.raises(ValueError, match="no more input"):
            await session.invoke_disconnected("ConvertTo-Upper", input=failing())
        assert session.state == "Opened"


async def test_a_refused_command_leaves_no_session(
    target: WSManTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PSSession.connect(target, **HOW) as session:
        driver = session._driver
        send = driver.carrier.send

        async def refused(out: Outgoing) -> None:
            assert out.act is not None
            driver.act_failed(out.act, out.target, PSRemotingError("no more commands"))

        def refuse(out: Outgoing) -> None:
            if out.act is TransportAct.CREATE_PIPELINE:
                trio.lowlevel.spawn_system_task(refused, out)
            else:
                send(out)

        monkeypatch.setattr(driver.carrier, "send", refuse)
        with pytest.raises(PSRemotingError, match="no more commands"):
            await session.invoke_disconnected("Get-Number 1")
        assert session.state == "Opened"
    assert session.id not in [each.id for each in await sessions_on(target, **HOW)]


@pytest.mark.parametrize("mode", ["Drop", "Block"])
async def test_the_server_keeps_a_session_as_disconnect_asks(
    target: WSManTarget, mode: str
) -> None:
    async with PSSession.connect(target, **HOW) as session:
        with pytest.raises(PSRemotingError, match="at least 60 seconds, got 59"):
            await session.disconnect(idle_timeout=59)
        assert session.state == "Opened"
        await session.disconnect(idle_timeout=90, output_buffering_mode=mode)
    (row,) = [each for each in await sessions_on(target, **HOW) if each.id == session.id]
    assert (row.idle_timeout, row.output_buffering_mode) == (90, mode)
    async with PSSession.reconnect(target, session.id, **HOW):
        pass


async def test_a_session_that_is_not_there_cannot_be_connected_to(target: WSManTarget) -> None:
    with pytest.raises(PSRemotingError):
        async with PSSession.reconnect(target, "00000000-0000-0000-0000-000000000001", **HOW):
            raise AssertionError("it must not open")


async def test_other_sessions_end_with_their_connection() -> None:
    async with PSSession.connect("local") as session:
        with pytest.raises(PSRemotingError, match="sessions over Process end with"):
            await session.disconnect()
        with pytest.raises(PSRemotingError, match="sessions over Process end with"):
            await session.invoke_disconnected("Get-Number 1")
        assert (await session.run("Get-Number 1")).output == [1]
    with pytest.raises(PSRemotingError, match="only servers over WS-Man keep sessions"):
        await sessions_on("local")
    with pytest.raises(PSRemotingError, match="only over WS-Man"):
        PSSession.reconnect("local", session.id)
    with pytest.raises(PSRemotingError, match="are for targets over WS-Man"):
        async with PSSession.connect("local", **HOW):
            raise AssertionError("it must not open")


def test_sessions_are_left_and_connected_to_without_trio(target: WSManTarget) -> None:
    """`psremoting.sync` has the same operations."""
    with sync.connect(target, name="sync", **HOW) as session:
        assert session.run("Get-Number 2", check=True).output == [1, 2]
        command = session.invoke_disconnected("Get-Number 3000")
        assert session.state == "Disconnected"
    (row,) = [each for each in sync.sessions_on(target, **HOW) if each.id == session.id]
    assert (row.name, row.state) == ("sync", "Disconnected")
    with sync.reconnect(target, row.id, **HOW) as again:
        assert again.id == session.id
        assert again.commands() == [command]
        assert list(again.attach(command)) == list(range(1, 3001))
        again.disconnect(idle_timeout=3600)
        assert again.state == "Disconnected"
    with sync.reconnect(target, row.id, **HOW) as last:
        assert last.run("Get-Number 1", check=True).output == [1]
    assert row.id not in [each.id for each in sync.sessions_on(target, **HOW)]
