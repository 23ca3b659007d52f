"""The bytes of a message as sent: as XML and as a hexadecimal dump.

Unless secrets are revealed, the text of secure strings and the payload of envelopes (which is shown
with its messages) are overwritten with ``*`` of the same length, so that offsets stay true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psremoting.powershell.sanitizer import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RawView", "raw_view"]

_MESSAGE_HEADER = 40
_SECRET = re.compile(
    rb"(?P<head><SS(?:\s[^>]*)?>)[^<]*"
    rb"|(?P<payload><(?:[\w.-]+:)?(?:Stream|Arguments|creationXml|connectXml|connectResponseXml)"
    rb"(?:\s[^>]*)?>)[^<]*"
)
_TAG = re.compile(r"(?<=>)(?=<)")
_PER_LINE = 16


@dataclass(frozen=True, slots=True)
class RawView:
    """Bytes as sent, masked unless revealed. ``header`` bytes precede the XML of a message."""

    data: bytes
    header: int

    @property
    def xml(self) -> str:
        """The body as text, without its byte order mark; bytes that are no UTF-8 are replaced."""
        return self.data[self.header :].decode("utf-8", "replace").removeprefix("\ufeff")

    def lines(self, indent: int) -> Iterator[str]:
        """Yield the XML, one element a line, and then the dump."""
        pad = " " * indent
        for line in _TAG.sub("\n", self.xml).splitlines():
            yield f"{pad}{visible(line)}"
        for start in range(0, len(self.data), _PER_LINE):
            part = self.data[start : start + _PER_LINE]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
            yield f"{pad}{start:06x}  {part.hex(' '):<{3 * _PER_LINE - 1}}  {text}"


def raw_view(raw: bytes, *, reveal: bool) -> RawView:
    """Return the view of a message, an envelope or a packet line."""
    data = raw if reveal else _SECRET.sub(_mask, raw)
    return RawView(data, _MESSAGE_HEADER if _is_message(raw) else 0)


def _is_message(raw: bytes) -> bool:
    """Return True for a PSRP message: its destination is 1 or 2. [MS-PSRP] 2.2.1"""
    return len(raw) >= _MESSAGE_HEADER and raw[:4] in (b"\x01\0\0\0", b"\x02\0\0\0")


def _mask(found: re.Match[bytes]) -> bytes:
    head = found["head"] or found["payload"]
    return head + b"*" * (len(found[0]) - len(head))
