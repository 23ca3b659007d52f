"""Our machines in place of one real peer, with the recording as the other."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from uuid import UUID

import pytest

from psrp.sansio import Outgoing, Side, TransportAct
from sshsub.events import (
    END_OF_INPUT_ERROR,
    ActReceived,
    BrokenLine,
    DataReceived,
    Ended,
    Event,
    PeerError,
)
from sshsub.packets import Packet, PacketKind, error_text, read_line
from sshsub.subsystem import Subsystem
from tests.conversations import Said, act_of, conversation, recordings
from tests.recordings import FIXTURES
from tests.rows import rows

SESSIONS = recordings("sessions")
PROBES = recordings("probes")


def written(data: bytes) -> list[Packet]:
    """Return the packets of a machine's output, and its error lines."""
    lines = [line for line in data.split(b"\n")[:-1] if error_text(line) is None]
    return [packet for line in lines for packet in read_line(line)]


def last_words(said: list[Said]) -> bytes:
    """Return the last line of an `-sshs` server; a server over a pipe has none."""
    last = [each.line for each in said if each.side is Side.SERVER][-1]
    return last if error_text(last) is not None else b""


def by_target(packets: list[Packet]) -> dict[UUID | None, list[Packet]]:
    found = defaultdict(list)
    for packet in packets:
        found[packet.target].append(packet)
    return dict(found)


class RecordedClient:
    """A recorded client with our server, which answers at the recorded points."""

    def __init__(self) -> None:
        self.server = Subsystem(Side.SERVER)
        self.data: dict[UUID | None, list[DataReceived]] = defaultdict(list)
        self.acts: set[tuple[TransportAct, UUID | None]] = set()
        self.ended = False
        self.sent = b""

    def read_until(self, wanted: TransportAct | None, target: UUID | None) -> bool:
        """Read until a Data or an act of the target has arrived."""
        while not (self.data[target] if wanted is None else (wanted, target) in self.acts):
            event = self.server.next_event()
            if event is None:
                return False
            if isinstance(event, DataReceived):
                self.data[event.target].append(event)
            elif isinstance(event, ActReceived):
                self.acts.add((event.act, event.target))
            else:
                self.ended = True
        return True

    def answer(self, packet: Packet) -> None:
        """Make our server send the recorded answers, except for CommandAck."""
        target = packet.target
        if packet.kind is PacketKind.DATA:
            out = Outgoing(target=target, stream=packet.stream, data=packet.data)
            self.server.send(out)
        elif packet.kind is PacketKind.DATA_ACK:
            if self.read_until(None, target):
                self.server.acknowledge(self.data[target].pop(0))
        elif packet.kind is PacketKind.COMMAND_ACK:
            self.read_until(TransportAct.CREATE_PIPELINE, target)
        elif self.read_until(act_of(packet), target):
            self.acts.discard((act_of(packet), target))
            self.server.send(Outgoing(target=target, act=act_of(packet)))


def replay_client(said: list[Said]) -> RecordedClient:
    replay = RecordedClient()
    for each in said:
        if each.side is Side.CLIENT:
            replay.server.receive_data(each.line + b"\n")
        for packet in each.packets if each.side is Side.SERVER else ():
            replay.answer(packet)
    replay.sent += replay.server.data_to_send()
    return replay


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_our_server_says_to_a_recorded_client_what_the_real_one_said(path: Path) -> None:
    """Statement G62. Statement J100. Statement J101."""
    said = conversation(path)
    replay = replay_client(said)
    recorded = [packet for each in said if each.side is Side.SERVER for packet in each.packets]
    assert by_target(written(replay.sent)) == by_target(recorded)
    replay.server.receive_data(b"")
    assert replay.server.next_event() == Ended(clean=True, reason=END_OF_INPUT_ERROR)
    replay.server.report(END_OF_INPUT_ERROR)
    last = last_words(said)
    assert not last or replay.server.data_to_send() == last + b"\n"


@rows("path", PROBES, ids=lambda path: path.stem)
def test_our_server_dies_of_what_the_real_one_dies_of(path: Path) -> None:
    said = conversation(path)
    errors = [error_text(each.line) for each in said if each.side is Side.SERVER]
    fatal = [
        text
        for text in errors
        if text is not None and not text.startswith((END_OF_INPUT_ERROR, "Remote transport error:"))
    ]
    # The real server reports errors about input that arrives while it ends; these are not compared.
    expected = bool(fatal) and path.stem != "eof-while-running"
    fault: BrokenLine | None = None
    try:
        replay = replay_client(said)
        while replay.server.next_event() is not None:
            pass
    except BrokenLine as error:
        fault = error
    assert (fault is not None) == expected
    if fault is not None and fault.rule not in ("text", "xml"):
        # For text outside an element it repeats the line, which varies; all others have a fixed
        # message.
        told = [text.partition("   at ")[0].rstrip() for text in fatal]
        assert fault.words in told


@rows("path", PROBES, ids=lambda path: path.stem)
def test_our_server_gives_an_odd_client_the_same_packets(path: Path) -> None:
    """Statement G64. Statement J102."""
    said = conversation(path)
    recorded = [packet for each in said if each.side is Side.SERVER for packet in each.packets]
    assert by_target(written(replay_client(said).sent)) == by_target(recorded)


def replay_server(said: list[Said]) -> tuple[Subsystem, bytes, list[Event]]:
    """Make our client send the recorded requests at the same points."""
    client = Subsystem(Side.CLIENT)
    sent, events = b"", []
    births: dict[UUID | None, bytes] = {}
    for each in said:
        for packet in each.packets if each.side is Side.CLIENT else ():
            if packet.kind is PacketKind.COMMAND:
                births[packet.target] = birth_of(said, packet.target)
                out = Outgoing(
                    target=packet.target,
                    act=TransportAct.CREATE_PIPELINE,
                    data=births[packet.target],
                )
                client.send(out)
            elif packet.kind is not PacketKind.DATA:
                client.send(Outgoing(target=packet.target, act=act_of(packet)))
            elif not births.pop(packet.target, b""):
                out = Outgoing(target=packet.target, stream=packet.stream, data=packet.data)
                client.send(out)
        if each.side is Side.SERVER:
            client.receive_data(each.line + b"\n")
        sent += client.data_to_send()
        while (event := client.next_event()) is not None:
            events.append(event)
        sent += client.data_to_send()
    return client, sent, events


def birth_of(said: list[Said], target: UUID | None) -> bytes:
    for each in said:
        for packet in each.packets:
            if (
                packet.kind is PacketKind.DATA
                and packet.target == target
                and each.side is Side.CLIENT
            ):
                return packet.data
    return b""


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_our_client_says_to_a_recorded_server_what_the_real_one_said(path: Path) -> None:
    """Statement G62. Statement G63. Statement G65. Statement J106."""
    said = conversation(path)
    client, sent, events = replay_server(said)
    theirs = [each for each in said if each.side is Side.CLIENT]
    assert sorted(sent.split(b"\n")[:-1]) == sorted(each.line for each in theirs)
    asked = [packet for each in theirs for packet in each.packets]
    assert by_target(written(sent)) == by_target(asked)
    received = [e for e in events if isinstance(e, DataReceived)]
    recorded = [
        p for s in said if s.side is Side.SERVER for p in s.packets if p.kind is PacketKind.DATA
    ]
    assert [(e.target, e.stream, e.data) for e in received] == [
        (p.target, p.stream, p.data) for p in recorded
    ]
    assert not [e for e in events if isinstance(e, PeerError)]
    client.receive_data(b"")
    end = client.next_event()
    assert isinstance(end, Ended)
    assert end.clean
    assert (end.reason == END_OF_INPUT_ERROR) is bool(last_words(said))


def test_a_recorded_server_that_breaks_off_anywhere_ends_the_client_clearly() -> None:
    said = conversation(FIXTURES / "outofproc" / "sessions" / "hello.jsonl")
    stream = b"".join(each.line + b"\n" for each in said if each.side is Side.SERVER)
    whole = [
        p for s in said if s.side is Side.SERVER for p in s.packets if p.kind is PacketKind.DATA
    ]
    for end in [*range(0, len(stream), 29), len(stream)]:
        client = Subsystem(Side.CLIENT)
        client.receive_data(stream[:end])
        client.receive_data(b"")
        events = []
        while (event := client.next_event()) is not None:
            events.append(event)
        *_, last = events
        assert isinstance(last, Ended)
        assert not last.clean
        data = [event.data for event in events if isinstance(event, DataReceived)]
        assert data == [packet.data for packet in whole][: len(data)]
