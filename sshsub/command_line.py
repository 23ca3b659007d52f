"""The command line of ``ssh`` for one target, and the host names that it accepts.

    ssh [-F FILE] [-i KEY] [-l USER] [-p PORT] [-o NAME=VALUE]... -s HOST SUBSYSTEM

OpenSSH keeps the first value, so that the flags take precedence over the options. Every value is
one argument of argv: there is no quoting and no shell. Values that ssh could take for an option are
refused; spec-notes/ssh-command-line.md lists where that is stricter than PowerShell.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_SUBSYSTEM",
    "HostName",
    "InvalidArgument",
    "InvalidHostName",
    "connecting_seconds",
    "is_host_name",
    "parse_host_name",
    "ssh_arguments",
]

DEFAULT_SUBSYSTEM = "powershell"

# Letters, digits and all from U+00A1 on, inside also _ and -, as what they are not: a set with
# characters beyond U+FFFF takes 10 ms to compile.
_LABEL = re.compile(
    r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xa0]"
    r"[^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xa0]{0,62}"
)
_DOT = re.compile("[.\u3002\uff0e\uff61]")
_PORT = re.compile(r"[0-9]{0,9}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidArgument(LocalProtocolError):
    """A value that ssh's command line does not allow. ``argument`` is PowerShell's parameter."""

    error_id = "ParameterBindingFailed"

    def __init__(self, argument: str, text: str) -> None:
        super().__init__(f"{argument}: {text}")
        self.argument = argument


class InvalidHostName(InvalidArgument):
    """Neither a DNS name nor an IP address. The error id is PowerShell's."""

    error_id = "PSSessionInvalidComputerName"

    def __init__(self, name: str) -> None:
        super().__init__("HostName", f"{name!r} is not a valid computer name")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class HostName:
    """The parts of a ``-HostName`` text: ``[user@]host[:port]``."""

    host: str
    """Without brackets around an IPv6 address."""
    user_name: str = ""
    port: int = 0
    """0 if the text has no port."""


def is_host_name(name: str) -> bool:
    """Return whether .NET's Uri.CheckHostName accepts a DNS name, IPv4 or IPv6 address.

    A DNS name has labels of 1 to 63 characters, a letter or digit followed by letters, digits,
    underscores and hyphens; beyond ASCII any printable character is allowed. One dot may end the
    name, and may be ideographic. IPv6 is accepted with or without brackets.
    """
    if not name or len(name) > 255:
        return False
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if ":" in bare:
        try:
            ipaddress.IPv6Address(bare)
        except ValueError:
            return False
        return not _CONTROL.search(bare) and " " not in bare
    labels = _DOT.split(name)
    if not labels[-1]:
        labels.pop()
    return name.isprintable() and bool(labels) and all(map(_LABEL.fullmatch, labels))


def parse_host_name(text: str) -> HostName:
    """Read ``[user@]host[:port]``; IPv6 in brackets, or bare if there is no port.

    "." is this machine. Raises InvalidHostName.
    """
    user, at, rest = text.partition("@")
    if not at:
        user, rest = "", text
    host, port_text = rest, ""
    if rest.startswith("["):
        host, bracket, tail = rest.partition("]")
        host += bracket
        if tail and not tail.startswith(":"):
            raise InvalidHostName(text)
        port_text = tail[1:]
    elif rest.count(":") == 1:
        host, _, port_text = rest.partition(":")
    host = "localhost" if host == "." else host
    if not is_host_name(host) or not _PORT.fullmatch(port_text):
        raise InvalidHostName(text)
    port = int(port_text or 0)
    if port > 65535:
        raise InvalidHostName(text)
    return HostName(host=host.strip("[]"), user_name=user, port=port)


def _checked(argument: str, value: str) -> str:
    if _CONTROL.search(value):
        raise InvalidArgument(argument, "it contains a control character")
    return value


def _login(user_name: str) -> str:
    r"""Return ssh's form of a user: ``DOMAIN\user`` becomes ``user@DOMAIN``."""
    _checked("UserName", user_name)
    parts = user_name.split("\\")
    login = f"{parts[1]}@{parts[0]}" if len(parts) == 2 else user_name
    if login.startswith("-"):
        raise InvalidArgument("UserName", f"{login!r} looks like an option")
    return login


def ssh_arguments(
    host_name: str,
    *,
    user_name: str = "",
    key_file_path: str = "",
    port: int = 0,
    subsystem: str = DEFAULT_SUBSYSTEM,
    options: Mapping[str, object] | None = None,
    config_file: str = "",
) -> list[str]:
    """Return the arguments of ``ssh``. User and port in ``host_name`` take precedence.

    Port 0 leaves the port to ssh's configuration; the key file is not opened here. Raises
    InvalidHostName, or InvalidArgument for other values.
    """
    target = parse_host_name(host_name)
    user_name = target.user_name or user_name
    port = target.port or port
    if not 0 <= port <= 65535:
        raise InvalidArgument("Port", f"{port} is not between 0 and 65535")
    subsystem = _checked("Subsystem", subsystem or DEFAULT_SUBSYSTEM)
    if subsystem.startswith("-"):
        # ssh also reads options after the host.
        raise InvalidArgument("Subsystem", f"{subsystem!r} looks like an option")
    arguments: list[str] = []
    if config_file:
        arguments += ["-F", _checked("ConfigFile", config_file)]
    if key_file_path:
        arguments += ["-i", _checked("KeyFilePath", key_file_path)]
    if user_name:
        arguments += ["-l", _login(user_name)]
    if port:
        arguments += ["-p", str(port)]
    for name, value in (options or {}).items():
        arguments += ["-o", _checked("Options", f"{name}={value}")]
    return [*arguments, "-s", target.host, subsystem]


def connecting_seconds(milliseconds: int | None) -> float | None:
    """Return ConnectingTimeout as seconds until the server's first line; negative or None: none."""
    return None if milliseconds is None or milliseconds < 0 else milliseconds / 1000
