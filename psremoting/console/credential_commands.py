"""Get-Credential of the local prompt."""

from __future__ import annotations

import os

from psremoting.client.hosts import HostRefusal
from psremoting.console.calls import Call
from psremoting.console.error_reports import CommandFailure
from psremoting.console.wsman_connections import PASSWORD
from psremoting.errors import PSRemotingError
from psrp.clixml import Credential
from psrp.host import HostMethodId

__all__ = ["get_credential"]

_TITLE = "PowerShell credential request"
_MESSAGE = "Enter your credentials."


class _NoAnswer(CommandFailure):
    error_id = "CouldNotPromptForCredential"


async def get_credential(call: Call) -> None:
    """Run Get-Credential: ask for the user name and, without echo, for the password.

    With a user name, the password may come from PSRP_PASSWORD.
    """
    await call.bind()
    given = call.binding["Credential"] or call.binding["UserName"] or ""
    if isinstance(given, Credential):
        call.emit(given)
        return
    password = os.environ.get(PASSWORD)
    if given and password is not None:
        call.emit(Credential(given, password))
        return
    title, message = call.binding["Title"] or _TITLE, call.binding["Message"] or _MESSAGE
    call.workspace.printer.end()
    try:
        found = await call.workspace.surface.host.call(
            HostMethodId.PromptForCredential1, (title, message, given, "")
        )
    except (HostRefusal, PSRemotingError) as error:
        raise _NoAnswer(f"cannot ask for a credential: {error}") from None
    call.emit(found)
