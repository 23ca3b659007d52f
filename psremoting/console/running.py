"""Runs what was read: values, variables, pipelines and commands of the local prompt."""

from __future__ import annotations

from typing import Any

from psremoting.console import nodes as n
from psremoting.console.calls import Call, Emit, StopScript
from psremoting.console.commands import implementation
from psremoting.console.error_reports import CommandNotFound, ParseError
from psremoting.console.helptext import help_text
from psremoting.console.parameter_types import as_text
from psremoting.console.parser import parse
from psremoting.console.printing import Formatted
from psremoting.console.properties import property_of
from psremoting.console.tables import find_command
from psremoting.console.workspace import Workspace
from psremoting.errors import PSRemotingError
from psremoting.powershell.binder import Given
from psremoting.powershell.parameters import CommandTable
from psrp.records import ErrorCategory

__all__ = ["run_command", "run_text"]


async def run_text(workspace: Workspace, text: str) -> None:
    """Run what was typed and show its output. What goes wrong is shown, and kept in $Error.

    Raises ParseError where it is only incomplete.
    """
    try:
        script = parse(text)
    except ParseError as error:
        if error.incomplete:
            raise
        workspace.write_error(error.to_record("ParserError"))
        return
    try:
        await _Runner(workspace).script(script, workspace.printer.show)
    except StopScript:
        return
    finally:
        workspace.printer.end()


async def run_command(workspace: Workspace, table: CommandTable, given: list[Given]) -> None:
    """Run one command with arguments that are values already, and show its output."""
    runner = _Runner(workspace)
    try:
        await runner.called(table, given, None, workspace.printer.show, 1)
    except StopScript:
        return
    finally:
        workspace.printer.end()


class _Runner:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    async def script(self, script: n.Script, emit: Emit) -> None:
        for statement in script.statements:
            if self.workspace.exit_code is not None:
                return
            self.workspace.succeeded = True
            try:
                await self.statement(statement, emit)
            except PSRemotingError as error:
                self.workspace.write_error(error.to_record())
            except RecursionError:
                deep = PSRemotingError(
                    "The script failed due to call depth overflow.", error_id="CallDepthOverflow"
                )
                self.workspace.write_error(deep.to_record())

    async def statement(self, statement: n.Statement, emit: Emit) -> None:
        match statement:
            case n.Assignment(name, pipeline):
                self.workspace.set_variable(name, await self.value_of(pipeline))
            case n.Exit(expression):
                value = None if expression is None else await self.value(expression)
                code = value if isinstance(value, int) else 0
                self.workspace.exit_code = int(code) & 0xFF
            case n.Pipeline():
                await self.pipeline(statement, emit)

    async def value_of(self, statement: n.Statement) -> Any:
        """What a pipeline gives as one value: nothing, the only object, or all as an array."""
        if isinstance(statement, n.Pipeline) and len(statement.elements) == 1:
            (element,) = statement.elements
            if not isinstance(element, n.CommandCall):
                return await self.value(element)
        return _one_or_all(await self.collected(n.Script((statement,))))

    async def collected(self, script: n.Script) -> list[Any]:
        found: list[Any] = []
        for statement in script.statements:
            await self.statement(statement, found.append)
        return found

    # -- pipelines

    async def pipeline(self, pipeline: n.Pipeline, emit: Emit) -> None:
        inputs: list[Any] | None = None
        last = len(pipeline.elements) - 1
        for at, element in enumerate(pipeline.elements):
            found: list[Any] = []
            out = emit if at == last else found.append
            if isinstance(element, n.CommandCall):
                await self.command(element, inputs, out, at + 1)
            elif at:
                raise ParseError(
                    "Expressions are only allowed as the first element of a pipeline.",
                    "ExpressionsMustBeFirstInPipeline",
                )
            else:
                for item in _enumerated(await self.value(element)):
                    out(item)
            inputs = found

    async def command(
        self, node: n.CommandCall, inputs: list[Any] | None, emit: Emit, position: int
    ) -> None:
        table = find_command(node.name)
        if table is None:
            error = CommandNotFound(node.name)
            self.workspace.write_error(error.to_record(node.name))
            return
        await self.called(table, await self.arguments(node.arguments), inputs, emit, position)

    async def called(
        self,
        table: CommandTable,
        given: list[Given],
        inputs: list[Any] | None,
        emit: Emit,
        position: int,
    ) -> None:
        if any(each.name == "?" for each in given):
            emit(Formatted(help_text(table, self.workspace.surface.width, full=False)))
            return
        call = Call(self.workspace, table, given, inputs, emit, position, self.block)
        try:
            await implementation(table)(call)
        except PSRemotingError as error:
            call.fail(error)
        finally:
            call.finish()

    async def block(self, text: str, emit: Emit) -> None:
        """Run the text of a script block here. Raises ParseError."""
        await self.script(parse(text), emit)

    async def arguments(self, nodes: tuple[n.Argument, ...]) -> list[Given]:
        given: list[Given] = []
        for node in nodes:
            match node:
                case n.Named(name, None):
                    given.append(Given(name))
                case n.Named(name, value):
                    assert value is not None
                    given.append(Given(name, await self.value(value)))
                case n.Splat(name):
                    given += _splatted(self.workspace.variable(name))
                case _:
                    given.append(Given(None, await self.value(node)))
        return given

    # -- values

    async def value(self, node: n.Expression) -> Any:
        match node:
            case n.Constant(value):
                return value
            case n.Variable(name):
                return self.workspace.variable(name)
            case n.Expanded(parts):
                return "".join([as_text(await self.value(part)) for part in parts])
            case n.Array(items):
                return [await self.value(item) for item in items]
            case n.Block(block):
                return block
            case n.Group(script):
                return _one_or_all(await self.collected(script))
            case n.Collect(script):
                return await self.collected(script)
            case n.Member(of, name):
                return property_of(await self.value(of), name)
            case n.Index(of, index):
                return _indexed(await self.value(of), await self.value(index))
            case n.Hash(pairs):
                return await self.hash(pairs)

    async def hash(self, pairs: tuple[tuple[n.Expression, n.Statement], ...]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_node, statement in pairs:
            key = await self.value(key_node)
            if isinstance(key, dict | list) or key is None:
                raise PSRemotingError("A key of a hash literal is a text or a number.")
            if _folded(key) in map(_folded, made):
                raise PSRemotingError(
                    f"Duplicate keys '{as_text(key)}' are not allowed in hash literals.",
                    error_id="DuplicateKeyInHashLiteral",
                    category=ErrorCategory.InvalidOperation,
                )
            made[key] = await self.value_of(statement)
        return made


def _folded(key: object) -> object:
    return key.casefold() if isinstance(key, str) else key


def _one_or_all(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    return values or None


def _enumerated(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _splatted(value: Any) -> list[Given]:
    if isinstance(value, dict):
        return [Given(as_text(name), item) for name, item in value.items()]
    return [Given(None, item) for item in _enumerated(value)]


def _indexed(value: Any, index: Any) -> Any:
    """An element of an array or a value of a hashtable; None where there is none."""
    if isinstance(index, list):
        return [_indexed(value, each) for each in index]
    if isinstance(value, dict):
        return property_of(value, index) if isinstance(index, str) else value.get(index)
    if value is None:
        raise PSRemotingError(
            "Cannot index into a null array.",
            error_id="NullArray",
            category=ErrorCategory.InvalidOperation,
        )
    items = value if isinstance(value, list | str) else [value]
    try:
        return items[int(index)]
    except (TypeError, ValueError, IndexError):
        return None
