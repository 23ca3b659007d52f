"""The properties of objects that only the local prompt has."""

from __future__ import annotations

from typing import Any

from psremoting.administration.configurations import TransportOption
from psremoting.options import SessionOption
from psremoting.powershell.member_access import properties
from psremoting.session_table import PROPERTIES, SessionEntry
from psrp.clixml import Credential, PSObject
from psrp.frozen import dataclass
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["TRANSPORT_PROPERTIES", "CommandInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInfo:
    """One command, as Get-Command gives it."""

    name: str
    synopsis: str
    command_type: str = "Cmdlet"

    def __str__(self) -> str:
        return self.name


@properties.register
def _(entry: SessionEntry) -> dict[str, Any]:
    found = {name: getattr(entry, own) for name, own in PROPERTIES.items()}
    return found | getattr(entry, "server_properties", {})


@properties.register
def _(record: ErrorRecord) -> dict[str, Any]:
    category = ErrorCategory.text(record.category)
    return {
        "Exception": PSObject.custom(Message=record.message),
        "FullyQualifiedErrorId": record.fully_qualified_error_id,
        "CategoryInfo": PSObject.custom(
            Category=category,
            Activity=record.category_activity,
            Reason=record.category_reason,
            TargetName=record.category_target_name,
            TargetType=record.category_target_type,
        ),
        "TargetObject": record.target_object,
    }


@properties.register
def _(value: Credential) -> dict[str, Any]:
    return {"UserName": value.user_name, "Password": value.password}


@properties.register
def _(value: SessionOption) -> dict[str, Any]:
    names = type(value).__slots__
    return {name.title().replace("_", ""): getattr(value, name) for name in names}


@properties.register
def _(value: CommandInfo) -> dict[str, Any]:
    return {"CommandType": value.command_type, "Name": value.name, "Synopsis": value.synopsis}


TRANSPORT_PROPERTIES = {
    "ProcessIdleTimeoutSec": "process_idle_timeout",
    "MaxIdleTimeoutSec": "max_idle_timeout",
    "MaxSessions": "max_sessions",
    "MaxConcurrentCommandsPerSession": "max_concurrent_commands_per_session",
    "MaxSessionsPerUser": "max_sessions_per_user",
    "MaxMemoryPerSessionMB": "max_memory_per_session",
    "MaxProcessesPerSession": "max_processes_per_session",
    "MaxConcurrentUsers": "max_concurrent_users",
    "IdleTimeoutSec": "idle_timeout",
    "OutputBufferingMode": "output_buffering_mode",
}
"""PowerShell's names of the quotas, and ours."""


@properties.register
def _(value: TransportOption) -> dict[str, Any]:
    return {name: getattr(value, own) for name, own in TRANSPORT_PROPERTIES.items()}
