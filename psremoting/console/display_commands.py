"""Get-Help, Get-Command, Format-Table, Format-List, Write-Output and Clear-Host."""

from __future__ import annotations

from typing import Any

from psremoting.console.calls import Call
from psremoting.console.error_reports import CommandFailure, CommandNotFound
from psremoting.console.helptext import examples_text, help_text, overview_text, parameters_text
from psremoting.console.object_properties import CommandInfo
from psremoting.console.object_steps import shown_names, specs_of, with_values
from psremoting.console.printing import Formatted, list_text, table_text
from psremoting.console.tables import COMMANDS, find_command
from psremoting.powershell.parameters import CommandTable
from psremoting.powershell.wildcards import has_wildcards, matches
from psrp.records import ErrorCategory

__all__ = ["clear_host", "format_list", "format_table", "get_command", "get_help", "write_output"]


class _NoHelp(CommandFailure):
    error_id = "HelpNotFound"
    category = ErrorCategory.ResourceUnavailable
    exception_type = "Microsoft.PowerShell.Commands.HelpNotFoundException"


async def get_help(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        name = binding["Name"]
        if name is None:
            call.emit(Formatted(overview_text(COMMANDS)))
            continue
        found = _named(name)
        if not found:
            raise _NoHelp(
                f"Get-Help could not find {name} in a help file in this session. Get-Command "
                "lists the commands of this prompt."
            )
        if len(found) > 1:
            call.emit(Formatted(overview_text(found)))
            continue
        (table,) = found
        width = call.workspace.surface.width
        if "Parameter" in binding:
            call.emit(Formatted(_parameters(table, binding["Parameter"], width)))
        elif binding["Examples"]:
            call.emit(Formatted(examples_text(table)))
        else:
            call.emit(Formatted(help_text(table, width, full=bool(binding["Full"]))))


def _named(name: str) -> list[CommandTable]:
    exact = find_command(name)
    if exact is not None:
        return [exact]
    return [table for table in COMMANDS if matches(name, table.name)]


def _parameters(table: CommandTable, pattern: str, width: int) -> str:
    found = [each for each in table.parameters if matches(pattern, each.name)]
    if not found:
        raise _NoHelp(f"No parameter matches criteria {pattern}.")
    return parameters_text(table, found, width)


async def get_command(call: Call) -> None:
    await call.bind()
    found: list[CommandTable] = []
    for binding in call.each():
        for name in binding["Name"] or ["*"]:
            fitting = _named(name)
            found += [table for table in fitting if table not in found]
            if not fitting and not has_wildcards(name):
                call.fail(CommandNotFound(name))
    for table in found:
        call.emit(CommandInfo(name=table.name, synopsis=table.synopsis))


async def format_table(call: Call) -> None:
    values, names = await _to_format(call)
    if values:
        wraps = bool(call.binding["Wrap"])
        text = table_text(values, names, call.workspace.surface.width, wraps=wraps)
        call.emit(Formatted(text))


async def format_list(call: Call) -> None:
    values, names = await _to_format(call)
    for value in values:
        call.emit(Formatted(list_text(value, names, call.workspace.surface.width)))


async def _to_format(call: Call) -> tuple[list[Any], list[str]]:
    await call.bind()
    values: list[Any] = []
    names: list[str] = []
    for binding in call.each():
        value = binding["InputObject"]
        specs = specs_of(binding)
        names = shown_names(specs)
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                values.append(await with_values(call, specs, each))
    return values, names


async def clear_host(call: Call) -> None:
    await call.bind()
    call.workspace.surface.clear()


async def write_output(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        value = binding["InputObject"]
        for item in value if isinstance(value, list) else [value]:
            call.emit(item)
