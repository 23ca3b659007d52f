"""The folder in which an endpoint lets clients read and write files.

Every step of a path is opened relative to the one before it, and no link is followed, so that no
path leads out of the folder, whatever changes meanwhile. Files are written under another name and
renamed when they are complete.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from psremoting.endpoint.error_records import CommandError
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["PART_SUFFIX", "ConfinedFolder", "Entry", "PartFile", "path_error"]

PART_SUFFIX = ".psrp-part"
_DRIVE = "user:"
_MAX_STEPS = 200
_MAX_NAME = 255
_CHUNK = 1 << 20
_MEASURED = 4 << 20
"""Bytes that are written between two measurements of the folder."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def path_error(text: str, error_id: str, *, target: str = "") -> CommandError:
    """Return an error about a path, as a command of PowerShell's provider reports it."""
    return CommandError(
        text,
        error_id=error_id,
        category=ErrorCategory.InvalidArgument,
        exception_type="System.ArgumentException",
        target=target,
        target_type="String",
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory of the folder. ``path`` has the names from the folder down."""

    path: tuple[str, ...]
    is_directory: bool
    size: int
    mtime_ns: int
    mode: int
    """The permission bits."""

    @property
    def name(self) -> str:
        return self.path[-1] if self.path else ""

    @property
    def shown(self) -> str:
        """The path as clients see it: ``User:/a/b``."""
        return "User:/" + "/".join(self.path)


class ConfinedFolder:
    """A folder with a limit for the sum of the sizes of its files, in bytes, or None."""

    def __init__(self, root: Path, *, limit: int | None = None) -> None:
        self.root = root
        self.limit = limit

    # -- paths

    def steps(self, path: str, *, needs_drive: bool = False) -> tuple[str, ...]:
        """Return the names of ``User:/a/b`` or ``a/b``. Raises CommandError."""
        text = path.replace("\\", "/")
        if text.casefold().startswith(_DRIVE):
            text = text[len(_DRIVE) :]
        elif needs_drive:
            drive = text.partition(":")[0] if ":" in text else "/"
            raise path_error(
                f"The path argument drive {drive} does not belong to the set of approved drives: "
                "User. Supply a path argument with an approved drive.",
                "PathRootInvalid",
                target=path,
            )
        names = [each for each in text.split("/") if each not in ("", ".")]
        for name in names:
            if not _is_name(name):
                raise path_error(
                    f"The path '{path}' is not a path within the folder of this endpoint.",
                    "PathOutsideFolder",
                    target=path,
                )
        if len(names) > _MAX_STEPS:
            raise path_error(f"The path '{path[:100]}...' is too long.", "PathTooLong")
        return tuple(names)

    @contextmanager
    def directory(self, steps: tuple[str, ...]) -> Iterator[int]:
        """Open a directory of the folder. Raises OSError; a link is an error, too."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in steps:
                inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    # -- looking

    def entry(self, steps: tuple[str, ...]) -> Entry | None:
        """Return a file or a directory; None for anything else, links included."""
        try:
            if not steps:
                with self.directory(()) as descriptor:
                    return _entry((), os.fstat(descriptor))
            with self.directory(steps[:-1]) as descriptor:
                found = os.stat(steps[-1], dir_fd=descriptor, follow_symlinks=False)
        except OSError:
            return None
        return _entry(steps, found)

    def entries(self, steps: tuple[str, ...]) -> list[Entry]:
        """Return what a directory contains, by name, without links and parts. Raises OSError."""
        found: list[Entry] = []
        with self.directory(steps) as descriptor:
            for name in sorted(os.listdir(descriptor)):
                if name.endswith(PART_SUFFIX):
                    continue
                with suppress(OSError):
                    seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    entry = _entry((*steps, name), seen)
                    found += [] if entry is None else [entry]
        return found

    def matching(self, steps: tuple[str, ...]) -> list[Entry]:
        """Return the entries of a path whose last name may have wildcards."""
        if not steps or not set(steps[-1]) & set("*?["):
            found = self.entry(steps)
            return [] if found is None else [found]
        try:
            entries = self.entries(steps[:-1])
        except OSError:
            return []
        pattern = steps[-1].casefold()
        return [each for each in entries if fnmatch.fnmatchcase(each.name.casefold(), pattern)]

    def open_file(self, steps: tuple[str, ...]) -> int:
        """Open a file for reading; return its descriptor. Raises OSError."""
        if not steps:
            raise IsADirectoryError(21, "is a directory")
        with self.directory(steps[:-1]) as descriptor:
            file = os.open(steps[-1], os.O_RDONLY | _FILE, dir_fd=descriptor)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(22, "is not a file")
        return file

    # -- changing

    def make_directory(self, steps: tuple[str, ...]) -> None:
        """Make a directory, and those above it. Raises OSError; one that exists is kept."""
        for count in range(1, len(steps) + 1):
            with self.directory(steps[: count - 1]) as descriptor, suppress(FileExistsError):
                os.mkdir(steps[count - 1], 0o755, dir_fd=descriptor)
        with self.directory(steps):
            return

    def set_metadata(
        self, steps: tuple[str, ...], *, mtime_ns: int | None = None, mode: int | None = None
    ) -> None:
        """Set the time of a file, and its permission bits without set-id ones. Raises OSError."""
        file = self.open_file(steps)
        try:
            if mode is not None:
                os.fchmod(file, mode & 0o777)
            if mtime_ns is not None:
                os.utime(file, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(file)

    def used(self) -> int:
        """Return the sum of the sizes of all files, parts included."""
        total = 0
        for _, _, names, descriptor in os.fwalk(self.root, follow_symlinks=False):
            for name in names:
                with suppress(OSError):
                    total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_size
        return total

    def part(self, steps: tuple[str, ...], id: str, *, offset: int | None = 0) -> PartFile:
        """Return the part of the file ``steps``, for writing from ``offset`` on.

        None keeps what is there. Raises OSError and CommandError.
        """
        if not steps:
            raise path_error("The path names a directory.", "PathIsDirectory")
        mark = "".join(each for each in id if each.isalnum())[:32]
        name = f".{steps[-1][:150]}.{mark}{PART_SUFFIX}"
        with self.directory(steps[:-1]) as descriptor:
            file = os.open(name, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=descriptor)
            directory = os.dup(descriptor)
        part = PartFile(self, file, directory, name, steps[-1])
        try:
            part.start(offset)
        except BaseException:
            part.close()
            raise
        return part


def _is_name(text: str) -> bool:
    """True for the name of an entry; False for parts, and for what could lead out."""
    try:
        size = len(os.fsencode(text))
    except UnicodeEncodeError:
        # Half of a character that takes two in UTF-16.
        return False
    forbidden = text == ".." or "\0" in text or ":" in text or text.endswith(PART_SUFFIX)
    return size <= _MAX_NAME and not forbidden


def _entry(steps: tuple[str, ...], found: os.stat_result) -> Entry | None:
    directory = stat.S_ISDIR(found.st_mode)
    if not directory and not stat.S_ISREG(found.st_mode):
        return None
    return Entry(
        steps, directory, 0 if directory else found.st_size, found.st_mtime_ns,
        stat.S_IMODE(found.st_mode) & 0o777,
    )  # fmt: skip


@dataclass
class PartFile:
    """A file that is being written under another name; `finish` renames it."""

    folder: ConfinedFolder
    file: int
    directory: int
    name: str
    final: str
    size: int = 0
    room: int = 0
    """Bytes that may be written before the folder is measured again."""
    digest: _Hash = field(default_factory=sha256)
    _has_name: bool = False

    def start(self, offset: int | None) -> None:
        """Keep the first ``offset`` bytes, or all if it is None, and take them into the digest."""
        length = os.fstat(self.file).st_size
        keep = length if offset is None else min(offset, length)
        os.ftruncate(self.file, keep)
        while self.size < keep:
            data = os.pread(self.file, min(_CHUNK, keep - self.size), self.size)
            self.digest.update(data)
            self.size += len(data)

    def write(self, data: bytes) -> None:
        """Append ``data``. Raises OSError and, over the limit of the folder, CommandError."""
        if self.folder.limit is not None:
            self._check_limit(self.folder.limit, len(data))
        view = memoryview(data)
        while view:
            done = os.pwrite(self.file, view, self.size)
            self.size += done
            view = view[done:]
        self.digest.update(data)

    def _check_limit(self, limit: int, size: int) -> None:
        if self.room < size:
            self.room = min(limit - self.folder.used(), max(size, _MEASURED))
        if self.room < size:
            raise CommandError(
                f"Maximum size for drive has been exceeded: {limit}.",
                error_id="DriveMaxSizeError",
                category=ErrorCategory.QuotaExceeded,
                exception_type="System.Management.Automation.RuntimeException",
            )
        self.room -= size

    def finish(self, *, mtime_ns: int | None = None, mode: int | None = None) -> None:
        """Give the file its name; an existing file is replaced. Raises OSError."""
        os.fchmod(self.file, 0o644 if mode is None else mode & 0o777)
        if mtime_ns is not None:
            os.utime(self.file, ns=(mtime_ns, mtime_ns))
        os.rename(self.name, self.final, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        self._has_name = True
        self.close()

    def discard(self) -> None:
        """Remove what was written."""
        if self.file >= 0:
            with suppress(OSError):
                os.unlink(self.name, dir_fd=self.directory)
        self.close()

    def close(self) -> None:
        """Leave the part as it is, so that a later copy may go on with it; an empty one goes."""
        if self.file >= 0 and not self._has_name and not os.fstat(self.file).st_size:
            with suppress(OSError):
                os.unlink(self.name, dir_fd=self.directory)
        for descriptor in (self.file, self.directory):
            if descriptor >= 0:
                os.close(descriptor)
        self.file = self.directory = -1
