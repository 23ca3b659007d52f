"""Removal of terminal controls from text of a peer.

Allowed: printable text, line ends and tabs; colours (SGR) when the caller allows them; cursor
movements, erasing and hyperlinks when the caller allows those as well. Everything else is left
out: sequences that make a terminal answer as if the user had typed (DSR, DA, DECRQSS, ENQ), that
change the clipboard (OSC 52), the title or a mode, and the C1 controls. See
spec-notes/terminal.md.
"""

from __future__ import annotations

import re

from psrp.enums import ConsoleColor

__all__ = ["RESET", "displayable", "one_line", "paint", "title_sequence", "visible"]

RESET = "\x1b[0m"

_SEQUENCE = re.compile(
    "\x1b(?:"
    "[PX^_][^\x1b\x07]*(?:\x1b\\\\|\x07|$)"  # DCS, SOS, PM, APC and their text
    "|](?P<osc>[^\x1b\x07]*)(?:\x1b\\\\|\x07|$)"
    "|\\[(?P<control>[0-?]*[ -/]*(?:[@-~]|$))"
    "|[ -/]*[0-~]?"
    ")"
)
_COLOUR = re.compile("[0-9;:]*m")
#: Moves and erasures. `s`, `u` and `T` have other meanings with more parameters.
_MOVE = re.compile("[0-9]*[ABCDEFGJKSTXd]|[0-9]*;?[0-9]*[Hf]|[su]")
_LINK = re.compile("8;[!-:<-~]*;[!-~]*")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MOVING_CONTROL = re.compile("[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_LONE_RETURN = re.compile("\r(?!\n)")
#: Controls, characters that turn the direction of writing, line separators, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NAMED = {"\n": "⏎", "\r": "␍", "\t": " "}
_STANDARD = (30, 34, 32, 36, 31, 35, 33, 37, 90, 94, 92, 96, 91, 95, 93, 97)
"""ConsoleColor to the number of the terminal's colour."""


def displayable(text: str, *, colours: bool = False, moves: bool = False) -> str:
    """Return ``text`` without unsafe terminal controls. Lone surrogates become question marks.

    ``colours`` keeps colour sequences; ``moves`` keeps cursor movements, erasing, BEL, backspace
    and carriage return, and with ``colours`` also hyperlinks.
    """

    def keep(found: re.Match[str]) -> str:
        control = found["control"] or ""
        if colours and _COLOUR.fullmatch(control):
            return found[0]
        if moves and _MOVE.fullmatch(control):
            return found[0]
        if colours and moves and found["osc"] and _LINK.fullmatch(found["osc"]):
            return f"\x1b]{found['osc']}\x1b\\"
        return ""

    if "\x1b" in text:
        parts = [_without_controls(part, moves) for part in _SEQUENCE.split(text)[::3]]
        kept = [keep(found) for found in _SEQUENCE.finditer(text)]
        text = "".join(part for pair in zip(parts, [*kept, ""], strict=True) for part in pair)
    else:
        text = _without_controls(text, moves)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _without_controls(text: str, moves: bool) -> str:
    if text.isascii() and text.isprintable():
        return text
    if moves:
        return _MOVING_CONTROL.sub("", text)
    return _CONTROL.sub("", _LONE_RETURN.sub("", text))


def one_line(text: str) -> str:
    """Return ``text`` on one line, for names, labels and prompts: no sequence, no control, no
    change of direction; line ends and tabs become spaces."""
    text = displayable(text).replace("\r\n", " ")
    return _INVISIBLE.sub(lambda found: " " if found[0] in "\n\r\t" else "", text)


def visible(text: str) -> str:
    """Return ``text`` on one line with all controls escaped, such as ``\\x1b``."""
    return _INVISIBLE.sub(lambda found: _NAMED.get(found[0]) or _spelled(found[0]), text)


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def paint(text: str, foreground: int, background: int = -1) -> str:
    """Return ``text`` in the colours of ``System.ConsoleColor``; -1 leaves one as it is."""
    codes = []
    if 0 <= foreground < len(ConsoleColor):
        codes.append(str(_STANDARD[foreground]))
    if 0 <= background < len(ConsoleColor):
        codes.append(str(_STANDARD[background] + 10))
    return f"\x1b[{';'.join(codes)}m{text}{RESET}" if codes and text else text


def title_sequence(title: str) -> str:
    """Return the sequence that sets the window's title to ``title``, cut at 256 characters."""
    return f"\x1b]0;{one_line(title)[:256]}\x07"
