"""Remote commands as Python callables, what Import-PSSession is to PowerShell.

    commands = await session.import_commands("Get-*")
    things = await commands.get_thing(x=5)

Signatures and docstrings come from the endpoint; no code is generated or run.
"""

from __future__ import annotations

import inspect
import keyword
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from psremoting.client.command_descriptions import (
    COMMON,
    CommandDescription,
    HelpText,
    ParameterDescription,
    Runner,
    describe,
    help_texts,
)
from psrp.commands import Command, Parameter

if TYPE_CHECKING:
    from psremoting.client.invocation import Result
    from psremoting.client.pipeline_input import Input

__all__ = ["ImportedCommand", "ImportedCommands", "import_commands", "python_name", "value_of"]

T = TypeVar("T")
Run = Callable[[Command, "Input | None"], T]

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9_]+")
_INPUT = "input"
_TYPES: dict[str, Any] = {
    "System.String": str,
    "System.Boolean": bool,
    "System.Int16": int,
    "System.Int32": int,
    "System.Int64": int,
    "System.Double": float,
    "System.Management.Automation.SwitchParameter": bool,
}


def python_name(name: str) -> str:
    """Return ``get_thing`` for ``Get-Thing``; a keyword gets an underscore at its end."""
    made = "_".join(part for part in _BOUNDARY.split(name) if part).lower()
    return f"{made}_" if keyword.iskeyword(made) else made


class ImportedCommand(Generic[T]):
    """A remote command. Calling it runs it with positional and named arguments.

    ``input`` is its pipeline input. Names of parameters are those of the signature or PowerShell's
    own, in any case; common parameters such as ``error_action`` are taken, too. The call returns
    None, the object, or a list of several objects. It raises TypeError for arguments that do not
    fit the signature, and PipelineFailed or RemoteErrors, whose ``record`` is the error record.
    """

    def __init__(self, description: CommandDescription, help: HelpText | None, run: Run[T]) -> None:
        self.name = description.name
        self.description = description
        self._run = run
        self._names: dict[str, str] = {}
        """The names of PowerShell by those of Python, and by their own folded form."""
        for name in (*(each.name for each in description.parameters), *COMMON):
            self._names.setdefault(name.casefold(), name)
            self._names.setdefault(_parameter_name(name), name)
        self.__name__ = python_name(self.name)
        self.__qualname__ = self.__name__
        self.__signature__ = _signature(description)
        self.__doc__ = _docstring(description, help or HelpText())

    def __repr__(self) -> str:
        return f"<remote command {self.name}{self.__signature__}>"

    def __call__(self, *arguments: Any, input: Input | None = None, **parameters: Any) -> T:
        return self._run(self._command(arguments, parameters), input)

    def _command(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Command:
        known = self.description.parameters
        given = [Parameter(self._real_name(name), value) for name, value in named.items()]
        taken = {str(each.name).casefold() for each in given}
        if len(taken) < len(given):
            raise TypeError(f"{self.__name__}() got a parameter more than once")
        free = [
            each
            for each in known
            if each.position is not None and each.name.casefold() not in taken
        ]
        if known and len(arguments) > len(free) and not any(each.many for each in free):
            raise TypeError(
                f"{self.__name__}() expected at most {len(free)} positional arguments, got "
                f"{len(arguments)}"
            )
        positional = [Parameter(None, value) for value in arguments]
        return Command(self.name, parameters=(*positional, *given))

    def _real_name(self, name: str) -> str:
        found = self._names.get(name) or self._names.get(name.casefold())
        if found is None:
            raise TypeError(f"{self.__name__}() got an unexpected parameter {name!r}")
        return found


class ImportedCommands(Mapping[str, ImportedCommand[T]]):
    """Remote commands by name: ``commands.get_thing`` or ``commands["Get-Thing"]``, in any case.

    A name that is no identifier, or that two commands share, is available by item access only.
    """

    def __init__(self, commands: Sequence[ImportedCommand[T]]) -> None:
        self._commands = {each.name.casefold(): each for each in commands}
        self._attributes: dict[str, ImportedCommand[T]] = {}
        for each in commands:
            if each.__name__.isidentifier():
                self._attributes.setdefault(each.__name__, each)

    def __getattr__(self, name: str) -> ImportedCommand[T]:
        try:
            return self.__dict__["_attributes"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"no remote command {name!r} was imported") from None

    def __getitem__(self, name: str) -> ImportedCommand[T]:
        try:
            return self._commands[name.casefold()]
        except (KeyError, AttributeError):
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter([each.name for each in self._commands.values()])

    def __len__(self) -> int:
        return len(self._commands)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._attributes]

    def __repr__(self) -> str:
        return f"<{len(self)} remote commands: {', '.join(self)}>"


async def import_commands(
    ask: Runner, patterns: Sequence[str], run: Run[T], *, help: bool
) -> ImportedCommands[T]:
    """Return the commands that match ``patterns``; each call of one calls ``run``.

    ``ask`` runs Get-Command, and Get-Help with ``help``. Raises PSRemotingError.
    """
    found = await describe(ask, patterns or ("*",))
    texts = await help_texts(ask, [each.name for each in found]) if help else {}
    return ImportedCommands(
        [ImportedCommand(each, texts.get(each.name.casefold()), run) for each in found]
    )


def value_of(result: Result) -> Any:
    """Return None, the only object of the output, or all of them; raise for an error record."""
    result.raise_for_errors()
    if len(result.output) == 1:
        return result.output[0]
    return result.output or None


# -- signature and docstring


def _parameter_name(name: str) -> str:
    made = python_name(name)
    return f"{made}_" if made == _INPUT else made


def _annotation(parameter: ParameterDescription) -> Any:
    if parameter.many:
        return list[_TYPES.get(parameter.type.removesuffix("[]"), Any)]  # type: ignore[misc]
    return _TYPES.get(parameter.type, Any)


def _signature(description: CommandDescription) -> inspect.Signature:
    made: dict[str, inspect.Parameter] = {}
    optional = False
    for each in description.parameters:
        name = _parameter_name(each.name)
        if not name.isidentifier() or name in made:
            continue
        positional = each.position is not None
        kind = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD
            if positional
            else inspect.Parameter.KEYWORD_ONLY
        )
        needed = each.mandatory and not each.by_value
        if positional:
            optional = optional or not needed
            needed = needed and not optional
        default = inspect.Parameter.empty if needed else None
        made[name] = inspect.Parameter(name, kind, default=default, annotation=_annotation(each))
    everything = sorted(made.values(), key=lambda each: each.kind)
    if not description.parameters:
        everything.append(inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL))
    everything.append(
        inspect.Parameter(_INPUT, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Any)
    )
    return inspect.Signature(everything)


def _docstring(description: CommandDescription, help: HelpText) -> str:
    texts = dict(help.parameters)
    syntax = [line.strip() for line in description.syntax.splitlines() if line.strip()]
    # A command without help of its own has its syntax as the synopsis.
    generated = help.synopsis.casefold().startswith((description.name.casefold() + " ", "\n"))
    lines = ["" if generated else help.synopsis or f"Run {description.name} remotely."]
    lines = [lines[0], "", *syntax] if lines[0] else syntax or [_syntax(description)]
    rows = [_row(each, texts.get(each.name.casefold(), "")) for each in description.parameters]
    if rows:
        lines += ["", "Parameters:", *rows]
    return "\n".join(lines)


def _syntax(description: CommandDescription) -> str:
    words = [description.name]
    for each in description.parameters:
        text = f"-{each.name}" if each.switch else f"-{each.name} <{_short(each.type)}>"
        words.append(text if each.mandatory else f"[{text}]")
    return " ".join(words)


def _short(type_name: str) -> str:
    return type_name.removeprefix("System.")


def _row(parameter: ParameterDescription, text: str) -> str:
    words = [f"-{parameter.name} <{_short(parameter.type)}>"]
    if parameter.switch:
        words = [f"-{parameter.name}"]
    if parameter.mandatory:
        words.append("(required)")
    if parameter.values:
        words.append(f"one of {', '.join(parameter.values)}")
    if text:
        words.append(f"- {text}")
    return textwrap.fill(
        f"{_parameter_name(parameter.name)}: {' '.join(words)}",
        100,
        initial_indent="    ",
        subsequent_indent="        ",
    )
