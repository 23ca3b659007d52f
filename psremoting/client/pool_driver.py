"""Between a runspace pool and its carrier: who is told what, and what happens next.

`psrp.Pool` is the only truth about what may happen. All calls into it are plain calls between
two awaits, so that it is never seen half changed. The tasks behind this class never raise: the
first error is stored, every command ends with it, and whoever waits is woken and finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import trio

from psremoting import errors
from psremoting.client.backpressure import Demand
from psremoting.client.host_calls import HostCall, HostCalls
from psremoting.client.hosts import Host
from psremoting.client.invocation import Invocation, OnRecord
from psremoting.client.pipeline_input import Input, feed, new_private_key
from psremoting.client.streams import RECORD_STREAMS, StreamKind, Streams, tagged
from psremoting.options import SessionOption
from psrp import events as e
from psrp.fragments import DEFAULT_MAX_MESSAGE
from psrp.host import HostMethodId
from psrp.messages import MessageType
from psrp.pool import Pool
from psrp.records import ErrorCategory
from psrp.sansio import (
    LimitExceeded,
    LocalProtocolError,
    MessageError,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import PipelinePhase, PoolState

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier
    from psremoting.errors import PSRemotingTransportError

__all__ = ["PoolDriver"]

_RUNNING = (PipelinePhase.READING, PipelinePhase.RUNNING)
_NOTICES_KEPT = 200
_STATES = {
    PoolState.BEFORE_OPEN: "BeforeOpen",
    PoolState.OPENED: "Opened",
    PoolState.CLOSING: "Closing",
    PoolState.CLOSED: "Closed",
    PoolState.BROKEN: "Broken",
}


class _Running:
    """What the driver knows of a command beside its handle."""

    __slots__ = ("host", "invocation", "received", "tag")

    def __init__(self, invocation: Invocation, host: Host, tag: bool) -> None:
        self.invocation = invocation
        self.host = host
        self.tag = tag
        self.received = 0


class PoolDriver:
    """Drives one pool over one carrier; it is the carrier's `Receiver`."""

    exit_code: int | None = None
    _source: UUID | None = None
    """The pipeline whose packet is being dealt with."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        options: SessionOption,
        host: Host,
        version: str,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self.id = uuid4()
        self.carrier = carrier
        self.computer = carrier.computer
        self.options = options
        self.host = host
        self.error: PSRemotingTransportError | None = None
        self.notices: list[str] = []
        self.streams = Streams()
        self.pool = Pool(
            Side.CLIENT,
            id=self.id,
            version=version,
            private_key=new_private_key,
            max_message=options.max_received_object_size or DEFAULT_MAX_MESSAGE,
        )
        self.opened = trio.Event()
        """The pool is open, or never will be."""
        self.closed = trio.Event()
        """Nothing more will come."""
        self.nursery: trio.Nursery | None = None
        self.on_user_event: Callable[[e.UserEvent], None] = lambda _: None
        self._on_notice = on_notice
        self._running: dict[UUID, _Running] = {}
        self._answers: dict[int, tuple[trio.Event, list[Any]]] = {}
        self._calls = HostCalls(self.pool, self.computer, self.flush)
        self._demand = Demand(self._holds_too_much)
        self._ready = trio.Event()
        self._carrying = trio.CancelScope()
        self._by_kind: dict[type[e.Event], Callable[[Any], None]] = {
            e.RunspacePoolStateMessage: self._pool_state,
            e.RunspaceAvailability: self._availability,
            e.PipelineStateMessage: self._pipeline_state,
            e.StopPipeline: self._stopped,
            e.PipelineHostCall: self._host_call,
            e.RunspacePoolHostCall: self._host_call,
            e.Fault: self._fault,
            e.Ignored: self._ignored,
            e.UserEvent: lambda event: self.on_user_event(event),
            **dict.fromkeys(RECORD_STREAMS, self._record),
        }

    @property
    def state(self) -> str:
        """The RunspaceState that PowerShell would show."""
        if self.error is not None:
            return "Broken"
        if self.closed.is_set():
            return "Closed"
        return _STATES.get(self.pool.state, "Opening")

    @property
    def running(self) -> int:
        """How many commands have not ended."""
        return len(self._running)

    # -- what the session wants

    def start_carrying(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        nursery.start_soon(self._carry)

    async def _carry(self) -> None:
        with self._carrying:
            try:
                await self.carrier.run(self)
            except Exception as error:
                # A mistake of ours in a carrier must not take the user's tasks along.
                self.lost(errors.protocol_broken(self.computer, error))

    async def release(self, *, gently: bool) -> None:
        """Nothing is left of the transport behind this, whatever is cancelled."""
        self._carrying.cancel()
        self._over()
        await self.carrier.aclose(gently=gently)

    def start(
        self,
        event: e.CreatePipeline | e.GetCommandMetadata,
        *,
        input: Input | None = None,
        host: Host | None = None,
        on_record: OnRecord | None = None,
        tag: bool = False,
    ) -> Invocation:
        """Send a command on its way. Raises LocalProtocolError for what cannot be sent."""
        self.pool.send(event)
        invocation = Invocation(self, event.pipeline_id, on_record)
        self._running[invocation.id] = _Running(invocation, host or self.host, tag)
        self.flush()
        if input is not None:
            assert self.nursery is not None
            self.nursery.start_soon(self._feed, invocation, input)
        return invocation

    async def _feed(self, invocation: Invocation, input: Input) -> None:
        def send(event: e.Event) -> bool:
            if self.pool.pipelines.get(invocation.id) is not PipelinePhase.READING:
                return False
            self.pool.send(event)
            return True

        try:
            await feed(input, invocation.id, send, self.room)
        except Exception as error:
            self.fail(invocation, error)

    def stop_pipeline(self, invocation: Invocation) -> None:
        """Ask for the stop of a command, if it runs."""
        if self.pool.pipelines.get(invocation.id) in _RUNNING:
            self.pool.send(e.StopPipeline(pipeline_id=invocation.id))
            self._calls.withdraw(invocation.id)
            self.flush()

    def close_pipeline(self, invocation: Invocation) -> None:
        """Give a command up, if it has not ended."""
        if not invocation.ended:
            self._calls.withdraw(invocation.id)
            stopped = errors.PipelineStopped(computer=self.computer)
            invocation.end(e.InvocationState.STOPPED, stopped)
            self._forget(invocation.id)

    def fail(self, invocation: Invocation, error: Exception) -> None:
        """End a command with an error of this side, and give it up over there."""
        invocation.end(e.InvocationState.FAILED, error)
        self._forget(invocation.id)

    def _forget(self, pipeline_id: UUID) -> None:
        self._running.pop(pipeline_id, None)
        try:
            self.pool.send(e.ClosePipeline(pipeline_id=pipeline_id))
        except LocalProtocolError:
            # It is closing already, or the whole pool is.
            return
        self.flush()

    async def ask(self, kind: Callable[..., e.Event], **fields: int) -> Any:
        """One question about the pool; None when no answer came in time or ever will."""
        call_id = self.pool.new_call_id()
        self.pool.send(kind(call_id=call_id, **fields))
        come = trio.Event()
        answer: list[Any] = []
        self._answers[call_id] = come, answer
        self.flush()
        try:
            with trio.move_on_after(self.options.operation_timeout):
                await self.until(come)
        finally:
            del self._answers[call_id]
        return answer[0] if answer else None

    def flush(self) -> None:
        """Hand the carrier what it takes now."""
        while self.carrier.ready:
            out = self.pool.data_to_send(self.carrier.fragment_size)
            if out is None:
                return
            self.carrier.send(out)

    async def room(self) -> None:
        """Wait until the carrier takes more."""
        self.flush()
        while not (self.carrier.ready or self.closed.is_set()):
            self._ready = trio.Event()
            await self.until(self._ready)
        await trio.lowlevel.checkpoint()

    async def until(self, event: trio.Event) -> None:
        """Wait for something that the server will say, or the end of the session."""
        await self._demand.until(event)

    def taken(self) -> None:
        self._demand.taken()

    def _holds_too_much(self) -> bool:
        limit = self.options.output_buffer
        return any(known.invocation.waiting > limit for known in self._running.values())

    # -- what the carrier tells

    async def demand(self) -> None:
        await self._demand.wanted()

    def ready_again(self) -> None:
        self._ready.set()
        self.flush()

    def received(self, data: bytes, target: UUID | None, stream: Stream) -> None:
        known = self._running.get(target) if target is not None else None
        limit = self.options.max_received_data_size_per_command
        if known is not None and limit is not None:
            known.received += len(data)
            if known.received > limit:
                too_much = LimitExceeded("data of one command", known.received, limit)
                self.fail(known.invocation, self._job_failure(errors.in_words(too_much)))
                return
        self._source = target
        try:
            self.pool.receive_data(data, target, stream)
        except RemoteProtocolError as error:
            self.broken(errors.protocol_broken(self.computer, error))
            return
        self._deal_with_events()

    def acted(self, act: TransportAct, target: UUID | None) -> None:
        self.pool.receive_act(act, target)
        self._deal_with_events()
        if act is TransportAct.CLOSE_POOL:
            self._over()

    def noticed(self, text: str) -> None:
        self.notices = [*self.notices, text][-_NOTICES_KEPT:]
        if self._on_notice is not None:
            try:
                self._on_notice(text)
            except Exception:
                # It runs in the reader, which must live; who cannot take a line gets no more.
                self._on_notice = None

    def refused(self, text: str) -> None:
        """No PIPELINE_STATE will come for a command whose birth the server could not read, and no
        Opened for a pool of which it could not."""
        if not self.opened.is_set():
            self.broken(errors.process_reported(self.computer, text))
            return
        unheard = [known for known in self._running.values() if not known.invocation.heard]
        if unheard:
            self.fail(unheard[-1].invocation, self._job_failure(text))
        else:
            self.noticed(text)

    def unanswered(self, target: UUID, seconds: float) -> None:
        known = self._running.get(target)
        if known is not None:
            text = f"The server did not take the command up within {seconds:g} seconds."
            late = errors.OperationTimeout(text, computer=self.computer)
            self.fail(known.invocation, late)

    def lost(self, error: PSRemotingTransportError | None) -> None:
        if error is not None and not self.closed.is_set():
            self.broken(error)
        self._over()

    def broken(self, error: PSRemotingTransportError) -> None:
        """The session cannot be used any more; every command ends with the reason."""
        if self.error is None:
            error.notices = tuple(self.notices)
            self.error = error
        self.pool.send_failed()
        self._end_all(lambda: error.told_by(errors.JOB_FAILURE))
        self._over()
        self._carrying.cancel()

    def _over(self) -> None:
        self._end_all(lambda: errors.PipelineStopped(computer=self.computer))
        self.opened.set()
        self.closed.set()
        self._ready.set()
        for come, _ in self._answers.values():
            come.set()

    def _end_all(self, reason: Callable[[], Exception]) -> None:
        running = list(self._running.values())
        self._running.clear()
        for known in running:
            self._calls.withdraw(known.invocation.id)
            error = reason()
            stopped = isinstance(error, errors.PipelineStopped)
            state = e.InvocationState.STOPPED if stopped else e.InvocationState.FAILED
            known.invocation.end(state, error)

    def _job_failure(self, text: str) -> errors.PSRemotingError:
        return errors.PSRemotingError(
            text,
            error_id=errors.JOB_FAILURE,
            category=ErrorCategory.OperationStopped,
            computer=self.computer,
        )

    # -- what the pool says

    def _deal_with_events(self) -> None:
        running = self._running
        output = StreamKind.OUTPUT
        known: _Running | None = None
        last: UUID | None = None
        try:
            while (event := self.pool.next_event()) is not None:
                kind = type(event)
                if kind is e.PipelineOutput:
                    if event.pipeline_id is not last:  # type: ignore[attr-defined]
                        last = event.pipeline_id  # type: ignore[attr-defined]
                        known = running.get(last)
                    if known is not None:
                        value = event.data  # type: ignore[attr-defined]
                        if known.tag:
                            value = tagged(value, self.computer, self.id)
                        known.invocation.take_in(output, value)
                    continue
                deal = self._by_kind.get(kind)
                if deal is not None:
                    deal(event)
        except RemoteProtocolError as error:
            self.broken(self._why_broken(error))
        self.flush()

    def _why_broken(self, error: RemoteProtocolError) -> PSRemotingTransportError:
        if isinstance(error, MessageError) and error.message == "SESSION_CAPABILITY":
            return errors.negotiation_failed(self.computer, error, self.pool.own_version)
        if isinstance(error, UnexpectedMessage) and not self.opened.is_set():
            why = f"{error.got} while {error.state}"
            return errors.opening_failed(self.computer, "Broken", why)
        return errors.protocol_broken(self.computer, error)

    def _pool_state(self, event: e.RunspacePoolStateMessage) -> None:
        if event.state is e.RunspaceState.OPENED:
            self.opened.set()
            return
        if event.state is e.RunspaceState.BROKEN or not self.opened.is_set():
            failed = errors.opening_failed(self.computer, event.state.name.title())
            if event.error is not None:
                text = event.error.message
                failed = errors.PSRemotingTransportError(text, computer=self.computer)
            self.broken(failed)

    def _availability(self, event: e.RunspaceAvailability) -> None:
        waiting = self._answers.get(event.call_id)
        if waiting is not None:
            waiting[1].append(event.answer)
            waiting[0].set()

    def _record(self, event: Any) -> None:
        kind = RECORD_STREAMS[type(event)]
        known = self._running.get(event.pipeline_id)
        if known is not None:
            known.invocation.take_in(kind, event.record)
        elif event.pipeline_id is None:
            self.streams.add(kind, event.record)

    def _pipeline_state(self, event: e.PipelineStateMessage) -> None:
        if event.state is e.InvocationState.RUNNING:
            return
        known = self._running.get(event.pipeline_id)
        if known is None:
            return
        known.invocation.heard = True
        state, record = event.state, event.error
        self._calls.end(event.pipeline_id, lambda: known.invocation.end_as_told(state, record))
        self._forget(event.pipeline_id)

    def _stopped(self, event: e.StopPipeline) -> None:
        """The stop was carried out, and PIPELINE_STATE may have been lost."""
        known = self._running.get(event.pipeline_id)
        if known is not None:
            stopped = e.InvocationState.STOPPED
            self._pipeline_state(
                e.PipelineStateMessage(pipeline_id=event.pipeline_id, state=stopped)
            )

    def _host_call(self, event: HostCall) -> None:
        known: _Running | None = None
        if isinstance(event, e.PipelineHostCall):
            known = self._running.get(event.pipeline_id)
            if known is None:
                return
            known.invocation.heard = True
        if event.method == HostMethodId.SetShouldExit and event.arguments:
            self.exit_code = event.arguments[0]
            if known is not None:
                known.invocation.exit_code = event.arguments[0]
        assert self.nursery is not None
        host = self.host if known is None else known.host
        self._calls.add(event, host, self.nursery)

    def _ignored(self, event: e.Ignored) -> None:
        """What came under another name, and would be waited for for ever."""
        kind, why = event.message_type, event.reason
        known = self._running.get(self._source) if self._source is not None else None
        # A state under its own name that means nothing now (Stopping, say) is no end.
        elsewhere = event.pipeline_id != self._source
        if kind == MessageType.PIPELINE_STATE and known is not None and elsewhere:
            self.fail(known.invocation, self._job_failure(f"PIPELINE_STATE: {why}"))
        elif kind == MessageType.RUNSPACEPOOL_STATE and not self.opened.is_set():
            self.broken(errors.opening_failed(self.computer, "Broken", why))

    def _fault(self, event: e.Fault) -> None:
        """The server broke a rule at the cost of one command."""
        known = self._running.get(event.pipeline_id) if event.pipeline_id is not None else None
        if known is not None:
            failure = self._job_failure(errors.in_words(event.error))
            failure.__cause__ = event.error
            self.fail(known.invocation, failure)
