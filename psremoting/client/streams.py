"""The record streams of a remote command, and the notes about the origin of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from psrp import events as e
from psrp.clixml import PSObject
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["RECORD_STREAMS", "TAGS", "Record", "StreamKind", "Streams", "tagged"]

Record = ErrorRecord | InformationalRecord | InformationRecord | ProgressRecord


class StreamKind(Enum):
    """The streams of a command."""

    OUTPUT = "output"
    ERROR = "error"
    WARNING = "warning"
    VERBOSE = "verbose"
    DEBUG = "debug"
    INFORMATION = "information"
    PROGRESS = "progress"


RECORD_STREAMS: dict[type[e.Event], StreamKind] = {
    e.ErrorRecordMessage: StreamKind.ERROR,
    e.WarningRecordMessage: StreamKind.WARNING,
    e.VerboseRecordMessage: StreamKind.VERBOSE,
    e.DebugRecordMessage: StreamKind.DEBUG,
    e.InformationRecordMessage: StreamKind.INFORMATION,
    e.ProgressRecordMessage: StreamKind.PROGRESS,
}
"""The stream of each message."""


@dataclass(slots=True, kw_only=True)
class Streams:
    """The records of a command, each stream in order of arrival."""

    error: list[ErrorRecord] = field(default_factory=list)
    warning: list[InformationalRecord] = field(default_factory=list)
    verbose: list[InformationalRecord] = field(default_factory=list)
    debug: list[InformationalRecord] = field(default_factory=list)
    information: list[InformationRecord] = field(default_factory=list)
    progress: list[ProgressRecord] = field(default_factory=list)

    def add(self, kind: StreamKind, record: Any) -> None:
        """Add a record. Raises AttributeError for `StreamKind.OUTPUT`, which is not kept here."""
        getattr(self, kind.value).append(record)


TAGS = ("PSComputerName", "RunspaceId", "PSShowComputerName")
"""The notes about the origin of an object."""


def tagged(value: Any, computer: str, runspace_id: UUID, *, show: bool = True) -> PSObject | None:
    """Return a copy of ``value`` with the notes about its origin that Invoke-Command adds.

    PSComputerName and RunspaceId replace those of the server, so that it cannot pose as another;
    PSShowComputerName is only added. ``$null`` stays None.
    """
    if value is None:
        return None
    if type(value) is PSObject:
        ours = ("pscomputername", "runspaceid")
        extended = {n: v for n, v in value.extended.items() if n.casefold() not in ours}
        adapted = value.adapted
        if adapted is not None:
            adapted = {n: v for n, v in adapted.items() if n.casefold() not in ours}
        made = PSObject(value.type_names, adapted, extended, value.to_string, value.value)
    else:
        made = PSObject(getattr(value, "type_names", ()), value=value)
    made.extended["PSComputerName"] = computer
    made.extended["RunspaceId"] = runspace_id
    if "PSShowComputerName" not in made:
        made.extended["PSShowComputerName"] = show
    return made
