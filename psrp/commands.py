"""The commands of a pipeline: statements of commands with parameters. [MS-PSRP] 2.2.3.11-2.2.3.13

    script("Get-Date; 1..3")
    command("Get-ChildItem", "/tmp", Recurse=True) | command("Sort-Object", "Length")

A pipeline is one or more statements; a statement is one or more commands that feed each other.
The real client turns simple script blocks into commands and sends the rest as one script;
an endpoint without language accepts commands only. Member names and order are those of
``PowerShell.cs`` and ``Command.cs``; [MS-PSRP] 2.2.3.12 spells two of them differently.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import KW_ONLY, replace
from typing import Any

from psrp.clixml import Dictionary, List, PSObject, SecureString
from psrp.enums import PipelineResultTypes
from psrp.frozen import dataclass
from psrp.properties import Properties, bag, write_enum
from psrp.sansio import LocalProtocolError, MessageError
from psrp.versions import BATCHES_SINCE, INFORMATION_SINCE, OLDEST, ProtocolVersion

__all__ = [
    "USING",
    "Command",
    "Parameter",
    "PipelineResultTypes",
    "PowerShell",
    "command",
    "read_powershell",
    "script",
    "using_key",
    "using_values",
    "write_powershell",
]

USING = "--%"
"""The parameter that carries the values of ``$using:`` expressions."""

_OBJECT_LIST = (
    "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, "
    "System.Management.Automation, Version=7.6.0.500, Culture=neutral, "
    "PublicKeyToken=31bf3856ad364e35]]",
    "System.Object",
)
_NONE = PipelineResultTypes.NONE

#: wire name, attribute, first protocol version with it; the order is the client's
_MERGES = (
    ("MergeMyResult", "merge_my_result", OLDEST),
    ("MergeToResult", "merge_to_result", OLDEST),
    ("MergePreviousResults", "merge_previous_results", OLDEST),
    ("MergeError", "merge_error", BATCHES_SINCE),
    ("MergeWarning", "merge_warning", BATCHES_SINCE),
    ("MergeVerbose", "merge_verbose", BATCHES_SINCE),
    ("MergeDebug", "merge_debug", BATCHES_SINCE),
    ("MergeInformation", "merge_information", INFORMATION_SINCE),
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named parameter (name without the dash), or a positional argument when name is None.

    A switch is a name with the value True.
    """

    name: str | None
    value: Any = None

    def __str__(self) -> str:
        if self.name is None:
            return _shown(self.value)
        if self.name == USING:
            return ""
        dash = "" if self.name.startswith("-") else "-"
        if self.value is True:
            return f"{dash}{self.name}"
        return f"{dash}{self.name} {_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command or script. [MS-PSRP] 2.2.3.12"""

    text: str
    _: KW_ONLY
    is_script: bool = False
    use_local_scope: bool | None = None
    merge_my_result: int = _NONE
    merge_to_result: int = _NONE
    merge_previous_results: int = _NONE
    merge_error: int = _NONE
    """From 2.2 on, like the next three; not sent to older peers."""
    merge_warning: int = _NONE
    merge_verbose: int = _NONE
    merge_debug: int = _NONE
    merge_information: int = _NONE
    """From 2.3 on."""
    parameters: tuple[Parameter, ...] = ()

    def __str__(self) -> str:
        """Return the command line for display; it is not meant to be run."""
        words = [self.text, *(str(parameter) for parameter in self.parameters)]
        return " ".join(word for word in words if word)

    def __or__(self, other: Command | PowerShell) -> PowerShell:
        return PowerShell.of(self) | other


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerShell:
    """The statements of CREATE_PIPELINE. [MS-PSRP] 2.2.3.11

    ``history`` is the line for Get-History; None means the first command's text.
    """

    statements: tuple[tuple[Command, ...], ...]
    history: str | None = None
    redirect_shell_error_output_pipe: bool = True
    is_nested: bool = False

    @classmethod
    def of(cls, *commands: Command) -> PowerShell:
        """Return one statement of these commands."""
        return cls(statements=(commands,))

    def __or__(self, other: Command | PowerShell) -> PowerShell:
        """Pipe the last statement into ``other``; its further statements follow."""
        more = ((other,),) if isinstance(other, Command) else other.statements
        joined = (*self.statements[-1], *more[0])
        return replace(self, statements=(*self.statements[:-1], joined, *more[1:]))

    def then(self, other: Command | PowerShell) -> PowerShell:
        """Return the statements of both, those of ``other`` last; requires protocol 2.2."""
        more = ((other,),) if isinstance(other, Command) else other.statements
        return replace(self, statements=(*self.statements, *more))

    def __str__(self) -> str:
        """Return the command line for display; it is not meant to be run."""
        return "; ".join(
            " | ".join(str(command) for command in statement) for statement in self.statements
        )


def script(
    text: str,
    *arguments: Any,
    use_local_scope: bool | None = None,
    using: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> PowerShell:
    """Return a pipeline of one script. ``using`` gives the values of its ``$using:`` expressions,
    by source text (``"$using:name"`` or just ``"name"``)."""
    extra = () if using is None else (Parameter(USING, using_values(using)),)
    made = Command(
        text,
        is_script=True,
        use_local_scope=use_local_scope,
        parameters=_parameters(arguments, parameters) + extra,
    )
    return PowerShell.of(made)


def command(
    text: str, *arguments: Any, use_local_scope: bool | None = None, **parameters: Any
) -> Command:
    """Return a command by name, with positional arguments and named parameters."""
    made = _parameters(arguments, parameters)
    return Command(text, use_local_scope=use_local_scope, parameters=made)


def _parameters(arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Parameter, ...]:
    return (
        *(Parameter(None, value) for value in arguments),
        *(Parameter(name, value) for name, value in named.items()),
    )


def using_key(expression: str) -> str:
    """Return the key under which a server of PowerShell 5 or later looks up ``$using:expression``.

    The source text of the whole expression, in lower case when it is a bare variable, as
    base64 of UTF-16LE (``PsUtils.cs``, GetUsingExpressionKey).
    """
    text = expression if expression.startswith("$") else f"$using:{expression}"
    if text[:7].casefold() != "$using:":
        raise LocalProtocolError("not a $using: expression")
    if text[7:].replace(":", "").replace("_", "").isalnum():
        text = text.lower()
    return base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode("ascii")


def using_values(values: Mapping[str, Any]) -> Dictionary:
    """Return the value of the parameter ``--%``: a Hashtable of all ``$using:`` values."""
    return Dictionary({using_key(name): value for name, value in values.items()})


def _shown(value: Any) -> str:
    """Return an argument for display; secrets and objects are shown as their type only."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, str):
        plain = value.replace("-", "").replace("_", "").replace(".", "").replace("/", "")
        return str(value) if plain.isalnum() else "'" + value.replace("'", "''") + "'"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)) and 0 < len(value) <= 8:
        kinds = (str, int, float, bool)
        if all(isinstance(item, kinds) for item in value):
            return ",".join(_shown(item) for item in value)
    if type(value) is PSObject and value.to_string is not None:
        return "'" + value.to_string.replace("'", "''") + "'"
    kind = "SecureString" if isinstance(value, SecureString) else type(value).__name__
    return f"<{kind}>"


def write_powershell(shell: PowerShell, version: ProtocolVersion) -> PSObject:
    """Return the PowerShell member of CREATE_PIPELINE for a peer of ``version``.

    Raises LocalProtocolError for an empty statement, and below 2.2 for several statements.
    """
    if not shell.statements or not all(shell.statements):
        raise LocalProtocolError("a pipeline runs at least one command in each statement")
    members: dict[str, Any] = {}
    if len(shell.statements) > 1:
        if version < BATCHES_SINCE:
            raise LocalProtocolError("more than one statement needs protocol 2.2")
        members["ExtraCmds"] = List(
            [bag({"Cmds": _commands(each, version)}) for each in shell.statements], _OBJECT_LIST
        )
    members["Cmds"] = _commands(shell.statements[0], version)
    members["IsNested"] = shell.is_nested
    members["History"] = shell.history
    members["RedirectShellErrorOutputPipe"] = shell.redirect_shell_error_output_pipe
    return bag(members)


def _commands(statement: tuple[Command, ...], version: ProtocolVersion) -> List:
    return List([_command(each, version) for each in statement], _OBJECT_LIST)


def _command(each: Command, version: ProtocolVersion) -> PSObject:
    members: dict[str, Any] = {
        "Cmd": each.text,
        "IsScript": each.is_script,
        "UseLocalScope": each.use_local_scope,
    }
    for name, attribute, since in _MERGES:
        if version >= since:
            members[name] = write_enum(PipelineResultTypes, getattr(each, attribute))
    members["Args"] = List(
        [bag({"N": each.name, "V": each.value}) for each in each.parameters], _OBJECT_LIST
    )
    return bag(members)


def read_powershell(value: Any, message: str = "CREATE_PIPELINE") -> PowerShell:
    """Read the PowerShell member of ``message``. Raises MessageError where the server refuses."""
    source = Properties(message, value)
    first = _read_commands(source)
    extra = source.find("ExtraCmds", list)
    statements = [_read_commands(Properties(message, each)) for each in extra or ()] or [first]
    if not all(statements):
        raise MessageError(message, "a statement without a command", "Cmds")
    return PowerShell(
        statements=tuple(statements),
        history=source.take_or_nil("History", str),
        redirect_shell_error_output_pipe=source.take("RedirectShellErrorOutputPipe", bool),
        is_nested=source.take("IsNested", bool),
    )


def _read_commands(source: Properties) -> tuple[Command, ...]:
    return tuple(_read_command(Properties(source.message, each)) for each in source.items("Cmds"))


def _read_command(source: Properties) -> Command:
    merges: dict[str, int] = {}
    for name, attribute, since in _MERGES:
        if since == OLDEST:
            merges[attribute] = source.enum(name, PipelineResultTypes)
        else:
            merges[attribute] = source.find_enum(name, PipelineResultTypes) or _NONE
    return Command(
        source.take("Cmd", str),
        is_script=source.take("IsScript", bool),
        use_local_scope=source.take_or_nil("UseLocalScope", bool),
        parameters=tuple(
            _read_parameter(Properties(source.message, each)) for each in source.items("Args")
        ),
        **merges,
    )


def _read_parameter(source: Properties) -> Parameter:
    return Parameter(source.take_or_nil("N", str), source.any("V"))
