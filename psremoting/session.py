"""PSSession: a runspace pool over some carrier, and the commands that run in it.

    async with PSSession.connect("user@server") as session:
        async for value in await session.invoke("Get-Process | Select-Object -First 3"):
            ...

The implementation is in `psremoting.client`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import trio

from psremoting import errors
from psremoting.client import powershell_identity
from psremoting.client.debugger import ResumeAction, Stop, action_pipeline, read_stop
from psremoting.client.hosts import NULL_HOST, Host
from psremoting.client.invocation import Invocation, OnRecord, Result
from psremoting.client.pipeline_input import as_powershell, preload, system_name
from psremoting.client.pool_driver import PoolDriver
from psremoting.client.stream_carrier import StreamCarrier
from psremoting.client.streams import Streams
from psremoting.exception_groups import unwrapped
from psremoting.options import SessionOption
from psremoting.targets import Target, carrier_for, parse_target
from psremoting.wsman_target import WSManTarget
from psrp import events as e
from psrp.commands import Command, Parameter, PowerShell
from psrp.host import HostInfo
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier, PromptStyle
    from psremoting.client.pipeline_input import Input
    from psremoting.client.running_pipelines import Show
    from psremoting.imported_commands import ImportedCommands
    from psrp.clixml import Credential

__all__ = ["PSSession", "with_credential"]

_LEAST_IDLE_TIMEOUT = 60
"""Seconds; PowerShell's minimum for a disconnected session."""
_RESUMED = (
    "A script has stopped at a breakpoint or in Wait-Debugger. There is no debugger here, so it "
    "was continued."
)


def with_credential(
    target: Target | Carrier, credential: Credential | None, authentication: str | None
) -> Target | Carrier:
    """Add a credential to a target over WS-Man. Raises PSRemotingError for other targets."""
    if credential is None and authentication is None:
        return target
    if not isinstance(target, WSManTarget):
        raise errors.PSRemotingError(
            "credential and authentication are for targets over WS-Man (http://, https://, "
            "wsman:); ssh has its own options",
            error_id="AmbiguousParameterSet",
            computer=target.computer,
        )
    return replace(
        target,
        credential=credential or target.credential,
        authentication=authentication or target.authentication,
    )


def _carrier(target: str | Target | Carrier, options: SessionOption, name: str) -> Carrier:
    carrier = carrier_for(target, options, name=name)
    if isinstance(carrier, StreamCarrier):
        carrier.recorder = options.recorder
    return carrier


class PSSession:
    """One session. Made by `PSSession.connect`, which also closes it."""

    def __init__(self, driver: PoolDriver, *, like_powershell: bool) -> None:
        self._driver = driver
        self._like_powershell = like_powershell
        self._closing = False
        self._user_event: Callable[[e.UserEvent], None] = lambda _: None
        self._debugger_stop: Callable[[Stop], None] = self._resume
        driver.on_user_event = self._dispatch_user_event

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
        credential: Credential | None = None,
        authentication: str | None = None,
        name: str = "psremoting",
        parses: bool = True,
    ) -> AsyncIterator[PSSession]:
        """Open a session to ``target`` (see `psremoting.targets`) for the time of the block.

        ``credential`` and ``authentication`` (default, basic, negotiate, kerberos, ntlm, credssp,
        digest, certificate ...) are for targets over WS-Man, such as ``https://server``, which
        list the session under ``name``.
        ``version`` is the highest protocol version to announce: 2.3 by default, where secrets are
        encrypted; from 2.4 on they are only as safe as the transport. With ``like_powershell`` the
        session sends everything that PowerShell's client sends. ``on_notice`` is called with
        diagnostic lines such as those of ssh. ``parses=False`` does not load the parser of texts
        while the session opens; the first text that needs it then waits for it.

        Raises PSRemotingError. However the block ends, no process is left behind. Closing takes
        ``SessionOption.close_timeout`` at most, and is skipped if the block was cancelled. A
        session that `disconnect` left stays open at the server.
        """
        options = options or SessionOption()
        target = parse_target(target) if isinstance(target, str) else target
        target = with_credential(target, credential, authentication)
        existing = target.connect_shell if isinstance(target, WSManTarget) else None
        driver = PoolDriver(
            _carrier(target, options, name),
            id=existing,
            options=options,
            host=host,
            version=version or (powershell_identity.VERSION if like_powershell else "2.3"),
            on_notice=on_notice,
        )
        session = cls(driver, like_powershell=like_powershell)
        opening: e.InitRunspacePool | e.ConnectRunspacePool = e.ConnectRunspacePool()
        if existing is None:
            opening = session._initialization(min_runspaces, max_runspaces)
        async with session._opened(opening, parses):
            yield session

    @asynccontextmanager
    async def _opened(
        self, opening: e.InitRunspacePool | e.ConnectRunspacePool, parses: bool
    ) -> AsyncIterator[None]:
        # The tasks of this nursery never raise: a group holds only the block's own exception.
        with unwrapped():
            async with trio.open_nursery() as nursery:
                try:
                    await self._open(nursery, opening, parses)
                    try:
                        yield
                    except Exception:
                        await self.close()
                        raise
                    await self.close()
                finally:
                    await self._driver.release(gently=self.state in ("Closed", "Disconnected"))
                    nursery.cancel_scope.cancel()

    @classmethod
    def reconnect(
        cls, target: str | WSManTarget, id: UUID | str, **more: Any
    ) -> AbstractAsyncContextManager[PSSession]:
        """Connect to the disconnected session ``id`` of a server over WS-Man.

            async with PSSession.reconnect("https://server", id) as session:
                for command in await session.commands():
                    output = await (await session.attach(command)).output()

        ``more`` has the arguments of `connect`. `psremoting.sessions_on` lists sessions. Raises
        PSRemotingError.
        """
        if isinstance(target, str):
            parsed = parse_target(target)
            if not isinstance(parsed, WSManTarget):
                raise errors.PSRemotingError(
                    f"cannot connect to a session of {target}: sessions outlive their connection "
                    "only over WS-Man",
                    error_id="RunspaceCannotBeConnected",
                    computer=parsed.computer,
                )
            target = parsed
        return cls.connect(target.with_shell(UUID(str(id))), **more)

    def _initialization(self, min_runspaces: int, max_runspaces: int) -> e.InitRunspacePool:
        return e.InitRunspacePool(
            min_runspaces=min_runspaces,
            max_runspaces=max_runspaces,
            application_arguments=self._application_arguments(),
            host_info=self._driver.host.info,
        )

    async def _open(
        self,
        nursery: trio.Nursery,
        opening: e.InitRunspacePool | e.ConnectRunspacePool,
        parses: bool,
    ) -> None:
        driver, limit = self._driver, self._driver.options.open_timeout
        with trio.move_on_after(limit) as waiting:
            await driver.carrier.open(driver.id)
            driver.start_carrying(nursery)
            driver.pool.send(e.SessionCapability(protocol_version=driver.pool.own_version))
            driver.pool.send(opening)
            driver.flush()
            if parses:
                nursery.start_soon(preload)
            await driver.wait_for(driver.opened)
        if waiting.cancelled_caught:
            driver.break_session(driver.carrier.open_timed_out(limit))
        if self._like_powershell and driver.error is None:
            await self._run_unasked(powershell_identity.debug_mode(), nested=False)
        if driver.error is not None:
            raise driver.error

    def _application_arguments(self) -> Any:
        """PowerShell's version table (without it Get-FormatData fails at the server), and what
        the caller gave."""
        made = powershell_identity.application_arguments(system_name())
        for name, value in self._driver.options.application_arguments.items():
            made[name] = value
        return made

    async def close(self) -> None:
        """Close the session; the server stops commands that still run. Never raises.

        Gives up after ``SessionOption.close_timeout``. Calling it again does nothing. A
        disconnected session stays as it is.
        """
        driver = self._driver
        if not (self._closing or driver.closed.is_set() or self.state == "Disconnected"):
            self._closing = True
            try:
                driver.pool.send(e.ClosePool())
            except LocalProtocolError:
                if self.state != "Closing":
                    driver.closed.set()
            driver.flush()
            with trio.move_on_after(driver.options.close_timeout):
                await driver.wait_for(driver.closed)
        await driver.release(gently=driver.closed.is_set() and driver.error is None)

    async def disconnect(
        self, *, idle_timeout: float | None = None, output_buffering_mode: str | None = None
    ) -> None:
        """Leave the session open at the server and end the connection; its commands continue there.

        Commands of this object end with `SessionDisconnected`. ``idle_timeout`` (seconds), else
        ``SessionOption.idle_timeout``, limits how long the server keeps the session; the least is
        60. ``output_buffering_mode`` is as in `SessionOption`. Raises PSRemotingError for a shorter
        time, and over ssh and for processes and containers, where a session ends with its
        connection.
        """
        self._check_can_disconnect()
        if idle_timeout is not None:
            if idle_timeout < _LEAST_IDLE_TIMEOUT:
                raise errors.PSRemotingError(
                    f"cannot disconnect session {self.id}: expected an idle time-out of at least "
                    f"{_LEAST_IDLE_TIMEOUT} seconds, got {idle_timeout:g}",
                    error_id="CannotDisconnectSessionWithInvalidIdleTimeout",
                    computer=self.computer,
                )
            self._driver.carrier.keep_for(idle_timeout)
        if output_buffering_mode is not None:
            self._driver.carrier.buffer_as(output_buffering_mode)
        await self._driver.disconnect()

    async def invoke_disconnected(self, what: str | Command | PowerShell, **more: Any) -> UUID:
        """Start a command, wait until the server runs it, and disconnect the session.

        ``more`` has the arguments of `invoke`. The whole output stays at the server, for `attach`
        in a session that `reconnect` returns. Returns the id of the command. Raises what `invoke`
        and `disconnect` raise, and PSRemotingError if the server refuses the command; the session
        is open then.
        """
        self._check_can_disconnect()
        invocation = await self.invoke(what, **more)
        self._driver.carrier.hold(invocation.id)
        await self._driver.wait_until_runs(invocation)
        if invocation.ended:
            (await invocation.result()).raise_for_errors()
        await self.disconnect()
        return invocation.id

    def _check_can_disconnect(self) -> None:
        self._check_opened()
        if not self._driver.carrier.can_disconnect:
            raise errors.PSRemotingError(
                f"cannot disconnect session {self.id}: sessions over {self.transport} end with "
                "their connection",
                error_id="RunspaceCannotBeDisconnected",
                computer=self.computer,
            )

    async def commands(self) -> list[UUID]:
        """Return the ids of the commands of a session that was connected to, for `attach`."""
        self._check_opened()
        return await self._driver.carrier.commands()

    async def attach(
        self, command: UUID, *, host: Host | None = None, on_record: OnRecord | None = None
    ) -> Invocation:
        """Receive the output of a command that runs in a session that was connected to.

        The server has ended its pipeline input. Raises SessionNotOpen and LocalProtocolError.
        """
        self._check_opened()
        event = e.ConnectPipeline(pipeline_id=command)
        return self._driver.commands.start(event, host=host, on_record=on_record)

    # -- properties

    @property
    def id(self) -> UUID:
        """InstanceId of PowerShell's session, and the RunspaceId of what comes from it."""
        return self._driver.id

    @property
    def computer(self) -> str:
        """The name of the computer, as the user gave it."""
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
        taken = len(self._driver.commands) >= self._driver.pool.max_runspaces
        return "Busy" if taken else "Available"

    @property
    def error(self) -> errors.PSRemotingTransportError | None:
        """The reason why the session broke, or None."""
        return self._driver.error

    @property
    def exit_code(self) -> int | None:
        """The code of the last remote ``exit``, if the server reported one to the host."""
        return self._driver.commands.exit_code

    @property
    def notices(self) -> tuple[str, ...]:
        """The last two hundred diagnostic lines of the transport."""
        return tuple(self._driver.notices)

    @property
    def streams(self) -> Streams:
        """Records that belong to no command; some endpoints send warnings this way."""
        return self._driver.commands.streams

    @property
    def prompt_style(self) -> PromptStyle:
        """The prompt style of an interactive session."""
        return self._driver.carrier.prompt_style

    def on_user_event(self, react: Callable[[e.UserEvent], None]) -> None:
        """Call ``react`` for every event that the server forwards, except those of the debugger.
        It runs in the reader of the session, so it must neither raise nor wait."""
        self._user_event = react
        self._driver.carrier.poll_pool(soon=True)

    def on_debugger_stop(self, react: Callable[[Stop], None] | None) -> None:
        """Call ``react`` when a script stops in the debugger; it has to resume the script later
        (`psremoting.client.debugger`). With None, and by default, scripts are continued at once.
        """
        self._debugger_stop = react or self._resume

    def _dispatch_user_event(self, event: e.UserEvent) -> None:
        stop = read_stop(event)
        if stop is None:
            self._user_event(event)
        else:
            self._debugger_stop(stop)

    def _resume(self, _: Stop) -> None:
        self._driver.noticed(_RESUMED)
        self._driver.commands.start(action_pipeline(uuid4(), ResumeAction.Continue))

    async def host_calls_done(self) -> None:
        """Wait until all host calls that have arrived are carried out."""
        await self._driver.commands.host_calls.all_done()

    async def ended(self) -> None:
        """Wait until nothing more can arrive: the session was closed, or has broken."""
        await self._driver.wait_for(self._driver.closed)

    @property
    def version(self) -> str | None:
        """The negotiated protocol version."""
        return self._driver.pool.version

    @property
    def application_private_data(self) -> Any:
        """The server's description of itself: PSVersionTable and more; None before it arrives."""
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
        as_script: bool = False,
        show: Show | None = None,
    ) -> Invocation:
        """Start a command: the text of a script, or `psrp.commands`.

        A text of commands with constant arguments travels as commands, unless ``as_script``.
        ``arguments`` and ``parameters`` are added to the last command, ``using`` has the values of
        ``$using:`` expressions, ``input`` the pipeline input, which may be asynchronous. ``host``
        answers the host calls of this command instead of the session's host. ``on_record`` is
        called with the records of all streams as they arrive; `Invocation.streams` stays empty
        then. ``tag`` adds PSComputerName and RunspaceId to objects. ``show`` is as for `start`.

        Raises SessionNotOpen, PSRemotingTransportError, LocalProtocolError for unsendable values.
        """
        self._check_opened()
        powershell, why = as_powershell(what, arguments, parameters, using, as_script=as_script)
        if self._like_powershell:
            await self._run_unasked(powershell_identity.breakpoint_mode(), nested=True)
        event = e.CreatePipeline(
            pipeline_id=uuid4(),
            powershell=replace(powershell, is_nested=nested),
            no_input=input is None,
            host_info=HostInfo.null() if host is None else host.info,
            add_to_history=add_to_history,
            remote_stream_options=stream_options,
            is_nested=nested,
        )
        invocation = await self._start(
            event, input=input, host=host, on_record=on_record, tag=tag, show=show
        )
        invocation.script_reason = why
        return invocation

    async def start(
        self,
        event: e.CreatePipeline | e.GetCommandMetadata,
        *,
        input: Input | None = None,
        host: Host | None = None,
        on_record: OnRecord | None = None,
        tag: bool = False,
        show: Show | None = None,
    ) -> Invocation:
        """Send ``event`` as it is and return its invocation, for callers that build the message.

        ``show`` is called with output and records, which are not kept then, in the order in which
        they and the host calls arrived; it must neither raise nor wait.

        Raises SessionNotOpen, PSRemotingTransportError if the session breaks meanwhile, and
        LocalProtocolError for values that cannot be sent.
        """
        self._check_opened()
        return await self._start(
            event, input=input, host=host, on_record=on_record, tag=tag, show=show
        )

    async def _start(
        self, event: e.CreatePipeline | e.GetCommandMetadata, **more: Any
    ) -> Invocation:
        if isinstance(event, e.CreatePipeline) and event.is_nested:
            await self._driver.wait_for_room(None)
        else:
            await self._driver.wait_for_runspace()
        if self.error is not None:
            raise self.error.with_id(errors.JOB_FAILURE)
        self._check_opened()
        return self._driver.commands.start(event, **more)

    async def run(
        self,
        what: str | Command | PowerShell,
        *,
        check: bool = False,
        timeout: float | None = None,
        **more: Any,
    ) -> Result:
        """Start a command as `invoke` does, wait for its end and return output and records.

        A failure is in `Result.error`, also the loss of the connection, no matter whether before or
        while the command ran; with ``check`` it is raised, as is an error record
        (`Result.raise_for_errors`). After ``timeout`` seconds the command is stopped, and
        `Result.error` is an OperationTimeout. If the caller is cancelled, the command is closed.
        Raises SessionNotOpen if the session was closed or disconnected before.
        """
        if self.error is not None:
            broken = self.error.with_id(errors.JOB_FAILURE)
            if check:
                raise broken
            failed = e.InvocationState.FAILED
            return Result(output=[], streams=Streams(), state=failed, error=broken)
        async with await self.invoke(what, **more) as invocation:
            with trio.move_on_after(math.inf if timeout is None else timeout) as waiting:
                await invocation.wait()
            if waiting.cancelled_caught:
                await self._stop_late(invocation, timeout or 0)
            result = await invocation.result()
        if check:
            result.raise_for_errors()
        return result

    async def _stop_late(self, invocation: Invocation, timeout: float) -> None:
        with suppress(errors.CancelTimeout):
            await invocation.stop()
        invocation.error = errors.OperationTimeout(
            f"The command did not end within {timeout:g} seconds.", computer=self.computer
        )

    async def call(self, name: str, /, *arguments: Any, **parameters: Any) -> Result:
        """Run the command ``name`` with positional and named arguments; no script is involved.

            result = await session.call("Get-ChildItem", "/tmp", Recurse=True)

        True for a switch turns it on. A failure is in `Result.error`.
        """
        given = [Parameter(None, value) for value in arguments]
        given += [Parameter(parameter, value) for parameter, value in parameters.items()]
        return await self.run(Command(name, parameters=tuple(given)))

    async def import_commands(
        self, *patterns: str, help: bool = True
    ) -> ImportedCommands[Awaitable[Any]]:
        """Return remote commands as Python callables: what Import-PSSession is to PowerShell.

            commands = await session.import_commands("Get-*")
            things = await commands.get_thing(x=5)

        ``patterns`` are names with wildcards, all commands by default. Signatures come from
        Get-Command, docstrings from Get-Help as well unless ``help`` is False, which is faster.
        Raises PSRemotingError if no command matches or the endpoint has no Get-Command.
        """
        from psremoting.imported_commands import import_commands, value_of

        async def run(command: Command, input: Input | None) -> Any:
            return value_of(await self.run(command, input=input))

        return await import_commands(self.run, patterns, run, help=help)

    async def _run_unasked(self, powershell: PowerShell, *, nested: bool) -> None:
        """Run a command that PowerShell's client runs of its own accord."""
        event = e.CreatePipeline(
            pipeline_id=uuid4(),
            powershell=replace(powershell, is_nested=nested),
            host_info=HostInfo.null(),
            remote_stream_options=15,
            is_nested=nested,
        )
        await self._driver.commands.start(event).wait()

    # -- questions about the pool

    async def available_runspaces(self) -> int:
        """Return the number of free runspaces."""
        return int(await self._ask(e.GetAvailableRunspaces))

    async def set_max_runspaces(self, count: int) -> bool:
        """Set the limit; False if the server refused it."""
        return bool(await self._ask(e.SetMaxRunspaces, count=count))

    async def set_min_runspaces(self, count: int) -> bool:
        """Set the limit; False if the server refused it."""
        return bool(await self._ask(e.SetMinRunspaces, count=count))

    async def reset_runspace(self) -> bool:
        """Reset the variables of the only runspace; needs protocol 2.3 and a pool of one."""
        return bool(await self._ask(e.ResetRunspaceState))

    async def _ask(self, kind: Callable[..., e.Event], **fields: int) -> Any:
        """Raises OperationTimeout, SessionNotOpen, LocalProtocolError."""
        self._check_opened()
        answer = await self._driver.ask(kind, **fields)
        if answer is None:
            self._check_opened()
            raise errors.no_answer(self.computer, self.options.operation_timeout)
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
