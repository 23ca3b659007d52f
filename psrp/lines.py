"""One target's two ways: what leaves for the pool or a pipeline, and what came from it.

A line knows order and bytes; what they mean is `psrp.pool`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from struct import pack
from uuid import UUID

from psrp.events import Event
from psrp.fragments import Defragmenter, Fragmenter
from psrp.messages import MessageType
from psrp.sansio import Outgoing, Side, Stream, TransportAct
from psrp.states import PipelinePhase

__all__ = ["Line"]

_BOM = b"\xef\xbb\xbf"
_ZERO = bytes(16)


class Line:
    """The queues of one target, and the state of the pipeline that it is."""

    __slots__ = (
        "acts",
        "birth",
        "bulk_in",
        "bulk_out",
        "calls",
        "held",
        "id",
        "incoming",
        "nested",
        "next_call",
        "outgoing",
        "parked_in",
        "parked_out",
        "queued",
        "state",
    )

    def __init__(
        self,
        target: UUID | None,
        side: Side,
        rpid: bytes,
        object_ids: Iterator[int],
        max_message: int,
        *,
        after_connect: bool = False,
    ) -> None:
        self.id = target
        self.state = PipelinePhase.NOT_STARTED
        self.nested = False
        self.birth: TransportAct | None = None
        """The act that the first bytes of this target go out with."""
        self.calls: dict[int, int] = {}
        """Host calls without an answer: call id -> method."""
        self.next_call = 1
        self.held = False
        """Nobody is there to take what we say."""
        self.queued = False
        self.acts: deque[TransportAct] = deque()
        self.parked_out: list[Event] = []
        self.parked_in: deque[tuple[Stream, bytes]] = deque()
        self.outgoing = {
            Stream.PROMPT_RESPONSE: Fragmenter(object_ids),
            Stream.DEFAULT: Fragmenter(object_ids),
        }
        self.incoming = {
            stream: Defragmenter(max_message, tolerate_leading_tail=after_connect)
            for stream in Stream
        }
        pid = _ZERO if target is None else target.bytes_le
        mine, theirs = MessageType.PIPELINE_INPUT, MessageType.PIPELINE_OUTPUT
        if side is Side.SERVER:
            mine, theirs = theirs, mine
        self.bulk_out = pack("<II", _number(side.peer), mine) + rpid + pid + _BOM
        self.bulk_in = pack("<II", _number(side), theirs) + rpid + pid + _BOM

    @property
    def phase(self) -> PipelinePhase | None:
        """Where the pipeline is; None for the pool's own line."""
        return None if self.id is None else self.state

    @phase.setter
    def phase(self, state: PipelinePhase | None) -> None:
        if state is not None:
            self.state = state

    def end(self) -> bool:
        """Let the pipeline end here and now; False when it had not begun or is over."""
        alive = self.state in (PipelinePhase.READING, PipelinePhase.RUNNING, PipelinePhase.STOPPING)
        if alive:
            self.state = PipelinePhase.ENDED
            self.calls.clear()
        return alive

    def listen_anew(self, max_message: int) -> None:
        """A client came (back): what it sends begins with whole messages."""
        for stream in Stream:
            self.incoming[stream] = Defragmenter(max_message, tolerate_leading_tail=True)

    def next_outgoing(self, room: int) -> Outgoing | None:
        """What leaves next: host responses, then all else, then steps of the carrier."""
        if self.held:
            return self._next_act()
        for stream, fragmenter in self.outgoing.items():
            if fragmenter:
                act, self.birth = self.birth, None
                data = fragmenter.next_payload(room)
                return Outgoing(target=self.id, stream=stream, data=data, act=act)
        return self._next_act()

    def _next_act(self) -> Outgoing | None:
        if not self.acts:
            return None
        return Outgoing(target=self.id, act=self.acts.popleft())


def _number(side: Side) -> int:
    """The destination field of a message. [MS-PSRP] 2.2.1"""
    return 1 if side is Side.CLIENT else 2
