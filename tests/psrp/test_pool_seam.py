"""The interface for a carrier with a queue for each target: one target's data, failed acts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from psrp import events as e
from psrp.clixml import SecureString
from psrp.commands import Command, Parameter, PowerShell, script
from psrp.fragments import split
from psrp.host import HostInfo
from psrp.keys import SessionKey
from psrp.pool import ANY_TARGET, Pool
from psrp.records import ErrorRecord
from psrp.sansio import LimitExceeded, LocalProtocolError, Side, TransportAct
from psrp.states import PipelinePhase, PoolState
from tests.properties.machines import private_key
from tests.psrp.pairs import (
    OTHER_ID,
    PIPELINE_ID,
    POOL_ID,
    SESSION_KEY,
    Pair,
    deliver,
    drain,
    force,
    sent,
)

THIRD_ID = UUID("77777777-8888-7777-6666-555555555555")


def create(id: UUID, **more: Any) -> e.CreatePipeline:
    fields = {"powershell": script("1"), "host_info": HostInfo.null(), "no_input": False, **more}
    return e.CreatePipeline(pipeline_id=id, **fields)


def secret_script(text: str) -> PowerShell:
    """Return a command whose creation has to wait for the session key."""
    command = Command(text, parameters=(Parameter("Secret", SecureString("s")),))
    return PowerShell.of(command)


def two_pipelines() -> Pair:
    pair = Pair().open()
    pair.create(PIPELINE_ID)
    pair.create(OTHER_ID)
    return pair


def test_one_targets_data_is_asked_for_alone() -> None:
    pair = two_pipelines()
    for id in (PIPELINE_ID, OTHER_ID):
        pair.server.send(e.PipelineOutput(pipeline_id=id, data="x" * 1000))
    assert pair.server.targets_to_send() == (PIPELINE_ID, OTHER_ID)
    waiting = pair.server.pending(PIPELINE_ID)
    assert waiting == pair.server.pending(OTHER_ID) > 1000
    assert pair.server.pending() == pair.server.pending(ANY_TARGET) == 2 * waiting
    out = pair.server.data_to_send(32768, OTHER_ID)
    assert out is not None
    assert out.target == OTHER_ID
    assert pair.server.data_to_send(32768, OTHER_ID) is None
    assert pair.server.data_to_send(32768, None) is None
    assert (pair.server.pending(OTHER_ID), pair.server.pending(PIPELINE_ID)) == (0, waiting)
    assert pair.server.targets_to_send() == (PIPELINE_ID,)
    assert [each.target for each in sent(pair.server)] == [PIPELINE_ID]
    assert pair.server.pending(THIRD_ID) == 0


@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_target_whose_data_was_taken_leaves_the_queue(to_the_end: bool) -> None:
    """A session of many commands must not look at each ended one for every message."""
    pair = Pair().open()
    for number in range(50):
        target = UUID(int=number + 1)
        pair.create(target)
        for event in (
            e.PipelineOutput(pipeline_id=target, data="x"),
            e.PipelineStateMessage(pipeline_id=target, state=e.InvocationState.COMPLETED),
        ):
            pair.server.send(event)
        while (out := pair.server.data_to_send(32768, target)) is not None:
            deliver(out, pair.client)
            if not (to_the_end or pair.server.pending(target)):
                break
        drain(pair.client)
        pair.client.send(e.ClosePipeline(pipeline_id=target))
        out = pair.client.data_to_send(32768, target)
        assert out is not None
        deliver(out, pair.server)
        drain(pair.server)
        pair.server.send(e.ClosePipeline(pipeline_id=target))
        out = pair.server.data_to_send(32768, target)
        assert out is not None
        deliver(out, pair.client)
    assert pair.server.targets_to_send() == pair.client.targets_to_send() == ()
    assert len(pair.server._channels._order) <= 1
    assert len(pair.client._channels._order) <= 1
    assert not pair.server._channels._leaving


def test_the_room_of_a_target_is_kept() -> None:
    pair = two_pipelines()
    pair.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data="x" * 1000))
    pieces = []
    while (out := pair.server.data_to_send(100, PIPELINE_ID)) is not None:
        assert len(out.data) <= 100
        pieces.append(out)
    assert len(pieces) > 10
    for out in pieces:
        deliver(out, pair.client)
    assert drain(pair.client) == [e.PipelineOutput(pipeline_id=PIPELINE_ID, data="x" * 1000)]


def test_acts_of_the_whole_pool_come_after_everything_else() -> None:
    pair = two_pipelines()
    pair.client.send(e.StopPipeline(pipeline_id=OTHER_ID))
    pair.client.send(e.ClosePool())
    assert pair.client.data_to_send(None, None) is None
    assert pair.client.targets_to_send() == (OTHER_ID,)
    out = pair.client.data_to_send(None, OTHER_ID)
    assert out is not None
    assert (out.act, out.target) == (TransportAct.STOP_PIPELINE, OTHER_ID)
    assert pair.client.targets_to_send() == (None,)
    last = pair.client.data_to_send(None, None)
    assert last is not None
    assert last.act is TransportAct.CLOSE_POOL
    assert pair.client.targets_to_send() == ()


def test_a_closed_pipelines_data_is_still_asked_for() -> None:
    pair = two_pipelines()
    pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    pair.server.send(
        e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=e.InvocationState.STOPPED)
    )
    pair.server.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    assert pair.server.phase(PIPELINE_ID) is None
    assert pair.server.pending(PIPELINE_ID) > 0
    out = pair.server.data_to_send(None, PIPELINE_ID)
    assert out is not None
    assert out.data
    confirmed = pair.server.data_to_send(None, PIPELINE_ID)
    assert confirmed is not None
    assert confirmed.act is TransportAct.CLOSE_PIPELINE
    assert pair.server.data_to_send(None, PIPELINE_ID) is None
    assert pair.server.pending(PIPELINE_ID) == 0


def test_a_room_that_is_too_small_loses_nothing() -> None:
    client = Pool(Side.CLIENT, id=POOL_ID)
    client.send(e.SessionCapability(protocol_version="2.3"))
    for target in (ANY_TARGET, None):
        with pytest.raises(LocalProtocolError, match="expected at least 22"):
            client.data_to_send(21, target)
    out = client.data_to_send()
    assert out is not None
    assert out.act is TransportAct.CREATE_POOL


def test_wrong_sizes_are_refused_at_once() -> None:
    with pytest.raises(LocalProtocolError, match="fragment_size"):
        Pool(Side.SERVER, fragment_size=5)
    with pytest.raises(LocalProtocolError, match="session key of 32 bytes"):
        Pool(Side.SERVER, session_key=b"short")


@pytest.mark.parametrize("act", [TransportAct.CREATE_POOL, TransportAct.CONNECT])
def test_a_pool_that_cannot_be_created_is_broken(act: TransportAct) -> None:
    pair = Pair().open()
    pair.create()
    error = ErrorRecord.create("unreachable")
    pair.client.act_failed(act, None, error)
    assert pair.client.state is PoolState.BROKEN
    failed = e.InvocationState.FAILED
    assert drain(pair.client) == [
        e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=failed, error=error),
        e.RunspacePoolStateMessage(state=e.RunspaceState.BROKEN, error=error),
    ]
    assert sent(pair.client) == []


def test_a_pipeline_that_cannot_be_created_fails_and_is_forgotten() -> None:
    pair = two_pipelines()
    error = ErrorRecord.create("refused")
    pair.client.act_failed(TransportAct.CREATE_PIPELINE, PIPELINE_ID, error)
    state = e.InvocationState.FAILED
    assert drain(pair.client) == [
        e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=state, error=error)
    ]
    assert pair.client.phase(PIPELINE_ID) is None
    assert pair.client.phase(OTHER_ID) is PipelinePhase.RUNNING
    pair.client.act_failed(TransportAct.CREATE_PIPELINE, PIPELINE_ID, error)
    assert drain(pair.client) == []
    with pytest.raises(LocalProtocolError, match="no pipeline"):
        pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))


def test_a_failed_stop_counts_as_done() -> None:
    pair = two_pipelines()
    pair.client.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    pair.client.act_failed(TransportAct.STOP_PIPELINE, PIPELINE_ID)
    assert drain(pair.client) == [e.StopPipeline(pipeline_id=PIPELINE_ID)]
    assert pair.client.phase(PIPELINE_ID) is PipelinePhase.ENDED


def test_a_failed_close_counts_as_done() -> None:
    pair = two_pipelines()
    pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    pair.client.act_failed(TransportAct.CLOSE_PIPELINE, PIPELINE_ID)
    assert drain(pair.client) == [e.ClosePipeline(pipeline_id=PIPELINE_ID)]
    assert pair.client.phase(PIPELINE_ID) is None
    pair.client.send(e.ClosePool())
    pair.client.act_failed(TransportAct.CLOSE_POOL)
    assert drain(pair.client) == [e.ClosePool()]
    assert pair.client.state is PoolState.CLOSED


def test_a_refused_disconnect_or_reconnect_changes_nothing() -> None:
    pair = Pair().open()
    pair.client.send(e.Disconnect())
    sent(pair.client)
    pair.client.act_failed(TransportAct.DISCONNECT)
    assert pair.client.state is PoolState.OPENED
    pair.client.send(e.Disconnect())
    pair.move()
    pair.server.send(e.Disconnect())
    pair.move()
    pair.client.send(e.Reconnect())
    sent(pair.client)
    pair.client.act_failed(TransportAct.RECONNECT)
    assert drain(pair.client) == []
    assert pair.client.state is PoolState.DISCONNECTED


def test_a_server_may_report_that_the_connection_is_gone() -> None:
    pair = Pair().open()
    pair.client.receive_act(TransportAct.DISCONNECT)
    assert drain(pair.client) == [e.Disconnect()]
    assert pair.client.state is PoolState.DISCONNECTED
    pair.server.send(e.Disconnect())
    assert pair.server.state is PoolState.DISCONNECTED


def test_only_a_client_reports_failed_acts_and_with_a_fitting_target() -> None:
    with pytest.raises(LocalProtocolError, match="only clients"):
        Pool(Side.SERVER).act_failed(TransportAct.CREATE_POOL)
    client = Pool(Side.CLIENT, id=POOL_ID)
    with pytest.raises(LocalProtocolError, match="unexpected target"):
        client.act_failed(TransportAct.CREATE_POOL, PIPELINE_ID)


# -- messages that wait for the session key


def keyed(**more: Any) -> Pair:
    return Pair(client={"private_key": private_key, **more}).open(max_runspaces=5)


def creations(pair: Pair) -> list[UUID]:
    return [event.pipeline_id for event in pair.at_server if isinstance(event, e.CreatePipeline)]


def test_commands_start_in_the_order_of_their_calls_when_the_first_waits_for_the_key() -> None:
    pair = keyed()
    pair.client.send(create(PIPELINE_ID, powershell=secret_script("one")))
    pair.client.send(create(OTHER_ID))
    pair.client.send(e.PipelineInput(pipeline_id=OTHER_ID, data=1))
    pair.client.send(create(THIRD_ID, powershell=secret_script("three")))
    pair.move()
    assert creations(pair) == [PIPELINE_ID, OTHER_ID, THIRD_ID]
    assert e.PipelineInput(pipeline_id=OTHER_ID, data=1) in pair.at_server


@pytest.mark.parametrize("last", [e.StopPipeline, e.ClosePipeline])
def test_nothing_is_sent_for_a_pipeline_after_its_stop_or_close(last: Any) -> None:
    pair = keyed()
    pair.create(no_input=False)
    pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=SecureString("s")))
    pair.client.send(last(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.client.keys.done
    about = [event for event in pair.at_server if getattr(event, "pipeline_id", None)]
    assert [type(event) for event in about] == [e.CreatePipeline, last]


def test_nothing_that_waits_for_the_key_is_sent_after_the_close_of_the_pool() -> None:
    pair = keyed()
    pair.client.send(create(PIPELINE_ID, powershell=secret_script("one")))
    pair.client.send(e.ClosePool())
    pair.move()
    assert creations(pair) == []
    assert isinstance(pair.at_server[-1], e.ClosePool)


def test_what_waits_for_the_key_survives_a_disconnect() -> None:
    pair = keyed()
    pair.create(no_input=False)
    pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=SecureString("s")))
    pair.client.send(e.Disconnect())
    pair.move()
    pair.server.send(e.Disconnect())
    pair.move()
    assert not any(isinstance(event, e.PipelineInput) for event in pair.at_server)
    pair.client.send(e.Reconnect())
    pair.move()
    pair.server.send(e.Reconnect())
    pair.move()
    assert isinstance(pair.at_server[-1], e.PipelineInput)


def test_a_server_reads_in_order_what_waited_for_the_key() -> None:
    """A creation that waits, input for a pipeline that does not exist, a creation, the key."""
    pair = keyed()
    sealed = SessionKey(SESSION_KEY).seal("s")
    parameter = Parameter("Secret", SecureString.from_sealed(sealed))
    waits = PowerShell.of(Command("one", parameters=(parameter,)))
    new = pair.client._channels.new
    force(pair.client, create(PIPELINE_ID, powershell=waits), new(PIPELINE_ID, POOL_ID))
    force(pair.client, e.PipelineInput(pipeline_id=THIRD_ID, data=1), new(THIRD_ID, POOL_ID))
    force(pair.client, create(OTHER_ID), new(OTHER_ID, POOL_ID))
    pair.move()
    assert creations(pair) == [PIPELINE_ID, OTHER_ID]
    kinds = [type(event) for event in pair.at_server[-4:]]
    assert kinds == [e.PublicKey, e.CreatePipeline, e.Ignored, e.CreatePipeline]


def test_a_fault_in_an_event_that_waits_for_the_key_is_found_at_once() -> None:
    pair = keyed()
    pair.create(no_input=False)
    with pytest.raises(LocalProtocolError):
        pair.client.send(
            e.PipelineInput(pipeline_id=PIPELINE_ID, data=[SecureString("s"), object()])
        )
    pair.move()
    assert not pair.client.keys.requested


# -- limits


def test_unfinished_messages_of_all_targets_share_one_limit() -> None:
    pair = Pair(server={"max_buffered": 100_000}).open()
    ids = [UUID(int=n) for n in range(1, 8)]
    begun = next(split(1, b"x" * 60_000, 20_000))
    for id in ids[:5]:
        pair.server.receive_data(begun, id)
        assert drain(pair.server) == []
    with pytest.raises(LimitExceeded, match="incomplete messages"):
        pair.server.receive_data(begun, ids[5])
    assert pair.server.state is PoolState.OPENED


def test_the_count_of_unfinished_bytes_falls_when_messages_are_complete() -> None:
    pair = Pair(server={"max_buffered": 50_000}).open()
    pair.create(no_input=False)
    for _ in range(20):
        pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data="x" * 40_000))
        pair.move()
    assert sum(isinstance(event, e.PipelineInput) for event in pair.at_server) == 20
