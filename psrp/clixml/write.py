"""Writing of CLIXML, identical to PowerShell's output. [MS-PSRP] 2.2.5

Plain Python values are accepted too: list and tuple become System.Object[], dict a Hashtable,
datetime and timedelta DT and TS, a date the DT of its midnight, an int beyond 64 bits a BigInteger
object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from psrp.clixml import base64_text, fastpaths
from psrp.clixml.containers import (
    ARRAY,
    HASHTABLE,
    Dictionary,
    Enumerable,
    List,
    Queue,
    Stack,
    TypeNames,
)
from psrp.clixml.objects import (
    Credential,
    MemberSet,
    ProgressRecord,
    PSObject,
    SecureString,
    absorb_value,
)
from psrp.clixml.reader import DEPTH_CEILING, MAX_DEPTH
from psrp.clixml.scalars import FORMAT
from psrp.clixml.text import escape, escape_attribute, is_special, needs_escape
from psrp.clixml.write_columns import Template, run_after
from psrp.clixml.write_roots import note_written, write_root
from psrp.sansio import LocalProtocolError

__all__ = ["Writer", "dumps", "indent"]

Seal = Callable[[str], str]

_SHORT = 1000
_TRUST = 4
"""After as many more objects without a run than with one, a list is not searched for runs."""
_SHORTEST_RUN = 2
_NAMES: dict[str, str] = {}
_NAMES_KEPT = 4096
_NAME_KEPT = 100
"""Length of the longest cached name, to limit the memory that a peer can fill."""


def dumps(
    value: Any,
    *,
    seal: Seal | None = None,
    depth: int | None = None,
    max_depth: int = MAX_DEPTH,
    head: bytes = b"",
) -> bytes:
    """Return the value as one bare element, UTF-8, as in the body of a PSRP message.

    seal: encrypts the text of an open SecureString for ``<SS>``.
    depth: number of levels of .NET properties to write, like the depth of a PowerShell
        serializer; 1 is that of remoting, None writes all. Objects below are written as text.
        Notes and containers do not count.
    max_depth: the deepest nesting of Obj elements, up to 100; PowerShell reads at most 48.
    head: bytes to put before the element, without copying the result again.
    Raises LocalProtocolError, naming the place, for a value that has no CLIXML form.
    """
    kind = type(value)
    if kind is str and not needs_escape(value):
        return head + f"<S>{value}</S>".encode()
    if kind is int and -0x80000000 <= value <= 0x7FFFFFFF:
        return b"%b<I32>%d</I32>" % (head, value)
    if kind is bytes and value:
        return b"".join((head, b"<BA>", base64_text.encode(value), b"</BA>"))
    often = kind is PSObject and depth is None and fastpaths.enabled
    if often and 1 <= max_depth <= DEPTH_CEILING:
        text = write_root(value)
        if text is not None:
            return head + text.encode()
    writer = Writer(seal, max_depth, depth)
    writer.value(value, "")
    if often:
        note_written(value, writer.attribute)
    return head + "".join(writer.pieces).encode()


class Writer:
    """Writes values into one scope of ids, as text in ``pieces``."""

    __slots__ = (
        "_depth",
        "_ids",
        "_levels",
        "_max_depth",
        "_next",
        "_path",
        "_seal",
        "_types",
        "pieces",
    )

    def __init__(self, seal: Seal | None, max_depth: int, depth: int | None = None) -> None:
        if not 1 <= max_depth <= DEPTH_CEILING:
            raise LocalProtocolError(f"expected a max_depth of 1 to {DEPTH_CEILING}")
        self.pieces: list[str] = []
        self._seal = seal
        self._levels = float("inf") if depth is None else depth
        self._max_depth = max_depth
        self._depth = 0
        self._next = 0
        self._ids: dict[int, int] = {}
        self._types: dict[TypeNames, int] = {}
        self._path: list[Any] = []

    def value(self, value: Any, attribute: str) -> None:
        """Write one element; ``attribute`` is empty or `` N="..."`` ready to use."""
        kind = type(value)
        if value is None:
            self.pieces.append(f"<Nil{attribute} />")
        elif kind is int:
            self._integer(value, attribute)
        elif (scalar := FORMAT.get(kind)) is not None:
            self._scalar(scalar, value, attribute)
        elif (special := _SPECIAL.get(kind)) is not None:
            special(self, value, attribute)
        else:
            self._derived(value, attribute)

    def _refuse(self, reason: str) -> NoReturn:
        place = "/".join(map(str, self._path))
        raise LocalProtocolError(f"{reason} (at /{place})")

    def _derived(self, value: Any, attribute: str) -> None:
        """Write a value of a subclass of a known class."""
        for base in type(value).__mro__[1:]:
            if base is int:
                return self._integer(int(value), attribute)
            if base in FORMAT:
                return self._scalar(FORMAT[base], value, attribute)
            if base in _SPECIAL:
                return _SPECIAL[base](self, value, attribute)
        self._refuse(f"a {type(value).__name__} has no CLIXML form")

    def _scalar(self, scalar: tuple[str, Callable[[Any], str]], value: Any, attribute: str) -> None:
        tag, form = scalar
        try:
            text = form(value)
        except ValueError as error:
            self._refuse(str(error))
        if text or tag != "BA":
            self.pieces.append(f"<{tag}{attribute}>{text}</{tag}>")
        else:
            self.pieces.append(f"<BA{attribute} />")

    def _integer(self, value: int, attribute: str) -> None:
        if -0x80000000 <= value <= 0x7FFFFFFF:
            self.pieces.append(f"<I32{attribute}>{value}</I32>")
        elif -(2**63) <= value < 2**63:
            self.pieces.append(f"<I64{attribute}>{value}</I64>")
        elif 0 < value < 2**64:
            self.pieces.append(f"<U64{attribute}>{value}</U64>")
        else:
            self._big_integer(value, attribute)

    def _big_integer(self, value: int, attribute: str) -> None:
        try:
            text = str(value)
        except ValueError:
            self._refuse("an int of so many digits has no CLIXML form")
        power = value > 0 and value & (value - 1) == 0
        flags = {"IsPowerOfTwo": power, "IsZero": False, "IsOne": False, "IsEven": not value & 1}
        whole = PSObject(_BIG_INTEGER, {**flags, "Sign": 1 if value > 0 else -1}, to_string=text)
        self._begin(attribute)
        self._content(whole)
        self._end()

    # -- elements with an id

    def _known(self, value: Any, attribute: str) -> bool:
        known = self._ids.get(id(value))
        if known is None:
            return False
        self.pieces.append(f'<Ref{attribute} RefId="{known}" />')
        return True

    def _begin(self, attribute: str, value: Any = None) -> None:
        self._descend()
        if value is not None:
            self._ids[id(value)] = self._next
        self.pieces.append(f'<Obj{attribute} RefId="{self._next}">')
        self._next += 1

    def _end(self) -> None:
        last = self.pieces[-1]
        if last.startswith("<Obj ") and not last.endswith("/>"):
            self.pieces[-1] = last[:-1] + " />"
        else:
            self.pieces.append("</Obj>")
        self._depth -= 1

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            self._refuse(f"objects nested more than {self._max_depth} deep")

    def _type_names(self, names: TypeNames) -> None:
        if not names:
            return
        known = self._types.get(names)
        if known is not None:
            self.pieces.append(f'<TNRef RefId="{known}" />')
            return
        number = self._types[names] = len(self._types)
        listed = "".join([f"<T>{escape(name)}</T>" for name in names])
        self.pieces.append(f'<TN RefId="{number}">{listed}</TN>')

    def _object(self, value: PSObject, attribute: str) -> None:
        if self._known(value, attribute):
            return
        if self._levels < 1 and _ENUM.intersection(value.type_names[1:]):
            self._scalar(FORMAT[str], value.to_string or str(value.value), attribute)
            return
        self._begin(attribute, value)
        if type(value.value) is PSObject:
            value = self._flattened(value)
        inner = value.value
        if type(inner) in _CONTENT:
            self._ids.setdefault(id(inner), self._next - 1)
        self._content(value)
        self._end()

    def _flattened(self, value: PSObject) -> PSObject:
        """Return one merged object for an object whose value is another object."""
        number = self._ids[id(value)]
        names, adapted, extended = value.type_names, value.adapted, value.extended
        flat = PSObject(names, adapted, extended, value.to_string, value.value)
        while type(inner := flat.value) is PSObject:
            if id(inner) in self._ids:
                self._refuse("an object that is the value of another was written before")
            self._ids[id(inner)] = number
            absorb_value(flat)
        return flat

    def _content(self, value: PSObject) -> None:
        inner = value.value
        if self._levels < 1 and inner is None and (value.adapted, value.to_string) != (None, None):
            inner = value.to_string or "".join(value.type_names[:1])
            value = PSObject(extended=value.extended, value=inner)
        content = _CONTENT.get(type(inner))
        names = value.type_names
        self._type_names(tuple(names) if names or content is None else _names_of(inner))
        if value.to_string is not None:
            text = escape(value.to_string)
            self.pieces.append(f"<ToString>{text}</ToString>" if text else "<ToString />")
        if content is not None:
            content(self, inner)
        elif inner is not None:
            self.value(inner, "")
        if value.adapted is not None:
            self._levels -= 1
            self._members("Props", value.adapted, "")
            self._levels += 1
        if value.extended:
            self._members("MS", value.extended, "")

    def _container(self, value: Any, attribute: str) -> None:
        if self._known(value, attribute):
            return
        self._begin(attribute, value)
        self._type_names(_names_of(value))
        content = next(_CONTENT[kind] for kind in type(value).__mro__ if kind in _CONTENT)
        content(self, value)
        self._end()

    def _members(self, tag: str, members: dict[str, Any], attribute: str) -> None:
        push, attributes, formats = self.pieces.append, _NAMES, FORMAT
        if not members:
            push(f"<{tag}{attribute} />")
            return
        push(f"<{tag}{attribute}>")
        for name, value in members.items():
            given = attributes.get(name) or self._name(name)
            kind = type(value)
            if kind is str and len(value) < _SHORT:
                push(f"<S{given}>{escape(value) if is_special(value) else value}</S>")
            elif kind is int and -0x80000000 <= value <= 0x7FFFFFFF:
                push(f"<I32{given}>{value}</I32>")
            elif value is None:
                push(f"<Nil{given} />")
            elif (scalar := formats.get(kind)) is not None:  # as _scalar does, without a call
                label, form = scalar
                try:
                    text = form(value)
                except ValueError as error:
                    self._path.append(name)
                    self._refuse(str(error))
                if text or label != "BA":
                    push(f"<{label}{given}>{text}</{label}>")
                else:
                    push(f"<BA{given} />")
            else:
                self._path.append(name)
                if isinstance(value, MemberSet) and tag == "MS":
                    self._descend()
                    self._members("MS", value, given)
                    self._depth -= 1
                else:
                    self.value(value, given)
                self._path.pop()
        push(f"</{tag}>")

    def _name(self, name: Any) -> str:
        if not isinstance(name, str) or not name:
            self._refuse("a property needs a name, a string that is not empty")
        given = f' N="{escape_attribute(name)}"'
        if len(name) <= _NAME_KEPT:
            if len(_NAMES) >= _NAMES_KEPT:
                _NAMES.clear()
            _NAMES[name] = given
        return given

    def _sequence(self, items: Any) -> None:
        tag = getattr(items, "TAG", "LST")
        if not items:
            self.pieces.append(f"<{tag} />")
            return
        if tag == "STK":
            items = items[::-1]
        self.pieces.append(f"<{tag}>")
        kinds = set(map(type, items))
        if kinds == {int} and min(items) >= -0x80000000 and max(items) <= 0x7FFFFFFF:
            self.pieces.append(f"<I32>{'</I32><I32>'.join(map(int.__repr__, items))}</I32>")
        elif kinds == {str}:
            if needs_escape("".join(items)):
                items = map(escape, items)
            self.pieces.append(f"<S>{'</S><S>'.join(items)}</S>")
        else:
            self._mixed(items, PSObject in kinds)
        self.pieces.append(f"</{tag}>")

    def _mixed(self, items: Sequence[Any], has_objects: bool) -> None:
        """Write the items of a list, runs of like objects by columns."""
        trust = _TRUST if has_objects and fastpaths.enabled and self._levels >= 1 else 0
        index = 0
        while index < len(items):
            self._path.append(index)
            self.value(items[index], "")
            self._path.pop()
            if trust and type(items[index]) is PSObject:
                written = self._run(run_after(items, index))
                trust += 1 if written else -1
                index += written
            index += 1

    def _run(self, run: Sequence[PSObject]) -> int:
        """Write like objects by columns; return how many were written, all or none."""
        ids = list(map(id, run))
        if len(run) < _SHORTEST_RUN or len(set(ids)) != len(ids):
            return 0
        names = run[0].type_names
        if not self._ids.keys().isdisjoint(ids) or (names and names not in self._types):
            return 0
        types = f'<TNRef RefId="{self._types[names]}" />' if names else ""
        try:
            template = Template(run, self.attribute, types)
        except (ValueError, TypeError, LocalProtocolError):
            return 0  # the general path reports the place
        self.pieces.append(template.filled(self._next))
        self._ids.update(zip(ids, range(self._next, self._next + len(ids)), strict=True))
        self._next += len(ids)
        return len(ids)

    def attribute(self, name: str) -> str:
        """Return the attribute N for the name of a property."""
        return _NAMES.get(name) or self._name(name)

    def _pairs(self, dictionary: dict[Any, Any] | Dictionary) -> None:
        if not len(dictionary):
            self.pieces.append("<DCT />")
            return
        self.pieces.append("<DCT>")
        for key, value in dictionary.items():
            if key is None:
                self._refuse("the key of a dictionary cannot be None")
            self.pieces.append("<En>")
            self._path.append(key if isinstance(key, (str, int)) else type(key).__name__)
            self.value(key, ' N="Key"')
            self.value(value, ' N="Value"')
            self._path.pop()
            self.pieces.append("</En>")
        self.pieces.append("</DCT>")

    # -- the other elements

    def _member_set(self, value: MemberSet, attribute: str) -> None:
        self._refuse("a MemberSet stands only among extended members")

    def _secure_string(self, value: SecureString, attribute: str) -> None:
        text = value.sealed
        if text is None:
            if self._seal is None:
                self._refuse("an open SecureString needs a key to be sealed with")
            text = self._seal(value.reveal())
        self.pieces.append(f"<SS{attribute}>{escape(text)}</SS>")

    def _credential(self, value: Credential, attribute: str) -> None:
        if self._known(value, attribute):
            return
        self._begin(attribute, value)
        # PowerShell writes its members at any depth.
        levels, self._levels = self._levels, max(self._levels, 1)
        self._content(value.to_object())
        self._levels = levels
        self._end()

    def _progress(self, value: ProgressRecord, attribute: str) -> None:
        self.pieces.append(
            f"<PR{attribute}><AV>{escape(value.activity)}</AV><AI>{value.activity_id}</AI>"
        )
        self.value(value.current_operation, "")
        self.pieces.append(
            f"<PI>{value.parent_activity_id}</PI><PC>{value.percent}</PC>"
            f"<T>{escape(value.type)}</T><SR>{value.seconds}</SR>"
            f"<SD>{escape(value.status)}</SD></PR>"
        )


_ENUM = frozenset({"System.Enum", "Deserialized.System.Enum"})
_BIG_INTEGER = ("System.Numerics.BigInteger", "System.ValueType", "System.Object")


def _names_of(container: Any) -> TypeNames:
    if isinstance(container, dict):
        return HASHTABLE
    return tuple(getattr(container, "type_names", ARRAY))


_CONTENT: dict[type, Callable[[Writer, Any], None]] = {
    list: Writer._sequence,
    tuple: Writer._sequence,
    List: Writer._sequence,
    Enumerable: Writer._sequence,
    Stack: Writer._sequence,
    Queue: Writer._sequence,
    dict: Writer._pairs,
    Dictionary: Writer._pairs,
}
"""The function that writes the content of a container's Obj."""

_SPECIAL: dict[type, Callable[[Writer, Any, str], None]] = {
    **dict.fromkeys(_CONTENT, Writer._container),
    PSObject: Writer._object,
    MemberSet: Writer._member_set,
    SecureString: Writer._secure_string,
    Credential: Writer._credential,
    ProgressRecord: Writer._progress,
}

_TAG = re.compile(r"<(/?)[^>]*?(/?)>[^<]*")


def indent(text: str) -> str:
    """Return the document in the layout of Export-Clixml: one tag per line, two spaces a level."""
    pieces: list[str] = []
    depth = 0
    after_start = False
    for match in _TAG.finditer(text):
        ends, empty = match.groups()
        depth -= bool(ends)
        if not (ends and after_start):
            pieces.append("\n" + "  " * depth)
        depth += not (ends or empty)
        pieces.append(match[0])
        after_start = not (ends or empty)
    return "".join(pieces[1:])
