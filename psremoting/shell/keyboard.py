"""Keys of a terminal as ``System.Management.Automation.Host.KeyInfo``.

Values are those of PowerShell 7.6 on Linux, which reports no modifier keys at all.
[MS-PSRP] 2.2.3.25, 2.2.3.27; spec-notes/interactive.md#keys
"""

from __future__ import annotations

import os
import re
import select
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from psrp.host_values import KeyInfo

__all__ = ["INTERRUPT", "key_of", "keys_unseen", "no_echo", "raw_key", "with_echo"]

INTERRUPT = "\x03"
_SEQUENCES = {
    "\x1b[A": 38, "\x1b[B": 40, "\x1b[C": 39, "\x1b[D": 37, "\x1bOA": 38, "\x1bOB": 40,
    "\x1bOC": 39, "\x1bOD": 37, "\x1b[H": 36, "\x1b[F": 35, "\x1bOH": 36, "\x1bOF": 35,
    "\x1b[2~": 45, "\x1b[3~": 46, "\x1b[5~": 33, "\x1b[6~": 34, "\x1bOP": 112, "\x1bOQ": 113,
    "\x1b[Z": 9, "\x1bOR": 114, "\x1bOS": 115, "\x1b[15~": 116, "\x1b[17~": 117, "\x1b[18~": 118,
    "\x1b[19~": 119, "\x1b[20~": 120, "\x1b[21~": 121, "\x1b[23~": 122, "\x1b[24~": 123,
}  # fmt: skip
"""The virtual key codes of keys without a character."""
_NAMED = {"\r": 13, "\n": 13, "\t": 9, "\x7f": 8, "\x08": 8, "\x1b": 27, " ": 32}
_MODIFIED = re.compile(r"\x1b\[1;[2-8]([A-HPQRS])|\x1b\[(\d+);[2-8]~")
"""A sequence with modifier keys: the final letter, or the number."""


def key_of(text: str) -> KeyInfo:
    """Return the key for which a terminal sends ``text``."""
    found = _MODIFIED.fullmatch(text)
    if found is not None:
        letter, number = found.groups()
        text = f"\x1b[{number}~" if number else f"\x1b{'O' if letter in 'PQRS' else '['}{letter}"
    if text in _SEQUENCES:
        return KeyInfo(virtual_key_code=_SEQUENCES[text], key_down=True)
    if len(text) == 2 and text[0] == "\x1b":
        text = text[1]  # Alt
    character = text[:1] or "\0"
    if ord(character) > 0xFFFF:
        return KeyInfo(key_down=True)
    code = _NAMED.get(character, 0)
    if not code and character.isascii():
        if character.isalnum():
            code = ord(character.upper())
        elif "\x00" < character < "\x1b":
            code = ord(character) + 0x40
    shown = "\r" if character == "\n" else character
    return KeyInfo(virtual_key_code=code, character=shown, key_down=True)


@contextmanager
def _with_modes(terminal: int, change: Callable[[list[Any]], None]) -> Iterator[None]:
    """Change the modes of the terminal with this descriptor (`termios.tcgetattr`) for a while."""
    before = termios.tcgetattr(terminal)
    changed = [*before[:6], [*before[6]]]
    change(changed)
    termios.tcsetattr(terminal, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def with_echo(terminal: int) -> AbstractContextManager[None]:
    """Enable echo on the terminal with this descriptor."""

    def change(modes: list[Any]) -> None:
        modes[3] |= termios.ECHO

    return _with_modes(terminal, change)


def no_echo(terminal: int) -> AbstractContextManager[None]:
    """Disable echo on the terminal with this descriptor."""

    def change(modes: list[Any]) -> None:
        modes[3] &= ~termios.ECHO

    return _with_modes(terminal, change)


def keys_unseen(terminal: int) -> AbstractContextManager[None]:
    """Disable echo, translation and line editing: an editor reads the keys later."""

    def change(modes: list[Any]) -> None:
        modes[0] &= ~termios.ICRNL
        modes[3] &= ~(termios.ECHO | termios.ICANON)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0

    return _with_modes(terminal, change)


def raw_key(terminal: int, cancelled: int) -> str | None:
    """Read what the terminal with the descriptor ``terminal`` sends for one key.

    None if ``cancelled`` (the reading end of a pipe) becomes readable first, "" at the end of
    input. The modes of the terminal are restored.
    """
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal, termios.TCSADRAIN)
    try:
        ready, _, _ = select.select([terminal, cancelled], [], [])
        if cancelled in ready:
            return None
        data = os.read(terminal, 1)
        while True:
            # The rest of a sequence or of a character arrives at once.
            more, _, _ = select.select([terminal], [], [], 0.02)
            whole = data[:1] != b"\x1b" and _whole(data)
            if whole or not more or len(data) > 16:
                return data.decode("utf-8", "replace")
            data += os.read(terminal, 1)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _whole(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
