"""The properties of values, as the language sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psremoting.console.nodes import ScriptBlock
from psremoting.options import SessionOption
from psremoting.session_table import PROPERTIES, SessionEntry
from psrp.clixml import Dictionary, PSObject
from psrp.enums import ErrorCategory
from psrp.records import ErrorRecord

__all__ = ["CommandInfo", "named_properties", "property_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInfo:
    """What Get-Command gives."""

    name: str
    synopsis: str
    command_type: str = "Cmdlet"

    def __str__(self) -> str:
        return self.name


def _session(entry: SessionEntry) -> dict[str, Any]:
    return {name: getattr(entry, own) for name, own in PROPERTIES.items()}


def _error(record: ErrorRecord) -> dict[str, Any]:
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


def _object(value: PSObject) -> dict[str, Any]:
    return {name: value[name] for name in value}


def _options(value: SessionOption) -> dict[str, Any]:
    return {name.title().replace("_", ""): getattr(value, name) for name in value.__slots__}


_MAKERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    SessionEntry: _session,
    ErrorRecord: _error,
    PSObject: _object,
    SessionOption: _options,
    Dictionary: lambda value: {str(name): item for name, item in value.items()},
    str: lambda value: {"Length": len(value)},
    ScriptBlock: lambda _: {},
    CommandInfo: lambda value: {
        "CommandType": value.command_type,
        "Name": value.name,
        "Synopsis": value.synopsis,
    },
}


def named_properties(value: object) -> dict[str, Any] | None:
    """Its properties by name, in order; None for a value that has none, such as a number."""
    for kind, make in _MAKERS.items():
        if isinstance(value, kind):
            return make(value)
    return None


def property_of(value: object, name: str) -> Any:
    """A property, or a value of a hashtable, without regard to case; None if there is none.

    Of several objects it is a list of those of each.
    """
    wanted = name.casefold()
    if isinstance(value, list):
        if wanted in ("count", "length"):
            return len(value)
        found = [property_of(item, name) for item in value]
        return [item for item in found if item is not None] or None
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str) and key.casefold() == wanted:
                return item
        return len(value) if wanted == "count" else None
    for own, item in (named_properties(value) or {}).items():
        if own.casefold() == wanted:
            return item
    return None
