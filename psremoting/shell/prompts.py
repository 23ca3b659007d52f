"""What stands in front of a line: the other side's prompt, and where it is.
``HostUtilities.cs``, GetRemotePrompt.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from psremoting.targets import SSHTarget
from sshsub.command_line import InvalidHostName, parse_host_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTINUATION", "DEFAULT_PROMPT", "remote_prompt", "ssh_user"]

CONTINUATION = ">> "
DEFAULT_PROMPT = "PS>"
_BARE = ("NamedPipe", "VMBus", "Container")


def ssh_user(target: object) -> str:
    """The user that was asked for over ssh; empty when ssh chooses."""
    if not isinstance(target, SSHTarget):
        return ""
    try:
        return parse_host_name(target.host_name).user_name or target.user_name
    except InvalidHostName:
        return target.user_name


def remote_prompt(
    text: str,
    *,
    computer: str,
    transport: str,
    user: str = "",
    local_user: Callable[[], str] = getpass.getuser,
) -> str:
    """``text`` with the computer in front, and with the user where it is another than here.

    Sessions into a process, a virtual machine or a container on this machine have none: their
    prompt says itself where it is.
    """
    if transport in _BARE:
        return text
    if user and transport == "SSH" and user != local_user():
        return f"[{user}@{computer}]: {text}"
    return f"[{computer}]: {text}"
