"""A script as commands with constant arguments, as PowerShell's own client sends it.

An endpoint in no-language mode accepts only commands. The client therefore converts a script to
commands if possible: constants, ``$using:`` values, parameters and ``$args`` are evaluated here,
and nothing with a side effect is run. Other scripts have to be sent as scripts.
``ScriptBlockToPowerShell.cs``; spec-notes/constrained-endpoints.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from psremoting.powershell import syntax as s
from psremoting.powershell.conversion import ConversionError, convert, to_text
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import Scope, argument_value, evaluate
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.type_names import full_type_name
from psrp.clixml import Dictionary, List
from psrp.commands import Command, Parameter, PipelineResultTypes

__all__ = ["Using", "script_commands"]

Using = Mapping[str, Any] | Callable[[str], Any]
"""The values of ``$using:`` variables by name, in any case; or a function that gives one."""

_MERGES: dict[str, tuple[str, ...]] = {
    "2": ("merge_error",),
    "3": ("merge_warning",),
    "4": ("merge_verbose",),
    "5": ("merge_debug",),
    "6": ("merge_information",),
}
_MERGES["*"] = tuple(name for names in _MERGES.values() for name in names)


def script_commands(
    text: str, *, arguments: Sequence[Any] = (), using: Using | None = None
) -> tuple[tuple[Command, ...], ...]:
    """Return the statements of ``text``, each the commands of a pipeline.

    ``arguments`` are bound to the parameters of the script's ``param`` block, and the rest is
    ``$args``. Raises Unsupported, whose ``reason`` says why the text has to be sent as a script:
    it has more than commands with constant arguments, or a fault.
    """
    try:
        script = parse(text)
        if set(script.named_blocks) - {"end"}:
            raise Unsupported("a begin, process, clean or dynamicparam block")
        if not script.statements:
            raise Unsupported("no command")
        scope = _ScriptScope(script, arguments, using or {})
        return tuple(_statement(each, scope) for each in script.statements)
    except (ParseError, EvaluationError, ConversionError) as error:
        raise Unsupported(f"a fault that the endpoint reports: {error}") from None
    except RecursionError:
        raise Unsupported("an expression that is nested too deeply") from None


class _ScriptScope(Scope):
    """Constants, the script's parameters, ``$args`` and ``$using:`` values."""

    def __init__(self, script: s.Script, arguments: Sequence[Any], using: Using) -> None:
        self._using = using
        self._known: dict[str, Any] = {}
        rest = list(arguments)
        for each in script.parameters:
            self._known[each.name.casefold()] = self._parameter(each, rest)
        self._known["args"] = List(rest)

    def _parameter(self, parameter: s.ScriptParameter, rest: list[Any]) -> Any:
        if any(name.casefold() != "parameter" for name in parameter.attributes):
            raise Unsupported(f"a parameter with attributes: ${parameter.name}")
        if rest:
            value = rest.pop(0)
        elif parameter.default is not None:
            value = evaluate(parameter.default, self)
        else:
            return None if parameter.type_name is None else self._typed(parameter, None)
        return value if parameter.type_name is None else self._typed(parameter, value)

    def _typed(self, parameter: s.ScriptParameter, value: Any) -> Any:
        full = full_type_name(parameter.type_name or "")
        if full is None:
            raise Unsupported(f"a parameter of type [{parameter.type_name}]")
        return convert(value, full)

    def variable(self, name: str) -> Any:
        """Return the value of a variable. Raises Unsupported."""
        folded = name.casefold()
        if folded in self._known:
            return self._known[folded]
        if folded.startswith("using:"):
            return self._using_value(name[len("using:") :])
        return super().variable(name)

    def _using_value(self, name: str) -> Any:
        if callable(self._using):
            return self._using(name)
        folded = name.casefold()
        for each, value in self._using.items():
            if each.casefold() == folded:
                return value
        raise Unsupported(f"a variable without a value: $using:{name}")


def _statement(statement: s.Statement, scope: Scope) -> tuple[Command, ...]:
    if isinstance(statement, s.PipelineChain):
        raise Unsupported("the operators && and ||")
    if isinstance(statement, s.Assignment):
        raise Unsupported("an assignment")
    if isinstance(statement, s.KeywordStatement):
        raise Unsupported(f"a statement: {statement.keyword}")
    return tuple(_command(each, scope) for each in statement.elements)


def _command(element: s.Element, scope: Scope) -> Command:
    if isinstance(element, s.CommandExpression):
        raise Unsupported("an expression at the head of a pipeline")
    if element.operator == ".":
        raise Unsupported("dot sourcing")
    if isinstance(element.name, s.ScriptBlockLiteral):
        raise Unsupported("a script block that is called")
    merges: dict[str, Any] = {}
    for each in element.redirections:
        if isinstance(each, s.FileRedirection):
            raise Unsupported("a redirection to a file")
        merges |= dict.fromkeys(_MERGES[each.source], PipelineResultTypes.OUTPUT)
    name = evaluate(element.name, scope)
    if not isinstance(name, str) or not name.strip():
        raise Unsupported("a command whose name is no string")
    parameters = tuple(
        parameter for each in element.arguments for parameter in _parameters(each, scope)
    )
    return Command(name, parameters=parameters, **merges)


def _parameters(argument: s.Argument, scope: Scope) -> Iterable[Parameter]:
    if isinstance(argument, s.Variable) and argument.splatted:
        return _splatted(argument.name, scope)
    if not isinstance(argument, s.CommandParameter):
        return (Parameter(None, argument_value(argument, scope)),)
    suffix = (": " if argument.spaced else ":") if argument.colon else ""
    value = None if argument.value is None else evaluate(argument.value, scope)
    return (Parameter(f"-{argument.name}{suffix}", value),)


def _splatted(name: str, scope: Scope) -> Iterable[Parameter]:
    folded = name.casefold()
    if folded != "args" and not folded.startswith("using:"):
        raise Unsupported(f"a variable that the endpoint would have to know: @{name}")
    value = scope.variable(name)
    if isinstance(value, Mapping | Dictionary):
        return tuple(Parameter(to_text(key), item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(Parameter(None, item) for item in value)
    return (Parameter(None, value),)
