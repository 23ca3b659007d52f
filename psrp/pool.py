"""A runspace pool with its pipelines: the machine that turns events into bytes and back.

One class plays both roles. `send` takes the events of our side, `receive_data` takes bytes,
`next_event` returns the peer's events, `data_to_send` returns the output for the carrier. The
legal order of events is defined in `psrp.states`, everything else about an event in `psrp.rules`.

The effect of a broken rule depends on the side that broke it:

* our side: LocalProtocolError, and nothing has changed;
* the peer, at a client, on a pipeline: a `Fault` event, and that pipeline has ended;
* the peer, at a client, on the pool: RemoteProtocolError, and the pool stays BROKEN;
* the peer, at a server: a `Fault` event, and pool and pipelines continue, as in PowerShell.

A late message is not a fault: messages for a pipeline that is gone, a second terminal state, and
an answer to a host call that is not open are dropped and reported as `Ignored`.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from psrp import events as e
from psrp.channels import ANY_TARGET, AnyTarget, Channels
from psrp.clixml import dumps, loads
from psrp.fragments import DEFAULT_MAX_MESSAGE, MIN_FRAGMENT
from psrp.keys import KeyMissing
from psrp.messages import Header, read_header, sender_of, type_of
from psrp.pool_context import OVER, ParkedMessage, PoolContext
from psrp.repeated_commands import RepeatedCommands
from psrp.rules import (
    OPENER_TYPES,
    PUBLIC_KEY_TYPE,
    RULES,
    Rule,
    act_failed,
    close_by_server,
    event_of_act,
    server_violation,
)
from psrp.sansio import (
    ZERO_ID,
    LimitExceeded,
    LocalProtocolError,
    MessageError,
    Outgoing,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import OPENERS, Incident, PipelinePhase, PoolState, transition

if TYPE_CHECKING:
    from uuid import UUID

    from psrp.channels import Channel
    from psrp.keys import KeyExchange, PrivateKey, SessionKeyBytes
    from psrp.records import ErrorRecord

__all__ = ["ANY_TARGET", "CLIENT_MAX_BUFFERED", "SERVER_MAX_BUFFERED", "Pool"]

CLIENT_MAX_BUFFERED = 512 << 20
SERVER_MAX_BUFFERED = 256 << 20
"""The default of ``max_buffered``; a server has many clients."""

_SESSION_CLASS = 0x00010000
_POOL_OR_PIPELINE_CLASS = 0x00060000
_NO_RULE = Rule()


class Pool:
    """One runspace pool, seen from one side. [MS-PSRP] 3.1, 3.2

    ``id`` is the RunspacePool's id (RPID); a server may omit it and takes it from the first
    message. ``version`` is the highest protocol version that we announce. ``private_key`` (client)
    and ``session_key`` (server, 32 random bytes) are for SecureStrings below version 2.4; both may
    be callables, called when the key is needed.

    Limits: ``max_message`` is for one received message in bytes, ``max_pipelines`` for the
    pipelines that a peer can open, ``max_buffered`` for the received bytes of incomplete messages
    of all targets together. ``fragment_size`` is the default room of `data_to_send` in bytes,
    header included. Raises LocalProtocolError for a client without id, for a version below 2.0,
    a session key of another size and a ``fragment_size`` below 22.
    """

    def __init__(
        self,
        side: Side,
        *,
        id: UUID | None = None,
        version: str = "2.3",
        private_key: PrivateKey = None,
        session_key: SessionKeyBytes = None,
        min_runspaces: int = 1,
        max_runspaces: int = 1,
        max_message: int = DEFAULT_MAX_MESSAGE,
        max_pipelines: int = 4096,
        max_buffered: int | None = None,
        fragment_size: int = 32768,
    ) -> None:
        if fragment_size < MIN_FRAGMENT:
            raise LocalProtocolError(
                f"expected a fragment_size of at least {MIN_FRAGMENT}, got {fragment_size}"
            )
        self._serves = side is Side.SERVER
        if max_buffered is None:
            max_buffered = SERVER_MAX_BUFFERED if self._serves else CLIENT_MAX_BUFFERED
        self._channels = Channels(
            side, max_message=max_message, max_pipelines=max_pipelines, max_buffered=max_buffered
        )
        self._commands = RepeatedCommands()
        self._context = PoolContext(
            side,
            id=id,
            version=version,
            private_key=private_key,
            session_key=session_key,
            min_runspaces=min_runspaces,
            max_runspaces=max_runspaces,
            channels=self._channels,
        )
        self.side = side
        self.fragment_size = fragment_size
        self.max_message = max_message
        if not self._serves:
            self._channels.pool.opening_act = TransportAct.CREATE_POOL
        self._machine = self._context.machine
        self._events = self._context.events
        self._call_ids = count(1)
        self._fast_kind: type[e.Event] = e.PipelineOutput if self._serves else e.PipelineInput
        self._fast_channel = self._channels.pool
        self._seal = self._context.keys.seal
        self._parked_bytes = 0
        self._error: RemoteProtocolError | None = None
        self._ready: deque[tuple[Channel, Stream | e.Event]] = deque()

    def __repr__(self) -> str:
        return f"<Pool {self.id} of the {self.side.value}, {self.state.value}>"

    # -- the state of the pool

    @property
    def id(self) -> UUID | None:
        """The RunspacePool's id; None at a server before the first message."""
        return self._context.id

    @property
    def state(self) -> PoolState:
        """The state of the pool."""
        return self._machine.state

    @property
    def own_version(self) -> str:
        """The highest protocol version that we announce."""
        return self._context.own_version

    @property
    def version(self) -> str | None:
        """The negotiated protocol version, once both capabilities are known."""
        return self._context.version

    @property
    def min_runspaces(self) -> int:
        """The agreed minimum of runspaces."""
        return self._context.min_runspaces

    @property
    def max_runspaces(self) -> int:
        """The agreed maximum of runspaces."""
        return self._context.max_runspaces

    @property
    def application_arguments(self) -> object:
        """The client's arguments in INIT_RUNSPACEPOOL (server)."""
        return self._context.application_arguments

    @property
    def application_private_data(self) -> object:
        """The server's APPLICATION_PRIVATE_DATA."""
        return self._context.application_private_data

    @property
    def keys(self) -> KeyExchange:
        """The exchange of the session key."""
        return self._context.keys

    @property
    def open_requests(self) -> dict[int, e.Event]:
        """Our requests that RUNSPACE_AVAILABILITY has not answered: call id -> request."""
        return self._context.open_requests

    @property
    def pipelines(self) -> dict[UUID, PipelinePhase]:
        """The phases of all pipelines that are not closed. See `phase` for one of them."""
        return {
            id: channel.pipeline.state
            for id, channel in self._channels.pipelines.items()
            if channel.pipeline is not None
        }

    def phase(self, pipeline_id: UUID) -> PipelinePhase | None:
        """Return the phase of a pipeline, or None for one that is closed or unknown."""
        channel = self._channels.pipelines.get(pipeline_id)
        return None if channel is None or channel.pipeline is None else channel.pipeline.state

    def new_call_id(self) -> int:
        """Return a new ``ci`` for SET_*, GET_AVAILABLE_RUNSPACES and RESET_RUNSPACE_STATE."""
        return next(self._call_ids)

    def new_host_call_id(self, pipeline_id: UUID | None = None) -> int:
        """Return a new ``ci`` for a host call with a result; they count from 1 in each target.

        Raises LocalProtocolError for an unknown pipeline.
        """
        channel = self._channels.find(pipeline_id)
        if channel is None:
            raise LocalProtocolError(f"no pipeline {pipeline_id}")
        channel.next_call_id += 1
        return channel.next_call_id - 1

    # -- sending

    def send(self, event: e.Event) -> None:
        """Send ``event``. Raises LocalProtocolError, changing nothing, if it is not legal.

        A message with a SecureString is held back until the session key exists, and so are all
        later ones for the same target.
        """
        kind = type(event)
        if kind is self._fast_kind and self._send_data(event):  # type: ignore[arg-type]
            return
        context = self._context
        channel = self._channel_for(event)
        try:
            move = transition(context.machine, channel.pipeline, self.side, event)
        except UnexpectedMessage as error:
            raise LocalProtocolError(str(error)) from None
        rule = RULES.get(kind, _NO_RULE)
        if rule.check is not None:
            rule.check(context, channel, event)
        message = context.write(channel, event) if rule.act is None else None
        move.apply()
        self._channels.register(channel)
        if rule.act is None:
            context.queue_written(channel, event, message)
        else:
            self._channels.add_act(channel, rule.act)
        if rule.sent is not None:
            rule.sent(context, channel, event)

    def _send_data(self, event: e.PipelineOutput | e.PipelineInput) -> bool:
        """Send a pipeline's data without the tables; return False if they have to decide.

        There are thousands of messages of this kind.
        """
        channel = self._fast_channel
        if channel.id is not event.pipeline_id:
            found = self._channels.pipelines.get(event.pipeline_id)
            if found is None:
                return False
            self._fast_channel = channel = found
        assert channel.pipeline is not None
        phase = channel.pipeline.state
        if (
            event.data is None
            or channel.parked_out
            or self._machine.state is not PoolState.OPENED
            or not (
                phase is PipelinePhase.READING or (phase is PipelinePhase.RUNNING and self._serves)
            )
        ):
            return False
        try:
            message = dumps(event.data, seal=self._seal, head=channel.output_prefix)
        except KeyMissing:
            return False
        self._channels.add(channel, message)
        return True

    def _channel_for(self, event: e.Event) -> Channel:
        """Return the channel of an event of ours; a new, unregistered one for an opener."""
        kind = type(event)
        pipeline_id: UUID | None = getattr(event, "pipeline_id", None)
        channel = self._channels.find(pipeline_id)
        if channel is None:
            if kind not in OPENERS or self._serves:
                raise LocalProtocolError(f"{kind.__name__}: no pipeline {pipeline_id}")
            connects = kind is e.ConnectPipeline
            channel = self._channels.new(pipeline_id, self._context.rpid, after_connect=connects)
            channel.opening_act = None if connects else TransportAct.CREATE_PIPELINE
        return channel

    def data_to_send(
        self, room: int | None = None, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        """Return the next output for the carrier, or None.

        ``room`` is the number of bytes of data at most, ``fragment_size`` by default. ``target``
        asks for one pipeline's data, or with None for the pool's; without it targets take turns.
        Within a target host responses come first, and steps of the transport after all data;
        closing or disconnecting the pool comes after everything else of all targets.

        Raises LocalProtocolError for a room that holds no fragment (22 bytes).
        """
        return self._channels.next_outgoing(self.fragment_size if room is None else room, target)

    def pending(self, target: UUID | AnyTarget | None = ANY_TARGET) -> int:
        """Return the bytes of messages that `data_to_send` has not returned, headers not counted.

        ``target`` as in `data_to_send`. Hold back output while it is large.
        """
        return self._channels.pending(target)

    def targets_to_send(self) -> tuple[UUID | None, ...]:
        """Return the targets for which `data_to_send` has something; None is the pool."""
        return self._channels.targets_to_send()

    def send_failed(self) -> None:
        """Break the pool and its pipelines: the carrier has lost data that it was given."""
        self._context.break_pool(Incident.TRANSPORT_LOST)

    def act_failed(
        self, act: TransportAct, target: UUID | None = None, error: ErrorRecord | None = None
    ) -> None:
        """Report a step that the carrier could not perform (client). Events report the effect.

        Creating or connecting the pool: the pool is BROKEN, and its pipelines have failed.
        Creating or connecting a pipeline: it has failed and is removed, so that it needs no
        ClosePipeline. A stop or a close counts as done. Disconnect: the pool is OPENED again;
        reconnect: it is DISCONNECTED. Raises LocalProtocolError at a server, and for a target
        that does not fit the act.
        """
        if self._serves:
            raise LocalProtocolError("act_failed: only clients start steps of the transport")
        event_of_act(act, target)
        event = act_failed(self._context, act, target, error)
        channel = self._channels.find(target)
        if event is not None and channel is not None:
            self._ready.append((channel, event))

    # -- receiving

    def receive_data(
        self,
        data: bytes | bytearray | memoryview,
        target: UUID | None = None,
        stream: Stream = Stream.DEFAULT,
    ) -> None:
        """Take bytes that the carrier received for ``target`` on ``stream``, cut anywhere.

        Raises LimitExceeded when the peer opens more pipelines than ``max_pipelines`` or sends
        more incomplete messages than ``max_buffered``. A client drops data that it receives for a
        pipeline that is closed.
        """
        channel = self._channels.find(target)
        if channel is None:
            if not self._serves or self._machine.state in OVER:
                return
            channel = self._channels.admit(target, self._context.rpid)
        self._channels.receive_data(channel, stream, data)
        if not self._ready or self._ready[-1] != (channel, stream):
            self._ready.append((channel, stream))

    def receive_act(self, act: TransportAct, target: UUID | None = None) -> None:
        """Take a step of the transport: the client's request, or the server's confirmation.

        Raises LocalProtocolError for a pool's act with a target and vice versa. An act for an
        unknown pipeline is dropped.
        """
        event = event_of_act(act, target)
        channel = self._channels.find(target)
        if channel is not None and event is not None:
            self._ready.append((channel, event))

    def next_event(self) -> e.Event | None:
        """Return the next event, or None until more is received.

        Raises only RemoteProtocolError, for a fault that breaks the pool; all later calls raise it
        again.
        """
        while True:
            if self._events:
                return self._events.popleft()
            if self._error is not None:
                raise self._error
            if not self._ready:
                return None
            channel, what = self._ready[0]
            if isinstance(what, Stream):
                event = self._next_message(channel, what)
            else:
                self._ready.popleft()
                event = self._apply(channel, what)
            if event is not None:
                return event

    def _next_message(self, channel: Channel, stream: Stream) -> e.Event | None:
        source = channel.incoming[stream]
        try:
            message = source.next_message()
        except RemoteProtocolError as error:
            if source.spoiled:
                self._ready.popleft()
                self._channels.recount(channel)
            return self._fault(channel, error)
        if message is None:
            self._ready.popleft()
            self._channels.recount(channel)
            return None
        if source.drained:
            self._ready.popleft()
            self._channels.took_last(channel, len(message))
        if not (self._serves or channel.parked_in) and message.startswith(channel.input_prefix):
            assert channel.pipeline is not None
            phase = channel.pipeline.state
            if phase is PipelinePhase.RUNNING or phase is PipelinePhase.READING:
                return self._receive_output(channel, stream, message)
        return self._take(channel, stream, message)

    def _receive_output(self, channel: Channel, stream: Stream, message: bytes) -> e.Event | None:
        """Read PIPELINE_OUTPUT at a client without the tables: by far the most frequent message."""
        try:
            # Avoid slicing a large message: a second copy needs fresh memory, which is slow.
            body = message[43:] if len(message) < 65536 else memoryview(message)[43:]
            value = loads(body, unseal=self._context.keys.opener)
        except KeyMissing:
            return self._park(channel, stream, message)
        except RemoteProtocolError as error:
            return self._fault(channel, error)
        if value is None:
            return self._take(channel, stream, message)
        assert channel.id is not None
        return e.PipelineOutput(pipeline_id=channel.id, data=value)

    def _take(self, channel: Channel, stream: Stream, message: bytes) -> e.Event | None:
        """Read one whole message, apply it and return the event to report."""
        if self._has_to_wait(channel, message):
            return self._park(channel, stream, message)
        keys = self._context.keys
        try:
            header = read_header(message, self.side)
            reason = self._undeliverable(channel, header)
            if reason is not None:
                return _ignored(header, reason)
            if header.pid != channel.id:
                channel = self._route(header)
            kind, pid = header.message_type, header.pid
            event = self._commands.decode_body(
                kind, pid, message[40:], version=keys.version, unseal=keys.opener
            )
        except KeyMissing:
            return self._park(channel, stream, message)
        except RemoteProtocolError as error:
            if self._serves and self.state is PoolState.BEFORE_OPEN:
                self._machine.incident(Incident.RULE_BROKEN)
            return self._fault(channel, error)
        return self._apply(channel, event)

    def _undeliverable(self, channel: Channel, header: Header) -> str | None:
        """Return why real peers drop a message unread, or None. Raises MessageError for a fault."""
        context = self._context
        if self._serves and self.state in OVER:
            return f"the pool is {self.state.value}"
        if sender_of(header.message_type) is self.side:
            return f"only a {self.side.value} sends it"
        if context.id is None:
            context.id = header.rpid
        of_new_session = header.rpid == ZERO_ID and header.message_type & _SESSION_CLASS
        if header.rpid != context.id and (self._serves or not of_new_session):
            if self._serves:
                close_by_server(context)
            elif channel.id is None:
                return "its RPID is not this pool's"
            raise MessageError("RPID", f"{header.rpid} is not this pool's", "RPID")
        if header.pid != channel.id:
            if not self._serves:
                return "its PID is not that of its packet"
            if channel.id is not None:
                raise MessageError("PID", f"{header.pid} is not that of its packet", "PID")
        return None

    def _route(self, header: Header) -> Channel:
        """Return the pipeline's channel of a message that a server received on the pool's."""
        channel = self._channels.find(header.pid)
        if channel is None:
            opens = header.message_type in OPENER_TYPES
            make = self._channels.admit if opens else self._channels.new
            channel = make(header.pid, self._context.rpid)
        return channel

    def _apply(self, channel: Channel, event: e.Event) -> e.Event | None:
        """Apply a message or a step of the peer and return the event to report.

        A local error in here was caused by the peer: this is the only place that converts it into a
        remote error.
        """
        try:
            shown = self._react(channel, event)
        except LocalProtocolError as error:
            name = type(event).__name__
            return self._fault(channel, RemoteProtocolError(f"cannot answer {name}: {error}"))
        except RemoteProtocolError as error:
            if self._error is not None:
                raise
            return self._fault(channel, error)
        if self._context.parked_in and (self.keys.done or self.keys.plain):
            self._take_parked()
        return shown

    def _react(self, channel: Channel, event: e.Event) -> e.Event | None:
        context = self._context
        if isinstance(event, e.UnknownMessage):
            # Real clients break on an unknown type of the session class.
            if self._serves or event.message_type & _POOL_OR_PIPELINE_CLASS:
                return event
            name = f"message type 0x{event.message_type:08X}"
            return self._fault(self._channels.pool, MessageError(name, "not known to a session"))
        rule = RULES.get(type(event), _NO_RULE)
        try:
            move = transition(context.machine, channel.pipeline, self.side.peer, event, late=True)
        except UnexpectedMessage as error:
            return self._unexpected(channel, event, error)
        if rule.accept is not None:
            rule.accept(context, channel, event)
        move.apply()
        return event if rule.react is None else rule.react(context, channel, event)

    def _unexpected(self, channel: Channel, event: e.Event, error: UnexpectedMessage) -> e.Event:
        """Return the event that reports a legal message at the wrong time."""
        if channel.pipeline is not None:
            if channel.pipeline.state is PipelinePhase.NOT_STARTED:
                self._channels.forget(channel)
            return e.Ignored(message_type=type_of(event), pipeline_id=channel.id, reason=str(error))
        if self._serves:
            return server_violation(self._context, event, error)
        return self._fault(channel, error)

    def _fault(self, channel: Channel, error: RemoteProtocolError) -> e.Event:
        """Apply the effect of a broken rule (see the top of this file) and return the `Fault`."""
        if self._serves:
            answered = self.state is PoolState.CLOSED
            return e.Fault(pipeline_id=channel.id, error=error, answered=answered)
        if channel.pipeline is None:
            self._error = error
            self._context.break_pool(Incident.RULE_BROKEN)
            raise error
        if channel.pipeline.incident(Incident.RULE_BROKEN):
            channel.host_calls.clear()
        return e.Fault(pipeline_id=channel.id, error=error)

    # -- received messages that wait for the session key

    def _has_to_wait(self, channel: Channel, message: bytes) -> bool:
        """Return whether a message has to be queued after one that waits for the session key."""
        if not self._context.parked_in:
            return False
        if self._serves:
            # A real server does nothing else until it has sent the key.
            return message[4:8] != PUBLIC_KEY_TYPE
        return channel.parked_in > 0

    def _park(self, channel: Channel, stream: Stream, message: bytes) -> e.Event | None:
        size = self._parked_bytes + len(message)
        if size > self.max_message:
            what = "messages that wait for the session key"
            return self._fault(channel, LimitExceeded(what, size, self.max_message))
        self._parked_bytes = size
        self._context.parked_in.append(ParkedMessage(channel, stream, message))
        channel.parked_in += 1
        self._context.request_key()
        return None

    def _take_parked(self) -> None:
        """Read the messages that waited for the session key, in the order of their arrival."""
        parked = list(self._context.parked_in)
        self._context.parked_in.clear()
        self._parked_bytes = 0
        for each in parked:
            each.channel.parked_in = 0
        for channel, stream, message in parked:
            try:
                event = self._take(channel, stream, message)
            except RemoteProtocolError:
                # The pool is broken; `next_event` raises the error when it gets there.
                return
            if event is not None:
                self._events.append(event)


def _ignored(header: Header, reason: str) -> e.Ignored:
    return e.Ignored(message_type=header.message_type, pipeline_id=header.pid, reason=reason)
