"""Run one command on several targets and show what they send.

The first Ctrl+C stops the remote commands; the second ends everything at once. A target that
fails is reported and does not affect the others.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from psremoting.cli.display import Display, Origin
from psremoting.cli.recording import RecordTo, report_incomplete
from psremoting.client.hosts import Host
from psremoting.client.invocation import Invocation
from psremoting.client.streams import StreamKind
from psremoting.errors import (
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
from psremoting.powershell.error_view import is_native_error
from psremoting.powershell.formatting import HOLD_SECONDS
from psremoting.remote_command import RemoteCommand, StartedCommand, invoke_error
from psremoting.session import PSSession
from psremoting.targets import SSHTarget, Target, WSManTarget
from psrp.sansio import LocalProtocolError
from sshsub.command_line import parse_host_name

__all__ = ["EXIT_CODES", "INTERRUPTED", "Job", "run_job"]

COMPLETED, REMOTE_ERROR, USAGE, CONNECTION, TIMEOUT = 0, 1, 2, 3, 124
INTERRUPTED, TERMINATED = 130, 143
EXIT_CODES = {
    COMPLETED: "the command ran on all targets without errors",
    REMOTE_ERROR: "the command ran and wrote errors, or output that could not be converted",
    USAGE: "nothing was run: the command line is wrong, or an object cannot be sent",
    CONNECTION: "a target could not be reached, or its session broke",
    TIMEOUT: "--timeout expired",
    INTERRUPTED: "interrupted with Ctrl+C",
    TERMINATED: "terminated by SIGTERM",
}
"""The meanings of the exit codes; a remote ``exit`` gives its own. The worst target counts."""

_SEVERITY = (INTERRUPTED, USAGE, CONNECTION, TIMEOUT)
_WHO = "psrp invoke"
_BY_NAME = "Use --command to run one command by its name."


@dataclass(slots=True, kw_only=True)
class Job:
    """One command for many targets."""

    targets: Sequence[Target]
    command: RemoteCommand
    options: SessionOption = field(default_factory=SessionOption)
    host: Host
    throttle: int = 32
    timeout: float | None = None
    like_powershell: bool = False
    record: RecordTo | None = None


class _View:
    """The display of what one command sends."""

    def __init__(self, display: Display, origin: Origin) -> None:
        self.origin = origin
        self.code = COMPLETED
        self._display = display

    def show(self, kind: StreamKind, item: Any) -> None:
        if kind is not StreamKind.OUTPUT:
            self._display.record(self.origin, kind, item)
            failed = kind is StreamKind.ERROR and not is_native_error(item)
        else:
            failed = not self._display.output(self.origin, item)
        if failed:
            self.code = REMOTE_ERROR


class _Running:
    """The running commands and the exit codes of ended ones."""

    def __init__(self, job: Job, display: Display) -> None:
        self.job = job
        self.display = display
        self.invocations: set[Invocation] = set()
        self.opening: set[trio.CancelScope] = set()
        self.codes: dict[str, int] = {}
        """The exit code of each target, by label."""
        self.labels = target_labels(job.targets)
        self.stopping = False
        self.terminated = False

    async def one(self, target: Target) -> None:
        if self.stopping:
            return
        job = self.job
        label = self.labels[id(target)].pop(0)
        origin = Origin(label=label, computer=target.computer)

        def notice(line: str) -> None:
            self.display.notice(origin, line)

        limit = job.timeout if job.timeout is not None else float("inf")
        deadline = trio.current_time() + limit

        recorder = None
        opening = trio.CancelScope(deadline=deadline)
        try:
            recorder = job.record.open() if job.record is not None else None
            options = replace(job.options, recorder=recorder)
            with opening:
                self.opening.add(opening)
                async with PSSession.connect(
                    target,
                    options=options,
                    host=job.host,
                    like_powershell=job.like_powershell,
                    on_notice=notice,
                    parses=job.command.needs_parser,
                ) as session:
                    self.opening.discard(opening)
                    opening.deadline = float("inf")
                    await self._command(session, label, deadline)
            if opening.cancelled_caught and not self.stopping:
                self._failed(origin, _late(limit, target.computer), TIMEOUT)
        except PSRemotingTransportError as error:
            self._failed(origin, invoke_error(error), CONNECTION)
        except OperationTimeout as error:
            self._failed(origin, error, CONNECTION)
        except LocalProtocolError as error:
            self._failed(origin, PSRemotingError(str(error), computer=target.computer), USAGE)
        except PSRemotingError as error:
            self._failed(origin, error, USAGE)
        finally:
            if recorder is not None:
                report_incomplete(recorder)
            self.opening.discard(opening)
            self.display.end_of(origin)

    async def _command(self, session: PSSession, label: str, deadline: float) -> None:
        view = _View(
            self.display, Origin(label=label, computer=session.computer, runspace_id=session.id)
        )
        command = await self.job.command.start(session, view.show)
        invocation = command.invocation
        self.invocations.add(invocation)
        try:
            if self.stopping:
                await invocation.stop()
            await self._wait(command, view, label, deadline)
        finally:
            self.invocations.discard(invocation)

    async def _wait(
        self, command: StartedCommand, view: _View, label: str, deadline: float
    ) -> None:
        display, origin, invocation = self.display, view.origin, command.invocation
        code = COMPLETED
        with trio.move_on_at(deadline) as waiting:
            try:
                await command.wait()
                code = view.code
            except (PSRemotingTransportError, OperationTimeout):
                raise
            except PipelineStopped as error:
                if not self.stopping:
                    display.error(origin, error.record)
                code = REMOTE_ERROR
            except PipelineFailed as error:
                display.error(origin, error.record)
                if error.hint:
                    display.notice(origin, f"{error.hint} {_BY_NAME}")
                code = REMOTE_ERROR
            except PSRemotingError as error:
                display.error(origin, error.to_record(_WHO))
                code = REMOTE_ERROR
        if waiting.cancelled_caught:
            assert self.job.timeout is not None
            code = TIMEOUT
            try:
                # End a question at the terminal before the message is shown.
                await invocation.stop()
            finally:
                late = _late(self.job.timeout, origin.computer)
                display.failed(origin, late.to_record(_WHO))
        elif invocation.exit_code is not None:
            code = invocation.exit_code & 0xFF
        self.codes[label] = code

    def _failed(self, origin: Origin, error: PSRemotingError, code: int) -> None:
        self.display.failed(origin, error.to_record(_WHO))
        self.codes[origin.label] = code

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
            self._failed(Origin(label=error.computer, computer=error.computer), error, CONNECTION)

    def exit_code(self) -> int:
        """Return the exit code of the worst target."""
        codes = list(self.codes.values())
        for code in _SEVERITY:
            if code in codes:
                return code
        return next((code for code in codes if code), COMPLETED)

    async def keep_pace(self) -> None:
        """Show buffered rows after a pause in the output."""
        while True:
            await trio.sleep(HOLD_SECONDS)
            self.display.pause()


def _late(seconds: float, computer: str) -> OperationTimeout:
    return OperationTimeout(
        f"The command did not end within {seconds:g} seconds.", computer=computer
    )


def _port(target: Target) -> int:
    if isinstance(target, SSHTarget):
        return parse_host_name(target.host_name).port or target.port
    return target.location.port if isinstance(target, WSManTarget) else 0


def target_labels(targets: Sequence[Target]) -> dict[int, list[str]]:
    """Return the labels of targets by id: the computer, with a port or a number if not unique.

    A target that is given several times has a label for each time.
    """
    names = [target.computer for target in targets]
    ports = [
        f"{name}:{_port(target)}" if _port(target) else name
        for name, target in zip(names, targets, strict=True)
    ]
    labels: dict[int, list[str]] = {}
    seen: Counter[str] = Counter()
    for name, port, target in zip(names, ports, targets, strict=True):
        label = name if names.count(name) == 1 else port
        if ports.count(port) > 1:
            seen[port] += 1
            label = f"{port}#{seen[port]}"
        labels.setdefault(id(target), []).append(label)
    return labels


async def run_job(job: Job, display: Display) -> int:
    """Run the job; return the exit code."""
    running = _Running(job, display)
    try:
        # Only local errors are raised here: a full disk, a closed pipe, bad input.
        with unwrapped():
            async with trio.open_nursery() as nursery:
                with _signals() as interrupted:
                    nursery.start_soon(_obey, interrupted, running, nursery)
                    nursery.start_soon(running.keep_pace)
                    await fan_out(job.targets, running.one, throttle=job.throttle)
                    nursery.cancel_scope.cancel()
    finally:
        failed = [label for label, code in running.codes.items() if code]
        display.finish(len(job.targets), failed)
    if running.terminated:
        return TERMINATED
    if running.stopping:
        return INTERRUPTED
    return running.exit_code()


@contextmanager
def _signals() -> Iterator[AsyncIterator[int]]:
    """Receive SIGINT and SIGTERM."""
    names = (signal.SIGINT, signal.SIGTERM)
    with trio.open_signal_receiver(*names) as received:
        yield received


async def _obey(received: AsyncIterator[int], running: _Running, nursery: trio.Nursery) -> None:
    async for number in received:
        if running.stopping or number == signal.SIGTERM:
            running.stopping = True
            running.terminated = number == signal.SIGTERM
            nursery.cancel_scope.cancel()
            return
        sys.stderr.write("\n")
        running.stop(nursery)
