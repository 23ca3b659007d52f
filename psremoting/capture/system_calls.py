r"""Output of ``strace -f -e read,write -s`` as an out-of-process recording.

Of a ``pwsh -sshs`` process, reads are the client's bytes and writes the server's; of the ssh
process on a client's side, too. The client's own process writes what the client sends: packets
that only a client sends show it. A call may be split over two lines (``<unfinished ...>``), and a
text that strace cut (``"..."...``) is a gap, after which the next whole line counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psremoting.capture.packet_acts import PacketReader, sender_of
from psrp.sansio import LimitExceeded, Side
from sshsub.packets import LineReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source

__all__ = ["looks_like_strace", "read_system_calls"]

_CALL = re.compile(
    r"(?:\[pid +)?(?P<pid>\d+)?\]? *(?P<time>\d{1,12}\.\d{1,12}|\d\d:\d\d:\d\d(?:\.\d+)?)? *"
    r"(?P<call>read|write)\((?P<fd>\d+)(?:<[^\n]*?>)?, "
    r"(?:(?P<text>\"(?:[^\"\\]|\\.)*\")(?P<cut>\.\.\.)?, \d+(?:\) += (?P<size>-?\d{1,12})(?!\d))?)?"
    r"(?P<open> ?<unfinished \.\.\.>)?"
)
_RESUMED = re.compile(
    r"(?:\[pid +)?(?P<pid>\d+)?\]? *(?P<time>\d{1,12}\.\d{1,12}|\d\d:\d\d:\d\d(?:\.\d+)?)? *"
    r"<\.\.\. (?P<call>read|write) resumed> ?"
    r"(?:(?P<text>\"(?:[^\"\\]|\\.)*\")(?P<cut>\.\.\.)?, \d+)?\) += (?P<size>-?\d{1,12})(?!\d)"
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a"}
_PACKET_START = re.compile(rb"<(?:Data|Command|Signal|Close)(?:Ack)?[ \t]")
_MAX_STREAMS = 4096
_DEFAULT = {"read": Side.CLIENT, "write": Side.SERVER}


def looks_like_strace(text: str) -> bool:
    """Return True if one of the first lines is a system call ``read`` or ``write``."""
    return any(
        (found := _CALL.match(line)) is not None and (found["text"] or found["open"])
        for line in text.splitlines()[:200]
    )


@dataclass(slots=True)
class _Stream:
    """The bytes of one descriptor in one direction."""

    side: Side
    cutter: LineReader = field(default_factory=LineReader)
    ours: bool = False
    """True after a packet was seen; bytes before it are not packets."""
    known: bool = False
    torn: bool = False
    """True after bytes that strace did not print, up to the next line end."""


def read_system_calls(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from the calls; yield after each line of packets."""
    streams: dict[tuple[str, str], _Stream] = {}
    unfinished: dict[tuple[str, str], re.Match[str]] = {}
    reader = PacketReader(joiner)
    for row in source.lines():
        text = row.data.decode("latin-1")
        resumed = _RESUMED.match(text)
        if resumed is not None:
            began = unfinished.pop((resumed["pid"] or "", resumed["call"]), None)
            if began is None:
                continue
            call, end = began, resumed
        else:
            found = _CALL.match(text)
            if found is None:
                continue
            if found["open"]:
                unfinished[found["pid"] or "", found["call"]] = found
                continue
            call = end = found
        quoted, cut = (end["text"], end["cut"]) if end["text"] else (call["text"], call["cut"])
        size = int(end["size"] or -1)
        if not quoted or size <= 0:
            continue
        data = _unquoted(quoted)[:size]
        key = call["call"], call["fd"]
        if key not in streams and len(streams) >= _MAX_STREAMS:
            continue
        stream = streams.setdefault(key, _Stream(_DEFAULT[key[0]]))
        place: dict[str, Any] = {"file_offset": row.offset}
        if (time := _seconds(call["time"])) is not None:
            place["time"] = time
        yield from _take(reader, joiner, stream, data, place)
        if (missing := size - len(data)) > 0 and (stream.ours or cut):
            yield from _lose(joiner, stream, missing, place)
    yield


def _take(
    reader: PacketReader, joiner: Joiner, stream: _Stream, data: bytes, place: dict[str, Any]
) -> Iterator[None]:
    if not stream.ours:
        start = _PACKET_START.search(data)
        if start is None:
            return
        data, stream.ours = data[start.start() :], True
    if stream.torn:
        end = data.find(b"\n")
        if end < 0:
            return
        data, stream.torn = data[end + 1 :], False
    try:
        stream.cutter.receive_data(data)
    except LimitExceeded as error:
        joiner.error("limit", str(error), lost=error.size, direction=stream.side)
    while line := stream.cutter.next_line():
        if not stream.known and (side := sender_of(line.data)) is not None:
            stream.side, stream.known = side, True
        reader.line(stream.side, line, place)
        yield


def _lose(joiner: Joiner, stream: _Stream, missing: int, place: dict[str, Any]) -> Iterator[None]:
    """Note bytes that strace did not print, and drop the unfinished line before them."""
    stream.torn = True
    held = stream.cutter.rest()
    lost = len(held.data) if held else 0
    stream.cutter = LineReader()
    text = f"{missing} bytes are missing: strace cut the text (-s is too small)"
    joiner.error("gap", text, lost=lost, direction=stream.side, carrier=place)
    yield


def _unquoted(text: str) -> bytes:
    return _ESCAPE.sub(_escaped, text[1:-1].encode("latin-1"))


def _escaped(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes([int(match[1], 8) & 0xFF])
    if match[2] is not None:
        return bytes([int(match[2], 16)])
    return _NAMED.get(match[3], match[3])


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if ":" not in text:
        return float(text)
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
