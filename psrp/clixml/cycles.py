"""Correction of references that were made before their container was complete.

When an object contains a reference to itself, it is not yet known whether it is only a container.
References to the unfinished object are replaced at the end.
"""

from __future__ import annotations

from typing import Any

from psrp.clixml.containers import Dictionary
from psrp.clixml.objects import PSObject

__all__ = ["replace"]


def replace(root: Any, final: dict[int, tuple[Any, Any]]) -> Any:
    """Replace objects everywhere under ``root``; return the root.

    ``final`` maps the `id` of each object to the pair of that object and its replacement.
    """
    root = _final(root, final)
    pending, seen = [root], {id(root)}
    while pending:
        holder = pending.pop()
        if any(id(child) in final for child in _children(holder)):
            _correct(holder, final)
        for child in _children(holder):
            if id(child) not in seen:
                seen.add(id(child))
                pending.append(child)
    return root


def _final(value: Any, final: dict[int, tuple[Any, Any]]) -> Any:
    return final[id(value)][1] if id(value) in final else value


def _children(holder: Any) -> list[Any]:
    if isinstance(holder, list):
        return holder
    if isinstance(holder, dict):
        return list(holder.values())
    if isinstance(holder, Dictionary):
        return holder.keys() + holder.values()
    if isinstance(holder, PSObject):
        return [holder.adapted, holder.extended, holder.value]
    return []


def _correct(holder: Any, final: dict[int, tuple[Any, Any]]) -> None:
    if isinstance(holder, list):
        holder[:] = [_final(item, final) for item in holder]
    elif isinstance(holder, dict):
        holder.update({name: _final(item, final) for name, item in holder.items()})
    elif isinstance(holder, PSObject):
        holder.value = _final(holder.value, final)
    else:
        pairs = holder.items()
        holder.clear()
        for key, value in pairs:
            holder.add(_final(key, final), _final(value, final))
