"""The wire strategies: their output, refused arguments, and shrinking."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from psrp.fragments import Defragmenter
from psrp.sansio import RemoteProtocolError
from psrp.strategies import FragmentSequence, cuttings, fragments, mutations

#: Shrinking takes seconds.
deep = pytest.mark.skipif(settings.default.max_examples < 1_000, reason="make test-deep only")
SEARCH = settings(max_examples=500, database=None, derandomize=True)


def _received(pieces: list[bytes]) -> tuple[bytes, ...]:
    defragmenter = Defragmenter()
    messages = []
    for piece in pieces:
        defragmenter.receive_data(piece)
        while (message := defragmenter.next_message()) is not None:
            messages.append(message)
    return tuple(messages)


@given(stream=fragments())
def test_fragments_carry_their_messages(stream: FragmentSequence) -> None:
    assert _received(list(stream)) == stream.messages
    assert b"".join(stream) == stream.data


@given(stream=fragments(messages=st.just(b"x" * 100), max_messages=2, max_size=30))
def test_the_arguments_of_fragments_are_kept(stream: FragmentSequence) -> None:
    assert set(stream.messages) == {b"x" * 100}
    assert 1 <= len(stream.messages) <= 2
    assert max(map(len, stream)) == 30


@given(data=st.binary(max_size=300), drawn=st.data())
def test_a_cutting_joins_to_the_whole(data: bytes, drawn: st.DataObject) -> None:
    pieces = drawn.draw(cuttings(data))
    assert b"".join(pieces) == data
    assert all(pieces)


@given(data=st.binary(max_size=300), most=st.integers(0, 5), drawn=st.data())
def test_max_cuts_is_the_most(data: bytes, most: int, drawn: st.DataObject) -> None:
    pieces = drawn.draw(cuttings(data, max_cuts=most))
    assert b"".join(pieces) == data
    assert len(pieces) <= most + 1


@given(data=st.binary(max_size=50), drawn=st.data())
def test_one_change_loses_or_adds_little(data: bytes, drawn: st.DataObject) -> None:
    changed = drawn.draw(mutations(data, max_changes=1))
    assert len(changed) <= len(data) + 30


@given(stream=fragments(), drawn=st.data())
def test_mutations_of_a_stream_are_at_worst_the_peers_fault(
    stream: FragmentSequence, drawn: st.DataObject
) -> None:
    damaged = drawn.draw(mutations(stream.data))
    try:
        received = _received([damaged])
    except RemoteProtocolError:
        return
    assert sum(map(len, received)) <= len(damaged)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: fragments(max_size=21), id="no room for a blob"),
        pytest.param(lambda: fragments(max_messages=0), id="no message"),
        pytest.param(lambda: cuttings(b"ab", max_cuts=-1), id="fewer than no cuts"),
        pytest.param(lambda: mutations(b"ab", max_changes=0), id="no change"),
    ],
)
def test_an_argument_without_sense_raises_at_once(made: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="is"):
        made()


@deep
def test_examples_shrink_to_one_small_fragment() -> None:
    smallest = find(fragments(), lambda stream: True, settings=SEARCH)
    assert smallest.messages == (b"\0",)
    assert len(smallest) == 1
    assert find(cuttings(b"abcdef"), lambda pieces: True, settings=SEARCH) == [b"abcdef"]
    assert find(cuttings(b"abcdef"), lambda pieces: len(pieces) > 1, settings=SEARCH) == [
        b"a",
        b"bcdef",
    ]


def test_cuttings_reach_single_bytes_and_every_place() -> None:
    assert find(cuttings(b"abcdef"), lambda pieces: len(pieces) == 6, settings=SEARCH)
    for place in range(1, 6):
        found = find(
            cuttings(b"abcdef"), lambda pieces, n=place: len(pieces[0]) == n, settings=SEARCH
        )
        assert len(found[0]) == place
