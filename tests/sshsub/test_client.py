"""The client machine: stop-and-wait, a Close for every Command, and time limits for answers."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp.sansio import (
    LocalProtocolError,
    Outgoing,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
)
from sshsub.events import (
    END_OF_INPUT_ERROR,
    ActReceived,
    BrokenLine,
    DataReceived,
    DiagnosticLine,
    Ended,
    Event,
    PeerError,
    PendingReply,
    TimedOut,
    UnsupportedAct,
)
from sshsub.packets import Packet, PacketKind, write
from sshsub.subsystem import PACKET_SIZE, Subsystem
from tests.sshsub.talking import End, P, Q


class Talk(End):
    """A client with short names for output and input."""

    def __init__(self) -> None:
        super().__init__(Side.CLIENT)
        self.client = self.end

    def says(self) -> list[tuple[str, UUID | None] | tuple[str, UUID | None, bytes]]:
        return [
            (p.kind.value, p.target, p.data)
            if p.kind is PacketKind.DATA
            else (p.kind.value, p.target)
            for p in self.packets()
        ]

    def create(self, target: UUID = P, data: bytes = b"birth") -> None:
        self.client.send(Outgoing(target=target, act=TransportAct.CREATE_PIPELINE, data=data))

    def send(self, data: bytes, target: UUID | None = P, **more: Stream) -> None:
        self.client.send(Outgoing(target=target, data=data, **more))

    def start(self, target: UUID = P) -> None:
        """Return a command whose CREATE_PIPELINE is acknowledged."""
        self.create(target)
        self.hears(PacketKind.COMMAND_ACK, target)
        self.hears(PacketKind.DATA_ACK, target)
        self.says()


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_data_waits_for_the_command_ack_and_then_for_each_data_ack(talk: Talk) -> None:
    """Statement G63."""
    talk.create()
    talk.send(b"one")
    assert talk.says() == [("Command", P)]
    talk.hears(PacketKind.DATA_ACK, P)
    assert talk.says() == []
    talk.hears(PacketKind.COMMAND_ACK, P)
    assert talk.says() == [("Data", P, b"birth")]
    talk.send(b"two")
    assert talk.says() == []
    talk.hears(PacketKind.DATA_ACK, P)
    assert talk.says() == [("Data", P, b"onetwo")]


def test_targets_do_not_wait_for_each_other(talk: Talk) -> None:
    talk.client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
    talk.create(P)
    talk.create(Q)
    talk.says()
    talk.hears(PacketKind.COMMAND_ACK, Q)
    assert talk.says() == [("Data", Q, b"birth")]


def test_a_host_response_overtakes_what_waits(talk: Talk) -> None:
    talk.start()
    talk.send(b"first")
    talk.send(b"second")
    talk.send(b"answer", stream=Stream.PROMPT_RESPONSE)
    assert talk.says() == [("Data", P, b"first")]
    talk.hears(PacketKind.DATA_ACK, P)
    assert talk.says() == [("Data", P, b"answer")]
    talk.hears(PacketKind.DATA_ACK, P)
    assert talk.says() == [("Data", P, b"second")]


def test_what_waits_fills_packets_and_large_data_is_cut(talk: Talk) -> None:
    talk.start()
    pieces = [bytes([number]) * 10_000 for number in range(10)]
    for piece in pieces:
        talk.send(piece)
    talk.send(b"x" * 100_000)
    assert talk.client.pending >= 190_000
    got, sizes = b"", []
    while said := talk.says():
        [(_, _, data)] = said
        got += data
        sizes.append(len(data))
        talk.hears(PacketKind.DATA_ACK, P)
    assert got == b"".join(pieces) + b"x" * 100_000
    assert max(sizes) == PACKET_SIZE
    assert sizes[0] == 10_000
    assert all(size == PACKET_SIZE for size in sizes[1:-1])
    assert talk.client.pending == 0


def test_a_signal_waits_for_the_command_ack_only(talk: Talk) -> None:
    talk.create()
    talk.act(TransportAct.STOP_PIPELINE)
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("Command", P)]
    talk.hears(PacketKind.COMMAND_ACK, P)
    assert talk.says() == [("Signal", P)]
    assert talk.hears(PacketKind.SIGNAL_ACK, P) == [
        ActReceived(act=TransportAct.STOP_PIPELINE, target=P)
    ]
    assert talk.says() == [("Close", P)]
    assert talk.hears(PacketKind.CLOSE_ACK, P) == [
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P)
    ]


def test_a_close_waits_for_data_and_signal(talk: Talk) -> None:
    talk.start()
    talk.send(b"one")
    talk.says()
    talk.act(TransportAct.STOP_PIPELINE)
    talk.send(b"too late")
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("Signal", P)]
    talk.hears(PacketKind.SIGNAL_ACK, P)
    assert talk.says() == []
    talk.hears(PacketKind.DATA_ACK, P)
    assert talk.says() == [("Close", P)]


def test_a_close_does_not_wait_for_the_acknowledgement_of_input_to_a_command_that_speaks(
    talk: Talk,
) -> None:
    """The real client does not wait for a DataAck either if it has no more data to send."""
    talk.create()
    talk.hears(PacketKind.COMMAND_ACK, P)
    talk.says()
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == []
    talk.end.receive_data(write(Packet(kind=PacketKind.DATA, target=P, data=b"state")))
    assert isinstance(talk.end.next_event(), DataReceived)
    assert talk.says() == [("Close", P)]
    assert talk.hears(PacketKind.CLOSE_ACK, P) == [
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P)
    ]
    assert talk.hears(PacketKind.DATA_ACK, P) == []


@pytest.mark.parametrize(
    "line", [b"usage: menu <Command> [<Data >]", b"<Close>", b"<Data/>", b"x <Data y>", b"<Data"]
)
def test_a_line_that_only_looks_like_a_packet_is_noise(talk: Talk, line: bytes) -> None:
    talk.end.receive_data(line + b"\n")
    assert talk.end.next_event() == DiagnosticLine(text=line.decode(), number=1)
    assert talk.end.next_event() is None


def test_a_line_for_people_is_kept_as_far_as_people_read(talk: Talk) -> None:
    talk.end.receive_data(b"x" * 1_000_000 + b"\n__NamedPipeError__:" + b"y" * 1_000_000 + b"\n")
    noise, error = talk.end.next_event(), talk.end.next_event()
    assert isinstance(noise, DiagnosticLine)
    assert isinstance(error, PeerError)
    assert len(noise.text) == len(error.text) == 8192


@pytest.mark.parametrize(
    "line",
    [
        b"<DataAck psguid='00000000-0000-0000-0000-000000000000' />",
        b"<Data Stream='Default'>AAAA</Data>",
        b"<Data PSGuid='00000000-0000-0000-0000-000000000000'>AAAA</Data>",
        b"<CommandAck PSGuid='x' />",
    ],
)
def test_a_packet_that_is_broken_is_no_noise(talk: Talk, line: bytes) -> None:
    talk.end.receive_data(line + b"\n")
    with pytest.raises(BrokenLine):
        talk.end.next_event()


def test_each_command_is_closed_once_before_the_session(talk: Talk) -> None:
    """Statement G65."""
    talk.start(P)
    talk.start(Q)
    talk.act(TransportAct.CLOSE_PIPELINE, P)
    talk.act(TransportAct.CLOSE_PIPELINE, P)
    assert talk.says() == [("Close", P)]
    talk.act(TransportAct.CLOSE_POOL, None)
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.says() == [("Close", Q), ("Close", None)]
    assert talk.hears(PacketKind.CLOSE_ACK, None) == [ActReceived(act=TransportAct.CLOSE_POOL)]


def test_the_session_close_waits_for_a_command_that_is_not_acknowledged(talk: Talk) -> None:
    """Statement G65."""
    talk.create()
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.says() == [("Command", P)]
    talk.hears(PacketKind.COMMAND_ACK, P)
    assert talk.says() == [("Close", P), ("Close", None)]


def test_what_never_left_is_stopped_and_closed_at_once(talk: Talk) -> None:
    talk.act(TransportAct.STOP_PIPELINE)
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == []
    assert talk.reads(b"\n") == [
        ActReceived(act=TransportAct.STOP_PIPELINE, target=P),
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P),
    ]


def test_acknowledgements_too_many_are_ignored(talk: Talk) -> None:
    talk.start()
    for kind in (
        PacketKind.DATA_ACK,
        PacketKind.COMMAND_ACK,
        PacketKind.SIGNAL_ACK,
        PacketKind.CLOSE_ACK,
    ):
        assert talk.hears(kind, P) == []
        assert talk.hears(kind, Q) == []
    assert talk.says() == []
    talk.send(b"still stop-and-wait")
    talk.send(b"next")
    assert len(talk.says()) == 1


@pytest.mark.parametrize("kind", [PacketKind.COMMAND, PacketKind.SIGNAL, PacketKind.CLOSE])
def test_a_clients_packet_from_a_server_is_an_error(talk: Talk, kind: PacketKind) -> None:
    with pytest.raises(BrokenLine, match=r"\(line 1, stream offset 0\)") as caught:
        talk.hears(kind, P)
    assert caught.value.words.startswith(f'An unknown element "{kind.value}" was received.')


def test_a_client_never_acknowledges(talk: Talk) -> None:
    """Statement G62."""
    [event] = talk.hears(PacketKind.DATA, P, b"x")
    assert isinstance(event, DataReceived)
    with pytest.raises(LocalProtocolError):
        talk.client.acknowledge(event)
    assert talk.client.data_to_send() == b""


@pytest.mark.parametrize(
    "act", [TransportAct.DISCONNECT, TransportAct.RECONNECT, TransportAct.CONNECT]
)
def test_disconnecting_is_not_supported(talk: Talk, act: TransportAct) -> None:
    """Statement I98."""
    with pytest.raises(UnsupportedAct) as caught:
        talk.act(act, None)
    assert caught.value.error_id.startswith("Cannot")
    assert caught.value.error_id.endswith("VMContainerSession")
    assert talk.says() == []


REFUSED = [
    pytest.param(Outgoing(target=P, data=b"x"), id="data without a command"),
    pytest.param(
        Outgoing(act=TransportAct.CREATE_PIPELINE, data=b"x"), id="a command without an id"
    ),
    pytest.param(Outgoing(target=Q, act=TransportAct.CREATE_PIPELINE), id="a second command"),
    pytest.param(Outgoing(act=TransportAct.STOP_PIPELINE), id="a stop of nothing"),
    pytest.param(Outgoing(target=Q, act=TransportAct.CLOSE_POOL), id="a pool with a target"),
    pytest.param(
        Outgoing(target=Q, act=TransportAct.STOP_PIPELINE, data=b"x"), id="a stop with data"
    ),
]


@pytest.mark.parametrize("out", REFUSED)
def test_a_refused_send_changes_nothing(talk: Talk, out: Outgoing) -> None:
    talk.start(Q)
    with pytest.raises(LocalProtocolError):
        talk.client.send(out)
    assert (talk.says(), talk.client.pending, talk.client.pending_replies) == ([], 0, ())


# -- noise, errors, ends


def test_noise_is_told_and_costs_nothing(talk: Talk) -> None:
    """Statement G66."""
    ack = write(Packet(kind=PacketKind.DATA, data=b"x"))
    heard = talk.reads(b"Welcome\n\n<motd>hi</motd>\r\n$ " + ack + b"between\n" + b"\t" + ack)
    assert heard == [
        DiagnosticLine(text="Welcome", number=1),
        DiagnosticLine(text="<motd>hi</motd>", number=3),
        DiagnosticLine(text="$ ", number=4),
        DataReceived(data=b"x"),
        DiagnosticLine(text="between", number=5),
        DataReceived(data=b"x"),
    ]


def test_a_broken_packet_names_its_line_and_is_final(talk: Talk) -> None:
    with pytest.raises(BrokenLine) as caught:
        talk.reads(b"banner\n<Data Stream='Default' PSGuid='x'>AA==</Data>\n")
    assert (caught.value.number, caught.value.offset, caught.value.rule) == (2, 7, "guid")
    with pytest.raises(BrokenLine):
        talk.client.next_event()
    with pytest.raises(LocalProtocolError):
        talk.send(b"x", None)


@pytest.mark.parametrize("prefix", ["__NamedPipeError__:", "__HyperVSocketError__:"])
def test_an_error_line_is_surfaced(talk: Talk, prefix: str) -> None:
    """Statement G69."""
    assert talk.reads(f"{prefix}something broke\n   at some.place\n".encode()) == [
        PeerError(text="something broke", fatal=True),
        DiagnosticLine(text="   at some.place", number=2),
    ]


def test_a_message_that_the_server_could_not_use_is_told_apart(talk: Talk) -> None:
    """Statement J103."""
    talk.start()
    line = b"__NamedPipeError__:Remote transport error: Remoting data is missing mi property.\n"
    [event] = talk.reads(line)
    assert isinstance(event, PeerError)
    assert not event.fatal
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("Close", P)]


@pytest.mark.parametrize("how", ["closing", "closed", "ended"])
def test_the_error_line_behind_our_own_end_is_the_normal_end(talk: Talk, how: str) -> None:
    """Statement J106."""
    if how == "ended":
        talk.client.send_end()
    else:
        talk.act(TransportAct.CLOSE_POOL, None)
    if how == "closed":
        talk.hears(PacketKind.CLOSE_ACK, None)
    assert talk.reads(f"__NamedPipeError__:{END_OF_INPUT_ERROR}\n".encode()) == []
    assert talk.reads(b"") == [Ended(clean=True, reason=END_OF_INPUT_ERROR)]


def test_a_stream_that_just_ends_is_not_clean(talk: Talk) -> None:
    assert talk.reads(b"") == [Ended(clean=False, reason="the stream ended")]
    assert talk.client.over


def test_a_server_that_dies_in_a_packet_says_where(talk: Talk) -> None:
    line = write(Packet(kind=PacketKind.DATA, data=b"x" * 100))
    events = talk.reads(line + line[:80]) + talk.reads(b"")
    assert events == [
        DataReceived(data=b"x" * 100),
        Ended(
            clean=False, reason="the stream broke off in the middle of a packet, byte 80 of line 2"
        ),
    ]


def test_a_last_packet_without_its_line_end_counts(talk: Talk) -> None:
    line = write(Packet(kind=PacketKind.DATA, data=b"x"))
    assert talk.reads(line[:-1]) == []
    assert talk.reads(b"")[0] == DataReceived(data=b"x")


def test_an_endless_line_is_bounded() -> None:
    client = Subsystem(Side.CLIENT, max_line=1000)
    client.receive_data(b"<Data>\n"[:0] + b"A" * 2000)
    with pytest.raises(RemoteProtocolError, match="1000"):
        client.next_event()


def test_after_a_failed_send_the_last_words_can_be_read(talk: Talk) -> None:
    talk.start()
    talk.send(b"x" * 100)
    talk.client.send_failed()
    assert (talk.client.pending, talk.says()) == (0, [])
    assert talk.reads(b"__NamedPipeError__:out of memory\n") == [
        PeerError(text="out of memory", fatal=True)
    ]
    assert talk.reads(b"") == [Ended(clean=False, reason="the stream ended")]
    with pytest.raises(LocalProtocolError):
        talk.send(b"x")


# -- time


def expire(talk: Talk, act: TransportAct, target: UUID | None = P) -> list[Event]:
    [wait] = [wait for wait in talk.client.pending_replies if wait.act is act]
    assert wait == PendingReply(act=act, target=target, seconds=60.0)
    talk.client.reply_timed_out(wait)
    told = talk.reads(b"\n")
    assert wait not in talk.client.pending_replies
    assert told[0] == TimedOut(reply=wait)
    talk.client.reply_timed_out(wait)
    assert talk.client.next_event() is None
    return told[1:]


def test_the_session_close_is_given_up(talk: Talk) -> None:
    """Statement G70."""
    talk.act(TransportAct.CLOSE_POOL, None)
    assert expire(talk, TransportAct.CLOSE_POOL, None) == [ActReceived(act=TransportAct.CLOSE_POOL)]


def test_a_signal_is_given_up_and_the_close_follows(talk: Talk) -> None:
    talk.start()
    talk.act(TransportAct.STOP_PIPELINE)
    talk.act(TransportAct.CLOSE_PIPELINE)
    talk.says()
    assert expire(talk, TransportAct.STOP_PIPELINE) == [
        ActReceived(act=TransportAct.STOP_PIPELINE, target=P)
    ]
    assert talk.says() == [("Close", P)]


def test_a_server_that_never_acknowledges_a_command_does_not_hang_us(talk: Talk) -> None:
    talk.create()
    assert expire(talk, TransportAct.CREATE_PIPELINE) == []
    talk.says()
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("Close", P)]


def test_a_server_that_forgets_a_close_ack_does_not_hang_us(talk: Talk) -> None:
    talk.start()
    talk.act(TransportAct.CLOSE_PIPELINE)
    talk.says()
    assert expire(talk, TransportAct.CLOSE_PIPELINE) == [
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P)
    ]
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.says() == [("Close", None)]


def test_a_close_that_could_not_leave_leaves_when_it_is_given_up(talk: Talk) -> None:
    talk.start()
    talk.send(b"never acknowledged")
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert [word[0] for word in talk.says()] == ["Data"]
    expire(talk, TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("Close", P)]


def test_the_first_packet_ends_the_wait_for_a_connection() -> None:
    client = Subsystem(Side.CLIENT, reply_timeouts={TransportAct.CREATE_POOL: 5.0})
    client.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"init"))
    assert client.pending_replies == (PendingReply(act=TransportAct.CREATE_POOL, seconds=5.0),)
    client.receive_data(b"banner\n" + write(Packet(kind=PacketKind.DATA_ACK)))
    while client.next_event() is not None:
        pass
    assert client.pending_replies == ()
