"""The files of an endpoint of this package: `psremoting.endpoint.copy_commands`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from psremoting.copying.byte_streams import end_of, entry_of, received, sent
from psremoting.copying.remote_files import CopyError, End, Looked, RemoteEntry, checked, table_of
from psrp.clixml import Dictionary, Int64
from psrp.commands import Command, Parameter

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["EndpointFiles"]


class EndpointFiles:
    """Files reached with Get-, Read- and Write-EndpointFile."""

    resumes = True

    def __init__(self, session: PSSession) -> None:
        self._session = session

    async def _call(self, name: str, **parameters: Any) -> list[Any]:
        return checked(await self._session.call(name, **parameters))

    async def look(self, path: str) -> Looked:
        steps = [each for each in path.replace("\\", "/").split("/") if each not in ("", ".")]
        if steps and steps[0].casefold() == "user:":
            steps = steps[1:]
        elif steps and steps[0].casefold().startswith("user:"):
            steps[0] = steps[0][5:]
        full = "User:/" + "/".join(steps)
        entries = [entry_of(each) for each in await self._call("Get-EndpointFile", Path=full)]
        is_there = bool(entries)
        if not entries:
            parent = "User:/" + "/".join(steps[:-1])
            above = await self._call("Get-EndpointFile", Path=parent)
            is_there = bool(above and entry_of(above[0]).is_directory)
        return Looked(path=full, entries=tuple(entries), parent_is_directory=is_there)

    async def entries(self, directory: RemoteEntry) -> list[RemoteEntry]:
        found = await self._call("Read-EndpointFile", Path=directory.path)
        return [entry_of(each) for each in found]

    async def make_directory(self, path: str) -> None:
        await self._call("New-EndpointDirectory", Path=path)

    async def part(self, path: str, id: str) -> tuple[int, str]:
        answer = await self._call("Write-EndpointFile", Path=path, Id=id, Check=True)
        found = end_of(table_of(answer))
        return found.size, found.sha256

    async def upload(
        self, path: str, id: str, offset: int, data: AsyncIterator[bytes | End]
    ) -> None:
        command = _command("Write-EndpointFile", Path=path, Id=id, Offset=Int64(offset))
        async with aclosing(sent(data, _end_table)) as input:
            done = checked(await self._session.run(command, input=input))
        if not done:
            raise CopyError(f"The endpoint did not complete '{path}'.")

    async def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
        command = _command("Read-EndpointFile", Path=entry.path, Offset=Int64(offset))
        async with aclosing(received(await self._session.invoke(command))) as items:
            async for item in items:
                yield item


def _command(name: str, **parameters: Any) -> Command:
    return Command(name, parameters=tuple(Parameter(*each) for each in parameters.items()))


def _end_table(end: End) -> Dictionary:
    table = Dictionary({"Sha256": end.sha256})
    if end.mtime_ns is not None:
        table["Time"] = Int64(end.mtime_ns)
    if end.mode is not None:
        table["Mode"] = end.mode
    return table
