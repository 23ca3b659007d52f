"""HTTP flows that proxies save: mitmproxy's flow files, and Fiddler's archives (SAZ).

A flow file is a sequence of tnetstrings (length, colon, data, type), one dictionary per flow. A SAZ
is a ZIP file with one file per request and response, as they were sent. Both are read here without
the proxies.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psremoting.capture.http_message import HttpMessage, classify_body
from psremoting.capture.network.http_flows import FlowReader
from psremoting.capture.network.tcp import Piece
from psrp.sansio import RemoteProtocolError, Side
from wsman.http import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.source import Source

__all__ = ["is_flow_file", "read_flows", "read_saz"]

_FLOW = re.compile(rb"\d{1,10}:\d{1,4}:[a-z_]{1,40}[;,]")
_MAX_FLOW = 128 << 20
_MAX_DEPTH = 32
_MAX_ITEMS = 100_000
_MAX_BODY = 64 << 20
_MAX_ARCHIVE = 1 << 30
"""Bytes of all files of an archive together."""
_MAX_CUT, _MAX_CUT_MEMBERS, _MAX_PACKED = 256 << 20, 10_000, 1 << 20
"""Bytes and number of the members of a cut archive, and packed bytes of one of them."""
_LOCAL = b"PK\x03\x04"
_HEADER = struct.Struct("<6xHH8xI4xHH")
"""Local header of a ZIP member: flags, method, packed size, sizes of the name and of the rest."""
_ZIP_ERRORS = (
    zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError, struct.error, zlib.error,
    lzma.LZMAError,
)  # fmt: skip
"""Errors of zipfile for damaged members, for those with a password and of unknown methods."""
_MEMBER = re.compile(r"raw/(\d{1,9})_([csm])\.(?:txt|xml)", re.IGNORECASE)
_BEGAN = re.compile(rb'(ClientBeginRequest|ServerBeginResponse)="([0-9T:.+\-Z]{10,40})"')


def is_flow_file(head: bytes) -> bool:
    """Return True if a file begins like a flow file of mitmproxy."""
    return _FLOW.match(head) is not None


# -- mitmproxy


def read_flows(source: Source) -> Iterator[HttpMessage]:
    """Yield the messages of a flow file. Raises CaptureError for a damaged one."""
    data, at, number = _Buffered(source), 0, 0
    connections: dict[str, int] = {}
    while head := data.peek(12):
        size, colon, _ = head.partition(b":")
        if not colon or not size.isdigit() or int(size) > _MAX_FLOW:
            raise source.fail("not a flow: expected its length and a colon", at)
        whole = data.take(len(size) + 1 + int(size) + 1)
        if len(whole) < len(size) + int(size) + 2:
            raise source.fail("the recording ends inside a flow", at)
        try:
            flow = _value(whole, 0, _MAX_DEPTH)[0]
        except (ValueError, UnicodeDecodeError) as error:
            raise source.fail(f"a flow cannot be read: {error}", at) from None
        for message in _messages(flow, number, at, connections):
            number = message.number
            yield message
        at += len(whole)


class _Buffered:
    def __init__(self, source: Source) -> None:
        self._pieces = source.pieces()
        self._held = bytearray()

    def peek(self, size: int) -> bytes:
        while len(self._held) < size and (piece := next(self._pieces, None)):
            self._held += piece
        return bytes(self._held[:size])

    def take(self, size: int) -> bytes:
        data = self.peek(size)
        del self._held[: len(data)]
        return data


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return the value at ``at`` and the offset after it. Raises ValueError."""
    colon = data.find(b":", at, at + 12)
    if colon < 0 or not data[at:colon].isdigit() or not depth:
        raise ValueError(f"expected a length at byte {at}")
    start, end = colon + 1, colon + 1 + int(data[at:colon])
    if end >= len(data):
        raise ValueError(f"a value of byte {at} is cut")
    kind, content = data[end : end + 1], data[start:end]
    if kind == b",":
        return content, end + 1
    if kind == b";":
        return content.decode("utf-8"), end + 1
    if kind == b"#":
        return int(content[:20]), end + 1
    if kind == b"^":
        return float(content[:40]), end + 1
    if kind == b"!":
        return content == b"true", end + 1
    if kind == b"~":
        return None, end + 1
    if kind not in (b"]", b"}"):
        raise ValueError(f"unknown type {kind!r} at byte {end}")
    items: list[Any] = []
    while start < end:
        item, start = _value(data, start, depth - 1)
        items.append(item)
        if len(items) > _MAX_ITEMS:
            raise ValueError(f"more than {_MAX_ITEMS} items in one value")
    if kind == b"]":
        return items, end + 1
    return {str(key): value for key, value in zip(items[::2], items[1::2], strict=True)}, end + 1


def _messages(
    flow: Any, number: int, offset: int, connections: dict[str, int]
) -> Iterator[HttpMessage]:
    if not isinstance(flow, dict) or flow.get("type") != "http":
        return
    client = flow.get("client_conn")
    name = str(client.get("id", "")) if isinstance(client, dict) else ""
    connection = connections.setdefault(name, len(connections) + 1)
    for side, part in ((Side.CLIENT, flow.get("request")), (Side.SERVER, flow.get("response"))):
        if not isinstance(part, dict):
            continue
        number += 1
        headers = tuple(
            (_text(pair[0]), _text(pair[1]))
            for pair in part.get("headers") or ()
            if isinstance(pair, list) and len(pair) == 2
        )
        body, note = _decoded(part.get("content") or b"", headers)
        soap, other = classify_body(body, headers)
        status = part.get("status_code")
        start = f"{_text(part.get('method'))} {_text(part.get('path'))} HTTP/1.1"
        if side is Side.SERVER:
            start = f"HTTP/1.1 {status} {_text(part.get('reason'))}".rstrip()
        time = part.get("timestamp_start")
        yield HttpMessage(
            number=number,
            side=side,
            offset=number,
            file_offset=offset,
            connection=connection,
            time=time if isinstance(time, float) else None,
            start=start,
            status=status if isinstance(status, int) and side is Side.SERVER else None,
            headers=headers,
            soap=soap,
            body=other,
            note=note,
            raw=True,
        )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value or "")


def _decoded(body: Any, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, str]:
    """Return a body without its Content-Encoding, and a note if it cannot be decoded."""
    content = body if isinstance(body, bytes) else str(body).encode()
    encoding = next((v for k, v in headers if k.lower() == "content-encoding"), "")
    if not encoding:
        return content, ""
    try:
        return decoded(content, encoding, _MAX_BODY), ""
    except RemoteProtocolError as error:
        return content, f"the body cannot be decompressed: {error}"


# -- Fiddler


def read_saz(source: Source) -> Iterator[HttpMessage]:
    """Yield the messages of an archive. Raises CaptureError for a damaged one."""
    number = 0
    for session, parts in _sessions(source):
        times = {each[1]: _seconds(each[2]) for each in _BEGAN.finditer(parts.get("m", b""))}
        for side, kind, began in (
            (Side.CLIENT, "c", b"ClientBeginRequest"),
            (Side.SERVER, "s", b"ServerBeginResponse"),
        ):
            for message in _http(side, parts.get(kind, b"")):
                number += 1
                soap, other = classify_body(message.body, message.headers)
                yield HttpMessage(
                    number=number,
                    side=side,
                    offset=session,
                    connection=session,
                    time=times.get(began),
                    start=message.start,
                    status=message.status,
                    headers=message.headers,
                    soap=soap,
                    body=other,
                    note=message.note,
                    raw=True,
                )


def _sessions(source: Source) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield the parts of each session; of a cut archive those that are whole, then raise."""
    data = source.whole()
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _ZIP_ERRORS as error:
        cut: dict[int, dict[str, bytes]] = {}
        for name, content in _whole_members(data):
            if found := _MEMBER.fullmatch(name.replace("\\", "/")):
                cut.setdefault(int(found[1]), {})[found[2].lower()] = content
        yield from sorted(cut.items())
        text = "the archive is cut" if cut else f"not a ZIP file: {error}"
        raise source.fail(text, len(data) if cut else 0) from None
    members: dict[int, dict[str, zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        if found := _MEMBER.fullmatch(info.filename.replace("\\", "/")):
            members.setdefault(int(found[1]), {})[found[2].lower()] = info
    if not members:
        raise source.fail("a ZIP file, but not an archive of Fiddler", 0)
    left = _MAX_ARCHIVE
    for session in sorted(members):
        parts: dict[str, bytes] = {}
        for kind, info in members[session].items():
            parts[kind] = _member(source, archive, info, left)
            left -= len(parts[kind])
        yield session, parts


def _whole_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a ZIP file without its directory, by their local headers."""
    view, left = memoryview(data), _MAX_CUT
    at = data.find(_LOCAL)
    for _ in range(_MAX_CUT_MEMBERS):
        if not 0 <= at <= len(data) - _HEADER.size or left <= 0:
            return
        flags, method, packed, name_size, extra = _HEADER.unpack_from(data, at)
        start = at + _HEADER.size + name_size + extra
        name = data[at + _HEADER.size : at + _HEADER.size + name_size].decode("utf-8", "replace")
        content: bytes | None = None
        if method == zipfile.ZIP_DEFLATED and not flags & 1:
            unpacker = zlib.decompressobj(-15)
            try:
                content = unpacker.decompress(view[start : start + _MAX_PACKED], left)
            except zlib.error:
                content = b""
            left -= len(content)
            content = content if unpacker.eof else None
        elif method == zipfile.ZIP_STORED and not flags & 9 and start + packed <= len(data):
            content = data[start : start + packed]
            left -= packed
        if content is not None:
            yield name, content
        at = data.find(_LOCAL, start)


def _member(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> bytes:
    try:
        with archive.open(info) as file:
            data = file.read(min(_MAX_BODY, left) + 1)
    except _ZIP_ERRORS as error:
        # RuntimeError is a member with a password.
        raise source.fail(f"{info.filename}: {error}", info.header_offset) from None
    if len(data) > min(_MAX_BODY, left):
        raise source.fail(f"{info.filename}: more than {_MAX_BODY} bytes", info.header_offset)
    return data


def _http(side: Side, data: bytes) -> Iterator[Any]:
    reader = FlowReader(side)
    if side is Side.CLIENT:
        # Fiddler writes the whole address into the request line, which h11 takes as it is.
        data = re.sub(rb"\A([A-Z]+) https?://[^/\s]+/", rb"\1 /", data)
    yield from reader.receive(Piece(0.0, 0, data)) if data else ()
    yield from reader.end()


def _seconds(text: bytes) -> float | None:
    # Fiddler writes seven digits of a second; Python reads six.
    shortened = re.sub(rb"(\.\d{6})\d+", rb"\1", text).decode("ascii", "replace")
    try:
        return datetime.fromisoformat(shortened).timestamp()
    except (ValueError, OverflowError):
        return None
