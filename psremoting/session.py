"""PSSession: a runspace pool over some carrier, and the commands that run in it.

    async with PSSession.connect("user@server") as session:
        async for value in await session.invoke("Get-Process | Select-Object -First 3"):
            ...

This is the face; `psremoting.client.pool_driver` has what happens behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import trio

from psremoting import errors
from psremoting.client import powershell_identity
from psremoting.client.hosts import NULL_HOST, Host
from psremoting.client.invocation import Invocation, OnRecord, Result
from psremoting.client.pipeline_input import as_powershell, system_name
from psremoting.client.pool_driver import PoolDriver
from psremoting.exception_groups import unwrapped
from psremoting.options import SessionOption
from psremoting.targets import Target, carrier_for
from psrp import events as e
from psrp.host import HostInfo
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier
    from psremoting.client.pipeline_input import Input
    from psremoting.client.streams import Streams
    from psrp.commands import Command, PowerShell

__all__ = ["PSSession"]


class PSSession:
    """One session. Made by `PSSession.connect`, which also ends it."""

    def __init__(self, driver: PoolDriver, *, like_powershell: bool) -> None:
        self._driver = driver
        self._like_powershell = like_powershell
        self._closing = False

    def __repr__(self) -> str:
        transport = self._driver.carrier.transport
        return f"<PSSession to {self.computer} over {transport}, {self.state}>"

    # -- opening and closing

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        target: str | Target | Carrier,
        *,
        options: SessionOption | None = None,
        host: Host = NULL_HOST,
        min_runspaces: int = 1,
        max_runspaces: int = 1,
        like_powershell: bool = False,
        version: str | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> AsyncIterator[PSSession]:
        """Open a session to ``target`` (see `psremoting.targets`) for the time of the block.

        ``version`` is the highest protocol version to announce: 2.3 unless given, where secrets
        are sealed; from 2.4 on they are as safe as the transport. ``like_powershell`` says
        everything that PowerShell's client says. ``on_notice`` gets lines such as ssh's own.

        Raises PSRemotingError. However the block ends, no process is left behind; the orderly
        close is given up after ``SessionOption.close_timeout``, and skipped when the block was
        cancelled.
        """
        options = options or SessionOption()
        driver = PoolDriver(
            carrier_for(target, options),
            options=options,
            host=host,
            version=version or (powershell_identity.VERSION if like_powershell else "2.3"),
            on_notice=on_notice,
        )
        session = cls(driver, like_powershell=like_powershell)
        # The tasks of this nursery never raise, so a group holds nothing but the block's own.
        with unwrapped():
            async with trio.open_nursery() as nursery:
                try:
                    await session._open(nursery, min_runspaces, max_runspaces)
                    try:
                        yield session
                    except Exception:
                        await session.close()
                        raise
                    await session.close()
                finally:
                    await driver.release(gently=session.state == "Closed")
                    nursery.cancel_scope.cancel()

    async def _open(self, nursery: trio.Nursery, min_runspaces: int, max_runspaces: int) -> None:
        driver, limit = self._driver, self._driver.options.open_timeout
        with trio.move_on_after(limit) as waiting:
            await driver.carrier.open()
            driver.start_carrying(nursery)
            driver.pool.send(e.SessionCapability(protocol_version=driver.pool.own_version))
            driver.pool.send(
                e.InitRunspacePool(
                    min_runspaces=min_runspaces,
                    max_runspaces=max_runspaces,
                    application_arguments=self._application_arguments(),
                    host_info=driver.host.info,
                )
            )
            driver.flush()
            await driver.until(driver.opened)
        if waiting.cancelled_caught:
            ssh = driver.carrier.transport == "SSH"
            driver.broken(errors.connecting_timed_out(self.computer, limit, ssh=ssh))
        if self._like_powershell and driver.error is None:
            await self._say_like_powershell(powershell_identity.debug_mode(), nested=False)
        if driver.error is not None:
            raise driver.error

    def _application_arguments(self) -> Any:
        given = self._driver.options.application_arguments
        if not self._like_powershell:
            return dict(given) or None
        made = powershell_identity.application_arguments(system_name())
        for name, value in given.items():
            made[name] = value
        return made

    async def close(self) -> None:
        """Close the session; commands that still run are stopped over there. Never raises.

        Gives up after ``SessionOption.close_timeout``. Calling it again does nothing.
        """
        driver = self._driver
        if not (self._closing or driver.closed.is_set()):
            self._closing = True
            try:
                driver.pool.send(e.ClosePool())
            except LocalProtocolError:
                driver.closed.set()
            driver.flush()
            with trio.move_on_after(driver.options.close_timeout):
                await driver.until(driver.closed)
        await driver.release(gently=driver.closed.is_set() and driver.error is None)

    # -- what it is

    @property
    def id(self) -> UUID:
        """InstanceId of PowerShell's session, and the RunspaceId of what comes from it."""
        return self._driver.id

    @property
    def computer(self) -> str:
        """The name of the other side, as the user gave it."""
        return self._driver.computer

    @property
    def transport(self) -> str:
        """SSH, Process, NamedPipe, ..."""
        return self._driver.carrier.transport

    @property
    def options(self) -> SessionOption:
        return self._driver.options

    @property
    def state(self) -> str:
        """BeforeOpen, Opening, Opened, Closing, Closed or Broken."""
        return self._driver.state

    @property
    def availability(self) -> str:
        """Available, Busy (all runspaces taken) or None."""
        if self.state != "Opened":
            return "None"
        taken = self._driver.running >= self._driver.pool.max_runspaces
        return "Busy" if taken else "Available"

    @property
    def error(self) -> errors.PSRemotingTransportError | None:
        """Why the session broke; None while it did not."""
        return self._driver.error

    @property
    def exit_code(self) -> int | None:
        """What ``exit`` said over there, where a host was told."""
        return self._driver.exit_code

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines for people that came beside the protocol; the last two hundred."""
        return tuple(self._driver.notices)

    @property
    def streams(self) -> Streams:
        """Records that belong to no command; some endpoints warn this way."""
        return self._driver.streams

    def on_user_event(self, deal: Callable[[e.UserEvent], None]) -> None:
        """Have ``deal`` called for every event that is forwarded from over there. It must not
        raise, and not wait: it runs in the reader of the session."""
        self._driver.on_user_event = deal

    async def ended(self) -> None:
        """Wait until nothing more can come: the session was closed, or has broken."""
        await self._driver.until(self._driver.closed)

    @property
    def version(self) -> str | None:
        """The protocol version that both sides speak."""
        return self._driver.pool.version

    @property
    def application_private_data(self) -> Any:
        """What the server told of itself: PSVersionTable and more; None while it has not."""
        return self._driver.pool.application_private_data

    # -- commands

    async def invoke(
        self,
        what: str | Command | PowerShell,
        *,
        arguments: Sequence[Any] = (),
        parameters: Mapping[str, Any] | None = None,
        using: Mapping[str, Any] | None = None,
        input: Input | None = None,
        host: Host | None = None,
        on_record: OnRecord | None = None,
        add_to_history: bool = True,
        nested: bool = False,
        tag: bool = False,
        stream_options: int = 0,
    ) -> Invocation:
        """Start a command: the text of a script, or `psrp.commands`.

        ``arguments`` and ``parameters`` are added to the (last) command, ``using`` has the values
        of ``$using:`` expressions, ``input`` what is piped in; it may be asynchronous. ``host``
        answers for this command instead of the session's. ``on_record`` gets the records of all
        streams at once instead of `Invocation.streams`. ``tag`` adds PSComputerName and
        RunspaceId to every object, as Invoke-Command does.

        Raises SessionNotOpen, PSRemotingTransportError when the session breaks meanwhile, and
        LocalProtocolError for what cannot be sent.
        """
        self._check_opened()
        powershell = as_powershell(what, arguments, parameters, using)
        if self._like_powershell:
            await self._say_like_powershell(powershell_identity.breakpoint_mode(), nested=True)
        await self._room()
        return self._driver.start(
            e.CreatePipeline(
                pipeline_id=uuid4(),
                powershell=replace(powershell, is_nested=nested),
                no_input=input is None,
                host_info=HostInfo.null() if host is None else host.info,
                add_to_history=add_to_history,
                remote_stream_options=stream_options,
                is_nested=nested,
            ),
            input=input,
            host=host,
            on_record=on_record,
            tag=tag,
        )

    async def start(
        self,
        event: e.CreatePipeline | e.GetCommandMetadata,
        *,
        input: Input | None = None,
        host: Host | None = None,
        on_record: OnRecord | None = None,
    ) -> Invocation:
        """Start exactly this, with nothing said beside it; for who builds the message himself.

        Raises SessionNotOpen, PSRemotingTransportError when the session breaks meanwhile, and
        LocalProtocolError for what cannot be sent.
        """
        self._check_opened()
        await self._room()
        return self._driver.start(event, input=input, host=host, on_record=on_record)

    async def _room(self) -> None:
        """Wait until a command can go; a session that breaks meanwhile is a command that fails."""
        await self._driver.room()
        if self.error is not None:
            raise self.error.told_by(errors.JOB_FAILURE)
        self._check_opened()

    async def run(self, what: str | Command | PowerShell, **more: Any) -> Result:
        """Start a command as `invoke` does, and wait for its end.

        A command that failed is told in `Result.error`, not raised. Cancelled, it is given up.
        """
        async with await self.invoke(what, **more) as invocation:
            return await invocation.result()

    async def _say_like_powershell(self, powershell: PowerShell, *, nested: bool) -> None:
        event = e.CreatePipeline(
            pipeline_id=uuid4(),
            powershell=replace(powershell, is_nested=nested),
            host_info=HostInfo.null(),
            remote_stream_options=15,
            is_nested=nested,
        )
        await self._driver.start(event).wait()

    # -- questions about the pool

    async def available_runspaces(self) -> int:
        """How many runspaces are free."""
        return int(await self._ask(e.GetAvailableRunspaces))

    async def set_max_runspaces(self, count: int) -> bool:
        """Whether the server took the new limit."""
        return bool(await self._ask(e.SetMaxRunspaces, count=count))

    async def set_min_runspaces(self, count: int) -> bool:
        """Whether the server took the new limit."""
        return bool(await self._ask(e.SetMinRunspaces, count=count))

    async def reset_runspace(self) -> bool:
        """Put the variables of the only runspace back; needs protocol 2.3 and a pool of one."""
        return bool(await self._ask(e.ResetRunspaceState))

    async def _ask(self, kind: Callable[..., e.Event], **fields: int) -> Any:
        """Raises OperationTimeout, SessionNotOpen, LocalProtocolError."""
        self._check_opened()
        answer = await self._driver.ask(kind, **fields)
        if answer is None:
            self._check_opened()
            limit = self.options.operation_timeout
            raise errors.OperationTimeout(
                f"No answer within {limit:g} seconds.", computer=self.computer
            )
        return answer

    def _check_opened(self) -> None:
        state = self.state
        if state == "Opened":
            return
        raise errors.SessionNotOpen(
            f"Because the session state for session {self.id}, {self.computer} is not equal to "
            f"Open, you cannot run a command in the session.  The session state is {state}.",
            error_id="InvokeCommandCommandInvalidSessionState",
            computer=self.computer,
        ) from self.error
