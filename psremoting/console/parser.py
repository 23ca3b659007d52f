"""Reads the small language of the local prompt: commands, pipes, variables and literals.

It is a part of PowerShell's grammar, so that what is read here means the same there: no
operators, no control flow, no functions, no types, no redirection. What is left out is refused
by name, never read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from psremoting.console import nodes as n
from psremoting.console.error_reports import ParseError
from psremoting.console.texts import (
    DASHES,
    DOUBLE,
    SINGLE,
    block_end,
    here_string,
    number,
    single_quoted,
    skip_space,
    unterminated,
)

__all__ = ["parse"]

_NAME = re.compile(r"\$(?:\{([^}]*)\}|((?:env:)?[A-Za-z_]\w*|[?_$^]))", re.IGNORECASE)
_ASSIGNED = re.compile(r"\$(?:\{([^}]+)\}|(\w+))[ \t]*=(?!=)")
_PARAMETER = re.compile(rf"[{DASHES}]([A-Za-z_?][^\s:;|,(){{}}'\"]*)(:?)")
_WORD = re.compile(r"(?:`.|[^\s;|,(){}'\"`<>&#$\u2018-\u201f]|(?<=[^\s;|,(){}'\"])#)+")
_SPLAT = re.compile(r"@([A-Za-z_]\w*)")
_MEMBER = re.compile(r"\.([A-Za-z_]\w*)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b"}
_KEYWORDS = """
    begin break catch class clean continue data do dynamicparam else elseif end enum filter
    finally for foreach from function hidden if in param process return static switch throw
    trap try until using while workflow
"""
_NOT_HERE = frozenset(_KEYWORDS.split())
_MAX_DEPTH = 100


def parse(text: str) -> n.Script:
    """Raises ParseError; one that is ``incomplete`` may become right when more lines follow."""
    reader = _Reader(text)
    try:
        script = reader.script("")
    except RecursionError:
        raise _too_deep(reader.at) from None
    if reader.at < len(text):
        raise reader.unexpected()
    return script


def _too_deep(at: int) -> ParseError:
    return ParseError("It is nested too deeply.", "ScriptTooComplicated", at=at)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    # -- statements

    def script(self, closer: str) -> n.Script:
        """Statements up to ``closer``, which is left alone."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _too_deep(self.at)
        statements: list[n.Statement] = []
        while True:
            self.space(lines=True, marks=";")
            if self.at >= len(self.text) or self.peek() == closer:
                break
            statements.append(self.statement())
            self.space()
            if self.at < len(self.text) and self.peek() not in f"\r\n;{closer}":
                raise self.unexpected()
        self.depth -= 1
        return n.Script(tuple(statements))

    def statement(self) -> n.Statement:
        assigned = _ASSIGNED.match(self.text, self.at)
        if assigned is not None:
            self.at = assigned.end()
            self.space(lines=True)
            if self.ended():
                text = "You must provide a value expression following the '=' operator."
                raise ParseError(text, "ExpectedValueExpression", at=self.at, incomplete=True)
            return n.Assignment(assigned[1] or assigned[2], self.pipeline())
        word = _WORD.match(self.text, self.at)
        if word is not None and word[0].casefold() == "exit":
            self.at = word.end()
            self.space()
            return n.Exit(None if self.ended() else self.expression())
        return self.pipeline()

    def pipeline(self) -> n.Pipeline:
        elements = [self.element()]
        while True:
            self.space()
            if self.peek() != "|":
                return n.Pipeline(tuple(elements))
            self.at += 1
            self.space(lines=True)
            if self.ended() or self.peek() == "|":
                raise ParseError(
                    "An empty pipe element is not allowed.",
                    "EmptyPipeElement",
                    at=self.at,
                    incomplete=self.at >= len(self.text),
                )
            elements.append(self.element())

    def element(self) -> n.Element:
        if self.peek() in f"$@({{{SINGLE}{DOUBLE}" or number(self.text, self.at):
            return self.expression()
        return self.command()

    def command(self) -> n.CommandCall:
        word = _WORD.match(self.text, self.at)
        if word is None or self.peek() in "[!":
            raise self.unexpected()
        name = re.sub(r"`(.)", r"\1", word[0])
        if name.casefold() in _NOT_HERE:
            raise ParseError(
                f"The keyword '{name}' is not part of the local prompt; it runs commands for "
                "sessions. Enter a session, or use Invoke-Command, to run it over there.",
                "KeywordNotSupported",
                at=self.at,
            )
        self.at = word.end()
        arguments: list[n.Argument] = []
        while True:
            self.space()
            if self.ended() or self.peek() == "|":
                return n.CommandCall(name, tuple(arguments))
            arguments.append(self.argument())

    def argument(self) -> n.Argument:
        named = _PARAMETER.match(self.text, self.at)
        if named is not None:
            self.at = named.end()
            if not named[2]:
                return n.Named(named[1])
            self.space()
            return n.Named(named[1], self.values(self.word_or_primary))
        splat = _SPLAT.match(self.text, self.at)
        if splat is not None:
            self.at = splat.end()
            return n.Splat(splat[1])
        return self.values(self.word_or_primary)

    # -- expressions

    def expression(self) -> n.Expression:
        return self.values(self.primary)

    def values(self, one: Callable[[], n.Expression]) -> n.Expression:
        """One value, or several between commas."""
        items = [one()]
        while True:
            before = self.at
            self.space()
            if self.peek() != ",":
                self.at = before
                return items[0] if len(items) == 1 else n.Array(tuple(items))
            self.at += 1
            self.space(lines=True)
            if self.ended():
                text = "Missing expression after ','."
                raise ParseError(
                    text, "MissingExpression", at=self.at, incomplete=self.at >= len(self.text)
                )
            items.append(one())

    def word_or_primary(self) -> n.Expression:
        if self.peek() in f"@({{{SINGLE}{DOUBLE}":
            return self.primary()
        begin = self.at
        if self.peek() == "$":
            value = self.primary()
            if self.at >= len(self.text) or self.peek() in " \t\r\n;|,(){}":
                return value
            self.at = begin
        return self.word()

    def word(self) -> n.Expression:
        """A bare word, which may have variables in it."""
        written = number(self.text, self.at)
        if written is not None:
            self.at += len(written)
            return n.Constant(_number(written))
        parts: list[n.Expression] = []
        while self.at < len(self.text):
            if self.peek() == "$" and _NAME.match(self.text, self.at):
                parts.append(self.variable())
            elif self.peek() == "$" and not self.text.startswith("$(", self.at):
                parts.append(n.Constant("$"))
                self.at += 1
            elif (word := _WORD.match(self.text, self.at)) is not None:
                self.at = word.end()
                parts.append(n.Constant(re.sub(r"`(.)", r"\1", word[0])))
            else:
                break
        if not parts:
            raise self.unexpected()
        if len(parts) == 1:
            return parts[0]
        return n.Expanded(tuple(parts))

    def primary(self) -> n.Expression:
        value = self.atom()
        while True:
            member = _MEMBER.match(self.text, self.at)
            if member is not None:
                self.at = member.end()
                if self.peek() == "(":
                    raise ParseError(
                        f"The method '{member[1]}' cannot be called: the local prompt has "
                        "commands, variables and properties, and no methods.",
                        "MethodCallNotSupported",
                        at=self.at,
                    )
                value = n.Member(value, member[1])
            elif self.peek() == "[":
                self.at += 1
                self.space(lines=True)
                value = n.Index(value, self.expression())
                self.close("]", "MissingEndSquareBracket", "after array index expression")
            else:
                return value

    def atom(self) -> n.Expression:
        mark = self.peek()
        here = here_string(self.text, self.at)
        if here is not None:
            body, quote, self.at = here
            return n.Constant(body) if quote in SINGLE else self.expanded(body)
        written = number(self.text, self.at)
        if written is not None:
            self.at += len(written)
            return n.Constant(_number(written))
        if mark and mark in SINGLE:
            value, self.at = single_quoted(self.text, self.at)
            return n.Constant(value)
        if mark and mark in DOUBLE:
            return self.double_quoted()
        if mark == "{":
            end = block_end(self.text, self.at)
            block = n.ScriptBlock(self.text[self.at + 1 : end])
            self.at = end + 1
            return n.Block(block)
        for opener, make in _OPENERS.items():
            if self.text.startswith(opener, self.at):
                self.at += len(opener)
                return make(self)
        if mark == "$":
            return self.variable()
        raise self.unexpected()

    def variable(self) -> n.Variable:
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise self.unexpected()
        self.at = found.end()
        return n.Variable(found[1] if found[1] is not None else found[2])

    def group(self) -> n.Group:
        script = self.script(")")
        self.close(")", "MissingEndParenthesisInExpression", "in expression")
        return n.Group(script)

    def collect(self) -> n.Collect:
        script = self.script(")")
        self.close(")", "MissingEndParenthesisInExpression", "in expression")
        return n.Collect(script)

    def hash(self) -> n.Hash:
        pairs: list[tuple[n.Expression, n.Statement]] = []
        while True:
            self.space(lines=True, marks=";")
            if self.at >= len(self.text) or self.peek() == "}":
                break
            key = self.key()
            self.space()
            if self.peek() != "=":
                raise ParseError(
                    "Missing '=' operator after key in hash literal.",
                    "MissingEqualsInHashLiteral",
                    at=self.at,
                    incomplete=self.at >= len(self.text),
                )
            self.at += 1
            self.space(lines=True)
            if self.at >= len(self.text):
                break
            pairs.append((key, self.pipeline()))
        self.close("}", "MissingEndCurlyBrace", "in statement block or type definition")
        return n.Hash(tuple(pairs))

    def key(self) -> n.Expression:
        word = re.compile(r"[A-Za-z_][\w-]*").match(self.text, self.at)
        if word is None:
            return self.primary()
        self.at = word.end()
        return n.Constant(word[0])

    def double_quoted(self) -> n.Expression:
        self.at += 1
        begin = self.at
        while self.at < len(self.text):
            mark = self.text[self.at]
            if mark == "`":
                self.at += 2
            elif mark in DOUBLE:
                if self.text[self.at + 1 : self.at + 2] not in tuple(DOUBLE):
                    body = self.text[begin : self.at]
                    self.at += 1
                    return self.expanded(body, quoted=True)
                self.at += 2
            elif self.text.startswith("$(", self.at):
                self.at = block_end(self.text, self.at + 1, "()") + 1
            else:
                self.at += 1
        raise unterminated('"', begin)

    def expanded(self, body: str, *, quoted: bool = False) -> n.Expression:
        """``body`` with what begins with $ and ` replaced."""
        parts: list[n.Expression] = []
        inner = _Reader(body)
        inner.depth = self.depth
        text = ""
        while inner.at < len(body):
            mark = body[inner.at]
            value: n.Expression | None = None
            if mark == "`" and inner.at + 1 < len(body):
                text += _ESCAPES.get(body[inner.at + 1], body[inner.at + 1])
                inner.at += 2
            elif body.startswith("$(", inner.at):
                inner.at += 2
                value = inner.group()
            elif mark == "$" and _NAME.match(body, inner.at):
                value = inner.variable()
            else:
                text += mark
                inner.at += 2 if quoted and mark in DOUBLE else 1
            if value is not None:
                parts += [n.Constant(text), value]
                text = ""
        if not parts:
            return n.Constant(text)
        return n.Expanded((*parts, n.Constant(text)))

    # -- small things

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def ended(self) -> bool:
        """Whether the statement is over here."""
        return self.at >= len(self.text) or self.peek() in "\r\n;)}"

    def space(self, *, lines: bool = False, marks: str = "") -> None:
        self.at = skip_space(self.text, self.at, lines=lines, marks=marks)

    def close(self, mark: str, error_id: str, where: str) -> None:
        self.space(lines=True)
        if self.peek() != mark:
            if self.at < len(self.text):
                raise self.unexpected()
            text = f"Missing closing '{mark}' {where}."
            if mark == "]":
                text = f"Missing ']' {where}."
            raise ParseError(text, error_id, at=self.at, incomplete=True)
        self.at += 1

    def unexpected(self) -> ParseError:
        rest = self.text[self.at :]
        token = re.match(r"[\w.-]+|[<>&|=!*/+%-]+|.", rest, re.DOTALL)
        if token is None:
            return ParseError("An expression was expected.", "ExpectedExpression", at=self.at)
        return ParseError(
            f"Unexpected token '{token[0]}' in expression or statement.",
            "UnexpectedToken",
            at=self.at,
        )


_OPENERS: dict[str, Callable[[_Reader], n.Expression]] = {
    "@{": _Reader.hash,
    "@(": _Reader.collect,
    "$(": _Reader.group,
    "(": _Reader.group,
}


def _number(text: str) -> object:
    return float(text) if "." in text else n.WrittenNumber(text)
