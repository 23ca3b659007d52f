"""The error of a text that cannot be parsed, with PowerShell's error ids and messages."""

from __future__ import annotations

from psremoting.errors import PSRemotingError
from psrp.records import ErrorCategory

__all__ = ["ParseError", "missing_brace", "missing_parenthesis", "too_complex", "unterminated"]


class ParseError(PSRemotingError):
    """A text that is not valid PowerShell, or not yet: then ``incomplete`` is true.

    ``offset`` counts the characters of the text before the fault.
    """

    category = ErrorCategory.ParserError
    exception_type = "System.Management.Automation.ParentContainsErrorRecordException"

    def __init__(
        self, message: str, error_id: str, *, offset: int = 0, incomplete: bool = False
    ) -> None:
        super().__init__(message, error_id=error_id)
        self.offset = offset
        self.incomplete = incomplete


def unterminated(end: str, offset: int) -> ParseError:
    """Return the error of a string that begins at ``offset`` and lacks its terminator ``end``."""
    return ParseError(
        f"The string is missing the terminator: {end}.",
        "TerminatorExpectedAtEndOfString",
        offset=offset,
        incomplete=True,
    )


def missing_brace(offset: int, *, incomplete: bool = True) -> ParseError:
    """Return the error of a block or hash literal that lacks its closing brace."""
    return ParseError(
        "Missing closing '}' in statement block or type definition.",
        "MissingEndCurlyBrace",
        offset=offset,
        incomplete=incomplete,
    )


def missing_parenthesis(offset: int, where: str, *, incomplete: bool) -> ParseError:
    """Return the error of a missing ``)``; ``where`` is "expression" or "subexpression"."""
    return ParseError(
        f"Missing closing ')' in {where}.",
        f"MissingEndParenthesisIn{where.capitalize()}",
        offset=offset,
        incomplete=incomplete,
    )


def too_complex(offset: int) -> ParseError:
    """Return the error of a text that is nested more deeply than the parser follows."""
    return ParseError("The script is nested too deeply.", "ScriptTooComplicated", offset=offset)
