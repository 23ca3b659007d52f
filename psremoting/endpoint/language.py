"""The command line of an endpoint without language: commands, arguments, literals, pipes.

    Get-Thing -Name 'a b' -Limit:5 x,y,@(1, 2) @{ Size = 3 } 2>&1 | Select-Object -First 3; Get-Date

A real no-language runspace accepts no script text; clients parse such a line themselves and send
commands. This endpoint also accepts text if it is unambiguous without a language:
no variables but $true, $false and $null, nothing that has to be computed or called, no blocks, no
files. The rest is refused with PowerShell's error for it. See spec-notes/restricted-language.md.
"""

from __future__ import annotations

from typing import Any, NoReturn

from psremoting.endpoint.error_records import parse_error
from psremoting.endpoint.statements import INPUT, Literal, Statement
from psremoting.powershell import syntax as s
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse as parse_script
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, List, PSObject
from psrp.commands import Command, Parameter, PipelineResultTypes

__all__ = ["parse"]

_NOT_SUPPORTED = (
    "The syntax is not supported by this runspace. This can occur if the runspace is in "
    "no-language mode."
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_MERGED = {
    "2": ("merge_error",),
    "3": ("merge_warning",),
    "4": ("merge_verbose",),
    "5": ("merge_debug",),
    "6": ("merge_information",),
    "*": (
        *("merge_error", "merge_warning", "merge_verbose"),
        *("merge_debug", "merge_information"),
    ),
}


def parse(text: str) -> tuple[Statement, ...]:
    """Return the statements of a script text. Raises CommandError, also for an empty one.

    An error whose reason is IncompleteParseException means that more lines may make it whole.
    """
    try:
        script = parse_script(text)
    except ParseError as error:
        raise parse_error(error.message, error.error_id, incomplete=error.incomplete) from None
    reader = _Reader(script)
    if script.parameters or script.named_blocks:
        reader.refuse()
    if not script.statements:
        # An endpoint without language refuses any script, also one that does nothing.
        raise parse_error(_NOT_SUPPORTED, "ScriptsNotAllowed", target=text)
    return tuple(reader.statement(each) for each in script.statements)


class _Reader:
    """Turns the tree of a script into commands and values."""

    def __init__(self, script: s.Script) -> None:
        self._script = script

    def refuse(self) -> NoReturn:
        raise parse_error(_NOT_SUPPORTED, "ScriptsNotAllowed", target=self._script.text)

    def statement(self, node: s.Statement) -> Statement:
        if not isinstance(node, s.Pipeline) or node.background:
            self.refuse()
        places = self._script.places(node.elements)
        parts: list[Command | Literal] = []
        placed: list[s.Place] = []
        for element, place in zip(node.elements, places, strict=True):
            spans: tuple[tuple[int, int], ...] = ()
            if isinstance(element, s.CommandCall):
                parts.append(self._command(element))
                spans = tuple((each.start, each.end) for each in element.arguments)
            else:
                parts.append(self._literal(element))
            placed.append(s.Place(place.text, place.start, place.end, place.line_number, spans))
        return Statement(tuple(parts), tuple(placed))

    def _literal(self, node: s.CommandExpression) -> Literal:
        if node.redirections:
            self.refuse()
        value = node.expression
        if isinstance(value, s.Variable) and value.name.casefold() == "input":
            return Literal(INPUT)
        return Literal(self.value(value))

    # -- commands

    def _command(self, node: s.CommandCall) -> Command:
        name = node.name
        if node.operator not in ("", "&") or not isinstance(name, s.StringConstant):
            self.refuse()
        if not name.value.strip():
            self.refuse()
        merges: dict[str, Any] = {}
        for each in node.redirections:
            if not isinstance(each, s.Merge) or each.target != "1" or each.source not in _MERGED:
                self.refuse()
            merges |= dict.fromkeys(_MERGED[each.source], PipelineResultTypes.OUTPUT)
        parameters = tuple(self._argument(each) for each in node.arguments)
        return Command(name.value, parameters=parameters, **merges)

    def _argument(self, node: s.Argument) -> Parameter:
        if not isinstance(node, s.CommandParameter):
            return Parameter(None, self._spelled(node))
        if node.value is None:
            return Parameter(f"-{node.name}")
        return Parameter(node.name, self._spelled(node.value))

    def _spelled(self, node: s.Expression) -> Any:
        """Return the value of an argument; a number keeps its spelling, as clients send it."""
        value = self.value(node)
        if isinstance(node, s.NumberConstant) and to_text(value) != node.text:
            return PSObject(value=value, to_string=node.text)
        return value

    # -- values

    def value(self, node: s.Expression) -> Any:
        match node:
            case s.NumberConstant(value) | s.StringConstant(value):
                return value
            case s.ExpandableString(parts):
                texts = (
                    part if isinstance(part, str) else to_text(self.value(part)) for part in parts
                )
                return "".join(texts)
            case s.Variable(name, splatted):
                if splatted or name.casefold() not in _CONSTANTS:
                    self.refuse()
                return _CONSTANTS[name.casefold()]
            case s.ArrayLiteral(items):
                return List([self.value(item) for item in items])
            case s.Paren(statement):
                return self._pure(statement)
            case s.SubExpression(statements):
                found = self._items(statements)
                return List(found) if len(found) > 1 else found[0] if found else None
            case s.ArrayExpression(statements):
                return List(self._items(statements))
            case s.HashLiteral(pairs):
                return self._table(pairs)
            case _:
                self.refuse()

    def _pure(self, node: s.Statement) -> Any:
        expression = node.pure_expression if isinstance(node, s.Pipeline) else None
        if expression is None:
            self.refuse()
        return self.value(expression)

    def _items(self, statements: tuple[s.Statement, ...]) -> list[Any]:
        """Return each statement's objects one by one."""
        items: list[Any] = []
        for statement in statements:
            value = self._pure(statement)
            if isinstance(value, List):
                items.extend(value)
            else:
                items.append(value)
        return items

    def _table(self, pairs: tuple[tuple[s.Expression, s.Statement], ...]) -> Dictionary:
        table = Dictionary()
        for name, statement in pairs:
            key = self.value(name)
            if key is None or isinstance(key, (List, Dictionary)):
                self.refuse()
            if key in table:
                raise parse_error(
                    f"Duplicate keys '{to_text(key)}' are not allowed in hash literals.",
                    "DuplicateKeyInHashLiteral",
                )
            table.add(key, self._pure(statement))
        return table
