"""Export of a recording to files: scripts, copied files, and objects as CLIXML.

    DIR/001-30fe96be-Get-Process/command.ps1     the script or the commands of one pipeline
                                 input.clixml    its input
                                 output.clixml   its output; output-2.clixml and so on if it is long
                                 records.txt     errors, warnings and the other records
    DIR/files/to-server/...                      files that Copy-Item sent
    DIR/files/from-server/...                    files that Copy-Item fetched

Every name comes from a peer, so it is reduced to harmless characters. The folder has to be new or
empty, so that no link in it leads elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psremoting.capture.copied_files import CopiedFiles
from psremoting.capture.safe_names import safe_name
from psremoting.capture.source import CaptureError
from psremoting.capture.summaries import summary
from psrp import events as e
from psrp.clixml import dump_all
from psrp.keys import seal_plain
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from psremoting.capture.entries import Entry

__all__ = ["Exporter"]

MAX_HELD = 32 << 20
"""Maximum bytes of messages whose objects wait to be written into one CLIXML file."""
_BEGINS = ("sshsub:Command", "wsman:Command")
_RECORDS = ("ERROR_RECORD", "WARNING_RECORD", "VERBOSE_RECORD", "DEBUG_RECORD",
            "INFORMATION_RECORD")  # fmt: skip
_ENDED = ("COMPLETED", "FAILED", "STOPPED")


@dataclass(slots=True)
class _Objects:
    """Objects of one file that are not written yet."""

    name: str
    values: list[Any] = field(default_factory=list)
    held: int = 0
    files: int = 0


@dataclass(slots=True)
class _Pipeline:
    folder: Path
    event: e.Event
    inputs: _Objects = field(default_factory=lambda: _Objects("input"))
    outputs: _Objects = field(default_factory=lambda: _Objects("output"))


class Exporter:
    """Writer of the files of one recording. Raises CaptureError for a folder that is in use."""

    def __init__(self, folder: Path, *, reveal: bool = False) -> None:
        self._folder = folder
        self._reveal = reveal
        self._open: dict[UUID, _Pipeline] = {}
        self.pipelines = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if next(folder.iterdir(), None) is not None:
                raise CaptureError(str(folder), "cannot export into it: the folder is not empty")
        except OSError as error:
            raise CaptureError(str(folder), error.strerror or str(error)) from None
        self._files = CopiedFiles(folder / "files")

    @property
    def files(self) -> int:
        """Number of copied files."""
        return len(self._files)

    def receive(self, entry: Entry) -> None:
        """Take an entry. Raises CaptureError for a file that cannot be written."""
        try:
            self._receive(entry)
        except OSError as error:
            raise CaptureError(str(self._folder), error.strerror or str(error)) from None

    def end(self) -> None:
        """Write what is left. Raises CaptureError for a file that cannot be written."""
        try:
            for target in list(self._open):
                self._close(target)
        except OSError as error:
            raise CaptureError(str(self._folder), error.strerror or str(error)) from None

    def _receive(self, entry: Entry) -> None:
        target = entry.target or entry.pid
        if target is None:
            return
        if entry.type in _BEGINS:
            self._close(target)
            return
        event = entry.event
        if isinstance(event, e.CreatePipeline | e.GetCommandMetadata):
            self._close(target)
            self._begin(target, event, summary(entry))
            return
        pipeline = self._open.get(target)
        if pipeline is None or event is None:
            return
        match event:
            case e.PipelineInput(data=value):
                self._add(pipeline, pipeline.inputs, value, entry.size or 0)
            case e.PipelineOutput(data=value):
                self._add(pipeline, pipeline.outputs, value, entry.size or 0)
                self._files.output(pipeline.event, value)
            case e.PipelineStateMessage(state=state) if state.name in _ENDED:
                if getattr(event, "error", None) is not None:
                    self._record(pipeline, entry)
                self._close(target)
            case _ if entry.type in _RECORDS:
                self._record(pipeline, entry)

    def _begin(self, target: UUID, event: e.Event, text: str) -> None:
        self.pipelines += 1
        name = f"{self.pipelines:03}-{str(target)[:8]}-{safe_name(text, 40)}"
        pipeline = _Pipeline(self._folder / name, event)
        pipeline.folder.mkdir()
        self._open[target] = pipeline
        script = _script(event) if isinstance(event, e.CreatePipeline) else text
        data = script.encode("utf-8", "surrogatepass")
        (pipeline.folder / "command.ps1").write_bytes(data)
        self._files.command(event)

    def _add(self, pipeline: _Pipeline, objects: _Objects, value: Any, size: int) -> None:
        objects.values.append(value)
        objects.held += size
        if objects.held > MAX_HELD:
            self._write(pipeline, objects)

    def _write(self, pipeline: _Pipeline, objects: _Objects) -> None:
        if not objects.values:
            return
        objects.files += 1
        number = f"-{objects.files}" if objects.files > 1 else ""
        try:
            data = dump_all(objects.values, seal=seal_plain if self._reveal else _masked)
            (pipeline.folder / f"{objects.name}{number}.clixml").write_bytes(data)
        except LocalProtocolError as error:
            # A value that arrived can be beyond what the writer allows, such as its depth.
            text = f"{len(objects.values)} objects cannot be written: {error}\n"
            (pipeline.folder / f"{objects.name}{number}.txt").write_text(text, "utf-8")
        objects.values.clear()
        objects.held = 0

    def _record(self, pipeline: _Pipeline, entry: Entry) -> None:
        line = f"{entry.type}: {summary(entry, reveal=self._reveal)}\n"
        with (pipeline.folder / "records.txt").open("a", encoding="utf-8") as file:
            file.write(line)

    def _close(self, target: UUID) -> None:
        pipeline = self._open.pop(target, None)
        if pipeline is not None:
            self._write(pipeline, pipeline.inputs)
            self._write(pipeline, pipeline.outputs)


def _script(event: e.CreatePipeline) -> str:
    """Return the text of a script, or the commands as they are shown."""
    commands = [command for statement in event.powershell.statements for command in statement]
    if len(commands) == 1 and commands[0].is_script and not commands[0].parameters:
        return commands[0].text
    return str(event.powershell) + "\n"


def _masked(text: str) -> str:
    return seal_plain("*" * len(text))
