"""The packet loop as tasks of trio.

One task reads, and only one writes, so that a cancelled caller never cuts a packet in two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from sshsub.packet_loop import ByteStream, Machine, PacketLoop

__all__ = ["TrioPacketLoop"]


class TrioPacketLoop(PacketLoop):
    """A `PacketLoop` whose writer is a task."""

    broken = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)

    def __init__(
        self,
        machine: Machine,
        stream: ByteStream,
        *,
        taken: Callable[[], None] = lambda: None,
        at_end: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        super().__init__(machine, stream, taken=taken, at_end=at_end)
        self._wake = trio.Event()
        self._written = trio.Event()

    def wake(self) -> None:
        """Wake the writer: the machine may have data to send."""
        self._wake.set()

    async def write(self) -> None:
        """Write whatever the machine has to send; run until cancelled."""
        while True:
            self._wake = trio.Event()
            await self.send()
            self._written.set()
            await self._wake.wait()

    async def until_written(self) -> None:
        """Wait until everything is written that the machine has to send now."""
        if self._written.is_set():
            self._written = trio.Event()
        self._wake.set()
        await self._written.wait()
