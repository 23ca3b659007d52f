"""Recorded clients with our service, whose sessions produce the recorded output.

Every request is answered, every byte of output arrives at the recorded target, and answers of
another kind than recorded are listed in spec-notes/wsman-service.md.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from psremoting.capture.http_message import HttpMessage
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.network.talks import Talk
from psremoting.capture.network.tcp import Flow, Piece
from psremoting.capture.network.unsealing import Peers
from psrp.sansio import RemoteProtocolError, Side
from tests.recordings import FIXTURES, SHARED, needs_collection
from tests.wsman.served import Table, Work
from wsman import operations, soap
from wsman import shell_values as v

LIVE = ["managed-basic", "managed-commands", "managed-options", "native-commands", "native-enter"]
OMI = [
    "pwsh-hello",
    "pwsh-commands",
    "pwsh-exit",
    "pwsh-agent-dies",
    "pwsh-hello-omi-unpatched",
    "pypsrp-hello",
    "pypsrp-delete-not-answered",
    "raw-shell",
    "raw-keyexchange",
]
SEALED = ["pwsh-ntlm", "pwsh-kerberos"]

#: Recorded answers to which ours differ in kind, with the reason.
DIFFERENCES = {
    # OMI answers a Receive without data after 30 s; Windows and ours answer with a fault that means
    # the same: poll again.
    ("ReceiveResponse", "TimedOut"),
    # OMI and the bridge of wsman-live use another subcode for an unknown shell or command.
    ("DestinationUnreachable", "InvalidSelectors"),
    ("InternalError", "InvalidSelectors"),
    # A client sends Signal terminate in parallel with its last Receive. With every server, the one
    # that arrives first decides whether that Receive gets Done or a fault; clients accept both.
    ("InternalError", "ReceiveResponse"),
    ("DestinationUnreachable", "ReceiveResponse"),
    ("ReceiveResponse", "InvalidSelectors"),
    # The recorded shell had ended after `exit`; ours has not.
    ("InternalError", "SignalResponse"),
}


#: Differences of one recording only.
OF_ONE = {
    # The recorded session's process dies of a large argument and the server forgets it; ours lives.
    "pwsh-agent-dies": {
        ("InternalError", "TimedOut"),
        ("InternalError", "CommandResponse"),
        ("DestinationUnreachable", "DeleteResponse"),
        ("DestinationUnreachable", "ReceiveResponse"),
        ("DestinationUnreachable", "SignalResponse"),
    },
    # This server answered each Delete with a fault.
    "pwsh-hello-omi-unpatched": {("InternalError", "DeleteResponse")},
}

_STATE = bytes.fromhex("06100400")
"""The type of PIPELINE_STATE in a message's header."""


class Exchange:
    """One recorded request and its answer as text; the answer may be missing."""

    def __init__(self, at: float, request: str) -> None:
        self.at = at
        self.request = request
        self.answered = float("inf")
        self.answer = ""
        self.fed = False


def exchanges(path: Path) -> list[Exchange]:
    found: list[Exchange] = []
    open_: dict[Any, list[Exchange]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        text = entry.get("soap") or entry.get("body") or ""
        connection = entry.get("connection", entry.get("conn"))
        sent = entry.get("from") == "client" or entry.get("dir") == "c2s"
        if "start" not in entry:
            continue
        if sent:
            made = Exchange(entry["t"], text)
            open_[connection].append(made)
            if "Envelope" in text:
                found.append(made)
        elif open_[connection]:
            made = open_[connection].pop(0)
            made.answered, made.answer = entry.get("t_end", entry["t"]), text
    return found


def sealed_exchanges(path: Path) -> list[Exchange]:
    """Return the exchanges of a recording whose bodies are sealed, opened with its secrets."""
    secrets = PacketSecrets()
    secrets.add_password("P@ss-w0rd1")
    if (keytab := path.with_suffix(".keytab")).exists():
        secrets.add_keytab(str(keytab))
    talks: dict[int, tuple[Talk, Flow, Flow]] = {}
    open_: dict[int, list[Exchange]] = defaultdict(list)
    found: list[Exchange] = []
    peers, numbers = Peers(), count(1)
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        connection = entry["conn"]
        if connection not in talks:
            flows = Flow((bytes([127, 0, 0, 1]), connection)), Flow((bytes([127, 0, 0, 2]), 5985))
            talk = Talk(connection, flows, secrets, peers, numbers, tls=False)
            talks[connection] = talk, *flows
        if "start" not in entry:
            continue
        talk, client, server = talks[connection]
        flow = client if entry["dir"] == "c2s" else server
        for message in talk.receive(flow, Piece(entry["t"], 1, http_bytes(entry))):
            if not isinstance(message, HttpMessage):
                continue
            assert not message.body, "a body stayed sealed"
            if message.side is Side.CLIENT:
                open_[connection].append(Exchange(entry["t"], message.soap or ""))
                found.extend(open_[connection][-1:] if message.soap else ())
            else:
                made = open_[connection].pop(0)
                made.answered, made.answer = entry["t_end"], message.soap or ""
    return found


def http_bytes(entry: dict[str, Any]) -> bytes:
    """Return a recorded HTTP message as bytes."""
    body = b64decode(entry.get("body_base64", "")) or entry.get("body", "").encode()
    lines = [entry["start"], *(f"{name}: {value}" for name, value in entry["headers"]), "", ""]
    return "\r\n".join(lines).encode() + body


def value_of(text: str) -> Any:
    try:
        return operations.read(soap.parse(text))
    except RemoteProtocolError:
        return None


def kind_of(value: Any) -> str:
    if isinstance(value, soap.Fault):
        return value.subcode or "Fault"
    return type(value).__name__


class Replay:
    """The recorded conversation, replayed in the order of its times."""

    def __init__(self, path: Path) -> None:
        self.table = Table(max_shells_per_user=100)
        self.exchanges = (sealed_exchanges if path.stem in SEALED else exchanges)(path)
        self.shells: dict[str, Work] = {}
        self.late: list[int] = []
        self.differences: Counter[tuple[str, str]] = Counter()
        self.received: dict[tuple[str, str], bytes] = defaultdict(bytes)
        self.recorded: dict[tuple[str, str], bytes] = defaultdict(bytes)

    def steps(self) -> Iterator[tuple[float, int, Exchange]]:
        for each in self.exchanges:
            yield each.at, 0, each
            if each.answer:
                yield each.answered, 1, each

    def run(self) -> None:
        by_exchange: dict[int, int] = {}
        for _, kind, each in sorted(self.steps(), key=lambda step: step[:2]):
            if kind == 0:
                self.before(each)
                works = len(self.table.endpoint.works)
                ticket = self.table.raw(each.request.encode("utf-8", "surrogatepass"))
                by_exchange[id(each)] = ticket
                if len(self.table.endpoint.works) > works:
                    work = self.table.work
                    self.shells[work.request.shell_id.upper()] = work
            else:
                self.answered(each, by_exchange[id(each)])
        assert all(kind_of(self.table.answer(each)) == "SignalResponse" for each in self.late)

    def before(self, each: Exchange) -> None:
        """Output recorded before a Signal or a Delete is available when it arrives."""
        request = soap.parse(each.request)
        if request.operation not in ("Signal", "Delete"):
            return
        signalled = operations.read(request)
        for other in self.exchanges:
            if not other.at < each.at < other.answered or other.fed:
                continue
            receive = soap.parse(other.request)
            if receive.operation == "Receive" and receive.shell_id == request.shell_id:
                command_id = operations.read(receive).command_id
                if request.operation == "Delete" or command_id == signalled.command_id:
                    self.feed(other)
        self.table.advance()

    def answered(self, each: Exchange, ticket: int) -> None:
        request = soap.parse(each.request)
        recorded = value_of(each.answer)
        shell = request.selector("ShellId").upper()
        self.feed(each)
        self.table.advance()
        ours = self.table.answer(ticket)
        if ours is None and request.operation == "Signal":
            # The bridge answered a stop before the state; ours waits for it, or for the terminate.
            self.late.append(ticket)
            return
        if ours is None:
            # A poll that OMI ended after its own time limit.
            self.table.advance(61.0)
            ours = self.table.answer(ticket)
        assert ours is not None, request.operation
        if isinstance(ours, v.ReceiveResponse):
            for stream in ours.streams:
                self.received[shell, stream.command_id.upper()] += stream.data
        if kind_of(ours) != kind_of(recorded) and recorded is not None:
            self.differences[kind_of(recorded), kind_of(ours)] += 1

    def feed(self, each: Exchange) -> None:
        """Make the session produce the content of the recorded answer to a Receive."""
        recorded, request = value_of(each.answer), soap.parse(each.request)
        shell = request.selector("ShellId").upper()
        work = self.shells.get(shell)
        if each.fed or work is None or not isinstance(recorded, v.ReceiveResponse):
            return
        each.fed = True
        command_id = operations.read(request).command_id.upper()
        target = UUID(command_id) if command_id else None
        for stream in recorded.streams:
            work.put(stream.data, target)
            self.recorded[shell, command_id] += stream.data
        ended = any(_STATE in stream.data for stream in recorded.streams)
        if target is not None and (ended or any(each.state == "Done" for each in recorded.states)):
            work.finish(target)


def paths() -> list[Any]:
    here = FIXTURES / "wsman-live" / "managed-options.jsonl"
    found: list[Any] = [pytest.param(here, id="fixtures")] if here.exists() else []
    for folder, group in (("wsman-live", LIVE), ("wsman-omi", [*OMI, *SEALED])):
        for name in group:
            path = (SHARED or Path()) / folder / f"{name}.jsonl"
            found.append(pytest.param(path, id=name, marks=needs_collection))
    return found


@needs_collection
def test_every_recorded_client_is_played() -> None:
    """The clients of wsman-live, and pwsh-*, pypsrp-* and raw-shell* of wsman-omi."""
    assert SHARED is not None
    omi = [*(SHARED / "wsman-omi").glob("*.jsonl")]
    names = {each.stem for each in omi if each.stem.startswith(("pwsh-", "pypsrp-", "raw-shell"))}
    # This one is refused before its first envelope: tests/wsman/test_authentication.py.
    assert names - {"pwsh-ntlm-wrong-password"} == {*OMI, *SEALED} - {"raw-keyexchange"}
    assert {each.stem for each in (SHARED / "wsman-live").glob("*.jsonl")} == set(LIVE)


@pytest.mark.parametrize("path", paths())
def test_a_recorded_client_is_served_to_the_end(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    expected = DIFFERENCES | OF_ONE.get(path.stem, set())
    assert set(replay.differences) <= expected, replay.differences
    cut = [key for key, data in replay.recorded.items() if replay.received[key] != data]
    assert all(replay.recorded[key].startswith(replay.received[key]) for key in cut)
    # The bridge sent the state Stopped to a Receive after the Signal terminate; here, as with the
    # plugin, no output is sent then.
    assert len(cut) == ("managed-options" in path.name)
    assert replay.shells or "options" in path.name
