"""The targets that the parameters of a command name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from psremoting.console.error_reports import NotBuilt, SSHConnectionError
from psremoting.console.parameter_types import as_text, converted, parameter
from psremoting.console.session_tables import TARGET_SET
from psremoting.console.wsman_connections import is_wsman, wsman_targets
from psremoting.powershell.binder import Binding
from psremoting.powershell.parameters import Parameter
from psremoting.targets import ContainerTarget, SSHTarget, Target, local_target, parse_target
from sshsub.command_line import DEFAULT_SUBSYSTEM

__all__ = ["host_from_options", "is_local", "refuse", "targets_of", "throttle_limit"]

_HOST_OPTIONS = ("host", "hostname")
_SETS_OVER_SSH = ("SSHHost", "FilePathSSHHost")
_REFUSED: dict[str, Callable[[], Exception]] = {
    "VMId": lambda: NotBuilt("A session to a virtual machine (PowerShell Direct)"),
    "VMName": lambda: NotBuilt("A session to a virtual machine (PowerShell Direct)"),
    "UseWindowsPowerShellParameterSet": lambda: NotBuilt("Windows PowerShell"),
}
"""Parameter sets without a carrier, and the error of each."""


def refuse(binding: Binding) -> None:
    """Raise PSRemotingError for a parameter set without a carrier."""
    name = binding.set_name.removeprefix("FilePath").removesuffix("InstanceId")
    refusal = _REFUSED.get(binding.set_name) or _REFUSED.get(name)
    if refusal is not None:
        raise refusal()


def is_local(binding: Binding, *, ignoring: tuple[str, ...] = ()) -> bool:
    """Return True if no parameter names a target; the target is then this program's endpoint."""
    common = {each.name for each in binding.table.parameters if each.common and each.in_all_sets}
    return binding.values.keys() <= {*common, *ignoring}


def host_from_options(binding: Binding) -> None:
    """Use Host of -Options if -HostName is missing."""
    options = binding["Options"]
    if options is None or "HostName" in binding or not binding.sets & set(_SETS_OVER_SSH):
        return
    for key in list(options):
        if as_text(key).casefold() in _HOST_OPTIONS:
            rest = {name: value for name, value in options.items() if name != key}
            named = binding.table.find("HostName")
            assert named is not None
            binding.values["HostName"] = converted(as_text(options[key]), named)
            binding.values["Options"] = rest
            return


def targets_of(binding: Binding) -> list[Target]:
    """Return the targets, for all parameter sets but those of open sessions.

    Raises PSRemotingError.
    """
    refuse(binding)
    if TARGET_SET in binding.set_name:
        return [_target(text) for text in _several(binding["Target"])]
    if "ContainerId" in binding:
        return [
            ContainerTarget(
                container_id=each,
                run_as_administrator=bool(binding["RunAsAdministrator"]),
                configuration_name=binding.values.get("ConfigurationName") or "",
            )
            for each in _several(binding["ContainerId"])
        ]
    if is_wsman(binding):
        return list(wsman_targets(binding))
    if "SSHConnection" in binding:
        return [_from_hashtable(each) for each in binding["SSHConnection"]]
    return [_ssh(name, binding.values) for name in _several(binding["HostName"])]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _target(text: str) -> Target:
    return local_target() if text == "local" else parse_target(text)


def _ssh(host_name: str, values: Mapping[str, Any]) -> SSHTarget:
    key = values.get("KeyFilePath")
    return SSHTarget(
        host_name=host_name,
        user_name=values.get("UserName") or "",
        port=values.get("Port") or 0,
        key_file_path=os.path.abspath(os.path.expanduser(key)) if key else "",
        subsystem=values.get("Subsystem") or DEFAULT_SUBSYSTEM,
        options={as_text(n): v for n, v in (values.get("Options") or {}).items()},
        connecting_timeout=_seconds(values.get("ConnectingTimeout")),
    )


def _seconds(milliseconds: int | None) -> float:
    """Convert milliseconds to seconds; a negative value means no limit."""
    return math.inf if milliseconds is None or milliseconds < 0 else milliseconds / 1000


_KEYS: dict[str, Parameter] = {
    own.casefold(): each
    for each in (
        parameter("HostName", "string", alias="ComputerName"),
        parameter("UserName", "string"),
        parameter("KeyFilePath", "string", alias="IdentityFilePath"),
        parameter("Port", "int", limits=(1, 65535)),
        parameter("Subsystem", "string"),
        parameter("ConnectingTimeout", "int"),
        parameter("Options", "hashtable"),
    )
    for own in (each.name, *each.aliases)
}


def _from_hashtable(given: Mapping[Any, Any]) -> SSHTarget:
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = as_text(key)
        if not name or value is None or value == "":
            raise SSHConnectionError(
                "The provided SSHConnection hashtable parameter name or element is null or empty."
            )
        known = _KEYS.get(name.casefold())
        if known is None:
            raise SSHConnectionError(
                f"The provided SSHConnection hashtable parameter {name} is not supported."
            )
        if known.name in values:
            both = " and ".join("a " * (not at) + own for at, own in enumerate(_names(known)))
            raise SSHConnectionError(
                f"The provided SSHConnection hashtable contains both {both} parameter.  Only one "
                "can be specified."
            )
        values[known.name] = converted(value, known)
    if "HostName" not in values:
        raise SSHConnectionError(
            "The provided SSHConnection hashtable is missing the required ComputerName or "
            "HostName parameter."
        )
    return _ssh(values["HostName"], values)


def _names(known: Parameter) -> tuple[str, ...]:
    names = (known.name, *known.aliases)
    return tuple(reversed(names)) if known.name == "HostName" else names


def throttle_limit(throttle: int | None, default: int) -> int:
    """Return the throttle limit; 0 and less mean the default."""
    return throttle if throttle is not None and throttle > 0 else default
