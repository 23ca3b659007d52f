"""The syntax tree that the parser makes of a PowerShell text.

Every node has the offsets of its text, ``start`` and ``end``; they do not count when nodes are
compared. Names follow ``System.Management.Automation.Language``.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, TypeAlias

from psrp.frozen import dataclass

__all__ = [
    "Argument",
    "ArrayExpression",
    "ArrayLiteral",
    "Assignment",
    "Binary",
    "Cast",
    "CommandCall",
    "CommandExpression",
    "CommandParameter",
    "Element",
    "ExpandableString",
    "Expression",
    "FileRedirection",
    "HashLiteral",
    "Index",
    "KeywordStatement",
    "Member",
    "Merge",
    "MethodCall",
    "Node",
    "NumberConstant",
    "Paren",
    "Pipeline",
    "PipelineChain",
    "Place",
    "Redirection",
    "Script",
    "ScriptBlockLiteral",
    "ScriptParameter",
    "Statement",
    "StringConstant",
    "SubExpression",
    "Ternary",
    "TypeLiteral",
    "Unary",
    "Variable",
]


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes: the text from ``start`` to ``end``, in characters."""

    start: int = field(default=0, kw_only=True, compare=False, repr=False)
    end: int = field(default=0, kw_only=True, compare=False, repr=False)


# -- expressions


@dataclass(frozen=True, slots=True)
class NumberConstant(Node):
    """A number; ``text`` is its spelling."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class StringConstant(Node):
    """A string without expansion. ``quote`` is empty for a bare word, else what opens it: one
    of ``'``, ``"``, ``@'`` and ``@"``."""

    value: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class ExpandableString(Node):
    """A string or bare word with values in it: texts and expressions in turn."""

    parts: tuple[str | Expression, ...]
    quote: str = '"'


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """``$name``, ``${name}``, ``$env:name`` or, splatted, ``@name``."""

    name: str
    splatted: bool = False


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``target.name``, or ``target::name`` when static."""

    target: Expression
    name: Expression
    static: bool = False


@dataclass(frozen=True, slots=True)
class MethodCall(Node):
    """``target.name(arguments)``, or ``target::name(arguments)`` when static."""

    target: Expression
    name: Expression
    arguments: tuple[Expression, ...]
    static: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``target[index]``"""

    target: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """An operator with one operand. The increments are ``++``, ``--``, ``post++``, ``post--``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left operator right``. Word operators are in lower case and without the ``i`` of the
    case-insensitive forms: ``-eq``, ``-ceq``, ``-replace``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """``condition ? yes : no``"""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """``[type]operand``. An attribute before a value ends with ``()`` in ``type_name``."""

    type_name: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class TypeLiteral(Node):
    """``[type]`` as a value."""

    type_name: str


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """``a, b``, or ``, a``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Paren(Node):
    """``(...)``"""

    statement: Statement


@dataclass(frozen=True, slots=True)
class SubExpression(Node):
    """``$(...)``"""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ArrayExpression(Node):
    """``@(...)``"""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class HashLiteral(Node):
    """``@{ name = value; ... }``"""

    pairs: tuple[tuple[Expression, Statement], ...]


@dataclass(frozen=True, slots=True)
class ScriptBlockLiteral(Node):
    """``{ ... }``: the text between the braces, which is not parsed."""

    text: str


# -- commands


@dataclass(frozen=True, slots=True)
class CommandParameter(Node):
    """``-name``, ``-name:value`` or, with ``spaced``, ``-name: value``."""

    name: str
    value: Expression | None = None
    colon: bool = False
    spaced: bool = False


@dataclass(frozen=True, slots=True)
class Merge(Node):
    """``source>&target``. ``source`` is a digit from 2 to 6 or ``*``; ``target`` is 1."""

    source: str
    target: str = "1"


@dataclass(frozen=True, slots=True)
class FileRedirection(Node):
    """``source>path``, or ``source>>path`` to append."""

    source: str
    path: Expression
    append: bool = False


@dataclass(frozen=True, slots=True)
class CommandCall(Node):
    """A command with its arguments. ``operator`` is ``&``, ``.`` or empty."""

    name: Expression
    arguments: tuple[Argument, ...] = ()
    redirections: tuple[Redirection, ...] = ()
    operator: str = ""


@dataclass(frozen=True, slots=True)
class CommandExpression(Node):
    """An expression at the head of a pipeline."""

    expression: Expression
    redirections: tuple[Redirection, ...] = ()


# -- statements


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """Commands that feed each other; ``background`` when ``&`` ends it."""

    elements: tuple[Element, ...]
    background: bool = False

    @property
    def pure_expression(self) -> Expression | None:
        """The expression, if the pipeline is nothing else and is not redirected."""
        first = self.elements[0]
        alone = len(self.elements) == 1 and not self.background
        if alone and isinstance(first, CommandExpression) and not first.redirections:
            return first.expression
        return None


@dataclass(frozen=True, slots=True)
class PipelineChain(Node):
    """Pipelines with ``&&`` and ``||`` between them."""

    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...]
    background: bool = False


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """``target operator value``, where the operator is ``=``, ``+=`` or the like."""

    target: Expression
    operator: str
    value: Statement


@dataclass(frozen=True, slots=True)
class KeywordStatement(Node):
    """A statement that begins with a keyword, in lower case.

    Only exit, return, throw, break and continue have a ``value``. Any other extends to the end
    of the text or block, and only its brackets and quotes are checked.
    """

    keyword: str
    value: Statement | None = None


@dataclass(frozen=True, slots=True)
class ScriptParameter(Node):
    """One parameter of ``param(...)``."""

    name: str
    type_name: str | None = None
    default: Expression | None = None
    attributes: tuple[str, ...] = ()
    """The text in the brackets of each attribute."""


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a script's text."""

    text: str
    """The whole script."""
    start: int
    end: int
    line_number: int = 1
    arguments: tuple[tuple[int, int], ...] = ()
    """The offsets of the command's arguments, one pair for each of its parameters."""

    def argument(self, number: int) -> Place:
        """Return the place of one argument, counted from 0."""
        start, end = self.arguments[number]
        line_number = self.line_number + self.text.count("\n", self.start, start)
        return Place(self.text, start, end, line_number)

    def is_short(self, most: int) -> bool:
        """Return True if it, and its line to either side, are at most ``most`` characters long."""
        text, start = self.text, self.start
        begins = start <= most or text.rfind("\n", start - most, start) >= 0
        ends = len(text) - start <= most or text.find("\n", start, start + most) >= 0
        return begins and ends and self.end - start <= most

    @property
    def before(self) -> int:
        """The number of characters before it in its line."""
        return self.start - self.text.rfind("\n", 0, self.start) - 1

    @property
    def column(self) -> int:
        """1-based column, in UTF-16 code units."""
        text = self.text[self.start - self.before : self.start]
        return len(text) + sum(each > "\uffff" for each in text) + 1

    @property
    def line(self) -> str:
        """The whole line in which it begins."""
        first = self.start - self.before
        last = self.text.find("\n", self.start)
        return self.text[first : None if last < 0 else last].removesuffix("\r")

    @property
    def statement(self) -> str:
        """The text itself."""
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Script(Node):
    """A whole text. ``named_blocks`` are the blocks that it names, such as ``process``; the
    statements are those of its ``end`` block."""

    text: str
    statements: tuple[Statement, ...]
    parameters: tuple[ScriptParameter, ...] = ()
    named_blocks: tuple[str, ...] = ()

    def places(self, nodes: tuple[Node, ...]) -> tuple[Place, ...]:
        """Return the places of ``nodes``, which must be in the order of the text."""
        made: list[Place] = []
        line, counted = 1, 0
        for node in nodes:
            line += self.text.count("\n", counted, node.start)
            counted = node.start
            made.append(Place(self.text, node.start, node.end, line))
        return tuple(made)


Expression: TypeAlias = (
    NumberConstant
    | StringConstant
    | ExpandableString
    | Variable
    | Member
    | MethodCall
    | Index
    | Unary
    | Binary
    | Ternary
    | Cast
    | TypeLiteral
    | ArrayLiteral
    | Paren
    | SubExpression
    | ArrayExpression
    | HashLiteral
    | ScriptBlockLiteral
)
Redirection: TypeAlias = Merge | FileRedirection
Argument: TypeAlias = Expression | CommandParameter
Element: TypeAlias = CommandCall | CommandExpression
Statement: TypeAlias = Pipeline | PipelineChain | Assignment | KeywordStatement
