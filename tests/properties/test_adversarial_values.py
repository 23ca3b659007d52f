"""Well-formed bodies and envelopes with adversarial values give events or our own errors.

Unlike damaged bytes, these reach every reader of a member. Both roles have exchanged keys before,
so that secrets are opened too, and every event is printed, as users and logs do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp.fragments import split
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side
from tests.fuzz import seeds
from tests.fuzz.target import TARGETS, check
from tests.fuzz.wsman_targets import service, shell
from tests.properties.adversarial import replaced
from tests.properties.machines import EVENTS, PIPELINE_ID, Machine

C, S = Side.CLIENT, Side.SERVER
HEADER = 40
"""Bytes of a message before its body: destination, type, two ids."""


def _machine(side: Side) -> Machine:
    """Return an open pool with one pipeline, after the exchange of keys."""
    machine = Machine(side)
    machine.open()
    steps: list[tuple[Side, Any]] = [
        (C, EVENTS[e.PublicKey]),
        (S, EVENTS[e.EncryptedSessionKey]),
        (C, EVENTS[e.CreatePipeline, False]),
    ]
    for who, event in steps:
        with suppress(LocalProtocolError, RemoteProtocolError):
            machine.take(who, event)
    return machine


BODIES = [
    (sender, message[:HEADER], message[HEADER:])
    for sender, message in seeds.messages()
    if b"<" in message[HEADER:]
]


@given(st.sampled_from(BODIES), st.data())
def test_a_body_with_adversarial_values_is_an_event_or_our_error(
    found: tuple[Side, bytes, bytes], data: st.DataObject
) -> None:
    _, header, body = found
    changed = data.draw(replaced(body.removeprefix(b"\xef\xbb\xbf")), label="body")
    for side in Side:
        machine = _machine(side)
        for target in (None, PIPELINE_ID):
            with suppress(RemoteProtocolError):
                for piece in split(1000, header + changed, 32768):
                    machine.pool.receive_data(piece, target)
                while (event := machine.pool.next_event()) is not None:
                    assert len(repr(event)) < 1_000_000
                    assert len(str(event)) < 1_000_000


@given(st.sampled_from(seeds.envelopes()), st.data())
def test_an_envelope_with_adversarial_values_is_answered_or_refused(
    found: tuple[bool, bytes], data: st.DataObject
) -> None:
    is_request, envelope = found
    changed = data.draw(replaced(envelope), label="envelope")
    target = TARGETS["service" if is_request else "shell"]
    assert target.run in (service, shell)
    check(target, changed)
    check(TARGETS["envelope"], changed)
