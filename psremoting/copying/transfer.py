"""Copies of files and directories, one file after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from psremoting.copying.local_files import LocalPart, LocalSource, copy_id
from psremoting.copying.remote_files import CopyError, End, Looked, RemoteEntry, RemoteFiles
from psremoting.powershell.wildcards import matches
from psrp.records import ErrorCategory

__all__ = ["CopyOptions", "Progress", "copy_from", "copy_to"]

_RESUMED = 1 << 20
"""Bytes from which on a file is continued; a smaller one is sent again."""
_DEEPEST = 200
"""The most directories within each other."""
Progress = Callable[[str, int, int], None]
"""Gets the name of a file, the bytes that are copied, and its size."""


def _nothing(*_: object) -> None:
    return


@dataclass(kw_only=True)
class CopyOptions:
    """What to copy, and whom to tell."""

    recurse: bool = False
    force: bool = False
    """Copy into directories that exist; without it they are an error."""
    filter: str = "*"
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    on_progress: Progress = _nothing
    on_error: Callable[[CopyError], None] | None = None
    """Called for a file that cannot be copied, and the copy goes on; without it the error is
    raised."""
    done: set[str] = field(default_factory=set)
    """The targets that are copied; a second call leaves them out."""

    def takes(self, name: str) -> bool:
        """Return True if a file of this name is to be copied."""
        wanted = matches(self.filter, name)
        if self.include:
            wanted = wanted and any(matches(each, name) for each in self.include)
        return wanted and not any(matches(each, name) for each in self.exclude)

    def failed(self, error: CopyError) -> None:
        if self.on_error is None:
            raise error
        self.on_error(error)


def _not_found(path: object) -> CopyError:
    return CopyError(
        f"Cannot find path '{path}' because it does not exist.",
        error_id="RemotePathNotFound",
    )


def _exists(path: object) -> CopyError:
    error = CopyError(
        f"An item with the specified name {path} already exists.", error_id="DirectoryExist"
    )
    error.category = ErrorCategory.ResourceExists
    return error


# -- to the other side


async def copy_to(
    files: RemoteFiles, sources: Sequence[Path], destination: str, options: CopyOptions
) -> None:
    """Copy files and directories of this side to ``destination``.

    Into a directory they go under their names. Raises CopyError and PSRemotingTransportError.
    """
    for source in sources:
        place = await files.look(destination)
        if len(place.entries) > 1:
            raise CopyError(f"'{destination}' names more than one file.")
        try:
            if source.is_dir():
                await _directory_to(files, source, _inside(place, source.name), options, place)
            else:
                await _file_to(files, source, _file_place(place, source.name), options)
        except CopyError as error:
            options.failed(error)


def _inside(place: Looked, name: str) -> str:
    return place.join(name) if place.directory is not None else place.path


def _file_place(place: Looked, name: str) -> str:
    if place.directory is None and not place.entries and not place.parent_is_directory:
        raise _not_found(place.path)
    return _inside(place, name)


async def _directory_to(
    files: RemoteFiles, source: Path, target: str, options: CopyOptions, place: Looked
) -> None:
    if place.entries and place.directory is None:
        raise CopyError(
            f"Destination path {target} is a file that already exists on the target destination."
        )
    if not options.force and target not in options.done:
        found = await files.look(target)
        if found.entries:
            raise _exists(target)
    await files.make_directory(target)
    options.done.add(target)
    if not options.recurse:
        return
    waiting = [(source, target, 0)]
    while waiting:
        folder, path, depth = waiting.pop()
        if depth > _DEEPEST:
            raise CopyError(f"{folder} is nested more than {_DEEPEST} directories deep.")
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            inner = path + place.separator + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    await files.make_directory(inner)
                    waiting.append((Path(entry.path), inner, depth + 1))
                elif entry.is_file() and options.takes(entry.name):
                    await _file_to(files, Path(entry.path), inner, options)
            except CopyError as error:
                options.failed(error)


async def _file_to(files: RemoteFiles, path: Path, target: str, options: CopyOptions) -> None:
    if target in options.done:
        return
    source = LocalSource(path)
    try:
        offset = 0
        if files.resumes and source.size >= _RESUMED:
            size, digest = await files.part(target, source.id)
            if 0 < size <= source.size and source.skip(size, digest):
                offset = size

        def told(done: int) -> None:
            options.on_progress(path.name, done, source.size)

        told(offset)
        async with aclosing(source.read(told)) as data:
            await files.upload(target, source.id, offset, data)
        told(source.size)
    finally:
        source.close()
    options.done.add(target)


# -- from the other side


async def copy_from(
    files: RemoteFiles, sources: Sequence[str], destination: Path, options: CopyOptions
) -> None:
    """Copy files and directories of the other side to ``destination``.

    Into a directory they go under their names. Raises CopyError and PSRemotingTransportError.
    """
    for source in sources:
        try:
            found = await files.look(source)
            if not found.entries:
                raise _not_found(source)
            for entry in found.entries:
                await _entry_from(files, entry, destination, options)
        except CopyError as error:
            options.failed(error)


async def _entry_from(
    files: RemoteFiles, entry: RemoteEntry, destination: Path, options: CopyOptions
) -> None:
    is_directory = destination.is_dir()
    target = destination / _safe_name(entry) if is_directory else destination
    if not entry.is_directory:
        if not is_directory and not destination.parent.is_dir():
            raise _not_found(destination)
        if options.takes(entry.name):
            await _file_from(files, entry, target, options)
        return
    if target.exists() and not target.is_dir():
        raise CopyError(f"Cannot copy a directory '{entry.path}' to file '{target}'")
    if target.exists() and not options.force and str(target) not in options.done:
        raise _exists(target)
    _make(target)
    options.done.add(str(target))
    if options.recurse:
        await _tree_from(files, entry, target, options)


async def _tree_from(
    files: RemoteFiles, entry: RemoteEntry, target: Path, options: CopyOptions
) -> None:
    waiting = [(entry, target, 0)]
    while waiting:
        directory, folder, depth = waiting.pop()
        if depth > _DEEPEST:
            raise CopyError(f"'{directory.path}' is nested more than {_DEEPEST} directories deep.")
        for each in await files.entries(directory):
            inner = folder / _safe_name(each)
            try:
                if each.is_directory:
                    _make(inner)
                    waiting.append((each, inner, depth + 1))
                elif options.takes(each.name):
                    await _file_from(files, each, inner, options)
            except CopyError as error:
                options.failed(error)


def _make(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise CopyError(f"cannot make {path}: {error.strerror}") from None


def _safe_name(entry: RemoteEntry) -> str:
    """Return the name of an entry. Raises CopyError for one that leads elsewhere."""
    name = entry.name
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise CopyError(f"The other side sent {name!r}, which cannot be the name of a file.")
    return name


async def _file_from(
    files: RemoteFiles, entry: RemoteEntry, target: Path, options: CopyOptions
) -> None:
    if str(target) in options.done:
        return
    part = LocalPart(target, copy_id(entry.path, entry.size, entry.mtime_ns))
    try:
        offset = part.go_on(entry.size)
        while True:
            options.on_progress(entry.name, offset, entry.size)
            end = await _receive(files, entry, part, offset, options)
            if part.is_whole(end):
                break
            if not offset:
                part.discard()
                raise CopyError(
                    f"The bytes of '{entry.path}' differ from those that arrived: their SHA-256 "
                    f"is {end.sha256} at the source."
                )
            # What an earlier copy left is of another file.
            offset = 0
            part.restart()
        part.finish(end)
    finally:
        part.close()
    options.done.add(str(target))


async def _receive(
    files: RemoteFiles, entry: RemoteEntry, part: LocalPart, offset: int, options: CopyOptions
) -> End:
    async with aclosing(files.download(entry, offset)) as items:
        async for item in items:
            if isinstance(item, End):
                return item
            part.write(item)
            options.on_progress(entry.name, part.size, max(entry.size, part.size))
    raise CopyError(f"The other side did not complete '{entry.path}'.")
