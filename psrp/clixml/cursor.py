"""What every part of the reader needs: the next token, names, namespaces, depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from psrp.clixml.containers import TypeNames
from psrp.clixml.scalars import PARSE, TEXTS
from psrp.clixml.text import resolve_entities, unescape
from psrp.clixml.tokens import END, OPEN, SCAN, SPACE, Token, fail, slow_token
from psrp.sansio import LocalProtocolError

__all__ = ["DEPTH_CEILING", "FOREIGN", "MAX_DEPTH", "Cursor", "Unseal"]

MAX_DEPTH = 48
"""How many Obj may stand in each other: what PowerShell's own reader bears."""
DEPTH_CEILING = 100
"""The most that ``max_depth`` can be set to."""

Unseal = Callable[[str], str]

_NONE: dict[str, str] = {}


def _no_string(text: str) -> NoReturn:
    raise ValueError("a string in a foreign namespace")


FOREIGN = {tag: _no_string if tag in TEXTS else parse for tag, parse in PARSE.items()}
"""`PARSE` where the namespace is not the document's."""


class Cursor:
    """A prepared document, and what has been met in it so far."""

    __slots__ = (
        "_depth",
        "_max_depth",
        "_names",
        "_namespace",
        "_objects",
        "_parse",
        "_prefixes",
        "_referred",
        "_types",
        "text",
    )

    def __init__(self, text: str, max_depth: int) -> None:
        if not 1 <= max_depth <= DEPTH_CEILING:
            raise LocalProtocolError(f"max_depth is between 1 and {DEPTH_CEILING}")
        self.text = text
        self._max_depth = max_depth
        self._depth = 0
        self._namespace = ""
        self._parse = PARSE
        self._prefixes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._objects: dict[str, Any] = {}
        self._types: dict[str, TypeNames] = {}
        self._referred: dict[int, Any] = {}

    def _token(self, pos: int) -> Token:
        match = SCAN(self.text, pos)
        if match is not None:
            kind = match.lastindex or END
            tag, name, refid, _, content, _, end = match.groups()
            if kind == END:
                return Token(END, end, None, None, "", match.end(), end, _NONE)
            if kind != OPEN or not content or not content.strip(SPACE):
                return Token(kind, tag, name, refid, content or "", match.end(), tag, _NONE)
        token = slow_token(self.text, pos)
        if token.attributes or ":" in token.qualified:
            self._note_namespaces(token, pos)
        return token

    def _note_namespaces(self, token: Token, pos: int) -> None:
        self._prefixes.update(
            {key[6:]: value for key, value in token.attributes.items() if key[:6] == "xmlns:"}
        )
        prefix = token.qualified.rpartition(":")[0]
        if prefix and prefix not in self._prefixes:
            fail(self.text, pos, f"the prefix {prefix} is not declared")

    def _is_foreign(self, token: Token) -> bool:
        prefix = token.qualified.rpartition(":")[0]
        if prefix:
            return self._prefixes[prefix] != self._namespace
        return token.attributes.get("xmlns", self._namespace) != self._namespace

    def _check_end(self, token: Token, qualified: str, pos: int) -> None:
        if token.qualified != qualified:
            fail(self.text, pos, f"</{token.qualified}> ends <{qualified}>")

    def _name(self, raw: str) -> str:
        name = self._names[raw] = unescape(raw)
        return name

    def _begin(self, token: Token, pos: int) -> int:
        """Behind the start tag of an element that holds only elements."""
        if token.text and token.text.strip(SPACE):
            fail(self.text, pos, "text among elements")
        return token.after

    def _again(self, tag: str, text: str, pos: int, error: ValueError) -> Any:
        """References in numbers are rare enough to be looked for only when all else failed."""
        if "&" in text and tag not in TEXTS:
            try:
                return self._parse[tag](resolve_entities(text))
            except ValueError as second:
                error = second
        fail(self.text, pos, f"{tag}: {error}")

    def _string(self, token: Token, pos: int) -> tuple[str, int]:
        if token.kind == OPEN:
            fail(self.text, pos, f"an element inside {token.tag}")
        try:
            return self._parse["S"](token.text), token.after
        except ValueError as error:
            fail(self.text, pos, f"{token.tag}: {error}")

    def _descend(self, pos: int) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            fail(self.text, pos, f"more than {self._max_depth} objects inside each other")

    def _skip(self, token: Token, pos: int) -> int:
        """Behind an element that a newer version knows."""
        if token.kind != OPEN:
            return token.after
        open_tags = [token.qualified]
        pos = token.after
        while open_tags:
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, open_tags.pop(), pos)
            elif token.kind == OPEN:
                open_tags.append(token.qualified)
            pos = token.after
        return pos
