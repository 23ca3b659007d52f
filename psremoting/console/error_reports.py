"""Errors of the local prompt's commands, with PowerShell's messages and error ids."""

from __future__ import annotations

from psremoting.errors import PSRemotingError, not_recognized
from psrp.records import ErrorCategory

__all__ = [
    "CommandFailure",
    "CommandNotFound",
    "NotBuilt",
    "SSHConnectionError",
]


_ELSEWHERE = (
    "The local prompt has the commands that Get-Command lists. Enter a session, or use "
    "Invoke-Command, to run others in the session."
)


class CommandNotFound(PSRemotingError):
    """A command name that the prompt does not know."""

    error_id = "CommandNotFoundException"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.CommandNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"{not_recognized(name)}\n{_ELSEWHERE}")
        self.name = name


class CommandFailure(PSRemotingError):
    """An error of a command; its class name is appended to the error id in the record."""


class NotBuilt(CommandFailure):
    """A request for an unsupported feature."""

    category = ErrorCategory.NotImplemented
    exception_type = "System.NotImplementedException"

    def __init__(self, what: str, instead: str = "Use -HostName to connect over SSH.") -> None:
        super().__init__(
            f"{what} is not available in this program. {instead}".rstrip(),
            error_id="CarrierNotAvailable",
        )


class SSHConnectionError(CommandFailure):
    """A hashtable of -SSHConnection that is not valid."""

    error_id = "Argument"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.Management.Automation.PSArgumentException"
