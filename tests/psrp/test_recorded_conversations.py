"""Real conversations through our machines: the recorded client against our server, the recorded
server against our client. What the engine of the real server said is said by ours too; what
the machine has to answer by itself must be what the real one answered.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from psrp import events as e
from psrp.keys import read_session_key
from psrp.messages import MessageType, decode, encode
from psrp.pool import Pool
from psrp.sansio import Act, RemoteProtocolError, Side
from psrp.states import PoolState
from tests.psrp.pairs import drain, sent
from tests.psrp.transcripts import Messages, Step, steps
from tests.recordings import FIXTURES, SHARED

FOLDERS = [FIXTURES / "outofproc"] + ([SHARED / "outofproc"] if SHARED else [])
KEY = load_pem_private_key((FIXTURES / "outofproc/probes/key.pem").read_bytes(), None)
assert isinstance(KEY, RSAPrivateKey)

#: What the engine behind a server decides; all else is the machine's own answer.
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

#: Recordings in which the number of free runspaces depends on what the real server did first.
COUNTS_RACE = {
    "pool-of-three": "it asked for the free runspaces while a pipeline was being started",
}


def recordings(kind: str) -> list[Path]:
    """Each recording once: the project's own copy before the collection's."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in sorted((folder / kind).glob("*.jsonl")):
            found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def probes() -> list[Path]:
    """Without the questions to the line protocol, which is the carrier's."""
    carrier = ("line-", "garbage", "command-", "fragment-empty-packet")
    return [path for path in recordings("probes") if not path.stem.startswith(carrier)]


def names(path: Path) -> str:
    return path.stem


def session_key(path: Path) -> bytes | None:
    """The key that the real server gave to the owner of key.pem, if it did."""
    messages = Messages()
    for step in steps(path):
        if step.side is Side.SERVER and step.data:
            try:
                for header, message in messages.of(step):
                    if header.message_type == MessageType.ENCRYPTED_SESSION_KEY:
                        _, event = decode(message)
                        return read_session_key(KEY, event.key)  # type: ignore[union-attr,arg-type]
            except RemoteProtocolError:
                continue
    return None


class OurServer:
    """Plays the recorded client to our server, and lets our engine say what the real one said."""

    def __init__(self, path: Path) -> None:
        self._name = path.stem
        self.server = Pool(Side.SERVER, version="2.4", session_key=session_key(path) or bytes(32))
        self.faults: list[e.Fault] = []
        self.error_lines: list[str] = []
        self.said: list[tuple[MessageType, bytes]] = []
        self._recorded = Messages()
        self._ours = Messages()

    def play(self, step: Step) -> None:
        if step.side is Side.CLIENT:
            if step.data:
                self.server.receive_data(step.data, step.target, step.stream)
            if step.act is not None:
                self.server.receive_act(step.act, step.target)
            self.collect()
        elif step.text.startswith("__NamedPipeError__:Remote transport error"):
            self.error_lines.append(step.text)
        elif step.data:
            for header, message in self._recorded.of(step):
                self.expect(MessageType(header.message_type), message)
        elif step.act is not None:
            self.acknowledge(step)

    def collect(self) -> None:
        for event in drain(self.server):
            if isinstance(event, e.ResetRunspaceState):
                self.server.send(e.RunspaceAvailability(call_id=event.call_id, answer=True))
            # A refused version and a closed pool are told by messages, not by an error line.
            told = self.server.state is PoolState.CLOSED or "not supported" in str(event)
            if isinstance(event, e.Fault) and not told:
                self.faults.append(event)
        for out in sent(self.server):
            step = Step(Side.SERVER, out.target, out.stream, out.data)
            for header, message in self._ours.of(step) if out.data else ():
                self.said.append(self.content(MessageType(header.message_type), message))

    def content(self, kind: MessageType, message: bytes) -> tuple[MessageType, bytes]:
        made_afresh = kind is MessageType.ENCRYPTED_SESSION_KEY
        racing = kind is MessageType.RUNSPACE_AVAILABILITY and self._name in COUNTS_RACE
        return kind, b"" if made_afresh or racing else escaped(message)

    def expect(self, kind: MessageType, message: bytes) -> None:
        content = self.content(kind, message)
        if content not in self.said and kind in ENGINE:
            self.server.send(decode(message)[1])
            self.collect()
        assert content in self.said, f"the real server said {content}, ours {self.said}"
        self.said.remove(content)

    def acknowledge(self, step: Step) -> None:
        if step.act is Act.CLOSE_POOL:
            self.server.send(e.ClosePool())
        elif step.target in self.server.pipelines:
            kind = e.StopPipeline if step.act is Act.STOP_PIPELINE else e.ClosePipeline
            assert step.target is not None
            self.server.send(kind(pipeline_id=step.target))
        self.collect()


@pytest.mark.parametrize("path", probes(), ids=names)
def test_our_server_answers_odd_questions_as_the_real_one(path: Path) -> None:
    real = OurServer(path)
    for step in steps(path):
        real.play(step)
    assert real.said == [], "our server said what the real one did not"
    assert len(real.faults) == len(real.error_lines), (real.faults, real.error_lines)


@pytest.mark.parametrize("path", recordings("sessions"), ids=names)
def test_our_server_takes_a_real_client(path: Path) -> None:
    real = OurServer(path)
    for step in steps(path):
        real.play(step)
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
    for step in steps(path):
        if step.side is Side.CLIENT:
            for header, message in recorded.of(step) if step.data else ():
                if client is None:
                    client = Pool(Side.CLIENT, id=header.rpid, version="2.4")
                client.send(decode(message)[1])
                (out,) = sent(client, room=1 << 30)
                ((_, again),) = ours.of(Step(Side.CLIENT, out.target, out.stream, out.data))
                assert again == message
            if step.act is not None and client is not None:
                client.send(act_event(step))
                sent(client)
        elif client is not None:
            if step.data:
                expected += [bare(message) for _, message in from_server.of(step)]
                client.receive_data(step.data, step.target, step.stream)
            if step.act is not None:
                client.receive_act(step.act, step.target)
            for event in drain(client):
                if type(event) not in CARRIER:
                    seen.append(bare(written(client, event)))
    assert client is not None
    assert seen == expected
    assert client.state in (PoolState.CLOSED, PoolState.OPENED, PoolState.CLOSING)


def written(client: Pool, event: e.Event) -> bytes:
    """The message again that the server sent."""
    seal = client.exchange.seal
    assert client.id is not None
    return encode(event, client.id, version=(2, 4), seal=seal, sender=Side.SERVER)


def bare(message: bytes) -> bytes:
    """A message without its RPID, which is zero in some and which events do not tell."""
    return escaped(message[:8] + message[24:])


def escaped(message: bytes) -> bytes:
    """The two characters that no XML parser takes, as we write them: see statement E47."""
    return message.replace(b"&#xFFFE;", b"_xFFFE_").replace(b"&#xFFFF;", b"_xFFFF_")


CARRIER = (e.StopPipeline, e.ClosePipeline, e.ClosePool)


def act_event(step: Step) -> e.Event:
    if step.act is Act.CLOSE_POOL:
        return e.ClosePool()
    assert step.target is not None
    kind = e.StopPipeline if step.act is Act.STOP_PIPELINE else e.ClosePipeline
    return kind(pipeline_id=step.target)
