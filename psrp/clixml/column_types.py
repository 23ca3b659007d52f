"""Conversion of a column of texts, all of one element, in a few calls for the whole column.

Each function here accepts a part of the texts that the reader of the single element
(`psrp.clixml.scalars`) accepts, with the same values; other columns are read text by text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import repeat
from operator import add, attrgetter
from typing import Any
from uuid import UUID, SafeUUID

from psrp.clixml.numbers import SizedInt
from psrp.clixml.scalars import PARSE, SCALARS
from psrp.clixml.times import SECOND, DateTime, DateTimeKind

__all__ = ["convert"]

Column = list[str]


def convert(parse: Callable[[str], Any], texts: Column) -> list[Any]:
    """Return what ``parse`` returns for each text. Raises ValueError."""
    whole = _WHOLE.get(parse)
    if whole is not None:
        found = whole(texts)
        if found is not None:
            return found
    return list(map(parse, texts))


def _strings(texts: Column) -> list[Any] | None:
    joined = "".join(texts)
    return None if "_" in joined or "&" in joined or ">" in joined else texts


def _integers(texts: Column, low: int, high: int) -> list[int] | None:
    joined = "".join(texts).replace("-", "")
    if not joined.isdecimal() or not joined.isascii():
        return None
    numbers = list(map(int, texts))
    return numbers if low <= min(numbers) and max(numbers) <= high else None


def _int32s(texts: Column) -> list[Any] | None:
    return _integers(texts, -(2**31), 2**31 - 1)


def _sized(kind: type[SizedInt]) -> Callable[[Column], list[Any] | None]:
    def whole(texts: Column) -> list[Any] | None:
        numbers = _integers(texts, kind.MIN, kind.MAX)
        return None if numbers is None else list(map(int.__new__, repeat(kind), numbers))

    return whole


def _doubles(texts: Column) -> list[Any] | None:
    joined = "".join(texts).replace(".", "")
    return list(map(float, texts)) if joined.isdecimal() and joined.isascii() else None


def _booleans(texts: Column) -> list[Any] | None:
    if texts.count("true") + texts.count("false") != len(texts):
        return None
    return list(map("true".__eq__, texts))


def _guids(texts: Column) -> list[Any] | None:
    joined = "".join(texts)
    digits = joined.replace("-", "")
    count = len(texts)
    if (
        set(map(len, texts)) != {36}
        or len(digits) != 32 * count
        or not digits.isalnum()
        or not digits.isascii()
        or any(joined[at::36] != "-" * count for at in (8, 13, 18, 23))
    ):
        return None
    numbers = map(int, map(str.replace, texts, repeat("-"), repeat("")), repeat(16))
    guids = list(map(UUID.__new__, repeat(UUID, count)))
    _run(map(_set_int, guids, numbers))
    _run(map(_set_safe, guids, repeat(SafeUUID.unknown)))
    return guids


def _times(texts: Column) -> list[Any] | None:
    """Whole seconds of no zone, or all of UTC."""
    joined = "".join(texts)
    count, length = len(texts), len(texts[0])
    if (
        length not in (19, 20)
        or set(map(len, texts)) != {length}
        or any(joined[at::length] != mark * count for at, mark in _MARKS)
        or (length == 20 and joined[19::20] != "Z" * count)
    ):
        return None
    clocks = texts if length == 19 else map(str.removesuffix, texts, repeat("Z"))
    moments = list(map(datetime.fromisoformat, clocks))
    days = map(_DAY.__mul__, map(int.__sub__, map(datetime.toordinal, moments), repeat(1)))
    hours = map((3600 * SECOND).__mul__, map(attrgetter("hour"), moments))
    minutes = map((60 * SECOND).__mul__, map(attrgetter("minute"), moments))
    seconds = map(SECOND.__mul__, map(attrgetter("second"), moments))
    ticks = map(add, map(add, days, hours), map(add, minutes, seconds))
    found = list(map(DateTime.__new__, repeat(DateTime, count)))
    _run(map(_set_ticks, found, ticks))
    kind = DateTimeKind.UNSPECIFIED if length == 19 else DateTimeKind.UTC
    _run(map(_set_kind, found, repeat(kind)))
    _run(map(_set_offset, found, repeat(0)))
    return found


_MARKS = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_DAY = 86400 * SECOND
_run = deque[Any](maxlen=0).extend
_set_int = UUID.__dict__["int"].__set__
_set_safe = UUID.__dict__["is_safe"].__set__
_set_ticks = DateTime.__dict__["ticks"].__set__
_set_kind = DateTime.__dict__["kind"].__set__
_set_offset = DateTime.__dict__["offset"].__set__

_WHOLE: dict[Callable[[str], Any], Callable[[Column], list[Any] | None]] = {
    PARSE["S"]: _strings,
    PARSE["I32"]: _int32s,
    PARSE["Db"]: _doubles,
    PARSE["B"]: _booleans,
    PARSE["G"]: _guids,
    PARSE["DT"]: _times,
    **{
        scalar.parse: _sized(scalar.kind) for scalar in SCALARS if issubclass(scalar.kind, SizedInt)
    },
}
