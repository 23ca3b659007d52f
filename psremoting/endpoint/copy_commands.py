"""The commands of an endpoint whose configuration lets clients copy files.

`psrp copy` and Copy-Item of the local prompt use those of this package: a file is one stream of
bytes, with its SHA-256 at the end, and a copy that broke off goes on where it ended. PowerShell's
own Copy-Item uses those of `psremoting.endpoint.copy_item_helpers`. spec-notes/copying.md
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import trio

from psremoting.endpoint.confined_folder import ConfinedFolder, Entry, PartFile, path_error
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import Input, Param
from psrp.clixml import Dictionary, Int64
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CHUNK", "copy_commands", "user_folder"]

CHUNK = 512 << 10
"""Bytes of one object of a file's stream."""
_DEFAULT_LIMIT = 50_000_000
"""PowerShell's limit of a user drive."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors that are not about rights."""
_IO_ERROR = "IOException"
_MOST_NUMBER = (1 << 63) - 1


def user_folder(root: Path, user: str, limit: int = 0) -> ConfinedFolder:
    """Return the user drive of ``user`` below ``root``, which is made where it is missing.

    A ``limit`` that is not positive stands for PowerShell's: 50,000,000 bytes. Raises OSError.
    """
    name = "".join(each if each.isalnum() or each in "-_.@" else "_" for each in user)
    path = root / (name.strip(".") or "_")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ConfinedFolder(path, limit=limit if limit > 0 else _DEFAULT_LIMIT)


def described(entry: Entry) -> Dictionary:
    """Return an entry as clients get it; ``Time`` counts nanoseconds since 1970."""
    return Dictionary(
        {
            "Path": entry.shown,
            "Name": entry.name,
            "IsDirectory": entry.is_directory,
            "Size": Int64(entry.size),
            "Time": Int64(entry.mtime_ns),
            "Mode": entry.mode,
        }
    )


def copy_commands(folder: ConfinedFolder) -> dict[str, Callable[..., Any]]:
    """Return the commands for ``folder``, those of PowerShell's Copy-Item among them."""
    from psremoting.endpoint.copy_item_helpers import copy_item_helpers

    files = _Files(folder)
    return {
        "Get-EndpointFile": files.get_file,
        "Read-EndpointFile": files.read_file,
        "Write-EndpointFile": files.write_file,
        "New-EndpointDirectory": files.new_directory,
        **copy_item_helpers(folder),
    }


class _Files:
    """The commands of this package."""

    def __init__(self, folder: ConfinedFolder) -> None:
        self._folder = folder

    async def get_file(
        self, path: Annotated[str, Param(help="A path, with wildcards in its last name.")]
    ) -> list[Dictionary]:
        """Gets the files and directories of a path."""
        return [described(each) for each in self._folder.matching(self._folder.steps(path))]

    async def new_directory(self, path: Annotated[str, Param(help="The directory.")]) -> None:
        """Makes a directory, and those above it."""
        with _reported(path):
            self._folder.make_directory(self._folder.steps(path))

    async def read_file(
        self,
        path: Annotated[str, Param(help="The file, or a directory to list.")],
        *,
        offset: Annotated[int, Param(help="The first byte.")] = 0,
    ) -> AsyncIterator[Any]:
        """Reads a file: its bytes, then a table with Sha256 of the whole file, Size, Time, Mode.

        A directory gives a table for each entry.
        """
        steps = self._folder.steps(path)
        found = self._folder.entry(steps)
        if found is None:
            raise _not_found(path)
        if found.is_directory:
            with _reported(path):
                entries = self._folder.entries(steps)
            for each in entries:
                yield described(each)
            return
        with _reported(path):
            file = self._folder.open_file(steps)
        try:
            digest, at = sha256(), 0
            while data := await trio.to_thread.run_sync(os.pread, file, CHUNK, at):
                digest.update(data)
                at += len(data)
                if at > offset:
                    yield data[max(0, offset - at + len(data)) :]
            seen = os.fstat(file)
        finally:
            os.close(file)
        yield Dictionary(
            {
                "Sha256": digest.hexdigest(),
                "Size": Int64(at),
                "Time": Int64(seen.st_mtime_ns),
                "Mode": seen.st_mode & 0o777,
            }
        )

    async def write_file(
        self,
        input: Input,
        path: Annotated[str, Param(help="The file; it is replaced when all bytes are there.")],
        id: Annotated[str, Param(help="Names the copy, so that it can be continued.")],
        *,
        offset: Annotated[int, Param(help="Go on at this byte of what was written before.")] = 0,
        check: Annotated[bool, Param(help="Get Size and Sha256 of what was written.")] = False,
    ) -> Dictionary | None:
        """Writes a file: takes its bytes, then a table with Sha256, Time and Mode.

        Without the table at the end the bytes stay for a later call with the same Id.
        """
        with _reported(path):
            steps = self._folder.steps(path)
            part = await trio.to_thread.run_sync(
                lambda: self._folder.part(steps, id, offset=None if check else offset)
            )
        try:
            if check:
                return Dictionary({"Size": Int64(part.size), "Sha256": part.digest.hexdigest()})
            if part.size != offset:
                raise path_error(
                    f"Cannot go on at byte {offset} of '{path}': {part.size} bytes are there.",
                    "OffsetNotThere",
                )
            return await self._take(part, input, path)
        finally:
            part.close()

    async def _take(self, part: PartFile, input: Input, path: str) -> Dictionary | None:
        async for item in input:
            if isinstance(item, Dictionary):
                return self._finish(part, item, path)
            if not isinstance(item, bytes):
                raise path_error(
                    f"Expected bytes or a table, got {type(item).__name__}.", "NotBytes"
                )
            try:
                with _reported(path):
                    part.write(item)
            except CommandError as error:
                if error.error_id == _IO_ERROR:
                    part.discard()
                raise
        return None

    def _finish(self, part: PartFile, end: Dictionary, path: str) -> Dictionary:
        digest = part.digest.hexdigest()
        if digest != end.get("Sha256"):
            part.discard()
            raise CommandError(
                f"The bytes of '{path}' have the SHA-256 {digest} here and another one at their "
                "source.",
                error_id="DigestDiffers",
                category=ErrorCategory.InvalidData,
                exception_type="System.IO.IOException",
            )
        time, mode = _number(end, "Time"), _number(end, "Mode")
        with _reported(path):
            part.finish(mtime_ns=time, mode=mode)
        return Dictionary({"Size": Int64(part.size), "Sha256": digest})


def _number(table: Dictionary, name: str) -> int | None:
    """Return a number of 64 bits from a client's table. Raises CommandError."""
    value = table.get(name)
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = _MOST_NUMBER + 1
    if abs(number) > _MOST_NUMBER:
        raise path_error(f"Expected a number of 64 bits in {name}.", "NotANumber")
    return number


class _reported:
    """Turns an OSError into the error of a command; the path is the client's."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise _not_found(self._path) from None
        if isinstance(error, OSError) and error.errno in _FULL:
            raise CommandError(
                f"{error.strerror} : '{self._path}'",
                error_id=_IO_ERROR,
                category=ErrorCategory.WriteError,
                exception_type="System.IO.IOException",
                target=self._path,
                target_type="String",
            ) from None
        if isinstance(error, OSError):
            raise CommandError(
                f"Access to the path '{self._path}' is denied: {error.strerror}.",
                error_id="UnauthorizedAccess",
                category=ErrorCategory.PermissionDenied,
                exception_type="System.UnauthorizedAccessException",
                target=self._path,
                target_type="String",
            ) from None


def _not_found(path: str) -> CommandError:
    return CommandError(
        f"Cannot find path '{path}' because it does not exist.",
        error_id="PathNotFound",
        category=ErrorCategory.ObjectNotFound,
        exception_type="System.Management.Automation.ItemNotFoundException",
        target=path,
        target_type="String",
    )
