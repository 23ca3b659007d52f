"""The server of a recording as a program: ``python -m tests.shell.recorded_program RECORDING``.

With ``--lines`` it waits for the typed lines only, not for what PowerShell's client sends before.

It keeps the recorded order: it sends each message of the server when the client has sent all
messages recorded before it.

PowerShell's server sends the default choices of PromptForChoice as a multidimensional array, which
its own client cannot read. Our writer refuses it; the recorded bytes are sent instead.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import trio

from psremoting.capture import decode
from psrp import events as e
from psrp.clixml import PSObject
from psrp.fragments import split
from psrp.host import HostMethodId
from psrp.sansio import Side
from tests.shell.recorded_server import RecordedServer

_BIRTHS = (e.CreatePipeline, e.GetCommandMetadata)
_PIPELINE = slice(24, 40)
"""The bytes of a message that are the id of its pipeline."""


class OrderedServer(RecordedServer):
    """The state of a replay. Pipelines are matched by the order in which they begin."""

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, path: Path, *, lines: bool = False
    ) -> None:
        super().__init__(stream, path)
        self._script: deque[tuple[Side, Any, e.Event]] = deque()
        self._begun: list[UUID] = []
        """The client's ids of the pipelines, in the order in which they began."""
        self._received: Counter[tuple[int, str]] = Counter()
        self._unwritable: dict[int, bytes] = {}
        """The recorded messages by the id of their host call."""
        numbers: dict[UUID, int] = {}
        left_out: set[UUID] = set()
        for entry in decode(path):
            event = entry.event
            if entry.type == "sshsub:Signal" and entry.target is not None:
                event = e.StopPipeline(pipeline_id=entry.target)
            if event is None or entry.direction is None:
                continue
            if lines and isinstance(event, e.CreatePipeline) and not event.add_to_history:
                left_out.add(event.pipeline_id)
            if entry.target in left_out:
                continue
            if _has_many_defaults(event):
                assert entry.raw is not None
                self._unwritable[id(event)] = entry.raw
            if entry.target is not None:
                number = numbers.setdefault(entry.target, len(numbers))
                self._script.append((entry.direction, number, event))
            elif isinstance(event, e.UserEvent):
                self._script.append((Side.SERVER, None, event))

    def _deal_with(self, event: e.Event, nursery: trio.Nursery) -> None:
        pipeline: Any = getattr(event, "pipeline_id", None)
        match event:
            case e.ClosePipeline():
                self.say(event)
            case _ if pipeline is None:
                super()._deal_with(event, nursery)
            case _:
                if isinstance(event, _BIRTHS):
                    self._begun.append(pipeline)
                self._received[self._begun.index(pipeline), type(event).__name__] += 1
                self._catch_up()
                if isinstance(event, e.StopPipeline):
                    self.say(event)

    def _catch_up(self) -> None:
        """Send recorded messages until the next one has to come from the client."""
        while self._script:
            sender, number, event = self._script[0]
            key = number, type(event).__name__
            if isinstance(event, e.ClosePipeline):
                pass
            elif sender is Side.CLIENT:
                if not self._received[key]:
                    return
                self._received[key] -= 1
            elif id(event) in self._unwritable:
                self._say_unwritable(self._begun[number], event)
            elif number is None:
                self.say(event)
            elif not isinstance(event, e.StopPipeline):
                self.say(replace(event, pipeline_id=self._begun[number]))  # type: ignore[call-arg]
            self._script.popleft()

    def _say_unwritable(self, pipeline_id: UUID, call: e.PipelineHostCall) -> None:
        """Let the pool send the call without default choices, and replace the bytes."""
        while (out := self.pool.data_to_send()) is not None:
            self.machine.send(out)
        *others, _ = call.arguments
        self.say(replace(call, pipeline_id=pipeline_id, arguments=(*others, [])))
        out = self.pool.data_to_send()
        assert out is not None
        message = bytearray(self._unwritable[id(call)])
        message[_PIPELINE] = pipeline_id.bytes_le
        object_id = int.from_bytes(out.data[:8], "big")
        (fragment,) = split(object_id, bytes(message), len(message) + 100)
        self.machine.send(replace(out, data=fragment))


def _has_many_defaults(event: e.Event) -> bool:
    return (
        isinstance(event, e.PipelineHostCall)
        and event.method is HostMethodId.PromptForChoiceMultipleSelection
        and isinstance(event.arguments[-1], PSObject)
    )


async def main(recording: Path, *options: str) -> None:
    stream = trio.StapledStream(trio.lowlevel.FdStream(1), trio.lowlevel.FdStream(0))
    await OrderedServer(stream, recording, lines="--lines" in options).serve()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), *sys.argv[2:])
