"""What a client may ask about commands: Get-Command, Get-Help, GET_COMMAND_METADATA.

The objects have the types and members that PowerShell's have, as far as clients read them:
Enter-PSSession looks for names, Import-PSSession builds its proxies from Parameters.
[ref] outofproc/sessions/enter-interactive
"""

from __future__ import annotations

import fnmatch
import textwrap
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from psremoting.endpoint.catalog import Catalog, EndpointCommand, command_not_found
from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.parameters import COMMON, Param
from psremoting.powershell.parameters import Parameter
from psrp import events as e
from psrp.clixml import Dictionary, List, PSObject
from psrp.enums import CommandTypes
from psrp.properties import write_enum
from psrp.records import ErrorCategory

__all__ = ["get_command", "get_help", "metadata_of"]

_SMA = "System.Management.Automation."
_ALL_TYPES, _ALIAS = 383, 1
_KINDS = {1: "AliasInfo", 2: "FunctionInfo", 8: "CmdletInfo"}
_PARAMETER = (_SMA + "ParameterMetadata", "System.Object")
_COLLECTION = ("System.Collections.ObjectModel.Collection`1[[System.String]]", "System.Object")
_PARAMETERS = (
    f"System.Collections.Generic.Dictionary`2[[System.String],[{_SMA}ParameterMetadata]]",
    "System.Object",
)
_OUTPUT_TYPES = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[{_SMA}PSTypeName]]",
    "System.Object",
)
_COUNT = (
    "Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo",
    _SMA + "PSCustomObject",
    "System.Object",
)


def metadata_of(catalog: Catalog, event: e.GetCommandMetadata) -> Iterator[PSObject]:
    """The answer to GET_COMMAND_METADATA: how many commands, then each. [MS-PSRP] 2.2.2.14"""
    names = event.names if event.names else ("*",)
    found = [
        _selected(each, each.name, each.command_type, None)
        for each in catalog.matching(names)
        if each.command_type & event.command_types and _is_of(each.source, event.namespaces)
    ]
    if event.command_types & _ALIAS and _is_of("", event.namespaces):
        aliases = {k: v for name in names for k, v in catalog.aliases_matching(str(name)).items()}
        found += [_selected(each, name, _ALIAS, each.name) for name, each in aliases.items()]
    yield PSObject(_COUNT, extended={"Count": len(found)})
    yield from found


def _is_of(source: str, modules: Iterable[str] | None) -> bool:
    """Whether the commands of a module are asked for; without names those of all are."""
    patterns = [folded for each in modules or () if (folded := str(each).casefold())]
    return not patterns or any(fnmatch.fnmatchcase(source.casefold(), each) for each in patterns)


def _selected(command: EndpointCommand, name: str, kind: int, resolved: str | None) -> PSObject:
    types = (
        f"Selected.{_SMA}{_KINDS[kind]}",
        _SMA + "PSCustomObject",
        "System.Object",
    )
    return PSObject(
        types,
        extended={
            "Name": name,
            "Namespace": "" if resolved else command.source,
            "HelpUri": "",
            "CommandType": _command_type(kind),
            "ResolvedCommandName": resolved,
            "OutputType": List((), _OUTPUT_TYPES),
            "Parameters": _parameters(command),
        },
    )


def _command_type(number: int) -> PSObject:
    return write_enum(CommandTypes, number)


def _parameters(command: EndpointCommand) -> Dictionary:
    everything = (*command.parameters, *COMMON)
    return Dictionary({each.name: _metadata(each) for each in everything}, _PARAMETERS)


def _metadata(parameter: Parameter) -> PSObject:
    return PSObject(
        _PARAMETER,
        {
            "Name": parameter.name,
            "ParameterType": parameter.type,
            "Aliases": List(parameter.aliases, _COLLECTION),
            "IsDynamic": False,
            "SwitchParameter": parameter.switch,
        },
        to_string=_SMA + "ParameterMetadata",
    )


def _info(command: EndpointCommand) -> PSObject:
    kind = _KINDS[command.command_type]
    verb, dash, noun = command.name.partition("-")
    return PSObject(
        (_SMA + kind, _SMA + "CommandInfo", "System.Object"),
        {
            "Name": command.name,
            "CommandType": _command_type(command.command_type),
            "Verb": verb if dash else "",
            "Noun": noun,
            "Version": None,
            "Source": command.source,
            "ModuleName": command.source,
            "Namespace": command.source,
            "HelpUri": "",
            "ResolvedCommandName": None,
            "Definition": command.syntax,
            "Visibility": "Public",
            "OutputType": List((), _OUTPUT_TYPES),
            "Parameters": _parameters(command),
        },
        to_string=command.name,
    )


def _alias_info(name: str, command: EndpointCommand) -> PSObject:
    return PSObject(
        (_SMA + "AliasInfo", _SMA + "CommandInfo", "System.Object"),
        {
            "Name": name,
            "DisplayName": f"{name} -> {command.name}",
            "CommandType": _command_type(_ALIAS),
            "Version": None,
            "Source": "",
            "ModuleName": "",
            "HelpUri": "",
            "ResolvedCommandName": command.name,
            "Definition": command.name,
            "Visibility": "Public",
            "OutputType": List((), _OUTPUT_TYPES),
            "Parameters": _parameters(command),
        },
        to_string=name,
    )


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
        hidden = catalog.find(pattern)
        if not found and not others and hidden is not None:
            found = [hidden]
        if not found and not others and not set(pattern) & set("*?["):
            error = command_not_found(pattern)
            error.full_id = False
            await context.write_error(error)
        shown = [(each.syntax, _alias_info(alias, each)) for alias, each in others.items()]
        if not bits & _ALIAS or not anything or not _is_of("", module):
            shown.clear()
        for each in found:
            wanted = each.command_type & bits and _is_of(each.source, module)
            if wanted and (anything or names.find(each.name)):
                shown.append((each.syntax, _info(each)))
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


# -- help


async def get_help(
    context: Context,
    name: Annotated[str, Param(help="A command; without one, all are listed.")] = "*",
    *,
    category: Annotated[list[str], Param(help="Only Cmdlet, Function ...")] = [],  # noqa: B006
    full: bool = False,
    detailed: bool = False,
    examples: bool = False,
    parameter: Annotated[str, Param(help="Show the help of these parameters only.")] = "",
) -> Any:
    """Shows what a command does and how it is called."""
    catalog: Catalog = context.stage.pipeline.session.engine.catalog
    found = catalog.matching([name])
    if not found and (other := catalog.find(name)) is not None:
        found = [other]
    kinds = {each.casefold() for each in category} - {"all"}
    found = [each for each in found if not kinds or _category(each).casefold() in kinds]
    if not found:
        raise CommandError(
            f"Get-Help could not find {name} in a help file in this session.",
            error_id="HelpNotFound",
            category=ErrorCategory.ResourceUnavailable,
            exception_type="Microsoft.PowerShell.Commands.HelpNotFoundException",
            target=name,
        )
    if len(found) > 1:
        for each in found:
            await context.write(_summary(each))
        return
    made = _help(found[0], parameter)
    if parameter and not made["Parameters"]:
        raise CommandError(
            f"No parameter matches criteria {parameter}.",
            error_id="NoParmsFound",
            category=ErrorCategory.InvalidArgument,
            exception_type=_SMA + "PSArgumentException",
            target=found[0].name,
        )
    await context.write(made)


def _category(command: EndpointCommand) -> str:
    return "Cmdlet" if command.built_in else "Function"


def _summary(command: EndpointCommand) -> PSObject:
    return PSObject(
        ("HelpInfoShort", "System.Object"),
        {
            "Name": command.name,
            "Category": _category(command),
            "Synopsis": command.summary,
        },
        to_string=command.name,
    )


def _help(command: EndpointCommand, parameter: str) -> PSObject:
    shown = [
        each
        for each in command.parameters
        if not parameter or fnmatch.fnmatchcase(each.name.casefold(), parameter.casefold())
    ]
    parts = [
        ("NAME", command.name),
        ("SYNOPSIS", command.summary),
        ("SYNTAX", command.syntax),
        ("DESCRIPTION", command.description),
        ("PARAMETERS", "\n\n".join(_parameter_help(each) for each in shown)),
    ]
    if parameter:
        parts = parts[-1:]
    text = "\n\n".join(f"{title}\n{textwrap.indent(body, '    ')}" for title, body in parts if body)
    return PSObject(
        ("HelpInfo", "System.Object"),
        {
            "Name": command.name,
            "Category": _category(command),
            "Synopsis": command.summary,
            "Syntax": command.syntax,
            "Description": command.description,
            "Parameters": List([_parameter_object(each) for each in shown]),
        },
        to_string=f"\n{text}\n",
    )


def _parameter_help(parameter: Parameter) -> str:
    head = f"-{parameter.name}"
    if not parameter.switch:
        head += f" <{parameter.type}>"
    facts = ["required" if parameter.mandatory else "optional"]
    facts += [
        "named"
        if parameter.only_role.position is None
        else f"position {parameter.only_role.position}"
    ]
    if parameter.only_role.by_value:
        facts.append("takes pipeline input")
    if parameter.values:
        facts.append("one of " + ", ".join(parameter.values))
    if parameter.aliases:
        facts.append("also " + ", ".join(f"-{alias}" for alias in parameter.aliases))
    text = f"{parameter.help}\n" if parameter.help else ""
    return f"{head}\n" + textwrap.indent(f"{text}({'; '.join(facts)})", "    ")


def _parameter_object(parameter: Parameter) -> PSObject:
    return PSObject(
        ("HelpInfoParameter", "System.Object"),
        {
            "Name": parameter.name,
            "Type": parameter.type,
            "Required": parameter.mandatory,
            "Position": "named"
            if parameter.only_role.position is None
            else str(parameter.only_role.position),
            "PipelineInput": parameter.only_role.by_value,
            "Description": parameter.help,
        },
        to_string=parameter.name,
    )
