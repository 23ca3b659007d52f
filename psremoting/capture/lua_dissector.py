"""The Lua dissector for Wireshark, filled with the tables of this project."""

from __future__ import annotations

from enum import IntEnum
from importlib.resources import files
from typing import TYPE_CHECKING

from psremoting.version import __version__
from psrp.enums import InvocationState, RunspaceState
from psrp.host_methods import HostMethodId
from psrp.messages import MessageType

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["dissector"]


def dissector() -> str:
    """Return the dissector as Lua."""
    text = files("psremoting.capture").joinpath("dissector.lua").read_text("utf-8")
    for name, rows in {
        "MESSAGES": _named(MessageType),
        "DESTINATIONS": [(1, "client"), (2, "server")],
        "POOL_STATES": _labelled(RunspaceState),
        "PIPELINE_STATES": _labelled(InvocationState),
        "HOST_METHODS": _labelled(HostMethodId),
    }.items():
        lines = "".join(f'\n  [{number}] = "{label}",' for number, label in rows)
        text = text.replace(f"@{name}@", f"{lines}\n")
    return text.replace("@VERSION@", __version__)


def _named(kinds: type[IntEnum]) -> Iterable[tuple[int, str]]:
    return [(int(each), each.name) for each in kinds]


def _labelled(kinds: type[IntEnum]) -> Iterable[tuple[int, str]]:
    return [(int(each), str(each)) for each in kinds]
