"""Sending of one message without a pause where the socket takes all of it at once.

`trio.SocketStream.send_all` lets all other tasks run once after each message. An HTTP peer waits
for the other side after each message anyway, so both drivers write directly first.
"""

from __future__ import annotations

import os

import trio

__all__ = ["PromptStream"]

_DIRECT = os.name == "posix"
"""Elsewhere a socket's number is not a file descriptor."""


class PromptStream(trio.abc.HalfCloseableStream):
    """A socket's stream whose `send_all` has no checkpoint if the socket has room."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._sending = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if not _DIRECT or self._sending:
            await self.stream.send_all(data)
            return
        sent = self._write(data)
        if sent == len(data):
            return
        self._sending = True
        try:
            with memoryview(data) as rest:
                await self.stream.send_all(rest[sent:])
        finally:
            self._sending = False

    def _write(self, data: bytes | bytearray | memoryview) -> int:
        descriptor = self.stream.socket.fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError("this socket was already closed")
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError(f"cannot send: {error}") from error

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self.stream.send_eof()

    async def aclose(self) -> None:
        await self.stream.aclose()
