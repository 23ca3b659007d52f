"""Incremental writing of a CLIXML document, value by value."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from psrp.clixml.reader import MAX_DEPTH, NAMESPACE
from psrp.clixml.text import escape_attribute
from psrp.clixml.write import Seal, Writer, indent
from psrp.sansio import LocalProtocolError

__all__ = ["DocumentWriter"]

_OPEN = f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">'
_CLOSE = "</Objs>"


class DocumentWriter:
    """Writes an ``<Objs>`` document, indented as by Export-Clixml; each step returns its bytes.

    An object that occurs in two values is written twice, so that no value is kept; with ``shared``
    it is written once, and the caller keeps each value until `forget`. A value that cannot be
    written leaves the document valid.
    """

    def __init__(
        self, *, seal: Seal | None = None, max_depth: int = MAX_DEPTH, shared: bool = False
    ) -> None:
        self._writer = Writer(seal, max_depth)
        self._shared = shared
        self._begun = False

    def begin(self) -> bytes:
        """Return the start of the document; `add` calls this if it was not called before."""
        self._begun = True
        return _OPEN.encode()

    def add(self, value: Any, stream: str | None = None) -> bytes:
        """Return the element of ``value``; ``stream`` is the attribute ``S``.

        Raises LocalProtocolError for a value that has no CLIXML form; nothing is written then.
        """
        head = b"" if self._begun else self.begin()
        writer = self._writer
        known_types, known_ids = len(writer._types), len(writer._ids)
        attribute = "" if stream is None else f' S="{escape_attribute(stream)}"'
        try:
            writer.value(value, attribute)
        except LocalProtocolError:
            while len(writer._types) > known_types:
                writer._types.popitem()
            writer._depth = 0
            writer._path.clear()
            writer.pieces.clear()
            while len(writer._ids) > known_ids:
                writer._ids.popitem()
            self._begun = self._begun and not head
            raise
        text = "".join(writer.pieces)
        writer.pieces.clear()
        if not self._shared:
            # Ids are keyed by the id() of Python objects, which may be freed before the next value.
            writer._ids.clear()
        shown = indent(f"{_OPEN}{text}{_CLOSE}")
        return head + shown[len(_OPEN) : -len(_CLOSE)].rstrip("\n").encode()

    def forget(self, alive: Container[int]) -> None:
        """Forget the objects of earlier values except those with these `id`."""
        ids = self._writer._ids
        self._writer._ids = {each: ids[each] for each in ids if each in alive}

    def end(self) -> bytes:
        """Return the end of the document."""
        head = b"" if self._begun else self.begin()
        return head + f"\n{_CLOSE}\n".encode()
