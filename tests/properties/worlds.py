"""A client and a server over each carrier, joined by ways that a test delays, cuts and repeats.

The machines are those of the product: two pools; two packet machines, or the client's shell
machine and the service. The application at the server writes numbers when the test says so.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from psremoting.endpoint.outofproc_server import OutOfProcServer, Step
from psremoting.endpoint.wsman_host import WatchedSession
from psrp import events as e
from psrp.channels import ANY_TARGET
from psrp.commands import script
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, Outgoing, RemoteProtocolError, Side, TransportAct
from psrp.states import PoolState
from sshsub.events import ActReceived, DataReceived, Ended, PeerError
from sshsub.subsystem import PACKET_SIZE, Subsystem
from wsman import client_events as ev
from wsman import faults, operations
from wsman.envelopes import Headers
from wsman.errors import TransportFailure
from wsman.requests import Request, ShellConfig
from wsman.service import Service
from wsman.service_calls import Incoming
from wsman.service_checks import ServiceLimits
from wsman.shell import Shell

__all__ = ["Client", "Lines", "Operations", "Work", "World"]

OVER = (e.InvocationState.COMPLETED, e.InvocationState.FAILED, e.InvocationState.STOPPED)


class Work:
    """The server's session: a pool, and the commands that run in it. A session of an engine."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.pool = Pool(Side.SERVER, session_key=bytes(32))
        self.output: dict[UUID, int] = {}
        """The count of numbers that each command has written."""
        self.input: dict[UUID, list[Any]] = {}
        self.input_ended: set[UUID] = set()
        self.ended: set[UUID] = set()
        self.gone = False
        self._acts: deque[Outgoing] = deque()

    # -- psremoting.endpoint.engine.Session

    def receive(self, item: Outgoing) -> None:
        if item.data:
            try:
                self.pool.receive_data(item.data, item.target, item.stream)
            except RemoteProtocolError as error:
                self.link.report(f"Remote transport error: {error}")
        opens = (TransportAct.CREATE_POOL, TransportAct.CREATE_PIPELINE)
        if item.act is not None and item.act not in opens:
            known = item.target is None or self.pool.phase(item.target) is not None
            if known:
                self.pool.receive_act(item.act, item.target)
            else:
                self._acts.append(Outgoing(target=item.target, act=item.act))
        self._react()
        self.link.wake()

    def data_to_send(self, room: int, target: Any = ANY_TARGET) -> Outgoing | None:
        out = self.pool.data_to_send(room, target)
        if out is None:
            for act in self._acts:
                if target is ANY_TARGET or act.target == target:
                    self._acts.remove(act)
                    return act
        return out

    def pending(self, target: UUID | None) -> int:
        return self.pool.pending(target)

    def takes_more(self, target: UUID | None) -> bool:
        return True

    def client_gone(self) -> None:
        self.gone = True
        self.ended.update(self.output)

    # -- the application

    def _react(self) -> None:
        while (event := self.pool.next_event()) is not None:
            match event:
                case e.InitRunspacePool():
                    self.pool.send(e.ApplicationPrivateData(data={}))
                    self.pool.send(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))
                case e.CreatePipeline(pipeline_id=id):
                    self.output[id], self.input[id] = 0, []
                    if event.no_input:
                        self.input_ended.add(id)
                case e.PipelineInput(pipeline_id=id, data=data):
                    self.input[id].append(data)
                case e.EndOfPipelineInput(pipeline_id=id):
                    self.input_ended.add(id)
                case e.StopPipeline(pipeline_id=id) | e.ClosePipeline(pipeline_id=id):
                    self.end(id, e.InvocationState.STOPPED)
                    self._confirm(type(event), id)
                case e.ClosePool():
                    for id in self.output:
                        self.end(id, e.InvocationState.STOPPED)
                    with suppress(LocalProtocolError):
                        self.pool.send(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))
                    with suppress(LocalProtocolError):
                        self.pool.send(e.ClosePool())
                    self.gone = True
                case _:
                    pass

    def _confirm(self, kind: Any, id: UUID) -> None:
        try:
            self.pool.send(kind(pipeline_id=id))
        except LocalProtocolError:
            is_stop = kind is e.StopPipeline
            act = TransportAct.STOP_PIPELINE if is_stop else TransportAct.CLOSE_PIPELINE
            self._acts.append(Outgoing(target=id, act=act))

    def write(self, id: UUID, numbers: int, size: int) -> None:
        """Let a command write the next numbers, each in ``size`` characters at least."""
        if id in self.ended or self.gone:
            return
        for _ in range(numbers):
            text = f"{self.output[id]}:{'x' * size}"
            self.pool.send(e.PipelineOutput(pipeline_id=id, data=text))
            self.output[id] += 1
        self.link.wake()

    def end(self, id: UUID, state: e.InvocationState) -> None:
        """End a command."""
        if id not in self.ended and id in self.output and not self.gone:
            self.ended.add(id)
            with suppress(LocalProtocolError):
                self.pool.send(e.PipelineStateMessage(pipeline_id=id, state=state))
            self.link.wake()


class Client:
    """The client's pool, and what its user has seen."""

    def __init__(self, number: int) -> None:
        self.pool = Pool(Side.CLIENT, id=UUID(int=number))
        self._ids = (UUID(int=1000 * number + each) for each in count(1))
        self.got: dict[UUID, list[Any]] = {}
        self.sent: dict[UUID, list[Any]] = {}
        self.states: dict[UUID, e.InvocationState] = {}
        self.input_ended: set[UUID] = set()
        self.stopped: set[UUID] = set()
        self.closed: set[UUID] = set()
        self.failed: set[UUID] = set()
        """Commands that the carrier reported as failed."""
        self.lost = False
        self.broken: RemoteProtocolError | None = None

    def open(self) -> None:
        self.pool.send(e.SessionCapability(protocol_version="2.3"))
        self.pool.send(e.InitRunspacePool(host_info=HostInfo.null(), max_runspaces=8))

    @property
    def is_open(self) -> bool:
        return self.pool.state is PoolState.OPENED and not self.lost

    def create(self, *, with_input: bool) -> UUID:
        id = next(self._ids)
        self.got[id], self.sent[id] = [], []
        self.pool.send(
            e.CreatePipeline(
                pipeline_id=id, powershell=script("1"), host_info=HostInfo.null(),
                no_input=not with_input,
            )
        )  # fmt: skip
        if not with_input:
            self.input_ended.add(id)
        return id

    def running(self) -> list[UUID]:
        over = self.states.keys() | self.failed | self.stopped | self.closed
        return [id for id in self.got if id not in over]

    def feed(self, id: UUID, size: int) -> None:
        text = f"{len(self.sent[id])}:{'x' * size}"
        self.pool.send(e.PipelineInput(pipeline_id=id, data=text))
        self.sent[id].append(text)

    def end_input(self, id: UUID) -> None:
        self.pool.send(e.EndOfPipelineInput(pipeline_id=id))
        self.input_ended.add(id)

    def stop(self, id: UUID) -> None:
        self.pool.send(e.StopPipeline(pipeline_id=id))
        self.stopped.add(id)

    def close(self, id: UUID) -> None:
        with suppress(LocalProtocolError):
            self.pool.send(e.ClosePipeline(pipeline_id=id))
        self.closed.add(id)

    def close_pool(self) -> None:
        with suppress(LocalProtocolError):
            self.pool.send(e.ClosePool())

    def received(self, data: bytes, target: UUID | None, stream: Any = None) -> None:
        try:
            if stream is None:
                self.pool.receive_data(data, target)
            else:
                self.pool.receive_data(data, target, stream)
        except RemoteProtocolError as error:
            self.broken = error
        self.look()

    def look(self) -> None:
        while True:
            try:
                event = self.pool.next_event()
            except RemoteProtocolError as error:
                self.broken = error
                return
            match event:
                case None:
                    return
                case e.PipelineOutput(pipeline_id=id, data=data):
                    self.got[id].append(data)
                case e.PipelineStateMessage(pipeline_id=id, state=state) if state in OVER:
                    self.states[id] = state
                case e.Fault(pipeline_id=id) if id is not None:
                    self.failed.add(id)
                case _:
                    pass

    def act_done(self, act: TransportAct, target: UUID | None) -> None:
        try:
            self.pool.receive_act(act, target)
        except RemoteProtocolError as error:
            self.broken = error
        self.look()


@dataclass
class World:
    """One client and its server. ``disturbed``: something was lost or refused; ``tainted``:
    something was repeated that no honest carrier repeats."""

    number: int
    client: Client = field(init=False)
    disturbed: bool = False
    tainted: bool = False

    def __post_init__(self) -> None:
        self.client = Client(self.number)

    @property
    def work(self) -> Work | None:
        raise NotImplementedError

    def flush(self) -> None:
        """Move the output of the pools into the carrier."""
        raise NotImplementedError

    def to_server(self, amount: int) -> None:
        raise NotImplementedError

    def to_client(self, amount: int) -> None:
        raise NotImplementedError

    def lose(self, amount: int) -> None:
        """Lose a connection, with what is on it."""
        raise NotImplementedError

    def repeat(self, which: int) -> None:
        """Deliver something a second time."""
        raise NotImplementedError

    def refuse(self, which: int) -> None:
        """Let the server refuse something."""
        raise NotImplementedError

    def settle(self) -> None:
        """Deliver everything."""
        raise NotImplementedError


class Lines(World):
    """Packet lines over two pipes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.near = Subsystem(Side.CLIENT)
        self.works: list[Work] = []
        self.far = OutOfProcServer(self)
        self.up = bytearray()
        self.down = bytearray()
        self.cut = False
        self.over = False
        self.client.open()

    def open(self, link: Any) -> Work:
        """Open a session: `psremoting.endpoint.engine.Engine`."""
        self.works.append(Work(link))
        return self.works[-1]

    @property
    def work(self) -> Work | None:
        return self.works[-1] if self.works else None

    def flush(self) -> None:
        pool = self.client.pool
        while not self.near.over and (out := pool.data_to_send(PACKET_SIZE)) is not None:
            with suppress(LocalProtocolError):
                self.near.send(out)
        if not self.cut:
            self.up += self.near.data_to_send()
            if not self.over:
                self.down += self.far.data_to_send()

    def to_server(self, amount: int) -> None:
        data, self.up[:amount] = bytes(self.up[:amount]), b""
        if data and not self.over:
            self._into_server(data)

    def _into_server(self, data: bytes) -> None:
        self.far.receive_data(data)
        while (step := self.far.advance()) not in (Step.MORE, Step.OVER):
            pass
        if step is Step.OVER:
            self.over = True
            if self.work is not None:
                self.work.client_gone()

    def to_client(self, amount: int) -> None:
        data, self.down[:amount] = bytes(self.down[:amount]), b""
        if data:
            self._into_client(data)

    def _into_client(self, data: bytes) -> None:
        self.near.receive_data(data)
        client = self.client
        while True:
            try:
                event = self.near.next_event()
            except RemoteProtocolError as error:
                client.broken, client.lost = error, True
                return
            match event:
                case None:
                    return
                case DataReceived(target=target, stream=stream, data=part):
                    client.received(part, target, stream)
                case ActReceived(act=act, target=target) if act in _CONFIRMED:
                    client.act_done(act, target)
                case Ended() | PeerError(fatal=True):
                    client.lost = True
                case _:
                    pass

    def lose(self, amount: int) -> None:
        if self.cut:
            return
        self.disturbed = self.cut = True
        del self.up[amount:]
        del self.down[amount // 2 :]

    def repeat(self, which: int) -> None:
        lines = bytes(self.down).split(b"\n")
        if len(lines) > 1:
            self.tainted = self.disturbed = True
            line = lines[which % (len(lines) - 1)]
            self.down += line + b"\n" if self.down.endswith(b"\n") else b""

    def refuse(self, which: int) -> None:
        if not self.over and self.work is not None:
            self.far.report("Remote transport error: refused by the test")

    def settle(self) -> None:
        for _ in range(200):
            self.flush()
            if not (self.up or self.down):
                break
            self.to_server(1 << 20)
            self.to_client(1 << 20)
        if self.cut:
            for part in (self._into_server, self._into_client):
                if part == self._into_client or not self.over:
                    part(b"")


_CONFIRMED = (TransportAct.STOP_PIPELINE, TransportAct.CLOSE_PIPELINE, TransportAct.CLOSE_POOL)


@dataclass
class _Flight:
    """A request that is on its way, or whose answer is."""

    request: Request
    ticket: int | None = None


class Operations(World):
    """Requests and answers of WS-Man."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ids = count(1000 * self.number)
        self.now = 0.0
        shell_id = str(self.client.pool.id).upper()
        config = ShellConfig(
            url="http://h:5985/wsman", shell_id=shell_id, session_id=shell_id, retries=5
        )
        self.near = Shell(config, new_id=lambda: UUID(int=next(ids)))
        server_ids = count(1)
        self.far = Service(
            self,
            limits=ServiceLimits(gather_time=0.0),
            new_id=lambda: UUID(int=next(server_ids)),
        )
        self.works: list[Work] = []
        self._tickets = count(1)
        self.flights: list[_Flight] = []
        self.answers: dict[int, Any] = {}
        self.client.open()

    def open(self, request: Any, link: Any) -> WatchedSession:
        """Open a session: `wsman.hosting.Host`."""
        self.works.append(Work(link))
        return WatchedSession(self.works[-1])  # type: ignore[arg-type]

    @property
    def work(self) -> Work | None:
        return self.works[-1] if self.works else None

    def flush(self) -> None:
        client = self.client
        moved = True
        while moved:
            moved = False
            for target in client.pool.targets_to_send():
                room = 0 if self.near.over else self.near.room(target)
                if room and (out := client.pool.data_to_send(room, target)) is not None:
                    with suppress(LocalProtocolError):
                        self.near.send(out)
                    moved = True
            while (request := self.near.next_request(self.now)) is not None:
                self.flights.append(_Flight(request))
                moved = True
            while (event := self.near.next_event()) is not None:
                self._take(event)
                moved = True
        self._collect()

    def _take(self, event: object) -> None:
        client = self.client
        match event:
            case ev.Received(target=target, data=data):
                client.received(data, target)
            case ev.ActDone(act=act, target=target):
                client.act_done(act, target)
            case ev.ActFailed(act=act, target=target):
                if target is not None:
                    client.failed.add(target)
                    with suppress(LocalProtocolError, RemoteProtocolError):
                        client.pool.act_failed(act, target)
                    client.look()
            case ev.Lost():
                client.lost = True
            case _:
                pass

    def _collect(self) -> None:
        """Let the service work at this time."""
        self.far.advance(self.now)
        while answers := self.far.take_answers():
            for answer in answers:
                assert answer.ticket not in self.answers
                self.answers[answer.ticket] = answer

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        self._collect()

    def to_server(self, amount: int) -> None:
        for flight in [each for each in self.flights if each.ticket is None][:amount]:
            flight.ticket = next(self._tickets)
            self._ask(flight)

    def _ask(self, flight: _Flight) -> None:
        assert flight.ticket is not None
        self.far.receive(
            Incoming(ticket=flight.ticket, user="carol", data=flight.request.body), self.now
        )
        self._collect()

    def to_client(self, amount: int) -> None:
        for flight in self._answered()[:amount]:
            assert flight.ticket is not None
            answer = self.answers.pop(flight.ticket)
            self.flights.remove(flight)
            self.far.answered(flight.ticket)
            self.near.receive_answer(flight.request.number, answer.status, [answer.data], self.now)
            self.flush()

    def _answered(self) -> list[_Flight]:
        return [each for each in self.flights if each.ticket in self.answers]

    def lose(self, amount: int) -> None:
        """Lose the connection of one request: before it is sent, at the server, or its answer."""
        if not self.flights:
            return
        self.disturbed = True
        flight = self.flights.pop(amount % len(self.flights))
        sent = flight.ticket is not None
        if flight.ticket is not None:
            self.answers.pop(flight.ticket, None)
            self.far.client_gone(flight.ticket, self.now)
        failure = TransportFailure("lost by the test", sent=sent)
        self.near.receive_failure(flight.request.number, failure, self.now)
        self.flush()

    def repeat(self, which: int) -> None:
        """Let the server receive a request again while its first answer is on its way."""
        asked = [each for each in self.flights if each.ticket is not None]
        if asked:
            self.tainted = self.disturbed = True
            flight = asked[which % len(asked)]
            self._ask(_Flight(flight.request, next(self._tickets)))

    def refuse(self, which: int) -> None:
        waiting = [each for each in self.flights if each.ticket is None]
        if not waiting:
            return
        self.disturbed = True
        flight = waiting[which % len(waiting)]
        self.flights.remove(flight)
        fault = faults.make_fault("QuotaLimit", "refused by the test")
        headers = Headers(relates_to=flight.request.message_id)
        data = operations.write(headers, fault)
        self.near.receive_answer(flight.request.number, 500, [data], self.now)
        self.flush()

    def settle(self) -> None:
        for _ in range(400):
            self.flush()
            self.to_server(1000)
            if self._answered():
                self.to_client(1000)
                continue
            due = [each for each in (self.near.next_time, self.far.next_deadline()) if each]
            if self.near.over or not due or self.client.pool.state is PoolState.CLOSED:
                break
            if min(due) > self.now + 30:
                break
            self._wait(max(0.0, min(due) - self.now) + 0.001)
