"""The command line of an endpoint without language: commands, arguments, literals, pipes.

    Get-Thing -Name 'a b' -Limit:5 x,y,@(1, 2) | Select-Object -First 3; Get-Date

A real no-language runspace takes no script text at all; clients parse such a line themselves and
send commands. Ours takes the text as well, as far as it can be meant in only one way without a
language: no variables but $true, $false and $null, no expressions, blocks, redirections. The
rest is refused with PowerShell's error for it. See spec-notes/restricted-language.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from psremoting.endpoint.coercion import Written, number
from psremoting.endpoint.failures import CommandError, parse_error
from psrp.commands import Command, Parameter

__all__ = ["INPUT", "Literal", "Statement", "parse"]

INPUT: Any = object()
"""The value of a `Literal` that stands for the pipeline's input: ``$input``."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value at the head of a pipeline; an array gives its items one by one."""

    value: Any


Statement: TypeAlias = tuple[Command | Literal, ...]

NOT_SUPPORTED = (
    "The syntax is not supported by this runspace. This can occur if the runspace is in "
    "no-language mode."
)
_KEYWORD_TEXT = """
    begin break catch class clean configuration continue data define do dynamicparam else
    elseif end enum exit filter finally for foreach from function hidden if in inlinescript
    parallel param process return sequence static switch throw trap try until using var while
    workflow
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_SPACE = re.compile(r"(?:[ \t\f\v\u00a0\u0085]|`\r?\n|(?<![^\s;|])#[^\r\n]*)+")
_BREAKS = re.compile(r"(?:\s|#[^\r\n]*)+")
_BARE = re.compile(r"(?:[^\s|;,&<>(){}'\"`$]|`[^\r\n]|\$(?![A-Za-z_({?^$:]))+")
_PARAMETER = re.compile(r"-([A-Za-z_?][^\s|;,&<>(){}'\"`$:.]*)(:?)")
_NUMBER = re.compile(
    r"[+-]?(?:0x[0-9a-f]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)(?:[kmgtp]b)?",
    re.IGNORECASE,
)
_CALCULATION = re.compile(r"[+-]?[0-9][0-9.]*[-+*/%]|[+-]?[0-9]+\.\.")
_CONSTANTS = {"$true": True, "$false": False, "$null": None}
_CONSTANT = re.compile(r"\$(?:true|false|null)(?![\w:.\[])", re.IGNORECASE)
_PIPED = re.compile(r"\$input(?![\w:.\[])", re.IGNORECASE)
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f"} | {
    "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_SINGLE = "'\u2018\u2019\u201a\u201b"
_DOUBLE = '"\u201c\u201d\u201e'
_MAX_DEPTH = 32


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a script text; none for an empty one. Raises CommandError.

    An error whose reason is IncompleteParseException means that more lines may make it whole.
    """
    return _Parser(text).statements()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    # -- pieces

    @property
    def here(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _take(self, what: re.Pattern[str]) -> str | None:
        found = what.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def _refuse(self, length: int = 1) -> NoReturn:
        shown = self.text[self.at : self.at + max(length, 20)].split("\n")[0]
        raise parse_error(NOT_SUPPORTED, "ScriptsNotAllowed", target=shown)

    # -- statements and pipelines

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while True:
            self._skip_separators()
            if not self.here:
                return tuple(found)
            found.append(self._pipeline())

    def _skip_separators(self) -> None:
        while True:
            self._skip(_BREAKS)
            if self.here != ";":
                return
            self.at += 1

    def _pipeline(self) -> Statement:
        stages: list[Command | Literal] = []
        while True:
            if self.here == "|":
                raise parse_error("An empty pipe element is not allowed.", "EmptyPipeElement")
            stages.append(self._stage(first=not stages))
            self._skip(_SPACE)
            if self.here in ("", ";", "\r", "\n"):
                return tuple(stages)
            if self.here != "|" or self.text.startswith("||", self.at):
                self._unexpected()
            self.at += 1
            self._skip(_BREAKS)
            if not self.here:
                raise parse_error(
                    "An empty pipe element is not allowed.", "EmptyPipeElement", incomplete=True
                )

    def _unexpected(self) -> NoReturn:
        if self.here == ")":
            raise parse_error(
                "Unexpected token ')' in expression or statement.", "UnexpectedToken", target=")"
            )
        self._refuse()

    def _stage(self, *, first: bool) -> Command | Literal:
        if self.here in _SINGLE + _DOUBLE + "$@" or self._at_number():
            if not first:
                raise parse_error(
                    "Expressions are only allowed as the first element of a pipeline.",
                    "ExpressionsMustBeFirstInPipeline",
                )
            return self._literal_stage()
        if _CALCULATION.match(self.text, self.at):
            self._refuse()
        name = self._bare_word()
        if name is None or name.casefold() in _KEYWORDS or name[:1] in "-.!%?[":
            self._refuse()
        return Command(name, parameters=tuple(self._arguments()))

    def _literal_stage(self) -> Literal:
        value = INPUT if self._take(_PIPED) else self._list(0)
        self._skip(_SPACE)
        if self.here not in ("", "|", ";", "\r", "\n"):
            self._unexpected()
        return Literal(bare(value))

    def _at_number(self) -> bool:
        found = _NUMBER.match(self.text, self.at)
        return found is not None and not _BARE.match(self.text, found.end())

    # -- arguments

    def _arguments(self) -> list[Parameter]:
        found: list[Parameter] = []
        while True:
            self._skip(_SPACE)
            if self.here in ("", "|", ";", "\r", "\n"):
                return found
            named = _PARAMETER.match(self.text, self.at)
            if named is None:
                found.append(Parameter(None, self._list(0)))
                continue
            self.at = named.end()
            if not named[2]:
                found.append(Parameter(f"-{named[1]}"))
                continue
            self._skip(_SPACE)
            if self.here in ("", "|", ";", "\r", "\n"):
                raise parse_error(
                    "Missing argument in parameter list.", "MissingArgument", target=named[0]
                )
            found.append(Parameter(named[1], self._list(0)))

    def _list(self, depth: int) -> Any:
        """One value, or several with commas between."""
        values = [self._value(depth)]
        while True:
            mark = self.at
            self._skip(_SPACE)
            if self.here != ",":
                self.at = mark
                return values if len(values) > 1 else values[0]
            self.at += 1
            self._skip(_BREAKS)
            if not self.here:
                raise parse_error(
                    "Missing expression after ','.", "MissingExpressionAfterToken", incomplete=True
                )
            values.append(self._value(depth))

    def _value(self, depth: int) -> Any:
        here = self.here
        if here == "@":
            return self._array(depth)
        if here == "$":
            constant = self._take(_CONSTANT)
            if constant is None:
                self._refuse()
            return _CONSTANTS[constant.casefold()]
        if here and here in _SINGLE + _DOUBLE:
            text = self._quoted()
            more = self._bare_word() if not self._at_end_of_value() else None
            return text if more is None else text + more
        found = _NUMBER.match(self.text, self.at)
        word = self._bare_word()
        if word is None:
            self._unexpected()
        if found is not None and found[0] == word:
            return Written(number(word), word)
        return word

    def _at_end_of_value(self) -> bool:
        return self.here in ("", "|", ";", ",", ")") or self.here.isspace()

    def _array(self, depth: int) -> list[Any]:
        if not self.text.startswith("@(", self.at) or depth >= _MAX_DEPTH:
            self._refuse(2)
        self.at += 2
        items: list[Any] = []
        while True:
            self._skip_separators()
            if not self.here:
                raise parse_error(
                    "Missing closing ')' in expression.",
                    "MissingEndParenthesisInExpression",
                    incomplete=True,
                )
            if self.here == ")":
                self.at += 1
                return items
            literal = self.here in _SINGLE + _DOUBLE + "$@" or self._at_number()
            if not literal:
                self._refuse()
            value = self._list(depth + 1)
            items.extend(value) if isinstance(value, list) else items.append(value)

    # -- words and strings

    def _bare_word(self) -> str | None:
        """Text without quotes, or with quoted parts inside; None where none begins."""
        parts: list[str] = []
        while True:
            found = self._take(_BARE)
            if found is not None:
                parts.append(_without_backticks(found))
            elif self.here and self.here in _SINGLE + _DOUBLE and parts:
                parts.append(self._quoted())
            elif self.here in ("$", "(", "{", "}", "<", ">", "&"):
                self._refuse()
            elif self.here == "`":
                if self.at + 1 < len(self.text):
                    if parts and self.text[self.at + 1] in "\r\n":
                        return "".join(parts)
                    self._refuse()
                raise parse_error("Incomplete string token.", "IncompleteString", incomplete=True)
            else:
                return "".join(parts) if parts else None

    def _quoted(self) -> str:
        marks = _SINGLE if self.here in _SINGLE else _DOUBLE
        opened = self.here
        self.at += 1
        parts: list[str] = []
        stop = re.compile(f"[{marks}`$]" if marks is _DOUBLE else f"[{marks}]")
        while True:
            found = stop.search(self.text, self.at)
            if found is None:
                raise parse_error(
                    f"The string is missing the terminator: {opened}.",
                    "TerminatorExpectedAtEndOfString",
                    incomplete=True,
                )
            parts.append(self.text[self.at : found.start()])
            self.at = found.end()
            following = self.here
            if found[0] in marks:
                if not following or following not in marks:
                    return "".join(parts)
                parts.append(found[0])
                self.at += 1
            elif found[0] == "$":
                if following and (following.isalpha() or following in "_({?^$:"):
                    self.at -= 1
                    self._refuse()
                parts.append("$")
            elif following:
                parts.append(_ESCAPES.get(following, following))
                self.at += 1


def _without_backticks(text: str) -> str:
    if "`" not in text:
        return text
    return re.sub(r"`(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def bare(value: Any) -> Any:
    """A parsed value without the spelling of its numbers."""
    if isinstance(value, Written):
        return value.value
    return [bare(item) for item in value] if isinstance(value, list) else value


def is_incomplete(error: CommandError) -> bool:
    """Whether more lines may help."""
    return error.exception_type.endswith("IncompleteParseException")
