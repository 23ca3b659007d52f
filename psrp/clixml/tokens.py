"""The tokenizer: a document as the pieces between its ``<`` characters.

A piece is one tag and the text after it (``S N="Name">value``), because a prepared document has no
``<`` elsewhere. Splitting is one call for thousands of pieces, and most tags (`Head`) occur again
and again: a tag is matched with a regular expression once, and afterwards found in a dictionary.

The reader refers to pieces by their index. A document is split in parts of `_PART` characters (the
first ones are shorter) as the reader proceeds, and pieces that were read are dropped, so that
pieces take little memory. The offset of a piece is needed for errors only, and then computed from
the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from sys import maxsize
from typing import Any, NamedTuple, NoReturn

from psrp.clixml import fastpaths
from psrp.clixml.places import fail, path_of
from psrp.clixml.scalars import PARSE, parse_text
from psrp.clixml.text import resolve_entities, unescape

__all__ = [
    "AHEAD",
    "CLOSE",
    "EMPTY",
    "END",
    "KNOWN",
    "MEMBERS",
    "NIL",
    "OPEN",
    "OTHER",
    "SCALAR",
    "SPACE",
    "TEXT",
    "TYPES",
    "VALUE",
    "Head",
    "Known",
    "Parse",
    "Pieces",
    "Token",
]

EMPTY, OPEN, SCALAR, END = range(4)
"""Kinds of token: ``<a />``, a start tag, a whole element with text only, an end tag."""

OTHER, VALUE, NIL, TYPES, MEMBERS, TEXT, CLOSE = range(7)
"""Uses of a known tag: a start of a scalar, a null, a TNRef, a start of MS or Props, of ToString,
an end. All in the usual spelling, with no attribute but the usual."""

SPACE = " \t\n"
AHEAD = 8
"""The reader may look this many pieces ahead; the document ends with as many empty ones."""

_PART = 1 << 16
_FIRST_PART = 1 << 11
_NEARBY = 64
_KEPT = 4096
"""Number of tags that are remembered."""
_LONGEST = 200
"""Length of the longest tag that is remembered, to limit the memory that a peer can fill."""

_NAME = r"[^\W\d][\w.-]*"
_START = re.compile(
    rf"({_NAME}(?::{_NAME})?)((?>(?:[{SPACE}]+[\w:.-]+[{SPACE}]*=[{SPACE}]*"
    rf"""(?:"[^"]*"|'[^']*'))*))[{SPACE}]*(/?)>"""
).match
# An atomic group, not a possessive quantifier, which is broken around groups in CPython 3.11.2.
_ATTRIBUTE = re.compile(rf"""([\w:.-]+)[{SPACE}]*=[{SPACE}]*(?:"([^"]*)"|'([^']*)')""")
_END = re.compile(rf"/({_NAME}(?::{_NAME})?)[{SPACE}]*>").match

_NO_ATTRIBUTES: dict[str, str] = {}
Parse = Callable[[str], Any]


class Head(NamedTuple):
    """One tag."""

    kind: int
    """EMPTY, OPEN (any start tag) or END."""
    tag: str
    """Local name."""
    name: str | None
    """Attribute N, with its ``_xHHHH_`` escapes."""
    refid: str | None
    qualified: str
    """The name with its prefix, as it must be in the end tag."""
    attributes: dict[str, str]
    """All attributes; empty if there are none but N and RefId."""


Known = tuple[int, str, Parse, str, Head]
"""The use of a tag, its name without escapes (of a TYPES: its RefId), its parser, its end tag, and
the tag itself."""


class Token(NamedTuple):
    """One start tag, end tag, or element without child elements."""

    kind: int
    tag: str
    name: str | None
    refid: str | None
    text: str
    """The text between the start tag and the next markup, references not resolved."""
    after: int
    """The index of the piece after the token."""
    qualified: str
    attributes: dict[str, str]


KNOWN: dict[str, Known] = {}
"""The tags seen before, by the text before their ``>``."""


class Pieces:
    """A prepared document, split at ``<`` as the reader proceeds."""

    __slots__ = (
        "_begins",
        "_gone",
        "_heads",
        "_next",
        "_prefixes",
        "_size",
        "_stop",
        "limit",
        "pieces",
        "text",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces = [""]
        """The first is for the text before the first tag, so that the root has index 1."""
        self.limit = 0
        """From this index on, `more` must be called before a piece is read."""
        self._stop = maxsize
        """The index after the last piece, once it is known."""
        self._gone = 0
        self._size = _FIRST_PART
        self._next = len(text) - len(text.lstrip(SPACE))
        self._begins: list[tuple[int, int]] = []
        """The first index and the offset of each part."""
        self._heads = KNOWN if fastpaths.enabled else {}
        self._prefixes: dict[str, str] = {}
        if not text.startswith("<", self._next):
            empty = self._next == len(text)
            fail(text, self._next, "unexpected end of the document" if empty else _STRAY)

    def more(self, i: int) -> int:
        """Split until the piece ``i`` and those ahead of it are there; return the new limit."""
        self._drop(i - 1)
        while i >= self.limit:
            self._split()
        return self.limit

    def whole(self, i: int, count: int) -> int:
        """Split until there are ``count`` pieces from ``i`` on; return how many there are."""
        while len(self.pieces) - i < count and self.limit != maxsize:
            self._drop(i - 1)
            self._split()
        return min(len(self.pieces), self._stop) - i

    def offset_nearby(self, i: int) -> int:
        """Return the offset of the ``<`` before a piece, or -1 where it takes long to find."""
        if i >= self._stop or i - self._begins[-1][0] not in range(_NEARBY):
            return -1
        return self.offset(i)

    def jump(self, i: int, offset: int) -> None:
        """Give the piece at this offset the index ``i``; the pieces before it were read."""
        if i > len(self.pieces) or (i == len(self.pieces) and self.limit != maxsize):
            self._drop(len(self.pieces))
            self.pieces += [""] * (i - len(self.pieces))
            self._gone = i
            self._next = offset
            self.limit = 0

    def _drop(self, end: int) -> None:
        """Forget the pieces before an index."""
        end = min(end, len(self.pieces))
        if end > self._gone:
            self.pieces[self._gone : end] = [""] * (end - self._gone)
            self._gone = end

    def _split(self) -> None:
        """Split one more part, which ends before a ``<``."""
        text, begin, pieces = self.text, self._next, self.pieces
        self._begins.append((len(pieces), begin))
        size = self._size
        self._size = min(4 * size, _PART)
        end = text.rfind("<", begin + 1, begin + size)
        if end < 0:
            end = text.find("<", begin + size)
        if end < 0 or len(text) - begin <= size:
            pieces += text[begin + 1 :].split("<")
            self._stop = len(pieces)
            pieces += [""] * AHEAD
            self.limit = maxsize
        else:
            pieces += text[begin + 1 : end].split("<")
            self._next = end
            self.limit = len(pieces) - AHEAD

    # -- places

    def offset(self, i: int) -> int:
        """Return the offset of the ``<`` before a piece."""
        if i >= self._stop:
            return len(self.text)
        first, at = self._begins[bisect_right(self._begins, (i, maxsize)) - 1]
        for _ in range(i - first):
            at = self.text.find("<", at + 1)
        return at

    def fail(self, i: int, what: str) -> NoReturn:
        """Raise ClixmlError with the place of a piece."""
        fail(self.text, self.offset(i), what)

    def _fail_after(self, i: int, after: int) -> NoReturn:
        """Raise ClixmlError for the text in a piece after the tag of that length."""
        piece = self.pieces[i]
        at = self.offset(i) + 1 + len(piece) - len(piece[after:].lstrip(SPACE))
        fail(self.text, at, _STRAY if path_of(self.text, at) else _AFTER_ROOT)

    def check_done(self, i: int) -> None:
        """Raise ClixmlError if there is anything after the root element."""
        if i < self._stop and (i < len(self.pieces) or self.limit != maxsize):
            self.fail(i, _AFTER_ROOT)

    # -- tokens

    def token(self, i: int) -> Token:
        """Return the token that begins with a piece, in any spelling. Raises ClixmlError."""
        if i >= self.limit:
            self.more(i)
        piece = self.pieces[i]
        text, closed, content = piece.partition(">")
        known = self._heads.get(text) if closed else None
        if known is not None:
            head = known[4]
        else:
            head, length = self._head(i, piece)
            content = piece[length:]
        kind, tag, name, refid, qualified, attributes = head
        if kind != OPEN:
            if content and content.strip(SPACE):
                self._fail_after(i, len(piece) - len(content))
            return Token(kind, tag, name, refid, "", i + 1, qualified, attributes)
        following = self.pieces[i + 1]
        end = _END(following) if following[:1] == "/" else None
        if end is not None and end[1] == qualified:
            if following[end.end() :].strip(SPACE):
                self._fail_after(i + 1, end.end())
            return Token(SCALAR, tag, name, refid, content, i + 2, qualified, attributes)
        if i + 1 == self._stop and content.strip(SPACE):
            self.fail(i, "unterminated element")
        return Token(OPEN, tag, name, refid, content, i + 1, qualified, attributes)

    def _head(self, i: int, piece: str) -> tuple[Head, int]:
        """Return a tag that is not known yet, and its length."""
        if i >= self._stop:
            self.fail(i, "unexpected end of the document")
        if piece[:1] == "/":
            end = _END(piece)
            if end is None:
                self.fail(i, "malformed end tag")
            qualified = end[1]
            head = Head(END, _local(qualified), None, None, qualified, _NO_ATTRIBUTES)
            length = end.end()
        else:
            start = _START(piece)
            if start is None:
                self.fail(i, "malformed tag")
            qualified, inside, slash = start.groups()
            attributes = self._attributes(i, inside) if inside else _NO_ATTRIBUTES
            tag, name, refid = _local(qualified), attributes.get("N"), attributes.get("RefId")
            if attributes.keys() <= _USUAL:
                attributes = _NO_ATTRIBUTES
            head = Head(EMPTY if slash else OPEN, tag, name, refid, qualified, attributes)
            length = start.end()
            self._note_namespaces(head, i)
        if fastpaths.enabled:
            _remember(head, piece[: length - 1])
        return head, length

    def _attributes(self, i: int, inside: str) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for key, double, single in _ATTRIBUTE.findall(inside):
            if key in attributes:
                self.fail(i, f"two attributes {key}")
            try:
                value = (double or single).replace("\t", " ").replace("\n", " ")
                attributes[key] = resolve_entities(value)
            except ValueError as error:
                self.fail(i, str(error))
        return attributes

    def _note_namespaces(self, head: Head, i: int) -> None:
        for key, value in head.attributes.items():
            if key[:6] == "xmlns:":
                self._prefixes[key[6:]] = value
        prefix = head.qualified.rpartition(":")[0]
        if prefix and prefix not in self._prefixes:
            self.fail(i, f"the prefix {prefix} is not declared")


_STRAY = "text among elements"
_AFTER_ROOT = "unexpected text after the root element"
_USUAL = frozenset({"N", "RefId"})


def _local(qualified: str) -> str:
    return qualified.rpartition(":")[2]


def _remember(head: Head, text: str) -> None:
    """Remember a tag, unless it has a namespace or the id of an object, which occurs only once."""
    kind, tag, name, refid, qualified, attributes = head
    if len(text) > _LONGEST or ">" in text or attributes or tag != qualified:
        return
    if refid is not None and tag not in _TYPE_TAGS:
        return
    if len(KNOWN) >= _KEPT:
        KNOWN.clear()
    use, given, parse = OTHER, unescape(name or ""), PARSE.get(tag, parse_text)
    if kind == END:
        use, given = CLOSE, ""
    elif kind == EMPTY:
        if tag == "TNRef" and refid is not None and name is None:
            use, given = TYPES, refid
        elif tag == "Nil":
            use = NIL
    elif refid is None:
        if tag in PARSE:
            use = VALUE
        elif text in _MEMBER_TAGS:
            use = MEMBERS
        elif text == "ToString":
            use = TEXT
    KNOWN[text] = (use, given, parse, f"/{qualified}>", head)


_TYPE_TAGS = frozenset({"TN", "TNRef"})
_MEMBER_TAGS = frozenset({"MS", "Props"})
