"""Runs programs in cmd shells over HTTP."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import trio

from psrp.sansio import ProtocolError
from wsman import client_events as ev
from wsman import shell_values as v
from wsman.cmd_shell import CmdShell, Exited, Failed, Output, ShellSettings
from wsman.errors import TransportFailure, WSManError
from wsman.trio_client import DELETE_SECONDS, ask

if TYPE_CHECKING:
    from wsman.requests import Request, ShellConfig
    from wsman.trio_pool import Connections

__all__ = ["ProgramRun"]


class ProgramRun:
    """One program in its own shell.

    ``on_output`` is called with the name of a stream and its bytes. `run` returns the exit code, or
    None if the server does not report one, and raises WSManError.
    """

    def __init__(
        self,
        connections: Connections,
        config: ShellConfig,
        settings: ShellSettings,
        *,
        on_output: Callable[[str, bytes], None],
    ) -> None:
        self._connections = connections
        self._machine = CmdShell(config, settings, new_id=uuid4)
        self._on_output = on_output
        self._wake = trio.Event()
        self._error: WSManError | None = None
        self._ended = False
        self._code: int | None = None

    def interrupt(self) -> None:
        """Send Ctrl+C to the program."""
        self._machine.interrupt()
        self._wake.set()

    async def run(
        self,
        command: str,
        arguments: tuple[str, ...] = (),
        *,
        source: AsyncIterator[bytes] | None = None,
    ) -> int | None:
        """Run the program to its end; ``source`` is its input, None for empty input."""
        self._machine.start(command, arguments)
        try:
            async with trio.open_nursery() as nursery:
                if source is None:
                    self._machine.send_input(b"", end=True)
                else:
                    nursery.start_soon(self._feed, source)
                await self._loop(nursery)
                nursery.cancel_scope.cancel()
        finally:
            await self._clean_up()
        if self._error is not None:
            raise self._error
        return self._code

    async def _loop(self, nursery: trio.Nursery) -> None:
        machine = self._machine
        while True:
            while (request := machine.next_request(trio.current_time())) is not None:
                nursery.start_soon(self._make, request)
            self._tell()
            if machine.over:
                return
            self._wake = trio.Event()
            due = machine.next_time
            with trio.move_on_at(due if due is not None else math.inf):
                await self._wake.wait()

    async def _feed(self, source: AsyncIterator[bytes]) -> None:
        async for data in source:
            self._machine.send_input(data)
            self._wake.set()
            while not self._machine.wants_input:
                await trio.sleep(0.01)
        self._machine.send_input(b"", end=True)
        self._wake.set()

    async def _make(self, request: Request) -> None:
        machine = self._machine
        try:
            status, bodies = await ask(self._connections, request)
        except TransportFailure as failure:
            machine.receive_failure(request.number, failure, trio.current_time())
        else:
            machine.receive_answer(request.number, status, bodies, trio.current_time())
        self._tell()
        self._wake.set()

    def _tell(self) -> None:
        while (event := self._machine.next_event()) is not None:
            match event:
                case Output(stream=stream, data=data):
                    self._on_output(stream, data)
                case Exited(code=code):
                    self._code = code
                    self._ended = True
                    self._machine.close()
                case Failed(error=error):
                    self._error = error
                    self._machine.close()
                case ev.Lost(error=error):
                    if error is not None and self._error is None and not self._ended:
                        self._error = error

    async def _clean_up(self) -> None:
        """Delete a shell that still exists, within a few seconds, and close the connections."""
        machine = self._machine
        with trio.CancelScope(shield=True):
            if machine.exists and not machine.over:
                with trio.move_on_after(DELETE_SECONDS), suppress(ProtocolError):
                    await ask(self._connections, machine.requests.make(v.Delete()))
            await self._connections.aclose()
