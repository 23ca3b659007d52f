"""Interleaved fragments are joined to messages, in the order of the first fragments."""

from __future__ import annotations

from base64 import encodebytes
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from psremoting.capture import CaptureError, Entry, Form, KeyRing, reassembly
from psrp import events as e
from psrp.sansio import Side, Stream
from sshsub.packets import Packet, PacketKind, write
from tests.capture.makers import (
    OTHER,
    PIPE,
    entries,
    fragments,
    output,
    packet,
    transcript,
    types,
)


def shown(found: list[Entry]) -> list[object]:
    return [entry.event.data for entry in found if isinstance(entry.event, e.PipelineOutput)]


def test_messages_stand_in_the_order_of_their_first_fragments() -> None:
    first, second = fragments(1, output("long " * 20), 100), fragments(2, output("b", OTHER))
    rows = [("server", packet(first[0])), ("server", packet(second[0], OTHER))]
    rows += [("server", packet(piece)) for piece in first[1:]]
    found = entries(transcript(rows))
    assert shown(found) == ["long " * 20, "b"]
    assert [entry.n for entry in found] == [1, 2, 3]
    assert found[0].fragments == len(first)
    assert found[0].carrier["packet"] == 1
    assert found[0].carrier["last_packet"] == len(rows)
    assert found[1].carrier["packet"] == 2


def test_directions_and_streams_do_not_mix() -> None:
    pieces = fragments(7, output("x" * 300), 100)
    answer = fragments(7, output("y" * 300), 100)
    rows = []
    for piece, other in zip(pieces, answer, strict=True):
        rows.append(("server", packet(piece)))
        rows.append(("client", packet(other, stream=Stream.PROMPT_RESPONSE)))
    found = entries(transcript(rows))
    assert [(entry.direction, entry.stream) for entry in found[:2]] == [
        (Side.SERVER, Stream.DEFAULT),
        (Side.CLIENT, Stream.PROMPT_RESPONSE),
    ]
    assert found[-1].data["unaccounted"] == 0


@given(cuts=st.lists(st.integers(0, 2000)))
def test_entries_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    data = b"".join(packet(piece) for n in (1, 2) for piece in fragments(n, output("x" * 90), 60))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = entries(transcript(("server", data[a:b]) for a, b in pairwise(edges)))
    assert shown(found) == ["x" * 90] * 2
    assert found[-1].data["unaccounted"] == 0


def test_a_message_whose_end_was_not_recorded_is_said_in_its_place() -> None:
    pieces = fragments(1, output("x" * 300), 100)
    other = fragments(2, output("after", OTHER))
    rows = [("server", packet(pieces[0])), ("server", packet(other[0], OTHER))]
    found = entries(transcript(rows))
    assert types(found) == ["incomplete", "PIPELINE_OUTPUT", "summary"]
    assert found[0].target == PIPE
    counted = found[-1].data
    assert (counted["incomplete"], counted["errors"], counted["unaccounted"]) == (1, 0, 100)


def test_a_gap_costs_one_object_and_the_stream_continues() -> None:
    pieces = fragments(1, output("x" * 300), 100)
    good = fragments(2, output("good"))
    rows = [("server", packet(data)) for data in (pieces[0], pieces[2], *good)]
    found = entries(transcript(rows))
    assert types(found) == ["error", "PIPELINE_OUTPUT", "summary"]
    assert found[0].data["rule"] == "fragment-id-sequence"
    assert found[0].carrier["stream_offset"] == 100
    assert found[-1].data["unaccounted"] == len(pieces[0]) + len(pieces[2])


def test_a_spoiled_stream_is_tried_again_with_the_next_packet() -> None:
    bad = b"\0" * 8 + fragments(1, output("bad"))[0][8:]
    rows = [("server", packet(data)) for data in (bad, fragments(2, output("good"))[0])]
    found = entries(transcript(rows))
    assert types(found) == ["error", "PIPELINE_OUTPUT", "summary"]
    assert found[0].data["rule"] == "object-id-zero"


def test_a_declared_length_over_the_limit_is_an_error_line() -> None:
    huge = b"\0" * 7 + b"\1" + b"\0" * 8 + b"\3" + b"\x7f\xff\xff\x00" + b"x" * 40
    found = entries(transcript([("server", packet(huge))]))
    assert types(found) == ["error", "summary"]
    assert found[0].data["rule"] == "limit"


def test_an_unreadable_body_names_its_message_and_the_rest_is_read() -> None:
    message = output("x")[:43] + b"<I32>no</I32>"
    rows = [("server", packet(data)) for data in (*fragments(1, message), *fragments(2, output(1)))]
    found = entries(transcript(rows))
    assert types(found) == ["error", "PIPELINE_OUTPUT", "summary"]
    assert found[0].data["message"] == "PIPELINE_OUTPUT"
    assert (found[0].pid, found[0].object_id, found[0].size) == (PIPE, 1, len(message))


def test_a_message_of_unknown_type_is_shown_as_such() -> None:
    message = b"\1\0\0\0\xff\xff\4\0" + output("x")[8:]
    found = entries(transcript([("server", packet(fragments(1, message)[0]))]))
    assert isinstance(found[0].event, e.UnknownMessage)
    assert found[-1].data["errors"] == 0


def test_an_endless_message_does_not_hold_up_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless message does not hold up later ones; it is reported where it ends."""
    monkeypatch.setattr(reassembly, "MAX_HELD", 5)
    pieces = fragments(1, output("x" * 300), 100)
    rows = [("server", packet(pieces[0]))]
    rows += [("server", packet(fragments(n, output(n, OTHER))[0], OTHER)) for n in range(2, 12)]
    rows += [("server", packet(piece)) for piece in pieces[1:]]
    found = entries(transcript(rows))
    assert shown(found) == [*range(2, 12), "x" * 300]
    assert found[-1].data["unaccounted"] == 0


def test_a_closed_pipeline_frees_its_streams_and_may_come_again() -> None:
    acks = [
        write(Packet(kind=kind, target=PIPE)) for kind in (PacketKind.CLOSE, PacketKind.CLOSE_ACK)
    ]
    rows = [("server", packet(fragments(1, output("a"))[0])), ("client", acks[0])]
    rows += [("server", acks[1]), ("server", packet(fragments(1, output("b"))[0]))]
    assert shown(entries(transcript(rows))) == ["a", "b"]


def test_a_recording_of_bare_fragments_knows_senders_and_targets_from_its_messages() -> None:
    data = b"".join(fragments(1, output("x" * 90), 60)) + fragments(2, output(1, OTHER))[0]
    for form, text in (
        (Form.FRAGMENTS, data),
        (Form.HEX, data.hex(" ").encode()),
        (Form.BASE64, encodebytes(data)),
    ):
        found = entries(text)
        assert found[-1].data["form"] == form.value
        assert [(entry.direction, entry.target) for entry in found[:2]] == [
            (Side.SERVER, PIPE),
            (Side.SERVER, OTHER),
        ]
        assert found[-1].data["unaccounted"] == 0


def test_fragments_that_begin_inside_a_message_say_so() -> None:
    pieces = fragments(1, output("x" * 300), 100)
    data = b"".join(pieces[1:]) + fragments(2, output("whole"))[0]
    found = entries(data, Form.FRAGMENTS)
    assert types(found) == ["incomplete", "PIPELINE_OUTPUT", "summary"]
    assert "beginning" in found[0].data["text"]
    assert found[-1].data["unaccounted"] == sum(map(len, pieces[1:]))


@pytest.mark.parametrize(
    ("form", "text", "offset"),
    [
        (Form.HEX, "0g", 0),
        (Form.HEX, "000", 3),
        (Form.BASE64, "A=AA", 0),
        (Form.BASE64, "AAA", 3),
    ],
)
def test_digits_that_are_none_are_refused_with_their_place(
    form: Form, text: str, offset: int
) -> None:
    with pytest.raises(CaptureError, match=f"made: byte {offset}: "):
        entries(text, form)


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=60))))
def test_garbage_gives_lines_and_a_summary(rows: list[tuple[str, bytes]]) -> None:
    found = entries(transcript(rows), Form.TRANSCRIPT)
    assert found[-1].type == "summary"
    assert 0 <= found[-1].data["unaccounted"] <= found[-1].data["bytes"]


def test_sealed_messages_wait_for_their_key_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "MAX_HELD", 5)
    sealed = output(None) + b"\xef\xbb\xbf<SS>AAAA</SS>"
    data = b"".join(fragments(number, sealed)[0] for number in range(1, 3000))
    ring = KeyRing([rsa.generate_private_key(65537, 2048)])
    found = entries(transcript([("server", packet(data))]), ring=ring)
    assert found[-1].data["messages"] == 2999
    assert [entry.object_id for entry in found[:-1]] == list(range(1, 3000))
