"""One recorded HTTP message with its kind of body: an envelope, a sealed body, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psrp.sansio import Side

__all__ = ["HttpMessage", "classify_body", "find_header", "read_status"]

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.-]+)", re.IGNORECASE)
_MARKUP = re.compile(r"[\ufeff\s\0]*<(?!html|!doctype\s+html)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessage:
    """One request or response. ``soap`` and ``body`` are mutually exclusive."""

    number: int
    """1-based, in the order of the recording."""
    side: Side
    """The sender."""
    offset: int
    """1-based line of the file where the message begins, or number of its first packet."""
    in_packet: bool = False
    """``offset`` is the number of a packet."""
    file_offset: int | None = None
    """Offset of the message's line or packet in the file, in bytes; None if not known."""
    connection: int = 0
    """Pairs a response with its request; 0 if the recording keeps no connections."""
    time: float | None = None
    """Seconds, from any origin."""
    start: str = ""
    """Request line or status line, if recorded."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    soap: str | None = None
    """The envelope as text."""
    body: bytes | None = None
    """A body that is not an envelope: a sealed one, or text."""
    note: str = ""
    """Further data of the recording about the message."""
    raw: bool = False
    """True if the body was recorded as sent, so that the sender caused a malformed envelope."""

    torn: bool = False
    """True if bytes of the body are missing in the recording; they are zeros here."""
    opened: str = ""
    """The mechanism whose keys decrypted a sealed body."""
    refused: bool = False
    """True for a request with an HTTP error response, which includes every SOAP fault."""

    def header(self, name: str) -> str:
        """Return the first header of that name, compared without case; empty if absent."""
        return find_header(self.headers, name)


def find_header(headers: Iterable[tuple[str, str]], name: str) -> str:
    """Return the value of the first header of that name, compared without case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), "")


def read_status(text: object) -> int | None:
    """Return a three-digit status code, or None for anything else."""
    return int(text) if isinstance(text, str) and text.isdigit() and len(text) == 3 else None


def classify_body(
    body: bytes | str | None, headers: tuple[tuple[str, str], ...] = ()
) -> tuple[str | None, bytes | None]:
    """Return ``(envelope, None)``, ``(None, other body)``, or two Nones for an empty body.

    Bytes are decoded by their byte order mark or the charset of the Content-Type. Text that
    does not begin with markup, HTML and ``multipart/*`` bodies are no envelopes.
    """
    if not body:
        return None, None
    content_type = find_header(headers, "Content-Type")
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    if content_type.lower().startswith("multipart/"):
        return None, raw
    text = body if isinstance(body, str) else _decode(body, content_type)
    return (text, None) if _MARKUP.match(text) else (None, raw)


def _decode(body: bytes, content_type: str) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    found = _CHARSET.search(content_type)
    try:
        return body.decode(found[1] if found else "utf-8", "replace").removeprefix("\ufeff")
    except LookupError:
        return body.decode("utf-8", "replace")
