"""A whole conversation of our client machine and our service, in which one connection is cut.

Everything runs in this process and without I/O: the bytes of each HTTP message go from one machine
to the other, up to the byte at which the connection ends. The clock is moved by hand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import LimitExceeded, Outgoing, TransportAct
from tests.wsman.served import POWERSHELL, SHELL, Work
from wsman import client_events as ev
from wsman.errors import TransportFailure, WSManError
from wsman.hosting import ShellLink, ShellRequest
from wsman.http import SOAP, HttpClient, HttpError, HttpServer, Response
from wsman.requests import Request, ShellConfig
from wsman.service import Service
from wsman.service_calls import Incoming
from wsman.service_checks import ServiceLimits
from wsman.shell import Shell

__all__ = ["COMMAND", "INPUT", "POOL_DATA", "WORDS", "Conversation", "Cut", "Seen", "answer_seen"]

A = TransportAct
COMMAND = UUID("9E2B1C3D-0000-4000-8000-000000000001")
POOL_DATA = b"pool"
WORDS = (b"one ", b"two ", b"three")
INPUT = b"input"
_STEPS = 400
_HEADERS = (("Content-Type", SOAP), ("Authorization", "Basic d3N1c2VyOnB3"))


@dataclass(frozen=True)
class Cut:
    """The place at which a connection ends: within the n-th exchange, counted from 1.

    ``at`` bytes of the request arrive at the server, or of the answer at the client.
    ``believed``: the server's writes succeeded although their bytes are lost.
    """

    exchange: int
    answer: bool
    at: int
    believed: bool = False


@dataclass(frozen=True)
class Seen:
    """The events of a side for the bytes that arrived before the end."""

    complete: bool
    partial: bool


class _Script(Work):
    """A session with one message of the pool and three of its command, one for each answer."""

    def __init__(self, request: ShellRequest, link: ShellLink) -> None:
        super().__init__(request, link)
        self._pausing: set[UUID | None] = set()
        """Targets whose next message belongs to the next answer."""

    def receive(self, item: Outgoing) -> None:
        super().receive(item)
        if item.act is A.CREATE_POOL:
            self.put(POOL_DATA)
        elif item.act is A.CREATE_PIPELINE:
            assert item.target is not None
            for word in WORDS:
                self.put(word, item.target)
            self.finish(item.target)
        elif item.act is A.CLOSE_PIPELINE:
            self.queues.pop(item.target, None)
            self.confirm(A.CLOSE_PIPELINE, item.target)

    def data_to_send(self, room: int, target: UUID | None = None) -> Outgoing | None:
        if target in self._pausing:
            self._pausing.remove(target)
            return None
        out = super().data_to_send(room, target)
        if out is not None and out.data:
            self._pausing.add(target)
        return out


@dataclass
class _Exchange:
    number: int
    request: Request
    http: HttpServer
    sent: bytes
    answered: bytes = b""


@dataclass
class Conversation:
    """Open, run one command, close; ``cut`` ends one connection."""

    cut: Cut | None = None
    now: float = 1000.0
    exchanges: list[_Exchange] = field(default_factory=list)
    data: dict[UUID | None, bytes] = field(default_factory=dict)
    failed: list[WSManError] = field(default_factory=list)
    lost: ev.Lost | None = None
    works: list[Work] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids, tickets = count(1), count(1)
        config = ShellConfig(
            url="http://h:5985/wsman", resource_uri=POWERSHELL, shell_id=SHELL, session_id=SHELL,
            retries=1,
        )  # fmt: skip
        self.machine = Shell(config, new_id=lambda: UUID(int=next(ids)))
        self.service = Service(
            self,  # type: ignore[arg-type]
            limits=ServiceLimits(gather_time=0.0),
            new_id=lambda: UUID(int=next(ids)),
        )
        self._tickets = tickets
        self._open: dict[int, _Exchange] = {}
        self._queue: deque[Request] = deque()
        self._acts: set[str] = set()

    def open(self, request: ShellRequest, link: ShellLink) -> Work:
        self.works.append(_Script(request, link))
        return self.works[-1]

    @property
    def input(self) -> bytes:
        """The input that the command got at the server."""
        return b"".join(
            item.data
            for work in self.works
            for item in work.received
            if item.target == COMMAND and item.act is None
        )

    # -- the user

    def run(self) -> Conversation:
        """Run to the end of the client; fails if there is none."""
        self.machine.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
        for _ in range(_STEPS):
            if self.lost is not None:
                return self
            if not self._step():
                self._wait()
        raise AssertionError(f"no end: {[each.request.operation for each in self.exchanges]}")

    def _user(self) -> None:
        """The next action of the user."""
        if self.data.get(None) and "command" not in self._acts:
            self._acts.add("command")
            self.machine.send(Outgoing(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command"))
        if self.data.get(COMMAND) and "input" not in self._acts and not self.machine.over:
            self._acts.add("input")
            self.machine.send(Outgoing(target=COMMAND, data=INPUT))
        whole = self.data.get(COMMAND, b"") == b"".join(WORDS)
        if (whole or self.failed) and "close" not in self._acts and not self.machine.over:
            self._acts.add("close")
            self.machine.send(Outgoing(act=A.CLOSE_PIPELINE, target=COMMAND))
            self.machine.send(Outgoing(act=A.CLOSE_POOL))

    def _step(self) -> bool:
        """Make all requests, pass all answers and events on; return whether anything happened."""
        moved = False
        while (request := self.machine.next_request(self.now)) is not None:
            self._ask(request)
            moved = True
        self.service.advance(self.now)
        while answers := self.service.take_answers():
            for answer in answers:
                self._answer(answer.ticket, answer.status, answer.data)
            moved = True
        while (event := self.machine.next_event()) is not None:
            moved = True
            if isinstance(event, ev.Received):
                self.data[event.target] = self.data.get(event.target, b"") + event.data
            elif isinstance(event, ev.ActFailed):
                self.failed.append(event.error)
            elif isinstance(event, ev.Lost):
                self.lost = event
            self._user()
        return moved

    def _wait(self) -> None:
        times = [self.machine.next_time, self.service.next_deadline()]
        self.now = max(self.now, min(each for each in times if each is not None))

    # -- the wire

    def _ask(self, request: Request) -> None:
        data = HttpClient("h:5985").request("/wsman", _HEADERS, request.body)
        exchange = _Exchange(len(self.exchanges) + 1, request, HttpServer(), data)
        self.exchanges.append(exchange)
        cut = self._cut_of(exchange, answer=False)
        seen = request_seen(exchange.http, data, len(data) if cut is None else cut.at)
        ticket = next(self._tickets)
        if seen.complete:
            self._open[ticket] = exchange
            self.service.receive(Incoming(ticket=ticket, user="carol", data=request.body), self.now)
        if cut is not None:
            # Nobody reads the answer.
            self._open.pop(ticket, None)
            self.service.client_gone(ticket, self.now)
            self._fail(exchange, partial=False)

    def _answer(self, ticket: int, status: int, body: bytes) -> None:
        exchange = self._open.pop(ticket, None)
        if exchange is None:
            self.service.client_gone(ticket, self.now)
            return
        headers = (("Content-Type", SOAP),)
        data = exchange.http.respond(Response(status=status, headers=headers, body=body))
        exchange.answered = data
        cut = self._cut_of(exchange, answer=True)
        if cut is None or cut.believed:
            self.service.answered(ticket)
        else:
            self.service.client_gone(ticket, self.now)
        seen = answer_seen(data, len(data) if cut is None else cut.at)
        if seen.complete:
            self.machine.receive_answer(exchange.request.number, status, [body], self.now)
        else:
            self._fail(exchange, partial=seen.partial)

    def _cut_of(self, exchange: _Exchange, *, answer: bool) -> Cut | None:
        cut = self.cut
        mine = cut is not None and (cut.exchange, cut.answer) == (exchange.number, answer)
        return cut if mine else None

    def _fail(self, exchange: _Exchange, *, partial: bool) -> None:
        failure = TransportFailure("the connection was cut", sent=True, partial=partial)
        self.machine.receive_failure(exchange.request.number, failure, self.now)


def request_seen(http: HttpServer, data: bytes, at: int) -> Seen:
    """Give a server the first ``at`` bytes of a request, and the end unless that is all."""
    http.receive_data(data[:at])
    if at < len(data):
        http.receive_data(b"")
    return Seen(complete=_has(http.next_request), partial=at > 0)


def answer_seen(data: bytes, at: int) -> Seen:
    """Give a client the first ``at`` bytes of an answer, and the end."""
    client = HttpClient("h:5985")
    client.request("/wsman", _HEADERS, b"x")
    client.receive_data(data[:at])
    client.receive_data(b"")
    return Seen(complete=_has(client.next_response), partial=at > 0)


def _has(read: Any) -> bool:
    try:
        return read() is not None
    except (HttpError, LimitExceeded):
        return False
