"""When the connection fails in any way, a session ends in bounded time, with a reason, and keeps
everything that was received completely."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from psremoting.errors import OpenTimeout, PSRemotingError, PSRemotingTransportError
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psrp import events as e
from tests.session.servers import FakeServer, carrier_over, fake_server

FEW = 4


async def numbers(server: FakeServer, event: e.CreatePipeline) -> None:
    await server.output(event.pipeline_id, *range(FEW))


async def recorded_exchange() -> bytes:
    """Return the whole output of a server while a session opens, runs one command and closes."""
    said: list[bytes] = []

    def keep(data: bytes) -> bytes:
        said.append(data)
        return data

    async with (
        fake_server(numbers, spoil=keep) as (carrier, _),
        PSSession.connect(carrier) as session,
    ):
        assert (await session.run("go")).output == list(range(FEW))
    return b"".join(said)


class Cutter:
    """A stream that is closed after a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def __call__(self, data: bytes) -> bytes:
        part, self.left = data[: self.left], self.left - len(data[: self.left])
        return part


async def conversation(server: FakeServer, stream: trio.abc.Stream, cutter: Cutter) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        while cutter.left > 0:
            await trio.sleep(0.1)
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def talk_until_cut(limit: int) -> tuple[list[object], PSRemotingError | None]:
    ours, theirs = trio.testing.memory_stream_pair()
    cutter = Cutter(limit)
    got: list[object] = []
    async with trio.open_nursery() as nursery:
        server = FakeServer(theirs, numbers, spoil=cutter)
        nursery.start_soon(conversation, server, theirs, cutter)
        try:
            async with PSSession.connect(carrier_over(ours)) as session:
                async for value in await session.invoke("go"):
                    got.append(value)
        except PSRemotingError as error:
            return got, error
        finally:
            nursery.cancel_scope.cancel()
    return got, None


@pytest.mark.parametrize("part", range(4))
async def test_cut_after_any_byte_it_ends_with_a_reason_and_no_output_is_lost_or_doubled(
    part: int, autojump_clock: trio.testing.MockClock
) -> None:
    whole = await recorded_exchange()
    size = len(whole)
    # test_recorded_server.py cuts at the end of each line, too; this server also sends our values.
    for limit in range(part, size, 17):
        got, error = await talk_until_cut(limit)
        assert got == list(range(len(got)))
        if error is None:
            assert len(got) == FEW
        else:
            assert "ended" in str(error)
    assert trio.current_time() < size


@pytest.mark.parametrize("word", ["count 3", "sleep"])
async def test_a_server_killed_while_a_command_runs_breaks_the_session(
    word: str, autojump_clock: trio.testing.MockClock
) -> None:
    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        await server.output(event.pipeline_id, "first")
        await server.stream.aclose()

    async with fake_server(engine) as (carrier, _):
        async with PSSession.connect(carrier) as session:
            invocation = await session.invoke(word)
            assert await anext(invocation) == "first"
            with pytest.raises(PSRemotingTransportError) as caught:
                await anext(invocation)
        assert caught.value.error_id == "JobFailure"
        assert session.state == "Broken"


async def test_over_ssh_the_words_are_those_of_the_real_client() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()
    with pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(carrier_over(ours, "SSH")):
            raise AssertionError("it must not open")
    assert str(caught.value) == (
        "The SSH client session has ended with error message: The SSH transport process has "
        "abruptly terminated causing this remote session to break."
    )
    assert caught.value.error_id == "PSSessionOpenFailed"


async def test_a_silent_server_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    ours, _theirs = trio.testing.memory_stream_pair()
    began = trio.current_time()
    with pytest.raises(OpenTimeout, match="5 seconds"):
        async with PSSession.connect(carrier_over(ours), options=SessionOption(open_timeout=5)):
            raise AssertionError("it must not open")
    assert trio.current_time() - began == pytest.approx(5)


@pytest.mark.parametrize("steps", range(60))
async def test_cancelled_at_any_await_nothing_is_left(
    steps: int, autojump_clock: trio.testing.MockClock
) -> None:
    """The session may be cancelled at every scheduling point of a whole conversation."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(FakeServer(theirs, numbers).serve)
        got: list[object] = []
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_after, steps, scope)
            async with PSSession.connect(carrier_over(ours)) as session:
                async for value in await session.invoke("go"):
                    got.append(value)
        assert got == list(range(len(got)))
        with pytest.raises(trio.ClosedResourceError):
            await ours.send_all(b"x")
        nursery.cancel_scope.cancel()


async def cancel_after(steps: int, scope: trio.CancelScope) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_close_that_is_not_answered_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Statement G70."""
    deaf = False

    def mute(data: bytes) -> bytes:
        return b"" if deaf else data

    async with fake_server(numbers, spoil=mute) as (carrier, _):
        async with PSSession.connect(carrier) as session:
            deaf = True
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(60)
        assert session.state == "Closed"


async def test_a_slow_reader_slows_the_server_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sent = 0

    async def endless(server: FakeServer, event: e.CreatePipeline) -> None:
        nonlocal sent
        while True:
            await server.output(event.pipeline_id, "x" * 1000)
            sent += 1

    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(FakeServer(theirs, endless).serve)
        options = SessionOption(output_buffer=10, close_timeout=1)
        async with PSSession.connect(carrier_over(ours), options=options) as session:
            invocation = await session.invoke("go")
            async for _ in invocation:
                break
            await trio.testing.wait_all_tasks_blocked()
            held = sent
            await trio.sleep(5)
            assert sent == held
            assert invocation.unread <= 40
            for _ in range(30):
                await anext(invocation)
            await trio.testing.wait_all_tasks_blocked()
            assert sent > held
        nursery.cancel_scope.cancel()
