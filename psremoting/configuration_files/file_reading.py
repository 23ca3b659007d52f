"""Read session configuration files (.pssc) and role capability files (.psrc)."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from psremoting.configuration_files.file_keys import SERVER_KEYS, faults
from psremoting.errors import PSRemotingError
from psremoting.powershell.data_language import Data, DataLanguageError, Position, read_data
from psremoting.powershell.script_file import decode_script
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary
from psrp.frozen import dataclass
from psrp.records import ErrorCategory

__all__ = [
    "ConfigurationFile",
    "ConfigurationFileError",
    "parse_configuration",
    "read_configuration_file",
    "read_role_capability_file",
]

_MAX_BYTES = 16 << 20


class ConfigurationFileError(PSRemotingError):
    """A configuration file that cannot be used. ``position`` is the place of the fault, if any."""

    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.PSInvalidOperationException"

    def __init__(
        self, message: str, *, error_id: str = "InvalidPSSessionConfigurationFile",
        position: Position | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message, error_id=error_id)
        self.position = position


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A file as data: ``table`` has the keys as they are in the file."""

    name: str
    table: Dictionary
    data: Data

    def position(self, key: str) -> Position | None:
        """Return the place of a key of the file."""
        return self.data.position(self.table, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, compared without case."""
        return self.table.get(key, default)

    def fault(self) -> tuple[str, Position | None] | None:
        """Return the first fault that Test-PSSessionConfigurationFile reports, and its place."""
        for each in faults(self.table):
            return each.text.replace("{file}", self.name), self.data.position(each.table, each.key)
        return None

    def check(self) -> None:
        """Raise ConfigurationFileError for the first fault, with PowerShell's text and the
        place."""
        found = self.fault()
        if found is not None:
            text, position = found
            place = "" if position is None else f" ({position})"
            raise ConfigurationFileError(text + place, position=position)

    def check_for_server(self) -> None:
        """Raise ConfigurationFileError for a key that ``pwsh -ConfigurationFile`` refuses."""
        known = {each.casefold() for each in SERVER_KEYS}
        for key in map(to_text, self.table):
            if key.casefold() in known:
                continue
            raise ConfigurationFileError(_refused_by_server(key), position=self.position(key))


_OF_REMOTING = frozenset(
    {
        "groupmanagedserviceaccount", "powershellversion", "requiredgroups", "roledefinitions",
        "runasvirtualaccount", "runasvirtualaccountgroups",
    }
)  # fmt: skip


def _refused_by_server(key: str) -> str:
    if key.casefold() in _OF_REMOTING:
        return (
            "The session configuration file contains an unsupported configuration option: "
            f"{key}. This is a remoting endpoint configuration option, that does not apply to "
            "PowerShell session state."
        )
    return f"The session configuration file contains an unknown configuration option: {key}."


def parse_configuration(
    text: str, name: str, *, script_root: str | None = None
) -> ConfigurationFile:
    """Read the text of a file called ``name``. Raises ConfigurationFileError."""
    try:
        data = read_data(text, script_root=script_root)
    except DataLanguageError as error:
        raise ConfigurationFileError(
            f"Error parsing configuration file {name} with the following message: {error}",
            position=error.position,
        ) from None
    if not isinstance(data.value, Dictionary):
        raise ConfigurationFileError(
            f"The session configuration file {name} is not valid. Specify a valid session "
            "configuration file and try the command again. Expected a hashtable."
        )
    return ConfigurationFile(name, data.value, data)


def _opened(path: str, flags: int) -> int:
    """Open a regular file; a FIFO would wait for a writer. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return descriptor


def _read(path: Path, extension: str, wrong_path: ConfigurationFileError) -> ConfigurationFile:
    if path.suffix.casefold() != extension:
        raise wrong_path
    try:
        with open(path, "rb", opener=_opened) as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationFileError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigurationFileError(f"cannot read {path}: it has more than {_MAX_BYTES} bytes")
    root = str(path.parent.absolute())
    return parse_configuration(decode_script(data), str(path), script_root=root)


def read_configuration_file(path: Path) -> ConfigurationFile:
    """Read a .pssc file; `ConfigurationFile.check` checks its keys. Raises
    ConfigurationFileError."""
    wrong = ConfigurationFileError(
        f"PSSession Configuration file path '{path}' is not valid. The path argument must resolve "
        "to a single file in the file system with a '.pssc' extension. Please fix the path "
        "specification and try again.",
        error_id="InvalidPSSessionConfigurationFilePath",
    )
    return _read(path, ".pssc", wrong)


def read_role_capability_file(path: Path) -> ConfigurationFile:
    """Read a .psrc file. Raises ConfigurationFileError, with PowerShell's text for another
    extension and for a file that does not exist."""
    wrong = ConfigurationFileError(
        f"The provided role capability file {path} does not have the required .psrc extension.",
        error_id="InvalidRoleCapabilityFileExtension",
    )
    if path.suffix.casefold() == ".psrc" and not os.path.isfile(path):
        raise ConfigurationFileError(
            f"Could not find the provided role capability file {path}.",
            error_id="CouldNotFindRoleCapabilityFile",
        )
    return _read(path, ".psrc", wrong)
