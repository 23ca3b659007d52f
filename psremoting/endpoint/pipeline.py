"""One pipeline of a client.

It waits for a free runspace, runs its statements, and reports exactly one terminal state. Output
that is not fetched makes its commands wait; input that no command reads makes its client wait.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from uuid import UUID

import trio

from psremoting.endpoint.discovery import metadata_of
from psremoting.endpoint.error_records import (
    CommandError,
    RecordError,
    record_of,
    unextended,
)
from psremoting.endpoint.stages import run_statement
from psremoting.errors import stopped_record
from psrp import events as e
from psrp.host import VOID_CALL_ID, HostInfo, HostMethodId, is_void
from psrp.records import ErrorCategory, ErrorRecord
from psrp.sansio import LocalProtocolError
from psrp.states import PipelinePhase

if TYPE_CHECKING:
    from psremoting.endpoint.catalog import EndpointCommand
    from psremoting.endpoint.interfaces import OpenSession

__all__ = ["Pipeline"]

_UNSENT = 256 << 10
"""Limit of queued output bytes at which commands wait."""
_UNREAD = 1 << 20
"""Limit of queued input bytes at which the client waits."""
_UNREAD_MOST = 64 << 20
"""Limit of queued input bytes at which the pipeline fails, for clients that do not wait."""
_CHECKPOINT_EVERY = 64
_HOST_MISSING = (
    "A command that prompts the user failed because the host program or the command type does "
    "not support user interaction. Try a host program that supports user interaction, such as "
    "the PowerShell Console, and remove prompt-related commands from command types that do not "
    "support user interaction."
)
_OVER = (e.InvocationState.COMPLETED, e.InvocationState.FAILED, e.InvocationState.STOPPED)


class Pipeline:
    """A pipeline of a CREATE_PIPELINE or GET_COMMAND_METADATA message."""

    def __init__(
        self, session: OpenSession, event: e.CreatePipeline | e.GetCommandMetadata
    ) -> None:
        self.session = session
        self.id: UUID = event.pipeline_id
        self.event = event
        self.ended = False
        self.finished = trio.Event()
        self.history_id = 0
        nested = isinstance(event, e.CreatePipeline) and event.is_nested
        self._turn = None if nested else session.runspaces.ask()
        self._scope = trio.CancelScope()
        self._running = False
        self._stopping = False
        self._pool_closes = False
        self._answers: dict[int, trio.MemorySendChannel[e.PipelineHostResponse]] = {}
        self._input: deque[Any] = deque()
        self._input_bytes = 0
        self._input_ended = isinstance(event, e.GetCommandMetadata) or event.no_input
        self.has_input = not self._input_ended
        self._more_input = trio.Event()
        self._room = trio.Event()
        self._said = 0
        info = None if isinstance(event, e.GetCommandMetadata) else event.host_info
        runspace_host = info is None or info.use_runspace_host
        self.host: HostInfo = session.host if runspace_host or info is None else info

    @property
    def has_host(self) -> bool:
        return not (self.host.is_host_null or self.host.is_host_ui_null)

    def adds_invocation(self, option: int) -> bool:
        """Return True if records carry their InvocationInfo. [MS-PSRP] 2.2.3.8"""
        return isinstance(self.event, e.CreatePipeline) and bool(
            self.event.remote_stream_options & option
        )

    def find(self, name: str) -> EndpointCommand:
        """Return a command. Raises CommandError."""
        return self.session.engine.catalog.get(name)

    # -- life

    async def run(self) -> None:
        """Run to the end. Never raises."""
        state, record = e.InvocationState.COMPLETED, None
        with self._scope:
            try:
                await self._run_in_turn()
            except RecordError as error:
                state, record = e.InvocationState.FAILED, error.record
            except Exception as error:
                state, record = e.InvocationState.FAILED, record_of(error, "")
        if self._scope.cancelled_caught or self._stopping:
            waited = self._pool_closes and not self._running
            state = e.InvocationState.FAILED if waited else e.InvocationState.STOPPED
            record = stopped_record()
        self.finish(state, record)
        if self._turn is not None:
            self.session.runspaces.give_back(self._turn)

    async def _run_in_turn(self) -> None:
        if self._turn is not None:
            await self._turn.wait()
        self._running = True
        await self._work()

    async def _work(self) -> None:
        if isinstance(self.event, e.GetCommandMetadata):
            for item in metadata_of(self.session.engine.catalog, self.event):
                await self.output(item)
            return
        self.history_id = self.session.history_id(counts=self.event.add_to_history)
        statements = self.event.powershell.statements
        for at, statement in enumerate(statements):
            try:
                await run_statement(self, statement, takes_input=at == 0)
            except RecordError as error:
                # In a batch the other statements run; the failure of the last is the pipeline's.
                if error.fatal or at == len(statements) - 1:
                    raise
                await self.say(e.ErrorRecordMessage(pipeline_id=self.id, record=error.record))

    def stop(self, *, pool_closes: bool = False) -> None:
        """Stop the commands; the pipeline reports Stopped."""
        self._pool_closes = self._pool_closes or pool_closes
        self._stopping = True
        self._scope.cancel()

    def finish(self, state: e.InvocationState, record: ErrorRecord | None = None) -> None:
        """Report the terminal state, once."""
        if self.ended:
            return
        self.ended = True
        self._input.clear()
        self._answers.clear()
        record = None if record is None else unextended(record)
        event = e.PipelineStateMessage(pipeline_id=self.id, state=state, error=record)
        if self.session.transcript is not None:
            self.session.transcript.ended(self.id, event)
        try:
            self.session.say(event)
        except LocalProtocolError:
            # The error record cannot be written, or the client has disconnected.
            if self.session.pool.phase(self.id) not in (
                None,
                PipelinePhase.CLOSED,
                PipelinePhase.ENDED,
            ):
                self._finish_without_words(state)
        self.finished.set()
        self.session.pipeline_ended(self)

    def _finish_without_words(self, state: e.InvocationState) -> None:
        try:
            self.session.say(e.PipelineStateMessage(pipeline_id=self.id, state=state))
        except LocalProtocolError:
            return

    # -- output

    async def output(self, value: Any) -> None:
        """Send one PIPELINE_OUTPUT. Raises LocalProtocolError if CLIXML cannot represent it."""
        await self.say(e.PipelineOutput(pipeline_id=self.id, data=value))

    async def say(self, event: e.Event) -> None:
        """Send one message, and wait while too much output waits for the client."""
        if self.ended:
            await trio.lowlevel.checkpoint()
            return
        self.session.say(event)
        if self.session.transcript is not None:
            self.session.transcript.event(self.id, event)
        self._said += 1
        if self._pending > _UNSENT:
            while self._pending > _UNSENT and not self.ended:
                if self._room.is_set():
                    self._room = trio.Event()
                await self._room.wait()
        elif self._said % _CHECKPOINT_EVERY == 0:
            await trio.lowlevel.checkpoint()

    @property
    def _pending(self) -> int:
        return self.session.pool.pending(self.id)

    def moved(self) -> None:
        """Note that output was sent."""
        if self._pending <= _UNSENT // 2:
            self._room.set()

    # -- the host

    async def tell_host(self, method: HostMethodId, arguments: tuple[Any, ...]) -> None:
        """Call a host method without a result; do nothing without a host."""
        if self.has_host:
            await self.say(
                e.PipelineHostCall(
                    pipeline_id=self.id, call_id=VOID_CALL_ID, method=method, arguments=arguments
                )
            )

    async def call_host(self, method: HostMethodId, arguments: tuple[Any, ...]) -> Any:
        """Call a host method and wait for its result. Raises CommandError."""
        if is_void(method):
            await self.tell_host(method, arguments)
            return None
        if not self.has_host or self.ended:
            raise _host_error(_HOST_MISSING, "HostFunctionNotImplemented")
        call_id = self.session.pool.new_host_call_id(self.id)
        send, receive = trio.open_memory_channel[e.PipelineHostResponse](1)
        self._answers[call_id] = send
        try:
            await self.say(
                e.PipelineHostCall(
                    pipeline_id=self.id, call_id=call_id, method=method, arguments=arguments
                )
            )
            answer = await receive.receive()
        finally:
            self._answers.pop(call_id, None)
        if answer.error is not None:
            raise _host_error(answer.error.message, answer.error.fully_qualified_error_id)
        return answer.result

    def answered(self, event: e.PipelineHostResponse) -> None:
        waiting = self._answers.pop(event.call_id, None)
        if waiting is not None:
            waiting.send_nowait(event)

    # -- input

    def feed(self, value: Any) -> None:
        if not self.ended and not self._input_ended:
            self._input.append(value)
            self._more_input.set()

    def end_input(self) -> None:
        self._input_ended = True
        self._more_input.set()

    def count_input(self, size: int) -> None:
        """Count the bytes of input for this pipeline."""
        self._input_bytes = self._input_bytes + size if self._input else size
        if self._input_bytes > _UNREAD_MOST and self._input:
            self._scope.cancel()
            self.finish(e.InvocationState.FAILED, _too_much())

    @property
    def takes_more(self) -> bool:
        return self.ended or not self._input or self._input_bytes < _UNREAD

    async def next_input(self) -> list[Any]:
        """Return the input so far, at least one object; empty at the end."""
        while not self._input and not self._input_ended:
            self._more_input = trio.Event()
            await self._more_input.wait()
        await trio.lowlevel.checkpoint()
        batch = list(self._input)
        self._input.clear()
        self._input_bytes = 0
        self.session.wake()
        return batch


def _host_error(text: str, error_id: str) -> CommandError:
    return CommandError(
        text,
        error_id=error_id or "HostException",
        category=ErrorCategory.NotImplemented,
        exception_type="System.Management.Automation.Host.HostException",
        full_id=True,
    )


def _too_much() -> ErrorRecord:
    return ErrorRecord.create(
        "The input of the pipeline is larger than this endpoint keeps for a command that does "
        "not read it.",
        error_id="InputTooLarge",
        category=ErrorCategory.LimitsExceeded,
        exception_type="System.Management.Automation.PSInvalidOperationException",
    )
