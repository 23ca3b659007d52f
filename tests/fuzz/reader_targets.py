"""Targets in psremoting: every form of recording, PowerShell text, and the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress

from psremoting.capture.decoding import decode_source
from psremoting.capture.detect import Form
from psremoting.capture.jsonlines import line
from psremoting.capture.source import CaptureError, Source
from psremoting.capture.summaries import summary
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.sanitizer import displayable, one_line, visible
from psremoting.powershell.script_commands import script_commands
from psrp.sansio import LocalProtocolError
from tests.capture.wire import conversation, pcap, pcapng
from tests.fuzz import seeds
from tests.fuzz.target import Finding, target


def _decode(data: bytes, form: Form | None) -> None:
    """Decode and show every entry; the summary accounts for the whole file."""
    last = None
    try:
        for last in decode_source(Source("input", io.BytesIO(data)), form):
            json.loads(line(last, raw=True, offsets=True))
            summary(last)
    finally:
        if last is not None and last.type != "summary":
            raise Finding("the last entry is no summary")


def _pcap_files() -> list[bytes]:
    """An exchange in the clear as pcap and pcapng."""
    turns = []
    for asks, data in seeds.envelopes()[:4]:
        start = b"POST /wsman HTTP/1.1\r\nHost: h" if asks else b"HTTP/1.1 200 OK"
        head = b"Content-Type: application/soap+xml\r\nContent-Length: %d" % len(data)
        turns.append((asks, b"\r\n".join((start, head, b"", data))))
    frames = conversation(turns, size=400)
    return [pcap(frames), pcapng(frames)]


def _reader(form: Form | None) -> Callable[[bytes], None]:
    return lambda data: _decode(data, form)


for each in (None, *Form):
    name = "decode" if each is None else f"decode-{each.value}"
    files = _pcap_files if each is Form.PACKETS_CAPTURED else seeds.capture_files
    target(name, files, (CaptureError,), calls=(100_000, 3_000))(_reader(each))


@target("script", seeds.scripts, (ParseError,))
def parser(data: bytes) -> None:
    parse(data.decode("utf-8", "replace"))


@target("script-commands", seeds.scripts, (ParseError, Unsupported, EvaluationError))
def commands_of_a_script(data: bytes) -> None:
    """A text becomes commands, or a script with a reason."""
    with suppress(LocalProtocolError):
        script_commands(data.decode("utf-8", "replace"), arguments=(1, "x"), using={"x": {"y": 1}})


def _terminal_texts() -> list[bytes]:
    return [
        b"\x1b[31mred\x1b[0m",
        b"\x1b]0;title\x07",
        b"\x9b2J",
        "\u202e".encode(),
        b"\x1bP1$q\x1b\\",
    ]


@target("terminal", _terminal_texts, ())
def terminal(data: bytes) -> None:
    """No control reaches the terminal, and what passed once passes again unchanged."""
    text = data.decode("utf-8", "replace")
    shown = displayable(text)
    rest = shown.replace("\r\n", "\n")
    if any((c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" for c in rest):
        raise Finding(f"a control passes: {shown!r}")
    if displayable(shown) != shown:
        raise Finding("sanitized twice differently")
    for once in (one_line, visible):
        if any(c < " " for c in once(text)):
            raise Finding(f"a control passes {once.__name__}")
    coloured = displayable(text, colours=True, moves=True)
    if displayable(coloured, colours=True, moves=True) != coloured:
        raise Finding("sanitized twice differently")
