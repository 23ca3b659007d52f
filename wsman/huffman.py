"""Canonical Huffman codes of at most 15 bits for 512 symbols, as LZ77+Huffman uses them.

Only the code lengths are transmitted: codes are numbered by length, then by symbol.
[MS-XCA] 2.1.4.3 and 2.2.4
"""

from __future__ import annotations

import heapq

__all__ = ["MAX_BITS", "SYMBOLS", "code_lengths", "codes", "decoding_table"]

SYMBOLS = 512
MAX_BITS = 15


def code_lengths(counts: list[int]) -> bytes:
    """Return the code length of each symbol; 0 for one that does not occur.

    Lengths over 15 are avoided by flattening the counts, which costs a little compression and
    happens only for extreme distributions.
    """
    used = [symbol for symbol, count in enumerate(counts) if count]
    if len(used) == 1:
        # A code needs two symbols: a decoder refuses an incomplete table.
        used.append(0 if used[0] else 1)
    weights = {symbol: max(counts[symbol], 1) for symbol in used}
    while True:
        lengths = _tree_depths(weights)
        if max(lengths.values()) <= MAX_BITS:
            return bytes(lengths.get(symbol, 0) for symbol in range(SYMBOLS))
        weights = {symbol: weight // 2 + 1 for symbol, weight in weights.items()}


def _tree_depths(weights: dict[int, int]) -> dict[int, int]:
    """Return the depth of each symbol in a Huffman tree of at least two symbols."""
    parents: list[int] = [0] * len(weights)
    heap = [(weight, node) for node, weight in enumerate(weights.values())]
    heapq.heapify(heap)
    while len(heap) > 1:
        first, left = heapq.heappop(heap)
        second, right = heapq.heappop(heap)
        node = len(parents)
        parents[left] = parents[right] = node
        parents.append(0)
        heapq.heappush(heap, (first + second, node))
    depths = [0] * len(parents)
    for node in range(len(parents) - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return dict(zip(weights, depths, strict=False))


def codes(lengths: bytes) -> list[int]:
    """Return the code of each symbol, to be written from its highest bit on."""
    found = [0] * SYMBOLS
    code = 0
    for length in range(1, MAX_BITS + 1):
        code <<= 1
        start = lengths.find(length)
        while start >= 0:
            found[start] = code
            code += 1
            start = lengths.find(length, start + 1)
    return found


def decoding_table(lengths: bytes) -> list[int] | None:
    """Return ``symbol << 4 | length`` for every 15 bits, or None for an invalid table."""
    table: list[int] = []
    for length in range(1, MAX_BITS + 1):
        repeat = 1 << (MAX_BITS - length)
        start = lengths.find(length)
        while start >= 0:
            table += [start << 4 | length] * repeat
            if len(table) > 1 << MAX_BITS:
                return None
            start = lengths.find(length, start + 1)
    return table if len(table) == 1 << MAX_BITS else None
