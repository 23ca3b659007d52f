"""Streams of bytes between a file of this side and a command of the other one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from psremoting.copying.remote_files import CopyError, End, checked
from psrp.clixml import Dictionary

if TYPE_CHECKING:
    from psremoting.client.invocation import Invocation

__all__ = ["end_of", "received", "sent"]

_EPOCH_TICKS = 621_355_968_000_000_000


async def sent(
    data: AsyncIterator[bytes | End], table: Callable[[End], Dictionary]
) -> AsyncGenerator[Any, None]:
    """Yield the pipeline input of a command that writes a file: bytes, then a table."""
    async for item in data:
        yield table(item) if isinstance(item, End) else item


async def received(invocation: Invocation) -> AsyncGenerator[bytes | End, None]:
    """Yield the output of a command that reads a file: bytes, then its end.

    Raises CopyError if the command fails or its output ends without a table.
    """
    end: End | None = None
    async with invocation:
        async for value in invocation:
            if isinstance(value, bytes):
                yield value
            elif isinstance(value, Dictionary):
                end = end_of(value)
        checked(await invocation.result())
    if end is None:
        raise CopyError("The other side ended the file without its SHA-256.")
    yield end


def end_of(table: Dictionary) -> End:
    """Return the end of a file. ``Ticks`` counts 100 ns since year 1, ``Time`` ns since 1970."""
    time, ticks, mode = table.get("Time"), table.get("Ticks"), table.get("Mode")
    if time is None and ticks is not None:
        time = (int(ticks) - _EPOCH_TICKS) * 100
    return End(
        sha256=str(table.get("Sha256", "")).replace("-", "").lower(),
        size=int(table.get("Size", 0)),
        mtime_ns=None if time is None else int(time),
        mode=None if mode is None else int(mode),
    )
