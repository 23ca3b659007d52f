"""Streams of fragments, split as by carriers and damaged as by faulty peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from psrp.fragments import HEADER_SIZE, MAX_OBJECT_ID, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "FragmentSequence",
    "cuttings",
    "fragments",
    "mutations",
]


class FragmentSequence(tuple[bytes, ...]):
    """Generate the fragments of one stream, in order; ``messages`` draws the messages."""

    messages: tuple[bytes, ...]

    def __new__(cls, pieces: Sequence[bytes], messages: Sequence[bytes]) -> FragmentSequence:
        made = super().__new__(cls, pieces)
        made.messages = tuple(messages)
        return made

    @property
    def data(self) -> bytes:
        """The stream as a carrier delivers it."""
        return b"".join(self)

    def __repr__(self) -> str:
        return f"FragmentSequence({list(self)!r}, messages={list(self.messages)!r})"


@st.composite
def _fragments(
    draw: DrawFn, messages: SearchStrategy[bytes], max_messages: int, max_size: int | None
) -> FragmentSequence:
    whole = draw(st.lists(messages, min_size=1, max_size=max_messages))
    pieces: list[bytes] = []
    taken: set[int] = set()
    for message in whole:
        # Ids need not be consecutive: real peers share one counter among many streams.
        # 0 is not used: a fragment of object 0 is an error.
        ids = st.integers(1, 4 * max_messages) | st.integers(1, MAX_OBJECT_ID)
        object_id = draw(ids.filter(lambda number: number not in taken))
        taken.add(object_id)
        room = max_size or draw(st.integers(HEADER_SIZE + 1, HEADER_SIZE + len(message)))
        pieces.extend(split(object_id, message, room))
    return FragmentSequence(pieces, whole)


def fragments(
    *,
    messages: SearchStrategy[bytes] | None = None,
    max_messages: int = 5,
    max_size: int | None = None,
) -> SearchStrategy[FragmentSequence]:
    """Generate streams of 1 to ``max_messages`` messages in fragments, as a sender makes them.

    ``messages`` draws the bytes of one message (never empty; default: 1 to 200 arbitrary
    bytes), ``max_size`` is the size of the largest fragment, header included; without it every
    message gets its own size. Shrinks to one message of one byte in one fragment.
    """
    if max_size is not None and max_size <= HEADER_SIZE:
        raise ValueError(f"max_size is {max_size}; no fragment is smaller than 22 bytes")
    if max_messages < 1:
        raise ValueError(f"max_messages is {max_messages}; at least one is needed")
    if messages is None:
        messages = st.binary(min_size=1, max_size=200)
    return _fragments(messages, max_messages, max_size)


@st.composite
def _cuttings(draw: DrawFn, data: bytes, max_cuts: int) -> list[bytes]:
    anywhere = st.integers(1, len(data) - 1)
    how = draw(st.sampled_from(["whole", "once", "evenly", "anywhere"]))
    cuts: list[int] = []
    if how == "once":
        cuts = [draw(anywhere)]
    elif how == "evenly":
        step = draw(st.integers(-(-len(data) // (max_cuts + 1)), len(data)))
        cuts = list(range(step, len(data), step))
    elif how == "anywhere":
        cuts = draw(st.lists(anywhere, unique=True, max_size=min(max_cuts, 12)).map(sorted))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def cuttings(data: bytes, *, max_cuts: int | None = None) -> SearchStrategy[list[bytes]]:
    """Generate ``data`` cut into pieces anywhere, as by a carrier; joined they are ``data`` again.

    No piece is empty; empty data gives no piece. At most ``max_cuts`` cuts, default any number,
    down to single bytes. Shrinks to one whole piece, then to one cut near the beginning.
    """
    if max_cuts is not None and max_cuts < 0:
        raise ValueError(f"max_cuts is {max_cuts}")
    if len(data) < 2 or max_cuts == 0:
        return st.just([data] if data else [])
    return _cuttings(data, len(data) - 1 if max_cuts is None else max_cuts)


def mutations(data: bytes, *, max_changes: int = 3) -> SearchStrategy[bytes]:
    """Generate ``data`` after 1 to ``max_changes`` changes: a byte changed, bytes lost or inserted.

    The result may be legal again, and may even be ``data``. Shrinks to one changed byte near
    the beginning.
    """
    if max_changes < 1:
        raise ValueError(f"max_changes is {max_changes}; at least one is needed")
    places = st.integers(0, len(data))
    changed = st.tuples(places, st.just(1), st.binary(min_size=1, max_size=1))
    lost = st.tuples(places, st.integers(1, max(1, len(data))), st.just(b""))
    put_in = st.tuples(places, st.just(0), st.binary(min_size=1, max_size=30))
    accidents = st.lists(changed | lost | put_in, min_size=1, max_size=max_changes)
    return accidents.map(lambda all_of_them: _with(data, all_of_them))


def _with(data: bytes, accidents: list[tuple[int, int, bytes]]) -> bytes:
    for at, gone, new in accidents:
        data = data[:at] + new + data[at + gone :]
    return data
