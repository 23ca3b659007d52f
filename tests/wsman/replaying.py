"""Replay the server of a recording to our client machine, which has to send the same requests.

The acts of the recorded client are passed to the machine in order; each recorded answer is given to
the machine's corresponding request. A Receive that the recorded client did not make may stay
outstanding, one for each target; any other additional request fails the replay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import Outgoing, Stream, TransportAct
from tests.wsman.exchanges import Message
from wsman import client_events as ev
from wsman import names, operations, queries, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.requests import Request, ShellConfig
from wsman.shell import Shell
from wsman.xpress import decompress

A = TransportAct
STREAMS = {"stdin": Stream.DEFAULT, "pr": Stream.PROMPT_RESPONSE}
_RELATES = re.compile(r"(RelatesTo[^>]*>)[^<]*(<)")


@dataclass
class Replay:
    """The conversation of one shell."""

    config: ShellConfig
    events: list[Any] = field(default_factory=list)
    pending: list[Request] = field(default_factory=list)
    expected: dict[UUID | None, bytes] = field(default_factory=dict)
    requests: int = 0
    terminated: int = 0
    """Signals of ours that the recorded client left out."""
    late: int = 0
    """Answers that arrived after our machine had ended."""
    now: float = 0.0

    def __post_init__(self) -> None:
        ids = count(1)
        self.machine = Shell(self.config, new_id=lambda: UUID(int=next(ids)))

    def pump(self) -> None:
        while (request := self.machine.next_request(self.now)) is not None:
            self.requests += 1
            self.pending.append(request)
        while (event := self.machine.next_event()) is not None:
            self.events.append(event)
        # Advance the clock by a minute: a replay has no real waiting.
        self.now += 60.0

    def asked(self, value: Any) -> None:
        """Handle a request of the recorded client."""
        if not self.machine.over:
            self.act(value)
            self.pump()

    def answered(self, value: Any, response: Message) -> None:
        """Handle an answer of the recorded server."""
        if self.machine.over:
            self.late += 1
            return
        self.answer_terminates(value)
        ours = self.find(value)
        if ours is None:
            # A Receive after the command's end, which has no data.
            assert isinstance(value, v.Receive)
            assert value.command_id
            assert not self.data_of(response)
            self.late += 1
            return
        self.pending.remove(ours)
        text = _RELATES.sub(rf"\g<1>{ours.message_id}\g<2>", response.soap)
        self.note(ours.target, response)
        self.machine.receive_answer(ours.number, response.status, [text.encode()], self.now)
        self.pump()

    def answer_terminates(self, value: Any) -> None:
        """Answer the signals that our machine sends and the recorded client did not."""
        for request in [r for r in self.pending if r.operation == "Signal"]:
            if isinstance(value, v.Delete) and request.target is not None:
                self.pending.remove(request)
                self.terminated += 1
                headers = Headers(relates_to=request.message_id)
                answer = operations.write(headers, v.SignalResponse())
                self.machine.receive_answer(request.number, 200, [answer], self.now)
                self.pump()

    def act(self, value: Any) -> None:
        send = self.machine.send
        match value:
            case v.Create():
                send(Outgoing(act=A.CREATE_POOL, data=value.creation_xml or b""))
            case v.Command():
                (argument,) = value.arguments
                data = soap.decode_base64(str(argument), "Arguments")
                target = UUID(value.command_id)
                send(Outgoing(act=A.CREATE_PIPELINE, target=target, data=data))
            case v.Connect():
                target = UUID(value.command_id) if value.command_id else None
                send(Outgoing(act=A.CONNECT, target=target, data=value.connect_xml or b""))
            case v.Send():
                for stream in value.streams:
                    target = UUID(stream.command_id) if stream.command_id else None
                    out = Outgoing(target=target, stream=STREAMS[stream.name], data=stream.data)
                    send(out)
            case v.Signal():
                stops = value.code == names.SIGNAL_STOP
                act = A.STOP_PIPELINE if stops else A.CLOSE_PIPELINE
                send(Outgoing(act=act, target=UUID(value.command_id)))
            case v.Delete():
                send(Outgoing(act=A.CLOSE_POOL))
            case v.Disconnect():
                send(Outgoing(act=A.DISCONNECT))
            case v.Reconnect() if not value.command_id:
                send(Outgoing(act=A.RECONNECT))

    def find(self, value: Any) -> Request | None:
        name = type(value).__name__
        command_id = getattr(value, "command_id", "")
        if isinstance(value, v.Send):
            command_id = value.streams[0].command_id
        target = UUID(command_id) if command_id else None
        for request in self.pending:
            if (request.operation, request.target) == (name, target):
                return request
        command = self.machine.commands.get(target) if target is not None else None
        if name == "Receive" and target is not None and (command is None or command.done):
            return None
        waiting = [(request.operation, request.target) for request in self.pending]
        raise AssertionError(f"the machine does not ask for {name} {target}; it has {waiting}")

    def note(self, target: UUID | None, response: Message) -> None:
        """Record the data of the recorded server for comparison."""
        self.expected[target] = self.expected.get(target, b"") + self.data_of(response)

    def data_of(self, response: Message) -> bytes:
        try:
            value = operations.read(soap.parse(response.soap))
        except soap.SoapError:
            return b""
        if isinstance(value, v.ConnectResponse):
            return value.connect_response_xml or b""
        if not isinstance(value, v.ReceiveResponse):
            return b""
        found = [stream.data for stream in value.streams]
        return b"".join(map(decompress, found) if self.config.compress else found)

    def check(self) -> None:
        """Check that all data arrived in order and only one Receive per target is outstanding.

        The machine drops bytes for a command that arrive after its close.
        """
        received: dict[UUID | None, bytes] = {}
        for event in self.events:
            if isinstance(event, ev.Received):
                received[event.target] = received.get(event.target, b"") + event.data
        assert set(received) == {key for key, data in self.expected.items() if data}
        for target, data in received.items():
            closed = target is not None and target not in self.machine.commands
            whole = self.expected[target]
            assert data == whole or (closed and whole.startswith(data))
        if self.machine.over:
            return
        left = [(request.operation, request.target) for request in self.pending]
        assert {name for name, _ in left} <= {"Receive"}
        assert len(set(left)) == len(left)


def config_of(request: Message) -> ShellConfig:
    """Return the configuration with which our machine requests the same shell."""
    envelope = soap.parse(request.soap)
    value = operations.read(envelope)
    shell_id = value.shell_id if isinstance(value, v.Create) else envelope.shell_id
    return ShellConfig(
        url=envelope.to,
        resource_uri=envelope.resource_uri,
        shell_id=shell_id,
        compress=envelope.compression == "xpress",
        no_profile=envelope.option("WINRS_NOPROFILE") is not None,
        max_envelope_size=512000,
        retries=0,
    )


LISTING = (queries.Get, queries.Enumerate, queries.Pull, queries.Identify)


def replay(messages: list[Message]) -> list[Replay]:
    """Replay a whole recording; return its PowerShell shells in the order of their opening."""
    shells: dict[str, Replay] = {}
    opened: list[Replay] = []
    asked: dict[int, tuple[Replay, Any]] = {}
    for message in messages:
        if not message.request:
            if message.connection in asked:
                shell, value = asked.pop(message.connection)
                shell.answered(value, message)
            continue
        asked.pop(message.connection, None)
        try:
            envelope = soap.parse(message.soap)
            value = operations.read(envelope)
        except soap.SoapError:
            continue
        if isinstance(value, LISTING) or not envelope.resource_uri.lower().startswith(
            names.POWERSHELL_PREFIX
        ):
            continue
        shell_id = (value.shell_id if isinstance(value, v.Create) else envelope.shell_id).upper()
        if isinstance(value, v.Create | v.Connect) and not getattr(value, "command_id", ""):
            shells[shell_id] = Replay(config_of(message))
            opened.append(shells[shell_id])
        if shell_id in shells:
            shells[shell_id].asked(value)
            asked[message.connection] = shells[shell_id], value
    return opened
