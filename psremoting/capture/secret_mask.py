"""Masking of secure strings in traffic that is recorded.

The text of an ``SS`` element is overwritten in place with base64 of asterisks, of the same length,
so that lengths, fragments and packets stay as they were. Fragments and elements may be cut
anywhere.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections import OrderedDict
from struct import unpack_from

from psrp.sansio import RemoteProtocolError
from wsman import xpress

__all__ = ["EnvelopeMask", "FragmentMask", "PacketMask"]

_STARS = b"KgAqACoA"
"""Base64 of three asterisks in UTF-16."""
_KEPT = b"=\r\n\t "
_OPENS = re.compile(rb"<SS(?=[\s>/])")
_HEADER = 21
_MAX_LANES = 10_000


class _TextMask:
    """Masks the content of ``SS`` elements in one XML text that arrives in pieces."""

    def __init__(self) -> None:
        self._tail = b""
        self._in_tag = self._in_secret = False
        self._quote = 0
        self._before = 0
        self._length = 0

    def mask(self, data: bytes) -> bytes:
        out = bytearray(data)
        at = 0
        while at < len(data):
            if self._in_secret:
                at = self._secret(data, out, at)
            elif self._in_tag:
                at = self._tag(data, at)
            else:
                at = self._outside(data, at)
        return bytes(out)

    def _outside(self, data: bytes, at: int) -> int:
        window = self._tail + data[at:]
        found = _OPENS.search(window)
        if found is None:
            self._tail = window[-3:]
            return len(data)
        at += found.end() - len(self._tail)
        self._tail, self._in_tag, self._quote, self._before = b"", True, 0, 0
        return at

    def _tag(self, data: bytes, at: int) -> int:
        while at < len(data):
            byte = data[at]
            at += 1
            if self._quote:
                if byte == self._quote:
                    self._quote = 0
            elif byte in b"\"'":
                self._quote = byte
            elif byte == ord(">"):
                self._in_tag = False
                self._in_secret = self._before != ord("/")
                self._length = 0
                break
            self._before = byte
        return at

    def _secret(self, data: bytes, out: bytearray, at: int) -> int:
        end = data.find(b"<", at)
        stop = len(data) if end < 0 else end
        for index in range(at, stop):
            if data[index] not in _KEPT:
                out[index] = _STARS[self._length % len(_STARS)]
            self._length += 1
        if end >= 0:
            self._in_secret = False
        return stop


class FragmentMask:
    """Masks one stream of fragments. [MS-PSRP] 2.2.4

    Bytes that are not fragments end the masking: nothing can be decoded from them either.
    """

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._text = _TextMask()
        self._broken = False

    def mask(self, data: bytes) -> bytes:
        """Return the next bytes of the stream, masked, of the same length."""
        out, at = bytearray(data), 0
        while at < len(data) and not self._broken:
            if self._left:
                part = data[at : at + self._left]
                out[at : at + len(part)] = self._text.mask(part)
                self._left -= len(part)
                at += len(part)
                continue
            part = data[at : at + _HEADER - len(self._header)]
            self._header += part
            at += len(part)
            if len(self._header) == _HEADER:
                object_id, _, flags, self._left = unpack_from(">QQBI", self._header)
                self._broken = object_id == 0 or self._left > 1 << 30
                self._header = b""
                if flags & 1:
                    self._text = _TextMask()
        return bytes(out)


class _Lanes:
    """The masks of many streams; the oldest are dropped beyond a limit."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[object, ...], FragmentMask] = OrderedDict()

    def mask(self, key: tuple[object, ...], data: bytes) -> bytes:
        lane = self._found.pop(key, None) or FragmentMask()
        self._found[key] = lane
        if len(self._found) > _MAX_LANES:
            self._found.popitem(last=False)
        return lane.mask(data)


class PacketMask:
    """Masks the lines of an out-of-process connection."""

    _DATA = re.compile(
        rb"(<Data\s[^>]*?PSGuid\s*=\s*['\"](?P<id>[^'\"]*)['\"][^>]*>)(?P<data>[^<]*)(?=</Data>)"
    )
    _STREAM = re.compile(rb"Stream\s*=\s*['\"](\w+)['\"]")

    def __init__(self) -> None:
        self._lanes = _Lanes()

    def line(self, sender: str, line: bytes) -> bytes:
        """Return a line with its secrets masked."""

        def masked(found: re.Match[bytes]) -> bytes:
            stream = self._STREAM.search(found[1])
            key = (sender, found["id"].lower(), stream[1].lower() if stream else b"")
            return found[1] + (_masked(self._lanes, key, found["data"]) or found["data"])

        return self._DATA.sub(masked, line)


class EnvelopeMask:
    """Masks the streams of PowerShell shells in envelopes."""

    _PAYLOAD = re.compile(
        r"(?P<open><(?:[\w.-]+:)?(?P<name>Stream|Arguments|creationXml|connectXml|"
        r"connectResponseXml)\b(?P<attributes>[^>]*)>)(?P<text>[^<]*)(?=</)"
    )
    _COMMAND = re.compile(r"CommandId\s*=\s*[\"']([^\"']*)[\"']")
    _NAME = re.compile(r"Name\s*=\s*[\"'](\w+)[\"']")
    _SHELL = re.compile(
        r"Name\s*=\s*[\"']ShellId[\"'][^>]*>\s*([^<\s]+)|\bShellId\s*=\s*[\"']([^\"']+)"
    )
    _RESOURCE = re.compile(r"ResourceURI\b[^>]*>\s*([^<]*)")
    _XPRESS = re.compile(r"CompressionType\b[^>]*>\s*xpress", re.IGNORECASE)

    def __init__(self) -> None:
        self._lanes = _Lanes()
        self._of_connection: OrderedDict[int, tuple[str, bool, str]] = OrderedDict()
        self._compressed: OrderedDict[str, None] = OrderedDict()

    def envelope(self, connection: int, sender: str, text: str) -> str:
        """Return an envelope with its secrets masked."""
        if sender == "client":
            self._request(connection, text)
        shell, psrp, asked = self._of_connection.get(connection, ("", True, ""))
        if not psrp:
            return text
        command = self._COMMAND.search(text)
        default = command[1] if command else asked

        def masked(found: re.Match[str]) -> str:
            named = self._COMMAND.search(found["attributes"])
            stream = self._NAME.search(found["attributes"])
            of = (named[1] if named else default) if found["name"] != "creationXml" else ""
            kind = stream[1] if stream else "stdin" if sender == "client" else "stdout"
            key = (sender, shell, of.upper(), kind)
            packed = found["name"] == "Stream" and shell in self._compressed
            data = _masked(self._lanes, key, found["text"].encode(), packed=packed)
            return found["open"] + (data.decode() if data is not None else found["text"])

        return self._PAYLOAD.sub(masked, text)

    def _request(self, connection: int, text: str) -> None:
        shell = self._SHELL.search(text)
        resource = self._RESOURCE.search(text)
        command = self._COMMAND.search(text)
        name = (shell[1] or shell[2]).upper() if shell else ""
        psrp = resource is None or "/powershell/" in resource[1].lower()
        self._of_connection.pop(connection, None)
        self._of_connection[connection] = (name, psrp, command[1] if command else "")
        if self._XPRESS.search(text):
            self._compressed[name] = None
        for known in (self._of_connection, self._compressed):
            if len(known) > _MAX_LANES:
                known.popitem(last=False)


def _masked(
    lanes: _Lanes, key: tuple[object, ...], text: bytes, *, packed: bool = False
) -> bytes | None:
    """Return masked base64; None for text that is not base64, or not compressed as announced."""
    try:
        data = b64decode(text)
        if packed:
            data = xpress.decompress(data)
    except (binascii.Error, ValueError, RemoteProtocolError):
        return None
    masked = lanes.mask(key, data)
    if masked == data:
        return text
    return b64encode(xpress.compress(masked) if packed else masked)
