"""Properties of generated envelopes, and of damaged ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from itertools import count
from time import process_time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psrp.sansio import LocalProtocolError, Outgoing, RemoteProtocolError, TransportAct
from tests.wsman.exchanges import Message
from tests.wsman.replaying import replay
from wsman import client_events as ev
from wsman import names, operations, soap
from wsman import shell_values as v
from wsman.durations import parse_duration
from wsman.envelopes import Headers
from wsman.errors import TransportFailure
from wsman.requests import ShellConfig
from wsman.shell import Shell
from wsman.strategies import Conversation, EnvelopeExample, conversations, envelopes, responses

COMMAND = UUID("9e2b1c3d-0000-4000-8000-00000000000a")
A = TransportAct


@given(envelopes())
def test_envelopes_come_back(example: EnvelopeExample) -> None:
    envelope = soap.parse(example.data)
    assert operations.read(envelope) == example.value
    for field in fields(Headers):
        wanted = getattr(example.headers, field.name)
        found = getattr(envelope, field.name, None)
        match field.name:
            case "action":
                continue
            case "operation_timeout":
                assert wanted is None or parse_duration(str(found)) == pytest.approx(wanted)
            case "sequence_id":
                assert found == ("" if wanted is None else str(wanted))
            case "selectors" if isinstance(example.value, v.CreateResponse) and not wanted:
                continue
            case _:
                assert found == wanted, field.name


@given(envelopes(), st.data())
def test_envelopes_that_are_cut_or_damaged_give_our_errors_only(
    example: EnvelopeExample, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(example.data) - 1))
    damaged = bytearray(example.data)
    damaged[place] = data.draw(st.integers(0, 255))
    for candidate in (example.data[:place], bytes(damaged)):
        with suppress(RemoteProtocolError):
            operations.read(soap.parse(candidate))


@given(st.binary(max_size=400) | st.text(max_size=200))
def test_what_is_no_envelope_gives_our_errors_only(data: bytes | str) -> None:
    with suppress(RemoteProtocolError):
        operations.read(soap.parse(data))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<a>" * 100_000, id="depth"),
        pytest.param("<a/>" * 100_000, id="siblings"),
        pytest.param('<a b="' + "&#65;" * 100_000 + '"/>', id="references"),
        pytest.param(" ".join(f'a{n}="x"' for n in range(20_000)), id="attributes"),
    ],
)
def test_hostile_markup_takes_little_time(text: str) -> None:
    """Work is linear: ten times the bytes do not take a hundred times as long."""

    def cost(part: str) -> float:
        data = (
            f'<s:Envelope xmlns:s="{names.SOAP}"><s:Header/><s:Body>{part}</s:Body></s:Envelope>'
            if part.startswith("<")
            else f'<s:Envelope xmlns:s="{names.SOAP}" {part}/>'
        )
        start = process_time()
        with suppress(RemoteProtocolError):
            operations.read(soap.parse(data))
        return process_time() - start

    # The limit is far above linear work and far below quadratic work.
    assert cost(text) < 5.0


# -- machines


def as_messages(conversation: Conversation) -> list[Message]:
    uri = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
    messages = []
    for number, exchange in enumerate(conversation.exchanges):
        creates = isinstance(exchange.request, v.Create)
        request = Headers(
            to="http://host/wsman", message_id=f"uuid:{number}", resource_uri=uri,
            selectors=() if creates else ((v.SHELL_SELECTOR, conversation.shell_id),),
        )  # fmt: skip
        response = Headers(relates_to=f"uuid:{number}")
        messages += [
            Message(request=True, soap=operations.write(request, exchange.request).decode()),
            Message(
                request=False, status=exchange.status,
                soap=operations.write(response, exchange.response).decode(),
            ),
        ]  # fmt: skip
    return messages


@given(conversations())
@settings(deadline=None)
def test_our_client_takes_its_part_in_every_conversation(conversation: Conversation) -> None:
    """All output arrives once and in order, without other requests."""
    (shell,) = replay(as_messages(conversation))
    shell.check()
    assert isinstance(shell.events[-1], ev.Lost)
    assert shell.events[-1].error is None
    received: dict[UUID | None, bytes] = {}
    for event in shell.events:
        if isinstance(event, ev.Received):
            received[event.target] = received.get(event.target, b"") + event.data
    assert received == {target: data for target, data in conversation.output if data}


_ANSWERS = st.one_of(
    st.tuples(st.just("value"), responses()),
    st.tuples(st.just("bytes"), st.binary(max_size=60)),
    st.tuples(st.just("failure"), st.tuples(st.booleans(), st.booleans(), st.integers(0, 599))),
)
_STEPS = st.one_of(
    st.tuples(st.just("answer"), st.tuples(st.integers(0, 5), _ANSWERS)),
    st.tuples(st.just("send"), st.sampled_from([None, COMMAND])),
    st.tuples(st.just("act"), st.sampled_from(list(A))),
    st.tuples(st.just("wait"), st.floats(0, 100)),
)


@given(st.lists(_STEPS, max_size=40))
@settings(deadline=None)
def test_no_order_of_answers_and_acts_breaks_the_client(steps: list[tuple[str, Any]]) -> None:
    """Only our errors are raised; at most one Send and one Receive per target; one end, nothing
    after it."""
    ids = count(1)
    config = ShellConfig(url="http://h/wsman", shell_id="S")
    machine = Shell(config, new_id=lambda: UUID(int=next(ids)))
    now, lost = 0.0, 0
    machine.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
    for kind, detail in steps:
        now = take(machine, kind, detail, now)
        while machine.next_request(now) is not None:
            pass
        busy = [(r.operation, r.target) for r in machine.outstanding]
        for operation in ("Send", "Receive"):
            targets = [target for name, target in busy if name == operation]
            assert len(targets) == len(set(targets))
        while (event := machine.next_event()) is not None:
            assert not lost
            lost += isinstance(event, ev.Lost)
    assert lost <= 1
    assert bool(lost) == machine.over


def take(machine: Shell, kind: str, detail: Any, now: float) -> float:
    if kind == "wait":
        return now + float(detail)
    if kind == "answer":
        index, (how, what) = detail
        outstanding = machine.outstanding
        if outstanding:
            answer(machine, outstanding[index % len(outstanding)], how, what, now)
        return now
    with suppress(LocalProtocolError):
        if kind == "send":
            machine.send(Outgoing(target=detail, data=b"data"))
        else:
            of_pool = detail in (A.CREATE_POOL, A.CLOSE_POOL, A.DISCONNECT, A.RECONNECT)
            target = None if of_pool else COMMAND
            data = b"x" if detail in (A.CREATE_POOL, A.CREATE_PIPELINE, A.CONNECT) else b""
            machine.send(Outgoing(act=detail, target=target, data=data))
    return now


def answer(machine: Shell, request: Any, how: str, what: Any, now: float) -> None:
    if how == "failure":
        sent, partial, status = what
        failure = TransportFailure("cut", sent=sent, partial=partial, status=status)
        machine.receive_failure(request.number, failure, now)
        return
    body = what
    if how == "value":
        body = operations.write(Headers(relates_to=request.message_id), what)
    machine.receive_answer(request.number, 200, [body], now)
