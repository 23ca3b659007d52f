"""Transcripts of sessions with functions, in the form of PowerShell's Start-Transcript.

A PowerShell that serves a configuration with TranscriptDirectory writes its own; what is written
here has the same header and the same lines. spec-notes/configuration-files.md
"""

from __future__ import annotations

import os
import platform
import secrets
import string
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting.endpoint.identity import PS_VERSION
from psremoting.local_users import user_name
from psremoting.powershell.error_view import error_text
from psremoting.powershell.formatting import Formatter
from psremoting.powershell.string_conversion import to_text
from psrp import events as e
from psrp.host import HostMethodId

if TYPE_CHECKING:
    from psremoting.endpoint.sender import Sender

__all__ = ["Transcript"]

_RULE = "*" * 22
_LETTERS = string.ascii_letters + string.digits
_UNASKED = frozenset({"prompt", "tabexpansion2"})
_LINES = (HostMethodId.WriteLine1, HostMethodId.WriteLine2, HostMethodId.WriteLine3)
_TEXTS = (HostMethodId.Write1, HostMethodId.Write2)
_RECORDS: dict[type[e.Event], str] = {
    e.WarningRecordMessage: "WARNING: ",
    e.VerboseRecordMessage: "VERBOSE: ",
    e.DebugRecordMessage: "DEBUG: ",
}


def _now() -> datetime:
    return datetime.now().astimezone()


class Transcript:
    """The transcript of one session. Its file is readable by the server's user only."""

    def __init__(self, file: Any, now: Callable[[], datetime]) -> None:
        self._file = file
        self._now = now
        self._formatters: dict[UUID, Formatter] = {}
        self._started: set[UUID] = set()

    @classmethod
    def open(
        cls,
        directory: Path,
        sender: Sender,
        *,
        configuration_name: str = "",
        now: Callable[[], datetime] = _now,
    ) -> Transcript:
        """Begin a transcript in ``directory``, which is made where it is missing. Raises
        OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        machine = platform.node() or "localhost"
        mark = "".join(secrets.choice(_LETTERS) for _ in range(8))
        stamp = f"{now():%Y%m%d%H%M%S}"
        path = directory / f"PowerShell_transcript.{machine}.{mark}.{stamp}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        made = cls(os.fdopen(descriptor, "w", encoding="utf-8", errors="replace"), now)
        system = f"{platform.system()} {platform.release()}"
        made._lines(
            _RULE,
            "PowerShell transcript start",
            f"Start time: {stamp}",
            f"Username: {sender.user_name}",
            f"RunAs User: {user_name(os.geteuid())}",
            f"Configuration Name: {configuration_name}",
            f"Machine: {machine} ({system})",
            f"Host Application: {' '.join(sys.argv[:1])}",
            f"Process ID: {os.getpid()}",
            f"PSVersion: {PS_VERSION}",
            "PSEdition: Core",
            f"OS: {system}",
            "Platform: Unix",
            _RULE,
        )
        return made

    def close(self) -> None:
        """End the transcript. Calling it again does nothing."""
        if self._file.closed:
            return
        with suppress(OSError):
            self._lines(
                _RULE, "PowerShell transcript end", f"End time: {self._now():%Y%m%d%H%M%S}", _RULE
            )
        self._file.close()

    def _lines(self, *lines: str) -> None:
        if not self._file.closed:
            self._file.write("".join(f"{line}\n" for line in lines))
            self._file.flush()

    def command(self, pipeline: UUID, name: str, values: Mapping[str, Any]) -> None:
        """Write a command and its bound parameters."""
        if name.startswith("__") or name.casefold() in _UNASKED:
            return
        mark = ">> " if pipeline in self._started else "PS>"
        self._started.add(pipeline)
        self._lines(f'{mark}CommandInvocation({name}): "{name}"')
        self._lines(
            *(
                f'>> ParameterBinding({name}): name="{parameter}"; value="{_one_line(value)}"'
                for parameter, value in values.items()
            )
        )

    def event(self, pipeline: UUID, event: e.Event) -> None:
        """Write what a pipeline sends to its client."""
        if isinstance(event, e.PipelineOutput):
            if pipeline not in self._started:
                return
            formatter = self._formatters.get(pipeline)
            if formatter is None:
                formatter = self._formatters[pipeline] = Formatter(120)
            self._lines(*formatter.feed(event.data))
        elif isinstance(event, e.ErrorRecordMessage):
            self._lines(error_text(event.record, "concise"))
        elif type(event) in _RECORDS:
            self._lines(_RECORDS[type(event)] + str(event.record.message))  # type: ignore[attr-defined]
        elif isinstance(event, e.PipelineHostCall) and event.method in (*_LINES, *_TEXTS):
            self._lines(str(event.arguments[-1]) if event.arguments else "")

    def ended(self, pipeline: UUID, event: e.PipelineStateMessage) -> None:
        """Write what is left of a pipeline, and its error."""
        formatter = self._formatters.pop(pipeline, None)
        # A pipeline ends without an error of its own even if the disk is full.
        with suppress(OSError):
            if formatter is not None:
                self._lines(*formatter.flush())
            if event.error is not None and event.state is e.InvocationState.FAILED:
                self._lines(error_text(event.error, "concise"))
        self._started.discard(pipeline)


def _one_line(value: Any) -> str:
    return " ".join(to_text(value).split())[:10_000]
