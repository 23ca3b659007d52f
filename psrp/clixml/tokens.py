"""The tokenizer: the part of an XML reader that CLIXML needs.

XML libraries refuse some output of PowerShell (``&#xFFFE;``), hence this tokenizer. A document is
decoded and normalized first (`prepare`): characters that XML forbids and document types are
refused, comments and processing instructions are removed, CDATA becomes escaped text. Then `SCAN`
matches one element or tag at a time; `slow_token` reads the others or raises an error.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from psrp.clixml.text import resolve_entities
from psrp.sansio import ClixmlError

__all__ = [
    "EMPTY",
    "END",
    "LONGEST",
    "OPEN",
    "SCALAR",
    "SCAN",
    "SPACE",
    "Token",
    "fail",
    "prepare",
    "slow_token",
]

EMPTY, OPEN, SCALAR, END = 4, 5, 6, 7
"""Kinds of token, numbered as the last matching group of `SCAN`."""

SPACE = " \t\n"
LONGEST = 4000

SCAN = re.compile(
    r'<(?:(\w+)(?: N="([^"<&]*)")?(?: RefId="([^"<&]*)")?'
    rf"(?:( ?/>)|>([^<]{{0,{LONGEST}}})(</\1>)?)|/(\w+)>)[{SPACE}]*"
).match
"""Groups: tag, N, RefId, the end of an empty tag, text, end tag of the same; tag that ends.

Text that is longer than a limit, or not followed by its own end tag, is OPEN."""

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_EACH_CONTROL = tuple(bytes((code,)) for code in _CONTROLS)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BOM_STARTS = (b"\xef", b"\xff", b"\xfe")
_DECLARATION = re.compile(r"<\?xml[ \t\n][^<>]*\?>")
_OPENING = re.compile(r"<[!?]")
_XML_INSTRUCTION = re.compile(r"<\?[xX][mM][lL]\b")
_NAME = r"[^\W\d][\w.-]*"
_START = re.compile(
    rf"<({_NAME}(?::{_NAME})?)((?>(?:[{SPACE}]+[\w:.-]+[{SPACE}]*=[{SPACE}]*"
    rf"""(?:"[^"<]*"|'[^'<]*'))*))[{SPACE}]*(/?)>"""
)
# An atomic group, not a possessive quantifier, which is broken around groups in CPython 3.11.2.
_ATTRIBUTE = re.compile(rf"""([\w:.-]+)[{SPACE}]*=[{SPACE}]*(?:"([^"]*)"|'([^']*)')""")
_END_TAG = re.compile(rf"</({_NAME}(?::{_NAME})?)[{SPACE}]*>[{SPACE}]*")
_BLANK = re.compile(rf"[{SPACE}]*")
_TAG = re.compile(r"<(/?)([^<>]*)>")
_SHOWN = 200
"""Number of characters of a name that an error shows."""
_NAME_GIVEN = re.compile(r"""\bN[ \t\n]*=[ \t\n]*["']([^"'<]*)""")


class Token(NamedTuple):
    """One start tag, end tag, or element without child elements."""

    kind: int
    tag: str
    """Local name."""
    name: str | None
    """Attribute N, with its ``_xHHHH_`` escapes."""
    refid: str | None
    text: str
    """The text between the start tag and the next markup, references not resolved."""
    after: int
    """The offset after the token and the white space that follows it."""
    qualified: str
    """The name with its prefix, as it must be in the end tag."""
    attributes: dict[str, str]
    """All attributes; filled in by `slow_token` only."""


def prepare(data: bytes | bytearray | memoryview | str) -> str:
    """Return the document as text that contains only tags and characters.

    Bytes are UTF-8, or in the encoding of their byte order mark. Raises ClixmlError.
    """
    if isinstance(data, str):
        try:
            raw = data.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ClixmlError("unescaped half of a surrogate pair", "", error.start) from None
        text = data.removeprefix("\ufeff")
    else:
        raw = bytes(data)
        text, raw = _decode(raw)
    _refuse_illegal(raw, text)
    if b"\r" in raw:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if ("!" in text and "<!" in text) or ("?" in text and "<?" in text):
        text = _clean(text)
    return text


def _decode(raw: bytes) -> tuple[str, bytes]:
    if raw[:1] not in _BOM_STARTS:
        try:
            return raw.decode(), raw
        except UnicodeDecodeError as error:
            raise ClixmlError(f"not utf-8 at byte {error.start}: {error.reason}") from None
    mark, encoding = next((bom for bom in _BOMS if raw.startswith(bom[0])), (b"", "utf-8"))
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = f"byte {len(mark) + error.start}"
        raise ClixmlError(f"not {encoding} at {at}: {error.reason}") from None
    return text, text.encode("utf-8") if encoding != "utf-8" else raw


def _refuse_illegal(raw: bytes, text: str) -> None:
    """Refuse characters that must be escaped: C0 except tab, LF and CR; U+FFFE and U+FFFF."""
    if len(raw) < 4096:
        bad = len(raw.translate(None, _CONTROLS)) != len(raw)
    else:
        bad = any(control in raw for control in _EACH_CONTROL)
    if bad or (not text.isascii() and (b"\xef\xbf\xbe" in raw or b"\xef\xbf\xbf" in raw)):
        found = _ILLEGAL.search(text)
        assert found is not None
        fail(text, found.start(), f"unescaped U+{ord(found[0]):04X}")


def _clean(text: str) -> str:
    """Drop comments and processing instructions, turn CDATA into escaped text."""
    pieces = []
    pos = 0
    declaration = _DECLARATION.match(text)
    if declaration:
        pos = declaration.end()
    while found := _OPENING.search(text, pos):
        start = found.start()
        pieces.append(text[pos:start])
        if text.startswith("<!--", start):
            end = _find(text, "--", start + 4, "comment")
            if not text.startswith(">", end + 2):
                fail(text, end, "'--' inside a comment")
            pos = end + 3
        elif text.startswith("<![CDATA[", start):
            end = _find(text, "]]>", start + 9, "CDATA section")
            content = text[start + 9 : end].replace("&", "&amp;")
            pieces.append(content.replace("<", "&lt;").replace(">", "&gt;"))
            pos = end + 3
        elif text.startswith("<!DOCTYPE", start):
            fail(text, start, "a document type is not accepted")
        elif text.startswith("<?", start) and not _XML_INSTRUCTION.match(text, start):
            pos = _find(text, "?>", start + 2, "processing instruction") + 2
        else:
            fail(text, start, "malformed markup")
    pieces.append(text[pos:])
    return "".join(pieces)


def _find(text: str, what: str, start: int, kind: str) -> int:
    found = text.find(what, start)
    if found < 0:
        fail(text, start, f"unterminated {kind}")
    return found


def slow_token(text: str, pos: int) -> Token:
    """Return the token at ``pos``, in any spelling that XML allows. Raises ClixmlError."""
    if text.startswith("</", pos):
        end = _END_TAG.match(text, pos)
        if end is None:
            fail(text, pos, "malformed end tag")
        return Token(END, _local(end[1]), None, None, "", end.end(), end[1], {})
    start = _START.match(text, pos)
    if start is None:
        if pos >= len(text):
            fail(text, pos, "unexpected end of the document")
        fail(text, pos, "malformed tag" if text[pos] == "<" else "text among elements")
    qualified, inside, slash = start.groups()
    attributes = _attributes(text, pos, inside)
    name, refid, after = attributes.get("N"), attributes.get("RefId"), start.end()
    tag = _local(qualified)
    if slash:
        after = _skip(text, after)
        return Token(EMPTY, tag, name, refid, "", after, qualified, attributes)
    until = text.find("<", after)
    if until < 0:
        fail(text, pos, "unterminated element")
    content = text[after:until]
    end = _END_TAG.match(text, until)
    if end is not None and end[1] == qualified:
        return Token(SCALAR, tag, name, refid, content, end.end(), qualified, attributes)
    return Token(OPEN, tag, name, refid, content, until, qualified, attributes)


def _attributes(text: str, pos: int, inside: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for key, double, single in _ATTRIBUTE.findall(inside):
        if key in attributes:
            fail(text, pos, f"two attributes {key}")
        try:
            value = (double or single).replace("\t", " ").replace("\n", " ")
            attributes[key] = resolve_entities(value)
        except ValueError as error:
            fail(text, pos, str(error))
    return attributes


def _local(qualified: str) -> str:
    return qualified.rpartition(":")[2]


def _skip(text: str, pos: int) -> int:
    blank = _BLANK.match(text, pos)
    return blank.end() if blank else pos


def fail(text: str, pos: int, what: str) -> NoReturn:
    """Raise ClixmlError with the path of the element that begins at ``pos`` or contains it."""
    raise ClixmlError(what, _path(text, pos), pos)


def _path(text: str, pos: int) -> str:
    open_tags: list[str] = []
    for match in _TAG.finditer(text, 0, len(text)):
        if match.start() > pos:
            break
        slash, inside = match.groups()
        words = inside.rstrip("/").split(None, 1)
        if not words or inside[:1] in "!? \t\n/":
            continue
        if slash:
            if open_tags and match.end() <= pos:
                open_tags.pop()
        elif not inside.endswith("/") or match.start() == pos:
            name = _NAME_GIVEN.search(words[1]) if len(words) > 1 else None
            tag = _local(words[0][:_SHOWN])
            open_tags.append(f"{tag}[{name[1][:_SHOWN]}]" if name else tag)
    return "/" + "/".join(open_tags) if open_tags else ""
