"""Conversion of WS-Man parameters to targets, credentials and session options."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psremoting.administration.sockets import find_local_socket
from psremoting.console.error_reports import CommandFailure
from psremoting.console.parameter_types import as_text
from psremoting.errors import InvalidComputerName
from psremoting.options import SessionOption
from psremoting.wsman_target import DEFAULT_CONFIGURATION, WSManTarget
from psrp.clixml import Credential, SecureString
from psrp.host_methods import HostMethodId
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.console.calls import Call
    from psremoting.powershell.binder import Binding

__all__ = [
    "OPTION_FIELDS",
    "PASSWORD",
    "ask_credential",
    "is_loopback",
    "is_wsman",
    "make_option",
    "more_of",
    "session_option",
    "wsman_targets",
]

_NAME = re.compile(r"[A-Za-z0-9_.:%-]+")
PASSWORD = "PSRP_PASSWORD"
"""Environment variable with the password."""


class InvalidOption(CommandFailure):
    """An unknown member of a hashtable of session options, or an invalid value."""

    error_id = "InvalidSessionOption"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"


def is_wsman(binding: Binding) -> bool:
    """Return True if the parameters select WS-Man."""
    return "ComputerName" in binding or "ConnectionUri" in binding


async def ask_credential(call: Call, binding: Binding, *, always: bool = False) -> None:
    """Add the password to a user name from ``-Credential``, over WS-Man or ``always``.

    The password comes from PSRP_PASSWORD, or from the user.
    """
    name = binding["Credential"]
    if not always and not is_wsman(binding) and "ProxyCredential" not in binding:
        return
    if not isinstance(name, str) or not name:
        return
    password: Any = os.environ.get(PASSWORD)
    if password is None:
        surface = call.workspace.surface
        surface.output(f"Password for user {name}:")
        try:
            password = await surface.host.call(HostMethodId.ReadLineAsSecureString, ())
        except Exception as error:
            text = f"cannot ask for the password of {name}: {error}"
            raise InvalidOption(text) from None
    if not isinstance(password, str | SecureString):
        raise InvalidOption(f"cannot ask for the password of {name}: no answer")
    binding.values["Credential"] = Credential(name, password)


def wsman_targets(binding: Binding) -> list[WSManTarget]:
    """Return the targets of ``-ComputerName`` or ``-ConnectionUri``."""
    names = binding["ConnectionUri"] if "ConnectionUri" in binding else binding["ComputerName"]
    return [_target(as_text(name), binding) for name in _several(names)]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _target(name: str, binding: Binding) -> WSManTarget:
    uri = "ConnectionUri" in binding
    if not uri and not _NAME.fullmatch(name):
        raise InvalidComputerName(name)
    made = WSManTarget.of_url(name, uri=True) if uri else WSManTarget(computer_name=name)
    option = session_option(binding)
    authentication = as_text(binding["Authentication"] or "Default")
    certificate = binding["CertificateThumbprint"]
    fields: dict[str, Any] = {
        "credential": binding["Credential"] or None,
        "authentication": _AUTHENTICATION.get(authentication.casefold(), authentication.lower()),
        "certificate": as_text(certificate) if certificate else "",
        "configuration_name": binding["ConfigurationName"] or DEFAULT_CONFIGURATION,
        "allow_redirection": bool(binding["AllowRedirection"]),
        "allow_unencrypted": option is not None and option.no_encryption,
    }
    if not uri:
        fields |= {
            "port": binding["Port"] or 0,
            "use_ssl": bool(binding["UseSSL"]),
            "application_name": binding["ApplicationName"] or "wsman",
        }
    made = replace(made, **fields)
    if not uri and is_loopback(name, binding):
        found = find_local_socket()
        if found is not None:
            interactive = bool(binding["EnableNetworkAccess"])
            made = replace(made, local_socket=str(found), interactive=interactive)
    return made


_OF_A_LISTENER = ("Credential", "Port", "UseSSL", "ApplicationName", "CertificateThumbprint")


def is_loopback(name: str, binding: Binding) -> bool:
    """Return whether a connection is one to this computer with implicit credentials.

    The name has to be localhost, a dot, or the own name without dots; everything that names a
    listener or a credential makes it an ordinary connection. facts.md 6.2
    """
    if any(binding[each] for each in _OF_A_LISTENER):
        return False
    kind = as_text(binding["Authentication"] or "Default").casefold()
    if kind not in ("default", "negotiate", "negotiatewithimplicitcredential"):
        return False
    own = socket.gethostname().partition(".")[0].casefold()
    return name.casefold() in ("localhost", ".", own)


_AUTHENTICATION = {"negotiatewithimplicitcredential": "negotiate-with-implicit-credential"}


def more_of(binding: Binding) -> dict[str, Any]:
    """Return the arguments of `PSSession.connect` for the parameters."""
    option = session_option(binding)
    return {} if option is None else {"options": option}


# -- session options

_Make = Callable[[Any], Any]


def _seconds(value: Any) -> float:
    milliseconds = int(value)
    return math.inf if milliseconds <= 0 else milliseconds / 1000


def _idle(value: Any) -> float | None:
    milliseconds = int(value)
    return None if milliseconds < 0 else milliseconds / 1000


def _size(value: Any) -> int | None:
    return int(value) or None


def _proxy_authentication(value: Any) -> str:
    return as_text(value).lower()


OPTION_FIELDS: dict[str, tuple[str, _Make]] = {
    "MaximumRedirection": ("max_connection_redirections", int),
    "MaximumConnectionRedirectionCount": ("max_connection_redirections", int),
    "NoCompression": ("no_compression", bool),
    "NoEncryption": ("no_encryption", bool),
    "NoMachineProfile": ("no_machine_profile", bool),
    "UseUTF16": ("use_utf16", bool),
    "IncludePortInSPN": ("include_port_in_spn", bool),
    "SkipCACheck": ("skip_ca_check", bool),
    "SkipCNCheck": ("skip_cn_check", bool),
    "SkipRevocationCheck": ("skip_revocation_check", bool),
    "Culture": ("culture", as_text),
    "UICulture": ("ui_culture", as_text),
    "MaximumReceivedDataSizePerCommand": ("max_received_data_size_per_command", _size),
    "MaximumReceivedObjectSize": ("max_received_object_size", _size),
    "OutputBufferingMode": ("output_buffering_mode", as_text),
    "MaxConnectionRetryCount": ("max_connection_retries", int),
    "ApplicationArguments": ("application_arguments", dict),
    "OpenTimeout": ("open_timeout", _seconds),
    "CancelTimeout": ("cancel_timeout", _seconds),
    "OperationTimeout": ("operation_timeout", _seconds),
    "IdleTimeout": ("idle_timeout", _idle),
    "ProxyAuthentication": ("proxy_authentication", _proxy_authentication),
    "ProxyCredential": ("proxy_credential", lambda value: value),
}
"""Member of PSSessionOption to our field and how its value becomes ours."""
_BY_NAME = {name.casefold(): made for name, made in OPTION_FIELDS.items()}


def make_option(given: Mapping[Any, Any]) -> SessionOption:
    """Make session options from PowerShell's member names. Raises InvalidOption."""
    fields: dict[str, Any] = {}
    for key, value in given.items():
        name = as_text(key)
        known = _BY_NAME.get(name.casefold())
        if known is None:
            raise InvalidOption(f"The member {name} of a session option does not exist.")
        field, make = known
        try:
            fields[field] = make(value)
        except (TypeError, ValueError):
            raise InvalidOption(f"{name}: cannot use the value {as_text(value)}") from None
    try:
        return SessionOption(**fields)
    except ValueError as error:
        raise InvalidOption(str(error)) from None


def session_option(binding: Binding) -> SessionOption | None:
    """Return the value of ``-SessionOption``, which may be a hashtable."""
    given = binding["SessionOption"]
    if given is None or isinstance(given, SessionOption):
        return given
    return make_option(given)
