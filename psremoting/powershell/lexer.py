"""The tokens of PowerShell: white space, comments, words, variables, strings, numbers.

The meaning of a character depends on its place: after a command, ``5-3`` and ``[int]`` are words;
at the beginning of an expression they are not. So a lexer has a position, and the parser asks it
for the token that may follow there.
"""

from __future__ import annotations

import re

from psremoting.powershell.literals import DASH, DASHES, NUMBER, number_value
from psremoting.powershell.parse_errors import ParseError, missing_brace, unterminated
from psremoting.powershell.syntax import NumberConstant

__all__ = ["DASH", "DASHES", "DOUBLE", "QUOTES", "SINGLE", "Lexer"]

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
QUOTES = SINGLE + DOUBLE
_BLANKS = " \t\f\v\u00a0\u0085\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ENDS = rf"{_BLANKS}\r\n\0(),;&|{{}}"
"""Characters that end a word."""
_BLANK = re.compile(rf"(?:[{_BLANKS}]+|`(?:\r?\n|[\r{_BLANKS}]))+")
_LINE_COMMENT = re.compile(rf"(?<![^{_ENDS}])#[^\r\n]*")
_SPACE = re.compile(rf"(?:{_BLANK.pattern}|{_LINE_COMMENT.pattern})+")
_HASH = re.compile(r"#[^\r\n]*")
_BREAK = re.compile(r"\r?\n|\r")
_COMMENT_END = re.compile(r"#>")
_WORD_PIECE = re.compile(rf"[^{_ENDS}{QUOTES}`$]+")
_ENDS_WORD = re.compile(rf"[{_ENDS}]|\Z")
_ENDS_NUMBER = re.compile(rf"[{_ENDS}!#%*+,./<=>\]{DASH}]|\Z")
_ENDS_TERNARY_NUMBER = re.compile(rf"[{_ENDS}!#%*+,./<=>\]{DASH}?:]|\Z")
_NAME = re.compile(r"(?:::?(?=[\w?]))?(?:[\w?]|:(?=[\w?]))+")
_VARIABLE = re.compile(r"\$(?:\{|[$^]|:{0,2}[\w?])")
_BRACED = re.compile(r"(?:[^`{}]|`.)*", re.DOTALL)
_SPECIAL = re.compile(r"[$^?]")
_PARAMETER = re.compile(
    rf"[{DASH}](?P<name>[^\W\d][^{_ENDS}.\[:{QUOTES}]*|\?[^{_ENDS}.\[:{QUOTES}]*)"
    rf"(?P<colon>:?)(?P<quote>[{QUOTES}]?)"
)
_REDIRECTION = re.compile(r"(?P<source>[1-6*])?(?:(?P<arrow>>>|>)(?P<target>&[12])?|(?P<input><))")
_HERE = re.compile(rf"@(?P<quote>[{QUOTES}])[{_BLANKS}]*")
_SINGLE_END = re.compile(rf"[{SINGLE}]")
_HERE_END = {
    SINGLE: re.compile(rf"(?:\r?\n|(?<=\n))[{SINGLE}]@"),
    DOUBLE: re.compile(rf"(?:\r?\n|(?<=\n))[{DOUBLE}]@"),
}
_CODE_MARK = re.compile(rf"`|[{QUOTES}]|@[{QUOTES}][{_BLANKS}]*\r?\n|\$\{{|<#|#|[(){{}}]")
_STRING_MARK = re.compile(rf"`|[{DOUBLE}]|\$\(")
_HERE_MARK = re.compile(rf"`|(?:\r?\n|(?<=\n))[{DOUBLE}]@|\$\(")


class Lexer:
    """A text and a position in it, ``at``. All methods raise ParseError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def here(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def starts(self, mark: str) -> bool:
        """Return True if ``mark`` is next."""
        return self.text.startswith(mark, self.at)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move past ``pattern`` if it is next."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    # -- white space

    def skip_space(self) -> None:
        """Move past blanks, comments and continued line ends, but not past a line end."""
        while True:
            self.take(_SPACE)
            if not self._skip_block_comment():
                return

    def skip_blank(self) -> bool:
        """Move past blanks and continued line ends; return True if there were some."""
        return self.take(_BLANK) is not None

    def skip_comment(self) -> bool:
        """Move past one comment; return True if there was one."""
        return self.take(_LINE_COMMENT) is not None or self._skip_block_comment()

    def _skip_block_comment(self) -> bool:
        if not self.starts("<#"):
            return False
        end = _COMMENT_END.search(self.text, self.at + 2)
        if end is None:
            raise ParseError(
                "The terminator '#>' is missing from the multiline comment.",
                "MissingTerminatorMultiLineComment",
                offset=self.at,
                incomplete=True,
            )
        self.at = end.end()
        return True

    def skip_break(self) -> bool:
        """Move past a line end, if one is next; return True if there was one."""
        return self.take(_BREAK) is not None

    def skip_lines(self, marks: str = "") -> None:
        """Move past white space, line ends and ``marks``."""
        while True:
            self.skip_space()
            if self.take(_BREAK):
                continue
            if self.here and self.here in marks:
                self.at += 1
            elif not self.take(_HASH):
                return

    def word_ends(self, at: int | None = None) -> bool:
        """Return True if a word ends before the character at ``at``."""
        return _ENDS_WORD.match(self.text, self.at if at is None else at) is not None

    # -- tokens

    def number(self, *, ends: str = "word") -> NumberConstant | None:
        """Parse a number, if one is next. ``ends`` says what may follow it: the end of a "word",
        an "operator", or also the marks of a "ternary" operator.

        Raises ParseError for one that is out of range, except where it can be a word.
        """
        found = NUMBER.match(self.text, self.at)
        follow = {"word": _ENDS_WORD, "operator": _ENDS_NUMBER}.get(ends, _ENDS_TERNARY_NUMBER)
        if found is None or follow.match(self.text, found.end()) is None:
            return None
        if ends == "word" and found["sign"]:
            return None
        value = number_value(found)
        if value is None:
            if ends == "word":
                return None
            message = f"The numeric constant {found[0]} is not valid."
            raise ParseError(message, "BadNumericConstant", offset=self.at)
        self.at = found.end()
        return NumberConstant(value, found[0], start=found.start(), end=found.end())

    def at_variable(self) -> bool:
        """Return True if the next dollar sign begins a variable."""
        return _VARIABLE.match(self.text, self.at) is not None

    def variable_name(self) -> str:
        """Return the name after the ``$`` or ``@`` that is next."""
        begin = self.at
        self.at += 1
        if self.here == "{":
            return self._braced_name(begin)
        special = self.take(_SPECIAL)
        if special is not None:
            return special[0]
        found = self.take(_NAME)
        if found is None:
            raise self.unexpected()
        if self.here == ":" and not self.starts("::"):
            raise _bad_drive(begin)
        return found[0]

    def _braced_name(self, begin: int) -> str:
        self.at += 1
        found = self.take(_BRACED)
        assert found is not None
        if self.here != "}":
            raise ParseError(
                "${variable} reference starting is missing the closing '}'.",
                "IncompleteDollarVariableReference",
                offset=begin + 1,
                incomplete=not self.here,
            )
        self.at += 1
        name = re.sub("`(.)", r"\1", found[0], flags=re.DOTALL)
        if not name:
            raise ParseError(
                "An empty ${} variable reference was found. A name is required inside the braces.",
                "EmptyVariableReference",
                offset=begin + 2,
            )
        return name

    def parameter(self) -> re.Match[str] | None:
        """Return ``-name`` or ``-name:``, if one is next: groups "name" and "colon"."""
        found = _PARAMETER.match(self.text, self.at)
        if found is None or (found["quote"] and not found["colon"]):
            return None
        self.at = found.end("colon")
        return found

    def redirection(self) -> re.Match[str] | None:
        """Parse a redirection's operator, if one is next: groups "source", "arrow", "target"."""
        return self.take(_REDIRECTION)

    def word_piece(self) -> str:
        """Return the next characters of a word that mean themselves."""
        found = self.take(_WORD_PIECE)
        return "" if found is None else found[0]

    def single_quoted(self) -> str:
        """Return the value of the single-quoted string that is next."""
        begin = self.at
        self.at += 1
        parts: list[str] = []
        while True:
            end = _SINGLE_END.search(self.text, self.at)
            if end is None:
                raise unterminated("'", begin)
            following = self.text[end.end() : end.end() + 1]
            if not following or following not in SINGLE:
                parts.append(self.text[self.at : end.start()])
                self.at = end.end()
                return "".join(parts)
            parts.append(self.text[self.at : end.start()] + following)
            self.at = end.end() + 1

    def here_string(self) -> tuple[str, int, int] | None:
        """Read the header of a here-string, if one is next; return its quote, and the offsets at
        which the body begins and ends. The position is then after the header."""
        header = self.take(_HERE)
        if header is None:
            return None
        quote = "'" if header["quote"] in SINGLE else '"'
        if not self.here:
            raise unterminated(f"{quote}@", header.start())
        if self.take(_BREAK) is None:
            raise ParseError(
                "No characters are allowed after a here-string header but before the end of the "
                "line.",
                "UnexpectedCharactersAfterHereStringHeader",
                offset=self.at,
            )
        return quote, header.start(), self.at

    def here_end(self, quote: str, begin: int) -> re.Match[str]:
        """Return the end of the here-string that begins at ``begin``, searched from here."""
        marks = SINGLE if quote == "'" else DOUBLE
        end = _HERE_END[marks].search(self.text, self.at)
        if end is None:
            raise unterminated(f"{quote}@", begin)
        return end

    # -- text that is not parsed

    def skip_block(self, closer: str) -> None:
        """Move to the ``closer`` of the bracket that was opened, or without one to the end or to
        a closing bracket too many. Strings and comments do not count; nesting costs no stack."""
        opened: list[tuple[str, int]] = [(closer, self.at)]
        while True:
            mark = opened[-1][0]
            pattern = {'"': _STRING_MARK, '"@': _HERE_MARK}.get(mark, _CODE_MARK)
            found = pattern.search(self.text, self.at)
            if found is None:
                if len(opened) == 1 and not closer:
                    self.at = len(self.text)
                    return
                raise _unclosed(*opened[-1])
            self.at = found.end()
            if pattern is _CODE_MARK:
                if self._skip_in_code(found, opened):
                    self.at = found.start()
                    return
            else:
                self._skip_in_string(found, opened)

    def _skip_in_code(self, found: re.Match[str], opened: list[tuple[str, int]]) -> bool:
        """Process a mark outside strings; return True if it closes the first open bracket."""
        mark = found[0]
        if mark in ("(", "{"):
            opened.append((")" if mark == "(" else "}", found.start()))
        elif mark in (")", "}"):
            if len(opened) == 1:
                return not opened[0][0] or mark == opened[0][0] or self._mismatch(mark, found)
            if opened.pop()[0] != mark:
                self._mismatch(mark, found)
        elif mark == "`":
            self.at += 1
        elif mark == "${":
            self.at = found.start()
            self.variable_name()
        elif mark == "<#" or (mark == "#" and self._begins_word(found.start())):
            self.at = found.start()
            self.skip_space()
            self.take(_HASH)
        elif mark[0] == "@":
            quote = "'" if mark[1] in SINGLE else '"'
            if quote == "'":
                # The line end after the header may be the one before the terminator.
                self.at = found.end() - 1
                self.at = self.here_end(quote, found.start()).end()
            else:
                self.at = found.end() - 1
                opened.append(('"@', found.start()))
        elif mark in SINGLE:
            self.at = found.start()
            self.single_quoted()
        elif mark in DOUBLE:
            opened.append(('"', found.start()))
        return False

    def _begins_word(self, at: int) -> bool:
        return at == 0 or _ENDS_WORD.match(self.text, at - 1) is not None

    def _mismatch(self, mark: str, found: re.Match[str]) -> bool:
        raise ParseError(
            f"Unexpected token '{mark}' in expression or statement.",
            "UnexpectedToken",
            offset=found.start(),
        )

    def _skip_in_string(self, found: re.Match[str], opened: list[tuple[str, int]]) -> None:
        if found[0] == "`":
            self.at += 1
        elif found[0] == "$(":
            opened.append((")", found.start()))
        else:
            doubled = opened[-1][0] == '"' and self.here and self.here in DOUBLE
            if doubled:
                self.at += 1
            else:
                opened.pop()

    # -- errors

    def unexpected(self) -> ParseError:
        """Return the error of an unexpected token."""
        found = _ANY_TOKEN.match(self.text, self.at)
        token = found[0] if found is not None else self.here
        message = f"Unexpected token '{token}' in expression or statement."
        return ParseError(message, "UnexpectedToken", offset=self.at)


_ANY_TOKEN = re.compile(rf"[{QUOTES}][^{QUOTES}\r\n]*[{QUOTES}]?|[^{_ENDS}]+|.", re.DOTALL)


def _bad_drive(begin: int) -> ParseError:
    return ParseError(
        "Variable reference is not valid. ':' was not followed by a valid variable name character. "
        "Consider using ${} to delimit the name.",
        "InvalidVariableReferenceWithDrive",
        offset=begin,
    )


def _unclosed(mark: str, begin: int) -> ParseError:
    if mark == '"':
        return unterminated('"', begin)
    if mark == '"@':
        return unterminated('"@', begin)
    if mark == ")":
        return ParseError(
            "Missing closing ')' in expression.",
            "MissingEndParenthesisInExpression",
            offset=begin,
            incomplete=True,
        )
    return missing_brace(begin)
