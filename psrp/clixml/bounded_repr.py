"""The `repr` of containers, with a limit.

A value that contains itself, or that refers to one object many times on every level, is small in
memory and has an endless text. Work and result are bounded here: everything beyond the limit is
shown as ``...``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_CHARACTERS", "MAX_LEVELS", "show"]

MAX_CHARACTERS = 10_000
MAX_LEVELS = 20
_CUT = "..."


def show(value: Any) -> str:
    """Return the `repr` of a container: about `MAX_CHARACTERS` and `MAX_LEVELS` at most."""
    shower = _Shower()
    shower.add(value)
    return "".join(shower.pieces)


class _Shower:
    """Collects pieces until the budget is used up."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._left = MAX_CHARACTERS
        self._open: set[int] = set()

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self._left -= len(text)

    def add(self, value: Any) -> None:
        kind = type(value)
        contents = getattr(kind, "_contents", None)
        if contents is not None:
            begin, items, end = contents(value)
        elif kind is list:
            begin, items, end = "[", value, "]"
        elif kind is tuple:
            begin, items, end = "(", value, ",)" if len(value) == 1 else ")"
        elif kind is dict:
            begin, items, end = "{", value.items(), "}"
        else:
            self._leaf(value)
            return
        if id(value) in self._open or len(self._open) >= MAX_LEVELS:
            self._put(begin + _CUT + end)
            return
        self._open.add(id(value))
        self._put(begin)
        pairs = begin.endswith("{")
        for number, item in enumerate(items):
            if number:
                self._put(", ")
            if self._left <= 0:
                self._put(_CUT)
                break
            if pairs:
                self.add(item[0])
                self._put(": ")
                item = item[1]
            self.add(item)
        self._put(end)
        self._open.discard(id(value))

    def _leaf(self, value: Any) -> None:
        if isinstance(value, (str, bytes, bytearray)) and len(value) > max(self._left, 0):
            self._put(repr(value[: max(self._left, 0)]) + _CUT)
        else:
            self._put(repr(value))
