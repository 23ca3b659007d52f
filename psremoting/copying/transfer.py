"""Copy files and directories, one file after the other."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Awaitable, Callable, Sequence
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
_PART = re.compile(r"\..+\.[0-9a-f]{16}\.psrp-part", re.DOTALL)
"""The name of a file that a copy has not completed."""
Progress = Callable[[str, int, int], None]
"""Gets the name of a file, the bytes that are copied, and its size."""


def _nothing(*_: object) -> None:
    return


@dataclass(kw_only=True)
class CopyOptions:
    """Options of `copy_to` and `copy_from`: which files to copy, and callbacks for reports."""

    recurse: bool = False
    needs_recurse: bool = False
    """Refuse a directory without ``recurse``; else an empty one is made, as Copy-Item does."""
    force: bool = False
    """Copy into directories that exist; without it they are an error."""
    filter: str = "*"
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    on_progress: Progress = _nothing
    on_error: Callable[[CopyError], None] | None = None
    """Called for a file that cannot be copied, and the copy goes on; without it the error is
    raised."""
    on_skip: Callable[[str], None] = _nothing
    """Called with a sentence for what is left out because it is no file."""
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
            if stat.S_ISDIR(_mode(source)):
                await _directory_to(files, source, _inside(place, source.name), options, place)
            else:
                await _file_to(files, source, _file_place(place, source.name), options)
        except CopyError as error:
            options.failed(error)


def _check_recurse(path: object, options: CopyOptions) -> None:
    if options.needs_recurse and not options.recurse:
        raise CopyError(f"{path} is a directory (not copied; use -r)")


def _inside(place: Looked, name: str) -> str:
    return place.join(name) if place.directory is not None else place.path


def _file_place(place: Looked, name: str) -> str:
    if place.directory is None and not place.entries and not place.parent_is_directory:
        raise _not_found(place.path)
    return _inside(place, name)


async def _directory_to(
    files: RemoteFiles, source: Path, target: str, options: CopyOptions, place: Looked
) -> None:
    _check_recurse(source, options)
    if place.entries and place.directory is None:
        raise CopyError(
            f"Destination path {target} is a file that already exists on the target destination."
        )
    if not options.force and target not in options.done:
        found = await files.look(target)
        if found.entries:
            raise _exists(target)
    # The other side may write into the source: what it makes there is not to be copied.
    folders = _directories(source, target, place.separator, options) if options.recurse else []
    await files.make_directory(target)
    options.done.add(target)
    for folder, path in folders:
        try:
            await files.make_directory(path)
            for entry in _listed(folder):
                if _is_wanted(entry, options):
                    inner = path + place.separator + entry.name
                    await _or_failed(_file_to(files, Path(entry.path), inner, options), options)
        except CopyError as error:
            options.failed(error)


async def _or_failed(copying: Awaitable[None], options: CopyOptions) -> None:
    try:
        await copying
    except CopyError as error:
        options.failed(error)


def _directories(
    source: Path, target: str, separator: str, options: CopyOptions
) -> list[tuple[Path, str]]:
    """Return ``source`` and the directories below it, each with its path at the other side."""
    found: list[tuple[Path, str]] = []
    waiting = [(source, target, 0)]
    while waiting:
        folder, path, depth = waiting.pop()
        try:
            if depth > _DEEPEST:
                raise CopyError(f"{folder} is nested more than {_DEEPEST} directories deep.")
            below = [each for each in _listed(folder) if each.is_dir(follow_symlinks=False)]
        except CopyError as error:
            options.failed(error)
            continue
        found.append((folder, path))
        waiting += [
            (Path(each.path), path + separator + each.name, depth + 1) for each in reversed(below)
        ]
    return found


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a directory contains, by name. Raises CopyError."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except OSError as error:
        raise CopyError(f"cannot read {folder}: {error.strerror}") from None


def _is_wanted(entry: os.DirEntry[str], options: CopyOptions) -> bool:
    """Return True for a file that is to be copied; tell of other entries that are left out."""
    if entry.is_dir(follow_symlinks=False) or not options.takes(entry.name):
        return False
    try:
        mode = os.stat(entry.path).st_mode
    except FileNotFoundError:
        options.on_skip(f"{entry.path} is left out: it is a link to a file that does not exist.")
        return False
    except OSError:
        # The copy of the file reports it.
        return True
    if stat.S_ISREG(mode) and not _PART.fullmatch(entry.name):
        return True
    why = "it is a link to a directory" if stat.S_ISDIR(mode) else "it is no regular file"
    if stat.S_ISREG(mode):
        why = "it belongs to a copy that is not complete"
    options.on_skip(f"{entry.path} is left out: {why}.")
    return False


def _mode(path: Path) -> int:
    """Return type and mode of a local path. Raises CopyError."""
    try:
        return path.stat().st_mode
    except OSError as error:
        raise CopyError(f"cannot read {path}: {error.strerror}") from None


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
    is_directory = os.path.isdir(destination)
    target = destination / _safe_name(entry) if is_directory else destination
    if not entry.is_directory:
        if not is_directory and not os.path.isdir(destination.parent):
            raise _not_found(destination)
        if options.takes(entry.name):
            await _file_from(files, entry, target, options)
        return
    _check_recurse(entry.path, options)
    if os.path.exists(target) and not os.path.isdir(target):
        raise CopyError(f"Cannot copy a directory '{entry.path}' to file '{target}'")
    if os.path.exists(target) and not options.force and str(target) not in options.done:
        raise _exists(target)
    folders = await _directories_from(files, entry, target, options) if options.recurse else []
    _make(target)
    options.done.add(str(target))
    for directory, folder in folders:
        try:
            _make(folder)
            for each in await files.entries(directory):
                if not each.is_directory and options.takes(each.name):
                    inner = folder / _safe_name(each)
                    await _or_failed(_file_from(files, each, inner, options), options)
        except CopyError as error:
            options.failed(error)


async def _directories_from(
    files: RemoteFiles, entry: RemoteEntry, target: Path, options: CopyOptions
) -> list[tuple[RemoteEntry, Path]]:
    """Return ``entry`` and the directories below it, each with its local path."""
    found: list[tuple[RemoteEntry, Path]] = []
    waiting = [(entry, target, 0)]
    while waiting:
        directory, folder, depth = waiting.pop()
        try:
            if depth > _DEEPEST:
                raise CopyError(
                    f"'{directory.path}' is nested more than {_DEEPEST} directories deep."
                )
            below = [each for each in await files.entries(directory) if each.is_directory]
            inner = [(each, folder / _safe_name(each), depth + 1) for each in reversed(below)]
        except CopyError as error:
            options.failed(error)
            continue
        found.append((directory, folder))
        waiting += inner
    return found


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
