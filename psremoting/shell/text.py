"""Text from over there, made fit for this terminal: colours, and what may not come through.

A remote script may colour its text and move the cursor. It may not make the terminal answer as
if the user had typed, fill the clipboard, or turn modes on that outlive it: such sequences are
left out. Without colours every sequence is.
"""

from __future__ import annotations

import re

from psrp.enums import ConsoleColor

__all__ = ["RESET", "displayable", "paint", "title_sequence"]

RESET = "\x1b[0m"

_SEQUENCE = re.compile(
    "\x1b(?:"
    "[PX^_][^\x1b\x07]*(?:\x1b\\\\|\x07|$)"  # DCS, SOS, PM, APC with their text
    "|](?P<osc>[^\x1b\x07]*)(?:\x1b\\\\|\x07|$)"
    "|\\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~]|$)"
    "|[ -/]*[0-~]?"
    ")"
)
_MOVES = frozenset("ABCDEFGHJKSTXdfsu")
_CONTROL = re.compile("[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_STANDARD = (30, 34, 32, 36, 31, 35, 33, 37, 90, 94, 92, 96, 91, 95, 93, 97)
"""ConsoleColor to the number of the terminal's colour."""


def displayable(text: str, *, colours: bool, moves: bool) -> str:
    """``text`` without what a terminal must not get; ``moves`` allows cursor movements."""

    def keep(found: re.Match[str]) -> str:
        if colours and found["final"] == "m" and not found["parameters"].startswith(">"):
            return found[0]
        plain = (found["parameters"] or "").replace(";", "")
        if moves and found["final"] in _MOVES and (not plain or plain.isdecimal()):
            return found[0]
        if colours and moves and (found["osc"] or "").startswith("8;"):
            return f"\x1b]{found['osc']}\x1b\\"
        return ""

    text = _SEQUENCE.sub(keep, text) if "\x1b" in text else text
    # A carrier of text may hold lone surrogates; no terminal can show them.
    text = text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
    return _CONTROL.sub("", text)


def paint(text: str, foreground: int, background: int = -1) -> str:
    """``text`` in the colours of ``System.ConsoleColor``; -1 leaves one as it is."""
    codes = []
    if 0 <= foreground < len(ConsoleColor):
        codes.append(str(_STANDARD[foreground]))
    if 0 <= background < len(ConsoleColor):
        codes.append(str(_STANDARD[background] + 10))
    return f"\x1b[{';'.join(codes)}m{text}{RESET}" if codes else text


def title_sequence(title: str) -> str:
    """What makes ``title`` the window's."""
    clean = _CONTROL.sub("", re.sub("[\x07-\x0d\x1b]", "", title))
    return f"\x1b]0;{clean[:256]}\x07"
