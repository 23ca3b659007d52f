"""The stream compression ``xpress`` of WS-Man shells.

The data of a Stream is a sequence of blocks: u16 plain length - 1, u16 stored length - 1 (both
little-endian), and the stored bytes. If both are equal the block is stored uncompressed; else it
is LZ77+Huffman with a table of its own. A block holds at most 64 KiB. creationXml and Arguments
are never compressed. [MS-WSMV] 3.1.4.1.31.6, [MS-XCA] 2.1 and 2.2
"""

from __future__ import annotations

import struct
import zlib

from psrp.sansio import LimitExceeded, RemoteProtocolError
from wsman.huffman import SYMBOLS, code_lengths, codes, decoding_table

__all__ = ["XpressError", "compress", "decompress"]

BLOCK = 1 << 16
MAX_PLAIN = 16 << 20
_SMALLEST = 266
"""Windows stores shorter data uncompressed: the table alone takes 256 bytes."""
_TABLE = 256
_FIRST_MATCH = 256
_MIN_MATCH = 4
_WORTHWHILE = 0.9
_INDEXED = 24
"""Bytes of a match in which later matches may begin; more costs time and gains little."""
_HEADER = struct.Struct("<HH")
_WORD = struct.Struct("<H")
_LONG = struct.Struct("<I")


class XpressError(RemoteProtocolError):
    """Compressed data that cannot be read. ``offset`` is the byte of the fault."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(f"{text} (compressed data, byte {offset})")
        self.offset = offset


def decompress(data: bytes, *, max_size: int = MAX_PLAIN) -> bytes:
    """Return the plain bytes of a Stream.

    Raises XpressError for data that is not a sequence of blocks, and LimitExceeded before more than
    ``max_size`` bytes are unpacked.
    """
    blocks = []
    at = total = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise XpressError(f"expected a block header of 4 bytes, got {len(data) - at}", at)
        plain, stored = (length + 1 for length in _HEADER.unpack_from(data, at))
        at += _HEADER.size
        total += plain
        if total > max_size:
            raise LimitExceeded("decompressed stream", total, max_size)
        if len(data) - at < stored:
            raise XpressError(f"expected a block of {stored} bytes, got {len(data) - at}", at)
        if stored > plain:
            raise XpressError(f"a block of {plain} bytes takes {stored}", at)
        blocks.append((at, plain, stored))
        at += stored
    return b"".join(
        data[at : at + stored] if plain == stored else _unpack(data, at, stored, plain)
        for at, plain, stored in blocks
    )


def _unpack(data: bytes, start: int, stored: int, plain: int) -> bytes:
    """Decode one LZ77+Huffman block. The bit stream is read in words of 16 bits."""
    end = start + stored
    at = start + _TABLE
    if stored < _TABLE + 4:
        raise XpressError("expected a code table of 256 bytes and two words", start)
    table = decoding_table(_lengths(data[start:at]))
    if table is None:
        raise XpressError("the code table is not a complete prefix code", start)
    # Zeros after the end replace words that the encoder may omit.
    padded = data[at:end] + b"\0\0\0\0"
    last = len(padded) - 1
    bits = int.from_bytes(padded[0:2], "little") << 16 | int.from_bytes(padded[2:4], "little")
    at, spare = 4, 16
    out = bytearray()
    while len(out) < plain:
        entry = table[bits >> 17]
        length = entry & 15
        symbol = entry >> 4
        bits = bits << length & 0xFFFFFFFF
        spare -= length
        if spare < 0:
            if at >= last:
                raise XpressError("the block ends inside its bit stream", end)
            bits |= (padded[at] | padded[at + 1] << 8) << -spare
            at += 2
            spare += 16
        if symbol < _FIRST_MATCH:
            out.append(symbol)
            continue
        length = symbol & 15
        if length == 15:
            length, at = _long_length(padded, at, start)
        length += 3
        width = symbol - _FIRST_MATCH >> 4
        offset = 1 << width
        if width:
            offset += bits >> (32 - width)
            bits = bits << width & 0xFFFFFFFF
            spare -= width
            if spare < 0:
                if at >= last:
                    raise XpressError("the block ends inside its bit stream", end)
                bits |= (padded[at] | padded[at + 1] << 8) << -spare
                at += 2
                spare += 16
        _copy(out, offset, length, plain, start)
    return bytes(out)


def _lengths(packed: bytes) -> bytes:
    """Unpack 512 code lengths of 4 bits; the low half of a byte comes first."""
    lengths = bytearray(SYMBOLS)
    lengths[0::2] = bytes(byte & 15 for byte in packed)
    lengths[1::2] = bytes(byte >> 4 for byte in packed)
    return bytes(lengths)


def _long_length(data: bytes, at: int, start: int) -> tuple[int, int]:
    """Read a length of 15 and more: a byte, a word or a double word. Returns (length, next)."""
    try:
        length, at = data[at], at + 1
        if length < 255:
            return length + 15, at
        (length,) = _WORD.unpack_from(data, at)
        at += 2
        if not length:
            (length,) = _LONG.unpack_from(data, at)
            at += 4
    except (IndexError, struct.error):
        raise XpressError("the block ends inside a match length", start) from None
    if length < 15:
        raise XpressError(f"a match length of {length} is written in the long form", start)
    return length, at


def _copy(out: bytearray, offset: int, length: int, plain: int, start: int) -> None:
    if offset > len(out):
        text = f"a match reaches back {offset} bytes where {len(out)} were written"
        raise XpressError(text, start)
    if len(out) + length > plain:
        raise XpressError(f"a match of {length} bytes ends outside the block of {plain}", start)
    if offset >= length:
        begin = len(out) - offset
        out += out[begin : begin + length]
    else:
        pattern = bytes(out[-offset:])
        out += (pattern * (length // offset + 1))[:length]


# -- packing


def compress(data: bytes, *, pack: bool = True) -> bytes:
    """Return the blocks of a Stream. A block that does not get smaller is stored.

    Without ``pack`` all blocks are stored, which every server reads.
    """
    parts: list[bytes] = []
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK]
        packed = _pack(block) if pack and _pays(block) else block
        stored = packed if len(packed) < len(block) else block
        parts += (_HEADER.pack(len(block) - 1, len(stored) - 1), stored)
    return b"".join(parts)


def _pays(block: bytes) -> bool:
    """Return whether packing is worthwhile, estimated with the standard library's compressor."""
    if len(block) < _SMALLEST:
        return False
    return len(zlib.compress(block, 1)) + _TABLE < len(block) * _WORTHWHILE


def _pack(block: bytes) -> bytes:
    tokens = _matches(block)
    counts = [0] * SYMBOLS
    for symbol, _, _ in tokens:
        counts[symbol] += 1
    lengths = code_lengths(counts)
    table = bytes(low | high << 4 for low, high in zip(lengths[0::2], lengths[1::2], strict=True))
    return table + _write(tokens, lengths, codes(lengths))


def _matches(block: bytes) -> list[tuple[int, int, int]]:
    """Cut a block into (symbol, long length or 0, offset bits); ends with symbol 256.

    Greedy, with one candidate for each four bytes: fast, and enough for CLIXML.
    """
    tokens: list[tuple[int, int, int]] = []
    seen: dict[bytes, int] = {}
    at, size = 0, len(block)
    while at < size:
        key = block[at : at + _MIN_MATCH]
        found = seen.get(key)
        seen[key] = at
        if found is None or len(key) < _MIN_MATCH:
            tokens.append((block[at], 0, 0))
            at += 1
            continue
        length = _match_length(block, found, at, size)
        offset = at - found
        width = offset.bit_length() - 1
        short = min(length - 3, 15)
        long = length if short == 15 else 0
        tokens.append((_FIRST_MATCH + (width << 4) + short, long, offset - (1 << width)))
        for each in range(at + 1, at + min(length, _INDEXED), 2):
            seen[block[each : each + _MIN_MATCH]] = each
        at += length
    tokens.append((_FIRST_MATCH, 0, 0))
    return tokens


def _match_length(block: bytes, found: int, at: int, size: int) -> int:
    """Return how many bytes at ``at`` equal those at ``found``; the first four are known to."""
    length, step = _MIN_MATCH, 8
    while True:
        ours = block[at + length : at + length + step]
        theirs = block[found + length : found + length + len(ours)]
        if ours != theirs:
            # All bytes before the highest nonzero byte of the exclusive or are equal.
            differing = int.from_bytes(ours, "big") ^ int.from_bytes(theirs, "big")
            return length + len(ours) - (differing.bit_length() + 7) // 8
        length += len(ours)
        if at + length >= size:
            return length
        step *= 4


def _write(tokens: list[tuple[int, int, int]], lengths: bytes, code: list[int]) -> bytes:
    """Write the bit stream: words of 16 bits, each at the position where a decoder reads it.

    A decoder reads two words ahead of the bits that it uses, and long lengths as bytes at its
    current position; so the position of a word is reserved two words before its bits are known.
    """
    out = bytearray(4)
    place, following = 0, 2
    word, free = 0, 16
    for symbol, long, extra in tokens:
        count = lengths[symbol]
        value = code[symbol]
        for turn in (0, 1):
            if turn:
                if long:
                    out += _long_bytes(long)
                count, value = (symbol - _FIRST_MATCH) >> 4, extra
            if count <= free:
                free -= count
                word = word << count | value
            else:
                rest = count - free
                _WORD.pack_into(out, place, (word << free | value >> rest) & 0xFFFF)
                place, following = following, len(out)
                out += b"\0\0"
                free = 16 - rest
                word = value & ((1 << rest) - 1)
            if symbol < _FIRST_MATCH:
                break
    _WORD.pack_into(out, place, word << free & 0xFFFF)
    return bytes(out)


def _long_bytes(length: int) -> bytes:
    """Write a match length whose symbol holds 15."""
    length -= 3
    if length < 255 + 15:
        return bytes((length - 15,))
    if length < 1 << 16:
        return b"\xff" + _WORD.pack(length)
    return b"\xff\0\0" + _LONG.pack(length)
