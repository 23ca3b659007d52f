"""Small recordings made in memory."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psremoting.capture import Entry, Form, KeyRing
from psremoting.capture.decoding import decode_source
from psremoting.capture.source import Source
from psrp import events as e
from psrp.fragments import split
from psrp.messages import encode
from psrp.sansio import Side, Stream
from sshsub.packets import Packet, PacketKind, write

POOL = UUID("11111111-1111-4111-8111-111111111111")
PIPE = UUID("22222222-2222-4222-8222-222222222222")
OTHER = UUID("33333333-3333-4333-8333-333333333333")


def source(data: bytes | str, name: str = "made") -> Source:
    return Source(name, io.BytesIO(data.encode() if isinstance(data, str) else data))


def entries(
    data: bytes | str, form: Form | None = None, ring: KeyRing | None = None
) -> list[Entry]:
    """Return all decoded items, the summary last."""
    return list(decode_source(source(data), form, ring))


def output(value: Any, pipeline: UUID = PIPE) -> bytes:
    """Return a PIPELINE_OUTPUT message."""
    return encode(e.PipelineOutput(pipeline_id=pipeline, data=value), POOL)


def capability(version: str, sender: Side) -> bytes:
    return encode(e.SessionCapability(protocol_version=version), POOL, sender=sender)


def fragments(object_id: int, message: bytes, size: int = 32768) -> list[bytes]:
    return list(split(object_id, message, size))


def packet(data: bytes, target: UUID | None = PIPE, stream: Stream = Stream.DEFAULT) -> bytes:
    return write(Packet(kind=PacketKind.DATA, target=target, stream=stream, data=data))


def transcript(chunks: Iterable[tuple[str, bytes]]) -> str:
    """Return JSON lines, each with the sender and the bytes of a chunk."""
    rows = []
    for number, (sender, data) in enumerate(chunks):
        text = b64encode(data).decode()
        rows.append(json.dumps({"t": number / 10, "from": sender, "data": text}))
    return "".join(row + "\n" for row in rows)


def types(found: Iterable[Entry]) -> list[str]:
    return [entry.type for entry in found]
