"""The connection between a runspace pool and its carrier.

The tasks of this class never raise: the first error is stored, every command ends with it, and
every waiting caller is woken and finds it in `PoolDriver.error`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import trio

from psremoting import errors
from psremoting.client.hosts import Host
from psremoting.client.pipeline_input import new_private_key
from psremoting.client.running_pipelines import RunningPipelines
from psremoting.options import SessionOption
from psrp import events as e
from psrp.fragments import DEFAULT_MAX_MESSAGE
from psrp.messages import MessageType
from psrp.pool import Pool
from psrp.sansio import (
    LocalProtocolError,
    MessageError,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import PoolState

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier
    from psremoting.client.invocation import Invocation
    from psremoting.errors import PSRemotingTransportError

__all__ = ["PoolDriver"]

_NOTICES_KEPT = 200
_NOTICE_DELAY = 1.0
"""Seconds for which the last notice before the session is open waits for a failure."""
_CLOSE_WAIT = 2.0
"""Seconds to wait for the acknowledgement of a close before the next command."""
_STATES = {
    PoolState.BEFORE_OPEN: "BeforeOpen",
    PoolState.OPENED: "Opened",
    PoolState.DISCONNECTING: "Disconnecting",
    PoolState.DISCONNECTED: "Disconnected",
    PoolState.CLOSING: "Closing",
    PoolState.CLOSED: "Closed",
    PoolState.BROKEN: "Broken",
}


class PoolDriver:
    """Driver of one pool over one carrier; it is the carrier's `Receiver`.

    ``id`` is the id of an existing pool to connect to; a new pool gets a random one.
    """

    _packet_target: UUID | None = None
    """The pipeline whose packet is being processed."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        options: SessionOption,
        host: Host,
        version: str,
        on_notice: Callable[[str], None] | None,
        id: UUID | None = None,
    ) -> None:
        self.id = id or uuid4()
        self.carrier = carrier
        self.computer = carrier.computer
        self.options = options
        self.host = host
        self.error: PSRemotingTransportError | None = None
        self.notices: list[str] = []
        self.pool = Pool(
            Side.CLIENT,
            id=self.id,
            version=version,
            private_key=new_private_key,
            max_message=options.max_received_object_size or DEFAULT_MAX_MESSAGE,
        )
        self.commands = RunningPipelines(
            self.pool,
            computer=self.computer,
            options=options,
            host=host,
            flush=self.flush,
            wait_for_room=self.wait_for_room,
            on_exit=self._close_after_exit,
        )
        self.opened = trio.Event()
        """Set when the pool is open, or has failed to open."""
        self.closed = trio.Event()
        """Set when nothing more can arrive."""
        self.on_user_event: Callable[[e.UserEvent], None] = lambda _: None
        self._on_notice = on_notice
        self._held_notice = ""
        """The last notice before the session is open: it may be the reason of a failure, which
        is shown with the error."""
        self._replies: dict[int, tuple[trio.Event, list[Any]]] = {}
        self._disconnected: tuple[trio.Event, list[errors.PSRemotingError]] | None = None
        self._progress = trio.Event()
        self._starting = trio.Lock()
        """Held by the command whose turn it is to start; later ones wait in order."""
        """Set, and replaced by waiters, when the carrier has room or a pipeline is closed."""
        self._carrying = trio.CancelScope()
        self._reactions = self._reactions_by_class()

    def _reactions_by_class(self) -> dict[type[e.Event], Callable[[Any], None]]:
        return {
            e.RunspacePoolStateMessage: self._pool_state,
            e.RunspaceAvailability: self._availability,
            e.Ignored: self._ignored,
            e.SessionCapability: lambda _: self.carrier.negotiated(self.pool.version or ""),
            e.RunspacePoolInitData: lambda _: self._connected(),
            e.UserEvent: lambda event: self.on_user_event(event),
            **self.commands.reactions,
        }

    @property
    def state(self) -> str:
        """The RunspaceState that PowerShell would show."""
        if self.error is not None:
            return "Broken"
        if self.pool.state is PoolState.DISCONNECTED:
            return "Disconnected"
        if self.closed.is_set():
            return "Closed"
        return _STATES.get(self.pool.state, "Opening")

    # -- called by the session

    def start_carrying(self, nursery: trio.Nursery) -> None:
        self.commands.nursery = nursery
        nursery.start_soon(self._carry)
        nursery.start_soon(self._show_notices_of_a_slow_opening)

    async def _carry(self) -> None:
        with self._carrying:
            try:
                await self.carrier.run(self)
            except Exception as error:
                # A bug in a carrier must not cancel the tasks of the user.
                self.lost(errors.protocol_broken(self.computer, error))

    async def release(self, *, gently: bool) -> None:
        """Release the transport, also when cancelled."""
        self._carrying.cancel()
        self._end()
        await self.carrier.aclose(gently=gently)

    async def ask(self, kind: Callable[..., e.Event], **fields: int) -> Any:
        """Send a request about the pool; return None if no response arrives in time."""
        call_id = self.pool.new_call_id()
        self.pool.send(kind(call_id=call_id, **fields))
        arrived = trio.Event()
        answer: list[Any] = []
        self._replies[call_id] = arrived, answer
        self.flush()
        try:
            with trio.move_on_after(self.options.operation_timeout):
                await self.wait_for(arrived)
        finally:
            del self._replies[call_id]
        return answer[0] if answer else None

    async def disconnect(self) -> None:
        """Disconnect the pool from this client; its commands continue on the server.

        Raises OperationTimeout, LocalProtocolError, and the error of a server that refuses.
        """
        self.pool.send(e.Disconnect())
        done, failures = self._disconnected = trio.Event(), []
        self.flush()
        with trio.move_on_after(self.options.operation_timeout) as waiting:
            await self.wait_for(done)
        if waiting.cancelled_caught:
            raise errors.no_answer(self.computer, self.options.operation_timeout)
        if failures:
            raise failures[0]
        if self.error is not None:
            raise self.error
        self._end()
        self._carrying.cancel()

    def _left_behind(self) -> None:
        """Count as disconnected: the carrier has lost the connection and left the session."""
        try:
            self.pool.send(e.Disconnect())
        except LocalProtocolError:
            return
        while self.pool.data_to_send() is not None:
            # Nothing can be sent any more.
            pass
        self.pool.receive_act(TransportAct.DISCONNECT)
        self._process_events()
        self.commands.end_all(self._command_left, e.InvocationState.DISCONNECTED)
        self._end()
        self._carrying.cancel()

    def _command_left(self) -> Exception:
        text = f"Session {self.id} was disconnected; the command goes on at the server."
        return errors.SessionDisconnected(text, computer=self.computer)

    def flush(self) -> None:
        """Send the pool's queued data to the carrier, as far as it has room."""
        carrier, pool = self.carrier, self.pool
        sent = True
        while sent:
            sent = False
            for target in pool.targets_to_send():
                room = carrier.room(target)
                if room and (out := pool.data_to_send(room, target)) is not None:
                    carrier.send(out)
                    sent = True
        self._progress.set()

    async def wait_for_room(self, target: UUID | None) -> None:
        """Wait until the carrier takes more for ``target``."""
        self.flush()
        while not (self.carrier.room(target) or self.closed.is_set()):
            await self._wait_for_progress()
        await trio.lowlevel.checkpoint()

    async def wait_for_runspace(self) -> None:
        """Wait until commands that have ended have freed their runspaces, and while too many
        commands are at the server. Commands start in the order of their calls.

        A server refuses a command that arrives while the last one is still being closed. One
        that never acknowledges a close is not waited for long (spec-notes/sessions.md).
        """
        waits = self.carrier.closes_in_turn
        async with self._starting:
            with trio.move_on_after(_CLOSE_WAIT):
                while waits and self.commands.runspaces_taken and not self.closed.is_set():
                    await self._wait_for_progress()
            while self.commands.queue_is_full and not self.closed.is_set():
                await self._wait_for_progress()
            await self.wait_for_room(None)

    async def _wait_for_progress(self) -> None:
        if self._progress.is_set():
            self._progress = trio.Event()
        await self.wait_for(self._progress)

    async def wait_until_runs(self, invocation: Invocation) -> None:
        """Wait until the server has accepted a command and the carrier has all of its input."""
        while not (
            invocation.ended or self.closed.is_set() or self.commands.is_handed_over(invocation.id)
        ):
            await self._wait_for_progress()

    async def wait_for(self, event: trio.Event) -> None:
        """Wait for an event that the server causes, or the end of the session."""
        await self.commands.wait_for(event)

    def _close_after_exit(self) -> None:
        """Close the session after a remote ``exit``, as PowerShell does."""
        try:
            self.pool.send(e.ClosePool())
        except LocalProtocolError:
            return
        self.flush()

    # -- called by the carrier

    async def wait_for_reader(self, target: UUID | None) -> None:
        if target is not None:
            await self.commands.backpressure.wait_for_reader(target)

    async def wait_for_any_reader(self) -> None:
        await self.commands.backpressure.wait_for_any_reader()

    def ready_again(self, target: UUID | None) -> None:
        self._progress.set()
        self.flush()

    def received(self, data: bytes, target: UUID | None, stream: Stream) -> None:
        if not self.commands.receives(len(data), target):
            return
        self._packet_target = target
        try:
            self.pool.receive_data(data, target, stream)
        except RemoteProtocolError as error:
            self.break_session(errors.protocol_broken(self.computer, error))
            return
        self._process_events()

    def act_done(self, act: TransportAct, target: UUID | None) -> None:
        self.pool.receive_act(act, target)
        if act is TransportAct.CREATE_PIPELINE and target is not None:
            self.commands.accepted(target)
        self._process_events()
        self._progress.set()
        if act is TransportAct.DISCONNECT and self._disconnected is not None:
            self.commands.end_all(self._command_left, e.InvocationState.DISCONNECTED)
            self._disconnected[0].set()
        if act is TransportAct.CLOSE_POOL:
            self._end()

    def act_failed(
        self, act: TransportAct, target: UUID | None, error: errors.PSRemotingError
    ) -> None:
        if act is TransportAct.DISCONNECT and self._disconnected is not None:
            self.pool.act_failed(act, target)
            self._disconnected[1].append(error)
            self._disconnected[0].set()
        elif target is not None:
            self.commands.act_failed(act, target, error)
        elif self.opened.is_set():
            self.noticed(error.message)
        elif isinstance(error, errors.PSRemotingTransportError):
            self.break_session(error)
        else:
            self.break_session(errors.process_reported(self.computer, error.message))

    def noticed(self, text: str) -> None:
        self.notices = [*self.notices, text][-_NOTICES_KEPT:]
        self._show_held_notice()
        if not self.opened.is_set():
            self._held_notice = text
        elif self.error is None or text not in self.error.message:
            self._show_notice(text)

    async def _show_notices_of_a_slow_opening(self) -> None:
        while not self.opened.is_set():
            held = self._held_notice
            with trio.move_on_after(_NOTICE_DELAY):
                await self.opened.wait()
            if held and held == self._held_notice:
                self._show_held_notice()

    def _show_held_notice(self) -> None:
        held, self._held_notice = self._held_notice, ""
        if held and (self.error is None or held not in self.error.message):
            self._show_notice(held)

    def _show_notice(self, text: str) -> None:
        if self._on_notice is not None:
            try:
                self._on_notice(text)
            except Exception:
                # The reader calls it and must continue. After a failure it is not called again.
                self._on_notice = None

    def lost(self, error: PSRemotingTransportError | None, *, disconnected: bool = False) -> None:
        if disconnected and not self.closed.is_set():
            self._left_behind()
        elif error is not None and not self.closed.is_set():
            self.break_session(error)
        self._end()

    def break_session(self, error: PSRemotingTransportError) -> None:
        """Abort the session; every command ends with ``error``."""
        if self.error is None:
            error.notices = tuple(self.notices)
            self.error = error
        self.pool.send_failed()
        self.commands.end_all(lambda: error.with_id(errors.JOB_FAILURE))
        self._end()
        self._carrying.cancel()

    def _is_open(self) -> None:
        self.opened.set()
        self._show_held_notice()

    def _end(self) -> None:
        self.commands.end_all(lambda: errors.PipelineStopped(computer=self.computer))
        self._is_open()
        self.closed.set()
        self._progress.set()
        if self._disconnected is not None:
            self._disconnected[0].set()
        for arrived, _ in self._replies.values():
            arrived.set()

    # -- events of the pool

    def _process_events(self) -> None:
        last: UUID | None = None
        take: Callable[[Any], None] = self.commands.output_of(self.id)
        try:
            while (event := self.pool.next_event()) is not None:
                if type(event) is e.PipelineOutput:
                    if event.pipeline_id is not last:
                        last = event.pipeline_id
                        take = self.commands.output_of(last)
                    take(event.data)
                    continue
                react = self._reactions.get(type(event))
                if react is not None:
                    react(event)
        except RemoteProtocolError as error:
            self.break_session(self._protocol_error(error))
        self.flush()

    def _protocol_error(self, error: RemoteProtocolError) -> PSRemotingTransportError:
        if isinstance(error, MessageError) and error.message == "SESSION_CAPABILITY":
            return errors.negotiation_failed(self.computer, error, self.pool.own_version)
        if isinstance(error, UnexpectedMessage) and not self.opened.is_set():
            reason = f"{error.got} while {error.state}"
            return errors.opening_failed(self.computer, "Broken", reason)
        return errors.protocol_broken(self.computer, error)

    def _pool_state(self, event: e.RunspacePoolStateMessage) -> None:
        if event.state is e.RunspaceState.OPENED:
            self.carrier.poll_pool(soon=False)
            self._is_open()
            return
        if event.state is e.RunspaceState.BROKEN or not self.opened.is_set():
            failed = errors.opening_failed(self.computer, event.state.name.title())
            if event.error is not None:
                text = event.error.message
                failed = errors.PSRemotingTransportError(text, computer=self.computer)
            self.break_session(failed)

    def _connected(self) -> None:
        """Process RUNSPACEPOOL_INIT_DATA, with which a pool that was connected to is open."""
        if self.pool.state is PoolState.OPENED:
            self._is_open()

    def _availability(self, event: e.RunspaceAvailability) -> None:
        waiting = self._replies.get(event.call_id)
        if waiting is not None:
            arrived, answer = waiting
            answer.append(event.answer)
            arrived.set()

    def _ignored(self, event: e.Ignored) -> None:
        opening = not self.opened.is_set()
        if event.message_type == MessageType.RUNSPACEPOOL_STATE and opening:
            self.break_session(errors.opening_failed(self.computer, "Broken", event.reason))
        else:
            self.commands.ignored(event, self._packet_target)
