"""The machine of cmd shells: replays of every recorded server, and failures."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from psrp.sansio import LocalProtocolError
from tests.wsman.exchanges import Message, read, recordings
from tests.wsman.servers import Served, serve
from tests.wsman.test_trio_client import answer_to, connections
from wsman import client_events as ev
from wsman import faults, names, operations, soap
from wsman import shell_values as v
from wsman.cmd_shell import CmdShell, Exited, Failed, Output, ShellSettings
from wsman.envelopes import Headers
from wsman.errors import TransportFailure, WSManFault
from wsman.http import Request as HttpRequest
from wsman.http import Response
from wsman.requests import Request, ShellConfig
from wsman.trio_winrs import ProgramRun

CMD = names.RESOURCE_CMD
SHELL = (("ShellId", "S"),)
_RELATES = re.compile(r"(RelatesTo[^>]*>)[^<]*(<)")


class Peer:
    def __init__(self, settings: ShellSettings | None = None, **changes: Any) -> None:
        ids = count(1)
        config = ShellConfig(**({"url": "http://h/wsman", "resource_uri": CMD} | changes))
        self.machine = CmdShell(
            config, settings or ShellSettings(), new_id=lambda: UUID(int=next(ids))
        )
        self.out: list[Request] = []
        self.events: list[Any] = []
        self.now = 0.0

    def pump(self) -> list[str]:
        while (request := self.machine.next_request(self.now)) is not None:
            self.out.append(request)
        while (event := self.machine.next_event()) is not None:
            self.events.append(event)
        self.now += 100.0
        return [request.operation for request in self.out]

    def find(self, operation: str) -> Request:
        self.pump()
        (found, *_) = [request for request in self.out if request.operation == operation]
        return found

    def value(self, operation: str) -> Any:
        return operations.read(soap.parse(self.find(operation).body))

    def answer(self, operation: str, value: Any) -> list[str]:
        request = self.find(operation)
        self.out.remove(request)
        data = operations.write(Headers(relates_to=request.message_id), value)
        self.machine.receive_answer(request.number, 200, [data], self.now)
        return self.pump()

    def fail(self, operation: str, **fields: Any) -> list[str]:
        request = self.find(operation)
        self.out.remove(request)
        failure = TransportFailure("cut", **fields)
        self.machine.receive_failure(request.number, failure, self.now)
        return self.pump()

    def running(self) -> Peer:
        self.machine.start("dir", ("/b",))
        self.answer("Create", v.CreateResponse(resource_uri=CMD, selectors=SHELL))
        self.answer("Command", v.CommandResponse(command_id="C"))
        return self


def done(code: int | None = 0, *streams: v.StreamData) -> v.ReceiveResponse:
    state = soap.CommandState(state="Done", exit_code=code)
    return v.ReceiveResponse(streams=streams, states=(state,))


# -- recordings


def winrs_recordings() -> list[Path]:
    return [path for path in recordings() if any(conversations(path))]


def conversations(path: Path) -> list[list[tuple[Any, soap.Envelope, Message]]]:
    """Return the shells of a recording, as (request, its envelope, response)."""
    found: list[list[tuple[Any, soap.Envelope, Message]]] = []
    waiting: dict[int, tuple[Any, soap.Envelope]] = {}
    for message in read(path):
        if not message.request:
            if message.connection in waiting:
                found[-1].append((*waiting.pop(message.connection), message))
            continue
        try:
            envelope = soap.parse(message.soap)
            value = operations.read(envelope)
        except soap.SoapError:
            continue
        if envelope.resource_uri.lower() != CMD:
            continue
        if isinstance(value, v.Create):
            found.append([])
        if found:
            waiting[message.connection] = value, envelope
    return [conversation for conversation in found if len(conversation) > 1]


@pytest.mark.parametrize("path", winrs_recordings(), ids=lambda path: path.name)
def test_our_client_does_the_recorded_work_and_asks_for_nothing_else(path: Path) -> None:
    for conversation in conversations(path):
        create, envelope, _ = conversation[0]
        settings = ShellSettings(
            working_directory=create.working_directory, environment=create.environment,
            lifetime=create.lifetime,
        )  # fmt: skip
        peer = Peer(settings, url=envelope.to, retries=0)
        for value, _, response in conversation:
            play(peer, value, response)
        assert {request.operation for request in peer.out} <= {"Receive"}


def play(peer: Peer, value: Any, response: Message) -> None:
    machine = peer.machine
    match value:
        case v.Command():
            machine.start(value.command, [str(argument) for argument in value.arguments])
        case v.Send():
            (stream,) = value.streams
            machine.send_input(stream.data, end=stream.end)
        case v.Signal() if value.code != names.SIGNAL_TERMINATE and "Signal" not in peer.pump():
            machine.interrupt()
        case v.Signal() if "Signal" not in peer.pump():
            machine.close()
        case v.Delete():
            machine.close()
    name = type(value).__name__
    if name == "Receive" and name not in peer.pump():
        # A poll for an unknown command: recorded mistakes of the other client.
        assert "ReceiveResponse" not in response.soap
        return
    request = peer.find(name)
    peer.out.remove(request)
    text = _RELATES.sub(rf"\g<1>{request.message_id}\g<2>", response.soap)
    before = sum(len(e.data) for e in peer.events if isinstance(e, Output))
    machine.receive_answer(request.number, response.status, [text.encode()], peer.now)
    peer.pump()
    if name == "Receive" and response.status == 200:
        answer = operations.read(soap.parse(response.soap))
        after = sum(len(e.data) for e in peer.events if isinstance(e, Output))
        assert after - before == sum(len(stream.data) for stream in answer.streams)


# -- the machine


def test_a_program_runs_to_its_exit_code_and_leaves_nothing() -> None:
    peer = Peer(ShellSettings(no_profile=True)).running()
    create = [request for request in peer.out if request.operation == "Create"]
    assert create == []
    assert peer.value("Receive") == v.Receive(streams="stdout stderr", command_id="C")
    peer.answer("Receive", done(3, v.StreamData(name="stdout", data=b"out")))
    assert peer.events == [Output(stream="stdout", data=b"out"), Exited(code=3)]
    assert peer.value("Signal").code == names.SIGNAL_TERMINATE
    peer.machine.close()
    peer.answer("Signal", v.SignalResponse())
    assert peer.answer("Delete", v.DeleteResponse()) == []
    assert peer.events[-1] == ev.Lost(error=None)


def test_the_shell_is_asked_for_as_winrs_does() -> None:
    peer = Peer(ShellSettings(no_profile=True, working_directory="C:\\", environment=(("A", "1"),)))
    peer.machine.start("dir", ("/b", "a b"))
    envelope = soap.parse(peer.find("Create").body)
    assert envelope.option("WINRS_NOPROFILE") == "TRUE"
    assert envelope.option("WINRS_CODEPAGE") == "65001"
    value = operations.read(envelope)
    assert (value.input_streams, value.output_streams) == ("stdin", "stdout stderr")
    assert (value.working_directory, value.environment) == ("C:\\", (("A", "1"),))
    peer.answer("Create", v.CreateResponse(resource_uri=CMD, selectors=SHELL))
    envelope = soap.parse(peer.find("Command").body)
    assert envelope.option("WINRS_CONSOLEMODE_STDIN") == "TRUE"
    assert envelope.option("WINRS_SKIP_CMD_SHELL") == "FALSE"
    assert operations.read(envelope).arguments == ("/b", "a b")


def test_input_goes_out_in_order_and_its_end_is_told() -> None:
    peer = Peer().running()
    peer.machine.send_input(b"one")
    peer.machine.send_input(b"two", end=True)
    first = peer.value("Send").streams[0]
    assert (first.data, first.end) == (b"one", False)
    peer.answer("Send", v.SendResponse())
    second = peer.value("Send").streams[0]
    assert (second.data, second.end) == (b"two", True)


def test_ctrl_c_is_a_signal_of_its_own() -> None:
    peer = Peer().running()
    peer.machine.interrupt()
    assert peer.value("Signal").code == names.SIGNAL_CTRL_C
    peer.answer("Signal", v.SignalResponse())
    assert peer.pump() == ["Receive"]


def test_a_time_out_is_asked_again() -> None:
    """Statement H73."""
    peer = Peer().running()
    for _ in range(5):
        peer.answer("Receive", faults.make_fault("TimedOut"))
    assert peer.pump() == ["Receive"]


def test_a_lost_receive_is_repeated_and_a_lost_send_is_not() -> None:
    peer = Peer(retries=1).running()
    peer.fail("Receive", sent=True)
    assert "Receive" in peer.pump()
    peer.machine.send_input(b"x")
    peer.fail("Send", sent=True)
    (failed,) = [event for event in peer.events if isinstance(event, Failed)]
    assert isinstance(failed.error, TransportFailure)
    peer.answer("Signal", v.SignalResponse())
    assert "Delete" in peer.pump()


def test_closing_early_terminates_the_program_and_deletes_the_shell() -> None:
    peer = Peer().running()
    peer.machine.close()
    assert peer.value("Signal").code == names.SIGNAL_TERMINATE
    peer.answer("Signal", faults.make_fault("InvalidSelectors"))
    peer.answer("Delete", faults.make_fault("InvalidSelectors"))
    assert peer.events[-1] == ev.Lost(error=None)


def test_two_programs_run_one_after_the_other() -> None:
    peer = Peer().running()
    with pytest.raises(LocalProtocolError):
        peer.machine.start("second")
    peer.answer("Receive", done())
    peer.answer("Signal", v.SignalResponse())
    peer.machine.start("second")
    assert peer.value("Command").command == "second"


def test_after_a_refused_program_another_one_can_be_started() -> None:
    peer = Peer()
    peer.machine.start("nosuch")
    peer.answer("Create", v.CreateResponse(resource_uri=CMD, selectors=SHELL))
    peer.answer("Command", faults.make_fault("InternalError", wsman_code=2147942402))
    assert isinstance(peer.events[-1], Failed)
    peer.machine.start("dir")
    assert peer.value("Command").command == "dir"


def test_a_refused_create_is_the_end() -> None:
    peer = Peer()
    peer.machine.start("dir")
    peer.answer("Create", faults.make_fault("AccessDenied"))
    assert isinstance(peer.events[-1].error, WSManFault)
    assert peer.machine.over


# -- over HTTP


async def test_a_program_is_run_over_http() -> None:
    sent: list[v.StreamData] = []
    log: list[str] = []

    async def answer(request: HttpRequest, served: Served) -> Response:
        value = operations.read(soap.parse(request.body))
        log.append(type(value).__name__)
        made: Any
        match value:
            case v.Create():
                made = v.CreateResponse(resource_uri=CMD, selectors=SHELL)
            case v.Command():
                made = v.CommandResponse(command_id="C")
            case v.Send():
                sent.extend(value.streams)
                made = v.SendResponse()
            case v.Receive() if not (sent and sent[-1].end):
                made = faults.make_fault("TimedOut")
            case v.Receive():
                made = done(7, v.StreamData(name="stderr", data=b"err"))
            case v.Signal():
                made = v.SignalResponse()
            case _:
                made = v.DeleteResponse()
        return answer_to(request, made)

    async def source() -> Any:
        yield b"in"
        yield b"put"

    said: list[tuple[str, bytes]] = []
    async with serve(answer) as server:
        config = ShellConfig(url="http://h/wsman", resource_uri=CMD)
        run = ProgramRun(
            connections(server), config, ShellSettings(),
            on_output=lambda stream, data: said.append((stream, data)),
        )  # fmt: skip
        assert await run.run("sort", ("/r",), source=source()) == 7
    assert said == [("stderr", b"err")]
    assert b"".join(stream.data for stream in sent) == b"input"
    assert log[-2:] == ["Signal", "Delete"]
