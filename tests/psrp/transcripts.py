"""Recorded out-of-process conversations as steps: who moved which bytes, or did which act, when."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from psrp.fragments import Defragmenter
from psrp.messages import Header, read_header
from psrp.sansio import Act, Side, Stream

_PACKET = re.compile(
    r"""<(?P<name>\w+)(?: Stream=['"](?P<stream>\w+)['"])? PSGuid=['"](?P<guid>[^'"]+)['"]"""
    r"""(?: ?/>|>(?P<data>[^<]*)</Data>|></\w+>)"""
)
_ACTS = {"Signal": Act.STOP_PIPELINE, "Close": Act.CLOSE_PIPELINE}


@dataclass(frozen=True)
class Step:
    """One packet: bytes, an act, or (``text``) a line that is no packet."""

    side: Side
    target: UUID | None = None
    stream: Stream = Stream.DEFAULT
    data: bytes = b""
    act: Act | None = None
    text: str = ""


def steps(path: Path) -> Iterator[Step]:
    """The packets of a recording in the order in which their lines were complete."""
    rest = {"client": b"", "server": b""}
    for record in path.read_text().splitlines():
        chunk = json.loads(record)
        data = rest[chunk["from"]] + base64.b64decode(chunk["data"])
        *lines, rest[chunk["from"]] = data.split(b"\n")
        for line in lines:
            yield from _line(Side(chunk["from"]), line.decode("utf-8-sig").strip())


def _line(side: Side, line: str) -> Iterator[Step]:
    packets = list(_PACKET.finditer(line))
    if not packets and line:
        yield Step(side, text=line)
    for packet in packets:
        guid = UUID(packet["guid"])
        target = None if guid.int == 0 else guid
        if packet["data"] is not None:
            prompt = (packet["stream"] or "").lower() == "promptresponse"
            stream = Stream.PROMPT_RESPONSE if prompt else Stream.DEFAULT
            yield Step(side, target, stream, base64.b64decode(packet["data"]))
        elif packet["name"] in _ACTS and side is Side.CLIENT:
            act = Act.CLOSE_POOL if target is None else _ACTS[packet["name"]]
            yield Step(side, target, act=act)
        elif packet["name"] in ("SignalAck", "CloseAck"):
            act = Act.CLOSE_POOL if target is None else _ACTS[packet["name"][:-3]]
            yield Step(side, target, act=act)


class Messages:
    """Joins the fragments of many targets."""

    def __init__(self) -> None:
        self._streams: dict[tuple[UUID | None, Stream], Defragmenter] = {}

    def of(self, step: Step) -> Iterator[tuple[Header, bytes]]:
        key = (step.target, step.stream)
        defragmenter = self._streams.setdefault(key, Defragmenter())
        defragmenter.receive_data(step.data)
        while (message := defragmenter.next_message()) is not None:
            yield read_header(message), message
