"""The PowerShell Direct handshake: new and old brokers, over memory and over socket pairs."""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError
from sshsub.hyperv import (
    Credential,
    Granted,
    Handshake,
    HandshakeError,
    InvalidCredential,
    Requested,
    broker_client,
    broker_server,
    session_client,
    session_server,
)
from sshsub.trio_stream import shake_hands

WHO = Credential(user_name="alice", password="pä$$", domain="LAB")
TOKEN = "c2VjcmV0IHRva2Vu"


def right(shown: Credential) -> bool:
    return shown in (WHO, Credential(user_name="bob", domain="localhost"))


def talk(client: Handshake, server: Handshake) -> list[tuple[str, bytes]]:
    """Deliver the messages of both sides; return (sender, message) pairs."""
    said = []
    for _ in range(30):
        for name, one, other in (("C", client, server), ("S", server, client)):
            if data := one.data_to_send():
                said.append((name, data))
                other.receive_data(data)
    return said


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_a_new_broker_gives_a_token() -> None:
    client = broker_client(WHO, configuration_name="Tools")
    server = broker_server(right, TOKEN)
    assert talk(client, server) == [
        ("C", b"VERSION"),
        ("S", b"VERSION_2"),
        ("C", b"VERSION_2"),
        ("S", b"PASS"),
        ("C", utf16("LAB")),
        ("S", b"PASS"),
        ("C", utf16("alice")),
        ("S", b"PASS"),
        ("C", b"NONEMPTYPW"),
        ("S", b"PASS"),
        ("C", utf16("pä$$")),
        ("S", b"CONF"),
        ("C", b"NONEMPTYCF"),
        ("S", b"PASS"),
        ("C", utf16("Tools")),
        ("S", f"TOKEN {TOKEN}".encode()),
        ("C", b"PASS"),
    ]
    assert client.result == Granted(token=TOKEN)
    assert server.result == Requested(domain="LAB", user_name="alice", configuration_name="Tools")
    assert "pä$$" not in repr(WHO)
    assert TOKEN not in repr(client.result)


@pytest.mark.parametrize("configurations", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_no_password_no_domain_no_configuration(legacy: bool, configurations: bool) -> None:
    client = broker_client(Credential(user_name="bob"), legacy=legacy)
    server = broker_server(right, TOKEN, legacy=legacy, configurations=configurations)
    said = talk(client, server)
    assert ("C", b"EMPTYPW") in said
    assert ("C", b"EMPTYCF" if configurations else b"PASS") in said
    assert client.result == Granted(token=None if legacy else TOKEN)
    assert server.result == Requested(domain="localhost", user_name="bob", legacy=legacy)


def test_an_old_broker_is_found_out_and_left_in_peace() -> None:
    client = broker_client(WHO)
    server = broker_server(right, TOKEN, legacy=True)
    with pytest.raises(InvalidCredential):
        talk(client, server)
    client.receive_data(server.data_to_send())
    assert client.result == Granted(legacy=True)
    assert client.data_to_send() == b"FAIL"


def test_a_new_broker_serves_an_old_client() -> None:
    client = broker_client(WHO, legacy=True)
    server = broker_server(right, TOKEN)
    talk(client, server)
    assert (client.result, server.result.legacy) == (Granted(), True)


def test_a_wrong_password_fails_on_both_sides() -> None:
    client = broker_client(Credential(user_name="alice", password="guess", domain="LAB"))
    server = broker_server(right, TOKEN)
    with pytest.raises(InvalidCredential) as caught:
        talk(client, server)
    assert caught.value.error_id == "InvalidCredential"
    with pytest.raises(InvalidCredential):
        client.receive_data(server.data_to_send())
    assert client.data_to_send() == b"FAIL"
    assert "guess" not in str(caught.value)


def test_the_session_takes_the_token() -> None:
    client, server = session_client(TOKEN), session_server(TOKEN)
    talk(client, server)
    assert client.done
    assert server.done
    server.receive_data(b"<Data")
    assert server.rest == b"<Data"


def test_the_session_refuses_another_token() -> None:
    client, server = session_client("b3RoZXI="), session_server(TOKEN)
    with pytest.raises(InvalidCredential):
        talk(client, server)
    assert server.data_to_send() == b"FAIL"
    with pytest.raises(InvalidCredential):
        client.receive_data(b"FAIL")


def test_words_may_come_in_pieces_and_with_nul() -> None:
    client = session_client(TOKEN)
    for piece in (b"VER", b"SION_", b"2", b"PA", b"SS\0", b"\0", b"PASS", b"<Data"):
        client.receive_data(piece)
    assert client.done
    assert client.rest == b"<Data"


def test_the_end_of_the_stream_is_an_error() -> None:
    client = broker_client(WHO)
    with pytest.raises(HandshakeError, match="ended"):
        client.receive_data(b"")
    with pytest.raises(HandshakeError):
        client.receive_data(b"VERSION_2")


def test_a_message_is_bounded() -> None:
    server = broker_server(right, TOKEN)
    with pytest.raises(LimitExceeded):
        server.receive_data(b"x" * 5000)


def test_what_is_missing_is_said_at_once() -> None:
    with pytest.raises(LocalProtocolError):
        broker_client(Credential(user_name=""))
    with pytest.raises(LocalProtocolError):
        session_client("")
    with pytest.raises(LocalProtocolError):
        _ = session_client(TOKEN).result


WORDS = [b"VERSION", b"VERSION_2", b"PASS", b"FAIL", b"CONF", b"TOKEN x", b"EMPTYPW", b"\0"]


@given(st.integers(0, 3), st.lists(st.sampled_from(WORDS) | st.binary(min_size=1, max_size=20)))
def test_any_bytes_end_well_or_are_the_peers_fault(which: int, pieces: list[bytes]) -> None:
    machine = [
        lambda: broker_client(WHO),
        lambda: session_client(TOKEN),
        lambda: broker_server(right, TOKEN),
        lambda: session_server(TOKEN),
    ][which]()
    try:
        for piece in pieces:
            machine.receive_data(piece)
            machine.data_to_send()
        machine.receive_data(b"")
    except RemoteProtocolError:
        return
    assert machine.done


def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    one, other = socket.socketpair()
    return (
        trio.SocketStream(trio.socket.from_stdlib_socket(one)),
        trio.SocketStream(trio.socket.from_stdlib_socket(other)),
    )


async def test_both_sockets_of_a_guest() -> None:
    ours, theirs = pair()
    client, server = broker_client(WHO), broker_server(right, TOKEN)
    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(shake_hands, theirs, server)
        await shake_hands(ours, client)
    ours, theirs = pair()
    async with ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake_hands, theirs, session_server(TOKEN))
            wire = await shake_hands(ours, session_client(client.result.token))
        await theirs.send_all(b"<Data")
        assert await wire.receive_some() == b"<Data"


async def test_a_refusal_reaches_the_other_side() -> None:
    ours, theirs = pair()

    async def serve() -> None:
        with pytest.raises(InvalidCredential):
            await shake_hands(theirs, session_server(TOKEN))

    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(InvalidCredential):
            await shake_hands(ours, session_client("x"))
