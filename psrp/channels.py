"""The channels of one pool: one for the pool itself and one for each pipeline.

A channel has the queues of its target in both directions and the phase of its pipeline.
`Channels` selects the target that sends next: targets take turns, so that a long message to one
pipeline does not delay another. Steps of the transport that concern the whole pool follow all
data that was queued before them. Messages are opaque bytes here; `psrp.pool` interprets them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import count
from struct import pack
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psrp.fragments import HEADER_SIZE, MIN_FRAGMENT, Defragmenter, Fragmenter
from psrp.messages import DESTINATIONS, MessageType
from psrp.sansio import (
    UTF8_BOM,
    ZERO_ID,
    LimitExceeded,
    LocalProtocolError,
    Outgoing,
    Side,
    Stream,
    TransportAct,
)
from psrp.states import BUSY, PipelinePhase, pipeline_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psrp.states import StateMachine

__all__ = ["ANY_TARGET", "AnyTarget", "Channel", "Channels"]


class AnyTarget:
    """The type of `ANY_TARGET`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ANY_TARGET"


ANY_TARGET: Final = AnyTarget()
"""Selects the target whose turn it is; None selects the pool."""


class Channel:
    """The queues of one target, and the state machine of its pipeline."""

    __slots__ = (
        "acts",
        "buffered",
        "host_calls",
        "id",
        "incoming",
        "input_prefix",
        "is_nested",
        "next_call_id",
        "on_hold",
        "opening_act",
        "outgoing",
        "output_prefix",
        "parked_in",
        "parked_out",
        "pipeline",
        "queued",
    )

    def __init__(
        self,
        target: UUID | None,
        side: Side,
        rpid: UUID,
        object_ids: Iterator[int],
        max_message: int,
        *,
        after_connect: bool = False,
    ) -> None:
        self.id = target
        self.pipeline: StateMachine[PipelinePhase] | None
        self.pipeline = None if target is None else pipeline_machine()
        self.is_nested = False
        self.opening_act: TransportAct | None = None
        """The act that carries the first bytes of this target."""
        self.host_calls: dict[int, int] = {}
        """Host calls without an answer: call id -> method."""
        self.next_call_id = 1
        self.on_hold = False
        """No client is connected to receive messages of this target."""
        self.queued = False
        """True if the channel is in the queue of those that may have something to send."""
        self.parked_out = 0
        """Number of events that wait for the session key before they can be written."""
        self.parked_in = 0
        """Number of received messages that wait for the session key."""
        self.buffered = 0
        """Received bytes of incomplete messages, as last counted by `Channels`."""
        self.acts: deque[TransportAct] = deque()
        self.outgoing = {
            Stream.PROMPT_RESPONSE: Fragmenter(object_ids),
            Stream.DEFAULT: Fragmenter(object_ids),
        }
        self.incoming = {
            stream: Defragmenter(max_message, tolerate_leading_tail=after_connect)
            for stream in Stream
        }
        sent, received = MessageType.PIPELINE_INPUT, MessageType.PIPELINE_OUTPUT
        if side is Side.SERVER:
            sent, received = received, sent
        ids = rpid.bytes_le + (target or ZERO_ID).bytes_le + UTF8_BOM
        self.output_prefix = pack("<II", DESTINATIONS[side.peer], sent) + ids
        """The start of every message that contains one value of the pipeline's data."""
        self.input_prefix = pack("<II", DESTINATIONS[side], received) + ids

    def __repr__(self) -> str:
        return f"<Channel {self.id or 'of the pool'}>"

    @property
    def pending(self) -> int:
        """Bytes of queued messages, without fragment headers."""
        return sum(fragmenter.pending for fragmenter in self.outgoing.values())

    @property
    def idle(self) -> bool:
        """True if nothing is queued, not even on hold."""
        first, second = self.outgoing.values()
        return not (self.acts or first.messages or second.messages)

    @property
    def can_send(self) -> bool:
        """True if `next_outgoing` would return something."""
        return bool(self.acts) or (not self.on_hold and any(self.outgoing.values()))

    def restart_input(self, max_message: int) -> None:
        """Drop incomplete input: a (re)connected peer starts with a whole message."""
        for stream in Stream:
            self.incoming[stream] = Defragmenter(max_message, tolerate_leading_tail=True)

    def next_outgoing(self, room: int) -> Outgoing | None:
        """Return the next output: host responses, then other messages, then transport acts."""
        if not self.on_hold:
            for stream, fragmenter in self.outgoing.items():
                if fragmenter.messages:
                    data = fragmenter.next_payload(room)
                    act, self.opening_act = self.opening_act, None
                    return Outgoing(target=self.id, stream=stream, data=data, act=act)
        if not self.acts:
            return None
        return Outgoing(target=self.id, act=self.acts.popleft())

    def discard_outgoing(self) -> None:
        """Drop all queued messages and acts."""
        self.acts.clear()
        for fragmenter in self.outgoing.values():
            fragmenter.clear()


class Channels:
    """The pool's channel, the channels of its pipelines, and the order in which they send.

    ``max_message`` limits one received message in bytes, ``max_pipelines`` the pipelines that a
    peer can open, ``max_buffered`` the received bytes of incomplete messages of all channels.
    """

    def __init__(
        self, side: Side, *, max_message: int, max_pipelines: int, max_buffered: int
    ) -> None:
        self._side = side
        self._max_pipelines = max_pipelines
        self._max_message = max_message
        self._max_buffered = max_buffered
        self._buffered = 0
        self._object_ids = count(1)
        self._order: OrderedDict[Channel, None] = OrderedDict()
        """The channels that may have something to send, in the order of their turns."""
        self._pool_acts: deque[TransportAct] = deque()
        self._withdrawn: list[bytes] = []
        self._leaving: dict[UUID, Channel] = {}
        self.pool = self.new(None, ZERO_ID)
        self._found = self.pool
        """The channel that was found last."""
        self.pipelines: dict[UUID, Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        yield self.pool
        yield from self.pipelines.values()

    @property
    def running(self) -> int:
        """Number of occupied runspaces: pipelines that have not ended, without nested ones."""
        return sum(
            channel.pipeline is not None
            and channel.pipeline.state in BUSY
            and not channel.is_nested
            for channel in self.pipelines.values()
        )

    def new(self, target: UUID | None, rpid: UUID, *, after_connect: bool = False) -> Channel:
        """Return a new channel, not yet registered."""
        return Channel(
            target,
            self._side,
            rpid,
            self._object_ids,
            self._max_message,
            after_connect=after_connect,
        )

    def admit(self, target: UUID | None, rpid: UUID) -> Channel:
        """Register a channel for a pipeline of the peer.

        Raises LimitExceeded for more than ``max_pipelines``.
        """
        if len(self.pipelines) >= self._max_pipelines:
            raise LimitExceeded("pipelines", self._max_pipelines + 1, self._max_pipelines)
        channel = self.new(target, rpid)
        self.register(channel)
        return channel

    def find(self, target: UUID | None) -> Channel | None:
        """Return the channel of a target, or None."""
        # The hash of a UUID is a call of a Python function: most messages are for the same target.
        if target is self._found.id:
            return self._found
        channel = self.pool if target is None else self.pipelines.get(target)
        if channel is not None:
            self._found = channel
        return channel

    def register(self, channel: Channel) -> None:
        """Register a pipeline's channel."""
        if channel.id is not None:
            self.pipelines[channel.id] = channel
            self._found = channel

    def forget(self, channel: Channel) -> None:
        """Remove a closed pipeline; its queued messages are still sent."""
        assert channel.id is not None
        if self._found is channel:
            self._found = self.pool
        if self.pipelines.pop(channel.id, None) is None:
            return
        self._buffered -= channel.buffered
        channel.buffered = 0
        if not channel.idle:
            self._leaving[channel.id] = channel

    # -- received bytes

    def receive_data(
        self, channel: Channel, stream: Stream, data: bytes | bytearray | memoryview
    ) -> None:
        """Add received bytes. Raises LimitExceeded for too many incomplete bytes."""
        size = len(data)
        buffered = self._buffered + size
        if buffered > self._max_buffered:
            raise LimitExceeded("bytes of incomplete messages", buffered, self._max_buffered)
        channel.incoming[stream].receive_data(data)
        self._buffered = buffered
        channel.buffered += size

    def took_last(self, channel: Channel, size: int) -> None:
        """Update the count after a message of this size was the last of its stream."""
        if channel.buffered == size + HEADER_SIZE:  # one fragment, and no other bytes
            self._buffered -= channel.buffered
            channel.buffered = 0
        else:
            self.recount(channel)

    def recount(self, channel: Channel) -> None:
        """Update the count of buffered bytes after messages were taken out."""
        first, second = channel.incoming.values()
        buffered = first.buffered + second.buffered
        self._buffered += buffered - channel.buffered
        channel.buffered = buffered

    # -- output

    def add(self, channel: Channel, message: bytes, stream: Stream = Stream.DEFAULT) -> None:
        """Queue one whole message."""
        channel.outgoing[stream].add(message)
        self.enqueue(channel)

    def add_act(self, channel: Channel, act: TransportAct) -> None:
        """Queue a step of the transport after the messages of its target."""
        if channel.id is None:
            self._pool_acts.append(act)
        else:
            channel.acts.append(act)
            self.enqueue(channel)

    def enqueue(self, channel: Channel) -> None:
        """Put a channel into the queue of those that may have something to send."""
        if not channel.queued:
            channel.queued = True
            self._order[channel] = None

    def pending(self, target: UUID | AnyTarget | None = ANY_TARGET) -> int:
        """Return the number of bytes of queued messages, of one target or of all."""
        if isinstance(target, AnyTarget):
            return sum(channel.pending for channel in self._order)
        return sum(channel.pending for channel in self._channels_of(target))

    def targets_to_send(self) -> tuple[UUID | None, ...]:
        """Return the targets that have something to send, in the order of their turns.

        Acts of the whole pool belong to None, and only if nothing else is queued.
        """
        targets = tuple(channel.id for channel in self._order if channel.can_send)
        return targets or ((None,) if self._pool_acts else ())

    def _channels_of(self, target: UUID | None) -> list[Channel]:
        if target is None:
            return [self.pool]
        found = self._leaving.get(target), self.pipelines.get(target)
        return [channel for channel in found if channel is not None]

    def next_outgoing(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        """Return the next output of one target, or of the target whose turn it is.

        Raises LocalProtocolError for a room too small for a fragment.
        """
        if room < MIN_FRAGMENT:
            raise LocalProtocolError(
                f"no fragment fits into {room} bytes; expected at least {MIN_FRAGMENT}"
            )
        if target is not ANY_TARGET and not isinstance(target, AnyTarget):
            for channel in self._channels_of(target):
                out = channel.next_outgoing(room)
                if out is None or channel.idle:
                    # Leave the queue: a user that asks for single targets does not ask again.
                    self._dequeue(channel)
                if out is not None:
                    return out
            return self._next_pool_act() if target is None else None
        order = self._order
        while order:
            channel = next(iter(order))
            out = channel.next_outgoing(room)
            if out is None:
                self._dequeue(channel)
                continue
            if channel.idle:
                self._dequeue(channel)
            else:
                order.move_to_end(channel)
            return out
        return self._next_pool_act()

    def _dequeue(self, channel: Channel) -> None:
        """Remove a channel that has nothing to send from the queue."""
        channel.queued = False
        self._order.pop(channel, None)
        if self._leaving and channel.id is not None and self._leaving.get(channel.id) is channel:
            del self._leaving[channel.id]

    def _next_pool_act(self) -> Outgoing | None:
        if not self._pool_acts or any(channel.can_send for channel in self._order):
            return None
        return Outgoing(act=self._pool_acts.popleft())

    def clear(self) -> None:
        """Drop everything that is queued."""
        for channel in (*self, *self._leaving.values()):
            channel.discard_outgoing()
            channel.queued = False
        self._order.clear()
        self._pool_acts.clear()
        self._leaving.clear()
        self._withdrawn.clear()

    # -- clients that disconnect and connect

    def restart_pool_input(self) -> None:
        """Accept pool input that starts in the middle of a message (for a client that connects)."""
        self.pool.restart_input(self._max_message)

    def hold(self) -> None:
        """Hold all messages back: the client has disconnected."""
        for channel in self:
            channel.on_hold = True

    def release(self) -> None:
        """Resume sending to the client that disconnected, which starts with whole messages."""
        for channel in self:
            channel.on_hold = False
            channel.restart_input(self._max_message)
            self.recount(channel)
            self.enqueue(channel)

    def switch_client(self) -> None:
        """Prepare for another client: the answers to its connection are sent first.

        The pool's channel resumes at once, without its queued messages, which `restore_withdrawn`
        queues again. A pipeline's channel resumes when the client connects to it.
        """
        self.pool.on_hold = False
        self._withdrawn += self.pool.outgoing[Stream.DEFAULT].withdraw()
        for channel in self.pipelines.values():
            channel.restart_input(self._max_message)
            self.recount(channel)

    def restore_withdrawn(self) -> None:
        """Queue the messages again that `switch_client` withdrew."""
        for message in self._withdrawn:
            self.add(self.pool, message)
        self._withdrawn.clear()
