"""HTTP messages as JSON lines, in the two forms of the test collections, and as HAR.

One form has ``from``, ``soap`` and ``connection``: envelopes that a proxy has opened. The other
has ``dir``, ``body`` or ``body_base64`` and ``conn``: bodies as they were sent, and lines with
``closed`` that say which side ended a connection.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psremoting.capture.http_message import HttpMessage, classify_body, read_status
from psremoting.capture.source import CaptureError, Damage
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.source import Source, TextLine

__all__ = ["RECORDING_VERSION", "RecordedTime", "read_har", "read_json_lines", "read_objects"]

RECORDING_VERSION = 1
"""Version of the recordings that `psremoting.capture.recorder` writes."""

_HAR_ENTRIES = re.compile(r'"entries"\s*:\s*\[\s*')
_HAR_NEXT = re.compile(r"\s*,\s*")
_SIDES = {"c2s": Side.CLIENT, "s2c": Side.SERVER, "client": Side.CLIENT, "server": Side.SERVER}


class RecordedTime:
    """The times of a recording: ``t`` of each line, after ``began`` of the line before all."""

    def __init__(self) -> None:
        self._began = 0.0

    def of(self, source: Source, line: TextLine, item: dict[str, Any]) -> float | None:
        """Return the time of a line. Raises CaptureError for a newer version of the form."""
        if "recording" in item:
            if item["recording"] != RECORDING_VERSION:
                raise source.fail(
                    f"expected version {RECORDING_VERSION} of the recording, got "
                    f"{item['recording']!r}",
                    line.offset,
                )
            self._began = _moment(item.get("began")) or 0.0
        time = item.get("t")
        return self._began + float(time) if isinstance(time, int | float) else None


def read_json_lines(source: Source) -> Iterator[HttpMessage | Damage]:
    """Read one message per line; a line that is not a message becomes a Damage."""
    clock = RecordedTime()
    for number, (line, item) in enumerate(read_objects(source), 1):
        if isinstance(item, CaptureError):
            yield Damage(line, item)
            continue
        make = _raw_message if "dir" in item else _opened_message
        try:
            time = clock.of(source, line, item)
            yield make(source, line, item, number, time)
        except CaptureError as error:
            yield Damage(line, error)


def _opened_message(
    source: Source, line: TextLine, item: dict[str, Any], number: int, time: float | None
) -> HttpMessage:
    side, soap = _SIDES.get(str(item.get("from"))), item.get("soap")
    if side is None or not isinstance(soap, str | None):
        raise source.fail("not an HTTP message: 'from' or 'soap' is wrong", line.offset)
    return HttpMessage(
        number=number,
        side=side,
        offset=line.number,
        file_offset=line.offset,
        connection=_integer(item.get("connection")),
        soap=soap,
        **_head(item, side, time),
    )


def _raw_message(
    source: Source, line: TextLine, item: dict[str, Any], number: int, time: float | None
) -> HttpMessage:
    side, body = _SIDES.get(str(item.get("dir"))), item.get("body")
    if side is None or not isinstance(body, str | None):
        raise source.fail("not an HTTP message: 'dir' or 'body' is wrong", line.offset)
    content: bytes | str | None = body
    if "body_base64" in item:
        content = _base64(source, line, item["body_base64"])
    head = _head(item, side, time)
    soap, other = classify_body(content, head["headers"])
    notes = []
    if "closed" in item:
        notes.append(f"connection closed ({item['closed']})")
    if item.get("incomplete"):
        notes.append("the message ends before its length")
    return HttpMessage(
        number=number,
        side=side,
        offset=line.number,
        file_offset=line.offset,
        connection=_integer(item.get("conn")),
        soap=soap,
        body=other,
        note=", ".join(notes),
        raw=True,
        **head,
    )


def _head(item: dict[str, Any], side: Side, time: float | None) -> dict[str, Any]:
    start, headers = item.get("start"), item.get("headers")
    start = start if isinstance(start, str) else ""
    words = start.split()
    return {
        "start": start,
        "time": time,
        "status": read_status(words[1]) if side is Side.SERVER and len(words) > 1 else None,
        "headers": _pairs(headers),
    }


def _pairs(headers: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(headers, list):
        return ()
    return tuple(
        (str(pair[0]), str(pair[1]))
        for pair in headers
        if isinstance(pair, list) and len(pair) == 2
    )


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _base64(source: Source, line: TextLine, text: object) -> bytes:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise source.fail(f"'body_base64' is not base64: {error}", line.offset) from None


def read_objects(source: Source) -> Iterator[tuple[TextLine, dict[str, Any] | CaptureError]]:
    """Read JSON objects, one a line, with their lines; skip blank lines.

    A line that is not an object comes with its error.
    """
    for line in source.lines():
        if line.data.strip():
            try:
                item: dict[str, Any] | CaptureError = _object(source, line.data, line.offset)
            except CaptureError as error:
                item = error
            yield line, item


def _object(source: Source, data: bytes, offset: int) -> dict[str, Any]:
    try:
        item = json.loads(data)
    except (ValueError, RecursionError) as error:
        torn = not data.endswith(b"\n")
        text = "the recording ends inside a line" if torn else f"not JSON: {error}"
        raise source.fail(text, offset) from None
    if not isinstance(item, dict):
        raise source.fail("not a JSON object", offset)
    return item


# -- HAR 1.2: {"log": {"entries": [{"startedDateTime", "request", "response"}]}}


def read_har(source: Source) -> Iterator[HttpMessage]:
    """Read the requests and responses of an HTTP archive. Raises CaptureError.

    Every message has line 1: a HAR file is one JSON document, and its entries are counted.
    """
    number = 0
    for position, entry in enumerate(_har_entries(source), 1):
        if not isinstance(entry, dict):
            raise source.fail(f"log.entries[{position - 1}] is not an object", 0)
        time = _moment(entry.get("startedDateTime"))
        took = entry.get("time")
        answered = (
            time + took / 1000 if time is not None and isinstance(took, int | float) else time
        )
        for side, name, moment in (
            (Side.CLIENT, "request", time),
            (Side.SERVER, "response", answered),
        ):
            part = entry.get(name)
            if isinstance(part, dict):
                number += 1
                yield _har_message(source, part, side, number, position, moment)


def _har_entries(source: Source) -> Iterator[Any]:
    """Yield the entries of an archive; of a damaged one those before the damage, then raise."""
    data = source.whole()
    try:
        log = _object(source, data, 0).get("log")
    except CaptureError as error:
        yield from _whole_entries(data)
        raise error from None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise source.fail("not a HAR file: expected an array at log.entries", 0)
    yield from entries


def _whole_entries(data: bytes) -> Iterator[Any]:
    text = data.decode("utf-8-sig", "replace")
    found = _HAR_ENTRIES.search(text)
    at = found.end() if found is not None else len(text)
    decoder = json.JSONDecoder()
    while at < len(text):
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield entry
        following = _HAR_NEXT.match(text, at)
        if following is None:
            return
        at = following.end()


def _har_message(
    source: Source, part: dict[str, Any], side: Side, number: int, position: int, time: float | None
) -> HttpMessage:
    content = part.get("postData" if side is Side.CLIENT else "content")
    content = content if isinstance(content, dict) else {}
    text = content.get("text")
    body: bytes | str | None = text if isinstance(text, str) else None
    if isinstance(text, str) and content.get("encoding") == "base64":
        try:
            body = b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise source.fail(f"log.entries[{position - 1}]: not base64: {error}", 0) from None
    headers = part.get("headers")
    pairs = tuple(
        (str(header.get("name")), str(header.get("value")))
        for header in (headers if isinstance(headers, list) else ())
        if isinstance(header, dict)
    )
    if not any(name.lower() == "content-type" for name, _ in pairs) and content.get("mimeType"):
        pairs += (("Content-Type", str(content["mimeType"])),)
    soap, other = classify_body(body, pairs)
    status = part.get("status")
    request = f"{part.get('method', '')} {part.get('url', '')}".strip()
    return HttpMessage(
        number=number,
        side=side,
        offset=1,
        connection=position,
        time=time,
        start=request if side is Side.CLIENT else "",
        status=status if isinstance(status, int) and 100 <= status <= 999 else None,
        headers=pairs,
        soap=soap,
        body=other,
        raw=True,
    )


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
