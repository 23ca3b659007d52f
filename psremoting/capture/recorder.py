"""Recording of live sessions as JSON lines, the form that `psremoting.capture` reads.

    {"t": 0.01, "from": "client", "data": "<base64>", "recording": 1, "began": "2026-..."}
    {"t": 0.02, "connection": 1, "from": "client", "start": "POST ...", "headers": [...],
     "size": 1234, "soap": "<s:Envelope ..."}

Out-of-process connections are recorded as chunks of whole packet lines, WS-Man as HTTP messages
with opened envelopes. The first line has two more members: ``recording``, the version of this
form, and ``began``, the date to which ``t`` (seconds) is relative. Credentials of HTTP are left
out.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from datetime import UTC, datetime
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Any

from psremoting.capture.json_messages import RECORDING_VERSION
from psremoting.capture.secret_mask import EnvelopeMask, PacketMask
from psrp.sansio import LimitExceeded
from sshsub.packets import LineReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sshsub.trio_stream import Ending, Wire

__all__ = ["RecordedSecrets", "RecordedWire", "Recorder"]

_CREDENTIALS = frozenset(
    ("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie",
     "set-cookie", "authentication-info")
)  # fmt: skip


class RecordedSecrets(Enum):
    """The form in which secure strings are recorded; the values are those of the command line."""

    MASKED = "masked"
    """Overwritten with asterisks."""
    AS_SENT = "as-sent"
    """Encrypted with the session key below protocol 2.4, readable from 2.4 on."""


class Recorder:
    """Writer of one recording. Raises OSError if the file cannot be made.

    Only its owner can read the file. An error while writing ends the recording, not the session:
    `error` has it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        secrets: RecordedSecrets = RecordedSecrets.MASKED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = str(path)
        self.error: OSError | None = None
        self._secrets = secrets
        self._clock = clock
        self._began = clock()
        self._connections = count(1)
        self._envelopes = EnvelopeMask() if secrets is RecordedSecrets.MASKED else None
        self._lines = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def wire(self, wire: Wire, *, server: bool = False) -> RecordedWire:
        """Return a wire that records what goes through ``wire``; ``server`` if we serve on it."""
        return RecordedWire(wire, self, server=server)

    def packets(self) -> PacketTap:
        """Return the tap of one out-of-process connection."""
        masked = self._secrets is RecordedSecrets.MASKED
        return PacketTap(self._write, PacketMask() if masked else None)

    def exchanges(self) -> ExchangeTap:
        """Return the tap of one HTTP connection."""
        return ExchangeTap(self._write, next(self._connections), self._envelopes)

    def _write(self, item: dict[str, Any]) -> None:
        if self._file.closed or self.error is not None:
            return
        line = {"t": round(self._clock() - self._began, 6), **item}
        if not self._lines:
            began = datetime.fromtimestamp(self._began, UTC).isoformat()
            line |= {"recording": RECORDING_VERSION, "began": began}
        self._lines += 1
        data = memoryview(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self.error = error


class PacketTap:
    """Recorder of both directions of one out-of-process connection, by whole lines."""

    def __init__(self, write: Callable[[dict[str, Any]], None], mask: PacketMask | None) -> None:
        self._write = write
        self._mask = mask
        self._lines = {"client": LineReader(), "server": LineReader()}

    def record(self, sender: str, data: bytes) -> None:
        """Record bytes that ``client`` or ``server`` sent."""
        lines = self._lines[sender]
        try:
            lines.receive_data(data)
        except LimitExceeded:
            # A packet that no peer accepts; the connection is about to end.
            return
        whole = []
        while (line := lines.next_line()) is not None:
            whole.append(self._masked(sender, line.data) + b"\n")
        self._chunk(sender, b"".join(whole))

    def end(self) -> None:
        """Record lines that were begun and never ended."""
        for sender, lines in self._lines.items():
            if (rest := lines.rest()) is not None:
                self._chunk(sender, self._masked(sender, rest.data))

    def _masked(self, sender: str, line: bytes) -> bytes:
        return self._mask.line(sender, line) if self._mask is not None else line

    def _chunk(self, sender: str, data: bytes) -> None:
        if data:
            self._write({"from": sender, "data": b64encode(data).decode()})


class RecordedWire:
    """A `sshsub.trio_stream.Wire` whose bytes are recorded."""

    def __init__(self, wire: Wire, recorder: Recorder, *, server: bool) -> None:
        self._wire = wire
        self._tap = recorder.packets()
        self._ours, self._theirs = ("server", "client") if server else ("client", "server")

    @property
    def ended(self) -> Ending | None:
        return self._wire.ended

    async def send_all(self, data: bytes) -> None:
        self._tap.record(self._ours, data)
        await self._wire.send_all(data)

    async def receive_some(self) -> bytes:
        data = await self._wire.receive_some()
        self._tap.record(self._theirs, data)
        return data

    async def send_eof(self) -> None:
        await self._wire.send_eof()

    def end(self) -> None:
        """Record what was begun and not ended."""
        self._tap.end()

    async def aclose(self) -> None:
        self._tap.end()
        await self._wire.aclose()


class ExchangeTap:
    """Recorder of the messages of one HTTP connection; a `wsman.taps.Tap`."""

    def __init__(
        self, write: Callable[[dict[str, Any]], None], number: int, mask: EnvelopeMask | None
    ) -> None:
        self._write = write
        self._number = number
        self._mask = mask

    def __call__(
        self,
        sender: str,
        start: str,
        headers: tuple[tuple[str, str], ...],
        envelope: bytes,
        size: int,
    ) -> None:
        """Record a message; ``envelope`` is empty for a leg without one."""
        text = _text(envelope) if envelope else None
        if text is not None and self._mask is not None:
            text = self._mask.envelope(self._number, sender, text)
        self._write(
            {
                "connection": self._number,
                "from": sender,
                "start": start,
                "headers": [[name, _shown(name, value)] for name, value in headers],
                "size": size,
                "soap": text,
            }
        )


def _shown(name: str, value: str) -> str:
    """Return the value of a header; only the scheme of a credential."""
    if name.lower() not in _CREDENTIALS:
        return value
    scheme, _, token = value.partition(" ")
    if name.lower().endswith("cookie"):
        scheme, token = "", value
    return f"{scheme} ({len(token)} characters)" if token else scheme


def _text(envelope: bytes) -> str:
    if envelope[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return envelope.decode("utf-16", "replace")
    if envelope[1:2] == b"\0":
        return envelope.decode("utf-16-le", "replace")
    return envelope.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\0")
