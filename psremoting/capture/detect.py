"""Detect the form of a recording from its content, never from its name."""

from __future__ import annotations

import binascii
import json
import re
from enum import Enum
from struct import unpack_from
from typing import TYPE_CHECKING

from psremoting.capture.http_text import holds_envelope, looks_like_http
from psremoting.capture.network.capture_files import is_packet_file
from psremoting.capture.proxy_flows import is_flow_file
from psremoting.capture.system_calls import looks_like_strace
from psremoting.capture.windows_events import EVTX, looks_like_events

if TYPE_CHECKING:
    from psremoting.capture.source import Source

__all__ = ["Form", "detect"]


class Form(Enum):
    """The forms that can be read; the values are those of ``--format``."""

    YAML = "yaml"
    """Recorded WS-Man exchanges, request and response in pairs."""
    HTTP = "http"
    """JSON lines, one HTTP message each."""
    HTTP_TEXT = "http-text"
    """HTTP messages or SOAP envelopes as text: files, ``curl -v``, logs."""
    HAR = "har"
    """An HTTP archive, as browsers and proxies export it."""
    TRANSCRIPT = "transcript"
    """JSON lines, one timed chunk of an out-of-process connection each."""
    PACKETS = "packets"
    """Out-of-process packets as plain text lines."""
    PACKETS_CAPTURED = "pcap"
    """Packets: pcap or pcapng, also compressed with gzip."""
    STRACE = "strace"
    """System calls that ``strace`` printed of a process with a subsystem."""
    FLOWS = "mitmproxy"
    """HTTP flows that mitmproxy saved."""
    SAZ = "saz"
    """An archive of HTTP messages that Fiddler saved."""
    EVENTS = "events"
    """Windows events, exported as XML."""
    EVTX = "evtx"
    """A Windows event log."""
    FRAGMENTS = "fragments"
    """PSRP fragments, binary."""
    HEX = "hex"
    BASE64 = "base64"
    CLIXML = "clixml"
    """Documents, bare elements, and ``#< CLIXML`` streams."""
    VECTORS = "vectors"
    """JSON lines, one CLIXML document each, in ``document``, ``bare`` or ``input``."""


_FIRST_LINES = 5
_HAR = re.compile(rb'\{\s*"log"\s*:\s*\{')
_AN_ENVELOPE = re.compile(r"(?:<\?xml[^>]*\?>\s*)?<(?:[\w.-]+:)?Envelope(?=[\s>])")
_PACKET = re.compile(rb"^<(?:Data|Command|Signal|Close)(?:Ack)?\s", re.M)
_YAML = re.compile(r"(?:[ \t\r]*(?:#.*)?\n|---.*\n)*(?:messages:\s|- +[Rr]equest:\s)")
_CLIXML = re.compile(
    r"(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:[\w.-]+:)?"
    r"(?:Objs|Obj|Ref|Nil|S|C|B|BA|By|SB|I16|U16|I32|U32|I64|U64|Sg|Db|D|DT|TS|G|URI|Version|XD|SBK|SS|PR)(?=[\s/>])",
    re.S,
)
_STREAM = re.compile(r"^#< CLIXML\s*$", re.M)
_HEX = re.compile(rb"[0-9A-Fa-f\s]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")


def detect(source: Source) -> Form:
    """Return the form of a source. Raises CaptureError for any other content."""
    head = source.head
    if not head:
        raise source.fail("empty", 0)
    if is_packet_file(head):
        return Form.PACKETS_CAPTURED
    if head.startswith(EVTX):
        return Form.EVTX
    if head.startswith(b"PK\x03\x04"):
        return Form.SAZ
    if is_flow_file(head):
        return Form.FLOWS
    if head.lstrip()[:11] == b"-----BEGIN ":
        raise source.fail("a PEM file, not a recording (a private key goes to --rsa-key)", 0)
    text = _text(head)
    found = _json_lines(head) or _by_text(text) or _by_bytes(head)
    if found is None:
        raise source.fail("not a recording: unrecognized capture format (--format forces one)", 0)
    return found


def _text(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) & ~1].decode("utf-16", "replace")
    if len(head) > 3 and head[1] == 0 and head[3] == 0 and head[0]:
        return head.decode("utf-16-le", "replace")
    return head.decode("utf-8-sig", "replace")


def _json_lines(head: bytes) -> Form | None:
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _HAR.match(first):
        return Form.HAR
    lines = first.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]
    if not first.startswith(b"{"):
        # The first line may be torn; then a later one has to be whole.
        lines = [line for line in lines[1:] if line.rstrip().endswith(b"}")]
    return next(filter(None, map(_json_line, lines)), None)


def _json_line(line: bytes) -> Form | None:
    if not line.startswith(b"{"):
        return None
    # The line may be longer than the head; the names of its members suffice.
    try:
        keys = set(json.loads(line))
    except (ValueError, RecursionError):
        keys = {key.decode() for key in re.findall(rb'[{,]\s*"(\w+)":', line)}
    if {"from", "soap"} <= keys or {"from", "start"} <= keys or {"dir", "conn"} <= keys:
        return Form.HTTP
    if {"from", "data"} <= keys:
        return Form.TRANSCRIPT
    if keys & {"document", "bare", "input"}:
        return Form.VECTORS
    return None


def _by_text(text: str) -> Form | None:
    markup = text.lstrip()
    if looks_like_events(markup):
        return Form.EVENTS
    if looks_like_strace(text):
        return Form.STRACE
    if _AN_ENVELOPE.match(markup) or (looks_like_http(text) and not _YAML.match(text)):
        return Form.HTTP_TEXT
    if _STREAM.search(text) or _CLIXML.match(markup):
        return Form.CLIXML
    if _YAML.match(text):
        return Form.YAML
    if holds_envelope(text):
        return Form.HTTP_TEXT
    return None


def _by_bytes(head: bytes) -> Form | None:
    if _PACKET.search(head):
        return Form.PACKETS
    if starts_fragment(head):
        return Form.FRAGMENTS
    short = head[:4096]
    if _HEX.fullmatch(short):
        digits = b"".join(short.split())[:64]
        if starts_fragment(binascii.unhexlify(digits[: len(digits) & ~1])):
            return Form.HEX
    if _BASE64.fullmatch(short):
        digits = b"".join(short.split())[:64]
        try:
            data = binascii.a2b_base64(digits[: len(digits) & ~3])
        except binascii.Error:
            return None
        if starts_fragment(data):
            return Form.BASE64
    return None


def starts_fragment(data: bytes) -> bool:
    """Return True if data begins with the header of a fragment that has a body. [MS-PSRP] 2.2.4"""
    if len(data) < 22:
        return False
    object_id, fragment_id, flags, length = unpack_from(">QQBI", data)
    return bool(0 < object_id < 1 << 48 and fragment_id < 1 << 32 and flags < 4 and length)
