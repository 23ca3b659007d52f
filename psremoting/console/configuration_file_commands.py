"""New- and Test-PSSessionConfigurationFile, and New-PSRoleCapabilityFile."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from psremoting.configuration_files.file_keys import CONFIGURATION_KEYS
from psremoting.configuration_files.file_reading import (
    ConfigurationFileError,
    read_configuration_file,
)
from psremoting.configuration_files.file_writing import (
    FILE_ENCODING,
    role_capability_text,
    session_configuration_text,
)
from psremoting.console.confirmation import show_verbose
from psremoting.console.error_reports import CommandFailure
from psrp.clixml import List
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.console.calls import Call

__all__ = ["new_configuration_file", "new_role_capability_file", "test_configuration_file"]


class _WrongPath(CommandFailure):
    category = ErrorCategory.InvalidArgument
    exception_type = "System.InvalidOperationException"


class _CannotOpen(CommandFailure):
    error_id = "FileOpenFailure"
    category = ErrorCategory.OpenError
    exception_type = "System.IO.IOException"


class _NotFound(CommandFailure):
    error_id = "PSSessionConfigurationFileNotFound"
    category = ErrorCategory.ResourceUnavailable
    exception_type = "System.IO.FileNotFoundException"


async def new_configuration_file(call: Call) -> None:
    """Write a .pssc file."""
    await call.bind()
    path = _target(
        call, ".pssc", "InvalidPSSessionConfigurationFilePath", "PSSession Configuration file"
    )
    full = bool(call.binding["Full"])
    _write(call, path, lambda values, **names: session_configuration_text(
        values, full=full, **names
    ))  # fmt: skip


async def new_role_capability_file(call: Call) -> None:
    """Write a .psrc file."""
    await call.bind()
    path = _target(call, ".psrc", "InvalidRoleCapabilityFilePath", "Role Capability file")
    _write(call, path, role_capability_text)


def _target(call: Call, extension: str, error_id: str, name: str) -> Path:
    """Return the path to write to. Raises CommandFailure for another extension."""
    given = str(call.binding["Path"])
    path = Path(given).expanduser()
    if path.suffix.casefold() != extension:
        raise _WrongPath(
            f"{name} path '{given}' is not valid. The path argument must resolve to a single file "
            f"in the file system with a '{extension}' extension. Please fix the path specification "
            "and try again.",
            error_id=error_id,
        )
    return path


def _write(call: Call, path: Path, text_of: Callable[..., str]) -> None:
    values = _values(call)
    guid = str(values.pop("GUID", None) or uuid4())
    text = text_of(values, author=_user(), guid=guid, file=str(call.binding["Path"]))
    try:
        path.write_bytes(text.encode(FILE_ENCODING))
    except OSError as error:
        raise _CannotOpen(f"Cannot write {path}: {error.strerror}") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _values(call: Call) -> dict[str, Any]:
    """Return the bound parameters by key of the file, in the order of the command line."""
    by_name = {each.casefold(): each for each in CONFIGURATION_KEYS}
    found: dict[str, Any] = {}
    for name, value in call.binding.values.items():
        key = by_name.get(name.casefold())
        if key is not None:
            found[key] = List(value) if isinstance(value, list) else value
    return found


async def test_configuration_file(call: Call) -> None:
    """Write True for a file without a fault, else False."""
    await call.bind()
    for binding in call.each():
        given = str(binding["Path"])
        path = Path(given).expanduser()
        if not os.path.isfile(path):
            call.fail(
                _NotFound(
                    f"The specified configuration file '{given}' was not loaded because no valid "
                    "configuration file was found."
                )
            )
            continue
        call.emit(_is_valid(call, path.absolute()))


def _is_valid(call: Call, path: Path) -> bool:
    try:
        read_configuration_file(path).check()
    except ConfigurationFileError as error:
        if error.error_id == "InvalidPSSessionConfigurationFilePath":
            raise _WrongPath(error.message, error_id=error.error_id) from None
        show_verbose(call, error.message)
        return False
    return True
