"""A conversation drawn by hypothesis, played by two machines."""

from __future__ import annotations

from collections.abc import Iterator

from psrp import events as e
from psrp.sansio import Side
from psrp.strategies import Step
from tests.psrp.pairs import Cut, Pair, whole

__all__ = ["assert_the_same_is_heard", "held", "pair_for", "said_by_callers"]

#: Messages that a machine may send by itself.
OF_ITSELF = (e.SessionCapability, e.RunspaceAvailability)


def pair_for(steps: list[Step], *, cut: Cut = whole, room: int = 32768) -> Pair:
    """Two machines for the conversation: the client uses the version that it announces."""
    first = steps[0].event
    assert isinstance(first, e.SessionCapability)
    return Pair(
        cut=cut, room=room, client={"version": first.protocol_version}, server={"version": "2.4"}
    )


def held(pair: Pair, steps: list[Step]) -> Iterator[Step]:
    """Perform the steps; yield each after everything in transit has arrived."""
    for step in steps:
        (pair.client if step.side is Side.CLIENT else pair.server).send(step.event)
        pair.move()
        yield step


def assert_the_same_is_heard(one: Pair, other: Pair, steps: list[Step]) -> None:
    for pair in (one, other):
        for _ in held(pair, steps):
            pass
    assert one.at_client == other.at_client
    assert one.at_server == other.at_server


def said_by_callers(events: list[e.Event]) -> list[e.Event]:
    return [event for event in events if not isinstance(event, OF_ITSELF)]
