"""The interpreter of the local prompt: variables, expressions, pipelines and its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psremoting.console.assignments import assign, run_assignment
from psremoting.console.calls import Call, Emit, StopScript
from psremoting.console.error_reports import CommandNotFound
from psremoting.console.helptext import help_text
from psremoting.console.implementations import implementation
from psremoting.console.parameter_types import as_text
from psremoting.console.printing import Formatted
from psremoting.console.tables import find_command
from psremoting.console.workspace import Workspace
from psremoting.errors import PSRemotingError
from psremoting.powershell import syntax as s
from psremoting.powershell.binder import Given
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.evaluator import Evaluator, Scope, is_increment, spelled
from psremoting.powershell.methods import call_method, call_static
from psremoting.powershell.operators import items_of, truth
from psremoting.powershell.parameters import CommandTable
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psrp.clixml import Dictionary, List, ScriptBlock
from psrp.properties import unwrap

__all__ = ["run_command", "run_text"]


async def run_text(workspace: Workspace, text: str) -> None:
    """Run ``text`` and show its output. Errors are shown and kept in ``$Error``.

    Raises ParseError only for an incomplete text.
    """
    try:
        script = _checked(parse(text))
    except ParseError as error:
        if error.incomplete:
            raise
        workspace.write_error(error.to_record("ParserError"))
        return
    try:
        await _Interpreter(workspace).script(script, workspace.printer.show)
    except StopScript:
        return
    finally:
        workspace.printer.end()


async def run_command(workspace: Workspace, table: CommandTable, given: list[Given]) -> None:
    """Run one command with evaluated arguments and show its output."""
    interpreter = _Interpreter(workspace)
    try:
        await interpreter.called(table, given, None, workspace.printer.show, 1)
    except StopScript:
        return
    finally:
        workspace.printer.end()


def _checked(script: s.Script) -> s.Script:
    """Raise ParseError for unsupported statements, before anything runs."""
    if script.parameters or script.named_blocks:
        raise _not_here("param", script)
    for statement in script.statements:
        if isinstance(statement, s.KeywordStatement) and statement.keyword != "exit":
            raise _not_here(statement.keyword, statement)
        elements = statement.elements if isinstance(statement, s.Pipeline) else ()
        for element in elements:
            if element.redirections:
                raise ParseError(
                    "Redirection is not part of the local prompt.",
                    "RedirectionNotSupported",
                    offset=element.redirections[0].start,
                )
    return script


def _not_here(keyword: str, node: s.Node) -> ParseError:
    return ParseError(
        f"The keyword '{keyword}' is not part of the local prompt, which has commands for "
        "sessions only. Enter a session, or use Invoke-Command, to run it in the session.",
        "KeywordNotSupported",
        offset=node.start,
    )


def _at_prompt(error: Unsupported) -> PSRemotingError:
    """Return the error of an expression with what this prompt can evaluate."""
    return PSRemotingError(
        f"The local prompt cannot evaluate {error.reason}. It has variables, expressions, "
        "pipelines and the commands that Get-Command lists. Enter a session, or use "
        "Invoke-Command, to run it in the session.",
        error_id=error.error_id,
        category=error.category,
    )


class _PromptScope(Scope):
    """The variables and commands of the prompt."""

    def __init__(self, interpreter: _Interpreter) -> None:
        self._interpreter = interpreter

    def variable(self, name: str) -> Any:
        """Return the value of a variable; None if it was never set."""
        return self._interpreter.workspace.variable(name)

    async def run(self, statement: s.Statement) -> list[Any]:
        """Return the output of a statement."""
        found: list[Any] = []
        await self._interpreter.statement(statement, found.append)
        return found

    def script_block(self, text: str) -> ScriptBlock:
        """Return the value of a script block."""
        return ScriptBlock(text)

    async def call(self, value: Any, name: str, arguments: list[Any]) -> Any:
        """Return ``value.name(arguments)``; ForEach and Where run a script for each item."""
        folded = name.casefold()
        if folded not in ("foreach", "where") or len(arguments) != 1:
            return call_method(value, name, arguments)
        (block,) = arguments
        if not isinstance(block, ScriptBlock):
            raise Unsupported(f"the method .{name}() without a script block")
        found = List()
        for item in items_of(value):
            made: list[Any] = []
            with self._interpreter.workspace.current(item):
                await self._interpreter.block(block, made.append)
            if folded == "foreach":
                found.extend(made)
            elif truth(made[0] if len(made) == 1 else made):
                found.append(item)
        return found

    def call_static(self, type_name: str, name: str, arguments: list[Any]) -> Any:
        """Return ``[type_name]::name(arguments)``."""
        return call_static(type_name, name, arguments)

    async def assign(self, target: s.Expression, value: Any) -> None:
        """Assign a value to a variable, a property or an item."""
        await assign(self._interpreter.workspace, Evaluator(self), target, value)

    def text(self, value: Any) -> str:
        """Return the text of a value within a string."""
        return as_text(value)


class _Interpreter:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._scope = _PromptScope(self)

    async def script(self, script: s.Script, emit: Emit) -> None:
        for statement in script.statements:
            if self.workspace.exit_code is not None:
                return
            self.workspace.succeeded = True
            try:
                await self.statement(statement, emit)
            except Unsupported as error:
                self.workspace.write_error(_at_prompt(error).to_record())
            except PSRemotingError as error:
                self.workspace.write_error(error.to_record())
            except RecursionError:
                deep = PSRemotingError(
                    "The script failed due to call depth overflow.", error_id="CallDepthOverflow"
                )
                self.workspace.write_error(deep.to_record())

    async def statement(self, statement: s.Statement, emit: Emit) -> None:
        """Run one statement. Raises PSRemotingError."""
        match statement:
            case s.Assignment():
                await run_assignment(self.workspace, self._evaluator, statement)
            case s.KeywordStatement("exit", value):
                code = None if value is None else await self._evaluator.statement_value(value)
                plain = unwrap(code)
                self.workspace.exit_code = int(plain) & 0xFF if isinstance(plain, int) else 0
            case s.KeywordStatement(keyword):
                raise _not_here(keyword, statement)
            case s.PipelineChain(pipelines, operators):
                for operator, pipeline in zip(("", *operators), pipelines, strict=True):
                    if not operator or self.workspace.succeeded == (operator == "&&"):
                        self.workspace.succeeded = True
                        await self._pipeline(pipeline, emit)
            case s.Pipeline():
                await self._pipeline(statement, emit)

    @property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self._scope)

    # -- pipelines

    async def _pipeline(self, pipeline: s.Pipeline, emit: Emit) -> None:
        if pipeline.background:
            raise Unsupported("a command in the background: &")
        inputs: list[Any] | None = None
        last = len(pipeline.elements) - 1
        for at, element in enumerate(pipeline.elements):
            found: list[Any] = []
            out = emit if at == last else found.append
            if isinstance(element, s.CommandCall):
                await self._command(element, inputs, out, at + 1)
            else:
                expression = element.expression
                value = await self._evaluator.value(expression)
                # Alone, "$i++" has no output.
                if last or not is_increment(expression):
                    for item in items_of(value):
                        out(item)
            inputs = found

    async def _command(
        self, node: s.CommandCall, inputs: list[Any] | None, emit: Emit, position: int
    ) -> None:
        name = await self._evaluator.value(node.name)
        if isinstance(name, ScriptBlock):
            await self.block(name, emit)
            return
        table = find_command(as_text(name))
        if table is None:
            error = CommandNotFound(as_text(name))
            self.workspace.write_error(error.to_record(as_text(name)))
            return
        await self.called(table, await self._arguments(node.arguments), inputs, emit, position)

    async def called(
        self,
        table: CommandTable,
        given: list[Given],
        inputs: list[Any] | None,
        emit: Emit,
        position: int,
    ) -> None:
        """Run one command."""
        if any(each.name == "?" for each in given):
            emit(Formatted(help_text(table, self.workspace.surface.width, full=False)))
            return
        call = Call(self.workspace, table, given, inputs, emit, position, self.block)
        try:
            await implementation(table)(call)
        except Unsupported as error:
            call.fail(_at_prompt(error))
        except PSRemotingError as error:
            call.fail(error)
        finally:
            call.finish()

    async def block(self, text: str, emit: Emit) -> None:
        """Run the text of a script block at this prompt. Raises ParseError."""
        await self.script(_checked(parse(text)), emit)

    async def _arguments(self, nodes: tuple[s.Argument, ...]) -> list[Given]:
        given: list[Given] = []
        for node in nodes:
            match node:
                case s.CommandParameter("-"):
                    continue
                case s.CommandParameter(name, None):
                    given.append(Given(name))
                case s.CommandParameter(name, s.NumberConstant() as number):
                    given.append(Given(name, spelled(number)))
                case s.CommandParameter(name, value):
                    assert value is not None
                    given.append(Given(name, await self._evaluator.value(value)))
                case s.Variable(name, True):
                    given += _splatted(self.workspace.variable(name))
                case s.NumberConstant():
                    given.append(Given(None, spelled(node)))
                case _:
                    given.append(Given(None, await self._evaluator.value(node)))
        return given


def _splatted(value: Any) -> list[Given]:
    if isinstance(value, Mapping | Dictionary):
        return [Given(as_text(name), item) for name, item in value.items()]
    return [Given(None, item) for item in (value if isinstance(value, List) else items_of(value))]
