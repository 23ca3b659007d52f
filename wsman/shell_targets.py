"""The state that the client machine keeps for the pool and for each command."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from psrp.sansio import Stream
from wsman.fragment_order import FragmentOrder, SeenIds

if TYPE_CHECKING:
    from uuid import UUID

    from wsman.requests import Request

__all__ = ["Attempt", "Phase", "Step", "Target"]

STREAM_NAMES = {Stream.DEFAULT: "stdin", Stream.PROMPT_RESPONSE: "pr"}
MAX_QUEUED = 2
"""Queued pieces of one target above which only the last one is filled up."""
_LEAST = 1024
"""Bytes of the smallest addition to a piece that is worth a fragment of its own."""


class Phase(Enum):
    """The phases of a target."""

    NEW = "new"
    STARTING = "starting"
    """Create, Command or Connect is outstanding."""
    OPEN = "open"
    SUSPENDED = "suspended"
    """Disconnected."""
    RESUMING = "resuming"
    """Reconnect is wanted or outstanding."""
    ENDED = "ended"


class Step(Enum):
    """The progress of an act that happens once."""

    NO = "not asked for"
    WANTED = "wanted"
    SENT = "sent"
    DONE = "done"


class Attempt:
    """One request that is outstanding or is going to be repeated."""

    __slots__ = ("kind", "request", "sent_at", "target", "tries", "value")

    def __init__(self, kind: str, target: Target, value: object) -> None:
        self.kind = kind
        self.target = target
        self.value = value
        self.tries = 0
        self.sent_at = 0.0
        self.request: Request | None = None
        """The request that got no answer: its envelope is sent again."""


class Target:
    """The pool (``id`` is None) or one command."""

    def __init__(self, target_id: UUID | None, seen: SeenIds | None = None) -> None:
        self.id = target_id
        self.phase = Phase.NEW
        self.first: bytes = b""
        self.connects = False
        self.stop = Step.NO
        self.close = Step.NO
        self.held = False
        self.drains = False
        """Closed while the server may be waiting to deliver output: Receives continue."""
        self.done = False
        """The state Done was reported: no further Receive is made."""
        self.sending = False
        self.receiving = False
        self.quiet_until = 0.0
        """The time before which no Receive is made, because the server returns empty answers."""
        self.empty_answers = 0
        self.order = FragmentOrder(SeenIds() if seen is None else seen)
        self.bytes_before_receive = 0
        self.bytes_in_flight = 0
        self.starved = False
        """`Shell.room` returned 0 when it was last called."""
        self._prompt: deque[bytearray] = deque()
        self._default: deque[bytearray] = deque()

    @property
    def command_id(self) -> str:
        return str(self.id).upper() if self.id is not None else ""

    @property
    def queued(self) -> int:
        """The number of queued pieces."""
        return len(self._prompt) + len(self._default)

    @property
    def alive(self) -> bool:
        return self.phase is not Phase.ENDED

    def space(self, room: int) -> int:
        """Return how many bytes `put` takes now if a Send holds ``room`` bytes; 0 to wait."""
        if self.queued < MAX_QUEUED:
            return room
        left = room - len(self._default[-1]) if self._default else 0
        return left if left >= _LEAST else 0

    def put(self, stream: Stream, data: bytes, room: int) -> None:
        """Queue data. What is queued while a Send is outstanding goes into one piece of at most
        ``room`` bytes, so that much small input takes few Sends."""
        queue = self._prompt if stream is Stream.PROMPT_RESPONSE else self._default
        if queue and len(queue[-1]) + len(data) <= room:
            queue[-1] += data
        else:
            queue.append(bytearray(data))

    def take(self, room: int) -> tuple[Stream, bytes]:
        """Return the next piece: host responses first, at most ``room`` bytes."""
        stream = Stream.PROMPT_RESPONSE if self._prompt else Stream.DEFAULT
        queue = self._prompt or self._default
        data = queue.popleft()
        if len(data) > room:
            queue.appendleft(data[room:])
            data = data[:room]
        self.bytes_in_flight = len(data)
        return stream, bytes(data)

    def sent(self) -> None:
        """Record that the outstanding Send was answered."""
        self.sending = False
        self.bytes_before_receive -= self.bytes_in_flight

    def begin_receiving(self) -> None:
        """Record that the server knows the target; queued data is sent before the first Receive."""
        self.phase = Phase.OPEN
        self.bytes_before_receive = sum(map(len, self._default)) if self.id is not None else 0

    def drop(self) -> None:
        """Drop the queued data."""
        self._prompt.clear()
        self._default.clear()
        self.bytes_before_receive = 0
