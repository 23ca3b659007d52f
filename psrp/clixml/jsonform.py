"""CLIXML values as JSON that keeps every type: `to_json` and `from_json` are inverse.

JSON's own types are unchanged; everything else is an object with ``"$type"``. The form is
described in spec-notes/clixml-json.md. Both functions work on the objects of `json.loads` and
`json.dumps`, not on text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml.containers import Dictionary
from psrp.clixml.jsonread import I32, MAX_DEPTH, SEQUENCES, SIZED, from_json
from psrp.clixml.numbers import Char, Single
from psrp.clixml.objects import (
    CUSTOM_OBJECT,
    Credential,
    MemberSet,
    ProgressRecord,
    PSObject,
    SecureString,
)
from psrp.clixml.scalars import TEXT_TYPES
from psrp.clixml.times import DateTime, TimeSpan
from psrp.sansio import LocalProtocolError

__all__ = ["MAX_DEPTH", "JsonItems", "from_json", "to_json"]

_NUMBERS_AS_TEXT = ("Int64", "UInt64")
_CONTAINERS = (PSObject, Dictionary, list, tuple, dict)


def to_json(value: Any, *, reveal: bool = False) -> Any:
    """Return ``value`` as None, bool, int, float, str, list and dict with string keys.

    A container that occurs twice is written once and then referred to; cycles are allowed.
    Raises LocalProtocolError, which names the place, for an open SecureString unless ``reveal``,
    for an object that is not a CLIXML value, and for values nested more than `MAX_DEPTH` deep.
    """
    return _Writer(_shared(value), reveal).write(value, "$", 0)


def _shared(root: Any) -> dict[int, int]:
    """Return the `id` of every container that occurs more than once, mapped to 0 (no number)."""
    return _search(root, set(), {}, lambda _: False)


def _search(
    root: Any, seen: set[int], numbered: Mapping[int, int], is_shared: Callable[[Any], bool]
) -> dict[int, int]:
    """As `_shared`; add all containers to ``seen``, and do not search those with a number."""
    shared: dict[int, int] = {}
    pending = [root]
    while pending:
        value = pending.pop()
        if not isinstance(value, _CONTAINERS) or id(value) in numbered:
            continue
        if id(value) not in seen:
            seen.add(id(value))
            pending.extend(_parts(value))
            if not is_shared(value):
                continue
        if not isinstance(value, MemberSet):
            shared[id(value)] = 0
    return shared


class JsonItems:
    """Writes values one by one, as if they were the items of one list.

    A container of an earlier value is referred to if ``is_referred`` was true for it when it was
    first written; otherwise it is written again, once, and referred to from then on. Raises
    LocalProtocolError as `to_json`.
    """

    def __init__(self, is_referred: Callable[[Any], bool], *, reveal: bool = False) -> None:
        self._writer = _Writer({}, reveal)
        self._is_referred = is_referred
        self._earlier: set[int] = set()
        self._count = 0

    def write(self, value: Any) -> Any:
        """Return the form of the next value, which the caller keeps until `forget`."""
        seen: set[int] = set()
        earlier, numbered = self._earlier, self._writer.shared
        numbered.update(
            _search(
                value, seen, numbered, lambda each: id(each) in earlier or self._is_referred(each)
            )
        )
        path = f"$[{self._count}]"
        self._count += 1
        form = self._writer.write(value, path, 1)
        earlier |= seen
        return form

    def forget(self, alive: Container[int]) -> None:
        """Forget the containers of earlier values except those with these `id`."""
        shared = self._writer.shared
        self._writer.shared = {each: shared[each] for each in shared if each in alive}
        self._earlier = {each for each in self._earlier if each in alive}


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, PSObject):
        return [value.value, *(value.adapted or {}).values(), *value.extended.values()]
    if isinstance(value, (list, tuple)):
        return value
    return [part for pair in value.items() for part in pair]


class _Writer:
    """One document: the containers already written, and whether secrets may be revealed."""

    def __init__(self, shared: dict[int, int], reveal: bool) -> None:
        self.shared = shared
        self.reveal = reveal
        self.numbered = 0

    def write(self, value: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LocalProtocolError(f"{path}: nested more than {MAX_DEPTH} deep")
        number = self.shared.get(id(value))
        if number:
            return {"$ref": number}
        if number == 0:
            self.numbered += 1
            self.shared[id(value)] = number = self.numbered
        kind = type(value)
        writer = _WRITERS.get(kind) or next(
            (_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), None
        )
        if writer is None:
            raise LocalProtocolError(f"{path}: {kind.__name__} is not a CLIXML value")
        try:
            form = writer(self, value, path, depth + 1)
        except ValueError as error:
            raise LocalProtocolError(f"{path}: {error}") from None
        return form if number is None else _numbered(form, number)

    def secret(self, value: SecureString, path: str, depth: int) -> Any:
        if value.sealed is not None:
            return {"$type": "SecureString", "sealed": value.sealed}
        if not self.reveal:
            raise LocalProtocolError(f"{path}: cannot write an open SecureString: pass reveal=True")
        return {"$type": "SecureString", "open": value.reveal()}

    def array(self, value: Iterable[Any], path: str, depth: int) -> list[Any]:
        return [self.write(item, f"{path}[{at}]", depth) for at, item in enumerate(value)]

    def members(self, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        return {
            str.__str__(name): self.write(item, f"{path}.{name}", depth)
            for name, item in value.items()
        }

    def entries(self, value: Any, path: str, depth: int) -> Any:
        pairs = value.items()
        if len({key for key in value if type(key) is str}) == len(pairs):
            return self.members(dict(pairs), path, depth)
        return [
            [
                self.write(key, f"{path}[{at}][0]", depth),
                self.write(item, f"{path}[{at}][1]", depth),
            ]
            for at, (key, item) in enumerate(pairs)
        ]

    def plain_dict(self, value: dict[Any, Any], path: str, depth: int) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return self.members(value, path, depth)
        return {"$type": "dict", "entries": self.entries(value, path, depth)}

    def sequence(self, value: Any, path: str, depth: int) -> Any:
        name, default = type(value).__name__, type(value).DEFAULT
        return _typed(name, value, default, items=self.array(value, path, depth))

    def dictionary(self, value: Dictionary, path: str, depth: int) -> Any:
        default = Dictionary().type_names
        return _typed("Dictionary", value, default, entries=self.entries(value, path, depth))

    def member_set(self, value: MemberSet, path: str, depth: int) -> Any:
        return {"$type": "MemberSet", "members": self.members(value, path, depth)}

    def psobject(self, value: PSObject, path: str, depth: int) -> Any:
        more: dict[str, Any] = {}
        if value.to_string is not None:
            more["to_string"] = value.to_string
        if value.value is not None:
            more["value"] = self.write(value.value, f"{path}.value", depth)
        if value.adapted is not None:
            more["adapted"] = self.members(value.adapted, path, depth)
        if value.extended:
            more["extended"] = self.members(value.extended, path, depth)
        if value.type_names == CUSTOM_OBJECT:
            return {"$type": "PSCustomObject", **more}
        return _typed("Object", value, (), **more)


def _numbered(form: Any, number: int) -> dict[str, Any]:
    if isinstance(form, list):
        form = {"$type": "list", "items": form}
    elif "$type" not in form:
        form = {"$type": "dict", "entries": form}
    kind = form.pop("$type")
    return {"$type": kind, "$id": number, **form}


def _typed(name: str, value: Any, default: tuple[str, ...], /, **more: Any) -> dict[str, Any]:
    names = {} if value.type_names == default else {"type_names": list(value.type_names)}
    return {"$type": name, **names, **more}


def _float(_: _Writer, value: float, *__: Any) -> Any:
    # Whole numbers are tagged because many JSON tools turn 5.0 into 5.
    plain = math.isfinite(value) and not value.is_integer()
    return float(value) if plain else {"$type": "Double", "value": _float_text(value)}


def _float_text(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return "-0" if value == 0 and math.copysign(1, value) < 0 else float(value)


def _int(_: _Writer, value: int, *__: Any) -> Any:
    value = int(value)  # `in range` searches linearly for other int classes
    if value in I32:
        return value
    kind = "Int64" if -(2**63) <= value < 2**63 else "UInt64" if 0 < value < 2**64 else "BigInteger"
    return {"$type": kind, "value": str(value)}


def _tagged(name: str, text: Callable[[Any], Any]) -> _Write:
    return lambda writer, value, path, depth: {"$type": name, "value": text(value)}


_Write = Callable[[_Writer, Any, str, int], Any]
_exact = str.__str__

_WRITERS: dict[type, _Write] = {
    type(None): lambda writer, value, path, depth: None,
    bool: lambda writer, value, path, depth: value,
    int: _int,
    float: _float,
    str: lambda writer, value, path, depth: _exact(value),
    **dict.fromkeys(
        (bytes, bytearray, memoryview),
        _tagged("Bytes", lambda value: base64.b64encode(value).decode("ascii")),
    ),
    UUID: _tagged("Guid", str),
    Decimal: _tagged("Decimal", str),
    Single: _tagged("Single", _float_text),
    Char: _tagged("Char", _exact),
    DateTime: _tagged("DateTime", str),
    datetime: _tagged("DateTime", lambda value: str(DateTime.from_datetime(value))),
    date: _tagged("DateTime", lambda day: f"{day.isoformat()}T00:00:00"),
    TimeSpan: _tagged("TimeSpan", str),
    timedelta: _tagged("TimeSpan", lambda value: str(TimeSpan.from_timedelta(value))),
    **{kind: _tagged(name, _exact) for name, kind in TEXT_TYPES.items()},
    **{
        kind: _tagged(name, str if name in _NUMBERS_AS_TEXT else int)
        for name, kind in SIZED.items()
    },
    SecureString: _Writer.secret,
    ProgressRecord: lambda writer, value, path, depth: {
        "$type": "ProgressRecord",
        **{field.name: getattr(value, field.name) for field in fields(value)},
    },
    **dict.fromkeys(SEQUENCES.values(), _Writer.sequence),
    Dictionary: _Writer.dictionary,
    MemberSet: _Writer.member_set,
    PSObject: _Writer.psobject,
    Credential: lambda writer, value, path, depth: writer.psobject(value.to_object(), path, depth),
    list: _Writer.array,
    tuple: _Writer.array,
    dict: _Writer.plain_dict,
}
