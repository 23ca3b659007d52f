"""The commands that PowerShell's Copy-Item calls on an endpoint without language.

A real endpoint with MountUserDrive defines them as functions; names, parameters and results are
theirs. They take no more than what the client sends, so a file gets its name with its last piece:
one shorter than the client's 4 MiB, or, after a piece of that size, the call that sets its times.
"""

from __future__ import annotations

import base64
import binascii
import os
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from psremoting.endpoint.confined_folder import ConfinedFolder, Entry, PartFile
from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import Param
from psrp.clixml import DateTime, DateTimeKind, Dictionary, Int64, List
from psrp.clixml.times import UNIX_EPOCH
from psrp.properties import unwrap
from psrp.records import ErrorCategory

__all__ = ["PIECE", "copy_item_helpers"]

PIECE = 4 << 20
"""Bytes of a full piece of PowerShell's Copy-Item."""
_MOST = 10 << 20
"""The most bytes that one call reads."""


def _named(name: str) -> Any:
    return Param(name=name, allow_empty=True)


class _Pending:
    """The files that the sessions of an endpoint are writing."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], PartFile]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, context: Context) -> dict[tuple[str, ...], PartFile]:
        """Return the unfinished files of a session; they are removed at its end."""
        session = context.stage.pipeline.session
        found = self._of.get(session)
        if found is None:
            found = self._of[session] = {}
            weakref.finalize(session, _discard, found)
        return found


def _discard(parts: dict[tuple[str, ...], PartFile]) -> None:
    for part in parts.values():
        part.discard()
    parts.clear()


def copy_item_helpers(folder: ConfinedFolder) -> dict[str, Callable[..., Any]]:
    """Return PSCopyToSessionHelper, PSCopyFromSessionHelper and PSCopyRemoteUtils."""
    helpers = _Helpers(folder)
    return {
        "PSCopyToSessionHelper": helpers.to_session,
        "PSCopyFromSessionHelper": helpers.from_session,
        "PSCopyRemoteUtils": helpers.remote_utils,
    }


class _Helpers:
    def __init__(self, folder: ConfinedFolder) -> None:
        self._folder = folder
        self._pending = _Pending()

    def _entry(self, path: str) -> Entry | None:
        return self._folder.entry(self._folder.steps(path, needs_drive=True))

    # -- to the endpoint

    async def to_session(
        self,
        context: Context,
        *,
        copy_to: Annotated[str, _named("copyToFilePath")] = "",
        piece: Annotated[str, _named("b64Fragment")] = "",
        create: Annotated[bool, _named("createFile")] = False,
        empty: Annotated[bool, _named("emptyFile")] = False,
        stream: Annotated[str, _named("streamName")] = "",
        supports: Annotated[str, _named("supportAltStreamPath")] = "",
        metadata_path: Annotated[str, _named("metaDataFilePath")] = "",
        metadata: Annotated[Any, _named("metaDataToSet")] = None,
        is_file: Annotated[str, _named("isFilePath")] = "",
        remote_path: Annotated[str, _named("remotePath")] = "",
        new_directory: Annotated[str, _named("createDirectoryPath")] = "",
        force: bool = False,
    ) -> Dictionary | None:
        """Takes pieces of files from PowerShell's Copy-Item -ToSession."""
        try:
            if copy_to:
                return self._take(context, copy_to, piece, create=create, stream=stream)
            if metadata_path:
                self._set_metadata(context, metadata_path, metadata)
                return None
            if supports:
                self._folder.steps(supports, needs_drive=True)
                return Dictionary({"TargetSupportsAlternateStreams": False})
            if is_file:
                found = self._entry(is_file)
                is_a_file = found is not None and not found.is_directory
                return Dictionary({"IsFileInfo": is_a_file})
            if new_directory:
                return self._make(new_directory, force=force)
            return self._info(remote_path)
        except OSError as error:
            await context.write_error(_io_error(error, copy_to or new_directory))
            if copy_to:
                return Dictionary({"BytesWritten": None})
            return Dictionary({"DirectoryPath": None, "PathExists": False})

    def _take(
        self, context: Context, path: str, piece: str, *, create: bool, stream: str
    ) -> Dictionary:
        if stream:
            raise CommandError(
                "This file system has no alternate streams.", error_id="NotSupported",
                category=ErrorCategory.NotImplemented,
            )  # fmt: skip
        steps = self._folder.steps(path, needs_drive=True)
        pending = self._pending.of(context)
        part = pending.get(steps)
        if create or part is None:
            for old in list(pending):
                pending.pop(old).discard()
            part = pending[steps] = self._folder.part(steps, uuid4().hex)
        try:
            data = base64.b64decode(piece, validate=True)
            part.write(data)
        except (binascii.Error, CommandError, OSError) as error:
            pending.pop(steps).discard()
            if isinstance(error, binascii.Error):
                raise CommandError(f"The piece is not base64: {error}.") from None
            raise
        if len(data) < PIECE:
            pending.pop(steps).finish()
        return Dictionary({"BytesWritten": len(data)})

    def _set_metadata(self, context: Context, path: str, metadata: Any) -> None:
        steps = self._folder.steps(path, needs_drive=True)
        pending = self._pending.of(context)
        # PowerShell appends the name once more if the destination was the path of a file.
        for final in (steps, steps[:-1]):
            if final in pending:
                pending.pop(final).finish()
        found = self._folder.entry(steps) or self._folder.entry(steps[:-1])
        if found is None or found.is_directory:
            return
        table = unwrap(metadata)
        time = table.get("LastWriteTimeUtc") if isinstance(table, Dictionary) else None
        if isinstance(time, DateTime):
            self._folder.set_metadata(found.path, mtime_ns=(time.ticks - UNIX_EPOCH) * 100)

    def _make(self, path: str, *, force: bool) -> Dictionary:
        steps = self._folder.steps(path, needs_drive=True)
        if self._folder.entry(steps) is not None and not force:
            return Dictionary({"DirectoryPath": None, "PathExists": True})
        self._folder.make_directory(steps)
        return Dictionary({"DirectoryPath": path, "PathExists": False})

    def _info(self, path: str) -> Dictionary:
        steps = self._folder.steps(path, needs_drive=True)
        found = self._folder.entry(steps)
        above = self._folder.entry(steps[:-1])
        return Dictionary(
            {
                "IsFileInfo": found is not None and not found.is_directory,
                "IsDirectoryInfo": found is not None and found.is_directory,
                "ParentIsDirectoryInfo": above is not None and above.is_directory,
            }
        )

    # -- from the endpoint

    async def from_session(
        self,
        context: Context,
        *,
        copy_from: Annotated[str, _named("copyFromFilePath")] = "",
        start: Annotated[int, _named("copyFromStart")] = 0,
        count: Annotated[int, _named("copyFromNumBytes")] = 0,
        force: bool = False,
        is_stream: Annotated[bool, _named("isAlternateStream")] = False,
        stream: Annotated[str, _named("streamName")] = "",
        supports: Annotated[str, _named("supportAltStreamPath")] = "",
        metadata_path: Annotated[str, _named("getMetaFilePath")] = "",
        items: Annotated[str, _named("getPathItems")] = "",
        directory: Annotated[str, _named("getPathDir")] = "",
    ) -> Dictionary | None:
        """Gives pieces of files to PowerShell's Copy-Item -FromSession."""
        if copy_from:
            try:
                return self._piece(copy_from, start, count)
            except OSError as error:
                await context.write_error(_io_error(error, copy_from))
                return Dictionary(
                    {"b64Fragment": None, "moreAvailable": None, "ExceptionThrown": True}
                )
        if supports:
            self._folder.steps(supports, needs_drive=True)
            return Dictionary({"SourceSupportsAlternateStreams": False, "Streams": List()})
        if metadata_path:
            return _metadata(self._entry(metadata_path))
        if directory:
            return self._contents(directory)
        found = self._folder.matching(self._folder.steps(items, needs_drive=True))
        shown = List([_item(each) for each in found])
        return Dictionary({"Exists": bool(found), "Items": shown if found else None})

    def _piece(self, path: str, start: int, count: int) -> Dictionary:
        file = self._folder.open_file(self._folder.steps(path, needs_drive=True))
        try:
            size = os.fstat(file).st_size
            data = os.pread(file, max(0, min(count, _MOST)), max(0, start))
        finally:
            os.close(file)
        return Dictionary(
            {
                "b64Fragment": base64.b64encode(data).decode("ascii") if data else None,
                "moreAvailable": start + len(data) < size,
                "ExceptionThrown": False,
            }
        )

    def _contents(self, path: str) -> Dictionary:
        steps = self._folder.steps(path, needs_drive=True)
        try:
            entries = self._folder.entries(steps)
        except OSError:
            return Dictionary({"Files": None, "Directories": None})
        files = [
            Dictionary({"FileName": e.name, "FilePath": e.shown, "FileSize": Int64(e.size)})
            for e in entries
            if not e.is_directory
        ]
        directories = [
            Dictionary({"Name": e.name, "FullName": e.shown}) for e in entries if e.is_directory
        ]
        return Dictionary(
            {
                "Files": List(files) if files else None,
                "Directories": List(directories) if directories else None,
            }
        )

    # -- both

    async def remote_utils(
        self,
        *,
        exists: Annotated[str, _named("dirPathExists")] = "",
        validate: Annotated[str, _named("pathToValidate")] = "",
        source: Annotated[bool, _named("sourceIsRemote")] = False,
    ) -> Dictionary:
        """Tells PowerShell's Copy-Item about a path."""
        if exists:
            found = self._entry(exists)
            return Dictionary({"Exists": found is not None and found.is_directory})
        steps = self._folder.steps(validate, needs_drive=True)
        exists_here = bool(self._folder.matching(steps))
        root = "User:" if exists_here or not source else None
        return Dictionary({"IsAbsolute": True, "Exists": exists_here, "Root": root})


def _item(entry: Entry) -> Dictionary:
    return Dictionary(
        {
            "FullName": entry.shown,
            "Name": entry.name,
            "FileSize": Int64(entry.size),
            "IsDirectory": entry.is_directory,
        }
    )


def _metadata(entry: Entry | None) -> Dictionary | None:
    if entry is None:
        return None
    ticks = entry.mtime_ns // 100 + UNIX_EPOCH
    local = datetime.fromtimestamp(entry.mtime_ns / 1e9, UTC).astimezone()
    offset = local.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    return Dictionary(
        {
            "Attributes": List(["Directory" if entry.is_directory else "Normal"]),
            "LastWriteTime": DateTime(
                ticks + minutes * 600_000_000, DateTimeKind.LOCAL, minutes
            ),
            "LastWriteTimeUtc": DateTime(ticks, DateTimeKind.UTC),
        }
    )  # fmt: skip


def _io_error(error: OSError, path: str) -> CommandError:
    denied = isinstance(error, PermissionError)
    kind = "System.UnauthorizedAccessException" if denied else "System.IO.IOException"
    category = ErrorCategory.PermissionDenied if denied else ErrorCategory.WriteError
    return CommandError(
        f"Cannot use the path '{path}': {error.strerror}.", error_id=kind, category=category,
        exception_type=kind, target=path, target_type="String",
    )  # fmt: skip
