"""Extraction of the TCP segment or UDP datagram from a captured frame.

Ethernet (VLAN tags too), Linux cooked v1 and v2, BSD loopback, raw IP; IPv4 and IPv6 with
fragments. Everything else, damaged headers included, is counted and skipped.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from psremoting.capture.network.capture_files import Packet

__all__ = ["LINK_TYPES", "Datagram", "Layers", "Segment"]

_ETHERNET, _RAW, _LOOP, _NULL, _COOKED, _COOKED_2 = 1, 101, 108, 0, 113, 276
_IPV4, _IPV6 = 228, 229
LINK_TYPES = {
    _NULL: "loopback", _ETHERNET: "Ethernet", 12: "raw IP", 14: "raw IP", _RAW: "raw IP",
    _LOOP: "loopback", _COOKED: "Linux cooked", _COOKED_2: "Linux cooked v2",
    _IPV4: "IPv4", _IPV6: "IPv6",
}  # fmt: skip
_TYPE_IPV4, _TYPE_IPV6 = 0x0800, 0x86DD
_VLAN = (0x8100, 0x88A8, 0x9100)
_TCP, _UDP = 6, 17
_EXTENSIONS = (0, 43, 60, 135)
_FRAGMENT_HEADER = 44
_MAX_FRAGMENTED = 256
"""Maximum number of datagrams whose fragments are held at a time."""
_MAX_DATAGRAM = 1 << 16
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16

_USUAL = struct.Struct(">HxxHxBxx4s4sHHIIBB").unpack_from
"""Fields from the total length of IPv4 to the flags of TCP."""

Address = tuple[bytes, int]


class Segment(NamedTuple):
    """One TCP segment."""

    packet: int
    time: float
    source: Address
    target: Address
    sequence: int
    data: bytes
    missing: int
    """Bytes of the segment that the capture cut off."""
    syn: bool
    fin: bool
    reset: bool
    offset: int
    """Offset of the packet's record in the file."""
    ack: int | None = None
    """Sequence number that the sender expects next; None if the segment acknowledges nothing."""


class Datagram(NamedTuple):
    """One UDP datagram."""

    packet: int
    time: float
    source: Address
    target: Address
    data: bytes


@dataclass(slots=True)
class _Fragments:
    parts: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None
    held: int = 0


class Layers:
    """Parser of packets that keeps the fragments of unfinished IP datagrams."""

    def __init__(self) -> None:
        self._fragments: OrderedDict[tuple[bytes, bytes, int, int], _Fragments] = OrderedDict()
        self.unknown_link_types: set[int] = set()
        self.passed_over = 0
        """Packets without TCP or UDP, or with a damaged header."""

    def unwrap(self, packet: Packet) -> Segment | Datagram | None:
        """Return the transport layer of a packet, or None if it has none that is whole."""
        try:
            found = self._unwrap(packet)
        except (struct.error, IndexError):
            found = None
        if found is None:
            self.passed_over += 1
        return found

    def _unwrap(self, packet: Packet) -> Segment | Datagram | None:
        if packet.link_type == _ETHERNET and packet.data[12:15] == b"\x08\x00\x45":
            found = _usual(packet)
            if found is not None:
                return found
        kind, start = _link(packet.link_type, packet.data)
        if start < 0:
            self.unknown_link_types.add(packet.link_type)
            return None
        missing = max(0, packet.length - len(packet.data))
        if kind == _TYPE_IPV4:
            return self._ipv4(packet, packet.data[start:], missing)
        if kind == _TYPE_IPV6:
            return self._ipv6(packet, packet.data[start:], missing)
        return None

    def _ipv4(self, packet: Packet, data: bytes, missing: int) -> Segment | Datagram | None:
        size = (data[0] & 15) * 4
        total, identity, flags = struct.unpack_from(">HHH", data, 2)
        source, target = data[12:16], data[16:20]
        if data[0] >> 4 != 4 or size < 20 or len(target) < 4:
            return None
        # A length of 0 is the sign of segments that the network card was to cut (offload).
        end = total if total else len(data) + missing
        payload = data[size:end]
        missing = max(0, end - max(len(data), size)) if missing else 0
        if flags & 0x3FFF:
            key = source, target, identity, data[9]
            whole = self._reassemble(key, (flags & 0x1FFF) * 8, bool(flags & 0x2000), payload)
            if whole is None:
                return None
            payload, missing = whole, 0
        return _transport(packet, data[9], source, target, payload, missing)

    def _ipv6(self, packet: Packet, data: bytes, missing: int) -> Segment | Datagram | None:
        length, following = struct.unpack_from(">HB", data, 4)
        source, target = data[8:24], data[24:40]
        if data[0] >> 4 != 6 or len(target) < 16:
            return None
        end = 40 + length if length else len(data) + missing
        payload = data[40:end]
        missing = max(0, end - len(data)) if missing else 0
        for _ in range(8):
            if following in _EXTENSIONS:
                size = payload[1] * 8 + 8
                following, payload = payload[0], payload[size:]
            elif following == _FRAGMENT_HEADER:
                kind, _, offset, identity = struct.unpack_from(">BBHI", payload)
                key = source, target, identity, kind
                whole = self._reassemble(key, offset & 0xFFF8, bool(offset & 1), payload[8:])
                if whole is None:
                    return None
                following, payload, missing = kind, whole, 0
            else:
                break
        return _transport(packet, following, source, target, payload, missing)

    def _reassemble(
        self, key: tuple[bytes, bytes, int, int], offset: int, more: bool, data: bytes
    ) -> bytes | None:
        held = self._fragments.setdefault(key, _Fragments())
        if len(self._fragments) > _MAX_FRAGMENTED:
            self._fragments.popitem(last=False)
        if not more:
            held.size = offset + len(data)
        if offset not in held.parts and offset + len(data) <= _MAX_DATAGRAM:
            held.parts[offset] = data
            held.held += len(data)
        if held.size is None or held.held < held.size:
            return None
        whole = bytearray()
        for start in sorted(held.parts):
            if start > len(whole):
                return None
            whole += held.parts[start][len(whole) - start :]
        self._fragments.pop(key, None)
        return bytes(whole[: held.size])


def _usual(packet: Packet) -> Segment | None:
    """Return the segment of a whole frame of Ethernet, IPv4 without options, and TCP, or None."""
    data, size = packet.data, len(packet.data)
    if size < 54:
        return None
    total, fragment, protocol, source, target, here, there, sequence, ack, words, flags = _USUAL(
        data, 16
    )
    end = 14 + total
    if protocol != _TCP or fragment & 0x3FFF or size != packet.length or not 34 < end <= size:
        return None
    start = 34 + (words >> 4) * 4
    if not 54 <= start <= end:
        return None
    return Segment(
        packet.number, packet.time, (source, here), (target, there), sequence, data[start:end], 0,
        flags & _SYN != 0, flags & _FIN != 0, flags & _RST != 0, packet.offset,
        ack if flags & _ACK else None,
    )  # fmt: skip


def _link(link_type: int, data: bytes) -> tuple[int, int]:
    """Return the EtherType and the offset of the network layer; offset -1 if unknown."""
    if link_type == _ETHERNET:
        return _tagged(data, 12)
    if link_type == _COOKED:
        return _tagged(data, 14)
    if link_type == _COOKED_2:
        return struct.unpack_from(">H", data)[0], 20
    if link_type in (_NULL, _LOOP):
        return _by_version(data, 4)
    if link_type in LINK_TYPES:
        return _by_version(data, 0)
    return 0, -1


def _tagged(data: bytes, at: int) -> tuple[int, int]:
    (kind,) = struct.unpack_from(">H", data, at)
    while kind in _VLAN:
        at += 4
        (kind,) = struct.unpack_from(">H", data, at)
    return kind, at + 2


def _by_version(data: bytes, at: int) -> tuple[int, int]:
    return {4: _TYPE_IPV4, 6: _TYPE_IPV6}.get(data[at] >> 4, 0), at


def _transport(
    packet: Packet, protocol: int, source: bytes, target: bytes, data: bytes, missing: int
) -> Segment | Datagram | None:
    if protocol == _UDP:
        here, there, length = struct.unpack_from(">HHH", data)
        return Datagram(
            packet=packet.number,
            time=packet.time,
            source=(source, here),
            target=(target, there),
            data=data[8 : max(length, 8)],
        )
    if protocol != _TCP:
        return None
    here, there, sequence, ack = struct.unpack_from(">HHII", data)
    start = (data[12] >> 4) * 4
    flags = data[13]
    if not 20 <= start <= len(data):
        return None
    return Segment(
        packet=packet.number,
        time=packet.time,
        source=(source, here),
        target=(target, there),
        sequence=sequence,
        data=data[start:],
        missing=missing,
        syn=bool(flags & _SYN),
        fin=bool(flags & _FIN),
        reset=bool(flags & _RST),
        offset=packet.offset,
        ack=ack if flags & _ACK else None,
    )
