"""The server machine: acknowledgements, their order, and the end on an invalid line."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp.sansio import LocalProtocolError, Outgoing, RemoteProtocolError, Side, TransportAct
from sshsub.events import END_OF_INPUT_ERROR, ActReceived, BrokenLine, DataReceived, Ended
from sshsub.packets import Packet, PacketKind, error_text, read_line, write
from sshsub.subsystem import PACKET_SIZE, Subsystem
from tests.sshsub.talking import End, P, Q

ZERO = "PSGuid='00000000-0000-0000-0000-000000000000'"
NEW = ActReceived(act=TransportAct.CREATE_POOL)


class Talk(End):
    """A server with short names for input and output."""

    def __init__(self) -> None:
        super().__init__(Side.SERVER)
        self.server = self.end

    def says(self) -> list[tuple[str, UUID | None]]:
        return [(p.kind.value, p.target) for p in self.packets()]

    def start(self, target: UUID = P) -> None:
        """Return a command whose CREATE_PIPELINE is acknowledged."""
        self.hears(PacketKind.COMMAND, target)
        *_, event = self.hears(PacketKind.DATA, target, b"birth")
        assert isinstance(event, DataReceived)
        self.server.acknowledge(event)
        self.says()


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_data_is_acknowledged_when_it_is_processed(talk: Talk) -> None:
    """Statement G62."""
    new, event = talk.hears(PacketKind.DATA, None, b"init")
    assert (new, event) == (NEW, DataReceived(data=b"init"))
    assert talk.says() == []
    talk.server.send(Outgoing(data=b"opened"))
    talk.server.acknowledge(event)
    talk.server.acknowledge(event)
    assert talk.says() == [("Data", None), ("DataAck", None)]


def test_a_command_is_acknowledged_at_once(talk: Talk) -> None:
    """Statement G62."""
    assert talk.hears(PacketKind.COMMAND, P) == [
        NEW,
        ActReceived(act=TransportAct.CREATE_PIPELINE, target=P),
    ]
    assert talk.says() == [("CommandAck", P)]


@pytest.mark.parametrize(("kind", "ack"), [("DATA", "DataAck"), ("SIGNAL", "SignalAck")])
def test_unknown_and_closed_ids_are_acknowledged_at_once(talk: Talk, kind: str, ack: str) -> None:
    """Statement G62."""
    talk.start(P)
    talk.hears(PacketKind.CLOSE, P)
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.says() == [("CloseAck", P)]
    for target in (P, Q):
        assert talk.hears(PacketKind[kind], target, b"late" if kind == "DATA" else b"") == []
        assert talk.says() == [(ack, target)]


def test_a_stop_is_acknowledged_when_the_pool_says_so(talk: Talk) -> None:
    """Statement J99."""
    talk.start()
    assert talk.hears(PacketKind.SIGNAL, P) == [
        ActReceived(act=TransportAct.STOP_PIPELINE, target=P)
    ]
    assert talk.says() == []
    talk.server.send(Outgoing(target=P, data=b"state 3"))
    talk.act(TransportAct.STOP_PIPELINE)
    assert talk.says() == [("Data", P), ("SignalAck", P)]
    talk.act(TransportAct.STOP_PIPELINE)
    assert talk.says() == []


def test_a_close_is_acknowledged_when_the_pool_says_so(talk: Talk) -> None:
    """Statement J99. Statement J101."""
    talk.start()
    talk.hears(PacketKind.DATA, P, b"input that nobody took")
    talk.hears(PacketKind.SIGNAL, P)
    assert talk.hears(PacketKind.CLOSE, P) == [
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P)
    ]
    talk.server.send(Outgoing(target=P, data=b"state 3"))
    talk.act(TransportAct.CLOSE_PIPELINE)
    said = [("Data", P), ("SignalAck", P), ("DataAck", P), ("CloseAck", P)]
    assert talk.says() == said


def test_the_user_can_acknowledge_where_the_pool_will_not(talk: Talk) -> None:
    """Statement J101."""
    talk.start()
    for kind, ack in ((PacketKind.SIGNAL, "SignalAck"), (PacketKind.CLOSE, "CloseAck")):
        [event] = talk.hears(kind, P)
        assert isinstance(event, ActReceived)
        talk.server.acknowledge(event)
        assert talk.says() == [(ack, P)]


def test_a_command_that_got_no_data_is_stopped_and_closed_by_the_machine(talk: Talk) -> None:
    talk.hears(PacketKind.COMMAND, P)
    assert talk.hears(PacketKind.SIGNAL, P) == []
    assert talk.hears(PacketKind.CLOSE, P) == []
    assert talk.says() == [("CommandAck", P), ("SignalAck", P), ("CloseAck", P)]


def test_the_session_closes_when_every_command_was_closed(talk: Talk) -> None:
    """Statement J100."""
    talk.start(P)
    talk.start(Q)
    assert talk.hears(PacketKind.CLOSE, None) == []
    talk.hears(PacketKind.CLOSE, P)
    talk.act(TransportAct.CLOSE_PIPELINE, P)
    assert talk.hears(PacketKind.CLOSE, Q) == [
        ActReceived(act=TransportAct.CLOSE_PIPELINE, target=Q)
    ]
    talk.act(TransportAct.CLOSE_PIPELINE, Q)
    assert talk.server.next_event() == ActReceived(act=TransportAct.CLOSE_POOL)
    talk.server.send(Outgoing(data=b"states 4 and 3"))
    talk.act(TransportAct.CLOSE_POOL, None)
    said = [("CloseAck", P), ("CloseAck", Q), ("Data", None), ("CloseAck", None)]
    assert talk.says() == said


def test_a_close_too_many_is_counted(talk: Talk) -> None:
    talk.start(P)
    talk.hears(PacketKind.CLOSE, Q)
    assert talk.hears(PacketKind.CLOSE, None) == [ActReceived(act=TransportAct.CLOSE_POOL)]
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.says() == [("CloseAck", Q), ("CloseAck", None)]


def test_a_fresh_session_follows_in_the_same_process(talk: Talk) -> None:
    talk.start(P)
    first = write(Packet(kind=PacketKind.CLOSE, target=P)) + write(Packet(kind=PacketKind.CLOSE))
    again = write(Packet(kind=PacketKind.DATA, data=b"init")) + write(
        Packet(kind=PacketKind.COMMAND, target=P)
    )
    assert talk.reads(first + again) == [ActReceived(act=TransportAct.CLOSE_PIPELINE, target=P)]
    talk.act(TransportAct.CLOSE_PIPELINE)
    assert talk.server.next_event() == ActReceived(act=TransportAct.CLOSE_POOL)
    assert talk.server.next_event() is None
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.server.next_event() == NEW
    assert talk.server.next_event() == DataReceived(data=b"init")
    assert talk.server.next_event() == ActReceived(act=TransportAct.CREATE_PIPELINE, target=P)


def test_lines_behind_a_session_close_wait_for_its_answer(talk: Talk) -> None:
    talk.hears(PacketKind.DATA, None, b"init")
    close, init = (
        write(Packet(kind=PacketKind.CLOSE)),
        write(Packet(kind=PacketKind.DATA, data=b"init")),
    )
    assert talk.reads(close + init) == [ActReceived(act=TransportAct.CLOSE_POOL)]
    talk.act(TransportAct.CLOSE_POOL, None)
    assert talk.says() == [("DataAck", None), ("CloseAck", None)]
    assert talk.server.next_event() == NEW
    assert talk.server.next_event() == DataReceived(data=b"init")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_an_empty_line_or_the_end_of_input_ends_it(talk: Talk, end: bytes) -> None:
    """Statement G66."""
    talk.start()
    assert talk.reads(end) == [Ended(clean=True, reason=END_OF_INPUT_ERROR)]
    talk.server.send(Outgoing(data=b"state 4"))
    talk.act(TransportAct.CLOSE_POOL, None)
    talk.server.report(END_OF_INPUT_ERROR)
    first, last = talk.server.data_to_send().splitlines()
    assert first.startswith(b"<Data ")
    assert error_text(last) == END_OF_INPUT_ERROR
    assert talk.reads(write(Packet(kind=PacketKind.DATA, data=b"x"))) == []


def test_the_end_of_input_overtakes_a_session_close_that_nobody_answered(talk: Talk) -> None:
    talk.hears(PacketKind.DATA, None, b"init")
    talk.hears(PacketKind.CLOSE, None)
    assert talk.reads(b"") == [Ended(clean=True, reason=END_OF_INPUT_ERROR)]


DATA = f"<Data Stream='Default' {ZERO}>AA==</Data>"
FATAL = [
    pytest.param(f"<DataAck {ZERO} />", id="data ack"),
    pytest.param(f"<CommandAck {ZERO} />", id="command ack"),
    pytest.param(f"<SignalAck PSGuid='{P}' />", id="signal ack"),
    pytest.param(f"<CloseAck {ZERO} />", id="close ack"),
    pytest.param(f"<Signal {ZERO} />", id="a signal for the session"),
    pytest.param(f"<Command PSGuid='{P}' /><Command PSGuid='{P}' />", id="a command twice"),
    pytest.param(f"\t{DATA}", id="white space before"),
    pytest.param(f"{DATA} ", id="white space behind"),
    pytest.param(f"<Data {ZERO}>AA==</Data>", id="no stream"),
    pytest.param(DATA.replace("AA==", ""), id="empty data"),
    pytest.param(DATA.replace("AA==", "!!!!"), id="no base64"),
    pytest.param(f"<?xml version='1.0'?>{DATA}", id="declaration"),
    pytest.param(f"<Foo {ZERO} />", id="unknown element"),
    pytest.param("GET / HTTP/1.0", id="no packet"),
]


@pytest.mark.parametrize("line", FATAL)
def test_a_bad_line_is_reported_and_final(talk: Talk, line: str) -> None:
    """Statement G62. Statement G64."""
    with pytest.raises(BrokenLine) as caught:
        talk.reads(f"{line}\n{DATA}\n".encode())
    assert caught.value.number == 1
    last = talk.server.data_to_send().splitlines()[-1]
    assert error_text(last) == str(caught.value)
    with pytest.raises(BrokenLine):
        talk.server.next_event()
    talk.server.send(Outgoing(data=b"from a pipeline that has not noticed"))
    assert talk.server.data_to_send() == b""


def test_what_stands_before_the_fault_is_executed(talk: Talk) -> None:
    """Statement G64."""
    talk.server.receive_data(f"<!-- c --><Command PSGuid='{P}'></Command>oops\n".encode())
    assert talk.server.next_event() == NEW
    assert talk.server.next_event() == ActReceived(act=TransportAct.CREATE_PIPELINE, target=P)
    with pytest.raises(BrokenLine):
        talk.server.next_event()


def test_an_endless_line_is_bounded() -> None:
    server = Subsystem(Side.SERVER, max_line=1000)
    server.receive_data(b"A" * 2000)
    with pytest.raises(RemoteProtocolError, match="1000"):
        server.next_event()
    assert error_text(server.data_to_send().strip()) is not None


def test_a_message_that_cannot_be_used_is_reported_in_one_line(talk: Talk) -> None:
    """Statement J102."""
    *_, event = talk.hears(PacketKind.DATA, None, b"odd")
    assert isinstance(event, DataReceived)
    talk.server.report("Remote transport error: two\r\nlines")
    talk.server.acknowledge(event)
    error, ack = talk.server.data_to_send().splitlines()
    assert error_text(error) == "Remote transport error: two lines"
    assert ack == f"<DataAck {ZERO} />".encode()


def test_errors_can_go_to_stderr() -> None:
    server = Subsystem(Side.SERVER, error_prefix=None)
    server.report(END_OF_INPUT_ERROR)
    assert (server.data_to_send(), server.errors_to_send()) == (
        b"",
        END_OF_INPUT_ERROR.encode() + b"\n",
    )


def test_large_data_is_cut(talk: Talk) -> None:
    talk.server.send(Outgoing(data=b"x" * (PACKET_SIZE + 1)))
    lines = talk.server.data_to_send().splitlines()
    sizes = [len(packet.data) for line in lines for packet in read_line(line)]
    assert sizes == [PACKET_SIZE, 1]


@pytest.mark.parametrize(
    "out",
    [
        Outgoing(target=P, act=TransportAct.CREATE_PIPELINE, data=b"x"),
        Outgoing(act=TransportAct.CREATE_POOL),
        Outgoing(act=TransportAct.DISCONNECT),
        Outgoing(target=P, act=TransportAct.CLOSE_POOL),
        Outgoing(act=TransportAct.STOP_PIPELINE),
        Outgoing(target=P, act=TransportAct.STOP_PIPELINE, data=b"x"),
    ],
    ids=lambda out: out.act.value,
)
def test_a_refused_send_changes_nothing(talk: Talk, out: Outgoing) -> None:
    talk.start()
    with pytest.raises(LocalProtocolError):
        talk.server.send(out)
    assert talk.server.data_to_send() == b""
