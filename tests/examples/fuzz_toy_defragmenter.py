"""Fuzz your own fragmenter: a toy with a planted bug, and the twelve lines that find it.

    python tests/examples/fuzz_toy_defragmenter.py           finds the bug, exit code 1
    python tests/examples/fuzz_toy_defragmenter.py --fixed   finds nothing, exit code 0

spec-notes/fuzzing.md explains it step by step.
"""

from __future__ import annotations

import struct
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from psrp.strategies import FragmentSequence, cuttings, fragments

HEADER = struct.Struct(">QQBI")


class Toy:
    """A toy that joins fragments. The planted bug: it does not wait for a complete blob."""

    def __init__(self) -> None:
        self.buffer = b""
        self.message = b""

    def feed(self, data: bytes) -> list[bytes]:
        self.buffer += data
        done = []
        while self.ready():
            _, _, flags, length = HEADER.unpack_from(self.buffer)
            end = HEADER.size + length
            self.message += self.buffer[HEADER.size : end]
            self.buffer = self.buffer[end:]
            if flags & 2:
                done.append(self.message)
                self.message = b""
        return done

    def ready(self) -> bool:
        return len(self.buffer) >= HEADER.size


class FixedToy(Toy):
    """The corrected toy, which waits for the complete blob."""

    def ready(self) -> bool:
        if not super().ready():
            return False
        return len(self.buffer) >= HEADER.size + HEADER.unpack_from(self.buffer)[3]


def check(toy: type[Toy], stream: FragmentSequence, pieces: list[bytes]) -> None:
    """Check that the received messages are those sent, however the stream is cut."""
    receiver = toy()
    received = [message for piece in pieces for message in receiver.feed(piece)]
    assert received == list(stream.messages), f"sent {stream.messages}, received {received}"


def fuzz(toy: type[Toy]) -> None:
    """Raise the smallest failure that hypothesis finds."""

    @settings(max_examples=200, database=None, derandomize=True)
    @given(stream=fragments(), data=st.data())
    def any_cutting(stream: FragmentSequence, data: st.DataObject) -> None:
        check(toy, stream, data.draw(cuttings(stream.data), label="pieces"))

    any_cutting()


if __name__ == "__main__":
    try:
        fuzz(FixedToy if "--fixed" in sys.argv[1:] else Toy)
    except AssertionError as error:
        print(f"found: {error}", *getattr(error, "__notes__", ()), sep="\n")
        sys.exit(1)
    print("200 streams, each cut at random: nothing found")
