"""Conversion of PowerShell's standard error output to readable text.

``powershell.exe`` with redirected standard error writes ``#< CLIXML`` and a document of records;
programs that it starts write plain text to the same stream, and logs put prefixes before lines or
quote them in JSON. `stderr_text` and `StderrText` turn every mixture into the text that a console
would have shown. They never fail: unrecognized text is unchanged. See
spec-notes/clixml-files.md#readable-text.
"""

from __future__ import annotations

import html
import json
import re

from psrp.clixml.text import unescape

__all__ = ["StderrText", "stderr_text"]

_FIRST = re.compile(r"#< CLIXML[ \t]*\n?|<Objs(?=[\s/>])[^<>]{0,2000}>")
"""The marker line, or the start of a document."""
_OBJS = re.compile(r"<Objs(?=[\s/>])[^<>]{0,2000}>")
_END = re.compile(r"</Objs\s*>")
_TAG = re.compile(
    r"<(S|Obj|Ref|Nil|B|C|By|SB|I16|U16|I32|U32|I64|U64|Sg|Db|D|DT|TS|BA|G|URI|SBK|XD|Version|SS)"
    r"((?:\s+[\w:]+=\"[^\"<>]{0,200}\")*)\s*(/?)>"
)
_STREAM = re.compile(r"""\sS="([^"]*)\"""")
_OBJECT = re.compile(r"<(/?)Obj(?=[\s/>])[^<>]*?(/?)>")
_TO_STRING = re.compile(r"<ToString>([^<]*)</ToString>")
_SIMPLE = re.compile(r"<(?:S|B|I32|I64|Db|G|DT|TS)>([^<]*)</")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_JSON_MARK = re.compile(r'(?:#(?:<|\\u003[cC]) CLIXML|(?:<|\\u003[cC])Objs Version=\\")')
_TAG_LIMIT = 4_000
"""Length of the longest tag; a ``<`` without an end within that many characters is text."""
_ITEM_LIMIT = 16_000_000
"""Length of the longest record; a longer one counts as cut off."""
_PIECE = 4096
"""Number of characters that are processed together, so that the cost stays linear."""
_LINE_LIMIT = 1_000_000
"""Characters of a line that are held back while a document may still begin in it."""
_MARKS = {"warning": "WARNING: ", "verbose": "VERBOSE: ", "debug": "DEBUG: ", "information": ""}
_DETAILS = ("verbose", "debug", "information")


def stderr_text(text: str, *, verbose: bool = False) -> str:
    """Return ``text`` with its CLIXML made readable; the options are those of `StderrText`."""
    reader = StderrText(verbose=verbose)
    return reader.feed(text) + reader.end()


class StderrText:
    """Takes a stream in pieces of any size and returns readable text as early as possible.

    Errors and warnings are shown, with ``verbose`` also verbose, debug and information records;
    progress is dropped, and text of other programs is kept.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._document = _Document(verbose)
        self._return = ""
        """A carriage return that may be followed by a line feed."""
        self._line = ""
        """The start of an incomplete line."""
        self._inside = False
        self._after_document = False
        """True between the end of a document and the end of its line."""
        self._begun = False
        """True if the prefix of the current line was removed already."""
        self._prefix: re.Pattern[str] | None = None
        self._label = ""
        self._key = ""
        """The JSON member that carried the document."""
        self._out: list[str] = []
        self._at_line_start = True

    def feed(self, text: str) -> str:
        """Take text; return the readable text that is complete now."""
        text = self._return + text
        self._return = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n")
        for at in range(0, len(text), _PIECE):
            self._feed(text[at : at + _PIECE])
        return self._given()

    def _feed(self, text: str) -> None:
        self._line += text
        while True:
            line, line_end, rest = self._line.partition("\n")
            if not line_end:
                break
            self._line = rest
            self._take(line + line_end, whole=True)
        if self._line:
            self._early()

    def end(self) -> str:
        """Return the rest; the stream has ended."""
        if self._line:
            line, self._line = self._line, ""
            self._take(line, whole=True)
        self._put(self._document.end())
        return self._given()

    def _given(self) -> str:
        given, self._out = "".join(self._out), []
        return given

    # -- lines

    def _early(self) -> None:
        """Handle the start of an unterminated line, as far as it is unambiguous."""
        # After a document in the line, the next one may begin.
        inside = self._begun and self._inside
        if inside or len(self._line) > _LINE_LIMIT or _OBJS.search(self._line):
            quoted = self._key or (_JSON_MARK.search(self._line) and '\\"' in self._line)
            if quoted and not self._begun:
                return
            line, self._line = self._line, ""
            self._take(line, whole=False)

    def _take(self, line: str, *, whole: bool) -> None:
        begun, self._begun = self._begun, not whole
        if begun:
            self._content(line, whole=whole)
            return
        content = self._from_json(line)
        if content is not None:
            self._content(content)
            return
        if self._inside:
            self._content(self._without_prefix(line))
            return
        found = _FIRST.search(line)
        if found is None:
            self._content(line)
            return
        self._set_prefix(line[: found.start()])
        self._content(line[found.start() :], whole=whole)

    def _from_json(self, line: str) -> str | None:
        """Return the text quoted by a line of JSON, if it is or continues a document."""
        marked = _JSON_MARK.search(line) is not None and '"' in line
        if not marked and not (self._inside and self._key):
            return None
        for found in _QUOTED.finditer(line):
            quoted = found[0]
            key = line[: found.start()].rstrip(" :").rpartition('"')[0].rpartition('"')[2]
            if not (_JSON_MARK.search(quoted) if marked else key == self._key):
                continue
            try:
                text = json.loads(quoted)
            except ValueError:
                continue
            if "<Objs" not in text and "#< CLIXML" not in text and not self._inside:
                continue
            self._key = key
            return str(text).replace("\r\n", "\n")
        return None

    def _set_prefix(self, prefix: str) -> None:
        """Record a log's line prefix as a pattern in which the digits may change."""
        self._label = prefix
        self._prefix = None
        if prefix.strip():
            parts = re.split(r"(\d+)", prefix[:200])
            pattern = "".join(r"\d+" if part.isdigit() else re.escape(part) for part in parts)
            self._prefix = re.compile(pattern)
        elif prefix:
            self._put(prefix)
            self._label = ""

    def _without_prefix(self, line: str) -> str:
        found = self._prefix.match(line) if self._prefix is not None else None
        if found is None:
            return line
        self._label = found[0]
        return line[found.end() :]

    def _content(self, text: str, *, whole: bool = True) -> None:
        """Handle text without prefixes: documents and the text around them.

        The text after a document waits for more if it is not ``whole``, because the next document
        may begin in it.
        """
        while text:
            if self._inside:
                shown, rest = self._document.feed(text)
                self._put(shown)
                if rest is None:
                    return
                self._inside = False
                self._label = self._key = ""
                self._after_document = True
                text = rest
                if not whole:
                    self._line = rest
                    return
                continue
            if self._after_document:
                # The line end after a document is not part of the text after it.
                text = text.lstrip(" \t\r")
                self._after_document = not text
                text = text.removeprefix("\n")
                continue
            at = 0
            while first := _FIRST.search(text, at):
                self._put(text[at : first.start()])
                at = first.end()
                if first[0][0] == "<" and not first[0].endswith("/>"):
                    self._inside = True
                    break
            else:
                self._put(text[at:])
                return
            self._after_document = False
            text = text[at:]

    def _put(self, text: str) -> None:
        """Output text, with the log's prefix before each line that came from a document."""
        if not text:
            return
        text = text.replace("\r\n", "\n")
        if self._label:
            lines = text.split("\n")
            label = self._label
            text = "\n".join(
                label + line if line and (at or self._at_line_start) else line
                for at, line in enumerate(lines)
            )
            if not self._inside:
                self._label = ""
        self._out.append(text)
        self._at_line_start = text.endswith("\n")


class _Document:
    """The contents of ``<Objs>``: records, and text of other programs between them."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._held = ""
        self._resume: tuple[int, int] | None = None
        """Position and nesting depth at which to resume the search for the end of a record."""
        self._open = False
        """True if the last text had no line end."""
        self._is_foreign = False
        """True if another program's text was the last content."""

    def feed(self, text: str) -> tuple[str, str | None]:
        """Return the readable text, and the text after the document once that has ended."""
        self._held += text
        shown: list[str] = []
        while self._held:
            at = self._held.find("<")
            if at < 0:
                if self._held.isspace() and not self._is_foreign and len(self._held) < _TAG_LIMIT:
                    # It is dropped before a record and kept before text of another program.
                    break
                self._foreign(self._held, shown)
                self._held = ""
                break
            step = self._at_tag(at, shown)
            if step is None:
                break
            if step:
                rest, self._held = self._held, ""
                self._close(shown)
                return "".join(shown), rest
        return "".join(shown), None

    def _at_tag(self, at: int, shown: list[str]) -> bool | None:
        """Handle the markup at ``at``; return True at the end of the document, None to wait."""
        held = self._held
        end = _END.match(held, at)
        if end is not None:
            self._foreign(held[:at], shown)
            self._held = held[end.end() :]
            return True
        if found := _OBJS.match(held, at):
            self._foreign(held[:at], shown)
            self._held = held[found.end() :]
            return False
        if held.startswith("#< CLIXML", at - 1) and at:
            self._foreign(held[: at - 1], shown)
            self._held = held[at + len("< CLIXML") :]
            return False
        tag = _TAG.match(held, at)
        if tag is None:
            if ">" not in held[at + 1 : at + _TAG_LIMIT] and self._may_be_tag(held[at:]):
                return None
            self._foreign(held[: at + 1], shown)
            self._held = held[at + 1 :]
            return False
        stop = self._item_end(tag)
        if stop is None and len(held) - at < _ITEM_LIMIT:
            return None
        self._resume = None
        self._foreign(held[:at], shown)
        stop = len(held) if stop is None else stop
        self._item(tag, held[tag.end() : stop], shown)
        self._held = held[stop:]
        return False

    @staticmethod
    def _may_be_tag(text: str) -> bool:
        """Return whether this could become a tag with more text."""
        return len(text) < _TAG_LIMIT and re.match(r"</?[A-Za-z0-9]*(\s|/?$)", text) is not None

    def _item_end(self, tag: re.Match[str]) -> int | None:
        """Return the end of the element that ``tag`` begins; None if it was not received yet."""
        if tag[3]:
            return tag.end()
        begin, depth = self._resume or (tag.end(), 1)
        if tag[1] != "Obj":
            at = self._held.find(f"</{tag[1]}>", begin)
            self._resume = (max(len(self._held) - len(tag[1]) - 3, tag.end()), 1)
            return None if at < 0 else at + len(tag[1]) + 3
        for found in _OBJECT.finditer(self._held, begin):
            begin = found.end()
            depth += -1 if found[1] else 0 if found[2] else 1
            if depth == 0:
                return begin
        self._resume = (begin, depth)
        return None

    def _item(self, tag: re.Match[str], body: str, shown: list[str]) -> None:
        stream_found = _STREAM.search(tag[2])
        stream = stream_found[1].casefold() if stream_found else "output"
        self._is_foreign = False
        if stream == "progress" or (stream in _DETAILS and not self._verbose):
            return
        if tag[1] == "Obj":
            found = _TO_STRING.search(body) or _SIMPLE.search(body)
            text = _plain(found[1]) if found else ""
        else:
            text = _plain(body.removesuffix(f"</{tag[1]}>"))
        if stream == "error" and tag[1] == "S":
            shown.append(text)
            self._open = bool(text) and not text.endswith("\n")
            return
        self._close(shown)
        if text or tag[1] == "S":
            shown.append(_MARKS.get(stream, "") + text.removesuffix("\n") + "\n")

    def _foreign(self, text: str, shown: list[str]) -> None:
        """Handle text of another program; white space between records is dropped."""
        text = text.replace("\r\n", "\n")
        if not text.strip() and not self._is_foreign:
            if self._open and "\n" in text:
                self._close(shown)
            return
        if text:
            shown.append(text)
            self._open = not text.endswith("\n")
            self._is_foreign = True

    def _close(self, shown: list[str]) -> None:
        if self._open:
            shown.append("\n")
        self._open = False

    def end(self) -> str:
        """End the stream; return the rest, including the received part of an incomplete record."""
        held, self._held = self._held, ""
        shown: list[str] = []
        tag = _TAG.match(held)
        if tag is not None:
            cut = re.sub(r"(</?\w*|_x?[0-9A-Fa-f]{0,4})\Z", "", held[tag.end() :])
            self._item(tag, cut, shown)
        elif held and not re.match(r"</?\w*(\s[^<>]*)?\Z", held):
            self._foreign(held, shown)
        self._close(shown)
        return "".join(shown)


def _plain(text: str) -> str:
    """Return the text of an element, without the line ends of a log that broke the line."""
    text = text.replace("\r", "").replace("\n", "")
    return unescape(html.unescape(text)).replace("\r\n", "\n")
