"""The client machine alone: the order of requests, retries, and the effect of failures."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.sansio import LocalProtocolError, Outgoing
from tests.wsman.shell_peer import COMMAND, CREATED, DONE, OTHER, RUNNING, SHELL_ID, A, Peer, output
from wsman import client_events as ev
from wsman import faults, names, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.errors import WSManFault


def test_opening_takes_a_create_and_a_receive() -> None:
    """Statement H71. The option and the upper-case id are what the plugin requires."""
    peer = Peer(shell_id=SHELL_ID, name="Runspace1")
    assert peer.send(act=A.CREATE_POOL, data=b"first") == ["Create"]
    envelope = peer.envelope("Create")
    assert envelope.options == (soap.Option(name="protocolversion", value="2.3", must_comply=True),)
    assert envelope.session_id == f"uuid:{SHELL_ID}"
    assert envelope.max_envelope_size == 153600
    value = peer.value("Create")
    assert (value.shell_id, value.name, value.creation_xml) == (SHELL_ID, "Runspace1", b"first")
    assert (value.input_streams, value.output_streams) == ("stdin pr", "stdout")
    assert peer.answer("Create", CREATED) == ["Receive"]
    assert peer.events == [ev.ActDone(act=A.CREATE_POOL)]
    assert peer.answer("Receive", output(b"opened")) == ["Receive"]
    assert peer.events[1:] == [ev.Received(target=None, data=b"opened")]


def test_command_ids_are_sent_in_upper_case() -> None:
    """Statement H71."""
    peer = Peer().opened()
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
    value = peer.value("Command", COMMAND)
    assert value.command_id == str(COMMAND).upper()
    assert value.command == " "
    assert soap.decode_base64(value.arguments[0], "Arguments") == b"command"
    peer.answer("Command", v.CommandResponse(), COMMAND)
    assert peer.value("Receive", COMMAND).command_id == str(COMMAND).upper()


def test_the_reference_that_create_returned_is_used_afterwards() -> None:
    """Statement H78."""
    peer = Peer().opened()
    envelope = peer.envelope("Receive")
    assert envelope.resource_uri == CREATED.resource_uri
    assert envelope.selectors == CREATED.selectors
    assert envelope.option("WSMAN_CMDSHELL_OPTION_KEEPALIVE") == "TRUE"


@pytest.mark.parametrize(
    "nothing",
    [
        faults.make_fault("TimedOut"),
        v.ReceiveResponse(states=(RUNNING,)),
        v.ReceiveResponse(),
    ],
    ids=["fault", "running", "empty"],
)
def test_an_answer_without_anything_is_asked_again(nothing: Any) -> None:
    """Statement H73."""
    peer = Peer().running()
    for target in (None, COMMAND):
        for _ in range(20):
            peer.now += 30.0
            peer.answer("Receive", nothing, target)
        assert len([r for r in peer.out if r.target == target]) == 1
    assert peer.told(ev.Lost) == []


def test_a_server_that_answers_nothing_quickly_is_not_asked_in_a_tight_loop() -> None:
    peer = Peer().opened()
    asked = 0
    while peer.now < 10.0:
        if peer.out:
            peer.answer("Receive", v.ReceiveResponse(states=(RUNNING,)))
            asked += 1
        time = peer.machine.next_time
        peer.now = max(peer.now, time if time is not None else peer.now) + 0.001
        peer.pump()
    assert 10 < asked < 40


def test_a_stop_is_the_misspelt_signal_and_a_close_terminates() -> None:
    """Statement H72."""
    peer = Peer().running()
    peer.send(act=A.STOP_PIPELINE, target=COMMAND)
    assert peer.value("Signal", COMMAND).code == "powershell/signal/crtl_c"
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert peer.events[-1] == ev.ActDone(act=A.STOP_PIPELINE, target=COMMAND)
    peer.answer("Receive", output(b"stopped"), COMMAND)
    peer.send(act=A.CLOSE_PIPELINE, target=COMMAND)
    assert peer.value("Signal", COMMAND).code == names.SIGNAL_TERMINATE
    assert peer.find("Receive", COMMAND)
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert peer.events[-1] == ev.ActDone(act=A.CLOSE_PIPELINE, target=COMMAND)
    assert COMMAND in peer.machine.commands
    peer.answer("Receive", v.ReceiveResponse(states=(DONE,)), COMMAND)
    assert COMMAND not in peer.machine.commands
    assert peer.pump() == ["Receive"]


def test_a_fault_that_answers_receive_while_stopping_is_the_end_of_the_command() -> None:
    peer = Peer().running()
    peer.send(act=A.STOP_PIPELINE, target=COMMAND)
    peer.answer("Receive", faults.make_fault("InternalError", wsman_code=995), COMMAND)
    assert peer.told(ev.ActFailed) == []
    assert peer.told(ev.CommandEnded) == [ev.CommandEnded(target=COMMAND)]


def test_a_failed_receive_of_a_command_costs_that_command_alone() -> None:
    peer = Peer().running()
    peer.answer("Receive", faults.make_fault("InternalError"), COMMAND)
    (failed,) = peer.told(ev.ActFailed)
    assert (failed.act, failed.target) == (A.CREATE_PIPELINE, COMMAND)
    assert isinstance(failed.error, WSManFault)
    assert sorted(peer.pump()) == ["Receive", "Signal"]
    assert peer.value("Signal", COMMAND).code == names.SIGNAL_TERMINATE
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert peer.told(ev.Lost) == []
    assert not peer.machine.commands


def test_a_failed_receive_of_the_pool_loses_the_pool() -> None:
    peer = Peer().running()
    peer.answer("Receive", faults.make_fault("InvalidSelectors"))
    (lost,) = peer.told(ev.Lost)
    assert lost.error.code == faults.NO_SUCH_SHELL
    with pytest.raises(LocalProtocolError):
        peer.machine.send(Outgoing(data=b"x"))


def test_a_shell_that_the_server_closes_is_lost_with_its_last_data() -> None:
    peer = Peer().opened()
    peer.answer("Receive", output(b"closed", DONE))
    assert peer.events[-2] == ev.Received(target=None, data=b"closed")
    assert "closed the shell" in str(peer.events[-1].error)


def test_a_lost_receive_is_made_again_after_growing_pauses() -> None:
    peer = Peer(retries=3).running()
    delays = []
    for _ in range(3):
        peer.fail("Receive", COMMAND, sent=True)
        delays.append(peer.told(ev.Retrying)[-1].delay)
        peer.now = peer.machine.next_time or peer.now
        peer.pump()
        assert peer.find("Receive", COMMAND)
    assert delays == [0.0, 0.5, 1.0]
    peer.fail("Receive", COMMAND, sent=True)
    (lost,) = peer.told(ev.Lost)
    assert str(lost.error) == "cut"


@pytest.mark.parametrize("operation", ["Command", "Send"])
def test_a_server_that_cannot_be_reached_for_a_command_loses_the_shell(operation: str) -> None:
    """The pool would be lost a little later, and its commands with the same error."""
    peer = Peer(retries=1).opened()
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
    if operation == "Send":
        peer.answer("Command", v.CommandResponse(command_id=str(COMMAND)), COMMAND)
        peer.send(target=COMMAND, data=b"input")
    for _ in range(2):
        assert peer.told(ev.Lost) == []
        peer.fail(operation, COMMAND, sent=False)
        peer.now += 1.0
        peer.pump()
    assert len(peer.told(ev.Lost)) == 1


def test_a_repeated_request_is_the_same_envelope() -> None:
    """A server that knows the MessageID repeats its answer and executes the request once."""
    peer = Peer().running()
    first = peer.find("Receive", COMMAND)
    peer.fail("Receive", COMMAND, sent=True)
    peer.now += 10.0
    peer.pump()
    again = peer.find("Receive", COMMAND)
    assert again.number != first.number
    assert (again.body, again.message_id) == (first.body, first.message_id)


def test_an_answer_that_was_cut_off_is_not_asked_for_again() -> None:
    """The server counts the answer as delivered: polling again would lose output silently."""
    peer = Peer().running()
    peer.fail("Receive", COMMAND, sent=True, partial=True)
    assert [event.target for event in peer.told(ev.ActFailed)] == [COMMAND]
    assert peer.told(ev.Retrying) == []


@pytest.mark.parametrize("operation", ["Send", "Command"])
def test_what_may_have_reached_the_server_is_never_sent_twice(operation: str) -> None:
    peer = Peer().running()
    peer.send(target=COMMAND, data=b"input")
    peer.send(act=A.CREATE_PIPELINE, target=OTHER, data=b"command")
    target = COMMAND if operation == "Send" else OTHER
    peer.fail(operation, target, sent=True)
    assert peer.told(ev.Retrying) == []
    assert [event.target for event in peer.told(ev.ActFailed)] == [target]
    # The server may have received the command, so it is terminated.
    assert peer.value("Signal", target).code == names.SIGNAL_TERMINATE


@pytest.mark.parametrize("status", [0, 400, 401, 503])
def test_what_did_not_reach_the_server_is_sent_again(status: int) -> None:
    """Statement H74, the machine's half: 400 and 401 refuse a request before it has effects."""
    peer = Peer().running()
    peer.send(target=COMMAND, data=b"input")
    peer.fail("Send", COMMAND, status=status)
    peer.now = peer.machine.next_time or 0.0
    peer.pump()
    assert peer.value("Send", COMMAND).streams[0].data == b"input"
    assert peer.told(ev.ActFailed) == []


def test_a_refused_command_costs_nothing_else() -> None:
    peer = Peer().opened()
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
    peer.answer("Command", faults.make_fault("InternalError", wsman_code=0x80540FA0), COMMAND)
    assert [event.target for event in peer.told(ev.ActFailed)] == [COMMAND]
    assert peer.pump() == ["Receive"]


def test_a_refused_create_ends_the_machine_with_the_fault() -> None:
    peer = Peer()
    peer.send(act=A.CREATE_POOL, data=b"first")
    peer.answer("Create", faults.make_fault("AccessDenied"))
    (failed,) = peer.told(ev.ActFailed)
    assert failed.act is A.CREATE_POOL
    assert failed.error.error_id("PSSessionOpenFailed") == "AccessDenied,PSSessionOpenFailed"
    assert peer.told(ev.Lost)[0].error is failed.error
    assert peer.pump() == []


def test_create_is_tried_again_after_the_faults_that_pass() -> None:
    peer = Peer(retries=1)
    peer.send(act=A.CREATE_POOL, data=b"first")
    busy = faults.make_fault("InternalError", wsman_code=0x80338112)
    peer.answer("Create", busy)
    assert peer.pump() == ["Create"]
    peer.answer("Create", busy)
    assert peer.told(ev.Lost)[0].error.code == 0x80338112


def test_closing_terminates_commands_and_then_deletes_the_shell() -> None:
    """Statement H75."""
    peer = Peer().running()
    peer.send(act=A.CLOSE_POOL)
    assert sorted(peer.pump()) == ["Receive", "Receive", "Signal"]
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert "Delete" in peer.pump()
    peer.answer("Receive", v.ReceiveResponse(states=(DONE,)))
    peer.answer("Delete", v.DeleteResponse())
    assert peer.events[-2:] == [ev.ActDone(act=A.CLOSE_POOL), ev.Lost(error=None)]


def test_deleting_a_shell_that_is_gone_is_success() -> None:
    for fault in ("InvalidSelectors", "DestinationUnreachable"):
        peer = Peer().opened()
        peer.send(act=A.CLOSE_POOL)
        gone = faults.make_fault(fault, wsman_code=None if fault[0] == "D" else 2150858843)
        peer.answer("Delete", gone)
        assert peer.events[-2:] == [ev.ActDone(act=A.CLOSE_POOL), ev.Lost(error=None)]


def test_a_shell_that_is_closed_while_it_opens_is_deleted() -> None:
    peer = Peer()
    peer.send(act=A.CREATE_POOL, data=b"first")
    peer.send(act=A.CLOSE_POOL)
    assert peer.pump() == ["Create"]
    assert "Delete" in peer.answer("Create", CREATED)


def test_a_command_that_was_closed_before_it_left_is_never_made() -> None:
    peer = Peer()
    peer.send(act=A.CREATE_POOL, data=b"first")
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
    peer.send(act=A.CLOSE_PIPELINE, target=COMMAND)
    peer.answer("Create", CREATED)
    assert peer.pump() == ["Receive"]
    assert ev.ActDone(act=A.CLOSE_PIPELINE, target=COMMAND) in peer.events


def test_disconnecting_waits_for_sends_and_takes_what_still_comes() -> None:
    """Statement H83."""
    peer = Peer(idle_timeout=120.0).running()
    peer.send(target=COMMAND, data=b"input")
    peer.send(act=A.DISCONNECT)
    assert "Disconnect" not in peer.pump()
    peer.answer("Send", v.SendResponse(), COMMAND)
    assert peer.value("Disconnect").idle_timeout == 120.0
    peer.answer("Receive", output(b"last"), COMMAND)
    assert ev.Received(target=COMMAND, data=b"last") in peer.events
    peer.answer("Disconnect", v.DisconnectResponse())
    gone = faults.make_fault("InternalError", wsman_code=faults.SHELL_DISCONNECTED)
    peer.answer("Receive", gone)
    assert peer.events[-1] == ev.ActDone(act=A.DISCONNECT)
    assert peer.pump() == []


def test_a_command_that_is_held_from_its_start_is_disconnected_without_a_receive() -> None:
    peer = Peer(buffer_mode="Block").opened()
    peer.machine.send(Outgoing(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command"))
    peer.machine.hold(COMMAND)
    peer.pump()
    peer.answer("Command", v.CommandResponse(command_id=str(COMMAND)), COMMAND)
    peer.machine.buffer_mode = "Drop"
    assert sorted(peer.send(act=A.DISCONNECT)) == ["Disconnect", "Receive"]
    assert peer.find("Receive", None)
    assert peer.value("Disconnect").buffer_mode == "Drop"


def test_disconnecting_waits_for_the_terminate_of_finished_commands() -> None:
    """A command that is not terminated would be offered to the next client that connects."""
    peer = Peer().running()
    peer.send(act=A.CLOSE_PIPELINE, target=COMMAND)
    peer.send(act=A.DISCONNECT)
    assert "Disconnect" not in peer.pump()
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert "Disconnect" in peer.pump()


def test_reconnecting_takes_the_shell_first_and_then_each_command() -> None:
    """Statement H83."""
    peer = Peer().running()
    peer.send(act=A.DISCONNECT)
    peer.answer("Disconnect", v.DisconnectResponse())
    for target in (None, COMMAND):
        gone = faults.make_fault("InternalError", wsman_code=faults.STREAM_DISCONNECTED)
        peer.answer("Receive", gone, target)
    first = peer.machine.config.session_id
    assert peer.send(act=A.RECONNECT) == ["Reconnect"]
    assert peer.envelope("Reconnect").session_id == f"uuid:{first}"
    assert peer.value("Reconnect").command_id == ""
    assert sorted(peer.answer("Reconnect", v.ReconnectResponse())) == ["Receive", "Reconnect"]
    assert peer.value("Reconnect", COMMAND).command_id == str(COMMAND).upper()
    peer.answer("Reconnect", v.ReconnectResponse(), COMMAND)
    assert sorted(peer.pump()) == ["Receive", "Receive"]


def test_connecting_sends_connect_xml_and_then_connects_each_command() -> None:
    """Statement H83."""
    peer = Peer()
    assert peer.send(act=A.CONNECT, data=b"who") == ["Connect"]
    assert peer.value("Connect").connect_xml == b"who"
    assert f'xmlns="{names.POWERSHELL}"' in peer.find("Connect", None).body.decode()
    assert peer.envelope("Connect").option("protocolversion") == "2.3"
    assert peer.envelope("Connect").selectors == (("ShellId", SHELL_ID),)
    peer.answer("Connect", v.ConnectResponse(connect_response_xml=b"pool"))
    assert peer.events == [
        ev.Received(target=None, data=b"pool"), ev.ActDone(act=A.CONNECT)
    ]  # fmt: skip
    assert "Connect" in peer.send(act=A.CONNECT, target=COMMAND)
    assert peer.value("Connect", COMMAND).connect_xml is None
    peer.answer("Connect", v.ConnectResponse(), COMMAND)
    assert peer.find("Receive", COMMAND)


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (200, b"", "the answer is empty"),
        (200, b"<html/>", "expected a SOAP 1.2 Envelope"),
        (200, operations.write(Headers(), v.SendResponse()), "expected ReceiveResponse, got Send"),
        (200, operations.write(Headers(relates_to="uuid:x"), output()), "another request"),
        (500, b"", "HTTP 500"),
        (404, b"<html>", "HTTP 404"),
        (200, operations.write(Headers(), output()).replace(b"eA==", b"e"), "not base64"),
    ],
)
def test_an_answer_that_cannot_be_used_loses_its_target(
    status: int, body: bytes, complaint: str
) -> None:
    peer = Peer().opened()
    (request,) = peer.out
    peer.machine.receive_answer(request.number, status, [body], 0.0)
    peer.pump()
    (lost,) = peer.told(ev.Lost)
    assert complaint in str(lost.error)


def test_keep_alives_in_front_of_an_answer_are_skipped() -> None:
    peer = Peer().opened()
    (request,) = peer.out
    parts = [
        operations.write(Headers(), operations.KeepAlive()),
        operations.write(Headers(relates_to=request.message_id), output(b"real")),
    ]
    peer.machine.receive_answer(request.number, 200, parts, 0.0)
    peer.pump()
    assert peer.events[-1] == ev.Received(target=None, data=b"real")
