"""Requests about runspaces, and limits on a peer."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp import events as e
from psrp.commands import script
from psrp.host import HostInfo, HostMethodId
from psrp.pool import Pool
from psrp.sansio import LimitExceeded, LocalProtocolError, Side, TransportAct
from psrp.states import PoolState
from tests.psrp.pairs import (
    OTHER_ID,
    PIPELINE_ID,
    POOL_ID,
    Pair,
    channel_of,
    deliver,
    drain,
    force,
    force_bytes,
    sent,
)


def ask(pair: Pair, question: e.Event) -> e.Event:
    pair.client.send(question)
    pair.move()
    return pair.at_client[-1]


@pytest.mark.parametrize(
    ("kind", "count", "answer"),
    [
        (e.SetMaxRunspaces, 5, True),
        (e.SetMaxRunspaces, 3, True),
        (e.SetMaxRunspaces, 0, False),
        (e.SetMaxRunspaces, -1, False),
        (e.SetMaxRunspaces, 1, False),
        (e.SetMinRunspaces, 3, True),
        (e.SetMinRunspaces, 2, True),
        (e.SetMinRunspaces, 9, False),
        (e.SetMinRunspaces, 0, False),
        (e.SetMinRunspaces, -4, False),
    ],
)
def test_a_server_takes_legal_limits_only(
    kind: type[e.SetMaxRunspaces], count: int, answer: bool
) -> None:
    """Statement J115."""
    pair = Pair().open(min_runspaces=2, max_runspaces=3)
    call = pair.client.new_call_id()
    assert ask(pair, kind(count=count, call_id=call)) == e.RunspaceAvailability(
        call_id=call, answer=answer
    )
    sizes = (pair.client.min_runspaces, pair.client.max_runspaces)
    assert sizes == (pair.server.min_runspaces, pair.server.max_runspaces)
    assert (count in sizes) is answer
    assert isinstance(pair.at_server[-1], kind if answer else e.Ignored)


def test_free_runspaces_are_the_maximum_less_what_runs() -> None:
    pair = Pair().open(max_runspaces=3)
    pair.create(PIPELINE_ID)
    pair.create(OTHER_ID)
    pair.end(OTHER_ID)
    question = e.GetAvailableRunspaces(call_id=77)
    assert ask(pair, question) == e.RunspaceAvailability(call_id=77, answer=2)


def test_only_a_pool_of_one_is_reset() -> None:
    pair = Pair().open(max_runspaces=2)
    answer = ask(pair, e.ResetRunspaceState(call_id=4))
    assert answer == e.RunspaceAvailability(call_id=4, answer=False)
    pair = Pair().open()
    pair.client.send(e.ResetRunspaceState(call_id=4))
    pair.move()
    assert pair.at_server[-1] == e.ResetRunspaceState(call_id=4)
    pair.server.send(e.RunspaceAvailability(call_id=4, answer=True))
    pair.move()
    assert pair.at_client[-1] == e.RunspaceAvailability(call_id=4, answer=True)


def test_a_reset_needs_2_3() -> None:
    """Statement B23."""
    pair = Pair(client={"version": "2.2"}).open()
    with pytest.raises(LocalProtocolError, match=r"2\.3"):
        pair.client.send(e.ResetRunspaceState(call_id=1))


def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    pair = Pair().open()
    pair.server.send(e.RunspaceAvailability(call_id=12, answer=True))
    pair.move()
    assert isinstance(pair.at_client[-1], e.Ignored)


def test_a_question_is_asked_once() -> None:
    pair = Pair().open()
    pair.client.send(e.GetAvailableRunspaces(call_id=1))
    with pytest.raises(LocalProtocolError, match="open already"):
        pair.client.send(e.GetAvailableRunspaces(call_id=1))


def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes() -> None:
    """Statement A12."""
    pair = Pair(client={"max_message": 10_000}, server={"max_message": 10_000}).open()
    header = (5).to_bytes(8, "big") + bytes(8) + b"\x03" + (2**31 - 100).to_bytes(4, "big")
    pair.server.receive_data(header + b"x")
    (fault,) = drain(pair.server)
    assert isinstance(fault, e.Fault)
    assert isinstance(fault.error, LimitExceeded)
    assert pair.server.state is PoolState.OPENED
    pair.client.receive_data(header + b"x")
    with pytest.raises(LimitExceeded):
        pair.client.next_event()
    assert pair.client.state is PoolState.BROKEN


def test_a_peer_opens_no_more_targets_than_it_may() -> None:
    pair = Pair(server={"max_pipelines": 2}).open(max_runspaces=9)
    pair.create(UUID(int=1))
    pair.create(UUID(int=2))
    with pytest.raises(LimitExceeded):
        pair.create(UUID(int=3))
    # The same on the pool's stream, with the PID in the message:
    pair = Pair(server={"max_pipelines": 1}).open(max_runspaces=9)
    pair.create(UUID(int=1))
    stranger = Pool(Side.CLIENT, id=POOL_ID)
    channel = stranger._channels.new(UUID(int=2), POOL_ID)
    force(
        stranger,
        e.CreatePipeline(
            pipeline_id=UUID(int=2),
            powershell=script("1"),
            host_info=HostInfo.null(),
        ),
        channel,
    )
    for out in sent(stranger):
        pair.server.receive_data(out.data)
    (fault,) = drain(pair.server)
    assert isinstance(fault, e.Fault)
    assert isinstance(fault.error, LimitExceeded)


def test_events_of_a_user_come_through() -> None:
    pair = Pair().open()
    event = e.UserEvent(event_id=1, source_id="mine", arguments=None, message_data="x")
    pair.server.send(event)
    pair.move()
    seen = pair.at_client[-1]
    assert isinstance(seen, e.UserEvent)
    assert (seen.event_id, seen.source_id, seen.message_data) == (1, "mine", "x")


def test_an_unknown_message_is_shown_and_breaks_a_client_only_in_the_session_class() -> None:
    """Statement J104."""
    for number, survives in ((0x00021FFF, True), (0x00041FFF, True), (0x00010FFF, False)):
        pair = Pair().open()
        channel = channel_of(pair.server)
        message = b"\x01\0\0\0" + number.to_bytes(4, "little") + channel.output_prefix[8:40]
        message = message[:8] + POOL_ID.bytes_le + message[24:]
        force_bytes(pair.server, message, channel)
        (out,) = sent(pair.server)
        deliver(out, pair.client)
        if survives:
            (event,) = drain(pair.client)
            assert isinstance(event, e.UnknownMessage)
            assert event.message_type == number
        else:
            with pytest.raises(Exception, match="0x00010FFF"):
                pair.client.next_event()
    pair = Pair().open()
    channel = channel_of(pair.client)
    message = b"\x02\0\0\0" + (0x00010FFF).to_bytes(4, "little") + POOL_ID.bytes_le + bytes(16)
    force_bytes(pair.client, message, channel)
    pair.move()
    assert isinstance(pair.at_server[-1], e.UnknownMessage)
    assert pair.server.state is PoolState.OPENED


def test_an_act_and_its_target_belong_together() -> None:
    pair = Pair().open()
    for act, target in (
        (TransportAct.STOP_PIPELINE, None),
        (TransportAct.CLOSE_POOL, PIPELINE_ID),
        (TransportAct.CREATE_PIPELINE, None),
    ):
        with pytest.raises(LocalProtocolError, match=act.value):
            pair.server.receive_act(act, target)
    pair.server.receive_act(TransportAct.STOP_PIPELINE, UUID(int=12))
    assert drain(pair.server) == []


def test_a_host_call_id_is_used_once_while_it_is_open() -> None:
    pair = Pair().open()
    call = e.RunspacePoolHostCall(call_id=1, method=HostMethodId.ReadLine)
    pair.server.send(call)
    with pytest.raises(LocalProtocolError, match="open already"):
        pair.server.send(call)
    void = e.RunspacePoolHostCall(
        call_id=-100, method=HostMethodId.WriteLine2, arguments=("twice",)
    )
    pair.server.send(void)
    pair.server.send(void)
    pair.move()
    assert pair.at_client[-2:] == [void, void]
    answer = e.RunspacePoolHostResponse(call_id=1, method=HostMethodId.ReadLine, result="x")
    pair.client.send(answer)
    pair.move()
    assert pair.at_server[-1] == answer
