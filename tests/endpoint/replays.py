"""Replay the client of a recording to one of our servers, step by step."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trio

from psrp.fragments import Defragmenter

_PACKET = re.compile(
    r"<(\w+)(?: Stream='(\w+)')? PSGuid='([0-9a-f-]{36})'(?: /)?>(?:([A-Za-z0-9+/=]+)</Data>)?"
)
PIPELINE_STATE = 0x00041006
POOL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Packet:
    sender: str
    line: bytes
    kind: str
    target: str
    stream: str = ""
    data: bytes = field(default=b"", repr=False)


def packet(sender: str, line: bytes) -> Packet | None:
    found = _PACKET.fullmatch(line.decode())
    if found is None:
        return None
    kind, stream, target, text = found.groups()
    data = base64.b64decode(text) if text else b""
    return Packet(sender, line, kind, target, stream or "", data)


def packets(recording: Path) -> Iterator[Packet]:
    """Return all packets of a recording, in the order in which their last bytes arrived."""
    rest = {"client": b"", "server": b""}
    for text in recording.read_text("utf-8").splitlines():
        entry = json.loads(text)
        sender = entry.get("from")
        if sender not in rest:
            continue
        *lines, rest[sender] = (rest[sender] + base64.b64decode(entry["data"])).split(b"\n")
        for line in lines:
            found = packet(sender, line)
            if found is not None:
                yield found


class Messages:
    """A reader of packets that returns messages: (target, message type, body)."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], Defragmenter] = {}
        self.all: list[tuple[str, int, bytes]] = []

    def take(self, one: Packet) -> None:
        if one.kind != "Data":
            return
        key = (one.target, one.stream)
        source = self._streams.setdefault(key, Defragmenter())
        source.receive_data(one.data)
        while (message := source.next_message()) is not None:
            kind = int.from_bytes(message[4:8], "little")
            self.all.append((one.target, kind, message[40:].removeprefix(b"\xef\xbb\xbf")))

    def of(self, target: str, kind: int | None = None) -> list[bytes]:
        return [
            body
            for its, number, body in self.all
            if its == target and (kind is None or kind == number)
        ]


class Player:
    """The recorded client. It sends a packet when our server has sent what preceded it in the
    recording."""

    def __init__(self, recording: Path, stream: trio.abc.HalfCloseableStream) -> None:
        self.recorded = list(packets(recording))
        self.truth = Messages()
        for one in self.recorded:
            if one.sender == "server":
                self.truth.take(one)
        self.said = Messages()
        """Return the packets of our server."""
        self.acks: list[tuple[str, str]] = []
        self.lines: list[str] = []
        """Return the lines that are not packets."""
        self.targets = list(
            dict.fromkeys(
                one.target
                for one in self.recorded
                if one.kind == "Command" and one.sender == "client"
            )
        )
        self._stream = stream
        self._counts: Counter[tuple[str, str]] = Counter()
        self._news = trio.Event()

    @property
    def recorded_acks(self) -> list[tuple[str, str]]:
        return [
            (one.kind, one.target)
            for one in self.recorded
            if one.sender == "server" and one.kind.endswith("Ack")
        ]

    def ended(self, target: str) -> bool:
        return bool(self.said.of(target, PIPELINE_STATE))

    async def play(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            owed: Counter[tuple[str, str]] = Counter()
            stopping: set[str] = set()
            for one in self.recorded:
                if one.sender == "server":
                    if one.kind.endswith("Ack"):
                        owed[one.kind, one.target] += 1
                    continue
                while any(self._counts[key] < count for key, count in owed.items()):
                    await self._more()
                if one.kind == "Signal":
                    stopping.add(one.target)
                while (
                    one.kind == "Close"
                    and one.target in self.targets
                    and one.target not in stopping
                    and not self.ended(one.target)
                ):
                    await self._more()
                await self._stream.send_all(one.line + b"\n")
            await self._stream.send_eof()

    async def _more(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    async def _listen(self) -> None:
        rest = b""
        while data := await self._stream.receive_some():
            *lines, rest = (rest + bytes(data)).split(b"\n")
            for line in lines:
                one = packet("server", line)
                if one is None:
                    self.lines.append(line.decode())
                    continue
                self.said.take(one)
                self._counts[one.kind, one.target] += 1
                if one.kind.endswith("Ack"):
                    self.acks.append((one.kind, one.target))
            self._news.set()
