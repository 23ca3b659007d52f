"""Whole messages out of recordings, whatever carried them: (file, who sent it, message)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

from psrp.fragments import Defragmenter
from psrp.sansio import RemoteProtocolError, Side
from tests.recordings import FIXTURES, SHARED

PROBES = FIXTURES / "outofproc" / "probes"

_PACKET = re.compile(
    rb"""<Data Stream=['"](\w*)['"] PSGuid=['"]([^'"]*)['"] *>([A-Za-z0-9+/=]*)</Data>"""
)
_PIECE = re.compile(
    r"<(?:\w+:)?(creationXml|Arguments|Stream|connectXml|connectResponseXml)\b([^>]*)>([^<]+)<"
)
_COMMAND = re.compile(r'CommandId="([^"]*)"')


class Recorded(NamedTuple):
    """One message as it was sent."""

    file: str
    sender: Side
    message: bytes


def spoken(path: Path) -> dict[Side, bytes]:
    """Everything that each side of an out-of-process recording said."""
    said = {Side.CLIENT: b"", Side.SERVER: b""}
    for line in path.read_text().splitlines():
        chunk = json.loads(line)
        said[Side(chunk["from"])] += base64.b64decode(chunk["data"])
    return said


def packets(path: Path, sender: Side) -> Iterator[tuple[tuple[bytes, bytes], bytes]]:
    """The (stream, target) and the bytes of each Data packet that one side sent."""
    for packet in _PACKET.finditer(spoken(path)[sender]):
        try:
            yield (packet[1].lower(), packet[2]), base64.b64decode(packet[3], validate=True)
        except ValueError:
            continue


def drain(defragmenter: Defragmenter) -> Iterator[bytes]:
    """What is there, past everything that costs one object only."""
    while True:
        try:
            message = defragmenter.next_message()
        except RemoteProtocolError:
            if defragmenter.spoiled:
                return
            continue
        if message is None:
            return
        yield message


def out_of_process(path: Path) -> Iterator[Recorded]:
    for sender in Side:
        streams: dict[tuple[bytes, bytes], Defragmenter] = {}
        for key, data in packets(path, sender):
            stream = streams.setdefault(key, Defragmenter())
            stream.receive_data(data)
            for message in drain(stream):
                yield Recorded(path.name, sender, message)


def wsman(path: Path) -> Iterator[Recorded]:
    streams: dict[tuple[Side, str, bool], Defragmenter] = {}
    exchanges = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["messages"]
    for exchange in exchanges:
        for sender, text in ((Side.CLIENT, "request"), (Side.SERVER, "response")):
            for piece in _PIECE.finditer(str(exchange.get(text))):
                command = _COMMAND.search(piece[2])
                key = (sender, command[1] if command else "", '"pr"' in piece[2])
                stream = streams.setdefault(key, Defragmenter())
                stream.receive_data(base64.b64decode(piece[3]))
                for message in drain(stream):
                    yield Recorded(path.name, sender, message)


@lru_cache(maxsize=1)
def everything() -> tuple[Recorded, ...]:
    """All messages of all recordings that are here."""
    root = SHARED or FIXTURES
    found = [
        recorded
        for path in sorted((root / "outofproc").glob("*/*.jsonl"))
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
    """The names of the recordings in which a real client spoke to a real server."""
    root = SHARED or FIXTURES
    return frozenset(path.name for path in (root / "outofproc" / "sessions").glob("*.jsonl"))
