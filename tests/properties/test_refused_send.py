"""A refused send changes nothing, and a remote error is final."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from psrp import events as e
from psrp.fragments import split
from psrp.messages import encode
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side
from psrp.states import OPENERS, PIPELINE, POOL, PipelinePhase, PoolState, next_state, trigger_kind
from psrp.strategies import Step, conversations, messages, mutations
from tests.properties.conversing import pair_for
from tests.properties.machines import EVENTS, RPID, Machine
from tests.psrp.pairs import Pair, sent

NOWHERE = UUID(int=1)


def _is_refused(pool: Pool, event: e.Event) -> bool:
    """Return whether no table has the event; its fields may be another reason to refuse it."""
    target = getattr(event, "pipeline_id", None)
    if target is None:
        return next_state(POOL, pool.state, (pool.side, trigger_kind(event, POOL))) is None
    state = pool.pipelines.get(target)
    if state is None:
        return type(event) not in OPENERS or pool.state is not PoolState.OPENED
    return next_state(PIPELINE, state, (pool.side, trigger_kind(event, PIPELINE))) is None


def _refuse(pool: Pool, event: e.Event) -> None:
    state, pipelines, open_requests = pool.state, pool.pipelines, dict(pool.open_requests)
    with pytest.raises(LocalProtocolError):
        pool.send(event)
    assert (pool.state, pool.pipelines, pool.open_requests) == (state, pipelines, open_requests)
    assert sent(pool) == []


@given(conversations(max_moves=8), st.data())
def test_a_refused_send_changes_nothing(steps: list[Step], data: st.DataObject) -> None:
    """Refused sends do not change a conversation."""
    disturbed, undisturbed = pair_for(steps), pair_for(steps)
    everything = {side: messages(side=side) | st.sampled_from(_STEPS) for side in Side}
    for step in steps:
        pool = _of(disturbed, step.side)
        event = data.draw(everything[step.side], label="attempt")
        if _is_refused(pool, event):
            _refuse(pool, event)
        for pair in (disturbed, undisturbed):
            _of(pair, step.side).send(step.event)
            pair.move()
    assert disturbed.at_client == undisturbed.at_client
    assert disturbed.at_server == undisturbed.at_server
    assert disturbed.client.state is undisturbed.client.state


_STEPS = [
    e.ClosePool(),
    e.Disconnect(),
    e.Reconnect(),
    e.StopPipeline(pipeline_id=NOWHERE),
    e.ClosePipeline(pipeline_id=NOWHERE),
    e.ConnectPipeline(pipeline_id=NOWHERE),
]


def _of(pair: Pair, side: Side) -> Pool:
    return pair.client if side is Side.CLIENT else pair.server


@given(conversations(max_moves=6), st.sampled_from([object(), {1}, [{None: 1}], 10**5000]))
def test_a_value_that_cannot_be_written_changes_nothing(steps: list[Step], bad: Any) -> None:
    pair, undisturbed = pair_for(steps), pair_for(steps)
    for step in steps:
        for target, state in pair.server.pipelines.items():
            if state in (PipelinePhase.READING, PipelinePhase.RUNNING):
                _refuse(pair.server, e.PipelineOutput(pipeline_id=target, data=bad))
        for target, state in pair.client.pipelines.items():
            if state is PipelinePhase.READING:
                _refuse(pair.client, e.PipelineInput(pipeline_id=target, data=bad))
        for each in (pair, undisturbed):
            _of(each, step.side).send(step.event)
            each.move()
    assert pair.at_client == undisturbed.at_client
    assert pair.at_server == undisturbed.at_server


def _all_events(pool: Pool) -> tuple[list[e.Event], RemoteProtocolError | None]:
    """Return the events before the error, and the error."""
    shown = []
    try:
        while (event := pool.next_event()) is not None:
            shown.append(event)
    except RemoteProtocolError as error:
        return shown, error
    return shown, None


@given(messages(side=Side.SERVER), st.data())
def test_a_remote_error_is_final(event: e.Event, data: st.DataObject) -> None:
    machine = Machine(Side.CLIENT)
    machine.open()
    machine.take(Side.CLIENT, EVENTS[e.CreatePipeline, False])
    pool = machine.pool
    damaged = data.draw(mutations(encode(event, RPID, sender=Side.SERVER)), label="damaged")
    assume(damaged)
    for piece in split(77, damaged, 1000):
        pool.receive_data(piece)
    _, first = _all_events(pool)
    if first is None:
        return
    # Pipelines that end with the pool are still reported, then only the error.
    assert pool.state is PoolState.BROKEN
    shown, last = _all_events(pool)
    assert last is first
    assert all(isinstance(each, e.PipelineStateMessage) for each in shown)
    for good in (EVENTS[e.UserEvent], EVENTS[e.PublicKeyRequest]):
        for piece in split(78, encode(good, RPID, sender=Side.SERVER), 1000):
            pool.receive_data(piece)
        with pytest.raises(RemoteProtocolError):
            pool.next_event()
    for ours in EVENTS.values():
        if type(ours) is not e.ClosePool and not isinstance(ours, e.ClosePipeline):
            with pytest.raises(LocalProtocolError):
                pool.send(ours)
    assert sent(pool) == []
