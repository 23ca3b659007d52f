"""Our syntax trees and errors in the form of syntax_tree.ps1, to compare them with PowerShell's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from psremoting.powershell import syntax as s
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psrp.clixml import PSObject

__all__ = ["LINES", "SCRIPT", "ours", "theirs"]

_HERE = Path(__file__).parent
SCRIPT = (_HERE / "syntax_tree.ps1").read_text(encoding="utf-8")
LINES = [
    line.replace("\\n", "\n")
    for line in (_HERE / "syntax_lines.txt").read_text(encoding="utf-8").split("\n")
    if line
]

_OPERATORS = {
    "-": "Minus", "+": "Plus", "!": "Exclaim", "++": "PlusPlus", "--": "MinusMinus",
    "post++": "PostfixPlusPlus", "post--": "PostfixMinusMinus", "*": "Multiply", "/": "Divide",
    "%": "Rem", "..": "DotDot", "??": "QuestionQuestion", "-isnot": "IsNot", "-f": "Format",
}  # fmt: skip
_PLAIN = [
    "-not",
    "-bnot",
    "-join",
    "-is",
    "-as",
    "-and",
    "-or",
    "-xor",
    "-band",
    "-bor",
    "-bxor",
    "-shl",
    "-shr",
]
_CASED = [
    "eq",
    "ne",
    "ge",
    "gt",
    "lt",
    "le",
    "like",
    "notlike",
    "match",
    "notmatch",
    "replace",
    "contains",
    "notcontains",
    "in",
    "notin",
    "split",
]
_ASSIGNMENTS = {
    "=": "Equals", "+=": "PlusEquals", "-=": "MinusEquals", "*=": "MultiplyEquals",
    "/=": "DivideEquals", "%=": "RemainderEquals", "??=": "QuestionQuestionEquals",
}  # fmt: skip
_KEYWORDS = {
    "if": "If", "exit": "Exit", "return": "Return", "throw": "Throw", "break": "Break",
    "continue": "Continue",
    "while": "While", "foreach": "ForEach", "data": "Data",
}  # fmt: skip
_QUOTES = {
    "": "BareWord", "'": "SingleQuoted", '"': "DoubleQuoted",
    "@'": "SingleQuotedHereString", '@"': "DoubleQuotedHereString",
}  # fmt: skip
_STREAMS = {
    "1": "Output", "2": "Error", "3": "Warning", "4": "Verbose", "5": "Debug",
    "6": "Information", "*": "All",
}  # fmt: skip


def ours(text: str) -> ParseError | list[Any]:
    """Return our error, or our tree as nested lists."""
    try:
        return list(_Trees(text).tree(parse(text)))
    except ParseError as error:
        return error


def theirs(tree: Any) -> Any:
    """Return a tree of the real parser in the form of `ours`."""
    if not isinstance(tree, list):
        return tree
    if tree and tree[0] == "number" and tree[1] == "System.Double":
        return [*tree[:2], float(tree[2]), tree[3]]
    if tree and tree[0] == "using":
        return _using_inside(tree[1])
    return [theirs(each) for each in tree]


def _using_inside(tree: Any) -> Any:
    """Move ``using`` from members and indexes, where the real tree has it, to the variable."""
    if tree[0] == "variable":
        return ["using", tree]
    return [tree[0], _using_inside(tree[1]), *[theirs(each) for each in tree[2:]]]


def _keyword(keyword: str) -> str:
    """Return the class of a statement in the real tree."""
    definitions = {"function": "FunctionDefinitionAst", "class": "TypeDefinitionAst"}
    return definitions.get(keyword) or f"{_KEYWORDS.get(keyword, keyword)}StatementAst"


def _operator(name: str) -> str:
    if name in _OPERATORS:
        return _OPERATORS[name]
    word = name[1:]
    if name in _PLAIN:
        return word.capitalize()
    return word.capitalize() if word not in _CASED else f"I{word}"


def _number(value: Any) -> tuple[str, Any]:
    if isinstance(value, PSObject):
        return "System.Numerics.BigInteger", value.to_string
    if isinstance(value, float):
        return "System.Double", float(value)
    if isinstance(value, Decimal):
        return "System.Decimal", format(value, "f")
    if type(value) is not int:
        return f"System.{type(value).__name__}", str(int(value))
    for bits, name in ((31, "Int32"), (63, "Int64")):
        if -(1 << bits) <= value < 1 << bits:
            return f"System.{name}", str(value)
    return "System.Numerics.BigInteger", str(value)


class _Trees:
    def __init__(self, text: str) -> None:
        self._text = text

    def all(self, nodes: Any) -> list[Any]:
        return [self.tree(node) for node in nodes]

    def tree(self, node: Any) -> Any:
        if node is None:
            return None
        for make in (self._statement, self._command, self._value, self._operation):
            made = make(node)
            if made is not None:
                return made
        raise TypeError(node)

    def _statement(self, node: Any) -> list[Any] | None:
        match node:
            case s.Script():
                parameters = [[each.name, self.tree(each.default)] for each in node.parameters]
                blocks = sorted(node.named_blocks)
                return ["script", parameters, blocks, self.all(node.statements)]
            case s.Pipeline():
                return ["pipeline", self.all(node.elements), node.background]
            case s.PipelineChain():
                made = self.tree(node.pipelines[0])
                for operator, pipeline in zip(node.operators, node.pipelines[1:], strict=True):
                    kind = "AndAnd" if operator == "&&" else "OrOr"
                    made = ["chain", kind, made, self.tree(pipeline)]
                return list(made)
            case s.Assignment():
                value = self.tree(node.value)
                if isinstance(node.value, s.Pipeline) and node.value.pure_expression:
                    value = value[1][0]
                return ["assign", _ASSIGNMENTS[node.operator], self.tree(node.target), value]
            case s.KeywordStatement():
                return ["keyword", _keyword(node.keyword)]
        return None

    def _command(self, node: Any) -> list[Any] | None:
        match node:
            case s.CommandCall():
                operator = {"": "Unknown", "&": "Ampersand", ".": "Dot"}[node.operator]
                elements = self.all((node.name, *node.arguments))
                return ["command", operator, elements, self.all(node.redirections)]
            case s.CommandExpression():
                redirections = self.all(node.redirections)
                return ["commandexpression", self.tree(node.expression), redirections]
            case s.CommandParameter():
                text = self._text[node.start : node.end]
                return ["parameter", node.name, self.tree(node.value), text]
            case s.Merge():
                return ["merge", _STREAMS[node.source], "Output"]
            case s.FileRedirection():
                return ["file", _STREAMS[node.source], node.append, self.tree(node.path)]
        return None

    def _value(self, node: Any) -> list[Any] | None:
        match node:
            case s.NumberConstant():
                return ["number", *_number(node.value), node.text]
            case s.StringConstant():
                return ["string", _QUOTES[node.quote], node.value]
            case s.ExpandableString(parts, quote):
                nested = self.all(each for each in parts if not isinstance(each, str))
                texts = [p if isinstance(p, str) else self._text[p.start : p.end] for p in parts]
                return ["expandable", _QUOTES[quote], nested, "".join(texts)]
            case s.Variable(name, splatted) if name.casefold().startswith("using:"):
                return ["using", ["variable", name[6:], splatted]]
            case s.Variable(name, splatted):
                return ["variable", name, splatted]
            case s.ArrayLiteral(items):
                return ["array", self.all(items)]
            case s.Paren(statement):
                return ["paren", self.tree(statement)]
            case s.SubExpression(statements):
                return ["sub", self.all(statements)]
            case s.ArrayExpression(statements):
                return ["arrayexpression", self.all(statements)]
            case s.HashLiteral(pairs):
                return ["hash", [self.all(pair) for pair in pairs]]
            case s.ScriptBlockLiteral(text):
                return ["block", f"{{{text}}}"]
        return None

    def _operation(self, node: Any) -> list[Any] | None:
        match node:
            case s.Member(target, name, static):
                return ["member", self.tree(target), self.tree(name), static]
            case s.MethodCall(target, name, arguments, static):
                return ["method", self.tree(target), self.tree(name), self.all(arguments), static]
            case s.Index(target, index):
                return ["index", self.tree(target), self.tree(index)]
            case s.Unary(operator, operand):
                name = "Isplit" if operator == "-split" else _operator(operator)
                return ["unary", name, self.tree(operand)]
            case s.Binary(operator, left, right):
                return ["binary", _operator(operator), self.tree(left), self.tree(right)]
            case s.Ternary(condition, yes, no):
                return ["ternary", *self.all((condition, yes, no))]
            case s.Cast(type_name, operand):
                return ["cast", type_name, self.tree(operand)]
            case s.TypeLiteral(type_name):
                return ["type", type_name]
        return None
