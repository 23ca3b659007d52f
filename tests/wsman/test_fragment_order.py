"""Output that is missing after a lost answer is noticed by the ids of fragments."""

from __future__ import annotations

from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import TransportAct
from tests.wsman.shell_peer import COMMAND, Peer, output
from wsman import client_events as ev
from wsman import shell_values as v
from wsman.fragment_order import FragmentOrder, SeenIds

A = TransportAct


def fragment(number: int, place: int = 0, flags: int = 3, size: int = 5) -> bytes:
    head = number.to_bytes(8) + place.to_bytes(8) + bytes([flags]) + size.to_bytes(4)
    return head + b"x" * size


def after_a_lost_answer(first: bytes, second: bytes) -> Peer:
    """The second answer is that to a repeated Receive."""
    peer = Peer(retries=3).running()
    peer.answer("Receive", output(first), COMMAND)
    peer.fail("Receive", COMMAND, sent=True)
    peer.answer("Receive", output(second), COMMAND)
    return peer


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (fragment(7), fragment(8)),
        (fragment(7) + fragment(8, 0, 1), fragment(8, 1, 2)),
        (fragment(7), fragment(8, 0, 1) + fragment(8, 1, 2) + fragment(9)),
        # A server whose ids are not in a row, and one that numbers nothing.
        (fragment(7) + fragment(20), fragment(40)),
        (b"opaque", b"opaque too"),
    ],
)
def test_what_follows_is_taken(first: bytes, second: bytes) -> None:
    peer = after_a_lost_answer(first, second)
    assert [each.data for each in peer.told(ev.Received)] == [first, second]
    assert peer.told(ev.ActFailed) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (fragment(7), fragment(9)),
        (fragment(7) + fragment(8, 0, 1), fragment(8, 2, 2)),
        (fragment(7) + fragment(8, 0, 1), fragment(9)),
        (fragment(7), fragment(8, 1, 2)),
    ],
)
def test_a_gap_after_a_lost_answer_is_an_error_of_the_command(first: bytes, second: bytes) -> None:
    peer = after_a_lost_answer(first, second)
    assert [each.data for each in peer.told(ev.Received)] == [first]
    (failed,) = peer.told(ev.ActFailed)
    assert failed.target == COMMAND
    assert "was lost on its way" in failed.error.message
    assert peer.told(ev.Lost) == []


@pytest.mark.parametrize(("pool", "lost"), [((3, 4), True), ((3, 9), False)])
def test_the_first_output_of_a_command_may_be_missing(pool: tuple[int, int], lost: bool) -> None:
    """If the server numbers all targets in one row: here the command's message 5 is missing."""
    peer = Peer(retries=3).opened()
    for number in pool:
        peer.answer("Receive", output(fragment(number)))
    peer.send(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command")
    peer.answer("Command", v.CommandResponse(command_id=str(COMMAND)), COMMAND)
    peer.fail("Receive", COMMAND, sent=True)
    peer.answer("Receive", output(fragment(6)), COMMAND)
    assert bool(peer.told(ev.ActFailed)) is lost


def test_a_gap_without_a_lost_answer_is_none() -> None:
    peer = Peer().running()
    for number in (7, 9):
        peer.answer("Receive", output(fragment(number)), COMMAND)
    assert len(peer.told(ev.Received)) == 2


def test_what_another_target_received_is_not_missing() -> None:
    peer = Peer(retries=3).running()
    peer.answer("Receive", output(fragment(7)), COMMAND)
    peer.fail("Receive", COMMAND, sent=True)
    peer.answer("Receive", output(fragment(8)))
    peer.answer("Receive", output(fragment(9)), COMMAND)
    assert peer.told(ev.ActFailed) == []


def test_nothing_is_judged_while_other_commands_run() -> None:
    peer = Peer(retries=3).running()
    other = uuid4()
    peer.answer("Receive", output(fragment(7)), COMMAND)
    peer.send(act=A.CREATE_PIPELINE, target=other, data=b"command")
    peer.answer("Command", v.CommandResponse(command_id=str(other)), other)
    peer.fail("Receive", COMMAND, sent=True)
    peer.answer("Receive", output(fragment(9)), COMMAND)
    assert peer.told(ev.ActFailed) == []


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.data())
def test_cuts_of_the_data_change_nothing(sizes: list[int], data: st.DataObject) -> None:
    wire = b"".join(fragment(number, size=size) for number, size in enumerate(sizes, 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=5)))
    order = FragmentOrder(SeenIds())
    edges = [0, *cuts, len(wire)]
    pieces = [wire[a:b] for a, b in pairwise(edges)]
    assert all(order.take([piece], judge=False) for piece in pieces)
    assert order.take([fragment(len(sizes) + 1)], judge=True)
    assert not order.take([fragment(len(sizes) + 3)], judge=True)
