"""Completion at the local prompt: commands, parameters, values, variables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from psremoting.console.tables import COMMANDS, find_command
from psremoting.console.workspace import Workspace
from psremoting.powershell.enum_names import ENUMS
from psremoting.powershell.parameters import CommandTable, Parameter
from psremoting.shell.remote_completion import Match

__all__ = ["LocalCompletion"]

_WORD = re.compile(r"[^\s|;(){}=,]*$")
_START = re.compile(r"(?:^|[|;({=\n])\s*$")
_COMMAND = re.compile(r"(?:^|[|;({=\n])\s*([A-Za-z][\w-]*)\s(?=[^|;({=\n]*$)")
_PREVIOUS = re.compile(r"(?:^|\s)-([A-Za-z]+)[\s:]+$")


class LocalCompletion:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def matches(self, text: str, cursor: int) -> list[Match]:
        """Return the completions of ``text`` at ``cursor``, which counts UTF-16 code units."""
        before = text.encode("utf-16-le")[: 2 * cursor].decode("utf-16-le", "ignore")
        found = _WORD.search(before)
        word = "" if found is None else found[0]
        lead = before[: len(before) - len(word)]
        start = cursor - len(word.encode("utf-16-le")) // 2
        return [
            Match(full, start, cursor - start, full, about)
            for full, about in self._candidates(lead, word)
            if full.casefold().startswith(word.casefold())
        ]

    def _candidates(self, lead: str, word: str) -> Iterable[tuple[str, str]]:
        if word.startswith("$"):
            return [(f"${name}", "") for name in self._workspace.variable_names]
        if _START.search(lead):
            return [(table.name, table.synopsis) for table in COMMANDS]
        called = _COMMAND.search(lead)
        table = find_command(called[1]) if called else None
        if table is None:
            return []
        if word.startswith("-"):
            return [(f"-{each.name}", _about(each)) for each in table.parameters]
        return [(value, "") for value in self._values(table, lead)]

    def _values(self, table: CommandTable, lead: str) -> list[str]:
        previous = _PREVIOUS.search(lead)
        if previous is None:
            named = table.find("Name") if table.name == "Get-Help" else None
            return [each.name for each in COMMANDS] if named is not None else []
        parameter = table.find(previous[1])
        if parameter is None:
            return []
        entries = self._workspace.table.entries
        if parameter.name == "Name" and table.name.endswith("-PSSession"):
            return [entry.name for entry in entries]
        if parameter.name == "Id":
            return [str(entry.id) for entry in entries]
        if parameter.name == "InstanceId":
            return [str(entry.instance_id) for entry in entries]
        if parameter.element in ENUMS:
            return list(ENUMS[parameter.element].members)
        return list(parameter.values)


def _about(parameter: Parameter) -> str:
    return f"[{parameter.element.rpartition('.')[2]}] {parameter.help}"
