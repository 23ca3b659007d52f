"""The server of a recording: it answers each message of a client as in the recording.

Pipelines of the client are matched with recorded ones in order. The recorded messages of the
server are sent up to the point where it waited for an answer, for the end of the input or for a
stop. Lines that failed only because they were incomplete are left out: our client reads further
lines before it sends anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import trio

from psremoting.capture import decode
from psremoting.shell.line_pipelines import is_incomplete
from psrp import events as e
from psrp.pool import Pool
from psrp.sansio import Side
from tests.session.servers import FakeServer

_WAITS = (e.PipelineHostResponse, e.EndOfPipelineInput, e.StopPipeline)
_ANSWERS = (e.PipelineStateMessage, e.PipelineOutput, e.PipelineHostCall, e.ProgressRecordMessage)
_RECORDS = (e.WarningRecordMessage, e.VerboseRecordMessage, e.InformationRecordMessage)


@dataclass
class Conversation:
    """The messages of one pipeline, or of the pool: (sender, event) in order."""

    said: list[tuple[Side, e.Event]] = field(default_factory=list)

    def by(self, sender: Side) -> list[e.Event]:
        return [event for who, event in self.said if who is sender]


def conversations(path: Path) -> tuple[Conversation, list[Conversation]]:
    """Return the messages of the pool, and those of the pipelines in the order of their
    creation."""
    pool = Conversation()
    pipelines: dict[UUID, Conversation] = {}
    for entry in decode(path):
        event = entry.event
        if entry.type == "sshsub:Signal" and entry.target is not None:
            event = e.StopPipeline(pipeline_id=entry.target)
        if event is None or entry.direction is None:
            continue
        if entry.target is None:
            pool.said.append((entry.direction, event))
        else:
            pipelines.setdefault(entry.target, Conversation()).said.append((entry.direction, event))
    return pool, list(pipelines.values())


class RecordedServer(FakeServer):
    """A replay of the server in ``path``. `sent` has the client's messages by pipeline."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, path: Path) -> None:
        super().__init__(stream, _nothing)
        self.pool = Pool(Side.SERVER, version="2.4")
        self.recorded_pool, recorded = conversations(path)
        self.recorded = [each for each in recorded if not _was_incomplete(each)]
        self.sent: list[Conversation] = []
        self.waits_for_stop = trio.Event()
        self._scripts: dict[UUID, Iterator[tuple[Side, e.Event]]] = {}
        self._mine: dict[UUID, Conversation] = {}

    def open_pool(self) -> None:
        for event in self.recorded_pool.by(Side.SERVER):
            if isinstance(event, e.ApplicationPrivateData):
                self.say(event)
        self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def _deal_with(self, event: e.Event, nursery: trio.Nursery) -> None:
        id: Any = getattr(event, "pipeline_id", None)
        if isinstance(event, (e.CreatePipeline, e.GetCommandMetadata)):
            script = self.recorded[len(self.sent)]
            self.sent.append(Conversation())
            self._mine[id] = self.sent[-1]
            self._scripts[id] = iter(script.said[1:])
        if id is not None and not isinstance(event, e.ClosePipeline):
            self._mine[id].said.append((Side.CLIENT, event))
        match event:
            case e.InitRunspacePool():
                self.recorded_init = event
                self.open_pool()
            case e.StopPipeline():
                self._go_on(id)
                self.say(event)
            case e.CreatePipeline() | e.GetCommandMetadata():
                self._go_on(id)
            case e.PipelineHostResponse() | e.EndOfPipelineInput():
                self._go_on(id)
            case e.ClosePipeline():
                self.say(event)
            case e.ClosePool():
                self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSING))
                self.say(e.RunspacePoolStateMessage(state=e.RunspaceState.CLOSED))
                self.say(event)

    def _go_on(self, id: UUID) -> None:
        for sender, event in self._scripts[id]:
            if sender is Side.SERVER:
                self.say(replace(event, pipeline_id=id))  # type: ignore[call-arg]
            elif isinstance(event, e.StopPipeline):
                self.waits_for_stop.set()
                return
            elif isinstance(event, _WAITS):
                return


def _was_incomplete(conversation: Conversation) -> bool:
    states = (each for each in conversation.said if isinstance(each[1], e.PipelineStateMessage))
    return any(is_incomplete(event.error) for _, event in states)  # type: ignore[attr-defined]


async def _nothing(_: FakeServer, __: e.CreatePipeline) -> None:
    return


def typed(recorded: list[Conversation]) -> Iterator[str]:
    """Return the typed lines of the recording: commands and answers."""
    for conversation in recorded:
        birth = conversation.said[0][1]
        if isinstance(birth, e.CreatePipeline):
            line = birth.powershell.history
            if line and line != "prompt":
                yield from ["exit"] if line == "Exit-PSSession" else line.split("\n")
        for event in conversation.by(Side.CLIENT):
            if isinstance(event, e.PipelineHostResponse):
                yield _answer(event.result)


def _answer(result: Any) -> str:
    if isinstance(result, dict):
        (result,) = result.values()
    if hasattr(result, "password"):
        result = result.password
    if hasattr(result, "character"):
        return str(result.character)
    if isinstance(result, int):
        return {0: "y", 1: "n"}[result]
    return str(result.reveal() if hasattr(result, "reveal") else result)
