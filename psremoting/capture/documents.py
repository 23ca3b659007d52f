"""CLIXML documents and streams, and JSON lines with one document each, as entries."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from psremoting.capture.entries import Entry
from psremoting.capture.json_messages import read_objects
from psremoting.capture.source import MAX_LINE, CaptureError, Damage
from psrp.clixml.file_text import TextDecoder
from psrp.clixml.files import RawText, StreamItem
from psrp.clixml.incremental import StreamReader
from psrp.clixml.kept_objects import ReferenceScan
from psrp.clixml.read import read_document
from psrp.sansio import ClixmlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source

__all__ = ["read_documents", "read_stream_text", "read_vectors"]

_MAX_DEPTH = 100
"""Deeper than PowerShell's reader allows: its writer produces such documents."""
_FIELDS = ("input", "document", "bare", "bare_depth_1")


def read_documents(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from a file, value by value.

    Raises CaptureError for a truncated or non-text file.
    """
    decoder = TextDecoder()

    def texts() -> Iterator[str]:
        for piece in source.pieces():
            joiner.counts.carrier_bytes += len(piece)
            yield decoder.decode(piece)
            if decoder.error is not None:
                raise source.fail(str(decoder.error))
        yield decoder.decode(b"", last=True)
        if decoder.error is not None:
            raise source.fail(str(decoder.error))

    for torn in _read(texts(), joiner, {}, _referred(source)):
        if torn is not None:
            raise source.fail("the recording ends inside a document", torn)
        yield


def _referred(source: Source) -> frozenset[str] | None:
    """Return the ids that occur in references of a file; None for a stream."""
    pieces = source.ahead()
    if pieces is None:
        return None
    scan, decoder = ReferenceScan(), TextDecoder()
    for piece in pieces:
        scan.receive_text(decoder.decode(piece))
    return scan.found


def read_stream_text(text: str, joiner: Joiner, where: dict[str, Any]) -> Iterator[int | None]:
    """Feed the joiner with the values of one text; yield the offset of a document without end.

    ``where`` has further members of the entries, the carrier among them.
    """
    yield from _read(iter([text]), joiner, where, None)


def _read(
    texts: Iterator[str], joiner: Joiner, where: dict[str, Any], referred: frozenset[str] | None
) -> Iterator[int | None]:
    """Feed the joiner; yield None after each step, and the offset of a document without end."""
    reader = StreamReader(max_depth=_MAX_DEPTH, max_value=MAX_LINE, referred=referred)
    counts, carrier = joiner.counts, where.get("carrier", {})
    failed: ClixmlError | None = None
    counted = lost = begin = 0

    def place(offset: int, more: dict[str, int]) -> dict[str, Any]:
        at = {"character": offset} if offset >= 0 else {}
        return where | {"carrier": carrier | at | more} if at or more or carrier else where

    for text in chain(texts, (None,)):
        if text is None:
            reader.end()
        else:
            reader.receive_text(text)
        while True:
            try:
                item = reader.next_item()
            except ClixmlError as error:
                failed, begin = error, reader.place
                continue
            read = reader.size - reader.lost - counted
            counted += read
            counts.bytes += read
            counts.accounted += read
            if failed is not None and not reader.skipping:
                joiner.error("clixml", str(failed), lost=reader.lost - lost, **place(begin, {}))
                failed, lost = None, reader.lost
            if item is None:
                break
            yield from _add(item, reader, joiner, place)
        yield reader.place if text is None and reader.torn else None


def _add(
    item: StreamItem, reader: StreamReader, joiner: Joiner, place: Callable[..., dict[str, Any]]
) -> Iterator[None]:
    if isinstance(item.value, RawText):
        kind, at = "clixml:text", place(reader.offset, {})
        value: Any = str(item.value)
    else:
        kind = f"clixml:{item.stream.lower() if item.stream else 'value'}"
        value, at = item.value, place(reader.offset, {"item": reader.number})
    joiner.act(Entry(type=kind, value=value, holds_value=True, **at))
    yield None


def _document(text: str, joiner: Joiner, where: dict[str, Any]) -> Iterator[None]:
    size = len(text.encode("utf-8", "surrogatepass"))
    try:
        items = read_document(text, max_depth=_MAX_DEPTH)
    except ClixmlError as error:
        joiner.error("clixml", str(error), lost=size, **where)
        yield None
        return
    joiner.counts.bytes += size
    joiner.counts.accounted += size
    carrier = where.get("carrier", {})
    for number, (stream, value) in enumerate(items, 1):
        kind = f"clixml:{stream.lower() if stream else 'value'}"
        place = where | {"carrier": carrier | {"item": number}}
        joiner.act(Entry(type=kind, value=value, holds_value=True, **place))
        yield None


def read_vectors(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from JSON lines with documents in members of known names."""
    for row, item in read_objects(source):
        joiner.counts.carrier_bytes += len(row.data)
        if isinstance(item, CaptureError):
            joiner.damage(Damage(row, item))
            yield
            continue
        for field in _FIELDS:
            text = item.get(field)
            if isinstance(text, str):
                carrier = {"line": row.number, "file_offset": row.offset, "member": field}
                if isinstance(name := item.get("name"), str):
                    carrier["name"] = name
                yield from _document(text, joiner, {"carrier": carrier})
