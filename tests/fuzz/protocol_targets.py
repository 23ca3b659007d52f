"""Targets in psrp and sshsub: CLIXML, fragments, messages, packets, and both pools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from psrp.clixml import dumps, loads
from psrp.clixml.files import decode_text, dump_all, load_all, load_streams, segments
from psrp.clixml.jsonform import from_json, to_json
from psrp.clixml.plain import to_plain
from psrp.clixml.readable import StderrText
from psrp.fragments import Defragmenter
from psrp.keys import SessionKey, read_public_key, read_session_key, unseal_plain
from psrp.messages import decode, encode
from psrp.sansio import ClixmlError, LimitExceeded, LocalProtocolError, RemoteProtocolError, Side
from psrp.states import PoolState
from sshsub.packets import LineReader, PacketError, read_line
from sshsub.subsystem import Subsystem
from tests.fuzz import seeds
from tests.fuzz.target import LOCAL, REMOTE, Finding, target
from tests.properties.machines import EVENTS, PIPELINE_ID, Machine, private_key

CLIXML = (ClixmlError,)
C, S = Side.CLIENT, Side.SERVER


def _same(left: Any, right: Any, rule: str) -> None:
    if left != right and repr(left) != repr(right):
        raise Finding(f"{rule}: {left!r:.300} and {right!r:.300}")


@target("clixml", seeds.clixml_documents, CLIXML)
def read_write_read(data: bytes) -> None:
    """A document that can be read can be written, and reads again as the same values."""
    values = load_all(data)
    written = dump_all(values)
    again = load_all(written)
    _same(dump_all(again), written, "written again differently")


@target("clixml-json", seeds.clixml_documents, (ClixmlError, LocalProtocolError))
def json_forms(data: bytes) -> None:
    """A value has a JSON form that leads back to it, and a text of bounded length."""
    value = loads(data)
    form = to_json(value)
    with suppress(LocalProtocolError):
        to_plain(value)
    if len(repr(value)) > 1_000_000:
        raise Finding("repr has no limit")
    _same(dumps(from_json(form)), dumps(value), "the JSON form leads elsewhere")


@target("stderr-text", seeds.clixml_documents, ())
def readable_text(data: bytes) -> None:
    """No input is refused; the text of valid documents is the same if they are cut anywhere."""
    text = data.decode("utf-8", "replace")
    whole = StderrText(verbose=True)
    shown = whole.feed(text) + whole.end()
    pieces = StderrText(verbose=True)
    cut = "".join(pieces.feed(text[at : at + 7]) for at in range(0, len(text), 7)) + pieces.end()
    with suppress(ClixmlError):
        load_streams(text)
        _same(cut, shown, "cut into pieces of 7 characters")


@target("clixml-segments", seeds.clixml_documents, CLIXML)
def all_text_is_in_a_segment(data: bytes) -> None:
    text = decode_text(data)
    for each in segments(text):
        if not isinstance(each.text, str):
            raise Finding("a segment without text")


def _messages(pieces: Iterator[bytes]) -> list[Any]:
    reader = Defragmenter(max_message=50_000)
    found: list[Any] = []
    for piece in pieces:
        reader.receive_data(piece)
        while True:
            try:
                message = reader.next_message()
            except RemoteProtocolError as error:
                found.append(str(error))
                if reader.spoiled:
                    return found
                continue
            if message is None:
                break
            found.append(message)
        if reader.buffered > 60_000:
            raise Finding("the defragmenter keeps more than its limit")
    return found


@target("fragments", seeds.fragment_streams)
def fragments_cut_anywhere(data: bytes) -> None:
    """Messages and errors are the same if the stream arrives byte by byte."""
    whole = _messages(iter([data]))
    cut = _messages(data[at : at + 1] for at in range(len(data)))
    _same(cut, whole, "cut into single bytes")


@target("message", lambda: [message for _, message in seeds.messages()])
def one_message(data: bytes) -> None:
    """A message that can be read is written, and reads again as the same event."""
    header, event = decode(data)
    for side in Side:
        with suppress(LocalProtocolError, KeyError):
            written = encode(event, header.rpid, sender=side)
            _same(encode(decode(written)[1], header.rpid, sender=side), written, "written again")


@target("keys", lambda: [dumps(each) for each in ("AQID", "A" * 400, "")], REMOTE)
def key_exchange(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for read in (
        read_public_key,
        lambda each: read_session_key(private_key(), each),
        SessionKey(bytes(32)).unseal,
        unseal_plain,
    ):
        with suppress(RemoteProtocolError):
            read(text)


@target("packets", seeds.packet_streams)
def packet_lines(data: bytes) -> None:
    """Lines are the same if they arrive in pieces of 5 bytes, and packets are ours or refused."""
    whole, cut = LineReader(100_000), LineReader(100_000)
    with suppress(LimitExceeded):
        whole.receive_data(data)
        for at in range(0, len(data), 5):
            cut.receive_data(data[at : at + 5])
        while (line := whole.next_line()) is not None:
            _same(cut.next_line(), line, "a line cut into pieces")
            with suppress(PacketError):
                for _ in read_line(line.data):
                    pass


def _play(side: Side, data: bytes, size: int, *, opened: bool) -> list[str]:
    """Give a pool fragments for the pool and for its pipeline in turn; return what it says."""
    machine = _machine(side) if opened else Machine(side)
    said: list[str] = []
    half = len(data) // 2
    for target_id, part in ((None, data[:half]), (PIPELINE_ID, data[half:]), (None, data)):
        for at in range(0, len(part), size):
            with suppress(RemoteProtocolError):
                machine.pool.receive_data(part[at : at + size], target_id)
            said += _events(machine)
    sent = b""
    while (out := machine.pool.data_to_send()) is not None:
        sent += out.data
    return [*said, repr(machine.pool.state), sent.hex()]


def _events(machine: Machine) -> Iterator[str]:
    for _ in range(2000):
        try:
            event = machine.pool.next_event()
        except RemoteProtocolError as error:
            if machine.pool.state in (PoolState.BROKEN, PoolState.CLOSED):
                return
            yield str(error)
            continue
        if event is None:
            return
        text = repr(event)
        if len(text) > 2_000_000:
            raise Finding("the repr of an event has no limit")
        yield text


def _pool(side: Side, data: bytes, *, opened: bool = True) -> None:
    """All events have a repr of limited length, with whole input and with pieces of 9 bytes."""
    _play(side, data, len(data) + 1, opened=opened)
    if len(data) < 2000:
        _play(side, data, 9, opened=opened)


def _machine(side: Side) -> Machine:
    machine = Machine(side)
    machine.open()
    for name, event in EVENTS.items():
        if isinstance(name, tuple) and type(event).__name__ == "CreatePipeline":
            with suppress(LocalProtocolError, RemoteProtocolError):
                machine.take(C, event)
    return machine


@target("client-pool", seeds.fragment_streams, LOCAL)
def client_pool(data: bytes) -> None:
    _pool(C, data)


@target("server-pool", seeds.fragment_streams, LOCAL)
def server_pool(data: bytes) -> None:
    _pool(S, data)


@target("new-server-pool", seeds.fragment_streams, LOCAL)
def opening_server_pool(data: bytes) -> None:
    _pool(S, data, opened=False)


def _subsystem(side: Side, data: bytes) -> None:
    """Events and answers are the same if the lines arrive in pieces of 11 bytes."""

    def read(size: int) -> tuple[list[str], bytes]:
        machine = Subsystem(side, max_line=100_000, max_commands=50)
        found: list[str] = []
        sent = b""
        for piece in (*(data[at : at + size] for at in range(0, len(data), size)), b""):
            machine.receive_data(piece)
            for _ in range(5000):
                try:
                    event = machine.next_event()
                except RemoteProtocolError as error:
                    return [*found, str(error)], sent + machine.data_to_send()
                if event is None:
                    break
                found.append(repr(event))
            else:
                raise Finding("events without end")
            sent += machine.data_to_send()
        return found, sent

    _same(read(11), read(3000), "cut into pieces of 11 bytes")


@target("client-subsystem", seeds.packet_streams, LOCAL)
def client_subsystem(data: bytes) -> None:
    _subsystem(C, data)


@target("server-subsystem", seeds.packet_streams, LOCAL)
def server_subsystem(data: bytes) -> None:
    _subsystem(S, data)
