"""Cuts and noise do not change the events; invalid bytes raise RemoteProtocolError only."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import Outgoing, RemoteProtocolError, Side, Stream, TransportAct
from psrp.strategies import cuttings, mutations
from sshsub.events import ActReceived, DataReceived, DiagnosticLine, Event
from sshsub.packets import Packet, PacketKind, read_line
from sshsub.strategies import PacketLines, noise, packet_lines, packets
from sshsub.subsystem import Subsystem


def events_of(machine: Subsystem, pieces: list[bytes]) -> list[Event | str]:
    """Return all events, and the text of an error that ends them."""
    events: list[Event | str] = []
    try:
        for piece in pieces:
            machine.receive_data(piece)
            while (event := machine.next_event()) is not None:
                events.append(event)
                if machine.side is Side.SERVER and isinstance(event, ActReceived):
                    machine.acknowledge(event)
    except RemoteProtocolError as error:
        events.append(str(error))
    return events


@given(side=st.sampled_from(Side), data=st.data())
def test_events_are_the_same_however_the_bytes_are_cut(side: Side, data: st.DataObject) -> None:
    lines = data.draw(packet_lines(side=side.peer))
    pieces = data.draw(cuttings(lines.data))
    whole = Subsystem(side)
    cut = Subsystem(side)
    assert events_of(cut, [*pieces, b""]) == events_of(whole, [lines.data, b""])
    assert cut.data_to_send() == whole.data_to_send()


@given(
    lines=packet_lines(side=Side.SERVER, each=packets(side=Side.SERVER).filter(lambda p: p.data)),
    before=st.lists(noise(), max_size=4),
    between=st.lists(noise(), max_size=8),
)
def test_noise_never_loses_a_packet(
    lines: PacketLines, before: list[bytes], between: list[bytes]
) -> None:
    mixed = [*before]
    for number, line in enumerate(lines):
        mixed += [*between[number : number + 1], line]
    events = events_of(Subsystem(Side.CLIENT), mixed)
    data = [event for event in events if isinstance(event, DataReceived)]
    assert [(e.target, e.stream, e.data) for e in data] == [
        (p.target, p.stream, p.data) for p in lines.packets
    ]
    assert len(events) == len(data) + sum(isinstance(event, DiagnosticLine) for event in events)


@given(side=st.sampled_from(Side), data=st.data())
def test_any_bytes_give_events_or_the_peers_fault(side: Side, data: st.DataObject) -> None:
    lines = data.draw(packet_lines(side=side.peer))
    garbage = data.draw(mutations(lines.data) | st.binary(max_size=200))
    machine = Subsystem(side)
    events_of(machine, [garbage, b""])
    assert machine.over


class Talkers:
    """Two machines joined by a pipe, and the actions of their users."""

    def __init__(self) -> None:
        self.client, self.server = Subsystem(Side.CLIENT), Subsystem(Side.SERVER)
        self.lines: list[bytes] = []
        self.sent: dict[tuple[UUID | None, Stream], bytes] = defaultdict(bytes)
        self.got: dict[tuple[UUID | None, Stream], bytes] = defaultdict(bytes)
        self.held: deque[DataReceived | ActReceived] = deque()

    def client_to_server(self) -> None:
        data = self.client.data_to_send()
        self.lines += data.splitlines()
        if data:
            self.server.receive_data(data)
        while (event := self.server.next_event()) is not None:
            if isinstance(event, DataReceived):
                self.got[event.target, event.stream] += event.data
            assert isinstance(event, DataReceived | ActReceived)
            self.held.append(event)
        waiting = Counter(event.target for event in self.held if isinstance(event, DataReceived))
        assert max(waiting.values(), default=0) <= 1

    def server_to_client(self, answers: int) -> None:
        for _ in range(min(answers, len(self.held))):
            self.server.acknowledge(self.held.popleft())
        if data := self.server.data_to_send():
            self.client.receive_data(data)
        while self.client.next_event() is not None:
            pass


IDS = [UUID(int=number) for number in (1, 2)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "data", "prompt", "stop", "close", "there", "back"]),
        st.sampled_from(IDS),
        st.integers(1, 70_000),
    ),
    max_size=40,
)


def step(talk: Talkers, what: str, target: UUID, size: int, live: dict[UUID, str]) -> None:
    act = {
        "create": TransportAct.CREATE_PIPELINE,
        "stop": TransportAct.STOP_PIPELINE,
        "close": TransportAct.CLOSE_PIPELINE,
    }
    if what == "there":
        talk.client_to_server()
    elif what == "back":
        talk.server_to_client(size % 4)
    elif what == "create" and target not in live:
        live[target] = "open"
        talk.client.send(Outgoing(target=target, act=act[what], data=b"c" * size))
        talk.sent[target, Stream.DEFAULT] += b"c" * size
    elif what in ("stop", "close") and target in live and live[target] != "close":
        live[target] = what
        talk.client.send(Outgoing(target=target, act=act[what]))
    elif what in ("data", "prompt") and live.get(target) == "open":
        stream = Stream.PROMPT_RESPONSE if what == "prompt" else Stream.DEFAULT
        data = bytes([size % 256]) * size
        talk.client.send(Outgoing(target=target, stream=stream, data=data))
        talk.sent[target, stream] += data


@given(steps=STEPS)
def test_two_ends_agree_and_leave_nothing_open(steps: list[tuple[str, UUID, int]]) -> None:
    """Statement G63. Statement G65."""
    talk = Talkers()
    live: dict[UUID, str] = {}
    for what, target, size in steps:
        step(talk, what, target, size, live)
    talk.client.send(Outgoing(act=TransportAct.CLOSE_POOL))
    for _ in range(100):
        talk.client_to_server()
        talk.server_to_client(99)
    assert (talk.client.pending, talk.client.pending_replies, talk.held) == (0, (), deque())
    for way, data in talk.got.items():
        # Queued data is dropped only when the session is stopped or closed.
        assert talk.sent[way].startswith(data)
    said = [packet for line in talk.lines for packet in read_line(line)]
    count = Counter((packet.kind, packet.target) for packet in said)
    assert all(count[PacketKind.CLOSE, id] == count[PacketKind.COMMAND, id] == 1 for id in live)
    assert said[-1] == Packet(kind=PacketKind.CLOSE)
    stopped = {id for id in live if count[PacketKind.SIGNAL, id]}
    assert all(count[PacketKind.SIGNAL, id] == 1 for id in stopped)
