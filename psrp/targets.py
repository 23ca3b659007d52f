"""All lines of one pool, and whose turn it is to speak.

Targets take turns, so that a long message to one pipeline does not hold up another. Steps of
the carrier that concern the whole pool come after everything that was said before them.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

from psrp.lines import Line
from psrp.sansio import LimitExceeded, Outgoing, Side, Stream, TransportAct
from psrp.states import PipelinePhase

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Targets"]

_BUSY = (
    PipelinePhase.READING,
    PipelinePhase.RUNNING,
    PipelinePhase.STOPPING,
    PipelinePhase.ABANDONED,
)


class Targets:
    """The pool's own line, its pipelines' lines, and the queue of those that have something."""

    def __init__(self, side: Side, max_message: int, max_pipelines: int) -> None:
        self._side = side
        self._max_pipelines = max_pipelines
        self._max_message = max_message
        self._object_ids = count(1)
        self._order: deque[Line] = deque()
        self._last_acts: deque[TransportAct] = deque()
        self._overtaken: list[bytes] = []
        self.pool = self.new(None, UUID(int=0))
        self.pipelines: dict[UUID, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        yield self.pool
        yield from self.pipelines.values()

    @property
    def running(self) -> int:
        """How many runspaces are taken: pipelines that have not ended, nested ones apart."""
        return sum(line.state in _BUSY and not line.nested for line in self.pipelines.values())

    def new(self, target: UUID | None, rpid: UUID, *, after_connect: bool = False) -> Line:
        """A line that is not known yet."""
        return Line(
            target,
            self._side,
            rpid.bytes_le,
            self._object_ids,
            self._max_message,
            after_connect=after_connect,
        )

    def admit(self, target: UUID | None, rpid: UUID) -> Line:
        """A line for a pipeline of the peer's. Raises LimitExceeded when it has too many."""
        if len(self.pipelines) >= self._max_pipelines:
            raise LimitExceeded("pipelines", self._max_pipelines + 1, self._max_pipelines)
        line = self.new(target, rpid)
        self.know(line)
        return line

    def find(self, target: UUID | None) -> Line | None:
        return self.pool if target is None else self.pipelines.get(target)

    def know(self, line: Line) -> None:
        if line.id is not None:
            self.pipelines[line.id] = line

    def forget(self, line: Line) -> None:
        """The pipeline is closed; what it still has to say goes out."""
        assert line.id is not None
        self.pipelines.pop(line.id, None)

    def end_all(self) -> list[UUID]:
        """End what has not ended; the ids of those."""
        return [id for id, line in self.pipelines.items() if line.end()]

    # -- what leaves

    def add(self, line: Line, message: bytes, stream: Stream = Stream.DEFAULT) -> None:
        line.outgoing[stream].add(message)
        self.turn(line)

    def act(self, line: Line, act: TransportAct) -> None:
        if line.id is None:
            self._last_acts.append(act)
        else:
            line.acts.append(act)
            self.turn(line)

    def turn(self, line: Line) -> None:
        """Let a line have its turn."""
        if not line.queued:
            line.queued = True
            self._order.append(line)

    def next_outgoing(self, room: int) -> Outgoing | None:
        order = self._order
        while order:
            line = order[0]
            out = line.next_outgoing(room)
            if out is not None:
                order.rotate(-1)
                return out
            line.queued = False
            order.popleft()
        if self._last_acts:
            return Outgoing(act=self._last_acts.popleft())
        return None

    def clear(self) -> None:
        """Nothing leaves any more."""
        self._order.clear()
        self._last_acts.clear()

    # -- clients that leave and come

    def hold(self, held: bool) -> None:
        """A client left, and nobody takes what we say; or the same client is back."""
        for line in self:
            line.held = held
            if not held:
                line.listen_anew(self._max_message)
                self.turn(line)

    def take_over(self) -> None:
        """A new client: its answers come first on the pool's line, which is free at once; a
        pipeline's line is free when it is connected."""
        self.pool.held = False
        self._overtaken += self.pool.outgoing[Stream.DEFAULT].withdraw()
        for line in self.pipelines.values():
            line.listen_anew(self._max_message)

    def resume(self) -> None:
        """The new client has its answers: what the pool had to say before follows."""
        for message in self._overtaken:
            self.add(self.pool, message)
        self._overtaken.clear()
