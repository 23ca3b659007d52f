"""Keys as ``System.Management.Automation.Host.KeyInfo`` has them: from what a terminal sends.
[MS-PSRP] 2.2.3.25, 2.2.3.27
"""

from __future__ import annotations

import os
import select
import termios
import tty

from psrp.host_values import KeyInfo

__all__ = ["INTERRUPT", "key_of", "raw_key"]

INTERRUPT = "\x03"
_CONTROL = 0x0008
_SHIFT = 0x0010
_SEQUENCES = {
    "\x1b[A": 38, "\x1b[B": 40, "\x1b[C": 39, "\x1b[D": 37, "\x1bOA": 38, "\x1bOB": 40,
    "\x1bOC": 39, "\x1bOD": 37, "\x1b[H": 36, "\x1b[F": 35, "\x1bOH": 36, "\x1bOF": 35,
    "\x1b[2~": 45, "\x1b[3~": 46, "\x1b[5~": 33, "\x1b[6~": 34, "\x1bOP": 112, "\x1bOQ": 113,
    "\x1bOR": 114, "\x1bOS": 115, "\x1b[15~": 116, "\x1b[17~": 117, "\x1b[18~": 118,
    "\x1b[19~": 119, "\x1b[20~": 120, "\x1b[21~": 121, "\x1b[23~": 122, "\x1b[24~": 123,
}  # fmt: skip
"""Virtual key codes of keys without a character."""
_NAMED = {"\r": 13, "\n": 13, "\t": 9, "\x7f": 8, "\x08": 8, "\x1b": 27, " ": 32}
_CHARACTERS = {"\n": "\r", "\x7f": "\x08"}


def key_of(text: str) -> KeyInfo:
    """The key that made a terminal send ``text``, pressed."""
    if text in _SEQUENCES:
        return KeyInfo(virtual_key_code=_SEQUENCES[text], key_down=True)
    character = text[:1] or "\0"
    if ord(character) > 0xFFFF:
        return KeyInfo(key_down=True)
    code, state = _NAMED.get(character, 0), 0
    if not code and character.isascii():
        if character.isalnum():
            code = ord(character.upper())
            state = _SHIFT if character.isupper() else 0
        elif "\x00" < character < "\x1b":
            code, state = ord(character) + 0x40, _CONTROL
    shown = _CHARACTERS.get(character, character)
    return KeyInfo(virtual_key_code=code, character=shown, control_key_state=state, key_down=True)


def raw_key(terminal: int, cancelled: int) -> str | None:
    """What one key press sends on the terminal ``terminal`` (a descriptor).

    None when ``cancelled`` (the reading end of a pipe) becomes readable first, "" at the end.
    The terminal is as before afterwards.
    """
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal, termios.TCSADRAIN)
    try:
        ready, _, _ = select.select([terminal, cancelled], [], [])
        if cancelled in ready:
            return None
        data = os.read(terminal, 1)
        while True:
            # The rest of a sequence or of a character is there already, or it is none.
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
