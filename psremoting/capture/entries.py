"""What decoding gives: one entry per PSRP message, per act of the carrier, per error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    from psrp.events import Event
    from psrp.sansio import Side, Stream

__all__ = ["Counts", "Entry"]


@dataclass(slots=True, kw_only=True)
class Entry:
    """One line of the timeline.

    ``type`` is the name of a PSRP message (``CREATE_PIPELINE``), an act of the carrier
    (``wsman:Signal``, ``sshsub:CommandAck``), text of a Windows shell (``winrs:stdout``), an
    item of a document (``clixml:value``), ``incomplete`` for a message whose end was not
    recorded, ``error``, or ``summary``.
    """

    type: str
    n: int = 0
    direction: Side | None = None
    target: UUID | None = None
    stream: Stream | None = None
    rpid: UUID | None = None
    pid: UUID | None = None
    object_id: int | None = None
    fragments: int | None = None
    size: int | None = None
    carrier: dict[str, Any] = field(default_factory=dict)
    event: Event | None = None
    """The body of a PSRP message; other entries have ``data``, or ``value``."""
    data: Any = None
    value: Any = None
    """A CLIXML value, where ``holds_value``."""
    holds_value: bool = False
    plumbing: bool = False
    """An act that only moves bytes or says that they came: the timeline leaves it out."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What the summary tells; bytes are those inside the carrier, base64 undone."""

    messages: int = 0
    acts: int = 0
    fragments: int = 0
    bytes: int = 0
    """Payload handed to the readers: fragments, text of streams, lines that are no packets."""
    accounted: int = 0
    """Those of them that became a message or were shown as what they are."""
    carrier_bytes: int = 0
    """What carried them: envelopes, packet lines, files."""
    errors: int = 0
    incomplete: int = 0

    @property
    def unaccounted(self) -> int:
        return self.bytes - self.accounted
