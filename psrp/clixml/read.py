"""Reading CLIXML: one element, or a document of several. [MS-PSRP] 2.2.5

Documents that PowerShell's own deserializer reads are read with the same meaning; documents that
it refuses raise ClixmlError. spec-notes/clixml.md lists the differences.
"""

from __future__ import annotations

import re
from typing import Any

from psrp.clixml import base64_text, fastpaths
from psrp.clixml.indentation import without_indentation
from psrp.clixml.prepared import prepare
from psrp.clixml.reader import MAX_DEPTH, Reader, Unseal, check_depth
from psrp.clixml.roots import match_root, note_root
from psrp.clixml.scalars import PARSE, parse_text
from psrp.sansio import ClixmlError

__all__ = ["loads", "read_document"]

_TINY = re.compile("<(I32|S|I64|B|G|Db|DT)>([^<]*)</\\1>").fullmatch


def loads(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Unseal | None = None,
    max_depth: int = MAX_DEPTH,
) -> Any:
    """Return the value of a bare element, or of an ``<Objs>`` document that holds exactly one.

    unseal: decrypts the text of an ``<SS>``; without it SecureStrings stay sealed. Its exceptions
        are not caught.
    max_depth: the deepest nesting of Obj elements, up to 100.
    Raises ClixmlError for everything that PowerShell would not read.
    """
    check_depth(max_depth)
    if not fastpaths.enabled:
        return Reader(prepare(data), unseal, max_depth).single()
    if len(data) < 256:
        try:
            tiny = _TINY(data.decode() if type(data) is bytes else data)  # type: ignore[arg-type]
            if tiny is not None:
                tag, text = tiny.groups()
                if text.isprintable():
                    return PARSE[tag](text)
        except (ValueError, TypeError):
            pass  # the error and its place are found by the general path
    elif not isinstance(data, str) and data[:4] == b"<BA>" and data[-5:] == b"</BA>":
        try:
            return base64_text.decode(memoryview(data)[4:-5])
        except ValueError:
            pass  # as above
    return _prepared(prepare(data), unseal, max_depth)


def _prepared(text: str, unseal: Unseal | None, max_depth: int) -> Any:
    if text.startswith("<Obj "):
        known = match_root(text)
        if known is not None:
            return known
        value = Reader(text, unseal, max_depth).single()
        note_root(text, value)
        return value
    if len(text) > _LONG and _is_string(text):
        try:
            return parse_text(text[3:-4])
        except ValueError:
            pass  # as above
    short = without_indentation(text)
    if short is not None:
        try:
            return Reader(short, unseal, max_depth).single()
        except ClixmlError:
            pass  # as above
    return Reader(text, unseal, max_depth).single()


_LONG = 10_000


def _is_string(text: str) -> bool:
    """Return whether the document is one string; then it is read without another copy."""
    return text[:3] == "<S>" and text[-4:] == "</S>" and text.find("<", 3) == len(text) - 4


def read_document(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Unseal | None = None,
    max_depth: int = MAX_DEPTH,
) -> list[tuple[str | None, Any]]:
    """Return each value of an ``<Objs>`` document with its attribute ``S``, its stream.

    One bare element is accepted too. Raises ClixmlError.
    """
    text = prepare(data)
    short = without_indentation(text) if fastpaths.enabled else None
    if short is not None:
        try:
            return Reader(short, unseal, max_depth).document()
        except ClixmlError:
            pass  # the error and its place are found by the general path
    return Reader(text, unseal, max_depth).document()
