"""Copy-Item with -ToSession and -FromSession."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from psremoting.console.confirmation import Confirmation, show_verbose
from psremoting.console.error_reports import CommandFailure
from psremoting.copying import CopyOptions, copy_from, copy_to, files_of
from psremoting.errors import PSRemotingError
from psrp.records import ErrorCategory, ProgressRecord, ProgressType

if TYPE_CHECKING:
    from psremoting.console.calls import Call
    from psremoting.powershell.binder import Binding
    from psremoting.session import PSSession

__all__ = ["copy_item"]


class _Invalid(CommandFailure):
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"


class _NotThere(CommandFailure):
    error_id = "PathNotFound"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.ItemNotFoundException"


class _NotAvailable(CommandFailure):
    error_id = "SessionIsNotAvailable"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.InvalidOperationException"


async def copy_item(call: Call) -> None:
    """Copy to a session, or from it."""
    await call.bind()
    confirmation = Confirmation(call)
    for binding in call.each():
        try:
            await _copy(call, binding, confirmation)
        except PSRemotingError as error:
            call.fail(error)


def _session(binding: Binding) -> tuple[PSSession, bool]:
    """Return the session, and True if it is copied to. Raises PSRemotingError."""
    to, origin = binding["ToSession"], binding["FromSession"]
    if to is not None and origin is not None:
        raise _Invalid(
            "'FromSession' and 'ToSession' are mutually exclusive and cannot be specified at the "
            "same time.",
            error_id="InvalidInput",
        )
    entry = to or origin
    if entry is None:
        raise _Invalid(
            "Copy-Item of this prompt needs -ToSession or -FromSession.", error_id="InvalidInput"
        )
    if entry.availability != "Available":
        raise _NotAvailable(
            "Cannot perform operation because the session Availability is set to "
            f"{entry.availability}."
        )
    return entry.session, to is not None


async def _copy(call: Call, binding: Binding, confirmation: Confirmation) -> None:
    session, to_session = _session(binding)
    literal = binding["LiteralPath"]
    paths = list(literal or binding["Path"] or ())
    destination = binding["Destination"] or ""
    if to_session and not destination:
        raise _Invalid(
            "'Destination' parameter cannot be null or empty.",
            error_id="CopyItemRemoteDestinationIsNullOrEmpty",
        )
    options = CopyOptions(
        recurse=bool(binding["Recurse"]),
        force=bool(binding["Force"]),
        filter=binding["Filter"] or "*",
        include=binding["Include"] or (),
        exclude=binding["Exclude"] or (),
        on_error=call.fail,
        on_skip=call.workspace.surface.warning,
        on_progress=_progress(call, session.computer, to_session=to_session),
    )
    files = await files_of(session)
    for path in paths:
        if to_session:
            sources = _local(path, literal=literal is not None)
            if not sources:
                call.fail(_NotThere(f"Cannot find path '{path}' because it does not exist."))
        for source in sources if to_session else [path]:
            item = f"Item: {source} Destination: {destination or '.'}"
            if not await confirmation.allow(item, "Copy File"):
                continue
            if to_session:
                await copy_to(files, [Path(source)], destination, options)
            else:
                await copy_from(files, [source], Path(destination or ".").expanduser(), options)
            show_verbose(call, f'Performing the operation "Copy File" on target "{item}".')


def _local(path: str, *, literal: bool) -> list[str]:
    name = str(Path(path).expanduser())
    if os.path.exists(name):
        return [name]
    return [] if literal else sorted(glob.glob(name))


def _progress(call: Call, computer: str, *, to_session: bool) -> Callable[[str, int, int], None]:
    ends = ("localhost", computer) if to_session else (computer, "localhost")

    def show(name: str, done: int, size: int) -> None:
        over = done >= size
        call.workspace.surface.progress(
            ProgressRecord(
                activity=f"Copying {name}",
                activity_id=0,
                status=f"From {ends[0]} to {ends[1]}",
                percent_complete=100 if over else done * 100 // size,
                type=ProgressType.Completed if over else ProgressType.Processing,
            )
        )

    return show
