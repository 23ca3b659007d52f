"""The values that are written and read: equal values in the types of each library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psrpcore import types
from pypsrp.complex_objects import GenericComplexObject

from bench.values import mixed, noise, our_mixed
from psrp import clixml

MIB = 1 << 20
DEPTH = 48
"""The depth that PowerShell reads; it writes 50, and cannot read them back."""
TYPES = ["System.Management.Automation.PSCustomObject", "System.Object"]
SENTENCE = "The quick brown fox jumps over the lazy dog. "

Maker = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One value in three libraries."""

    name: str
    ours: Any
    psrpcore: Any
    pypsrp: Any


def our_object(members: dict[str, Any]) -> clixml.PSObject:
    return clixml.PSObject.custom(**members)


def psrpcore_object(members: dict[str, Any]) -> Any:
    return types.PSCustomObject(**members)


def pypsrp_object(members: dict[str, Any]) -> Any:
    made = GenericComplexObject()
    made.types = TYPES
    made.extended_properties = members
    return made


def psrpcore_mixed(number: int) -> Any:
    def moment(second: int) -> Any:
        return types.PSDateTime(2026, 1, 2, 3, 4, second)

    return psrpcore_object(mixed(number, types.PSInt64, types.PSUInt, moment))


def pypsrp_mixed(number: int) -> Any:
    """Return the mixed object for pypsrp, which has no wide integers and no date-times."""
    return pypsrp_object(mixed(number, int, int, lambda second: f"2026-01-02T03:04:{second:02d}"))


def nested(make: Maker) -> Any:
    value = make({"Level": 0, "Name": "leaf"})
    for level in range(1, DEPTH):
        value = make({"Level": level, "Name": f"level {level}", "Child": value})
    return value


def text(size: int) -> str:
    return (SENTENCE * (size // len(SENTENCE) + 1))[:size]


def integers(count: int) -> list[int]:
    return list(range(count))


def strings(count: int) -> list[str]:
    return [f"string number {number}" for number in range(count)]


def all_bodies() -> Iterator[Body]:
    """Return the bodies in the order of the report."""
    for name, plain in (
        ("10 000 ints", integers(10_000)),
        ("10 000 short strings", strings(10_000)),
    ):
        yield Body(name=name, ours=plain, psrpcore=plain, pypsrp=plain)
    yield Body(
        name="1 000 objects x 10",
        ours=[our_mixed(number) for number in range(1000)],
        psrpcore=[psrpcore_mixed(number) for number in range(1000)],
        pypsrp=[pypsrp_mixed(number) for number in range(1000)],
    )
    yield Body(
        name=f"nested {DEPTH} deep",
        ours=nested(our_object),
        psrpcore=nested(psrpcore_object),
        pypsrp=nested(pypsrp_object),
    )
    for name, big in (("8 MiB string", text(8 * MIB)), ("8 MiB of bytes", noise(8 * MIB))):
        yield Body(name=name, ours=big, psrpcore=big, pypsrp=big)
