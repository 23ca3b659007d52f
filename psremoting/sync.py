"""Sessions for scripts that know nothing of trio.

    from psremoting import sync

    with sync.connect("user@server") as session:
        for value in session.invoke("Get-Process"):
            print(value["Name"])

A thread runs the sessions; every method here waits for it. Ctrl+C in the waiting thread stops
the remote command.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio

from psremoting.client.background_session import HeldSession
from psremoting.client.invocation import Invocation, Result
from psremoting.client.streams import Streams
from psremoting.session import PSSession
from psremoting.targets import Target
from psrp.commands import Command, PowerShell
from psrp.events import InvocationState

__all__ = ["SyncInvocation", "SyncSession", "connect"]

T = TypeVar("T")


class _Loop:
    """A trio loop in a thread of its own, for as long as one session lives."""

    def __init__(self) -> None:
        self._ready: queue.SimpleQueue[trio.lowlevel.TrioToken] = queue.SimpleQueue()
        self._enough: trio.Event
        self._thread = threading.Thread(target=trio.run, args=(self._live,), daemon=True)
        self._thread.start()
        self._token = self._ready.get()

    async def _live(self) -> None:
        self._enough = trio.Event()
        self._ready.put(trio.lowlevel.current_trio_token())
        await self._enough.wait()

    def call(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        return trio.from_thread.run(work, *arguments, trio_token=self._token)

    def end(self) -> None:
        self._token.run_sync_soon(self._enough.set)
        self._thread.join()


class SyncInvocation:
    """`psremoting.client.invocation.Invocation` for threads; iterate it once, for its output."""

    def __init__(self, loop: _Loop, invocation: Invocation) -> None:
        self._loop = loop
        self._invocation = invocation

    def __iter__(self) -> Iterator[Any]:
        try:
            while batch := self._loop.call(self._invocation.batch):
                yield from batch
        except KeyboardInterrupt:
            self.stop()
            raise

    @property
    def state(self) -> InvocationState:
        return self._invocation.state

    @property
    def streams(self) -> Streams:
        """The records beside the output; whole once the iteration has ended."""
        return self._invocation.streams

    @property
    def exit_code(self) -> int | None:
        return self._invocation.exit_code

    def result(self) -> Result:
        """Everything, once the command has ended."""
        try:
            return self._loop.call(self._invocation.result)
        except KeyboardInterrupt:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the command, and wait until it has stopped. Raises CancelTimeout."""
        self._loop.call(self._invocation.stop)


class SyncSession:
    """`psremoting.session.PSSession` for threads; made by `connect`."""

    def __init__(self, loop: _Loop, session: PSSession) -> None:
        self._loop = loop
        self._session = session

    @property
    def computer(self) -> str:
        return self._session.computer

    @property
    def state(self) -> str:
        return self._session.state

    @property
    def application_private_data(self) -> Any:
        return self._session.application_private_data

    def invoke(self, what: str | Command | PowerShell, **more: Any) -> SyncInvocation:
        """Start a command; the arguments are those of `PSSession.invoke`."""

        async def start() -> Invocation:
            return await self._session.invoke(what, **more)

        return SyncInvocation(self._loop, self._loop.call(start))

    def run(self, what: str | Command | PowerShell, **more: Any) -> Result:
        """Start a command and wait for its end."""
        return self.invoke(what, **more).result()

    def close(self) -> None:
        """Close the session before the block ends."""
        self._loop.call(self._session.close)


@contextmanager
def connect(target: str | Target, **more: Any) -> Iterator[SyncSession]:
    """Open a session for the time of the block; the arguments are those of `PSSession.connect`."""
    loop = _Loop()
    try:
        held = HeldSession(lambda: PSSession.connect(target, **more))
        session = loop.call(held.open, trio.lowlevel.spawn_system_task)
        try:
            yield SyncSession(loop, session)
        except BaseException as error:
            loop.call(_close, held, not isinstance(error, Exception))
            raise
        loop.call(_close, held, False)
    finally:
        loop.end()


async def _close(held: HeldSession, at_once: bool) -> None:
    with trio.CancelScope(shield=True):
        await held.close(at_once=at_once)
