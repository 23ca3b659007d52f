"""The command line of an endpoint without language: commands, arguments, literals, pipes.

    Get-Thing -Name 'a b' -Limit:5 x,y,@(1, 2) @{ Size = 3 } 2>&1 | Select-Object -First 3; Get-Date

A real no-language runspace takes no script text at all; clients parse such a line themselves and
send commands. Ours takes the text as well, as far as it can be meant in only one way without a
language: no variables but $true, $false and $null, nothing that has to be computed or called, no
blocks, no files. The rest is refused with PowerShell's error for it. See
spec-notes/restricted-language.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from psremoting.endpoint.error_records import parse_error
from psremoting.endpoint.statements import INPUT, Literal, Place, Statement
from psremoting.endpoint.values import BREAKS, SPACE, Reader
from psremoting.powershell.text import to_text
from psrp.clixml import PSObject
from psrp.commands import Command, Parameter, PipelineResultTypes

__all__ = ["parse"]

_KEYWORD_TEXT = """
    begin break catch class clean configuration continue data define do dynamicparam else
    elseif end enum exit filter finally for foreach from function hidden if in inlinescript
    parallel param process return sequence static switch throw trap try until using var while
    workflow
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_PARAMETER = re.compile(r"[-\u2013-\u2015]([A-Za-z_?][^\s|;,&<>(){}'\"`$:.]*)(:?)")
_CALCULATION = re.compile(r"[+-]?[0-9][0-9.]*[-+*/%]|[+-]?[0-9]+\.\.")
_PIPED = re.compile(r"\$input(?![\w:.\[])", re.IGNORECASE)
_MERGE = re.compile(r"([2-6*])>&1(?!\w)")
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
    """The statements of a script text; none for an empty one. Raises CommandError.

    An error whose reason is IncompleteParseException means that more lines may make it whole.
    """
    return _Parser(text).statements()


class _Parser(Reader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._line_number = 1
        self._counted = 0

    def _place(self, start: int, end: int, spans: Iterable[tuple[int, int]] = ()) -> Place:
        """Places are made in the order of the text, so that each line is counted once."""
        self._line_number += self.text.count("\n", self._counted, start)
        self._counted = start
        return Place(self.text, start, end, self._line_number, tuple(spans))

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while True:
            self.skip_separators()
            if not self.here:
                return tuple(found)
            found.append(self._pipeline())

    def _pipeline(self) -> Statement:
        parts: list[Command | Literal] = []
        places: list[Place] = []
        while True:
            if self.here == "|":
                raise parse_error("An empty pipe element is not allowed.", "EmptyPipeElement")
            part, place = self._literal() if self.at_expression() else self._command()
            if parts and isinstance(part, Literal):
                raise parse_error(
                    "Expressions are only allowed as the first element of a pipeline.",
                    "ExpressionsMustBeFirstInPipeline",
                )
            parts.append(part)
            places.append(place)
            self.skip(SPACE)
            if self.ends and self.here != "|":
                return Statement(tuple(parts), tuple(places))
            if self.here != "|" or self.text.startswith("||", self.at):
                self.unexpected()
            self.at += 1
            self.skip(BREAKS)
            if not self.here:
                raise parse_error(
                    "An empty pipe element is not allowed.", "EmptyPipeElement", incomplete=True
                )

    # -- literals

    def _literal(self) -> tuple[Literal, Place]:
        start = self.at
        value = INPUT if self.take(_PIPED) else self.expression()
        place = self._place(start, self.at)
        self.skip(SPACE)
        if not self.ends:
            self.unexpected()
        return Literal(value), place

    # -- commands

    def _command(self) -> tuple[Command, Place]:
        start = self.at
        name = self._name()
        parameters: list[Parameter] = []
        spans: list[tuple[int, int]] = []
        merges: dict[str, Any] = {}
        end = self.at
        while True:
            self.skip(SPACE)
            if self.ends:
                break
            begin = self.at
            merge = self.take(_MERGE)
            if merge is None:
                parameters.append(self._parameter())
                spans.append((begin, self.at))
            else:
                merges |= dict.fromkeys(_MERGED[merge[1]], PipelineResultTypes.OUTPUT)
            end = self.at
        made = Command(name, parameters=tuple(parameters), **merges)
        return made, self._place(start, end, spans)

    def _name(self) -> str:
        if self.here == "&" and not self.text.startswith("&&", self.at):
            self.at += 1
            self.skip(SPACE)
            if self.ends or self.here in "({$@":
                self.refuse()
            called = self.argument()
            name = to_text(called) if isinstance(called, PSObject) else called
            if not isinstance(name, str) or not name.strip():
                self.refuse()
            return name
        if _CALCULATION.match(self.text, self.at):
            self.refuse()
        word = self.word()
        if word is None:
            self.unexpected()
        if word.casefold() in _KEYWORDS or word[0] in "-.!%?[":
            self.refuse()
        return word

    def _parameter(self) -> Parameter:
        named = self.take(_PARAMETER)
        if named is None:
            if self.here == ",":
                raise _missing_argument()
            return Parameter(None, self.argument())
        if not named[2]:
            return Parameter(f"-{named[1]}")
        self.skip(SPACE)
        if self.ends:
            raise _missing_argument()
        return Parameter(named[1], self.argument())


def _missing_argument() -> Exception:
    return parse_error("Missing argument in parameter list.", "MissingArgument")
