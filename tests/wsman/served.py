"""A service with fake sessions, and a client that writes envelopes."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import Outgoing, Stream, TransportAct
from wsman import names, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.faults import make_fault
from wsman.hosting import Refusal, ShellLink, ShellRequest
from wsman.service import Service
from wsman.service_calls import Answer, Incoming
from wsman.service_checks import ServiceLimits

POWERSHELL = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
SHELL = "76056A84-51DC-4F24-9262-CA2A55464B2B"
COMMAND = "9E2B1C3D-0000-4000-8000-000000000001"
OTHER = "9E2B1C3D-0000-4000-8000-000000000002"
VERSION = (soap.Option(name="protocolversion", value="2.3", must_comply=True),)


class Work:
    """A fake `wsman.hosting.Session` that records its input and returns the output set by a
    test."""

    def __init__(self, request: ShellRequest, link: ShellLink) -> None:
        self.request = request
        self.link = link
        self.received: list[Outgoing] = []
        self.queues: dict[UUID | None, deque[Outgoing]] = {}
        self.done: set[UUID] = set()
        self.asking: set[UUID] = set()
        self.full: set[UUID | None] = set()
        self.gone = False

    def put(self, data: bytes, target: UUID | None = None) -> None:
        self.queues.setdefault(target, deque()).append(Outgoing(target=target, data=data))
        self.link.wake()

    def confirm(self, act: TransportAct, target: UUID | None = None) -> None:
        self.queues.setdefault(target, deque()).append(Outgoing(target=target, act=act))
        self.link.wake()

    def finish(self, target: UUID) -> None:
        self.done.add(target)
        self.link.wake()

    def receive(self, item: Outgoing) -> None:
        self.received.append(item)

    def connect(self, data: bytes, room: int) -> bytes:
        return b"connected" if data == b"hello" else b""

    def data_to_send(self, room: int, target: UUID | None = None) -> Outgoing | None:
        queue = self.queues.get(target)
        if not queue:
            return None
        out = queue.popleft()
        if len(out.data) > room:
            queue.appendleft(Outgoing(target=target, data=out.data[room:]))
            out = Outgoing(target=target, data=out.data[:room])
        return out

    def pending(self, target: UUID | None) -> int:
        return sum(len(each.data) for each in self.queues.get(target, ()))

    def state(self, target: UUID) -> str:
        if target in self.done and not self.queues.get(target):
            return "Done"
        return "Pending" if target in self.asking else "Running"

    def takes_more(self, target: UUID | None) -> bool:
        return target not in self.full

    def drop(self, target: UUID, keep: int) -> None:
        queue = self.queues[target]
        while self.pending(target) > keep:
            queue.popleft()

    def client_gone(self) -> None:
        self.gone = True

    def acts(self) -> list[TransportAct]:
        return [item.act for item in self.received if item.act is not None]


class Endpoint:
    """A fake host that opens such sessions; a configuration named Missing does not exist."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    def open(self, request: ShellRequest, link: ShellLink) -> Work:
        if request.resource_uri.endswith("Missing"):
            raise Refusal(make_fault("DestinationUnreachable"))
        self.works.append(Work(request, link))
        return self.works[-1]


class Table:
    """One service and its answers, with a manual clock."""

    def __init__(self, **limits: Any) -> None:
        ids = count(1)
        self.endpoint = Endpoint()
        self.now = 1000.0
        self.woken = 0
        self.service = Service(
            self.endpoint,
            limits=ServiceLimits(**{"gather_time": 0.0} | limits),
            new_id=lambda: UUID(int=next(ids)),
            on_wake=self._wake,
        )
        self.answers: dict[int, Answer] = {}
        self._tickets = count(1)
        self._messages = count(1)

    def _wake(self) -> None:
        self.woken += 1

    @property
    def work(self) -> Work:
        return self.endpoint.works[-1]

    def collect(self) -> None:
        while answers := self.service.take_answers():
            for answer in answers:
                assert answer.ticket not in self.answers
                self.answers[answer.ticket] = answer
                self.service.answered(answer.ticket)

    def advance(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.service.advance(self.now)
        self.collect()

    def raw(self, data: bytes, user: str = "carol", *, chunked: bool = False) -> int:
        """Send an envelope; return its ticket."""
        ticket = next(self._tickets)
        self.service.receive(
            Incoming(ticket=ticket, user=user, data=data, address="192.0.2.1", chunked=chunked),
            self.now,
        )
        self.collect()
        return ticket

    def send(
        self, value: object, user: str = "carol", *, shell: str = SHELL, encoding: str = "utf-8",
        **headers: Any,
    ) -> int:  # fmt: skip
        """Send one operation; return its ticket."""
        return self.raw(self.envelope(value, shell=shell, encoding=encoding, **headers), user)

    def envelope(
        self, value: object, *, shell: str = SHELL, encoding: str = "utf-8", **headers: Any
    ) -> bytes:
        values: dict[str, Any] = {
            "to": "http://h:5985/wsman",
            "reply_to": names.ANONYMOUS,
            "message_id": f"uuid:{next(self._messages):08}",
            "resource_uri": POWERSHELL,
            "max_envelope_size": 153_600,
            "operation_timeout": 20.0,
        }
        if isinstance(value, v.Create):
            values["options"] = VERSION
        elif shell:
            values["selectors"] = ((v.SHELL_SELECTOR, shell),)
        return operations.write(Headers(**values | headers), value, encoding=encoding)

    def answer(self, ticket: int) -> Any:
        """Return the value of the answer to a ticket; None while there is none."""
        found = self.answers.get(ticket)
        return operations.read(soap.parse(found.data)) if found is not None else None

    def ask(self, value: object, user: str = "carol", **headers: Any) -> Any:
        """Send one operation and return its immediate answer."""
        return self.answer(self.send(value, user, **headers))

    def open(self, user: str = "carol", shell: str = SHELL, **headers: Any) -> Work:
        """Create a shell."""
        made = self.ask(v.Create(shell_id=shell, creation_xml=b"create"), user, **headers)
        assert isinstance(made, v.CreateResponse), made
        return self.work

    def start(self, command_id: str = COMMAND) -> UUID:
        """Start a command in the shell."""
        made = self.ask(v.Command(command_id=command_id, command="x", arguments=(b"pipe",)))
        assert made == v.CommandResponse(command_id=command_id), made
        return UUID(command_id)


__all__ = ["COMMAND", "OTHER", "POWERSHELL", "SHELL", "Stream", "Table", "Work"]
