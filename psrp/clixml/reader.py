"""The machine that reads one CLIXML document. [MS-PSRP] 2.2.5"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack, TypeNames
from psrp.clixml.cycles import replace
from psrp.clixml.objects import MemberSet, ProgressRecord, PSObject, SecureString, Version
from psrp.clixml.scalars import PARSE, TEXTS, parse_text
from psrp.clixml.shapes import Shape, learn, match
from psrp.clixml.text import resolve_entities, unescape
from psrp.clixml.tokens import EMPTY, END, OPEN, SCALAR, SCAN, Token, fail, slow_token
from psrp.sansio import LocalProtocolError

__all__ = ["DEPTH_CEILING", "MAX_DEPTH", "NAMESPACE", "Reader", "Unseal"]

NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"
MAX_DEPTH = 48
"""How many Obj may stand in each other: what PowerShell's own reader bears."""
DEPTH_CEILING = 100
"""The most that ``max_depth`` can be set to."""

_SEQUENCES: dict[str, type[List | Enumerable | Stack | Queue]] = {
    "LST": List,
    "IE": Enumerable,
    "STK": Stack,
    "QUE": Queue,
}
_PARTS = frozenset({"TN", "TNRef", "ToString", "Props", "MS", "DCT", *_SEQUENCES})
_ENTRY = re.compile(
    r'<En>[ \t\n]*<S N="Key">([^<]{0,400})</S>[ \t\n]*'
    r'<(\w+) N="Value">([^<]{0,4000})</\2>[ \t\n]*</En>[ \t\n]*'
).match

Unseal = Callable[[str], str]


class Reader:
    """Reads one prepared document; ids of objects and of type names live as long as it does."""

    __slots__ = (
        "_depth",
        "_early",
        "_max_depth",
        "_minor",
        "_names",
        "_namespace",
        "_objects",
        "_parse",
        "_prefixes",
        "_types",
        "_unseal",
        "start",
        "text",
    )

    def __init__(self, text: str, unseal: Unseal | None, max_depth: int) -> None:
        if not 1 <= max_depth <= DEPTH_CEILING:
            raise LocalProtocolError(f"max_depth is between 1 and {DEPTH_CEILING}")
        self.text = text
        self.start = len(text) - len(text.lstrip(" \t\n"))
        self._unseal = unseal
        self._max_depth = max_depth
        self._depth = 0
        self._minor = 1
        self._namespace = ""
        self._parse = PARSE
        self._prefixes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._objects: dict[str, Any] = {}
        self._types: dict[str, TypeNames] = {}
        self._early: set[int] = set()

    def document(self) -> list[tuple[str | None, Any]]:
        """Every value with its stream name."""
        token = self._token(self.start)
        items: list[tuple[str | None, Any]] = []
        if token.tag == "Objs":
            after = self._objs(token, items)
        else:
            value, after = self._value(token, self.start)
            items.append((token.attributes.get("S"), value))
        if after != len(self.text):
            fail(self.text, after, "something follows the root element")
        return items

    def _objs(self, token: Token, items: list[tuple[str | None, Any]]) -> int:
        prefix = token.qualified[: -len(token.tag) - 1]
        declared = token.attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if declared != NAMESPACE:
            fail(self.text, self.start, "Objs has not the namespace of CLIXML")
        self._namespace = NAMESPACE
        try:
            major, self._minor = Version(token.attributes.get("Version", "1.1")).parts[:2]
        except ValueError:
            fail(self.text, self.start, "the Version of Objs is no version")
        if major != 1:
            fail(self.text, self.start, f"Version {major} of Objs is not known")
        if token.kind == EMPTY:
            return token.after
        pos = self._begin(token, self.start)
        if token.kind == SCALAR:
            return pos
        while True:
            item = self._token(pos)
            if item.kind == END:
                self._check_end(item, token.qualified, pos)
                return item.after
            value, pos = self._value(item, pos)
            items.append((item.attributes.get("S"), value))

    # -- tokens

    def _token(self, pos: int) -> Token:
        match = SCAN(self.text, pos)
        if match is not None:
            kind = match.lastindex or END
            tag, name, refid, _, content, _, end = match.groups()
            if kind == END:
                return Token(END, end, None, None, "", match.end(), end, _NONE)
            if kind != OPEN or not content or content.isspace():
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

    # -- values

    def _value(self, token: Token, pos: int) -> tuple[Any, int]:
        """The value whose first token this is, and the offset behind it.

        PowerShell matches elements by their local names but strings by their namespace too:
        in a foreign one it reads numbers and no strings.
        """
        if (token.attributes or ":" in token.qualified) and self._is_foreign(token):
            outer, self._parse = self._parse, _FOREIGN
            try:
                return self._value_here(token, pos)
            finally:
                self._parse = outer
        return self._value_here(token, pos)

    def _value_here(self, token: Token, pos: int) -> tuple[Any, int]:
        kind, tag = token.kind, token.tag
        parse = self._parse.get(tag)
        if parse is not None:
            if kind == OPEN:
                fail(self.text, pos, f"an element inside {tag}")
            if kind == END:
                fail(self.text, pos, f"</{tag}> ends nothing")
            try:
                return parse(token.text), token.after
            except ValueError as error:
                return self._again(tag, token.text, pos, error), token.after
        special = _SPECIAL.get(tag)
        if special is None or kind == END:
            fail(self.text, pos, f"unknown element {tag}")
        if tag != "SS":
            self._begin(token, pos)
        return special(self, token, pos)

    def _again(self, tag: str, text: str, pos: int, error: ValueError) -> Any:
        """References in numbers are rare enough to be looked for only when all else failed."""
        if "&" in text and tag not in TEXTS:
            try:
                return self._parse[tag](resolve_entities(text))
            except ValueError as second:
                error = second
        fail(self.text, pos, f"{tag}: {error}")

    def _nil(self, token: Token, pos: int) -> tuple[None, int]:
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside Nil")
        return None, token.after

    def _ref(self, token: Token, pos: int) -> tuple[Any, int]:
        if token.refid is None:
            fail(self.text, pos, "a Ref without RefId")
        if token.refid not in self._objects:
            fail(self.text, pos, f"no object has the RefId {token.refid}")
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside Ref")
        found = self._objects[token.refid]
        self._early.add(id(found))
        return found, token.after

    def _secure_string(self, token: Token, pos: int) -> tuple[SecureString, int]:
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside SS")
        if self._parse is _FOREIGN:
            fail(self.text, pos, _NO_STRING)
        sealed = resolve_entities(token.text)
        if self._unseal is None:
            return SecureString.from_sealed(sealed), token.after
        return SecureString(self._unseal(sealed)), token.after

    def _progress(self, token: Token, pos: int) -> tuple[ProgressRecord, int]:
        """Children in their only order, all of them required. [MS-PSRP] 2.2.5.1.25"""
        if token.kind != OPEN:
            fail(self.text, pos, "PR without its children")
        pos = token.after
        found: dict[str, Any] = {}
        for field, tag, parse in _PROGRESS:
            child = self._token(pos)
            if child.kind in (END, OPEN):
                fail(self.text, pos, f"PR: {tag or 'CO'} is missing")
            if not tag:
                found[field], pos = self._value(child, pos)
                continue
            if child.tag != tag:
                fail(self.text, pos, f"PR: {tag} is missing")
            try:
                found[field] = parse(child.text)
            except ValueError as error:
                fail(self.text, pos, f"{tag}: {error}")
            pos = child.after
        end = self._token(pos)
        if end.kind != END:
            fail(self.text, pos, "PR: too many children")
        self._check_end(end, token.qualified, pos)
        return ProgressRecord(**found), end.after

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

    # -- objects

    def _object(self, token: Token, pos: int) -> tuple[Any, int]:
        qualified = token.qualified if token.kind == OPEN else None
        return self._object_at(token.refid, qualified, pos, token.after)

    def _object_at(
        self, refid: str | None, ends: str | None, pos: int, after: int
    ) -> tuple[Any, int]:
        """The object whose start tag stands between the two offsets.

        ``ends`` is its name, or None when there is nothing in it.
        """
        obj = _new(PSObject)
        obj.type_names = ()
        obj.adapted = None
        obj.extended = {}
        obj.to_string = None
        obj.value = None
        if refid is not None:
            self._objects[refid] = obj
        if ends is not None:
            self._descend(pos)
            after = self._parts(obj, ends, after)
            self._depth -= 1
        value = obj.value
        if (
            type(value) in _CONTAINERS
            and not obj.extended
            and obj.adapted is None
            and obj.to_string is None
        ):
            value.type_names = obj.type_names
            if refid is not None and self._objects[refid] is obj:
                self._objects[refid] = value
            if id(obj) in self._early:
                replace(value, obj, value)
            return value, after
        return obj, after

    def _descend(self, pos: int) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            fail(self.text, pos, f"more than {self._max_depth} objects inside each other")

    def _parts(self, obj: PSObject, ends: str, pos: int) -> int:
        text = self.text
        while True:
            found = SCAN(text, pos)
            if found is not None:
                kind = found.lastindex
                if kind == END and found[7] == ends:
                    return found.end()
                if kind == EMPTY and found[1] == "TNRef" and found[3] in self._types:
                    obj.type_names = self._types[found[3]]
                    pos = found.end()
                    continue
            token = self._token(pos)
            tag, kind = token.tag, token.kind
            if kind == END:
                self._check_end(token, ends, pos)
                return token.after
            if tag == "TNRef":
                names = self._types.get(token.refid or "")
                if names is None or token.refid is None or kind == OPEN:
                    fail(self.text, pos, f"no type names have the RefId {token.refid}")
                obj.type_names = names
                pos = token.after
            elif tag == "MS":
                obj.extended = {}
                pos = self._members(token, pos, obj.extended, MemberSet)
                if len(obj.extended) > 1:
                    obj.extended = _last_of_each(obj.extended)
            elif tag == "Props":
                obj.adapted = {}
                pos = self._members(token, pos, obj.adapted, None)
            elif tag == "TN":
                obj.type_names, pos = self._type_names(token, pos)
            elif tag == "ToString":
                obj.to_string, pos = self._string(token, pos)
            elif tag in _SEQUENCES:
                obj.value = sequence = _SEQUENCES[tag]((), ())
                pos = self._items(token, pos, sequence)
                if tag == "STK":
                    sequence.reverse()
            elif tag == "DCT":
                obj.value = dictionary = Dictionary((), ())
                pos = self._entries(token, pos, dictionary)
            elif tag in self._parse or tag in _SPECIAL:
                obj.value, pos = self._value(token, pos)
            elif self._minor > 1:
                pos = self._skip(token, pos)
            else:
                fail(self.text, pos, f"unknown element {tag}")

    def _string(self, token: Token, pos: int) -> tuple[str, int]:
        if token.kind == OPEN:
            fail(self.text, pos, f"an element inside {token.tag}")
        try:
            return self._parse["S"](token.text), token.after
        except ValueError as error:
            fail(self.text, pos, f"{token.tag}: {error}")

    def _type_names(self, token: Token, pos: int) -> tuple[TypeNames, int]:
        names: list[str] = []
        after = self._begin(token, pos)
        while token.kind == OPEN:
            pos = after
            child = self._token(pos)
            if child.kind == END:
                self._check_end(child, token.qualified, pos)
                after = child.after
                break
            if child.tag != "T":
                fail(self.text, pos, f"{child.tag} among type names")
            name, after = self._string(child, pos)
            names.append(name)
        found = tuple(names)
        if token.refid is not None:
            self._types[token.refid] = found
        return found, after

    def _begin(self, token: Token, pos: int) -> int:
        """Behind the start tag of an element that holds only elements."""
        if token.text and token.text.strip(" \t\n"):
            fail(self.text, pos, "text among elements")
        return token.after

    # -- containers and members

    def _members(
        self, opening: Token, pos: int, into: dict[str, Any], nested: type[MemberSet] | None
    ) -> int:
        pos = self._begin(opening, pos)
        if opening.kind != OPEN:
            return pos
        text, parsers, names, close = self.text, self._parse, self._names, opening.qualified
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
                elif raw and tag == "Obj" and not content.strip(_SPACE):
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
                self._descend(pos)
                into[name] = members = nested()
                pos = self._members(token, pos, members, nested)
                self._depth -= 1
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
                elif kind == OPEN and tag == "Obj" and not content.strip(_SPACE):
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
        end = text.find(f"</{tag}></{close}>", pos)
        if end < 0:
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

    def __init__(self, reader: Reader) -> None:
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


_SPACE = " \t\n"
_NO_STRING = "a string in a foreign namespace"


def _no_string(text: str) -> NoReturn:
    raise ValueError(_NO_STRING)


_FOREIGN = {tag: _no_string if tag in TEXTS else parse for tag, parse in PARSE.items()}
_NONE: dict[str, str] = {}
_new: Callable[[type[PSObject]], PSObject] = object.__new__
_CONTAINERS = frozenset({List, Enumerable, Stack, Queue, Dictionary})
_DIGITS = re.compile(r"[0-9-]*").fullmatch

_SPECIAL: dict[str, Callable[[Reader, Token, int], tuple[Any, int]]] = {
    "Nil": Reader._nil,
    "Obj": Reader._object,
    "Ref": Reader._ref,
    "SS": Reader._secure_string,
    "PR": Reader._progress,
}

_PROGRESS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("activity", "AV", parse_text),
    ("activity_id", "AI", PARSE["I32"]),
    ("current_operation", "", parse_text),
    ("parent_activity_id", "PI", PARSE["I32"]),
    ("percent", "PC", PARSE["I32"]),
    ("type", "T", parse_text),
    ("seconds", "SR", PARSE["I32"]),
    ("status", "SD", parse_text),
)
"""Field, tag (none: any value), and how it is read."""


def _last_of_each(members: dict[str, Any]) -> dict[str, Any]:
    """Of two extended members whose names differ in case only, the last counts."""
    if len({name.lower() for name in members}) == len(members):
        return members
    last = {name.lower(): name for name in members}
    return {name: value for name, value in members.items() if last[name.lower()] == name}


