"""CLIXML documents and streams, and JSON lines with one document each, as entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psremoting.capture.entries import Entry
from psremoting.capture.json_messages import read_objects
from psremoting.capture.source import CaptureError, Damage
from psrp.clixml.files import decode_text, segments
from psrp.clixml.read import read_document
from psrp.sansio import ClixmlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source

__all__ = ["read_documents", "read_stream_text", "read_vectors"]

_MAX_DEPTH = 100
"""Deeper than PowerShell's reader allows: its writer produces such documents."""
_FIELDS = ("input", "document", "bare", "bare_depth_1")


def read_documents(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from a file. Raises CaptureError for a truncated or non-text file."""
    data = source.whole()
    joiner.counts.carrier_bytes += len(data)
    try:
        text = decode_text(data)
    except ClixmlError as error:
        raise source.fail(str(error)) from None
    for torn in read_stream_text(text, joiner, {}):
        if torn is not None:
            raise source.fail("the recording ends inside a document", torn)
        yield


def read_stream_text(text: str, joiner: Joiner, where: dict[str, Any]) -> Iterator[int | None]:
    """Feed the joiner with the values of one text; yield the offset of a document without end.

    ``where`` has further members of the entries, the carrier among them.
    """
    carrier = where.get("carrier", {})
    if "Objs" not in text and "#<" not in text:
        yield from _document(text, joiner, where)
        return
    for segment in segments(text):
        place = where | {"carrier": carrier | {"character": segment.offset}}
        if not segment.document:
            entry = Entry(type="clixml:text", value=segment.text, holds_value=True, **place)
            joiner.text(entry, _size(segment.text))
            yield None
        elif not segment.whole:
            lost = _size(segment.text)
            joiner.error("clixml-torn", "the document has no end", lost=lost, **place)
            yield segment.offset
        else:
            yield from _document(segment.text, joiner, place)


def _document(text: str, joiner: Joiner, where: dict[str, Any]) -> Iterator[None]:
    size = _size(text)
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


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


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
