"""Damaged and hostile captures: bounded memory, no exception but ours, and no wrong byte."""

from __future__ import annotations

import gzip
import json
import os
import random
import struct
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network import packet_reader, tcp
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.source import Source
from tests.capture.makers import source
from tests.capture.sealed_sessions import PASSWORD, RECORDING, http, plain_turns, sealed_turns
from tests.capture.test_http_forms import SEND
from tests.capture.wire import ETHERNET, Frame, conversations, pcap, pcapng, segment
from wsman import xpress
from wsman.auth import Authentication
from wsman.http import SOAP

CLIENT, SERVER = (b"\x0a\0\0\x01", 50001), (b"\x0a\0\0\x02", 5985)


def secrets() -> PacketSecrets:
    found = PacketSecrets()
    found.add_password(PASSWORD)
    return found


def entries(data: bytes, given: PacketSecrets | None = None) -> list[Entry]:
    """Return the entries of a capture, also of one that is read in part."""
    found: list[Entry] = []
    with suppress(CaptureError):
        found.extend(decode_source(source(data), None, None, given))
    return found


def bodies(found: list[Entry]) -> list[str]:
    return [e.type + json.dumps(json.loads(line(e))["data"]) for e in found if e.event is not None]


@cache
def expected() -> frozenset[str]:
    return frozenset(bodies(list(decode(RECORDING))))


@cache
def sealed_frames() -> tuple[Frame, ...]:
    """Return the recorded session, sealed by NTLM."""
    return tuple(conversations(sealed_turns(Authentication.NTLM)))


@cache
def plain_frames() -> tuple[Frame, ...]:
    return tuple(conversations(plain_turns()))


slow = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=12)


@slow
@given(data=st.data())
def test_packets_lost_doubled_and_reordered_never_show_a_wrong_byte(data: st.DataObject) -> None:
    """A message that opens was sent as it is: signatures cover every sealed byte."""
    frames = list(sealed_frames())
    rng = random.Random(data.draw(st.integers(0, 1 << 30)))
    lost, doubled, moved = (data.draw(st.integers(0, 5)) for _ in range(3))
    for _ in range(lost):
        del frames[rng.randrange(len(frames))]
    for _ in range(doubled):
        frames.insert(rng.randrange(len(frames)), rng.choice(frames))
    for _ in range(moved):
        frame = frames.pop(rng.randrange(len(frames)))
        frames.insert(rng.randrange(len(frames)), frame)
    shown = bodies(entries(pcap(frames), secrets()))
    assert set(shown) <= expected()
    if not lost:
        assert shown


@slow
@given(data=st.data())
def test_damaged_bytes_raise_nothing_but_our_errors(data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([pcap, pcapng]))
    frames = data.draw(st.sampled_from([sealed_frames, plain_frames]))()
    made = bytearray(make(frames))
    rng = random.Random(data.draw(st.integers(0, 1 << 30)))
    for _ in range(data.draw(st.integers(1, 30))):
        at = rng.randrange(len(made))
        made[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    if data.draw(st.booleans()):
        del made[rng.randrange(len(made)) :]
    found = entries(bytes(made), secrets())
    for entry in found:
        line(entry, reveal=True)
    if frames is sealed_frames:
        assert set(bodies(found)) <= expected()


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_cut_at_any_byte_shows_what_is_before(make: Any) -> None:
    frames = plain_frames()[:12]
    whole = make(frames)
    before = 0
    for size in [*range(1, 400), *range(400, len(whole), 211), len(whole)]:
        count = len(bodies(entries(whole[:size])))
        assert count >= before
        before = count
    assert before


# -- limits


def peak(data: bytes | Iterable[bytes], given: PacketSecrets | None = None) -> int:
    """Return the peak of memory in bytes that decoding takes, the capture itself excluded."""
    stream = _Stream(data if not isinstance(data, bytes) else [data])
    tracemalloc.start()
    try:
        for _ in decode_source(Source("made", stream), None, None, given):  # type: ignore[arg-type]
            pass
    except CaptureError:
        pass
    finally:
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


class _Stream:
    """A file made while it is read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""

    def fileno(self) -> int:
        raise OSError("made while it is read")

    def read(self, size: int) -> bytes:
        while len(self._held) < size and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        data, self._held = self._held[:size], self._held[size:]
        return data


def records(frames: Iterable[bytes], link_type: int = 101) -> Iterator[bytes]:
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    for number, frame in enumerate(frames):
        yield (
            struct.pack("<IIII", 1_700_000_000 + number // 1000, 0, len(frame), len(frame)) + frame
        )


def stream(data: Iterable[bytes], start: int = 1) -> Iterator[bytes]:
    """Yield the segments of a client's connection."""
    at = start
    for part in data:
        yield segment(CLIENT, SERVER, at, part, 0x18)
        at += len(part)


def test_a_content_length_of_4_gib_takes_no_memory() -> None:
    head = b"POST /wsman HTTP/1.1\r\nHost: a\r\nContent-Type: application/soap+xml\r\n"
    head += b"Content-Length: 4294967296\r\n\r\n"
    parts = [head, *[bytes(60_000)] * 50]
    assert peak(records(stream(parts))) < 16 << 20


def test_many_unfinished_bodies_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_reader, "MAX_HELD", 4 << 20)
    head = b"POST /wsman HTTP/1.1\r\nHost: a\r\nContent-Type: application/soap+xml\r\n"
    head += b"Content-Length: 9999999\r\n\r\n"

    def frames() -> Iterator[bytes]:
        for number in range(400):
            client = CLIENT[0], 10_000 + number
            yield segment(client, SERVER, 1, head, 0x18)
            yield segment(client, SERVER, 1 + len(head), bytes(60_000), 0x18)

    assert peak(records(frames())) < 40 << 20


def test_a_gzip_bomb_around_a_capture_takes_no_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    record = struct.pack("<IIII", 1, 0, 65000, 65000) + bytes(65000)
    parts = [packer.compress(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))]
    parts += [packer.compress(record) for _ in range(1000)]
    data = b"".join(parts) + packer.flush()
    assert len(data) < 1 << 18
    assert peak(data) < 16 << 20


def test_many_members_of_gzip_are_read_one_after_the_other() -> None:
    whole = pcap(plain_frames())
    packed = b"".join(gzip.compress(whole[at : at + 100]) for at in range(0, len(whole), 100))
    empty = gzip.compress(b"") * 20_000
    assert bodies(entries(packed + empty)) == bodies(entries(whole))


def test_a_gzip_bomb_in_a_body_is_a_note() -> None:
    bomb = gzip.compress(bytes((64 << 20) + 1), 1)
    head = (("Content-Type", SOAP), ("Content-Encoding", "gzip"))
    data = pcap(conversations([(1, True, http("POST /wsman HTTP/1.1", head, bomb))], 60_000))
    found = entries(data)
    notes = [entry.data.get("note", "") for entry in found if isinstance(entry.data, dict)]
    assert any("cannot be decompressed" in note for note in notes)


def test_an_xpress_bomb_in_a_stream_is_an_error_and_takes_no_memory() -> None:
    """The blocks unpack to more than 16 MiB; the Create is not in the capture."""
    fragment = struct.pack(">QQBI", 1, 0, 3, 1 << 16)
    bomb = xpress.compress(fragment + bytes(17 << 20))
    assert len(bomb) < 1 << 20
    small = xpress.compress(fragment + bytes(1000))
    end = SEND.index("</rsp:Stream>")
    begin = SEND.rindex(">", 0, end) + 1
    bodies_of = [SEND[:begin] + b64encode(data).decode() + SEND[end:] for data in (small, bomb)]
    kind = (("Content-Type", SOAP),)
    turns = [(1, True, http("POST /wsman HTTP/1.1", kind, each.encode())) for each in bodies_of]
    data = pcap(conversations(turns, 60_000))
    problems = [e.data for e in entries(data) if e.type == "error"]
    assert any(each["rule"] == "compressed" and "limit" in each["text"] for each in problems)
    assert peak(data) < 64 << 20


def test_many_connections_take_a_bounded_amount_of_memory() -> None:
    """Each one has a request of WS-Man and no end; twice as many take the same memory."""
    request = http("POST /wsman HTTP/1.1", (("Content-Type", SOAP),), b"<a/>")

    def frames(count: int) -> Iterator[bytes]:
        for number in range(count):
            client = struct.pack(">I", 0x0B000000 + number), 1024
            yield segment(client, SERVER, 1, request, 0x18)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tcp, "MAX_CONNECTIONS", 100)
        few, many = (peak(records(frames(count))) for count in (300, 1200))
    assert many < few + (4 << 20)


def test_a_packet_of_the_usual_form_is_read_like_any_other() -> None:
    """Frames of Ethernet, IPv4 and TCP have a shorter way: the same messages come out."""
    frames = [Frame(each.time, bytes(12) + b"\x08\0" + each.data) for each in plain_frames()]
    padded = [Frame(each.time, each.data + bytes(6)) for each in frames]
    whole = bodies(entries(pcap(plain_frames())))
    assert bodies(entries(pcap(frames, link_type=ETHERNET))) == whole
    assert bodies(entries(pcap(padded, link_type=ETHERNET))) == whole


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "deep", reason="make test-deep")
def test_a_large_capture_of_other_traffic_takes_little_memory() -> None:
    """100 MB, made while it is read."""

    def frames() -> Iterator[bytes]:
        yield from stream([b"SSH-2.0-x\r\n", *[bytes(1400)] * 75_000])

    assert peak(records(frames())) < 64 << 20
