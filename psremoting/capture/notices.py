"""Lines about a capture that are no messages: connections, log-ons, records that stay sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psrp.sansio import Side

__all__ = ["Notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One such line, in its place among the messages."""

    number: int
    """1-based, in the order of the recording, together with the messages."""
    type: str
    side: Side | None
    offset: int
    """Number of the packet."""
    connection: int
    time: float | None
    data: dict[str, Any]
    plumbing: bool = False
    in_packet: bool = True
    """``offset`` is the number of a packet; else the line of the file."""
