# long: one class, because every part of the loop needs every other
"""The reader of one CLIXML document. [MS-PSRP] 2.2.5"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from psrp.clixml import fastpaths
from psrp.clixml.columns import Runs
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
from psrp.clixml.text import resolve_entities, unescape
from psrp.clixml.tokens import (
    CLOSE,
    EMPTY,
    END,
    MEMBERS,
    NIL,
    OPEN,
    SCALAR,
    SPACE,
    TYPES,
    VALUE,
    Pieces,
    Token,
)
from psrp.clixml.typenames import interned
from psrp.sansio import LocalProtocolError

__all__ = ["DEPTH_CEILING", "MAX_DEPTH", "NAMESPACE", "Reader", "Unseal", "check_depth"]

MAX_DEPTH = 48
"""The deepest nesting of Obj elements: the limit of PowerShell's reader."""
DEPTH_CEILING = 100
"""The largest ``max_depth``."""

Unseal = Callable[[str], str]


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


def check_depth(max_depth: int) -> None:
    """Raise LocalProtocolError for a ``max_depth`` outside 1..100."""
    if not 1 <= max_depth <= DEPTH_CEILING:
        raise LocalProtocolError(f"expected a max_depth of 1 to {DEPTH_CEILING}")


class Reader(Pieces):
    """Reads one prepared document, which is the scope of the ids of objects and type names.

    Raises LocalProtocolError for a ``max_depth`` outside 1..100.
    """

    __slots__ = (
        "_complete",
        "_depth",
        "_known",
        "_max_depth",
        "_minor",
        "_names",
        "_namespace",
        "_objects",
        "_parse",
        "_referred",
        "_types",
        "_unseal",
    )

    def __init__(self, text: str, unseal: Unseal | None, max_depth: int) -> None:
        check_depth(max_depth)
        super().__init__(text)
        self._unseal = unseal
        self._minor = 1
        self._max_depth = max_depth
        self._depth = 0
        self._namespace = ""
        self._parse = PARSE
        self._known = self._heads
        """The tags seen before; none of them in a foreign namespace."""
        self._names: dict[str, str] = {}
        self._objects: dict[str, Any] = {}
        self._types: dict[str, TypeNames] = {}
        self._referred: dict[int, Any] = {}
        self._complete: dict[int, tuple[Any, Any]] = {}

    def single(self) -> Any:
        """Return the only value."""
        items = self.document()
        if len(items) != 1:
            self.fail(1, f"expected one value, got {len(items)}")
        return items[0][1]

    def document(self) -> list[tuple[str | None, Any]]:
        """Return every value with its stream name."""
        token = self.token(1)
        items: list[tuple[str | None, Any]] = []
        prefix = token.qualified[: -len(token.tag) - 1]
        declared = token.attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if declared == NAMESPACE:
            # A bare element may repeat the namespace that it would have inside Objs.
            self._namespace = NAMESPACE
        if token.tag == "Objs":
            after = self._objs(token, items)
        else:
            value, after = self._value(token, 1)
            items.append((token.attributes.get("S"), value))
            self._correct(items)
        self.check_done(after)
        return items

    def _correct(self, items: list[tuple[str | None, Any]]) -> None:
        if self._complete:
            items[:] = [(stream, replace(value, self._complete)) for stream, value in items]

    def _objs(self, token: Token, items: list[tuple[str | None, Any]]) -> int:
        """Add the items of a document, including those before an error."""
        prefix = token.qualified[: -len(token.tag) - 1]
        declared = token.attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        if declared != NAMESPACE:
            self.fail(1, "expected the namespace of CLIXML for Objs")
        self._namespace = NAMESPACE
        try:
            major, self._minor = Version(token.attributes.get("Version", "1.1")).parts[:2]
        except ValueError:
            self.fail(1, "expected a version as Version of Objs")
        if major != 1:
            self.fail(1, f"unknown Version {major} of Objs")
        if token.kind == EMPTY:
            return token.after
        pos = self._begin(token, 1)
        if token.kind == SCALAR:
            return pos
        try:
            while True:
                item = self.token(pos)
                if item.kind == END:
                    self._check_end(item, token.qualified, pos)
                    return item.after
                value, pos = self._value(item, pos)
                items.append((item.attributes.get("S"), value))
        finally:
            self._correct(items)

    # -- tokens

    def _is_foreign(self, token: Token) -> bool:
        prefix = token.qualified.rpartition(":")[0]
        if prefix:
            return self._prefixes[prefix] != self._namespace
        return token.attributes.get("xmlns", self._namespace) != self._namespace

    def _check_end(self, token: Token, qualified: str, pos: int) -> None:
        if token.qualified != qualified:
            self.fail(pos, f"</{token.qualified}> ends <{qualified}>")

    def _name(self, raw: str) -> str:
        name = self._names[raw] = unescape(raw)
        return name

    def _begin(self, token: Token, pos: int) -> int:
        """Return the offset after the start tag of an element that contains only elements."""
        if token.text and token.text.strip(SPACE):
            self.fail(pos, "text among elements")
        return token.after

    def _again(self, tag: str, text: str, pos: int, error: ValueError) -> Any:
        """Read a scalar with character references, which are rare in numbers, or fail."""
        if "&" in text and tag not in TEXTS:
            try:
                return self._parse[tag](resolve_entities(text))
            except ValueError as second:
                error = second
        self.fail(pos, f"{tag}: {error}")

    def _string(self, token: Token, pos: int) -> tuple[str, int]:
        if token.kind == OPEN:
            self.fail(pos, f"an element inside {token.tag}")
        try:
            return self._parse["S"](token.text), token.after
        except ValueError as error:
            self.fail(pos, f"{token.tag}: {error}")

    def _descend(self, pos: int) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            self.fail(pos, f"objects nested more than {self._max_depth} deep")

    def _skip(self, token: Token, pos: int) -> int:
        """Return the offset after an element that is not read."""
        if token.kind != OPEN:
            return token.after
        open_tags = [token.qualified]
        pos = token.after
        while open_tags:
            token = self.token(pos)
            if token.kind == END:
                self._check_end(token, open_tags.pop(), pos)
            elif token.kind == OPEN:
                open_tags.append(token.qualified)
            pos = token.after
        return pos

    # -- values

    def _value(self, token: Token, pos: int) -> tuple[Any, int]:
        """Return the value that begins with this token, and the index of the piece after it.

        PowerShell matches elements by their local names but strings by their namespace too:
        in a foreign one it reads numbers and no strings.
        """
        named = token.attributes or ":" in token.qualified
        if named and token.kind != END and self._is_foreign(token):
            outer, self._parse, self._known = (self._parse, self._known), FOREIGN, {}
            try:
                return self._value_here(token, pos)
            finally:
                self._parse, self._known = outer
        return self._value_here(token, pos)

    def _value_here(self, token: Token, pos: int) -> tuple[Any, int]:
        kind, tag = token.kind, token.tag
        parse = self._parse.get(tag)
        if parse is not None:
            if kind == OPEN:
                self.fail(pos, f"an element inside {tag}")
            if kind == END:
                self.fail(pos, f"unexpected </{tag}>")
            try:
                return parse(token.text), token.after
            except ValueError as error:
                return self._again(tag, token.text, pos, error), token.after
        special = _SPECIAL.get(tag)
        if special is None or kind == END:
            self.fail(pos, f"unknown element {tag}")
        if tag not in ("SS", "Nil"):
            self._begin(token, pos)
        return special(self, token, pos)

    def _nil(self, token: Token, pos: int) -> tuple[None, int]:
        # PowerShell skips the content of a Nil.
        return None, self._skip(token, pos)

    def _ref(self, token: Token, pos: int) -> tuple[Any, int]:
        if token.refid is None:
            self.fail(pos, "a Ref without RefId")
        if token.refid not in self._objects:
            self.fail(pos, f"unknown RefId {token.refid}")
        if token.kind == OPEN:
            self.fail(pos, "an element inside Ref")
        found = self._objects[token.refid]
        self._referred[id(found)] = found
        return found, token.after

    def _secure_string(self, token: Token, pos: int) -> tuple[SecureString, int]:
        if token.kind == OPEN:
            self.fail(pos, "an element inside SS")
        if self._parse is FOREIGN:
            self.fail(pos, "a string in a foreign namespace")
        sealed, _ = self._string(token, pos)
        if self._unseal is None:
            return SecureString.from_sealed(sealed), token.after
        return SecureString(self._unseal(sealed)), token.after

    def _progress(self, token: Token, pos: int) -> tuple[ProgressRecord, int]:
        """Read the children in their only order; all are required. [MS-PSRP] 2.2.5.1.25"""
        if token.kind != OPEN:
            self.fail(pos, "PR without its children")
        pos = token.after
        found: dict[str, Any] = {}
        for field, tag, parse in _PROGRESS:
            child = self.token(pos)
            if child.kind in (END, OPEN):
                self.fail(pos, f"PR: missing {tag or 'CO'}")
            if not tag:
                found[field], pos = self._value(child, pos)
                continue
            if child.tag != tag:
                self.fail(pos, f"PR: missing {tag}")
            try:
                found[field] = parse(child.text)
            except ValueError as error:
                self.fail(pos, f"{tag}: {error}")
            pos = child.after
        end = self.token(pos)
        if end.kind != END:
            self.fail(pos, "PR: too many children")
        self._check_end(end, token.qualified, pos)
        return ProgressRecord(**found), end.after

    # -- objects

    def _object(self, token: Token, pos: int) -> tuple[Any, int]:
        qualified = token.qualified if token.kind == OPEN else None
        return self._object_at(token.refid, qualified, pos, token.after)

    def _object_at(
        self, refid: str | None, ends: str | None, pos: int, after: int
    ) -> tuple[Any, int]:
        """Read the object whose start tag is the piece ``pos`` and whose content is at ``after``.

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
        """Fill the object; return the index of the piece after its end tag ``ends``."""
        pieces, known_tags, types = self.pieces, self._known, self._types
        close = f"/{ends}>"
        while True:
            if pos >= self.limit:
                self.more(pos)
            piece = pieces[pos]
            if piece == close:
                return pos + 1
            text, closed, content = piece.partition(">")
            known = known_tags.get(text)
            if known is not None and closed and (not content or not content.strip(SPACE)):
                use = known[0]
                if use == TYPES:
                    if known[1] in types:
                        obj.type_names = types[known[1]]
                        pos += 1
                        continue
                elif use == MEMBERS:
                    if text == "MS":
                        pos = self._extended(obj, "MS", pos + 1)
                    else:
                        obj.adapted = {}
                        pos = self._members("Props", pos + 1, obj.adapted, None)
                    continue
            token = self.token(pos)
            if token.kind == END:
                self._check_end(token, ends, pos)
                return token.after
            part = _PARTS.get(token.tag)
            if part is not None:
                pos = part(self, obj, token, pos)
            elif token.tag == "Ref":
                self.fail(pos, "a Ref in place of the object's value")
            elif token.tag in self._parse or token.tag in _SPECIAL:
                obj.value, after = self._value(token, pos)
                if type(obj.value) is PSObject:
                    self._same_object(obj, obj.value, token.refid)
                pos = after
            elif self._minor > 1:
                pos = self._skip(token, pos)
            else:
                self.fail(pos, f"unknown element {token.tag}")

    def _same_object(self, outer: PSObject, inner: PSObject, refid: str | None) -> None:
        """Redirect references to an object inside another one to the outer one."""
        if refid is not None:
            self._objects[refid] = outer
        if id(inner) in self._referred:
            self._complete[id(inner)] = (inner, outer)

    # -- parts of an object: each fills it and returns the index of the piece after the part

    def _part_type_names_again(self, obj: PSObject, token: Token, pos: int) -> int:
        if token.refid is None or token.refid not in self._types or token.kind == OPEN:
            self.fail(pos, f"unknown RefId {token.refid} of type names")
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
            child = self.token(pos)
            if child.kind == END:
                self._check_end(child, token.qualified, pos)
                after = child.after
                break
            if child.tag != "T":
                self.fail(pos, f"{child.tag} among type names")
            name, after = self._string(child, pos)
            names.append(name)
        found = interned(tuple(names))
        if token.refid is not None:
            self._types[token.refid] = found
        return found, after

    # -- the contents of objects

    def _members(
        self, ends: str, pos: int, into: dict[str, Any], nested: type[MemberSet] | None
    ) -> int:
        """Read members up to the end tag ``ends``; return the index of the piece after it."""
        pieces, known_tags, limit = self.pieces, self._known, self.limit
        close = f"/{ends}>"
        while True:
            if pos >= limit:
                limit = self.more(pos)
            piece = pieces[pos]
            text, closed, content = piece.partition(">")
            known = known_tags.get(text)
            if known is None:
                found = self._plain_object(text, content) if closed else None
                if found is not None and found[0]:
                    name, refid = found
                    into[name], pos = self._object_at(refid, "Obj", pos, pos + 1)
                    continue
            elif closed:
                use, name, parse, end, _ = known
                if use == VALUE and name:
                    following = pieces[pos + 1]
                    if following == end or following.rstrip(SPACE) == end:
                        try:
                            value = parse(content)
                        except ValueError as error:
                            value = self._again(known[4].tag, content, pos, error)
                        into[name] = value
                        pos += 2
                        continue
                elif use == CLOSE:
                    if piece == close:
                        return pos + 1
                elif use == NIL and name and (not content or not content.strip(SPACE)):
                    into[name] = None
                    pos += 1
                    continue
            pos, done = self._member(ends, pos, into, nested)
            if done:
                return pos

    def _member(
        self, ends: str, pos: int, into: dict[str, Any], nested: type[MemberSet] | None
    ) -> tuple[int, bool]:
        """Read one member in any spelling, or the end tag: then the second is True."""
        token = self.token(pos)
        if token.kind == END:
            self._check_end(token, ends, pos)
            return token.after, True
        if not token.name:
            self.fail(pos, "a member without a name")
        name = self._names.get(token.name) or self._name(token.name)
        if nested is None or token.tag != "MS":
            into[name], pos = self._value(token, pos)
            return pos, False
        into[name] = members = nested()
        after = self._begin(token, pos)
        if token.kind == OPEN:
            self._descend(pos)
            after = self._members(token.qualified, after, members, nested)
            self._depth -= 1
        return after, False

    def _plain_object(self, text: str, content: str) -> tuple[str, str] | None:
        """Return name (or "") and RefId of a start tag ``<Obj N="..." RefId="...">``.

        None for any other tag. These tags are not remembered, because each has its own RefId.
        """
        if text[:4] != "Obj " or not self._known or (content and content.strip(SPACE)):
            return None
        parts = text.split('"')
        if not text.isprintable() or "&" in text:
            return None
        if len(parts) == 3 and parts[0] == "Obj RefId=" and not parts[2]:
            return "", parts[1]
        if len(parts) == 5 and (parts[0], parts[2], parts[4]) == ("Obj N=", " RefId=", ""):
            return self._names.get(parts[1]) or self._name(parts[1]), parts[3]
        return None

    def _items(self, opening: Token, pos: int, into: list[Any]) -> int:
        pos = self._begin(opening, pos)
        if opening.kind != OPEN:
            return pos
        pieces, known_tags = self.pieces, self._known
        close, ends = f"/{opening.qualified}>", opening.qualified
        runs = Runs(self, self._objects, self._types) if self._runs_allowed() else None
        if runs is not None:
            pos = runs.scalars(pos, f"</{ends}>", into)
        while True:
            if pos >= self.limit:
                self.more(pos)
            start = pos
            piece = pieces[pos]
            if piece == close:
                return pos + 1
            text, closed, content = piece.partition(">")
            known = known_tags.get(text)
            if known is None:
                found = self._plain_object(text, content) if closed else None
                if found is not None and not found[0]:
                    value, pos = self._object_at(found[1], "Obj", pos, pos + 1)
                    into.append(value)
                    if runs is not None:
                        pos = runs.after_object(start, pos, into)
                    continue
            elif closed and known[0] == VALUE and not known[1]:
                following, end = pieces[pos + 1], known[3]
                if following == end or following.rstrip(SPACE) == end:
                    try:
                        into.append(known[2](content))
                    except ValueError as error:
                        into.append(self._again(known[4].tag, content, pos, error))
                    pos += 2
                    continue
            token = self.token(pos)
            if token.kind == END:
                self._check_end(token, ends, pos)
                return token.after
            value, pos = self._value(token, pos)
            into.append(value)

    def _runs_allowed(self) -> bool:
        return fastpaths.enabled and self._parse is PARSE and self._depth < self._max_depth

    def _entries(self, opening: Token, pos: int, into: Dictionary) -> int:
        pos = self._begin(opening, pos)
        if opening.kind != OPEN:
            return pos
        while True:
            if pos >= self.limit:
                self.more(pos)
            if self._plain_entry(pos, into):
                pos += 6
                continue
            token = self.token(pos)
            if token.kind == END:
                self._check_end(token, opening.qualified, pos)
                return token.after
            if token.tag != "En" or token.kind != OPEN:
                self.fail(pos, "expected En with Key and Value in DCT")
            pos = self._entry(token, into)

    def _plain_entry(self, pos: int, into: Dictionary) -> bool:
        """Read ``<En><S N="Key">...</S><S N="Value">...</S></En>``, with a value of any one tag."""
        pieces = self.pieces
        key = pieces[pos + 1]
        if not key.startswith(_KEY):
            return False
        tag, closed, value = pieces[pos + 3].partition(">")
        known = self._known.get(tag)
        if (
            known is None
            or not closed
            or known[0] != VALUE
            or known[4].name != "Value"
            or pieces[pos].rstrip(SPACE) != "En>"
            or pieces[pos + 2].rstrip(SPACE) != "/S>"
            or pieces[pos + 4].rstrip(SPACE) != known[3]
            or pieces[pos + 5].rstrip(SPACE) != "/En>"
        ):
            return False
        try:
            into.add(parse_text(key[len(_KEY) :]), known[2](value))
        except ValueError:
            return False  # the general path reports the place
        return True

    def _entry(self, opening: Token, into: Dictionary) -> int:
        pos = opening.after
        pair = []
        for part in ("Key", "Value"):
            token = self.token(pos)
            if token.kind == END or token.name != part:
                self.fail(pos, f"missing {part} of a dictionary entry")
            value, after = self._value(token, pos)
            if part == "Key" and value is None:
                self.fail(pos, "the key of a dictionary is null")
            pair.append(value)
            pos = after
        end = self.token(pos)
        if end.kind != END:
            self.fail(pos, "more than Key and Value in En")
        self._check_end(end, opening.qualified, pos)
        into.add(pair[0], pair[1])
        return end.after


_KEY = 'S N="Key">'
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
