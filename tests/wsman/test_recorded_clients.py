"""Recorded clients with our service, whose sessions produce the recorded output.

Every request is answered, every byte of output arrives at the recorded target, and answers of
another kind than recorded are listed in spec-notes/wsman-service.md.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from psrp.sansio import RemoteProtocolError
from tests.recordings import FIXTURES, SHARED, needs_collection
from tests.wsman.served import Table, Work
from wsman import operations, soap
from wsman import shell_values as v

LIVE = ["managed-basic", "managed-commands", "managed-options", "native-commands", "native-enter"]
OMI = [
    "pwsh-hello",
    "pwsh-commands",
    "pwsh-exit",
    "pypsrp-hello",
    "pypsrp-delete-not-answered",
    "raw-shell",
    "raw-keyexchange",
]

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
    ("ReceiveResponse", "InvalidSelectors"),
    # The recorded shell had ended after `exit`; ours has not.
    ("InternalError", "SignalResponse"),
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
        self.exchanges = exchanges(path)
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
    for folder, group in (("wsman-live", LIVE), ("wsman-omi", OMI)):
        for name in group:
            path = (SHARED or Path()) / folder / f"{name}.jsonl"
            found.append(pytest.param(path, id=name, marks=needs_collection))
    return found


@pytest.mark.parametrize("path", paths())
def test_a_recorded_client_is_served_to_the_end(path: Path) -> None:
    replay = Replay(path)
    replay.run()
    assert set(replay.differences) <= DIFFERENCES, replay.differences
    cut = [key for key, data in replay.recorded.items() if replay.received[key] != data]
    assert all(replay.recorded[key].startswith(replay.received[key]) for key in cut)
    # The bridge sent the state Stopped to a Receive after the Signal terminate; here, as with the
    # plugin, no output is sent then.
    assert len(cut) == ("managed-options" in path.name)
    assert replay.shells or "options" in path.name
