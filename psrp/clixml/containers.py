"""The containers of CLIXML: LST, IE, STK, QUE and DCT. [MS-PSRP] 2.2.5.2.6

Each keeps the .NET type names that it was sent with. A container with properties is a `PSObject`
whose `value` is the container.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from psrp.clixml.bounded_repr import show
from psrp.clixml.equality import equal, list_parts

__all__ = ["Dictionary", "Enumerable", "List", "Queue", "Stack", "TypeNames"]

TypeNames = tuple[str, ...]
"""Most derived type first; empty if the element has none."""

ARRAY: TypeNames = ("System.Object[]", "System.Array", "System.Object")
HASHTABLE: TypeNames = ("System.Collections.Hashtable", "System.Object")


class _Sequence(list[Any]):
    """A list that keeps its .NET type names."""

    __slots__ = ("type_names",)

    TAG: ClassVar[str] = ""
    DEFAULT: ClassVar[TypeNames] = ()

    type_names: TypeNames

    def __init__(self, items: Iterable[Any] = (), type_names: Iterable[str] | None = None) -> None:
        super().__init__(items)
        self.type_names = self.DEFAULT if type_names is None else tuple(type_names)

    def __repr__(self) -> str:
        return show(self)

    def _contents(self) -> tuple[str, Iterable[Any], str]:
        return f"{type(self).__name__}([", self, "])"

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, (list, tuple)) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __copy__(self) -> Self:
        return type(self)(self, self.type_names)

    def _parts(self, other: object, strict: bool) -> list[tuple[Any, Any]] | None:
        if isinstance(other, _Sequence) and (
            type(self) is not type(other) or self.type_names != other.type_names
        ):
            return None
        return list_parts(self, other, strict)


class List(_Sequence):
    """An array or list, element LST. Without ``type_names`` it is written as System.Object[]."""

    __slots__ = ()
    TAG = "LST"
    DEFAULT = ARRAY


class Enumerable(_Sequence):
    """Another enumerable, element IE: a set, a LINQ iterator, a BitArray."""

    __slots__ = ()
    TAG = "IE"
    DEFAULT = ARRAY


class Stack(_Sequence):
    """A stack, element STK. The **last** item is the top: ``append`` pushes and ``pop`` pops.

    On the wire the top is first.
    """

    __slots__ = ()
    TAG = "STK"
    DEFAULT = ("System.Collections.Stack", "System.Object")


class Queue(_Sequence):
    """A queue, element QUE. The first item is the front, here and on the wire."""

    __slots__ = ()
    TAG = "QUE"
    DEFAULT = ("System.Collections.Queue", "System.Object")


class Dictionary:
    """A dictionary, element DCT, with any value as a key; order is kept.

    It behaves like a `dict` with three differences. A key may be unhashable (a list, a
    `PSObject`); it is found by identity first, then by equality. `add` keeps a second entry
    whose key equals an earlier one, which `dict` cannot; look-ups find the first of them.
    A string without an exact match is looked up without regard to case, as in PowerShell's own
    hashtables. (`update` and item assignment replace only on an exact match.)
    """

    __slots__ = ("_entries", "_folded", "type_names")

    TAG: ClassVar[str] = "DCT"

    type_names: TypeNames

    def __init__(
        self,
        items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | Dictionary = (),
        type_names: Iterable[str] | None = None,
    ) -> None:
        self.type_names = HASHTABLE if type_names is None else tuple(type_names)
        self._entries: dict[Hashable, tuple[Any, Any]] = {}
        self._folded: dict[str, Hashable] | None = None
        pairs = items.items() if isinstance(items, (Mapping, Dictionary)) else items
        for key, value in pairs:
            self.add(key, value)

    def add(self, key: Any, value: Any) -> None:
        """Append an entry, even if an equal key exists."""
        token: Hashable = key if type(key) is str else _token(key)
        if token in self._entries:
            token = _Duplicate(key)
        self._entries[token] = (key, value)
        self._folded = None

    def _find(self, key: Any) -> Hashable:
        """Return the token of the entry for ``key``, or ``_MISSING``."""
        token = _token(key)
        if token in self._entries:
            return token
        if isinstance(key, str):
            if self._folded is None:
                self._folded = {}
                for name, (known, _) in self._entries.items():
                    if isinstance(known, str):
                        self._folded.setdefault(known.casefold(), name)
            return self._folded.get(key.casefold(), _MISSING)
        if isinstance(token, _Identity):
            for name, (known, _) in self._entries.items():
                if isinstance(name, _Identity) and equal(known, key):
                    return name
        return _MISSING

    def __getitem__(self, key: Any) -> Any:
        token = self._find(key)
        if token is _MISSING:
            raise KeyError(key)
        return self._entries[token][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        token = _token(key)
        old = self._entries.get(token)
        self._entries[token] = (key if old is None else old[0], value)
        self._folded = None

    def __delitem__(self, key: Any) -> None:
        token = self._find(key)
        if token is _MISSING:
            raise KeyError(key)
        del self._entries[token]
        self._folded = None

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not _MISSING

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._entries.values())

    def keys(self) -> list[Any]:
        return [key for key, _ in self._entries.values()]

    def values(self) -> list[Any]:
        return [value for _, value in self._entries.values()]

    def items(self) -> list[tuple[Any, Any]]:
        return list(self._entries.values())

    def get(self, key: Any, default: Any = None) -> Any:
        token = self._find(key)
        return default if token is _MISSING else self._entries[token][1]

    def update(self, other: Mapping[Any, Any] | Dictionary) -> None:
        for key, value in other.items():
            self[key] = value

    def clear(self) -> None:
        self._entries.clear()
        self._folded = None

    def __repr__(self) -> str:
        return show(self) if len(self) else "Dictionary()"

    def _contents(self) -> tuple[str, Iterable[Any], str]:
        return "Dictionary([", self.items(), "])"

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, (Dictionary, dict)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _parts(self, other: object, strict: bool) -> list[tuple[Any, Any]] | None:
        if isinstance(other, Dictionary):
            if self.type_names != other.type_names:
                return None
            theirs = other._entries
        elif isinstance(other, dict):
            theirs = Dictionary(other)._entries
        else:
            return None
        if len(self) != len(theirs):
            return None
        if not strict and self._entries.keys() == theirs.keys():
            return [(value, theirs[token][1]) for token, (_, value) in self._entries.items()]
        pairs = zip(self._entries.values(), theirs.values(), strict=True)
        return [part for mine, their in pairs for part in zip(mine, their, strict=True)]


Mapping.register(Dictionary)


class _Identity:
    """The token of an unhashable key: equal to a token of the same object."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.key is other.key

    def __hash__(self) -> int:
        return id(self.key)


class _Duplicate(_Identity):
    """The token of a repeated key; it equals only itself."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


_MISSING = object()


_SAFE_INTEGER = 2**61 - 1
"""Integers below this limit have different hashes."""


def _token(key: Any) -> Hashable:
    """Return the token of a key: equal for equal keys, with a hash that a peer cannot choose.

    Python salts the hashes of texts and bytes, but not those of numbers: without this, a peer
    could send thousands of UUIDs or decimals that share one hash.
    """
    kind = type(key)
    if kind is UUID:
        return UUID, key.bytes
    if isinstance(key, (int, float, Decimal)) and kind is not bool:
        return _number_token(key)
    try:
        hash(key)
    except TypeError:
        return _Identity(key)
    return key  # type: ignore[no-any-return]


def _number_token(key: int | float | Decimal) -> Hashable:
    if isinstance(key, int):
        if -_SAFE_INTEGER < key < _SAFE_INTEGER:
            return key
        return int, f"{key:x}"
    if isinstance(key, float):
        return _number_token(int(key)) if key.is_integer() else key
    if not key.is_finite() or abs(key.adjusted()) > 400:
        return key
    if key == (whole := key.to_integral_value()):
        return _number_token(int(whole))
    wide = float(key)
    return wide if Decimal(wide) == key else (Decimal, str(key.normalize()))
