"""Get-Command, and the answer to GET_COMMAND_METADATA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from psremoting.endpoint.catalog import Catalog, command_not_found
from psremoting.endpoint.command_info import (
    ALIAS,
    alias_info,
    command_info,
    dangling_info,
    selected_info,
)
from psremoting.endpoint.command_info import show_command_info as show_info
from psremoting.endpoint.context import Context
from psremoting.endpoint.signatures import Param
from psremoting.powershell.wildcards import matches
from psrp import events as e
from psrp.clixml import PSObject
from psrp.enums import CommandTypes

__all__ = ["get_command", "metadata_of"]

_ALL_TYPES = 383
_CLASS = "Microsoft.PowerShell.Commands.GetCommandCommand"
"""The suffix of the ids of Get-Command's errors."""
_COUNT = (
    "Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo",
    "System.Management.Automation.PSCustomObject",
    "System.Object",
)


def metadata_of(catalog: Catalog, event: e.GetCommandMetadata) -> Iterator[PSObject]:
    """Yield the answer to GET_COMMAND_METADATA: the count, then each command. [MS-PSRP] 2.2.2.14"""
    names = event.names if event.names else ("*",)
    found = [
        selected_info(each, each.name, each.command_type, None)
        for each in catalog.matching(names)
        if each.command_type & event.command_types and _is_of(each.source, event.namespaces)
    ]
    if event.command_types & ALIAS and _is_of("", event.namespaces):
        aliases = {k: v for name in names for k, v in catalog.aliases_matching(str(name)).items()}
        found += [selected_info(each, name, ALIAS, each.name) for name, each in aliases.items()]
    yield PSObject(_COUNT, extended={"Count": len(found)})
    yield from found


def _is_of(source: str, modules: Iterable[str] | None) -> bool:
    """Return True if a module is one of ``modules``, or if none are named."""
    patterns = [str(each) for each in modules or () if str(each)]
    return not patterns or any(matches(each, source) for each in patterns)


async def get_command(
    context: Context,
    name: Annotated[list[str], Param(help="Names, with wildcards.", from_pipeline=True)] = ["*"],  # noqa: B006
    *,
    verb: Annotated[list[str], Param(help="Only commands with these verbs.")] = ["*"],  # noqa: B006
    noun: Annotated[list[str], Param(help="Only commands with these nouns.")] = ["*"],  # noqa: B006
    module: Annotated[list[str], Param(help="Only commands of these modules.")] = [],  # noqa: B006
    fully_qualified_module: Annotated[Any, Param(help="Taken for compatibility.")] = None,
    command_type: Annotated[Any, Param(help="Kinds of commands.", aliases=("Type",))] = None,
    argument_list: Annotated[Any, Param(help="Taken for compatibility.")] = None,
    total_count: Annotated[int, Param(help="How many at most.")] = -1,
    syntax: Annotated[bool, Param(help="Show how to call it instead of the command.")] = False,
    show_command_info: Annotated[bool, Param(help="What Show-Command needs.")] = False,
    list_imported: bool = False,
    all: bool = False,
) -> Any:
    """Gets the commands of this endpoint."""
    catalog: Catalog = context.stage.pipeline.session.engine.catalog
    bits = _bits(command_type)
    names = Catalog(catalog.matching([f"{v}-{n}" for v in verb for n in noun]))
    anything = verb == ["*"] and noun == ["*"]
    left = total_count
    for pattern in name:
        found = catalog.matching([pattern])
        others = catalog.aliases_matching(pattern)
        dangling = catalog.dangling_matching(pattern)
        hidden = catalog.find(pattern)
        if not found and not others and not dangling and hidden is not None:
            found = [hidden]
        if not (found or others or dangling or set(pattern) & set("*?[")):
            error = command_not_found(pattern)
            error.error_id += f",{_CLASS}"
            await context.write_error(error)
        shown = [(each.syntax, alias_info(alias, each)) for alias, each in others.items()]
        shown += [(alias, dangling_info(alias, each)) for alias, each in dangling.items()]
        if not bits & ALIAS or not anything or not _is_of("", module):
            shown.clear()
        for each in found:
            wanted = each.command_type & bits and _is_of(each.source, module)
            if wanted and (anything or names.find(each.name)):
                made = show_info(each) if show_command_info else command_info(each)
                shown.append((each.syntax, made))
        for text, info in shown:
            if left == 0:
                return
            left -= 1
            await context.write(text if syntax else info)


def _bits(given: Any) -> int:
    if given is None:
        return _ALL_TYPES
    value = given
    if isinstance(given, PSObject):
        value = given.value if isinstance(given.value, int) else given.to_string
    if isinstance(value, int):
        return int(value)
    numbers = CommandTypes.numbers()
    words = [str(word).strip().casefold() for word in str(value).split(",")]
    return sum({numbers.get(word, 0) for word in words}) or _ALL_TYPES
