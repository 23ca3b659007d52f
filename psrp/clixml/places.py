"""Errors of a document, with the place where they were found."""

from __future__ import annotations

import re
from typing import NoReturn

from psrp.sansio import ClixmlError

__all__ = ["fail", "path_of"]

_TAG = re.compile(r"<(/?)([^<>]*)>")
_SHOWN = 200
"""Number of characters of a name that an error shows."""
_NAME_GIVEN = re.compile(r"""\bN[ \t\n]*=[ \t\n]*["']([^"'<]*)""")


def fail(text: str, pos: int, what: str) -> NoReturn:
    """Raise ClixmlError with the path of the element that begins at ``pos`` or contains it."""
    raise ClixmlError(what, path_of(text, pos), pos)


def path_of(text: str, pos: int) -> str:
    """Return the path of the element that begins at ``pos`` or contains it; empty outside."""
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
            tag = words[0][:_SHOWN].rpartition(":")[2]
            open_tags.append(f"{tag}[{name[1][:_SHOWN]}]" if name else tag)
    return "/" + "/".join(open_tags) if open_tags else ""
