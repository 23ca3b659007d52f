"""The client machine of a PowerShell shell.

Bytes, acts and the time go in; requests and events come out. The driver makes the requests in
the order in which it gets them, on connections of its choice, without waiting for one before the
next. Each target (the pool and each command) has at most one Send and one Receive outstanding.

* The pool's Receive begins after Create; a command's Receive begins after the server has
  acknowledged the command and the data queued by then (the rest of CREATE_PIPELINE) was sent.
* Time-out faults, and empty answers with the state Running, are followed by another Receive.
* A lost Receive, Signal, Delete or Reconnect is repeated up to the retry limit. Create, Command
  and Send are repeated only if the request cannot have reached the server.
* A failed Receive of a command loses the command; a failed Receive of the pool loses the pool.
* Every command that was started is terminated, and every shell that was created is deleted.

[MS-WSMV] 3.1.4.5 to 3.1.4.14, [MS-PSRP] 3.1.5.3
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from psrp.sansio import LocalProtocolError, Outgoing, Stream, TransportAct
from wsman import client_events as ev
from wsman import names, soap, xpress
from wsman import shell_values as v
from wsman.fragment_order import SeenIds
from wsman.requests import LARGE_ENVELOPE, Request, Requests, ShellConfig
from wsman.shell_answers import Answers
from wsman.shell_targets import STREAM_NAMES, Attempt, Phase, Step, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from wsman.errors import TransportFailure, WSManError

__all__ = ["Shell"]

TERMINATE_WAIT = 0.5
"""Seconds until a command that is terminated without an outstanding Receive gets one."""
POOL_PAUSE = 1.0
"""Seconds after the opening in which the pool's Receive leaves its connection to commands."""
_OPENS = {TransportAct.CREATE_POOL, TransportAct.CONNECT}
KEEP_ALIVE = soap.Option(name="WSMAN_CMDSHELL_OPTION_KEEPALIVE", value="TRUE")


class Shell:
    """One shell of a client. ``new_id`` makes the ids of messages."""

    def __init__(self, config: ShellConfig, *, new_id: Callable[[], UUID]) -> None:
        self.config = config
        self.requests = Requests(config, new_id)
        self._seen = SeenIds()
        self.pool = Target(None, self._seen)
        self.commands: dict[UUID, Target] = {}
        self.idle_timeout = config.idle_timeout
        """Seconds that Disconnect asks for; None for the shell's own time."""
        self.buffer_mode = config.buffer_mode
        """The BufferMode that Disconnect asks for: Block, Drop, or empty for the server's."""
        self.disconnect = Step.NO
        self.reconnect = Step.NO
        self.over = False
        self._answers = Answers(self)
        self._outstanding: dict[int, tuple[Attempt, Request]] = {}
        self._waiting: list[tuple[float, Attempt]] = []
        self._touched: deque[Target] = deque()
        self._events: deque[object] = deque()

    # -- the user's side

    def room(self, target: UUID | None) -> int:
        """Return how many bytes one `Outgoing` of ``target`` may hold now; 0 if the queue is full.

        An unknown target is a command that is about to be created.
        """
        found = self._find(target)
        room = self.requests.room if found is None else found.space(self.requests.room)
        if found is not None and not room:
            found.starved = True
        return room

    def send(self, out: Outgoing) -> None:
        """Take the output of the pool machine. Raises LocalProtocolError.

        Bytes and acts for a command that has ended are dropped: that is a race, not a mistake.
        """
        if self.over:
            raise LocalProtocolError("the shell is over")
        target = self._find(out.target)
        if out.act is TransportAct.CREATE_PIPELINE or (
            out.act is TransportAct.CONNECT and out.target is not None
        ):
            target = self._new_command(out)
        elif out.act in _OPENS:
            self._open(out)
        elif target is None:
            if out.act in (TransportAct.STOP_PIPELINE, TransportAct.CLOSE_PIPELINE):
                self.tell(ev.ActDone(act=out.act, target=out.target))
            return
        elif out.act is None:
            if target.close is Step.NO and target.stop is Step.NO:
                target.put(out.stream, out.data, self.requests.room)
                self._receive_now(target)
        else:
            self._act(out.act, target)
        self.touch(target or self.pool)

    def hold(self, target: UUID | None) -> None:
        """Make no further Receive of ``target``, because its output is not read."""
        if (found := self._find(target)) is not None:
            found.held = True

    def release(self, target: UUID | None) -> None:
        if (found := self._find(target)) is not None:
            found.held = False
            self.touch(found)

    def poll_pool(self, now: float, *, soon: bool) -> None:
        """Make the pool's next Receive at once if a message of the pool is expected ``soon``.

        Otherwise, as after the opening, it is made a little later: a short session then needs no
        connection for it.
        """
        if soon:
            self._receive_now(self.pool)
        else:
            self.pool.quiet_until = now + POOL_PAUSE

    def use_large_envelopes(self) -> None:
        """Allow requests of 500 KB: the server's protocol version is 2.2 or later."""
        self.requests.max_envelope_size = max(self.requests.max_envelope_size, LARGE_ENVELOPE)

    def _receive_now(self, target: Target) -> None:
        """Make a delayed Receive of ``target`` at once, because an answer is expected."""
        target.quiet_until = 0.0
        for index, (_, attempt) in enumerate(self._waiting):
            if attempt.kind == "Receive" and attempt.target is target and not attempt.tries:
                self._waiting[index] = float("-inf"), attempt

    # -- requests and answers

    def next_request(self, now: float) -> Request | None:
        """Return the next request to make at once, or None."""
        for index, (due, attempt) in enumerate(self._waiting):
            if due <= now:
                del self._waiting[index]
                if self._wanted(attempt):
                    return self._request(attempt, now)
                self._answers.withdraw(attempt)
                return self.next_request(now)
        while self._touched and not self.over:
            target = self._touched[0]
            planned = self._plan(target, now)
            if planned is not None:
                return self._request(planned, now)
            self._touched.popleft()
        return None

    @property
    def next_time(self) -> float | None:
        """The time of the earliest delayed request, or None."""
        return min((due for due, _ in self._waiting), default=None)

    def receive_answer(self, number: int, status: int, bodies: Sequence[bytes], now: float) -> None:
        """Take the answer of a request: the HTTP status and the envelopes of its body."""
        attempt, request = self._outstanding.pop(number)
        self._answers.take(attempt, request, status, bodies, now)

    def receive_failure(self, number: int, failure: TransportFailure, now: float) -> None:
        """Handle a request that got no answer."""
        attempt, _request = self._outstanding.pop(number)
        self._answers.fail(attempt, failure, now)

    def is_wanted(self, number: int) -> bool:
        """Return whether a request is still needed; false for a Receive of a closed command."""
        found = self._outstanding.get(number)
        return found is not None and self._wanted(found[0])

    def withdraw(self, number: int) -> None:
        """Forget a request that was not made."""
        attempt, _request = self._outstanding.pop(number)
        self._answers.withdraw(attempt)

    @property
    def outstanding(self) -> tuple[Request, ...]:
        return tuple(request for _, request in self._outstanding.values())

    @property
    def has_events(self) -> bool:
        return bool(self._events)

    def next_event(self) -> object | None:
        return self._events.popleft() if self._events else None

    # -- acts

    def _find(self, target: UUID | None) -> Target | None:
        return self.pool if target is None else self.commands.get(target)

    def _open(self, out: Outgoing) -> None:
        if self.pool.phase is not Phase.NEW or self.pool.first:
            raise LocalProtocolError(f"cannot {out.act and out.act.value}: the shell is open")
        self.pool.connects = out.act is TransportAct.CONNECT
        self.pool.phase = Phase.STARTING
        self._fill(self.pool, out.data)
        kind = "Connect" if self.pool.connects else "Create"
        value: object = (
            v.Connect(connect_xml=self.pool.first, buffer_mode=self.config.buffer_mode)
            if self.pool.connects
            else v.Create(
                shell_id=self.config.shell_id,
                name=self.config.name,
                idle_timeout=self.config.idle_timeout,
                creation_xml=self.pool.first,
            )
        )
        self._waiting.append((float("-inf"), Attempt(kind, self.pool, value)))

    def _new_command(self, out: Outgoing) -> Target:
        assert out.target is not None
        if out.target in self.commands:
            raise LocalProtocolError(f"there is a command {out.target} already")
        if self.pool.close is not Step.NO:
            raise LocalProtocolError("the shell is closing")
        target = self.commands[out.target] = Target(out.target, self._seen)
        target.connects = out.act is TransportAct.CONNECT
        self._fill(target, out.data)
        return target

    def _fill(self, target: Target, data: bytes) -> None:
        """Put what fits into the opening request; the rest is sent after it."""
        room = self.requests.room
        target.first = data[:room]
        if len(data) > room:
            target.put(Stream.DEFAULT, data[room:], room)

    def _act(self, act: TransportAct, target: Target) -> None:
        if act is TransportAct.STOP_PIPELINE and target.stop is Step.NO:
            target.stop = Step.WANTED
            target.drop()
        elif act is TransportAct.CLOSE_PIPELINE and target.close is Step.NO:
            self.close_command(target)
        elif act is TransportAct.CLOSE_POOL and self.pool.close is Step.NO:
            self.pool.close = Step.WANTED
            self.pool.drop()
            for command in self.commands.values():
                if command.close is Step.NO:
                    self.close_command(command)
                self.touch(command)
            if self.pool.phase is Phase.NEW:
                self.tell(ev.ActDone(act=act))
                self.end(None)
        elif act is TransportAct.DISCONNECT:
            self.disconnect, self.reconnect = Step.WANTED, Step.NO
        elif act is TransportAct.RECONNECT:
            if self.pool.phase is not Phase.SUSPENDED:
                raise LocalProtocolError("cannot reconnect: the shell is not disconnected")
            self.disconnect, self.reconnect = Step.NO, Step.WANTED
            self.pool.phase = Phase.RESUMING

    def close_command(self, target: Target) -> None:
        target.close = Step.WANTED
        target.drains = target.held or target.receiving
        target.held = False
        target.drop()

    # -- plans

    def touch(self, target: Target) -> None:
        """Schedule a check of the target for a next request."""
        if target not in self._touched:
            self._touched.append(target)

    def tell(self, event: object) -> None:
        self._events.append(event)

    def end(self, error: WSManError | None) -> None:
        """End the machine and report it once."""
        if not self.over:
            self.over = True
            self._touched.clear()
            self._waiting.clear()
            self.tell(ev.Lost(error=error))

    def wait(self, attempt: Attempt, until: float) -> None:
        """Repeat the request of ``attempt`` at a later time."""
        self._waiting.append((until, attempt))

    def drop_waiting(self, target: Target) -> None:
        """Forget the delayed Receives of a target."""

        def is_late(attempt: Attempt) -> bool:
            return attempt.kind == "Receive" and attempt.target is target

        kept = [each for each in self._waiting if not is_late(each[1])]
        if len(kept) < len(self._waiting):
            self._waiting = kept
            target.receiving = False

    def _wanted(self, attempt: Attempt) -> bool:
        target = attempt.target
        if attempt.kind == "Send":
            return target.close is Step.NO and target.stop is Step.NO
        if attempt.kind != "Receive":
            return True
        open_still = target.phase is Phase.OPEN and not target.done
        return open_still and target.close is not Step.DONE

    def _plan(self, target: Target, now: float) -> Attempt | None:
        plans = self._pool_plans if target.id is None else self._command_plans
        return next(plans(target, now), None)

    def _pool_plans(self, pool: Target, now: float) -> Iterator[Attempt]:
        if pool.phase is Phase.RESUMING and self.reconnect is Step.WANTED:
            self.reconnect = Step.SENT
            yield Attempt("Reconnect", pool, v.Reconnect(buffer_mode=self.config.buffer_mode))
        if pool.phase is Phase.SUSPENDED and pool.close is Step.WANTED:
            pool.close = Step.SENT
            yield Attempt("Delete", pool, v.Delete())
        if pool.phase is not Phase.OPEN:
            return
        if self.disconnect is Step.WANTED and not self._busy_sending:
            self.disconnect = Step.SENT
            value = v.Disconnect(idle_timeout=self.idle_timeout, buffer_mode=self.buffer_mode)
            yield Attempt("Disconnect", pool, value)
        if pool.close is Step.WANTED and all(
            command.close is Step.DONE or not command.alive for command in self.commands.values()
        ):
            pool.close = Step.SENT
            yield Attempt("Delete", pool, v.Delete())
        yield from self._transfers(pool, now)

    @property
    def _busy_sending(self) -> bool:
        """True while a Command, Send or terminate is unanswered: Disconnect has to wait for it."""
        starting = (Phase.NEW, Phase.STARTING)
        return any(
            each.sending
            or each.queued
            or (each.id and (each.close in (Step.WANTED, Step.SENT) or each.phase in starting))
            for each in (self.pool, *self.commands.values())
        )

    def _command_plans(self, target: Target, now: float) -> Iterator[Attempt]:
        if self.pool.phase is not Phase.OPEN:
            return
        if target.phase is Phase.NEW:
            if target.close is not Step.NO:
                # The command was never sent: there is nothing to terminate.
                self.forget(target)
                self.tell(ev.ActDone(act=TransportAct.CLOSE_PIPELINE, target=target.id))
                self.touch(self.pool)
                return
            target.phase = Phase.STARTING
            yield self._first_of_command(target)
        if target.phase is Phase.RESUMING:
            target.phase = Phase.STARTING
            mode = self.config.buffer_mode
            again = v.Reconnect(command_id=target.command_id, buffer_mode=mode)
            yield Attempt("ReconnectCommand", target, again)
        if target.phase is not Phase.OPEN:
            return
        if target.stop is Step.WANTED and target.close is Step.NO:
            target.stop = Step.SENT
            value = v.Signal(code=names.SIGNAL_STOP, command_id=target.command_id)
            yield Attempt("Stop", target, value)
        yield from self._transfers(target, now)
        if target.close is Step.WANTED and target.stop is not Step.SENT:
            target.close = Step.SENT
            value = v.Signal(code=names.SIGNAL_TERMINATE, command_id=target.command_id)
            yield Attempt("Terminate", target, value)

    def _first_of_command(self, target: Target) -> Attempt:
        if target.connects:
            value: object = v.Connect(command_id=target.command_id)
            return Attempt("ConnectCommand", target, value)
        # PowerShell sends one space for an empty command line; some servers require a text.
        value = v.Command(command_id=target.command_id, command=" ", arguments=(target.first,))
        return Attempt("Command", target, value)

    def _transfers(self, target: Target, now: float) -> Iterator[Attempt]:
        if target.queued and not target.sending and self.disconnect is not Step.SENT:
            stream, data = target.take(self.requests.room)
            target.sending = True
            if self.config.compress:
                data = xpress.compress(data, pack=self.config.pack_input)
            chunk = v.StreamData(name=STREAM_NAMES[stream], data=data, command_id=target.command_id)
            yield Attempt("Send", target, v.Send(streams=(chunk,)))
        receives = (
            not (target.receiving or target.done or target.held)
            and target.bytes_before_receive <= 0
            and target.close is not Step.DONE
            and self.disconnect is not Step.SENT
        )
        if receives:
            target.receiving = True
            attempt = Attempt("Receive", target, v.Receive(command_id=target.command_id))
            until = target.quiet_until
            if target.id is not None and target.close is not Step.NO and not target.drains:
                # A command that has ended needs no Receive, but the plugin cannot end a running
                # command while nobody receives.
                until = max(until, now + TERMINATE_WAIT)
            if until > now:
                self.wait(attempt, until)
            else:
                yield attempt

    def _request(self, attempt: Attempt, now: float) -> Request:
        if attempt.request is None:
            request = self._new_request(attempt)
        else:
            request = self.requests.again(attempt.request)
        attempt.request = request
        attempt.tries += 1
        attempt.sent_at = now
        self._outstanding[request.number] = attempt, request
        return request

    def _new_request(self, attempt: Attempt) -> Request:
        options: tuple[soap.Option, ...] = ()
        if attempt.kind in ("Create", "Connect"):
            version = self.config.protocol_version
            options = (soap.Option(name="protocolversion", value=version, must_comply=True),)
            if attempt.kind == "Create" and self.config.no_profile:
                options += (soap.Option(name="WINRS_NOPROFILE", value="1", must_comply=True),)
        elif attempt.kind == "Receive" and attempt.target.id is None:
            options = (KEEP_ALIVE,)
        return self.requests.make(attempt.value, target=attempt.target.id, options=options)

    def forget(self, target: Target) -> None:
        """Mark a command as ended and remove it."""
        target.phase = Phase.ENDED
        if target.id is not None:
            self.commands.pop(target.id, None)
