"""The body of a sealed HTTP message: reading and writing of the parts around the sealed data.

A sealed message is two parts between boundaries. The first gives the content type and the length
of the plain text, the second holds a little-endian u32, a security header of that many bytes and
the sealed data. It only resembles MIME: no blank line follows the header lines, and no line break
precedes the next boundary. Sealed data may contain the boundary's text by chance, so the reader
uses lengths and never searches: data sealed by a GSS mechanism keeps its length, and data sealed
by CredSSP is a sequence of TLS records, which have their own lengths.

Peers differ: Windows puts a TAB before the header lines of a part, some clients do not; Exchange
writes ``-- Encrypted Boundary``; OMI ends with an empty line; one body may hold several messages,
each with its own end; CredSSP splits at 16 KiB, and some clients end each piece as if it were the
last. All of these are accepted. [MS-WSMV] 2.2.9.1
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CHUNK",
    "Plain",
    "SealedReader",
    "SealingError",
    "SealingFormat",
    "is_sealed",
    "seal",
    "unseal",
]

CHUNK = 16384
"""Bytes of plain text that one CredSSP part holds: the size of a TLS record."""

_BOUNDARY = b"Encrypted Boundary"
_OCTETS = "application/octet-stream"
_MAX_LINE = 1024
_MAX_LINES = 8
_MAX_HEADER = 4096
_MAX_PADDING = 16
"""Bytes by which sealed data may exceed its Length: the block size of the oldest ciphers."""
_TLS_HEADER = 5
_TLS_MAX_RECORD = 16384 + 2048
_DASH = 0x2D


class SealingError(RemoteProtocolError):
    """A sealed body cannot be read. ``offset`` is the byte of the body where reading stopped."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(f"sealed body, byte {offset}: {text}")
        self.offset = offset


class SealingFormat(Enum):
    """The three formats; the value is the protocol's name on the wire."""

    SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
    """The scheme Negotiate, with any mechanism inside."""
    KERBEROS = "application/HTTP-Kerberos-session-encrypted"
    """The scheme Kerberos."""
    CREDSSP = "application/HTTP-CredSSP-session-encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPart:
    """One pair of parts. ``data`` is still sealed; ``offset`` is the start of the pair."""

    format: SealingFormat
    content_type: str
    length: int
    header: bytes
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One unsealed message: its Content-Type and its bytes."""

    content_type: str
    body: bytes


# -- writing


def seal(
    format: SealingFormat,
    content_type: str,
    body: bytes,
    wrap: Callable[[bytes], tuple[bytes, bytes, int]],
) -> tuple[str, bytes]:
    """Return the Content-Type and the body of the HTTP message that carries ``body`` sealed.

    ``wrap`` seals bytes; it returns the security header, the data and the length of its padding.
    """
    pieces = [body]
    if format is SealingFormat.CREDSSP and len(body) > CHUNK:
        pieces = [body[at : at + CHUNK] for at in range(0, len(body), CHUNK)]
    kind = "multipart/encrypted" if len(pieces) == 1 else "multipart/x-multi-encrypted"
    parts = [_part(format.value, content_type, piece, *wrap(piece)) for piece in pieces]
    parts.append(b"--%b--\r\n" % _BOUNDARY)
    return f'{kind};protocol="{format.value}";boundary="{_BOUNDARY.decode()}"', b"".join(parts)


def _part(
    protocol: str, content_type: str, piece: bytes, header: bytes, data: bytes, padding: int
) -> bytes:
    size = len(piece) + padding
    boundary = f"--{_BOUNDARY.decode()}\r\n"
    head = (
        f"{boundary}\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type={content_type};Length={size}\r\n"
        f"{boundary}\tContent-Type: {_OCTETS}\r\n"
    )
    return b"".join((head.encode(), len(header).to_bytes(4, "little"), header, data))


# -- reading


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the lower-case name of a Content-Type, and its parameters."""
    name, *rest = value.split(";")
    found = {}
    for each in rest:
        key, _, text = each.partition("=")
        found[key.strip().lower()] = text.strip().strip('"')
    return name.strip().lower(), found


_SEALED_TYPES = ("multipart/encrypted", "multipart/x-multi-encrypted")


def is_sealed(content_type: str) -> bool:
    """Return whether a Content-Type is that of a sealed body."""
    return _parameters(content_type)[0] in _SEALED_TYPES


def unseal(
    content_type: str,
    body: bytes,
    unwrap: Callable[[bytes, bytes], bytes],
    *,
    max_size: int,
) -> tuple[Plain, ...]:
    """Return the messages in a sealed body, unsealed with ``unwrap``, which takes header and data.

    ``multipart/encrypted`` holds one message per pair of parts; ``multipart/x-multi-encrypted``
    holds one message in all pairs together. Raises SealingError, LimitExceeded, and the errors of
    ``unwrap``.
    """
    kind, parameters = _parameters(content_type)
    if kind not in _SEALED_TYPES:
        raise SealingError(f"expected a Content-Type of multipart/encrypted, got {kind!r}", 0)
    reader = SealedReader(boundary=parameters.get("boundary", ""), max_size=max_size)
    reader.receive_data(body)
    opened = [_open(part, unwrap) for part in reader]
    reader.end()
    if kind == _SEALED_TYPES[1]:
        whole = b"".join(each.body for each in opened)
        return (Plain(content_type=opened[0].content_type, body=whole),)
    return tuple(opened)


def _open(part: SealedPart, unwrap: Callable[[bytes, bytes], bytes]) -> Plain:
    body = unwrap(part.header, part.data)
    # Length includes a cipher's padding, which is absent after unsealing.
    if not 0 <= part.length - len(body) <= _MAX_PADDING:
        raise SealingError(
            f"expected {part.length} bytes of plain text, got {len(body)}", part.offset
        )
    return Plain(content_type=part.content_type, body=body)


class SealedReader:
    """Reads the parts of one body, received in pieces of any size.

    Iterate to get the complete parts, and call `end` after the last byte.
    """

    def __init__(self, *, boundary: str = "", max_size: int) -> None:
        self._boundary = boundary.encode("latin-1", "replace") or _BOUNDARY
        self._max_size = max_size
        self._buffer = bytearray()
        self._offset = 0
        self._parts = 0
        self._inside = False
        """True after the boundary that begins a pair was read."""
        self._head: _Head | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the body. Raises LimitExceeded before more than the limit is kept."""
        if len(self._buffer) + len(data) > self._max_size:
            raise LimitExceeded(
                "bytes of a sealed body", len(self._buffer) + len(data), self._max_size
            )
        self._buffer += data

    def __iter__(self) -> Iterator[SealedPart]:
        while (part := self._next()) is not None:
            yield part

    def end(self) -> None:
        """End the body. Raises SealingError if it ends inside a part or contains none."""
        rest = bytes(self._buffer).strip(b"\r\n")
        if self._inside or (rest and not self._is_end(rest)):
            raise SealingError("the body ends inside a part", self._offset + len(self._buffer))
        if not self._parts:
            raise SealingError("the body holds no sealed part", 0)

    # -- one step at a time

    def _next(self) -> SealedPart | None:
        if not self._inside and not self._begin():
            return None
        if self._head is None:
            self._head = _Head.read(self._lines(), self._boundary, self._offset)
            if self._head is None:
                return None
            self._take(self._head.size)
        size = self._sealed_size(self._head)
        if size is None:
            return None
        blob = self._take(size)
        part = self._head.part(blob)
        self._head = None
        self._inside = False
        self._parts += 1
        return part

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += count
        return data

    def _begin(self) -> bool:
        """Skip the boundary that begins a pair and ends before it; return False if incomplete."""
        while (at := self._buffer.find(b"\r\n", 0, _MAX_LINE)) >= 0:
            line = bytes(self._buffer[:at])
            if line and not self._is_boundary(line) and not self._is_end(line):
                break
            self._take(at + 2)
            if self._is_boundary(line):
                self._inside = True
                return True
        else:
            if len(self._buffer) < _MAX_LINE:
                return False
        raise SealingError(f"expected --{self._boundary.decode('latin-1')}", self._offset)

    def _is_boundary(self, line: bytes) -> bool:
        return line.startswith(b"--") and line[2:].strip(b" ") == self._boundary

    def _is_end(self, line: bytes) -> bool:
        return line.startswith(b"--") and line[2:].strip(b" ") == self._boundary + b"--"

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the complete lines received, each with the number of bytes up to its end."""
        at = 0
        while (stop := self._buffer.find(b"\r\n", at, at + _MAX_LINE)) >= 0:
            yield stop + 2, bytes(self._buffer[at:stop])
            at = stop + 2
        if len(self._buffer) - at >= _MAX_LINE:
            raise SealingError(f"expected a line of at most {_MAX_LINE} bytes", self._offset + at)

    # -- the size of sealed data

    def _sealed_size(self, head: _Head) -> int | None:
        """Return the number of bytes from the u32 to the end of the sealed data, or None."""
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        header = int.from_bytes(buffer[:4], "little")
        if header > _MAX_HEADER:
            raise SealingError(
                f"expected a security header of at most {_MAX_HEADER} bytes, got {header}",
                self._offset,
            )
        if head.format is SealingFormat.CREDSSP:
            return self._records_end(header)
        return self._padded_end(4 + header + head.length)

    def _padded_end(self, start: int) -> int | None:
        """Return the offset of the next boundary: at most a cipher's block after ``start``."""
        buffer = self._buffer
        for at in range(start, start + _MAX_PADDING + 1):
            if len(buffer) < at + 3 + len(self._boundary):
                return None
            if buffer[at : at + 2] == b"--":
                name = at + 2 + (buffer[at + 2] == 0x20)
                if buffer.startswith(self._boundary, name):
                    return at
        raise SealingError(
            "expected a boundary after the sealed data; its Length is wrong", self._offset + start
        )

    def _records_end(self, trailer: int) -> int | None:
        """Return the end of the TLS records; no record begins with a dash, unlike a boundary."""
        buffer = self._buffer
        at = 4
        while len(buffer) > at:
            if buffer[at] == _DASH and at >= 4 + trailer:
                return at
            if not 20 <= buffer[at] <= 23:
                raise SealingError("expected a TLS record", self._offset + at)
            if len(buffer) < at + _TLS_HEADER:
                return None
            size = int.from_bytes(buffer[at + 3 : at + 5], "big")
            if buffer[at + 1] != 3 or size > _TLS_MAX_RECORD:
                raise SealingError("expected a TLS record", self._offset + at)
            at += _TLS_HEADER + size
        return None


class _Head:
    """The header lines of a pair."""

    def __init__(
        self, format: SealingFormat, content_type: str, length: int, size: int, offset: int
    ) -> None:
        self.format = format
        self.content_type = content_type
        self.length = length
        self.size = size
        self.offset = offset

    @classmethod
    def read(cls, lines: Iterator[tuple[int, bytes]], boundary: bytes, offset: int) -> _Head | None:
        """Return the head, or None while lines are missing. Raises SealingError."""
        fields: dict[str, str] = {}
        start = 0
        for count, (end, line) in enumerate(lines):
            if count > _MAX_LINES:
                raise SealingError(f"expected at most {_MAX_LINES} header lines", offset + start)
            if line.startswith(b"--"):
                if line[2:].strip(b" ") != boundary:
                    raise SealingError("expected a boundary", offset + start)
                break
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise SealingError("expected a header line or a boundary", offset + start)
            fields[name.strip().lower()] = value.strip()
            start = end
        else:
            return None
        second = next(lines, None)
        if second is None:
            return None
        size, line = second
        name, _, value = line.decode("latin-1").partition(":")
        if (name.strip().lower(), value.strip().lower()) != ("content-type", _OCTETS):
            raise SealingError(f"expected Content-Type: {_OCTETS}", offset + end)
        content_type, length = _original_content(fields.get("originalcontent", ""), offset)
        return cls(_format(fields.get("content-type", ""), offset), content_type, length, size,
                   offset)  # fmt: skip

    def part(self, blob: bytes) -> SealedPart:
        cut = 4 + int.from_bytes(blob[:4], "little")
        return SealedPart(
            format=self.format,
            content_type=self.content_type,
            length=self.length,
            header=blob[4:cut],
            data=blob[cut:],
            offset=self.offset,
        )


def _format(name: str, offset: int) -> SealingFormat:
    wanted = name.lower()
    for each in SealingFormat:
        if each.value.lower() == wanted:
            return each
    raise SealingError(f"expected one of the three sealing formats, got {name!r}", offset)


def _original_content(value: str, offset: int) -> tuple[str, int]:
    """Parse ``type=application/soap+xml;charset=UTF-8;Length=9`` into content type and length."""
    kept = []
    length = -1
    for each in value.split(";"):
        key, _, text = each.strip().partition("=")
        if key.lower() == "length":
            if text.isascii() and text.isdigit() and len(text) < 12:
                length = int(text)
        elif key.lower() == "type":
            kept.append(text)
        else:
            kept.append(each.strip())
    if length < 0:
        raise SealingError("expected OriginalContent with a Length", offset)
    return ";".join(kept), length
