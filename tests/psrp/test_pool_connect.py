"""Disconnecting from a pool and connecting again, as the same or another client."""

from __future__ import annotations

import pytest

from psrp import events as e
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, Side, TransportAct
from psrp.states import PipelinePhase, PoolState
from tests.psrp.pairs import PIPELINE_ID, POOL_ID, Pair, deliver, drain, force, sent


def disconnected(**create: object) -> Pair:
    pair = Pair().open()
    pair.create(**create)
    pair.client.send(e.Disconnect())
    pair.move()
    assert pair.at_server[-1] == e.Disconnect()
    pair.server.send(e.Disconnect())
    pair.move()
    assert pair.client.state is pair.server.state is PoolState.DISCONNECTED
    return pair


def output(value: object) -> e.PipelineOutput:
    return e.PipelineOutput(pipeline_id=PIPELINE_ID, data=value)


def take_over(pair: Pair, **counts: int) -> Pool:
    """Connect another client in place of the pair's client."""
    other = Pool(Side.CLIENT, id=POOL_ID)
    other.send(e.SessionCapability(protocol_version="2.3"))
    other.send(e.ConnectRunspacePool(**counts))
    pair.client = other
    pair.at_client.clear()
    return other


def test_the_same_client_comes_back_and_nothing_is_lost() -> None:
    pair = disconnected()
    with pytest.raises(LocalProtocolError, match="disconnected"):
        pair.client.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    pair.server.send(output("while away"))
    assert sent(pair.server) == []
    pair.client.send(e.Reconnect())
    (out,) = sent(pair.client)
    assert out.act is TransportAct.RECONNECT
    deliver(out, pair.server)
    assert drain(pair.server) == [e.Reconnect()]
    pair.server.send(e.Reconnect())
    pair.move()
    assert pair.client.state is PoolState.OPENED
    assert output("while away") in pair.at_client


def test_another_client_connects_and_takes_the_pipeline_over() -> None:
    pair = disconnected(no_input=False)
    pair.server.send(output("for the next one"))
    other = take_over(pair)
    (first,) = sent(other)
    assert first.act is TransportAct.CONNECT
    deliver(first, pair.server)
    assert [type(x) for x in drain(pair.server)] == [
        e.SessionCapability,
        e.ConnectRunspacePool,
        e.EndOfPipelineInput,
    ]
    assert pair.server.pipelines == {PIPELINE_ID: PipelinePhase.RUNNING}
    pair.move()
    assert [type(x) for x in pair.at_client] == [e.SessionCapability, e.RunspacePoolInitData]
    assert other.state is pair.server.state is PoolState.OPENED
    other.send(e.ConnectPipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    pair.server.send(e.ConnectPipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    assert output("for the next one") in pair.at_client
    assert other.pipelines == {PIPELINE_ID: PipelinePhase.RUNNING}
    pair.end()
    assert pair.client.pipelines == {PIPELINE_ID: PipelinePhase.ENDED}


def test_the_answers_to_a_new_client_come_before_what_waited() -> None:
    pair = disconnected()
    event = e.UserEvent(event_id=1, source_id="waited", message_data="x" * 300)
    pair.server.send(event)
    other = take_over(pair)
    pair.move()
    assert [type(x) for x in pair.at_client] == [
        e.SessionCapability,
        e.RunspacePoolInitData,
        e.UserEvent,
    ]
    assert other.state is PoolState.OPENED


def test_the_tail_of_an_object_whose_head_went_to_the_old_client_is_dropped() -> None:
    """Statement A8."""
    pair = Pair().open()
    pair.create()
    pair.server.send(output("x" * 500))
    head = pair.server.data_to_send(100)
    assert head is not None
    pair.client.send(e.Disconnect())
    for out in sent(pair.client):
        deliver(out, pair.server)
    drain(pair.server)
    pair.server.send(e.Disconnect())
    assert [out.act for out in sent(pair.server)] == [TransportAct.DISCONNECT]
    pair.server.send(output("whole"))
    take_over(pair)
    pair.move()
    pair.client.send(e.ConnectPipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.at_client[-1] == output("whole")


def test_a_server_refuses_a_connect_only_when_both_counts_differ() -> None:
    for counts, taken in (
        ({}, True),
        ({"min_runspaces": 1, "max_runspaces": 9}, True),
        ({"min_runspaces": 7, "max_runspaces": 9}, False),
    ):
        pair = disconnected()
        take_over(pair, **counts)
        pair.move()
        assert (pair.server.state is PoolState.OPENED) is taken
        assert isinstance(pair.at_server[-1], e.Fault) is not taken


def test_a_connect_to_an_open_pool_is_refused() -> None:
    pair = Pair().open()
    force(pair.client, e.ConnectRunspacePool())
    pair.move()
    assert isinstance(pair.at_server[-1], e.Fault)
    assert pair.server.state is PoolState.OPENED


def test_leaving_and_connecting_need_2_2() -> None:
    pair = Pair(client={"version": "2.1"}).open()
    with pytest.raises(LocalProtocolError, match=r"2\.2"):
        pair.client.send(e.Disconnect())
    old = Pool(Side.CLIENT, id=POOL_ID, version="2.1")
    old.send(e.SessionCapability(protocol_version="2.1"))
    with pytest.raises(LocalProtocolError, match=r"2\.2"):
        old.send(e.ConnectRunspacePool())


def test_a_server_refuses_an_old_client_that_connects() -> None:
    pair = disconnected()
    old = Pool(Side.CLIENT, id=POOL_ID, version="2.1")
    old.send(e.SessionCapability(protocol_version="2.1"))
    for out in sent(old):
        deliver(out, pair.server)
    assert [type(x) for x in drain(pair.server)] == [e.SessionCapability, e.Fault]
    assert pair.server.state is PoolState.BROKEN


def test_a_disconnected_pool_can_be_closed() -> None:
    pair = disconnected()
    pair.client.send(e.ClosePool())
    pair.move()
    assert pair.at_server[-1] == e.ClosePool()
    pair.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))
    pair.server.send(e.ClosePool())
    assert pair.server.state is PoolState.CLOSED
