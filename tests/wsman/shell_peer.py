"""The client machine with a server that a test plays."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import Outgoing, TransportAct
from wsman import faults, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.errors import TransportFailure
from wsman.requests import Request, ShellConfig
from wsman.shell import Shell

__all__ = ["COMMAND", "CREATED", "DONE", "OTHER", "RUNNING", "SHELL_ID", "A", "Peer", "output"]

A = TransportAct
SHELL_ID = "76056A84-51DC-4F24-9262-CA2A55464B2B"
COMMAND = UUID("9e2b1c3d-0000-4000-8000-00000000000a")
OTHER = UUID("9e2b1c3d-0000-4000-8000-00000000000b")
CREATED = v.CreateResponse(
    resource_uri="http://schemas.microsoft.com/powershell/Other",
    selectors=(("ShellId", SHELL_ID), ("More", "1")),
)
DONE = soap.CommandState(state="Done")
RUNNING = soap.CommandState(state="Running")


class Peer:
    """The machine with a server played by the test."""

    def __init__(self, **changes: Any) -> None:
        self.now = 0.0
        self.out: list[Request] = []
        self.events: list[Any] = []
        ids = count(1)
        config = {"url": "http://host:5985/wsman", "shell_id": SHELL_ID, "session_id": SHELL_ID}
        self.machine = Shell(ShellConfig(**(config | changes)), new_id=lambda: UUID(int=next(ids)))

    def pump(self) -> list[str]:
        """Collect the new requests and events; return the names of the outstanding requests."""
        while (request := self.machine.next_request(self.now)) is not None:
            self.out.append(request)
        while (event := self.machine.next_event()) is not None:
            self.events.append(event)
        return [request.operation for request in self.out]

    def send(self, **fields: Any) -> list[str]:
        self.machine.send(Outgoing(**fields))
        return self.pump()

    def envelope(self, operation: str, target: UUID | None = None) -> soap.Envelope:
        return soap.parse(self.find(operation, target).body)

    def value(self, operation: str, target: UUID | None = None) -> Any:
        return operations.read(self.envelope(operation, target))

    def find(self, operation: str, target: UUID | None) -> Request:
        (found, *_) = [r for r in self.out if (r.operation, r.target) == (operation, target)]
        return found

    def answer(
        self, operation: str, value: Any, target: UUID | None = None, then: Outgoing | None = None
    ) -> list[str]:
        """Answer a request; ``then`` is what the user sends when it sees the answer."""
        request = self.find(operation, target)
        self.out.remove(request)
        written = operations.write(Headers(relates_to=request.message_id), value)
        status = 500 if isinstance(value, faults.Fault) else 200
        self.machine.receive_answer(request.number, status, [written], self.now)
        if then is not None:
            self.machine.send(then)
        return self.pump()

    def fail(self, operation: str, target: UUID | None = None, **fields: Any) -> list[str]:
        request = self.find(operation, target)
        self.out.remove(request)
        self.machine.receive_failure(request.number, TransportFailure("cut", **fields), self.now)
        return self.pump()

    def opened(self) -> Peer:
        self.send(act=A.CREATE_POOL, data=b"first")
        self.answer("Create", CREATED)
        return self

    def running(self) -> Peer:
        self.opened()
        self.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
        self.answer("Command", v.CommandResponse(command_id=str(COMMAND)), COMMAND)
        return self

    def told(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def output(data: bytes = b"x", *states: soap.CommandState) -> v.ReceiveResponse:
    return v.ReceiveResponse(streams=(v.StreamData(name="stdout", data=data),), states=states)
