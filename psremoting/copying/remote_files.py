"""The files of the other side: the interface of the three ways to reach them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from psremoting.client.invocation import Result
from psremoting.errors import PSRemotingError, PSRemotingTransportError
from psrp.clixml import Dictionary
from psrp.frozen import dataclass
from psrp.records import ErrorCategory

__all__ = ["CopyError", "End", "Looked", "RemoteEntry", "RemoteFiles", "checked", "table_of"]


class CopyError(PSRemotingError):
    """A file or directory that could not be copied; other files may have been."""

    error_id = "CopyError"
    category = ErrorCategory.WriteError
    exception_type = "System.IO.IOException"
    is_remote = False
    """True for an error of the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEntry:
    """A file or a directory of the other side."""

    path: str
    """The full path, as the other side writes it."""
    name: str
    is_directory: bool
    size: int = 0
    mtime_ns: int | None = None
    """Nanoseconds since 1970, or None if the other side does not tell."""
    mode: int | None = None
    """The permission bits, where both sides have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The entry that `RemoteFiles.look` found at a path, and the place of a new file there."""

    path: str
    entries: tuple[RemoteEntry, ...] = ()
    parent_is_directory: bool = False
    separator: str = "/"

    @property
    def directory(self) -> RemoteEntry | None:
        """The only entry, if it is a directory."""
        only = self.entries[0] if len(self.entries) == 1 else None
        return only if only is not None and only.is_directory else None

    def join(self, name: str) -> str:
        """Return the path of ``name`` in this directory."""
        return self.path.rstrip("/\\") + self.separator + name


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """SHA-256, size, time and mode of a file, known when all its bytes were read."""

    sha256: str
    size: int
    mtime_ns: int | None = None
    mode: int | None = None


class RemoteFiles(Protocol):
    """The files of the other side. All methods raise CopyError, and PSRemotingTransportError if the
    session is lost."""

    resumes: bool
    """True if a copy to the other side can go on where an earlier one ended."""

    async def look(self, path: str) -> Looked:
        """Return what a path names; its last name may have wildcards."""

    async def entries(self, directory: RemoteEntry) -> list[RemoteEntry]:
        """Return what a directory contains, without links."""

    async def make_directory(self, path: str) -> None:
        """Make a directory; one that exists is kept."""

    async def part(self, path: str, id: str) -> tuple[int, str]:
        """Return size and SHA-256 of what an earlier copy left for the file ``path``."""

    async def upload(
        self, path: str, id: str, offset: int, data: AsyncIterator[bytes | End]
    ) -> None:
        """Write a file: its bytes from ``offset`` on, then its end. It gets its name when its
        SHA-256 is right."""

    def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
        """Yield the bytes of a file from ``offset`` on, then its end with the SHA-256 of all."""


def checked(result: Result) -> list[Any]:
    """Return the output of a command. Raises CopyError for its error, and
    PSRemotingTransportError."""
    if isinstance(result.error, PSRemotingTransportError):
        raise result.error
    if result.errors:
        record = result.errors[0]
        error_id = record.fully_qualified_error_id.partition(",")[0]
        raise _remote(str(record.message), error_id or "CopyError")
    if result.error is not None:
        raise _remote(str(result.error))
    return list(result.output)


def _remote(text: str, error_id: str = "CopyError") -> CopyError:
    error = CopyError(text, error_id=error_id)
    error.is_remote = True
    return error


def table_of(values: list[Any]) -> Dictionary:
    """Return the only table of an output. Raises CopyError."""
    if len(values) != 1 or not isinstance(values[0], Dictionary):
        raise CopyError("The other side gave an answer that is no table.")
    return values[0]
