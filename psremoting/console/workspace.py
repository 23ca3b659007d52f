"""The state of one local prompt: its sessions, jobs, variables and errors."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from psremoting.console.jobs import JobTable
from psremoting.console.printing import Printer
from psremoting.console.surface import Surface
from psremoting.errors import PipelineFailed, PSRemotingError, PSRemotingTransportError
from psremoting.exception_groups import unwrapped
from psremoting.powershell.error_view import ERROR_VIEWS, error_text
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.evaluator import cast
from psremoting.powershell.string_conversion import to_text
from psremoting.session import PSSession
from psremoting.session_table import Opener, SessionTable
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["Workspace"]


def _without_scope(name: str) -> str:
    scope = next((each for each in _SCOPES if name.casefold().startswith(each)), "")
    return name[len(scope) :]


_CONSTANTS = {"true": True, "false": False, "null": None}
_READ_ONLY = {*_CONSTANTS, "error", "?", "pid", "home"}
_ABSENT_TEXT = """
    args executioncontext host input lastexitcode matches myinvocation profile pscmdlet
    pscommandpath psculture psdefaultparametervalues psedition pshome psscriptroot psstyle
    psuiculture psversiontable shellid stacktrace this
"""
_ABSENT = frozenset(_ABSENT_TEXT.split())
"""Automatic variables of PowerShell that this prompt does not have."""
_SCOPES = ("global:", "local:", "private:", "script:", "variable:")
_MOST_ERRORS = 256
"""PowerShell's $MaximumErrorCount."""


class Workspace:
    """The state of a prompt; `Workspace.open` closes its sessions at the end of the block."""

    jobs: JobTable
    """The background jobs; set by `open`."""

    def __init__(self, surface: Surface, table: SessionTable, connect: Opener) -> None:
        self.surface = surface
        self.table = table
        self.connect = connect
        """Opens the sessions that are not kept in the table."""
        self.printer = Printer(surface)
        self.errors: list[ErrorRecord] = []
        """$Error: the last errors, newest first."""
        self.succeeded = True
        """$?"""
        self.exit_code: int | None = None
        """Set by ``exit``."""
        self._variables: dict[str, Any] = {}
        self._types: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, surface: Surface, *, connect: Opener = PSSession.connect
    ) -> AsyncIterator[Workspace]:
        async with SessionTable.open(connect=connect) as table:
            workspace = cls(surface, table, connect)
            with unwrapped():
                async with trio.open_nursery() as nursery:
                    workspace.jobs = JobTable(nursery)
                    nursery.start_soon(workspace.printer.keep_pace)
                    yield workspace
                    nursery.cancel_scope.cancel()

    # -- variables

    def variable(self, name: str) -> Any:
        """Return the value of a variable; None if it was never set."""
        name = _without_scope(name)
        folded = name.casefold()
        if folded in _CONSTANTS:
            return _CONSTANTS[folded]
        if folded.startswith("env:"):
            return os.environ.get(name[4:])
        if (folded in _ABSENT and folded not in self._variables) or ":" in folded:
            raise Unsupported(f"the variable ${name}")
        folded = "_" if folded == "psitem" else folded
        if folded in self._variables:
            return self._variables[folded]
        automatic = {
            "error": self.errors,
            "?": self.succeeded,
            "home": str(Path.home()),
            "pwd": str(Path.cwd()),
            "pid": os.getpid(),
        }
        return automatic.get(folded)

    def set_variable(self, name: str, value: Any, type_name: str = "") -> None:
        """Set a variable; with ``type_name`` later values are converted to this type, too.

        Raises PSRemotingError for a read-only variable, and for a value of another type.
        """
        name = _without_scope(name)
        folded = name.casefold()
        if folded.startswith("env:"):
            self._set_environment(name[4:], value)
            return
        if ":" in folded:
            raise Unsupported(f"the variable ${name}")
        if folded == "null":
            return
        if folded in _READ_ONLY:
            raise PSRemotingError(
                f"Cannot overwrite variable {name} because it is read-only or constant.",
                error_id="VariableNotWritable",
                category=ErrorCategory.WriteError,
            )
        type_name = type_name or self._types.get(folded, "")
        if type_name:
            self._types[folded] = type_name
            value = cast(value, type_name)
        self._variables[folded] = value

    def _set_environment(self, name: str, value: Any) -> None:
        if value is None or value == "":
            os.environ.pop(name, None)
        else:
            os.environ[name] = to_text(value)

    @contextmanager
    def current(self, item: Any) -> Iterator[None]:
        """Let ``$_`` be ``item``, for a script that runs for each object."""
        before = self._variables.get("_")
        self._variables["_"] = item
        try:
            yield
        finally:
            self._variables["_"] = before

    @property
    def variable_names(self) -> list[str]:
        return sorted({*self._variables, *_READ_ONLY, "pwd"} - {"?"})

    # -- errors

    def record_of(
        self, error: PSRemotingError, activity: str = "", class_name: str = ""
    ) -> ErrorRecord:
        """Return the record that the command ``activity`` writes. Its class name is appended to
        the error id, except for transport failures and remote errors."""
        record = error.to_record(activity)
        if not class_name or isinstance(error, PSRemotingTransportError | PipelineFailed):
            return record
        return replace(record, fully_qualified_error_id=f"{error.error_id},{class_name}")

    def write_error(self, record: ErrorRecord, computer: str = "") -> None:
        """Show an error and keep it in ``$Error``."""
        self.keep_error(record)
        self.printer.end()
        self.surface.error(error_text(record, self._view(), computer=computer, local=not computer))

    def keep_error(self, record: ErrorRecord) -> None:
        self.succeeded = False
        self.errors.insert(0, record)
        del self.errors[_MOST_ERRORS:]

    def _view(self) -> str:
        view = str(self._variables.get("errorview", "concise")).casefold().removesuffix("view")
        return view if view in ERROR_VIEWS else "concise"
