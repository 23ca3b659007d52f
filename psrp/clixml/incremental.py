"""Reading of CLIXML streams piece by piece, with memory for one value at a time.

`StreamReader` finds the places where the documents and their top-level elements end, and gives
the elements to the `Reader` in batches. The objects that a later Ref may name are kept by
`KeptObjects`. The meaning of a stream is that of `iter_streams`, see spec-notes/clixml-files.md.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Container
from typing import Any

from psrp.clixml.document_parts import DocumentParts, State, byte_size
from psrp.clixml.files import (
    CLOSERS,
    MARKER,
    OUTSIDE,
    START_TAG,
    RawText,
    StreamItem,
    plain_segments,
)
from psrp.clixml.kept_objects import LONGEST_TAG, KeptObjects
from psrp.clixml.read import read_document
from psrp.clixml.reader import MAX_DEPTH, Unseal, check_depth
from psrp.clixml.scalars import PARSE
from psrp.sansio import ClixmlError

__all__ = ["MAX_VALUE", "WINDOW", "StreamReader"]

MAX_VALUE = 64 << 20
"""Maximum number of characters of one top-level value, and of the text between two documents."""
WINDOW = 1 << 20
"""Characters of a document after which an object that nothing refers to is forgotten."""
_BATCH = 1 << 16
_BLANK = "\ufeff \t\r\n"
_LONGEST_GUESS = 4096
"""Characters after a ``<`` in which the start of a document may be recognized."""

_MARKUP = r"<(?:(!--|!\[CDATA\[|\?)|(/(?>(?:[\w.-]+:)?)Objs\s*>)|(/?)%s)"
_CHILD = re.compile(_MARKUP % r"([\w.:-]*)")
_ANY = re.compile(_MARKUP % r"[\w.:-]+")
_END_ONLY = re.compile(_MARKUP % r"(?!)")
_TAGS = frozenset({*PARSE, "Nil", "Obj", "Ref", "SS", "PR"})
_PATTERNS: dict[tuple[str, bool], re.Pattern[str]] = {}
_WHOLE_TAG = re.compile(r"""<(?>(?:[^<>"']|"[^"<]*"|'[^'<]*')*)>""")


def _pattern_for(qualified: str) -> re.Pattern[str]:
    """Return the pattern for the tags that may end an element: those of the same name."""
    prefix, _, local = qualified.rpartition(":")
    if local not in _TAGS:
        return _ANY
    key = local, bool(prefix)
    if key not in _PATTERNS:
        before = r"(?>(?:[\w.-]+:)?)" if prefix else ""
        _PATTERNS[key] = re.compile(_MARKUP % rf"{before}{local}(?=[\s/>])")
    return _PATTERNS[key]


class StreamReader:
    """Reads a stream that arrives in pieces; returns each item as soon as it is complete.

    Give text with `receive_text`, the end with `end`, and call `next_item` until it returns None
    before the next text is given. The parameters:

    max_value: the maximum number of characters of one value.
    referred: the ids that occur in a Ref, if they are known (`ReferenceScan`). Without it, a Ref
        to an object that was last read or named more than `WINDOW` characters before may be an
        error.
    forget: called with the `id` of each object that is still kept, before others are dropped.
    unseal, max_depth: as for `loads`. Raises LocalProtocolError for an illegal ``max_depth``.
    """

    def __init__(
        self,
        *,
        unseal: Unseal | None = None,
        max_depth: int = MAX_DEPTH,
        max_value: int = MAX_VALUE,
        referred: Container[str] | None = None,
        forget: Callable[[set[int]], object] | None = None,
    ) -> None:
        check_depth(max_depth)
        self._unseal, self._max_depth, self._max_value = unseal, max_depth, max_value
        self._referred = referred
        self._forget = forget
        self._incoming: deque[str] = deque()
        self._ended = self._last = False
        self._items: deque[tuple[StreamItem, int, int]] = deque()
        self._error: ClixmlError | None = None
        # The text: parts that were searched, and the one being searched, from _from on.
        self._held: list[str] = []
        self._held_size = 0
        self._text = ""
        self._from = self._pos = self._begin = 0
        self._closer: str | None = None
        # Outside of documents: where the last comment and the prolog begin.
        self._documents = 0
        self._comment = self._prolog = -1
        self._missing: set[str] = set()
        # Inside of a document.
        self._document: DocumentParts | None = None
        self._current: DocumentParts | None = None
        """The document of the last items, which may have ended."""
        self._pattern: re.Pattern[str] | None = None
        self._depth = 0
        self._skipping = False
        self.offset = 0
        """Offset in characters of the document or text of the last item; -1 without a document."""
        self.number = 0
        """1-based number of the last item in its document; 0 for text."""
        self.torn = False
        """True if the stream ended inside a document."""
        self.size = 0
        """Bytes of UTF-8 of the documents and the text that were read so far."""
        self.lost = 0
        """Of these, the bytes that were not readable."""

    # -- input and output

    def receive_text(self, text: str) -> None:
        """Take more of the stream."""
        if text:
            self._incoming.append(text)

    def end(self) -> None:
        """Note that the stream has ended."""
        self._ended = True

    def next_item(self) -> StreamItem | None:
        """Return the next item; None until more text is there, and at the end.

        Raises ClixmlError for a document or element that cannot be read, after its readable items.
        The rest of this document is skipped if the caller goes on.
        """
        while True:
            if self._items:
                item, self.offset, self.number = self._items.popleft()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if not (self._outside() if self._document is None else self._inside(self._document)):
                return None

    @property
    def skipping(self) -> bool:
        """True from an error on until the end of its document."""
        return self._skipping

    @property
    def place(self) -> int:
        """Offset in characters of the document that is being read or was read last, or -1."""
        document = self._document or self._current
        return document.offset if document is not None else -1

    def is_referred(self, value: Any) -> bool:
        """Return True if a later element is known to refer to this object of the last items."""
        return self._current is not None and self._current.is_referred(value)

    # -- text

    def _more(self) -> bool:
        """Add the next text; return False if there is none."""
        if not self._incoming:
            return False
        rest = self._text[self._pos :]
        self._held.append(self._text[self._from : self._pos])
        self._held_size += self._pos - self._from
        self._text = rest + self._incoming.popleft()
        self._from = self._pos = 0
        return True

    def _absolute(self, pos: int) -> int:
        return self._begin + self._held_size + pos - self._from

    def _take(self, end: int) -> str:
        """Return the held text and that up to ``end``, and forget it."""
        taken = "".join((*self._held, self._text[self._from : end]))
        self._begin += len(taken)
        self._held.clear()
        self._held_size = 0
        self._from = end
        self._pos = max(self._pos, end)
        return taken

    def _wait_at_tag(self, longest: int) -> None:
        """Move to the end of the text, or to a tag that may not be complete."""
        last = self._text.rfind("<", self._pos)
        here = last if last >= 0 and self._text.find(">", last) < 0 else len(self._text)
        self._pos = here if len(self._text) - here < longest else len(self._text)

    def _skip_to_closer(self) -> bool:
        assert self._closer is not None
        end = self._text.find(self._closer, self._pos)
        if end < 0:
            self._pos = max(self._pos, len(self._text) - len(self._closer) + 1)
            return False
        self._pos = end + len(self._closer)
        self._closer = None
        return True

    def _too_long(self, what: str) -> bool:
        """Set the error if more text is held than one value may have."""
        if self._held_size + len(self._text) - self._from <= self._max_value:
            return False
        self._error = ClixmlError(
            f"{what} of more than {self._max_value} characters", "", self._begin
        )
        return True

    # -- outside of documents

    def _outside(self) -> bool:
        """Search for a document; return False if there is none in the text that is there."""
        while not self._found_document():
            if self._too_long("text"):
                self._drop(max(self._pos, len(self._text) - self._max_value))
                return True
            if self._more():
                continue
            if not self._ended:
                return False
            if self._closer is not None:
                self._take_as_text()
            elif not self._last:
                self._last = True
            else:
                return self._finish_outside()
        return True

    def _found_document(self) -> bool:
        while True:
            if self._closer is not None:
                if not self._skip_to_closer():
                    return False
                if self._prolog < 0:
                    self._prolog = self._comment
            before = self._pos
            found = OUTSIDE.search(self._text, self._pos)
            if found is None:
                self._wait_at_tag(0 if self._last else _LONGEST_GUESS)
            else:
                self._pos = found.start()
            if self._prolog >= 0 and self._text[before : self._pos].strip():
                self._prolog = -1
            if found is None or (found.end() >= len(self._text) and not self._last):
                return False
            closer = CLOSERS.get(found[0])
            if closer is None:
                self._start_document()
                return True
            self._pos = found.end()
            if closer not in self._missing:
                self._closer, self._comment = closer, self._absolute(found.start())
            else:
                self._prolog = -1

    def _take_as_text(self) -> None:
        """Continue after the start of a comment that has no end."""
        assert self._closer is not None
        self._missing.add(self._closer)
        self._closer = None
        self._prolog = -1
        begin = self._begin
        self._text = self._take(len(self._text))
        self._from, self._begin = 0, begin
        self._pos = max(self._comment - begin + 2, 0)

    def _start_document(self) -> None:
        start = self._absolute(self._pos)
        begin = self._prolog if self._prolog >= 0 else start
        offset = self._begin
        before = self._take(self._pos)
        self._add_text(before[: begin - offset], offset)
        self._held, self._held_size, self._begin = [before[begin - offset :]], start - begin, begin
        self._prolog, self._last = -1, False
        self._documents += 1
        if self._forget is not None:
            self._forget(set())
        objects = KeptObjects(self._referred, 4 * self._max_value)
        self._document = DocumentParts(begin, objects, self._unseal, self._max_depth)
        self._pattern, self._depth = None, 0

    def _add_text(self, text: str, offset: int) -> None:
        for segment in plain_segments(text, 0, len(text)):
            self.size += byte_size(segment.text)
            item = StreamItem(None, RawText(segment.text))
            self._items.append((item, offset + segment.offset, 0))

    def _finish_outside(self) -> bool:
        """Return what is left at the end as text, or as the values of one element."""
        offset, text = self._begin, self._take(len(self._text))
        stripped = text.lstrip(_BLANK)
        if self._documents or "Objs" in text or not stripped or MARKER.match(stripped):
            self._add_text(text, offset)
            return bool(self._items)
        self.size += byte_size(text)
        try:
            bare = read_document(text, unseal=self._unseal, max_depth=self._max_depth)
        except ClixmlError as error:
            self._error = error
            self.lost += byte_size(text)
            return True
        for number, (stream, value) in enumerate(bare, 1):
            self._items.append((StreamItem(stream, value), -1, number))
        return True

    # -- inside of a document

    def _inside(self, document: DocumentParts) -> bool:
        """Read the elements that are complete; return False if there is none."""
        if document.unforgotten > WINDOW and not self._skipping:
            self._forget_objects(document)
            return True
        cuts, state = self._search_elements(document)
        if self._skipping:
            self._drop(self._pos)
            if state is State.ENDS:
                self._leave()
                return True
        elif cuts or state is not State.GOES_ON:
            self._read(document, cuts or [self._pos], state)
            return True
        elif self._too_long("a value"):
            self._skip()
            return True
        if self._more():
            return True
        if not self._ended:
            return False
        self.torn = True
        self._pos = len(self._text)
        if self._skipping:
            self._drop(self._pos)
        else:
            self._read(document, [self._pos], State.TORN)
        self._leave()
        return True

    def _search_elements(self, document: DocumentParts) -> tuple[list[int], State]:
        """Return the ends of complete elements in the text, and whether the document ends."""
        cuts: list[int] = []
        if self._pattern is None:
            tag = START_TAG.match(self._text, self._pos)
            if tag is None:
                too_long = self._is_endless_tag()
                return cuts, State.BROKEN if too_long else State.GOES_ON
            self._pos = tag.end()
            self._pattern = _CHILD
            document.begin(tag[0])
            if tag[0].endswith("/>"):
                return [self._pos], State.ENDS
        while not cuts or cuts[-1] - self._from < _BATCH:
            if self._closer is not None and not self._skip_to_closer():
                break
            found = self._pattern.search(self._text, self._pos)
            if found is None:
                self._wait_at_tag(_LONGEST_GUESS if self._skipping else LONGEST_TAG)
                break
            self._pos = found.start()
            if found[1]:
                self._closer = CLOSERS[found[0]]
                self._pos = found.end()
                continue
            if found[2]:
                self._pos = found.end()
                return [*cuts, self._pos], State.ENDS
            tag = _WHOLE_TAG.match(self._text, self._pos)
            if tag is None:
                if self._text.find("<", self._pos + 1) < 0 and not self._is_endless_tag():
                    break
                self._pos += 1  # the reader reports the place
                continue
            self._pos = tag.end()
            if found[3]:
                self._depth -= 1
            elif not tag[0].endswith("/>"):
                self._depth += 1
            if self._depth < 0:
                return [*cuts, self._pos], State.BROKEN
            if self._depth == 0:
                cuts.append(self._pos)
                self._pattern = _CHILD
            elif self._pattern is _CHILD:
                self._pattern = _pattern_for(found[4])
        return cuts, State.GOES_ON

    def _is_endless_tag(self) -> bool:
        return len(self._text) - self._pos > LONGEST_TAG

    def _read(self, document: DocumentParts, cuts: list[int], state: State) -> None:
        """Read the elements up to the last cut."""
        self._current = document
        first, pos = self._from, self._pos
        raw = self._take(cuts[-1])
        self._pos = pos
        held = len(raw) - (cuts[-1] - first)
        number = document.number
        items, error, read = document.read(raw, [held + cut - first for cut in cuts], state)
        for at, item in enumerate(items, number + 1):
            self._items.append((item, document.offset, at))
        self.size += byte_size(raw)
        if error is not None:
            self.lost += byte_size(raw[read:])
            self._error = error
            self._skip()
        if state is State.ENDS:
            self._leave()

    def _leave(self) -> None:
        self._document = self._closer = None
        self._skipping = False

    def _skip(self) -> None:
        """Skip the rest of the document, after an error."""
        self._skipping = True
        self._pattern, self._depth = _END_ONLY, 0

    def _drop(self, end: int) -> None:
        size = byte_size(self._take(end))
        self.size += size
        self.lost += size

    def _forget_objects(self, document: DocumentParts) -> None:
        kept = document.forget()
        if self._forget is not None:
            self._forget(document.objects.alive())
        if not kept:
            self._error = ClixmlError("the objects that are referred to need too much memory")
            self._skip()
