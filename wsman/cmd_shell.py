"""The client machine of a cmd shell: one program at a time, with its streams and exit code.

`start` runs a program in the shell, `send_input` sends its input, `interrupt` is Ctrl+C, `close`
ends program and shell. Requests, answers and time are handled as in `wsman.shell`: a time-out is
followed by another Receive, a lost Receive is repeated, and Send and Command are repeated only if
they cannot have reached the server.

[MS-WSMV] 3.1.4.5 to 3.1.4.14, 2.2.4.12
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman import client_events as ev
from wsman import faults, names, soap
from wsman import shell_values as v
from wsman.errors import TransportFailure, WSManError, WSManFault
from wsman.requests import Request, Requests, ShellConfig
from wsman.shell_answers import retry_delay
from wsman.shell_targets import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

__all__ = ["CmdShell", "Exited", "Failed", "Output", "ShellSettings"]

OUTPUT = "stdout stderr"
_REPEATED = frozenset(("Receive", "Signal", "Delete"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellSettings:
    """The settings of the shell. Times are seconds."""

    working_directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    lifetime: float | None = None
    code_page: int | None = 65001
    """The code page of the streams; 65001 is UTF-8. None for the server's default."""
    no_profile: bool = False
    console_mode: bool = True
    """The program's input is a console, not a pipe."""
    skip_cmd_shell: bool = False
    """Start the program directly instead of with ``cmd.exe /c``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Bytes of ``stdout`` or ``stderr``."""

    stream: str
    data: bytes
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The program has ended. ``code`` is None if the server does not report it."""

    code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The program did not start, or was lost. After a refusal the shell can still be used."""

    error: WSManError


class _Attempt:
    __slots__ = ("kind", "request", "tries", "value")

    def __init__(self, kind: str, value: object) -> None:
        self.kind = kind
        self.value = value
        self.tries = 0
        self.request: Request | None = None


class CmdShell:
    """One cmd shell of a client."""

    def __init__(
        self, config: ShellConfig, settings: ShellSettings, *, new_id: Callable[[], UUID]
    ) -> None:
        self.requests = Requests(config, new_id)
        self.settings = settings
        self.over = False
        self.exists = False
        """True if the shell exists on the server."""
        self._config = config
        self._created = Step.WANTED
        self._command: v.Command | None = None
        self._command_id = ""
        self._running = Step.NO
        self._input: deque[tuple[bytes, bool]] = deque()
        self._sending = False
        self._receiving = False
        self._interrupts = 0
        self._terminate = Step.NO
        self._close = Step.NO
        self._waiting: list[tuple[float, _Attempt]] = []
        self._outstanding: dict[int, tuple[_Attempt, Request]] = {}
        self._events: deque[object] = deque()

    # -- the user's side

    def start(self, command: str, arguments: Sequence[str] = ()) -> None:
        """Run a program. Raises LocalProtocolError while another one runs."""
        if self.over or self._close is not Step.NO or self._running is not Step.NO:
            raise LocalProtocolError("cannot start a program: the shell is busy or closed")
        self._command = v.Command(command=command, arguments=tuple(arguments))
        self._running = Step.WANTED
        self._terminate = Step.NO
        self._command_id = ""

    def send_input(self, data: bytes, *, end: bool = False) -> None:
        """Queue bytes for the program; ``end`` closes its input."""
        room = max(self.requests.room, 1)
        pieces = [data[at : at + room] for at in range(0, len(data), room)] or [b""]
        for piece in pieces[:-1]:
            self._input.append((piece, False))
        self._input.append((pieces[-1], end))

    @property
    def wants_input(self) -> bool:
        """True if no input is queued: read more."""
        return not self._input and not self._sending

    def interrupt(self) -> None:
        """Send Ctrl+C to the program."""
        self._interrupts += 1

    def close(self) -> None:
        """End the program and delete the shell."""
        if self._close is Step.NO:
            self._close = Step.WANTED
            self._input.clear()
            if self._command_id and self._terminate is Step.NO:
                self._terminate = Step.WANTED

    # -- requests and answers

    def next_request(self, now: float) -> Request | None:
        """Return the next request to make at once, or None."""
        if self.over:
            return None
        for index, (due, attempt) in enumerate(self._waiting):
            if due <= now:
                del self._waiting[index]
                return self._request(attempt)
        planned = self._plan()
        return self._request(planned) if planned is not None else None

    @property
    def next_time(self) -> float | None:
        return min((due for due, _ in self._waiting), default=None)

    def next_event(self) -> object | None:
        return self._events.popleft() if self._events else None

    def receive_answer(self, number: int, status: int, bodies: Sequence[bytes], now: float) -> None:
        """Take the answer of a request: the HTTP status and the envelopes of its body."""
        attempt, request = self._outstanding.pop(number)
        if self.over:
            return
        try:
            value = self.requests.read(request, status, bodies)
        except WSManFault as error:
            if attempt.kind == "Receive" and faults.is_timed_out(error.fault):
                self._receiving = False
            else:
                self._failed(attempt, error)
        except TransportFailure as failure:
            self._repeat(attempt, failure, now)
        else:
            self._answered(attempt, value)

    def receive_failure(self, number: int, failure: TransportFailure, now: float) -> None:
        """Handle a request that got no answer."""
        attempt, _ = self._outstanding.pop(number)
        if not self.over:
            self._repeat(attempt, failure, now)

    # -- plans

    def _plan(self) -> _Attempt | None:
        if self._created is Step.WANTED:
            if self._close is Step.WANTED:
                self._end(None)
                return None
            self._created = Step.SENT
            return _Attempt("Create", self._create())
        if self._created is not Step.DONE:
            return None
        if self._running is Step.WANTED and self._close is Step.NO:
            self._running = Step.SENT
            return _Attempt("Command", self._command)
        if self._command_id:
            planned = self._plan_of_command()
            if planned is not None:
                return planned
        idle = self._terminate in (Step.NO, Step.DONE) and self._running is not Step.SENT
        if self._close is Step.WANTED and idle:
            self._close = Step.SENT
            return _Attempt("Delete", v.Delete())
        return None

    def _plan_of_command(self) -> _Attempt | None:
        if self._terminate is Step.WANTED:
            self._terminate = Step.SENT
            self._interrupts = 0
            return self._signal(names.SIGNAL_TERMINATE)
        if self._interrupts and self._running is Step.DONE and self._terminate is Step.NO:
            self._interrupts -= 1
            return self._signal(names.SIGNAL_CTRL_C)
        ending = self._close is not Step.NO or self._terminate is not Step.NO
        if self._running is not Step.DONE or ending:
            return None
        if self._input and not self._sending:
            data, end = self._input.popleft()
            self._sending = True
            chunk = v.StreamData(name="stdin", data=data, command_id=self._command_id, end=end)
            return _Attempt("Send", v.Send(streams=(chunk,)))
        if not self._receiving:
            self._receiving = True
            return _Attempt("Receive", v.Receive(streams=OUTPUT, command_id=self._command_id))
        return None

    def _signal(self, code: str) -> _Attempt:
        return _Attempt("Signal", v.Signal(code=code, command_id=self._command_id))

    def _create(self) -> v.Create:
        return v.Create(
            input_streams="stdin",
            output_streams=OUTPUT,
            working_directory=self.settings.working_directory,
            environment=self.settings.environment,
            lifetime=self.settings.lifetime,
            idle_timeout=self._config.idle_timeout,
        )

    def _request(self, attempt: _Attempt) -> Request:
        if attempt.request is None:
            request = self.requests.make(attempt.value, options=self._options(attempt.kind))
        else:
            request = self.requests.again(attempt.request)
        attempt.request = request
        attempt.tries += 1
        self._outstanding[request.number] = attempt, request
        return request

    def _options(self, kind: str) -> tuple[soap.Option, ...]:
        settings = self.settings
        if kind == "Create":
            found = (soap.Option(name="WINRS_NOPROFILE", value=_word(settings.no_profile)),)
            if settings.code_page is None:
                return found
            return (*found, soap.Option(name="WINRS_CODEPAGE", value=str(settings.code_page)))
        if kind == "Command":
            return (
                soap.Option(name="WINRS_CONSOLEMODE_STDIN", value=_word(settings.console_mode)),
                soap.Option(name="WINRS_SKIP_CMD_SHELL", value=_word(settings.skip_cmd_shell)),
            )
        return ()

    # -- effects of answers

    def _answered(self, attempt: _Attempt, value: Any) -> None:
        match value:
            case v.CreateResponse():
                self._created = Step.DONE
                self.exists = True
                self.requests.resource_uri = value.resource_uri or self.requests.resource_uri
                shell_id = value.shell.shell_id if value.shell is not None else ""
                named = ((v.SHELL_SELECTOR, shell_id),)
                self.requests.selectors = value.selectors or named
            case v.CommandResponse():
                self._command_id = value.command_id
                self._running = Step.DONE
                if self._close is not Step.NO:
                    self._terminate = Step.WANTED
            case v.ReceiveResponse():
                self._received(value)
            case v.SendResponse():
                self._sending = False
            case v.SignalResponse():
                self._signalled(attempt)
            case v.DeleteResponse():
                self._end(None)

    def _received(self, value: v.ReceiveResponse) -> None:
        self._receiving = False
        for stream in value.streams:
            if stream.data or stream.end:
                self._events.append(Output(stream=stream.name, data=stream.data, end=stream.end))
        for state in value.states:
            if state.state == "Done":
                self._events.append(Exited(code=state.exit_code))
                self._terminate = Step.WANTED
                self._input.clear()

    def _signalled(self, attempt: _Attempt) -> None:
        assert isinstance(attempt.value, v.Signal)
        if attempt.value.code == names.SIGNAL_TERMINATE:
            self._terminate = Step.DONE
            self._running = Step.NO
            self._command_id = ""

    def _repeat(self, attempt: _Attempt, failure: TransportFailure, now: float) -> None:
        harmless = attempt.kind in _REPEATED and not failure.partial
        retries = max(self._config.retries, 1) if harmless else self._config.retries
        may = (harmless or not failure.sent) and not failure.final
        if failure.status and failure.status not in (400, 401, 503):
            may = False
        if not may or attempt.tries > retries:
            self._failed(attempt, failure)
            return
        delay = retry_delay(attempt.tries)
        operation = type(attempt.value).__name__
        self._events.append(
            ev.Retrying(operation=operation, attempt=attempt.tries, delay=delay, error=failure)
        )
        self._waiting.append((now + delay, attempt))

    def _failed(self, attempt: _Attempt, error: WSManError) -> None:
        kind = attempt.kind
        gone = isinstance(error, WSManFault) and faults.is_gone(error.fault)
        if kind == "Signal":
            # The program has ended, or ends with its shell.
            self._signalled(attempt)
        elif kind == "Delete":
            self._end(None if gone else error)
        elif kind == "Create":
            self._end(error)
        elif self._close is not Step.NO or self._terminate is not Step.NO:
            self._receiving = self._sending = False
        else:
            self._receiving = self._sending = False
            if kind == "Command":
                self._running = Step.NO
            self._events.append(Failed(error=error))
            if not (kind == "Command" and isinstance(error, WSManFault)):
                self.close()

    def _end(self, error: WSManError | None) -> None:
        self.over = True
        self.exists = False
        self._events.append(ev.Lost(error=error))


def _word(value: bool) -> str:
    return "TRUE" if value else "FALSE"
