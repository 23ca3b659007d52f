"""Real conversations through our machines: the recorded client with our server, the recorded server
with our client. Our engine sends the messages of the recorded engine; the machine's own answers
must equal the recorded ones.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from psrp import events as e
from psrp.keys import read_session_key
from psrp.messages import MessageType, decode, encode, read_header
from psrp.pool import Pool
from psrp.sansio import Outgoing, RemoteProtocolError, Side, Stream, TransportAct
from psrp.states import PoolState
from sshsub.packets import Packet
from tests.conversations import Messages, Said, act_of, conversation, recordings
from tests.psrp.pairs import drain, sent
from tests.recordings import FIXTURES
from tests.rows import rows

KEY = load_pem_private_key((FIXTURES / "outofproc/probes/key.pem").read_bytes(), None)
assert isinstance(KEY, RSAPrivateKey)

#: Messages that a server's engine decides on; the machine itself sends all others.
ENGINE = {
    MessageType.APPLICATION_PRIVATE_DATA,
    MessageType.RUNSPACEPOOL_STATE,
    MessageType.RUNSPACEPOOL_HOST_CALL,
    MessageType.USER_EVENT,
    MessageType.PIPELINE_OUTPUT,
    MessageType.ERROR_RECORD,
    MessageType.PIPELINE_STATE,
    MessageType.DEBUG_RECORD,
    MessageType.VERBOSE_RECORD,
    MessageType.WARNING_RECORD,
    MessageType.PROGRESS_RECORD,
    MessageType.INFORMATION_RECORD,
    MessageType.PIPELINE_HOST_CALL,
}

#: Recordings in which the number of free runspaces depends on a race in the real server.
COUNTS_RACE = {
    "pool-of-three": "it asked for the free runspaces while a pipeline was being started",
}


def probes() -> list[Path]:
    """Return the probes without those of the line protocol, which belongs to the carrier."""
    carrier = ("line-", "garbage", "command-", "fragment-empty-packet")
    return [path for path in recordings("probes") if not path.stem.startswith(carrier)]


def names(path: Path) -> str:
    return path.stem


def session_key(path: Path) -> bytes | None:
    """Return the session key that the real server sent to the owner of key.pem, if any."""
    messages = Messages()
    for said in conversation(path):
        for packet in said.packets if said.side is Side.SERVER else ():
            try:
                for message in messages.of(stream(packet), packet.data):
                    if kind_of(message) is MessageType.ENCRYPTED_SESSION_KEY:
                        _, event = decode(message)
                        return read_session_key(KEY, event.key)  # type: ignore[union-attr,arg-type]
            except RemoteProtocolError:
                continue
    return None


def stream(packet: Packet | Outgoing) -> tuple[UUID | None, Stream]:
    return packet.target, packet.stream


def kind_of(message: bytes) -> MessageType:
    return MessageType(read_header(message).message_type)


class OurServer:
    """A replay of the recorded client to our server, whose engine sends the recorded messages."""

    def __init__(self, path: Path) -> None:
        self._name = path.stem
        self.server = Pool(Side.SERVER, version="2.4", session_key=session_key(path) or bytes(32))
        self.faults: list[e.Fault] = []
        self.error_lines: list[bytes] = []
        self.said: list[tuple[MessageType, bytes]] = []
        self._recorded = Messages()
        self._ours = Messages()

    def play(self, said: Said) -> None:
        if said.line.startswith(b"__NamedPipeError__:Remote transport error"):
            self.error_lines.append(said.line)
        for packet in said.packets:
            if said.side is Side.CLIENT:
                receive(self.server, packet)
                self.collect()
            elif act_of(packet) is not None:
                self.acknowledge(packet)
            else:
                for message in self._recorded.of(stream(packet), packet.data):
                    self.expect(message)

    def collect(self) -> None:
        for event in drain(self.server):
            if isinstance(event, e.ResetRunspaceState):
                self.server.send(e.RunspaceAvailability(call_id=event.call_id, answer=True))
            # A refused version and a closed pool are reported by messages, not by an error line.
            told = self.server.state is PoolState.CLOSED or "not supported" in str(event)
            if isinstance(event, e.Fault) and not told:
                self.faults.append(event)
        for out in sent(self.server):
            self.said += map(self.content, self._ours.of(stream(out), out.data))

    def content(self, message: bytes) -> tuple[MessageType, bytes]:
        kind = kind_of(message)
        made_afresh = kind is MessageType.ENCRYPTED_SESSION_KEY
        racing = kind is MessageType.RUNSPACE_AVAILABILITY and self._name in COUNTS_RACE
        return kind, b"" if made_afresh or racing else escaped(message)

    def expect(self, message: bytes) -> None:
        content = self.content(message)
        if content not in self.said and content[0] in ENGINE:
            self.server.send(decode(message)[1])
            self.collect()
        assert content in self.said, f"the real server said {content}, ours {self.said}"
        self.said.remove(content)

    def acknowledge(self, packet: Packet) -> None:
        if packet.target is None or packet.target in self.server.pipelines:
            self.server.send(act_event(packet))
        self.collect()


def receive(pool: Pool, packet: Packet) -> None:
    act = act_of(packet)
    if act is not None:
        pool.receive_act(act, packet.target)
    elif packet.data:
        pool.receive_data(packet.data, packet.target, packet.stream)


@rows("path", probes(), ids=names)
def test_our_server_answers_odd_questions_as_the_real_one(path: Path) -> None:
    real = OurServer(path)
    for said in conversation(path):
        real.play(said)
    assert real.said == [], "our server said what the real one did not"
    assert len(real.faults) == len(real.error_lines), (real.faults, real.error_lines)


@pytest.mark.parametrize("path", recordings("sessions"), ids=names)
def test_our_server_takes_a_real_client(path: Path) -> None:
    real = OurServer(path)
    for said in conversation(path):
        real.play(said)
    assert real.said == []
    assert real.faults == []
    assert real.error_lines == []


@pytest.mark.parametrize("path", recordings("sessions"), ids=names)
def test_our_client_takes_a_real_server_and_says_what_the_real_client_said(path: Path) -> None:
    client: Pool | None = None
    recorded, ours = Messages(), Messages()
    expected: list[bytes] = []
    seen: list[bytes] = []
    from_server = Messages()
    for said in conversation(path):
        for packet in said.packets:
            if said.side is Side.CLIENT:
                for message in recorded.of(stream(packet), packet.data):
                    if client is None:
                        client = Pool(Side.CLIENT, id=read_header(message).rpid, version="2.4")
                    client.send(decode(message)[1])
                    (out,) = sent(client, room=1 << 30)
                    (again,) = ours.of(stream(out), out.data)
                    assert again == message
                if act_of(packet) is not None and client is not None:
                    client.send(act_event(packet))
                    sent(client)
            elif client is not None:
                expected += map(bare, from_server.of(stream(packet), packet.data))
                receive(client, packet)
                for event in drain(client):
                    if type(event) not in CARRIER:
                        seen.append(bare(written(client, event)))
    assert client is not None
    assert seen == expected
    assert client.state in (PoolState.CLOSED, PoolState.OPENED, PoolState.CLOSING)


def written(client: Pool, event: e.Event) -> bytes:
    """Return the message of the server, encoded again."""
    seal = client.keys.seal
    assert client.id is not None
    return encode(event, client.id, version=(2, 4), seal=seal, sender=Side.SERVER)


def bare(message: bytes) -> bytes:
    """Return a message without its RPID, which is zero in some messages and not part of events."""
    return escaped(message[:8] + message[24:])


def escaped(message: bytes) -> bytes:
    """Replace the two characters that no XML parser accepts by our escapes: see statement E47."""
    return message.replace(b"&#xFFFE;", b"_xFFFE_").replace(b"&#xFFFF;", b"_xFFFF_")


CARRIER = (e.StopPipeline, e.ClosePipeline, e.ClosePool)


def act_event(packet: Packet) -> e.Event:
    act = act_of(packet)
    if act is TransportAct.CLOSE_POOL:
        return e.ClosePool()
    assert packet.target is not None
    kind = e.StopPipeline if act is TransportAct.STOP_PIPELINE else e.ClosePipeline
    return kind(pipeline_id=packet.target)
