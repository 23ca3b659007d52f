"""WS-Man traffic in plain text: pasted or logged HTTP messages and envelopes.

Supported: HTTP messages as text (Burp, an editor, ``nc``), output of ``curl -v`` and of Python's
``http.client`` at debug level, and logs of any kind that contain whole envelopes: as markup, with
backslash escapes (JSON, Python), or with XML entities. A message reaches from its start line to
the next one; an envelope without a start line is a message of its own. All other text is
returned unchanged.
"""

from __future__ import annotations

import ast
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psremoting.capture.http_message import HttpMessage, classify_body, find_header, read_status
from psrp.clixml.file_text import decode_text
from psrp.sansio import ClixmlError, Side
from wsman import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.source import Source

__all__ = ["OtherText", "holds_envelope", "looks_like_http", "read_http_text"]

_START = re.compile(
    r"^(?P<mark>[<>] )?(?:[^\n]{0,200}?\b(?:send|reply): b?['\"])?"
    r"(?:(?P<method>[A-Z]{3,10}) (?P<path>[^\s\"']{1,4096}) HTTP/1\.[01]"
    r"|HTTP/1\.[01] (?P<status>\d{3})(?!\d)[^\n\r\"'\\]{0,200})"
    r"(?=[\r\n'\"\\ ]|\Z)",
    re.MULTILINE,
)
_HEADER = re.compile(r"(?:[<>] |header: )?([!#$%&'*+.^_`|~\w-]{1,200}):[ \t]*([^\r\n]*)\r?\n?")
_SENT = re.compile(
    r"^[^\n]{0,200}?\bsend: (b?(?P<quote>['\"])(?:[^\\\n]|\\.)*?(?P=quote))\s*$", re.M
)
_ENVELOPE = re.compile(
    r"(?P<open><|&lt;)(?:(?P<prefix>[A-Za-z_][\w.-]{0,100}):)?Envelope(?=[\s>/&\\])"
)
_SHELL_RESOURCE = re.compile(rf"ResourceURI[^<>]{{0,200}}>\s*{re.escape(names.POWERSHELL_PREFIX)}")
_ESCAPED_QUOTE = re.compile(r"=\\+[\"']")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherText:
    """Text between messages: lines of a log, comments, separators."""

    line: int
    """1-based line of the file."""
    text: str


@dataclass(frozen=True, slots=True)
class _Start:
    """A start line with its headers."""

    begin: int
    body: int
    side: Side
    line: str
    status: int | None
    headers: tuple[tuple[str, str], ...]


def looks_like_http(text: str) -> bool:
    """Return True if the text has the start line of an HTTP/1 message."""
    return _START.search(text) is not None


def holds_envelope(text: str) -> bool:
    """Return True if the text has an envelope about a Windows shell, in any supported form."""
    about_shells = f"{names.SHELL}/" in text or _SHELL_RESOURCE.search(text) is not None
    return about_shells and _ENVELOPE.search(text) is not None


def read_http_text(source: Source) -> Iterator[HttpMessage | OtherText]:
    """Read the messages of a text file in their order. Raises CaptureError if there is none."""
    reader = _TextReader(_sent_literals(_text(source.whole())))
    yield from reader.messages()
    if not reader.number:
        raise source.fail("no HTTP message and no SOAP envelope in this text", 0)


def _text(data: bytes) -> str:
    """Decode a log; a byte that is no UTF-8 damages only the message that contains it."""
    try:
        return decode_text(data)
    except ClixmlError:
        return data.decode("utf-8", "replace")


def _sent_literals(text: str) -> str:
    """Replace what ``http.client`` logs as ``send: b'...'`` with the text that was sent."""
    return _SENT.sub(_literal, text) if "send: " in text else text


def _literal(match: re.Match[str]) -> str:
    try:
        value = ast.literal_eval(match[1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return match[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class _TextReader:
    """Splitter of a text at start lines and envelopes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.number = 0
        """Messages found so far."""
        self._counted = 0
        self._line = 1
        self._without_end: set[str] = set()

    def messages(self) -> Iterator[HttpMessage | OtherText]:
        starts = [self._head(match) for match in _START.finditer(self._text)]
        end = starts[0].begin if starts else len(self._text)
        yield from self._region(None, 0, end)
        for index, start in enumerate(starts):
            last = index + 1 == len(starts)
            yield from self._region(
                start, start.body, len(self._text) if last else starts[index + 1].begin
            )

    def _head(self, match: re.Match[str]) -> _Start:
        position = self._text.find("\n", match.end()) + 1 or len(self._text)
        headers = []
        while header := _HEADER.match(self._text, position):
            headers.append((header[1], header[2].strip()))
            position = header.end()
        return _Start(
            begin=match.start(),
            body=position,
            side=Side.CLIENT if match["method"] else Side.SERVER,
            line=match[0].rpartition("'")[2].removeprefix(match["mark"] or "").strip(),
            status=read_status(match["status"]),
            headers=tuple(headers),
        )

    def _region(
        self, start: _Start | None, begin: int, end: int
    ) -> Iterator[HttpMessage | OtherText]:
        """Yield the message of a start line, further envelopes up to ``end``, and the rest."""
        position = begin
        for first, last, envelope in self._envelopes(begin, end):
            yield from self._other(position, first)
            yield self._message(start, first, envelope, None)
            start, position = None, last
        if start is None:
            yield from self._other(position, end)
            return
        text = self._text[position:end]
        if text.strip() and find_header(start.headers, "Content-Type"):
            soap, body = classify_body(text.strip(), start.headers)
            yield self._message(start, start.begin, soap, body)
        else:
            yield self._message(start, start.begin, None, None)
            yield from self._other(position, end)

    def _envelopes(self, begin: int, end: int) -> Iterator[tuple[int, int, str]]:
        while (match := _ENVELOPE.search(self._text, begin, end)) is not None:
            begin = match.start()
            last = self._end_of(match, end)
            yield begin, last, _unescaped(self._text[begin:last], match["open"] == "&lt;")
            begin = last

    def _end_of(self, match: re.Match[str], end: int) -> int:
        """Return the position after the end tag, or ``end`` for an envelope that is cut."""
        name = f"{match['prefix']}:Envelope" if match["prefix"] else "Envelope"
        tag = f"&lt;/{name}&gt;" if match["open"] == "&lt;" else f"</{name}>"
        if tag in self._without_end:
            return end
        found = self._text.find(tag, match.end())
        if found < 0:
            self._without_end.add(tag)
            return end
        return min(found + len(tag), end)

    def _message(
        self, start: _Start | None, position: int, soap: str | None, body: bytes | None
    ) -> HttpMessage:
        self.number += 1
        line = self._line_at(start.begin if start is not None else position)
        if start is None:
            side = Side.SERVER if soap and _is_answer(soap) else Side.CLIENT
            return HttpMessage(
                number=self.number, side=side, offset=line, connection=1, soap=soap, raw=True
            )
        return HttpMessage(
            number=self.number,
            side=start.side,
            offset=line,
            connection=1,
            start=start.line,
            status=start.status,
            headers=start.headers,
            soap=soap,
            body=body,
            raw=True,
        )

    def _other(self, begin: int, end: int) -> Iterator[OtherText]:
        text = self._text[begin:end]
        if text.strip():
            yield OtherText(line=self._line_at(begin), text=text)

    def _line_at(self, position: int) -> int:
        if position >= self._counted:
            self._line += self._text.count("\n", self._counted, position)
            self._counted = position
        return self._line


def _is_answer(envelope: str) -> bool:
    return re.search(r"<(?:[\w.-]+:)?RelatesTo[\s>]", envelope[:20_000]) is not None


def _unescaped(text: str, entities: bool) -> str:
    if entities:
        return html.unescape(text)
    if _ESCAPED_QUOTE.search(text[:2000]):
        try:
            return str(json.loads('"' + text.replace("\\'", "'") + '"', strict=False))
        except (ValueError, RecursionError):
            return text
    return text
