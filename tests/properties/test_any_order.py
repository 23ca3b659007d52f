"""Recorded messages of many conversations in any order, at a machine in any state."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp.fragments import split
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, Outgoing, ProtocolError, Side, Stream, TransportAct
from tests.conversations import recordings
from tests.properties.machines import EVENTS, PIPELINE_ID, Machine
from tests.psrp.recorded import out_of_process

TARGETS = (None, PIPELINE_ID, UUID(int=5))
MOVES = st.one_of(
    st.tuples(st.just("message"), st.integers(0, 10_000), st.sampled_from((*TARGETS, "its own"))),
    st.tuples(st.just("act"), st.sampled_from(list(TransportAct)), st.sampled_from(TARGETS)),
    st.tuples(st.just("send"), st.sampled_from(list(EVENTS)), st.none()),
)


@cache
def messages() -> list[bytes]:
    """Short messages, because the content of values does not matter here."""
    found = {
        recorded.message
        for path in recordings("probes") + recordings("sessions")
        for recorded in out_of_process(path)
        if len(recorded.message) < 4000
    }
    return sorted(found)


def fresh(side: Side) -> Pool:
    return Machine(side).pool


def opened(side: Side) -> Pool:
    machine = Machine(side)
    machine.open()
    machine.take(Side.CLIENT, EVENTS[e.CreatePipeline, False])
    return machine.pool


def own_id(message: bytes) -> UUID | None:
    """Return the pipeline id of a message."""
    pid = UUID(bytes_le=message[24:40])
    return pid if pid.int else None


@pytest.mark.parametrize("begin", [fresh, opened])
@pytest.mark.parametrize("side", Side)
@given(moves=st.lists(MOVES, max_size=12))
def test_a_machine_bears_recorded_messages_in_any_order(side: Side, begin, moves) -> None:  # type: ignore[no-untyped-def]
    pool = begin(side)
    for number, (kind, what, target) in enumerate(moves, 1):
        if kind == "send":
            with suppress(LocalProtocolError):
                pool.send(EVENTS[what])
        elif kind == "act":
            with suppress(ProtocolError):
                pool.receive_act(what, target)
        else:
            message = messages()[what % len(messages())]
            to = own_id(message) if target == "its own" else target
            for piece in split(number, message, 32768):
                with suppress(ProtocolError):
                    pool.receive_data(piece, to, Stream.DEFAULT)
        with suppress(ProtocolError):
            while (event := pool.next_event()) is not None:
                assert isinstance(event, e.Event)
        while (out := pool.data_to_send(32768)) is not None:
            assert isinstance(out, Outgoing)
