"""Completion from the descriptions of a session's commands, where TabExpansion2 gives none.

An endpoint without language may hide TabExpansion2, and where it is visible it fails for names of
commands, because it looks for files as well.
spec-notes/constrained-endpoints.md#completion-without-language
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from psremoting.client.command_descriptions import (
    COMMON,
    CommandDescription,
    ParameterDescription,
)

__all__ = ["candidates"]

_WORD = re.compile(r"(?P<quote>['\"]?)(?P<text>[^\s|;(){}=,'\"]*)\Z")
_COMMAND = re.compile(r"(?:^|[|;({=\n&])\s*(?P<name>[^\s|;(){}=,'\"&]+)\s(?P<rest>[^|;({}=\n]*)\Z")
_START = re.compile(r"(?:^|[|;({=\n&])\s*\Z")
_NAMED = re.compile(r"(?:^|\s)-([A-Za-z]\w*)(?::\s*|\s+)(?:[^\s,]+\s*,\s*)*\Z")
_WITH_VALUE = re.compile(r"-[A-Za-z]\w*:")
_PLAIN = re.compile(r"[\w./\\:-]+")
_ABOUT_COMMANDS = frozenset({"get-command", "get-help"})


def candidates(
    commands: Sequence[CommandDescription], before: str
) -> tuple[int, list[tuple[str, str]]]:
    """Return the length of the word at the end of ``before``, in characters, and its completions,
    each with a text about it."""
    found = _WORD.search(before)
    assert found is not None
    start = found.start()
    joined = _WITH_VALUE.match(before, start)
    if joined is not None:
        start = joined.end()
    word, lead = before[start:].lstrip("'\""), before[:start]
    made = [
        (_quoted(text, found["quote"]), about)
        for text, about in _fitting(commands, lead, word)
        if text.casefold().startswith(word.casefold())
    ]
    return len(before) - start, made


def _fitting(
    commands: Sequence[CommandDescription], lead: str, word: str
) -> Iterable[tuple[str, str]]:
    if _START.search(lead):
        return _names(commands)
    called = _COMMAND.search(lead)
    if called is None:
        return ()
    folded = called["name"].casefold()
    command = next((each for each in commands if each.name.casefold() == folded), None)
    if command is None:
        return ()
    if word.startswith("-"):
        return _parameters(command)
    named = _NAMED.search(called["rest"])
    parameter = _parameter(command, named[1]) if named else None
    if parameter is None or parameter.switch:
        if folded in _ABOUT_COMMANDS:
            return _names(commands)
        free = [each for each in command.parameters if each.position is not None]
        parameter = free[0] if free and not called["rest"].strip() else None
    elif folded in _ABOUT_COMMANDS and parameter.name.casefold() == "name":
        return _names(commands)
    return () if parameter is None else ((value, value) for value in parameter.values)


def _names(commands: Sequence[CommandDescription]) -> list[tuple[str, str]]:
    return [
        (each.name, each.syntax.partition("\n")[0] or each.name)
        for each in sorted(commands, key=lambda each: each.name.casefold())
    ]


def _parameters(command: CommandDescription) -> Iterator[tuple[str, str]]:
    for each in command.parameters:
        yield f"-{each.name}", f"[{each.type.removeprefix('System.')}] {each.name}"
    if command.parameters:
        for name in COMMON[:-2]:
            yield f"-{name}", name


def _parameter(command: CommandDescription, typed: str) -> ParameterDescription | None:
    folded = typed.casefold()
    found = [each for each in command.parameters if each.name.casefold().startswith(folded)]
    exact = [each for each in found if each.name.casefold() == folded]
    return exact[0] if exact else found[0] if len(found) == 1 else None


def _quoted(text: str, quote: str) -> str:
    if not quote and _PLAIN.fullmatch(text):
        return text
    quote = quote or "'"
    inside = text.replace("'", "''") if quote == "'" else text.replace('"', '""')
    return f"{quote}{inside}{quote}"
