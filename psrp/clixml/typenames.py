"""Lists of .NET type names."""

from __future__ import annotations

from psrp.clixml.containers import TypeNames

__all__ = ["deserialized", "interned"]

_KNOWN: dict[TypeNames, TypeNames] = {}
_KEPT = 1000
_LENGTH_KEPT = 2000
_PREFIX = "Deserialized."


def interned(names: TypeNames) -> TypeNames:
    """Return an equal list that was seen before, so that objects of one type share theirs."""
    known = _KNOWN.get(names)
    if known is None:
        if len(_KNOWN) >= _KEPT:
            _KNOWN.clear()
        if sum(map(len, names)) < _LENGTH_KEPT:
            _KNOWN[names] = names
        return names
    return known


def deserialized(names: TypeNames) -> TypeNames:
    """Return the names as PowerShell shows them for a deserialized object.

    This module keeps the names as they were sent, so that values can be written unchanged.
    """
    return tuple(name if name.startswith(_PREFIX) else _PREFIX + name for name in names)
