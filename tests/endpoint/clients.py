"""A small client for tests: our client machines over a stream, driven step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric import rsa

from psremoting.endpoint.driver import serve_stream
from psremoting.endpoint.engine import Engine
from psrp import events as e
from psrp.commands import Command, PowerShell, command, script
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.sansio import Side
from psrp.states import PipelinePhase, PoolState
from sshsub.events import ActReceived, DataReceived, Ended, PeerError
from sshsub.subsystem import Subsystem

POOL_ID = UUID("11111111-2222-3333-4444-555555555555")
_OVER = (e.InvocationState.COMPLETED, e.InvocationState.FAILED, e.InvocationState.STOPPED)
_ENDED = (PipelinePhase.ENDED, PipelinePhase.READING, PipelinePhase.RUNNING)
Answer = Callable[[e.PipelineHostCall], Any]


@dataclass
class Result:
    """The outcome of one pipeline."""

    id: UUID
    events: list[e.Event] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)

    def of(self, *kinds: type[e.Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def output(self) -> list[Any]:
        return [event.data for event in self.of(e.PipelineOutput)]

    @property
    def errors(self) -> list[Any]:
        return [event.record for event in self.of(e.ErrorRecordMessage)]

    @property
    def lines(self) -> list[str]:
        """Return the texts of host calls in order."""
        return [call.arguments[-1] for call in self.of(e.PipelineHostCall) if call.arguments]

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        return [(int(each.method), *each.arguments) for each in self.of(e.PipelineHostCall)]

    @property
    def end(self) -> Any:
        (state,) = self.of(e.PipelineStateMessage)
        return state

    @property
    def state(self) -> str:
        return str(self.end.state.name)


class Client:
    """The client's two machines over one stream."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, **pool: Any) -> None:
        self.stream = stream
        self.link = Subsystem(Side.CLIENT)
        key = lambda: rsa.generate_private_key(65537, 2048)  # noqa: E731
        self.pool = Pool(Side.CLIENT, id=POOL_ID, private_key=key, **pool)
        self.results: dict[UUID, Result] = {}
        self.answer: Answer | None = None
        self.pool_events: list[e.Event] = []
        self.reports: list[str] = []
        self.ended = trio.Event()
        self.opened = trio.Event()
        self.closed = trio.Event()
        self._wake = trio.Event()

    def send(self, event: e.Event) -> None:
        self.pool.send(event)
        self._wake.set()

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            await self._read()
            nursery.cancel_scope.cancel()

    async def run_in(self, scope: trio.CancelScope) -> None:
        with scope:
            await self.run()

    async def _write(self) -> None:
        while True:
            while (out := self.pool.data_to_send(32768)) is not None:
                self.link.send(out)
            data = self.link.data_to_send()
            if data:
                with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
                    await self.stream.send_all(data)
                continue
            await self._wake.wait()
            self._wake = trio.Event()

    async def _read(self) -> None:
        while True:
            data = await self.stream.receive_some()
            self.link.receive_data(bytes(data))
            while (event := self.link.next_event()) is not None:
                if isinstance(event, DataReceived):
                    self.pool.receive_data(event.data, event.target, event.stream)
                elif isinstance(event, ActReceived):
                    self.pool.receive_act(event.act, event.target)
                elif isinstance(event, PeerError):
                    self.reports.append(event.text)
                elif isinstance(event, Ended):
                    self.ended.set()
                    return
                self._events()
            self._wake.set()
            if not data:
                self.ended.set()
                return

    def _events(self) -> None:
        while (event := self.pool.next_event()) is not None:
            id = getattr(event, "pipeline_id", None)
            if id is None:
                self._pool_event(event)
                continue
            result = self.results.get(id)
            if result is None:
                continue
            result.events.append(event)
            if isinstance(event, e.PipelineHostCall) and event.call_id != -100:
                if self.answer is not None:
                    self._respond(event)
            elif isinstance(event, e.PipelineStateMessage) and event.state in _OVER:
                if self.pool.state is PoolState.OPENED and self.pool.pipelines.get(id) in _ENDED:
                    self.pool.send(e.ClosePipeline(pipeline_id=id))
            elif isinstance(event, e.ClosePipeline):
                result.done.set()

    def _respond(self, event: e.PipelineHostCall) -> None:
        assert self.answer is not None
        self.pool.send(
            e.PipelineHostResponse(
                pipeline_id=event.pipeline_id,
                call_id=event.call_id,
                method=event.method,
                result=self.answer(event),
            )
        )

    def _pool_event(self, event: e.Event) -> None:
        self.pool_events.append(event)
        if isinstance(event, e.RunspacePoolStateMessage):
            if event.state is e.RunspaceState.OPENED:
                self.opened.set()
        elif isinstance(event, e.ClosePool):
            self.closed.set()

    # -- interface for tests

    async def open(
        self, *, runspaces: int = 1, host: HostInfo | None = None, application_arguments: Any = None
    ) -> None:
        self.send(e.SessionCapability(protocol_version=self.pool.own_version))
        self.send(
            e.InitRunspacePool(
                max_runspaces=runspaces,
                host_info=HostInfo.full() if host is None else host,
                application_arguments=application_arguments,
            )
        )
        await self.opened.wait()

    def start(
        self,
        what: PowerShell | Command | str,
        *,
        no_input: bool = True,
        nested: bool = False,
        options: int = 0,
    ) -> Result:
        if isinstance(what, str):
            what = script(what)
        shell = PowerShell.of(what) if isinstance(what, Command) else what
        result = Result(uuid4())
        self.results[result.id] = result
        self.send(
            e.CreatePipeline(
                pipeline_id=result.id,
                powershell=shell,
                no_input=no_input,
                host_info=HostInfo.null(),
                is_nested=nested,
                remote_stream_options=options,
                add_to_history=True,
            )
        )
        return result

    async def invoke(
        self, what: PowerShell | Command | str, input: list[Any] | None = None, **options: Any
    ) -> Result:
        result = self.start(what, no_input=input is None, **options)
        for item in input or ():
            self.send(e.PipelineInput(pipeline_id=result.id, data=item))
        if input is not None:
            self.send(e.EndOfPipelineInput(pipeline_id=result.id))
        await result.done.wait()
        return result

    async def type(self, line: str) -> Result:
        """Return a line as an interactive client sends it."""
        shown = command("Out-Default", use_local_scope=True)
        return await self.invoke(script(line) | merged(shown))

    async def close(self) -> None:
        self.send(e.ClosePool())
        await self.closed.wait()


def merged(last: Command) -> Command:
    return replace(last, merge_previous_results=3)


@asynccontextmanager
async def connected(
    engine: Engine, *, opened: bool = True, timeout: float = 20, **options: Any
) -> AsyncIterator[Client]:
    """Yield a client of ``engine`` over a memory stream."""
    ours, theirs = trio.testing.memory_stream_pair()
    host = options.pop("host", None)
    runspaces = options.pop("runspaces", 1)
    with trio.fail_after(timeout):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, theirs, engine)
            client = Client(ours, **options)
            nursery.start_soon(client.run)
            if opened:
                await client.open(runspaces=runspaces, host=host)
            yield client
            await ours.send_eof()
            await client.ended.wait()
