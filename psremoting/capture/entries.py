"""The result of decoding: one entry per PSRP message, act of the carrier, or error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    from psrp.events import Event
    from psrp.sansio import Side, Stream

__all__ = ["Counts", "Entry", "Hidden"]


@dataclass(frozen=True, slots=True, repr=False)
class Hidden:
    """A secret in the data of an entry, shown as its length unless asked for."""

    text: str

    def __repr__(self) -> str:
        return f"Hidden({len(self.text)} characters)"

    def shown(self, reveal: bool) -> dict[str, str]:
        """Return the JSON form: the text under ``open``, or its length under ``hidden``."""
        return {"open": self.text} if reveal else {"hidden": f"{len(self.text)} characters"}


@dataclass(slots=True, kw_only=True)
class Entry:
    """One line of the timeline.

    ``type`` is the name of a PSRP message (``CREATE_PIPELINE``), an act of the carrier
    (``wsman:Signal``, ``sshsub:CommandAck``), text of a Windows shell (``winrs:stdout``), an
    item of a document (``clixml:value``), ``refused`` for broken payload in a request that the
    server refused, ``incomplete`` for a message whose end was not recorded, ``unused`` for
    bytes too few for a fragment, ``text`` between messages, ``error``, or ``summary``.
    In packet captures, ``net:Connection``, ``net:LogOn`` and ``net:Credentials`` describe
    connections, and ``tls:Sealed`` is a run of records that no key decrypts.
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
    """The body of a PSRP message; other entries have ``data`` or ``value``."""
    data: Any = None
    value: Any = None
    """A CLIXML value if ``holds_value``."""
    holds_value: bool = False
    raw: bytes | None = None
    """The bytes as sent: a message, an envelope, or a packet line. May hold secrets."""
    plumbing: bool = False
    """An act that only moves or acknowledges bytes; the timeline omits it by default."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """Counts of the summary; payload bytes are counted after base64."""

    messages: int = 0
    acts: int = 0
    fragments: int = 0
    bytes: int = 0
    """Payload: fragments, text of streams, lines that are not packets."""
    accounted: int = 0
    """Payload bytes that became a message or were shown unchanged."""
    carrier_bytes: int = 0
    """Bytes of the carrier: envelopes, packet lines, files."""
    errors: int = 0
    incomplete: int = 0

    @property
    def unaccounted(self) -> int:
        return self.bytes - self.accounted
