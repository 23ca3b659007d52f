"""Targets in psremoting: every form of recording, PowerShell text, and the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from psremoting.capture.decoding import decode_source
from psremoting.capture.detect import Form
from psremoting.capture.jsonlines import line
from psremoting.capture.network.tls import TlsSession
from psremoting.capture.network.tls_keys import TlsSecrets
from psremoting.capture.secret_mask import EnvelopeMask, FragmentMask, PacketMask
from psremoting.capture.source import CaptureError, Source
from psremoting.capture.summaries import summary
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.sanitizer import displayable, one_line, visible
from psremoting.powershell.script_commands import script_commands
from psrp.sansio import LocalProtocolError, Side
from tests.capture.sealed_sessions import Tls, identity
from tests.capture.test_other_forms import OUTPUT_LINE, call, flow_file, saz_file, script
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


_FILES: dict[Form | None, Callable[[], Sequence[bytes]]] = {
    Form.PACKETS_CAPTURED: _pcap_files,
    Form.FLOWS: lambda: [flow_file()[:30_000]],
    Form.SAZ: lambda: [saz_file()[:30_000]],
    Form.EVENTS: lambda: [(script(1, 2, "a", 1) + script(2, 2, "b", 2)).encode()],
    Form.STRACE: lambda: [call("write", 1, OUTPUT_LINE, "[pid 7] ").encode()],
}


def _reader(form: Form | None) -> Callable[[bytes], None]:
    return lambda data: _decode(data, form)


for each in (None, *Form):
    name = "decode" if each is None else f"decode-{each.value}"
    files = _FILES.get(each, seeds.capture_files)
    target(name, files, (CaptureError,), calls=(100_000, 3_000))(_reader(each))


def _tls_bytes() -> list[bytes]:
    """The hellos of a connection: of the client, then of the server."""
    with TemporaryDirectory() as folder:
        tls = Tls(identity(Path(folder), "ec"), Path(folder) / "keys.log")
        turns = tls.seal([(1, True, b"hello")])
    return [b"".join(data for _, asks, data in turns if asks is side) for side in (True, False)]


@target("tls", _tls_bytes, ())
def tls_records(data: bytes) -> None:
    """Both sides send the same bytes, with a gap in the middle; nothing opens without keys."""
    session = TlsSession(TlsSecrets())
    half = len(data) // 2
    for side in Side:
        pieces = [*session.receive(side, data[:half]), *session.gap(side, 7)]
        pieces += session.receive(side, data[half:])
        if any(each.data for each in pieces):
            raise Finding("data without keys")
    list(session.end())


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


@target("secret-mask", seeds.capture_files, (), calls=(50_000, 3_000))
def secret_mask(data: bytes) -> None:
    """Mask secrets of a recording; a masked stream keeps its length."""
    if len(FragmentMask().mask(data)) != len(data):
        raise Finding("a masked stream has another length")
    PacketMask().line("server", data)
    EnvelopeMask().envelope(1, "client", data.decode("utf-8", "replace"))
