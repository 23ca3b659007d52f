"""Servers whose packets, fragments or messages have one fault: a session reacts like the recorded
real client, and ends with an error where the real client hangs."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
import trio
import trio.testing

from psremoting.client.stream_carrier import StreamCarrier
from psremoting.errors import OperationTimeout, PSRemotingError, PSRemotingTransportError
from psremoting.session import PSSession
from psrp import events as e
from sshsub.events import END_OF_INPUT_ERROR
from sshsub.trio_stream import StreamWire
from tests.session.servers import REPLY_TIMEOUTS, Engine, FakeServer, fake_server

Spoil = Callable[[bytes], bytes]
POOL = b"PSGuid='00000000-0000-0000-0000-000000000000'"
STRANGE, NOBODY = UUID(int=7), UUID(int=0)
CAPABILITY, STATE, PIPELINE_STATE, OUTPUT = 0x10002, 0x21005, 0x41006, 0x41004


def fragments(data: bytes) -> Iterator[bytes]:
    while data:
        end = 21 + struct.unpack_from(">I", data, 17)[0]
        yield data[:end]
        data = data[end:]


def each_line(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda data: b"".join(change(line) for line in data.splitlines(keepends=True))


def each_message(change: Callable[[int, bytes], list[bytes]]) -> Spoil:
    """Return a fault that passes every message, in one fragment, through ``change``."""

    def line(line: bytes) -> bytes:
        head, mark, rest = line.partition(b"'>")
        if not mark:
            return line
        made = []
        for each in fragments(base64.b64decode(rest.partition(b"<")[0])):
            made += change(struct.unpack_from("<I", each, 25)[0], each)
        return b"".join(head + mark + base64.b64encode(one) + b"</Data>\n" for one in made)

    return each_line(line)


def put(at: int, value: bytes, only: int | None = None) -> Spoil:
    """Write ``value`` over every fragment, or over those of messages of one type."""

    def change(kind: int, data: bytes) -> list[bytes]:
        if only not in (None, kind):
            return [data]
        return [data[:at] + value + data[at + len(value) :]]

    return each_message(change)


def without(unwanted: int) -> Spoil:
    return each_message(lambda kind, data: [] if kind == unwanted else [data])


def in_pieces(_: int, data: bytes) -> list[bytes]:
    blob = data[21:]
    cut = [blob[at : at + 30] for at in range(0, len(blob), 30)]
    marks = [(not at) | (at == len(cut) - 1) << 1 for at in range(len(cut))]
    return [
        data[:8] + struct.pack(">QBI", at, marks[at], len(piece)) + piece
        for at, piece in enumerate(cut)
    ]


def stopping_first(kind: int, data: bytes) -> list[bytes]:
    """Send Stopping before the final state, as psrpcore's server does."""
    return [data.replace(b">4</I32>", b">2</I32>"), data] if kind == PIPELINE_STATE else [data]


def behind_ack(more: bytes) -> Spoil:
    return each_line(lambda line: line + more if b"<CommandAck" in line else line)


def message(kind: int, packet_of: UUID, pool: UUID = NOBODY, pipeline: UUID = NOBODY) -> bytes:
    blob = struct.pack("<II", 1, kind) + pool.bytes_le + pipeline.bytes_le + b"<S>x</S>"
    data = base64.b64encode(struct.pack(">QQBI", 999, 0, 3, len(blob)) + blob)
    return b"<Data Stream='Default' PSGuid='%b'>%b</Data>\n" % (str(packet_of).encode(), data)


def forgetting(ack: bytes) -> Spoil:
    return each_line(lambda line: b"" if line.startswith(ack) and POOL not in line else line)


def no_mark(_: int, data: bytes) -> list[bytes]:
    blob = data[21:].replace(b"\xef\xbb\xbf", b"")
    return [data[:17] + struct.pack(">I", len(blob)) + blob]


def shouted(line: bytes) -> bytes:
    return re.sub(rb"(?<=PSGuid=')[0-9a-f-]+", lambda found: found[0].upper(), line)


BORNE = {
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "cr": lambda data: data.replace(b"\n", b"\r"),
    "double quotes": lambda data: data.replace(b"'", b'"'),
    "attributes swapped": lambda data: re.sub(
        rb"<Data (Stream='\w+') (PSGuid='[^']+')", rb"<Data \2 \1", data
    ),
    "stream lower": lambda data: data.replace(b"'Default'", b"'default'"),
    "stream prompt": lambda data: data.replace(b"'Default'", b"'PromptResponse'"),
    "guid upper": each_line(shouted),
    "comments": each_line(lambda line: b"<!-- \xff -->" + line),
    "no byte order mark": each_message(no_mark),
    "object id same": put(0, struct.pack(">Q", 1)),
    "small fragments": each_message(lambda kind, data: [b"".join(in_pieces(kind, data))]),
    "fragment a packet": each_message(in_pieces),
    "half fragments": each_message(lambda _, data: [data[:10], data[10:40], data[40:]]),
    "for both": put(21, struct.pack("<I", 3)),
    "no private data": without(0x21009),
    "unknown message": behind_ack(message(0x2FFFF, NOBODY)),
    "output of an unknown pipeline": behind_ack(message(OUTPUT, STRANGE, pipeline=STRANGE)),
    "blank lines": lambda data: data.replace(b"\n", b"\n \n\n"),
    "noise": behind_ack(b"hello from a careless profile\n"),
    "noise with an element": behind_ack(b"usage: menu <Command> [<Data >]\n"),
    "noise before a packet": each_line(lambda line: b"PS> " + line),
    "state twice": each_message(lambda kind, data: [data] * (1 + (kind == PIPELINE_STATE))),
    "a state on the way": each_message(stopping_first),
    "ack twice": each_line(lambda line: line * (1 + (b"Ack " in line))),
    "no data ack": forgetting(b"<DataAck"),
    "no close ack": forgetting(b"<CloseAck"),
}


async def count(server: FakeServer, event: e.CreatePipeline) -> None:
    await server.output(event.pipeline_id, 0, 1, 2)


@pytest.mark.parametrize("oddity", BORNE)
async def test_what_the_real_client_bears_is_borne(
    oddity: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with (
        fake_server(count, spoil=BORNE[oddity]) as (carrier, _),
        PSSession.connect(carrier) as session,
    ):
        for _ in range(2):
            result = await session.run("count")
            assert (result.output, result.error) == ([0, 1, 2], None)
    assert session.state == "Closed"
    # No time limit was used up.
    assert trio.current_time() < 5


def repeated(text: bytes) -> Spoil:
    return lambda data: text if b"<Data" in data else data


OPENING = {
    "for the server": (
        put(21, struct.pack("<I", 2)),
        "PSSessionOpenFailed",
        "Received packet not destined for logged-on user: user = Client, "
        "packet destination = Server.",
    ),
    "object id 0": (
        put(0, bytes(8)),
        "PSSessionOpenFailed",
        "ObjectId cannot be less than or equal to 0. This can happen if the fragments are not "
        "properly constructed by the remote computer, or the data has been changed by "
        "unauthorized users.",
    ),
    "no capability": (
        without(CAPABILITY),
        "PSSessionOpenFailed",
        "Opening the remote session failed with an unexpected state. State Broken.",
    ),
    "a strange pool": (
        put(29, STRANGE.bytes_le, STATE),
        "PSSessionOpenFailed",
        "Opening the remote session failed with an unexpected state. State Broken. "
        "(its RPID is not this pool's)",
    ),
    "an error": (
        repeated(b"__NamedPipeError__:something broke\n"),
        "2100,PSSessionOpenFailed",
        "The background process reported an error with the following message: something broke.",
    ),
    "a refusal": (
        repeated(b"__NamedPipeError__:Remote transport error: The maximum pool size is 1.\n"),
        "2100,PSSessionOpenFailed",
        "The background process reported an error with the following message: "
        "Remote transport error: The maximum pool size is 1..",
    ),
}


@pytest.mark.parametrize("oddity", OPENING)
async def test_an_opening_that_fails_says_why_at_once(
    oddity: str, autojump_clock: trio.testing.MockClock
) -> None:
    spoil, error_id, words = OPENING[oddity]
    async with fake_server(count, spoil=spoil) as (carrier, _):
        with pytest.raises(PSRemotingTransportError) as caught:
            async with PSSession.connect(carrier):
                raise AssertionError("it must not open")
    assert caught.value.error_id == error_id
    assert str(caught.value).startswith(words)
    assert trio.current_time() < 5


RUNNING = {
    "an error in another case": (
        behind_ack(b"__namedpipeerror__:something broke\n"),
        "The background process reported an error with the following message: something broke.",
    ),
    "an unknown type of the session": (
        behind_ack(message(0x10099, NOBODY)),
        "Received remoting data with unsupported action: 65689.",
    ),
    "a packet of a client": (
        behind_ack(b"<Command PSGuid='00000000-0000-0000-0000-000000000007' />\n"),
        "There is an error processing data from the background process. Error reported: ",
    ),
    "a broken packet": (
        behind_ack(b"<Data Stream='Default' " + POOL + b">!</Data>\n"),
        "There is an error processing data from the background process. Error reported: ",
    ),
}


@pytest.mark.parametrize("oddity", RUNNING)
async def test_a_session_that_breaks_under_a_command_fails_it(oddity: str) -> None:
    spoil, words = RUNNING[oddity]
    async with (
        fake_server(count, spoil=spoil) as (carrier, _),
        PSSession.connect(carrier) as session,
    ):
        result = await session.run("count")
        assert isinstance(result.error, PSRemotingTransportError)
        assert result.error.error_id == "JobFailure"
        assert str(result.error).startswith(words)
        assert session.state == "Broken"


WAITED_FOR = {
    "no command ack": (forgetting(b"<CommandAck"), OperationTimeout, "did not acknowledge"),
    "another's state": (
        put(45, NOBODY.bytes_le, PIPELINE_STATE),
        PSRemotingError,
        "its PID is not that of its packet",
    ),
}


@pytest.mark.parametrize("oddity", WAITED_FOR)
async def test_where_the_real_client_waits_for_ever_the_command_fails(
    oddity: str, autojump_clock: trio.testing.MockClock
) -> None:
    spoil, kind, words = WAITED_FOR[oddity]
    async with (
        fake_server(count, spoil=spoil) as (carrier, _),
        PSSession.connect(carrier) as session,
    ):
        result = await session.run("count")
        assert isinstance(result.error, kind)
        assert words in str(result.error)
        assert session.state == "Opened"
    assert trio.current_time() < 200


class Beside:
    """The stderr of a process, written by the test."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self.write: Callable[[str], None]

    @asynccontextmanager
    async def connect(self, on_stderr: Callable[[str], None]) -> AsyncIterator[StreamWire]:
        self.write = on_stderr
        yield StreamWire(self.stream)
        on_stderr(END_OF_INPUT_ERROR)

    def carrier(self, transport: str) -> StreamCarrier:
        return StreamCarrier(
            self.connect, transport=transport, computer="lab", reply_timeouts=REPLY_TIMEOUTS
        )


@asynccontextmanager
async def with_stderr(engine: Engine) -> AsyncIterator[Beside]:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(FakeServer(theirs, engine).serve)
        yield Beside(ours)
        nursery.cancel_scope.cancel()


async def test_a_process_that_reports_on_stderr_is_understood() -> None:
    """``pwsh -s`` writes it without a prefix, and ends with the same message as every server."""

    async def refuse(server: FakeServer, event: e.CreatePipeline) -> None:
        if event.add_to_history:
            beside.write("Remote transport error: ")
            await trio.sleep_forever()
        await server.output(event.pipeline_id, "fine")

    async with with_stderr(refuse) as beside:
        async with PSSession.connect(beside.carrier("Process")) as session:
            beside.write("a warning")
            result = await session.run("go")
            assert isinstance(result.error, PSRemotingError)
            assert result.error.error_id == "JobFailure"
            assert (await session.run("go", add_to_history=False)).output == ["fine"]
        assert session.notices == ("a warning",)


async def test_what_ssh_prints_is_for_people() -> None:
    async with with_stderr(count) as beside:
        async with PSSession.connect(beside.carrier("SSH")) as session:
            beside.write("Remote transport error: says a banner")
            assert (await session.run("count")).output == [0, 1, 2]
        assert session.notices == ("Remote transport error: says a banner", END_OF_INPUT_ERROR)
