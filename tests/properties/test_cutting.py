"""The cuts of a byte stream have no effect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from psrp.fragments import Defragmenter
from psrp.strategies import FragmentSequence, Step, conversations, cuttings, fragments
from tests.properties.conversing import assert_the_same_is_heard, pair_for


@given(fragments(), st.data())
def test_any_cutting_of_fragments_gives_the_same_messages(
    stream: FragmentSequence, data: st.DataObject
) -> None:
    receiver = Defragmenter()
    received = []
    for piece in data.draw(cuttings(stream.data), label="pieces"):
        receiver.receive_data(piece)
        while (message := receiver.next_message()) is not None:
            received.append(message)
    assert tuple(received) == stream.messages
    assert receiver.pending == receiver.unfinished == 0


@given(conversations(max_moves=6), st.data())
def test_any_cutting_of_a_conversation_gives_the_same_events(
    steps: list[Step], data: st.DataObject
) -> None:
    random = data.draw(st.randoms(use_true_random=False), label="where to cut")

    def cut(piece: bytes) -> list[bytes]:
        # Drawn from one seed: a conversation has too many cuts to shrink them one by one.
        places = sorted(random.randrange(len(piece) + 1) for _ in range(random.randrange(4)))
        return [piece[a:b] for a, b in zip([0, *places], [*places, len(piece)], strict=True)]

    torn = pair_for(steps, cut=cut)
    assert_the_same_is_heard(torn, pair_for(steps), steps)


@given(conversations(max_moves=3))
def test_a_conversation_can_come_byte_by_byte(steps: list[Step]) -> None:
    torn = pair_for(steps, cut=lambda piece: [piece[at : at + 1] for at in range(len(piece))])
    assert_the_same_is_heard(torn, pair_for(steps), steps)
