"""Opening and closing a pool, and the versions that each side accepts."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp import events as e
from psrp.host import HostInfo
from psrp.messages import Header, read_header
from psrp.pool import Pool
from psrp.sansio import (
    LocalProtocolError,
    MessageError,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import PoolState
from tests.psrp.pairs import POOL_ID, SESSION_KEY, Pair, byte_by_byte, deliver, drain, force, sent

CAPABILITY = e.SessionCapability(protocol_version="2.3")
INIT = e.InitRunspacePool(host_info=HostInfo.null())
OPENED = e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED)


def headers(pool: Pool) -> list[Header]:
    """Return the message headers of a pool's output, one fragment for each message."""
    found = []
    for out in sent(pool):
        data = out.data
        while data:
            length = int.from_bytes(data[17:21], "big")
            found.append(read_header(data[21 : 21 + length]))
            data = data[21 + length :]
    return found


@pytest.mark.parametrize("cut", [None, byte_by_byte])
def test_a_pool_opens(cut: object) -> None:
    """Statement B17."""
    pair = Pair() if cut is None else Pair(cut=byte_by_byte)
    pair.open()
    assert pair.client.state is pair.server.state is PoolState.OPENED
    assert [type(event) for event in pair.at_server] == [e.SessionCapability, e.InitRunspacePool]
    assert [type(event) for event in pair.at_client] == [
        e.SessionCapability,
        e.ApplicationPrivateData,
        e.RunspacePoolStateMessage,
    ]


def test_init_goes_out_without_waiting_for_the_servers_capability() -> None:
    """Statement B16."""
    client = Pool(Side.CLIENT, id=POOL_ID)
    client.send(CAPABILITY)
    client.send(INIT)
    (first,) = sent(client)
    assert first.act is TransportAct.CREATE_POOL
    assert first.target is None
    assert first.stream is Stream.DEFAULT
    assert first.data.count(b"protocolversion") == 1
    assert first.data.count(b"MinRunspaces") == 1
    assert client.state is PoolState.INIT_SENT


def test_init_may_come_after_the_servers_capability() -> None:
    pair = Pair()
    pair.client.send(CAPABILITY)
    pair.move()
    assert pair.client.state is pair.server.state is PoolState.NEGOTIATION_SUCCEEDED
    pair.client.send(INIT)
    pair.move()
    assert pair.client.state is pair.server.state is PoolState.OPENING


@pytest.mark.parametrize(
    ("announced", "own", "answered"),
    [
        ("2.0", "2.4", "2.0"),
        ("2.1", "2.4", "2.1"),
        ("2.2", "2.4", "2.2"),
        ("2.3", "2.4", "2.3"),
        ("2.4", "2.4", "2.4"),
        ("2.5", "2.4", "2.4"),
        ("2.99", "2.4", "2.4"),
        ("2.4", "2.3", "2.3"),
        ("2.3", "2.2", "2.2"),
    ],
)
def test_a_server_echoes_a_known_version_and_answers_its_own_to_a_newer_one(
    announced: str, own: str, answered: str
) -> None:
    """Statement B18."""
    pair = Pair(client={"version": announced}, server={"version": own})
    pair.client.send(e.SessionCapability(protocol_version=announced))
    (out,) = sent(pair.client)
    deliver(out, pair.server)
    drain(pair.server)
    (answer,) = sent(pair.server)
    assert f">{answered}</Version>".encode() in answer.data
    assert pair.server.version == answered
    assert pair.server.state is PoolState.NEGOTIATION_SUCCEEDED


@pytest.mark.parametrize(
    "capability",
    [
        e.SessionCapability(protocol_version="1.0"),
        e.SessionCapability(protocol_version="3.0"),
        e.SessionCapability(protocol_version="2.3.0.0"),
        e.SessionCapability(protocol_version="2.4", ps_version="1.0"),
        e.SessionCapability(protocol_version="2.4", ps_version="3.0"),
        e.SessionCapability(protocol_version="2.4", serialization_version="1.0"),
        e.SessionCapability(protocol_version="2.4", serialization_version="2.0"),
    ],
)
def test_a_refused_client_gets_a_capability_and_then_nothing(
    capability: e.SessionCapability,
) -> None:
    """Statement B20."""
    # The client's check refuses such a capability, so it is written by hand.
    client = Pool(Side.CLIENT, id=POOL_ID, version="2.4")
    server = Pool(Side.SERVER, version="2.4")
    force(client, capability)
    force(client, INIT)
    for out in sent(client):
        deliver(out, server)
    kinds = [type(event) for event in drain(server)]
    assert kinds == [e.SessionCapability, e.Fault, e.Ignored]
    assert server.state is PoolState.BROKEN
    (answer,) = sent(server)
    assert b"protocolversion" in answer.data
    assert sent(server) == []


@pytest.mark.parametrize("answered", ["2.0", "2.1", "2.2", "2.3", "2.4"])
def test_a_client_accepts_the_known_versions_and_its_own(answered: str) -> None:
    """Statement B19."""
    client = Pool(Side.CLIENT, id=POOL_ID, version="2.4")
    client.send(e.SessionCapability(protocol_version="2.4"))
    server = Pool(Side.SERVER, id=POOL_ID)
    force(server, e.SessionCapability(protocol_version=answered))
    deliver(sent(server)[0], client)
    assert drain(client) == [e.SessionCapability(protocol_version=answered)]
    assert client.version == answered


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        (e.SessionCapability(protocol_version="1.0"), "protocol version 1.0"),
        (e.SessionCapability(protocol_version="3.0"), "protocol version 3.0"),
        (e.SessionCapability(protocol_version="2.5"), "protocol version 2.5"),
        (e.SessionCapability(protocol_version="2.3", ps_version="1.0"), "PSVersion 1.0"),
        (
            e.SessionCapability(protocol_version="2.3", serialization_version="1.1"),
            "SerializationVersion 1.1",
        ),
    ],
)
def test_a_client_judges_the_servers_capability_itself(
    capability: e.SessionCapability, names: str
) -> None:
    """Statement B20: nothing follows a refusal, so the client must not wait."""
    client = Pool(Side.CLIENT, id=POOL_ID, version="2.4")
    client.send(e.SessionCapability(protocol_version="2.4"))
    server = Pool(Side.SERVER, id=POOL_ID)
    force(server, capability)
    deliver(sent(server)[0], client)
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match=names):
            client.next_event()
    assert client.state is PoolState.BROKEN


def test_the_constant_versions_are_announced_literally() -> None:
    """Statement B19."""
    client = Pool(Side.CLIENT, id=POOL_ID, version="2.4")
    client.send(e.SessionCapability(protocol_version="2.4"))
    data = sent(client)[0].data
    assert b'<Version N="PSVersion">2.0</Version>' in data
    assert b'<Version N="SerializationVersion">1.1.0.1</Version>' in data


def test_we_announce_2_3_unless_told_otherwise() -> None:
    """Statement B25."""
    assert Pool(Side.CLIENT, id=POOL_ID).own_version == "2.3"
    assert Pool(Side.SERVER).own_version == "2.3"


def test_a_server_sends_its_session_messages_with_a_zero_rpid() -> None:
    """Statement B21."""
    pair = Pair()
    pair.client.send(CAPABILITY)
    pair.client.send(INIT)
    deliver(sent(pair.client)[0], pair.server)
    drain(pair.server)
    pair.server.send(e.ApplicationPrivateData(data=None))
    pair.server.send(OPENED)
    assert [header.rpid for header in headers(pair.server)] == [UUID(int=0), POOL_ID, POOL_ID]


@pytest.mark.parametrize("rpid", [UUID(int=0), POOL_ID])
def test_a_client_takes_session_messages_with_either_rpid(rpid: UUID) -> None:
    """Statement B21."""
    client = Pool(Side.CLIENT, id=POOL_ID)
    client.send(CAPABILITY)
    server = Pool(Side.SERVER, id=POOL_ID)
    force(server, CAPABILITY, new_pool=rpid.int == 0)
    (out,) = sent(server)
    assert rpid.bytes_le in out.data
    deliver(out, client)
    assert drain(client) == [CAPABILITY]


def test_a_client_drops_a_pool_message_of_another_pool() -> None:
    client = Pool(Side.CLIENT, id=POOL_ID)
    client.send(CAPABILITY)
    client.send(INIT)
    stranger = Pool(Side.SERVER, id=UUID(int=7))
    force(stranger, OPENED)
    deliver(sent(stranger)[0], client)
    (event,) = drain(client)
    assert isinstance(event, e.Ignored)
    assert "RPID" in event.reason
    assert client.state is PoolState.INIT_SENT


def test_private_data_may_be_late_or_missing() -> None:
    """Statement B17."""
    pair = Pair()
    pair.client.send(CAPABILITY)
    pair.client.send(INIT)
    pair.move()
    pair.server.send(OPENED)
    pair.move()
    assert pair.client.state is PoolState.OPENED
    pair.server.send(e.ApplicationPrivateData(data={"late": 1}))
    pair.move()
    assert pair.client.application_private_data == {"late": 1}


def test_private_data_holds_the_version_table() -> None:
    """Statement B22: the caller's values are sent as a primitive dictionary."""
    pair = Pair().open()
    data = pair.client.application_private_data
    assert data is not None
    assert data["PSVersionTable"]["PSVersion"] == "7.6.5"  # type: ignore[index]


def test_opened_before_the_capability_breaks_the_client() -> None:
    client = Pool(Side.CLIENT, id=POOL_ID)
    client.send(CAPABILITY)
    client.send(INIT)
    server = Pool(Side.SERVER, id=POOL_ID)
    force(server, OPENED)
    deliver(sent(server)[0], client)
    with pytest.raises(UnexpectedMessage) as caught:
        client.next_event()
    assert "SessionCapability" in caught.value.legal
    assert client.state is PoolState.BROKEN


@pytest.mark.parametrize(
    "bad",
    [
        e.InitRunspacePool(min_runspaces=1, max_runspaces=0, host_info=HostInfo.null()),
        e.InitRunspacePool(min_runspaces=-1, max_runspaces=1, host_info=HostInfo.null()),
        e.InitRunspacePool(min_runspaces=3, max_runspaces=2, host_info=HostInfo.null()),
    ],
)
def test_an_impossible_size_does_not_open_the_pool_and_a_good_one_still_does(
    bad: e.InitRunspacePool,
) -> None:
    pair = Pair()
    pair.client.send(CAPABILITY)
    with pytest.raises(LocalProtocolError):
        pair.client.send(bad)
    force(pair.client, bad)
    pair.move()
    fault = pair.at_server[-1]
    assert isinstance(fault, e.Fault)
    assert isinstance(fault.error, MessageError)
    assert pair.server.state is PoolState.NEGOTIATION_SUCCEEDED
    pair.client.send(INIT)
    pair.move()
    assert pair.server.state is PoolState.OPENING


def test_init_before_the_capability_spoils_the_session() -> None:
    server = Pool(Side.SERVER)
    client = Pool(Side.CLIENT, id=POOL_ID)
    force(client, INIT)
    force(client, CAPABILITY)
    for out in sent(client):
        deliver(out, server)
    fault, dropped = drain(server)
    assert isinstance(fault, e.Fault)
    assert isinstance(dropped, e.Ignored)
    assert sent(server) == []


def test_a_second_init_costs_nothing_but_a_fault() -> None:
    pair = Pair().open()
    force(pair.client, INIT)
    pair.move()
    fault = pair.at_server[-1]
    assert isinstance(fault, e.Fault)
    assert isinstance(fault.error, UnexpectedMessage)
    assert pair.server.state is PoolState.OPENED


def test_a_second_capability_closes_the_pool() -> None:
    pair = Pair().open()
    force(pair.client, CAPABILITY)
    pair.move()
    assert pair.server.state is pair.client.state is PoolState.CLOSED
    states = [
        event.state for event in pair.at_client if isinstance(event, e.RunspacePoolStateMessage)
    ]
    assert states[-2:] == [e.RunspaceState.CLOSING, e.RunspaceState.CLOSED]


def test_an_orderly_close_is_closing_then_closed_then_done() -> None:
    """Statement B26."""
    pair = Pair().open()
    pair.client.send(e.ClosePool())
    assert pair.client.state is PoolState.CLOSING
    pair.move()
    assert pair.at_server[-1] == e.ClosePool()
    pair.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSING))
    pair.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))
    pair.server.send(e.ClosePool())
    pair.move()
    assert pair.at_client[-3:] == [
        e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSING),
        e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED),
        e.ClosePool(),
    ]
    assert pair.client.state is pair.server.state is PoolState.CLOSED


def test_the_states_on_the_wire_are_powershells_and_not_the_texts() -> None:
    """Statement B26."""
    assert [
        int(state)
        for state in (
            e.RunspaceState.OPENED,
            e.RunspaceState.CLOSED,
            e.RunspaceState.CLOSING,
            e.RunspaceState.BROKEN,
        )
    ] == [2, 3, 4, 5]
    server = Pool(Side.SERVER, id=POOL_ID)
    force(server, e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSING))
    assert b'<I32 N="RunspaceState">4</I32>' in sent(server)[0].data


@pytest.mark.parametrize("rpid", [UUID(int=0), UUID(int=9)])
def test_another_rpid_closes_the_servers_pool(rpid: UUID) -> None:
    """Statement J105."""
    pair = Pair().open()
    stranger = Pool(Side.CLIENT, id=rpid)
    force(stranger, e.GetAvailableRunspaces(call_id=1))
    deliver(sent(stranger)[0], pair.server)
    (fault,) = drain(pair.server)
    assert isinstance(fault, e.Fault)
    assert pair.server.state is PoolState.CLOSED
    pair.client.send(e.GetAvailableRunspaces(call_id=2))
    pair.move()
    assert isinstance(pair.at_server[-1], e.Ignored)


def test_two_rpids_before_the_opening_break_the_servers_pool() -> None:
    server = Pool(Side.SERVER)
    for rpid in (UUID(int=1), UUID(int=2)):
        stranger = Pool(Side.CLIENT, id=rpid)
        force(stranger, e.GetAvailableRunspaces(call_id=1))
        deliver(sent(stranger)[0], server)
    assert isinstance(drain(server)[-1], e.Fault)
    assert server.state is PoolState.BROKEN
    assert server.data_to_send(1 << 15) is None


def test_a_client_needs_an_id_and_a_version_that_exists() -> None:
    with pytest.raises(LocalProtocolError, match="missing id"):
        Pool(Side.CLIENT)
    for version in ("1.0", "two", ""):
        with pytest.raises(LocalProtocolError, match="expected a protocol version"):
            Pool(Side.SERVER, version=version)


def test_a_client_announces_the_version_that_it_speaks() -> None:
    client = Pool(Side.CLIENT, id=POOL_ID, version="2.2")
    with pytest.raises(LocalProtocolError, match=r"2\.2"):
        client.send(CAPABILITY)
    assert client.state is PoolState.BEFORE_OPEN


def test_a_broken_state_from_the_server_fails_what_ran() -> None:
    pair = Pair().open()
    pipeline = pair.create()
    pair.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.BROKEN))
    pair.move()
    assert pair.at_client[-1] == e.PipelineStateMessage(
        pipeline_id=pipeline, state=e.InvocationState.FAILED
    )
    assert pair.client.state is PoolState.BROKEN


def test_a_lost_carrier_breaks_the_pool_and_fails_what_ran() -> None:
    pair = Pair().open()
    pipeline = pair.create()
    pair.client.send_failed()
    assert drain(pair.client) == [
        e.PipelineStateMessage(pipeline_id=pipeline, state=e.InvocationState.FAILED)
    ]
    assert pair.client.state is PoolState.BROKEN
    assert sent(pair.client) == []
    with pytest.raises(LocalProtocolError):
        pair.client.send(e.GetAvailableRunspaces(call_id=5))
    pair.client.send_failed()
    assert drain(pair.client) == []


def test_the_repr_tells_the_state_and_no_secret() -> None:
    server = Pool(Side.SERVER, session_key=SESSION_KEY)
    text = repr(server) + repr(server.keys)
    assert "before open" in text
    assert SESSION_KEY.hex() not in text


def test_opened_once_more_changes_nothing() -> None:
    pair = Pair().open()
    pair.server.send(OPENED)
    pair.move()
    assert pair.at_client[-1] == OPENED
    assert pair.client.state is PoolState.OPENED
