"""The commands of the server of `bench.sessions`, in our types; no peer library is imported."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from psrp import clixml

__all__ = ["FUNCTIONS", "mixed", "noise", "our_mixed"]

START = 639_029_090_450_000_000
"""2026-01-02T03:04:05 in ticks."""


def mixed(number: int, wide: Any, unsigned: Any, moment: Any) -> dict[str, Any]:
    """Return ten properties as in a process list; the three types differ between libraries."""
    return {
        "Id": number,
        "Name": f"process-{number}",
        "Cpu": number * 1.25,
        "Responding": number % 2 == 1,
        "WorkingSet": wide(number * 4096),
        "Path": rf"C:\Program Files\app\{number}.exe",
        "Guid": uuid.UUID(int=number + 1),
        "Handle": unsigned(number),
        "StartTime": moment(number % 60),
        "Note": None,
    }


def our_mixed(number: int) -> clixml.PSObject:
    def moment(second: int) -> clixml.DateTime:
        return clixml.DateTime(START + second * 10_000_000)

    return clixml.PSObject.custom(**mixed(number, clixml.Int64, clixml.UInt32, moment))


def noise(size: int) -> bytes:
    """Return bytes without a pattern, the same in every run."""
    return Random(size).randbytes(size)


# -- commands


def get_integers(count: int) -> Iterator[int]:
    """Gets integers."""
    yield from range(count)


def get_objects(count: int) -> Iterator[clixml.PSObject]:
    """Gets objects with ten properties."""
    for number in range(count):
        yield our_mixed(number)


def get_bytes(size: int, count: int = 1) -> Iterator[bytes]:
    """Gets objects of bytes."""
    piece = bytes(range(256)) * (size // 256)
    for _ in range(count):
        yield piece


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Get-Bytes": get_bytes,
    "Get-Integers": get_integers,
    "Get-Objects": get_objects,
}
"""For ``psrp serve --functions bench.values:FUNCTIONS``."""
