"""The indexes and members that a ``$using:`` expression may have: constants.

``UsingExpressionAst.cs``; spec-notes/constrained-endpoints.md#where-the-real-client-is-odd
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from psremoting.powershell import syntax as s
from psremoting.powershell.evaluation_errors import EvaluationError

__all__ = ["check_using"]

_CONSTANTS = frozenset({"true", "false", "null"})


def check_using(steps: Iterable[s.Expression]) -> None:
    """Raise EvaluationError if an index or a member's name in ``steps`` is not constant."""
    for step in steps:
        match step:
            case s.Index(_, index):
                constant = all(map(_is_constant, _nodes(index)))
            case s.Member(_, name):
                constant = isinstance(name, s.StringConstant)
            case _:
                constant = True
        if not constant:
            raise EvaluationError("Expression is not allowed in a Using expression.")


def _nodes(node: s.Node) -> Iterator[s.Node]:
    """Yield ``node`` and all nodes in it."""
    left: list[object] = [node]
    while left:
        each = left.pop()
        if isinstance(each, tuple):
            left += each
        elif isinstance(each, s.Node):
            yield each
            left += [getattr(each, field.name) for field in fields(each)]


def _is_constant(node: s.Node) -> bool:
    match node:
        case s.Variable(name, splatted):
            return not splatted and name.casefold() in _CONSTANTS
        case s.Binary(operator):
            return operator != ".."
    return not isinstance(node, s.ArrayExpression | s.HashLiteral | s.Member | s.CommandCall)
