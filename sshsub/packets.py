"""Packets: one XML element per text line, over SSH, stdio, named pipes and sockets.

    <Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>BASE64</Data>
    <Command PSGuid='…' />        and CommandAck, DataAck, Signal, SignalAck, Close, CloseAck

They are not specified; PowerShell defines them (OutOfProcTransportManager.cs). Its reader is
an XML reader in fragment mode, and this one behaves like it. It accepts quotes of either kind,
attributes in either order, comments and processing instructions anywhere, and several elements on a
line; it refuses white space or text outside an element, a third attribute, and an empty Data. A
refused line ends a real server, after it has handled the packets before the fault. So `read_line`
is a generator that yields the good packets before it raises.

Lines that are not packets (a banner, a server's error text) are not handled here: see
`error_text`, and spec-notes/out-of-process-packets.md.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID
from xml.parsers import expat

from pybase64 import b64decode, b64encode

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ERROR_PREFIXES",
    "MAX_LINE",
    "Line",
    "LineReader",
    "Packet",
    "PacketError",
    "PacketKind",
    "error_text",
    "read_line",
    "unknown_element",
    "write",
]

MAX_LINE = 16 << 20
"""Maximum size of a line in bytes. PowerShell sends 44 KB at most and accepts more."""

ERROR_PREFIXES = ("__NamedPipeError__:", "__HyperVSocketError__:")
"""The prefixes of an error text among the packets."""
_ERROR = re.compile("|".join(ERROR_PREFIXES).encode(), re.IGNORECASE)


class PacketKind(Enum):
    """The eight elements; only DATA has more than a target."""

    DATA = "Data"
    DATA_ACK = "DataAck"
    COMMAND = "Command"
    COMMAND_ACK = "CommandAck"
    SIGNAL = "Signal"
    SIGNAL_ACK = "SignalAck"
    CLOSE = "Close"
    CLOSE_ACK = "CloseAck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One element. ``stream`` and ``data`` are for DATA only."""

    kind: PacketKind
    target: UUID | None = None
    """The pipeline, or None for the session (on the wire the zero GUID)."""
    stream: Stream = Stream.DEFAULT
    data: bytes = field(default=b"", repr=False)


class PacketError(RemoteProtocolError):
    """A line breaks a rule. ``rule`` is its short name, ``offset`` the byte of the line.

    ``words`` is PowerShell's error text, if it has one.
    """

    def __init__(self, rule: str, words: str, offset: int) -> None:
        super().__init__(f"{words} (byte {offset} of the line)")
        self.rule = rule
        self.words = words
        self.offset = offset


def unknown_element(name: str) -> str:
    """Return PowerShell's error for an unknown element, or for none at the end of input."""
    return (
        f'An unknown element "{name}" was received.'
        " This can happen if the remote process closed or ended abnormally."
    )


def _node(kind: str) -> str:
    return (
        f'Cannot process an element with node type "{kind}".'
        " Only Element and EndElement node types are supported."
    )


_DATA_TAKES = (
    'Expected only two attributes with the names "Stream" and "PSGuid" in the Data element.'
)
_EMPTY = (
    'Node type "EndElement" is unknown in the Data element.'
    ' Only the "Text" node type is expected in the Data element.'
)
_TOO_LITTLE = "Not enough data is available to process the Data element."
_NOT_BASE64 = (
    "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two"
    " padding characters, or an illegal character among the padding characters."
)


# -- writing

_STREAM_NAMES = {Stream.DEFAULT: "Default", Stream.PROMPT_RESPONSE: "PromptResponse"}
_NO_GUID = UUID(int=0)
_WHITE = b" \t\r\n"
"""The only characters that count as white space, in XML and inside base64."""


def write(packet: Packet) -> bytes:
    r"""Return the line of a packet with its "\n", exactly as PowerShell writes it.

    The single quotes matter: PowerShell's client uses them to distinguish session and command.
    Raises LocalProtocolError for packets that end a real peer.
    """
    name, target = packet.kind.value, packet.target or _NO_GUID
    if packet.kind is not PacketKind.DATA:
        if packet.data or packet.stream is not Stream.DEFAULT:
            raise LocalProtocolError(f"{name}: unexpected data or stream")
        return f"<{name} PSGuid='{target}' />\n".encode()
    if not packet.data:
        raise LocalProtocolError("cannot send an empty Data packet: it ends a real peer")
    text = b64encode(packet.data)
    head = f"<Data Stream='{_STREAM_NAMES[packet.stream]}' PSGuid='{target}'>"
    return b"%b%b</Data>\n" % (head.encode(), text)


# -- reading a line

_KINDS = {kind.value: kind for kind in PacketKind}
_PLAIN_DATA = re.compile(
    rb"<Data Stream='(Default|PromptResponse)' "
    rb"PSGuid='([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'>"
)
_DATA_END = b"</Data>"
_PLAIN_SIGN = re.compile(
    rb"<((?:Data|Command|Signal|Close)Ack|Command|Signal|Close) "
    rb"PSGuid='([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})' />"
)
_HYPHENATED = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_GUID = re.compile(
    rf"([0-9a-fA-F]{{32}})|({_HYPHENATED})|\{{({_HYPHENATED})\}}|\(({_HYPHENATED})\)"
)


def read_line(line: bytes) -> Iterator[Packet]:
    """Yield the packets of one line without its end. Raises PacketError after the last good one."""
    plain = _plain(line)
    if plain is not None:
        yield plain
        return
    reader = _Reader()
    try:
        reader.read(line)
    except PacketError as error:
        yield from reader.packets
        raise error from None
    yield from reader.packets


def _plain(line: bytes) -> Packet | None:
    """Read a packet in PowerShell's own spelling without the XML reader; return None for others."""
    sign = _PLAIN_SIGN.fullmatch(line)
    if sign is not None:
        guid = UUID(sign[2].decode())
        return Packet(kind=_KINDS[sign[1].decode()], target=guid if guid.int else None)
    found = _PLAIN_DATA.match(line)
    if found is None or not line.endswith(_DATA_END):
        return None
    try:
        text = memoryview(line)[found.end() : -len(_DATA_END)]
        if bytes(text[-3:]) == b"===":
            return None  # too much padding, which the fast decoder lets pass
        data = b64decode(text, validate=True)
    except binascii.Error:
        return None
    if not data:
        return None
    guid = UUID(found[2].decode())
    stream = Stream.DEFAULT if found[1] == b"Default" else Stream.PROMPT_RESPONSE
    return Packet(kind=PacketKind.DATA, target=guid if guid.int else None, stream=stream, data=data)


def _target(text: str | None, offset: int) -> UUID | None:
    found = _GUID.fullmatch(text.strip()) if text is not None else None
    if found is None:
        raise PacketError("guid", "Unrecognized Guid format.", offset)
    target = UUID(next(filter(None, found.groups())))
    return target if target.int else None


def _data(stream: str | None, guid: str | None, text: str, offset: int) -> Packet:
    target = _target(guid, offset)
    if stream is None:
        raise PacketError("attributes", _DATA_TAKES, offset)
    prompt = stream.lower() == "promptresponse"
    try:
        letters = text.encode("ascii").translate(None, _WHITE)
        # Python takes any number of padding characters.
        sound = not letters.endswith(b"===")
        data = binascii.a2b_base64(letters if sound else b"=", strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise PacketError("base64", _NOT_BASE64, offset) from None
    return Packet(
        kind=PacketKind.DATA,
        target=target,
        stream=Stream.PROMPT_RESPONSE if prompt else Stream.DEFAULT,
        data=data,
    )


class _Reader:
    """An expat parser around one line.

    The line is enclosed in an element: that makes it a document, and makes an XML declaration or a
    document type an error.
    """

    _HEAD, _TAIL = b"<line>", b"</line>"

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._line = b""
        self._depth = 0
        self._waiting: tuple[dict[str, str], int] | None = None  # a Data before its text
        self._text: list[str] = []
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartCdataSectionHandler = self._cdata

    def read(self, line: bytes) -> None:
        # Real peers decode the stream first; invalid UTF-8 becomes a replacement character.
        self._line = line.decode("utf-8", "replace").encode()
        try:
            self._parser.Parse(self._HEAD + self._line + self._TAIL, True)
        except expat.ExpatError as error:
            offset = min(max(self._parser.ErrorByteIndex - len(self._HEAD), 0), len(line))
            words = f"not a packet: {expat.ErrorString(error.code)}"
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI]:
                words = _node("XmlDeclaration")
            raise PacketError("xml", words, offset) from None

    @property
    def _offset(self) -> int:
        return max(self._parser.CurrentByteIndex - len(self._HEAD), 0)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            return
        self._markup()
        kind = _KINDS.get(name)
        if kind is None:
            raise PacketError("element", unknown_element(name[:40]), self._offset)
        if kind is PacketKind.DATA:
            if len(attributes) != 2:
                raise PacketError("attributes", _DATA_TAKES, self._offset)
            self._waiting = attributes, self._offset
            return
        if len(attributes) != 1:
            words = f'Expected only one attribute with the name "PSGuid" in the {name} element.'
            raise PacketError("attributes", words, self._offset)
        target = _target(attributes.get("PSGuid"), self._offset)
        self.packets.append(Packet(kind=kind, target=target))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._markup()
        if self._waiting is not None:
            # For an empty-element tag, expat reports the end after the tag.
            at_once = self._line[: self._offset].endswith(b"/>")
            raise PacketError("data-empty", _TOO_LITTLE if at_once else _EMPTY, self._waiting[1])

    def _characters(self, text: str) -> None:
        if self._waiting is None:
            if text.strip(" \t\r\n"):
                raise PacketError("text", _node("Text"), self._offset)
            raise PacketError("white-space", _node("Whitespace"), self._offset)
        self._text.append(text)

    def _markup(self) -> None:
        """Complete a Data element, whose text the markup ends."""
        if self._text and self._waiting is not None:
            attributes, offset = self._waiting
            text = "".join(self._text)
            if not text.strip(" \t\r\n"):
                raise PacketError("data-empty", _EMPTY, offset)
            self._text, self._waiting = [], None
            self.packets.append(
                _data(attributes.get("Stream"), attributes.get("PSGuid"), text, offset)
            )

    def _comment(self, _text: str) -> None:
        self._markup()

    def _instruction(self, _target: str, _text: str) -> None:
        self._markup()

    def _cdata(self) -> None:
        raise PacketError("text", _node("CDATA"), self._offset)


def error_text(line: bytes) -> str | None:
    """Return the text after the prefix (in any case) of an error line; None for others."""
    found = _ERROR.match(line)
    return None if found is None else line[found.end() :].decode("utf-8", "replace")


# -- splitting a byte stream into lines

_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line without its end: 1-based number and byte offset in the stream."""

    number: int
    offset: int
    data: bytes


def _ends(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the offsets of line ends and of the next lines."""
    if b"\r" in data:
        yield from (found.span() for found in _END.finditer(data, start))
        return
    # Ten times as fast as the pattern, and sufficient for nearly every stream.
    while (end := data.find(b"\n", start)) >= 0:
        start = end + 1
        yield end, start


class LineReader:
    """Splits bytes into lines. Line ends are LF, CR or CRLF, as in .NET.

    A byte order mark at the very start is dropped. Linear in time; holds one line.
    """

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max = max_line
        self._parts: list[bytes] = []
        self._held = 0
        self._lines: list[Line] = []
        self._next = 0
        self._number = 0
        self._offset = 0
        self._position = 0
        self._after_cr = False

    @property
    def pending(self) -> int:
        """Number of bytes of the unterminated line."""
        return self._held

    def receive_data(self, data: bytes) -> None:
        """Take bytes. Raises LimitExceeded for a line over the limit, which is lost then."""
        start = 0
        if self._after_cr and data:
            self._after_cr = False
            if data[:1] == b"\n":
                start = 1
                self._offset = self._position + 1
        for end, after in _ends(data, start):
            self._parts.append(data[start:end])
            self._close(self._position + after)
            start = after
        if data.endswith(b"\r"):
            self._after_cr = True
        rest = data[start:]
        self._position += len(data)
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
            if self._held > self._max:
                held, self._parts, self._held = self._held, [], 0
                raise LimitExceeded("packet line", held, self._max)

    def _close(self, next_offset: int) -> None:
        data = b"".join(self._parts)
        self._parts, self._held = [], 0
        self._number += 1
        offset, self._offset = self._offset, next_offset
        if self._number == 1 and data.startswith(_BOM):
            data = data[len(_BOM) :]
        self._lines.append(Line(number=self._number, offset=offset, data=data))

    def next_line(self) -> Line | None:
        """Return the next whole line, or None until more bytes are received."""
        if self._next == len(self._lines):
            self._lines.clear()
            self._next = 0
            return None
        self._next += 1
        return self._lines[self._next - 1]

    def rest(self) -> Line | None:
        """Return the unterminated line at the end of the stream, or None."""
        if not self._held:
            return None
        self._close(self._position)
        return self.next_line()
