"""Two shells over each carrier: what was written arrives once and in order, whatever happens.

A rule-based machine plays two clients and their servers, and delays, loses, repeats and refuses
what is on the way. The model is simple: a command's output is a beginning of what it wrote, and
all of it if the client saw it complete; the same holds for input; and a shell to which nothing
was done has no failure at all, whatever was done to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from psrp import events as e
from psrp.sansio import LocalProtocolError
from psrp.states import PoolState
from tests.properties.worlds import Lines, Operations, World

SHELLS = st.integers(0, 1)
SIZES = st.sampled_from([1, 10, 40_000])
RARELY = st.integers(0, 3)
"""Zero lets a disturbance happen, so that most shells live for a while."""
MAKE: dict[str, Callable[[int], World]] = {"lines": Lines, "operations": Operations}


def numbers_in(texts: Iterable[str]) -> list[int]:
    return [int(text.partition(":")[0]) for text in texts]


class Shells(RuleBasedStateMachine):
    """Two shells of one carrier. Subclasses name it."""

    carrier = ""

    def __init__(self) -> None:
        super().__init__()
        self.worlds = [MAKE[self.carrier](number) for number in (1, 2)]
        self.losses = [0, 0]

    @initialize(both=st.booleans())
    def opened(self, both: bool) -> None:
        for world in self.worlds[: 2 if both else 1]:
            world.settle()
            assert world.client.is_open

    # -- the users

    @rule(shell=SHELLS, with_input=st.booleans(), arrives=st.booleans())
    def run(self, shell: int, with_input: bool, arrives: bool) -> None:
        client = self.worlds[shell].client
        if client.is_open and len(client.running()) < 3:
            client.create(with_input=with_input)
            if arrives:
                self.worlds[shell].settle()

    @rule(shell=SHELLS, which=st.integers(0, 2), size=SIZES)
    def feed(self, shell: int, which: int, size: int) -> None:
        client = self.worlds[shell].client
        open_input = [id for id in client.running() if id not in client.input_ended]
        if client.is_open and open_input:
            client.feed(open_input[which % len(open_input)], size)

    @rule(shell=SHELLS, which=st.integers(0, 2), what=st.sampled_from(["input", "stop", "close"]))
    def finish(self, shell: int, which: int, what: str) -> None:
        client = self.worlds[shell].client
        running = client.running()
        if not client.is_open or not running:
            return
        id = running[which % len(running)]
        if what == "stop":
            client.stop(id)
        elif what == "close":
            client.close(id)
        elif id not in client.input_ended:
            client.end_input(id)

    # -- the application at the server

    @rule(shell=SHELLS, which=st.integers(0, 2), numbers=st.integers(1, 5), size=SIZES)
    def write(self, shell: int, which: int, numbers: int, size: int) -> None:
        work = self.worlds[shell].work
        live = [id for id in work.output if id not in work.ended] if work is not None else []
        if work is not None and live:
            work.write(live[which % len(live)], numbers, size)

    @rule(shell=SHELLS, which=st.integers(0, 2), numbers=st.integers(0, 3))
    def complete(self, shell: int, which: int, numbers: int) -> None:
        work = self.worlds[shell].work
        live = [id for id in work.output if id not in work.ended] if work is not None else []
        if work is not None and live:
            work.write(live[which % len(live)], numbers, 10)
            work.end(live[which % len(live)], e.InvocationState.COMPLETED)

    # -- the ways between them

    @rule(shell=SHELLS, amount=st.sampled_from([1, 3, 1000, 10**6]))
    def to_server(self, shell: int, amount: int) -> None:
        self.worlds[shell].flush()
        self.worlds[shell].to_server(amount)

    @rule(shell=SHELLS, amount=st.sampled_from([1, 3, 1000, 10**6]))
    def to_client(self, shell: int, amount: int) -> None:
        self.worlds[shell].flush()
        self.worlds[shell].to_client(amount)

    @rule(shell=SHELLS)
    def settle(self, shell: int) -> None:
        self.worlds[shell].settle()
        self.losses[shell] = 0

    @precondition(lambda self: max(self.losses) < 4)
    @rule(shell=SHELLS, amount=st.integers(0, 3000), rarely=RARELY)
    def lose(self, shell: int, amount: int, rarely: int) -> None:
        if rarely:
            return
        self.losses[shell] += 1
        self.worlds[shell].flush()
        self.worlds[shell].lose(amount)

    @rule(shell=SHELLS, which=st.integers(0, 9), rarely=RARELY)
    def refuse(self, shell: int, which: int, rarely: int) -> None:
        if rarely:
            return
        self.worlds[shell].flush()
        self.worlds[shell].refuse(which)

    @rule(shell=SHELLS, which=st.integers(0, 9), rarely=RARELY)
    def repeat(self, shell: int, which: int, rarely: int) -> None:
        if rarely:
            return
        self.worlds[shell].flush()
        self.worlds[shell].repeat(which)

    # -- the model

    def teardown(self) -> None:
        for world in self.worlds:
            world.settle()
            self.check(world)
            self.end(world)

    def check(self, world: World) -> None:
        client, work = world.client, world.work
        if not world.disturbed:
            assert client.broken is None
            assert not client.lost
            assert not client.failed
            assert client.is_open or work is None or not client.got
        if work is None:
            return
        if world.tainted:
            return  # the other shell is the one that is checked
        for id, got in client.got.items():
            wrote = work.output.get(id, 0)
            numbers = numbers_in(got)
            assert numbers == list(range(len(numbers)))
            assert len(numbers) <= wrote
            taken = numbers_in(work.input.get(id, ()))
            assert taken == list(range(len(taken)))
            assert len(taken) <= len(client.sent[id])
            if client.states.get(id) is e.InvocationState.COMPLETED:
                assert len(numbers) == wrote
            if id in work.ended and not world.disturbed and id not in client.closed:
                assert id in client.states
            if not world.disturbed and id not in client.stopped | client.closed | work.ended:
                assert len(numbers) == wrote
                assert len(taken) == len(client.sent[id])
                assert (id in client.input_ended) == (id in work.input_ended)

    def end(self, world: World) -> None:
        """Close the pool; nothing is left at either side of a shell that was left in peace."""
        client, work = world.client, world.work
        client.close_pool()
        world.settle()
        if not world.disturbed and work is not None:
            assert client.pool.state is PoolState.CLOSED
            assert work.gone
            if isinstance(world, Operations):
                assert world.far.shells == ()
                assert not [each for each in world.flights if each.ticket is None]
        assert client.pool.data_to_send() is None or client.lost


def machine(name: str) -> Any:
    kind = type(f"ShellsOver{name.title()}", (Shells,), {"carrier": name})
    case = kind.TestCase
    case.settings = settings(deadline=None, stateful_step_count=40)
    return case


TestShellsOverLines = machine("lines")
TestShellsOverOperations = machine("operations")


@pytest.mark.parametrize("carrier", sorted(MAKE))
def test_a_quiet_shell_delivers_everything(carrier: str) -> None:
    """The worlds of the machine above work without disturbance."""
    world = MAKE[carrier](1)
    world.settle()
    client, work = world.client, world.work
    assert client.is_open
    assert work is not None
    id = client.create(with_input=True)
    for _ in range(3):
        client.feed(id, 40_000)
    world.settle()
    assert len(work.input[id]) == 3
    client.end_input(id)
    world.settle()
    assert id in work.input_ended
    work.write(id, 5, 40_000)
    work.end(id, e.InvocationState.COMPLETED)
    world.settle()
    assert numbers_in(client.got[id]) == [0, 1, 2, 3, 4]
    assert client.states[id] is e.InvocationState.COMPLETED
    client.close_pool()
    world.settle()
    assert client.pool.state is PoolState.CLOSED
    with pytest.raises(LocalProtocolError):
        client.create(with_input=False)
