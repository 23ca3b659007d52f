"""Putting right what a container that contains itself was given before it was complete."""

from __future__ import annotations

from typing import Any

from psrp.clixml.containers import Dictionary
from psrp.clixml.objects import PSObject

__all__ = ["replace"]


def replace(root: Any, old: Any, new: Any) -> None:
    """Put ``new`` for ``old`` everywhere under ``root``.

    Needed when a container holds a reference to itself: what stands there was handed out before
    it was known that the object is nothing but the container.
    """
    pending, seen = [root], {id(root)}
    while pending:
        holder = pending.pop()
        children = _children(holder)
        if any(child is old for child in children):
            _swap(holder, old, new)
        for child in children:
            if id(child) not in seen:
                seen.add(id(child))
                pending.append(child)


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


def _swap(holder: Any, old: Any, new: Any) -> None:
    if isinstance(holder, list):
        holder[:] = [new if item is old else item for item in holder]
    elif isinstance(holder, dict):
        holder.update({name: new for name, item in holder.items() if item is old})
    elif isinstance(holder, PSObject):
        holder.value = new
    else:
        holder.swap(old, new)
