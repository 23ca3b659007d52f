# long: one class, because every part of the loop needs every other
"""The reader of one CLIXML document. [MS-PSRP] 2.2.5"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack, TypeNames
from psrp.clixml.cycles import replace
from psrp.clixml.objects import (
    MemberSet,
    ProgressRecord,
    PSObject,
    SecureString,
    Version,
    absorb_value,
)
from psrp.clixml.scalars import PARSE, TEXTS, parse_text
from psrp.clixml.shapes import Shape, learn, match, match_root, note_root
from psrp.clixml.text import resolve_entities, unescape
from psrp.clixml.tokens import (
    EMPTY,
    END,
    LONGEST,
    OPEN,
    SCALAR,
    SCAN,
    SPACE,
    Token,
    fail,
    slow_token,
)
from psrp.clixml.typenames import TYPE_NAMES, types_of
from psrp.sansio import LocalProtocolError

__all__ = ["DEPTH_CEILING", "MAX_DEPTH", "NAMESPACE", "Reader", "Unseal"]

MAX_DEPTH = 48
"""The deepest nesting of Obj elements: the limit of PowerShell's reader."""
DEPTH_CEILING = 100
"""The largest ``max_depth``."""

Unseal = Callable[[str], str]

_NONE: dict[str, str] = {}


def _no_string(text: str) -> NoReturn:
    raise ValueError("a string in a foreign namespace")


FOREIGN = {tag: _no_string if tag in TEXTS else parse for tag, parse in PARSE.items()}
"""`PARSE` for elements in another namespace than the document's."""

NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"

_SEQUENCES: dict[str, type[List | Enumerable | Stack | Queue]] = {
    "LST": List,
    "IE": Enumerable,
    "STK": Stack,
    "QUE": Queue,
}

_ENTRY = re.compile(
    r'<En>[ \t\n]*<S N="Key">([^<]{0,400})</S>[ \t\n]*'
    r'<(\w+) N="Value">([^<]{0,4000})</\2>[ \t\n]*</En>[ \t\n]*'
).match

_DIGITS = re.compile(r"[0-9-]*").fullmatch


class Reader:
    """Reads one prepared document, which is the scope of the ids of objects and type names.

    Raises LocalProtocolError for a ``max_depth`` outside 1..100.
    """

    __slots__ = (
        "_complete",
        "_depth",
        "_max_depth",
        "_minor",
        "_names",
        "_namespace",
        "_objects",
        "_parse",
        "_prefixes",
        "_referred",
        "_types",
        "_unseal",
        "start",
        "text",
    )

    def __init__(self, text: str, unseal: Unseal | None, max_depth: int) -> None:
        if not 1 <= max_depth <= DEPTH_CEILING:
            raise LocalProtocolError(f"expected a max_depth of 1 to {DEPTH_CEILING}")
        self.text = text
        self.start = len(text) - len(text.lstrip(SPACE))
        self._unseal = unseal
        self._minor = 1
        self._max_depth = max_depth
        self._depth = 0
        self._namespace = ""
        self._parse = PARSE
        self._prefixes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._objects: dict[str, Any] = {}
        self._types: dict[str, TypeNames] = {}
        self._referred: dict[int, Any] = {}
        self._complete: dict[int, tuple[Any, Any]] = {}

    def single(self) -> Any:
        """Return the only value."""
        text = self.text
        if text.startswith("<Obj RefId"):
            known = match_root(text)
            if known is not None:
                return known
        found = SCAN(text, self.start)
        if (
            found is not None
            and found.lastindex == OPEN
            and found[1] == "Obj"
            and not found[5].strip(SPACE)
        ):
            value, after = self._object_at(found[3], "Obj", self.start, found.end())
            self._check_done(after)
            note_root(text)
            return replace(value, self._complete) if self._complete else value
        items = self.document()
        if len(items) != 1:
            fail(self.text, self.start, f"expected one value, got {len(items)}")
        return items[0][1]

    def document(self) -> list[tuple[str | None, Any]]:
        """Return every value with its stream name."""
        token = self._token(self.start)
        items: list[tuple[str | None, Any]] = []
        prefix = token.qualified[: -len(token.tag) - 1]
        declared = token.attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if declared == NAMESPACE:
            # A bare element may repeat the namespace that it would have inside Objs.
            self._namespace = NAMESPACE
        if token.tag == "Objs":
            after = self._objs(token, items)
        else:
            value, after = self._value(token, self.start)
            items.append((token.attributes.get("S"), value))
            self._correct(items)
        self._check_done(after)
        return items

    def _correct(self, items: list[tuple[str | None, Any]]) -> None:
        if self._complete:
            items[:] = [(stream, replace(value, self._complete)) for stream, value in items]

    def _check_done(self, pos: int) -> None:
        if pos != len(self.text):
            fail(self.text, pos, "unexpected text after the root element")

    def _objs(self, token: Token, items: list[tuple[str | None, Any]]) -> int:
        """Add the items of a document, including those before an error."""
        prefix = token.qualified[: -len(token.tag) - 1]
        declared = token.attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if declared != NAMESPACE:
            fail(self.text, self.start, "expected the namespace of CLIXML for Objs")
        self._namespace = NAMESPACE
        try:
            major, self._minor = Version(token.attributes.get("Version", "1.1")).parts[:2]
        except ValueError:
            fail(self.text, self.start, "expected a version as Version of Objs")
        if major != 1:
            fail(self.text, self.start, f"unknown Version {major} of Objs")
        if token.kind == EMPTY:
            return token.after
        pos = self._begin(token, self.start)
        if token.kind == SCALAR:
            return pos
        try:
            while True:
                item = self._token(pos)
                if item.kind == END:
                    self._check_end(item, token.qualified, pos)
                    return item.after
                value, pos = self._value(item, pos)
                items.append((item.attributes.get("S"), value))
        finally:
            self._correct(items)

    # -- tokens

    def _token(self, pos: int) -> Token:
        match = SCAN(self.text, pos)
        if match is not None:
            kind = match.lastindex or END
            tag, name, refid, _, content, _, end = match.groups()
            if kind == END:
                return Token(END, end, None, None, "", match.end(), end, _NONE)
            if kind != OPEN or not content or (len(content) < LONGEST and not content.strip(SPACE)):
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
        """Return the offset after the start tag of an element that contains only elements."""
        if token.text and token.text.strip(SPACE):
            fail(self.text, pos, "text among elements")
        return token.after

    def _again(self, tag: str, text: str, pos: int, error: ValueError) -> Any:
        """Read a scalar with character references, which are rare in numbers, or fail."""
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
            fail(self.text, pos, f"objects nested more than {self._max_depth} deep")

    def _skip(self, token: Token, pos: int) -> int:
        """Return the offset after an element that is not read."""
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

    # -- values

    def _value(self, token: Token, pos: int) -> tuple[Any, int]:
        """Return the value that begins with this token, and the offset after it.

        PowerShell matches elements by their local names but strings by their namespace too:
        in a foreign one it reads numbers and no strings.
        """
        if (token.attributes or ":" in token.qualified) and self._is_foreign(token):
            outer, self._parse = self._parse, FOREIGN
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
                fail(self.text, pos, f"unexpected </{tag}>")
            try:
                return parse(token.text), token.after
            except ValueError as error:
                return self._again(tag, token.text, pos, error), token.after
        special = _SPECIAL.get(tag)
        if special is None or kind == END:
            fail(self.text, pos, f"unknown element {tag}")
        if tag not in ("SS", "Nil"):
            self._begin(token, pos)
        return special(self, token, pos)

    def _nil(self, token: Token, pos: int) -> tuple[None, int]:
        # PowerShell skips the content of a Nil.
        return None, self._skip(token, pos)

    def _ref(self, token: Token, pos: int) -> tuple[Any, int]:
        if token.refid is None:
            fail(self.text, pos, "a Ref without RefId")
        if token.refid not in self._objects:
            fail(self.text, pos, f"unknown RefId {token.refid}")
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside Ref")
        found = self._objects[token.refid]
        self._referred[id(found)] = found
        return found, token.after

    def _secure_string(self, token: Token, pos: int) -> tuple[SecureString, int]:
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside SS")
        if self._parse is FOREIGN:
            fail(self.text, pos, "a string in a foreign namespace")
        sealed, _ = self._string(token, pos)
        if self._unseal is None:
            return SecureString.from_sealed(sealed), token.after
        return SecureString(self._unseal(sealed)), token.after

    def _progress(self, token: Token, pos: int) -> tuple[ProgressRecord, int]:
        """Read the children in their only order; all are required. [MS-PSRP] 2.2.5.1.25"""
        if token.kind != OPEN:
            fail(self.text, pos, "PR without its children")
        pos = token.after
        found: dict[str, Any] = {}
        for field, tag, parse in _PROGRESS:
            child = self._token(pos)
            if child.kind in (END, OPEN):
                fail(self.text, pos, f"PR: missing {tag or 'CO'}")
            if not tag:
                found[field], pos = self._value(child, pos)
                continue
            if child.tag != tag:
                fail(self.text, pos, f"PR: missing {tag}")
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

    # -- objects

    def _object(self, token: Token, pos: int) -> tuple[Any, int]:
        qualified = token.qualified if token.kind == OPEN else None
        return self._object_at(token.refid, qualified, pos, token.after)

    def _object_at(
        self, refid: str | None, ends: str | None, pos: int, after: int
    ) -> tuple[Any, int]:
        """Read the object whose start tag is between the two offsets.

        ``ends`` is its name, or None if it is empty.
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
            if type(obj.value) is PSObject:
                absorb_value(obj)
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
            if id(obj) in self._referred:
                self._complete[id(obj)] = (obj, value)
            return value, after
        return obj, after

    def _parts(self, obj: PSObject, ends: str, pos: int) -> int:
        """Fill the object; return the offset after its end tag ``ends``."""
        text, parsers, types = self.text, self._parse, self._types
        while True:
            found = SCAN(text, pos)
            if found is not None:
                kind, tag = found.lastindex, found[1]
                if kind == END and found[7] == ends:
                    return found.end()
                if kind == EMPTY and tag == "TNRef" and found[3] in types:
                    obj.type_names = types[found[3]]
                    pos = found.end()
                    continue
                if kind == OPEN and tag == "MS" and not found[5].strip(SPACE):
                    pos = self._extended(obj, "MS", found.end())
                    continue
                if kind == OPEN and tag == "TN" and parsers is PARSE:
                    listed = TYPE_NAMES(text, pos)
                    if listed is not None:
                        obj.type_names = types[listed[1]] = self._listed(listed[2], pos)
                        pos = listed.end()
                        continue
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, ends, pos)
                return token.after
            part = _PARTS.get(token.tag)
            if part is not None:
                pos = part(self, obj, token, pos)
            elif token.tag == "Ref":
                fail(text, pos, "a Ref in place of the object's value")
            elif token.tag in parsers or token.tag in _SPECIAL:
                obj.value, after = self._value(token, pos)
                if type(obj.value) is PSObject:
                    self._same_object(obj, obj.value, token.refid)
                pos = after
            elif self._minor > 1:
                pos = self._skip(token, pos)
            else:
                fail(text, pos, f"unknown element {token.tag}")

    def _same_object(self, outer: PSObject, inner: PSObject, refid: str | None) -> None:
        """Redirect references to an object inside another one to the outer one."""
        if refid is not None:
            self._objects[refid] = outer
        if id(inner) in self._referred:
            self._complete[id(inner)] = (inner, outer)

    def _listed(self, markup: str, pos: int) -> TypeNames:
        try:
            return types_of(markup)
        except ValueError as error:
            fail(self.text, pos, f"TN: {error}")

    # -- parts of an object: each fills it and returns the offset after the part

    def _part_type_names_again(self, obj: PSObject, token: Token, pos: int) -> int:
        if token.refid is None or token.refid not in self._types or token.kind == OPEN:
            fail(self.text, pos, f"unknown RefId {token.refid} of type names")
        obj.type_names = self._types[token.refid]
        return token.after

    def _part_type_names(self, obj: PSObject, token: Token, pos: int) -> int:
        obj.type_names, after = self._type_names(token, pos)
        return after

    def _part_to_string(self, obj: PSObject, token: Token, pos: int) -> int:
        obj.to_string, after = self._string(token, pos)
        return after

    def _part_extended(self, obj: PSObject, token: Token, pos: int) -> int:
        after = self._begin(token, pos)
        if token.kind == OPEN:
            return self._extended(obj, token.qualified, after)
        obj.extended = {}
        return after

    def _part_adapted(self, obj: PSObject, token: Token, pos: int) -> int:
        after = self._begin(token, pos)
        obj.adapted = {}
        if token.kind == OPEN:
            after = self._members(token.qualified, after, obj.adapted, None)
        return after

    def _part_sequence(self, obj: PSObject, token: Token, pos: int) -> int:
        obj.value = sequence = _SEQUENCES[token.tag]((), ())
        after = self._items(token, pos, sequence)
        if token.tag == "STK":
            sequence.reverse()
        return after

    def _part_dictionary(self, obj: PSObject, token: Token, pos: int) -> int:
        obj.value = dictionary = Dictionary((), ())
        return self._entries(token, pos, dictionary)

    def _extended(self, obj: PSObject, ends: str, pos: int) -> int:
        obj.extended = {}
        pos = self._members(ends, pos, obj.extended, MemberSet)
        if len(obj.extended) > 1:
            obj.extended = _last_of_each(obj.extended)
        return pos

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

    # -- the contents of objects

    def _members(
        self, close: str, pos: int, into: dict[str, Any], nested: type[MemberSet] | None
    ) -> int:
        """Read members up to the end tag ``close``; return the offset after it."""
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
        """Read a list of I32 only, or of S only, in one step, if it is one."""
        text = self.text
        if not text.startswith(("<I32>", "<S>"), pos):
            return pos
        tag = "S" if text[pos + 1] == "S" else "I32"
        # Search for the nearest end of any list, to keep the cost linear.
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
                        pass  # the general path reports the place
            token = self._token(pos)
            if token.kind == END:
                self._check_end(token, opening.qualified, pos)
                return token.after
            if token.tag != "En" or token.kind != OPEN:
                fail(text, pos, "expected En with Key and Value in DCT")
            pos = self._entry(token, into)

    def _entry(self, opening: Token, into: Dictionary) -> int:
        pos = opening.after
        pair = []
        for part in ("Key", "Value"):
            token = self._token(pos)
            if token.kind == END or token.name != part:
                fail(self.text, pos, f"missing {part} of a dictionary entry")
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
    """The common shape of the objects of one list, as long as objects match it."""

    __slots__ = ("_reader", "_trust", "shape")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._trust = 4
        self.shape: Shape | None = None

    def learn(self, start: int, end: int) -> None:
        """Learn the shape of an object that was read by the general path."""
        reader = self._reader
        if self._trust > 0 and reader._parse is PARSE and reader._depth < reader._max_depth:
            self._trust -= 1
            self.shape = learn(reader.text, start, end)

    def take(self, pos: int) -> tuple[PSObject | None, int]:
        """Return the next object and the offset after it, or None if it has another shape."""
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


_new: Callable[[type[PSObject]], PSObject] = object.__new__
_CONTAINERS = frozenset({List, Enumerable, Stack, Queue, Dictionary})

_SPECIAL: dict[str, Callable[[Reader, Token, int], tuple[Any, int]]] = {
    "Nil": Reader._nil,
    "Obj": Reader._object,
    "Ref": Reader._ref,
    "SS": Reader._secure_string,
    "PR": Reader._progress,
}

_PARTS: dict[str, Callable[[Reader, PSObject, Token, int], int]] = {
    "TNRef": Reader._part_type_names_again,
    "TN": Reader._part_type_names,
    "ToString": Reader._part_to_string,
    "MS": Reader._part_extended,
    "Props": Reader._part_adapted,
    "DCT": Reader._part_dictionary,
    **dict.fromkeys(_SEQUENCES, Reader._part_sequence),
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
"""Field, tag (none: any value), and parser."""


def _last_of_each(members: dict[str, Any]) -> dict[str, Any]:
    """Keep the last of the extended members whose names differ only in case."""
    if len({name.lower() for name in members}) == len(members):
        return members
    last = {name.lower(): name for name in members}
    return {name: value for name, value in members.items() if last[name.lower()] == name}
