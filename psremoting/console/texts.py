"""The marks of the language: quotes, comments, numbers, and where a block ends."""

from __future__ import annotations

import re

from psremoting.console.error_reports import ParseError

__all__ = [
    "DASHES",
    "DOUBLE",
    "SINGLE",
    "block_end",
    "here_string",
    "number",
    "single_quoted",
    "skip_space",
    "unterminated",
]

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
DASHES = "\\-\u2013\u2014\u2015"
"""Typographic quotes and dashes mean the plain ones, as in PowerShell: people paste from pages."""

_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?=[\s;|,(){}\]]|$)")
_HERE = re.compile(rf"@([{SINGLE}{DOUBLE}])[ \t]*\r?\n")


def skip_space(text: str, at: int, *, lines: bool = False, marks: str = "") -> int:
    """The place behind blanks and comments, and with ``lines`` behind line ends and ``marks``.

    Raises ParseError for a comment that does not end.
    """
    while at < len(text):
        mark = text[at]
        if mark in " \t\u00a0" or (lines and mark in "\r\n") or (marks and mark in marks):
            at += 1
        elif mark == "`" and text[at + 1 : at + 3] == "\r\n":
            at += 3
        elif mark == "`" and text[at + 1 : at + 2] == "\n":
            at += 2
        elif text.startswith("<#", at):
            end = text.find("#>", at + 2)
            if end < 0:
                raise ParseError(
                    "The terminator '#>' is missing from the multiline comment.",
                    "MissingTerminatorMultiLineComment",
                    at=at,
                    incomplete=True,
                )
            at = end + 2
        elif mark == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            break
    if text[at:] == "`":
        raise ParseError("The line goes on.", "IncompleteLine", at=at, incomplete=True)
    return at


def number(text: str, at: int) -> str | None:
    """The number that is written there, if one is."""
    found = _NUMBER.match(text, at)
    return None if found is None else found[0]


def single_quoted(text: str, at: int) -> tuple[str, int]:
    """The text between single quotes, where two stand for one; and the place behind it."""
    begin = at + 1
    parts = []
    while True:
        end = next((i for i in range(begin, len(text)) if text[i] in SINGLE), -1)
        if end < 0:
            raise unterminated("'", at)
        parts.append(text[begin:end])
        if text[end + 1 : end + 2] not in tuple(SINGLE):
            return "".join(parts), end + 1
        parts.append("'")
        begin = end + 2


def here_string(text: str, at: int) -> tuple[str, str, int] | None:
    """Body, quote and the place behind a text that begins with @' or @" and a line end."""
    begin = _HERE.match(text, at)
    if begin is None:
        return None
    quotes = SINGLE if begin[1] in SINGLE else DOUBLE
    end = re.compile(rf"(?:\r?\n|(?<=\n))[{quotes}]@").search(text, begin.end())
    if end is None:
        raise unterminated(f"{quotes[0]}@", at)
    return text[begin.end() : end.start()], begin[1], end.end()


def block_end(text: str, at: int, marks: str = "{}") -> int:
    """Where the brace closes that opens at ``at``; those in texts and comments do not count."""
    depth = 0
    begin = at
    while at < len(text):
        mark = text[at]
        if mark == "`":
            at += 2
            continue
        here = here_string(text, at)
        if here is not None:
            at = here[2]
            continue
        if mark in SINGLE:
            at = single_quoted(text, at)[1]
            continue
        if mark in DOUBLE:
            at = _double_end(text, at)
            continue
        if text.startswith("<#", at) or (mark == "#" and text[at - 1] in " \t\r\n;{}()|"):
            at = skip_space(text, at)
            continue
        if mark == marks[0]:
            depth += 1
        elif mark == marks[1]:
            depth -= 1
            if depth == 0:
                return at
        at += 1
    where = "in statement block or type definition" if marks == "{}" else "in subexpression"
    raise ParseError(
        f"Missing closing '{marks[1]}' {where}.",
        "MissingEndCurlyBrace" if marks == "{}" else "MissingEndParenthesisInSubexpression",
        at=begin,
        incomplete=True,
    )


def _double_end(text: str, at: int) -> int:
    """Behind the double quote that ends a text; it may hold ``$(...)`` with quotes inside."""
    begin = at
    at += 1
    while at < len(text):
        if text[at] == "`":
            at += 2
        elif text.startswith("$(", at):
            at = block_end(text, at + 1, "()") + 1
        elif text[at] in DOUBLE:
            return at + 1
        else:
            at += 1
    raise unterminated('"', begin)


def unterminated(end: str, at: int) -> ParseError:
    """A text that begins at ``at`` and lacks its ``end``."""
    return ParseError(
        f"The string is missing the terminator: {end}.",
        "TerminatorExpectedAtEndOfString",
        at=at,
        incomplete=True,
    )
