"""Candidates for PSRP session keys, as a search of a process's memory gives them.

A session key seals secure strings, so a recorded one tells which candidate it is: padding and text
must fit, and so strongly that chance is excluded. [MS-PSRP] 2.2.5.1.24
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psremoting.capture.source import CaptureError
from psrp.keys import SessionKey
from psrp.sansio import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fitting_key", "read_candidates"]

KEY_SIZE = 32
_ARRAY = KEY_SIZE.to_bytes(8, "little")
"""The length of a managed array of 32 bytes, in front of its content in the memory of .NET."""
_ALL_OFFSETS = 1 << 20
"""Files up to this size are searched at every fourth byte."""
_PIECE = 16 << 20
_MAX_CANDIDATES = 1_000_000
_LEAST_DISTINCT = 16
"""Different bytes in a random key: fewer occur once in 10**9 keys."""
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_LEAST_EVIDENCE = 32
"""Bits by which padding and text must differ from chance."""
_BITS_OF_PADDING, _BITS_OF_LETTER = 8, 9


def read_candidates(text: str) -> tuple[bytes, ...]:
    """Return the candidates of an argument: a key of 64 hexadecimal digits, or a file.

    A file has a key in hexadecimal on each line, or is a dump of memory. Raises CaptureError.
    """
    if found := _HEX.fullmatch(text.strip()):
        return (bytes.fromhex(found[1]),)
    made: dict[bytes, None] = {}
    try:
        with open(text, "rb") as file:
            head = file.read(_ALL_OFFSETS + 1)
            listed = _listed(head)
            if listed:
                return listed
            source = _everywhere(head) if len(head) <= _ALL_OFFSETS else _arrays(head, file)
            for each in source:
                if len(set(each)) >= _LEAST_DISTINCT:
                    made[each] = None
                if len(made) > _MAX_CANDIDATES:
                    raise CaptureError(text, f"more than {_MAX_CANDIDATES} candidates for keys")
    except OSError as error:
        raise CaptureError(text, error.strerror or str(error)) from None
    if not made:
        raise CaptureError(text, "no candidate for a session key", 0)
    return tuple(made)


def _listed(data: bytes) -> tuple[bytes, ...]:
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return ()
    found = [_HEX.fullmatch(each.strip()) for each in lines if each.strip()]
    return tuple(bytes.fromhex(each[1]) for each in found if each is not None)


def _everywhere(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data) - KEY_SIZE + 1, 4):
        yield data[at : at + KEY_SIZE]


def _arrays(data: bytes, file: object) -> Iterator[bytes]:
    """Yield the contents of arrays of 32 bytes."""
    read = file.read  # type: ignore[attr-defined]
    while True:
        at = data.find(_ARRAY)
        while at >= 0 and at + len(_ARRAY) + KEY_SIZE <= len(data):
            start = at + len(_ARRAY)
            yield data[start : start + KEY_SIZE]
            at = data.find(_ARRAY, at + 4)
        more = read(_PIECE)
        if not more:
            return
        data = data[-len(_ARRAY) - KEY_SIZE :] + more


def fitting_key(candidates: tuple[bytes, ...], sealed: str) -> SessionKey | None:
    """Return the candidate that opens a secure string beyond doubt, or None."""
    for each in candidates:
        key = SessionKey(each)
        try:
            text = key.unseal(sealed)
        except RemoteProtocolError:
            continue
        padding = 16 - len(text.encode("utf-16-le", "surrogatepass")) % 16
        letters = sum(0x20 <= ord(each) < 0x7F for each in text)
        odd = sum(ord(each) < 0x20 or 0xD800 <= ord(each) < 0xE000 for each in text)
        evidence = padding * _BITS_OF_PADDING + (letters - 2 * odd) * _BITS_OF_LETTER
        if evidence >= _LEAST_EVIDENCE:
            return key
    return None
