"""Many targets in parallel, up to a limit, and independent of each other."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from psremoting.errors import PSRemotingError
from psremoting.exception_groups import lone_exception, unwrapped
from psremoting.fanout import fan_out


async def test_no_more_than_the_throttle_work_at_a_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    busy = most = 0

    async def work(target: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await trio.sleep(target % 3)
        busy -= 1
        return target * 2

    outcomes = await fan_out(range(20), work, throttle=4)
    assert most == 4
    assert [outcome.value for outcome in outcomes] == [target * 2 for target in range(20)]


async def test_a_failure_is_an_outcome_and_a_mistake_is_none() -> None:
    async def work(target: str) -> str:
        if target == "bad":
            raise PSRemotingError("no way", computer=target)
        return target

    outcomes = await fan_out(["a", "bad", "b"], work)
    assert [outcome.value for outcome in outcomes] == ["a", None, "b"]
    assert str(outcomes[1].error) == "no way"

    async def mistaken(_target: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), unwrapped():
        await fan_out(["a"], mistaken)


def test_a_group_of_one_is_that_one_and_keeps_its_context() -> None:
    lone = KeyError("x")
    lone.__context__ = ValueError("before")
    with pytest.raises(KeyError) as caught, unwrapped():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [lone])])
    assert isinstance(caught.value.__context__, ValueError)
    two = ExceptionGroup("two", [KeyError(), ValueError()])
    assert lone_exception(two) is two
