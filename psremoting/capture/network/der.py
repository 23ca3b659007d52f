"""DER parsing of Kerberos and SPNEGO tokens, as far as keys require it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DerError", "Node", "find_application", "read"]

_MAX_DEPTH = 16
_LONG_TAG = 0x1F
_CONSTRUCTED = 0x20


class DerError(ValueError):
    """The error for bytes that are not DER."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element. ``tag`` is the identifier octet: 0x30 SEQUENCE, 0x6e APPLICATION 14."""

    tag: int
    content: bytes
    size: int = 0
    """Bytes of the element with its tag and length."""

    def children(self) -> list[Node]:
        """Return the elements of a constructed element. Raises DerError."""
        found, position = [], 0
        while position < len(self.content):
            node, position = _read(self.content, position)
            found.append(node)
        return found

    def context(self, number: int) -> Node:
        """Return the element inside [number] of this sequence. Raises DerError if absent."""
        found = self.find(number)
        if found is None:
            raise DerError(f"no [{number}] in this element")
        return found

    def find(self, number: int) -> Node | None:
        """Return the element inside [number] of this sequence, or None."""
        for child in self.children():
            if child.tag == 0xA0 | number:
                return _read(child.content, 0)[0]
        return None

    def integer(self) -> int:
        return int.from_bytes(self.content, "big", signed=True)

    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def read(data: bytes) -> Node:
    """Return the element that data begins with. Raises DerError."""
    return _read(data, 0)[0]


def _read(data: bytes, position: int) -> tuple[Node, int]:
    start = position
    if position + 2 > len(data):
        raise DerError(f"expected an element at byte {position}, got the end")
    tag, length = data[position], data[position + 1]
    if tag & _LONG_TAG == _LONG_TAG:
        raise DerError(f"a tag of several octets at byte {position}")
    position += 2
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= 4 or position + count > len(data):
            raise DerError(f"a length of {count} octets at byte {position}")
        length = int.from_bytes(data[position : position + count], "big")
        position += count
    if position + length > len(data):
        raise DerError(f"an element of {length} bytes where {len(data) - position} are left")
    end = position + length
    return Node(tag, data[position:end], end - start), end


def find_application(data: bytes, number: int, limit: int = 200) -> Iterator[Node]:
    """Yield elements [APPLICATION number] at any place in a token, their tag octet first.

    GSS-API and SPNEGO wrap Kerberos messages in several ways; the first ``limit`` places whose
    bytes are a complete element are tried.
    """
    tag = 0x60 | number
    position = data.find(tag)
    while position >= 0 and limit:
        limit -= 1
        try:
            node, _ = _read(data, position)
            if node.content[:1] == b"\x30":
                read(node.content)
                yield node
        except DerError:
            pass
        position = data.find(tag, position + 1)
