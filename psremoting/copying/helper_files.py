"""The files of a constrained PowerShell whose configuration mounts a user drive.

It offers the helper functions of Copy-Item and nothing else. A file is written piece by piece under
its own name, because they cannot rename, and its SHA-256 is checked by reading it back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psremoting.copying.byte_streams import entry_of
from psremoting.copying.remote_files import CopyError, End, Looked, RemoteEntry, checked, table_of
from psrp.clixml import DateTime, DateTimeKind, Dictionary, Int64, List
from psrp.clixml.times import UNIX_EPOCH
from psrp.properties import unwrap

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["HelperFiles"]

_PIECE = 4 << 20
_TO, _FROM, _BOTH = "PSCopyToSessionHelper", "PSCopyFromSessionHelper", "PSCopyRemoteUtils"


class HelperFiles:
    """Files reached with PSCopyToSessionHelper and PSCopyFromSessionHelper."""

    resumes = False

    def __init__(self, session: PSSession) -> None:
        self._session = session

    async def _call(self, name: str, **parameters: Any) -> list[Any]:
        return checked(await self._session.call(name, **parameters))

    async def look(self, path: str) -> Looked:
        full = path if path.casefold().startswith("user:") else f"User:/{path.lstrip('/')}"
        info = table_of(await self._call(_TO, remotePath=full))
        found = table_of(await self._call(_FROM, getPathItems=full))
        items = found.get("Items") if found.get("Exists") else None
        entries = [
            _entry(each, "FullName", "Name", is_directory=each.get("IsDirectory"))
            for each in _tables(items)
        ]
        return Looked(
            path=full,
            entries=tuple(entries),
            parent_is_directory=bool(info.get("ParentIsDirectoryInfo")) or bool(entries),
        )

    async def entries(self, directory: RemoteEntry) -> list[RemoteEntry]:
        found = table_of(await self._call(_FROM, getPathDir=directory.path))
        files = [
            _entry(each, "FilePath", "FileName", is_directory=False)
            for each in _tables(found.get("Files"))
        ]
        directories = [
            _entry(each, "FullName", "Name", is_directory=True)
            for each in _tables(found.get("Directories"))
        ]
        return [*files, *directories]

    async def make_directory(self, path: str) -> None:
        await self._call(_TO, createDirectoryPath=path, force=True)

    async def part(self, path: str, id: str) -> tuple[int, str]:
        return 0, ""

    async def upload(
        self, path: str, id: str, offset: int, data: AsyncIterator[bytes | End]
    ) -> None:
        waiting, first, end = bytearray(), True, None
        async for item in data:
            if isinstance(item, End):
                end = item
                break
            waiting += item
            while len(waiting) > _PIECE:
                await self._piece(path, bytes(waiting[:_PIECE]), first=first)
                del waiting[:_PIECE]
                first = False
        if end is None:
            return
        await self._piece(path, bytes(waiting), first=first)
        if end.mtime_ns is not None:
            time = DateTime(end.mtime_ns // 100 + UNIX_EPOCH, DateTimeKind.UTC)
            table = Dictionary({"LastWriteTimeUtc": time})
            await self._call(_TO, metaDataFilePath=path, metaDataToSet=table)
        written = RemoteEntry(path=path, name="", is_directory=False)
        async with aclosing(self.download(written, 0)) as items:
            async for item in items:
                if isinstance(item, End) and item.sha256 != end.sha256:
                    raise CopyError(f"The bytes of '{path}' differ from those of the source.")

    async def _piece(self, path: str, data: bytes, *, first: bool) -> None:
        parameters: dict[str, Any] = {"copyToFilePath": path, "createFile": first}
        if data:
            parameters["b64Fragment"] = base64.b64encode(data).decode("ascii")
        elif first:
            parameters["emptyFile"] = True
        else:
            return
        written = table_of(await self._call(_TO, **parameters)).get("BytesWritten")
        if written != len(data):
            raise CopyError(f"Failed to copy file {path} to remote target destination.")

    async def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
        at, digest, more = 0, sha256(), True
        while more:
            found = table_of(
                await self._call(
                    _FROM,
                    copyFromFilePath=entry.path,
                    copyFromStart=Int64(at),
                    copyFromNumBytes=Int64(_PIECE),
                )
            )
            if found.get("ExceptionThrown"):
                raise CopyError(f"Failed to read remote file '{entry.path}'.")
            try:
                data = base64.b64decode(str(found.get("b64Fragment") or ""), validate=True)
            except binascii.Error:
                raise CopyError(f"A piece of '{entry.path}' is not base64.") from None
            digest.update(data)
            at += len(data)
            if at > offset:
                yield data[max(0, offset - at + len(data)) :]
            more = bool(found.get("moreAvailable")) and bool(data)
        metadata = await self._call(_FROM, getMetaFilePath=entry.path)
        times = _tables(metadata[0]) if metadata else []
        time = times[0].get("LastWriteTimeUtc") if times else None
        ticks = time.ticks if isinstance(time, DateTime) else None
        yield End(
            sha256=digest.hexdigest(),
            size=at,
            mtime_ns=None if ticks is None else (ticks - UNIX_EPOCH) * 100,
        )


def _entry(table: Dictionary, path: str, name: str, *, is_directory: Any) -> RemoteEntry:
    """Return the entry that a helper function describes with these keys. Raises CopyError."""
    size = 0 if is_directory else table.get("FileSize")
    known = {"Path": table.get(path), "Name": table.get(name), "IsDirectory": is_directory}
    return entry_of(Dictionary({**known, "Size": size}))


def _tables(value: Any) -> list[Dictionary]:
    items = unwrap(value)
    found = items if isinstance(items, List) else [items]
    return [each for each in map(unwrap, found) if isinstance(each, Dictionary)]
