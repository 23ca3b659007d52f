"""Reading CLIXML: one element, or a document of several. [MS-PSRP] 2.2.5

Documents that PowerShell's own deserializer reads are read with the same meaning; documents that
it refuses raise ClixmlError. spec-notes/clixml.md lists the differences.
"""

from __future__ import annotations

import re
from typing import Any

from psrp.clixml import base64_text
from psrp.clixml.reader import MAX_DEPTH, Reader, Unseal
from psrp.clixml.scalars import PARSE
from psrp.clixml.tokens import prepare

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
    if len(data) < 256:
        try:
            tiny = _TINY(data.decode() if type(data) is bytes else data)  # type: ignore[arg-type]
            if tiny is not None:
                tag, text = tiny.groups()
                if text.isprintable():
                    return PARSE[tag](text)
        except (ValueError, TypeError):
            pass  # the error and its place are found below
    elif not isinstance(data, str) and data[:4] == b"<BA>" and data[-5:] == b"</BA>":
        try:
            return base64_text.decode(memoryview(data)[4:-5])
        except ValueError:
            pass
    return Reader(prepare(data), unseal, max_depth).single()


def read_document(
    data: bytes | bytearray | memoryview | str,
    *,
    unseal: Unseal | None = None,
    max_depth: int = MAX_DEPTH,
) -> list[tuple[str | None, Any]]:
    """Return each value of an ``<Objs>`` document with its attribute ``S``, its stream.

    One bare element is accepted too. Raises ClixmlError.
    """
    return Reader(prepare(data), unseal, max_depth).document()
