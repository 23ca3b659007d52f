"""One shell of the service: its waiting requests, its timers, and its last answers.

A request waits here until the work has an answer for it or its time is over. The answer to a
Receive is kept until the client asks for more, so that a client whose connection broke gets it
again. [MS-WSMV] 3.1.1, 3.1.4.14, 3.1.4.10
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from psrp.frozen import dataclass
from wsman import shell_values as v
from wsman.faults import IN_USE, SHELL_DISCONNECTED, STREAM_DISCONNECTED, make_fault
from wsman.hosting import Refusal, ShellRequest
from wsman.powershell_work import PowerShellWork
from wsman.program_work import ProgramWork
from wsman.soap import Fault

if TYPE_CHECKING:
    from psrp.sansio import TransportAct

__all__ = ["Exchange", "ServedShell"]

ABORTED = 995
MISMATCH = 0x803381C6
_REMEMBERED = 8
_UNLIMITED = 2_147_483_647
STOP_PATIENCE = 1.0
"""Seconds for which a Signal that stops a command waits for the next Receive of the command."""

Work = PowerShellWork | ProgramWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The data of one request that its answer depends on."""

    ticket: int
    user: str
    encoding: str
    message_id: str = ""
    digest: bytes = b""
    """A hash of the envelope, which is the same when the client sends it again."""
    session_id: str = ""
    room: int = 0
    """Bytes of one stream that fit into the answer, before base64."""
    timeout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    kind: str
    command_id: str
    exchange: Exchange
    deadline: float
    until: float = math.inf
    """The time at which gathered output is sent, or at which a Signal waits for no Receive."""

    @property
    def due(self) -> float:
        return min(self.deadline, self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Last:
    ticket: int
    message_id: str
    value: v.ReceiveResponse
    lost: bool = False


class ServedShell:
    """A shell of one user, and the `wsman.hosting.ShellLink` of its session.

    ``answer(exchange, value)`` sends a value or a fault; ``woken(shell)`` requests an `advance`.
    """

    def __init__(
        self,
        request: ShellRequest,
        work: Work,
        *,
        answer: Callable[[Exchange, object], None],
        woken: Callable[[ServedShell], None],
        idle_timeout: float,
        session_id: str,
        gather_time: float = 0.0,
        now: float,
    ) -> None:
        self.request = request
        self.work = work
        self._answer = answer
        self._woken = woken
        self.idle_timeout = idle_timeout
        self.session_id = session_id
        self._gather_time = gather_time
        self.max_commands = _UNLIMITED
        self.created = now
        self.active = now
        self.state = "Connected"
        self.compressed = False
        self.buffer_mode = "Block"
        self.failed: str | None = None
        self.over = False
        """True if the shell is deleted, expired, or its session's failure was reported."""
        self.scheduled: float | None = None
        """The time of the service's next `advance` of this shell."""
        self._waiting: dict[int, _Waiting] = {}
        self._last: dict[str, _Last] = {}
        self._unwritten: dict[int, str] = {}
        """The command of each Receive whose answer is not yet written completely, by ticket."""
        self._done: OrderedDict[str, tuple[bytes, object]] = OrderedDict()
        self._ids_are_reused = False
        """True if the client has used a MessageID for two requests: it identifies nothing then."""

    def __repr__(self) -> str:
        return f"<ServedShell {self.request.shell_id}: {self.state}>"

    # -- wsman.hosting.ShellLink

    def wake(self) -> None:
        self._woken(self)

    def report(self, text: str) -> None:
        return

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        if isinstance(self.work, PowerShellWork):
            self.work.act_failed(act, target, message)
        self._woken(self)

    def fail(self, text: str) -> None:
        # The first reason is the cause of the others.
        self.failed = self.failed or text or "The session has ended."
        self._woken(self)

    # -- timers

    def touch(self, now: float) -> None:
        """Record the time of a request to the shell, for the idle timeout."""
        self.active = now

    def next_deadline(self) -> float:
        """Return the time of the next `advance` that is due without `wake`."""
        if self._waiting:
            return min(each.due for each in self._waiting.values())
        return self.active + self.idle_timeout

    @property
    def waiting(self) -> int:
        """The number of requests that wait for an answer."""
        return len(self._waiting)

    def advance(self, now: float) -> None:
        """Answer the requests that have an answer or have timed out."""
        self.work.settle()
        if self.state == "Disconnected" and self.buffer_mode.lower() == "drop":
            self.work.drop_output()
        for command_id, text in self.work.take_failed_commands():
            self._end_command(command_id, make_fault("InternalError", text))
        for ticket, each in list(self._waiting.items()):
            if ticket in self._waiting:
                self._try(each, now)
        if not self._waiting and now >= self.active + self.idle_timeout:
            self.end("The shell was idle for too long.")

    def _try(self, each: _Waiting, now: float) -> None:
        late = now >= each.deadline
        if each.kind == "receive":
            self._fill(each, now)
        elif each.kind == "send":
            if late or self.work.takes_more(each.command_id):
                self._finish(each, v.SendResponse())
        elif late or self._has_stopped(each.command_id):
            self._finish(each, v.SignalResponse())
        elif now >= each.until:
            if self._receives(each.command_id):
                self._waiting[each.exchange.ticket] = replace(each, until=now + STOP_PATIENCE)
            else:
                self._finish(each, v.SignalResponse())

    def _has_stopped(self, command_id: str) -> bool:
        """Return whether the client has got the last state of a command, with all its bytes.

        PowerShell's client takes a Signal that is answered before that as a failure.
        """
        if not self.work.stopped(command_id):
            return False
        return command_id.upper() not in self._unwritten.values()

    def _fill(self, each: _Waiting, now: float) -> None:
        late = now >= each.deadline
        if each.command_id and not self.work.knows(each.command_id):
            self._finish(each, self.work.closed_answer(each.command_id))
            return
        gather = not late and now < each.until and self.failed is None
        gather = gather and self._gather_time > 0
        made = self.work.output(each.command_id, each.exchange.room, gather=gather)
        if made is not None:
            self._give(each, made)
        elif self.failed is not None:
            self._finish(each, make_fault("InternalError", self.failed))
            if not each.command_id:
                self.end(self.failed)
        elif late:
            self._finish(each, make_fault("TimedOut"))
        elif each.until == math.inf and self.work.is_gathering(each.command_id):
            until = now + self._gather_time
            self._waiting[each.exchange.ticket] = replace(each, until=until)

    def _give(self, each: _Waiting, made: v.ReceiveResponse) -> None:
        self._last[each.command_id.upper()] = _Last(
            ticket=each.exchange.ticket, message_id=each.exchange.message_id, value=made
        )
        if each.command_id:
            self._unwritten[each.exchange.ticket] = each.command_id.upper()
        self._finish(each, made)

    def _finish(self, each: _Waiting, value: object) -> None:
        del self._waiting[each.exchange.ticket]
        self._answer(each.exchange, value)

    def _receives(self, command_id: str) -> _Waiting | None:
        wanted = command_id.upper()
        for each in self._waiting.values():
            if each.kind == "receive" and each.command_id.upper() == wanted:
                return each
        return None

    def _wait(self, kind: str, command_id: str, exchange: Exchange, now: float) -> None:
        each = _Waiting(
            kind=kind,
            command_id=command_id,
            exchange=exchange,
            deadline=now + exchange.timeout,
            until=now + STOP_PATIENCE if kind == "signal" else math.inf,
        )
        self._waiting[exchange.ticket] = each
        self._try(each, now)

    # -- requests

    def check(self) -> None:
        """Check that the shell is connected. Raises Refusal."""
        if self.state != "Connected":
            raise Refusal(
                make_fault(
                    "InternalError",
                    "The WS-Management service cannot process the request because the shell is "
                    "currently disconnected.",
                    wsman_code=SHELL_DISCONNECTED,
                )
            )

    def repeated(self, exchange: Exchange) -> object | None:
        """Return the previous answer to a request with this MessageID, or None.

        A client that lost the answer sends the same envelope again, which must not act twice.
        """
        before = None if self._ids_are_reused else self._done.get(exchange.message_id)
        if before is None:
            return None
        if before[0] != exchange.digest:
            self._ids_are_reused = True
            return None
        return before[1]

    def remember(self, exchange: Exchange, value: object) -> object:
        """Keep an answer for `repeated`; return it."""
        self._done[exchange.message_id] = exchange.digest, value
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        return value

    def receive(self, value: v.Receive, exchange: Exchange, now: float) -> None:
        """Take a Receive. A second one for a target replaces the first. Raises Refusal."""
        self.check()
        key = value.command_id.upper()
        last = self._last.get(key)
        if last is not None and (last.lost or self._is_again(last, exchange)):
            self._last[key] = _Last(
                ticket=exchange.ticket, message_id=exchange.message_id, value=last.value
            )
            self._answer(exchange, last.value)
            return
        if value.command_id and not self.work.knows(value.command_id):
            raise Refusal(make_fault("InvalidSelectors"))
        if (before := self._receives(value.command_id)) is not None:
            self._finish(before, _aborted())
        self._last.pop(key, None)
        self._wait("receive", value.command_id, exchange, now)

    def _is_again(self, last: _Last, exchange: Exchange) -> bool:
        return not self._ids_are_reused and last.message_id == exchange.message_id

    def send(self, value: v.Send, exchange: Exchange, now: float) -> None:
        """Take a Send; its answer is delayed while the target has no room. Raises Refusal."""
        self.check()
        targets = self.work.send(value)
        self.remember(exchange, v.SendResponse())
        busy = next((each for each in targets if not self.work.takes_more(each)), None)
        if busy is None:
            self._answer(exchange, v.SendResponse())
        else:
            self._wait("send", busy, exchange, now)

    def signal(self, value: v.Signal, exchange: Exchange, now: float) -> None:
        """Take a Signal. Raises Refusal."""
        self.check()
        waits = self.work.signal(value)
        self.remember(exchange, v.SignalResponse())
        if waits:
            if (receive := self._receives(value.command_id)) is not None:
                self._try(receive, now)
            self._wait("signal", value.command_id, exchange, now)
            return
        if value.command_id and not self.work.knows(value.command_id):
            self._end_command(value.command_id, self.work.closed_answer(value.command_id))
        self._answer(exchange, v.SignalResponse())

    def _end_command(self, command_id: str, value: object) -> None:
        wanted = command_id.upper()
        self._last.pop(wanted, None)
        for each in list(self._waiting.values()):
            if each.command_id.upper() == wanted and each.command_id:
                self._finish(each, value if each.kind == "receive" else _ANSWERS[each.kind])

    # -- disconnecting

    def disconnect(self, value: v.Disconnect, now: float) -> None:
        """Disconnect the client; the work continues. Raises Refusal."""
        if self.state == "Connected":
            self.work.disconnect()
        self.state = "Disconnected"
        if value.buffer_mode:
            self.buffer_mode = value.buffer_mode
        if value.idle_timeout is not None:
            self.idle_timeout = value.idle_timeout
        for each in list(self._waiting.values()):
            if each.kind == "receive":
                self._finish(each, _stream_disconnected())
        self.active = now

    def reconnect(self, exchange: Exchange) -> None:
        """Reconnect the client that disconnected. Raises Refusal."""
        same = not (self.session_id and exchange.session_id) or (
            self.session_id.lower() == exchange.session_id.lower()
        )
        if self.state == "Connected":
            if not same:
                raise Refusal(_in_use())
            return
        if not same:
            text = "The session belongs to another client process; connect to it instead."
            raise Refusal(make_fault("InternalError", text, wsman_code=MISMATCH))
        self.work.reconnect()
        self.state = "Connected"

    def connect(self, value: v.Connect, exchange: Exchange) -> v.ConnectResponse:
        """Connect another client to the shell, or to one of its commands. Raises Refusal."""
        inputs, outputs = self.work.streams
        if value.command_id:
            self.check()
            self.work.connect_command(value.command_id)
            return v.ConnectResponse(input_streams=inputs, output_streams=outputs)
        if self.state == "Connected":
            raise Refusal(_in_use())
        data = self.work.connect(value.connect_xml, exchange.room)
        self.state = "Connected"
        self.session_id = exchange.session_id
        self._last.clear()
        self._done.clear()
        return v.ConnectResponse(
            input_streams=inputs, output_streams=outputs, connect_response_xml=data
        )

    # -- ends

    def answered(self, ticket: int) -> None:
        """Answer the Signal that waited until the answer to a Receive was written."""
        command_id = self._unwritten.pop(ticket, None)
        if command_id is None or not self._has_stopped(command_id):
            return
        for each in list(self._waiting.values()):
            if each.kind == "signal" and each.command_id.upper() == command_id:
                self._finish(each, v.SignalResponse())

    def client_gone(self, ticket: int, now: float) -> None:
        """Drop a request whose connection has ended, and mark its answer as lost."""
        self._unwritten.pop(ticket, None)
        if self._waiting.pop(ticket, None) is not None:
            self.active = now
        for key, last in self._last.items():
            if last.ticket == ticket:
                self._last[key] = _Last(
                    ticket=ticket, message_id=last.message_id, value=last.value, lost=True
                )

    def delete(self) -> None:
        """Delete the shell; its outstanding Receive is answered first, with Done."""
        for each in list(self._waiting.values()):
            if each.kind == "receive" and not each.command_id:
                self._finish(each, self.work.closed_answer(""))
        self.end("")

    def end(self, text: str) -> None:
        """End the work, and answer all waiting requests."""
        self.over = True
        for each in list(self._waiting.values()):
            ended = make_fault("InternalError", text) if text else _aborted()
            self._finish(each, ended if each.kind == "receive" else _ANSWERS[each.kind])
        self.work.end()
        self._last.clear()

    def info(self, now: float) -> v.ShellInfo:
        """Return the data of Get and Enumerate."""
        inputs, outputs = self.work.streams
        return v.ShellInfo(
            shell_id=self.request.shell_id,
            name=self.request.name,
            resource_uri=self.request.resource_uri,
            owner=self.request.owner,
            client_ip=self.request.client_address,
            idle_timeout=self.idle_timeout,
            input_streams=inputs,
            output_streams=outputs,
            max_idle_timeout=2147483.647,
            locale=self.request.locale or "en-US",
            data_locale=self.request.data_locale or "en-US",
            compression_mode="XpressCompression" if self.compressed else "NoCompression",
            profile_loaded="Yes",
            encoding="UTF8",
            buffer_mode=self.buffer_mode,
            state=self.state,
            shell_run_time=now - self.created,
            shell_inactivity=0.0 if self._waiting else now - self.active,
        )


_ANSWERS = {"send": v.SendResponse(), "signal": v.SignalResponse()}


def _aborted() -> Fault:
    text = (
        "The I/O operation has been aborted because of either a thread exit or an application "
        "request."
    )
    return make_fault("InternalError", text, wsman_code=ABORTED)


def _stream_disconnected() -> Fault:
    text = (
        "The WS-Management service cannot process the request because the stream is currently "
        "disconnected."
    )
    return make_fault("InternalError", text, wsman_code=STREAM_DISCONNECTED)


def _in_use() -> Fault:
    text = "The shell is in use by a connected client, so it cannot be connected to."
    return make_fault("InternalError", text, wsman_code=IN_USE)
