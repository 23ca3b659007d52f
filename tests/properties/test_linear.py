"""Twice the input takes twice as many calls.

Calls are counted instead of seconds, because times on a busy machine are unreliable. `make bench`
shows the cost inside a call (mostly copying): its figures per byte must not grow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from psrp import events as e
from psrp.clixml import Dictionary, List, PSObject, dumps, loads
from psrp.clixml.files import load_all
from psrp.clixml.jsonform import from_json, to_json
from psrp.clixml.plain import to_plain
from psrp.fragments import Defragmenter, Fragmenter, split
from psrp.sansio import Side
from tests.properties.machines import EVENTS, PIPELINE_ID, Machine
from tests.properties.steps import calls


def _drain(receiver: Defragmenter) -> None:
    while receiver.next_message() is not None:
        pass


def _reassemble(size: int, step: int) -> Callable[[], object]:
    wire = b"".join(split(1, bytes(size), 22 + 10))

    def work() -> None:
        receiver = Defragmenter()
        for at in range(0, len(wire), step):
            receiver.receive_data(wire[at : at + step])
            _drain(receiver)

    return work


def _send(size: int) -> Callable[[], object]:
    def work() -> None:
        fragmenter = Fragmenter(iter(range(1, size + 1)))
        for _ in range(size // 10):
            fragmenter.add(bytes(100))
        while fragmenter.next_payload(64):
            pass

    return work


def _objects(size: int) -> List:
    return List(
        [PSObject.custom(Id=at, Name=f"n{at}", More=Dictionary({"a": [at]})) for at in range(size)]
    )


def _many_outputs(size: int) -> Callable[[], object]:
    def work() -> None:
        server, client = Machine(Side.SERVER), Machine(Side.CLIENT)
        for machine in (server, client):
            machine.open()
            machine.take(Side.CLIENT, EVENTS[e.CreatePipeline, True])
        while server.pool.data_to_send() is not None:
            pass
        for at in range(size):
            server.pool.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=at))
        while (out := server.pool.data_to_send()) is not None:
            client.pool.receive_data(out.data, out.target, out.stream)
        while client.pool.next_event() is not None:
            pass

    return work


def _of(function: Callable[[Any], object], make: Callable[[Any], Any]) -> Callable[[int], Any]:
    def work(size: int) -> Callable[[], object]:
        argument = make(_objects(size))
        return lambda: function(argument)

    return work


WORK = [
    pytest.param(lambda size: _reassemble(size * 10, 1), id="reassemble bytes one by one"),
    pytest.param(lambda size: _reassemble(size * 10, 10**9), id="reassemble all at once"),
    pytest.param(lambda size: _reassemble(size * 10, 700), id="reassemble envelopes"),
    pytest.param(_send, id="fragment"),
    pytest.param(_many_outputs, id="outputs from machine to machine"),
    pytest.param(_of(dumps, lambda value: value), id="dumps"),
    pytest.param(_of(loads, dumps), id="loads"),
    pytest.param(_of(load_all, dumps), id="load_all"),
    pytest.param(_of(to_json, lambda value: value), id="to_json"),
    pytest.param(_of(from_json, to_json), id="from_json"),
    pytest.param(_of(to_plain, lambda value: value), id="to_plain"),
]


@pytest.mark.parametrize("work", WORK)
def test_twice_the_input_costs_twice_thecalls(work: Callable[[int], Callable[[], object]]) -> None:
    work(10)()  # create what is created only once
    once, twice = calls(work(200)), calls(work(400))
    assert once > 100
    assert twice <= 2.1 * once


def test_a_document_that_refers_to_one_object_many_times_is_not_unfolded() -> None:
    """Each level contains the next one twice; expanded, that is 2 to the power of 40 values."""
    value: Any = List([1])
    for _ in range(40):
        value = List([value, value])
    written = dumps(value)
    assert len(written) < 10_000
    work = [lambda: loads(written), lambda: to_json(value), lambda: to_plain(value)]
    assert all(calls(each) < 10_000 for each in work)
    assert loads(written) == value
