"""The packet loop: bytes from a stream to a machine, and from the machine to the stream.

Nothing here waits except in the methods of the stream, so that a stream of blocking calls works
without an event loop. `sshsub.trio_packet_loop` adds the tasks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

__all__ = ["ByteStream", "Machine", "PacketLoop"]


class ByteStream(Protocol):
    """The part of `sshsub.trio_stream.Wire` that moves bytes."""

    async def send_all(self, data: bytes) -> None:
        """Write everything."""

    async def receive_some(self) -> bytes:
        """Return available bytes, ``b""`` at the end of the stream."""


class Machine(Protocol):
    """A machine of bytes in both directions, such as `sshsub.subsystem.Subsystem`."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer, none at the end."""

    def data_to_send(self) -> bytes:
        """Return the bytes to write now."""

    def send_failed(self) -> None:
        """Stop writing."""


async def _no_wait() -> None:
    return


def _nothing() -> None:
    return


class PacketLoop:
    """The loop between ``machine`` and ``stream``.

    ``taken`` is called whenever the bytes to write have been taken from the machine. ``at_end`` is
    awaited at the end of the stream, before the machine gets the end.
    """

    broken: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """The exceptions of a stream that is broken."""

    def __init__(
        self,
        machine: Machine,
        stream: ByteStream,
        *,
        taken: Callable[[], None] = _nothing,
        at_end: Callable[[], Awaitable[None]] = _no_wait,
    ) -> None:
        self._machine = machine
        self._stream = stream
        self._taken = taken
        self._at_end = at_end
        self.error: Exception | None = None
        """The exception that ended the reading."""

    async def receive(self) -> bool:
        """Pass the next bytes to the machine; return False at the end of the stream, which a
        broken stream has reached, too."""
        try:
            data = await self._stream.receive_some()
        except self.broken as error:
            self.error = error
            data = b""
        if not data:
            await self._at_end()
        self._machine.receive_data(data)
        return bool(data)

    async def read(
        self, received: Callable[[], bool], *, ready: Callable[[], Awaitable[None]]
    ) -> None:
        """Read until the stream ends or ``received`` returns False.

        ``received`` processes what the machine got; ``ready`` is awaited before each read.
        """
        more = True
        while more:
            await ready()
            more = await self.receive()
            if not received():
                return

    async def send(self) -> None:
        """Write what the machine has to send, until it has no more."""
        while True:
            data = self._machine.data_to_send()
            self._taken()
            if not data:
                return
            try:
                await self._stream.send_all(data)
            except self.broken:
                # The peer's last bytes can still be read; they may contain the reason.
                self._machine.send_failed()
