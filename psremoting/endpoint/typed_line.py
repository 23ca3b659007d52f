"""Analysis of an incomplete line: commands, words, and the word at the cursor.

The line may be incomplete or wrong anywhere; what cannot be understood is skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from psremoting.powershell.lexer import DOUBLE, SINGLE

__all__ = ["TypedCommand", "Word", "read_line"]

_SPACE = re.compile(r"(?:[^\S\r\n]|`\r?\n)+")
_COMMENT = re.compile(r"#[^\r\n]*|<#(?:[^#]|#(?!>))*(?:#>|\Z)")
_PARAMETER = re.compile(r"[-\u2013-\u2015](?:([A-Za-z_?][^\s|;,&<>(){}'\"`$:.]*)(:?))?(?![^\s|;])")
_WITH_VALUE = re.compile(r"[-\u2013-\u2015]([A-Za-z_?][^\s|;,&<>(){}'\"`$:.]*)(:)")
_REDIRECTION = re.compile(r"[<>]+(&\d?)?")
_SEPARATORS = re.compile(r"\|\|?|&&|[;\r\n]")
_STOPS = frozenset("|;&(){},<>")


@dataclass(slots=True)
class Word:
    """One word; ``value`` is its text without quotes, or a parameter's name."""

    start: int
    text: str = ""
    value: str = ""
    quote: str = ""
    """Its opening quote, if it has one."""
    parameter: bool = False
    colon: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(slots=True)
class TypedCommand:
    name: Word | None = None
    called: bool = False
    """True if it begins with ``&``, so that a quoted text is also a command name."""
    arguments: list[list[Word]] = field(default_factory=list)
    """A parameter's name alone, or the words of a value, which may be several with commas."""
    comma: bool = False
    """True if the next word belongs to the last value."""
    to_file: bool = False
    """True if the next word is a file name."""

    def add(self, word: Word) -> None:
        if self.to_file:
            self.to_file = False
        elif self.name is None:
            self.name = word
        elif self.comma and self.arguments and not word.parameter:
            self.arguments[-1].append(word)
        else:
            self.arguments.append([word])
        self.comma = False


def read_line(text: str, cursor: int) -> tuple[TypedCommand, Word] | None:
    """Return the command and the word (or an empty one) at ``cursor``; None in a comment.

    A cursor directly after a word is at the word.
    """
    return _Line(text, cursor).read()


class _Line:
    def __init__(self, text: str, cursor: int) -> None:
        self.text = text
        self.cursor = cursor
        self.at = 0
        self.current = TypedCommand()
        self.around: list[TypedCommand] = []
        self.found: tuple[TypedCommand, Word] | None = None

    def read(self) -> tuple[TypedCommand, Word] | None:
        while self.at < len(self.text):
            if self.at >= self.cursor:
                self._empty_word()
            comment = _COMMENT.match(self.text, self.at)
            if comment is not None:
                if self.at < self.cursor <= comment.end() and self.found is None:
                    return None
                self.at = comment.end()
            elif not self._mark():
                self._word()
        self._empty_word()
        return self.found

    def _empty_word(self) -> None:
        if self.found is None:
            word = Word(self.cursor)
            self.found = self.current, word
            self.current.add(word)

    def _mark(self) -> bool:
        """Skip everything that is not a word."""
        if space := _SPACE.match(self.text, self.at):
            # Stop at the cursor, which may be in the middle of the space.
            stop = space.end()
            self.at = self.cursor if self.at < self.cursor < stop else stop
            return True
        here = self.text[self.at]
        if separator := _SEPARATORS.match(self.text, self.at):
            if not (here in "\r\n" and self.current.comma):
                self.current = TypedCommand()
            self.at = separator.end()
        elif redirection := _REDIRECTION.match(self.text, self.at):
            self.current.to_file = redirection[1] is None
            self.at = redirection.end()
        elif here in "({" or (here in "@$" and self.text[self.at + 1 : self.at + 2] in ("(", "{")):
            self.at += 1 if here in "({" else 2
            self.around.append(self.current)
            self.current = TypedCommand()
        elif here in ")}":
            self.at += 1
            if self.around:
                self.current = self.around.pop()
                self.current.add(Word(self.at - 1, here))
        elif here == ",":
            self.at += 1
            self.current.comma = True
        elif here == "&":
            self.at += 1
            if self.current.name is not None:
                self.current = TypedCommand()
            self.current.called = True
        else:
            return False
        return True

    def _word(self) -> None:
        word = self._parameter() or self._plain()
        self.at = word.end
        at_it = word.start < self.cursor <= word.end and self.found is None
        at_its_value = at_it and word.colon and self.cursor == word.end
        if at_it and not at_its_value:
            self.found = self.current, word
        self.current.add(word)
        if at_its_value:
            self._empty_word()

    def _parameter(self) -> Word | None:
        found = _PARAMETER.match(self.text, self.at) or _WITH_VALUE.match(self.text, self.at)
        if found is None or self.current.name is None or self.current.to_file:
            return None
        return Word(self.at, found[0], found[1] or "", parameter=True, colon=bool(found[2]))

    def _plain(self) -> Word:
        start = self.at
        end = self._end_of_piece(start)
        quote = self.text[start] if self.text[start] in SINGLE + DOUBLE else ""
        if not quote:
            while end < len(self.text) and not self._stops(end):
                end = self._end_of_piece(end)
        text = self.text[start:end]
        return Word(start, text, _meant(text, quote), quote)

    def _stops(self, at: int) -> bool:
        return self.text[at] in _STOPS or self.text[at].isspace()

    def _end_of_piece(self, at: int) -> int:
        """Return the end of one character, an escaped one, or a quoted text."""
        here = self.text[at]
        if here == "`":
            return min(at + 2, len(self.text))
        marks = SINGLE if here in SINGLE else DOUBLE if here in DOUBLE else ""
        at += 1
        while marks and at < len(self.text):
            here = self.text[at]
            if here == "`" and marks is DOUBLE:
                at += 2
            elif here not in marks:
                at += 1
            elif self.text[at + 1 : at + 2] and self.text[at + 1] in marks:
                at += 2
            else:
                return at + 1
        return min(at, len(self.text))


def _meant(text: str, quote: str) -> str:
    if not quote:
        return re.sub("`(.)", r"\1", text)
    marks = SINGLE if quote in SINGLE else DOUBLE
    inner = text[1:-1] if len(text) > 1 and text[-1] in marks else text[1:]
    inner = re.sub(f"([{marks}])[{marks}]", r"\1", inner)
    return inner if marks is SINGLE else re.sub("`(.)", r"\1", inner)
