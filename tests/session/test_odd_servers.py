"""Servers with one fault each: where the real client hangs, ours ends in bounded time; where it
reports an error, ours has the same message."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import trio
import trio.testing

from psremoting.errors import OpenTimeout, PSRemotingError, PSRemotingTransportError
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psrp import events as e
from psrp.records import ErrorRecord
from tests.session.servers import FakeServer, carrier_over, fake_server, small_engine


def replacing(old: str, new: str) -> Callable[[bytes], bytes]:
    """Replace text in the messages of a server; the lengths must be equal."""
    assert len(old) == len(new)

    def spoil(data: bytes) -> bytes:
        lines = data.split(b"\n")
        for at, line in enumerate(lines):
            head, mark, rest = line.partition(b"'>")
            if mark and line.startswith(b"<Data"):
                body = base64.b64decode(rest.partition(b"<")[0])
                body = body.replace(old.encode(), new.encode())
                lines[at] = head + mark + base64.b64encode(body) + b"</Data>"
        return b"\n".join(lines)

    return spoil


def before_all(text: bytes) -> Callable[[bytes], bytes]:
    said = False

    def spoil(data: bytes) -> bytes:
        nonlocal said
        if not said and data:
            said = True
            return text + data
        return data

    return spoil


async def failure(**more: object) -> PSRemotingError:
    """Return the error of opening a session to such a server."""
    async with fake_server(**more) as (carrier, _):  # type: ignore[arg-type]
        with pytest.raises(PSRemotingError) as caught:
            async with PSSession.connect(carrier):
                raise AssertionError("it must not open")
        return caught.value


VERSIONS = [("protocolversion", "1.0"), ("protocolversion", "3.0"), ("PSVersion", "1.0")]


@pytest.mark.parametrize(("what", "version"), VERSIONS)
async def test_a_version_that_we_cannot_take_is_named(what: str, version: str) -> None:
    old = "2.3" if what == "protocolversion" else "2.0"
    spoil = replacing(f'N="{what}">{old}<', f'N="{what}">{version}<')
    error = await failure(spoil=spoil)
    assert error.error_id == "PSSessionOpenFailed"
    assert str(error).startswith(
        f"PowerShell client does not support the {what} {version} negotiated by the server. "
        "Make sure the server is compatible with"
    )


async def test_a_pool_that_breaks_says_why() -> None:
    class Refusing(FakeServer):
        def open_pool(self) -> None:
            record = ErrorRecord.create("refused by policy")
            self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.BROKEN, error=record))

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Refusing(theirs, small_engine).serve)
        with pytest.raises(PSRemotingTransportError, match=r"^refused by policy$") as caught:
            async with PSSession.connect(carrier_over(ours)):
                raise AssertionError("it must not open")
        assert caught.value.error_id == "PSSessionOpenFailed"
        nursery.cancel_scope.cancel()


async def test_a_pool_that_is_closed_at_once_says_its_state() -> None:
    class Closing(FakeServer):
        def open_pool(self) -> None:
            self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Closing(theirs, small_engine).serve)
        with pytest.raises(PSRemotingTransportError, match=r"unexpected state\. State Closed"):
            async with PSSession.connect(carrier_over(ours)):
                raise AssertionError("it must not open")
        nursery.cancel_scope.cancel()


async def test_a_banner_before_the_packets_is_kept_and_not_fatal() -> None:
    lines: list[str] = []
    async with (
        fake_server(spoil=before_all(b"Welcome to the lab\n\n")) as (carrier, _),
        PSSession.connect(carrier, on_notice=lines.append) as session,
    ):
        assert (await session.run("count 2")).output == [0, 1]
        assert session.notices == ("Welcome to the lab",)
    assert lines == ["Welcome to the lab"]


async def test_a_server_that_only_talks_is_quoted() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(b"Welcome to the lab\n")
    await theirs.aclose()
    with pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(carrier_over(ours)):
            raise AssertionError("it must not open")
    assert caught.value.error_id == "2102,PSSessionOpenFailed"
    assert str(caught.value) == (
        "There is an error processing data from the background process. "
        "Error reported: Welcome to the lab."
    )
    assert caught.value.notices == ("Welcome to the lab",)


async def test_an_error_line_breaks_the_session_with_its_text() -> None:
    """Statement G69."""

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        await server.raw(b"__NamedPipeError__:something broke\n")
        await trio.sleep_forever()

    async with fake_server(engine) as (carrier, _), PSSession.connect(carrier) as session:
        result = await session.run("go")
        assert isinstance(result.error, PSRemotingTransportError)
        assert result.error.error_id == "JobFailure"
        assert "with the following message: something broke." in str(result.error)
        assert session.state == "Broken"


async def test_a_command_that_the_server_could_not_read_is_not_waited_for() -> None:
    """Statement J103."""

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        if server.pool.pipelines and event.add_to_history:
            text = b"__NamedPipeError__:Remote transport error: Remoting data is missing HostInfo\n"
            await server.raw(text)
            await trio.sleep_forever()
        await server.output(event.pipeline_id, "fine")

    async with fake_server(engine) as (carrier, _), PSSession.connect(carrier) as session:
        result = await session.run("go")
        assert result.error is not None
        assert "missing HostInfo" in str(result.error)
        assert (await session.run("go", add_to_history=False)).output == ["fine"]


async def test_output_that_is_no_clixml_costs_one_command() -> None:
    """Statement J102."""
    spoil = replacing("<S>bad</S>", "<Q>bad</Q>")

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        await server.output(event.pipeline_id, "good", "bad" if len(server.seen) < 5 else "fine")

    async with (
        fake_server(engine, spoil=spoil) as (carrier, _),
        PSSession.connect(carrier) as session,
    ):
        result = await session.run("go")
        assert result.output == ["good"]
        assert isinstance(result.error, PSRemotingError)
        assert result.error.error_id == "JobFailure"
        assert (await session.run("go")).output == ["good", "fine"]


async def test_a_close_acknowledgement_that_is_forgotten_holds_nothing_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Statement J101: the real client waits without limit."""

    class Forgetful(FakeServer):
        def say(self, event: e.Event) -> None:
            if not isinstance(event, e.ClosePipeline):
                super().say(event)

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Forgetful(theirs, small_engine).serve)
        async with PSSession.connect(carrier_over(ours)) as session:
            assert (await session.run("count 1")).output == [0]
            assert (await session.run("count 2")).output == [0, 1]
        nursery.cancel_scope.cancel()
    assert trio.current_time() < 1000


async def test_a_command_without_an_end_can_be_given_a_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with fake_server() as (carrier, _), PSSession.connect(carrier) as session:
        with trio.move_on_after(3) as scope:
            await session.run("sleep")
        assert scope.cancelled_caught
        assert (await session.run("count 1")).output == [0]


async def test_noise_and_then_silence_is_a_timeout_that_quotes_the_noise(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(b"password expired\n")
    with pytest.raises(OpenTimeout) as caught:
        async with PSSession.connect(carrier_over(ours), options=SessionOption(open_timeout=9)):
            raise AssertionError("it must not open")
    assert caught.value.notices == ("password expired",)


async def test_too_much_output_of_one_command_costs_that_command() -> None:
    options = SessionOption(max_received_data_size_per_command=20_000)
    async with (
        fake_server() as (carrier, _),
        PSSession.connect(carrier, options=options) as session,
    ):
        result = await session.run("count 5000")
        assert "over the limit of 20000" in str(result.error)
        assert result.output == list(range(len(result.output)))
        assert (await session.run("count 2")).output == [0, 1]
