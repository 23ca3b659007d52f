"""A runspace pool with its pipelines: the machine that turns events into bytes and back.

One class plays both roles. `send` takes what we want to happen, `receive_data` what came,
`next_event` tells what it meant, `data_to_send` gives what the carrier has to move. What may
follow what is in `psrp.states`; what follows of itself (an answer that only the machine can
know, such as the negotiated version) is in `psrp.duties`.

Whose fault it is decides what a broken rule costs:

* ours: LocalProtocolError, and the machine stands where it stood;
* the peer's, client side, on a pipeline: a `Fault` event, and that pipeline has ended;
* the peer's, client side, on the pool: RemoteProtocolError, and the machine is BROKEN for good;
* the peer's, server side: a `Fault` event, and pool and pipelines live on, as PowerShell's do.

Lateness is no fault: messages for a pipeline that is gone, a second terminal state, an answer
to a host call that nobody waits for are dropped and shown as `Ignored`.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

from psrp import duties
from psrp import events as e
from psrp.clixml import dumps, loads
from psrp.exchange import KeyExchange, KeyMissing
from psrp.fragments import DEFAULT_MAX_MESSAGE
from psrp.messages import Header, decode_body, encode, read_header, sender_of, type_of
from psrp.sansio import (
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
from psrp.states import BIRTHS, PipelinePhase, PoolState, next_states
from psrp.targets import Targets
from psrp.versions import number

if TYPE_CHECKING:
    from psrp.exchange import PrivateKey, SessionKeyBytes
    from psrp.lines import Line
    from psrp.records import ErrorRecord

__all__ = ["Pool"]

_ZERO = UUID(int=0)
_OVER = (PoolState.CLOSED, PoolState.BROKEN)

#: Messages that a server sends with a zero RPID. [ref] serverremotingprotocolimplementation.cs
_SESSION_KINDS = (e.SessionCapability, e.PublicKeyRequest, e.EncryptedSessionKey)
_SESSION_CLASS = 0x00010000
_RESPONSES = (e.PipelineHostResponse, e.RunspacePoolHostResponse)


class Pool:
    """One runspace pool, seen from one side. [MS-PSRP] 3.1, 3.2

    ``id`` is the RunspacePool's id (RPID); a server may leave it out and learns it from the
    first message. ``version`` is the highest protocol version we speak. ``private_key`` (client)
    and ``session_key`` (server, 32 random bytes) serve SecureStrings below version 2.4, and may
    be callables that make them when they are needed. ``max_message`` limits one received message
    in bytes, ``max_pipelines`` how many targets a peer can open. ``fragment_size`` is the default
    room of `data_to_send`, header included. Raises LocalProtocolError for a client without id
    and for a version below 2.0.
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
        fragment_size: int = 32768,
    ) -> None:
        if id is None and side is Side.CLIENT:
            raise LocalProtocolError("a client names its pool: id is missing")
        if number(version) < (2, 0):
            raise LocalProtocolError(f"{version!r} is no protocol version")
        self.side = side
        self.id = id
        self.own_version = version
        self.version: str | None = None
        """The negotiated protocol version, once both capabilities are known."""
        self.state = PoolState.BEFORE_OPEN
        self.min_runspaces = min_runspaces
        self.max_runspaces = max_runspaces
        self.application_arguments: object = None
        self.application_private_data: object = None
        self.exchange = KeyExchange(side, private_key, session_key)
        self.questions: dict[int, e.Event] = {}
        """What waits for RUNSPACE_AVAILABILITY: call id -> the question."""
        self.fragment_size = fragment_size
        self.max_message = max_message
        self.targets = Targets(side, max_message, max_pipelines)
        self.targets.pool.birth = TransportAct.CREATE_POOL if side is Side.CLIENT else None
        self._call_ids = count(1)
        self._serves = side is Side.SERVER
        self._bulk: type[e.Event] = e.PipelineOutput if self._serves else e.PipelineInput
        self._bulk_line = self.targets.pool
        self._seal = self.exchange.seal
        self._unseal = self.exchange.opener
        self._parked = 0
        self._error: RemoteProtocolError | None = None
        self._events: deque[e.Event] = deque()
        self._ready: deque[tuple[Line, Stream | e.Event]] = deque()

    def __repr__(self) -> str:
        return f"<Pool {self.id} of the {self.side.value}, {self.state.value}>"

    @property
    def pipelines(self) -> dict[UUID, PipelinePhase]:
        """The pipelines that are not closed, and where each is."""
        return {id: line.state for id, line in self.targets.pipelines.items()}

    def new_call_id(self) -> int:
        """A fresh ``ci`` for SET_*, GET_AVAILABLE_RUNSPACES and RESET_RUNSPACE_STATE."""
        return next(self._call_ids)

    def new_host_call_id(self, pipeline_id: UUID | None = None) -> int:
        """A fresh ``ci`` for a host call that wants an answer; they count from 1 in each target.

        Raises LocalProtocolError for a pipeline that is not there.
        """
        line = self.targets.find(pipeline_id)
        if line is None:
            raise LocalProtocolError(f"there is no pipeline {pipeline_id}")
        line.next_call += 1
        return line.next_call - 1

    # -- out

    def send(self, event: e.Event) -> None:
        """Have ``event`` happen. Raises LocalProtocolError, changing nothing, if it may not.

        A message with a SecureString waits whole until the session key is there, and what
        follows it for the same target waits behind it.
        """
        kind = type(event)
        if kind is self._bulk and self._send_bulk(event):  # type: ignore[arg-type]
            return
        line = self._line_for(event)
        try:
            states = next_states(self.state, line.phase, self.side, event)
        except UnexpectedMessage as error:
            raise LocalProtocolError(str(error)) from None
        check = duties.CHECKS.get(kind)
        if check is not None:
            check(self, line, event)
        act = duties.ACTS.get(kind)
        message = None if act is not None else self._written(line, event)
        self.state, line.phase = states
        self.targets.know(line)
        if act is not None:
            self.targets.act(line, act)
        else:
            self._queue(line, event, message)
        done = duties.SENT.get(kind)
        if done is not None:
            done(self, line, event)

    def _send_bulk(self, event: e.PipelineOutput | e.PipelineInput) -> bool:
        """The short way for the one kind of message that comes by the thousand."""
        line = self._bulk_line
        if line.id is not event.pipeline_id:
            found = self.targets.pipelines.get(event.pipeline_id)
            if found is None:
                return False
            self._bulk_line = line = found
        state = line.state
        if (
            event.data is None
            or line.parked_out
            or self.state is not PoolState.OPENED
            or not (
                state is PipelinePhase.READING or (state is PipelinePhase.RUNNING and self._serves)
            )
        ):
            return False
        try:
            message = dumps(event.data, seal=self._seal, head=line.bulk_out)
        except KeyMissing:
            return False
        self.targets.add(line, message)
        return True

    def _line_for(self, event: e.Event) -> Line:
        """The line of an event of ours; a new one, not yet known, for a pipeline's first."""
        kind = type(event)
        pipeline_id: UUID | None = getattr(event, "pipeline_id", None)
        line = self.targets.find(pipeline_id)
        if line is None:
            if kind not in BIRTHS or self._serves:
                raise LocalProtocolError(f"{kind.__name__}: there is no pipeline {pipeline_id}")
            connects = kind is e.ConnectPipeline
            line = self.targets.new(pipeline_id, self._rpid, after_connect=connects)
            line.birth = None if connects else TransportAct.CREATE_PIPELINE
        return line

    def data_to_send(self, room: int | None = None) -> Outgoing | None:
        """What the carrier has to move or do next, ``room`` bytes of data at most, or None.

        Targets take turns. Within a target host responses come first, and steps of the carrier
        after all data; closing or leaving the pool comes after everything else. Raises
        LocalProtocolError for a room that holds no fragment (22 bytes).
        """
        return self.targets.next_outgoing(self.fragment_size if room is None else room)

    def send_failed(self) -> None:
        """The carrier lost what it was given: the pool is broken, and its pipelines with it."""
        if self.state not in _OVER:
            self.state = PoolState.BROKEN
            self.fail_pipelines(None)
        self.targets.clear()

    # -- in

    def receive_data(
        self,
        data: bytes | bytearray | memoryview,
        target: UUID | None = None,
        stream: Stream = Stream.DEFAULT,
    ) -> None:
        """Bytes that the carrier brought for ``target`` on ``stream``, cut anywhere.

        Raises LimitExceeded when the peer opens more targets than ``max_pipelines``. A client
        drops what comes for a pipeline that it has forgotten.
        """
        line = self.targets.find(target)
        if line is None:
            if not self._serves or self.state in _OVER:
                return
            line = self.targets.admit(target, self._rpid)
        line.incoming[stream].receive_data(data)
        if not self._ready or self._ready[-1] != (line, stream):
            self._ready.append((line, stream))

    def receive_act(self, act: TransportAct, target: UUID | None = None) -> None:
        """A step of the carrier: the client's wish, or the server's word that it is done.

        Raises LocalProtocolError for a pool's act with a target and the other way round. An
        act for a pipeline that is not there is dropped.
        """
        event = duties.received_act(act, target)
        line = self.targets.find(target)
        if line is not None and event is not None:
            self._ready.append((line, event))

    def next_event(self) -> e.Event | None:
        """The next event, or None until more has come. Raises RemoteProtocolError, and only that.

        After an error that breaks the pool every later call raises it again.
        """
        while True:
            if self._events:
                return self._events.popleft()
            if self._error is not None:
                raise self._error
            if not self._ready:
                return None
            line, what = self._ready[0]
            if isinstance(what, Stream):
                event = self._next_message(line, what)
            else:
                self._ready.popleft()
                event = self._apply(line, what)
            if event is not None:
                return event

    def _next_message(self, line: Line, stream: Stream) -> e.Event | None:
        source = line.incoming[stream]
        try:
            message = source.next_message()
        except RemoteProtocolError as error:
            if source.spoiled:
                self._ready.popleft()
            return self._fault(line, error)
        if message is None:
            self._ready.popleft()
            return None
        if not (self._serves or line.parked_in) and message.startswith(line.bulk_in):
            state = line.state
            if state is PipelinePhase.RUNNING or state is PipelinePhase.READING:
                return self._bulk_in(line, stream, message)
        return self._take(line, stream, message)

    def _bulk_in(self, line: Line, stream: Stream, message: bytes) -> e.Event | None:
        """The short way for PIPELINE_OUTPUT at a client: by far the most messages."""
        try:
            # A slice of something large is a second one, and fresh memory is slow.
            body = message[43:] if len(message) < 65536 else memoryview(message)[43:]
            value = loads(body, unseal=self._unseal)
        except KeyMissing:
            return self._park(line, stream, message)
        except RemoteProtocolError as error:
            return self._fault(line, error)
        if value is None:
            return self._take(line, stream, message)
        assert line.id is not None
        return e.PipelineOutput(pipeline_id=line.id, data=value)

    def _take(self, line: Line, stream: Stream, message: bytes) -> e.Event | None:
        """One whole message: whether it is for us, what it says, and what that does."""
        if self._waits(line, message):
            return self._park(line, stream, message)
        try:
            header = read_header(message, self.side)
            reason = self._undeliverable(line, header)
            if reason is not None:
                return _ignored(header, reason)
            if header.pid != line.id:
                line = self._route(header)
            kind, pid = header.message_type, header.pid
            version = self.exchange.version
            event = decode_body(kind, pid, message[40:], version=version, unseal=self._unseal)
            return self._apply(line, event)
        except KeyMissing:
            return self._park(line, stream, message)
        except RemoteProtocolError as error:
            if self._serves and self.state is PoolState.BEFORE_OPEN:
                self.state = PoolState.BROKEN
            return self._fault(line, error)

    def _undeliverable(self, line: Line, header: Header) -> str | None:
        """Why real peers drop a message before they read its body; errors where they object."""
        if self._serves and self.state in _OVER:
            return f"the pool is {self.state.value}"
        if sender_of(header.message_type) is self.side:
            return f"only a {self.side.value} sends it"
        if self.id is None:
            self.id = header.rpid
        zero = header.rpid == _ZERO and header.message_type & _SESSION_CLASS
        if header.rpid != self.id and (self._serves or not zero):
            if self._serves:
                duties.shut(self)
            elif line.id is None:
                return "its RPID is not this pool's"
            raise MessageError("RPID", f"{header.rpid} is not this pool's", "RPID")
        if header.pid != line.id:
            if not self._serves:
                return "its PID is not the one of its packet"
            if line.id is not None:
                raise MessageError("PID", f"{header.pid} is not the one of its packet", "PID")
        return None

    def _route(self, header: Header) -> Line:
        """A server takes a pipeline's message on the pool's stream as well."""
        line = self.targets.find(header.pid)
        if line is None:
            born = header.message_type in duties.BIRTH_TYPES
            line = (self.targets.admit if born else self.targets.new)(header.pid, self._rpid)
        return line

    def _apply(self, line: Line, event: e.Event) -> e.Event | None:
        """Let a message or a step of the peer turn the automata, and do what it asks for."""
        kind = type(event)
        if isinstance(event, e.UnknownMessage):
            # Real clients break on a type of the session class that they do not know.
            if self._serves or event.message_type & 0x00060000:
                return event
            what = f"message type 0x{event.message_type:08X}"
            return self._fault(self.targets.pool, MessageError(what, "not known to a session"))
        judge = duties.BEFORE.get(kind)
        try:
            states = next_states(self.state, line.phase, self.side.peer, event, late=True)
            if judge is not None:
                judge(self, line, event)
        except UnexpectedMessage as error:
            return self._unexpected(line, event, error)
        self.state, line.phase = states
        react = duties.RECEIVED.get(kind)
        return event if react is None else react(self, line, event)

    def _unexpected(self, line: Line, event: e.Event, error: UnexpectedMessage) -> e.Event:
        """A good message at the wrong time: what it costs depends on whom it came to."""
        if line.id is not None:
            if line.state is PipelinePhase.NOT_STARTED:
                self.targets.forget(line)
            return e.Ignored(message_type=type_of(event), pipeline_id=line.id, reason=str(error))
        if self._serves:
            return duties.server_unexpected(self, event, error)
        return self._fault(line, error)

    def _fault(self, line: Line, error: RemoteProtocolError) -> e.Event:
        """What a broken rule costs: see the top of this file."""
        if self._serves:
            shut = self.state is PoolState.CLOSED
            return e.Fault(pipeline_id=line.id, error=error, answered=shut)
        if line.id is None:
            self._error = error
            self.state = PoolState.BROKEN
            self.fail_pipelines(None)
            self.targets.clear()
            raise error
        line.end()
        return e.Fault(pipeline_id=line.id, error=error)

    def fail_pipelines(self, error: ErrorRecord | None) -> None:
        """The pool is gone under its pipelines: each that ran reports FAILED by itself."""
        for id in self.targets.end_all():
            failed = e.InvocationState.FAILED
            self.tell(e.PipelineStateMessage(pipeline_id=id, state=failed, error=error))

    # -- what waits for the session key

    def _waits(self, line: Line, message: bytes) -> bool:
        """Whether a message has to stay behind one that waits for the session key."""
        if not self._parked:
            return False
        if self._serves:
            # A real server does nothing else until the key has come.
            return message[4:8] != duties.PUBLIC_KEY_TYPE
        return bool(line.parked_in)

    def _park(self, line: Line, stream: Stream, message: bytes) -> e.Event | None:
        self._parked += len(message)
        if self._parked > self.max_message:
            what = "messages that wait for the session key"
            return self._fault(line, LimitExceeded(what, self._parked, self.max_message))
        line.parked_in.append((stream, message))
        self._ask_for_key()
        return None

    def _ask_for_key(self) -> None:
        if self.exchange.asked:
            return
        self.exchange.asked = True
        if self._serves:
            self.say(e.PublicKeyRequest())
        else:
            self.say(e.PublicKey(key=self.exchange.public_key()))

    def key_has_come(self) -> None:
        """Write what waited for the session key, and read what waited for it."""
        self._unseal = self.exchange.opener
        self._parked = 0
        for line in self.targets:
            waiting, line.parked_out = line.parked_out, []
            for event in waiting:
                self.say(event, line)
            waited, line.parked_in = line.parked_in, deque()
            taken = (self._take(line, stream, message) for stream, message in waited)
            self._events.extend(event for event in taken if event is not None)

    # -- what psrp.duties turns

    @property
    def _rpid(self) -> UUID:
        return self.id or _ZERO

    def negotiated(self, version: str) -> None:
        """Both capabilities are known."""
        self.version = version
        self.exchange.version = number(version)
        self._unseal = self.exchange.opener

    def say(self, event: e.Event, line: Line | None = None, *, new_pool: bool = True) -> None:
        """Queue a message without asking the tables: it was legal when it was decided."""
        line = line or self.targets.pool
        self._queue(line, event, self._written(line, event, new_pool=new_pool))

    def tell(self, event: e.Event) -> None:
        """Show an event behind the one that is being handled."""
        self._events.append(event)

    def _written(self, line: Line, event: e.Event, *, new_pool: bool = True) -> bytes | None:
        """The whole message, or None when it has to wait for the session key."""
        session_kind = isinstance(event, _SESSION_KINDS)
        if line.parked_out and not session_kind:
            return None
        zero = self._serves and session_kind and new_pool
        rpid = _ZERO if zero else self._rpid
        try:
            version = self.exchange.version
            return encode(event, rpid, version=version, seal=self._seal, sender=self.side)
        except KeyMissing:
            return None

    def _queue(self, line: Line, event: e.Event, message: bytes | None) -> None:
        if message is None:
            line.parked_out.append(event)
            self._ask_for_key()
        else:
            stream = Stream.PROMPT_RESPONSE if isinstance(event, _RESPONSES) else Stream.DEFAULT
            self.targets.add(line, message, stream)


def _ignored(header: Header, reason: str) -> e.Ignored:
    return e.Ignored(message_type=header.message_type, pipeline_id=header.pid, reason=reason)
