"""Input and output of `psrp clixml`: streams that are read and written item by item."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Container, Iterator
from typing import Any, BinaryIO, cast

from psrp.clixml.document_writer import DocumentWriter
from psrp.clixml.file_text import TextDecoder
from psrp.clixml.files import RawText, StreamItem, dump_all
from psrp.clixml.incremental import StreamReader
from psrp.clixml.kept_objects import ReferenceScan
from psrp.sansio import LocalProtocolError

__all__ = ["PIECE", "ClixmlOutput", "Items", "open_input", "referred_ids"]

PIECE = 1 << 16
_MARKER = b"#< CLIXML\r\n"


def open_input(file: str) -> io.BufferedReader:
    """Open a file, or standard input for ``-``. Raises OSError."""
    if file == "-":
        # CliRunner and pipes use other classes, which also have read1.
        return cast("io.BufferedReader", sys.stdin.buffer)
    return open(file, "rb")


def referred_ids(source: BinaryIO, encoding: str | None) -> frozenset[str] | None:
    """Return the ids that occur in references of a regular file; None for a pipe.

    The place in the file is afterwards as before.
    """
    try:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            return None
        begin = source.tell()
    except (OSError, ValueError):
        return None
    scan, decoder = ReferenceScan(), TextDecoder(encoding)
    while data := source.read(1 << 20):
        scan.receive_text(decoder.decode(data))
    source.seek(begin)
    return scan.found


class Items:
    """The items of a file or pipe, each as soon as it is complete.

    ``on_forget`` is called with the `id` of the objects that are kept, before others are dropped.
    Iteration raises ClixmlError after the last readable item, and OSError.
    """

    def __init__(
        self, source: io.BufferedReader, encoding: str | None, max_value: int,
        on_forget: Callable[[Container[int]], object] = lambda _: None,
    ) -> None:  # fmt: skip
        self._source = source
        self._decoder = TextDecoder(encoding)
        self._on_forget = on_forget
        self._values: list[Any] = []
        """The values since the last `forget`, so that their `id` is not used again."""
        self.reader = StreamReader(
            max_value=max_value,
            referred=referred_ids(source, encoding),
            forget=self._forget,
        )

    def _forget(self, alive: set[int]) -> None:
        self._on_forget(alive)
        self._values.clear()

    def __iter__(self) -> Iterator[StreamItem]:
        reader, decoder = self.reader, self._decoder
        more = True
        while more:
            data = self._source.read1(PIECE)
            reader.receive_text(decoder.decode(data, last=not data))
            more = bool(data) and decoder.error is None
            if not data and decoder.error is None:
                reader.end()
            while (item := reader.next_item()) is not None:
                self._values.append(item.value)
                yield item
        if decoder.error is not None:
            raise decoder.error


class ClixmlOutput:
    """Writes items as one document, or as a stream with text and stream names.

    It is a stream if the first item is text or has the name of a stream.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._document: DocumentWriter | None = None
        self._alive: Container[int] = ()
        self._marked: bool | None = None
        self._line_end = True

    def add(self, item: StreamItem) -> None:
        """Write one item. Raises LocalProtocolError for a value that has no CLIXML form."""
        is_text = isinstance(item.value, RawText)
        if self._marked is None or is_text:
            self._marked = is_text or item.stream is not None
        if is_text:
            try:
                data = item.value.encode()
            except UnicodeEncodeError:
                raise LocalProtocolError("half a surrogate pair in plain text") from None
            self._close()
            self._write(data)
            self._line_end = not data.endswith(b">")
            return
        document = self._document or DocumentWriter(shared=True)
        written = document.add(item.value, item.stream)
        if self._document is None:
            self._document = document
            self._write(_MARKER if self._marked else b"")
        self._write(written)

    def forget(self, alive: Container[int]) -> None:
        """Forget the objects of earlier items except those with these `id`."""
        if self._document is not None:
            self._document.forget(alive)

    def _close(self) -> None:
        if self._document is not None:
            self._write(self._document.end().rstrip(b"\n"))
            self._document = None
            self._line_end = False

    def end(self) -> None:
        """Write the end of the document."""
        if self._marked is None:
            self._write(dump_all([]))
            self._line_end = False
        self._close()
        if not self._line_end:
            self._write(b"\n")
