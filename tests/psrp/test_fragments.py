"""The fragment layer: any message is reassembled, wherever its bytes are cut."""

from __future__ import annotations

from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.fragments import HEADER_SIZE, MAX_OBJECT_ID, Defragmenter, Fragmenter, split
from psrp.messages import MessageType, read_header
from psrp.sansio import (
    FragmentError,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Side,
)
from tests.conversations import conversation
from tests.psrp.recorded import probe


def fragment(object_id: int, number: int, flags: int, blob: bytes = b"") -> bytes:
    return (
        object_id.to_bytes(8, "big")
        + number.to_bytes(8, "big")
        + bytes([flags])
        + len(blob).to_bytes(4, "big")
        + blob
    )


def reassembled(wire: bytes, cuts: list[int] | None = None, **options: bool) -> list[bytes]:
    source = Defragmenter(**options)  # type: ignore[arg-type]
    found = []
    for begin, end in pairwise([0, *sorted(cuts or []), len(wire)]):
        source.receive_data(wire[begin:end])
        while (message := source.next_message()) is not None:
            found.append(message)
    return found


def fragmenter(*messages: bytes) -> Fragmenter:
    queue = Fragmenter(count(1))
    for message in messages:
        queue.add(message)
    return queue


CASES = [
    pytest.param(
        list(split(1, b"hi", 100)),
        ["0000000000000001 0000000000000000 03 00000002 6869"],
        id="start and end",
    ),
    pytest.param(
        list(split(258, b"abcde", 23)),
        [
            "0000000000000102 0000000000000000 01 00000002 6162",
            "0000000000000102 0000000000000001 00 00000002 6364",
            "0000000000000102 0000000000000002 02 00000001 65",
        ],
        id="start, neither, end",
    ),
    pytest.param(
        list(split(MAX_OBJECT_ID, b"ab", 22)),
        [
            "7fffffffffffffff 0000000000000000 01 00000001 61",
            "7fffffffffffffff 0000000000000001 02 00000001 62",
        ],
        id="no empty end",
    ),
]


@pytest.mark.parametrize(("made", "wire"), CASES)
def test_fragments_have_the_documented_bytes(made: list[bytes], wire: list[str]) -> None:
    """Statements A1, A7."""
    assert made == [bytes.fromhex(line) for line in wire]


messages = st.lists(st.binary(min_size=1, max_size=200), max_size=6)


@given(messages, st.integers(HEADER_SIZE + 1, 120), st.data())
def test_messages_are_the_same_however_the_bytes_are_cut(
    sent: list[bytes], size: int, data: st.DataObject
) -> None:
    """Statement A3."""
    wire = b"".join(piece for i, text in enumerate(sent, 1) for piece in split(i, text, size))
    cuts = data.draw(st.lists(st.integers(0, len(wire))))
    assert reassembled(wire, cuts) == sent
    assert reassembled(wire, list(range(len(wire)))) == sent


@given(messages, st.lists(st.integers(HEADER_SIZE + 1, 120), min_size=1))
def test_payloads_hold_whole_fragments(sent: list[bytes], rooms: list[int]) -> None:
    queue = fragmenter(*sent)
    assert (len(queue), queue.pending) == (len(sent), sum(map(len, sent)))
    found: list[bytes] = []
    source = Defragmenter()
    for turn in count():
        room = rooms[turn % len(rooms)]
        payload = queue.next_payload(room)
        if not payload:
            break
        assert len(payload) <= room
        source.receive_data(payload)
        while (message := source.next_message()) is not None:
            found.append(message)
        # Only a fragment of an incomplete message may be queued, and it was consumed completely.
        assert source.pending == 0
    assert found == sent
    assert (len(queue), queue.pending) == (0, 0)


@given(st.integers(HEADER_SIZE + 1, 40_000), st.integers(1, 100_000))
def test_no_fragment_is_larger_than_the_room(room: int, size: int) -> None:
    """Statement A11."""
    pieces = list(split(1, bytes(size), room))
    assert max(map(len, pieces)) <= room
    assert min(map(len, pieces)) > HEADER_SIZE


def test_a_message_that_fits_is_not_cut() -> None:
    queue = fragmenter(b"a" * 20, b"b" * 40, b"c" * 200)
    assert queue.next_payload(80) == fragment(1, 0, 3, b"a" * 20)
    second = queue.next_payload(100)
    assert second == fragment(2, 0, 3, b"b" * 40) + fragment(3, 0, 1, b"c" * 18)
    assert queue.next_payload(300) == fragment(3, 1, 2, b"c" * 182)
    assert queue.next_payload(300) == b""


def test_a_large_message_starts_in_the_next_payload_when_there_is_no_room() -> None:
    queue = fragmenter(b"a" * 20, b"b" * 60)
    assert queue.next_payload(62) == fragment(1, 0, 3, b"a" * 20)
    assert queue.next_payload(62) == fragment(2, 0, 1, b"b" * 41)


def test_what_was_queued_can_be_forgotten_or_taken_back() -> None:
    queue = fragmenter(b"a" * 50, b"b", b"c")
    queue.next_payload(40)
    assert queue.withdraw() == [b"b", b"c"]
    assert (len(queue), queue.pending, queue.next_payload(99)) == (0, 0, b"")
    queue.add(b"d")
    assert queue.withdraw() == [b"d"]
    queue.add(b"e")
    queue.clear()
    assert queue.next_payload(99) == b""


MISTAKES = [
    pytest.param((1, b"x", 21), id="no room for a blob"),
    pytest.param((0, b"x", 99), id="object id 0"),
    pytest.param((1 << 63, b"x", 99), id="object id of 64 bits"),
    pytest.param((1, b"", 99), id="empty message"),
]


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_of_ours_is_refused_at_once(arguments: tuple[int, bytes, int]) -> None:
    with pytest.raises(LocalProtocolError):
        split(*arguments)


def test_a_refused_call_changes_nothing_in_the_queue() -> None:
    queue = fragmenter(b"abc")
    with pytest.raises(LocalProtocolError):
        queue.next_payload(21)
    with pytest.raises(LocalProtocolError):
        queue.add(b"")
    assert queue.next_payload(99) == fragment(1, 0, 3, b"abc")


def test_ids_need_no_order_and_no_start_at_one() -> None:
    """Statement A9."""
    wire = fragment(77, 0, 3, b"a") + fragment(5, 0, 3, b"b") + fragment(5, 0, 3, b"c")
    assert reassembled(wire) == [b"a", b"b", b"c"]


def test_one_counter_serves_many_queues() -> None:
    ids = count(1)
    first, second = Fragmenter(ids), Fragmenter(ids)
    first.add(b"a")
    second.add(b"b")
    assert second.next_payload(99) == fragment(1, 0, 3, b"b")
    assert first.next_payload(99) == fragment(2, 0, 3, b"a")


# -- invalid streams, as read by real receivers


def test_a_start_throws_the_unfinished_object_away() -> None:
    """Statement A8."""
    source = Defragmenter()
    source.receive_data(fragment(1, 0, 1, b"lost") + fragment(2, 0, 3, b"kept"))
    assert source.next_message() == b"kept"
    assert source.dropped_fragments == 1


def test_the_number_of_a_start_is_not_looked_at() -> None:
    wire = fragment(1, 7, 1, b"a") + fragment(1, 8, 2, b"b")
    assert reassembled(wire) == [b"ab"]


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (fragment(1, 2, 2, b"x"), "fragment-id-sequence"),
        (fragment(1, 0, 2, b"x"), "fragment-id-sequence"),
        (fragment(9, 1, 2, b"x"), "object-id-mismatch"),
    ],
)
def test_a_fragment_out_of_place_costs_one_object(bad: bytes, rule: str) -> None:
    """Statement A8."""
    source = Defragmenter()
    source.receive_data(fragment(1, 0, 1, b"a") + bad + fragment(2, 0, 3, b"next"))
    with pytest.raises(FragmentError) as caught:
        source.next_message()
    assert (caught.value.rule, caught.value.offset) == (rule, 22)
    assert not source.spoiled
    assert source.next_message() == b"next"
    assert source.dropped_fragments == 2


def test_the_first_fragment_of_a_stream_has_to_be_a_start() -> None:
    with pytest.raises(FragmentError, match="no object is running"):
        reassembled(fragment(1, 0, 2, b"x"))


def test_after_a_connect_the_tail_of_an_unknown_object_is_dropped() -> None:
    """Statement A8."""
    tail = fragment(3, 8, 0, b"x") + fragment(3, 9, 2, b"y")
    wire = tail + fragment(4, 0, 3, b"a") + fragment(9, 1, 2, b"z")
    source = Defragmenter(tolerate_leading_tail=True)
    source.receive_data(wire)
    assert source.next_message() == b"a"
    assert source.dropped_fragments == 2
    with pytest.raises(FragmentError):
        source.next_message()


def test_after_a_reconnect_a_known_object_goes_on() -> None:
    source = Defragmenter()
    source.receive_data(fragment(3, 0, 1, b"a"))
    assert source.next_message() is None
    source.tolerate_leading_tail = True
    source.receive_data(fragment(3, 1, 2, b"b") + fragment(5, 1, 0, b"x"))
    assert source.next_message() == b"ab"
    assert source.next_message() is None


SPOILING = [
    pytest.param(fragment(0, 0, 3, b"x"), "object-id-zero", id="object id 0"),
    pytest.param(fragment(1 << 63, 0, 3, b"x"), "object-id-zero", id="only the top bit"),
    pytest.param(
        fragment(1, 0, 3, b"x")[:17] + b"\x7f\xff\xff\xff" + b"x", "length-overflow", id="length"
    ),
]


@pytest.mark.parametrize(("bad", "rule"), SPOILING)
def test_some_headers_spoil_the_stream_for_good(bad: bytes, rule: str) -> None:
    source = Defragmenter()
    source.receive_data(fragment(1, 0, 3, b"good") + bad + fragment(2, 0, 3, b"never"))
    assert source.next_message() == b"good"
    for _ in range(3):
        with pytest.raises(FragmentError) as caught:
            source.next_message()
        assert (caught.value.rule, caught.value.offset) == (rule, 25)
        source.receive_data(fragment(3, 0, 3, b"never"))
    assert source.spoiled
    assert source.consumed == 25


def test_a_message_over_the_limit_is_refused_before_it_has_come() -> None:
    """Statement A12."""
    source = Defragmenter(max_message=100)
    source.receive_data(fragment(1, 0, 3, b"x" * 79) + fragment(2, 0, 3, b"x" * 80)[:22])
    assert source.next_message() == b"x" * 79
    for _ in range(2):
        with pytest.raises(LimitExceeded) as caught:
            source.next_message()
        assert (caught.value.size, caught.value.limit) == (101, 100)


def test_the_limit_counts_all_fragments_with_their_headers() -> None:
    """Statement A12."""
    source = Defragmenter(max_message=65)
    source.receive_data(fragment(1, 0, 1, b"a") + fragment(1, 1, 0, b"b"))
    assert source.next_message() is None
    assert source.unfinished == 44
    source.receive_data(fragment(1, 2, 2, b"c")[:22])
    with pytest.raises(LimitExceeded):
        source.next_message()
    with pytest.raises(LimitExceeded):
        source.next_message()


def test_a_start_begins_to_count_anew() -> None:
    source = Defragmenter(max_message=65)
    source.receive_data(fragment(1, 0, 1, b"a" * 30) + fragment(2, 0, 3, b"b" * 30))
    assert source.next_message() == b"b" * 30


def test_the_top_bits_and_the_other_flags_are_ignored() -> None:
    wire = bytearray(fragment(5, 0, 0xFD, b"a") + fragment(5, 1, 0xFE, b"b"))
    wire[0] |= 0x80
    wire[8] |= 0x80
    wire[17] |= 0x80
    assert reassembled(bytes(wire)) == [b"ab"]


def test_an_empty_blob_waits_for_one_more_byte() -> None:
    """Statement A7."""
    source = Defragmenter()
    source.receive_data(fragment(1, 0, 1, b"a") + fragment(1, 1, 2))
    assert source.next_message() is None
    assert source.pending == HEADER_SIZE
    source.receive_data(fragment(2, 0, 3, b"b")[:1])
    assert source.next_message() == b"a"


def test_an_empty_object_is_an_empty_message() -> None:
    assert reassembled(fragment(1, 0, 3) + fragment(2, 0, 3, b"x")) == [b"", b"x"]


def test_the_last_message_tells_where_it_came_from() -> None:
    source = Defragmenter()
    source.receive_data(fragment(4, 0, 3, b"a") + fragment(9, 0, 1, b"b") + fragment(9, 1, 2, b"c"))
    assert source.next_message() == b"a"
    assert (source.object_id, source.fragment_count, source.offset) == (4, 1, 0)
    assert source.next_message() == b"bc"
    assert (source.object_id, source.fragment_count, source.offset) == (9, 2, 22)
    assert (source.consumed, source.pending, source.unfinished) == (66, 0, 0)


def test_any_kind_of_bytes_is_taken() -> None:
    wire = fragment(1, 0, 3, b"abc")
    source = Defragmenter()
    changing = bytearray(wire)
    source.receive_data(changing)
    changing[:] = bytes(len(changing))
    source.receive_data(memoryview(wire))
    assert [source.next_message(), source.next_message()] == [b"abc", b"abc"]


@given(st.binary(), st.lists(st.integers(0, 300)))
def test_garbage_is_the_peers_fault(data: bytes, cuts: list[int]) -> None:
    error: RemoteProtocolError | None = None
    try:
        reassembled(data, [cut for cut in cuts if cut <= len(data)])
    except RemoteProtocolError as caught:
        error = caught
    assert error is None or isinstance(error, FragmentError | LimitExceeded)


pieces = st.lists(
    st.builds(
        fragment,
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.binary(max_size=5),
    ),
    max_size=12,
)


@given(pieces, st.booleans())
def test_whole_or_byte_by_byte_the_outcome_is_the_same(wire: list[bytes], tolerate: bool) -> None:
    def outcome(step: int) -> list[object]:
        source = Defragmenter(max_message=60, tolerate_leading_tail=tolerate)
        data = b"".join(wire) + b"\0"
        found: list[object] = []
        for begin in range(0, len(data), step):
            source.receive_data(data[begin : begin + step])
            while True:
                try:
                    message = source.next_message()
                except RemoteProtocolError as error:
                    found.append(str(error))
                    if source.spoiled:
                        return found
                    continue
                if message is None:
                    break
                found.append((message, source.object_id, source.fragment_count, source.offset))
        return [*found, source.dropped_fragments, source.consumed]

    assert outcome(1) == outcome(1000) == outcome(7)


def test_a_million_tiny_fragments_are_one_message() -> None:
    message = bytes(range(256)) * 400
    wire = b"".join(split(1, message, HEADER_SIZE + 1))
    source = Defragmenter()
    for begin in range(0, len(wire), 4099):
        source.receive_data(wire[begin : begin + 4099])
        source.next_message()
    source = Defragmenter()
    source.receive_data(wire)
    assert source.next_message() == message
    assert source.fragment_count == len(message)


# -- the real server's answers to odd fragments

ACCEPTED = {
    "fragment-two": 1,
    "fragment-one-byte": 1,
    "fragment-split-across-packets": 1,
    "fragment-header-split-across-packets": 1,
    "fragment-empty-blob-start": 1,
    "fragment-id-huge": 1,
    "fragment-id-repeated": 2,
    "fragment-repeated": 1,
    "fragment-second-start": 1,
    "fragment-other-flags": 1,
    "fragment-empty-blob-end": 0,
    "fragment-empty-object": 0,
    "fragment-gap": 0,
    "fragment-id-0": 0,
    "fragment-interleaved": 1,
    "message-short-header": 0,
}
REFUSED = {
    "fragment-gap": "fragment-id-sequence",
    "fragment-id-0": "object-id-zero",
    "fragment-interleaved": "object-id-mismatch",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_real_server_took_and_refused_the_same(name: str) -> None:
    """The probes send GET_AVAILABLE_RUNSPACES in unusual fragments; count the requests read."""
    source = Defragmenter()
    asked = 0
    rules = []
    said = [each for each in conversation(probe(name)) if each.side is Side.CLIENT]
    for packet in (packet for each in said for packet in each.packets if not packet.target):
        source.receive_data(packet.data)
        while True:
            try:
                message = source.next_message()
            except FragmentError as error:
                rules.append(error.rule)
                if source.spoiled:
                    break
                continue
            if message is None:
                break
            if len(message) >= 40:
                asked += read_header(message).message_type == MessageType.GET_AVAILABLE_RUNSPACES
    assert asked == ACCEPTED[name]
    assert rules == ([REFUSED[name]] if name in REFUSED else [])
