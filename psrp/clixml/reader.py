"""The machine that reads one CLIXML document. [MS-PSRP] 2.2.5"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack, TypeNames
from psrp.clixml.contents import Contents
from psrp.clixml.cursor import FOREIGN, MAX_DEPTH, Unseal
from psrp.clixml.cycles import replace
from psrp.clixml.objects import MemberSet, ProgressRecord, PSObject, SecureString, Version
from psrp.clixml.scalars import PARSE, parse_text
from psrp.clixml.shapes import match_root, note_root
from psrp.clixml.text import resolve_entities
from psrp.clixml.tokens import EMPTY, END, OPEN, SCALAR, SCAN, SPACE, Token, fail
from psrp.clixml.typenames import TYPE_NAMES, types_of

__all__ = ["MAX_DEPTH", "NAMESPACE", "Reader", "Unseal"]

NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"

_SEQUENCES: dict[str, type[List | Enumerable | Stack | Queue]] = {
    "LST": List,
    "IE": Enumerable,
    "STK": Stack,
    "QUE": Queue,
}


class Reader(Contents):
    """Reads one prepared document; ids of objects and of type names live as long as it does."""

    __slots__ = ("_complete", "_minor", "_unseal", "start")

    def __init__(self, text: str, unseal: Unseal | None, max_depth: int) -> None:
        super().__init__(text, max_depth)
        self.start = len(text) - len(text.lstrip(SPACE))
        self._unseal = unseal
        self._minor = 1
        self._complete: dict[int, tuple[Any, Any]] = {}

    def single(self) -> Any:
        """The only value."""
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
            fail(self.text, self.start, f"one value is expected, here are {len(items)}")
        return items[0][1]

    def document(self) -> list[tuple[str | None, Any]]:
        """Every value with its stream name."""
        token = self._token(self.start)
        items: list[tuple[str | None, Any]] = []
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
            fail(self.text, pos, "something follows the root element")

    def _objs(self, token: Token, items: list[tuple[str | None, Any]]) -> int:
        """Add the items of a document, also those that stand before an error."""
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

    # -- values

    def _value(self, token: Token, pos: int) -> tuple[Any, int]:
        """The value whose first token this is, and the offset behind it.

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
        self._referred[id(found)] = found
        return found, token.after

    def _secure_string(self, token: Token, pos: int) -> tuple[SecureString, int]:
        if token.kind == OPEN:
            fail(self.text, pos, "an element inside SS")
        if self._parse is FOREIGN:
            fail(self.text, pos, "a string in a foreign namespace")
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
            if id(obj) in self._referred:
                self._complete[id(obj)] = (obj, value)
            return value, after
        return obj, after

    def _parts(self, obj: PSObject, ends: str, pos: int) -> int:
        """Fill the object; the offset behind its end tag ``ends``."""
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
            elif token.tag in parsers or token.tag in _SPECIAL:
                obj.value, pos = self._value(token, pos)
            elif self._minor > 1:
                pos = self._skip(token, pos)
            else:
                fail(text, pos, f"unknown element {token.tag}")

    def _listed(self, markup: str, pos: int) -> TypeNames:
        try:
            return types_of(markup)
        except ValueError as error:
            fail(self.text, pos, f"TN: {error}")

    # -- parts of an object: each fills it and gives the offset behind

    def _part_type_names_again(self, obj: PSObject, token: Token, pos: int) -> int:
        if token.refid is None or token.refid not in self._types or token.kind == OPEN:
            fail(self.text, pos, f"no type names have the RefId {token.refid}")
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
"""Field, tag (none: any value), and how it is read."""


def _last_of_each(members: dict[str, Any]) -> dict[str, Any]:
    """Of two extended members whose names differ in case only, the last counts."""
    if len({name.lower() for name in members}) == len(members):
        return members
    last = {name.lower(): name for name in members}
    return {name: value for name, value in members.items() if last[name.lower()] == name}
