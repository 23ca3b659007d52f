"""Session configuration files (.pssc) and role capability files (.psrc), as data.

`file_reading` and `file_writing` are the files, `file_keys` the checks of their values, `roles` the
merge of roles into a configuration, `visibility` the commands, parameters and values that it shows.
"""

from __future__ import annotations

from psremoting.configuration_files.file_reading import (
    ConfigurationFile,
    ConfigurationFileError,
    read_configuration_file,
    read_role_capability_file,
)

__all__ = [
    "ConfigurationFile",
    "ConfigurationFileError",
    "read_configuration_file",
    "read_role_capability_file",
]
