"""The objects that describe commands: those of Get-Command and of GET_COMMAND_METADATA.

They have the types and members that PowerShell's have, as far as clients read them:
Enter-PSSession looks for names, Import-PSSession builds its proxies from Parameters, and
Show-Command from the parameter sets of -ShowCommandInfo. [ref] outofproc/sessions/enter-interactive
"""

from __future__ import annotations

from typing import Any

from psremoting.endpoint.catalog import EndpointCommand
from psremoting.endpoint.signatures import COMMON
from psremoting.powershell.enum_names import ENUMS
from psremoting.powershell.parameters import Parameter
from psrp.clixml import Dictionary, List, PSObject
from psrp.enums import CommandTypes
from psrp.properties import write_enum

__all__ = [
    "ALIAS",
    "alias_info",
    "command_info",
    "dangling_info",
    "selected_info",
    "show_command_info",
]

_SMA = "System.Management.Automation."
ALIAS = 1
"""The bit of an alias in CommandTypes."""
_KINDS = {1: "AliasInfo", 2: "FunctionInfo", 8: "CmdletInfo"}
_NAMES = {1: "Alias", 2: "Function", 8: "Cmdlet"}
_CUSTOM = (_SMA + "PSCustomObject", "System.Object")
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
_SETS = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[{_SMA}CommandParameterSetInfo]]",
    "System.Object",
)
_NO_POSITION = -(2**31)


def selected_info(command: EndpointCommand, name: str, kind: int, resolved: str | None) -> PSObject:
    """Return a command as GET_COMMAND_METADATA gives it. [MS-PSRP] 2.2.2.14"""
    return PSObject(
        (f"Selected.{_SMA}{_KINDS[kind]}", *_CUSTOM),
        extended={
            "Name": name,
            "Namespace": "" if resolved else command.source,
            "HelpUri": "",
            "CommandType": write_enum(CommandTypes, kind),
            "ResolvedCommandName": resolved,
            "OutputType": List((), _OUTPUT_TYPES),
            "Parameters": _parameters(command),
        },
    )


def command_info(command: EndpointCommand) -> PSObject:
    """Return a command as Get-Command gives it."""
    verb, dash, noun = command.name.partition("-")
    kind = command.command_type
    members = {
        "Name": command.name,
        "CommandType": _NAMES[kind],
        "Verb": verb if dash else "",
        "Noun": noun,
        "Version": None,
        "Source": command.source,
        "ModuleName": command.source,
        "Namespace": command.source,
        "HelpUri": "",
        "ResolvedCommandName": None,
        "Definition": command.syntax,
        "DefaultParameterSet": None,
        "Options": "None",
        "Visibility": "Public",
        "RemotingCapability": "PowerShell",
        "OutputType": List((), _OUTPUT_TYPES),
        "Parameters": _parameters(command),
        "ParameterSets": List([_syntax_of(command)], _SETS),
    }
    types = (_SMA + _KINDS[kind], _SMA + "CommandInfo", "System.Object")
    return PSObject(types, members, to_string=command.name)


def _syntax_of(command: EndpointCommand) -> str:
    return command.syntax.partition(" ")[2]


def alias_info(name: str, command: EndpointCommand) -> PSObject:
    """Return an alias as Get-Command gives it."""
    return _alias(name, command.name, _parameters(command))


def dangling_info(name: str, target: str) -> PSObject:
    """Return an alias for a command that is not visible, as Get-Command gives it."""
    return _alias(name, target, None)


def _alias(name: str, target: str, parameters: Dictionary | None) -> PSObject:
    return PSObject(
        (_SMA + "AliasInfo", _SMA + "CommandInfo", "System.Object"),
        {
            "Name": name,
            "DisplayName": f"{name} -> {target}",
            "CommandType": _NAMES[ALIAS],
            "Version": None,
            "Source": "",
            "ModuleName": "",
            "HelpUri": "",
            "ResolvedCommandName": target if parameters else None,
            "Definition": target,
            "Options": "None",
            "Visibility": "Public",
            "OutputType": List((), _OUTPUT_TYPES),
            "Parameters": parameters,
        },
        to_string=name,
    )


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


# -- for Show-Command


def _custom(**members: Any) -> PSObject:
    return PSObject(_CUSTOM, extended=members)


def show_command_info(command: EndpointCommand) -> PSObject:
    """Return a command as Get-Command -ShowCommandInfo gives it."""
    parameters = List([_shown(each) for each in (*command.parameters, *COMMON)])
    only = _custom(Name="__AllParameterSets", IsDefault=False, Parameters=parameters)
    return _custom(
        Name=command.name,
        ModuleName=command.source,
        Module=_custom(Name=command.source),
        CommandType=write_enum(CommandTypes, command.command_type),
        Definition=command.syntax,
        ParameterSets=List([only]),
    )


def _shown(parameter: Parameter) -> PSObject:
    role = parameter.only_role
    enumeration = ENUMS.get(parameter.element)
    kind = _custom(
        FullName=parameter.type,
        IsEnum=enumeration is not None,
        IsArray=parameter.many,
        EnumValues=List([] if enumeration is None else list(enumeration.members)),
        HasFlagAttribute=enumeration is not None and enumeration.flags,
        ElementType=_custom(FullName=parameter.element) if parameter.many else None,
        ImplementsDictionary=parameter.type == "System.Collections.Hashtable",
    )
    return _custom(
        Name=parameter.name,
        IsMandatory=role.mandatory,
        ValueFromPipeline=role.by_value,
        Position=_NO_POSITION if role.position is None else role.position,
        ParameterType=kind,
        HasParameterSet=bool(parameter.values),
        ValidParamSetValues=List(parameter.values),
    )
