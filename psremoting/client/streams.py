"""The streams of a remote command beside its output, and where objects came from."""

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
    """Which stream something was written to."""

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
"""Message to stream."""


@dataclass(slots=True, kw_only=True)
class Streams:
    """What a command wrote beside its output, each stream in the order in which it came."""

    error: list[ErrorRecord] = field(default_factory=list)
    warning: list[InformationalRecord] = field(default_factory=list)
    verbose: list[InformationalRecord] = field(default_factory=list)
    debug: list[InformationalRecord] = field(default_factory=list)
    information: list[InformationRecord] = field(default_factory=list)
    progress: list[ProgressRecord] = field(default_factory=list)

    def add(self, kind: StreamKind, record: Any) -> None:
        """Raises AttributeError for `StreamKind.OUTPUT`, which is not kept here."""
        getattr(self, kind.value).append(record)


TAGS = ("PSComputerName", "RunspaceId", "PSShowComputerName")
"""The notes that say where an object came from."""


def tagged(value: Any, computer: str, runspace_id: UUID, *, show: bool = True) -> PSObject | None:
    """``value`` with the notes that Invoke-Command adds to it: where it came from.

    PSComputerName and RunspaceId replace what the server may have put there, so that it cannot
    pass for another; PSShowComputerName only when it is not there. ``$null`` stays None. The
    value itself is not changed.
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
