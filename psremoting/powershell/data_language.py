"""Texts that hold data: one hashtable of constants, as in .psd1, .pssc and .psrc files.

PowerShell runs such a file as a script. Here nothing is run: constants, strings, arrays,
hashtables and script blocks (as texts) are read, anything else is an error with its line, its
column and the rule. spec-notes/configuration-files.md
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from psremoting.errors import PSRemotingError
from psremoting.powershell import syntax as s
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, Int64, List, ScriptBlock
from psrp.frozen import dataclass
from psrp.records import ErrorCategory

__all__ = ["Data", "DataLanguageError", "Position", "quoted", "read_data", "write_data"]

_CONSTANTS = {"true": True, "false": False, "null": None}
_SCRIPT_ROOT = "psscriptroot"
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
_MAX_CHARACTERS = 4 << 20
"""The most characters of a text; more is refused before it is parsed."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text: 1-based line, and 1-based column in UTF-16 code units."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class DataLanguageError(PSRemotingError):
    """A text that is not data. ``position`` is the place of the fault."""

    category = ErrorCategory.ParserError
    exception_type = "System.Management.Automation.ParseException"

    def __init__(
        self, rule: str, position: Position, *, error_id: str = "DataLanguageOnly"
    ) -> None:
        super().__init__(f"{position}: {rule}", error_id=error_id)
        self.rule = rule
        self.position = position


@dataclass(frozen=True, slots=True)
class Data:
    """The value of a text, and the places of the keys of its hashtables."""

    value: Any
    _tables: tuple[tuple[Dictionary, dict[str, Position]], ...] = field(repr=False, compare=False)

    def position(self, table: Any, key: Any) -> Position | None:
        """Return the place of ``key`` in one of the hashtables of the value."""
        for each, keys in self._tables:
            if each is table:
                return keys.get(to_text(key).casefold())
        return None


def read_data(text: str, *, script_root: str | None = None) -> Data:
    """Read the only expression of ``text``.

    ``script_root`` is the value of ``$PSScriptRoot``; without it that variable is refused. Raises
    DataLanguageError.
    """
    if len(text) > _MAX_CHARACTERS:
        raise DataLanguageError(
            f"expected at most {_MAX_CHARACTERS} characters, got {len(text)}", Position(1, 1)
        )
    try:
        script = parse(text)
    except ParseError as error:
        place = _position(text, error.offset)
        raise DataLanguageError(error.message, place, error_id=error.error_id) from None
    reader = _Reader(text, script_root)
    return Data(reader.whole(script), tuple(reader.tables))


def _position(text: str, offset: int) -> Position:
    place = s.Place(text, offset, offset, text.count("\n", 0, offset) + 1)
    return Position(place.line_number, place.column)


class _Reader:
    """Turns the tree of a text into values."""

    def __init__(self, text: str, script_root: str | None) -> None:
        self._text = text
        self._script_root = script_root
        self.tables: list[tuple[Dictionary, dict[str, Position]]] = []

    def refuse(self, node: s.Node, rule: str) -> DataLanguageError:
        return DataLanguageError(rule, _position(self._text, node.start))

    def whole(self, script: s.Script) -> Any:
        if script.parameters or script.named_blocks:
            raise self.refuse(script, "parameters and named blocks are not data")
        if len(script.statements) != 1:
            node = script.statements[1] if script.statements else script
            raise self.refuse(node, f"expected one expression, got {len(script.statements)}")
        return self._of_statement(script.statements[0])

    def _of_statement(self, node: s.Statement) -> Any:
        expression = node.pure_expression if isinstance(node, s.Pipeline) else None
        if expression is None:
            raise self.refuse(node, _what_runs(node))
        return self.value(expression)

    def value(self, node: s.Expression) -> Any:
        match node:
            case s.NumberConstant(value) | s.StringConstant(value):
                return value
            case s.Unary("-" | "+" as sign, s.NumberConstant(value)):
                return -value if sign == "-" else value
            case s.ExpandableString(parts):
                return "".join(
                    part if isinstance(part, str) else to_text(self.value(part)) for part in parts
                )
            case s.Variable(name, False):
                return self._variable(node, name)
            case s.ArrayLiteral(items):
                return List([self.value(each) for each in items])
            case s.Paren(statement):
                return self._of_statement(statement)
            case s.ArrayExpression(statements) | s.SubExpression(statements):
                return self._items(node, statements)
            case s.HashLiteral(pairs):
                return self._table(node, pairs)
            case s.ScriptBlockLiteral(text):
                return ScriptBlock(text)
        raise self.refuse(node, f"{_NAMES.get(type(node), 'an expression')} is not data")

    def _variable(self, node: s.Variable, name: str) -> Any:
        folded = name.casefold()
        if folded in _CONSTANTS:
            return _CONSTANTS[folded]
        if folded == _SCRIPT_ROOT and self._script_root is not None:
            return self._script_root
        allowed = "$true, $false and $null"
        if self._script_root is not None:
            allowed = "$true, $false, $null and $PSScriptRoot"
        raise self.refuse(node, f"the variable ${name} is not data; only {allowed} are")

    def _items(self, node: s.Node, statements: tuple[s.Statement, ...]) -> Any:
        found: list[Any] = []
        for statement in statements:
            value = self._of_statement(statement)
            found.extend(value if isinstance(value, List) else [value])
        if isinstance(node, s.ArrayExpression):
            return List(found)
        return List(found) if len(found) > 1 else found[0] if found else None

    def _table(
        self, node: s.HashLiteral, pairs: tuple[tuple[s.Expression, s.Statement], ...]
    ) -> Dictionary:
        keys: dict[str, Position] = {}
        entries: list[tuple[Any, Any]] = []
        for key_node, statement in pairs:
            key = self.value(key_node)
            if key is None or isinstance(key, List | Dictionary | ScriptBlock):
                raise self.refuse(key_node, "a key has to be a string or a number")
            folded = to_text(key).casefold()
            if folded in keys:
                raise self.refuse(
                    key_node,
                    f"Duplicate keys '{to_text(key)}' are not allowed in hash literals.",
                )
            keys[folded] = _position(self._text, key_node.start)
            entries.append((key, self._of_statement(statement)))
        table = Dictionary(entries)
        self.tables.append((table, keys))
        return table


_NAMES: dict[type[s.Node], str] = {
    s.Binary: "an operator",
    s.Unary: "an operator",
    s.Ternary: "an operator",
    s.Member: "a member",
    s.MethodCall: "a method call",
    s.Index: "an index",
    s.Cast: "a cast",
    s.TypeLiteral: "a type",
    s.Variable: "a splatted variable",
}


def _what_runs(node: s.Statement) -> str:
    """Return the rule that a statement breaks."""
    if isinstance(node, s.Assignment):
        return "an assignment is not data"
    if isinstance(node, s.KeywordStatement):
        return f"a statement is not data: {node.keyword}"
    first = node.elements[0] if isinstance(node, s.Pipeline) else None
    if isinstance(first, s.CommandCall) and isinstance(first.name, s.StringConstant):
        return f"a command is not data and is not run: {first.name.value}"
    return "a command is not data and is not run"


def write_data(value: Any, depth: int = 0) -> str:
    """Return a value as data, which `read_data` reads back.

    Takes None, Booleans, numbers, texts, script blocks, lists and tables of them; any other value
    becomes its text.
    """
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, ScriptBlock):
        return f"{{{value}}}"
    if isinstance(value, Dictionary):
        inner = "    " * (depth + 1)
        rows = "".join(
            f"{inner}{quoted(key)} = {write_data(item, depth + 1)}\n" for key, item in value.items()
        )
        return f"@{{\n{rows}{'    ' * depth}}}"
    if isinstance(value, list | tuple):
        items = ", ".join(
            f"({write_data(each, depth)})" if isinstance(each, list) else write_data(each, depth)
            for each in value
        )
        # @(...) unrolls an array that is its only item.
        comma = "," if len(value) == 1 and isinstance(value[0], list) else ""
        return f"@({comma}{items})"
    if type(value) in (int, Int64):
        return str(value)
    return quoted(value)


def quoted(value: Any) -> str:
    """Return a text in single quotes. Every kind of single quote in it is doubled."""
    text = to_text(value)
    for mark in _SINGLE_QUOTES:
        text = text.replace(mark, mark + mark)
    return f"'{text}'"
