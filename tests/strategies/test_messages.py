"""Messages and conversations of the strategies are accepted by the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from psrp import events as e
from psrp.clixml import SecureString, dumps, loads
from psrp.messages import MESSAGES, decode, encode
from psrp.sansio import Side
from psrp.strategies import (
    Step,
    containers,
    conversations,
    messages,
    objects,
    scalars,
    strings,
    values,
)
from psrp.strategies.messages import messages_of

#: Shrinking takes seconds.
deep = pytest.mark.skipif(settings.default.max_examples < 1_000, reason="make test-deep only")
SEARCH = settings(max_examples=1_000, database=None, derandomize=True)
RPID = UUID(int=9)


@pytest.mark.parametrize("number", MESSAGES, ids=lambda number: MESSAGES[number].event.__name__)
def test_a_message_comes_back_equal(number: int) -> None:
    known = MESSAGES[number]
    sender = known.sender or Side.SERVER

    @settings(max_examples=max(10, settings.default.max_examples // 5))
    @given(messages_of(known.event))
    def any_message(event: e.Event) -> None:
        message = encode(event, RPID, sender=sender)
        header, again = decode(message)
        assert type(event) is known.event
        assert again == event
        assert header.message_type == number
        assert encode(again, RPID, sender=sender) == message

    any_message()


@given(messages(side=Side.CLIENT), messages(side=Side.SERVER))
def test_a_side_sends_its_own_messages_only(client: e.Event, server: e.Event) -> None:
    senders = {known.event: known.sender for known in MESSAGES.values()}
    assert senders[type(client)] in (None, Side.CLIENT)
    assert senders[type(server)] in (None, Side.SERVER)


@given(conversations(versions=("2.2",), max_moves=3))
def test_a_conversation_opens_and_closes_its_pool(steps: list[Step]) -> None:
    assert steps[0] == Step(Side.CLIENT, e.SessionCapability(protocol_version="2.2"))
    assert isinstance(steps[1].event, e.InitRunspacePool)
    assert steps[-1] == Step(Side.SERVER, e.ClosePool())


def test_secure_strings_are_drawn_on_demand() -> None:
    drawn = values(secure_strings=st.builds(SecureString.from_sealed, st.just("YQ==")))
    found = find(drawn, lambda value: isinstance(value, SecureString), settings=SEARCH)
    assert found == SecureString.from_sealed("YQ==")


@given(values(shared=False, max_leaves=4))
def test_without_sharing_nothing_is_referred_to(value: Any) -> None:
    assert b"<Ref" not in dumps(value)
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: messages(side="client"), id="a side that is none"),  # type: ignore[arg-type]
        pytest.param(lambda: messages_of(e.ClosePool), id="no message"),
        pytest.param(lambda: conversations(versions=()), id="no version"),
        pytest.param(lambda: conversations(versions=("1.0",)), id="too old"),
        pytest.param(lambda: conversations(max_moves=-1), id="fewer than no moves"),
        pytest.param(lambda: values(max_leaves=0), id="no leaves"),
        pytest.param(lambda: strings(min_size=3, max_size=2), id="crossed sizes"),
    ],
)
def test_an_argument_without_sense_raises_at_once(made: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"is|not a message"):
        made()


def _anything(_: object) -> bool:
    return True


@deep
def test_what_the_small_ones_shrink_to() -> None:
    assert find(scalars(), _anything, settings=SEARCH) is None
    assert find(strings(), _anything, settings=SEARCH) == ""
    assert find(strings(min_size=2), _anything, settings=SEARCH) == "00"
    assert find(containers(), _anything, settings=SEARCH) == []
    assert find(objects(), _anything, settings=SEARCH).to_string == "Sunday"


@deep
def test_what_the_large_ones_shrink_to() -> None:
    bag = find(objects(), lambda thing: thing.value is None, settings=SEARCH)
    assert (bag.type_names, list(bag)) == ((), [])
    assert find(values(), _anything, settings=SEARCH) is None
    assert find(messages(), _anything, settings=SEARCH) == e.PublicKeyRequest()
    steps = find(conversations(max_moves=1), _anything, settings=SEARCH)
    assert [type(step.event) for step in steps] == [
        e.SessionCapability,
        e.InitRunspacePool,
        e.RunspacePoolStateMessage,
        e.ClosePool,
        e.RunspacePoolStateMessage,
        e.RunspacePoolStateMessage,
        e.ClosePool,
    ]


def test_a_value_may_contain_itself() -> None:
    assert find(
        values(),
        lambda value: (
            isinstance(value, list) and value in ([value],) and any(item is value for item in value)
        ),
        settings=settings(SEARCH, max_examples=20_000),
    )
