"""Sessions for programs without trio.

    from psremoting import sync

    with sync.connect("user@server") as session:
        for value in session.invoke("Get-Process"):
            print(value["Name"])

A thread runs each session; every method waits for it. Ctrl+C in the waiting thread stops the
remote command. In an asynchronous program use `psremoting.PSSession`: under trio directly, under
asyncio as in ``tests/examples/from_asyncio.py``.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import trio

from psremoting import remote_sessions
from psremoting.client.background_session import HeldSession
from psremoting.client.invocation import Invocation, Result
from psremoting.client.pipeline_input import Input
from psremoting.client.streams import Streams
from psremoting.errors import SessionNotOpen
from psremoting.imported_commands import ImportedCommands, import_commands, value_of
from psremoting.remote_sessions import RemoteSession
from psremoting.session import PSSession
from psremoting.targets import Target
from psremoting.wsman_target import WSManTarget
from psrp.commands import Command, PowerShell
from psrp.events import InvocationState

__all__ = ["SyncInvocation", "SyncSession", "connect", "reconnect", "sessions_on"]

T = TypeVar("T")
_ENDED = "The block of sync.connect has ended, and the session with it."


def _refuse_event_loops() -> None:
    """Raise RuntimeError inside an event loop, which every method would block."""
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "psremoting.sync would block the trio program that calls it: "
            "use 'async with PSSession.connect(...)' there"
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "psremoting.sync would block the asyncio loop that calls it: call it from a thread "
        "(asyncio.to_thread), or use PSSession in a trio loop"
    )


class _Loop:
    """A trio loop in a thread of its own, for the life of one session."""

    def __init__(self) -> None:
        self._ready: queue.SimpleQueue[trio.lowlevel.TrioToken] = queue.SimpleQueue()
        self._enough: trio.Event
        self._ended = False
        self._thread = threading.Thread(target=trio.run, args=(self._live,), daemon=True)
        self._thread.start()
        self._token = self._ready.get()

    async def _live(self) -> None:
        self._enough = trio.Event()
        self._ready.put(trio.lowlevel.current_trio_token())
        await self._enough.wait()

    def call(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run ``work`` in the loop. Raises SessionNotOpen after the end of the block."""
        _refuse_event_loops()
        if self._ended:
            raise SessionNotOpen(_ENDED)
        return trio.from_thread.run(work, *arguments, trio_token=self._token)

    def call_soon(self, work: Callable[[], object]) -> None:
        self._token.run_sync_soon(work)

    def end(self) -> None:
        self._ended = True
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
        """The records of the other streams; complete after the iteration."""
        return self._invocation.streams

    @property
    def exit_code(self) -> int | None:
        return self._invocation.exit_code

    def result(self) -> Result:
        """Wait for the end of the command and return output and records."""
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
        """Start a command and wait for its end; the arguments are those of `PSSession.run`."""

        return self._interruptible(lambda: self._session.run(what, **more))

    def call(self, name: str, /, *arguments: Any, **parameters: Any) -> Result:
        """Run one command by name, with positional and named arguments; no script is involved."""

        return self._interruptible(lambda: self._session.call(name, *arguments, **parameters))

    def import_commands(self, *patterns: str, help: bool = True) -> ImportedCommands[Any]:
        """Return remote commands as Python callables, as `PSSession.import_commands` does; a call
        waits for the end of the command."""

        def run(command: Command, input: Input | None) -> Any:
            return value_of(self.run(command, input=input))

        def work() -> Awaitable[ImportedCommands[Any]]:
            return import_commands(self._session.run, patterns, run, help=help)

        return self._interruptible(work)

    def _interruptible(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` in the loop; Ctrl+C in this thread cancels it, which closes the command."""
        scope = trio.CancelScope()
        results: list[T] = []

        async def scoped() -> None:
            with scope:
                results.append(await work())

        try:
            self._loop.call(scoped)
        except KeyboardInterrupt:
            self._loop.call_soon(scope.cancel)
            raise
        return results[0]

    def close(self) -> None:
        """Close the session before the block ends."""
        self._loop.call(self._session.close)

    # -- sessions that outlive their connection, over WS-Man

    @property
    def id(self) -> UUID:
        return self._session.id

    def disconnect(
        self, *, idle_timeout: float | None = None, output_buffering_mode: str | None = None
    ) -> None:
        """Leave the session at the server, as `PSSession.disconnect` does."""

        async def leave() -> None:
            await self._session.disconnect(
                idle_timeout=idle_timeout, output_buffering_mode=output_buffering_mode
            )

        self._loop.call(leave)

    def invoke_disconnected(self, what: str | Command | PowerShell, **more: Any) -> UUID:
        """Start a command and leave the session; the arguments are those of
        `PSSession.invoke_disconnected`. Returns the id of the command."""
        return self._interruptible(lambda: self._session.invoke_disconnected(what, **more))

    def commands(self) -> list[UUID]:
        """Return the ids of the commands of a session that was connected to, for `attach`."""
        return self._interruptible(self._session.commands)

    def attach(self, command: UUID, **more: Any) -> SyncInvocation:
        """Receive the output of a command; the arguments are those of `PSSession.attach`."""

        async def attach() -> Invocation:
            return await self._session.attach(command, **more)

        return SyncInvocation(self._loop, self._loop.call(attach))


@contextmanager
def connect(target: str | Target, **more: Any) -> Iterator[SyncSession]:
    """Open a session for the time of the block; the arguments are those of `PSSession.connect`.

    Raises RuntimeError inside an event loop of trio or asyncio.
    """
    with _held(lambda: PSSession.connect(target, **more)) as session:
        yield session


@contextmanager
def reconnect(target: str | WSManTarget, id: UUID | str, **more: Any) -> Iterator[SyncSession]:
    """Connect to a disconnected session; the arguments are those of `PSSession.reconnect`."""
    with _held(lambda: PSSession.reconnect(target, id, **more)) as session:
        yield session


def sessions_on(target: str | WSManTarget, **more: Any) -> list[RemoteSession]:
    """Return the user's sessions on a server, as `psremoting.sessions_on` does."""
    _refuse_event_loops()
    return trio.run(partial(remote_sessions.sessions_on, target, **more))


@contextmanager
def _held(connect: Callable[[], AbstractAsyncContextManager[PSSession]]) -> Iterator[SyncSession]:
    _refuse_event_loops()
    loop = _Loop()
    try:
        held = HeldSession(connect)
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
