"""Packet lines: read as the real server reads them, written as PowerShell writes them."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError, Side, Stream
from sshsub.packets import (
    Line,
    LineReader,
    Packet,
    PacketError,
    PacketKind,
    error_text,
    read_line,
    write,
)
from tests.conversations import chunks
from tests.recordings import WHOLE

PIPELINE = UUID("2c8bf3a1-4b3e-4d5a-9c0e-6f1d2b3a4c5d")
GUID = f"PSGuid='{PIPELINE}'"
ZERO = "PSGuid='00000000-0000-0000-0000-000000000000'"


def read(line: str | bytes) -> tuple[list[Packet], PacketError | None]:
    """Return the packets of a line before its fault, and the fault."""
    packets: list[Packet] = []
    try:
        for packet in read_line(line.encode() if isinstance(line, str) else line):
            packets.append(packet)
    except PacketError as error:
        return packets, error
    return packets, None


WIRE = [
    pytest.param(
        Packet(kind=PacketKind.DATA, target=None, data=b"\x00\x01\x02"),
        f"<Data Stream='Default' {ZERO}>AAEC</Data>\n",
        id="data for the session",
    ),
    pytest.param(
        Packet(kind=PacketKind.DATA, target=PIPELINE, stream=Stream.PROMPT_RESPONSE, data=b"x"),
        f"<Data Stream='PromptResponse' {GUID}>eA==</Data>\n",
        id="a prompt response",
    ),
    *(
        pytest.param(
            Packet(kind=kind, target=PIPELINE), f"<{kind.value} {GUID} />\n", id=kind.value
        )
        for kind in PacketKind
        if kind is not PacketKind.DATA
    ),
    pytest.param(Packet(kind=PacketKind.CLOSE), f"<Close {ZERO} />\n", id="close of the session"),
]


@pytest.mark.parametrize(("packet", "wire"), WIRE)
def test_a_packet_is_written_as_powershell_writes_it(packet: Packet, wire: str) -> None:
    """Statement G64."""
    assert write(packet) == wire.encode()
    assert list(read_line(wire.rstrip("\n").encode())) == [packet]


@pytest.mark.parametrize(
    "packet",
    [
        Packet(kind=PacketKind.DATA),
        Packet(kind=PacketKind.CLOSE, data=b"x"),
        Packet(kind=PacketKind.SIGNAL, stream=Stream.PROMPT_RESPONSE),
    ],
)
def test_what_kills_a_real_peer_is_not_written(packet: Packet) -> None:
    with pytest.raises(LocalProtocolError):
        write(packet)


DATA = Packet(kind=PacketKind.DATA, target=PIPELINE, data=b"\x00\x00\x00")
PROMPT = Packet(kind=PacketKind.DATA, target=PIPELINE, stream=Stream.PROMPT_RESPONSE, data=b"\x00")
COMMAND = Packet(kind=PacketKind.COMMAND, target=PIPELINE)

BORNE = [
    (f'<Data Stream="Default" PSGuid="{PIPELINE}">AAAA</Data>', [DATA]),
    (f"<Data {GUID} Stream='Default'>AAAA</Data>", [DATA]),
    (f"<Data Stream='default' {GUID}>AAAA</Data>", [DATA]),
    (f"<Data Stream='NoSuch' {GUID}>AAAA</Data>", [DATA]),
    (f"<Data Stream='Default' {GUID}> AA\tAA </Data>", [DATA]),
    (f"<Data Stream='Default' {GUID}>&#65;AAA</Data>", [DATA]),
    (f"<Data Stream='PROMPTresponse' {GUID}>AA==</Data>", [PROMPT]),
    (f"<Data Stream='' {GUID}>AAAA</Data>", [DATA]),
    (f"<Command {GUID}></Command>", [COMMAND]),
    (f"<Command {GUID}/>", [COMMAND]),
    (f"<Command PSGuid='{{{str(PIPELINE).upper()}}}' />", [COMMAND]),
    (f"<Command PSGuid='({PIPELINE})' />", [COMMAND]),
    (f"<Command PSGuid='{PIPELINE.hex}' />", [COMMAND]),
    (f"<!-- a comment --><Command {GUID} /><?an instruction?>", [COMMAND]),
    (f"<Command {GUID} /><Data Stream='Default' {GUID}>AAAA</Data>", [COMMAND, DATA]),
    (f"<Data Stream='Default' {GUID}>AAAA<!-- x --></Data>", [DATA]),
    ("", []),
]


@pytest.mark.parametrize(("line", "packets"), BORNE)
def test_what_the_real_server_bears_is_read(line: str, packets: list[Packet]) -> None:
    """Statement G64."""
    assert read(line) == (packets, None)


FATAL = [
    (f" <Command {GUID} />", "white-space", []),
    (f"\t<Command {GUID} />", "white-space", []),
    (f"<Command {GUID} /> ", "white-space", [COMMAND]),
    (f"<Command {GUID} /> <Command {GUID} />", "white-space", [COMMAND]),
    (f"<Data Stream='Default' {GUID} Extra='1'>AAAA</Data>", "attributes", []),
    (f"<Data {GUID}>AAAA</Data>", "attributes", []),
    (f"<Data Other='x' {GUID}>AAAA</Data>", "attributes", []),
    (f"<Data stream='Default' {GUID}>AAAA</Data>", "attributes", []),
    (f"<Command {GUID} Extra='1' />", "attributes", []),
    ("<Command />", "attributes", []),
    ("<Command Id='x' />", "guid", []),
    ("<Command PSGuid='1' />", "guid", []),
    ("<Command PSGuid='{0x1,0x2,0x3,{0x4,0x5,0x6,0x7,0x8,0x9,0xa,0xb}}' />", "guid", []),
    (f"<Command PSGuid='{str(PIPELINE).replace('-', '', 1)}-' />", "guid", []),
    (f"<Data Stream='Default' {GUID}></Data>", "data-empty", []),
    (f"<Data Stream='Default' {GUID} />", "data-empty", []),
    (f"<Data Stream='Default' {GUID}>  </Data>", "data-empty", []),
    (f"<Data Stream='Default' {GUID}>AAA</Data>", "base64", []),
    (f"<Command PSGuid='{{{PIPELINE})' />", "guid", []),
    (f"<Command PSGuid='{{{PIPELINE.hex}----}}' />", "guid", []),
    (f"<Data Stream='Default' {GUID}>A=AA</Data>", "base64", []),
    (f"<Data Stream='Default' {GUID}>AAAA====</Data>", "base64", []),
    (f"<Data Stream='Default' {GUID}>AA\u00a0AA</Data>", "base64", []),
    (f"<Data Stream='Default' {GUID}>é</Data>", "base64", []),
    (f"<Data Stream='Default' {GUID}><![CDATA[AAAA]]></Data>", "text", []),
    (f"<Data Stream='Default' {GUID}>AAAA<!-- x -->AAAA</Data>", "text", [DATA]),
    (f"<Data Stream='Default' {GUID}>AAAA<Foo /></Data>", "element", [DATA]),
    (f"<Data Stream='Default' {GUID}>AAAA", "xml", []),
    ("AAAA</Data>", "text", []),
    (f"<command {GUID} />", "element", []),
    ("<Foo />", "element", []),
    (f"<Command {GUID} />hello", "text", [COMMAND]),
    ("hello", "text", []),
    (f"<?xml version='1.0'?><Command {GUID} />", "xml", []),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><Command />", "xml", []),
    ("<Command PSGuid='&b;' />", "xml", []),
    ("</line><line>", "xml", []),
    ("<Command", "xml", []),
]


@pytest.mark.parametrize(("line", "rule", "before"), FATAL)
def test_what_ends_the_real_server_is_refused_after_what_stood_before(
    line: str, rule: str, before: list[Packet]
) -> None:
    packets, error = read(line)
    assert error is not None
    assert (error.rule, packets) == (rule, before)
    assert 0 <= error.offset <= len(line.encode())


@given(st.binary(max_size=200))
def test_any_line_gives_packets_or_a_packet_error(line: bytes) -> None:
    packets, error = read(line)
    assert error is None or isinstance(error, RemoteProtocolError)
    assert all(isinstance(packet, Packet) for packet in packets)


def test_bytes_that_are_no_utf_8_are_characters_like_others() -> None:
    """A real peer decodes its stream before it parses packets."""
    assert read(b"<!-- \xff -->" + f"<Command {GUID} />".encode()) == ([COMMAND], None)
    assert read(f"<Data Stream='\xe9' {GUID}>AAAA</Data>".encode("latin-1")) == ([DATA], None)


def test_a_data_packet_keeps_its_bytes_out_of_its_repr() -> None:
    assert "secret" not in repr(Packet(kind=PacketKind.DATA, data=b"secret"))


def test_only_acks_are_acks() -> None:
    acks = {kind.value for kind in PacketKind if kind.value.endswith("Ack")}
    assert acks == {"DataAck", "CommandAck", "SignalAck", "CloseAck"}


def test_an_error_line_gives_its_text() -> None:
    """Statement G69."""
    assert error_text(b"__NamedPipeError__:gone") == "gone"
    assert error_text(b"__HyperVSocketError__:") == ""
    assert error_text(b"__namedPIPEerror__:gone") == "gone"
    assert error_text(b"<Data") is None


# -- lines


def lines_of(*chunks: bytes, max_line: int = 1000) -> list[Line]:
    reader = LineReader(max_line)
    found = []
    for chunk in chunks:
        reader.receive_data(chunk)
        while (line := reader.next_line()) is not None:
            found.append(line)
    if (line := reader.rest()) is not None:
        found.append(line)
    assert reader.pending == 0
    return found


def test_lines_end_with_lf_cr_or_crlf() -> None:
    found = lines_of(b"one\ntwo\rthree\r\nfour")
    assert [(line.number, line.offset, line.data) for line in found] == [
        (1, 0, b"one"),
        (2, 4, b"two"),
        (3, 8, b"three"),
        (4, 15, b"four"),
    ]


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_line() -> None:
    assert [line.data for line in lines_of(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")] == [
        b"a",
        b"\xef\xbb\xbfb",
    ]


@given(
    text=st.lists(st.sampled_from([b"a", b"<", b"\n", b"\r", b"\r\n", b"bb"])).map(b"".join),
    cuts=st.lists(st.integers(0, 40)),
)
def test_packets_are_the_same_however_the_text_is_cut(text: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert lines_of(*pieces) == lines_of(text)


def test_a_line_over_the_limit_is_refused_and_the_next_one_read() -> None:
    reader = LineReader(10)
    with pytest.raises(LimitExceeded):
        reader.receive_data(b"x" * 11)
    reader.receive_data(b"y\nz\n")
    assert [reader.next_line().data for _ in range(2)] == [b"y", b"z"]  # type: ignore[union-attr]


def test_the_real_servers_answer_to_odd_lines_is_ours() -> None:
    """Lines that ended the real server are refused, all others are read."""
    fatal = {
        "attribute-extra", "no-stream", "no-guid", "guid-bad", "leading-tab", "across-lines",
        "noise", "unknown-element", "data-empty", "data-selfclosed", "data-bad-base64",
        "xml-declaration",
    }  # fmt: skip
    for path in sorted((WHOLE / "outofproc" / "probes").glob("line-*.jsonl")):
        reader = LineReader()
        for side, data in chunks(path):
            if side is Side.CLIENT:
                reader.receive_data(data)
        faults = 0
        while (line := reader.next_line()) is not None:
            faults += read(line.data)[1] is not None
        assert (faults > 0) == (path.stem.removeprefix("line-") in fatal), path.name
