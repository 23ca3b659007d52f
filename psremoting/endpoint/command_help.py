"""Get-Help: help objects for PowerShell's own views and for implicit remoting.

An object has the members of MAML help; its text is the output of our own Out-Default.
Import-PSSession requests these objects when its user asks for help on a proxy.
"""

from __future__ import annotations

import textwrap
from typing import Annotated, Any

from psremoting.endpoint.catalog import Catalog, EndpointCommand
from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import Param
from psremoting.powershell.parameters import Parameter
from psremoting.powershell.string_conversion import to_text
from psremoting.powershell.wildcards import matches
from psrp.clixml import List, PSObject
from psrp.records import ErrorCategory

__all__ = ["get_help"]

_SMA = "System.Management.Automation."
_MAML = "MamlCommandHelpInfo"
_PARAGRAPH = ("MamlParaTextItem", "MamlTextItem")
_LIST = (_SMA + "PSObject[]", "System.Array", "System.Object")


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
    found = _found(context.stage.pipeline.session.engine.catalog, name, category)
    if len(found) > 1:
        for each in found:
            await context.write(_summary(each))
        return
    command = found[0]
    if not parameter:
        view = "Full" if full else "Detailed" if detailed else "Examples" if examples else ""
        await context.write(_help(command, view))
        return
    shown = _matching(command, parameter)
    if not shown:
        raise CommandError(
            f"No parameter matches criteria {parameter}.",
            error_id="NoParmsFound",
            category=ErrorCategory.InvalidArgument,
            exception_type=_SMA + "PSArgumentException",
            target=command.name,
        )
    for item in shown:
        made = _parameter_object(item, to_string=_parameter_text(item))
        await context.write(made)


def _found(catalog: Catalog, name: str, category: list[str]) -> list[EndpointCommand]:
    """Return the commands that are asked for. Raises CommandError if there is none."""
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
    return found


def _matching(command: EndpointCommand, pattern: str) -> list[Parameter]:
    folded = pattern.casefold()
    return [each for each in command.parameters if matches(folded, each.name)]


def _category(command: EndpointCommand) -> str:
    return "Cmdlet" if command.built_in else "Function"


def _summary(command: EndpointCommand) -> PSObject:
    return PSObject(
        ("HelpInfoShort", "System.Object"),
        extended={
            "Name": command.name,
            "Category": _category(command),
            "Synopsis": command.summary,
            "ModuleName": command.source,
        },
        to_string=command.name,
    )


def _help(command: EndpointCommand, view: str) -> PSObject:
    types: tuple[str, ...] = (_MAML, "HelpInfo")
    if view:
        types = (*(f"{each}#{view}View" for each in types), *types)
    parameters = [_parameter_object(each) for each in command.parameters]
    syntax = PSObject(
        (_MAML + "#syntaxItem",),
        extended={"name": command.name, "parameter": List(parameters, _LIST)},
    )
    return PSObject(
        types,
        extended={
            "Name": command.name,
            "Category": _category(command),
            "Synopsis": command.summary,
            "ModuleName": command.source,
            "details": PSObject(
                (_MAML + "#details",),
                extended={"name": command.name, "description": _paragraphs(command.summary)},
            ),
            "description": _paragraphs(command.description),
            "syntax": PSObject((_MAML + "#syntax",), extended={"syntaxItem": syntax}),
            "parameters": PSObject(
                (_MAML + "#parameters",), extended={"parameter": List(parameters, _LIST)}
            ),
            "Component": None,
            "Role": None,
            "Functionality": None,
        },
        to_string=_text(command),
    )


def _paragraphs(text: str) -> List:
    items = [each for each in text.split("\n\n") if each]
    return List([PSObject(_PARAGRAPH, extended={"Text": each}) for each in items], _LIST)


def _parameter_object(parameter: Parameter, to_string: str | None = None) -> PSObject:
    role = parameter.only_role
    kind = parameter.type.rpartition(".")[2]
    value = PSObject(value=kind, extended={"required": "false" if parameter.switch else "true"})
    pipeline = [
        text
        for text, takes in (("ByValue", role.by_value), ("ByPropertyName", role.by_name))
        if takes
    ]
    members: dict[str, Any] = {
        "parameterValue": value,
        "name": parameter.name,
        "type": PSObject(
            (_MAML + "#type",), extended={"name": kind}, to_string=f"@{{name={kind}}}"
        ),
        "description": _paragraphs(parameter.help),
        "defaultValue": "" if parameter.default is None else to_text(parameter.default),
        "required": str(role.mandatory).lower(),
        "globbing": "false",
        "pipelineInput": f"true ({', '.join(pipeline)})" if pipeline else "false",
        "position": "named" if role.position is None else str(role.position + 1),
        "aliases": ", ".join(parameter.aliases) or "none",
    }
    if parameter.switch:
        del members["parameterValue"]
    return PSObject((_MAML + "#parameter",), extended=members, to_string=to_string)


# -- the text for our own Out-Default


def _text(command: EndpointCommand) -> str:
    parts = [
        ("NAME", command.name),
        ("SYNOPSIS", command.summary),
        ("SYNTAX", command.syntax),
        ("DESCRIPTION", command.description),
        ("PARAMETERS", "\n\n".join(_parameter_text(each) for each in command.parameters)),
    ]
    text = "\n\n".join(f"{title}\n{textwrap.indent(body, '    ')}" for title, body in parts if body)
    return f"\n{text}\n"


def _parameter_text(parameter: Parameter) -> str:
    role = parameter.only_role
    head = f"-{parameter.name}" + ("" if parameter.switch else f" <{parameter.type}>")
    facts = ["required" if role.mandatory else "optional"]
    facts.append("named" if role.position is None else f"position {role.position}")
    if role.by_value:
        facts.append("takes pipeline input")
    if parameter.values:
        facts.append("one of " + ", ".join(parameter.values))
    if parameter.aliases:
        facts.append("also " + ", ".join(f"-{alias}" for alias in parameter.aliases))
    text = f"{parameter.help}\n" if parameter.help else ""
    return f"{head}\n" + textwrap.indent(f"{text}({'; '.join(facts)})", "    ")
