"""Concurrent work on many targets, with a limit and a separate result per target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import trio

from psremoting.client.hosts import NULL_HOST, Host
from psremoting.client.invocation import Result
from psremoting.client.pipeline_input import needs_parser
from psremoting.errors import PSRemotingError
from psremoting.options import SessionOption
from psremoting.session import PSSession
from psremoting.targets import Target
from psrp.commands import Command, PowerShell

__all__ = ["THROTTLE", "Outcome", "fan_out", "invoke_on"]

THROTTLE = 32
"""The number of targets at a time; PowerShell's ThrottleLimit."""

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T, V]):
    """The result for one target."""

    target: T
    value: V | None = None
    error: PSRemotingError | None = None
    """The reason if there is no value."""


async def fan_out(
    targets: Iterable[T],
    work: Callable[[T], Awaitable[V]],
    *,
    throttle: int = THROTTLE,
) -> list[Outcome[T, V]]:
    """Call ``work`` for every target; the outcomes have the order of the targets.

    A PSRemotingError becomes an outcome; any other exception cancels all work.
    """
    every = list(targets)
    outcomes: list[Outcome[T, V] | None] = [None] * len(every)
    turns = trio.CapacityLimiter(throttle)

    async def one(at: int, target: T) -> None:
        async with turns:
            try:
                outcomes[at] = Outcome(target=target, value=await work(target))
            except PSRemotingError as error:
                outcomes[at] = Outcome(target=target, error=error)

    async with trio.open_nursery() as nursery:
        for at, target in enumerate(every):
            nursery.start_soon(one, at, target)
    return [outcome for outcome in outcomes if outcome is not None]


async def invoke_on(
    targets: Iterable[str | Target],
    what: str | Command | PowerShell,
    *,
    throttle: int = THROTTLE,
    options: SessionOption | None = None,
    host: Host = NULL_HOST,
    **more: Any,
) -> list[Outcome[str | Target, Result]]:
    """Run one command on many targets, each in a session of its own.

    ``more`` is for `PSSession.invoke`. Objects carry PSComputerName and RunspaceId.
    """

    given = {name: more[name] for name in ("arguments", "parameters", "as_script") if name in more}
    parses = needs_parser(what, **given)

    async def one(target: str | Target) -> Result:
        async with PSSession.connect(target, options=options, host=host, parses=parses) as session:
            return await session.run(what, **{"tag": True, **more})

    return await fan_out(targets, one, throttle=throttle)
