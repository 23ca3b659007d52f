"""Assignments of the local prompt: to variables, several at once, properties and items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psremoting.powershell import syntax as s
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import cast
from psremoting.powershell.operators import binary
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, List, PSObject
from psrp.properties import unwrap

if TYPE_CHECKING:
    from psremoting.console.workspace import Workspace
    from psremoting.powershell.evaluator import Evaluator

__all__ = ["assign", "run_assignment"]


async def run_assignment(
    workspace: Workspace, evaluator: Evaluator, statement: s.Assignment
) -> None:
    """Run ``target = value``, ``+=`` and the like. Raises PSRemotingError."""
    target, operator = statement.target, statement.operator
    if operator == "??=":
        if await evaluator.value(_plain(target)) is None:
            await assign(
                workspace, evaluator, target, await evaluator.statement_value(statement.value)
            )
        return
    value = await evaluator.statement_value(statement.value)
    if operator != "=":
        value = binary(operator[0], await evaluator.value(_plain(target)), value)
    await assign(workspace, evaluator, target, value)


def _plain(target: s.Expression) -> s.Expression:
    """Return a target without its type."""
    while isinstance(target, s.Cast):
        target = target.operand
    return target


async def assign(
    workspace: Workspace, evaluator: Evaluator, target: s.Expression, value: Any
) -> None:
    """Assign a value. Raises PSRemotingError."""
    match target:
        case s.Variable(name):
            workspace.set_variable(name, value)
        case s.Cast(type_name, s.Variable(name)):
            workspace.set_variable(name, cast(value, type_name), type_name)
        case s.ArrayLiteral(targets):
            for each, part in zip(targets, _parts(value, len(targets)), strict=True):
                await assign(workspace, evaluator, each, part)
        case s.Paren(s.Pipeline() as inner) if inner.pure_expression is not None:
            await assign(workspace, evaluator, inner.pure_expression, value)
        case s.Member(owner, name, False):
            _set_member(await evaluator.value(owner), to_text(await evaluator.value(name)), value)
        case s.Index(owner, at):
            _set_item(await evaluator.value(owner), await evaluator.value(at), value)
        case _:
            raise Unsupported("an assignment to anything but variables, properties and items")


def _parts(value: Any, count: int) -> list[Any]:
    """Return the values of ``count`` targets: the last takes what is left."""
    items = list(value) if isinstance(value, list) else [value]
    if len(items) <= count:
        return [*items, *[None] * (count - len(items))]
    return [*items[: count - 1], List(items[count - 1 :])]


def _set_member(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, Dictionary):
        owner[name] = value
        return
    if isinstance(owner, PSObject):
        for members in (owner.extended, owner.adapted):
            for each in members or {}:
                if each.casefold() == name.casefold():
                    members[each] = value  # type: ignore[index]
                    return
    raise EvaluationError(
        f"The property '{name}' cannot be found on this object. Verify that the property exists "
        "and can be set.",
        "PropertyNotFound",
    )


def _set_item(owner: Any, at: Any, value: Any) -> None:
    if owner is None:
        raise EvaluationError("Cannot index into a null array.", "NullArray")
    if isinstance(owner, Dictionary | Mapping):
        owner[unwrap(at)] = value  # type: ignore[index]
        return
    number = unwrap(at)
    if isinstance(owner, list) and isinstance(number, int):
        if not -len(owner) <= number < len(owner):
            raise EvaluationError(
                "Index was outside the bounds of the array.", "System.IndexOutOfRangeException"
            )
        owner[number] = value
        return
    raise Unsupported("an assignment to an item of this object")
