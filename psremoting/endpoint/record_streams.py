"""The streams of a command: records go to the client, its host, the output, or nowhere.

Preferences come from the common parameters (-Verbose, -ErrorAction ...), merges from the command
itself. A record goes out before the call of the host that shows it.
[ref] outofproc/sessions/streams
"""

from __future__ import annotations

import getpass
import os
import platform
import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from psremoting.endpoint.error_records import CommandError, RecordError, record_of, unextended
from psrp import events as e
from psrp.clixml import DateTime, PSObject
from psrp.commands import Command, PipelineResultTypes
from psrp.host import ConsoleColor, HostMethodId
from psrp.records import (
    ErrorCategory,
    ErrorRecord,
    InformationalRecord,
    InformationRecord,
    ProgressRecord,
)

if TYPE_CHECKING:
    from psremoting.endpoint.catalog import EndpointCommand
    from psremoting.endpoint.interfaces import RunningPipeline
    from psremoting.powershell.syntax import Place

__all__ = ["Actions", "Streams"]

_NONE, _OUTPUT, _NULL = (
    PipelineResultTypes.NONE,
    PipelineResultTypes.OUTPUT,
    PipelineResultTypes.NULL,
)
_PREFERENCES = ("silentlycontinue", "stop", "continue", "inquire", "ignore", "suspend", "break")


@dataclass(slots=True)
class Actions:
    """The preferences of one command for its streams, in lower case."""

    verbose: bool = False
    debug: bool = False
    error: str = "continue"
    warning: str = "continue"
    information: str = "silentlycontinue"
    progress: str = "continue"

    @classmethod
    def of(cls, common: dict[str, Any]) -> Actions:
        made = cls()
        made.verbose = bool(common.get("Verbose"))
        made.debug = bool(common.get("Debug"))
        for name in ("Error", "Warning", "Information", "Progress"):
            if f"{name}Action" in common:
                number = common[f"{name}Action"].value
                setattr(made, name.lower(), _PREFERENCES[number])
        return made


class Streams:
    """The streams of one command; `psremoting.endpoint.stages.Stage` adds the output."""

    def __init__(self, pipeline: RunningPipeline, name: str, around: Streams | None = None) -> None:
        self.pipeline = pipeline
        self._around = around
        """The script that contains this command: records go through its streams."""
        self.name = name
        self.command: Command | None = None
        """The command as it was sent; None for a literal."""
        self.found: EndpointCommand | None = None
        self.place: Place | None = None
        """The position in the script, if it is part of one."""
        self.at = 0
        """0-based position in its statement."""
        self.length = 1
        """Number of commands of the statement."""
        self.objects = 0
        """Number of pipeline objects that its function was called for."""
        self.actions = Actions()
        self.over = False
        """True after the end or a stop of the command; later writes are dropped."""
        self.errors_into: Streams | None = None
        """The command whose output receives the errors of this command."""
        self.out_of_sight = False
        """True if the output is discarded."""
        self._merge_error = int(_NONE)
        self._merges: dict[str, int] = {}

    def take_merges(self, command: Command) -> None:
        """Read the merge instructions; MergeMyResult is the older form of MergeError.
        [MS-PSRP] 2.2.3.12"""
        self._merge_error = command.merge_error
        if command.merge_my_result == PipelineResultTypes.ERROR and not self._merge_error:
            self._merge_error = command.merge_to_result
        self._merges = {
            "Warning": command.merge_warning,
            "Verbose": command.merge_verbose,
            "Debug": command.merge_debug,
            "Information": command.merge_information,
        }

    def record_of(self, error: BaseException) -> ErrorRecord:
        """Return the record of an error of this command, with its place."""
        record = record_of(error, self.name)
        return self._located(record, getattr(error, "argument", None))

    def _located(self, record: ErrorRecord, argument: int | None = None) -> ErrorRecord:
        """Return the record with its place; ``argument`` is the index of the argument at fault."""
        if record.invocation is not None or (self.found is None and self.place is None):
            return record
        from psremoting.endpoint.invocation_info import located

        return located(self, record, argument)

    async def put(self, value: Any) -> None:
        raise NotImplementedError

    async def put_merged(self, record: ErrorRecord) -> None:
        raise NotImplementedError

    async def settled(self) -> None:
        """Wait until the following commands have processed all output so far."""
        raise NotImplementedError

    # -- errors

    async def error(self, record: ErrorRecord) -> None:
        """Write an error; it ends the command only with -ErrorAction Stop."""
        record = self._located(record)
        preference = self.actions.error
        if preference == "stop":
            raise RecordError(record, fatal=True)
        if preference not in ("silentlycontinue", "ignore"):
            await self.settled()
            await self._send_error(record)

    async def _send_error(self, record: ErrorRecord) -> None:
        if self._merge_error == _NULL:
            return
        if self._merge_error == _OUTPUT or self.errors_into is not None:
            await (self.errors_into or self).put_merged(unextended(record))
            return
        if self._around is not None:
            await self._around._send_error(record)
            return
        await self.pipeline.say(e.ErrorRecordMessage(pipeline_id=self.pipeline.id, record=record))

    # -- warning, verbose, debug

    async def warning(self, text: str) -> None:
        preference = self.actions.warning
        if preference not in ("silentlycontinue", "ignore"):
            await self._inform("Warning", text, 2)
        if preference == "stop":
            raise self._stop_preference("Warning", text)

    async def verbose(self, text: str) -> None:
        if self.actions.verbose:
            await self._inform("Verbose", text, 8)

    async def debug(self, text: str) -> None:
        if self.actions.debug:
            await self._inform("Debug", text, 4)

    async def _inform(self, kind: str, text: str, option: int) -> None:
        record = InformationalRecord(message=text)
        if self.pipeline.adds_invocation(option):
            from psremoting.endpoint.invocation_info import running

            record = running(self, record)
        await self.settled()
        await self._send_informational(kind, record)

    async def _send_informational(self, kind: str, record: InformationalRecord) -> None:
        if self._around is not None and not self._merges.get(kind, _NONE):
            await self._around._send_informational(kind, record)
            return
        merge = self._merges.get(kind, _NONE)
        if merge == _OUTPUT:
            await self.put(record.to_object(kind))
        elif merge != _NULL:
            message, method = _INFORMS[kind]
            await self.pipeline.say(message(pipeline_id=self.pipeline.id, record=record))
            await self.pipeline.tell_host(method, (record.message,))

    def _stop_preference(self, kind: str, text: str) -> RecordError:
        error = CommandError(
            "The running command stopped because the preference variable "
            f'"{kind}Preference" or common parameter is set to Stop: {text}',
            error_id=f"ActionPreferenceStop,Microsoft.PowerShell.Commands.Write{kind}Command",
            category=ErrorCategory.OperationStopped,
            exception_type="System.Management.Automation.ActionPreferenceStopException",
            full_id=True,
            activity=f"Write-{kind}",
        )
        return RecordError(self.record_of(error), fatal=True)

    # -- information, host, progress

    async def information(self, data: Any, tags: tuple[str, ...], source: str) -> None:
        preference = self.actions.information
        if preference == "stop":
            raise self._stop_preference("Information", str(data))
        if preference == "ignore":
            return
        record = _information(data, tags, source)
        call = (HostMethodId.WriteLine2, (str(record),))
        await self.settled()
        await self._send_information(record, call if preference != "silentlycontinue" else None)

    async def _send_information(
        self, record: InformationRecord, call: tuple[HostMethodId, tuple[Any, ...]] | None
    ) -> None:
        if self._around is not None and not self._merges.get("Information", _NONE):
            await self._around._send_information(record, call)
            return
        merge = self._merges.get("Information", _NONE)
        if merge == _OUTPUT:
            await self.put(_as_output(record))
        elif merge != _NULL:
            message = e.InformationRecordMessage(pipeline_id=self.pipeline.id, record=record)
            await self.pipeline.say(message)
            if call is not None:
                await self.pipeline.tell_host(*call)

    async def write_host(
        self,
        text: str,
        foreground: ConsoleColor | None,
        background: ConsoleColor | None,
        no_newline: bool,
    ) -> None:
        colors = [-1 if color is None else int(color) for color in (foreground, background)]
        names = ["-1" if color is None else color.name for color in (foreground, background)]
        data = PSObject(
            ("System.Management.Automation.HostInformationMessage", "System.Object"),
            {
                "Message": text,
                "NoNewLine": no_newline,
                "ForegroundColor": names[0],
                "BackgroundColor": names[1],
            },
            to_string=text,
        )
        if self.actions.information == "ignore":
            return
        record = _information(data, ("PSHOST",), "Write-Host")
        await self.settled()
        method = HostMethodId.Write2 if no_newline else HostMethodId.WriteLine3
        await self._send_information(record, (method, (*colors, text)))

    async def progress(self, record: ProgressRecord) -> None:
        if self.actions.progress in ("silentlycontinue", "ignore"):
            return
        await self.settled()
        await self.pipeline.say(
            e.ProgressRecordMessage(pipeline_id=self.pipeline.id, record=record)
        )
        await self.pipeline.tell_host(HostMethodId.WriteProgress, (0, record))


_INFORMS: dict[str, tuple[Any, HostMethodId]] = {
    "Warning": (e.WarningRecordMessage, HostMethodId.WriteWarningLine),
    "Verbose": (e.VerboseRecordMessage, HostMethodId.WriteVerboseLine),
    "Debug": (e.DebugRecordMessage, HostMethodId.WriteDebugLine),
}


@cache
def _whoami() -> tuple[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
    return user, platform.node()


def _as_output(record: InformationRecord) -> PSObject:
    """Return an information record as an object of the output, which has a type name."""
    members = dict(record.to_object().items())
    types = ("System.Management.Automation.InformationRecord", "System.Object")
    return PSObject(types, members, to_string=str(record))


def _information(data: Any, tags: tuple[str, ...], source: str) -> InformationRecord:
    user, computer = _whoami()
    return InformationRecord(
        message_data=data,
        source=source,
        time_generated=DateTime.from_datetime(datetime.now().astimezone()),
        tags=tags,
        user=user,
        computer=computer,
        process_id=os.getpid(),
        native_thread_id=threading.get_native_id() & 0xFFFFFFFF,
        managed_thread_id=1,
    )
