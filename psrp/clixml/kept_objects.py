"""The objects of a long document that a later Ref may name.

A document is read item by item, but a Ref may name an object of any earlier item, and a reader
that keeps all of them needs memory in proportion to the document. Two cases are told apart:

- The ids that occur in a Ref are known, because the file was searched for them (`ReferenceScan`).
  Only their objects are kept.
- The stream is read for the first time. An object is kept while it was read or named within the
  last ``window`` characters.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from psrp.clixml.containers import Dictionary
from psrp.clixml.objects import PSObject
from psrp.clixml.text import resolve_entities

__all__ = ["LONGEST_TAG", "KeptObjects", "ReferenceScan"]

LONGEST_TAG = 1 << 20
"""Maximum number of characters of one tag."""

_NODE = 100
"""Estimated bytes of a value beside its text."""


class KeptObjects(dict[str, Any]):
    """Objects by RefId: those of the current window, and of earlier ones those that are kept."""

    def __init__(self, referred: Container[str] | None, most: int) -> None:
        super().__init__()
        self._referred = referred
        self._most = most
        """Maximum estimated bytes of objects that are kept for their references alone."""
        self._earlier: dict[str, Any] = {}
        self._named: dict[str, Any] = {}
        """Earlier objects that a Ref of the current window names."""
        self._charged: set[int] = set()
        self._size = 0
        self.forgotten = False
        """True if an object was dropped that a Ref may still name."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self._earlier

    def __missing__(self, key: str) -> Any:
        value = self._named[key] = self._earlier[key]
        return value

    def is_referred(self, refid: str) -> bool:
        """Return True if a Ref is known to name this id."""
        return self._referred is not None and refid in self._referred

    def forget(self) -> bool:
        """Begin a new window. Return False if the objects to keep exceed the limit."""
        if self._referred is None:
            self.forgotten = self.forgotten or len(self._named) < len(self._earlier)
            self._charged, self._size = set(), 0
            self._charge(self._named.values())
            self._earlier = {**self._named, **self}
        else:
            found = {refid: value for refid, value in self.items() if refid in self._referred}
            self._charge(found.values())
            self._earlier.update(found)
        self._named = {}
        self.clear()
        return self._size <= self._most

    def alive(self) -> set[int]:
        """Return the `id` of each object that is kept after `forget`."""
        return set(map(id, self._earlier.values()))

    def _charge(self, values: Iterable[Any]) -> None:
        """Add the estimated size of values, and of all in them, that were not counted before."""
        pending = list(values)
        while pending and self._size <= self._most:
            value = pending.pop()
            self._size += _NODE + (len(value) if isinstance(value, (str, bytes)) else 0)
            parts = _parts(value)
            if parts is not None and id(value) not in self._charged:
                self._charged.add(id(value))
                pending.extend(parts)


def _parts(value: Any) -> Iterable[Any] | None:
    if isinstance(value, PSObject):
        return [value.value, value.to_string, value.adapted, value.extended]
    if isinstance(value, list):
        return value
    if isinstance(value, Dictionary):
        return value.keys() + value.values()
    if isinstance(value, dict):
        return [*value, *value.values()]
    return None


class ReferenceScan:
    """Collects the ids that occur in Ref elements of a text, which arrives in pieces.

    Elements in comments count as well, so that it may find ids that no Ref names.
    """

    def __init__(self, most: int = 1_000_000) -> None:
        self._most = most
        self._rest = ""
        self._found: set[str] | None = set()

    def receive_text(self, text: str) -> None:
        if self._found is None:
            return
        text = self._rest + text
        for mark in ("<Ref", ":Ref"):
            at = text.find(mark)
            while at >= 0:
                end = text.find(">", at)
                if end < 0:
                    break
                if (refid := _refid(text[at + 4 : end])) is not None:
                    self._found.add(refid)
                at = text.find(mark, end)
        last = text.rfind("<")
        self._rest = text[last:] if last >= 0 and text.find(">", last) < 0 else ""
        if len(self._rest) > LONGEST_TAG or len(self._found) > self._most:
            self._found = None

    @property
    def found(self) -> frozenset[str] | None:
        """The ids; None if there are too many."""
        return frozenset(self._found) if self._found is not None else None


def _refid(inside: str) -> str | None:
    """Return the RefId in the attributes of a start tag; None for another element."""
    if inside[:1] not in (" ", "\t", "\r", "\n"):
        return None
    name, _, rest = inside.partition("RefId")
    given = rest.lstrip(" \t\r\n=")
    quote = given[:1]
    if name.strip() and "=" not in name:
        return None
    value, closed, _ = given[1:].partition(quote) if quote in ("'", '"') and quote else ("", "", "")
    try:
        return resolve_entities(value) if closed else None
    except ValueError:
        return None
