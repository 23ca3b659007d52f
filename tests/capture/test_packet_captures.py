"""Packet captures: containers, reassembly, HTTP, and recorded captures with their secrets."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source, gather_packet_keys
from psremoting.capture.jsonlines import line
from psremoting.capture.network.http_flows import FlowReader
from psremoting.capture.network.layers import Layers
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.network.tcp import Piece
from psremoting.cli.main import main
from psrp.sansio import Side
from tests.capture.makers import source
from tests.capture.test_http_forms import ENVELOPE, SEND
from tests.capture.wire import ETHERNET, Frame, conversation, pcap, pcapng
from tests.recordings import SHARED, needs_collection

REQUEST = (
    "POST /wsman HTTP/1.1\r\nHost: a\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
    f"Content-Length: {len(SEND)}\r\n\r\n{SEND}"
).encode()
RESPONSE = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
    f"Content-Length: {len(ENVELOPE)}\r\n\r\n{ENVELOPE}"
).encode()
FRAMES = conversation([(True, REQUEST), (False, RESPONSE), (True, REQUEST), (False, RESPONSE)])
PASSWORDS = {"pcap-kerberos": "abc123!D@t3M1k3", "wsman-live": "P@ss1", "wsman-omi": "P@ss-w0rd1"}


def entries(data: bytes) -> list[Entry]:
    return list(decode_source(source(data)))


def acts(found: list[Entry]) -> list[str]:
    return [entry.type for entry in found if entry.type.startswith("wsman:")]


EXCHANGES = ["wsman:Send", "wsman:ReceiveResponse"] * 2


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("make", [pcap, pcapng])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_every_container_gives_the_same_messages(make: Any, order: str, packed: bool) -> None:
    data = make(FRAMES, order)
    found = entries(gzip.compress(data) if packed else data)
    assert acts(found) == EXCHANGES
    assert found[-1].data["form"] == "pcap"
    assert found[-1].data["unaccounted"] == 0
    assert found[0].carrier["time"] == pytest.approx(1_700_000_000.002)


ETHER = bytes(12)
LINKS = {
    "Ethernet": (ETHERNET, ETHER + b"\x08\0"),
    "VLAN": (ETHERNET, ETHER + b"\x81\0\0\x05\x08\0"),
    "two VLAN tags": (ETHERNET, ETHER + b"\x88\xa8\0\x05\x81\0\0\x06\x08\0"),
    "Linux cooked": (113, bytes(14) + b"\x08\0"),
    "Linux cooked v2": (276, b"\x08\0" + bytes(18)),
    "loopback": (0, struct.pack("<I", 2)),
    "raw IP": (101, b""),
    "IPv4": (228, b""),
}


@pytest.mark.parametrize("link", LINKS)
def test_every_link_type_is_unwrapped(link: str) -> None:
    number, head = LINKS[link]
    frames = [Frame(frame.time, head + frame.data) for frame in FRAMES]
    assert acts(entries(pcap(frames, link_type=number))) == EXCHANGES


def test_an_unknown_link_type_is_named() -> None:
    with pytest.raises(CaptureError, match="packets of an unknown link type: 147"):
        entries(pcap(FRAMES, link_type=147))


def fragmented(frame: Frame, size: int = 48) -> list[Frame]:
    head, payload = frame.data[:20], frame.data[20:]
    made = []
    for start in range(0, len(payload), size):
        more = 0x2000 if start + size < len(payload) else 0
        part = payload[start : start + size]
        fields = struct.pack(">HHH", 20 + len(part), crc32(payload) & 0xFFFF, start // 8 | more)
        made.append(Frame(frame.time, head[:2] + fields + head[8:] + part))
    return made


def test_fragments_of_ip_are_joined_in_any_order() -> None:
    frames = [part for frame in FRAMES for part in reversed(fragmented(frame))]
    assert acts(entries(pcap(frames))) == EXCHANGES


def of_version_6(frame: Frame, cut: int = 0) -> list[Frame]:
    """Return the same segment in IPv6, with ``cut`` in two fragments and a hop-by-hop header."""
    segment = frame.data[20:]
    ends = bytes(12) + frame.data[12:16] + bytes(12) + frame.data[16:20]
    if not cut or len(segment) <= cut:
        return [
            Frame(frame.time, struct.pack(">IHBB", 6 << 28, len(segment), 6, 64) + ends + segment)
        ]
    made = []
    for start, part in ((0, segment[:cut]), (cut, segment[cut:])):
        more = int(start == 0)
        options = struct.pack(">BB6x", 44, 0)
        fragment = struct.pack(">BBHI", 6, 0, start | more, crc32(segment))
        body = options + fragment + part
        made.append(
            Frame(frame.time, struct.pack(">IHBB", 6 << 28, len(body), 0, 64) + ends + body)
        )
    return made


@pytest.mark.parametrize("cut", [0, 48])
def test_ip_version_6_and_its_fragments_are_read(cut: int) -> None:
    frames = [part for frame in FRAMES for part in reversed(of_version_6(frame, cut))]
    found = entries(pcap(frames))
    assert acts(found) == EXCHANGES
    assert found[0].data["client"] == "[::a00:1]:50001"


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_segments_in_any_order_and_doubled_give_the_same_messages(data: st.DataObject) -> None:
    frames = FRAMES + data.draw(st.lists(st.sampled_from(FRAMES), max_size=20))
    # The first packet shows which side opened the connection: keep it first.
    frames = [FRAMES[0], *data.draw(st.permutations(frames[1:]))]
    assert sorted(acts(entries(pcap(frames)))) == sorted(EXCHANGES)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lost_segments_cost_only_the_messages_that_they_hit(data: st.DataObject) -> None:
    """Only data that was really sent is shown without an error."""
    lost = data.draw(st.sets(st.integers(2, len(FRAMES) - 3), min_size=1, max_size=3))
    found = entries(pcap([frame for at, frame in enumerate(FRAMES) if at not in lost]))
    shown = acts(found)
    assert len([act for act in shown if act in EXCHANGES]) >= 4 - 2 * len(lost)
    assert found[-1].data["errors"] <= 2 * len(lost)


@pytest.mark.parametrize("cut", [0, 5, 23, 30, 100, 1000])
@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_that_is_cut_gives_what_is_before(make: Any, cut: int) -> None:
    data = make(FRAMES)
    with pytest.raises(CaptureError):
        entries(data[: len(data) - len(data) // 3 - cut])


def test_damage_inside_pcapng_costs_the_blocks_it_hits() -> None:
    data = bytearray(pcapng(FRAMES))
    at = data.find(b"POST /wsman") - 64  # the length of its block
    data[at : at + 4] = b"\xff\xff\xff\xff"
    found: list[Entry] = []
    with pytest.raises(CaptureError, match="byte"):
        found.extend(decode_source(source(bytes(data))))
    assert acts(found)[-2:] == EXCHANGES[:2]


def test_a_gap_in_a_body_keeps_the_framing() -> None:
    reader = FlowReader(Side.CLIENT)
    middle = len(REQUEST) // 2
    pieces = [
        Piece(0, 1, REQUEST[:middle]),
        Piece(0, 2, gap=10),
        Piece(0, 3, REQUEST[middle + 10 :] + REQUEST),
    ]
    first, second = [message for piece in pieces for message in reader.receive(piece)]
    assert [len(message.body) for message in (first, second)] == [len(SEND)] * 2
    ((start, end),) = first.holes
    assert end - start == 10
    assert second.holes == ()


def test_missing_bytes_are_never_shown_as_sent() -> None:
    half = [frame for at, frame in enumerate(FRAMES) if at != 6]
    found = entries(pcap(half))
    (torn,) = [
        e for e in found if isinstance(e.data, dict) and "missing" in str(e.data.get("note"))
    ]
    assert torn.type == "wsman:HTTP"
    assert torn.raw is None
    assert "\0" not in torn.data["text"]
    assert "\N{REPLACEMENT CHARACTER}" * 100 in torn.data["text"]


def test_a_gap_in_a_head_ends_at_the_next_start_line() -> None:
    reader = FlowReader(Side.SERVER)
    pieces = [Piece(0, 1, RESPONSE[:20]), Piece(0, 2, gap=30), Piece(0, 3, b"x: y\r\n" + RESPONSE)]
    (message,) = [message for piece in pieces for message in reader.receive(piece)]
    assert message.body == ENVELOPE.encode()
    assert reader.skipped == 20 + 30 + 6


def test_chunked_and_compressed_bodies_are_read() -> None:
    packed = gzip.compress(ENVELOPE.encode())
    half = len(packed) // 2
    body = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:half], packed[half:], b"")
    )
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Encoding: gzip\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    frames = conversation([(True, REQUEST), (False, head + body)])
    assert acts(entries(pcap(frames))) == EXCHANGES[:2]


def test_damaged_headers_are_passed_over() -> None:
    layers = Layers()
    from psremoting.capture.network.capture_files import Packet

    for size in range(60):
        data = FRAMES[3].data[:size]
        packet = Packet(number=1, time=0, link_type=101, data=data, length=size)
        found = layers.unwrap(packet)
        assert found is None or size >= 40
    assert layers.passed_over == 40


def test_other_connections_are_counted_and_not_shown() -> None:
    found = entries(pcap(conversation([(True, b"SSH-2.0-x\r\n" * 20), (False, b"\0" * 300)])))
    assert acts(found) == []
    assert found[0].data["text"] == "1 connections that are not HTTP"


# -- the recorded captures


def secrets_for(name: str, password: str | None = None) -> PacketSecrets:
    secrets = PacketSecrets()
    secrets.add_password(password or PASSWORDS[name.partition("/")[0]])
    assert SHARED is not None
    gather_packet_keys(str(SHARED / f"{name}.pcapng"), secrets)
    return secrets


def messages(found: list[Entry]) -> list[tuple[str, Any]]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


@needs_collection
@pytest.mark.parametrize("name", ["wsman-live/native-options", "wsman-omi/pwsh-ntlm"])
def test_every_sealed_message_of_a_capture_opens(name: str) -> None:
    assert SHARED is not None
    found = list(decode(SHARED / f"{name}.pcapng", secrets=secrets_for(name)))
    assert not [entry for entry in found if entry.type == "wsman:Sealed"]
    assert len(messages(found)) > 20
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0


@needs_collection
def test_the_kerberos_capture_of_windows_opens_with_the_users_password() -> None:
    assert SHARED is not None
    name = "pcap-kerberos/session"
    found = list(decode(SHARED / f"{name}.pcapng", secrets=secrets_for(name)))
    opened = [entry for entry in found if entry.carrier.get("opened") == "Kerberos"]
    assert {entry.carrier["packet"] for entry in opened}
    assert not [entry for entry in found if entry.type == "wsman:Sealed"]
    statuses = [entry.data.get("status") for entry in found if entry.type.startswith("wsman:")]
    assert statuses.count(401) == 2
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0


@needs_collection
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("wsman-live/managed-commands", "missing: the password of alice"),
        ("pcap-kerberos/session", "missing: a key for the ticket of HTTP/NEWYORK"),
    ],
)
def test_what_stays_sealed_names_the_missing_secret(name: str, missing: str) -> None:
    assert SHARED is not None
    found: list[Entry] = []
    with pytest.raises(CaptureError, match=f"no key given opens it; {missing}"):
        found.extend(decode(SHARED / f"{name}.pcapng", secrets=secrets_for(name, "wrong")))
    sealed = [entry for entry in found if entry.type == "wsman:Sealed"]
    assert sealed
    notes = [entry.data["note"] for entry in sealed]
    assert sum(missing in note for note in notes) > len(notes) * 3 // 4
    assert all(note.startswith("missing: ") for note in notes)
    assert not messages(found)


@needs_collection
def test_the_command_opens_a_capture_and_says_with_which_key() -> None:
    assert SHARED is not None
    path = str(SHARED / "wsman-omi" / "pwsh-ntlm.pcapng")
    ran = CliRunner().invoke(main, ["decode", "--json", "--password", "P@ss-w0rd1", path])
    rows = [json.loads(row) for row in ran.stdout.splitlines()]
    assert ran.exit_code == 0
    assert {row["carrier"].get("opened") for row in rows if row["type"] == "CREATE_PIPELINE"} == {
        "NTLM"
    }


# -- files of secrets


def test_a_key_file_takes_the_forms_of_other_tools(tmp_path: Path) -> None:
    digest = "8846f7eaee8fb117ad06bdd830b7586c"  # "password"
    lines = [
        "# comment",
        "",
        f"LAB\\bob:1001:aad3b435b51404eeaad3b435b51404ee:{digest}:::",
        f"LAB\\bob:aes256-cts-hmac-sha1-96:{'ab' * 32}",
        "LAB\\bob:des-cbc-md5:0123456789abcdef",
        f"BOB::LAB:1122334455667788:{'00' * 16}:{'01' * 40}:secret",
        f"{digest}:$HEX[70617373776f7264]",
        "nt:" + digest,
        f"key:{'cd' * 16}",
        "password:a:b",
    ]
    path = tmp_path / "keys"
    path.write_text("\n".join(lines))
    secrets = PacketSecrets()
    secrets.add_file(str(path))
    assert bytes.fromhex(digest) in secrets.hashes
    again = PacketSecrets()
    again.add_password("password")
    assert again.hashes == (bytes.fromhex(digest),)


@pytest.mark.parametrize("bad", ["what is this", "nt:12", "key:xyz", "key:abcd", "key:des:00"])
def test_a_line_of_another_form_is_refused_with_its_place_and_without_quoting_it(
    tmp_path: Path, bad: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"password:x\n{bad}\n")
    with pytest.raises(CaptureError, match="byte 11") as caught:
        PacketSecrets().add_file(str(path))
    assert bad.partition(":")[2] not in str(caught.value) or not bad.partition(":")[2]
