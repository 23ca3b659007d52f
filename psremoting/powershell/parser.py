"""The parser: a PowerShell text as a syntax tree.

Statements, pipelines, commands and expressions are parsed; of control flow, functions and classes
only the keyword, and of script blocks only the text. The work is linear in the length of the
text, and nesting is limited. Errors have the ids and messages of PowerShell 7.6.
"""

from __future__ import annotations

import re

from psremoting.powershell import syntax as s
from psremoting.powershell.command_elements import CommandParser
from psremoting.powershell.lexer import DASH, DASHES, QUOTES
from psremoting.powershell.parse_errors import ParseError, missing_brace, too_complex

__all__ = ["parse"]

_KEYWORD_TEXT = """
    break class configuration continue data do enum exit filter for foreach from function if return
    switch throw trap try using while workflow inlinescript parallel sequence var define
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_WITH_VALUE = frozenset({"exit", "return", "throw", "break", "continue"})
_BLOCKS = frozenset({"begin", "process", "end", "clean", "dynamicparam"})
_KEYWORD = re.compile(r"[A-Za-z]+")
_COMMENT = re.compile(r"#[^\r\n]*")
_PARAM = re.compile(r"param(?=[\s(<#`]|\Z)", re.IGNORECASE)
_ASSIGNMENT = re.compile(rf"\?\?=|[+*/%{DASH}]=|=")


def parse(text: str) -> s.Script:
    """Parse ``text`` into a syntax tree.

    Raises ParseError; one that is ``incomplete`` may become valid when more lines follow.
    """
    parser = _Parser(text)
    try:
        return parser.script()
    except RecursionError:
        raise too_complex(parser.at) from None


class _Parser(CommandParser):
    def script(self) -> s.Script:
        self.skip_lines(";")
        parameters = self._parameters()
        self.skip_lines(";")
        blocks, statements = self._named_blocks()
        if not blocks:
            statements = self.statements("")
        if self.here:
            raise self.unexpected()
        return s.Script(self.text, statements, parameters, blocks, start=0, end=len(self.text))

    # -- param(...) and named blocks

    def _parameters(self) -> tuple[s.ScriptParameter, ...]:
        begin = self.at
        while self.here == "[":
            self.type_name()
            self.skip_lines()
        if self.take(_PARAM) is None:
            self.at = begin
            return ()
        self.skip_lines()
        if self.here != "(":
            self.at = begin
            return ()
        self.at += 1
        made: list[s.ScriptParameter] = []
        while True:
            self.skip_lines()
            if self.here == ")":
                self.at += 1
                return tuple(made)
            made.append(self._parameter())
            self.skip_lines()
            if self.here == ",":
                self.at += 1
            elif self.here != ")":
                raise _open_parameters(self.at, incomplete=not self.here)

    def _parameter(self) -> s.ScriptParameter:
        begin = self.at
        type_name: str | None = None
        attributes: list[str] = []
        while self.here == "[":
            opened = self.at + 1
            name, attribute = self.type_name()
            if attribute:
                attributes.append(self.text[opened : self.at - 1])
            else:
                type_name = name
            self.skip_lines()
        if not self.at_variable():
            if self.here:
                raise self.unexpected()
            raise _open_parameters(self.at)
        name = self.variable_name()
        self.skip_space()
        default: s.Expression | None = None
        if self.here == "=":
            self.at += 1
            self.skip_lines()
            default = self.required(self.one_expression(), "=")
        return s.ScriptParameter(
            name, type_name, default, tuple(attributes), start=begin, end=self.at
        )

    def _named_blocks(self) -> tuple[tuple[str, ...], tuple[s.Statement, ...]]:
        names: list[str] = []
        statements: tuple[s.Statement, ...] = ()
        while True:
            begin = self.at
            word = self.take(_KEYWORD)
            name = "" if word is None else word[0].casefold()
            if name not in _BLOCKS or not self.keyword_ends():
                self.at = begin
                if names and self.here:
                    raise self.unexpected()
                return tuple(names), statements
            after = self.at
            self.skip_lines()
            if self.here != "{":
                raise ParseError(
                    f"Missing statement block after '{name}'.",
                    "MissingNamedStatementBlock",
                    offset=after,
                    incomplete=not self.here,
                )
            opened = self.at
            self.at += 1
            found = self.statements("}")
            if self.here != "}":
                raise missing_brace(opened, incomplete=not self.here)
            self.at += 1
            names.append(name)
            statements = found if name == "end" else statements
            self.skip_lines(";")

    # -- statements

    def statements(self, closer: str) -> tuple[s.Statement, ...]:
        """Parse the statements up to the end of the text, or to a closing bracket."""
        self.enter()
        found: list[s.Statement] = []
        while True:
            self.skip_lines(";")
            if not self.here or self.here == closer:
                break
            statement = self.statement(closer)
            if statement is None:
                break
            found.append(statement)
            if getattr(statement, "background", False):
                continue
            self.skip_space()
            if self.here and self.here not in "\r\n;" + closer:
                if not closer or self.here in ")}":
                    raise self.unexpected()
                break
        self.leave()
        return tuple(found)

    def statement(self, closer: str = "") -> s.Statement | None:
        """Parse one statement; None where none can begin."""
        begin = self.at
        word = self.take(_KEYWORD)
        keyword = "" if word is None else word[0].casefold()
        if keyword in _KEYWORDS and self.keyword_ends():
            return self._keyword(keyword, begin, closer)
        self.at = begin
        return self._chain()

    def keyword_ends(self) -> bool:
        """Return True if the keyword before the position is not part of a longer word."""
        return self.word_ends() or self.here in f"{QUOTES}$[<>"

    def _keyword(self, keyword: str, begin: int, closer: str) -> s.KeywordStatement:
        value: s.Statement | None = None
        if keyword in _WITH_VALUE:
            self.skip_space()
            if self.here and self.here not in f"\r\n;|&{closer})}}":
                value = self._chain()
        else:
            self.skip_block(closer)
        return s.KeywordStatement(keyword, value, start=begin, end=self.at)

    def _chain(self) -> s.Statement | None:
        begin = self.at
        first = self._pipeline_or_assignment()
        if not isinstance(first, s.Pipeline):
            return first
        pipelines, operators = [first], []
        while True:
            self.skip_space()
            if pipelines[-1].background or not (self.starts("&&") or self.starts("||")):
                break
            operators.append(self.text[self.at : self.at + 2])
            self.at += 2
            self.skip_lines()
            after = self._pipeline_or_assignment() if self.here else None
            if not isinstance(after, s.Pipeline):
                raise ParseError(
                    "A pipeline chain operator must be followed by a pipeline.",
                    "EmptyPipelineChainElement",
                    offset=self.at,
                    incomplete=not self.here,
                )
            pipelines.append(after)
        if not operators:
            return first
        return s.PipelineChain(
            tuple(pipelines),
            tuple(operators),
            pipelines[-1].background,
            start=begin,
            end=pipelines[-1].end,
        )

    def _pipeline_or_assignment(self) -> s.Pipeline | s.Assignment | None:
        begin = self.at
        if self.here == "|":
            raise ParseError(
                "An empty pipe element is not allowed.", "EmptyPipeElement", offset=self.at
            )
        element = self.element()
        if element is None:
            return None
        if isinstance(element, s.CommandExpression) and not element.redirections:
            assigned = self._assignment(element.expression)
            if assigned is not None:
                return assigned
        elements = [element]
        while True:
            end = self.at
            self.skip_space()
            self._pipe_on_next_line()
            if self.here != "|" or self.starts("||"):
                break
            self.at += 1
            self.skip_lines()
            elements.append(self._piped())
        background = self.here == "&" and not self.starts("&&")
        if background:
            self.at += 1
            end = self.at
        return s.Pipeline(tuple(elements), background, start=begin, end=end)

    def _pipe_on_next_line(self) -> None:
        """Move to the pipe at the beginning of the next line, if there is one. Lines with only
        a comment may come before it."""
        begin = self.at
        while self.skip_break():
            line = self.at
            self.skip_space()
            if self.here == "|" and not self.starts("||"):
                return
            if self.take(_COMMENT) is None and "#" not in self.text[line : self.at]:
                break
        self.at = begin

    def _piped(self) -> s.Element:
        begin = self.at
        if not self.here or self.here == "|":
            raise ParseError(
                "An empty pipe element is not allowed.",
                "EmptyPipeElement",
                offset=self.at,
                incomplete=not self.here,
            )
        element = self.element()
        if element is None:
            raise ParseError(
                "An empty pipe element is not allowed.", "EmptyPipeElement", offset=self.at
            )
        if isinstance(element, s.CommandExpression):
            raise ParseError(
                "Expressions are only allowed as the first element of a pipeline.",
                "ExpressionsMustBeFirstInPipeline",
                offset=begin,
            )
        return element

    def _assignment(self, target: s.Expression) -> s.Assignment | None:
        self.skip_space()
        operator = self.take(_ASSIGNMENT)
        if operator is None:
            return None
        if not _assignable(target):
            raise ParseError(
                "The assignment expression is not valid. The input to an assignment operator must "
                "be an object that is able to accept assignments, such as a variable or a "
                "property.",
                "InvalidLeftHandSide",
                offset=target.start,
            )
        sign = operator[0] if operator[0][0] not in DASHES else "-="
        self.skip_lines()
        value = self.statement() if self.here and self.here not in ";)}|&" else None
        if value is None:
            raise self.missing_value(sign)
        return s.Assignment(target, sign, value, start=target.start, end=self.at)

    def parenthesized(self) -> s.Statement | None:
        """Parse the pipeline or assignment inside ``( )``."""
        return self._chain()


def _assignable(target: s.Expression) -> bool:
    match target:
        case s.Variable() | s.Member() | s.Index():
            return True
        case s.Cast(_, operand):
            return _assignable(operand)
        case s.ArrayLiteral(items):
            return all(_assignable(each) for each in items)
        case s.Paren(s.Pipeline() as pipeline):
            inner = pipeline.pure_expression
            return inner is not None and _assignable(inner)
        case _:
            return False


def _open_parameters(offset: int, *, incomplete: bool = True) -> ParseError:
    return ParseError(
        "Missing ')' in function parameter list.",
        "MissingEndParenthesisInFunctionParameterList",
        offset=offset,
        incomplete=incomplete,
    )
