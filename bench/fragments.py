"""Cutting messages into fragments and joining them, compared with one copy of the same bytes.

psrpcore has no public fragmenter: it is driven through a pool whose queue holds one message of the
required size. On joining, the last fragment is withheld from psrpcore and pypsrp, so that their
time does not include XML. psrpcore, and pypsrp on joining, copy the rest of the message, or the
part received so far, once for every fragment: they are left out if that would be over 4 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pypsrp import powershell
from pypsrp.serializer import Serializer

from bench import bodies, peers
from bench.report import OURS, Clock, Row, Table, growth
from bench.values import noise
from psrp import fragments

KIB = 1024
MIB = KIB * KIB
SIZES = {"1 KiB": KIB, "32 KiB": 32 * KIB, "1 MiB": MIB, "8 MiB": 8 * MIB, "64 MiB": 64 * MIB}
CUTS = {"256 B": 256, "1 KiB": KIB, "32 KiB": 32 * KIB}
CUT, JOIN = "cut", "join"
MEMCPY = "memcpy"
OTHERS = (MEMCPY, "psrpcore", "pypsrp")
MOST_COPIED = 4 << 30


def our_cut(message: bytes, cut: int) -> list[bytes]:
    return list(fragments.split(1, message, cut))


def our_join(pieces: list[bytes]) -> bytes | None:
    machine = fragments.Defragmenter()
    for piece in pieces:
        machine.receive_data(piece)
    return machine.next_message()


def pypsrp_cut(message: bytes, cut: int) -> list[bytes]:
    """Cut a packed message with pypsrp's Fragmenter."""
    fragmenter = powershell.Fragmenter(cut, Serializer())
    found = enumerate(fragmenter._byte_iterator(message, fragmenter.max_size))
    return [powershell.Fragment(1, n, blob, n == 0, end).pack() for n, (blob, end) in found]


def pypsrp_join(pieces: list[bytes], cut: int) -> None:
    fragmenter = powershell.Fragmenter(cut, Serializer())
    for piece in pieces[:-1]:
        fragmenter.defragment(piece)


def copied(size: int, cut: int) -> int:
    """Return the bytes copied by a fragmenter that copies the rest of the message for every
    fragment."""
    return size * (size // (cut - fragments.HEADER_SIZE)) // 2


def measure(message: bytes, cut: int, named: str, clock: Clock) -> Iterator[Row]:
    size = len(message)
    pieces = our_cut(message, cut)
    if our_join(pieces) != message:
        raise AssertionError(f"{named} does not survive")

    def row(case: str, who: str, seconds: float) -> Row:
        whole = f"{named}, {case}"
        return Row(subject="fragments", case=whole, who=who, seconds=seconds, size=size)

    source = bytearray(message)
    memcpy = clock.simple(lambda: bytes(source))
    yield row(CUT, OURS, clock.simple(lambda: our_cut(message, cut)))
    yield row(CUT, MEMCPY, memcpy)
    yield row(JOIN, OURS, clock.simple(lambda: our_join(pieces)))
    yield row(JOIN, MEMCPY, memcpy)
    yield row(CUT, "pypsrp", clock.simple(lambda: pypsrp_cut(message, cut)))
    if copied(size, cut) > MOST_COPIED:
        return
    yield row(JOIN, "pypsrp", clock.simple(lambda: pypsrp_join(pieces, cut)))

    def queued() -> Any:
        return peers.psrpcore_queued(bodies.text(size))

    def sent() -> Any:
        client, server = queued()
        return client, peers.psrpcore_drain(server, cut)

    yield row(CUT, "psrpcore", clock.prepared(lambda p: peers.psrpcore_drain(p[1], cut), queued))
    yield row(JOIN, "psrpcore", clock.prepared(lambda p: peers.psrpcore_join(*p), sent))


def table(clock: Clock, *, quick: bool) -> Table:
    sizes = {name: size for name, size in SIZES.items() if not quick or size <= 8 * MIB}
    rows = [
        row
        for name, size in sizes.items()
        for message in (noise(size),)
        for cut_name, cut in CUTS.items()
        for row in measure(message, cut, f"{name} at {cut_name}", clock)
    ]
    large = [f"{name} at 32 KiB, {case}" for name in sizes for case in (CUT, JOIN)]
    return Table(
        title="Fragments: cut a message, join it again",
        rows=rows,
        others=OTHERS,
        aims=dict.fromkeys(large, ">= 0.5x"),
        elsewhere={},
        notes=[
            "memcpy: one copy of the message; the aim is against it: at most twice its time",
            "-: left out, because it copies the message again for every fragment (over 4 GiB here)",
        ],
    )


def growing(found: Table) -> list[str]:
    """Return the same figures as nanoseconds per byte. Only growth beyond that of one copy is
    ours."""
    cases: dict[str, dict[str, tuple[str, float, int]]] = {}
    for row in found.rows:
        size, way = row.case.split(" at ")
        if row.size >= 32 * KIB and row.who in (OURS, MEMCPY):
            points = cases.setdefault(MEMCPY if row.who == MEMCPY else way, {})
            points[size] = (size, row.seconds, row.size)
    shown = [(case, list(points.values())) for case, points in cases.items()]
    return growth("Fragments: nanoseconds per byte of message", shown)
