"""Two machines joined by a pipe agree whenever the pipe is empty, and nothing is lost in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import Side
from psrp.states import PoolState
from psrp.strategies import Step, conversations
from tests.properties.conversing import (
    assert_the_same_is_heard,
    held,
    pair_for,
    said_by_callers,
)


@given(conversations())
def test_two_machines_agree_whenever_nothing_is_under_way(steps: list[Step]) -> None:
    """Every event is received once, in order, and equal."""
    pair = pair_for(steps)
    for _ in held(pair, steps):
        assert pair.client.state is pair.server.state
        assert pair.client.pipelines == pair.server.pipelines
        assert pair.client.version == pair.server.version
        low_high = (pair.client.min_runspaces, pair.client.max_runspaces)
        assert low_high == (pair.server.min_runspaces, pair.server.max_runspaces)
    assert pair.client.state is PoolState.CLOSED
    of_client = [step.event for step in steps if step.side is Side.CLIENT]
    of_server = [step.event for step in steps if step.side is Side.SERVER]
    assert said_by_callers(pair.at_server) == said_by_callers(of_client)
    assert said_by_callers(pair.at_client) == said_by_callers(of_server)


@given(conversations(max_moves=4), st.integers(22, 200))
def test_the_room_of_a_carrier_changes_nothing(steps: list[Step], room: int) -> None:
    assert_the_same_is_heard(pair_for(steps, room=room), pair_for(steps), steps)
