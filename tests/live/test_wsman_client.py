"""Our WS-Man client with the real plugin: commands, round trips, and failures."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import trio

from psremoting import Credential, PSRemotingError, PSSession, SessionOption
from psremoting.errors import PSRemotingTransportError
from psremoting.wsman_target import WSManTarget
from tests.live.wsman_peers import PASSWORD, USER, NativeClient, WSManServer
from tests.wsman.http_proxy import HttpProxy, proxying


def target(server: WSManServer, authentication: str = "ntlm", *, tls: bool = False) -> WSManTarget:
    made = server.target(authentication, tls=tls)
    assert isinstance(made, WSManTarget)
    return made


async def values(session: PSSession, script: str, **more: Any) -> list[Any]:
    return [value async for value in await session.invoke(script, **more)]


WAYS = [("basic", False), ("basic", True), ("ntlm", False)]


@pytest.mark.parametrize(("authentication", "tls"), WAYS)
@pytest.mark.parametrize("compressed", [False, True])
async def test_large_input_and_output_come_through(
    wsman_server: WSManServer, authentication: str, tls: bool, compressed: bool
) -> None:
    options = replace(wsman_server.options, no_compression=False if compressed else None)
    place = target(wsman_server, authentication, tls=tls)
    with trio.fail_after(120):
        async with PSSession.connect(place, options=options) as session:
            text = "ab<&>é" * 50_000
            assert await values(session, "$args[0].Length", arguments=[text]) == [len(text)]
            (back,) = await values(session, "'z' * 1MB")
            assert back == "z" * (1 << 20)
            script = "$input | Measure-Object | % Count"
            assert await values(session, script, input=range(2000)) == [2000]


async def test_three_commands_run_at_once_and_one_is_stopped(wsman_server: WSManServer) -> None:
    found: dict[int, list[Any]] = {}
    with trio.fail_after(120):
        place = target(wsman_server)
        async with PSSession.connect(
            place, options=wsman_server.options, max_runspaces=3
        ) as session:

            async def one(number: int) -> None:
                script = f"1..3 | % {{ Start-Sleep -Milliseconds 100; $_ + {number * 10} }}"
                found[number] = await values(session, script)

            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(one, number)
            with trio.move_on_after(1.5) as scope:
                await values(session, "1..1000 | % { $_; Start-Sleep -Milliseconds 100 }")
            assert scope.cancelled_caught
            assert await values(session, "'after'") == ["after"]
    assert found == {n: [n * 10 + 1, n * 10 + 2, n * 10 + 3] for n in range(3)}


@pytest.mark.parametrize("authentication", ["basic", "ntlm"])
async def test_no_more_round_trips_than_pypsrp(
    wsman_server: WSManServer, authentication: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open, run a command and terminate it, close. Requests are counted by a proxy, the empty ones
    of an authentication included."""
    pytest.importorskip("pypsrp")
    # The number must not depend on the speed of the server.
    monkeypatch.setattr("wsman.shell.POOL_PAUSE", 600.0)
    monkeypatch.setattr("wsman.shell.TERMINATE_WAIT", 600.0)
    with trio.fail_after(120):
        async with proxying(wsman_server.http) as theirs:
            await trio.to_thread.run_sync(_use_pypsrp, theirs.port, authentication)
        async with proxying(wsman_server.http) as ours:
            place = replace(target(wsman_server, authentication), port=ours.port)
            async with PSSession.connect(place, options=wsman_server.options) as session:
                assert await values(session, "1..3") == [1, 2, 3]
    assert ours.connections == theirs.connections == 1
    if authentication == "basic":
        assert ours.operations() == theirs.operations()
        assert ours.operations()[-2:] == ["Signal", "Delete"]
    else:
        assert ours.operations().count("sealed") == theirs.operations().count("sealed")
        # pypsrp asks for the schemes first.
        assert ours.operations().count("") == theirs.operations().count("") - 1 == 2


async def test_a_longer_session_has_one_receive_of_each_target_at_a_time(
    wsman_server: WSManServer,
) -> None:
    """The pool's Receive is outstanding while a command runs; both end with the session."""
    with trio.fail_after(120):
        async with proxying(wsman_server.http) as proxy:
            place = replace(target(wsman_server, "basic"), port=proxy.port)
            async with PSSession.connect(place, options=wsman_server.options) as session:
                assert await values(session, "1; Start-Sleep 2; 2") == [1, 2]
                assert await values(session, "3") == [3]
    polls = [each.command for each in proxy.exchanges if each.operation == "Receive"]
    assert polls.count("") == 4
    assert proxy.overlapping == []
    assert proxy.operations().count("Signal") == proxy.operations().count("Command") == 2
    assert proxy.operations()[-1] == "Delete"


def test_no_more_round_trips_than_the_native_client(
    wsman_server: WSManServer, native_client: NativeClient
) -> None:
    """The native client signs in again for nearly every request."""

    async def count() -> tuple[HttpProxy, HttpProxy]:
        async with proxying(wsman_server.http) as theirs:
            script = (
                "$s = New-PSSession -ComputerName 127.0.0.1 -Authentication Negotiate"
                f" -Credential $c -Port {theirs.port};"
                " Invoke-Command $s { 1..3 }; Invoke-Command $s { 1..3 }; Remove-PSSession $s"
            )
            text = await trio.to_thread.run_sync(native_client.run, script)
            assert text.split() == ["1", "2", "3"] * 2
        async with proxying(wsman_server.http) as ours:
            place = replace(target(wsman_server), port=ours.port)
            async with PSSession.connect(
                place, options=wsman_server.options, like_powershell=True
            ) as session:
                for _ in range(2):
                    assert await values(session, "1..3") == [1, 2, 3]
        return theirs, ours

    theirs, ours = trio.run(count)
    assert ours.operations().count("sealed") <= theirs.operations().count("sealed")
    assert ours.operations().count("") < theirs.operations().count("")


def _use_pypsrp(port: int, authentication: str) -> None:
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    wsman = WSMan(
        "127.0.0.1", port=port, ssl=False, auth=authentication, username=USER, password=PASSWORD,
        encryption="never" if authentication == "basic" else "always",
    )  # fmt: skip
    with wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool)
        shell.add_script("1..3")
        assert shell.invoke() == [1, 2, 3]
        shell.close()


async def test_opening_a_command_and_closing_wait_for_no_poll(wsman_server: WSManServer) -> None:
    """The server answers an empty poll after 30 seconds; no step may wait for one."""
    start = time.monotonic()
    for _ in range(2):
        async with PSSession.connect(target(wsman_server), options=wsman_server.options) as session:
            await values(session, "1")
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("authentication", ["basic", "ntlm"])
async def test_a_wrong_password_is_access_denied(
    wsman_server: WSManServer, authentication: str
) -> None:
    place = replace(target(wsman_server, authentication), credential=Credential(USER, "wrong"))
    with trio.fail_after(60), pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(place, options=wsman_server.options):
            pass
    assert caught.value.error_id == "AccessDenied,PSSessionOpenFailed"
    assert "wrong" not in str(caught.value)


async def test_an_untrusted_host_gets_no_ntlm(wsman_server: WSManServer) -> None:
    place = replace(target(wsman_server), trusted_hosts=(), computer_name="192.0.2.1")
    with trio.fail_after(30), pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(place, options=SessionOption(open_timeout=10)):
            pass
    assert caught.value.error_id == "ServerNotTrusted,PSSessionOpenFailed"


async def test_a_session_whose_process_dies_is_broken(wsman_server: WSManServer) -> None:
    async def use() -> None:
        async with PSSession.connect(target(wsman_server), options=wsman_server.options) as session:
            await values(session, "Stop-Process -Id $PID")
            await values(session, "1")

    with trio.fail_after(100), pytest.raises(PSRemotingError):
        await use()
