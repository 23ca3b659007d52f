"""A replay of the recorded PowerShell server, with the ids of our client."""

from __future__ import annotations

import base64
import re
from functools import cache
from uuid import UUID

import trio

from psrp.sansio import Side
from tests.conversations import conversation
from tests.recordings import WHOLE

_ID = re.compile(rb"PSGuid='([^']+)'")
_DATA = re.compile(rb"(<Data [^>]*>)([^<]*)(</Data>)")
_ZERO = b"00000000-0000-0000-0000-000000000000"


@cache
def turns(name: str) -> list[tuple[int, list[bytes]]]:
    """Return the server's lines in turns: (number of client lines before them, lines)."""
    said = 0
    made: list[tuple[int, list[bytes]]] = []
    for each in conversation(WHOLE / "outofproc" / "sessions" / f"{name}.jsonl"):
        if each.side is Side.CLIENT:
            said += 1
        elif made and made[-1][0] == said:
            made[-1][1].append(each.line)
        else:
            made.append((said, [each.line]))
    return made


class RecordedServer:
    """A server that sends the recorded lines with the ids of the current client.

    ``limit`` is the number of bytes after which the stream is closed, or None.
    """

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, name: str, limit: int | None = None
    ) -> None:
        self._stream = stream
        self._turns = turns(name)
        self._left = limit
        self.size = 0
        self.lines: list[int] = []
        """The lengths of the lines that were sent or cut."""
        self._theirs: list[bytes] = []
        for _, lines in self._turns:
            for line in lines:
                found = _ID.search(line)
                if found and found[1] != _ZERO and found[1] not in self._theirs:
                    self._theirs.append(found[1])
        self._ours: list[bytes] = []
        self._pool = bytes(16)

    async def serve(self) -> None:
        heard, rest = 0, b""
        for after, lines in self._turns:
            while heard < after:
                try:
                    data = bytes(await self._stream.receive_some(65536))
                except (trio.ClosedResourceError, trio.BrokenResourceError):
                    return
                if not data:
                    return await self._stream.aclose()
                *heard_lines, rest = (rest + data).split(b"\n")
                heard += len(heard_lines)
                for line in heard_lines:
                    self._listen(line)
            if not await self._say(b"".join(self._mapped(line) + b"\n" for line in lines)):
                break
        await self._stream.aclose()

    async def _say(self, data: bytes) -> bool:
        self.size += len(data)
        self.lines += map(len, data.splitlines(keepends=True))
        cut = data if self._left is None else data[: self._left]
        try:
            if cut:
                await self._stream.send_all(cut)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return False
        if self._left is not None:
            self._left -= len(cut)
            return self._left > 0
        return True

    def _listen(self, line: bytes) -> None:
        found = _ID.search(line)
        assert found is not None
        if found[1] != _ZERO and found[1] not in self._ours:
            self._ours.append(found[1])
        data = _DATA.search(line)
        if data is not None and found[1] == _ZERO:
            # fragment header 21, destination and type 8, then the pool's id
            self._pool = base64.b64decode(data[2])[29:45]

    def _mapped(self, line: bytes) -> bytes:
        pairs = list(zip(self._theirs, self._ours, strict=False))
        for theirs, ours in pairs:
            line = line.replace(theirs, ours)
        return _DATA.sub(lambda found: found[1] + self._message(found[2]) + found[3], line)

    def _message(self, data: bytes) -> bytes:
        raw = bytearray(base64.b64decode(data))
        assert raw[16] == 3, "every message of the server is one whole fragment"
        if raw[29:45] != bytes(16):
            raw[29:45] = self._pool
        for theirs, ours in zip(self._theirs, self._ours, strict=False):
            if raw[45:61] == UUID(theirs.decode()).bytes_le:
                raw[45:61] = UUID(ours.decode()).bytes_le
                break
        return base64.b64encode(bytes(raw))
