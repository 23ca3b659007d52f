"""Inputs to begin with, from the recordings and the tables, and words for the mutator."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from uuid import UUID

from psrp.clixml import dumps
from psrp.fragments import split
from psrp.messages import encode
from psrp.sansio import LocalProtocolError, Side
from tests.conversations import chunks, recordings
from tests.properties.machines import EVENTS, RPID
from tests.recordings import FIXTURES
from tests.wsman.exchanges import read_yaml

__all__ = [
    "WORDS",
    "capture_files",
    "clixml_documents",
    "envelopes",
    "fragment_streams",
    "messages",
    "packet_streams",
    "scripts",
]

LARGEST = 5_000
"""Bytes of one seed: mutations of small inputs reach more in the same time."""


@cache
def clixml_documents() -> tuple[bytes, ...]:
    """Documents of Export-Clixml, streams of standard error, and single elements."""
    files = [
        path.read_bytes()
        for path in sorted((FIXTURES / "clixml").rglob("*.xml"))
        if path.stat().st_size <= LARGEST
    ]
    with (FIXTURES / "clixml/powershell-7.6/read.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["input"].encode() for line in itertools.islice(lines, 0, 400, 8)]
    values = (None, True, 1, -1.5, "_x000A_", b"b", [1, [2]], {"a": 1}, UUID(int=1))
    return (*files, *texts, *(dumps(each) for each in values))


@cache
def messages() -> tuple[tuple[Side, bytes], ...]:
    """One message of every kind, with the side that sends it."""
    found = []
    for event in EVENTS.values():
        for side in Side:
            with suppress(LocalProtocolError, KeyError):
                found.append((side, encode(event, RPID, sender=side)))
    return tuple(found)


@cache
def fragment_streams() -> tuple[bytes, ...]:
    """Fragments of each message, and of several in one stream."""
    found = []
    for side, message in messages():
        others = [each for sender, each in messages() if sender is side][:3]
        for size in (60, 32768):
            found.append(b"".join(split(1, message, size)))
            found.append(b"".join(b"".join(split(2, each, size)) for each in (*others, message)))
    return tuple(each for each in found if len(each) <= LARGEST)


@cache
def packet_streams() -> tuple[bytes, ...]:
    """The packet lines of recorded sessions, each direction by itself."""
    found = []
    for path in (*recordings("probes")[:40], *recordings("sessions")[:10]):
        sides = dict.fromkeys(Side, b"")
        for side, data in chunks(path):
            sides[side] += data
        found += [data[:LARGEST] for data in sides.values() if data]
    return tuple(found)


@cache
def envelopes() -> tuple[tuple[bool, bytes], ...]:
    """Recorded SOAP envelopes, and whether each is a request."""
    found = []
    for path in sorted((FIXTURES / "wsman").glob("*.yml")):
        for message in itertools.islice(read_yaml(path), 12):
            data = message.soap.encode()
            if data and len(data) <= LARGEST:
                found.append((message.request, data))
    return tuple(found)


@cache
def capture_files() -> tuple[bytes, ...]:
    """The first part of recordings in each form that `psrp decode` reads."""
    paths = itertools.chain(
        sorted((FIXTURES / "outofproc").rglob("*.jsonl"))[:20],
        sorted((FIXTURES / "wsman").glob("*.yml"))[:10],
        sorted((FIXTURES / "wsman-live").glob("*.jsonl")),
        sorted((FIXTURES / "winrs").glob("*.yml")),
    )
    files = [path.read_bytes()[:LARGEST] for path in paths]
    exchanges = [
        b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(each), each)
        for request, each in envelopes()[:20]
        if request
    ]
    return (*files, *exchanges, *fragment_streams()[::40], *packet_streams()[:20])


def scripts() -> Iterator[bytes]:
    """Command lines and scripts."""
    yield from _SCRIPTS


_SCRIPTS = (
    b"Get-Date -UFormat %Y; & 'Get-Thing' -x:5 -- -y",
    b"Get-Thing 1kb 0x1F 7L 1.50 1e3 -Name:(1+1) | Select-Object -First 1",
    b"param($a, [int]$b = 3) Get-Thing $a @args $using:x.y[0] 2>&1",
    b'"a$(1)b`n$x" + @"\nhere\n"@ + @\'\nhere\n\'@',
    b"@{a=1; 'b c'=@(1,2,3)}, [ordered]@{x=$null}, ,1",
    b"if ($true) { 1..3 | % { $_ * 2 } } else { throw 'x' }",
    b"function f { [CmdletBinding()] param([Parameter(Mandatory)]$x) end { $x } }",
    b"[guid]'11111111-2222-3333-4444-555555555555' -replace 'a', 'b' -eq $false",
)

WORDS: tuple[bytes, ...] = (
    *(b"<%s>" % tag.encode() for tag in (
        "Obj", "Obj RefId=\"0\"", "Ref RefId=\"0\" /", "TN RefId=\"0\"", "TNRef RefId=\"0\" /",
        "MS", "Props", "LST", "DCT", "En", "QUE", "STK", "IE", "S", "C", "B", "DT", "TS", "By",
        "SB", "U16", "I16", "U32", "I32", "U64", "I64", "Sg", "Db", "D", "BA", "G", "URI",
        "Nil /", "S N=\"Value\"",
        "Version", "XD", "SBK", "SS", "PR", "ToString", "Objs", "S N=\"Key\"",
    )),
    *(b"</%s>" % tag for tag in (b"Obj", b"TN", b"MS", b"LST", b"DCT", b"S", b"I32", b"ToString")),
    *(b"<Data Stream='Default' PSGuid='%s'>" % guid for guid in (
        b"00000000-0000-0000-0000-000000000000", b"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    )),
    b"</Data>", b"<Command PSGuid='", b"<Close PSGuid='", b"<Signal PSGuid='", b"<DataAck PSGuid='",
    b"_x000A_", b"_xD800_", b"&amp;", b"&#x0;", b"&#xD800;", b"<!DOCTYPE x [", b"<![CDATA[", b"]]>",
    b"<!--", b"-->", b"#< CLIXML\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xff" * 8,
    b"-1", b"0", b"1e999999999", b"+-2", b"NaN", b"9" * 40, b"99999999999999999999", b" " * 200,
    b"2024-01-01T00:00:00Z", b"P99999999999999D", b"PT0S", b"Content-Length: 4294967296\r\n",
    b"Transfer-Encoding: chunked\r\n", b"--Encrypted Boundary\r\n", b"\r\n\r\n", b"0\r\n\r\n",
    b"mustUnderstand=\"true\"", b"xsi:nil=\"true\"", b"CompressionType=\"xpress\"",
    b"CommandId=\"",
    b"$(", b"@{", b"@(", b"`", b"\"", b"'", b"@\"\n", b"{", b"}", b"(", b")", b"[", b"]", b"--%",
    "\u2013".encode(), "\u201c".encode(), "\U0001f600".encode(), b"\xed\xa0\x80", b"\x1b]52;",
    b"\x9b",
)  # fmt: skip
"""Pieces of the formats, and values at the edges of their types."""
