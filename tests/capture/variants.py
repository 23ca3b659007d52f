"""The packets of recorded captures in other forms: networks, sizes of segments, orders, losses."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psremoting.capture.network.capture_files import read_packets
from psremoting.capture.source import Source
from tests.capture.wire import ETHERNET, Frame, block

LIMIT = 1 << 18
"""Snapshot length of the files: more than the largest frame."""


@cache
def frames(path: Path) -> tuple[Frame, ...]:
    """Return the Ethernet frames of a capture."""
    source = Source.open(path)
    try:
        return tuple(Frame(packet.time, packet.data) for packet in read_packets(source))
    finally:
        source.close()


# -- files


def pcap_file(
    made: Iterable[Frame], order: str = "<", *, nanoseconds: bool = False, snap: int = LIMIT
) -> bytes:
    """Return a pcap; ``snap`` cuts the frames."""
    magic, units = (0xA1B23C4D, 10**9) if nanoseconds else (0xA1B2C3D4, 10**6)
    data = bytearray(struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snap, ETHERNET))
    for frame in made:
        seconds, part = divmod(round(frame.time * units), units)
        held = frame.data[:snap]
        data += struct.pack(f"{order}IIII", seconds, part, len(held), len(frame.data)) + held
    return bytes(data)


def simple_pcapng(made: Iterable[Frame], order: str = "<") -> bytes:
    """Return a pcapng of simple packet blocks, which have no times."""
    data = bytearray(block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order))
    data += block(1, struct.pack(f"{order}HHI", ETHERNET, 0, LIMIT), order)
    for frame in made:
        data += block(3, struct.pack(f"{order}I", len(frame.data)) + frame.data, order)
    return bytes(data)


# -- frames


@dataclass(frozen=True)
class _Parts:
    """An IPv4 frame in parts; ``size`` is that of the TCP header."""

    header: bytes
    payload: bytes
    protocol: int

    @classmethod
    def of(cls, frame: Frame) -> _Parts:
        size = (frame.data[14] & 15) * 4
        (total,) = struct.unpack_from(">H", frame.data, 16)
        end = 14 + total if total else len(frame.data)
        return cls(frame.data[14 : 14 + size], frame.data[14 + size : end], frame.data[23])


def _is_ipv4(frame: Frame) -> bool:
    return frame.data[12:14] == b"\x08\0"


def tagged(made: Iterable[Frame], *tags: int) -> list[Frame]:
    """Add VLAN tags of these types."""
    inner = b"".join(struct.pack(">HH", tag, 10 + at) for at, tag in enumerate(tags))
    return [Frame(f.time, f.data[:12] + inner + f.data[12:]) for f in made]


def in_ipv6(made: Iterable[Frame]) -> list[Frame]:
    """Put the payloads into IPv6; one too large for its length has the length 0."""
    changed = []
    for frame in made:
        if not _is_ipv4(frame):
            changed.append(frame)
            continue
        parts = _Parts.of(frame)
        size = len(parts.payload) if len(parts.payload) < 1 << 16 else 0
        head = struct.pack(">IHBB", 6 << 28, size, parts.protocol, 64)
        ends = [bytes.fromhex("20010db8") + bytes(8) + parts.header[at : at + 4] for at in (12, 16)]
        data = frame.data[:12] + b"\x86\xdd" + head + b"".join(ends) + parts.payload
        changed.append(Frame(frame.time, data))
    return changed


def in_fragments(made: Iterable[Frame], size: int = 200, *, backwards: bool = False) -> list[Frame]:
    """Cut the IP payloads into fragments of ``size`` bytes."""
    changed = []
    for number, frame in enumerate(made):
        parts = _Parts.of(frame)
        cut = []
        for start in range(0, len(parts.payload), size):
            piece = parts.payload[start : start + size]
            more = 0x2000 if start + size < len(parts.payload) else 0
            head = bytearray(parts.header)
            struct.pack_into(
                ">HHH", head, 2, len(head) + len(piece), number % 65536, more | start // 8
            )
            cut.append(Frame(frame.time, frame.data[:14] + bytes(head) + piece))
        changed += reversed(cut) if backwards else cut
    return changed


def in_super_segments(made: Iterable[Frame]) -> list[Frame]:
    """Join the segments of a side that follow each other, as offloading does."""
    joined: list[tuple[Frame, tuple[bytes, int] | None]] = []
    for frame in made:
        parts = _Parts.of(frame)
        sequence = struct.unpack_from(">I", parts.payload, 4)[0]
        data = parts.payload[(parts.payload[12] >> 4) * 4 :]
        key = parts.header[12:20] + parts.payload[:4]
        following = (key, (sequence + len(data)) % 2**32) if data else None
        last, expected = joined[-1] if joined else (frame, None)
        if data and not parts.payload[13] & 7 and expected == (key, sequence):
            joined[-1] = Frame(last.time, last.data + data), following
        else:
            whole = frame.data[:14] + parts.header + parts.payload
            joined.append((Frame(frame.time, whole), following))
    changed = []
    for frame, _ in joined:
        size = len(frame.data) - 14
        total = struct.pack(">H", size if size < 1 << 16 else 0)
        changed.append(Frame(frame.time, frame.data[:16] + total + frame.data[18:]))
    return changed


def out_of_order(made: Iterable[Frame], distance: float, seed: int = 1) -> list[Frame]:
    """Move each frame by up to ``distance`` places."""
    chance = random.Random(seed)
    places = [(at + chance.random() * distance, at, f) for at, f in enumerate(made)]
    return [frame for _, _, frame in sorted(places)]


FORMS: dict[str, Callable[[tuple[Frame, ...]], bytes]] = {
    "big-endian": lambda made: pcap_file(made, ">"),
    "nanoseconds": lambda made: pcap_file(made, nanoseconds=True),
    "simple blocks": simple_pcapng,
    "VLAN": lambda made: pcap_file(tagged(made, 0x8100)),
    "two VLAN tags": lambda made: pcap_file(tagged(made, 0x88A8, 0x8100)),
    "IPv6": lambda made: pcap_file(in_ipv6(made)),
    "IPv6 in VLAN": lambda made: pcap_file(tagged(in_ipv6(made), 0x9100, 0x8100)),
    "fragments": lambda made: pcap_file(in_fragments(made)),
    "fragments backwards": lambda made: pcap_file(in_fragments(made, backwards=True)),
    "super-segments": lambda made: pcap_file(in_super_segments(made)),
    "super-segments in IPv6": lambda made: pcap_file(in_ipv6(in_super_segments(made))),
    "doubled": lambda made: pcap_file(frame for each in made for frame in (each, each)),
    "repeated": lambda made: pcap_file((*made, *made)),
}
