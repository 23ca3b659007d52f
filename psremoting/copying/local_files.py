"""Local files: the source of a copy, and the part that is written until the file is complete."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from psremoting.copying.remote_files import CopyError, End

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["LocalPart", "LocalSource", "copy_id"]

_CHUNK = 1 << 20


def copy_id(*parts: object) -> str:
    """Return the id of a copy: the same for the same source in the same state."""
    return sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


class LocalSource:
    """A file that is being read. Raises CopyError for what is no file."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise CopyError(f"cannot read {path}: {error.strerror}") from None
        seen = os.fstat(self._file)
        if not stat.S_ISREG(seen.st_mode):
            os.close(self._file)
            raise CopyError(f"cannot read {path}: it is no file")
        self.path = path
        self.size = seen.st_size
        self.mtime_ns = seen.st_mtime_ns
        self.mode = stat.S_IMODE(seen.st_mode) & 0o777
        self.id = copy_id(path.absolute(), self.size, self.mtime_ns)
        self._digest: _Hash = sha256()
        self._at = 0

    def close(self) -> None:
        os.close(self._file)

    def skip(self, size: int, digest: str) -> bool:
        """Go on at ``size`` if the bytes before have this SHA-256; else stay at the beginning."""
        digested = sha256()
        at = 0
        while at < size:
            data = os.pread(self._file, min(_CHUNK, size - at), at)
            if not data:
                return False
            digested.update(data)
            at += len(data)
        if digested.hexdigest() != digest.lower():
            return False
        self._digest, self._at = digested, at
        return True

    async def read(self, on_bytes: Callable[[int], None]) -> AsyncGenerator[bytes | End, None]:
        """Yield the bytes that are left, then the end. ``on_bytes`` is told how far it is."""
        while data := os.pread(self._file, _CHUNK, self._at):
            self._digest.update(data)
            self._at += len(data)
            yield data
            on_bytes(self._at)
            await trio.lowlevel.checkpoint()
        yield End(
            sha256=self._digest.hexdigest(), size=self._at, mtime_ns=self.mtime_ns, mode=self.mode
        )


class LocalPart:
    """A file that is being written beside ``final``, or beside the file that ``final`` links to.

    Raises CopyError, also if ``final`` is there and no regular file.
    """

    def __init__(self, final: Path, id: str) -> None:
        self.final = final
        self._place = _place(final)
        self.path = self._place.with_name(f".{self._place.name[:150]}.{id}.psrp-part")
        self._has_name = False
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise CopyError(f"cannot write {final}: {error.strerror}") from None
        self.size = 0
        self._digest: _Hash = sha256()

    def go_on(self, most: int) -> int:
        """Keep what an earlier copy wrote, unless it is more than ``most`` bytes; return its
        size."""
        length = os.fstat(self._file).st_size
        if length > most:
            length = 0
        self.restart()
        while self.size < length:
            data = os.pread(self._file, min(_CHUNK, length - self.size), self.size)
            self._digest.update(data)
            self.size += len(data)
        return self.size

    def restart(self) -> None:
        """Begin at the first byte."""
        self.size, self._digest = 0, sha256()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._file, view, self.size)
                self.size += done
                view = view[done:]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.discard()
            raise CopyError(f"cannot write {self.final}: {error.strerror}") from None
        self._digest.update(data)

    def is_whole(self, end: End) -> bool:
        """Return True if the bytes are those of the source."""
        return self._digest.hexdigest() == end.sha256

    def finish(self, end: End) -> None:
        """Set time and mode and give the file its name; an existing file is replaced."""
        try:
            os.ftruncate(self._file, self.size)
            if end.mode is not None:
                os.fchmod(self._file, end.mode & 0o777)
            else:
                os.fchmod(self._file, 0o666 & ~_umask())
            if end.mtime_ns is not None:
                os.utime(self._file, ns=(end.mtime_ns, end.mtime_ns))
            os.replace(self.path, self._place)
            self._has_name = True
        except OSError as error:
            raise CopyError(f"cannot write {self.final}: {error.strerror}") from None

    def discard(self) -> None:
        with suppress(OSError):
            os.unlink(self.path)

    def close(self) -> None:
        """Leave the part as it is, so that a later copy may go on with it; an empty one goes."""
        if not self._has_name and not os.fstat(self._file).st_size:
            self.discard()
        os.close(self._file)


def _place(final: Path) -> Path:
    """Return where the file is written: ``final`` without links. Raises CopyError."""
    try:
        if not os.path.lexists(final):
            return final
        place = final.resolve(strict=True)
        mode = place.stat().st_mode
    except (OSError, RuntimeError) as error:
        # A loop of links is a RuntimeError until Python 3.12.
        why = error.strerror if isinstance(error, OSError) else os.strerror(errno.ELOOP)
        if isinstance(error, FileNotFoundError):
            why = "it is a link to a file that does not exist"
        raise CopyError(f"cannot write {final}: {why}") from None
    if stat.S_ISDIR(mode):
        raise CopyError(f"cannot write {final}: {os.strerror(errno.EISDIR)}")
    if not stat.S_ISREG(mode):
        raise CopyError(f"cannot write {final}: it is no regular file")
    return place


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
