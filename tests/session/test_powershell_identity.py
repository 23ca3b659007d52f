"""Our client sends the same messages as PowerShell's for the same work: open, run, close."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import trio
import trio.testing

from psremoting.client import powershell_identity
from psremoting.client.hosts import TableHost
from psremoting.session import PSSession
from psrp.clixml import Dictionary, loads
from psrp.fragments import Defragmenter
from psrp.host import HostDefaultData, HostInfo
from psrp.sansio import Side
from tests.conversations import chunks
from tests.recordings import WHOLE
from tests.session.servers import FakeServer, carrier_over

_LINE = re.compile(rb"<(\w+) (?:Stream='(\w+)' )?PSGuid='([^']+)'(?: />|>([^<]*))")


def shape(stream: bytes) -> list[tuple[Any, ...]]:
    """Return packets with decoded messages: pipelines numbered in order, without pool ids."""
    pipelines: dict[bytes, int] = {b"00000000-0000-0000-0000-000000000000": 0}
    packets: list[tuple[Any, ...]] = []
    for line in stream.splitlines():
        found = _LINE.match(line)
        assert found, line
        kind, name, guid, data = found.groups()
        number = pipelines.setdefault(guid, len(pipelines))
        messages = []
        if data:
            reader = Defragmenter()
            reader.receive_data(base64.b64decode(data))
            while (message := reader.next_message()) is not None:
                body = loads(message[40:])
                if "ApplicationArguments" in body:
                    body["ApplicationArguments"]["PSVersionTable"]["OS"] = "Some OS"
                messages.append((message[:8].hex(), body))
        packets.append((kind, name, number, messages))
    return packets


def recorded_client(name: str) -> bytes:
    recording = chunks(WHOLE / "outofproc" / "sessions" / f"{name}.jsonl")
    return b"".join(data for side, data in recording if side is Side.CLIENT)


class Listening:
    """A stream that records sent data."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self._stream = stream
        self.sent = b""

    async def send_all(self, data: bytes) -> None:
        self.sent += data
        await self._stream.send_all(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


async def our_client(script: str | None) -> bytes:
    async def engine(server: FakeServer, event: Any) -> None:
        if event.powershell.statements[0][0].is_script:
            await server.output(event.pipeline_id, "hello", 2)

    ours, theirs = trio.testing.memory_stream_pair()
    listening = Listening(ours)
    host = TableHost(info=HostInfo.full(HostDefaultData(cursor_size=100)))
    async with trio.open_nursery() as nursery:
        server = FakeServer(theirs, engine, version="2.4")
        nursery.start_soon(server.serve)
        carrier = carrier_over(listening)  # type: ignore[arg-type]
        async with PSSession.connect(carrier, host=host, like_powershell=True) as session:
            assert session.version == "2.4"
            if script is not None:
                assert (await session.run(script)).output == ["hello", 2]
        nursery.cancel_scope.cancel()
    return listening.sent


@pytest.mark.parametrize(
    ("recording", "script"), [("hello", " 'hello'; 1 + 1 "), ("open-close", None)]
)
async def test_our_packets_equal_the_real_clients_field_by_field(
    recording: str, script: str | None
) -> None:
    theirs = shape(recorded_client(recording))
    ours = shape(await our_client(script))
    assert [packet[:3] for packet in ours] == [packet[:3] for packet in theirs]
    for mine, real in zip(ours, theirs, strict=True):
        assert mine == real


def test_the_version_table_is_a_primitive_dictionary() -> None:
    made = powershell_identity.application_arguments("Some OS")
    assert isinstance(made["PSVersionTable"], Dictionary)
    assert made["PSVersionTable"]["OS"] == "Some OS"
