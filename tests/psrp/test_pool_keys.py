"""SecureStrings: the request for the session key, and messages that wait for it."""

from __future__ import annotations

from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from psrp import events as e
from psrp.clixml import SecureString
from psrp.commands import PowerShell, command
from psrp.host import HostInfo
from psrp.keys import KeyExchange, SessionKey
from psrp.sansio import LimitExceeded, LocalProtocolError, MessageError, RemoteProtocolError, Side
from psrp.states import PipelinePhase, PoolState
from tests.psrp.pairs import (
    OTHER_ID,
    PIPELINE_ID,
    SESSION_KEY,
    Pair,
    channel_of,
    deliver,
    drain,
    force,
    sent,
)

SECRET = SecureString("P@ss \U0001f511")


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pair(version: str = "2.3", **client: object) -> Pair:
    return Pair(
        client={"version": version, "private_key": private_key, **client},
        server={"version": "2.4"},
    ).open(max_runspaces=2)


def with_argument(value: object) -> PowerShell:
    return PowerShell.of(command("Use-Secret", value))


def kinds(events: list[e.Event]) -> list[type[e.Event]]:
    return [type(event) for event in events]


@pytest.mark.parametrize("version", ["2.2", "2.3"])
def test_a_client_exchanges_keys_before_it_sends_its_first_secret(version: str) -> None:
    """Statement J113."""
    both = pair(version)
    both.client.send(
        e.CreatePipeline(
            pipeline_id=PIPELINE_ID,
            powershell=with_argument(SECRET),
            host_info=HostInfo.null(),
            no_input=False,
        )
    )
    both.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data="behind it"))
    (first,) = sent(both.client)
    assert first.target is None
    assert b"PublicKey" in first.data
    deliver(first, both.server)
    both.at_server += drain(both.server)
    both.move()
    assert kinds(both.at_server[2:]) == [e.PublicKey, e.CreatePipeline, e.PipelineInput]
    created = both.at_server[3]
    assert isinstance(created, e.CreatePipeline)
    (parameter,) = created.powershell.statements[0][0].parameters
    assert parameter.value.reveal() == SECRET.reveal()
    assert kinds(both.at_client[3:]) == [e.EncryptedSessionKey]


@pytest.mark.parametrize("version", ["2.2", "2.3"])
def test_a_client_that_receives_a_secret_first_parks_it_and_asks(version: str) -> None:
    """Statement F60."""
    both = pair(version)
    both.create(PIPELINE_ID)
    both.create(OTHER_ID)
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data="behind it"))
    both.server.send(e.PipelineOutput(pipeline_id=OTHER_ID, data="elsewhere"))
    for out in sent(both.server):
        deliver(out, both.client)
    assert drain(both.client) == [e.PipelineOutput(pipeline_id=OTHER_ID, data="elsewhere")]
    both.move()
    assert kinds(both.at_server[-1:]) == [e.PublicKey]
    key, secret, behind = both.at_client[-3:]
    assert isinstance(key, e.EncryptedSessionKey)
    assert secret.data.reveal() == SECRET.reveal()  # type: ignore[attr-defined]
    assert behind == e.PipelineOutput(pipeline_id=PIPELINE_ID, data="behind it")


@pytest.mark.parametrize("version", ["2.2", "2.3"])
def test_a_server_writes_a_secret_without_asking_from_2_2_on(version: str) -> None:
    """Statement F61."""
    both = pair(version)
    both.create()
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
    (out,) = sent(both.server)
    assert out.target == PIPELINE_ID
    text = out.data.partition(b"<SS>")[2].partition(b"</SS>")[0].decode()
    assert SessionKey(SESSION_KEY).unseal(text) == SECRET.reveal()


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_a_server_asks_an_old_client_first_and_holds_the_output_back(version: str) -> None:
    """Statement F61."""
    both = pair(version)
    both.create()
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data="behind it"))
    (out,) = sent(both.server)
    assert out.target is None
    deliver(out, both.client)
    assert drain(both.client) == [e.PublicKeyRequest()]
    both.move()
    both.end()
    assert kinds(both.at_client[-4:]) == [
        e.EncryptedSessionKey,
        e.PipelineOutput,
        e.PipelineOutput,
        e.PipelineStateMessage,
    ]


def test_a_server_that_must_read_a_secret_asks_and_does_nothing_else_meanwhile() -> None:
    """Statement F61."""
    both = pair("2.3")
    both.create(PIPELINE_ID, no_input=False)
    channel = channel_of(both.client, PIPELINE_ID)
    sealed = SecureString.from_sealed(SessionKey(SESSION_KEY).seal("early"))
    force(both.client, e.PipelineInput(pipeline_id=PIPELINE_ID, data=sealed), channel)
    both.client.send(e.GetAvailableRunspaces(call_id=1))
    outs = sent(both.client)
    for out in outs:
        deliver(out, both.server)
    assert drain(both.server) == []
    (request,) = sent(both.server)
    deliver(request, both.client)
    assert drain(both.client) == [e.PublicKeyRequest()]
    both.move()
    assert sorted(kind.__name__ for kind in kinds(both.at_server[-3:])) == [
        "GetAvailableRunspaces",
        "PipelineInput",
        "PublicKey",
    ]
    (read,) = [x for x in both.at_server if isinstance(x, e.PipelineInput)]
    assert read.data.reveal() == "early"


def test_from_2_4_on_secrets_travel_as_they_are_and_nobody_asks() -> None:
    """Statement B24."""
    both = pair("2.4")
    assert both.client.version == both.server.version == "2.4"
    both.create(no_input=False)
    both.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=SECRET))
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SecureString("")))
    both.move()
    assert both.at_server[-1].data.reveal() == SECRET.reveal()  # type: ignore[attr-defined]
    assert both.at_client[-1].data.reveal() == ""  # type: ignore[attr-defined]
    seen = kinds(both.at_client + both.at_server)
    assert not {e.PublicKey, e.PublicKeyRequest, e.EncryptedSessionKey} & set(seen)


def test_a_server_answers_a_key_at_2_4_too_and_again() -> None:
    """Statement B24."""
    for version in ("2.4", "2.3"):
        both = pair(version)
        for _ in range(2):
            both.client.send(e.PublicKey(key=both.client.keys.public_key()))
            both.move()
            assert kinds(both.at_client[-1:]) == [e.EncryptedSessionKey]


def test_the_negotiated_version_decides_how_a_secret_is_read() -> None:
    """Statement J114."""
    newer = Pair(client={"version": "2.4"}, server={"version": "2.3"}).open()
    assert newer.client.keys.plain is newer.server.keys.plain is False
    both = pair("2.4")
    both.create(no_input=False)
    channel = channel_of(both.client, PIPELINE_ID)
    sealed = SecureString.from_sealed(SessionKey(SESSION_KEY).seal("looks sealed"))
    force(both.client, e.PipelineInput(pipeline_id=PIPELINE_ID, data=sealed), channel)
    both.move()
    read = both.at_server[-1]
    assert isinstance(read, e.PipelineInput)
    assert read.data.reveal() != "looks sealed"


def test_a_client_answers_a_request_at_any_version() -> None:
    """Statement F61."""
    for version in ("2.0", "2.1", "2.2", "2.3"):
        both = pair(version)
        both.server.send(e.PublicKeyRequest())
        both.move()
        assert kinds(both.at_server[-1:]) == [e.PublicKey]


def test_a_client_without_a_key_leaves_secrets_sealed_and_cannot_send_any() -> None:
    both = pair(private_key=None)
    both.create(no_input=False)
    both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
    both.move()
    output = both.at_client[-1]
    assert isinstance(output, e.PipelineOutput)
    assert output.data.sealed is not None
    with pytest.raises(LocalProtocolError, match="private key"):
        both.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=SECRET))
    assert both.client.pipelines == {PIPELINE_ID: PipelinePhase.READING}
    assert sent(both.client) == []


def test_a_server_without_a_key_cannot_send_a_secret_and_refuses_an_exchange() -> None:
    both = Pair(client={"private_key": private_key}, server={"session_key": None}).open()
    both.create()
    with pytest.raises(LocalProtocolError, match="session key"):
        both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
    both.client.send(e.PublicKey(key=both.client.keys.public_key()))
    both.move()
    assert isinstance(both.at_server[-1], e.Fault)
    assert both.server.state is PoolState.OPENED


def test_a_bad_public_key_costs_a_fault() -> None:
    both = pair()
    both.client.send(e.PublicKey(key="bm8ga2V5"))
    both.move()
    fault = both.at_server[-1]
    assert isinstance(fault, e.Fault)
    assert isinstance(fault.error, MessageError)


def test_a_bad_session_key_breaks_the_client() -> None:
    both = pair()
    force(both.server, e.EncryptedSessionKey(key="bm8ga2V5"))
    with pytest.raises(RemoteProtocolError):
        both.move()
    assert both.client.state is PoolState.BROKEN


def test_a_session_key_that_nobody_asked_for_breaks_a_client_without_a_key() -> None:
    both = pair(private_key=None)
    force(both.server, e.EncryptedSessionKey(key="AAAA"))
    with pytest.raises(RemoteProtocolError, match="without a PUBLIC_KEY"):
        both.move()


def test_a_sealed_text_that_does_not_open_costs_its_message() -> None:
    both = pair()
    both.client.send(e.PublicKey(key=both.client.keys.public_key()))
    both.move()
    both.create(no_input=False)
    channel = channel_of(both.client, PIPELINE_ID)
    force(
        both.client,
        e.PipelineInput(pipeline_id=PIPELINE_ID, data=SecureString.from_sealed("AAAA")),
        channel,
    )
    both.move()
    assert isinstance(both.at_server[-1], e.Fault)


def test_keys_may_be_given_as_callables_that_run_once_and_only_when_needed() -> None:
    made: list[str] = []

    def session_key() -> bytes:
        made.append("session key")
        return SESSION_KEY

    def make_private_key() -> rsa.RSAPrivateKey:
        made.append("private key")
        return private_key()

    both = Pair(
        client={"private_key": make_private_key}, server={"session_key": session_key}
    ).open()
    both.create(no_input=False)
    assert made == []
    for _ in range(2):
        both.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=SECRET))
        both.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=SECRET))
        both.move()
    assert sorted(made) == ["private key", "session key"]


def test_what_waits_for_a_key_that_never_comes_is_bounded() -> None:
    both = Pair(server={"max_message": 4000}).open()
    both.create(no_input=False)
    channel = channel_of(both.client, PIPELINE_ID)
    sealed = SecureString.from_sealed(SessionKey(SESSION_KEY).seal("early"))
    force(both.client, e.PipelineInput(pipeline_id=PIPELINE_ID, data=sealed), channel)
    for _ in range(100):
        both.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data="x" * 100))
    for out in sent(both.client):
        deliver(out, both.server)
    faults = drain(both.server)
    assert len(faults) > 50
    assert {type(fault.error) for fault in faults} == {LimitExceeded}  # type: ignore[attr-defined]


def test_an_exchange_that_was_never_possible_is_a_mistake_of_the_caller() -> None:
    for side in Side:
        exchange = KeyExchange(side)
        with pytest.raises(LocalProtocolError, match=r"no (client's|server's)"):
            exchange.public_key() if side is Side.CLIENT else exchange.seal("x")
    keyless = KeyExchange(Side.SERVER, session_key=lambda: None)  # type: ignore[arg-type, return-value]
    keyless.version = (2, 3)
    with pytest.raises(LocalProtocolError, match="session key"):
        keyless.seal("x")


def test_a_record_with_a_secret_waits_and_the_pools_own_messages_too() -> None:
    both = pair("2.1")
    both.server.send(e.UserEvent(event_id=1, source_id="s", message_data=SECRET))
    both.server.send(e.UserEvent(event_id=2, source_id="behind"))
    both.move()
    assert kinds(both.at_client[-4:]) == [
        e.PublicKeyRequest,
        e.EncryptedSessionKey,
        e.UserEvent,
        e.UserEvent,
    ]


def test_a_request_that_a_client_cannot_answer_is_only_shown() -> None:
    both = pair(private_key=None)
    both.server.send(e.PublicKeyRequest())
    both.move()
    assert both.at_client[-1] == e.PublicKeyRequest()
    assert sent(both.client) == []
