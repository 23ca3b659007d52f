"""The stream compression: vectors of the specification, of Windows' compressor, and recordings."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, RemoteProtocolError
from tests.recordings import FIXTURES, SHARED, needs_collection
from tests.wsman.exchanges import read
from wsman import huffman, operations, soap, xpress
from wsman.shell_values import ReceiveResponse, Send

VECTORS = FIXTURES / "wsman-omi" / "xpress-vectors"


def block(plain: int, stored: bytes) -> bytes:
    return struct.pack("<HH", plain - 1, len(stored) - 1) + stored


def table(entries: dict[int, int]) -> bytes:
    return bytes(entries.get(index, 0) for index in range(256))


ALPHABET = table(
    {48: 0x50, **dict.fromkeys(range(49, 59), 0x55), 59: 0x45, 60: 0x44, 61: 0x04, 128: 0x04}
) + bytes.fromhex("d8523ed794115be9195ff9d67cdf8d0400000000")
ABC = table({48: 0x30, 49: 0x23, 128: 0x02, 143: 0x20}) + bytes.fromhex("a8dc0000ff2601")


@pytest.mark.parametrize(
    ("packed", "plain"),
    [(ALPHABET, b"abcdefghijklmnopqrstuvwxyz"), (ABC, b"abc" * 100)],
    ids=["literals", "one long match"],
)
def test_the_examples_of_the_specification_are_unpacked(packed: bytes, plain: bytes) -> None:
    """[MS-XCA] 3.2."""
    assert xpress._unpack(packed, 0, len(packed), len(plain)) == plain


def test_the_second_example_is_packed_as_the_specification_has_it() -> None:
    assert xpress._pack(b"abc" * 100)[256:] == ABC[256:]


@pytest.mark.parametrize("name", ["abc", "text", "x"])
def test_what_the_compressor_of_windows_packed_is_unpacked(name: str) -> None:
    plain = (VECTORS / f"{name}.plain").read_bytes()
    packed = (VECTORS / f"{name}.xpress-huffman").read_bytes()
    assert xpress.decompress(block(len(plain), packed)) == plain


@pytest.mark.parametrize("name", ["abc", "text", "x"])
def test_our_compressor_is_nearly_as_good_as_that_of_windows(name: str) -> None:
    plain = (VECTORS / f"{name}.plain").read_bytes()
    packed = xpress.compress(plain)
    assert xpress.decompress(packed) == plain
    assert len(packed) < 1.1 * (VECTORS / f"{name}.xpress-huffman").stat().st_size + 4


@needs_collection
def test_recorded_streams_are_unpacked_to_whole_fragments() -> None:
    """Return every recorded Stream after a Create with CompressionType, in both directions."""
    assert SHARED is not None
    seen = packed = 0
    for message in read(SHARED / "wsman-omi" / "raw-xpress.jsonl"):
        if not message.soap:
            continue
        value = operations.read(soap.parse(message.soap))
        if not isinstance(value, Send | ReceiveResponse):
            continue
        for stream in value.streams:
            if not stream.data:
                continue
            plain = xpress.decompress(stream.data)
            # A PSRP fragment: object id, fragment id, flags, length of the blob.
            length = struct.unpack_from(">I", plain, 17)[0]
            assert len(plain) >= 21 + length
            seen += 1
            packed += len(plain) + 4 != len(stream.data)
    assert seen > 20
    assert packed == 15


def test_what_does_not_get_smaller_is_stored() -> None:
    noise = random.Random(1).randbytes(70000)
    packed = xpress.compress(noise)
    assert packed == block(65536, noise[:65536]) + block(70000 - 65536, noise[65536:])
    assert xpress.decompress(packed) == noise
    short = b"a" * 265
    assert xpress.compress(short) == block(265, short)
    assert xpress.compress(b"") == b""
    assert xpress.compress(b"a" * 300, pack=False) == block(300, b"a" * 300)


@given(st.data())
def test_everything_comes_back(data: st.DataObject) -> None:
    letters = data.draw(st.binary(min_size=1, max_size=40))
    pieces = st.lists(
        st.tuples(st.binary(max_size=30) | st.sampled_from([letters]), st.integers(1, 400)),
        max_size=12,
    )
    plain = b"".join(piece * count for piece, count in data.draw(pieces))
    assert xpress.decompress(xpress.compress(plain)) == plain
    if 0 < len(plain) <= 65536:
        packed = xpress._pack(plain)
        assert xpress._unpack(packed, 0, len(packed), len(plain)) == plain


@given(st.binary(max_size=2000))
def test_hostile_data_gives_our_errors_only(data: bytes) -> None:
    for candidate in (data, block(60000, data) if data else b""):
        with suppress(RemoteProtocolError):
            assert len(xpress.decompress(candidate, max_size=1 << 17)) <= 1 << 17


@given(st.integers(0, len(ABC) - 1), st.integers(0, 255))
def test_a_damaged_block_gives_our_errors_only(place: int, value: int) -> None:
    damaged = bytearray(ABC)
    damaged[place] = value
    with suppress(RemoteProtocolError):
        assert len(xpress.decompress(block(300, bytes(damaged)))) == 300


def test_a_bomb_is_refused_before_anything_is_unpacked() -> None:
    bomb = (VECTORS / "x.xpress-huffman").read_bytes()
    many = block(32768, bomb) * 100
    with pytest.raises(LimitExceeded, match="decompressed stream: 65536 is over the limit"):
        xpress.decompress(many, max_size=40000)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\0", "expected a block header of 4 bytes, got 1"),
        (b"\3\0\3\0abc", "expected a block of 4 bytes, got 3"),
        (b"\1\0\3\0abcd", "a block of 2 bytes takes 4"),
        (block(300, b"a" * 100), "a code table of 256 bytes"),
        (block(300, b"\1" * 280), "not a complete prefix code"),
        (block(9000, ALPHABET), "ends inside its bit stream"),
        (block(299, ABC), "ends outside the block of 299"),
        (block(300, ABC[:-2] + b"\1\0"), "in the long form"),
    ],
)
def test_a_fault_is_named_with_its_place(data: bytes, complaint: str) -> None:
    with pytest.raises(xpress.XpressError, match=complaint) as caught:
        xpress.decompress(data)
    assert 0 <= caught.value.offset <= len(data)


def test_code_lengths_stay_within_fifteen_bits() -> None:
    """Counts that grow like Fibonacci numbers give the deepest tree."""
    counts = [0] * huffman.SYMBOLS
    first, second = 1, 1
    for symbol in range(30):
        counts[symbol] = first
        first, second = second, first + second
    lengths = huffman.code_lengths(counts)
    assert max(lengths) <= huffman.MAX_BITS
    assert sum(2 ** (huffman.MAX_BITS - n) for n in lengths if n) == 1 << huffman.MAX_BITS
    assert huffman.decoding_table(lengths) is not None


def test_a_block_of_one_symbol_has_a_complete_code() -> None:
    counts = [0] * huffman.SYMBOLS
    counts[7] = 5
    lengths = huffman.code_lengths(counts)
    assert lengths[7] == lengths[0] == 1
    assert huffman.decoding_table(lengths) is not None
