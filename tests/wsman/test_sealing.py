"""The body of an encrypted message: real ones, all cuts, and refusals."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, RemoteProtocolError
from tests.recordings import SHARED, needs_collection
from wsman.sealing import (
    CHUNK,
    Plain,
    SealedPart,
    SealedReader,
    SealingError,
    SealingFormat,
    is_sealed,
    seal,
    unseal,
)

SOAP = "application/soap+xml;charset=UTF-8"
LIMIT = 1 << 20


def wrap(data: bytes) -> tuple[bytes, bytes, int]:
    """Seal like a GSS mechanism: a 16-byte signature, and data of the same length."""
    return b"s" * 16, bytes(each ^ 0x55 for each in data), 0


def unwrap(header: bytes, data: bytes) -> bytes:
    assert header == b"s" * 16
    return bytes(each ^ 0x55 for each in data)


def wrap_record(data: bytes) -> tuple[bytes, bytes, int]:
    """Seal like CredSSP: one TLS record, cut after 17 bytes."""
    record = b"\x17\x03\x03" + len(data + b"t" * 17).to_bytes(2, "big") + data + b"t" * 17
    return record[:17], record[17:], 0


def unwrap_record(header: bytes, data: bytes) -> bytes:
    records = header + data
    plain = b""
    while records:
        size = int.from_bytes(records[3:5], "big")
        plain += records[5 : 5 + size - 17]
        records = records[5 + size :]
    return plain


def parts(body: bytes, cuts: list[int] | None = None, boundary: str = "") -> list[SealedPart]:
    reader = SealedReader(boundary=boundary, max_size=LIMIT)
    found: list[SealedPart] = []
    edges = [0, *(cuts or []), len(body)]
    for start, stop in itertools.pairwise(edges):
        reader.receive_data(body[start:stop])
        found += reader
    reader.end()
    return found


def test_a_sealed_body_has_the_layout_of_the_specification() -> None:
    """Statement H79."""
    content_type, body = seal(SealingFormat.SPNEGO, SOAP, b"hello", lambda data: (b"SIG", data, 0))
    assert content_type == (
        'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";'
        'boundary="Encrypted Boundary"'
    )
    assert body == (
        b"--Encrypted Boundary\r\n"
        b"\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=5\r\n"
        b"--Encrypted Boundary\r\n"
        b"\tContent-Type: application/octet-stream\r\n"
        b"\x03\x00\x00\x00SIGhello--Encrypted Boundary--\r\n"
    )
    assert is_sealed(content_type)
    assert not is_sealed(SOAP)


@pytest.mark.parametrize("format", [SealingFormat.SPNEGO, SealingFormat.KERBEROS])
@given(message=st.binary(max_size=300))
def test_a_sealed_body_opens_in_each_format(format: SealingFormat, message: bytes) -> None:
    content_type, body = seal(format, SOAP, message, wrap)
    assert unseal(content_type, body, unwrap, max_size=LIMIT) == (
        Plain(content_type=SOAP, body=message),
    )
    assert parts(body)[0].format is format


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_credssp_is_cut_at_16_kib(size: int) -> None:
    """Statement H80."""
    message = bytes(range(256)) * (size // 256 + 1)
    message = message[:size]
    content_type, body = seal(SealingFormat.CREDSSP, SOAP, message, wrap_record)
    kind = "multipart/x-multi-encrypted" if size > CHUNK else "multipart/encrypted"
    assert content_type.startswith(kind + ";")
    found = parts(body)
    assert [part.length for part in found] == [
        min(CHUNK, size - at) for at in range(0, size or 1, CHUNK)
    ]
    assert {len(part.header) for part in found} == {17}
    assert unseal(content_type, body, unwrap_record, max_size=LIMIT)[0].body == message


def test_pieces_that_each_end_like_the_last_are_one_message() -> None:
    pieces = [seal(SealingFormat.CREDSSP, SOAP, each, wrap_record)[1] for each in (b"one", b"two")]
    kind = 'multipart/x-multi-encrypted;boundary="Encrypted Boundary"'
    assert unseal(kind, b"".join(pieces), unwrap_record, max_size=LIMIT)[0].body == b"onetwo"


def test_several_records_in_one_part_are_read() -> None:
    first, second = (b"".join(wrap_record(each)[:2]) for each in (b"x" * 50, b"y" * 9))
    content_type, body = seal(
        SealingFormat.CREDSSP, SOAP, b"z" * 59, lambda _: (first[:17], first[17:] + second, 0)
    )
    assert unseal(content_type, body, unwrap_record, max_size=LIMIT)[0].body == b"x" * 50 + b"y" * 9


def test_one_body_may_hold_several_messages() -> None:
    content_type, one = seal(SealingFormat.SPNEGO, SOAP, b"one", wrap)
    other = seal(SealingFormat.SPNEGO, "text/plain", b"two", wrap)[1]
    opened = unseal(content_type, one + other, unwrap, max_size=LIMIT)
    assert [(each.content_type, each.body) for each in opened] == [
        (SOAP, b"one"),
        ("text/plain", b"two"),
    ]


VARIANTS = [
    pytest.param((b"\r\n\tContent", b"\r\nContent"), id="no TAB"),
    pytest.param((b"--Encrypted Boundary", b"-- Encrypted Boundary"), id="a space"),
    pytest.param((b"Boundary--\r\n", b"Boundary--\r\n\r\n"), id="an empty line at the end"),
    pytest.param((b"Boundary--\r\n", b"Boundary--"), id="no line break at the end"),
    pytest.param((b"Content-Type: ", b"content-type:"), id="lower case"),
]


@pytest.mark.parametrize("change", VARIANTS)
def test_the_forms_that_peers_write_are_read(change: tuple[bytes, bytes]) -> None:
    content_type, body = seal(SealingFormat.KERBEROS, SOAP, b"hello", wrap)
    changed = body.replace(*change)
    assert changed != body
    assert unseal(content_type, changed, unwrap, max_size=LIMIT)[0].body == b"hello"


def test_sealed_bytes_may_contain_the_boundary() -> None:
    text = b"a--Encrypted Boundary--\r\n--Encrypted Boundary\r\n\tContent-Type: x"
    content_type, body = seal(
        SealingFormat.SPNEGO, SOAP, text, lambda data: (b"--Encrypted Boundary--", data, 0)
    )
    assert parts(body)[0].data == text
    assert unseal(content_type, body, lambda _, data: data, max_size=LIMIT)[0].body == text


def test_padding_counts_in_the_length_or_not() -> None:
    content_type, body = seal(SealingFormat.KERBEROS, SOAP, b"five!", lambda d: (b"h", d + b"p", 1))
    assert b"Length=6" in body
    opened = unseal(content_type, body, lambda _, data: data[:-1], max_size=LIMIT)
    assert opened[0].body == b"five!"
    uncounted = body.replace(b"Length=6", b"Length=5")
    assert parts(uncounted)[0].data == b"five!p"


@given(message=st.binary(max_size=80), data=st.data())
def test_any_cut_gives_the_same_parts(message: bytes, data: st.DataObject) -> None:
    body = seal(SealingFormat.SPNEGO, SOAP, message, wrap)[1]
    body += seal(SealingFormat.CREDSSP, SOAP, message, wrap_record)[1]
    cuts = data.draw(st.lists(st.integers(0, len(body))).map(sorted))
    assert parts(body, cuts) == parts(body)


@given(st.binary() | st.binary(max_size=60).map(lambda tail: b"--Encrypted Boundary\r\n" + tail))
def test_garbage_is_the_peers_fault(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parts(body)


@given(st.integers(0, 200), st.integers(0, 255))
def test_one_wrong_byte_gives_parts_or_an_error_of_ours(at: int, value: int) -> None:
    body = bytearray(seal(SealingFormat.SPNEGO, SOAP, b"hello", wrap)[1])
    at %= len(body)
    body[at] = value
    try:
        found = parts(bytes(body))
    except RemoteProtocolError:
        found = []
    assert len(found) <= 1


REFUSED = [
    (b"", "holds no sealed part"),
    (b"--Other Boundary\r\n", "expected --Encrypted Boundary"),
    (b"--Encrypted Boundary\r\nno colon\r\n--Encrypted Boundary\r\n", "expected a header line"),
    (b"--Encrypted Boundary\r\n" + b"a: b\r\n" * 20, "at most 8 header lines"),
    (b"--Encrypted Boundary\r\n" + b"a" * 2000, "a line of at most 1024 bytes"),
]


@pytest.mark.parametrize(("body", "text"), REFUSED)
def test_what_breaks_the_layout_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(SealingError, match=text):
        parts(body)


CHANGES = [
    (b"Length=5", b"Length=50", "ends inside a part"),
    (b"Length=5", b"Length=-5", "OriginalContent with a Length"),
    (b"HTTP-SPNEGO", b"HTTP-OTHER", "one of the three sealing formats"),
    (b"octet-stream", b"pdf", "expected Content-Type: application/octet-stream"),
    (b"\x10\0\0\0", b"\x10\0\0\x7f", "at most 4096 bytes, got 2130706448"),
    (b"--Encrypted Boundary--\r\n", b"x" * 60, "its Length is wrong"),
    (b"--Encrypted Boundary--\r\n", b"", "ends inside a part"),
]


@pytest.mark.parametrize(("old", "new", "text"), CHANGES)
def test_a_part_that_is_changed_is_refused(old: bytes, new: bytes, text: str) -> None:
    content_type, body = seal(SealingFormat.SPNEGO, SOAP, b"hello", wrap)
    with pytest.raises(SealingError, match=text):
        unseal(content_type, body.replace(old, new), unwrap, max_size=LIMIT)


def test_an_error_names_the_byte() -> None:
    body = seal(SealingFormat.SPNEGO, SOAP, b"hello", wrap)[1]
    with pytest.raises(SealingError) as caught:
        parts(body + b"--Wrong\r\n")
    assert caught.value.offset == len(body)


def test_a_body_over_the_limit_is_not_kept() -> None:
    reader = SealedReader(max_size=100)
    reader.receive_data(b"x" * 60)
    with pytest.raises(LimitExceeded):
        reader.receive_data(b"x" * 60)


def test_plain_text_of_another_length_is_refused() -> None:
    content_type, body = seal(SealingFormat.SPNEGO, SOAP, b"x" * 40, wrap)
    with pytest.raises(SealingError, match="expected 40 bytes of plain text, got 3"):
        unseal(content_type, body, lambda _, __: b"abc", max_size=LIMIT)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(SealingError, match="multipart/encrypted, got 'text/html'"):
        unseal("text/html", b"<html>", unwrap, max_size=LIMIT)


# -- recordings


def sealed_bodies(path: Path) -> Iterator[tuple[str, bytes]]:
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        kind = dict(entry.get("headers", ())).get("Content-Type", "")
        if kind.startswith("multipart/") and "body_base64" in entry:
            yield kind, base64.b64decode(entry["body_base64"])


RECORDED = [("pwsh-ntlm", 16, 66), ("pwsh-kerberos", 60, 66)]


@needs_collection
@pytest.mark.parametrize(("name", "header", "count"), RECORDED)
def test_recorded_bodies_are_cut_right(name: str, header: int, count: int) -> None:
    assert SHARED is not None
    bodies = list(sealed_bodies(SHARED / "wsman-omi" / f"{name}.jsonl"))
    assert len(bodies) == count
    for kind, body in bodies:
        assert is_sealed(kind)
        (part,) = parts(body)
        assert (len(part.header), len(part.data)) == (header, part.length)
