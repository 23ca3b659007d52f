"""Values as they are written on a command line: texts, numbers, arrays, tables, constants.

What stands here needs no language: nothing is looked up, called or computed. PowerShell's
client makes the same values of a line before it sends the line as commands (``SafeValues.cs``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from psremoting.endpoint.error_records import parse_error
from psremoting.powershell.numbers import parse_number as number
from psremoting.powershell.text import to_text
from psrp.clixml import Byte, Dictionary, Int16, Int64, PSObject, SByte, UInt16, UInt32, UInt64
from psrp.properties import unwrap
from psrp.sansio import LocalProtocolError

__all__ = ["BREAKS", "DOUBLE", "SINGLE", "SPACE", "Reader", "bare"]

_NOT_SUPPORTED = (
    "The syntax is not supported by this runspace. This can occur if the runspace is in "
    "no-language mode."
)
SPACE = re.compile(
    r"(?:[ \t\f\v\u00a0\u0085]|`\r?\n|(?<![^\s;|,(){}])#[^\r\n]*|<#(?:[^#]|#(?!>))*#>)+"
)
BREAKS = re.compile(r"(?:\s|`\r?\n|#[^\r\n]*|<#(?:[^#]|#(?!>))*#>)+")
_BARE = re.compile(r"(?:[^\s|;,&<>(){}'\"`$]|`[^\r\n]|\$(?![A-Za-z_({?^$:]))+")
_NUMBER = re.compile(
    r"[+-]?(?:0x[0-9a-f]+|0b[01]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)"
    r"(?P<kind>u?[lsy]|[und])?(?P<factor>[kmgtp]b)?",
    re.IGNORECASE,
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_CONSTANT = re.compile(r"\$(?:\{(true|false|null)\}|(true|false|null)(?![\w:]))", re.IGNORECASE)
_KEY = re.compile(r"[^\W\d][\w-]*")
_UNICODE = re.compile(r"u\{([0-9a-f]{1,6})\}", re.IGNORECASE)
_HERE = re.compile("@(['\"\u2018-\u201b\u201c-\u201e])[ \t]*")
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f"} | {
    "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
_QUOTES = SINGLE + DOUBLE
_MAX_DEPTH = 32
_KINDS: dict[str, Callable[[Any], Any]] = {
    "l": Int64, "s": Int16, "y": SByte, "ul": UInt64, "us": UInt16, "uy": Byte,
    "u": lambda value: UInt32(value) if value < 2**32 else UInt64(value), "n": int, "d": Decimal,
}  # fmt: skip


class Reader:
    """Where in a text the reading is, and the values that can be read there.

    An *argument* is what stands behind a command: there a word is a text. An *expression* is what
    stands at the head of a pipeline or in brackets: there a word would be a command.
    All methods raise CommandError.
    """

    def __init__(self, text: str, script: str | None = None) -> None:
        self.text = text
        self.at = 0
        self._script = text if script is None else script
        """What a refusal names, where ``text`` is a piece of it."""

    # -- pieces

    @property
    def here(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self.text, self.at)
        if found:
            self.at = found.end()
        if self.text.startswith("<#", self.at):
            raise parse_error(
                "The terminator '#>' is missing from the multiline comment.",
                "MissingTerminatorMultiLineComment",
                incomplete=True,
            )

    def skip_separators(self) -> None:
        while True:
            self.skip(BREAKS)
            if self.here != ";":
                return
            self.at += 1

    def take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def refuse(self) -> NoReturn:
        raise parse_error(_NOT_SUPPORTED, "ScriptsNotAllowed", target=self._script)

    def unexpected(self) -> NoReturn:
        if self.here and self.here in ")}":
            raise parse_error(
                f"Unexpected token '{self.here}' in expression or statement.", "UnexpectedToken"
            )
        self.refuse()

    @property
    def ends(self) -> bool:
        """Whether a pipeline or one of its commands ends here."""
        return self.here in ("", "|", ";", "\r", "\n")

    # -- arguments

    def argument(self) -> Any:
        """One value, or several with commas between."""
        values = [self._argument_item()]
        while self._comma():
            values.append(self._argument_item())
        return values[0] if len(values) == 1 else [bare(value) for value in values]

    def _comma(self) -> bool:
        mark = self.at
        self.skip(SPACE)
        if self.here != ",":
            self.at = mark
            return False
        self.at += 1
        self.skip(BREAKS)
        if not self.here:
            raise parse_error(
                "Missing expression after ','.", "MissingExpressionAfterToken", incomplete=True
            )
        return True

    def _argument_item(self) -> Any:
        here = self.here
        if here and here in _QUOTES + "@$(":
            return self._primary(0)
        found = _NUMBER.match(self.text, self.at)
        word = self.word()
        if word is None:
            self.unexpected()
        if found is not None and found[0] == word:
            return _spelled(_number(found), word)
        return word

    def word(self) -> str | None:
        """Text without quotes, or with quoted parts inside; None where none begins."""
        parts: list[str] = []
        while True:
            found = self.take(_BARE)
            if found is not None:
                parts.append(_without_backticks(found[0]))
            elif self.here and self.here in _QUOTES and parts:
                parts.append(self._quoted())
            elif self.here == "$" and parts:
                parts.append(self._expansion())
            elif self.here in ("$", "(", "{", ">", "&") or self._at_redirection():
                self.refuse()
            elif self.here == "`":
                if self.at + 1 < len(self.text):
                    if parts and self.text[self.at + 1] in "\r\n":
                        return "".join(parts)
                    self.refuse()
                raise parse_error("Incomplete string token.", "IncompleteString", incomplete=True)
            else:
                return "".join(parts) if parts else None

    def _at_redirection(self) -> bool:
        return self.here == "<" and not self.text.startswith("<#", self.at)

    # -- expressions

    def expression(self, depth: int = 0) -> Any:
        """One value, or several with commas between."""
        values = [self._primary(depth)]
        while self._comma():
            values.append(self._primary(depth))
        return values if len(values) > 1 else values[0]

    def at_expression(self) -> bool:
        return bool(self.here) and (self.here in _QUOTES + "@$(," or self._at_number())

    def _at_number(self) -> bool:
        found = _NUMBER.match(self.text, self.at)
        return found is not None and not _BARE.match(self.text, found.end())

    def _primary(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            self.refuse()
        if not self.at_expression():
            self.unexpected()
        here = self.here
        if here == ",":
            self.at += 1
            self.skip(BREAKS)
            return [self._primary(depth + 1)]
        if here == "@":
            value = self._at_sign(depth)
        elif here == "(":
            value = self._bracketed(depth)
        elif here == "$":
            value = self._constant(depth)
        elif here in _QUOTES:
            value = self._quoted(depth)
        else:
            found = self.take(_NUMBER)
            assert found is not None
            return _number(found)
        if self.here in (".", "[") or self.text.startswith("::", self.at):
            self.refuse()
        return value

    def _constant(self, depth: int) -> Any:
        if self.text.startswith("$(", self.at):
            self.at += 2
            items = self._items(depth)
            return items if len(items) > 1 else items[0] if items else None
        found = self.take(_CONSTANT)
        if found is None:
            self.refuse()
        return _CONSTANTS[(found[1] or found[2]).casefold()]

    def _bracketed(self, depth: int) -> Any:
        self.at += 1
        self.skip(BREAKS)
        if self.here == ")":
            raise parse_error("An expression was expected after '('.", "ExpectedExpression")
        value = self.expression(depth + 1) if self.here else None
        self.skip(BREAKS)
        if not self.here:
            raise parse_error(
                "Missing closing ')' in expression.",
                "MissingEndParenthesisInExpression",
                incomplete=True,
            )
        if self.here != ")":
            self.refuse()
        self.at += 1
        return value

    def _at_sign(self, depth: int) -> Any:
        if self.text.startswith("@(", self.at):
            self.at += 2
            return self._items(depth)
        if self.text.startswith("@{", self.at):
            self.at += 2
            return self._table(depth)
        opened = self.take(_HERE)
        if opened is None:
            self.refuse()
        return self._here_text(opened[1], depth)

    def _items(self, depth: int) -> list[Any]:
        """Up to the closing bracket; each statement's objects one by one."""
        items: list[Any] = []
        while True:
            self.skip_separators()
            if not self.here:
                raise parse_error(
                    "Missing closing ')' in subexpression.",
                    "MissingEndParenthesisInSubexpression",
                    incomplete=True,
                )
            if self.here == ")":
                self.at += 1
                return items
            value = self.expression(depth + 1)
            items.extend(value) if type(value) is list else items.append(value)
            self._end_of_entry(")")

    def _end_of_entry(self, closing: str) -> None:
        self.skip(SPACE)
        if self.here not in ("", ";", "\r", "\n", closing):
            self.refuse()

    def _table(self, depth: int) -> Dictionary:
        entries: list[tuple[Any, Any]] = []
        known: set[Any] = set()
        while True:
            self.skip_separators()
            if not self.here:
                raise _open_brace()
            if self.here == "}":
                self.at += 1
                return Dictionary(entries)
            key = self._key(depth)
            folded = key.casefold() if isinstance(key, str) else key
            if folded in known:
                raise parse_error(
                    f"Duplicate keys '{key}' are not allowed in hash literals.",
                    "DuplicateKeyInHashLiteral",
                )
            known.add(folded)
            entries.append((key, self._table_value(depth)))
            self._end_of_entry("}")

    def _key(self, depth: int) -> Any:
        found = self.take(_KEY)
        key = self._primary(depth + 1) if found is None else found[0]
        if key is None or isinstance(key, (list, dict)):
            self.refuse()
        return key

    def _table_value(self, depth: int) -> Any:
        self.skip(SPACE)
        if not self.here:
            raise _open_brace()
        if self.here != "=":
            raise parse_error(
                "Missing '=' operator after key in hash literal.", "MissingEqualsInHashLiteral"
            )
        self.at += 1
        self.skip(BREAKS)
        if self.here in ("", ";", "}"):
            raise parse_error(
                "Missing statement after '=' in hash literal.",
                "MissingStatementInHashLiteral",
                incomplete=not self.here,
            )
        return self.expression(depth + 1)

    # -- texts

    def _quoted(self, depth: int = 0) -> str:
        opened = self.here
        self.at += 1
        return self._text_until(SINGLE if opened in SINGLE else DOUBLE, opened, depth)

    def _text_until(self, marks: str, opened: str, depth: int) -> str:
        """Up to one of the marks, which stands for itself when it is there twice; without
        marks up to the end of the text."""
        parts: list[str] = []
        stop = _STOPS[marks]
        while True:
            found = stop.search(self.text, self.at)
            if found is None:
                if not marks:
                    parts.append(self.text[self.at :])
                    return "".join(parts)
                raise _unterminated(opened)
            parts.append(self.text[self.at : found.start()])
            self.at = found.end()
            following = self.here
            if found[0] == "$":
                self.at -= 1
                parts.append(self._expansion(depth))
            elif found[0] == "`":
                parts.append(self._escape())
            elif not following or following not in marks:
                return "".join(parts)
            else:
                parts.append(found[0])
                self.at += 1

    def _escape(self) -> str:
        code = self.take(_UNICODE)
        if code is not None and int(code[1], 16) <= 0x10FFFF:
            return chr(int(code[1], 16))
        following = self.here
        self.at += 1
        return _ESCAPES.get(following, following)

    def _expansion(self, depth: int = 0) -> str:
        """What a dollar sign stands for inside a text."""
        following = self.text[self.at + 1 : self.at + 2]
        if not following or not (following.isalpha() or following in "_({?^$:"):
            self.at += 1
            return "$"
        if depth > _MAX_DEPTH:
            self.refuse()
        return _shown(self._constant(depth + 1))

    def _here_text(self, mark: str, depth: int) -> str:
        family = SINGLE if mark in SINGLE else DOUBLE
        if not self.here:
            raise _unterminated(f"@{mark}")
        if self.here not in "\r\n":
            raise parse_error(
                "No characters are allowed after a here-string header but before the end of the "
                "line.",
                "UnexpectedCharactersAfterHereStringHeader",
            )
        found = re.compile(f"\r?\n[{family}]@").search(self.text, self.at)
        if found is None:
            raise _unterminated(f"@{mark}")
        body = self.text[self.at : found.start()]
        body = body.removeprefix("\r").removeprefix("\n")
        self.at = found.end()
        return body if family is SINGLE else Reader(body, self._script)._text_until("", "", depth)


_STOPS = {
    SINGLE: re.compile(f"[{SINGLE}]"),
    DOUBLE: re.compile(f"[{DOUBLE}`$]"),
    "": re.compile("[`$]"),
}


def _open_brace() -> Exception:
    return parse_error(
        "Missing closing '}' in statement block or type definition.",
        "MissingEndCurlyBrace",
        incomplete=True,
    )


def _unterminated(opened: str) -> Exception:
    return parse_error(
        f"The string is missing the terminator: {opened}.",
        "TerminatorExpectedAtEndOfString",
        incomplete=True,
    )


def _number(found: re.Match[str]) -> Any:
    """A number in the type that its letters say; 0x and kb as PowerShell has them."""
    kind, factor = (found["kind"] or "").casefold(), found["factor"] or ""
    end = found.end() - len(kind) - len(factor)
    digits = found.string[found.start() : end]
    try:
        if kind == "d":
            return Decimal(digits) * int(number(f"1{factor}"))
        value = number(digits + factor)
        if not kind:
            return value
        return _KINDS[kind](value if isinstance(value, int) else round(value))
    except (LocalProtocolError, ValueError, ArithmeticError):
        raise parse_error(
            f"The numeric constant {found[0]} is not valid.", "BadNumericConstant"
        ) from None


def _without_backticks(text: str) -> str:
    if "`" not in text:
        return text
    return re.sub(r"`(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _shown(value: Any) -> str:
    """A value inside a text."""
    from psremoting.powershell.value_text import text_of

    if type(value) is list:
        return " ".join("System.Object[]" if type(each) is list else _shown(each) for each in value)
    if isinstance(value, Dictionary):
        return "System.Collections.Hashtable"
    return text_of(value)


def _spelled(value: Any, word: str) -> Any:
    """A number with its spelling, as a client sends it."""
    return value if to_text(value) == word else PSObject(value=value, to_string=word)


def bare(value: Any) -> Any:
    """A value of the line without the spelling of its number."""
    return unwrap(value)
