"""Strings and words with values in them."""

from __future__ import annotations

import re

from psremoting.powershell import syntax as s
from psremoting.powershell.lexer import DOUBLE, SINGLE, Lexer
from psremoting.powershell.literals import escape
from psremoting.powershell.parse_errors import ParseError, unterminated

__all__ = ["StringParser"]

_STRING_PIECE = re.compile(rf"[^{DOUBLE}`$]+")
_HERE_PIECE = re.compile(
    rf"(?:[^`$\r\n{DOUBLE}]|\r?\n(?![{DOUBLE}]@)|\r|(?<!\n)[{DOUBLE}]|[{DOUBLE}](?!@))+"
)
_HERE_END = re.compile(rf"(?:\r?\n|(?<=\n))[{DOUBLE}]@")


class StringParser(Lexer):
    """The part of the parser that reads strings. All methods raise ParseError."""

    def sub_expression(self) -> s.SubExpression:
        """Parse the ``$(...)`` that is next."""
        raise NotImplementedError

    def double_quoted(self) -> s.Expression:
        begin = self.at
        parts: list[str | s.Expression] = []
        self._quoted_parts(parts)
        return _string(parts, '"', begin, self.at)

    def _quoted_parts(self, parts: list[str | s.Expression]) -> None:
        """Add the parts of the next double-quoted string."""
        begin = self.at
        self.at += 1
        while True:
            piece = self.take(_STRING_PIECE)
            if piece is not None:
                parts.append(piece[0])
            here = self.here
            if not here:
                raise unterminated('"', begin)
            if here in DOUBLE:
                self.at += 1
                if not self.here or self.here not in DOUBLE:
                    return
                parts.append(self.here)
                self.at += 1
            else:
                self._expansion(parts)

    def read_here_string(self, quote: str, begin: int, body: int) -> s.Expression:
        if quote == "'":
            self.at -= 1
            end = self.here_end(quote, begin)
            text = self.text[body : max(body, end.start())]
            self.at = end.end()
            return s.StringConstant(text, "@'", start=begin, end=self.at)
        parts: list[str | s.Expression] = []
        while True:
            end_mark = self.take(_HERE_END)
            if end_mark is not None:
                return _string(parts, '@"', begin, self.at)
            piece = self.take(_HERE_PIECE)
            if piece is not None:
                parts.append(piece[0])
            elif not self.here:
                raise unterminated('"@', begin)
            else:
                self._expansion(parts)

    def _expansion(self, parts: list[str | s.Expression]) -> None:
        """Add the meaning of the next backtick or dollar sign."""
        if self.here == "`":
            if self.at + 1 >= len(self.text):
                self.at += 1
                parts.append("`")
                return
            text, self.at = escape(self.text, self.at + 1)
            parts.append(text)
        elif self.starts("$("):
            begin = self.at
            try:
                parts.append(self.sub_expression())
            except ParseError as error:
                if not error.incomplete:
                    raise
                raise ParseError(
                    "$(subexpression) is missing the closing ')'.",
                    "IncompleteDollarSubexpressionReference",
                    offset=begin + 1,
                    incomplete=True,
                ) from None
        elif self.at_variable():
            begin = self.at
            name = self.variable_name()
            parts.append(s.Variable(name, start=begin, end=self.at))
        else:
            self.at += 1
            parts.append("$")

    def word(self, *, command: bool = False) -> s.Expression:
        """Parse a bare word, which may have quoted parts. The name of a command is not expanded."""
        begin = self.at
        parts: list[str | s.Expression] = []
        while True:
            piece = self.word_piece()
            if piece:
                parts.append(piece)
            here = self.here
            if not here or self.word_ends():
                break
            if here in SINGLE:
                parts.append(self.single_quoted())
            elif here in DOUBLE:
                self._quoted_parts(parts)
            elif here == "`" and self.at == begin and self.at + 1 >= len(self.text):
                raise ParseError(
                    "Incomplete string token.",
                    "IncompleteString",
                    offset=len(self.text),
                    incomplete=True,
                )
            else:
                self._expansion(parts)
        if not parts:
            raise self.unexpected()
        if command:
            shown = (p if isinstance(p, str) else self.text[p.start : p.end] for p in parts)
            return s.StringConstant("".join(shown), start=begin, end=self.at)
        return _string(parts, "", begin, self.at)


def _string(parts: list[str | s.Expression], quote: str, start: int, end: int) -> s.Expression:
    """Parse a constant string, or one with the adjacent texts of ``parts`` joined."""
    joined: list[str | s.Expression] = []
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts:
            joined.append("".join(texts))
            texts = []
        joined.append(part)
    if not joined:
        return s.StringConstant("".join(texts), quote, start=start, end=end)
    if texts:
        joined.append("".join(texts))
    return s.ExpandableString(tuple(joined), quote, start=start, end=end)
