"""Packets of capture files: pcap and pcapng, either of them also compressed with gzip.

[draft-ietf-opsawg-pcap], [draft-ietf-opsawg-pcapng]
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from psremoting.capture.source import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psremoting.capture.source import Source

__all__ = ["MAX_PACKET", "Packet", "is_packet_file", "read_packets"]

PCAPNG = b"\x0a\x0d\x0d\x0a"
GZIP = b"\x1f\x8b"
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
"""Magic number to byte order and units of a second."""
PACKET_FILES = (PCAPNG, *_PCAP)
MAX_PACKET = 16 << 20
"""Bytes of one packet or block; offloaded packets of real captures have up to 64 KiB."""
_MAX_INTERFACES = 4096
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_SECRETS = 0x0A
_TLS_KEY_LOG = 0x544C534B
_OPTION_RESOLUTION = 9
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_PIECE = 64 << 10
_RESYNC = 1 << 20
"""Bytes in which the next whole block is searched after damage."""


def is_packet_file(head: bytes) -> bool:
    """Return True if a file begins like a capture, compressed or not."""
    if head[:2] == GZIP:
        try:
            head = zlib.decompressobj(31).decompress(head, 16)
        except zlib.error:
            return False
    return head.startswith(PACKET_FILES)


class Packet(NamedTuple):
    """One captured frame."""

    number: int
    """1-based, as other tools count."""
    time: float
    """Seconds since 1970, or 0.0 if the file does not record it."""
    link_type: int
    """LINKTYPE value of the interface."""
    data: bytes
    length: int
    """Bytes on the wire; more than ``data`` holds if the capture cut the packet."""
    offset: int = -1
    """Offset of its record in the file, uncompressed."""


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    units: int
    """Time stamps per second."""
    snap_length: int


class _Bytes:
    """Reader of exact sizes from a source, with gzip decompression."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces = source.pieces()
        self._held = b""
        self._at = 0
        self._compressed = source.head[:2] == GZIP
        self._inflate = zlib.decompressobj(31)
        self._packed = b""
        """Compressed bytes that were read and not yet inflated."""
        self.position = 0
        """Offset in the uncompressed file."""
        self._ended = False

    @property
    def cut(self) -> bool:
        """True if the compressed file ended before its end mark."""
        return self._ended and self._compressed and not self._inflate.eof

    def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes, or fewer at the end, without taking them."""
        if len(self._held) - self._at < size:
            self._fill(size)
        return self._held[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Return ``size`` bytes, or fewer at the end."""
        data = self.peek(size)
        self._at += len(data)
        self.position += len(data)
        return data

    def find_block(self, order: str) -> int | None:
        """Return the distance of the next whole packet block within a window, or None.

        A block is whole if its two lengths agree.
        """
        held = self.peek(_RESYNC)
        head = struct.Struct(f"{order}II")
        marks = {head.pack(kind, 0)[:4] for kind in (_PACKET, _SECTION)}
        for at in sorted(_occurrences(held, marks)):
            if at + 12 > len(held):
                break
            length = head.unpack_from(held, at)[1]
            if not 28 <= length <= _RESYNC // 2 or length % 4:
                continue
            if len(held) < at + length:
                held = self.peek(at + length)
            if held[at + length - 4 : at + length] == held[at + 4 : at + 8]:
                return at
        return None

    def _fill(self, size: int) -> None:
        """Read until ``size`` bytes are held, or to the end."""
        parts = [self._held[self._at :]]
        count = len(parts[0])
        while count < size and not self._ended:
            parts.append(self._more())
            count += len(parts[-1])
        self._held, self._at = b"".join(parts), 0

    def _more(self) -> bytes:
        """Return the next piece; of a compressed file one of bounded size, maybe an empty one."""
        if not self._compressed:
            piece = next(self._pieces, None)
            self._ended = piece is None
            return piece or b""
        if not self._packed:
            self._packed = next(self._pieces, b"")
            if not self._packed:
                self._ended = True
                return b""
        if self._inflate.eof:
            self._inflate = zlib.decompressobj(31)
        try:
            data = self._inflate.decompress(self._packed, _PIECE)
        except zlib.error as error:
            raise self._source.fail(f"not gzip: {error}", self.position) from None
        self._packed = self._inflate.unused_data or self._inflate.unconsumed_tail
        return data


def read_packets(
    source: Source, key_log: Callable[[bytes], object] | None = None
) -> Iterator[Packet]:
    """Yield the packets of a capture file. Raises CaptureError for a damaged file.

    ``key_log`` receives the TLS key logs that a pcapng file embeds.
    """
    data = _Bytes(source)
    magic = data.peek(4)
    if magic == PCAPNG:
        yield from _read_pcapng(source, data, key_log)
    elif magic in _PCAP:
        data.take(4)
        yield from _read_pcap(source, data, *_PCAP[magic])
    else:
        raise source.fail("not a packet capture: unknown magic number", 0)
    if data.cut:
        raise source.fail("the compressed capture is cut", data.position)


def _read_pcap(source: Source, data: _Bytes, order: str, units: int) -> Iterator[Packet]:
    header = data.take(20)
    if len(header) < 20:
        raise source.fail("the file header is cut", data.position)
    link_type = struct.unpack(f"{order}HHiIII", header)[5] & 0xFFFF
    record = struct.Struct(f"{order}IIII")
    number = 0
    while head := data.take(16):
        at = data.position - len(head)
        if len(head) < 16:
            raise source.fail("the capture ends inside a packet header", at)
        seconds, fraction, held, length = record.unpack(head)
        if held > MAX_PACKET:
            raise source.fail(f"a packet of {held} bytes: more than {MAX_PACKET}", at)
        packet = data.take(held)
        if len(packet) < held:
            raise source.fail("the capture ends inside a packet", at)
        number += 1
        yield Packet(
            number=number,
            time=seconds + fraction / units,
            link_type=link_type,
            data=packet,
            length=length,
            offset=at,
        )


def _read_pcapng(
    source: Source, data: _Bytes, key_log: Callable[[bytes], object] | None
) -> Iterator[Packet]:
    """Read blocks: type u32, length u32, body, length again.

    After damage, reading continues at the next complete packet block; the first damage is raised at
    the end.
    """
    order = "<"
    interfaces: list[_Interface] = []
    number = 0
    damage: CaptureError | None = None
    while head := data.peek(12):
        at = data.position
        try:
            if head[:4] == PCAPNG:
                order = _BYTE_ORDERS.get(head[8:12], "")
                if not order:
                    order = "<"
                    raise source.fail("not a pcapng section: unknown byte-order magic", at)
                interfaces = []
            kind, body = _block(source, data, order, head)
            if kind == _INTERFACE:
                if len(interfaces) >= _MAX_INTERFACES:
                    raise source.fail(f"more than {_MAX_INTERFACES} interfaces", at)
                interfaces.append(_interface(source, order, body, at))
            elif kind == _SECRETS and key_log is not None and len(body) >= 8:
                secret, size = struct.unpack_from(f"{order}II", body)
                if secret == _TLS_KEY_LOG:
                    key_log(body[8 : 8 + size])
            elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                number += 1
                yield _packet(source, order, kind, body, interfaces, number, at)
        except CaptureError as error:
            damage = damage or error
            if data.position != at:
                continue
            data.take(4)
            distance = data.find_block(order)
            if distance is None:
                break
            torn = head[:4] + data.take(distance)
            if (packet := _torn_packet(order, torn, interfaces, number + 1)) is not None:
                number += 1
                yield packet
    if damage is not None:
        raise damage


def _torn_packet(
    order: str, block: bytes, interfaces: list[_Interface], number: int
) -> Packet | None:
    """Return what is left of a packet whose block was overwritten after its beginning."""
    if len(block) < 32:
        return None
    kind, _, interface, high, low, held, length = struct.unpack_from(f"{order}7I", block)
    if kind != _PACKET or interface >= len(interfaces) or not 0 < held <= length <= MAX_PACKET:
        return None
    found = interfaces[interface]
    return Packet(
        number=number,
        time=(high << 32 | low) / found.units,
        link_type=found.link_type,
        data=block[28 : 28 + held],
        length=length,
    )


def _occurrences(data: bytes, marks: set[bytes]) -> Iterator[int]:
    for mark in marks:
        at = data.find(mark)
        while at >= 0:
            yield at
            at = data.find(mark, at + 1)


def _block(source: Source, data: _Bytes, order: str, head: bytes) -> tuple[int, bytes]:
    """Take one block; return its type and body. Nothing is taken if its lengths disagree."""
    at = data.position
    if len(head) < 12:
        raise source.fail("the capture ends inside a block header", at)
    kind, length = struct.unpack_from(f"{order}II", head)
    if length < 12 or length % 4 or length > MAX_PACKET:
        raise source.fail(f"a block of {length} bytes", at)
    block = data.peek(length)
    if len(block) < length:
        raise source.fail("the capture ends inside a block", at)
    if block[-4:] != block[4:8]:
        raise source.fail("the two lengths of a block disagree", at)
    data.take(length)
    return kind, block[8:-4]


def _interface(source: Source, order: str, body: bytes, at: int) -> _Interface:
    if len(body) < 8:
        raise source.fail("an interface block of less than 8 bytes", at)
    link_type, _, snap_length = struct.unpack_from(f"{order}HHI", body)
    units = 10**6
    position = 8
    while position + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, position)
        if not code:
            break
        if code == _OPTION_RESOLUTION and size >= 1 and position + 4 < len(body):
            exponent = body[position + 4]
            units = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10 ** (exponent & 0x7F)
        position += 4 + (size + 3 & ~3)
    return _Interface(link_type, units, snap_length)


def _packet(
    source: Source,
    order: str,
    kind: int,
    body: bytes,
    interfaces: list[_Interface],
    number: int,
    at: int,
) -> Packet:
    time = 0
    try:
        if kind == _SIMPLE_PACKET:
            interface, start = 0, 4
            (length,) = struct.unpack_from(f"{order}I", body)
            held = min(length, interfaces[0].snap_length or length)
        elif kind == _PACKET:
            interface, high, low, held, length = struct.unpack_from(f"{order}IIIII", body)
            time, start = high << 32 | low, 20
        else:
            interface, _, high, low, held, length = struct.unpack_from(f"{order}HHIIII", body)
            time, start = high << 32 | low, 20
        found = interfaces[interface]
    except (struct.error, IndexError):
        raise source.fail("a packet block is too short, or its interface is unknown", at) from None
    if start + held > len(body):
        raise source.fail(f"a packet of {held} bytes in a block of {len(body)}", at)
    return Packet(
        number=number,
        time=time / found.units,
        link_type=found.link_type,
        data=body[start : start + held],
        length=length,
        offset=at,
    )
