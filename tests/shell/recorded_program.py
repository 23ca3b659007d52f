"""The server of a recording as a program: ``python -m tests.shell.recorded_program RECORDING``.

It keeps the recorded order: it sends each message of the server when the client has sent all
messages recorded before it.
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
from psrp.sansio import Side
from tests.shell.recorded_server import RecordedServer

_BIRTHS = (e.CreatePipeline, e.GetCommandMetadata)


class OrderedServer(RecordedServer):
    """The state of a replay. Pipelines are matched by the order in which they begin."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, path: Path) -> None:
        super().__init__(stream, path)
        self._script: deque[tuple[Side, Any, e.Event]] = deque()
        self._begun: list[UUID] = []
        """The client's ids of the pipelines, in the order in which they began."""
        self._received: Counter[tuple[int, str]] = Counter()
        numbers: dict[UUID, int] = {}
        for entry in decode(path):
            event = entry.event
            if entry.type == "sshsub:Signal" and entry.target is not None:
                event = e.StopPipeline(pipeline_id=entry.target)
            if event is None or entry.direction is None:
                continue
            if entry.target is not None:
                number = numbers.setdefault(entry.target, len(numbers))
                self._script.append((entry.direction, number, event))
            elif isinstance(event, e.UserEvent):
                self._script.append((Side.SERVER, None, event))

    def _deal_with(self, event: e.Event, nursery: trio.Nursery) -> None:
        id: Any = getattr(event, "pipeline_id", None)
        match event:
            case e.ClosePipeline():
                self.say(event)
            case _ if id is None:
                super()._deal_with(event, nursery)
            case _:
                if isinstance(event, _BIRTHS):
                    self._begun.append(id)
                self._received[self._begun.index(id), type(event).__name__] += 1
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
            elif number is None:
                self.say(event)
            elif not isinstance(event, e.StopPipeline):
                self.say(replace(event, pipeline_id=self._begun[number]))  # type: ignore[call-arg]
            self._script.popleft()


async def main(recording: Path) -> None:
    stream = trio.StapledStream(trio.lowlevel.FdStream(1), trio.lowlevel.FdStream(0))
    await OrderedServer(stream, recording).serve()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
