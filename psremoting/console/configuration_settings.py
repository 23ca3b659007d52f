"""The parameters of Register- and Set-PSSessionConfiguration as a session configuration."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from psremoting.administration.configurations import (
    LOCAL_SDDL,
    REMOTE_SDDL,
    AccessMode,
    AdministrationError,
    EngineKind,
    SessionConfiguration,
    TransportOption,
    configuration_name_fault,
)
from psremoting.administration.permissions import checked_sddl, with_access_mode
from psremoting.console.error_reports import CommandFailure
from psremoting.console.object_properties import TRANSPORT_PROPERTIES
from psremoting.console.parameter_types import as_text
from psremoting.endpoint.configured_engine import check_configuration_file
from psremoting.errors import PSRemotingError
from psremoting.powershell.binder import Binding
from psrp.records import ErrorCategory

__all__ = [
    "DEFAULT_PROCESS",
    "checked_name",
    "descriptor",
    "new_configuration",
    "transport_option",
    "with_settings",
]

DEFAULT_PROCESS = "pwsh -s -NoLogo -NoProfile"


class InvalidSetting(CommandFailure):
    """A parameter whose value cannot be used."""

    error_id = "InvalidSessionConfigurationSetting"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"


def checked_name(name: str) -> str:
    """Return the name of a new configuration. Raises InvalidSetting."""
    if fault := configuration_name_fault(name):
        raise InvalidSetting(fault)
    return name


def new_configuration(binding: Binding) -> SessionConfiguration:
    """Return the configuration that Register-PSSessionConfiguration describes."""
    process, functions = binding["Process"], binding["Functions"]
    if not process and not functions and shutil.which("pwsh") is None:
        raise InvalidSetting(
            "Expected -Functions or -Process: there is no pwsh on the PATH to start for the "
            "sessions."
        )
    mode = _mode(binding) or AccessMode.REMOTE
    made = SessionConfiguration(
        name=binding["Name"],
        kind=EngineKind.PROCESS,
        source=DEFAULT_PROCESS,
        sddl=LOCAL_SDDL if mode is AccessMode.LOCAL else REMOTE_SDDL,
    )
    # An explicit descriptor follows the access mode, too.
    return with_access_mode(with_settings(made, binding), mode)


def with_settings(configuration: SessionConfiguration, binding: Binding) -> SessionConfiguration:
    """Return the configuration with the settings that were given. Raises InvalidSetting."""
    changes: dict[str, Any] = {
        field: make(binding[name]) for name, (field, make) in _SETTINGS.items() if name in binding
    }
    if "Functions" in binding and "Process" in binding:
        raise InvalidSetting("-Functions and -Process are mutually exclusive.")
    if binding["Functions"]:
        changes |= {"kind": EngineKind.FUNCTIONS, "source": _functions(binding["Functions"])}
    elif binding["Process"]:
        changes |= {"kind": EngineKind.PROCESS, "source": binding["Process"]}
    if binding["TransportOption"] is not None:
        given: TransportOption = binding["TransportOption"]
        option = configuration.transport_option
        for own in TRANSPORT_PROPERTIES.values():
            if getattr(given, own) is not None:
                option = replace(option, **{own: getattr(given, own)})
        changes["transport_option"] = _consistent(option)
    made = replace(configuration, **changes)
    mode = _mode(binding)
    return made if mode is None else with_access_mode(made, mode)


def _mode(binding: Binding) -> AccessMode | None:
    given = binding["AccessMode"]
    return None if given is None else AccessMode[given.upper()]


def transport_option(binding: Binding) -> TransportOption:
    """Return the quotas that New-PSTransportOption describes."""
    values = {own: binding[name] for name, own in TRANSPORT_PROPERTIES.items() if name in binding}
    return TransportOption(**values)


def _consistent(option: TransportOption) -> TransportOption:
    most, idle = option.max_idle_timeout, option.idle_timeout
    if most is not None and idle is not None and idle > most:
        raise InvalidSetting(
            f"IdleTimeoutSec ({idle}) cannot be greater than MaxIdleTimeoutSec ({most})."
        )
    return option


# -- the values of the parameters


def descriptor(text: str) -> str:
    """Return a descriptor's text as it is stored. Raises InvalidSetting."""
    try:
        return checked_sddl(text)
    except AdministrationError as error:
        raise InvalidSetting(str(error)) from None


def _script(path: str) -> str:
    if not path:
        return ""
    if not path.casefold().endswith(".ps1"):
        raise InvalidSetting(
            '"StartupScript" must specify a PowerShell script file that ends with extension ".ps1".'
        )
    return _file(path)


def _file(path: str) -> str:
    found = Path(path).expanduser().absolute()
    if not os.path.isfile(found):
        raise InvalidSetting(f"Cannot find the file {found}.")
    return str(found)


def _configuration_file(path: str) -> str:
    found = Path(path).expanduser().absolute()
    if found.suffix.casefold() != ".pssc" or not os.path.isfile(found):
        raise InvalidSetting(
            f"PSSession Configuration file path '{path}' is not valid. The path argument must "
            "resolve to a single file in the file system with a '.pssc' extension. Please fix the "
            "path specification and try again."
        )
    try:
        check_configuration_file(found)
    except PSRemotingError as error:
        raise InvalidSetting(error.message) from None
    except AdministrationError as error:
        raise InvalidSetting(str(error)) from None
    return str(found)


def _folder(path: str) -> str:
    if not path:
        return ""
    found = Path(path).expanduser().absolute()
    if not os.path.isdir(found):
        raise InvalidSetting(f"Cannot find the folder {found}.")
    return str(found)


def _size(name: str) -> Any:
    def checked(value: float) -> float | None:
        if value < 0:
            raise InvalidSetting(
                f"{as_text(value)} is not a valid value for the parameter {name}. The value must "
                "be greater than or equal to 0."
            )
        return value or None

    return checked


def _user(credential: Any) -> str:
    name = credential if isinstance(credential, str) else credential.user_name
    try:
        return pwd.getpwnam(name).pw_name
    except (KeyError, ValueError):
        raise InvalidSetting(
            f"Could not resolve username '{name}'. Verify the username and try again."
        ) from None


def _functions(source: str) -> str:
    module, _, name = source.partition(":")
    if not module or not name:
        raise InvalidSetting(f"Expected -Functions MODULE:NAME, got {source!r}.")
    return source


def _environment(given: Any) -> tuple[tuple[str, str], ...]:
    found = []
    for key, value in given.items():
        name, text = as_text(key), as_text(value)
        if not name or "=" in name or "\0" in name + text:
            raise InvalidSetting(f"{name!r} is not the name of an environment variable.")
        found.append((name, text))
    return tuple(found)


_SETTINGS: dict[str, tuple[str, Any]] = {
    "SecurityDescriptorSddl": ("sddl", descriptor),
    "StartupScript": ("startup_script", _script),
    "PSVersion": ("ps_version", as_text),
    "MaximumReceivedDataSizePerCommandMB": (
        "max_received_data_size_mb",
        _size("MaximumReceivedDataSizePerCommandMB"),
    ),
    "MaximumReceivedObjectSizeMB": (
        "max_received_object_size_mb",
        _size("MaximumReceivedObjectSizeMB"),
    ),
    "ThreadOptions": ("thread_options", as_text),
    "ModulesToImport": ("modules_to_import", tuple),
    "SessionType": ("session_type", as_text),
    "Path": ("path", _configuration_file),
    "RunAsCredential": ("run_as_user", _user),
    "Environment": ("environment", _environment),
    "WorkingDirectory": ("working_directory", _folder),
    "CopyFolder": ("copy_folder", _folder),
    "AllowLongerNames": ("exact_match", lambda given: not given),
}
"""Parameter to our field, and how its value becomes ours."""
