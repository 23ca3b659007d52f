"""New-PSSessionOption, Connect-, Disconnect- and Receive-PSSession, and listing at a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting.console.error_reports import CommandFailure
from psremoting.console.results import CallResults
from psremoting.console.wsman_connections import (
    OPTION_FIELDS,
    ask_credential,
    is_wsman,
    make_option,
    more_of,
    session_option,
    wsman_targets,
)
from psremoting.errors import PSRemotingError
from psremoting.powershell.wildcards import matches
from psremoting.remote_sessions import RemoteSession, sessions_on
from psremoting.session_table import SessionEntry
from psremoting.wsman_target import WSManTarget
from psrp.clixml import TimeSpan
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.console.calls import Call
    from psremoting.options import SessionOption
    from psremoting.powershell.binder import Binding
    from psremoting.session import PSSession

__all__ = [
    "DisconnectedEntry",
    "connect_pssession",
    "disconnect_pssession",
    "disconnected_entry",
    "new_pssessionoption",
    "receive_pssession",
    "sessions_at_servers",
]

_LOOKUPS = {"Id": "id", "InstanceId": "instance_id", "Name": "name"}


class _CannotConnect(CommandFailure):
    error_id = "PSSessionConnectFailed"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.RuntimeException"


class _CannotDisconnect(CommandFailure):
    error_id = "CannotDisconnectSessionWhenNotOpened"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.RuntimeException"


class DisconnectedEntry(SessionEntry):
    """A disconnected session on a server."""

    def __init__(
        self, target: WSManTarget, row: RemoteSession, *, id: int, options: SessionOption | None
    ) -> None:
        self.target = target.with_shell(row.id)
        self.options = options
        self.id = id
        self.name = row.name
        self.configuration_name = row.configuration_name
        self.computer_type = "RemoteMachine"
        self._row = row

    def __repr__(self) -> str:
        return f"<DisconnectedEntry {self.id} {self.name!r} at {self._row.computer}>"

    @property
    def session(self) -> PSSession:  # type: ignore[override]
        """Raise PSRemotingError, because a disconnected session cannot run commands."""
        raise PSRemotingError(
            f"Because the session state for session {self.name}, {self.instance_id}, "
            f"{self.computer_name} is not equal to Open, you cannot run a command in the session."
            "  The session state is Disconnected.",
            error_id="InvokeCommandCommandInvalidSessionState",
            computer=self.computer_name,
        )

    @property
    def application_private_data(self) -> Any:
        return None

    @property
    def instance_id(self) -> UUID:
        return self._row.id

    @property
    def computer_name(self) -> str:
        return self._row.computer

    @property
    def transport(self) -> str:
        return "WSMan"

    @property
    def state(self) -> str:
        return "Disconnected"

    @property
    def server_properties(self) -> dict[str, Any]:
        """The session as the server lists it, by the names of WS-Man's shells."""
        row = self._row
        return {
            "Owner": row.owner,
            "ClientIP": row.client_address,
            "IdleTimeout": _span(row.idle_timeout),
            "ShellInactivity": _span(row.inactivity),
            "ShellRunTime": _span(row.run_time),
            "OutputBufferingMode": row.output_buffering_mode,
        }

    @property
    def availability(self) -> str:
        return "None" if self._row.state == "Disconnected" else "Busy"


def _span(seconds: float | None) -> TimeSpan | None:
    return None if seconds is None else TimeSpan(round(seconds * 10_000_000))


def disconnected_entry(
    session: PSSession, target: WSManTarget, *, id: int, name: str
) -> DisconnectedEntry:
    """Return the entry of a session that this prompt has disconnected."""
    row = RemoteSession(
        id=session.id, name=name, state="Disconnected",
        configuration_name=target.configuration_name, computer=session.computer,
    )  # fmt: skip
    return DisconnectedEntry(target, row, id=id, options=session.options)


async def new_pssessionoption(call: Call) -> None:
    """Make a SessionOption of the parameters that were given."""
    await call.bind()
    if call.binding["ProxyCredential"]:
        call.binding.values["Credential"] = call.binding["ProxyCredential"]
        await ask_credential(call, call.binding)
        call.binding.values["ProxyCredential"] = call.binding.values.pop("Credential")
    given = {name: call.binding[name] for name in OPTION_FIELDS if name in call.binding}
    call.emit(make_option(given))


# -- sessions at servers


async def sessions_at_servers(call: Call, binding: Binding) -> list[DisconnectedEntry]:
    """List the sessions on ``-ComputerName`` or ``-ConnectionUri`` that match the names."""
    await ask_credential(call, binding)
    options = session_option(binding)
    found: list[DisconnectedEntry] = []
    for target in wsman_targets(binding):
        try:
            rows = await sessions_on(target, options=options)
        except PSRemotingError as error:
            call.fail(error)
            continue
        found += [
            DisconnectedEntry(target, row, id=call.workspace.table.new_id(), options=options)
            for row in rows
            if _fits(row, binding)
        ]
    return found


def _fits(row: RemoteSession, binding: Binding) -> bool:
    ids, patterns, configuration = (
        _several(binding["InstanceId"]), _several(binding["Name"]), binding["ConfigurationName"],
    )  # fmt: skip
    if ids and row.id not in [UUID(str(each)) for each in ids]:
        return False
    if patterns and not any(matches(pattern, row.name) for pattern in patterns):
        return False
    state = str(binding["State"] or "All").casefold()
    if state not in ("all", "disconnected"):
        return False
    return not configuration or matches(configuration, row.configuration_name)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


async def _chosen(call: Call, binding: Binding) -> list[SessionEntry]:
    """Return the sessions for the parameters, from this prompt or from servers."""
    if binding.set_name == "Session":
        return _several(binding["Session"])
    if is_wsman(binding):
        return list(await sessions_at_servers(call, binding))
    kind = binding.set_name
    found, missing = call.workspace.table.match(_LOOKUPS[kind], _several(binding[kind]))
    for error in missing:
        call.fail(error)
    return found


# -- Disconnect-, Connect-, Receive-PSSession


async def disconnect_pssession(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        for entry in await _chosen(call, binding):
            try:
                call.emit(await _disconnect(call, binding, entry))
            except PSRemotingError as error:
                call.fail(error)


async def _disconnect(call: Call, binding: Binding, entry: SessionEntry) -> SessionEntry:
    if isinstance(entry, DisconnectedEntry):
        return entry
    if entry.state != "Opened":
        raise _CannotDisconnect(
            f"Session {entry.name} with instance ID {entry.instance_id} cannot be disconnected "
            "because it is not in the Opened state."
        )
    await entry.session.disconnect(
        idle_timeout=binding["IdleTimeoutSec"], output_buffering_mode=binding["OutputBufferingMode"]
    )
    await call.workspace.table.remove(entry)
    assert isinstance(entry.target, WSManTarget)
    if entry.target.interactive:
        call.workspace.surface.warning(
            f"PSSession {entry.name} was created using the EnableNetworkAccess parameter and can "
            "only be reconnected from the local computer."
        )
    entry.left = disconnected_entry(entry.session, entry.target, id=entry.id, name=entry.name)
    return entry.left


async def connect_pssession(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        for entry in await _chosen(call, binding):
            try:
                call.emit(await _connect(call, entry, more_of(binding)))
            except PSRemotingError as error:
                call.fail(error)


async def _connect(call: Call, entry: SessionEntry, more: dict[str, Any]) -> SessionEntry:
    """Connect to a session; one that is open already is returned as it is."""
    given = entry
    entry = given.left or given
    if not isinstance(entry, DisconnectedEntry):
        if entry.state == "Opened":
            return entry
        raise _CannotConnect(
            f"Cannot connect session {entry.name} because it is not in the Disconnected state."
        )
    surface = call.workspace.surface
    if entry.options is not None:
        more = {"options": entry.options} | more
    connected = await call.workspace.table.add(
        entry.target,
        id=entry.id,
        name=entry.name,
        configuration_name=entry.configuration_name,
        host=surface.host,
        on_notice=surface.notice,
        **more,
    )
    if given is not entry:
        # The object that was disconnected is an open session again.
        given.session, given.left = connected.session, None
    return connected


async def receive_pssession(call: Call) -> None:
    """Connect, and pass on the output of every command of the session."""
    await call.bind()
    for binding in call.each():
        for entry in await _chosen(call, binding):
            try:
                connected = await _connect(call, entry, more_of(binding))
                await _receive(call, connected)
            except PSRemotingError as error:
                call.fail(error)


async def _receive(call: Call, entry: SessionEntry) -> None:
    results = CallResults(call)
    for command in await entry.session.commands():
        async with await entry.session.attach(command) as invocation:
            async for kind, item in invocation.merged():
                results.show(entry.computer_name, kind, item)
