"""The file or stream that a recording is read from.

A source is read once, in pieces; only its head is available before that.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["CaptureError", "Damage", "Source", "TextLine"]

HEAD = 64 << 10
"""Maximum bytes of a source that are available to detection."""
PIECE = 256 << 10
MAX_LINE = 64 << 20
"""Maximum bytes of one line of a JSON lines or text recording."""
MAX_WHOLE = 512 << 20
"""Maximum bytes of a file that is read as a whole (CLIXML, HAR, text)."""


class CaptureError(Exception):
    """The error for a file that is not a readable recording. ``offset`` is in bytes, or -1."""

    def __init__(self, name: str, text: str, offset: int = -1) -> None:
        where = f"byte {offset}: " if offset >= 0 else ""
        super().__init__(f"{name}: {where}{text}")
        self.name = name
        self.text = text
        self.offset = offset


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a file, its line end included: 1-based number and byte offset."""

    number: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that cannot be read; the lines after it can."""

    line: TextLine
    error: CaptureError


class Source:
    """A file or standard input, opened for one pass.

    ``follow`` is called at the end of a file that may grow: it waits, and returns False to end.
    """

    def __init__(
        self, name: str, stream: BinaryIO, follow: Callable[[], bool] | None = None
    ) -> None:
        self.name = name
        self._stream = stream
        self._follow = follow
        self.position = 0
        """Number of bytes read from the file so far."""
        self.head = self._fill_head()
        self._head_taken = False

    @classmethod
    def open(cls, path: str | Path, follow: Callable[[], bool] | None = None) -> Source:
        """Open a file, or standard input for ``-``. Raises CaptureError."""
        if str(path) == "-":
            return cls("standard input", sys.stdin.buffer)
        try:
            return cls(str(path), open(path, "rb"), follow)
        except OSError as error:
            raise CaptureError(str(path), error.strerror or str(error)) from None

    def close(self) -> None:
        if self._stream is not sys.stdin.buffer:
            self._stream.close()

    def fail(self, text: str, offset: int = -1) -> CaptureError:
        return CaptureError(self.name, text, offset)

    def _fill_head(self) -> bytes:
        """Read the head: of a file up to HEAD bytes, of a pipe up to its first line."""
        parts, size = [], 0
        live = self._follow is not None or not self._is_file()
        while size < HEAD and (part := self._read_raw(HEAD - size)):
            parts.append(part)
            size += len(part)
            if live and b"\n" in part:
                break
        return b"".join(parts)

    def ahead(self) -> Iterator[bytes] | None:
        """Return all pieces of a file, which can be read again afterwards; None for a stream."""
        if self._follow is not None or not self._is_file() or not self._stream.seekable():
            return None
        return self._pieces_ahead()

    def _pieces_ahead(self) -> Iterator[bytes]:
        place = self._stream.tell()
        self._stream.seek(0)
        try:
            while data := self._stream.read(PIECE):
                yield data
        finally:
            self._stream.seek(place)

    def _is_file(self) -> bool:
        try:
            return stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
        except (OSError, ValueError):
            return True

    def _read_raw(self, size: int) -> bytes:
        """Read at most ``size`` bytes: what a pipe has now, without waiting for more."""
        read = getattr(self._stream, "read1", self._stream.read)
        while True:
            try:
                data = bytes(read(size) or b"")
            except OSError as error:
                raise self.fail(error.strerror or str(error), self.position) from None
            if data or self._follow is None or not self._follow():
                return data

    def read(self, size: int = PIECE) -> bytes:
        """Return the next piece, empty at the end. The first piece is the head."""
        if not self._head_taken:
            self._head_taken = True
            data = self.head
            if not data:
                data = self._read_raw(size)
        else:
            data = self._read_raw(size if size > 0 else PIECE)
        self.position += len(data)
        return data

    def pieces(self) -> Iterator[bytes]:
        while data := self.read():
            yield data

    def whole(self) -> bytes:
        """Return the whole content. Raises CaptureError over MAX_WHOLE bytes."""
        parts = []
        for piece in self.pieces():
            parts.append(piece)
            if self.position > MAX_WHOLE:
                raise self.fail(f"more than {MAX_WHOLE} bytes", MAX_WHOLE)
        return b"".join(parts)

    def lines(self) -> Iterator[TextLine]:
        r"""Yield the lines, "\n" included; the last one may lack it."""
        number, offset = 1, 0
        parts: list[bytes] = []
        held = 0
        for piece in self.pieces():
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                parts.append(piece[start : end + 1])
                line = b"".join(parts)
                yield TextLine(number, offset, line)
                number, offset, start = number + 1, offset + len(line), end + 1
                parts, held = [], 0
            if start < len(piece):
                parts.append(piece[start:])
                held += len(piece) - start
                if held > MAX_LINE:
                    raise self.fail(f"a line of more than {MAX_LINE} bytes", offset)
        if parts:
            yield TextLine(number, offset, b"".join(parts))
