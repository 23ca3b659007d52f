"""One document of a stream, read in parts: each part has some of its top-level elements.

A part is read by the `Reader` as a document of its own, with the start tag of the whole; the
objects, type names and prefixes of the parts before it are known to it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from psrp.clixml.containers import TypeNames
from psrp.clixml.files import StreamItem
from psrp.clixml.kept_objects import KeptObjects
from psrp.clixml.places import path_of
from psrp.clixml.prepared import check_characters, clean, normalized
from psrp.clixml.reader import NAMESPACE, Reader, Unseal
from psrp.clixml.text import unescape
from psrp.clixml.tokens import SPACE
from psrp.sansio import ClixmlError

__all__ = ["DocumentParts", "State", "byte_size"]

_ROOT = re.compile(r"<((?>(?:[\w.-]+:)?)Objs)[\s/>]")
_TEXT = re.compile(f"[{SPACE}]*([^{SPACE}<])")
_MOST_TYPE_NAMES = 16 << 20
"""Maximum number of characters of the type names of a document that is read in parts."""


class State(Enum):
    """The end of a part of a document."""

    GOES_ON = 0
    ENDS = 1
    """With the end tag of the document."""
    BROKEN = 2
    """After a tag that cannot be there: an error of the document."""
    TORN = 3
    """With the stream."""


def byte_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class DocumentParts:
    """A document that is read in parts; ``offset`` is its place in the stream, in characters."""

    def __init__(
        self, offset: int, objects: KeptObjects, unseal: Unseal | None, max_depth: int
    ) -> None:
        self.offset = offset
        self.objects = objects
        self.number = 0
        """Number of items that were read."""
        self.unforgotten = 0
        """Characters that were read since `forget`."""
        self._unseal, self._max_depth = unseal, max_depth
        self._types: dict[str, TypeNames] = {}
        self._known_types = self._type_size = 0
        self._prefixes: dict[str, str] = {}
        self._name = ""
        self._root = ""
        """The start tag before each part but the first one."""
        self._raw = self._normal = self._prepared = 0
        """Characters before the part: as in the stream, with the line ends of XML, and prepared."""
        self._referred: set[int] | None = None

    def begin(self, root: str) -> None:
        """Note the start tag of the document."""
        found = _ROOT.match(root)
        self._name = found[1] if found is not None else ""

    def forget(self) -> bool:
        """Forget objects; return False if those to keep exceed the limit."""
        self.unforgotten = 0
        return self.objects.forget()

    def is_referred(self, value: Any) -> bool:
        """Return True if a Ref is known to name this object, which was read after `forget`."""
        if self._referred is None:
            objects = self.objects
            self._referred = {id(objects[each]) for each in objects if objects.is_referred(each)}
        return id(value) in self._referred

    def read(
        self, raw: str, lengths: list[int], state: State
    ) -> tuple[list[StreamItem], ClixmlError | None, int]:
        """Read a part of which elements end at these lengths.

        Return the items, the error after them, and the length of what was read. With an error the
        elements are read one by one, so that the items do not depend on the parts.
        """
        self._referred = None
        self.unforgotten += len(raw)
        before = self._root, self._raw, self._normal, self._prepared
        items, error = self._read(raw, state)
        if error is None or len(lengths) == 1:
            self.number += len(items)
            return items, error, len(raw) if error is None else 0
        self._root, self._raw, self._normal, self._prepared = before
        items, start = [], 0
        for length in lengths:
            last = length == lengths[-1]
            found, error = self._read(raw[start:length], state if last else State.GOES_ON)
            items += found
            if error is not None:
                break
            start = length
        self.number += len(items)
        return items, error, start

    def _read(self, raw: str, state: State) -> tuple[list[StreamItem], ClixmlError | None]:
        root = self._root
        close = f"</{self._name}>" if state is State.GOES_ON else ""
        items: list[tuple[str | None, Any]] = []
        error: ClixmlError | None = None
        text = f"{root}{raw}{close}"
        base = self._raw
        normal = prepared = len(text)
        try:
            check_characters(text)
            text = normalized(text)
            base, normal = self._normal, len(text)
            text = clean(text)
            base, prepared = self._prepared, len(text)
            if root and (stray := _TEXT.match(text, len(root))) is not None:
                at = stray.start(1)
                raise ClixmlError("text among elements", path_of(text, at), at)
            self._elements(text, items)
            if state not in (State.GOES_ON, State.ENDS):
                raise ClixmlError("malformed markup", "", len(text))
        except ClixmlError as found:
            error = self._moved(found, self.offset + base - len(root))
        added = len(root) + len(close)
        self._raw += len(raw)
        self._normal += normal - added
        self._prepared += prepared - added
        named = [
            StreamItem(stream if stream is None else unescape(stream), value)
            for stream, value in items
        ]
        return named, error

    def _elements(self, text: str, items: list[tuple[str | None, Any]]) -> None:
        reader = Reader(text, self._unseal, self._max_depth)
        reader._objects, reader._types, reader._prefixes = self.objects, self._types, self._prefixes
        reader._objs(reader.token(1), items)
        for names in list(self._types.values())[self._known_types :]:
            self._type_size += sum(map(len, names))
        self._known_types = len(self._types)
        if self._type_size > _MOST_TYPE_NAMES:
            raise ClixmlError(f"more than {_MOST_TYPE_NAMES} characters of type names")
        if not self._root:
            prefix = self._name.rpartition(":")[0]
            declared = f"xmlns:{prefix}" if prefix else "xmlns"
            version = f"1.{reader._minor}"
            self._root = f'<{self._name} Version="{version}" {declared}="{NAMESPACE}">'

    def _moved(self, error: ClixmlError, by: int) -> ClixmlError:
        """Return the error with its place in the stream."""
        if error.offset < 0:
            return error
        text = str(error).removesuffix(f" (character {error.offset})")
        text = text.removesuffix(f" at {error.path}")
        if self.objects.forgotten and "unknown RefId" in text:
            text += ", or its object is too far away for a stream that is read once"
        return ClixmlError(text, error.path, by + error.offset)
