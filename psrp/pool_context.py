"""The data of one pool that its rules (`psrp.rules`) read and change, and the queueing of messages.

A message that holds a SecureString cannot be written before the session key exists. It is parked
as a whole: everything that follows it for the same target is parked too. If it creates a pipeline,
so are later messages that create pipelines, so that commands start in the order of their calls.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from psrp import events as e
from psrp.channels import Channels
from psrp.keys import KeyExchange, KeyMissing
from psrp.messages import encode
from psrp.sansio import ZERO_ID, LocalProtocolError, Side, Stream
from psrp.states import OPENERS, Incident, PoolState, pool_machine, transition
from psrp.versions import OLDEST, number

if TYPE_CHECKING:
    from psrp.channels import Channel
    from psrp.keys import PrivateKey, SessionKeyBytes
    from psrp.records import ErrorRecord

__all__ = ["HOST_RESPONSES", "OVER", "ParkedMessage", "PoolContext"]

OVER = (PoolState.CLOSED, PoolState.BROKEN)

HOST_RESPONSES = (e.PipelineHostResponse, e.RunspacePoolHostResponse)
"""They precede everything else of their target: their stream is PROMPT_RESPONSE."""

#: Messages that a server sends with a zero RPID. [ref] serverremotingprotocolimplementation.cs
_SESSION_MESSAGES = (e.SessionCapability, e.PublicKeyRequest, e.EncryptedSessionKey)


class ParkedMessage(NamedTuple):
    """A received message that waits for the session key."""

    channel: Channel
    stream: Stream
    message: bytes


class PoolContext:
    """One pool as its rules see it; the arguments are those of `psrp.Pool`."""

    def __init__(
        self,
        side: Side,
        *,
        id: UUID | None,
        version: str,
        private_key: PrivateKey,
        session_key: SessionKeyBytes,
        min_runspaces: int,
        max_runspaces: int,
        channels: Channels,
    ) -> None:
        if id is None and side is Side.CLIENT:
            raise LocalProtocolError("missing id: a client names its pool")
        if number(version) < OLDEST:
            raise LocalProtocolError(f"expected a protocol version of 2.0 or later, got {version}")
        self.side = side
        self.id = id
        self.own_version = version
        self.version: str | None = None
        self.machine = pool_machine()
        self.min_runspaces = min_runspaces
        self.max_runspaces = max_runspaces
        self.application_arguments: object = None
        self.application_private_data: object = None
        self.keys = KeyExchange(side, private_key, session_key)
        self.open_requests: dict[int, e.Event] = {}
        """Requests that RUNSPACE_AVAILABILITY answers: call id -> request."""
        self.channels = channels
        self.events: deque[e.Event] = deque()
        """Events for the caller, in order."""
        self.parked_in: deque[ParkedMessage] = deque()
        self._parked_out: deque[tuple[Channel, e.Event]] = deque()
        self._parked_openers = 0

    @property
    def state(self) -> PoolState:
        """The state of the pool."""
        return self.machine.state

    @property
    def serves(self) -> bool:
        """True if we are the server."""
        return self.side is Side.SERVER

    @property
    def rpid(self) -> UUID:
        """The pool's id on the wire."""
        return self.id or ZERO_ID

    def show(self, event: e.Event) -> None:
        """Queue an event for the caller after the one that is being handled."""
        self.events.append(event)

    def set_version(self, version: str) -> None:
        """Set the negotiated version."""
        self.version = version
        self.keys.version = number(version)

    # -- our messages

    def reply(self, event: e.Event, *, new_pool: bool = True, refused: bool = False) -> None:
        """Send a message that the machine creates on its own, and change the pool's state.

        ``new_pool`` is False for the SESSION_CAPABILITY that answers a client that connects.
        """
        transition(self.machine, None, self.side, event, refused=refused).apply()
        self.queue(event, new_pool=new_pool)

    def queue(
        self, event: e.Event, channel: Channel | None = None, *, new_pool: bool = True
    ) -> None:
        """Queue a message that is known to be legal."""
        channel = channel or self.channels.pool
        self.queue_written(channel, event, self.write(channel, event, new_pool=new_pool))

    def write(self, channel: Channel, event: e.Event, *, new_pool: bool = True) -> bytes | None:
        """Return the whole message, or None if it has to wait for the session key.

        Raises LocalProtocolError for an event that cannot be written at all.
        """
        of_session = isinstance(event, _SESSION_MESSAGES)
        rpid = ZERO_ID if self.serves and of_session and new_pool else self.rpid
        wait = not of_session and (
            channel.parked_out > 0 or (self._parked_openers > 0 and type(event) in OPENERS)
        )
        version, side = self.keys.version, self.side
        try:
            message = encode(event, rpid, version=version, seal=self.keys.seal, sender=side)
        except KeyMissing:
            # Any other fault of the event has to be found now.
            encode(event, rpid, version=version, seal=_placeholder, sender=side)
            return None
        return None if wait else message

    def queue_written(self, channel: Channel, event: e.Event, message: bytes | None) -> None:
        """Queue the message that `write` returned, or park the event."""
        if message is None:
            self._parked_out.append((channel, event))
            self._parked_openers += type(event) in OPENERS
            channel.parked_out += 1
            self.request_key()
            return
        responds = isinstance(event, HOST_RESPONSES)
        stream = Stream.PROMPT_RESPONSE if responds else Stream.DEFAULT
        self.channels.add(channel, message, stream)

    # -- the session key

    def request_key(self) -> None:
        """Begin the key exchange, unless it has begun already."""
        if self.keys.requested:
            return
        self.keys.requested = True
        if self.serves:
            self.queue(e.PublicKeyRequest())
        else:
            self.queue(e.PublicKey(key=self.keys.public_key()))

    def send_parked(self) -> None:
        """Send the messages that waited for the session key, if it exists and the pool is open.

        If it does not exist, because another client has connected since, request it again.
        """
        if not self._parked_out or self.state not in (PoolState.OPENING, PoolState.OPENED):
            return
        if not (self.keys.done or self.keys.plain):
            self.request_key()
            return
        parked, self._parked_out, self._parked_openers = self._parked_out, deque(), 0
        for channel, _ in parked:
            channel.parked_out = 0
        for channel, event in parked:
            self.queue(event, channel)

    def discard_parked(self, channel: Channel | None = None) -> None:
        """Drop the messages that wait for the session key, of one channel or of all."""
        kept = deque(
            (other, event)
            for other, event in self._parked_out
            if channel is not None and other is not channel
        )
        for other, _ in self._parked_out:
            if channel is None or other is channel:
                other.parked_out = 0
        self._parked_out = kept
        self._parked_openers = sum(type(event) in OPENERS for _, event in kept)

    # -- the end

    def break_pool(self, incident: Incident, error: ErrorRecord | None = None) -> None:
        """Break the pool and its pipelines, and drop unsent messages."""
        if self.machine.incident(incident):
            self.end_pipelines(error)
        self.discard_parked()
        self.channels.clear()

    def end_pipelines(self, error: ErrorRecord | None) -> None:
        """Report FAILED for each pipeline that had not ended when its pool did."""
        for id, channel in list(self.channels.pipelines.items()):
            self.end_pipeline(channel, Incident.POOL_GONE, id, error)

    def end_pipeline(
        self, channel: Channel, incident: Incident, id: UUID, error: ErrorRecord | None
    ) -> None:
        """Report FAILED for a pipeline, if it had not ended."""
        if channel.pipeline is not None and channel.pipeline.incident(incident):
            channel.host_calls.clear()
            failed = e.InvocationState.FAILED
            self.show(e.PipelineStateMessage(pipeline_id=id, state=failed, error=error))


def _placeholder(_text: str) -> str:
    return ""
