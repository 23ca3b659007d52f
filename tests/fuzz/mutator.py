"""Mutations of bytes by a seeded generator, for machines without a coverage-guided fuzzer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.fuzz.seeds import WORDS

__all__ = ["mutated"]

LARGEST = 20_000
"""Bytes of one mutated input."""


def mutated(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield mutated inputs without end; the same for the same seed."""
    rng = random.Random(seed)
    while True:
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9))):
            _mutate(data, rng, corpus)
        yield bytes(data[:LARGEST])


def _mutate(data: bytearray, rng: random.Random, corpus: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 200)))
    match rng.randrange(8):
        case 0:
            data[at:end] = b""
        case 1:
            data[at:at] = rng.choice(WORDS)
        case 2:
            data[at:end] = rng.choice(WORDS)
        case 3:
            data[at:at] = data[at:end] * rng.choice((1, 2, 50))
        case 4:
            data[at:end] = rng.randbytes(end - at)
        case 5:
            other = rng.choice(corpus)
            start = rng.randrange(len(other) + 1)
            data[at:end] = other[start : start + rng.choice((10, 100, 1000))]
        case 6:
            del data[at:]
        case _ if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case _:
            data.append(rng.randrange(256))
