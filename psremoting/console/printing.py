"""How objects look at the local prompt: PowerShell's table for sessions, lists for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psremoting.console.parameter_types import as_text
from psremoting.console.properties import CommandInfo, named_properties, property_of
from psremoting.console.surface import Surface
from psremoting.formatting import error_text, value_text
from psremoting.session_table import SessionEntry
from psrp.clixml import PSObject
from psrp.records import ErrorRecord

__all__ = ["Formatted", "Printer", "list_text", "table_text"]


@dataclass(frozen=True, slots=True)
class Formatted:
    """Text that a command has made up for the screen; it is shown as it is."""

    text: str

    def __str__(self) -> str:
        return self.text


_Column = tuple[str, int, bool]
"""Name, width, and whether it stands to the right."""
_VIEWS: dict[type, tuple[_Column, ...]] = {
    SessionEntry: (
        ("Id", 3, True),
        ("Name", 15, False),
        ("Transport", 9, False),
        ("ComputerName", 15, False),
        ("ComputerType", 15, False),
        ("State", 13, False),
        ("ConfigurationName", 20, False),
        ("Availability", 13, True),
    ),
    CommandInfo: (("CommandType", 15, False), ("Name", 20, False), ("Synopsis", 60, False)),
}
"""What is shown as a table without being asked for; a session as PowerShell's view has it."""
_RIGHT = {"ComputerType", "State", "Availability"}
"""Enumerations, which stand to the right like numbers where no view says otherwise."""


class Printer:
    """Shows one object after the other; those of a kind that follow each other share a table."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._view: tuple[_Column, ...] = ()

    def show(self, value: Any) -> None:
        view = _VIEWS.get(type(value))
        if view is not None:
            self._row(value, view)
            return
        self.end()
        if value is None:
            return
        for kind, make in _FORMS.items():
            if isinstance(value, kind):
                self._surface.output(make(value))
                return
        self._surface.output(value_text(value))

    def end(self) -> None:
        """Nothing more of the same kind comes."""
        if self._view:
            self._view = ()
            self._surface.output("")

    def _row(self, value: Any, view: tuple[_Column, ...]) -> None:
        if view is not self._view:
            self.end()
            self._view = view
            self._surface.output("\n" + _heads(view))
        cells = named_properties(value) or {}
        self._surface.output(
            _row([(as_text(cells[name]), width, right) for name, width, right in view])
        )


def _cell(text: str, width: int, right: bool) -> str:
    text = " ".join(text.split())
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)


def _row(cells: Sequence[tuple[str, int, bool]]) -> str:
    return " ".join(_cell(*cell) for cell in cells).rstrip()


def _heads(columns: Sequence[_Column]) -> str:
    names = _row([(name, width, right) for name, width, right in columns])
    rules = _row([("-" * len(name), width, right) for name, width, right in columns])
    return f"{names}\n{rules}"


def table_text(values: Sequence[Any], names: Sequence[str], width: int) -> str:
    """Format-Table: columns as wide as they need, those that do not fit left out."""
    chosen = _chosen(values, names)
    rows = [[property_of(value, name) for name in chosen] for value in values]
    columns: list[_Column] = []
    used = 0
    for at, name in enumerate(chosen):
        cells = [row[at] for row in rows]
        right = name in _RIGHT or (
            bool(cells)
            and all(isinstance(c, int | float) and not isinstance(c, bool) for c in cells)
        )
        wide = max([len(name), *(len(as_text(cell)) for cell in cells)])
        if columns and used + wide > width:
            break
        columns.append((name, wide, right))
        used += wide + 1
    lines = [
        _row([(as_text(c), w, r) for c, (_, w, r) in zip(row, columns, strict=False)])
        for row in rows
    ]
    return "\n".join(["", _heads(columns), *lines, ""])


def list_text(value: Any, names: Sequence[str] = ()) -> str:
    """Format-List: a property on each line."""
    chosen = _chosen([value], names)
    if not chosen:
        return as_text(value)
    wide = max(len(name) for name in chosen)
    lines = [f"{name:{wide}} : {_short(property_of(value, name))}".rstrip() for name in chosen]
    return "\n".join(["", *lines, ""])


def _short(value: Any) -> str:
    return value_text(value).strip("\n") if isinstance(value, PSObject) else as_text(value)


def _chosen(values: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The properties to show: those asked for, spelled as they are; all for none or ``*``."""
    known: dict[str, str] = {}
    for value in values:
        keys = value.keys() if isinstance(value, dict) else named_properties(value) or {}
        for key in keys:
            known.setdefault(str(key).casefold(), str(key))
    if not names or list(names) == ["*"]:
        return list(known.values())
    return [known.get(name.casefold(), name) for name in names]


def _tagged(value: PSObject) -> str:
    return value_text(value, hide_computer_name=value.get("PSShowComputerName") is False)


def _pairs(value: dict[Any, Any]) -> str:
    rows = [(as_text(key), as_text(item)) for key, item in value.items()]
    lines = [f"{key:30} {item}".rstrip() for key, item in rows]
    return "\n".join(["", f"{'Name':30} Value", f"{'----':30} -----", *lines, ""])


_FORMS: dict[type, Callable[[Any], str]] = {
    Formatted: lambda value: str(value.text),
    ErrorRecord: lambda value: error_text(value, view="concise"),
    PSObject: _tagged,
    dict: _pairs,
    str: str,
    UUID: str,
    bool: str,
    int: as_text,
}
