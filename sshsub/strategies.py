"""Hypothesis strategies for packets and lines, for testing your own reader of the line protocol.

Install ``psremoting[testing]``; nothing else in `sshsub` imports this module. All values are
such as a real peer may send and accepts; `noise` generates lines that must be tolerated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import strategies as st

from psrp.sansio import Side, Stream
from sshsub.packets import Packet, PacketKind, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["PacketLines", "noise", "packet_lines", "packets"]

_FROM_CLIENT = (PacketKind.DATA, PacketKind.COMMAND, PacketKind.SIGNAL, PacketKind.CLOSE)
_FROM_SERVER = (
    PacketKind.DATA,
    PacketKind.DATA_ACK,
    PacketKind.COMMAND_ACK,
    PacketKind.SIGNAL_ACK,
    PacketKind.CLOSE_ACK,
)
_BY_SIDE = {Side.CLIENT: _FROM_CLIENT, Side.SERVER: _FROM_SERVER, None: tuple(PacketKind)}


class PacketLines(tuple[bytes, ...]):
    """Generate lines with their ends; ``packets`` draws their packets."""

    packets: tuple[Packet, ...]

    def __new__(cls, lines: Sequence[bytes], packets: Sequence[Packet]) -> PacketLines:
        made = super().__new__(cls, lines)
        made.packets = tuple(packets)
        return made

    @property
    def data(self) -> bytes:
        """The stream as a carrier delivers it."""
        return b"".join(self)

    def __repr__(self) -> str:
        return f"PacketLines({list(self)!r})"


@st.composite
def _packets(
    draw: DrawFn, kinds: tuple[PacketKind, ...], targets: SearchStrategy[UUID | None], max_data: int
) -> Packet:
    kind = draw(st.sampled_from(kinds))
    target = draw(targets)
    if kind is not PacketKind.DATA:
        if kind in (PacketKind.SIGNAL, PacketKind.SIGNAL_ACK) and target is None:
            target = UUID(int=1)
        return Packet(kind=kind, target=target)
    data = draw(st.binary(min_size=1, max_size=max_data))
    return Packet(kind=kind, target=target, stream=draw(st.sampled_from(Stream)), data=data)


def packets(
    *,
    side: Side | None = None,
    targets: SearchStrategy[UUID | None] | None = None,
    max_data: int = 100,
) -> SearchStrategy[Packet]:
    """Generate packets that ``side`` may send (None: either), 1 to ``max_data`` bytes in a Data.

    ``targets`` draws pipeline ids or None for the session; by default few, so that they repeat.
    """
    if max_data < 1:
        raise ValueError(f"max_data is {max_data}; a Data is never empty")
    if targets is None:
        targets = st.none() | st.integers(1, 3).map(lambda number: UUID(int=number))
    return _packets(_BY_SIDE[side], targets, max_data)


@st.composite
def _lines(draw: DrawFn, each: SearchStrategy[Packet], max_packets: int) -> PacketLines:
    said = draw(st.lists(each, min_size=1, max_size=max_packets))
    lines = []
    for packet in said:
        line = write(packet)[:-1]
        if draw(st.booleans()):
            line = line.replace(b"'", b'"')
        if draw(st.booleans()):
            line = b"<!-- c -->" + line
        lines.append(line + draw(st.sampled_from([b"\n", b"\r\n"])))
    return PacketLines(lines, said)


def packet_lines(
    *, side: Side | None = None, each: SearchStrategy[Packet] | None = None, max_packets: int = 8
) -> SearchStrategy[PacketLines]:
    """Generate 1 to ``max_packets`` lines, one packet each, with variants that real readers accept.

    The variants are quotes of either kind, a comment at the start, LF or CRLF.
    """
    return _lines(each if each is not None else packets(side=side), max_packets)


def noise() -> SearchStrategy[bytes]:
    """Generate a line with its end that is neither packet nor error text: banners, markup."""
    words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60)
    return (words.filter(_no_report) | _ODD).map(lambda text: text.encode() + b"\n")


_ODD = st.sampled_from(
    [
        *("<motd>hello</motd>", "<!-- c -->", "Data", "< Data />", "<Dataset/>", "<Data"),
        *("usage: menu <Command> [<Data >]", "<Close>", "<Data/>", "<Signal PSGuid>"),
    ]
)


def _no_report(text: str) -> bool:
    return not text.startswith("__") and "=" not in text
