"""`psrp invoke` at work: many sessions, one display, and what Ctrl+C means.

The first Ctrl+C stops the remote commands, as the transport can; the second ends everything at
once. A target that fails is told about and disturbs no other.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from psremoting.cli.display import Display
from psremoting.client.hosts import Host
from psremoting.client.invocation import Invocation
from psremoting.client.pipeline_input import Input
from psremoting.client.streams import StreamKind
from psremoting.errors import (
    STATE_BROKEN,
    CancelTimeout,
    OperationTimeout,
    PipelineFailed,
    PipelineStopped,
    PSRemotingError,
    PSRemotingTransportError,
)
from psremoting.exception_groups import unwrapped
from psremoting.fanout import fan_out
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psremoting.targets import Target
from psrp.commands import Command
from psrp.sansio import LocalProtocolError

__all__ = ["EXIT_CODES", "INTERRUPTED", "Job", "run_job"]

COMPLETED, REMOTE_ERROR, USAGE, CONNECTION, TIMEOUT, INTERRUPTED = 0, 1, 2, 3, 124, 130
EXIT_CODES = {
    COMPLETED: "the command ran everywhere, without an error",
    REMOTE_ERROR: "it ran, and there were errors",
    USAGE: "it was not tried: the command line is wrong, or an object cannot be sent",
    CONNECTION: "a target could not be reached, or the session broke",
    TIMEOUT: "--timeout is over",
    INTERRUPTED: "Ctrl+C",
}
"""What the exit code means; a remote ``exit`` gives its own. The worst of all targets counts."""

_SEVERITY = (INTERRUPTED, USAGE, CONNECTION, TIMEOUT)
_WHO = "psrp invoke"


@dataclass(slots=True, kw_only=True)
class Job:
    """One command for many targets."""

    targets: Sequence[Target]
    what: str | Command
    arguments: Sequence[Any] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    using: Mapping[str, Any] = field(default_factory=dict)
    input: Input | None = None
    options: SessionOption = field(default_factory=SessionOption)
    host: Host
    throttle: int = 32
    timeout: float | None = None
    like_powershell: bool = False


class _Running:
    """The commands that run now, and what became of those that do not."""

    def __init__(self, job: Job, display: Display) -> None:
        self.job = job
        self.display = display
        self.invocations: set[Invocation] = set()
        self.opening: set[trio.CancelScope] = set()
        self.codes: list[int] = []
        self.stopping = False

    async def one(self, target: Target) -> None:
        if self.stopping:
            return
        job, computer = self.job, target.computer

        def notice(line: str) -> None:
            self.display.notice(computer, line)

        try:
            with trio.CancelScope() as opening:
                self.opening.add(opening)
                async with PSSession.connect(
                    target,
                    options=job.options,
                    host=job.host,
                    like_powershell=job.like_powershell,
                    on_notice=notice,
                ) as session:
                    self.opening.discard(opening)
                    await self._command(session)
        except PSRemotingTransportError as error:
            told = error.with_id(STATE_BROKEN) if "Open" in error.error_id else error
            self._failed(computer, told, CONNECTION)
        except OperationTimeout as error:
            self._failed(computer, error, CONNECTION)
        except LocalProtocolError as error:
            self._failed(computer, PSRemotingError(str(error), computer=computer), USAGE)
        except PSRemotingError as error:
            self._failed(computer, error, USAGE)
        finally:
            self.opening.discard(opening)

    async def _command(self, session: PSSession) -> None:
        job = self.job
        invocation = await session.invoke(
            job.what,
            arguments=job.arguments,
            parameters=job.parameters,
            using=job.using,
            input=job.input,
        )
        self.invocations.add(invocation)
        try:
            if self.stopping:
                await invocation.stop()
            await self._show(session, invocation)
        finally:
            self.invocations.discard(invocation)

    async def _show(self, session: PSSession, invocation: Invocation) -> None:
        display, computer = self.display, session.computer
        code = COMPLETED
        limit = self.job.timeout if self.job.timeout is not None else float("inf")
        with trio.move_on_after(limit) as waiting:
            try:
                async for kind, item in invocation.merged():
                    if kind is StreamKind.OUTPUT:
                        display.output(computer, session.id, item)
                        continue
                    display.record(computer, kind, item)
                    if kind is StreamKind.ERROR:
                        code = REMOTE_ERROR
            except (PSRemotingTransportError, OperationTimeout):
                raise
            except PipelineStopped as error:
                if not self.stopping:
                    display.error(computer, error.record)
                code = REMOTE_ERROR
            except PipelineFailed as error:
                display.error(computer, error.record)
                code = REMOTE_ERROR
            except PSRemotingError as error:
                display.error(computer, error.to_record(_WHO))
                code = REMOTE_ERROR
        if waiting.cancelled_caught:
            late = OperationTimeout(f"The command did not end within {limit:g} seconds.")
            display.error(computer, late.to_record(_WHO))
            code = TIMEOUT
            await invocation.stop()
        elif invocation.exit_code is not None:
            code = invocation.exit_code & 0xFF
        self.codes.append(code)

    def _failed(self, computer: str, error: PSRemotingError, code: int) -> None:
        self.display.error(computer, error.to_record(_WHO))
        self.codes.append(code)

    def stop(self, nursery: trio.Nursery) -> None:
        self.stopping = True
        for opening in self.opening:
            opening.cancel()
        for invocation in self.invocations:
            nursery.start_soon(self._stop, invocation)

    async def _stop(self, invocation: Invocation) -> None:
        try:
            await invocation.stop()
        except CancelTimeout as error:
            self._failed(error.computer, error, CONNECTION)

    def exit_code(self) -> int:
        for code in _SEVERITY:
            if code in self.codes:
                return code
        return next((code for code in self.codes if code), COMPLETED)


async def run_job(job: Job, display: Display) -> int:
    """Do it all; the exit code."""
    running = _Running(job, display)
    try:
        # What comes out of here is this side's own: a full disk, a closed pipe, bad input.
        with unwrapped():
            async with trio.open_nursery() as nursery:
                with _signals() as interrupted:
                    nursery.start_soon(_obey, interrupted, running, nursery)
                    await fan_out(job.targets, running.one, throttle=job.throttle)
                    nursery.cancel_scope.cancel()
    finally:
        display.finish()
    if running.stopping:
        return INTERRUPTED
    return running.exit_code()


@contextmanager
def _signals() -> Iterator[AsyncIterator[int]]:
    """SIGINT and SIGTERM as they come."""
    names = (signal.SIGINT, signal.SIGTERM)
    with trio.open_signal_receiver(*names) as received:
        yield received


async def _obey(received: AsyncIterator[int], running: _Running, nursery: trio.Nursery) -> None:
    async for number in received:
        if running.stopping or number == signal.SIGTERM:
            running.stopping = True
            nursery.cancel_scope.cancel()
            return
        sys.stderr.write("\n")
        running.stop(nursery)
