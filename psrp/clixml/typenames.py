"""Lists of .NET type names, cached by their markup."""

from __future__ import annotations

import re

from psrp.clixml.containers import TypeNames
from psrp.clixml.scalars import parse_text

__all__ = ["TYPE_NAMES", "deserialized", "types_of"]

TYPE_NAMES = re.compile(
    r'<TN RefId="([^"<&]*)">[ \t\n]*((?:<T>[^<>]{0,1000}</T>[ \t\n]*){0,30})</TN>[ \t\n]*'
).match
"""A whole TN in its usual form. Groups: RefId, the T elements."""

_NAME = re.compile("<T>([^<]*)</T>")
_KNOWN: dict[str, TypeNames] = {}
_KEPT = 1000
_MARKUP_KEPT = 2000
_PREFIX = "Deserialized."


def types_of(markup: str) -> TypeNames:
    """Return the names in the T elements of a `TYPE_NAMES`. ValueError for a broken reference."""
    names = _KNOWN.get(markup)
    if names is None:
        names = tuple(map(parse_text, _NAME.findall(markup)))
        if len(_KNOWN) >= _KEPT:
            _KNOWN.clear()
        if len(markup) < _MARKUP_KEPT:
            _KNOWN[markup] = names
    return names


def deserialized(names: TypeNames) -> TypeNames:
    """Return the names as PowerShell shows them for a deserialized object.

    This module keeps the names as they were sent, so that values can be written unchanged.
    """
    return tuple(name if name.startswith(_PREFIX) else _PREFIX + name for name in names)
