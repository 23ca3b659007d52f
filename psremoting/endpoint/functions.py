"""The functions engine: Python callables as the commands of a no-language endpoint.

    engine = FunctionsEngine({"Get-Weather": get_weather})

The server's side of PSRP is `psrp.Pool`; this module reacts to its events. What runs is
`psremoting.endpoint.pipeline`. A session answers the opening of its pool before its ``run``, and
so before trio and all that runs commands is loaded: see `psremoting.endpoint.opening`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting.endpoint.catalog import Catalog
from psremoting.endpoint.identity import application_private_data
from psrp import events as e
from psrp.channels import ANY_TARGET, AnyTarget
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.records import ErrorCategory, ErrorRecord
from psrp.sansio import (
    LocalProtocolError,
    Outgoing,
    RemoteProtocolError,
    Side,
    TransportAct,
)
from psrp.states import PoolState

if TYPE_CHECKING:
    import trio

    from psremoting.endpoint.engine import Link
    from psremoting.endpoint.interfaces import RunningPipeline
    from psremoting.endpoint.pipeline import Pipeline
    from psremoting.endpoint.runspaces import Runspaces
    from psremoting.endpoint.sender import Sender
    from psremoting.endpoint.transcripts import Transcript

__all__ = ["OPENING", "FunctionsEngine", "FunctionsSession"]

_GRACE = 10.0
"""Seconds for a stopped command to clean up before it is reported as stopped."""
OPENING = (PoolState.BEFORE_OPEN, PoolState.NEGOTIATION_SUCCEEDED, PoolState.OPENING)
_SILENT = (*OPENING, PoolState.CLOSED, PoolState.BROKEN)
_CONFIRMED = {
    TransportAct.STOP_PIPELINE: e.StopPipeline,
    TransportAct.CLOSE_PIPELINE: e.ClosePipeline,
}


def _nothing(_: object) -> None:
    return


class FunctionsEngine:
    """Engine with ``functions`` (PowerShell name to callable) and the commands that a constrained
    endpoint needs. ``built_in`` replaces those; without Out-Default and Exit-PSSession real
    clients refuse to enter. ``protocol_version`` is the highest one spoken. ``max_pipelines``
    bounds what one client can have open, ``max_threads`` the threads of plain functions over all
    clients. ``restrict`` makes the catalog that clients see from that of all commands;
    ``transcribe`` begins the transcript of a session, or raises OSError. Raises TypeError for what
    cannot be a command.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        *,
        built_in: Mapping[str, Callable[..., Any]] | None = None,
        protocol_version: str = "2.3",
        max_pipelines: int = 256,
        max_threads: int = 64,
        grace: float = _GRACE,
        new_key: Callable[[], bytes] = lambda: os.urandom(32),
        refusal: str = "",
        restrict: Callable[[Catalog], Catalog] | None = None,
        transcribe: Callable[[Sender], Transcript] | None = None,
    ) -> None:
        self.refusal = refusal
        """The reason sent to clients if no session can be opened; empty in a working endpoint."""
        self._own = Catalog.of(functions)
        self._built_in = None if built_in is None else Catalog.of(built_in, built_in=True)
        self.protocol_version = protocol_version
        self.max_pipelines = max_pipelines
        self.max_threads = max_threads
        self.grace = grace
        self.new_key = new_key
        self._restrict = restrict
        self.transcribe = transcribe

    @cached_property
    def catalog(self) -> Catalog:
        """The commands of clients; a function replaces a built-in command of the same name."""
        built_in = self._built_in
        if built_in is None:
            from psremoting.endpoint.builtin import BUILT_IN

            built_in = BUILT_IN
        everything = built_in | self._own
        return everything if self._restrict is None else self._restrict(everything)

    @cached_property
    def threads(self) -> trio.CapacityLimiter:
        from trio import CapacityLimiter

        return CapacityLimiter(self.max_threads)

    def prepare(self) -> None:
        """Import the modules that the first pipeline needs."""

        _ = self.catalog

    def open(self, link: Link) -> FunctionsSession:
        return FunctionsSession(self, link)


class FunctionsSession:
    """One client's runspace pool. It is an `psremoting.endpoint.engine.Session`."""

    def __init__(self, engine: FunctionsEngine, link: Link) -> None:
        self.engine = engine
        self.pool = Pool(
            Side.SERVER,
            session_key=engine.new_key,
            version=engine.protocol_version,
            max_pipelines=engine.max_pipelines,
        )
        self.host = HostInfo.null(use_runspace_host=False)
        self.sender = link.sender
        self.transcript: Transcript | None = None
        self._link = link
        self._pipelines: dict[UUID, Pipeline] = {}
        self._owed: dict[UUID, list[type[e.StopPipeline] | type[e.ClosePipeline]]] = {}
        self._acts: list[Outgoing] = []
        self._nursery: trio.Nursery | None = None
        self._early: list[e.PipelineEvent] = []
        """Pipeline input that arrived before ``run`` began."""
        self._max_runspaces = 1
        self._history_id = 0
        self._closing = False
        self._over = False
        self._reactions: dict[type[e.Event], Callable[[Any], None]] = {
            e.InitRunspacePool: self._open,
            e.CreatePipeline: self._start,
            e.GetCommandMetadata: self._start,
            e.PipelineInput: self._feed,
            e.EndOfPipelineInput: self._end_input,
            e.PipelineHostResponse: self._answer,
            e.StopPipeline: self._stop,
            e.StopPowerShell: self._stop_unasked,
            e.ClosePipeline: self._close_pipeline,
            e.ConnectPipeline: self._echo,
            e.Disconnect: self._echo,
            e.Reconnect: self._echo,
            e.ConnectRunspacePool: self._connected,
            e.SetMaxRunspaces: self._resize,
            e.ResetRunspaceState: self._reset,
            e.ClosePool: self._close,
            e.Fault: self._fault,
        }

    @cached_property
    def runspaces(self) -> Runspaces:
        from psremoting.endpoint.runspaces import Runspaces

        return Runspaces(self._max_runspaces)

    # -- the carrier's side

    async def run(self, *, task_status: trio.TaskStatus[None] | None = None) -> None:
        try:
            await self._run(task_status)
        finally:
            if self.transcript is not None:
                self.transcript.close()

    async def _run(self, task_status: trio.TaskStatus[None] | None) -> None:
        import trio

        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if task_status is not None:
                task_status.started()
            if self._over:
                nursery.cancel_scope.cancel()
            for event in self._early:
                self._reactions.get(type(event), _nothing)(event)
            self._early.clear()
            await trio.sleep_forever()
        self._nursery = None

    def receive(self, item: Outgoing) -> None:
        if item.data:
            try:
                self.pool.receive_data(item.data, item.target, item.stream)
            except RemoteProtocolError as error:
                self._link.report(f"Remote transport error: {error}")
            pipeline = None if item.target is None else self._pipelines.get(item.target)
            if pipeline is not None:
                pipeline.count_input(len(item.data))
        if item.act is not None:
            self._receive_act(item.act, item.target)
        self._react()

    def _receive_act(self, act: TransportAct, target: UUID | None) -> None:
        if target is not None and act in _CONFIRMED and self.pool.phase(target) is None:
            # The machine does not know the target, and the client waits for an answer.
            self._acts.append(Outgoing(target=target, act=act))
            return
        self.pool.receive_act(act, target)

    def _react(self) -> None:
        while (event := self.pool.next_event()) is not None:
            reaction = self._reactions.get(type(event))
            if self._nursery is None and isinstance(event, e.PipelineEvent):
                self._early.append(event)
            elif reaction is not None:
                reaction(event)
            elif isinstance(event, e.Ignored) and not event.message_type and event.pipeline_id:
                # A stop of a pipeline that never began: an act has no message type.
                self._acts.append(
                    Outgoing(target=event.pipeline_id, act=TransportAct.STOP_PIPELINE)
                )
        if self.pool.state in (PoolState.CLOSED, PoolState.BROKEN) and not self._closing:
            self._stop_all()

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        out = self.pool.data_to_send(room, target)
        if out is None:
            return self._next_act(target)
        if out.target is not None:
            pipeline = self._pipelines.get(out.target)
            if pipeline is not None:
                pipeline.moved()
        return out

    def _next_act(self, target: UUID | AnyTarget | None) -> Outgoing | None:
        for act in self._acts:
            if target is ANY_TARGET or act.target == target:
                self._acts.remove(act)
                return act
        return None

    def pending(self, target: UUID | None) -> int:
        return self.pool.pending(target)

    def takes_more(self, target: UUID | None) -> bool:
        pipeline = None if target is None else self._pipelines.get(target)
        return pipeline is None or pipeline.takes_more

    def client_gone(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._nursery is None:
            self._over = True
        else:
            self._nursery.start_soon(self._end_of_pool, False)

    # -- what pipelines need

    def say(self, event: e.Event) -> None:
        """Send a message. Raises LocalProtocolError."""
        self.pool.send(event)
        self._link.wake()

    def wake(self) -> None:
        self._link.wake()

    def history_id(self, *, counts: bool) -> int:
        """Return the number of a line that runs now; only a line that ``counts`` increases it."""
        self._history_id += counts
        return self._history_id + (not counts)

    def pipeline_ended(self, pipeline: RunningPipeline) -> None:
        """Acknowledge the stops and the close that waited for the end of the pipeline."""
        for kind in self._owed.pop(pipeline.id, ()):
            self._confirm(kind, pipeline.id)
        self._link.wake()

    def _confirm(self, kind: type[e.StopPipeline] | type[e.ClosePipeline], id: UUID) -> None:
        if kind is e.ClosePipeline:
            self._pipelines.pop(id, None)
        try:
            self.pool.send(kind(pipeline_id=id))
        except LocalProtocolError:
            act = (
                TransportAct.STOP_PIPELINE
                if kind is e.StopPipeline
                else TransportAct.CLOSE_PIPELINE
            )
            self._acts.append(Outgoing(target=id, act=act))
        self._link.wake()

    # -- reactions

    def _open(self, event: e.InitRunspacePool) -> None:
        if self.engine.refusal:
            self._refuse(self.engine.refusal)
            return
        if self.engine.transcribe is not None:
            try:
                self.transcript = self.engine.transcribe(self.sender)
            except OSError as error:
                self._refuse(f"The transcript of the session cannot be written: {error.strerror}.")
                return
        self.host = event.host_info
        self._allow(event.max_runspaces)
        data = application_private_data(self.pool.version or self.pool.own_version)
        self.say(e.ApplicationPrivateData(data=data))
        self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def _refuse(self, why: str) -> None:
        """Report a pool that cannot open; the client shows the reason."""
        record = ErrorRecord.create(
            why,
            error_id="EndpointNotStarted",
            category=ErrorCategory.OpenError,
            exception_type="System.Management.Automation.PSInvalidOperationException",
        )
        self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.BROKEN, error=record))

    def _allow(self, runspaces: int) -> None:
        self._max_runspaces = runspaces
        if self._nursery is not None:
            self.runspaces.resize(runspaces)

    def _connected(self, event: e.ConnectRunspacePool) -> None:
        data = application_private_data(self.pool.version or self.pool.own_version)
        self.say(e.ApplicationPrivateData(data=data))
        # Windows sends this, and some clients wait for it.
        self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def _start(self, event: e.CreatePipeline | e.GetCommandMetadata) -> None:
        if self._nursery is None or self._closing:
            return
        from psremoting.endpoint.pipeline import Pipeline

        pipeline = Pipeline(self, event)
        self._pipelines[pipeline.id] = pipeline
        self._nursery.start_soon(pipeline.run)

    def _feed(self, event: e.PipelineInput) -> None:
        if (pipeline := self._pipelines.get(event.pipeline_id)) is not None:
            pipeline.feed(event.data)

    def _end_input(self, event: e.EndOfPipelineInput) -> None:
        if (pipeline := self._pipelines.get(event.pipeline_id)) is not None:
            pipeline.end_input()

    def _answer(self, event: e.PipelineHostResponse) -> None:
        if (pipeline := self._pipelines.get(event.pipeline_id)) is not None:
            pipeline.answered(event)

    def _stop(self, event: e.StopPipeline) -> None:
        self._end_pipeline(event.pipeline_id, e.StopPipeline)

    def _close_pipeline(self, event: e.ClosePipeline) -> None:
        self._end_pipeline(event.pipeline_id, e.ClosePipeline)

    def _stop_unasked(self, event: e.StopPowerShell) -> None:
        self._end_pipeline(event.pipeline_id, None)

    def _end_pipeline(
        self, id: UUID, kind: type[e.StopPipeline] | type[e.ClosePipeline] | None
    ) -> None:
        pipeline = self._pipelines.get(id)
        if pipeline is None or pipeline.ended:
            if kind is not None:
                self._confirm(kind, id)
            return
        if kind is not None:
            self._owed.setdefault(id, []).append(kind)
        pipeline.stop()
        if self._nursery is not None:
            self._nursery.start_soon(self._see_it_stop, pipeline)

    async def _see_it_stop(self, pipeline: Pipeline) -> None:
        """Report a command as stopped if it does not end after a stop in time."""
        from trio import move_on_after

        with move_on_after(self.engine.grace):
            await pipeline.finished.wait()
        pipeline.finish(e.InvocationState.STOPPED)

    def _echo(self, event: e.Event) -> None:
        self.say(event)

    def _resize(self, event: e.SetMaxRunspaces) -> None:
        self._allow(event.count)

    def _reset(self, event: e.ResetRunspaceState) -> None:
        self._history_id = 0
        self.say(e.RunspaceAvailability(call_id=event.call_id, answer=True))

    def _fault(self, event: e.Fault) -> None:
        if event.answered:
            return
        text = f"Remote transport error: {event.error}"
        self._link.report(text)
        if event.pipeline_id is not None and event.pipeline_id not in self._pipelines:
            self._link.act_failed(TransportAct.CREATE_PIPELINE, event.pipeline_id, text)

    # -- the end

    def _stop_all(self) -> None:
        for pipeline in list(self._pipelines.values()):
            if not pipeline.ended:
                pipeline.stop(pool_closes=True)

    def _close(self, event: e.ClosePool) -> None:
        self._closing = True
        if any(not each.ended for each in self._pipelines.values()) and self._nursery is not None:
            self._nursery.start_soon(self._end_of_pool, True)
            return
        self._say_state(e.RunspaceState.CLOSING)
        self._closed(True)

    async def _end_of_pool(self, confirm: bool) -> None:
        from trio import move_on_after

        self._say_state(e.RunspaceState.CLOSING)
        self._stop_all()
        with move_on_after(self.engine.grace):
            for pipeline in list(self._pipelines.values()):
                await pipeline.finished.wait()
        for pipeline in list(self._pipelines.values()):
            pipeline.finish(e.InvocationState.STOPPED)
        self._closed(confirm)

    def _closed(self, confirm: bool) -> None:
        self._say_state(e.RunspaceState.CLOSED)
        if confirm:
            self.say(e.ClosePool())
        self._over = True
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        self._link.wake()

    def _say_state(self, state: e.RunspaceState) -> None:
        # A pool that was never opened, is broken or is closed reports no state.
        if self.pool.state not in _SILENT:
            self.say(e.RunspacePoolStateMessage(state=state))
