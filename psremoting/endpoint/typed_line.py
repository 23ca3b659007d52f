"""Analysis of an incomplete line: commands, words, and the word at the cursor.

The line may be incomplete or wrong anywhere; what cannot be understood is skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from psremoting.powershell.lexer import DASHES, QUOTES, SINGLE
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.strings import StringParser
from psremoting.powershell.syntax import ExpandableString, StringConstant, SubExpression

__all__ = ["TypedCommand", "Word", "read_line"]

_SEPARATORS = re.compile(r"\|\|?|&&|[;\r\n]")
_ENDS_WORD = re.compile(r"[\s(),;&|{}]|\Z")


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


class _Line(StringParser):
    def __init__(self, text: str, cursor: int) -> None:
        super().__init__(text)
        self.cursor = cursor
        self.current = TypedCommand()
        self.around: list[TypedCommand] = []
        self.found: tuple[TypedCommand, Word] | None = None

    def read(self) -> tuple[TypedCommand, Word] | None:
        while self.at < len(self.text):
            if self.at >= self.cursor:
                self._empty_word()
            begin = self.at
            if self._comment():
                if begin < self.cursor <= self.at and self.found is None:
                    return None
            elif self.skip_blank():
                # Stop at the cursor, which may be in the middle of the space.
                if begin < self.cursor < self.at:
                    self.at = self.cursor
            elif not self._mark():
                self._word()
        self._empty_word()
        return self.found

    def sub_expression(self) -> SubExpression:
        """Move past ``$(...)`` in a string, without reading it."""
        begin = self.at
        self.at += 2
        self.skip_block(")")
        self.at += 1
        return SubExpression((), start=begin, end=self.at)

    def _comment(self) -> bool:
        try:
            return self.skip_comment()
        except ParseError:
            self.at = len(self.text)
            return True

    def _empty_word(self) -> None:
        if self.found is None:
            word = Word(self.cursor)
            self.found = self.current, word
            self.current.add(word)

    def _mark(self) -> bool:
        """Move past one token that is not a word; return False before a word."""
        here = self.here
        if self.take(_SEPARATORS):
            if not (here in "\r\n" and self.current.comma):
                self.current = TypedCommand()
        elif redirection := self.redirection():
            self.current.to_file = redirection["target"] is None
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
        begin = self.at
        if self.current.name is None or self.current.to_file:
            return None
        found = self.parameter()
        if found is None:
            # A dash alone is the beginning of a parameter.
            dash = self.here in DASHES and self.word_ends(begin + 1)
            return Word(begin, self.here, parameter=True) if dash else None
        if not found["colon"] and not self.word_ends():
            self.at = begin
            return None
        text = self.text[begin : self.at]
        return Word(begin, text, found["name"], parameter=True, colon=bool(found["colon"]))

    def _plain(self) -> Word:
        start, end = self.at, len(self.text)
        quote = self.here if self.here in QUOTES else ""
        try:
            value = self._value(quote)
            end = self.at
        except ParseError as error:
            ending = _ENDS_WORD.search(self.text, start + 1)
            if ending is not None and not error.incomplete and error.offset <= ending.start():
                end = ending.start()
                value = self.text[start:end]
            else:
                value = _completed(self.text[start:], quote)
        return Word(start, self.text[start:end], value, quote)

    def _value(self, quote: str) -> str:
        """Return the text of the string or the word that is next; nothing in it is expanded."""
        if not quote:
            read = self.word(command=True)
        elif quote in SINGLE:
            return self.single_quoted()
        else:
            read = self.double_quoted()
        match read:
            case StringConstant(value):
                return value
            case ExpandableString(parts):
                shown = (p if isinstance(p, str) else self.text[p.start : p.end] for p in parts)
                return "".join(shown)
        return self.text[read.start : read.end]


def _completed(text: str, quote: str) -> str:
    """Return the value of an open string or word, as if it were complete."""
    for end in (quote, "`" + quote, "'", '"'):
        try:
            return _Line(text.removesuffix("`") + end, 0)._value(quote)
        except ParseError:
            continue
    return text.lstrip(quote)
