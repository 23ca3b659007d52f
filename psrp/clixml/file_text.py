"""The encoding of CLIXML files: whole files, and files that are read in pieces."""

from __future__ import annotations

import codecs

from psrp.sansio import ClixmlError

__all__ = ["TextDecoder", "decode_text"]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def decode_text(data: bytes, encoding: str | None = None) -> str:
    """Return the text of a file, decoded by its byte order mark, else by ``encoding``.

    Without either it is UTF-16 if every second of the first two bytes is zero, else UTF-8.
    Output of a console may be in the console's code page: then pass that (``"cp437"``). Raises
    ClixmlError with the byte offset for undecodable bytes, and for an unknown encoding.
    """
    name, start = _detected(data[:3], encoding)
    try:
        return str(memoryview(data)[start:], name)
    except UnicodeDecodeError as error:
        raise _undecodable(start + error.start, name, error) from None
    except LookupError:
        raise _unknown(name) from None


def _detected(first: bytes, encoding: str | None) -> tuple[str, int]:
    """Return the encoding and the length of the byte order mark."""
    for mark, name in _BOMS:
        if first.startswith(mark):
            return name, len(mark)
    if encoding is not None:
        return encoding, 0
    if len(first) > 1 and first[0] != first[1] == 0:
        return "utf-16-le", 0
    if len(first) > 1 and first[1] != first[0] == 0:
        return "utf-16-be", 0
    return "utf-8", 0


def _undecodable(at: int, encoding: str, error: UnicodeDecodeError) -> ClixmlError:
    return ClixmlError(f"byte {at} is not {encoding}: {error.reason}")


def _unknown(encoding: str) -> ClixmlError:
    return ClixmlError(f"no encoding is called {encoding!r}")


class TextDecoder:
    """The pieces of a file as text, by the rules of `decode_text`."""

    def __init__(self, encoding: str | None = None) -> None:
        self._encoding = encoding
        self._first = b""
        self._name = ""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._taken = 0
        """Bytes that were given to the decoder, and the byte order mark."""
        self.error: ClixmlError | None = None
        """The error for the first bytes that cannot be decoded; the text before was returned."""

    def decode(self, data: bytes, *, last: bool = False) -> str:
        """Return the text that is complete with these bytes. Sets ``error``."""
        if self.error is not None:
            return ""
        if self._decoder is None:
            self._first += data
            if len(self._first) < 3 and not last:
                return ""
            data, self._first = self._first, b""
            self._name, self._taken = _detected(data[:3], self._encoding)
            data = data[self._taken :]
            try:
                self._decoder = codecs.getincrementaldecoder(self._name)()
            except LookupError:
                self.error = _unknown(self._name)
                return ""
        waiting = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(data, last)
        except UnicodeDecodeError as error:
            self.error = _undecodable(self._taken - len(waiting) + error.start, self._name, error)
            return str((waiting + data)[: error.start], self._name)
        self._taken += len(data)
        return text
