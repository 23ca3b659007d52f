"""Reading what stands inside an object: members, the items of a container, its entries."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

from psrp.clixml.containers import Dictionary
from psrp.clixml.cursor import Cursor
from psrp.clixml.objects import MemberSet, PSObject
from psrp.clixml.scalars import PARSE, parse_text
from psrp.clixml.shapes import Shape, learn, match
from psrp.clixml.tokens import EMPTY, END, OPEN, SCALAR, SCAN, SPACE, Token, fail

__all__ = ["Contents"]

_ENTRY = re.compile(
    r'<En>[ \t\n]*<S N="Key">([^<]{0,400})</S>[ \t\n]*'
    r'<(\w+) N="Value">([^<]{0,4000})</\2>[ \t\n]*</En>[ \t\n]*'
).match

_DIGITS = re.compile(r"[0-9-]*").fullmatch


class Contents(Cursor, ABC):
    """The loops in which nearly all the time of reading is spent."""

    __slots__ = ()

    @abstractmethod
    def _value(self, token: Token, pos: int) -> tuple[Any, int]:
        """The value whose first token this is, and the offset behind it."""

    @abstractmethod
    def _object_at(
        self, refid: str | None, ends: str | None, pos: int, after: int
    ) -> tuple[Any, int]:
        """The object whose start tag stands between the two offsets."""

    def _members(
        self, close: str, pos: int, into: dict[str, Any], nested: type[MemberSet] | None
    ) -> int:
        """Behind the members that stand from ``pos`` to the end tag ``close``."""
        text, parsers, names = self.text, self._parse, self._names
        while True:
            found = SCAN(text, pos)
            if found is not None:
                kind = found.lastindex
                tag, raw, refid, _, content, _, end = found.groups()
                if kind == SCALAR:
                    parse = parsers.get(tag)
                    if parse is not None and raw:
                        try:
                            value = parse(content)
                        except ValueError as error:
                            value = self._again(tag, content, pos, error)
                        into[names.get(raw) or self._name(raw)] = value
                        pos = found.end()
                        continue
                elif kind == END:
                    if end == close:
                        return found.end()
                elif raw and kind == EMPTY:
                    if tag == "Nil":
                        into[names.get(raw) or self._name(raw)] = None
                        pos = found.end()
                        continue
                elif raw and tag == "Obj" and not content.strip(SPACE):
                    name = names.get(raw) or self._name(raw)
                    into[name], pos = self._object_at(refid, "Obj", pos, found.end())
                    continue
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, close, pos)
                return token.after
            if not token.name:
                fail(text, pos, "a member without a name")
            name = names.get(token.name) or self._name(token.name)
            if nested is not None and token.tag == "MS":
                into[name] = members = nested()
                after = self._begin(token, pos)
                if token.kind == OPEN:
                    self._descend(pos)
                    after = self._members(token.qualified, after, members, nested)
                    self._depth -= 1
                pos = after
            else:
                into[name], pos = self._value(token, pos)

    def _items(self, opening: Token, pos: int, into: list[Any]) -> int:
        pos = self._begin(opening, pos)
        if opening.kind != OPEN:
            return pos
        text, parsers, close = self.text, self._parse, opening.qualified
        append = into.append
        pos = self._run(pos, close, into)
        likeness = _Likeness(self)
        while True:
            if likeness.shape is not None:
                like, pos = likeness.take(pos)
                if like is not None:
                    append(like)
                    continue
            found = SCAN(text, pos)
            if found is not None:
                kind = found.lastindex
                tag, _, refid, _, content, _, end = found.groups()
                if kind == SCALAR:
                    parse = parsers.get(tag)
                    if parse is not None:
                        try:
                            append(parse(content))
                        except ValueError as error:
                            append(self._again(tag, content, pos, error))
                        pos = found.end()
                        continue
                elif kind == END:
                    if end == close:
                        return found.end()
                elif kind == OPEN and tag == "Obj" and not content.strip(SPACE):
                    value, after = self._object_at(refid, "Obj", pos, found.end())
                    append(value)
                    likeness.learn(pos, after)
                    pos = after
                    continue
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, close, pos)
                return token.after
            value, pos = self._value(token, pos)
            append(value)

    def _run(self, pos: int, close: str, into: list[Any]) -> int:
        """Take a list that holds nothing but numbers, or strings, of one kind in one go."""
        text = self.text
        if not text.startswith(("<I32>", "<S>"), pos):
            return pos
        tag = "S" if text[pos + 1] == "S" else "I32"
        # Up to the nearest end of a list, not of such a list: the cost stays linear.
        end = text.find(f"</{close}>", pos) - len(tag) - 3
        if not text.startswith(f"</{tag}>", max(end, pos)):
            return pos
        inside = text[pos + len(tag) + 2 : end]
        parts = inside.split(f"</{tag}><{tag}>")
        if inside.count("<") != 2 * (len(parts) - 1):
            return pos
        if tag == "S":
            if self._parse is not PARSE:
                return pos
            if "&" in inside or "_" in inside or ">" in inside:
                try:
                    parts = list(map(parse_text, parts))
                except ValueError:
                    return pos
            into += parts
        else:
            try:
                numbers = list(map(int, parts))
            except ValueError:
                return pos
            if not _DIGITS("".join(parts)) or not -(2**31) <= min(numbers) <= max(numbers) < 2**31:
                return pos
            into += numbers
        return end + len(tag) + 3

    def _entries(self, opening: Token, pos: int, into: Dictionary) -> int:
        pos = self._begin(opening, pos)
        if opening.kind != OPEN:
            return pos
        text, parsers = self.text, self._parse
        while True:
            match = _ENTRY(text, pos)
            if match is not None:
                key, tag, content = match.groups()
                parse = parsers.get(tag)
                if parse is not None:
                    try:
                        into.add(parsers["S"](key), parse(content))
                        pos = match.end()
                        continue
                    except ValueError:
                        pass  # the slow way knows how to say where
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, opening.qualified, pos)
                return token.after
            if token.tag != "En" or token.kind != OPEN:
                fail(text, pos, "only En with Key and Value may stand in DCT")
            pos = self._entry(token, into)

    def _entry(self, opening: Token, into: Dictionary) -> int:
        pos = opening.after
        pair = []
        for part in ("Key", "Value"):
            token = self._token(pos)
            if token.kind == END or token.name != part:
                fail(self.text, pos, f"the {part} of a dictionary is missing")
            value, after = self._value(token, pos)
            if part == "Key" and value is None:
                fail(self.text, pos, "the key of a dictionary is null")
            pair.append(value)
            pos = after
        end = self._token(pos)
        if end.kind != END:
            fail(self.text, pos, "more than Key and Value in En")
        self._check_end(end, opening.qualified, pos)
        into.add(pair[0], pair[1])
        return end.after


class _Likeness:
    """What the objects of one list have in common, as long as that is worth knowing."""

    __slots__ = ("_reader", "_trust", "shape")

    def __init__(self, reader: Contents) -> None:
        self._reader = reader
        self._trust = 4
        self.shape: Shape | None = None

    def learn(self, start: int, end: int) -> None:
        """Remember the shape of an object that was read the ordinary way."""
        reader = self._reader
        if self._trust > 0 and reader._parse is PARSE and reader._depth < reader._max_depth:
            self._trust -= 1
            self.shape = learn(reader.text, start, end)

    def take(self, pos: int) -> tuple[PSObject | None, int]:
        """The next object and the offset behind it, if it has the shape."""
        reader = self._reader
        assert self.shape is not None
        found = match(self.shape, reader.text, pos, reader._types)
        if found is None:
            self.shape = None
            return None, pos
        obj, refid, after = found
        reader._objects[refid] = obj
        if self._trust < 32:
            self._trust += 1
        return obj, after
