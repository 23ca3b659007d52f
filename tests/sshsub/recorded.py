"""Recorded conversations of real peers, packet by packet in the order they were seen."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from psrp.sansio import Side
from sshsub.packets import LineReader, Packet, PacketError, read_line
from tests.recordings import FIXTURES, SHARED


@dataclass(frozen=True)
class Said:
    """One line: who said it, its bytes, and its packets (none: an error text or a bad line)."""

    side: Side
    line: bytes
    packets: tuple[Packet, ...]


def sessions() -> list[Path]:
    folder = (SHARED or FIXTURES) / "outofproc" / "sessions"
    return sorted(folder.glob("*.jsonl"))


def probes() -> list[Path]:
    return sorted((SHARED / "outofproc" / "probes").glob("*.jsonl")) if SHARED else []


def chunks(path: Path) -> list[tuple[Side, bytes]]:
    records = map(json.loads, path.read_text("utf-8").splitlines())
    return [(Side(record["from"]), base64.b64decode(record["data"])) for record in records]


def conversation(path: Path) -> list[Said]:
    """Lines in the order in which their last byte was seen."""
    readers = {side: LineReader() for side in Side}
    said = []
    for side, data in chunks(path):
        readers[side].receive_data(data)
        while line := readers[side].next_line():
            packets = []
            try:
                packets.extend(read_line(line.data))
            except PacketError:
                packets.clear()
            said.append(Said(side, line.data, tuple(packets)))
    return said
