"""A module whose commands cannot be offered, for tests of `psrp serve`."""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["SAME_NAME", "UNKNOWN", "WRITING"]


def unknown(connection: socket.socket) -> None:
    """No argument of PowerShell is a socket."""


def one() -> int:
    return 1


def writing() -> int:
    print("printed by a command", flush=True)
    raise KeyError("not there")


UNKNOWN: dict[str, Any] = {"Get-Unknown": unknown}
SAME_NAME: dict[str, Any] = {"Get-Thing": one, "get-thing": one}
WRITING: dict[str, Any] = {"Get-Writing": writing}
