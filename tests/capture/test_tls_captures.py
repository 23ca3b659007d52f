"""Captures of WS-Man inside TLS: a recorded session, sealed anew by a real implementation."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.network.tls import TlsPiece, TlsSession
from psremoting.capture.network.tls_keys import TlsSecrets, expand_label
from psrp.sansio import Side
from tests.capture.makers import source
from tests.capture.sealed_sessions import RECORDING, Identity, Tls, Turn, identity, plain_turns
from tests.capture.wire import conversations, pcap, pcapng

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
NO_EXTENDED_MASTER, MAC_FIRST = 1 << 0, 1 << 19
"""Options of OpenSSL that Python does not name."""


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    folder = tmp_path_factory.mktemp("identities")
    return {kind: identity(folder, kind) for kind in ("rsa", "ec")}


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return messages(list(decode(RECORDING)))


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


def logged(path: Path) -> PacketSecrets:
    secrets = PacketSecrets()
    secrets.add_key_log(str(path))
    return secrets


def reading(turns: list[Turn], secrets: PacketSecrets, port: int = 5986) -> Iterator[Entry]:
    return decode_source(source(pcap(conversations(turns, port=port))), None, None, secrets)


def opened(turns: list[Turn], secrets: PacketSecrets, port: int = 5986) -> list[Entry]:
    return list(reading(turns, secrets, port))


CASES = {
    "1.3": (V13, "", 0, "rsa"),
    "1.2": (V12, "", 0, "rsa"),
    "AES128-GCM": (V12, "ECDHE-RSA-AES128-GCM-SHA256", 0, "rsa"),
    "ECDSA AES256-GCM": (V12, "ECDHE-ECDSA-AES256-GCM-SHA384", 0, "ec"),
    "ChaCha20": (V12, "ECDHE-RSA-CHACHA20-POLY1305", 0, "rsa"),
    "CCM-8": (V12, "AES256-CCM8:@SECLEVEL=0", 0, "rsa"),
    "CBC SHA-1": (V12, "AES128-SHA", 0, "rsa"),
    "CBC SHA-1, MAC first": (V12, "AES128-SHA", MAC_FIRST, "rsa"),
    "CBC SHA-256, no extended master secret": (V12, "AES256-SHA256", NO_EXTENDED_MASTER, "rsa"),
    "CBC SHA-384": (V12, "ECDHE-RSA-AES256-SHA384", 0, "rsa"),
    "CBC SHA-384, MAC first": (V12, "ECDHE-RSA-AES256-SHA384", MAC_FIRST, "rsa"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_log_opens_every_version_and_cipher(
    case: str, identities: dict[str, Identity], tmp_path: Path, expected: list[Any]
) -> None:
    version, ciphers, options, kind = CASES[case]
    log = tmp_path / "keys.log"
    tls = Tls(identities[kind], log, version, ciphers, options)
    found = opened(tls.seal(plain_turns()), logged(log))
    assert messages(found) == expected
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0
    marks = {entry.carrier.get("opened") for entry in found if entry.event is not None}
    assert marks == {"TLS 1.3" if version is V13 else "TLS 1.2"}
    (first, *_) = [entry for entry in found if entry.type == "net:Connection"]
    assert first.data["host"] == "server.lab"
    assert first.data["key"] == "opened with a key log"


@pytest.mark.parametrize("options", [0, NO_EXTENDED_MASTER], ids=["extended", "plain"])
def test_the_private_key_of_the_server_opens_the_key_exchange_rsa(
    options: int, identities: dict[str, Identity], tmp_path: Path, expected: list[Any]
) -> None:
    """Connections after the first one resume its session, without a key exchange."""
    tls = Tls(
        identities["rsa"], tmp_path / "keys.log", V12, "AES128-GCM-SHA256", options, resume=True
    )
    turns = tls.seal(plain_turns())
    assert tls.reused.count(True) == len(tls.reused) - 1
    secrets = PacketSecrets()
    secrets.add_server_key(str(identities["rsa"].path))
    found = opened(turns, secrets)
    assert messages(found) == expected
    (first, *_) = [entry for entry in found if entry.type == "net:Connection"]
    assert first.data["key"] == "opened with a server key"


@pytest.mark.parametrize("version", [V12, V13])
def test_resumed_sessions_open_with_their_key_log(
    version: ssl.TLSVersion,
    identities: dict[str, Identity],
    tmp_path: Path,
    expected: list[Any],
) -> None:
    log = tmp_path / "keys.log"
    tls = Tls(identities["rsa"], log, version, resume=True)
    turns = tls.seal(plain_turns())
    assert any(tls.reused)
    assert messages(opened(turns, logged(log))) == expected


def test_another_servers_key_opens_nothing_and_the_missing_one_is_named(
    identities: dict[str, Identity], tmp_path: Path
) -> None:
    other = identity(tmp_path, "rsa")
    tls = Tls(identities["rsa"], tmp_path / "keys.log", V12, "AES128-GCM-SHA256")
    secrets = PacketSecrets()
    secrets.add_server_key(str(other.path))
    found: list[Entry] = []
    with pytest.raises(CaptureError, match="no key given opens it; missing: the key log line"):
        found.extend(reading(tls.seal(plain_turns()), secrets))
    assert not messages(found)
    notes = {entry.data["note"] for entry in found if entry.type == "tls:Sealed"}
    assert all("missing: the key log line of the client random" in note for note in notes)
    assert all("or the private key of the server" in note for note in notes)


def test_a_key_log_embedded_in_pcapng_is_used(
    identities: dict[str, Identity], tmp_path: Path, expected: list[Any]
) -> None:
    log = tmp_path / "keys.log"
    turns = Tls(identities["rsa"], log).seal(plain_turns())
    data = pcapng(conversations(turns), key_log=log.read_bytes())
    assert messages(list(decode_source(source(data)))) == expected


@pytest.mark.parametrize("port", [5986, 8443])
def test_sealed_connections_are_listed_with_size_direction_and_what_is_missing(
    port: int, identities: dict[str, Identity], tmp_path: Path
) -> None:
    turns = Tls(identities["rsa"], tmp_path / "keys.log").seal(plain_turns())
    found = opened(turns, PacketSecrets(), port)
    rows = [entry for entry in found if entry.type == "tls:Sealed"]
    connections = {turn[0] for turn in turns}
    assert len({row.carrier["connection"] for row in rows}) == len(connections)
    assert {row.plumbing for row in rows} == {port != 5986}
    assert all("the key log line of the client random" in row.data["note"] for row in rows)
    sent = sum(len(data) for _, _, data in turns)
    assert 0 < sum(row.data["bytes"] for row in rows) < sent
    shown = [entry for entry in found if entry.type == "net:Connection"]
    assert {entry.data["host"] for entry in shown} == {"server.lab"}
    assert {entry.data["server"] for entry in shown} == {f"10.0.0.2:{port}"}


def test_a_connection_from_its_middle_stays_sealed_and_says_why(
    identities: dict[str, Identity], tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    turns = Tls(identities["rsa"], log).seal(plain_turns())
    frames = [frame for frame in conversations(turns, port=5986) if not frame.data[33] & 2]
    # Without the first packets of each connection.
    frames = frames[30:]
    found = list(decode_source(source(pcap(frames))))
    notes = {entry.data["note"] for entry in found if entry.type == "tls:Sealed"}
    assert any("the beginning of the TLS connection" in note for note in notes)
    # In TLS 1.3 the key log alone opens what is there.
    again = list(decode_source(source(pcap(frames)), None, None, logged(log)))
    assert not [entry for entry in again if entry.type == "tls:Sealed"]


def test_a_key_log_without_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_text("# nothing here\nCLIENT_RANDOM zz zz\n")
    with pytest.raises(CaptureError, match="no line of a TLS key log"):
        PacketSecrets().add_key_log(str(path))


# -- one connection


TURNS: list[Turn] = [
    (1, True, b"hello " * 100),
    (1, False, bytes(range(256)) * 160),
    (1, True, b"x"),
    (1, False, b"bye"),
]
SENT = {side: b"".join(d for _, c, d in TURNS if c == (side is Side.CLIENT)) for side in Side}


def talk(secrets: TlsSecrets, pieces: list[tuple[Side, bytes | int]]) -> list[TlsPiece]:
    session = TlsSession(secrets)
    found: list[TlsPiece] = []
    for side, piece in pieces:
        read = session.gap(side, piece) if isinstance(piece, int) else session.receive(side, piece)
        found.extend(read)
    return [*found, *session.end()]


@pytest.fixture(scope="module", params=[V12, V13], ids=["1.2", "1.3"])
def recorded(
    request: pytest.FixtureRequest,
    identities: dict[str, Identity],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[TlsSecrets, list[tuple[Side, bytes]]]:
    log = tmp_path_factory.mktemp("log") / "keys.log"
    turns = Tls(identities["rsa"], log, request.param).seal(TURNS)
    secrets = TlsSecrets()
    secrets.add_log(log.read_bytes())
    return secrets, [(Side.CLIENT if c else Side.SERVER, data) for _, c, data in turns]


@pytest.mark.parametrize("first", Side)
def test_one_direction_may_be_read_before_the_other(recorded: Any, first: Side) -> None:
    secrets, pieces = recorded
    pieces = sorted(pieces, key=lambda each: each[0] is not first)
    found = talk(secrets, pieces)
    for side in Side:
        assert b"".join(each.data for each in found if each.side is side) == SENT[side]
    assert not any(each.gap or each.sealed for each in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_holes_cost_the_records_that_they_hit_and_give_no_wrong_byte(
    recorded: Any, data: st.DataObject
) -> None:
    secrets, pieces = recorded
    size = data.draw(st.sampled_from([3, 100, 700, 5000]))
    cut = [(s, d[at : at + size]) for s, d in pieces for at in range(0, len(d), size)]
    lost = data.draw(st.sets(st.integers(0, len(cut) - 1), max_size=4))
    holed = [(s, len(d) if at in lost else d) for at, (s, d) in enumerate(cut)]
    found = talk(secrets, holed)
    for side in Side:
        at = 0
        for each in found:
            if each.side is side and each.data:
                at = SENT[side].find(each.data, at)
                assert at >= 0
                at += len(each.data)
        if not lost:
            assert at == len(SENT[side])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_records_give_no_wrong_byte_and_no_error(
    recorded: Any, data: st.DataObject
) -> None:
    secrets, pieces = recorded
    rng = random.Random(data.draw(st.integers(0, 1 << 30)))
    damaged = []
    for side, piece in pieces:
        copy = bytearray(piece)
        if rng.random() < 0.3:
            at = rng.randrange(len(copy))
            copy[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        damaged.append((side, bytes(copy)))
    found = talk(secrets, damaged)
    for side in Side:
        at = 0
        for each in found:
            if each.side is side and each.data:
                at = SENT[side].find(each.data, at)
                assert at >= 0
                at += len(each.data)


def test_records_after_a_hole_open_again(recorded: Any) -> None:
    secrets, pieces = recorded
    at, (side, data) = max(enumerate(pieces), key=lambda each: len(each[1][1]))
    holed: list[tuple[Side, bytes | int]] = [*pieces]
    holed[at : at + 1] = [(side, data[:20_000]), (side, 500), (side, data[20_500:])]
    found = talk(secrets, holed)
    plain = b"".join(each.data for each in found if each.side is side)
    assert plain == SENT[side][:16384] + SENT[side][32768:]


def test_keys_that_are_updated_in_the_middle_are_followed(
    identities: dict[str, Identity], tmp_path: Path
) -> None:
    """Python's TLS cannot update keys, so the records after it are made here. [RFC 8446] 4.6.3"""
    log = tmp_path / "keys.log"
    # Python does not choose among the suites of 1.3; OpenSSL's first one is this.
    turns = Tls(identities["rsa"], log).seal(TURNS[:2])
    secrets = TlsSecrets()
    secrets.add_log(log.read_bytes())
    rows = dict(each.split()[::2] for each in log.read_text().splitlines() if each[0] != "#")
    secret = bytes.fromhex(rows["CLIENT_TRAFFIC_SECRET_0"])
    pieces: list[tuple[Side, bytes | int]] = [
        (Side.CLIENT if c else Side.SERVER, data) for _, c, data in turns
    ]

    def sealed(kind: int, plain: bytes, number: int) -> bytes:
        inner = plain + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        key, start = (
            expand_label("sha384", secret, label, size)
            for label, size in ((b"key", 32), (b"iv", 12))
        )
        nonce = (int.from_bytes(start, "big") ^ number).to_bytes(12, "big")
        return head + AESGCM(key).encrypt(nonce, inner, head)

    update = b"\x18\0\0\1\0"
    for count in range(3):
        pieces.append((Side.CLIENT, sealed(22, update, 1)))
        secret = expand_label("sha384", secret, b"traffic upd", 48)
        pieces.append((Side.CLIENT, sealed(23, b"after %d" % count, 0)))
    found = talk(secrets, pieces)
    plain = b"".join(each.data for each in found if each.side is Side.CLIENT)
    assert plain == SENT[Side.CLIENT][:600] + b"after 0after 1after 2"
    assert not any(each.sealed for each in found)


# -- hellos that the capture lacks


def without(pieces: list[tuple[Side, bytes]], kinds: set[int]) -> list[tuple[Side, bytes | int]]:
    """Return the pieces with gaps in place of those that begin with these handshake messages."""
    return [
        (side, len(data) if data[0] == 22 and data[5] in kinds else data) for side, data in pieces
    ]


@pytest.mark.parametrize("lost", ["client", "server", "both"])
def test_a_key_log_makes_up_for_lost_hellos(recorded: Any, lost: str) -> None:
    """In TLS 1.2 the keys need the random of the server, so only the ClientHello may be lost."""
    secrets, pieces = recorded
    found = talk(secrets, without(pieces, {"client": {1}, "server": {2}, "both": {1, 2}}[lost]))
    is_13 = b"CLIENT_RANDOM" not in {label.encode() for label, _ in secrets._logged}
    for side in Side:
        shown = b"".join(each.data for each in found if each.side is side)
        assert shown == (SENT[side] if is_13 or lost == "client" else b"")


def test_a_capture_that_begins_in_the_middle_opens_with_the_key_log_of_tls_1_3(
    recorded: Any,
) -> None:
    secrets, pieces = recorded
    others = TlsSecrets()
    for number in range(20):
        for label in ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"):
            others.add_line(f"{label} {number:064x} {number:096x}".encode())
    others._logged.update(secrets._logged)
    data = [each for each in pieces if each[1][0] == 23]
    found = talk(others, data[-3:])
    is_13 = any(label == "CLIENT_TRAFFIC_SECRET_0" for label, _ in secrets._logged)
    for side in Side:
        shown = b"".join(each.data for each in found if each.side is side)
        assert SENT[side].endswith(shown)
        assert bool(shown) == is_13


def test_lost_hellos_are_named(identities: dict[str, Identity], tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    turns = Tls(identities["rsa"], log, V12).seal(TURNS)
    pieces = [(Side.CLIENT if c else Side.SERVER, data) for _, c, data in turns]
    for kinds, name in (({1}, "ClientHello"), ({2}, "ServerHello"), ({1, 2}, "beginning")):
        session = TlsSession(TlsSecrets())
        for side, piece in without(pieces, kinds):
            read = session.gap(side, piece) if isinstance(piece, int) else session.receive(
                side, piece)  # fmt: skip
            list(read)
        list(session.end())
        assert session.missing == f"the {name} of the TLS connection, which the capture lacks"
        assert session.sealed[Side.CLIENT]


def test_early_data_is_named() -> None:
    hello = bytearray(b"\x03\x03" + bytes(range(32)) + b"\0\0\x02\x13\x01\x01\0")
    hello += b"\0\x04\0\x2a\0\0"
    message = b"\x01" + len(hello).to_bytes(3, "big") + hello
    record = b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
    early = b"\x17\x03\x03\0\x40" + bytes(64)
    session = TlsSession(TlsSecrets())
    found = [*session.receive(Side.CLIENT, record + early), *session.end()]
    assert sum(each.sealed for each in found) == 64
    assert "early data (0-RTT)" in session.missing


# -- through a proxy


@pytest.mark.parametrize("inner", ["tls", "plain"])
def test_a_connection_through_a_proxy_is_opened(
    inner: str, identities: dict[str, Identity], tmp_path: Path, expected: list[Any]
) -> None:
    log = tmp_path / "keys.log"
    tls = Tls(identities["rsa"], log)
    turns = tls.seal(plain_turns()) if inner == "tls" else plain_turns()
    made: list[Turn] = []
    for number in sorted({turn[0] for turn in turns}):
        head = b"CONNECT server.lab:5986 HTTP/1.1\r\nHost: server.lab:5986\r\n\r\n"
        made.append((number, True, head))
        if number == 1:
            made.append((number, False, b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                         b"Content-Length: 2\r\n\r\nno"))  # fmt: skip
            made.append((number, True, head))
        made.append((number, False, b"HTTP/1.1 200 Connection established\r\n\r\n"))
    secrets = logged(log) if inner == "tls" else PacketSecrets()
    found = opened([*made, *turns], secrets, 3128)
    assert messages(found) == expected
    connections = [entry.data for entry in found if entry.type == "net:Connection"]
    assert {each["through"] for each in connections} == {"server.lab:5986"}
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0


def test_a_sealed_connection_through_a_proxy_is_listed(
    identities: dict[str, Identity], tmp_path: Path
) -> None:
    turns = Tls(identities["rsa"], tmp_path / "keys.log").seal(TURNS)
    head = b"CONNECT server.lab:5986 HTTP/1.1\r\nHost: server.lab:5986\r\n\r\n"
    made = [(1, True, head), (1, False, b"HTTP/1.1 200 OK\r\n\r\n")]
    found = opened([*made, *turns], PacketSecrets(), 3128)
    sealed = [entry.data for entry in found if entry.type == "tls:Sealed"]
    assert sealed
    assert all("missing: the key log line of the client random" in each["note"] for each in sealed)
