"""Objects of the local prompt as text, with the formatting of `psremoting.powershell`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import trio

from psremoting.administration.configurations import TransportOption
from psremoting.console.jobs import Job
from psremoting.console.object_properties import CommandInfo
from psremoting.console.surface import Surface
from psremoting.options import SessionOption
from psremoting.powershell.formatting import (
    HOLD_SECONDS,
    Formatter,
    lines_of,
    list_view,
    table_view,
)
from psremoting.powershell.member_access import properties
from psremoting.powershell.shown_members import Enumeration
from psremoting.powershell.views import Column, View
from psremoting.session_table import SessionEntry
from psrp.clixml import Credential, PSObject

__all__ = ["Formatted", "Printer", "list_text", "table_text"]


@dataclass(frozen=True, slots=True)
class Formatted:
    """Text that a command has formatted; it is shown as it is."""

    text: str

    def __str__(self) -> str:
        return self.text


_SESSION_TYPE = "System.Management.Automation.Runspaces.PSSession"
_TYPES: dict[type, str] = {
    SessionEntry: _SESSION_TYPE,
    CommandInfo: "psremoting.CommandInfo",
    Credential: "System.Management.Automation.PSCredential",
    Job: "System.Management.Automation.Job",
    SessionOption: "System.Management.Automation.Remoting.PSSessionOption",
    TransportOption: "Microsoft.PowerShell.Commands.WSManConfigurationOption",
}
_ENUMERATIONS = {"ComputerType", "State", "Availability"}
_COMMAND_VIEW = View(
    name="CommandInfo",
    columns=tuple(
        Column(label=name, source=name, width=width)
        for name, width in (("CommandType", 15), ("Name", 20), ("Synopsis", 0))
    ),
)


class Printer:
    """Printer of objects; consecutive objects of one kind share a table."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._formatter: Formatter | None = None
        self._commands = False
        self._fed = trio.Event()

    def show(self, value: Any) -> None:
        """Show ``value``, or hold it until the widths of its table are known."""
        if isinstance(value, Formatted):
            self.end()
            self._surface.output(value.text)
            return
        if isinstance(value, CommandInfo) is not self._commands:
            self.end()
        if self._formatter is None:
            self._commands = isinstance(value, CommandInfo)
            view = _COMMAND_VIEW if self._commands else None
            self._formatter = Formatter(self._surface.width, view=view)
        self._put(self._formatter.feed(_as_object(value)))
        self._fed.set()

    def end(self) -> None:
        """Show the buffered rows, and end the table."""
        if self._formatter is not None:
            formatter, self._formatter = self._formatter, None
            self._put(formatter.flush())

    def _put(self, lines: Sequence[str]) -> None:
        if lines:
            self._surface.output("\n".join(lines))

    async def keep_pace(self) -> None:
        """Show buffered rows after a pause; run until cancelled."""
        while True:
            await self._fed.wait()
            self._fed = trio.Event()
            await trio.sleep(HOLD_SECONDS)
            if self._formatter is not None and not self._fed.is_set():
                self._put(self._formatter.pause())


def _as_object(value: Any) -> Any:
    """Return a value of the prompt as one that the formatting knows."""
    for kind, name in _TYPES.items():
        if isinstance(value, kind):
            members = properties(value)
            shown = {
                each: Enumeration(item) if each in _ENUMERATIONS else item
                for each, item in members.items()
            }
            return PSObject((name, "System.Object"), shown)
    return value


def table_text(
    values: Sequence[Any], names: Sequence[str], width: int, *, wraps: bool = False
) -> str:
    """Format-Table: the properties ``names``, or the default view without any."""
    objects = [_as_object(value) for value in values]
    if not names or list(names) == ["*"]:
        if not names:
            return "\n".join(lines_of(*objects, width=width))
        names = _all_names(objects)
    names = _spelled(names, objects)
    view = table_view(names, objects[0], wraps=wraps)
    return "\n".join(lines_of(*objects, width=width, view=view))


def list_text(value: Any, names: Sequence[str] = (), width: int = 120) -> str:
    """Format-List: a property on each line."""
    made = _as_object(value)
    if not names or list(names) == ["*"]:
        names = _all_names([made])
    if not names:
        return "\n".join(lines_of(made, width=width))
    names = _spelled(names, [made])
    return "\n".join(lines_of(made, width=width, view=list_view(names)))


def _spelled(names: Sequence[str], values: Sequence[Any]) -> list[str]:
    """Return ``names`` in the spelling of the objects."""
    known = {name.casefold(): name for name in _all_names(values)}
    return [known.get(name.casefold(), name) for name in names]


def _all_names(values: Sequence[Any]) -> list[str]:
    known: dict[str, str] = {}
    for value in values:
        keys = properties(value)
        for key in keys:
            known.setdefault(str(key).casefold(), str(key))
    return list(known.values())
