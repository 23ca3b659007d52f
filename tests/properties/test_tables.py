"""Every row of every table is reached, and every trigger without a row is refused.

A row counts as reached if a machine of at least one side is in the row's state after the row's
trigger; some states exist on one side only, because the other answers at once.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from psrp import events as e
from psrp import states
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side
from psrp.states import (
    OPENERS,
    PIPELINE,
    PIPELINE_SENDERS,
    POOL,
    REFUSED,
    Incident,
    PipelinePhase,
    PoolState,
    Trigger,
    TriggerKind,
    next_state,
)
from tests.properties.machines import EVENTS, PIPELINE_ID, Machine, event_of, path_to
from tests.rows import rows

C, S = Side.CLIENT, Side.SERVER
REFUSAL: TriggerKind = (e.SessionCapability, REFUSED)
CALLS: dict[TriggerKind, TriggerKind] = {
    e.PipelineHostResponse: e.PipelineHostCall,
    e.RunspacePoolHostResponse: e.RunspacePoolHostCall,
}
#: States that only a server reaches, after part of a message.
_HALF = b"\0"


def _rows(table: dict[Any, dict[Any, Any]]) -> list[Any]:
    return [
        pytest.param(state, trigger, after, id=f"{state.name}-{_words(trigger)}")
        for state, row in table.items()
        for trigger, after in row.items()
    ]


def _words(trigger: Trigger) -> str:
    side, what = trigger
    if side is None:
        assert isinstance(what, Incident)
        return what.name
    kind, value = what if isinstance(what, tuple) else (what, "")
    return f"{side.value}-{kind.__name__}{getattr(value, 'name', value)}"


def _pool_at(side: Side, state: PoolState) -> Machine | None:
    machine = Machine(side)
    path = path_to(POOL, PoolState.BEFORE_OPEN, state, {REFUSAL})
    reached = machine.follow(path, pool=True) and machine.pool.state is state
    return machine if reached else None


def _pipeline_at(side: Side, state: PipelinePhase) -> Machine | None:
    machine = Machine(side)
    machine.open()
    if state is PipelinePhase.NOT_STARTED:
        return machine
    path: list[tuple[Side, TriggerKind]] = [(C, (e.CreatePipeline, False))]
    path += path_to(PIPELINE, PipelinePhase.READING, state, {e.ConnectPipeline, e.StopPowerShell})
    if not machine.follow(path, pool=False) or machine.pipeline is not state:
        return None
    return machine


def _take(machine: Machine, trigger: Trigger, *, pool: bool) -> None:
    side, what = trigger
    if side is None:
        assert isinstance(what, Incident)
        assert machine.incident(what, pool=pool)
        return
    if what in CALLS:
        machine.take(S, event_of(CALLS[what]))
    try:
        machine.take(side, event_of(what, pool=pool))
    except RemoteProtocolError:
        # The row leads to BROKEN.
        assert machine.pool.state is PoolState.BROKEN


@rows(("state", "trigger", "after"), _rows(POOL))
def test_every_row_of_the_pool_is_reached(
    state: PoolState, trigger: Trigger, after: PoolState
) -> None:
    reached = []
    for side in Side:
        machine = _pool_at(side, state)
        if machine is None:
            continue
        try:
            _take(machine, trigger, pool=True)
        except LocalProtocolError:
            continue
        if machine.pool.state is after:
            reached.append(side)
    assert reached


@rows(("state", "trigger", "after"), _rows(PIPELINE))
def test_every_row_of_a_pipeline_is_reached(
    state: PipelinePhase, trigger: Trigger, after: PipelinePhase
) -> None:
    reached = []
    for side in Side:
        machine = _pipeline_at(side, state)
        if machine is None:
            continue
        if state is PipelinePhase.NOT_STARTED and side is S and trigger == (C, e.ClosePipeline):
            machine.pool.receive_data(_HALF, PIPELINE_ID)
        try:
            _take(machine, trigger, pool=False)
        except LocalProtocolError:
            continue
        if machine.pipeline is after:
            reached.append(side)
    assert reached


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", PoolState)
def test_a_pool_refuses_whatever_stands_in_no_row(side: Side, state: PoolState) -> None:
    if _pool_at(side, state) is None:
        pytest.skip("this side is never in this state")
    refused = 0
    for what, event in EVENTS.items():
        if isinstance(event, e.PipelineEvent) or next_state(POOL, state, (side, what)):
            continue
        if what == REFUSAL:
            continue  # when sent, it is an ordinary capability
        machine = _pool_at(side, state)
        assert machine is not None
        with pytest.raises(LocalProtocolError):
            machine.pool.send(event)
        assert machine.pool.state is state
        assert machine.pool.pipelines == {}
        refused += 1
    assert refused


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", PipelinePhase)
def test_a_pipeline_refuses_whatever_stands_in_no_row(side: Side, state: PipelinePhase) -> None:
    if _pipeline_at(side, state) is None:
        pytest.skip("this side is never in this state")
    refused = 0
    for what, event in EVENTS.items():
        if not isinstance(event, e.PipelineEvent) or next_state(PIPELINE, state, (side, what)):
            continue
        if what is e.CreatePipeline:
            continue  # a trigger of the pool; that of the pipeline depends on its input
        if state is PipelinePhase.CLOSED and side is C and type(event) in OPENERS:
            continue  # the id of a removed pipeline may be used again
        machine = _pipeline_at(side, state)
        assert machine is not None
        before = machine.pool.pipelines
        with pytest.raises(LocalProtocolError):
            machine.pool.send(event)
        assert machine.pool.pipelines == before
        assert machine.pool.state is PoolState.OPENED
        refused += 1
    assert refused


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", PoolState)
def test_a_pool_never_shows_what_its_peer_may_not_say(side: Side, state: PoolState) -> None:
    """The result is a fault, Ignored or, at a client's pool, the end; the event is not returned."""
    if _pool_at(side, state) is None:
        pytest.skip("this side is never in this state")
    for what, event in EVENTS.items():
        if isinstance(event, e.PipelineEvent) or next_state(POOL, state, (side.peer, what)):
            continue
        if what == REFUSAL:
            continue
        machine = _pool_at(side, state)
        assert machine is not None
        machine.events.clear()
        try:
            machine.take(side.peer, event)
        except RemoteProtocolError:
            assert side is C
            assert machine.pool.state is PoolState.BROKEN
        except LocalProtocolError:
            continue  # only the other side sends this message, so the helper cannot write it
        assert not [shown for shown in machine.events if type(shown) is type(event)]


def test_no_side_speaks_of_pipelines_where_the_table_of_speakers_does_not_let_it() -> None:
    for side in Side:
        for state in set(PoolState) - PIPELINE_SENDERS[side]:
            machine = _pool_at(side, state)
            if machine is not None:
                event = EVENTS[e.CreatePipeline]
                with pytest.raises(LocalProtocolError):
                    machine.pool.send(event)


def test_states_change_in_the_module_of_the_tables_alone() -> None:
    assigned = {
        path.name
        for path in Path(states.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and node.attr in ("state", "phase")
    }
    # In `psrp.sansio` it is a field of an exception.
    assert assigned - {"sansio.py"} == {"states.py"}
