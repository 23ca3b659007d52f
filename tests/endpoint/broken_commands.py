"""A module with invalid commands, for tests of `psrp serve`."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

__all__ = ["SAME_NAME", "STARTING", "UNKNOWN", "WRITING"]


def unknown(connection: socket.socket) -> None:
    """A parameter type that no argument can be converted to."""


def one() -> int:
    return 1


def writing() -> int:
    print("printed by a command", flush=True)
    raise KeyError("not there")


def start_sleeper() -> int:
    """Start a process that would outlive its client."""
    return subprocess.Popen(["sleep", "100"]).pid


UNKNOWN: dict[str, Any] = {"Get-Unknown": unknown}
SAME_NAME: dict[str, Any] = {"Get-Thing": one, "get-thing": one}
WRITING: dict[str, Any] = {"Get-Writing": writing}
STARTING: dict[str, Any] = {"Start-Sleeper": start_sleeper}
