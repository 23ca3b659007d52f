"""Text in the cells of a terminal: its width, cutting it and wrapping it.

A wide character (East Asian) takes two cells, a combining mark none. Colour sequences take none
either, and a text that is cut while a colour is on ends with a reset.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["ELLIPSIS", "cut", "cut_start", "pad", "width_of", "wrap"]

ELLIPSIS = "…"
_RESET = "\x1b[0m"
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_PIECE = re.compile(r"\x1b\[[0-9;:]*m|.", re.DOTALL)
_ZERO_WIDTH = ("Mn", "Me", "Cf")


def _cells(character: str) -> int:
    if character < "\u0300":
        return 1
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def width_of(text: str) -> int:
    """Return the number of cells that ``text`` takes on one line."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Yield characters and colour sequences with their widths in cells."""
    for found in _PIECE.finditer(text):
        piece = found[0]
        yield piece, 0 if len(piece) > 1 else _cells(piece)


def _head(text: str, width: int) -> str:
    """Return the longest start that fits into ``width`` cells."""
    if text.isascii() and "\x1b" not in text:
        return text[:width]
    taken: list[str] = []
    coloured = False
    for piece, cells in _pieces(text):
        width -= cells
        if width < 0:
            break
        taken.append(piece)
        coloured = coloured or len(piece) > 1
    return "".join(taken) + (_RESET if coloured else "")


def cut(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` cells, with an ellipsis if it was cut at the end."""
    if width_of(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 1 else _head(text, width)


def cut_start(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` cells; what is left out is at the start."""
    if width_of(text) <= width:
        return text
    room = width - 1 if width > 1 else width
    taken: list[str] = []
    for piece, cells in reversed(list(_pieces(text))):
        room -= cells
        if room < 0:
            break
        taken.append(piece)
    return (ELLIPSIS if width > 1 else "") + "".join(reversed(taken))


def pad(text: str, width: int, alignment: str) -> str:
    """Pad ``text`` to ``width`` cells; alignment is "left", "right" or "center"."""
    missing = width - width_of(text)
    if missing <= 0:
        return text
    if alignment == "right":
        return " " * missing + text
    before = missing // 2 if alignment == "center" else 0
    return " " * before + text + " " * (missing - before)


def wrap(text: str, width: int, *, words: bool = False) -> list[str]:
    """Return the lines of ``text``, each at most ``width`` cells wide.

    ``words`` breaks at spaces, which are dropped there; a word longer than a line is broken
    between characters, as every line is without it.
    """
    width = max(width, 1)
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if width_of(line) <= width:
            lines.append(line)
        else:
            lines += _wrapped_words(line, width) if words else _wrapped(line, width)
    return lines


def _wrapped(line: str, width: int) -> Iterator[str]:
    taken: list[str] = []
    used = 0
    for piece, cells in _pieces(line):
        if used + cells > width and taken:
            yield "".join(taken)
            taken, used = [], 0
        taken.append(piece)
        used += cells
    yield "".join(taken)


def _wrapped_words(line: str, width: int) -> Iterator[str]:
    taken = ""
    used = 0
    for word in line.split(" "):
        cells = width_of(word)
        if taken and used + 1 + cells <= width:
            taken, used = f"{taken} {word}", used + 1 + cells
            continue
        if taken:
            yield taken
        *full, taken = _wrapped(word, width) if cells > width else [word]
        used = width_of(taken)
        yield from full
    if taken:
        yield taken
