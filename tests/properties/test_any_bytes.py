"""Any bytes of a peer give events or RemoteProtocolError, nothing else, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp.clixml import dumps, loads
from psrp.clixml.files import load_all
from psrp.clixml.strategies import values
from psrp.fragments import Defragmenter, split
from psrp.messages import MESSAGES, decode, decode_body, encode
from psrp.sansio import ClixmlError, RemoteProtocolError, Side
from psrp.strategies import FragmentSequence, fragments, messages, mutations
from tests.properties.machines import EVENTS, PIPELINE_ID, RPID, Machine

READERS: list[Callable[[bytes], Any]] = [loads, load_all]


@pytest.mark.parametrize("read", READERS)
@given(
    data=st.binary(max_size=80) | st.text("<>/ObjS I32=\"'&#x;_\0é", max_size=60).map(str.encode)
)
def test_any_bytes_are_a_value_or_a_clixml_error(read: Callable[[bytes], Any], data: bytes) -> None:
    with suppress(ClixmlError):
        read(data)


@given(values(max_leaves=5), st.data())
def test_a_damaged_document_is_a_value_or_a_clixml_error(value: Any, data: st.DataObject) -> None:
    damaged = data.draw(mutations(dumps(value)), label="damaged")
    with suppress(ClixmlError):
        loads(damaged)


@given(
    st.sampled_from(sorted(MESSAGES)) | st.integers(0, 2**32 - 1), values(), st.none() | st.uuids()
)
def test_any_value_is_a_body_or_a_remote_error(number: int, value: Any, pid: UUID | None) -> None:
    with suppress(RemoteProtocolError):
        decode_body(number, pid, dumps(value))


@given(messages(), st.data())
def test_a_damaged_message_is_an_event_or_a_remote_error(
    event: e.Event, data: st.DataObject
) -> None:
    message = encode(event, RPID, sender=MESSAGES_BY_EVENT[type(event)] or Side.CLIENT)
    damaged = data.draw(mutations(message), label="damaged")
    with suppress(RemoteProtocolError):
        header, again = decode(damaged)
        assert isinstance(again, e.Event)
        assert header.message_type >= 0


MESSAGES_BY_EVENT = {known.event: known.sender for known in MESSAGES.values()}


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=20))
def test_a_defragmenter_keeps_no_more_than_its_limit(pieces: list[bytes]) -> None:
    _feed(pieces)


@given(fragments(max_messages=3), st.data())
def test_a_damaged_stream_is_kept_within_the_limit(
    stream: FragmentSequence, data: st.DataObject
) -> None:
    damaged = data.draw(mutations(stream.data), label="damaged")
    _feed([damaged[at : at + 7] for at in range(0, len(damaged), 7)])


def _feed(pieces: list[bytes]) -> None:
    receiver = Defragmenter(max_message=300)
    for piece in pieces:
        receiver.receive_data(piece)
        while True:
            try:
                message = receiver.next_message()
            except RemoteProtocolError:
                if receiver.spoiled:
                    break
                continue
            if message is None:
                break
            assert len(message) <= 300
        kept = 0 if receiver.spoiled else receiver.pending
        assert kept + receiver.unfinished <= 300 + len(piece)


def _machine(side: Side) -> Machine:
    machine = Machine(side)
    machine.open()
    machine.take(Side.CLIENT, EVENTS[e.CreatePipeline, False])
    machine.events.clear()
    return machine


def _drain(machine: Machine) -> list[e.Event]:
    """Return all events; a client's machine may break once."""
    shown: list[e.Event] = []
    with suppress(RemoteProtocolError):
        while (event := machine.pool.next_event()) is not None:
            shown.append(event)
    return shown


@pytest.mark.parametrize("side", Side)
@given(data=st.data())
def test_a_machine_bears_any_messages(side: Side, data: st.DataObject) -> None:
    """The input is valid messages at any time, damaged messages, and random bytes."""
    machine = _machine(side)
    good = messages().map(
        lambda event: encode(event, RPID, sender=MESSAGES_BY_EVENT[type(event)] or side.peer)
    )
    damaged = good.flatmap(mutations).filter(bool)
    targets = st.sampled_from([None, PIPELINE_ID, UUID(int=5)])
    drawn = st.lists(
        st.tuples(good | damaged | st.binary(min_size=1, max_size=60), targets), max_size=6
    )
    for number, (message, target) in enumerate(data.draw(drawn, label="messages"), 1):
        with suppress(RemoteProtocolError):
            for piece in split(number, message, 100):
                machine.pool.receive_data(piece, target)
        assert all(isinstance(event, e.Event) for event in _drain(machine))


@pytest.mark.parametrize("side", Side)
@given(pieces=st.lists(st.binary(min_size=1, max_size=80), max_size=6))
def test_a_machine_bears_any_bytes(side: Side, pieces: list[bytes]) -> None:
    machine = _machine(side)
    for piece in pieces:
        with suppress(RemoteProtocolError):
            machine.pool.receive_data(piece)
            machine.pool.receive_data(piece, PIPELINE_ID)
        _drain(machine)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"<Obj><LST>" * 100_000, id="a nest of 100 000"),
        pytest.param(b"<Obj>" * 100_000 + b"</Obj>" * 100_000, id="a closed nest"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><S>&c;</S>', id="a bomb"
        ),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><S>&b;</S>', id="a file"
        ),
        pytest.param(b"<S>&b;</S>", id="an unknown entity"),
        pytest.param(b"<I32>" + b"9" * 100_000 + b"</I32>", id="many digits"),
        pytest.param(b"<S>" + b"&#x110000;" + b"</S>", id="no character"),
    ],
)
def test_a_hostile_document_is_refused(document: bytes) -> None:
    with pytest.raises(ClixmlError):
        loads(document)


def test_a_declared_length_reserves_nothing() -> None:
    receiver = Defragmenter(max_message=1 << 20)
    receiver.receive_data(bytes.fromhex("0000000000000001 0000000000000000 03 7fffffff 00"))
    with pytest.raises(RemoteProtocolError):
        receiver.next_message()
    assert receiver.unfinished == 0


def test_a_million_fragments_of_one_byte_are_one_message() -> None:
    receiver = Defragmenter()
    message = bytes(1_000_000)
    pieces = list(split(1, message, 22))
    for at in range(0, len(pieces), 1000):
        receiver.receive_data(b"".join(pieces[at : at + 1000]))
        found = receiver.next_message()
    assert found == message
