"""The properties of objects that only the local prompt has."""

from __future__ import annotations

from typing import Any

from psremoting.options import SessionOption
from psremoting.powershell.member_access import properties
from psremoting.session_table import PROPERTIES, SessionEntry
from psrp.clixml import PSObject
from psrp.frozen import dataclass
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["CommandInfo"]


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
    return {name: getattr(entry, own) for name, own in PROPERTIES.items()}


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
def _(value: SessionOption) -> dict[str, Any]:
    names = type(value).__slots__
    return {name.title().replace("_", ""): getattr(value, name) for name in names}


@properties.register
def _(value: CommandInfo) -> dict[str, Any]:
    return {"CommandType": value.command_type, "Name": value.name, "Synopsis": value.synopsis}
