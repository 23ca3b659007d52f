"""The options ``--record`` and ``--record-secrets`` of the commands that have sessions."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psremoting.cli.shell_completion import complete_file

if TYPE_CHECKING:
    from psremoting.capture.recorder import Recorder

__all__ = ["RECORD_OPTIONS", "RecordTo", "report_incomplete", "take_record"]

RECORD_OPTIONS = (
    click.option(
        "--record", metavar="FILE", shell_complete=complete_file,
        help="Record the traffic in the clear, for psrp decode and psrp replay. Several sessions "
        "make FILE-2 and so on; {pid} in FILE is the process ID.",
    ),
    click.option(
        "--record-secrets", type=click.Choice(["masked", "as-sent"]), default="masked",
        help="Record secure strings as asterisks (masked, the default), or as they were sent: "
        "encrypted with the session key below protocol 2.4, readable from 2.4 on.",
    ),
    click.option("--force", is_flag=True, help="Let --record overwrite files."),
)  # fmt: skip


@dataclass(slots=True)
class RecordTo:
    """The file name of the recordings of one command."""

    path: str
    secrets: str
    force: bool = False
    _opened: int = 0

    def open(self) -> Recorder:
        """Begin the next recording. Raises PSRemotingError, also for a file that exists, unless it
        is empty or ``force`` is set."""
        from psremoting.capture.recorder import RecordedSecrets, Recorder
        from psremoting.errors import PSRemotingError

        self._opened += 1
        path = Path(self.path.replace("{pid}", str(os.getpid())))
        if self._opened > 1:
            path = path.with_name(f"{path.stem}-{self._opened}{path.suffix}")
        if not self.force and path.is_file() and path.stat().st_size:
            raise PSRemotingError(
                f"cannot record to {path}: the file exists; use --force to overwrite it"
            )
        try:
            return Recorder(path, secrets=RecordedSecrets(self.secrets))
        except OSError as error:
            raise PSRemotingError(f"cannot record to {path}: {error.strerror}") from None


def take_record(given: dict[str, Any]) -> RecordTo | None:
    """Take the values of `RECORD_OPTIONS` out of ``given``."""
    path, secrets, force = (given.pop(name) for name in ("record", "record_secrets", "force"))
    return RecordTo(path, secrets, force) if path else None


def report_incomplete(recorder: Recorder) -> None:
    """Close a recording; print the reason if a part of it could not be written."""
    recorder.close()
    if recorder.error is not None:
        reason = recorder.error.strerror or recorder.error
        print(f"psrp: {recorder.path}: the recording is incomplete: {reason}", file=sys.stderr)
