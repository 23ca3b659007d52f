"""A typed line as commands, when it is simple enough, so that endpoints without language take it.

PowerShell's client parses the line with its own parser and sends commands where it can: a
pipeline or several, each of named commands with constant arguments. This reads the plain part
of that; whatever might mean more (a variable, an expression, a block, a redirection, a number
in another form) goes as the text of a script, which only a full-language endpoint runs.
``ScriptBlockToPowerShell.cs``; spec-notes/interactive.md
"""

from __future__ import annotations

import re
from typing import Any

from psrp.clixml import List
from psrp.commands import Command, Parameter

__all__ = ["Statement", "simple_statements"]

Statement = tuple[Command, ...]

_KEYWORDS = (
    "assembly base begin break catch class clean command configuration continue data "
    "define do dynamicparam else elseif end enum exit filter finally for foreach from "
    "function hidden if in inlinescript interface module namespace parallel param private "
    "process public return sequence static switch throw trap try type until using var "
    "while workflow "
)
"""Words that begin a statement and so are no names of commands."""
_ARRAY = ("System.Object[]", "System.Array", "System.Object")
_SPACE = re.compile(r"[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:[.\\][A-Za-z0-9_-]+)*(?=[ \t;|\r\n]|$)")
_PARAMETER = re.compile(r"(-[A-Za-z_?][A-Za-z0-9_?-]*)(?:(:)(?=[^ \t;|\r\n])|(?=[ \t;|\r\n]|$))")
_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,8})(?=[ \t,;|\r\n]|$)")
_WORD = re.compile(r"[A-Za-z_/\\*~][A-Za-z0-9_./\\:*?=+%~^!-]*(?=[ \t,;|\r\n]|$)")
_DOTS = re.compile(r"\.{1,2}(?:[/\\][A-Za-z0-9_./\\:*?=+%~^!-]*)?(?=[ \t,;|\r\n]|$)")
_SINGLE = re.compile(r"'((?:[^'\u2018-\u201b]|'')*)'(?=[ \t,;|\r\n]|$)")
_DOUBLE = re.compile('"((?:[^"`$\u201c-\u201e]|"")*)"(?=[ \\t,;|\\r\\n]|$)')
_CONSTANT = re.compile(r"\$(true|false|null)(?=[ \t,;|\r\n]|$)", re.IGNORECASE)
_CONSTANTS = {"true": True, "false": False, "null": None}
_BREAKS = re.compile(r"[ \t\r\n;]*")


class _NotSimple(Exception):
    """It has to go as a script."""


def simple_statements(line: str) -> tuple[Statement, ...] | None:
    """The statements of ``line``, or None when it has to be sent as a script."""
    try:
        return _Line(line).statements()
    except _NotSimple:
        return None


class _Line:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    @property
    def _here(self) -> str:
        return self._text[self._at : self._at + 1]

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        self._take(_BREAKS)
        while self._here:
            found.append(self._pipeline())
            if self._here not in ("", ";", "\r", "\n"):
                raise _NotSimple
            self._take(_BREAKS)
        if not found:
            raise _NotSimple
        return tuple(found)

    def _pipeline(self) -> Statement:
        commands = [self._command()]
        while self._here == "|":
            self._at += 1
            self._take(_SPACE)
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Command:
        name = self._take(_NAME)
        if name is None or f" {name[0].casefold()} " in f" {_KEYWORDS}":
            raise _NotSimple
        parameters: list[Parameter] = []
        while True:
            before = self._at
            self._take(_SPACE)
            if self._here in ("", "|", ";", "\r", "\n"):
                return Command(name[0], parameters=tuple(parameters))
            if self._at == before:
                raise _NotSimple
            parameters.append(self._element())

    def _element(self) -> Parameter:
        found = self._take(_PARAMETER)
        if found is None:
            return Parameter(None, self._values())
        if found[2] is None:
            return Parameter(found[1])
        return Parameter(f"{found[1]}:", self._values())

    def _values(self) -> Any:
        values = [self._value()]
        while True:
            before = self._at
            self._take(_SPACE)
            if self._here != ",":
                self._at = before
                break
            self._at += 1
            self._take(_SPACE)
            values.append(self._value())
        return values[0] if len(values) == 1 else List(values, _ARRAY)

    def _value(self) -> Any:
        if found := self._take(_NUMBER):
            return int(found[0])
        if found := self._take(_SINGLE):
            return found[1].replace("''", "'")
        if found := self._take(_DOUBLE):
            return found[1].replace('""', '"')
        if found := self._take(_CONSTANT):
            return _CONSTANTS[found[1].casefold()]
        if found := self._take(_WORD) or self._take(_DOTS):
            return found[0]
        raise _NotSimple
