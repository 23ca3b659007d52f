"""The client over HTTP: drives `wsman.shell.Shell` on connections of `wsman.trio_pool`.

`ShellClient` reports to a `Receiver`, which is PowerShell's session or a test. It opens the
connections it needs and deletes its shell at the end if possible; `ShellClient.run` never raises.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from uuid import UUID, uuid4

import trio

from psrp.sansio import LocalProtocolError, Outgoing, ProtocolError, TransportAct
from wsman import client_events as ev
from wsman import errors, names, queries
from wsman import shell_values as v
from wsman.errors import TransportFailure, WSManError
from wsman.requests import Request, Requests, ShellConfig
from wsman.shell import Shell
from wsman.shell_targets import Phase, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsman.trio_pool import Connections

__all__ = ["Receiver", "ShellClient", "ask", "commands_of", "identify", "shells_on"]

SESSION_ID = str(uuid4()).upper()
"""The SessionId of this process: only the same one can reconnect to a shell."""
GRACE = 2.0
"""Seconds to wait for outstanding Receives after a disconnect."""
LEAVE_SECONDS = 5.0
"""Seconds for the Disconnect of a shell whose connection was lost."""
DELETE_SECONDS = 5.0
"""Seconds for the Delete of a client that is closed at once."""
MAX_ITEMS = 32000


class Receiver(Protocol):
    """The user of a `ShellClient`. Only `wait_for_reader` is asynchronous."""

    def received(self, data: bytes, target: UUID | None) -> None: ...
    def act_done(self, act: TransportAct, target: UUID | None) -> None: ...
    def act_failed(self, act: TransportAct, target: UUID | None, error: WSManError) -> None: ...
    def command_ended(self, target: UUID) -> None: ...
    def retrying(self, event: ev.Retrying) -> None: ...
    def ready_again(self, target: UUID | None) -> None: ...
    def lost(self, error: WSManError | None) -> None: ...
    async def wait_for_reader(self, target: UUID | None) -> None: ...


class ShellClient:
    """One shell over HTTP."""

    def __init__(self, config: ShellConfig, connections: Connections) -> None:
        self.machine = Shell(config, new_id=uuid4)
        self.connections = connections
        self._wake = trio.Event()
        self._receiver: Receiver | None = None
        self._lost: ev.Lost | None = None
        self._nursery: trio.Nursery | None = None
        """The tasks of the outstanding requests; None before and after `run`."""
        self._due = math.inf
        """The time at which `run` wakes by itself."""
        self.left = False
        """True if the connection was lost and the shell was then disconnected at the server."""
        self.round_trips = 0
        """The number of requests made so far, without authentication legs."""

    def room(self, target: UUID | None) -> int:
        return 0 if self.machine.over else self.machine.room(target)

    def send(self, out: Outgoing) -> None:
        """Queue data or an act; it is ignored after the end."""
        with suppress(LocalProtocolError):
            self.machine.send(out)
        self._advance()

    def hold(self, target: UUID) -> None:
        """Make no Receive of a command, so that its whole output stays at the server."""
        self.machine.hold(target)

    def poll_pool(self, *, soon: bool) -> None:
        """Make the pool's next Receive at once, or a little later (`wsman.shell.Shell`)."""
        self.machine.poll_pool(trio.current_time(), soon=soon)
        self._advance()

    # -- the loop

    async def run(self, receiver: Receiver) -> None:
        """Make requests until the shell is lost, closed or disconnected. Never raises."""
        self._receiver = receiver
        async with trio.open_nursery() as self._nursery:
            nursery = self._nursery
            try:
                await self._until_over()
            finally:
                self._nursery = None
            nursery.cancel_scope.cancel()
        if self._lost is None:
            # Only now have the last Receives delivered the output that the server had ready.
            receiver.act_done(TransportAct.DISCONNECT, None)
        error = self._lost.error if self._lost is not None else None
        if isinstance(error, TransportFailure):
            self.left = await self._leave()
        receiver.lost(error)

    async def _until_over(self) -> None:
        grace = math.inf
        while True:
            self._advance()
            self._tell()
            now = trio.current_time()
            if self._lost is not None or self._is_suspended(grace, now):
                return
            if self.machine.disconnect is Step.DONE and grace == math.inf:
                grace = now + GRACE
            self._wake = trio.Event()
            due = self.machine.next_time
            self._due = due if due is not None else math.inf
            with trio.move_on_at(min(grace, self._due)):
                await self._wake.wait()

    async def _leave(self) -> bool:
        """Disconnect a shell whose connection was lost, so that it can be connected to at once.

        Returns False if the server cannot be reached within a few seconds or refuses.
        """
        machine = self.machine
        if machine.pool.phase is not Phase.OPEN or machine.pool.close is not Step.NO:
            return False
        mode = machine.buffer_mode
        value = v.Disconnect(idle_timeout=machine.idle_timeout, buffer_mode=mode)
        with trio.move_on_after(LEAVE_SECONDS), suppress(ProtocolError):
            await _operate(self.connections, machine.requests, value)
            return True
        return False

    def _advance(self) -> None:
        """Start every request that is due, and wake `run` for what is its own work.

        Starting them here instead of in `run` saves a pass of the scheduler for each request.
        """
        if self._nursery is None:
            return
        while (request := self.machine.next_request(trio.current_time())) is not None:
            self._nursery.start_soon(self._make, request)
        due = self.machine.next_time
        if (
            self.machine.has_events
            or self._lost is not None
            or self.machine.disconnect is Step.DONE
            or (due is not None and due < self._due)
        ):
            self._wake.set()

    def _is_suspended(self, grace: float, now: float) -> bool:
        """Return whether the shell is disconnected and its last Receives have ended."""
        if self.machine.disconnect is not Step.DONE:
            return False
        return not self.machine.outstanding or now >= grace

    async def _make(self, request: Request) -> None:
        receiver = self._receiver
        assert receiver is not None
        machine = self.machine
        if request.operation == "Receive":
            await receiver.wait_for_reader(request.target)
            if not machine.is_wanted(request.number):
                machine.withdraw(request.number)
                self._advance()
                return
        self.round_trips += 1
        try:
            status, bodies = await ask(self.connections, request)
        except TransportFailure as failure:
            machine.receive_failure(request.number, failure, trio.current_time())
        else:
            machine.receive_answer(request.number, status, bodies, trio.current_time())
        self._tell()
        self._advance()

    def _tell(self) -> None:
        receiver = self._receiver
        assert receiver is not None
        while (event := self.machine.next_event()) is not None:
            match event:
                case ev.Received(target=target, data=data):
                    receiver.received(data, target)
                case ev.ActDone(act=TransportAct.DISCONNECT):
                    pass  # reported when the last Receives have ended
                case ev.ActDone(act=act, target=target):
                    receiver.act_done(act, target)
                case ev.ActFailed(act=act, target=target, error=error):
                    receiver.act_failed(act, target, error)
                case ev.CommandEnded(target=target):
                    receiver.command_ended(target)
                case ev.RoomAgain(target=target):
                    receiver.ready_again(target)
                case ev.Retrying():
                    receiver.retrying(event)
                case ev.Lost():
                    self._lost = event

    # -- the end

    async def aclose(self) -> None:
        """Delete a shell that still exists, within a few seconds, and close the connections.

        Call it after `run` has ended or was cancelled. Never raises.
        """
        machine = self.machine
        exists = machine.pool.phase in (Phase.OPEN, Phase.STARTING) and not machine.pool.connects
        suspended = machine.disconnect is not Step.NO
        closed = machine.pool.close is Step.DONE
        error = self._lost.error if self._lost is not None else None
        lost = error is not None
        if machine.pool.phase is Phase.STARTING and isinstance(error, TransportFailure):
            # The answer of Create was lost: the server may have the shell.
            lost = not error.sent
        with trio.CancelScope(shield=True):
            if exists and not (suspended or closed or lost):
                with trio.move_on_after(DELETE_SECONDS), suppress(ProtocolError):
                    await ask(self.connections, machine.requests.make(v.Delete()))
            await self.connections.aclose()

    async def commands(self) -> list[queries.CommandInfo]:
        """Return the commands that the server has in this shell. Raises WSManError."""
        return await commands_of(self.connections, self.machine.requests)


# -- single operations


async def ask(connections: Connections, request: Request) -> tuple[int, list[bytes]]:
    """Make one request within its time limit. Raises TransportFailure."""
    try:
        with trio.fail_after(request.timeout):
            return await connections.exchange(request.content_type, request.body)
    except trio.TooSlowError:
        text = f"{request.operation}: no answer within {request.timeout:g} seconds"
        raise TransportFailure(text, code=errors.OPERATION_TIMEOUT, sent=True) from None


async def _operate(connections: Connections, requests: Requests, value: object, **fields: object):  # type: ignore[no-untyped-def]
    request = requests.make(value, **fields)  # type: ignore[arg-type]
    status, bodies = await ask(connections, request)
    return requests.read(request, status, bodies)


async def identify(connections: Connections, config: ShellConfig) -> queries.IdentifyResponse:
    """Send Identify and return the server's answer. Raises WSManError."""
    requests = Requests(config, uuid4)
    request = requests.make(queries.Identify(), resource_uri="", selectors=())
    status, bodies = await ask(connections, request)
    found = requests.read(request, status, bodies)
    assert isinstance(found, queries.IdentifyResponse)
    return found


async def shells_on(connections: Connections, config: ShellConfig) -> list[v.ShellInfo]:
    """Return the PowerShell shells of the user on a server. Raises WSManError.

    Rows of other resources, and rows without id, state, name or resource URI, are omitted, as in
    PowerShell.
    """
    requests = Requests(config, uuid4)
    first = queries.Enumerate()
    fields = {"resource_uri": names.RESOURCE_SHELL, "selectors": ()}
    found = await _enumerate(connections, requests, first, fields)
    return [shell for answer in found for shell in answer.shells if _is_session(shell)]


def _is_session(shell: v.ShellInfo) -> bool:
    uri = shell.resource_uri.lower()
    needed = (shell.shell_id, shell.state, shell.name)
    return uri.startswith(names.POWERSHELL_PREFIX) and all(needed)


async def commands_of(connections: Connections, requests: Requests) -> list[queries.CommandInfo]:
    """Return the commands of the shell that the requests address. Raises WSManError."""
    first = queries.Enumerate(dialect=names.SELECTOR_FILTER, selectors=requests.selectors[:1])
    fields = {"resource_uri": names.RESOURCE_COMMAND, "selectors": ()}
    found = await _enumerate(connections, requests, first, fields)
    return [command for answer in found for command in answer.commands]


async def _enumerate(
    connections: Connections,
    requests: Requests,
    first: queries.Enumerate,
    fields: Mapping[str, object],
) -> list[queries.EnumerateResponse | queries.PullResponse]:
    """Run an enumeration to its end: Enumerate, then Pull while items are left."""
    answers = [await _operate(connections, requests, first, **fields)]
    count = _items(answers[-1])
    while not answers[-1].end and answers[-1].context and count < MAX_ITEMS:
        pull = queries.Pull(context=answers[-1].context)
        answers.append(await _operate(connections, requests, pull, **fields))
        if not _items(answers[-1]):
            break
        count += _items(answers[-1])
    return answers


def _items(answer: queries.EnumerateResponse | queries.PullResponse) -> int:
    return len(answer.shells) + len(answer.commands)
