"""A script as commands with constant arguments, as PowerShell's own client sends it.

An endpoint in no-language mode accepts only commands. The client therefore converts a script to
commands if possible: constants, ``$using:`` values, parameters and ``$args`` are evaluated here,
and nothing with a side effect is run. Other scripts have to be sent as scripts.
``ScriptBlockToPowerShell.cs``; spec-notes/constrained-endpoints.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psremoting.powershell import syntax as s
from psremoting.powershell.conversion import ConversionError, to_text
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import argument_value, evaluate
from psremoting.powershell.operators import index
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.script_parameters import ScriptScope, Using
from psrp.clixml import Dictionary
from psrp.commands import Command, Parameter, PipelineResultTypes

__all__ = ["Using", "script_commands"]

_MERGES: dict[str, tuple[str, ...]] = {
    "3": ("merge_warning",),
    "4": ("merge_verbose",),
    "5": ("merge_debug",),
    "6": ("merge_information",),
}
_MERGES_ERRORS = {
    "merge_my_result": PipelineResultTypes.ERROR,
    "merge_to_result": PipelineResultTypes.OUTPUT,
    "merge_error": PipelineResultTypes.OUTPUT,
}
_MERGES["*"] = ("merge_error", *(name for names in _MERGES.values() for name in names))


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
        scope = ScriptScope(script, arguments, using or {})
        return tuple(_statement(each, scope) for each in script.statements)
    except (ParseError, EvaluationError, ConversionError) as error:
        raise Unsupported(f"a fault that the endpoint reports: {error}") from None
    except RecursionError:
        raise Unsupported("an expression that is nested too deeply") from None


def _statement(statement: s.Statement, scope: ScriptScope) -> tuple[Command, ...]:
    if isinstance(statement, s.PipelineChain):
        raise Unsupported("the operators && and ||")
    if isinstance(statement, s.Assignment):
        raise Unsupported("an assignment")
    if isinstance(statement, s.KeywordStatement):
        raise Unsupported(f"a statement: {statement.keyword}")
    return tuple(_command(each, scope) for each in statement.elements)


def _command(element: s.Element, scope: ScriptScope) -> Command:
    if isinstance(element, s.CommandExpression):
        raise Unsupported("an expression at the head of a pipeline")
    if element.operator == ".":
        raise Unsupported("dot sourcing")
    if isinstance(element.name, s.ScriptBlockLiteral):
        raise Unsupported("a script block that is called")
    merges = _merges(element.redirections)
    name = evaluate(element.name, scope)
    if not isinstance(name, str) or not name.strip():
        raise Unsupported("a command whose name is no string")
    parameters = tuple(
        parameter for each in element.arguments for parameter in _parameters(each, scope)
    )
    return Command(name, parameters=parameters, **merges)


def _merges(redirections: Sequence[s.Redirection]) -> dict[str, Any]:
    """Return the merges of a command. Of several redirections the real client sends one."""
    if any(isinstance(each, s.FileRedirection) for each in redirections):
        raise Unsupported("a redirection to a file")
    if not redirections:
        return {}
    source = min(each.source for each in redirections)
    if source == "2":
        return dict(_MERGES_ERRORS)
    return dict.fromkeys(_MERGES[source], PipelineResultTypes.OUTPUT)


def _parameters(argument: s.Argument, scope: ScriptScope) -> Iterable[Parameter]:
    if isinstance(argument, s.Variable) and argument.splatted:
        return _splatted(argument.name, scope)
    if not isinstance(argument, s.CommandParameter):
        return (Parameter(None, argument_value(argument, scope)),)
    suffix = (": " if argument.spaced else ":") if argument.colon else ""
    value = None if argument.value is None else evaluate(argument.value, scope)
    return (Parameter(f"-{argument.name}{suffix}", value),)


def _splatted(name: str, scope: ScriptScope) -> Iterable[Parameter]:
    if not scope.has(name):
        raise Unsupported(f"a variable that the endpoint would have to know: @{name}")
    value = scope.variable(name)
    if isinstance(value, Mapping | Dictionary):
        # The names of the real client: "x" from @using:h, "-x:" from a parameter.
        form = "{}" if name.casefold().startswith("using:") else "-{}:"
        return tuple(Parameter(form.format(to_text(key)), item) for key, item in value.items())
    if isinstance(value, str):
        value = index(value, list(range(len(value.encode("utf-16-le", "surrogatepass")) // 2)))
    if isinstance(value, list | tuple):
        return tuple(Parameter(None, item) for item in value)
    return (Parameter(None, value),)
