"""Recorded captures in every other form of packets: each opens whole, or says what is missing."""

from __future__ import annotations

import gzip
from collections import Counter
from functools import cache
from typing import Any

import pytest

from psremoting.capture import Entry
from psremoting.capture.decoding import decode_source
from psremoting.capture.network.gathering import gather_keys
from psremoting.capture.network.secrets import PacketSecrets
from tests.capture.makers import source
from tests.capture.variants import FORMS, Frame, frames, out_of_order, pcap_file
from tests.recordings import SHARED, needs_collection

CAPTURES = {
    "pcap-kerberos/session": "abc123!D@t3M1k3",
    "wsman-live/native-options": "P@ss1",
    "wsman-live/managed-commands": "P@ss1",
}
KDC = (88).to_bytes(2, "big")
SHOWN = {"wsman:Sealed", "net:Gap", "incomplete"}
pytestmark = needs_collection


def packets(name: str) -> tuple[Frame, ...]:
    assert SHARED is not None
    return frames(SHARED / f"{name}.pcapng")


def opened(data: bytes, name: str) -> list[Entry]:
    secrets = PacketSecrets()
    secrets.add_password(CAPTURES[name])
    gather_keys(source(data), secrets)
    return list(decode_source(source(data), None, None, secrets))


def timeline(found: list[Entry]) -> list[Any]:
    return [
        (entry.type, entry.direction, entry.target, entry.raw)
        for entry in found
        if entry.event is not None or "action" in entry.carrier
    ]


@cache
def expected(name: str) -> list[Any]:
    return timeline(opened(pcap_file(packets(name)), name))


@pytest.mark.parametrize("name", ["pcap-kerberos/session", "wsman-live/native-options"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_packets_gives_the_same_timeline(name: str, form: str) -> None:
    assert len(expected(name)) > 60
    assert timeline(opened(FORMS[form](packets(name)), name)) == expected(name)


def test_members_of_gzip_may_begin_anywhere() -> None:
    name = "pcap-kerberos/session"
    data = pcap_file(packets(name))
    packed = gzip.compress(data[:4999]) + gzip.compress(data[4999:])
    assert timeline(opened(packed, name)) == expected(name)


@pytest.mark.parametrize("name", ["wsman-live/native-options", "wsman-live/managed-commands"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_packets_of_both_directions_may_come_in_any_order(name: str, seed: int) -> None:
    made = out_of_order(packets(name), 12, seed)
    found = timeline(opened(pcap_file(made), name))
    # The lines of different connections may have changed their places.
    assert Counter(found) == Counter(expected(name))


@pytest.mark.parametrize("name", CAPTURES)
def test_a_lost_packet_costs_what_it_held_and_is_named(name: str) -> None:
    made = packets(name)
    wanted = {(kind, raw) for kind, _, _, raw in expected(name)}
    for at in range(1, len(made), len(made) // 40):
        if made[at].data[34:36] == KDC or made[at].data[36:38] == KDC:
            continue
        found = opened(pcap_file(made[:at] + made[at + 1 :]), name)
        there = {(kind, raw) for kind, _, _, raw in timeline(found)}
        lost = len(wanted - there)
        assert there <= wanted
        assert found[-1].data["errors"] == 0
        reasons = [e for e in found if e.type in SHOWN]
        assert bool(reasons) or not lost, at
        for entry in reasons:
            if entry.type == "wsman:Sealed":
                note = entry.data["note"]
                assert note.startswith("missing: ") or "missing in the capture" in note, at


def test_a_lost_create_does_not_hide_the_compression_of_the_shell() -> None:
    name = "pcap-kerberos/session"
    made = packets(name)
    (lost,) = [
        at for at, frame in enumerate(made)
        if len(frame.data) == 1163 and b"--Encrypted Boundary--" in frame.data and at < 80
    ]  # fmt: skip
    found = opened(pcap_file(made[:lost] + made[lost + 1 :]), name)
    kinds = {entry.type for entry in found}
    assert "wsman:Create" not in kinds
    assert found[-1].data["errors"] == found[-1].data["incomplete"] == 0
    assert {entry[0] for entry in expected(name)} - kinds <= {
        "wsman:Create", "SESSION_CAPABILITY", "INIT_RUNSPACEPOOL",
    }  # fmt: skip


def test_a_lost_answer_to_a_log_on_is_named_with_its_user() -> None:
    name = "pcap-kerberos/session"
    made = packets(name)
    answers = [at for at, frame in enumerate(made) if b"WWW-Authenticate: Negotiate oY" in
               frame.data]  # fmt: skip
    found = opened(pcap_file(f for at, f in enumerate(made) if at != answers[1]), name)
    notes = [entry.data["note"] for entry in found if entry.type == "wsman:Sealed"]
    assert notes
    assert set(notes) == {
        "missing: the acceptor's sub-key of the log-on of mscott@DMEVALS.LOCAL: the capture lacks "
        "the answer to it"
    }


def test_a_lost_challenge_is_named_with_its_user() -> None:
    name = "wsman-live/native-options"
    made = packets(name)
    first = next(at for at, frame in enumerate(made) if b" 401 " in frame.data)
    found = opened(pcap_file(made[:first] + made[first + 1 :]), name)
    notes = [entry.data["note"] for entry in found if entry.type == "wsman:Sealed"]
    assert notes
    assert set(notes) == {"missing: the challenge to alice, which the capture lacks"}
    log_ons = [entry.data.get("missing") for entry in found if entry.type == "net:LogOn"]
    assert log_ons.count("the challenge to alice, which the capture lacks") == 1


def test_cut_packets_are_gaps_of_known_size() -> None:
    name = "wsman-live/managed-commands"
    found = opened(pcap_file(packets(name), snap=1400), name)
    whole = {(kind, raw) for kind, _, _, raw in expected(name)}
    there = {(kind, raw) for kind, _, _, raw in timeline(found)}
    assert there
    assert there <= whole
    notes = [entry.data["note"] for entry in found if entry.type == "wsman:Sealed"]
    assert any("bytes of it are missing in the capture" in note for note in notes)
