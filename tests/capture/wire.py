"""Packet captures made for tests: TCP segments of a conversation in pcap and pcapng form."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

CLIENT, SERVER = (b"\x0a\0\0\x01", 50001), (b"\x0a\0\0\x02", 5985)
ISN = {CLIENT: 0xFFFF_FF00, SERVER: 1000}
"""Initial sequence numbers; the client's wraps after 255 bytes."""
ETHERNET, RAW = 1, 101


@dataclass(frozen=True)
class Frame:
    time: float
    data: bytes


def segment(
    source: tuple[bytes, int], target: tuple[bytes, int], sequence: int, data: bytes, flags: int,
    ack: int = 0,
) -> bytes:  # fmt: skip
    tcp = struct.pack(
        ">HHIIBBHHH", source[1], target[1], sequence % 2**32, ack % 2**32, 5 << 4, flags, 65535,
        0, 0,
    )  # fmt: skip
    total = 20 + len(tcp) + len(data)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, 6, 0, source[0], target[0])
    return ip + tcp + data


def conversation(turns: Iterable[tuple[bool, bytes]], size: int = 100) -> list[Frame]:
    """Return the segments of a connection; a turn is (from the client, bytes)."""
    return conversations(((1, *turn) for turn in turns), size)


def conversations(
    turns: Iterable[tuple[int, bool, bytes]], size: int = 1400, port: int = SERVER[1]
) -> list[Frame]:
    """Return the segments of several connections; a turn is (number, from the client, bytes)."""
    frames: list[bytes] = []
    server = SERVER[0], port
    at: dict[tuple[int, bool], int] = {}

    def ends(number: int, from_client: bool) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
        client = CLIENT[0], CLIENT[1] + number - 1
        return (client, server) if from_client else (server, client)

    for number, from_client, data in turns:
        if (number, True) not in at:
            for side in (True, False):
                at[number, side] = ISN[CLIENT if side else SERVER]
                frames.append(segment(*ends(number, side), at[number, side], b"", 2))
                at[number, side] += 1
        for start in range(0, len(data), size):
            part = data[start : start + size]
            sequence = at[number, from_client]
            ack = at[number, not from_client]
            frames.append(segment(*ends(number, from_client), sequence, part, 0x18, ack))
            at[number, from_client] += len(part)
    for (number, side), sequence in at.items():
        frames.append(segment(*ends(number, side), sequence, b"", 0x11, at[number, not side]))
    return [Frame(1_700_000_000 + index / 1000, data) for index, data in enumerate(frames)]


def pcap(frames: Iterable[Frame], order: str = "<", link_type: int = RAW) -> bytes:
    made = bytearray(struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type))
    for frame in frames:
        seconds, fraction = divmod(round(frame.time * 10**6), 10**6)
        made += struct.pack(f"{order}IIII", seconds, fraction, len(frame.data), len(frame.data))
        made += frame.data
    return bytes(made)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def pcapng(
    frames: Iterable[Frame], order: str = "<", link_type: int = RAW, key_log: bytes = b""
) -> bytes:
    section = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
    nanoseconds = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)
    made = bytearray(block(0x0A0D0D0A, section, order))
    made += block(1, struct.pack(f"{order}HHI", link_type, 0, 0) + nanoseconds, order)
    if key_log:
        made += block(10, struct.pack(f"{order}II", 0x544C534B, len(key_log)) + key_log, order)
    for frame in frames:
        time = round(frame.time * 10**9)
        head = struct.pack(
            f"{order}IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame.data), len(frame.data)
        )
        made += block(6, head + frame.data, order)
    return bytes(made)
