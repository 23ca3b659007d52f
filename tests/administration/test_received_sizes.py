"""The limits on the data of one command and on one object that a client sends."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting import sync
from psremoting.endpoint.received_sizes import ReceivedSizes
from psremoting.errors import PSRemotingError
from psrp.fragments import split
from tests.administration.running_endpoint import ALLOWED, CONFIGURATION, running_endpoint

PIPELINE = UUID(int=7)


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=6),
    st.integers(22, 90),
    st.integers(1, 1500),
    st.integers(1, 300),
    st.data(),
)
def test_a_limit_is_exceeded_exactly_when_the_bytes_exceed_it_however_they_are_cut(
    sizes: list[int], room: int, per_command: int, per_object: int, data: st.DataObject
) -> None:
    wire = b"".join(
        each for at, size in enumerate(sizes, 1) for each in split(at, bytes(size), room)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    counter = ReceivedSizes(per_command=per_command, per_object=per_object)
    found = ""
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found = found or counter.take(PIPELINE, wire[start:end])
    assert bool(found) is (len(wire) > per_command or max(sizes) > per_object)


def test_commands_are_counted_on_their_own_and_the_pool_has_no_total() -> None:
    counter = ReceivedSizes(per_command=50, per_object=None)
    (wire,) = split(1, bytes(20), 100)
    for target in (UUID(int=1), UUID(int=2)):
        assert counter.take(target, wire) == ""
        assert "The allowed maximum is 50." in counter.take(target, wire)
    assert [counter.take(None, wire) for _ in range(5)] == [""] * 5
    counter.forget(UUID(int=1))
    assert counter.take(UUID(int=1), wire) == ""


def test_a_client_that_exceeds_a_limit_loses_its_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_endpoint(tmp_path_factory.mktemp("sizes")) as endpoint:
        with endpoint.store as store:
            store.put_configuration(replace(CONFIGURATION, max_received_object_size_mb=0.1))
        with sync.connect(endpoint.target(ALLOWED)) as session:
            assert session.call("Wait-For", "").output == ["done"]
            with pytest.raises(PSRemotingError, match="exceeded the allowed maximum object size"):
                session.call("Wait-For", "/" + "x" * 300_000).raise_for_errors()
        with endpoint.store as store:
            store.put_configuration(replace(CONFIGURATION, max_received_data_size_mb=0.1))
        with sync.connect(endpoint.target(ALLOWED)) as session:
            assert session.run("Get-Answer").output == [42]
            with pytest.raises(PSRemotingError, match="The allowed maximum is 104857"):
                session.call("Wait-For", "/" + "x" * 300_000).raise_for_errors()
