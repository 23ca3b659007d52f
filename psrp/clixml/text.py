"""The two layers of escapes in a string: ``_xHHHH_``, and those of XML.

[MS-PSRP] 2.2.5.3.2. Strings here are Python strings whose lone surrogates stand for the UTF-16
code units that PowerShell strings may hold.
"""

from __future__ import annotations

import re

__all__ = ["escape", "escape_attribute", "needs_escape", "resolve_entities", "unescape"]

# One class first: then the engine skips to its next character, which an alternation prevents.
_SPECIAL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff<>&_](?:(?<!_)|(?=[xX]))"
)
_QUOTE = re.compile(_SPECIAL.pattern.replace("<>&_]", '<>&"_]'))
_MARKUP = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"}
_ESCAPE = re.compile(r"_[xX]([0-9a-fA-F]{4}(?:[0-9a-fA-F]{4})?)_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ENTITY = re.compile(r"&(?:([a-z]+)|#([0-9]+)|#x([0-9a-fA-F]+));|&")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}

is_special = _SPECIAL.search
"""Returns a match if `escape` would change a short text."""

_LONG = 2000
_CONTROL = re.compile(rb"\xc2[\x80-\x9f]|_[xX]")
_BYTES = tuple(bytes((code,)) for code in (*range(32), 127, *b"<>&", *range(0xF0, 0xF5)))


def needs_escape(text: str) -> bool:
    """Return whether `escape` would change the text."""
    if len(text) < _LONG:
        return _SPECIAL.search(text) is not None
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return True
    # A search for one byte is so fast that forty of them beat one regular expression.
    return (
        any(byte in data for byte in _BYTES)
        or ((b"_" in data or not text.isascii()) and _CONTROL.search(data) is not None)
        or (not text.isascii() and (b"\xef\xbf\xbe" in data or b"\xef\xbf\xbf" in data))
    )


def escape(text: str) -> str:
    """Return the text for an element: controls, surrogates, ``_x`` and markup escaped.

    U+FFFE and U+FFFF, which PowerShell writes as references that XML parsers refuse, are escaped
    as well.
    """
    return _SPECIAL.sub(_escaped, text) if needs_escape(text) else text


def escape_attribute(text: str) -> str:
    """Return the text for the double quotes of an attribute."""
    return _QUOTE.sub(_escaped, text) if _QUOTE.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char in _MARKUP:
        return _MARKUP[char]
    code = ord(char)
    if code > 0xFFFF:
        code -= 0x10000
        return f"_x{0xD800 + (code >> 10):04X}__x{0xDC00 + (code & 0x3FF):04X}_"
    return f"_x{code:04X}_"


def unescape(text: str) -> str:
    """Undo the ``_xHHHH_`` (and ``_xHHHHHHHH_``) escapes, in one pass, and join surrogates.

    Incomplete escapes stay unchanged.
    """
    text = _ESCAPE.sub(_unescaped, text)
    if not text.isascii() and _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


def _unescaped(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code < 0x110000 else match[0]


def resolve_entities(text: str) -> str:
    """Resolve the references of XML. Raises ValueError for an unknown one.

    A number may be any code point, also those that XML forbids: PowerShell writes U+FFFE that
    way and reads all of them.
    """
    return _ENTITY.sub(_resolved, text) if "&" in text else text


def _resolved(match: re.Match[str]) -> str:
    name, decimal, hexadecimal = match.groups()
    if name:
        if name in _NAMED:
            return _NAMED[name]
    elif decimal or hexadecimal:
        digits = (decimal or hexadecimal).lstrip("0")
        if len(digits) < 8:
            code = int(digits or "0", 10 if decimal else 16)
            if code < 0x110000:
                return chr(code)
    raise ValueError("unknown reference after '&'")
