"""Evaluation of expressions: constants, operators, members, and what a `Scope` adds to them.

The local prompt awaits an `Evaluator`, because its scope runs commands. Elsewhere `evaluate`
gives the value at once, and a command is Unsupported.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from psremoting.powershell import operators
from psremoting.powershell import syntax as s
from psremoting.powershell.conversion import ConversionError, convert, to_text
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.member_access import find_property, properties, property_of
from psremoting.powershell.numerals import number_text
from psremoting.powershell.type_names import MISSING, full_type_name, static_member
from psremoting.powershell.type_values import CASTS, enum_member, is_opaque, is_type, type_value
from psremoting.powershell.using_expressions import check_using
from psrp.clixml import DateTime, Dictionary, List, PSObject
from psrp.properties import unwrap

__all__ = [
    "Evaluator",
    "Scope",
    "argument_value",
    "cast",
    "evaluate",
    "is_increment",
    "one_or_all",
    "spelled",
]

_CONSTANTS = {"true": True, "false": False, "null": None}
_ORDERED = ("System.Collections.Specialized.OrderedDictionary", "System.Object")


class Scope:
    """The names available to an expression: here only ``$true``, ``$false`` and ``$null``."""

    operators = True
    """False refuses language elements: operators, members, indexes, casts, and types."""

    types = False
    """True gives ``[int]`` as a value; otherwise a type is Unsupported."""

    def variable(self, name: str) -> Any:
        """Return the value of a variable. Raises Unsupported."""
        folded = name.casefold()
        if folded in _CONSTANTS:
            return _CONSTANTS[folded]
        raise Unsupported(f"a variable that the endpoint would have to know: ${name}")

    async def run(self, statement: s.Statement) -> list[Any]:
        """Return the output of a statement that is not an expression alone. Raises Unsupported."""
        if isinstance(statement, s.Assignment):
            raise Unsupported("an assignment")
        if isinstance(statement, s.KeywordStatement):
            raise Unsupported(f"a statement: {statement.keyword}")
        raise Unsupported("a command in an argument")

    def script_block(self, text: str) -> Any:
        """Return the value of a script block. Raises Unsupported."""
        raise Unsupported("a script block in an argument")

    async def call(self, value: Any, name: str, arguments: list[Any]) -> Any:
        """Return ``value.name(arguments)``. Raises EvaluationError and Unsupported."""
        raise Unsupported(f"a method call: .{name}()")

    def call_static(self, type_name: str, name: str, arguments: list[Any]) -> Any:
        """Return ``[type_name]::name(arguments)``. Raises EvaluationError and Unsupported."""
        raise Unsupported(f"a method call: [{type_name}]::{name}()")

    async def assign(self, target: s.Expression, value: Any) -> None:
        """Assign a value to a variable, a property or an item. Raises Unsupported."""
        raise Unsupported("an assignment")

    def text(self, value: Any) -> str:
        """Return the text of a value within a string."""
        return to_text(value)

    def now(self) -> datetime:
        """Return the time for ``[datetime]::Now``, aware."""
        return datetime.now(UTC).astimezone()


def evaluate(node: s.Expression, scope: Scope) -> Any:
    """Return the value of an expression. Raises EvaluationError and Unsupported."""
    return _finished(Evaluator(scope).value(node))


def argument_value(node: s.Expression, scope: Scope) -> Any:
    """Return the value of an argument as `evaluate` does; a number not written as PowerShell
    writes it keeps its spelling, as ``PSObject(value=31, to_string="0x1F")``."""
    if isinstance(node, s.NumberConstant):
        return spelled(node)
    return evaluate(node, scope)


def spelled(node: s.NumberConstant) -> Any:
    """Return the value of a number as an argument, with its spelling where that differs."""
    value = node.value
    if isinstance(value, PSObject):
        if value.to_string == node.text:
            return value
        return PSObject(value.type_names, value.adapted, value.extended, to_string=node.text)
    return value if number_text(value) == node.text else PSObject(value=value, to_string=node.text)


def _finished(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    work.close()
    raise Unsupported("a command in an argument")


class Evaluator:
    """Evaluates expressions in a scope. All methods raise EvaluationError and Unsupported."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._made = 0

    async def value(self, node: s.Expression) -> Any:
        """Return the value of an expression."""
        chain: list[s.Expression] = []
        # A long chain of operators or members leans to the left: go down without recursion.
        while True:
            match node:
                case s.Binary(_, left, _) if node.operator not in _LAZY:
                    self._needs_language("an operator")
                    chain.append(node)
                    node = left
                case s.Member(target, _, static) | s.MethodCall(target, _, _, static) if not static:
                    self._needs_language("a member")
                    chain.append(node)
                    node = target
                case s.Index(target, _):
                    self._needs_language("an index")
                    chain.append(node)
                    node = target
                case _:
                    break
        if isinstance(node, s.Variable) and node.name.casefold().startswith("using:"):
            check_using(chain)
        value = await self._first(node)
        for step in reversed(chain):
            value = await self._apply(step, value)
        return value

    def _needs_language(self, reason: str) -> None:
        if not self.scope.operators:
            raise Unsupported(reason)

    async def _apply(self, node: s.Expression, value: Any) -> Any:
        match node:
            case s.Binary(operator, _, s.TypeLiteral(name)) if operator in ("-is", "-isnot", "-as"):
                return _with_type(operator, value, name)
            case s.Binary(operator, _, right):
                other = await self.value(right)
                if is_opaque(value) or is_opaque(other):
                    raise Unsupported(f"the operator {operator} on an object of .NET")
                return self._counted(operators.binary(operator, value, other))
            case s.Index(_, index):
                return operators.index(value, await self.value(index))
            case s.Member(_, name):
                return _member(value, to_text(await self.value(name)))
            case s.MethodCall(_, name, arguments):
                method = to_text(await self.value(name))
                given = [await self.value(each) for each in arguments]
                return self._counted(await self.scope.call(value, method, given))
        raise Unsupported("an expression of this kind")

    def _counted(self, value: Any) -> Any:
        """Return ``value``; all that operators have made together is bounded."""
        self._made += len(value) if isinstance(value, str | list) else 1
        if self._made > _MAX_MADE:
            raise Unsupported(f"results of more than {_MAX_MADE} items or characters")
        return value

    async def _first(self, node: s.Expression) -> Any:
        match node:
            case s.NumberConstant(value) | s.StringConstant(value):
                return value
            case s.ExpandableString(parts):
                return await self._expanded(parts)
            case s.Variable(name, False):
                return self.scope.variable(name)
            case s.ArrayLiteral(items):
                return List([await self.value(each) for each in items])
            case s.Paren(statement):
                return await self.statement_value(statement)
            case s.SubExpression(statements):
                return one_or_all(await self.collected(statements))
            case s.ArrayExpression(statements):
                return List(await self.collected(statements))
            case s.HashLiteral(pairs):
                return await self._hash(pairs)
            case s.ScriptBlockLiteral(text):
                return self.scope.script_block(text)
        self._needs_language("an operator")
        return await self._computed(node)

    async def _computed(self, node: s.Expression) -> Any:
        match node:
            case s.Unary(operator, operand) if operator[-2:] in ("++", "--"):
                return await self._incremented(operator, operand)
            case s.Unary(operator, operand):
                return operators.unary(operator, await self.value(operand))
            case s.Binary(operator, left, right):
                return await self._lazy(operator, left, right)
            case s.Ternary(condition, yes, no):
                return await self.value(yes if operators.truth(await self.value(condition)) else no)
            case s.Cast(name, s.HashLiteral(pairs)) if name.casefold() in _TABLES:
                return _table(name, await self._hash(pairs))
            case s.Cast(name, operand):
                return cast(await self.value(operand), name)
            case s.Member(s.TypeLiteral(type_name), name, True):
                return self._static(type_name, to_text(await self.value(name)))
            case s.MethodCall(s.TypeLiteral(type_name), name, arguments):
                method = to_text(await self.value(name))
                is_guid = full_type_name(type_name) == "System.Guid"
                if is_guid and method.casefold() == "newguid" and not arguments:
                    return uuid4()
                given = [await self.value(each) for each in arguments]
                return self._counted(self.scope.call_static(type_name, method, given))
            case s.MethodCall(_, name):
                method = to_text(await self.value(name))
                raise Unsupported(f"a method call: {method}()")
            case s.TypeLiteral(name) if self.scope.types:
                return type_value(name)
            case s.TypeLiteral(name):
                raise Unsupported(f"a type as a value: [{name}]")
            case s.Variable(name):
                raise Unsupported(f"a splatted variable: @{name}")
        raise Unsupported("an expression of this kind")

    async def _incremented(self, operator: str, operand: s.Expression) -> Any:
        before = await self.value(operand)
        if before is not None and not isinstance(unwrap(before), _NUMBERS):
            raise EvaluationError(
                f"The '{operator[-2:]}' operator works only on numbers. The operand is a "
                f"'{type_name_of(before)}'.",
                "OperatorRequiresNumber",
            )
        after = operators.binary(operator[-1], before or 0, 1)
        await self.scope.assign(operand, after)
        return before if operator.startswith("post") else after

    async def _lazy(self, operator: str, left: s.Expression, right: s.Expression) -> Any:
        value = await self.value(left)
        if operator == "??":
            return value if value is not None else await self.value(right)
        if operators.truth(value) == (operator == "-or"):
            return operator == "-or"
        return operators.truth(await self.value(right))

    def _static(self, type_name: str, name: str) -> Any:
        found = static_member(type_name, name)
        if found is not MISSING:
            return found
        member = enum_member(type_name, name)
        if member is not None:
            return member
        if full_type_name(type_name) == "System.DateTime":
            now = self.scope.now()
            times = {
                "now": now,
                "utcnow": now.astimezone(UTC),
                "today": now.replace(hour=0, minute=0, second=0, microsecond=0),
            }
            if name.casefold() in times:
                return DateTime.from_datetime(times[name.casefold()])
        raise Unsupported(f"a static member: [{type_name}]::{name}")

    async def _expanded(self, parts: tuple[str | s.Expression, ...]) -> str:
        texts = [
            part if isinstance(part, str) else self._text(await self.value(part)) for part in parts
        ]
        if sum(map(len, texts)) > operators.MAX_ITEMS and len(texts) > 1:
            raise Unsupported("a text this long")
        return "".join(texts)

    def _text(self, value: Any) -> str:
        if is_type(value):
            raise Unsupported("a type in a text")
        return self.scope.text(value)

    async def _hash(self, pairs: tuple[tuple[s.Expression, s.Statement], ...]) -> Dictionary:
        entries: list[tuple[Any, Any]] = []
        known: set[Any] = set()
        for key_node, statement in pairs:
            key = unwrap(await self.value(key_node))
            if key is None or isinstance(key, list | Dictionary | PSObject):
                raise EvaluationError(
                    "A null key is not allowed in a hash literal.", "InvalidNullKey"
                )
            folded = key.casefold() if isinstance(key, str) else key
            if (type(key), folded) in known:
                raise EvaluationError(
                    f"Duplicate keys '{to_text(key)}' are not allowed in hash literals.",
                    "DuplicateKeyInHashLiteral",
                )
            known.add((type(key), folded))
            entries.append((key, await self.statement_value(statement)))
        return Dictionary(entries)

    # -- statements

    async def statement_value(self, statement: s.Statement) -> Any:
        """Return the value of a statement: of an expression as it is, of commands their output."""
        if isinstance(statement, s.Pipeline):
            expression = statement.pure_expression
            if expression is not None:
                return await self.value(expression)
        if isinstance(statement, s.Assignment):
            await self.scope.run(statement)
            return await self.value(statement.target)
        return one_or_all(await self.scope.run(statement))

    async def collected(self, statements: tuple[s.Statement, ...]) -> list[Any]:
        """Return the output of statements; an array gives its items."""
        found: list[Any] = []
        for statement in statements:
            expression = statement.pure_expression if isinstance(statement, s.Pipeline) else None
            if expression is None:
                found += await self.scope.run(statement)
            elif is_increment(expression):
                await self.value(expression)
            else:
                found += operators.items_of(await self.value(expression))
        return found


_NUMBERS = (int, float, Decimal)
_MAX_MADE = 10 * operators.MAX_ITEMS
_LAZY = frozenset({"-and", "-or", "??"})
_TABLES = frozenset({"ordered", "pscustomobject", "hashtable"})


def is_increment(expression: s.Expression) -> bool:
    """Return True for ``++`` and ``--``, which as statements have no output."""
    return isinstance(expression, s.Unary) and expression.operator[-2:] in ("++", "--")


def one_or_all(values: list[Any]) -> Any:
    """Return None for no values, a single value itself, several as an array."""
    if len(values) == 1:
        return values[0]
    return List(values) if values else None


def _table(name: str, table: Dictionary) -> Any:
    if name.casefold() == "ordered":
        return Dictionary(table.items(), _ORDERED)
    if name.casefold() == "pscustomobject":
        return PSObject.custom(**{to_text(key): value for key, value in table.items()})
    return table


def cast(value: Any, name: str) -> Any:
    """Return ``[name]value``. Raises EvaluationError, and Unsupported for other types."""
    full = full_type_name(name)
    if full is None or full in _NOT_CAST:
        raise Unsupported(f"a cast to [{name}]")
    if is_type(value):
        raise Unsupported(f"a cast of a type to [{name}]")
    if full in CASTS:
        return CASTS[full](value)
    if full in ("System.Object", "System.Management.Automation.PSObject"):
        return value
    if full == "System.Array":
        return value if isinstance(value, list) else List([value])
    if full == "System.Boolean":
        return operators.truth(value)
    try:
        return convert(value, full)
    except ConversionError as error:
        raise EvaluationError(error.message, error.error_id) from None


_NOT_CAST = frozenset(
    {
        "System.Void", "System.Xml.XmlDocument", "System.Globalization.CultureInfo",
        "System.Management.Automation.PSCredential", "System.Security.SecureString",
        "System.Management.Automation.ScriptBlock",
    }
)  # fmt: skip


def _with_type(operator: str, value: Any, name: str) -> Any:
    if operator != "-as":
        return operators.binary(operator, value, name)
    try:
        return cast(value, name)
    except EvaluationError:
        return None


_WHOLE = (str, list, Dictionary)
"""Types whose properties are all known here."""


_METHODS = frozenset(
    {
        "compareto", "equals", "gethashcode", "gettype", "gettypecode", "tostring", "tryformat",
        "psobject", "psbase", "psadapted", "psextended", "pstypenames",
    }
)  # fmt: skip
"""The members of a number or a Boolean in PowerShell."""


def _member(value: Any, name: str) -> Any:
    if value is None:
        return 0 if name.casefold() in ("count", "length") else None
    found, item = find_property(value, name)
    if found:
        return item
    plain = unwrap(value)
    known = isinstance(plain, _WHOLE) or bool(properties(plain)) or isinstance(plain, PSObject)
    if isinstance(plain, bool | int | float) and name.casefold() not in _METHODS:
        return property_of(value, name)
    if is_opaque(value):
        known = False
    if not known and name.casefold() not in ("count", "length"):
        raise Unsupported(f"a property: .{name}")
    return property_of(value, name)
