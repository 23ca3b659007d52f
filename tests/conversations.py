"""Recorded out-of-process conversations: their lines and packets in recorded order, and their
messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from psrp.fragments import Defragmenter
from psrp.sansio import RemoteProtocolError, Side, TransportAct
from sshsub.packets import LineReader, Packet, PacketError, PacketKind, read_line
from tests.recordings import FIXTURES, SHARED

_ACTS = {
    PacketKind.SIGNAL: TransportAct.STOP_PIPELINE,
    PacketKind.SIGNAL_ACK: TransportAct.STOP_PIPELINE,
    PacketKind.CLOSE: TransportAct.CLOSE_PIPELINE,
    PacketKind.CLOSE_ACK: TransportAct.CLOSE_PIPELINE,
}


@dataclass(frozen=True)
class Said:
    """One line: its sender, its bytes, and its packets up to the first fault."""

    side: Side
    line: bytes
    packets: tuple[Packet, ...]


def recordings(kind: str) -> list[Path]:
    """Return the "sessions" or the "probes", each once: our copy takes precedence over the
    collection's."""
    found: dict[str, Path] = {}
    for root in (FIXTURES, SHARED):
        for path in (root / "outofproc" / kind).glob("*.jsonl") if root else ():
            found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def chunks(path: Path) -> Iterator[tuple[Side, bytes]]:
    """Return the recorded chunks, cut anywhere."""
    for record in map(json.loads, path.read_text("utf-8").splitlines()):
        yield Side(record["from"]), base64.b64decode(record["data"])


def conversation(path: Path) -> list[Said]:
    """Return the lines in the order of their last bytes."""
    readers = {side: LineReader() for side in Side}
    said = []
    for side, data in chunks(path):
        readers[side].receive_data(data)
        while line := readers[side].next_line():
            said.append(Said(side, line.data, tuple(_packets(line.data))))
    return said


def said_in(side: Side, data: bytes) -> Iterator[Said]:
    """Return the lines of one side."""
    reader = LineReader()
    reader.receive_data(data)
    while line := reader.next_line():
        yield Said(side, line.data, tuple(_packets(line.data)))


def _packets(line: bytes) -> Iterator[Packet]:
    try:
        yield from read_line(line)
    except PacketError:
        return


def act_of(packet: Packet) -> TransportAct | None:
    """Return the event of a packet that requests or acknowledges a stop or a close."""
    act = _ACTS.get(packet.kind)
    return TransportAct.CLOSE_POOL if act and packet.target is None else act


class Messages:
    """A joiner of the fragments of many streams, each with its own key.

    ``lenient`` continues after a fault that loses only one message.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._streams: dict[Hashable, Defragmenter] = {}

    def of(self, key: Hashable, data: bytes) -> Iterator[bytes]:
        """Return the messages that are complete now."""
        stream = self._streams.setdefault(key, Defragmenter())
        stream.receive_data(data)
        while True:
            try:
                message = stream.next_message()
            except RemoteProtocolError:
                if not self._lenient:
                    raise
                if stream.spoiled:
                    return
                continue
            if message is None:
                return
            yield message
