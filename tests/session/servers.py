"""Servers for session tests: a pool and a subsystem over a memory stream, with selectable
faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from psremoting.client.carrier import PromptStyle
from psremoting.client.stream_carrier import StreamCarrier
from psremoting.options import SessionOption
from psremoting.targets import PROCESS_PROMPT
from psrp import events as e
from psrp.pool import Pool
from psrp.records import ErrorRecord, InformationalRecord
from psrp.sansio import Outgoing, Side, TransportAct
from sshsub.events import ActReceived, DataReceived, Ended
from sshsub.subsystem import Subsystem
from sshsub.trio_stream import StreamWire

Engine = Callable[["FakeServer", e.CreatePipeline], Awaitable[None]]

REPLY_TIMEOUTS = {
    TransportAct.CREATE_PIPELINE: 60.0,
    TransportAct.STOP_PIPELINE: 60.0,
    TransportAct.CLOSE_PIPELINE: 60.0,
    TransportAct.CLOSE_POOL: 60.0,
}


class FakeServer:
    """A server that runs ``engine`` for every pipeline. Its output passes through ``spoil``."""

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        engine: Engine,
        *,
        spoil: Callable[[bytes], bytes] | None = None,
        version: str = "2.3",
    ) -> None:
        self.stream = stream
        self.engine = engine
        self.pool = Pool(Side.SERVER, version=version, session_key=bytes(range(32)))
        self.machine = Subsystem(Side.SERVER)
        self.spoil = spoil or (lambda data: data)
        self.seen: list[e.Event] = []
        self.inputs: dict[Any, list[Any]] = {}
        self.answers: list[e.PipelineHostResponse] = []
        self.input_ended: dict[Any, trio.Event] = {}
        self.answered = trio.Event()
        self._lock = trio.StrictFIFOLock()
        self._scopes: dict[Any, trio.CancelScope] = {}

    def say(self, event: e.Event) -> None:
        self.pool.send(event)

    async def flush(self) -> None:
        while (out := self.pool.data_to_send()) is not None:
            self.machine.send(out)
        async with self._lock:
            data = self.spoil(self.machine.data_to_send())
            if data:
                await self.stream.send_all(data)

    async def raw(self, data: bytes) -> None:
        """Send bytes that no machine would write."""
        async with self._lock:
            await self.stream.send_all(data)

    async def serve(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    data = bytes(await self.stream.receive_some(65536))
                    self.machine.receive_data(data)
                    if not await self._events(nursery):
                        nursery.cancel_scope.cancel()
                        break
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await self.stream.aclose()

    async def _events(self, nursery: trio.Nursery) -> bool:
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, Ended):
                return False
            if isinstance(event, DataReceived):
                self.pool.receive_data(event.data, event.target, event.stream)
            elif isinstance(event, ActReceived) and event.act not in (
                TransportAct.CREATE_POOL,
                TransportAct.CREATE_PIPELINE,
            ):
                self.pool.receive_act(event.act, event.target)
            while (message := self.pool.next_event()) is not None:
                self.seen.append(message)
                self._deal_with(message, nursery)
                while (out := self.pool.data_to_send()) is not None:
                    self.machine.send(out)
            if isinstance(event, DataReceived):
                self.machine.acknowledge(event)
            await self.flush()
        await self.flush()
        return True

    def _deal_with(self, event: e.Event, nursery: trio.Nursery) -> None:
        match event:
            case e.InitRunspacePool():
                self.open_pool()
            case e.CreatePipeline(pipeline_id=id):
                self.inputs[id] = []
                self.input_ended[id] = trio.Event()
                nursery.start_soon(self._run, event)
            case e.PipelineInput(pipeline_id=id, data=data):
                self.inputs[id].append(data)
            case e.EndOfPipelineInput(pipeline_id=id):
                self.input_ended[id].set()
            case e.PipelineHostResponse():
                self.answers.append(event)
                self.answered.set()
            case e.StopPipeline(pipeline_id=id):
                self._stop(id)
                self.say(e.StopPipeline(pipeline_id=id))
            case e.ClosePipeline(pipeline_id=id):
                self._stop(id)
                self.say(e.ClosePipeline(pipeline_id=id))
            case e.ClosePool():
                for scope in self._scopes.values():
                    scope.cancel()
                self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSING))
                self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))
                self.say(e.ClosePool())

    def open_pool(self) -> None:
        self.say(e.ApplicationPrivateData(data={"PSVersionTable": {"PSVersion": "7.6.5"}}))
        self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def _stop(self, id: Any) -> None:
        scope = self._scopes.pop(id, None)
        if scope is not None:
            scope.cancel()
            stopped = ErrorRecord.create("stopped", error_id="PipelineStopped")
            state = e.InvocationState.STOPPED
            self.say(e.PipelineStateMessage(pipeline_id=id, state=state, error=stopped))

    async def _run(self, event: e.CreatePipeline) -> None:
        id = event.pipeline_id
        with trio.CancelScope() as self._scopes[id]:
            await self.engine(self, event)
            if self._scopes.pop(id, None) is not None:
                await self.end(id)

    async def end(
        self,
        id: Any,
        state: e.InvocationState = e.InvocationState.COMPLETED,
        error: ErrorRecord | None = None,
    ) -> None:
        self._scopes.pop(id, None)
        self.say(e.PipelineStateMessage(pipeline_id=id, state=state, error=error))
        await self.flush()

    async def output(self, id: Any, *values: Any) -> None:
        for value in values:
            self.say(e.PipelineOutput(pipeline_id=id, data=value))
        await self.flush()


def text_of(event: e.CreatePipeline) -> str:
    """Return the text of a script, or a command with its arguments."""
    command = event.powershell.statements[0][0]
    if command.is_script:
        return command.text
    words = [command.text]
    for each in command.parameters:
        if each.name is None or not event.is_nested:
            words.append(str(each.value) if each.value is not None else str(each.name))
    return " ".join(words)


async def small_engine(server: FakeServer, event: e.CreatePipeline) -> None:
    """Run a small command language for tests."""
    id = event.pipeline_id
    word, _, rest = text_of(event).partition(" ")
    parameters = event.powershell.statements[0][-1].parameters
    if word == "count":
        await server.output(id, *range(int(rest)))
    elif word == "arguments":
        await server.output(id, *[[each.name, each.value] for each in parameters])
    elif word == "echo":
        await server.input_ended[id].wait()
        await server.output(id, *server.inputs[id])
    elif word == "fail":
        record = ErrorRecord.create(rest, error_id="Oops,Test", activity="Get-Item")
        await server.output(id, "before")
        await server.end(id, e.InvocationState.FAILED, record)
    elif word == "warn":
        record = InformationalRecord(message=rest)
        server.say(e.WarningRecordMessage(pipeline_id=id, record=record))
        await server.output(id, "after the warning")
    elif word == "error":
        error = ErrorRecord.create(rest, error_id="Bad,Test", activity="Write-Error")
        server.say(e.ErrorRecordMessage(pipeline_id=id, record=error))
        await server.output(id, "after the error")
    elif word == "sleep":
        await server.output(id, "asleep")
        await trio.sleep_forever()


@asynccontextmanager
async def fake_server(
    engine: Engine = small_engine, **more: Any
) -> AsyncIterator[tuple[StreamCarrier, FakeServer]]:
    """Run a server in the background; yield a carrier connected to it."""
    ours, theirs = trio.testing.memory_stream_pair()
    server = FakeServer(theirs, engine, **more)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        yield carrier_over(ours), server
        nursery.cancel_scope.cancel()


def carrier_over(
    stream: trio.abc.HalfCloseableStream, transport: str = "Process", **reply_timeouts: float
) -> StreamCarrier:
    @asynccontextmanager
    async def connect(_: Callable[[str], None]) -> AsyncIterator[StreamWire]:
        wire = StreamWire(stream)
        try:
            yield wire
        finally:
            await wire.aclose()

    style = PromptStyle(prefix="[lab]: ")
    if transport == "NamedPipe":
        style = PromptStyle(definition=PROCESS_PROMPT)
    return StreamCarrier(
        connect,
        transport=transport,
        computer="lab",
        reply_timeouts=REPLY_TIMEOUTS,
        prompt_style=style,
    )


__all__ = [
    "FakeServer",
    "Outgoing",
    "SessionOption",
    "carrier_over",
    "fake_server",
    "small_engine",
    "text_of",
]
