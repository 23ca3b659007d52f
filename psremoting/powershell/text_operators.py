"""The operators that work on text: -match, -replace, -split and -f.

.NET's regular expressions are taken where Python's mean the same, and only in a form that cannot
cost more than text times pattern; the rest raises Unsupported.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from psremoting.powershell.conversion import to_text
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.numerals import number_text
from psremoting.powershell.shown_members import members_of_time
from psrp.clixml import DateTime
from psrp.properties import unwrap

__all__ = ["format_text", "is_common_pattern", "replace", "split", "text_matches"]

_MAX_PATTERN = 1_000
_MAX_TEXT = 100_000
_SAFE_PIECE = re.compile(
    r"""
    \\[dDwWsSbBtrnfv\\.*+?()\[\]{}|^$/\- ,;:"'&%#@!=<>_]  # an escape with one meaning in both
    | \[\^?(?:[^\[\]\\^&|~-]|[\w]-[\w]|\\[dDwWsStrnfv\\.\]\[^-])+-?\]
    | [^\\\[\](){}*+?|^$]
    """,
    re.VERBOSE,
)
_QUANTIFIER = re.compile(r"[*+?]\??|\{[0-9]{1,3}(?:,[0-9]{0,3})?\}\??")
_GROUP = re.compile(r"[()|^$]")
_REFERENCE = re.compile(r"\$(?:(?P<number>[0-9]+)|\{(?P<braced>[0-9]+)\}|(?P<all>&|\$)|)")


@lru_cache(maxsize=64)
def _pattern(pattern: str, cased: bool) -> re.Pattern[str]:
    """Compile a pattern. Raises Unsupported unless it means the same in .NET."""
    if not is_common_pattern(pattern):
        raise Unsupported("a regular expression that may differ from .NET's")
    try:
        return re.compile(pattern, 0 if cased else re.IGNORECASE)
    except re.error:
        raise Unsupported("a regular expression that Python does not take") from None


def is_common_pattern(pattern: str) -> bool:
    """Return True if a pattern surely means the same to .NET and to Python."""
    return len(pattern) <= _MAX_PATTERN and pattern.isascii() and _is_safe(pattern)


def _is_safe(pattern: str) -> bool:
    """Return True for pieces with at most two unbounded quantifiers and none after a group."""
    at = repeats = 0
    after_group = True
    while at < len(pattern):
        piece = _SAFE_PIECE.match(pattern, at)
        if piece is not None:
            after_group = False
        else:
            quantifier = _QUANTIFIER.match(pattern, at)
            piece = quantifier or _GROUP.match(pattern, at)
            if piece is None or (quantifier is not None and after_group):
                return False
            repeats += quantifier is not None and quantifier[0] != "?"
            after_group = True
        at = piece.end()
    return repeats <= 2


def _checked(text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise Unsupported(f"a text of more than {_MAX_TEXT} characters")
    return text


def _searched(text: str, pattern: str, cased: bool) -> re.Pattern[str]:
    compiled = _pattern(pattern, cased)
    if not text.isascii() or len(text) > _MAX_TEXT:
        raise Unsupported("a regular expression on this text")
    if len(text) > 2_000 and _QUANTIFIER.search(pattern):
        raise Unsupported("a regular expression on a text this long")
    return compiled


def text_matches(text: str, pattern: str, cased: bool) -> bool:
    """Return the value of ``text -match pattern``."""
    return _searched(text, pattern, cased).search(text) is not None


def replace(text: str, arguments: list[Any], cased: bool) -> str:
    """Return the value of ``text -replace pattern, substitute``."""
    if len(arguments) > 2:
        raise EvaluationError(
            f"The -replace operator allows only two elements to follow it, not {len(arguments)}.",
            "BadReplaceArgument",
        )
    pattern = to_text(arguments[0]) if arguments else ""
    substitute = to_text(arguments[1]) if len(arguments) > 1 else ""
    compiled = _searched(text, pattern, cased)

    def expanded(found: re.Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _referred(reference, found), substitute)

    return _checked(compiled.sub(expanded, text))


def _referred(reference: re.Match[str], found: re.Match[str]) -> str:
    if reference["all"]:
        return "$" if reference["all"] == "$" else found[0]
    digits = reference["number"] or reference["braced"]
    if digits is None:
        if reference.string[reference.end() : reference.end() + 1] in ("`", "'", "+", "_", "{"):
            raise Unsupported("a substitution of this kind")
        return "$"
    if int(digits) > (found.re.groups or 0):
        return reference[0]
    return found[int(digits)] or ""


def split(text: str, arguments: list[Any], cased: bool) -> list[str]:
    """Return the value of ``text -split pattern, limit``."""
    if len(arguments) > 2:
        raise Unsupported("options of -split")
    pattern = to_text(arguments[0]) if arguments else r"\s+"
    limit = unwrap(arguments[1]) if len(arguments) > 1 else 0
    if type(limit) is not int or limit < 0:
        raise Unsupported("a limit of -split that is not a positive number")
    compiled = _searched(text, pattern, cased)
    if compiled.match("") is not None or limit == 1:
        if limit == 1:
            return [text]
        raise Unsupported("a separator of -split that may be empty")
    parts = compiled.split(text, maxsplit=max(0, limit - 1))
    return [part for part in parts if part is not None]


# -- the format operator

_FORMAT_ITEM = re.compile(r"\{\{|\}\}|\{(\d{1,6})\s*(?:,\s*(-?\d{1,4}))?\s*(?::([^{}]*))?\}|[{}]")
_SPECIFIER = re.compile(r"([DdXxNnFf])(\d{0,2})")


_DATE_FORM = re.compile(r"(?:yyyy|MM|dd|HH|mm|ss|fff|[-_.: T])+(?<!\A.)")
_DATE_PART = re.compile("yyyy|MM|dd|HH|mm|ss|fff")
_DATE_MEMBERS = {
    "yyyy": "Year", "MM": "Month", "dd": "Day", "HH": "Hour", "mm": "Minute", "ss": "Second",
    "fff": "Millisecond",
}  # fmt: skip


def _date_part(value: DateTime, form: str) -> str:
    return f"{members_of_time(value)[_DATE_MEMBERS[form]]:0{len(form)}}"


def format_text(text: str, values: list[Any]) -> str:
    """Return the value of ``text -f values``. Raises EvaluationError and Unsupported."""

    def item(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None or int(found[1]) >= len(values):
            raise EvaluationError(
                "Error formatting a string: Index (zero based) must be greater than or equal to "
                "zero and less than the size of the argument list..",
                "FormatError",
            )
        value = unwrap(values[int(found[1])])
        shown = _formatted(value, found[3]) if found[3] else _shown(value)
        width = int(found[2] or 0)
        return shown.ljust(-width) if width < 0 else shown.rjust(width)

    return _checked(_FORMAT_ITEM.sub(item, _checked(text)))


def _shown(value: Any) -> str:
    is_number = isinstance(value, float | Decimal) or type(value) is int
    return number_text(value) if is_number else to_text(value)


def _formatted(value: Any, form: str) -> str:
    if isinstance(value, DateTime) and _DATE_FORM.fullmatch(form):
        return _DATE_PART.sub(lambda part: _date_part(value, part[0]), form)
    found = _SPECIFIER.fullmatch(form)
    if found is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        if isinstance(value, str):
            return value
        raise Unsupported(f"the format {form}")
    letter, digits = found[1], int(found[2] or 0)
    if letter in "dD" and isinstance(value, int):
        return f"{'-' if value < 0 else ''}{abs(value):0{digits}d}"
    if letter in "xX" and isinstance(value, int) and value >= 0:
        return format(value, f"0{digits}{letter}")
    if letter in "nNfF" and abs(float(value)) < 1e15:
        places = digits if found[2] else 2
        made = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), "ROUND_HALF_UP")
        return format(made, ",f" if letter in "nN" else "f")
    raise Unsupported(f"the format {form}")
