"""The text of a document, checked and reduced to tags and characters.

XML libraries refuse some output of PowerShell (``&#xFFFE;``), hence a reader of our own. A
document is decoded and normalized first: characters that XML forbids and document types are
refused, comments and processing instructions are removed, CDATA becomes escaped text.
"""

from __future__ import annotations

import re

from psrp.clixml.places import fail
from psrp.sansio import ClixmlError

__all__ = ["check_characters", "clean", "normalized", "prepare"]

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_EACH_CONTROL = tuple(bytes((code,)) for code in _CONTROLS)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BOM_STARTS = (b"\xef", b"\xff", b"\xfe")
_DECLARATION = re.compile(r"<\?xml[ \t\n][^<>]*\?>")
_OPENING = re.compile(r"<[!?]")
_XML_INSTRUCTION = re.compile(r"<\?[xX][mM][lL]\b")


def prepare(data: bytes | bytearray | memoryview | str) -> str:
    """Return the document as text that contains only tags and characters.

    Bytes are UTF-8, or in the encoding of their byte order mark. Raises ClixmlError.
    """
    if isinstance(data, str):
        text = data.removeprefix("\ufeff")
        check_characters(data)
    else:
        text, raw = _decode(bytes(data))
        _refuse_illegal(raw, text)
    return clean(normalized(text))


def check_characters(text: str) -> None:
    """Raise ClixmlError for a character that must be escaped, and for half a surrogate pair."""
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ClixmlError("unescaped half of a surrogate pair", "", error.start) from None
    _refuse_illegal(raw, text.removeprefix("\ufeff"))


def normalized(text: str) -> str:
    """Return the text with the line ends of XML."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def clean(text: str) -> str:
    """Return the text without comments, processing instructions and CDATA. Raises ClixmlError."""
    if ("!" in text and "<!" in text) or ("?" in text and "<?" in text):
        return _clean(text)
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
