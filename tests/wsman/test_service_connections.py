"""A shell whose client disconnects, comes back, or whose connection breaks."""

from __future__ import annotations

import pytest

from psrp.sansio import Outgoing, TransportAct
from tests.wsman.served import COMMAND, OTHER, SHELL, Table
from wsman import names, queries
from wsman import shell_values as v
from wsman.faults import (
    IN_USE,
    NO_SUCH_SHELL,
    SHELL_DISCONNECTED,
    STREAM_DISCONNECTED,
)

STOP = "powershell/signal/crtl_c"


@pytest.fixture
def table() -> Table:
    return Table()


def stream(data: bytes, command_id: str = COMMAND) -> v.StreamData:
    return v.StreamData(name="stdout", data=data, command_id=command_id)


# -- disconnecting


def test_a_shell_is_left_and_taken_up_again(table: Table) -> None:
    work = table.open(session_id="uuid:mine")
    table.start()
    pool, command = table.send(v.Receive()), table.send(v.Receive(command_id=COMMAND))
    assert table.ask(v.Disconnect(idle_timeout=120.0)) == v.DisconnectResponse()
    for ticket in (pool, command):
        assert table.answer(ticket).wsman_code == STREAM_DISCONNECTED
    assert work.received[-1].act is TransportAct.DISCONNECT
    for value in (
        v.Receive(),
        v.Send(streams=(v.StreamData(name="stdin"),)),
        v.Command(command_id=OTHER, arguments=(b"x",)),
        v.Signal(code=STOP, command_id=COMMAND),
    ):
        assert table.ask(value).wsman_code == SHELL_DISCONNECTED
    assert table.ask(queries.Get()).shell.state == "Disconnected"
    assert table.ask(queries.Get()).shell.idle_timeout == 120.0
    assert table.ask(v.Reconnect(), session_id="uuid:other").wsman_code == 0x803381C6
    assert table.ask(v.Reconnect(), session_id="uuid:MINE") == v.ReconnectResponse()
    assert table.ask(v.Reconnect(command_id=COMMAND)) == v.ReconnectResponse()
    assert table.ask(v.Reconnect(command_id=OTHER)).wsman_code == NO_SUCH_SHELL
    assert work.received[-1].act is TransportAct.RECONNECT
    assert table.answer(table.send(v.Receive())) is None


def test_a_connected_shell_is_in_use(table: Table) -> None:
    table.open(session_id="uuid:mine")
    assert table.ask(v.Reconnect(), session_id="uuid:mine") == v.ReconnectResponse()
    assert table.ask(v.Reconnect(), session_id="uuid:other").wsman_code == IN_USE
    assert table.ask(v.Connect(connect_xml=b"x")).wsman_code == IN_USE


def test_another_client_of_the_user_connects(table: Table) -> None:
    work = table.open(session_id="uuid:mine")
    target = table.start()
    table.ask(v.Disconnect())
    assert table.ask(v.Connect(), session_id="uuid:new").wsman_code == 0x80540FA2
    assert table.ask(v.Connect(connect_xml=b"other")).wsman_code == 0x80540FA3
    made = table.ask(v.Connect(connect_xml=b"hello"), session_id="uuid:new")
    assert made.connect_response_xml == b"connected"
    assert (made.input_streams, made.output_streams) == ("stdin pr", "stdout")
    assert isinstance(table.ask(v.Connect(command_id=COMMAND)), v.ConnectResponse)
    assert work.received[-1] == Outgoing(target=target, act=TransportAct.CONNECT)
    assert table.ask(v.Connect(command_id=OTHER)).wsman_code == NO_SUCH_SHELL


@pytest.mark.parametrize(("mode", "first"), [("Drop", 35), ("Block", 0), ("", 0)])
def test_output_is_kept_or_dropped_as_the_client_says(table: Table, mode: str, first: int) -> None:
    work = table.open(session_id="uuid:1")
    target = table.start()
    table.ask(v.Disconnect(buffer_mode=mode))
    for number in range(40):
        work.put(bytes([number]) * 16_384, target)
        table.advance()
    table.ask(v.Reconnect(), session_id="uuid:1")
    answer = table.ask(v.Receive(command_id=COMMAND))
    assert answer.streams[0].data[0] == first
    kept = sum(len(each.data) for each in work.queues[target]) + sum(
        len(each.data) for each in answer.streams
    )
    assert kept <= (128 << 10 if mode == "Drop" else 40 * 16_384)


def test_an_idle_time_of_disconnect_out_of_range_is_refused(table: Table) -> None:
    table.open()
    assert table.ask(v.Disconnect(idle_timeout=59.0)).wsman_code == 87
    assert table.ask(queries.Get()).shell.state == "Connected"


def test_a_disconnected_shell_ends_when_its_idle_time_is_over(table: Table) -> None:
    work = table.open()
    table.ask(v.Disconnect(idle_timeout=60.0))
    table.advance(59.0)
    assert not work.gone
    table.advance(2.0)
    assert work.gone


# -- connections that break


def test_a_receive_whose_client_is_gone_loses_nothing(table: Table) -> None:
    work = table.open()
    ticket = table.send(v.Receive())
    table.service.client_gone(ticket, table.now)
    work.put(b"kept")
    table.advance()
    assert ticket not in table.answers
    assert table.ask(v.Receive()).streams[0].data == b"kept"


def test_an_answer_that_could_not_be_written_is_given_again(table: Table) -> None:
    work = table.open()
    work.put(b"lost")
    before = table.service.answered
    table.service.answered = lambda ticket: None  # type: ignore[method-assign]
    ticket = table.send(v.Receive())
    table.service.answered = before  # type: ignore[method-assign]
    table.service.client_gone(ticket, table.now)
    assert table.ask(v.Receive()).streams[0].data == b"lost"
    again = table.send(v.Receive())
    assert table.answer(again) is None


def test_the_same_envelope_again_gets_the_same_answer_and_acts_once(table: Table) -> None:
    work = table.open()
    target = table.start()
    work.put(b"once", target)
    for value in (
        v.Send(streams=(v.StreamData(name="stdin", data=b"x", command_id=COMMAND),)),
        v.Receive(command_id=COMMAND),
        v.Signal(code=names.SIGNAL_TERMINATE, command_id=COMMAND),
        v.Command(command_id=OTHER, arguments=(b"x",)),
    ):
        envelope = table.envelope(value)
        done = len(work.received)
        first = table.answer(table.raw(envelope))
        acted = len(work.received) - done
        assert acted == (0 if isinstance(value, v.Receive) else 1)
        assert table.answer(table.raw(envelope)) == first
        assert len(work.received) - done == acted


def test_a_create_that_is_repeated_makes_one_shell(table: Table) -> None:
    envelope = table.envelope(v.Create(shell_id=SHELL))
    first, second = (table.answer(table.raw(envelope)) for _ in range(2))
    assert first == second
    assert len(table.endpoint.works) == 1
    assert table.ask(v.Create(shell_id=SHELL)).wsman_code == 183


def test_a_second_receive_takes_the_place_of_the_first(table: Table) -> None:
    work = table.open()
    first, second = table.send(v.Receive()), table.send(v.Receive())
    assert table.answer(first).wsman_code == 995
    work.put(b"x")
    table.advance()
    assert table.answer(second).streams[0].data == b"x"
