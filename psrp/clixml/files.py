"""CLIXML in files and in the output of powershell.exe, in every encoding that occurs.

`Export-Clixml` writes one ``<Objs>`` document, as UTF-8 or UTF-16 with a byte order mark.
``powershell.exe -OutputFormat XML`` (and its standard error if that is not a console) writes
a *stream*: a line ``#< CLIXML``, then a document whose items have their stream in an attribute
``S``. If one PowerShell starts another, there are several documents, with plain text before,
between and after them. See spec-notes/clixml-files.md.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from psrp.clixml.file_text import decode_text
from psrp.clixml.prepared import prepare
from psrp.clixml.read import read_document
from psrp.clixml.reader import MAX_DEPTH, NAMESPACE, Reader
from psrp.clixml.text import escape_attribute, unescape
from psrp.clixml.write import Writer, indent
from psrp.frozen import dataclass
from psrp.sansio import ClixmlError, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "CLOSERS",
    "MARKER",
    "OUTSIDE",
    "START_TAG",
    "RawText",
    "Segment",
    "StreamItem",
    "decode_text",
    "dump_all",
    "dump_streams",
    "iter_streams",
    "load_all",
    "load_streams",
    "plain_segments",
    "segments",
]

OUTSIDE = re.compile(r"<!--|<\?(?=xml\s)|<!DOCTYPE\s+Objs\b|<(?>(?:[\w.-]+:)?)Objs(?=[\s/>]|\Z)")
_INSIDE = re.compile(r"<!--|<!\[CDATA\[|<\?|</(?>(?:[\w.-]+:)?)Objs\s*>")
CLOSERS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
START_TAG = re.compile(r"""<(?>(?:[^>"']|"[^"]*"|'[^']*')*)>""")
MARKER = re.compile(r"#< CLIXML[ \t]*(?:\r\n?|\n|\Z|(?=<))")


@dataclass(frozen=True, slots=True)
class StreamItem:
    """A value and the stream that it was written to."""

    stream: str | None
    """The attribute ``S`` as spelt: ``Error``, ``output``, ``progress`` ...; None without it."""
    value: Any


class RawText(str):
    """Plain text before, between or after the documents of a stream."""

    __slots__ = ()


class Segment(NamedTuple):
    """A part of a stream: a document, whole or cut off at the end, or plain text."""

    text: str
    offset: int
    """0-based character offset of its start."""
    document: bool
    whole: bool


def segments(text: str) -> Iterator[Segment]:
    """Split a stream into segments, without ``#< CLIXML`` lines and white space between documents.

    A document extends from its XML declaration or comments, if any, to its ``</Objs>``; one without
    an end is the last segment and not ``whole``. Linear in the text's length.
    """
    at = 0
    while True:
        begin, root = _next_document(text, at)
        yield from plain_segments(text, at, begin)
        if root < 0:
            return
        at = _end_of_document(text, root)
        if at < 0:
            yield Segment(text[begin:], begin, True, False)
            return
        yield Segment(text[begin:at], begin, True, True)


def _next_document(text: str, at: int) -> tuple[int, int]:
    """Return the offsets of the next document with its prolog and of its root tag; -1: none."""
    begin = behind = -1
    missing: set[str] = set()
    while found := OUTSIDE.search(text, at):
        start, at = found.span()
        if behind < 0 or text[behind:start].strip():
            begin = start
        closer = CLOSERS.get(found.group())
        if closer is None:
            return begin, start
        # Do not search again for markup that does not occur from here on, to stay linear.
        end = -1 if closer in missing else text.find(closer, at)
        if end < 0:
            missing.add(closer)
            behind = -1
        else:
            behind = at = end + len(closer)
    return len(text), -1


def _end_of_document(text: str, root: int) -> int:
    """Return the offset after the document whose root tag begins at ``root``; -1: cut off."""
    tag = START_TAG.match(text, root)
    if tag is None:
        return -1
    at = tag.end()
    if tag.group().endswith("/>"):
        return at
    while found := _INSIDE.search(text, at):
        at = found.end()
        closer = CLOSERS.get(found.group())
        if closer is None:
            return at
        end = text.find(closer, at)
        if end < 0:
            return -1
        at = end + len(closer)
    return -1


def plain_segments(text: str, start: int, end: int) -> Iterator[Segment]:
    """Split text outside of documents at ``#< CLIXML`` lines; white space alone is omitted."""
    at = start
    for found in MARKER.finditer(text, start, end):
        yield from _unless_blank(text, at, found.start())
        at = found.end()
    yield from _unless_blank(text, at, end)


def _unless_blank(text: str, start: int, end: int) -> Iterator[Segment]:
    piece = text[start:end]
    if piece.strip("\ufeff \t\r\n"):
        yield Segment(piece, start, False, True)


def load_all(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Callable[[str], str] | None = None,
    max_depth: int = MAX_DEPTH,
    encoding: str | None = None,
) -> list[Any]:
    """Return every value of a file, in any of its forms.

    A value with the attribute ``S`` becomes a `StreamItem`; plain text around documents is omitted
    (use `load_streams` for it). A single bare element is accepted. ``unseal`` and ``max_depth`` are
    those of `loads`, ``encoding`` that of `decode_text`. Raises ClixmlError, also if the last
    document is cut off.
    """
    text = data if isinstance(data, str) else decode_text(bytes(data), encoding)
    if OUTSIDE.search(text) or not MARKER.sub("", text).strip("\ufeff \t\r\n"):
        items = list(iter_streams(text, unseal=unseal, max_depth=max_depth))
    else:
        bare = read_document(text, unseal=unseal, max_depth=max_depth)
        items = [StreamItem(stream, value) for stream, value in bare]
    return [
        item.value if item.stream is None else item
        for item in items
        if not isinstance(item.value, RawText)
    ]


def load_streams(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Callable[[str], str] | None = None,
    max_depth: int = MAX_DEPTH,
    encoding: str | None = None,
) -> list[StreamItem]:
    """Return a program's output in order: values with their streams, plain text as `RawText`.

    Raises ClixmlError; `iter_streams` yields the items before the error.
    """
    return list(iter_streams(data, unseal=unseal, max_depth=max_depth, encoding=encoding))


def iter_streams(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Callable[[str], str] | None = None,
    max_depth: int = MAX_DEPTH,
    encoding: str | None = None,
) -> Iterator[StreamItem]:
    """Yield the items of `load_streams`; raises ClixmlError after the last readable item."""
    text = data if isinstance(data, str) else decode_text(bytes(data), encoding)
    for segment in segments(text):
        if not segment.document:
            yield StreamItem(None, RawText(segment.text))
            continue
        items: list[tuple[str | None, Any]] = []
        error = _read(segment, items, unseal, max_depth)
        for stream, value in items:
            yield StreamItem(stream if stream is None else unescape(stream), value)
        if error is not None:
            raise error


def _read(
    segment: Segment,
    items: list[tuple[str | None, Any]],
    unseal: Callable[[str], str] | None,
    max_depth: int,
) -> ClixmlError | None:
    """Read one document into ``items``, which keeps the items before an error."""
    try:
        reader = Reader(prepare(segment.text), unseal, max_depth)
        reader._objs(reader.token(1), items)
    except ClixmlError as error:
        if not segment.offset or error.offset < 0:
            return error
        text = str(error).removesuffix(f" (character {error.offset})")
        text = text.removesuffix(f" at {error.path}")
        return ClixmlError(text, error.path, segment.offset + error.offset)
    return None


def dump_all(
    values: Iterable[Any],
    *,
    seal: Callable[[str], str] | None = None,
    max_depth: int = MAX_DEPTH,
) -> bytes:
    """Return the values as an ``<Objs>`` document, indented as Export-Clixml does, without a BOM.

    A `StreamItem` is written as its value with the attribute ``S``. An object that occurs in two of
    the values is written once. Raises LocalProtocolError.
    """
    writer = Writer(seal, max_depth)
    writer.pieces.append(f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">')
    for value in values:
        if isinstance(value, StreamItem):
            name = value.stream
            writer.value(value.value, "" if name is None else f' S="{escape_attribute(name)}"')
        else:
            writer.value(value, "")
    writer.pieces.append("</Objs>")
    return indent("".join(writer.pieces)).encode()


def dump_streams(
    items: Iterable[StreamItem],
    *,
    seal: Callable[[str], str] | None = None,
    max_depth: int = MAX_DEPTH,
) -> bytes:
    """Return a stream as powershell.exe writes it: marker line, document, plain text unchanged.

    All items between two pieces of `RawText` are in one document. Raises LocalProtocolError.
    """
    pieces: list[bytes] = []
    for raw, run in groupby(items, lambda item: isinstance(item.value, RawText)):
        if raw:
            try:
                pieces.extend(item.value.encode() for item in run)
            except UnicodeEncodeError:
                raise LocalProtocolError("half a surrogate pair in plain text") from None
        else:
            pieces.append(b"#< CLIXML\r\n" + dump_all(run, seal=seal, max_depth=max_depth))
    return b"".join(pieces)
