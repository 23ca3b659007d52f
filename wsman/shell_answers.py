"""The effects of answers and failures on the client machine, and the repetition of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from psrp.sansio import LimitExceeded, TransportAct
from wsman import client_events as ev
from wsman import faults, xpress
from wsman import shell_values as v
from wsman.errors import HTTP_ERROR, TransportFailure, WSManError, WSManFault
from wsman.shell_targets import Attempt, Phase, Step, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from wsman.requests import Request, Requests, ShellConfig

__all__ = ["Answers"]

_REPEATED = frozenset(
    ("Receive", "Stop", "Terminate", "Delete", "Disconnect", "Reconnect", "ReconnectCommand")
)
"""Requests that are harmless if the server receives them twice."""
_FIRST_DELAY = 0.5
_LAST_DELAY = 15.0
_REFUSED_SENDS = 9
"""Repetitions of a Send that the server refused because it still had the last one."""
_SEND_PAUSE = 0.01
"""Seconds before the first of them; doubled each time."""
_QUOTA_PAUSE = 1.0
"""Seconds before a Create is repeated, once, that was refused because of too many shells."""
_QUICK = 0.2
"""Seconds within which an empty answer counts as quick."""
_MAX_PAUSE = 2.0


def retry_delay(tries: int) -> float:
    """Return the delay in seconds before the next attempt: 0, then 0.5, doubled up to 15."""
    return 0.0 if tries <= 1 else min(_FIRST_DELAY * 2.0 ** (tries - 2), _LAST_DELAY)


class Machine(Protocol):
    """The part of `wsman.shell.Shell` that answers change."""

    config: ShellConfig
    requests: Requests
    pool: Target
    commands: dict[UUID, Target]
    disconnect: Step
    reconnect: Step
    over: bool

    def touch(self, target: Target) -> None: ...
    def tell(self, event: object) -> None: ...
    def end(self, error: WSManError | None) -> None: ...
    def wait(self, attempt: Attempt, until: float) -> None: ...
    def drop_waiting(self, target: Target) -> None: ...
    def forget(self, target: Target) -> None: ...
    def close_command(self, target: Target) -> None: ...


class Answers:
    """Handles the answers of one `wsman.shell.Shell`."""

    def __init__(self, shell: Machine) -> None:
        self._shell = shell
        self._done: dict[str, Callable[[Target, Any, float], None]] = {
            "Create": self._created,
            "Connect": self._connected,
            "Command": self._started,
            "ConnectCommand": self._command_connected,
            "Send": self._sent,
            "Stop": self._stopped,
            "Terminate": self._terminated,
            "Delete": self._deleted,
            "Disconnect": self._disconnected,
            "Reconnect": self._reconnected,
            "ReconnectCommand": self._command_reconnected,
        }
        self._failed: dict[str, Callable[[Target, WSManError], None]] = {
            "Create": self._not_opened,
            "Connect": self._not_opened,
            "Command": self._lose_command,
            "ConnectCommand": self._lose_command,
            "Send": self._lose,
            "Receive": self._receive_failed,
            "Stop": self._not_stopped,
            "Terminate": lambda target, _: self._terminated(target, None, 0.0),
            "Delete": self._not_deleted,
            "Disconnect": self._not_disconnected,
            "Reconnect": self._not_reconnected,
            "ReconnectCommand": self._lose_command,
        }

    # -- entry

    def take(
        self, attempt: Attempt, request: Request, status: int, bodies: Sequence[bytes], now: float
    ) -> None:
        if self._shell.over:
            return
        try:
            value = self._shell.requests.read(request, status, bodies)
            if isinstance(value, v.ReceiveResponse):
                streams = self._streams(value)
        except WSManFault as error:
            self._fault(attempt, error, now)
        except TransportFailure as error:
            self.fail(attempt, error, now)
        else:
            if isinstance(value, v.ReceiveResponse):
                self._received(attempt, value, streams, now)
            else:
                self._done[attempt.kind](attempt.target, value, now)

    def _streams(self, value: v.ReceiveResponse) -> list[bytes]:
        """Return the plain data of the streams. Raises TransportFailure."""
        found = [stream.data for stream in value.streams if stream.data]
        if not self._shell.config.compress:
            return found
        try:
            return [xpress.decompress(data) for data in found]
        except (xpress.XpressError, LimitExceeded) as error:
            text = f"cannot use the server's answer: {error}"
            raise TransportFailure(text, code=HTTP_ERROR, sent=True, partial=True) from None

    def _fault(self, attempt: Attempt, error: WSManFault, now: float) -> None:
        if attempt.kind == "Receive" and faults.is_timed_out(error.fault):
            self._nothing_came(attempt, now)
        elif (
            attempt.kind == "Create"
            and error.code in faults.RETRIED
            and attempt.tries <= self._shell.config.retries
        ):
            # Send a new envelope: the server would repeat its answer to the old one.
            attempt.request = None
            self._again(attempt, error, now)
        elif attempt.kind == "Create" and error.code == faults.QUOTA_SHELLS and attempt.tries == 1:
            # Nothing was created, and a shell that is just ending still counts.
            attempt.request = None
            self._shell.wait(attempt, now + _QUOTA_PAUSE)
        elif (
            attempt.kind == "Send"
            and faults.is_send_refused(error.fault)
            and attempt.tries <= _REFUSED_SENDS
        ):
            # Nothing was delivered. The server ends its last Send just after it has answered it.
            attempt.request = None
            self._shell.wait(attempt, now + _SEND_PAUSE * 2.0 ** (attempt.tries - 1))
        else:
            self._give_up(attempt, error)

    def fail(self, attempt: Attempt, error: TransportFailure, now: float) -> None:
        """Handle a request that got no usable answer."""
        if self._shell.over:
            return
        retries = self._shell.config.retries
        if attempt.kind in _REPEATED:
            may = not error.partial
            # One more attempt is harmless if only an idle connection was closed.
            retries = max(retries, 1)
        else:
            may = not error.sent
        # Other statuses that refuse the request would be repeated as well.
        if error.final or (error.status and error.status not in (400, 401, 503)):
            may = False
        if may and attempt.tries <= retries and not self._closed(attempt):
            self._again(attempt, error, now)
        else:
            self._give_up(attempt, error)

    def _closed(self, attempt: Attempt) -> bool:
        return attempt.kind == "Receive" and attempt.target.close is not Step.NO

    def _again(self, attempt: Attempt, error: WSManError, now: float) -> None:
        delay = retry_delay(attempt.tries)
        operation = type(attempt.value).__name__
        self._shell.tell(
            ev.Retrying(operation=operation, attempt=attempt.tries, delay=delay, error=error)
        )
        self._shell.wait(attempt, now + delay)

    def _give_up(self, attempt: Attempt, error: WSManError) -> None:
        if attempt.kind == "Receive":
            attempt.target.receiving = False
        elif attempt.kind == "Send":
            attempt.target.sending = False
        if self._is_unreachable(attempt, error):
            # Another connection would fail in the same way: the session is lost, not one command.
            self._shell.end(error)
            return
        self._failed[attempt.kind](attempt.target, error)

    def _is_unreachable(self, attempt: Attempt, error: WSManError) -> bool:
        """Return whether repeated attempts at a transfer have not reached the server."""
        if not isinstance(error, TransportFailure) or error.status or error.partial or error.final:
            return False
        if attempt.kind not in ("Receive", "Command", "ConnectCommand", "Send"):
            return False
        may = attempt.kind == "Receive" or not error.sent
        closing = attempt.target.close is not Step.NO or self._shell.pool.close is not Step.NO
        return may and not closing

    def withdraw(self, attempt: Attempt) -> None:
        if attempt.kind == "Receive":
            attempt.target.receiving = False
            self._tidy(attempt.target)
        elif attempt.kind == "Send":
            attempt.target.sent()
            self._shell.touch(attempt.target)

    # -- opening

    def _created(self, pool: Target, value: v.CreateResponse, _now: float) -> None:
        """Use the reference that the server returned from now on."""
        requests = self._shell.requests
        if value.resource_uri:
            requests.resource_uri = value.resource_uri
        if value.selectors:
            requests.selectors = value.selectors
        elif value.shell is not None and value.shell.shell_id:
            requests.selectors = ((v.SHELL_SELECTOR, value.shell.shell_id),)
        self._opened(pool, TransportAct.CREATE_POOL)

    def _connected(self, pool: Target, value: v.ConnectResponse, _now: float) -> None:
        if value.connect_response_xml:
            self._shell.tell(ev.Received(target=None, data=value.connect_response_xml))
        self._opened(pool, TransportAct.CONNECT)

    def _opened(self, pool: Target, act: TransportAct) -> None:
        pool.begin_receiving()
        self._shell.tell(ev.ActDone(act=act))
        self._touch_all()

    def _touch_all(self) -> None:
        self._shell.touch(self._shell.pool)
        for command in self._shell.commands.values():
            self._shell.touch(command)

    def _not_opened(self, pool: Target, error: WSManError) -> None:
        act = TransportAct.CONNECT if pool.connects else TransportAct.CREATE_POOL
        if pool.close is Step.NO:
            self._shell.tell(ev.ActFailed(act=act, target=None, error=error))
            self._shell.end(error)
        else:
            self._shell.tell(ev.ActDone(act=TransportAct.CLOSE_POOL))
            self._shell.end(None)

    def _started(self, target: Target, _value: object, _now: float) -> None:
        target.begin_receiving()
        self._shell.tell(ev.ActDone(act=TransportAct.CREATE_PIPELINE, target=target.id))
        self._touch(target)

    def _command_connected(self, target: Target, _value: object, _now: float) -> None:
        target.begin_receiving()
        self._shell.tell(ev.ActDone(act=TransportAct.CONNECT, target=target.id))
        self._touch(target)

    # -- transfers

    def _sent(self, target: Target, _value: object, _now: float) -> None:
        target.sent()
        if target.starved and target.space(self._shell.requests.room):
            target.starved = False
            self._shell.tell(ev.RoomAgain(target=target.id))
        self._touch(target)

    def _touch(self, target: Target) -> None:
        """Check the target for a next request, and the pool for a Disconnect that waits for it."""
        self._shell.touch(target)
        if self._shell.disconnect is Step.WANTED:
            self._shell.touch(self._shell.pool)

    def _received(
        self, attempt: Attempt, value: v.ReceiveResponse, streams: list[bytes], now: float
    ) -> None:
        target = attempt.target
        # With other targets, what seems to be missing may still be on its way to one of them.
        alone = len(self._shell.commands) == (target.id is not None)
        if streams and not target.order.take(streams, judge=alone and attempt.tries > 1):
            target.receiving = False
            text = "an answer of the server was lost on its way, and with it a part of the output"
            self._lose(target, TransportFailure(text, sent=True, partial=True))
            return
        for data in streams:
            if target.close is Step.NO or target.id is None:
                self._shell.tell(ev.Received(target=target.id, data=data))
        suspending = self._shell.disconnect in (Step.SENT, Step.DONE)
        if any(state.state == "Done" for state in value.states) and not suspending:
            target.receiving = False
            target.done = True
            self._command_done(target)
        elif streams:
            target.receiving = False
            target.empty_answers = 0
            target.drains = target.close is not Step.NO
            self._shell.touch(target)
        else:
            self._nothing_came(attempt, now)

    def _nothing_came(self, attempt: Attempt, now: float) -> None:
        """Ask again; after a delay if the server returns empty answers quickly."""
        target = attempt.target
        target.receiving = False
        quick = now - attempt.sent_at < _QUICK
        target.empty_answers = target.empty_answers + 1 if quick else 0
        pause = min(0.05 * (target.empty_answers - 2), _MAX_PAUSE)
        target.quiet_until = now + pause if pause > 0 else 0.0
        self._shell.touch(target)
        self._tidy(target)

    def _command_done(self, target: Target) -> None:
        if target.id is None:
            if self._shell.pool.close is Step.NO and self._shell.disconnect is Step.NO:
                error = TransportFailure("the server has closed the shell", code=None, sent=True)
                self._shell.end(error)
            return
        if target.close is Step.NO:
            self._shell.tell(ev.CommandEnded(target=target.id))
        self._shell.touch(target)
        self._tidy(target)

    def _tidy(self, target: Target) -> None:
        """Remove a command that is terminated and has no Receive outstanding."""
        if target.id is not None and target.close is Step.DONE and not target.receiving:
            self._shell.forget(target)
            self._shell.touch(self._shell.pool)

    def _receive_failed(self, target: Target, error: WSManError) -> None:
        shell = self._shell
        gone = isinstance(error, WSManFault) and faults.is_gone(error.fault)
        if target.close is not Step.NO or shell.over:
            target.done = True
            shell.touch(target)
            self._tidy(target)
        elif gone and shell.disconnect in (Step.SENT, Step.DONE):
            return
        elif target.id is not None and target.stop is not Step.NO:
            # The server has dropped a command that was being stopped: the command has ended.
            target.done = True
            shell.tell(ev.CommandEnded(target=target.id))
        else:
            self._lose(target, error)

    def _lose(self, target: Target, error: WSManError) -> None:
        if target.id is None:
            if self._shell.pool.close is Step.NO:
                self._shell.end(error)
            return
        self._lose_command(target, error)

    def _lose_command(self, target: Target, error: WSManError) -> None:
        """Report a command as lost, and terminate it if the server may still have it."""
        if target.close is Step.NO:
            self._shell.tell(
                ev.ActFailed(act=TransportAct.CREATE_PIPELINE, target=target.id, error=error)
            )
        # A server that has the command may end it only while somebody receives.
        target.done = not isinstance(error, TransportFailure)
        target.drop()
        refused = target.phase is Phase.STARTING and isinstance(error, WSManFault)
        not_sent = isinstance(error, TransportFailure) and not error.sent
        if target.phase is Phase.STARTING and (refused or not_sent):
            if target.close is not Step.NO:
                act = TransportAct.CLOSE_PIPELINE
                self._shell.tell(ev.ActDone(act=act, target=target.id))
            self._shell.forget(target)
            self._shell.touch(self._shell.pool)
            return
        target.phase = Phase.OPEN
        if target.close is Step.NO:
            self._shell.close_command(target)
        self._shell.touch(target)

    # -- ends

    def _stopped(self, target: Target, _value: object, _now: float) -> None:
        target.stop = Step.DONE
        self._shell.tell(ev.ActDone(act=TransportAct.STOP_PIPELINE, target=target.id))
        self._shell.touch(target)

    def _not_stopped(self, target: Target, error: WSManError) -> None:
        target.stop = Step.DONE
        if isinstance(error, WSManFault) and faults.is_gone(error.fault):
            # The command had ended before the signal arrived.
            act = TransportAct.STOP_PIPELINE
            self._shell.tell(ev.ActDone(act=act, target=target.id))
            if target.close is Step.NO and not target.receiving:
                target.done = True
                assert target.id is not None
                self._shell.tell(ev.CommandEnded(target=target.id))
        else:
            self._shell.tell(
                ev.ActFailed(act=TransportAct.STOP_PIPELINE, target=target.id, error=error)
            )
        self._shell.touch(target)

    def _terminated(self, target: Target, _value: object, _now: float) -> None:
        target.close = Step.DONE
        self._shell.drop_waiting(target)
        self._shell.tell(ev.ActDone(act=TransportAct.CLOSE_PIPELINE, target=target.id))
        self._shell.touch(self._shell.pool)
        self._tidy(target)

    def _deleted(self, _pool: Target, _value: object, _now: float) -> None:
        self._shell.pool.close = Step.DONE
        self._shell.tell(ev.ActDone(act=TransportAct.CLOSE_POOL))
        self._shell.end(None)

    def _not_deleted(self, _pool: Target, error: WSManError) -> None:
        """Count a shell that is gone as deleted; report any other failure with the end."""
        gone = isinstance(error, WSManFault) and faults.is_gone(error.fault)
        self._shell.pool.close = Step.DONE
        self._shell.tell(ev.ActDone(act=TransportAct.CLOSE_POOL))
        self._shell.end(None if gone else error)

    def _disconnected(self, pool: Target, _value: object, _now: float) -> None:
        self._shell.disconnect = Step.DONE
        for target in (pool, *self._shell.commands.values()):
            if target.phase is Phase.OPEN:
                target.phase = Phase.SUSPENDED
        self._shell.tell(ev.ActDone(act=TransportAct.DISCONNECT))

    def _not_disconnected(self, _pool: Target, error: WSManError) -> None:
        self._shell.disconnect = Step.NO
        self._shell.tell(ev.ActFailed(act=TransportAct.DISCONNECT, target=None, error=error))
        self._touch_all()

    def _reconnected(self, pool: Target, _value: object, _now: float) -> None:
        self._shell.reconnect = Step.DONE
        pool.begin_receiving()
        for command in self._shell.commands.values():
            if command.phase is Phase.SUSPENDED:
                command.phase = Phase.RESUMING
        self._shell.tell(ev.ActDone(act=TransportAct.RECONNECT))
        self._touch_all()

    def _not_reconnected(self, pool: Target, error: WSManError) -> None:
        self._shell.reconnect = Step.NO
        pool.phase = Phase.SUSPENDED
        self._shell.tell(ev.ActFailed(act=TransportAct.RECONNECT, target=None, error=error))

    def _command_reconnected(self, target: Target, _value: object, _now: float) -> None:
        target.begin_receiving()
        self._shell.touch(target)
