"""Commands of an endpoint, for spec-notes/functions.md."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from psremoting.endpoint import FROM_PIPELINE, CommandError, Context, Input, Param, SyncContext
from psrp.records import ErrorCategory

__all__ = ["commands"]


class Kind(enum.Enum):
    SSD = "ssd"
    TAPE = "tape"


@dataclass
class Disk:
    name: str
    size: int = 0
    kind: Kind = Kind.SSD


DISKS = {"root": Disk("root", 100), "backup": Disk("backup", 4000, Kind.TAPE)}


def get_disk(
    name: Annotated[str, Param(help="The disk; all without it.", aliases=("Id",))] = "",
    *,
    kind: Kind | None = None,
) -> Iterator[Disk]:
    """Gets disks.

    One object for each disk that fits.
    """
    if name and name not in DISKS:
        raise CommandError(
            f"There is no disk '{name}'.",
            error_id="DiskNotFound",
            category=ErrorCategory.ObjectNotFound,
            target=name,
        )
    for disk in DISKS.values():
        if name in ("", disk.name) and kind in (None, disk.kind):
            yield disk


def set_size(
    name: Annotated[str, Param(by_property_name=True)],
    size: Annotated[int, Param(by_property_name=True, help="In gigabytes.")],
) -> str:
    """Sets the size of a disk; takes objects with Name and Size."""
    return f"{name}: {size} GB"


def new_disk(disk: Annotated[Disk, FROM_PIPELINE]) -> str:
    """Makes a disk of a table or of an object with its fields."""
    return f"{disk.name} ({disk.kind.name}, {disk.size} GB)"


async def measure_size(context: Context, input: Input) -> int:
    """Adds up the sizes of all disks of the pipeline."""
    total = 0
    async for disk in input:
        await context.write_verbose(f"adding {disk['name']}")
        total += disk["size"]
    return total


async def clear_disk(context: Context, name: str, *, force: bool = False) -> AsyncIterator[str]:
    """Empties a disk, after asking."""
    if not force and not await context.confirm("Clear-Disk", name):
        await context.write_warning(f"{name} is left alone")
        return
    for percent in (0, 50, 100):
        await context.write_progress("Clearing", percent=percent)
    yield f"{name} is empty"


def find_file(context: SyncContext, pattern: str, *places: str) -> Iterator[Any]:
    """Finds files; a plain function runs in a thread."""
    for place in places or ("here",):
        if place == "nowhere":
            context.write_error(f"cannot look {place}", error_id="NoSuchPlace", target=place)
        else:
            yield {"Pattern": pattern, "Place": place}


commands = {
    "Get-Disk": get_disk,
    "Set-Size": set_size,
    "New-Disk": new_disk,
    "Measure-Size": measure_size,
    "Clear-Disk": clear_disk,
    "Find-File": find_file,
}
