"""The client machine alone: Sends, Receives and terminates, and what they hold."""

from __future__ import annotations

import random

import pytest

from psrp.sansio import Outgoing, Stream
from tests.wsman.shell_peer import COMMAND, CREATED, DONE, A, Peer, output
from wsman import client_events as ev
from wsman import faults, names, operations
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.xpress import compress, decompress


def test_at_most_one_send_and_one_receive_of_a_target_are_outstanding() -> None:
    peer = Peer().running()
    room = peer.machine.room(COMMAND)
    pieces = [bytes([number]) * room for number in range(3)]
    for piece in pieces:
        peer.send(target=COMMAND, data=piece)
    peer.send(target=COMMAND, data=b"answer", stream=Stream.PROMPT_RESPONSE)
    assert sorted(peer.pump()) == ["Receive", "Receive", "Send"]
    assert peer.machine.room(COMMAND) == 0
    sent = []
    for _ in range(4):
        (stream,) = peer.value("Send", COMMAND).streams
        sent.append((stream.name, stream.data))
        peer.answer("Send", v.SendResponse(), COMMAND)
    assert sent == [
        ("stdin", pieces[0]), ("pr", b"answer"), ("stdin", pieces[1]), ("stdin", pieces[2])
    ]  # fmt: skip
    assert peer.told(ev.RoomAgain) == [ev.RoomAgain(target=COMMAND)]
    assert peer.machine.room(COMMAND) == room


def test_small_input_is_collected_while_a_send_is_outstanding() -> None:
    """PowerShell's client does the same: few Sends for many small objects."""
    peer = Peer().running()
    room = peer.machine.room(COMMAND)
    pieces = [bytes([number % 256]) * 1000 for number in range(2 * room // 1000)]
    for piece in pieces:
        assert peer.machine.room(COMMAND) >= len(piece)
        peer.send(target=COMMAND, data=piece)
    sent = []
    while "Send" in peer.pump():
        (stream,) = peer.value("Send", COMMAND).streams
        sent.append(stream.data)
        peer.answer("Send", v.SendResponse(), COMMAND)
    assert b"".join(sent) == b"".join(pieces)
    assert len(sent) == 3
    assert max(map(len, sent)) <= room


REFUSED = faults.make_fault(
    "InternalError", wsman_code=None, reason="Already have a child send request"
)


def test_a_send_that_was_refused_because_of_the_last_one_is_made_again() -> None:
    """The provider of the plugin answers a Send before it has ended it."""
    peer = Peer().running()
    peer.send(target=COMMAND, data=b"input")
    first = peer.find("Send", COMMAND)
    for number in range(9):
        assert peer.answer("Send", REFUSED, COMMAND) == ["Receive", "Receive"]
        assert peer.machine.next_time == pytest.approx(peer.now + 0.01 * 2**number)
        peer.send(target=COMMAND, data=b" more")
        assert "Send" not in peer.pump()
        peer.now = peer.machine.next_time or 0.0
        assert "Send" in peer.pump()
        assert peer.find("Send", COMMAND).message_id != first.message_id
        assert peer.value("Send", COMMAND).streams[0].data == b"input"
    assert not peer.told(ev.ActFailed)
    peer.answer("Send", REFUSED, COMMAND)
    (lost,) = peer.told(ev.ActFailed)
    assert (lost.act, lost.target) == (A.CREATE_PIPELINE, COMMAND)


def test_a_refused_send_of_a_command_that_is_closed_is_dropped() -> None:
    peer = Peer().running()
    peer.send(target=COMMAND, data=b"input")
    peer.answer("Send", REFUSED, COMMAND)
    assert "Signal" in peer.send(act=A.CLOSE_PIPELINE, target=COMMAND)
    peer.now = 1.0
    assert "Send" not in peer.pump()
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    peer.answer("Receive", output(b"", DONE), COMMAND)
    assert peer.machine.commands == {}


def test_the_rest_of_a_large_command_is_sent_before_its_first_receive() -> None:
    peer = Peer().opened()
    size = peer.machine.room(None)
    data = bytes(range(256)) * (size * 5 // 2 // 256)
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=data)
    peer.answer("Command", v.CommandResponse(), COMMAND)
    sent = b""
    while "Send" in peer.pump():
        assert not [r for r in peer.out if r.operation == "Receive" and r.target == COMMAND]
        sent += peer.value("Send", COMMAND).streams[0].data
        peer.answer("Send", v.SendResponse(), COMMAND)
    assert sent == data[size:]
    assert peer.find("Receive", COMMAND)


def test_no_envelope_is_larger_than_announced() -> None:
    for changes in ({}, {"utf_16": True}, {"compress": True}, {"max_envelope_size": 512000}):
        peer = Peer(**changes)
        limit = peer.machine.requests.max_envelope_size
        noise = random.Random(1).randbytes(1 << 20)
        peer.send(act=A.CREATE_POOL, data=noise)
        peer.answer("Create", CREATED)
        peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=noise)
        peer.answer("Command", v.CommandResponse(), COMMAND)
        sizes = [len(request.body) for request in peer.out]
        assert max(sizes) <= limit
        assert max(sizes) > limit * 0.95


@pytest.mark.parametrize("pack", [False, True])
def test_streams_of_a_compressed_shell_are_blocks(pack: bool) -> None:
    peer = Peer(compress=True, pack_input=pack)
    peer.send(act=A.CREATE_POOL, data=b"first")
    assert peer.envelope("Create").compression == "xpress"
    peer.answer("Create", CREATED)
    peer.send(data=b"word " * 1000)
    (stream,) = peer.value("Send").streams
    assert decompress(stream.data) == b"word " * 1000
    assert (len(stream.data) < 1000) is pack
    peer.answer("Receive", output(compress(b"answer " * 500)))
    assert peer.events[-1] == ev.Received(target=None, data=b"answer " * 500)


def test_large_envelopes_follow_the_servers_version() -> None:
    peer = Peer().opened()
    small = peer.machine.room(None)
    peer.machine.use_large_envelopes()
    assert peer.machine.room(None) > 3 * small
    peer.send(data=b"x")
    assert peer.envelope("Send").max_envelope_size == 512000


CLOSE = Outgoing(act=A.CLOSE_PIPELINE, target=COMMAND)


def test_a_command_that_has_ended_is_terminated_without_another_receive() -> None:
    """pypsrp does the same: the Done that would be its answer is of no use."""
    peer = Peer().running()
    left = peer.answer("Receive", output(b"state"), COMMAND, then=CLOSE)
    assert left == ["Receive", "Signal"]
    assert peer.answer("Signal", v.SignalResponse(), COMMAND) == ["Receive"]
    assert peer.machine.commands == {}
    assert peer.machine.next_time is None


def test_a_terminate_that_waits_for_a_receive_gets_one() -> None:
    """The plugin hangs while it has output for a command without a Receive."""
    peer = Peer().running()
    peer.answer("Receive", output(b"not the last"), COMMAND, then=CLOSE)
    assert peer.machine.next_time == 0.5
    peer.now = 0.5
    assert sorted(peer.pump()) == ["Receive", "Receive", "Signal"]
    for _ in range(3):
        # The server is delivering output: no further pause.
        assert sorted(peer.answer("Receive", output(b"more"), COMMAND)) == [
            "Receive", "Receive", "Signal"
        ]  # fmt: skip
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    peer.answer("Receive", output(b"", DONE), COMMAND)
    assert peer.machine.commands == {}


def test_a_terminate_waits_for_the_answer_of_the_stop() -> None:
    """The plugin's provider takes one Signal of a command at a time."""
    peer = Peer().running()
    peer.send(act=A.STOP_PIPELINE, target=COMMAND)
    left = peer.answer("Receive", output(b"stopped"), COMMAND, then=CLOSE)
    assert left == ["Receive", "Signal"]
    assert peer.value("Signal", COMMAND).code == names.SIGNAL_STOP
    peer.answer("Signal", v.SignalResponse(), COMMAND)
    assert peer.value("Signal", COMMAND).code == names.SIGNAL_TERMINATE


def test_the_pool_is_received_from_a_second_after_the_opening() -> None:
    """A short session leaves the connection to its command."""
    peer = Peer().opened()
    request = peer.find("Receive", None)
    peer.out.remove(request)
    written = operations.write(Headers(relates_to=request.message_id), output(b"opened"))
    peer.machine.receive_answer(request.number, 200, [written], peer.now)
    peer.machine.poll_pool(peer.now, soon=False)
    assert peer.pump() == []
    assert peer.machine.next_time == 1.0
    peer.now = 1.0
    assert peer.pump() == ["Receive"]


@pytest.mark.parametrize("why", ["data", "event"])
def test_a_message_that_is_expected_for_the_pool_is_received_at_once(why: str) -> None:
    """Statement H74. The plugin also delays a Send until a Receive is outstanding."""
    peer = Peer().opened()
    peer.machine.poll_pool(peer.now, soon=False)
    assert peer.answer("Receive", output(b"opened")) == []
    if why == "data":
        peer.machine.send(Outgoing(data=b"public key"))
    else:
        peer.machine.poll_pool(peer.now, soon=True)
    assert "Receive" in peer.pump()


def test_a_held_target_is_not_received_from_and_the_others_are() -> None:
    peer = Peer().running()
    peer.machine.hold(COMMAND)
    peer.answer("Receive", output(), COMMAND)
    assert peer.pump() == ["Receive"]
    peer.answer("Receive", output())
    assert peer.pump() == ["Receive"]
    peer.machine.release(COMMAND)
    assert [r.target for r in peer.out if peer.pump()] == [None, COMMAND]
