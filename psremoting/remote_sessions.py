"""Listing of a user's sessions on a WS-Man server, as Get-PSSession -ComputerName does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from psremoting import errors
from psremoting.options import SessionOption
from psremoting.targets import parse_target
from psremoting.wsman_target import WSManTarget

if TYPE_CHECKING:
    from psrp.clixml import Credential
    from wsman.shell_values import ShellInfo

__all__ = ["RemoteSession", "sessions_on"]

_POWERSHELL = "http://schemas.microsoft.com/powershell/"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSession:
    """A session as the server reports it."""

    id: UUID
    """InstanceId, the argument of `PSSession.reconnect`."""
    name: str
    state: str
    """``Disconnected``, or ``Connected`` to some client."""
    configuration_name: str
    computer: str
    owner: str = ""
    idle_timeout: float | None = None
    """Seconds for which the server keeps a session without a client."""
    inactivity: float | None = None
    """Seconds since the last request."""
    client_address: str = ""
    """The address of the client that opened the session."""
    run_time: float | None = None
    """Seconds since the session was opened."""
    output_buffering_mode: str = ""
    """``Block`` or ``Drop``: what happens to output while the session is disconnected."""


async def sessions_on(
    target: str | WSManTarget,
    *,
    credential: Credential | None = None,
    authentication: str | None = None,
    options: SessionOption | None = None,
) -> list[RemoteSession]:
    """Return the user's sessions on a server over WS-Man, from all clients.

    Raises PSRemotingError; also for a target that is not over WS-Man.
    """
    from psremoting.client.wsman_carrier import translate
    from psremoting.client.wsman_setup import connections, shell_config
    from psremoting.session import with_credential
    from wsman.errors import WSManError
    from wsman.trio_client import shells_on

    place = parse_target(target) if isinstance(target, str) else target
    place = with_credential(place, credential, authentication)  # type: ignore[assignment]
    if not isinstance(place, WSManTarget):
        raise errors.PSRemotingError(
            f"cannot list the sessions of {target}: only servers over WS-Man keep sessions",
            error_id="ParameterBindingFailed",
            computer=place.computer,
        )
    options = options or SessionOption()
    made = connections(place, options)
    try:
        found = await shells_on(made, shell_config(place, None, options))
    except WSManError as error:
        raise translate(error, place.computer, opening=True) from error
    finally:
        await made.aclose()
    return [row for shell in found if (row := _row(shell, place.computer)) is not None]


def _row(shell: ShellInfo, computer: str) -> RemoteSession | None:
    try:
        id = UUID(shell.shell_id)
    except ValueError:
        return None
    uri = shell.resource_uri
    name = uri[len(_POWERSHELL) :] if uri.lower().startswith(_POWERSHELL) else uri
    return RemoteSession(
        id=id,
        name=shell.name,
        state=shell.state,
        configuration_name=name,
        computer=computer,
        owner=shell.owner,
        idle_timeout=shell.idle_timeout,
        inactivity=shell.shell_inactivity,
        client_address=shell.client_ip,
        run_time=shell.shell_run_time,
        output_buffering_mode=shell.buffer_mode,
    )
