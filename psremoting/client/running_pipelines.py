"""The running pipelines of one session: start, input, stop, close, and their events.

`psrp.Pool` alone decides what may happen. All calls into it are plain calls between two awaits,
so that no other task sees it half changed. Nothing here raises into the task that reads from the
carrier: an error ends the command that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting import errors
from psremoting.client.backpressure import Backpressure
from psremoting.client.host_calls import HostCall, HostCalls
from psremoting.client.invocation import Invocation, OnRecord
from psremoting.client.pipeline_input import Input, feed
from psremoting.client.streams import RECORD_STREAMS, StreamKind, Streams, tagged
from psrp import events as e
from psrp.host import HostMethodId
from psrp.messages import MessageType
from psrp.records import ErrorCategory
from psrp.sansio import LimitExceeded, LocalProtocolError, TransportAct
from psrp.states import PipelinePhase

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import trio

    from psremoting.client.hosts import Host
    from psremoting.options import SessionOption
    from psrp.pool import Pool

__all__ = ["RunningPipelines", "Show"]

_RUNNING = (PipelinePhase.READING, PipelinePhase.RUNNING)
_LEAVING = (PipelinePhase.ABANDONED, PipelinePhase.CLOSING)
_QUEUED, _MOST = 128, 240
"""Commands that may wait at the server for a runspace, and the most of them together with the
running ones: servers limit them (ours 256)."""


Show = Callable[[StreamKind, Any], None]


def _drop(_: Any) -> None:
    """Take output of a command that has ended."""


class _Command:
    """A running command: its invocation, its host, and the bytes received for it."""

    __slots__ = ("accepted", "host", "invocation", "received", "show", "tag")

    def __init__(self, invocation: Invocation, host: Host, tag: bool, show: Show | None) -> None:
        self.invocation = invocation
        self.host = host
        self.tag = tag
        self.show = show
        self.received = 0
        self.accepted = False


class RunningPipelines:
    """All commands of one session that have not ended; the `CommandOwner` of their invocations.

    ``flush`` hands the carrier what the pool has to send, ``wait_for_room`` waits until the
    carrier takes more. ``on_exit`` is called after the end of a command that ran ``exit``.
    """

    exit_code: int | None = None
    """The code of the last remote ``exit``."""

    def __init__(
        self,
        pool: Pool,
        *,
        computer: str,
        options: SessionOption,
        host: Host,
        flush: Callable[[], None],
        wait_for_room: Callable[[UUID | None], Awaitable[None]],
        on_exit: Callable[[], None],
    ) -> None:
        self.computer = computer
        self.options = options
        self.host = host
        self.streams = Streams()
        """Records that belong to no command."""
        self.nursery: trio.Nursery | None = None
        self.backpressure = Backpressure(self._too_much_unread)
        self._pool = pool
        self._flush = flush
        self._wait_for_room = wait_for_room
        self._on_exit = on_exit
        self._exiting: set[UUID] = set()
        self._running: dict[UUID, _Command] = {}
        self.host_calls = HostCalls(pool, computer, flush)
        self.reactions: dict[type[e.Event], Callable[[Any], None]] = {
            e.PipelineStateMessage: self._pipeline_state,
            e.StopPipeline: self._stopped,
            e.PipelineHostCall: self._host_call,
            e.RunspacePoolHostCall: self._host_call,
            e.Fault: self._fault,
            **dict.fromkeys(RECORD_STREAMS, self._record),
        }
        """The function to call for each class of event."""

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Invocation]:
        return iter([command.invocation for command in self._running.values()])

    @property
    def runspaces_taken(self) -> bool:
        """True if no runspace is free because ended commands are not closed yet."""
        states = self._pool.pipelines.values()
        leaving = sum(state in _LEAVING for state in states)
        return bool(leaving) and len(states) >= self._pool.max_runspaces

    @property
    def queue_is_full(self) -> bool:
        """True if so many commands are at the server that further ones wait here."""
        runspaces = self._pool.max_runspaces
        return len(self._pool.pipelines) >= max(runspaces, min(runspaces + _QUEUED, _MOST))

    # -- called by the session

    def start(
        self,
        event: e.CreatePipeline | e.GetCommandMetadata | e.ConnectPipeline,
        *,
        input: Input | None = None,
        host: Host | None = None,
        on_record: OnRecord | None = None,
        tag: bool = False,
        show: Show | None = None,
    ) -> Invocation:
        """Start a command. Raises LocalProtocolError if it cannot be sent.

        ``show`` is called with output and records, instead of keeping them, in the order in which
        they and the host calls arrived.
        """
        self._pool.send(event)
        invocation = Invocation(self, event.pipeline_id, on_record)
        self._running[invocation.id] = _Command(invocation, host or self.host, tag, show)
        self._flush()
        if input is not None:
            assert self.nursery is not None
            self.nursery.start_soon(self._feed, invocation, input)
        return invocation

    async def _feed(self, invocation: Invocation, input: Input) -> None:
        def send(event: e.Event) -> bool:
            if self._pool.phase(invocation.id) is not PipelinePhase.READING:
                return False
            self._pool.send(event)
            return True

        async def wait_for_room() -> None:
            await self._wait_for_room(invocation.id)

        try:
            await feed(input, invocation.id, send, wait_for_room)
        except Exception as error:
            self.fail(invocation, error)

    # -- called by invocations

    def stop_command(self, invocation: Invocation) -> None:
        if self._pool.phase(invocation.id) in _RUNNING:
            self._pool.send(e.StopPipeline(pipeline_id=invocation.id))
            self.host_calls.withdraw(invocation.id)
            self._flush()

    def close_command(self, invocation: Invocation) -> None:
        if not invocation.ended:
            self.host_calls.withdraw(invocation.id)
            stopped = errors.PipelineStopped(computer=self.computer)
            invocation.end(e.InvocationState.STOPPED, stopped)
            self._close(invocation.id)

    def fail(self, invocation: Invocation, error: Exception) -> None:
        invocation.end(e.InvocationState.FAILED, error)
        self._close(invocation.id)

    def _close(self, command: UUID) -> None:
        self._running.pop(command, None)
        self.backpressure.output_taken(command)
        try:
            self._pool.send(e.ClosePipeline(pipeline_id=command))
        except LocalProtocolError:
            # The pipeline or the pool is already closing.
            return
        self._flush()

    async def wait_for(self, event: trio.Event) -> None:
        await self.backpressure.wait_for(event)

    def output_taken(self, command: UUID) -> None:
        self.backpressure.output_taken(command)

    def _too_much_unread(self, command: UUID | None) -> bool:
        limit = self.options.output_buffer
        if command is None:
            return any(self._unread(each) > limit for each in self._running.values())
        found = self._running.get(command)
        return found is not None and self._unread(found) > limit

    def _unread(self, command: _Command) -> int:
        return command.invocation.unread + self.host_calls.waiting(command.invocation.id)

    # -- called by the pool driver

    def receives(self, size: int, target: UUID | None) -> bool:
        """Count received bytes; False, after failing the command, if they exceed its limit."""
        limit = self.options.max_received_data_size_per_command
        command = self._running.get(target) if target is not None and limit is not None else None
        if command is None or limit is None:
            return True
        command.received += size
        if command.received <= limit:
            return True
        too_much = LimitExceeded("data of one command", command.received, limit)
        self.fail(command.invocation, self._job_failure(errors.describe(too_much)))
        return False

    def output_of(self, target: UUID) -> Callable[[Any], None]:
        """Return the function that takes the output of ``target``, object by object."""
        command = self._running.get(target)
        if command is None:
            return _drop
        add = command.invocation.add if command.show is None else partial(self._show, command)
        output = StreamKind.OUTPUT
        if not command.tag:
            return lambda value: add(output, value)
        computer, pool_id = self.computer, self._pool.id
        assert pool_id is not None
        return lambda value: add(output, tagged(value, computer, pool_id))

    def _show(self, command: _Command, kind: StreamKind, item: Any) -> None:
        show = command.show
        assert show is not None
        self.host_calls.run_in_order(command.invocation.id, lambda: show(kind, item))

    def accepted(self, target: UUID) -> None:
        """Note that the server has accepted a command."""
        command = self._running.get(target)
        if command is not None:
            command.accepted = True

    def is_handed_over(self, id: UUID) -> bool:
        """Return True if the server runs a command and nothing of its input is queued here."""
        command = self._running.get(id)
        reads = self._pool.phase(id) is PipelinePhase.READING
        return command is not None and command.accepted and not reads and not self._pool.pending(id)

    def act_failed(self, act: TransportAct, target: UUID, error: errors.PSRemotingError) -> None:
        """End a command because the server refused it or one of its steps."""
        command = self._running.get(target)
        if command is not None:
            if type(error) is not errors.OperationTimeout:
                failure = self._job_failure(error.message)
                failure.__cause__ = error.__cause__
                error = failure
            self.fail(command.invocation, error)
        elif act in (TransportAct.STOP_PIPELINE, TransportAct.CLOSE_PIPELINE):
            self._pool.act_failed(act, target)

    def ignored(self, event: e.Ignored, source: UUID | None) -> None:
        """Fail the command of a PIPELINE_STATE that names another pipeline than its packet:
        no other state will come. A state that is merely out of place ends nothing."""
        command = self._running.get(source) if source is not None else None
        elsewhere = event.pipeline_id != source
        if event.message_type == MessageType.PIPELINE_STATE and command is not None and elsewhere:
            reason = self._job_failure(f"PIPELINE_STATE: {event.reason}")
            self.fail(command.invocation, reason)

    def end_all(
        self, reason: Callable[[], Exception], state: e.InvocationState | None = None
    ) -> None:
        """End every command without notifying the server, after the loss of the session."""
        running = list(self._running.values())
        self._running.clear()
        for command in running:
            self.host_calls.withdraw(command.invocation.id)
            error = reason()
            stopped = isinstance(error, errors.PipelineStopped)
            ended = e.InvocationState.STOPPED if stopped else e.InvocationState.FAILED
            command.invocation.end(state or ended, error)
            self.backpressure.output_taken(command.invocation.id)

    def _job_failure(self, text: str) -> errors.PSRemotingError:
        return errors.PSRemotingError(
            text,
            error_id=errors.JOB_FAILURE,
            category=ErrorCategory.OperationStopped,
            computer=self.computer,
        )

    # -- events

    def _record(self, event: Any) -> None:
        kind = RECORD_STREAMS[type(event)]
        command = self._running.get(event.pipeline_id)
        if command is not None:
            if command.show is not None:
                self._show(command, kind, event.record)
            else:
                command.invocation.add(kind, event.record)
        elif event.pipeline_id is None:
            self.streams.add(kind, event.record)

    def _pipeline_state(self, event: e.PipelineStateMessage) -> None:
        if event.state is e.InvocationState.RUNNING:
            return
        command = self._running.get(event.pipeline_id)
        if command is None:
            return
        invocation, state, record = command.invocation, event.state, event.error
        exits = event.pipeline_id in self._exiting
        self._exiting.discard(event.pipeline_id)

        def ended() -> None:
            invocation.end_with_state(state, record)
            if exits:
                self._on_exit()

        self.host_calls.end(event.pipeline_id, ended)
        self._close(event.pipeline_id)

    def _stopped(self, event: e.StopPipeline) -> None:
        """Process a completed stop; the PIPELINE_STATE may have been lost."""
        if event.pipeline_id in self._running:
            stopped = e.InvocationState.STOPPED
            self._pipeline_state(
                e.PipelineStateMessage(pipeline_id=event.pipeline_id, state=stopped)
            )

    def _host_call(self, event: HostCall) -> None:
        command: _Command | None = None
        if isinstance(event, e.PipelineHostCall):
            command = self._running.get(event.pipeline_id)
            if command is None:
                return
        if event.method == HostMethodId.SetShouldExit and event.arguments:
            self.exit_code = event.arguments[0]
            if command is not None:
                command.invocation.exit_code = event.arguments[0]
                self._exiting.add(command.invocation.id)
        assert self.nursery is not None
        host = self.host if command is None else command.host
        self.host_calls.add(event, host, self.nursery)

    def _fault(self, event: e.Fault) -> None:
        """End a command after a protocol violation by the server."""
        command = self._running.get(event.pipeline_id) if event.pipeline_id is not None else None
        if command is not None:
            failure = self._job_failure(errors.describe(event.error))
            failure.__cause__ = event.error
            self.fail(command.invocation, failure)
