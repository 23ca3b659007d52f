"""Pipeline input and output of the remote commands that write and read files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from psremoting.copying.remote_files import CopyError, End, RemoteEntry, checked
from psrp.clixml import Dictionary
from psrp.clixml.times import UNIX_EPOCH

if TYPE_CHECKING:
    from psremoting.client.invocation import Invocation

__all__ = ["end_of", "entry_of", "received", "sent"]


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
    """Return the end of a file. ``Ticks`` counts 100 ns since year 1, ``Time`` ns since 1970.

    Raises CopyError for a value that is no number.
    """
    time, ticks, mode = table.get("Time"), table.get("Ticks"), table.get("Mode")
    try:
        if time is None and ticks is not None:
            time = (int(ticks) - UNIX_EPOCH) * 100
        return End(
            sha256=str(table.get("Sha256", "")).replace("-", "").lower(),
            size=int(table.get("Size", 0)),
            mtime_ns=None if time is None else int(time),
            mode=None if mode is None else int(mode),
        )
    except (TypeError, ValueError):
        raise CopyError(
            "The other side described a file with a size, time or mode that is no number."
        ) from None


def entry_of(table: Any) -> RemoteEntry:
    """Return the file or directory that a table describes, with the keys of `end_of`.

    Raises CopyError for what is no such table.
    """
    if not isinstance(table, Dictionary):
        raise CopyError("The other side described a file with something that is no table.")
    if any(table.get(key) is None for key in ("Path", "Name", "IsDirectory")):
        raise CopyError("The other side described a file without its path, name or kind.")
    end = end_of(table)
    return RemoteEntry(
        path=str(table["Path"]),
        name=str(table["Name"]),
        is_directory=bool(table["IsDirectory"]),
        size=end.size,
        mtime_ns=end.mtime_ns,
        mode=end.mode,
    )
