"""The carrier of WS-Man, based on `wsman.trio_client`.

It translates failures into PowerShell's errors, and puts names on what happens to the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import trio

from psremoting import errors
from psremoting.client.carrier import PromptStyle
from psremoting.client.wsman_hints import wsman_hint
from psremoting.client.wsman_setup import buffer_mode, check, connections, shell_config
from psrp.sansio import Stream, TransportAct
from wsman.errors import TransportFailure, WSManError
from wsman.trio_client import ShellClient

if TYPE_CHECKING:
    from psremoting.client.carrier import Receiver
    from psremoting.options import SessionOption
    from psremoting.wsman_target import WSManTarget
    from psrp.sansio import Outgoing
    from wsman.client_events import Retrying

__all__ = ["WSManCarrier", "translate"]

_HELP = "For more information, see the about_Remote_Troubleshooting Help topic."
_END_WAIT = 5.0
"""Seconds from the end of a command at the server until it is abandoned here."""


def translate(
    error: WSManError, computer: str, *, opening: bool
) -> errors.PSRemotingTransportError:
    """Make PowerShell's error of a failed operation."""
    default = errors.OPEN_FAILED if opening else errors.STATE_BROKEN
    text = error.message.strip()
    if opening:
        text = (
            f"Connecting to remote server {computer} failed with the following error message : "
            f"{text} {_HELP}"
        )
    hint = wsman_hint(error)
    if hint:
        text += f"\nHint: {hint}"
    made = errors.PSRemotingTransportError(
        text, error_id=error.error_id(default), computer=computer
    )
    made.__cause__ = error
    return made


class WSManCarrier:
    """One session over WS-Man."""

    transport = "WSMan"
    closes_in_turn = False
    can_disconnect = True

    def __init__(self, target: WSManTarget, options: SessionOption, *, name: str = "") -> None:
        self.computer = target.computer
        self.prompt_style = PromptStyle(prefix=f"[{target.computer}]: ")
        self._target = target
        self._options = options
        self._name = name
        self._connections = connections(target, options)
        self._client: ShellClient | None = None
        self._receiver: Receiver | None = None
        self._ends: dict[UUID, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self._opened = False

    def __repr__(self) -> str:
        return f"<WSManCarrier to {self._connections.location.url}>"

    @property
    def client(self) -> ShellClient:
        assert self._client is not None
        return self._client

    async def open(self, pool_id: UUID) -> None:
        await trio.lowlevel.checkpoint()
        try:
            check(self._target, self._options)
        except WSManError as error:
            raise translate(error, self.computer, opening=True) from error
        config = shell_config(self._target, pool_id, self._options, self._name)
        self._client = ShellClient(config, self._connections)

    def room(self, target: UUID | None) -> int:
        return self.client.room(target)

    def send(self, out: Outgoing) -> None:
        self.client.send(out)

    def negotiated(self, version: str) -> None:
        """Set the server's protocol version: from 2.2 on it accepts envelopes of 500 KB."""
        major, _, minor = version.partition(".")
        if major == "2" and minor.isdigit() and int(minor) >= 2:
            self.client.machine.use_large_envelopes()

    def poll_pool(self, *, soon: bool) -> None:
        self.client.poll_pool(soon=soon)

    def open_timed_out(self, seconds: float) -> errors.OpenTimeout:
        return errors.opening_timed_out(self.computer, seconds, ssh=False)

    async def run(self, receiver: Receiver) -> None:
        self._receiver = receiver
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self.client.run(self)
            nursery.cancel_scope.cancel()

    async def aclose(self, *, gently: bool) -> None:
        if self._client is not None:
            await self._client.aclose()
        else:
            with trio.CancelScope(shield=True):
                await self._connections.aclose()

    def keep_for(self, seconds: float) -> None:
        self.client.machine.idle_timeout = seconds

    def buffer_as(self, mode: str) -> None:
        self.client.machine.buffer_mode = buffer_mode(mode)

    def hold(self, command: UUID) -> None:
        self.client.hold(command)

    async def commands(self) -> list[UUID]:
        """Return the ids of the commands in the shell. Raises PSRemotingTransportError."""
        try:
            found = await self.client.commands()
        except WSManError as error:
            raise translate(error, self.computer, opening=False) from error
        return [made for each in found if (made := _uuid(each.command_id)) is not None]

    # -- called by the client

    @property
    def _user(self) -> Receiver:
        assert self._receiver is not None
        return self._receiver

    def received(self, data: bytes, target: UUID | None) -> None:
        self._user.received(data, target, Stream.DEFAULT)

    def act_done(self, act: TransportAct, target: UUID | None) -> None:
        if act in (TransportAct.CREATE_POOL, TransportAct.CONNECT) and target is None:
            self._opened = True
        if act is TransportAct.CLOSE_PIPELINE and target in self._ends:
            self._ends.pop(target).cancel()
        self._user.act_done(act, target)

    def act_failed(self, act: TransportAct, target: UUID | None, error: WSManError) -> None:
        opening = act is TransportAct.CREATE_POOL
        made = translate(error, self.computer, opening=opening)
        if act is TransportAct.CONNECT and target is None:
            made = made.with_id("PSSessionConnectFailed")
        elif act is TransportAct.DISCONNECT:
            made = made.with_id("PSSessionDisconnectFailed")
        self._user.act_failed(act, target, made)

    def command_ended(self, target: UUID) -> None:
        """Process the server's end of a command; normally its last message has arrived already."""
        if self._nursery is not None:
            self._nursery.start_soon(self._give_up_later, target)

    async def _give_up_later(self, target: UUID) -> None:
        with trio.CancelScope() as scope:
            self._ends[target] = scope
            await trio.sleep(_END_WAIT)
            self._ends.pop(target, None)
            text = "the server ended the command without reporting its state"
            failure = TransportFailure(text, code=None, sent=True)
            self.act_failed(TransportAct.CREATE_PIPELINE, target, failure)

    def retrying(self, event: Retrying) -> None:
        # As in PowerShell, the attempts to open a session are not shown.
        if event.attempt > 1 and self._opened:
            text = (
                f"The network connection to {self.computer} has been interrupted. "
                f"Attempting to reconnect (attempt {event.attempt} of "
                f"{self._options.max_connection_retries})..."
            )
            self._user.noticed(text)

    def ready_again(self, target: UUID | None) -> None:
        self._user.ready_again(target)

    def lost(self, error: WSManError | None) -> None:
        made = None
        if error is not None:
            made = translate(error, self.computer, opening=not self._opened)
        left = self._opened and self.client.left
        if self._opened and isinstance(error, TransportFailure):
            shell = self.client.machine.config.shell_id.lower()
            at_server = "was disconnected at the server"
            if not left:
                # Nothing was deleted: the server keeps the session until its idle time-out.
                at_server = "stays at the server until its idle time-out"
            self._user.noticed(
                f"The network connection to {self.computer} could not be restored. The session "
                f"{shell} {at_server}: connect to it with --connect or Connect-PSSession."
            )
        self._user.lost(made, disconnected=left)

    async def wait_for_reader(self, target: UUID | None) -> None:
        await self._user.wait_for_reader(target)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
