"""Complete messages of all recordings, for any carrier: (file, sender, message)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

from psrp.sansio import Side
from sshsub.packets import PacketKind
from tests.conversations import Messages, conversation, recordings
from tests.recordings import FIXTURES, SHARED

PROBES = FIXTURES / "outofproc" / "probes"

_PIECE = re.compile(
    r"<(?:\w+:)?(creationXml|Arguments|Stream|connectXml|connectResponseXml)\b([^>]*)>([^<]+)<"
)
_COMMAND = re.compile(r'CommandId="([^"]*)"')


class Recorded(NamedTuple):
    """A message as it was sent."""

    file: str
    sender: Side
    message: bytes


def out_of_process(path: Path) -> Iterator[Recorded]:
    messages = Messages(lenient=True)
    for said in conversation(path):
        for packet in said.packets:
            if packet.kind is PacketKind.DATA:
                key = (said.side, packet.target, packet.stream)
                for message in messages.of(key, packet.data):
                    yield Recorded(path.name, said.side, message)


def wsman(path: Path) -> Iterator[Recorded]:
    messages = Messages(lenient=True)
    exchanges = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["messages"]
    for exchange in exchanges:
        for sender, text in ((Side.CLIENT, "request"), (Side.SERVER, "response")):
            for piece in _PIECE.finditer(str(exchange.get(text))):
                command = _COMMAND.search(piece[2])
                key = (sender, command[1] if command else "", '"pr"' in piece[2])
                for message in messages.of(key, base64.b64decode(piece[3])):
                    yield Recorded(path.name, sender, message)


@lru_cache(maxsize=1)
def everything() -> tuple[Recorded, ...]:
    """Return all messages of all available recordings."""
    found = [
        recorded
        for path in recordings("probes") + recordings("sessions")
        for recorded in out_of_process(path)
    ]
    folder = FIXTURES / "wsman" if SHARED is None else SHARED / "wsman-recordings"
    for path in sorted(folder.glob("test_*.yml")):
        if path.name.startswith(("test_psrp", "test_client")):
            found += wsman(path)
    return tuple(found)


def probe(name: str) -> Path:
    return PROBES / f"{name}.jsonl"


def sessions() -> frozenset[str]:
    """Return the names of the recordings of a real client with a real server."""
    return frozenset(path.name for path in recordings("sessions"))
